//! The search for differences, as a value without input or output: it says what it wants to know, is told, and goes on.
//!
//! The table is cut into ranges by row quantiles, all ranges are asked for at once, and only those that differ are cut
//! again or read. Cutting in many parts at once instead of in halves costs the same hashing and far fewer questions
//! (compare pg_comparator's fold and data-diff's bisection factor). A search by counts alone is the manual's search for
//! adds and deletes: it is cheaper, cannot see a missing and an extra row in one range, and ends as soon as the
//! difference of the counts is explained.

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchOptions {
    pub seek: Seek,
    /// Ranges of at most so many rows are read and compared row by row.
    pub leaf_rows: u64,
    /// Most parts into which a range is cut at once.
    pub fan_out: u64,
    /// The newest so many rows are searched first; 0: no order.
    pub recent_first: u64,
    /// When a larger share of the rows than this lies in ranges that differ, those are read without cutting further.
    pub dense_percent: u64,
    /// Neighbouring ranges are read as one, up to so many rows.
    pub read_rows: u64,
}

/// Which side of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideName {
    Source,
    Target,
}

/// What the search wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The key behind which the newest `rows` rows of this side lie; answer with [`Search::recent`].
    Recent { side: SideName, rows: u64 },
    /// Keys that cut the range into parts of about so many rows of this side; answer with [`Search::split`].
    Split { side: SideName, range: KeyRange, rows_per_part: u64 },
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
}

#[derive(Clone, Debug)]
struct Node {
    range: KeyRange,
    source: u64,
    target: u64,
    depth: u64,
}

impl Node {
    fn rows(&self) -> u64 {
        self.source.max(self.target)
    }

    fn larger_side(&self) -> SideName {
        if self.source >= self.target { SideName::Source } else { SideName::Target }
    }
}

#[derive(Debug)]
enum Waiting {
    Idle,
    Recent(Node),
    Split(Node),
    Digests {
        ranges: Vec<KeyRange>,
        node: Node,
    },
    /// Counts of the newest rows; those of the older rows follow from the whole.
    RecentCounts {
        recent: KeyRange,
        node: Node,
    },
}

/// No honest table needs so many cuts; beyond it the range is read.
const DEPTH_MAX: u64 = 40;

