//! The search for differences, as a value without input or output: it says what it wants to know, is told, and goes on.
//!
//! The table is cut into ranges by row quantiles, all ranges are asked for at once, and only those that differ are cut
//! again or read. It goes in waves: all ranges that are open are cut by one question and asked for by the next, so that
//! the number of questions that wait for each other depends on the depth alone (compare pg_comparator's fold and
//! data-diff's bisection factor, which cut each range by itself). In how many parts, and how far down, follows from
//! [`Costs`].
//!
//! Of many ranges a sample is asked for first: where most of a table differs, hashing the rest is a waste, and it is read.
//!
//! A search by counts alone is the manual's search for adds and deletes: it is cheaper, cannot see a missing and an extra
//! row in one range, and ends as soon as the difference of the counts is explained.

use crate::cost::Costs;
use crate::digest::Digest;
use crate::key::{Key, KeyRange};

/// What the search looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// Every difference, by digests.
    Differences,
    /// So many rows that one side has too much, by counts.
    CountGap { need: u64 },
    /// Nothing is asked; every range is read.
    Everything,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchOptions {
    pub seek: Seek,
    /// Ranges of at most so many rows may be read and compared row by row; larger ones are cut.
    pub leaf_rows: u64,
    /// Most parts that one wave is cut into.
    pub fan_out: u64,
    /// A search by counts looks at the newest so many rows first; 0: no order.
    pub recent_first: u64,
    /// When a larger share of the rows than this lies in ranges that differ, those are read without cutting further.
    pub dense_percent: u64,
    /// Neighbouring ranges are read as one, up to so many rows.
    pub read_rows: u64,
    /// The side that tells where to cut, where it has rows enough; none: the larger one.
    pub cut_by: Option<SideName>,
    pub costs: Costs,
}

/// Which side of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideName {
    Source,
    Target,
}

impl SideName {
    pub fn other(self) -> SideName {
        match self {
            SideName::Source => SideName::Target,
            SideName::Target => SideName::Source,
        }
    }
}

/// What the search wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The key behind which the newest `rows` rows of this side lie; answer with [`Search::recent`].
    Recent { side: SideName, rows: u64 },
    /// For each range, keys that cut it into parts of about so many rows of this side; answer with [`Search::split`].
    Split { side: SideName, ranges: Vec<KeyRange>, rows_per_part: u64 },
    /// The digest of each range on both sides; answer with [`Search::digests`].
    Digests(Vec<KeyRange>),
    /// Ranges to read and compare, each with its rows as far as known; tell [`Search::found`] what they gave.
    Rows(Vec<(KeyRange, u64)>),
    /// The search is over.
    Nothing,
}

/// One step, for the progress line of the manual: `2.8%↑5000`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub percent: f64,
    /// Whether the range lies in the newer half of what it was cut from.
    pub newer: bool,
    pub rows: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchStats {
    pub iterations: u64,
    pub max_depth: u64,
    /// Ranges whose digests were compared; the probability of a miss follows from it.
    pub ranges: u64,
    /// Rows of the source and of the target in ranges whose digests were equal.
    pub equal_rows: (u64, u64),
    /// Most of what was looked at differed, so the rest was read instead of hashed.
    pub turned_to_reading: bool,
}

/// A range that differs, or of which nothing is known yet.
#[derive(Clone, Debug)]
struct Node {
    range: KeyRange,
    source: u64,
    target: u64,
    depth: u64,
    /// Nodes of one wave are cut together; later waves come first.
    wave: u64,
}

impl Node {
    fn rows(&self) -> u64 {
        self.source.max(self.target)
    }

    /// The side that cuts it.
    fn side(&self, cut_by: Option<SideName>) -> SideName {
        let larger = if self.source >= self.target { SideName::Source } else { SideName::Target };
        match cut_by {
            Some(SideName::Source) if self.source >= self.target / 2 => SideName::Source,
            Some(SideName::Target) if self.target >= self.source / 2 => SideName::Target,
            _ => larger,
        }
    }
}

