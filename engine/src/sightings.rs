//! What was seen of a target's rows when they were compared, so that a row that somebody else has changed since is not
//! overwritten as if it were still the same.

use std::collections::HashSet;

/// A moment in the life of a store. Of two of one store the smaller is the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

/// What a store says when it is asked whether it stands still: two equal answers mean that nothing was written between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse(pub String);

/// Hashes of rows as they were read, keys included; each row knows its own place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    rows: HashSet<u64>,
    /// A moment before the first of them was read, where the store can tell one.
    since: Option<Mark>,
}

impl Sightings {
    /// Remembers a row in `Fields` form.
    pub fn note(&mut self, row: &[u8]) {
        self.rows.insert(hash(row));
    }

    /// Whether the row was seen just as it is.
    pub fn holds(&self, row: &[u8]) -> bool {
        self.rows.contains(&hash(row))
    }

    /// None where each row has to be looked at again.
    pub fn since(&self) -> Option<Mark> {
        self.since
    }

    pub fn at(self, since: Option<Mark>) -> Sightings {
        Sightings { since, ..self }
    }

    /// Takes over what was seen at another time; what is known of both is what is known since the earlier moment.
    pub fn absorb(&mut self, other: Sightings) {
        self.since = match (self.rows.is_empty(), other.rows.is_empty()) {
            (true, _) => other.since,
            (_, true) => self.since,
            _ => self.since.zip(other.since).map(|(a, b)| a.min(b)),
        };
        self.rows.extend(other.rows);
    }
}

/// Of the bytes as they were read: a row that was written anew with equal values in another spelling counts as changed,
/// and looking at it once more is all that comes of it.
fn hash(row: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_at_two_times_is_known_since_the_first() {
        let seen = |row: &[u8], since| {
            let mut seen = Sightings::default();
            seen.note(row);
            seen.at(since)
        };
        let mut sum = Sightings::default();
        sum.absorb(seen(b"a", Some(Mark(7))));
        sum.absorb(seen(b"b", Some(Mark(5))));
        assert_eq!(
            (sum.since(), sum.holds(b"a"), sum.holds(b"b"), sum.holds(b"c")),
            (Some(Mark(5)), true, true, false)
        );
        sum.absorb(Sightings::default());
        assert_eq!(sum.since(), Some(Mark(5)));
        sum.absorb(seen(b"c", None));
        assert_eq!(sum.since(), None);
    }
}
