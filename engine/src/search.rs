//! The search for differences, as a value without input or output: it says what it wants to know, is told, and goes on.
//!
//! The table is cut into ranges by row quantiles, all ranges are asked for at once, and only those that differ are cut
//! again or read. It goes in waves: all ranges that are open are cut by one question and asked for by the next, so that
//! the number of questions that wait for each other depends on the depth alone (compare pg_comparator's fold and
//! data-diff's bisection factor, which cut each range by itself). In how many parts, and how far down, follows from
//! [`Costs`](crate::cost::Costs).
//!
//! Of many ranges a sample is asked for first: where most of a table differs, hashing the rest is a waste, and it is read.
//!
//! A search by counts alone is the manual's search for adds and deletes: it is cheaper, cannot see a missing and an extra
//! row in one range, and ends as soon as the difference of the counts is explained.

mod ask;
mod judge;
mod node;
#[cfg(test)]
mod tests;

use crate::digest::Digest;
use crate::key::{Key, KeyRange};

pub use ask::{Ask, SearchOptions, SearchStats, Seek, SideName, Step};
use node::{Node, Part, Waiting};

/// No honest table needs so many cuts; beyond it the range is read.
const DEPTH_MAX: u64 = 40;
/// Of so many parts a sample is asked for first.
const SAMPLED_FROM: usize = 256;
/// Every so manieth part is in the sample, or fewer where so many parts tell enough.
const SAMPLE_STEP: usize = 16;
const SAMPLE_PARTS: usize = 32;
/// Differing ranges that the first wave is prepared for: enough to keep its parts from being too coarse.
const DIFFERENCES_EXPECTED: u64 = 30;
/// A sample that can hardly change the course is not worth its round trip.
const SAMPLE_DENSE_MAX: u64 = 95;

#[derive(Debug)]
pub struct Search {
    options: SearchOptions,
    total: u64,
    open: Vec<Node>,
    leaves: Vec<Node>,
    waiting: Waiting,
    waves: u64,
    found: u64,
    steps: Vec<Step>,
    pub stats: SearchStats,
}

impl Search {
    /// Starts with the whole table and the counts of both sides.
    pub fn new(source_count: u64, target_count: u64, options: SearchOptions) -> Search {
        Search::within(KeyRange::ALL, source_count, target_count, options)
    }

    /// Starts with one range.
    pub fn within(range: KeyRange, source: u64, target: u64, options: SearchOptions) -> Search {
        let node = Node { range, source, target, depth: 0, wave: 0 };
        let mut search = Search {
            options,
            total: node.rows(),
            open: Vec::new(),
            leaves: Vec::new(),
            waiting: Waiting::Idle,
            waves: 0,
            found: 0,
            steps: Vec::new(),
            stats: SearchStats::default(),
        };
        if node.rows() <= options.leaf_rows {
            search.leaves.push(node)
        } else if search.begins_with_recent(&node) {
            search.waiting = Waiting::Recent(node)
        } else {
            search.open.push(node)
        }
        search
    }

    /// Only a search that can end early gains by looking at some rows before others.
    fn begins_with_recent(&self, node: &Node) -> bool {
        let recent = self.options.recent_first;
        self.counts_alone() && recent > 0 && node.rows() > recent.saturating_mul(2)
    }

    fn counts_alone(&self) -> bool {
        matches!(self.options.seek, Seek::CountGap { .. })
    }

    /// What it wants to know next. Asking twice without an answer asks the same again.
    pub fn ask(&mut self) -> Ask {
        loop {
            match &self.waiting {
                Waiting::Recent(node) => {
                    let side = node.side(self.options.cut_by);
                    return Ask::Recent { side, rows: self.options.recent_first };
                }
                Waiting::Split { nodes, side, rows_per_part } => {
                    let ranges = nodes.iter().map(|node| node.range.clone()).collect();
                    return Ask::Split { side: *side, ranges, rows_per_part: *rows_per_part };
                }
                Waiting::Digests { parts, asked } => {
                    return Ask::Digests(asked.iter().map(|place| parts[*place].range.clone()).collect());
                }
                Waiting::RecentCounts { recent, .. } => return Ask::Digests(vec![recent.clone()]),
                Waiting::Idle => {}
            }
            if self.explained() {
                self.open.clear();
                self.leaves.clear();
            }
            if !self.leaves.is_empty() {
                return Ask::Rows(self.take_leaves());
            }
            if self.open.is_empty() {
                return Ask::Nothing;
            }
            self.waiting = self.next_wave();
        }
    }

    /// The count of rows that one side has too much is explained, and nothing else was asked for.
    fn explained(&self) -> bool {
        matches!(self.options.seek, Seek::CountGap { need } if self.found >= need)
    }

    /// The nodes of the last wave that one side cuts, as many as the fan-out allows with two parts each.
    fn next_wave(&mut self) -> Waiting {
        let wave = self.open.iter().map(|node| node.wave).max().unwrap_or_default();
        let cut_by = self.options.cut_by;
        let side = self.open.iter().find(|node| node.wave == wave).map_or(SideName::Source, |node| node.side(cut_by));
        let mut room = (self.options.fan_out / 2).max(1);
        let (nodes, rest) = std::mem::take(&mut self.open).into_iter().partition(|node| {
            let taken = node.wave == wave && node.side(cut_by) == side && room > 0;
            room -= u64::from(taken);
            taken
        });
        self.open = rest;
        let rows_per_part = self.rows_per_part(&nodes);
        Waiting::Split { nodes, side, rows_per_part }
    }