#[derive(Debug)]
pub struct Search {
    options: SearchOptions,
    total: u64,
    /// Ranges that differ or are not known yet; the newest are last and come first.
    open: Vec<Node>,
    leaves: Vec<Node>,
    waiting: Waiting,
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
        let node = Node { range, source, target, depth: 0 };
        let mut search = Search {
            options,
            total: node.rows(),
            open: Vec::new(),
            leaves: Vec::new(),
            waiting: Waiting::Idle,
            found: 0,
            steps: Vec::new(),
            stats: SearchStats::default(),
        };
        if node.rows() <= options.leaf_rows {
            search.leaves.push(node)
        } else {
            search.begin(node)
        }
        search
    }

    fn begin(&mut self, node: Node) {
        let recent = self.options.recent_first;
        if recent > 0 && node.rows() > recent.saturating_mul(2) && self.options.seek != Seek::Everything {
            self.waiting = Waiting::Recent(node);
        } else {
            self.open.push(node);
        }
    }

    /// What it wants to know next. Asking twice without an answer asks the same again.
    pub fn ask(&mut self) -> Ask {
        loop {
            match &self.waiting {
                Waiting::Recent(node) => {
                    return Ask::Recent { side: node.larger_side(), rows: self.options.recent_first };
                }
                Waiting::Split(node) => return self.ask_split(node),
                Waiting::Digests { ranges, .. } => return Ask::Digests(ranges.clone()),
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
            match self.open.pop() {
                Some(node) => self.waiting = Waiting::Split(node),
                None => return Ask::Nothing,
            }
        }
    }

    fn ask_split(&self, node: &Node) -> Ask {
        // Parts come out uneven where they are estimated; aiming below the leaf keeps most of them readable at once.
        let readable = match self.options.seek {
            Seek::Everything => self.options.read_rows,
            _ => self.options.leaf_rows - self.options.leaf_rows / 4,
        };
        let rows_per_part = readable.max(node.rows().div_ceil(self.options.fan_out)).max(1);
        Ask::Split { side: node.larger_side(), range: node.range.clone(), rows_per_part }
    }

    /// The count of rows that one side has too much is explained, and nothing else was asked for.
    fn explained(&self) -> bool {
        matches!(self.options.seek, Seek::CountGap { need } if self.found >= need)
    }

    /// Tells the key behind which the newest rows lie.
    pub fn recent(&mut self, key: Option<Key>) {
        let Waiting::Recent(node) = self.take_waiting() else { return };
        let Some(key) = key else {
            self.open.push(node);
            return;
        };
        let recent = KeyRange::new(Some(key.clone()), node.range.through.clone());
        if matches!(self.options.seek, Seek::CountGap { .. }) {
            self.waiting = Waiting::RecentCounts { recent, node };
            return;
        }
        let rows = self.options.recent_first;
        let older = KeyRange::new(node.range.after.clone(), Some(key));
        let depth = node.depth + 1;
        self.open.push(Node {
            range: older,
            source: node.source.saturating_sub(rows),
            target: node.target.saturating_sub(rows),
            depth,
        });
        self.open.push(Node { range: recent, source: rows.min(node.source), target: rows.min(node.target), depth });
    }

    /// Tells the keys that cut the range.
    pub fn split(&mut self, bounds: Vec<Key>) {
        let Waiting::Split(node) = self.take_waiting() else { return };
        let parts = node.range.cut_at(bounds);
        if self.options.seek == Seek::Everything {
            let rows = node.rows() / parts.len() as u64;
            let leaf = |range| Node { range, source: rows, target: rows, depth: node.depth + 1 };
            self.leaves.extend(parts.into_iter().rev().map(leaf));
        } else if parts.len() < 2 || node.depth >= DEPTH_MAX {
            self.leaves.push(node);
        } else {
            self.waiting = Waiting::Digests { ranges: parts, node };
        }
    }

    /// Tells the digests of both sides, in the order in which the ranges were asked for.
    pub fn digests(&mut self, answers: &[(Digest, Digest)]) {
        self.stats.iterations += 1;
        match self.take_waiting() {
            Waiting::Digests { ranges, node } => self.judge_parts(ranges, &node, answers),
            Waiting::RecentCounts { recent, node } => self.judge_recent(recent, node, answers),
            other => self.waiting = other,
        }
    }

    fn judge_recent(&mut self, recent: KeyRange, node: Node, answers: &[(Digest, Digest)]) {
        let Some((source, target)) = answers.first() else { return };
        let older = KeyRange::new(node.range.after.clone(), recent.after.clone());
        let depth = node.depth + 1;
        let older = Node {
            range: older,
            source: node.source.saturating_sub(source.rows),
            target: node.target.saturating_sub(target.rows),
            depth,
        };
        let recent = Node { range: recent, source: source.rows, target: target.rows, depth };
        for (node, newer) in [(older, false), (recent, true)] {
            if node.source != node.target {
                self.keep(node, newer, false);
            }
        }
    }

    fn judge_parts(&mut self, ranges: Vec<KeyRange>, node: &Node, answers: &[(Digest, Digest)]) {
        let by_counts = matches!(self.options.seek, Seek::CountGap { .. });
        let differs =
            |(source, target): &(Digest, Digest)| if by_counts { source.rows != target.rows } else { source != target };
        let rows = |(source, target): &(Digest, Digest)| source.rows.max(target.rows);
        let all: u64 = answers.iter().map(rows).sum();
        let differing: u64 = answers.iter().filter(|answer| differs(answer)).map(rows).sum();
        let dense = differing * 100 > all * self.options.dense_percent;
        self.stats.ranges += ranges.len() as u64;
        let half = ranges.len() / 2;
        for (place, (range, answer)) in ranges.into_iter().zip(answers).enumerate() {
            if differs(answer) {
                let part = Node { range, source: answer.0.rows, target: answer.1.rows, depth: node.depth + 1 };
                self.keep(part, place >= half, dense);
            }
        }
        // Read the newest first.
        self.leaves.reverse();
    }

    fn keep(&mut self, node: Node, newer: bool, dense: bool) {
        self.stats.max_depth = self.stats.max_depth.max(node.depth);
        let percent = if self.total == 0 { 100.0 } else { node.rows() as f64 * 100.0 / self.total as f64 };
        self.steps.push(Step { percent, newer, rows: node.rows() });
        if dense || node.rows() <= self.options.leaf_rows { self.leaves.push(node) } else { self.open.push(node) }
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
        let after = range.after.as_ref().map(number);
        let through = range.through.as_ref().map(number);
        table
            .iter()
            .map(|(k, v)| (*k, *v))
            .filter(move |(k, _)| after.is_none_or(|a| *k > a) && through.is_none_or(|t| *k <= t))
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
                Ask::Split { side, range, rows_per_part } => {
                    let table = if side == SideName::Source { source } else { target };
                    let bounds = rows(table, &range).enumerate().filter(|(i, _)| (i + 1) % rows_per_part as usize == 0);
                    search.split(bounds.map(|(_, (k, _))| key(k)).collect());
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

    fn options(seek: Seek, leaf_rows: u64, fan_out: u64, recent_first: u64) -> SearchOptions {
        SearchOptions { seek, leaf_rows, fan_out, recent_first, dense_percent: 50, read_rows: leaf_rows * 3 }
    }

    proptest! {
        #[test]
        fn search_finds_exactly_what_a_full_compare_finds(
            source in prop::collection::btree_map(-300i64..300, 0u8..3, 0..200),
            edits in prop::collection::btree_map(-320i64..320, prop::option::of(0u8..3), 0..30),
            leaf in 1u64..40, fan_out in 2u64..50, recent in prop::sample::select(vec![0u64, 1, 7, 50]),
            everything: bool,
        ) {
            let mut target = source.clone();
            for (k, edit) in edits {
                match edit { Some(v) => { target.insert(k, v); } None => { target.remove(&k); } }
            }
            let oracle: BTreeSet<i64> = source.keys().chain(target.keys()).filter(|k| source.get(k) != target.get(k)).copied().collect();
            let seek = if everything { Seek::Everything } else { Seek::Differences };
            prop_assert_eq!(run(&source, &target, options(seek, leaf, fan_out, recent)).0, oracle);
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

    #[test]
    fn a_table_that_differs_everywhere_is_read_without_cutting_further() {
        let source: Table = (0..10_000).map(|k| (k, 0)).collect();
        let target: Table = (0..10_000).map(|k| (k, 1)).collect();
        let mut search = Search::new(10_000, 10_000, options(Seek::Differences, 10, 4, 0));
        assert!(matches!(search.ask(), Ask::Split { rows_per_part: 2500, .. }));
        search.split(vec![key(2499), key(4999), key(7499)]);
        let Ask::Digests(ranges) = search.ask() else { panic!("digests are asked for") };
        search.digests(&ranges.iter().map(|r| (digest(&source, r), digest(&target, r))).collect::<Vec<_>>());
        assert!(matches!(search.ask(), Ask::Rows(ranges) if ranges.len() == 4));
        assert_eq!(search.ask(), Ask::Nothing);
    }
}
