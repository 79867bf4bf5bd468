//! Searches over small tables, against what a look at every row finds.

use super::*;
use crate::cost::Costs;
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
            (k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (u64::from(v) << 7).wrapping_mul(0xD6E8_FEB8_6659_FD93),
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
                let cuts = |range| rows(table, range).enumerate().filter(is_cut).map(|(_, (k, _))| key(k)).collect();
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
    // Neighbours are read as one, up to what is read at once, and nothing between them is left out.
    assert!(ranges.windows(2).all(|pair| pair[0].0.after == pair[1].0.through));
    assert!(ranges.iter().all(|(_, rows)| *rows <= 1_500), "{ranges:?}");
    assert!(ranges.windows(2).all(|pair| pair[0].1 + pair[1].1 > 1_500), "{ranges:?}");
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
            SearchOptions { costs, dense_percent: costs.dense_percent(), ..options(Seek::Differences, 500, 4096, 0) },
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