    fn rows_per_part(&self, nodes: &[Node]) -> u64 {
        let (count, rows) = (nodes.len() as u64, nodes.iter().map(Node::rows).sum::<u64>());
        if self.options.seek == Seek::Everything {
            return self.options.read_rows.max(rows.div_ceil(self.options.fan_out)).max(1);
        }
        let mean = rows / count.max(1);
        let costs = &self.options.costs;
        let first = nodes.iter().all(|node| node.depth == 0);
        let parts = if first { costs.parts(rows, DIFFERENCES_EXPECTED) } else { costs.parts_of_one(mean) };
        let parts = parts.min(self.options.fan_out / count.max(1)).max(2);
        mean.div_ceil(parts).max(1)
    }

    /// Tells the key behind which the newest rows lie.
    pub fn recent(&mut self, key: Option<Key>) {
        let Waiting::Recent(node) = self.take_waiting() else { return };
        match key {
            Some(key) => {
                let recent = KeyRange::new(Some(key), node.range.through.clone());
                self.waiting = Waiting::RecentCounts { recent, node };
            }
            None => self.open.push(node),
        }
    }

    /// Tells for each range the keys that cut it, in the order in which the ranges were asked for.
    pub fn split(&mut self, bounds: Vec<Vec<Key>>) {
        let Waiting::Split { nodes, rows_per_part, .. } = self.take_waiting() else { return };
        let mut parts = Vec::new();
        self.waves += 1;
        for (node, bounds) in nodes.into_iter().zip(bounds) {
            let ranges = node.range.cut_at(bounds);
            let rows = node.rows() / ranges.len() as u64;
            if self.options.seek == Seek::Everything {
                let leaf = |range| Node { range, source: rows, target: rows, depth: node.depth + 1, wave: 0 };
                self.leaves.extend(ranges.into_iter().rev().map(leaf));
            } else if ranges.len() < 2 {
                self.keep_uncut(node, rows_per_part);
            } else {
                let (half, depth) = (ranges.len() / 2, node.depth + 1);
                let part = |(place, range)| Part { range, depth, rows, newer: place >= half, answer: None };
                parts.extend(ranges.into_iter().enumerate().map(part));
            }
        }
        if !parts.is_empty() {
            let asked = self.first_asked(&parts);
            self.waiting = Waiting::Digests { parts, asked };
        }
    }

    /// A range that is smaller than the parts that were asked for is cut with smaller ones, until it may be read.
    fn keep_uncut(&mut self, node: Node, rows_per_part: u64) {
        if node.rows() > self.options.leaf_rows && rows_per_part > self.options.leaf_rows && node.depth < DEPTH_MAX {
            self.open.push(Node { depth: node.depth + 1, wave: self.waves, ..node });
        } else {
            self.leaves.push(node);
        }
    }

    fn first_asked(&self, parts: &[Part]) -> Vec<usize> {
        let rows = parts.iter().map(|part| part.rows).sum();
        let sampled = parts.len() >= SAMPLED_FROM
            && self.options.seek == Seek::Differences
            && self.options.dense_percent <= SAMPLE_DENSE_MAX
            && self.options.costs.sample_pays(rows);
        let step = if sampled { SAMPLE_STEP.max(parts.len() / SAMPLE_PARTS) } else { 1 };
        (step / 2..parts.len()).step_by(step).collect()
    }

    /// Tells the digests of both sides, in the order in which the ranges were asked for.
    pub fn digests(&mut self, answers: &[(Digest, Digest)]) {
        self.stats.iterations += 1;
        match self.take_waiting() {
            Waiting::Digests { parts, asked } => self.judge(parts, &asked, answers),
            Waiting::RecentCounts { recent, node } => self.judge_recent(recent, node, answers),
            other => self.waiting = other,
        }
    }

    /// Tells how many rows that were looked for the read ranges gave.
    pub fn found(&mut self, rows: u64) {
        self.found += rows;
    }

    /// The steps since the last call, for the progress line.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    fn take_waiting(&mut self) -> Waiting {
        std::mem::replace(&mut self.waiting, Waiting::Idle)
    }

    /// The ranges to read, neighbours joined. They come newest first, so a range is joined with the one before it.
    fn take_leaves(&mut self) -> Vec<(KeyRange, u64)> {
        let mut joined: Vec<(KeyRange, u64)> = Vec::new();
        for node in std::mem::take(&mut self.leaves) {
            let rows = node.rows();
            match joined.last_mut() {
                Some((later, sum))
                    if later.after.is_some()
                        && later.after == node.range.through
                        && *sum + rows <= self.options.read_rows =>
                {
                    later.after = node.range.after;
                    *sum += rows;
                }
                _ => joined.push((node.range, rows)),
            }
        }
        joined
    }
}
