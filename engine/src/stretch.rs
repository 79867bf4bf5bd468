//! Part of a table by where its rows lie, for tables without a key: from place to place, by whatever numbers their store
//! has for places. Rows keep their places as long as a frozen view stands.

/// Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub first: i64,
    pub last: i64,
}

impl Stretch {
    /// What cannot be cut: one place, or a whole table whose rows have none.
    pub const ONE: Stretch = Stretch { first: 0, last: 0 };

    /// Up to so many stretches of the same length, which leave no gap.
    pub fn cut(self, parts: u64) -> Vec<Stretch> {
        let length = self.length().div_ceil(u128::from(parts.max(1)));
        let mut stretches = Vec::new();
        let mut first = i128::from(self.first);
        while first <= i128::from(self.last) {
            let last = (first + length as i128 - 1).min(i128::from(self.last));
            stretches.push(Stretch { first: first as i64, last: last as i64 });
            first = last + 1;
        }
        stretches
    }

    /// None for one place.
    pub fn halves(self) -> Option<[Stretch; 2]> {
        <[Stretch; 2]>::try_from(self.cut(2)).ok()
    }

    fn length(self) -> u128 {
        (i128::from(self.last) - i128::from(self.first) + 1).max(0) as u128
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_leave_no_gap_and_do_not_overlap(a: i64, b: i64, parts in 1u64..100) {
            let whole = Stretch { first: a.min(b), last: a.max(b) };
            let stretches = whole.cut(parts);
            prop_assert!(stretches.len() as u64 <= parts);
            prop_assert_eq!((stretches[0].first, stretches.last().unwrap().last), (whole.first, whole.last));
            prop_assert!(stretches.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
        }
    }

    #[test]
    fn one_place_has_no_halves() {
        assert_eq!(Stretch::ONE.halves(), None);
        let [low, high] = Stretch { first: i64::MIN, last: i64::MAX }.halves().unwrap();
        assert_eq!((low.last, high.first), (-1, 0));
    }
}
