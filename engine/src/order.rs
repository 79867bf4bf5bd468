//! The order of tables: parents before children, by the foreign keys of both sides and by what the user adds. And that of
//! syncs, by their names alone.

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

/// A name with those that have to be done before it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    pub name: &'a str,
    pub after: &'a [String],
}

/// Why names cannot be put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disorder {
    Twice(String),
    Unknown { name: String, after: String },
    Cycle(Vec<String>),
}

/// Sorts by names. Unlike tables, what comes after itself has no order at all.
///
/// # Errors
/// The first thing that is wrong.
pub fn order_by_name(all: &[Named]) -> Result<Order, Disorder> {
    let place = |name: &str| all.iter().position(|other| other.name == name);
    let mut edges = Vec::new();
    for (child, entry) in all.iter().enumerate() {
        if place(entry.name) != Some(child) {
            return Err(Disorder::Twice(entry.name.to_owned()));
        }
        for after in entry.after {
            let unknown = || Disorder::Unknown { name: entry.name.to_owned(), after: after.clone() };
            edges.push((place(after).ok_or_else(unknown)?, child));
        }
    }
    let order = order(all.len(), &edges);
    let alone = edges.iter().find(|(parent, child)| parent == child).map(|(place, _)| vec![*place]);
    match order.cycles.first().cloned().or(alone) {
        Some(cycle) => Err(Disorder::Cycle(circle(&cycle, &edges, all))),
        None => Ok(order),
    }
}

/// The names on the way round, each before the one that comes after it.
fn circle(group: &[usize], edges: &[(usize, usize)], all: &[Named]) -> Vec<String> {
    let mut way = vec![group[0]];
    loop {
        let last = way[way.len() - 1];
        // Everything in a group leads to everything else in it, so there is a way on, and it meets itself in the end.
        let Some((_, next)) = edges.iter().find(|(from, to)| *from == last && group.contains(to)) else { break };
        if let Some(met) = way.iter().position(|place| place == next) {
            way.drain(..met);
            break;
        }
        way.push(*next);
    }
    way.into_iter().map(|place| all[place].name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_names(all: &[(&str, &[&str])], expected: Result<&[&[usize]], Disorder>) {
        let after: Vec<Vec<String>> =
            all.iter().map(|(_, after)| after.iter().map(|name| (*name).to_owned()).collect()).collect();
        let named: Vec<Named> = all.iter().zip(&after).map(|((name, _), after)| Named { name, after }).collect();
        let waves = order_by_name(&named).map(|order| order.waves);
        let expected = expected.map(|waves| waves.iter().map(|wave| wave.to_vec()).collect::<Vec<_>>());
        assert_eq!(waves, expected, "{all:?}");
    }

    #[test]
    fn names_are_put_in_order_or_it_is_said_why_not() {
        let cycle = |names: &[&str]| Err(Disorder::Cycle(names.iter().map(|name| (*name).to_owned()).collect()));
        check_names(&[("b", &["a", "c"]), ("a", &["c"]), ("c", &[])], Ok(&[&[2], &[1], &[0]]));
        check_names(&[("a", &[]), ("a", &[])], Err(Disorder::Twice("a".into())));
        check_names(&[("a", &["x"])], Err(Disorder::Unknown { name: "a".into(), after: "x".into() }));
        check_names(&[("a", &["a"]), ("b", &[])], cycle(&["a"]));
        check_names(&[("a", &["c"]), ("b", &["a"]), ("c", &["b"]), ("d", &["a"])], cycle(&["a", "b", "c"]));
    }

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
