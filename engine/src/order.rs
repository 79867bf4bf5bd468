//! The order of tables: parents before children, by the foreign keys of both sides and by what the user adds.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// Who waits for whom. Tables are known by their place in the list that was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// For each table, those that must be done before it when rows are added; never itself, nor one of its own cycle.
    pub parents: Vec<Vec<usize>>,
    /// For each table, whether another one refers to it.
    pub has_children: Vec<bool>,
    /// Groups of tables that refer to each other in a circle, each in the order of the list.
    pub cycles: Vec<Vec<usize>>,
    /// All tables, parents first; within one level in the order of the list.
    pub waves: Vec<Vec<usize>>,
}

impl Order {
    pub fn in_cycle(&self, table: usize) -> bool {
        self.cycles.iter().any(|cycle| cycle.contains(&table))
    }

    /// For each table, those that must be done before it when rows are deleted.
    pub fn children(&self) -> Vec<Vec<usize>> {
        let mut children = vec![Vec::new(); self.parents.len()];
        for (child, parents) in self.parents.iter().enumerate() {
            parents.iter().for_each(|parent| children[*parent].push(child));
        }
        children
    }
}

/// Sorts `count` tables by `edges`, each from a parent to its child. A table that refers to itself is no cycle.
pub fn order(count: usize, edges: &[(usize, usize)]) -> Order {
    let mut graph = DiGraph::<(), ()>::new();
    let nodes: Vec<NodeIndex> = (0..count).map(|_| graph.add_node(())).collect();
    for (parent, child) in edges.iter().filter(|(parent, child)| parent != child) {
        graph.update_edge(nodes[*parent], nodes[*child], ());
    }
    let mut group = vec![0; count];
    let mut cycles = Vec::new();
    for (index, component) in tarjan_scc(&graph).into_iter().enumerate() {
        let mut members: Vec<usize> = component.into_iter().map(NodeIndex::index).collect();
        members.sort_unstable();
        members.iter().for_each(|table| group[*table] = index);
        if members.len() > 1 {
            cycles.push(members);
        }
    }
    cycles.sort();
    let mut parents = vec![Vec::new(); count];
    let mut has_children = vec![false; count];
    for edge in graph.raw_edges() {
        let (parent, child) = (edge.source().index(), edge.target().index());
        has_children[parent] = true;
        if group[parent] != group[child] {
            parents[child].push(parent);
        }
    }
    parents.iter_mut().for_each(|list| list.sort_unstable());
    let waves = waves(&parents);
    Order { parents, has_children, cycles, waves }
}

fn waves(parents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut level = vec![None; parents.len()];
    let mut waves: Vec<Vec<usize>> = Vec::new();
    while level.iter().any(Option::is_none) {
        let ready = |table: &usize| level[*table].is_none() && parents[*table].iter().all(|p| level[*p].is_some());
        let wave: Vec<usize> = (0..parents.len()).filter(ready).collect();
        debug_assert!(!wave.is_empty(), "edges inside a cycle were left out, so some table is always ready");
        wave.iter().for_each(|table| level[*table] = Some(waves.len()));
        waves.push(wave);
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parents_come_before_children() {
        // 0 artist, 1 album, 2 track, 3 genre
        let order = order(4, &[(0, 1), (1, 2), (3, 2)]);
        assert_eq!(order.waves, [vec![0, 3], vec![1], vec![2]]);
        assert_eq!(order.has_children, [true, true, false, true]);
        assert_eq!(order.children()[1], [2]);
        assert!(order.cycles.is_empty());
    }

    #[test]
    fn a_cycle_is_named_and_does_not_stop_the_others() {
        // 0 staff <-> 1 store -> 2 customer; 3 employee refers to itself
        let order = order(4, &[(0, 1), (1, 0), (1, 2), (3, 3)]);
        assert_eq!(order.cycles, [vec![0, 1]]);
        assert!(order.in_cycle(0) && !order.in_cycle(2) && !order.in_cycle(3));
        assert_eq!(order.waves, [vec![0, 1, 3], vec![2]]);
    }

    proptest! {
        #[test]
        fn every_table_comes_once_and_after_its_parents(edges in prop::collection::vec((0usize..8, 0usize..8), 0..20)) {
            let order = order(8, &edges);
            let flat: Vec<usize> = order.waves.concat();
            let place = |table| flat.iter().position(|t| *t == table).unwrap();
            prop_assert_eq!(flat.len(), 8);
            for (child, parents) in order.parents.iter().enumerate() {
                for parent in parents {
                    prop_assert!(place(*parent) < place(child));
                }
            }
        }
    }
}
