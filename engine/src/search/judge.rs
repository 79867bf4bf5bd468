//! What the answers to a search mean: which ranges are equal, which are cut again, and which are read.

use super::{DEPTH_MAX, Node, Part, Search, Step, Waiting};
use crate::digest::Digest;
use crate::key::KeyRange;

impl Search {
    pub(super) fn judge_recent(&mut self, recent: KeyRange, node: Node, answers: &[(Digest, Digest)]) {
        let Some((source, target)) = answers.first() else { return };
        let depth = node.depth + 1;
        let older = Node {
            range: KeyRange::new(node.range.after.clone(), recent.after.clone()),
            source: node.source.saturating_sub(source.rows),
            target: node.target.saturating_sub(target.rows),
            depth,
            wave: self.waves,
        };
        self.waves += 1;
        let recent = Node { range: recent, source: source.rows, target: target.rows, depth, wave: self.waves };
        for (node, newer) in [(older, false), (recent, true)] {
            if node.source != node.target {
                self.step(&node, newer);
                if node.rows() <= self.options.leaf_rows { self.leaves.push(node) } else { self.open.push(node) }
            }
        }
        // The newest are read first.
        self.leaves.reverse();
    }

    pub(super) fn judge(&mut self, mut parts: Vec<Part>, asked: &[usize], answers: &[(Digest, Digest)]) {
        self.stats.ranges += asked.len() as u64;
        for (place, answer) in asked.iter().zip(answers) {
            parts[*place].answer = Some(*answer);
        }
        let dense = self.is_dense(&parts);
        let open: Vec<usize> = (0..parts.len()).filter(|place| parts[*place].answer.is_none()).collect();
        if !open.is_empty() && !dense {
            self.waiting = Waiting::Digests { parts, asked: open };
            return;
        }
        self.stats.turned_to_reading |= dense;
        let nodes: Vec<Node> = parts.into_iter().filter_map(|part| self.differing(part)).collect();
        let nodes = if dense { joined(nodes, self.options.read_rows) } else { nodes };
        self.sort_out(nodes, dense);
    }

    /// Whether so much of what was asked for differs that cutting further would cost more than reading.
    fn is_dense(&self, parts: &[Part]) -> bool {
        let known = || parts.iter().filter_map(|part| part.answer.as_ref());
        let rows = |(source, target): &(Digest, Digest)| source.rows.max(target.rows);
        let all: u64 = known().map(rows).sum();
        let differing: u64 = known().filter(|answer| self.differs(answer)).map(rows).sum();
        // Counting costs so little that reading never pays before ranges are small.
        !self.counts_alone() && differing * 100 > all * self.options.dense_percent
    }

    fn differs(&self, (source, target): &(Digest, Digest)) -> bool {
        if self.counts_alone() { source.rows != target.rows } else { source != target }
    }

    /// The part as a node, if it differs or nobody looked.
    fn differing(&mut self, part: Part) -> Option<Node> {
        let (source, target) = match &part.answer {
            Some((source, target)) if !self.differs(&(*source, *target)) => {
                self.stats.equal_rows.0 += source.rows;
                self.stats.equal_rows.1 += target.rows;
                return None;
            }
            Some((source, target)) => (source.rows, target.rows),
            None => (part.rows, part.rows),
        };
        let node = Node { range: part.range, source, target, depth: part.depth, wave: self.waves };
        self.step(&node, part.newer);
        Some(node)
    }

    /// Decides which of the nodes are read, and which are cut once more.
    fn sort_out(&mut self, nodes: Vec<Node>, dense: bool) {
        let is_small = |node: &Node| node.rows() <= self.options.leaf_rows;
        let small: Vec<u64> = nodes.iter().filter(|node| is_small(node)).map(Node::rows).collect();
        let cut_small = !self.counts_alone() && !self.options.costs.read_now(small.len() as u64, small.iter().sum());
        // The newest are read first.
        for node in nodes.into_iter().rev() {
            let is_leaf = node.rows() <= self.options.leaf_rows && !(cut_small && node.rows() > 1);
            if dense || is_leaf || node.depth >= DEPTH_MAX { self.leaves.push(node) } else { self.open.push(node) }
        }
    }

    fn step(&mut self, node: &Node, newer: bool) {
        self.stats.max_depth = self.stats.max_depth.max(node.depth);
        let percent = if self.total == 0 { 100.0 } else { node.rows() as f64 * 100.0 / self.total as f64 };
        self.steps.push(Step { percent, newer, rows: node.rows() });
    }
}

/// Neighbours that are going to be read as one range, as far as that holds no more rows than are read at once.
fn joined(nodes: Vec<Node>, rows_max: u64) -> Vec<Node> {
    let mut joined: Vec<Node> = Vec::new();
    for node in nodes {
        match joined.last_mut() {
            Some(last) if last.is_before(&node) && last.rows() + node.rows() <= rows_max => last.absorb(node),
            _ => joined.push(node),
        }
    }
    joined
}
