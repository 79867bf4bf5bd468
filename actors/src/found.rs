//! What the differ found and did in one piece of work, so that pieces can be added up.

use rowsync_engine::change::Applied;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::report::Sample;
use rowsync_engine::search::SearchStats;
use rowsync_engine::sightings::Sightings;

/// Most ranges that are remembered one by one for the proof; beyond it neighbours are taken together.
const RANGES_MAX: usize = 4096;

#[derive(Clone, Debug, Default)]
pub struct Found {
    pub missing: u64,
    pub different: u64,
    pub extra: u64,
    pub equal: u64,
    /// Rows of the source and of the target that were compared or taken as equal by their digest.
    pub looked_at: (u64, u64),
    pub applied: Applied,
    /// Keys that only the target has, up to the number that may be held.
    pub extra_keys: Vec<Key>,
    /// What was seen of their rows.
    pub extra_seen: Sightings,
    /// Ranges in which something was written or has still to be deleted.
    pub touched: Vec<KeyRange>,
    pub samples: Vec<Sample>,
    pub stats: SearchStats,
    /// Questions that the search asked.
    pub search_queries: u64,
    /// Ranges that were written and did not come out equal.
    pub unequal: Vec<KeyRange>,
}

impl Found {
    pub fn differences(&self) -> u64 {
        self.missing + self.different + self.extra
    }

    /// Remembers a range for the proof.
    pub fn touch(&mut self, range: KeyRange) {
        self.touched.push(range);
    }

    pub fn absorb(&mut self, other: Found) {
        self.missing += other.missing;
        self.different += other.different;
        self.extra += other.extra;
        self.equal += other.equal;
        self.looked_at.0 += other.looked_at.0;
        self.looked_at.1 += other.looked_at.1;
        self.applied += other.applied;
        self.extra_keys.extend(other.extra_keys);
        self.extra_seen.absorb(other.extra_seen);
        self.touched.extend(other.touched);
        self.samples.extend(other.samples);
        self.stats.iterations += other.stats.iterations;
        self.stats.max_depth = self.stats.max_depth.max(other.stats.max_depth);
        self.stats.equal_rows.0 += other.stats.equal_rows.0;
        self.stats.equal_rows.1 += other.stats.equal_rows.1;
        self.stats.ranges += other.stats.ranges;
        self.stats.turned_to_reading |= other.stats.turned_to_reading;
        self.search_queries += other.search_queries;
        self.unequal.extend(other.unequal);
    }

    /// The ranges to prove; the whole table where they became too many to hold.
    pub fn ranges_to_prove(&mut self) -> Vec<KeyRange> {
        match self.touched.len() {
            0..=RANGES_MAX => std::mem::take(&mut self.touched),
            _ => {
                self.touched.clear();
                vec![KeyRange::ALL]
            }
        }
    }
}
