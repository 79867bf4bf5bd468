//! How far two pages hold the same part of a range, where both begin with it and end wherever they were full.
//!
//! Keys are not ordered here, which only databases can do. But up to a row that both pages hold, each holds all rows of its
//! side, since both are in the same order: there they can be cut, and neither side has to be asked again.

use crate::row::{Form, RowPage, key_bytes};

/// Rows at the end of a page that are looked for in the other one. Where so many in a row differ, asking again costs no more
/// than what is found.
const TAIL: usize = 32;

/// How many rows of each page lie up to the last one that both are seen to have: of fields by their keys, of raw rows by all
/// of their bytes. `None` where the ends of both have none in common with the other.
pub fn meeting(source: &RowPage, target: &RowPage) -> Option<(usize, usize)> {
    let tail_in = |page: &RowPage, other: &RowPage| {
        let tail = (page.len().saturating_sub(TAIL)..page.len()).rev();
        tail.filter_map(|row| Some((row, find(other, name(page, row))?))).next()
    };
    let met = tail_in(source, target).or_else(|| tail_in(target, source).map(|(t, s)| (s, t)))?;
    Some((met.0 + 1, met.1 + 1))
}

/// The place of a row, looked for from the end.
fn find(page: &RowPage, wanted: &[u8]) -> Option<usize> {
    (0..page.len()).rev().find(|row| name(page, *row) == wanted)
}

fn name(page: &RowPage, row: usize) -> &[u8] {
    match page.form {
        Form::Raw => page.row(row),
        Form::Fields => key_bytes(page.row(row), page.key_len),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::value::ValueRef;

    fn page(keys: &[i64]) -> RowPage {
        let mut page = RowPage::new(Form::Fields, 1);
        for key in keys {
            page.push_key(ValueRef::Int(*key));
            page.push(ValueRef::Text("whatever"));
            page.end_row();
        }
        page
    }

    #[test]
    fn pages_meet_at_the_last_row_that_both_have() {
        assert_eq!(meeting(&page(&[1, 2, 4, 5]), &page(&[1, 3, 4, 6, 7])), Some((3, 3)));
        assert_eq!(meeting(&page(&[1, 2]), &page(&[3, 4])), None);
        assert_eq!(meeting(&page(&[]), &page(&[3])), None);
        let long: Vec<i64> = (0..500).collect();
        assert_eq!(meeting(&page(&long), &page(&[0, 7])), Some((8, 2)), "behind a long tail");
        assert_eq!(meeting(&page(&[0, 7]), &page(&long)), Some((2, 8)));
    }

    #[test]
    fn raw_rows_meet_where_they_are_equal() {
        let raw = |rows: [&[u8]; 3]| {
            let mut page = RowPage::new(Form::Raw, 1);
            rows.iter().for_each(|row| page.push_row(row));
            page
        };
        assert_eq!(meeting(&raw([b"1a", b"2b", b"3c"]), &raw([b"1a", b"2b", b"3x"])), Some((2, 2)));
    }

    proptest! {
        /// Of two tables, as far as their pages reach.
        #[test]
        fn up_to_where_they_meet_both_pages_hold_all_rows(
            source: BTreeSet<u8>, target: BTreeSet<u8>, source_rows in 1usize..60, target_rows in 1usize..60,
        ) {
            let first = |keys: &BTreeSet<u8>, rows| keys.iter().take(rows).map(|key| i64::from(*key)).collect::<Vec<_>>();
            let (of_source, of_target) = (first(&source, source_rows), first(&target, target_rows));
            if let Some((s, t)) = meeting(&page(&of_source), &page(&of_target)) {
                let last = of_source[s - 1];
                prop_assert_eq!(last, of_target[t - 1]);
                let up_to = |keys: &BTreeSet<u8>| keys.iter().filter(|key| i64::from(**key) <= last).count();
                prop_assert_eq!((s, t), (up_to(&source), up_to(&target)));
            }
        }
    }
}
