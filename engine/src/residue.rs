//! What is left of two raw pages of one range when rows of equal bytes are taken out of both.
//!
//! Between two tables of one engine with equal types, equal bytes are equal rows. Most rows of most pages are, so only
//! the few others have to be taken apart and compared by their values.

use crate::row::{Form, RowPage};

/// How far behind a pair of unequal rows the next equal pair is looked for, both sides together. Beyond, the rows count as
/// unequal, which costs taking them apart and no more.
const REACH: usize = 6;

/// Rows of two pages without an equal one on the other side, as far as that is seen by going through both once.
#[derive(Clone, Debug)]
pub struct Residue {
    pub source: RowPage,
    pub target: RowPage,
    /// Pairs of rows that were taken out.
    pub equal: u64,
}

impl Residue {
    /// Of two pages in `Raw` form. Neither rows nor keys have to be in an order that is known here: where the pages are not
    /// in the same one, more is left.
    pub fn of(source: RowPage, target: RowPage) -> Residue {
        let (mut of_source, mut of_target) = (Vec::new(), Vec::new());
        let (mut s, mut t, mut equal) = (0, 0, 0);
        while s < source.len() && t < target.len() {
            if source.row(s) == target.row(t) {
                equal += 1;
                (s, t) = (s + 1, t + 1);
                continue;
            }
            let (past_source, past_target) = next_equal(&source, &target, (s, t)).unwrap_or((1, 1));
            of_source.extend(s..s + past_source);
            of_target.extend(t..t + past_target);
            (s, t) = (s + past_source, t + past_target);
        }
        of_source.extend(s..source.len());
        of_target.extend(t..target.len());
        Residue { source: left(source, &of_source), target: left(target, &of_target), equal }
    }
}

/// These rows of the page; the page itself where it is all of them, since a single row may be all the memory there is.
fn left(page: RowPage, rows: &[usize]) -> RowPage {
    if rows.len() == page.len() {
        return page;
    }
    let mut left = RowPage::new(Form::Raw, page.key_len);
    rows.iter().for_each(|row| left.push_row(page.row(*row)));
    left
}

/// How many rows of each side lie before the nearest equal pair.
fn next_equal(source: &RowPage, target: &RowPage, (s, t): (usize, usize)) -> Option<(usize, usize)> {
    let equal = |(a, b): &(usize, usize)| {
        s + a < source.len() && t + b < target.len() && source.row(s + a) == target.row(t + b)
    };
    // A changed row on both sides is what is met most.
    let near = [(1, 1), (1, 0), (0, 1)];
    let further = (2..=REACH).flat_map(|both| (0..=both).map(move |a| (a, both - a))).filter(|place| *place != (1, 1));
    near.into_iter().chain(further).find(equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(rows: &[u8]) -> RowPage {
        let mut page = RowPage::new(Form::Raw, 1);
        rows.iter().for_each(|row| page.push_row(&[*row]));
        page
    }

    fn rows(page: &RowPage) -> Vec<u8> {
        page.rows().map(|row| row[0]).collect()
    }

    #[test]
    fn changed_missing_and_extra_rows_are_left_and_no_others() {
        let residue = Residue::of(page(&[1, 2, 3, 4, 5, 7]), page(&[1, 20, 3, 5, 6, 7]));
        assert_eq!((rows(&residue.source), rows(&residue.target), residue.equal), (vec![2, 4], vec![20, 6], 4));
    }

    #[test]
    fn pages_without_an_equal_row_are_left_as_they_are() {
        let residue = Residue::of(page(&[1, 2]), page(&[3, 4, 5]));
        assert_eq!((rows(&residue.source), rows(&residue.target), residue.equal), (vec![1, 2], vec![3, 4, 5], 0));
        assert_eq!(Residue::of(page(&[]), page(&[1])).target.len(), 1);
    }

    #[test]
    fn a_page_that_is_left_whole_is_not_copied() {
        let source = page(&[1, 2]);
        let place = source.row(0).as_ptr();
        assert_eq!(Residue::of(source, page(&[3])).source.row(0).as_ptr(), place);
    }

    proptest! {
        #[test]
        fn what_is_taken_out_is_the_same_on_both_sides(source: Vec<u8>, target: Vec<u8>) {
            let residue = Residue::of(page(&source), page(&target));
            let taken = |all: &[u8], left: Vec<u8>| {
                let mut all = all.to_vec();
                for row in left {
                    let place = all.iter().position(|other| *other == row).expect("what is left was there");
                    all.remove(place);
                }
                all.sort_unstable();
                all
            };
            let (from_source, from_target) = (taken(&source, rows(&residue.source)), taken(&target, rows(&residue.target)));
            prop_assert_eq!(from_source.len() as u64, residue.equal);
            prop_assert_eq!(from_source, from_target);
        }
    }
}
