//! What a search is asked for, what it wants to know, and what it tells about itself.

use crate::cost::Costs;
use crate::key::KeyRange;

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
    /// Rows that are read by one question; neighbouring ranges are read as one up to so many.
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
    /// The key behind which the newest `rows` rows of this side lie; answer with [`Search::recent`](super::Search::recent).
    Recent { side: SideName, rows: u64 },
    /// For each range, keys that cut it into parts of about so many rows of this side; answer with
    /// [`Search::split`](super::Search::split).
    Split { side: SideName, ranges: Vec<KeyRange>, rows_per_part: u64 },
    /// The digest of each range on both sides; answer with [`Search::digests`](super::Search::digests).
    Digests(Vec<KeyRange>),
    /// Ranges to read and compare, each with its rows as far as known; tell [`Search::found`](super::Search::found) what they
    /// gave.
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
