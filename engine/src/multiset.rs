//! The rows of a table without a key: which there are, and how often each. Compared in two steps, so that neither has to
//! hold the table: sums of hashes say in which parts of all possible hashes two tables differ, and of those alone rows are
//! counted one by one.

use std::collections::HashMap;

use crate::search::SideName;

/// Parts of all possible hashes.
const BUCKETS: usize = 4096;

/// What a row that is counted takes, in bytes: its hash, two counts, and the room that a map leaves free.
pub const COUNTED_BYTES: usize = 80;

/// How many rows there are in each part of all possible hashes, and the sum of their hashes: added, and never combined by
/// exclusive or, because a row that is there twice has to count twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiset {
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    rows: u64,
    sum: u128,
}

impl Default for Multiset {
    fn default() -> Multiset {
        Multiset { buckets: vec![Bucket::default(); BUCKETS] }
    }
}

impl Multiset {
    pub fn add(&mut self, hash: u128) {
        let bucket = &mut self.buckets[bucket_of(hash)];
        bucket.rows += 1;
        bucket.sum = bucket.sum.wrapping_add(hash);
    }

    pub fn rows(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.rows).sum()
    }

    /// What has to be counted to know in which rows both differ, in pieces of about `rows_max` rows of both, each of at
    /// least one part. None where they are equal.
    pub fn differing(&self, other: &Multiset, rows_max: u64) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = Vec::new();
        let mut rows = 0;
        for (place, (own, its)) in self.buckets.iter().zip(&other.buckets).enumerate().filter(|(_, (a, b))| a != b) {
            rows += own.rows + its.rows;
            match tallies.last_mut() {
                Some(tally) if rows <= rows_max => tally.counts_in[place] = true,
                _ => {
                    rows = own.rows + its.rows;
                    tallies.push(Tally::of(place));
                }
            }
        }
        tallies
    }
}

fn bucket_of(hash: u128) -> usize {
    (hash >> (u128::BITS - BUCKETS.ilog2())) as usize
}

/// How often each row of some parts is there, by its hash.
#[derive(Debug)]
pub struct Tally {
    counts_in: Vec<bool>,
    rows: HashMap<u128, Times>,
}

/// How often a row is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub source: u64,
    pub target: u64,
}

impl Times {
    /// Copies that only the source has.
    pub fn missing(self) -> u64 {
        self.source.saturating_sub(self.target)
    }

    /// Copies that only the target has.
    pub fn extra(self) -> u64 {
        self.target.saturating_sub(self.source)
    }
}

impl Tally {
    fn of(bucket: usize) -> Tally {
        let mut counts_in = vec![false; BUCKETS];
        counts_in[bucket] = true;
        Tally { counts_in, rows: HashMap::new() }
    }

    pub fn add(&mut self, hash: u128, side: SideName) {
        if !self.counts_in[bucket_of(hash)] {
            return;
        }
        let times = self.rows.entry(hash).or_default();
        match side {
            SideName::Source => times.source += 1,
            SideName::Target => times.target += 1,
        }
    }

    /// Rows that one side has more often than the other.
    pub fn differing(&self) -> impl Iterator<Item = (u128, Times)> {
        self.rows.iter().filter(|(_, times)| times.source != times.target).map(|(hash, times)| (*hash, *times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_128;

    fn hashes(rows: &[u8]) -> Vec<u128> {
        rows.iter().map(|row| xxh3_128(&[*row])).collect()
    }

    fn multiset(hashes: &[u128]) -> Multiset {
        let mut rows = Multiset::default();
        hashes.iter().for_each(|hash| rows.add(*hash));
        rows
    }

    /// Copies that only the source has, and copies that only the target has.
    fn compare(source: &[u8], target: &[u8], rows_max: u64) -> (u64, u64) {
        let (source, target) = (hashes(source), hashes(target));
        let mut found = (0, 0);
        for mut tally in multiset(&source).differing(&multiset(&target), rows_max) {
            source.iter().for_each(|hash| tally.add(*hash, SideName::Source));
            target.iter().for_each(|hash| tally.add(*hash, SideName::Target));
            for (_, times) in tally.differing() {
                found = (found.0 + times.missing(), found.1 + times.extra());
            }
        }
        found
    }

    #[test]
    fn a_row_that_is_there_twice_is_not_one_that_is_there_once() {
        assert_eq!(compare(&[1, 1, 2], &[1, 2], 100), (1, 0));
        assert_eq!(compare(&[1, 1, 2], &[1, 2, 2], 100), (1, 1));
        assert_eq!(compare(&[1, 1, 1, 1], &[2, 2, 2, 2], 100), (4, 4));
        assert_eq!(compare(&[], &[3], 100), (0, 1));
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_differs_whatever_the_order_and_the_room(
            source in prop::collection::vec(0u8..20, 0..60), target in prop::collection::vec(0u8..20, 0..60), rows_max in 1u64..200
        ) {
            let times = |rows: &[u8], row: u8| rows.iter().filter(|other| **other == row).count() as u64;
            let more = |a: &[u8], b: &[u8]| (0..20).map(|row| times(a, row).saturating_sub(times(b, row))).sum::<u64>();
            prop_assert_eq!(compare(&source, &target, rows_max), (more(&source, &target), more(&target, &source)));
            let turned: Vec<u8> = source.iter().rev().copied().collect();
            prop_assert_eq!(multiset(&hashes(&source)), multiset(&hashes(&turned)));
        }
    }
}
