//! Digests of ranges: how many rows, and a 64-bit hash of each row, summed.
//!
//! Summed, and never only combined by exclusive or: equal pairs would cancel. Each row's hash is mixed as a whole
//! before it is added, because a sum of hashes that are themselves sums of columns would not see values swapped
//! between two rows. Every run salts the hashes anew, so a miss is not repeated.
//!
//! One kind is no sum: [`DigestKind::Portable`], see [`portable`].

pub mod portable;

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// The digest of a range of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub rows: u64,
    /// Sum of the rows' 64-bit hashes, taken as signed numbers, in 128 bits; or 128 bits of one hash of all rows, which
    /// is added to nothing.
    pub sum: i128,
}

impl Digest {
    pub fn add(&mut self, hash: u64) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(i128::from(hash as i64));
    }
}

/// Only for kinds that add up; see [`DigestKind::adds_up`].
impl AddAssign for Digest {
    fn add_assign(&mut self, other: Digest) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// How a digest is made. Both sides of a comparison use the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestKind {
    /// Rows are only counted; the sum stays zero.
    Count,
    /// The engine hashes rows itself; only between servers of the same engine and major version, for equal types.
    Server,
    /// The canonical form of each row is hashed where it arrives.
    Stream,
    /// The engine's bulk bytes of each row are hashed where they arrive; only for equal types of one engine.
    Raw,
    /// One hash of a range's rows in key order, in the canonical form, which every side can make where its rows are:
    /// the cheapest kind over a slow line. It depends on the order of the rows and cannot be added up.
    Portable,
}

impl DigestKind {
    /// Its word in settings and reports.
    pub fn name(self) -> &'static str {
        match self {
            DigestKind::Count => "count",
            DigestKind::Server => "server",
            DigestKind::Portable => "portable",
            DigestKind::Stream => "stream",
            DigestKind::Raw => "raw",
        }
    }

    /// Whether the digests of parts are, added up, the digest of the whole.
    pub fn adds_up(self) -> bool {
        self != DigestKind::Portable
    }
}

/// An upper bound of the probability that at least one of `ranges` differing ranges was taken as equal: each is missed with 2^-64, as its
/// 64-bit hashes would have to sum up to the same number. A portable digest is missed with 2^-128.
pub fn miss_probability(ranges: u64) -> f64 {
    ranges as f64 * 2f64.powi(-64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64_with_seed;

    #[test]
    fn equal_pairs_do_not_cancel() {
        let mut twice = Digest::default();
        twice.add(42);
        twice.add(42);
        let mut other = Digest::default();
        other.add(7);
        other.add(7);
        assert_ne!(twice, other);
        assert_ne!(twice, Digest { rows: 2, sum: 0 });
    }

    /// The formula, with hashes narrowed to so few bits that misses can be counted: a range with one changed row is taken
    /// as equal by one salt of 2^bits.
    #[test]
    fn a_narrow_hash_misses_as_often_as_the_formula_says() {
        const SALTS: u64 = 20_000;
        for bits in [3, 5, 8] {
            let digest = |rows: &[u64], salt: u64| {
                let narrow = |row: &u64| xxh3_64_with_seed(&row.to_le_bytes(), salt) >> (64 - bits);
                rows.iter().map(narrow).fold(0u64, u64::wrapping_add) & ((1 << bits) - 1)
            };
            let (source, target): (Vec<u64>, Vec<u64>) = ((0..50).collect(), (0..50).map(|row| row % 49).collect());
            let misses = (0..SALTS).filter(|salt| digest(&source, *salt) == digest(&target, *salt)).count() as f64;
            let expected = SALTS as f64 / f64::from(1 << bits);
            // Five standard deviations: the salts are always the same, so this holds or it does not.
            assert!((misses - expected).abs() < 5.0 * expected.sqrt(), "{bits} bits: {misses} of {expected}");
        }
        assert_eq!(miss_probability(1 << 20), 2f64.powi(-44));
    }
}