/// A part of a node, before and after its digests are known.
#[derive(Clone, Debug)]
struct Part {
    range: KeyRange,
    depth: u64,
    /// What it is taken to hold before it is counted.
    rows: u64,
    newer: bool,
    answer: Option<(Digest, Digest)>,
}

#[derive(Debug)]
enum Waiting {
    Idle,
    Recent(Node),
    Split {
        nodes: Vec<Node>,
        side: SideName,
        rows_per_part: u64,
    },
    /// The places of the parts that are asked for now.
    Digests {
        parts: Vec<Part>,
        asked: Vec<usize>,
    },
    /// Counts of the newest rows; those of the older rows follow from the whole.
    RecentCounts {
        recent: KeyRange,
        node: Node,
    },
}

/// No honest table needs so many cuts; beyond it the range is read.
const DEPTH_MAX: u64 = 40;
/// Of so many parts a sample is asked for first.
const SAMPLED_FROM: usize = 256;
/// Every so manieth part is in the sample.
const SAMPLE_STEP: usize = 16;
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
        let step = if sampled { SAMPLE_STEP } else { 1 };
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

    fn judge_recent(&mut self, recent: KeyRange, node: Node, answers: &[(Digest, Digest)]) {
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

    fn judge(&mut self, mut parts: Vec<Part>, asked: &[usize], answers: &[(Digest, Digest)]) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueRef;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::ops::Bound::{Excluded, Included, Unbounded};

    type Table = BTreeMap<i64, u8>;

    fn key(i: i64) -> Key {
        Key::new([ValueRef::Int(i)])
    }

    fn number(key: &Key) -> i64 {
        match key.values().unwrap()[0] {
            ValueRef::Int(i) => i,
            _ => unreachable!("keys of this test are integers"),
        }
    }

    fn rows<'a>(table: &'a Table, range: &KeyRange) -> impl Iterator<Item = (i64, u8)> + use<'a> {
        let after = range.after.as_ref().map_or(Unbounded, |key| Excluded(number(key)));
        let through = range.through.as_ref().map_or(Unbounded, |key| Included(number(key)));
        let crossed = matches!((after, through), (Excluded(a), Included(t)) if a >= t);
        let rows = (!crossed).then(|| table.range((after, through)));
        rows.into_iter().flatten().map(|(k, v)| (*k, *v))
    }

    fn digest(table: &Table, range: &KeyRange) -> Digest {
        let mut digest = Digest::default();
        rows(table, range).for_each(|(k, v)| {
            digest.add(
                (k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
                    ^ (u64::from(v) << 7).wrapping_mul(0xD6E8_FEB8_6659_FD93),
            )
        });
        digest
    }

    /// Runs a search; gives the keys in which the read ranges differ, and how many rows were read.
    fn run(source: &Table, target: &Table, options: SearchOptions) -> (BTreeSet<i64>, u64) {
        let mut search = Search::new(source.len() as u64, target.len() as u64, options);
        let (mut found, mut read) = (BTreeSet::new(), 0);
        for _ in 0..10_000 {
            match search.ask() {
                Ask::Recent { side, rows: n } => {
                    let table = if side == SideName::Source { source } else { target };
                    search.recent(table.keys().rev().nth(n as usize).map(|k| key(*k)));
                }
                Ask::Split { side, ranges, rows_per_part } => {
                    let table = if side == SideName::Source { source } else { target };
                    let is_cut = |(i, _): &(usize, _)| (i + 1) % rows_per_part as usize == 0;
                    let cuts =
                        |range| rows(table, range).enumerate().filter(is_cut).map(|(_, (k, _))| key(k)).collect();
                    search.split(ranges.iter().map(cuts).collect());
                }
                Ask::Digests(ranges) => {
                    let answers: Vec<_> = ranges.iter().map(|r| (digest(source, r), digest(target, r))).collect();
                    search.digests(&answers);
                }
                Ask::Rows(ranges) => {
                    let before = found.len();
                    for (range, _) in ranges {
                        let (s, t): (Table, Table) = (rows(source, &range).collect(), rows(target, &range).collect());
                        read += s.len().max(t.len()) as u64;
                        found.extend(s.keys().chain(t.keys()).filter(|k| s.get(k) != t.get(k)));
                    }
                    search.found((found.len() - before) as u64);
                }
                Ask::Nothing => return (found, read),
            }
        }
        panic!("the search does not end");
    }

    const LOCAL: Costs = Costs { hash_row: 0.5e-6, read_row: 1.5e-6, range: 12e-6, ask: 250e-6 };
    const SLOW: Costs = Costs { hash_row: 0.5e-6, read_row: 160e-6, range: 40e-6, ask: 50e-3 };

    fn options(seek: Seek, leaf_rows: u64, fan_out: u64, recent_first: u64) -> SearchOptions {
        let read_rows = leaf_rows * 3;
        let costs = LOCAL;
        SearchOptions { seek, leaf_rows, fan_out, recent_first, dense_percent: 50, read_rows, cut_by: None, costs }
    }

    proptest! {
        #[test]
        fn search_finds_exactly_what_a_full_compare_finds(
            source in prop::collection::btree_map(-300i64..300, 0u8..3, 0..200),
            edits in prop::collection::btree_map(-320i64..320, prop::option::of(0u8..3), 0..30),
            leaf in 1u64..40, fan_out in 2u64..600, recent in prop::sample::select(vec![0u64, 1, 7, 50]),
            everything: bool, slow: bool,
            dense_percent in 0u64..=100,
            cut_by in prop::sample::select(vec![None, Some(SideName::Source), Some(SideName::Target)]),
        ) {
            let mut target = source.clone();
            for (k, edit) in edits {
                match edit { Some(v) => { target.insert(k, v); } None => { target.remove(&k); } }
            }
            let oracle: BTreeSet<i64> = source.keys().chain(target.keys()).filter(|k| source.get(k) != target.get(k)).copied().collect();
            let seek = if everything { Seek::Everything } else { Seek::Differences };
            let costs = if slow { SLOW } else { LOCAL };
            let options = SearchOptions { dense_percent, cut_by, costs, ..options(seek, leaf, fan_out, recent) };
            prop_assert_eq!(run(&source, &target, options).0, oracle);
        }

        #[test]
        fn a_search_by_counts_finds_every_extra_row_and_reads_little(
            source in prop::collection::btree_map(0i64..5_000, Just(0u8), 300..600),
            extra in prop::collection::btree_set(0i64..6_000, 1..4),
            recent in prop::sample::select(vec![0u64, 20]),
        ) {
            let mut target = source.clone();
            target.extend(extra.iter().map(|k| (*k, 0)));
            let oracle: BTreeSet<i64> = target.keys().filter(|k| !source.contains_key(k)).copied().collect();
            let need = oracle.len() as u64;
            let (found, read) = run(&source, &target, options(Seek::CountGap { need }, 10, 8, recent));
            prop_assert_eq!(found, oracle);
            prop_assert!(read <= need * 11, "{} rows read for {}", read, need);
        }
    }

    #[test]
    fn equal_tables_are_hashed_once_and_never_read() {
        let table: Table = (0..10_000).map(|k| (k, 0)).collect();
        assert_eq!(run(&table, &table, options(Seek::Differences, 100, 64, 1000)), (BTreeSet::new(), 0));
    }

    #[test]
    fn the_newest_rows_are_searched_first_and_the_search_ends_there() {
        let source: Table = (0..10_000).map(|k| (k, 0)).collect();
        let mut target = source.clone();
        target.insert(10_500, 0);
        let mut search = Search::new(10_000, 10_001, options(Seek::CountGap { need: 1 }, 100, 2, 500));
        assert!(matches!(search.ask(), Ask::Recent { rows: 500, .. }));
        search.recent(Some(key(9_500)));
        let Ask::Digests(ranges) = search.ask() else { panic!("counts of the newest rows are asked for") };
        assert_eq!(ranges.len(), 1);
        search.digests(&[(digest(&source, &ranges[0]), digest(&target, &ranges[0]))]);
        let step = search.take_steps()[0];
        assert!(step.newer && step.rows == 500 && (step.percent - 5.0).abs() < 0.1, "{step:?}");
    }

    /// Cuts the one range that is asked about and gives the ranges whose digests are wanted then.
    fn cut_once(search: &mut Search, table: &Table) -> Vec<KeyRange> {
        let Ask::Split { ranges, rows_per_part, .. } = search.ask() else { panic!("cuts are asked for") };
        let keys: Vec<i64> = rows(table, &ranges[0]).map(|(k, _)| k).collect();
        search.split(vec![keys.chunks(rows_per_part as usize).map(|part| key(*part.last().unwrap())).collect()]);
        let Ask::Digests(ranges) = search.ask() else { panic!("digests are asked for") };
        ranges
    }

    #[test]
    fn a_table_that_differs_everywhere_is_read_after_a_sample() {
        let source: Table = (0..100_000).map(|k| (k, 0)).collect();
        let target: Table = (0..100_000).map(|k| (k, 1)).collect();
        let mut search = Search::new(100_000, 100_000, options(Seek::Differences, 500, 4096, 0));
        let sample = cut_once(&mut search, &source);
        assert!(sample.len() > 10 && sample.len() < 100, "{} ranges", sample.len());
        search.digests(&sample.iter().map(|r| (digest(&source, r), digest(&target, r))).collect::<Vec<_>>());
        let Ask::Rows(ranges) = search.ask() else { panic!("the rest is read") };
        assert!(ranges.first().unwrap().0.through.is_none() && ranges.last().unwrap().0.after.is_none());
        assert!(search.stats.turned_to_reading);
        assert_eq!(search.ask(), Ask::Nothing);
    }

    #[test]
    fn scattered_differences_take_as_many_questions_as_one() {
        let source: Table = (0..200_000).map(|k| (k, 0)).collect();
        let questions = |every: usize, costs| {
            let mut target = source.clone();
            source.keys().step_by(every).for_each(|k| *target.get_mut(k).unwrap() += 1);
            let mut search = Search::new(
                200_000,
                200_000,
                SearchOptions {
                    costs,
                    dense_percent: costs.dense_percent(),
                    ..options(Seek::Differences, 500, 4096, 0)
                },
            );
            let (mut questions, mut read) = (0, 0);
            loop {
                questions += 1;
                match search.ask() {
                    Ask::Split { ranges, rows_per_part, .. } => {
                        let cut = |range| {
                            rows(&source, range)
                                .map(|(k, _)| key(k))
                                .skip(rows_per_part as usize - 1)
                                .step_by(rows_per_part as usize)
                                .collect()
                        };
                        search.split(ranges.iter().map(cut).collect());
                    }
                    Ask::Digests(ranges) => {
                        let answers: Vec<_> = ranges.iter().map(|r| (digest(&source, r), digest(&target, r))).collect();
                        search.digests(&answers);
                    }
                    Ask::Rows(ranges) => read += ranges.iter().map(|(_, rows)| rows).sum::<u64>(),
                    _ => return (questions, read),
                }
            }
        };
        let (one, hundred) = (questions(200_000, SLOW), questions(2_000, SLOW));
        assert!(hundred.0 <= one.0 + 4, "{one:?} {hundred:?}");
        assert!(hundred.1 < 2_000, "{} rows read over a slow link", hundred.1);
    }
}
