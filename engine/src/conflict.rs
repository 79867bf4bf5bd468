//! Conflicts of a merge: what both sides did to one row, and who is right by the rule that the user chose.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::moment::{parse_date, parse_timestamp, parse_timestamptz};
use crate::row::fields;
use crate::search::SideName;
use crate::value::ValueRef;

/// Who is right where both sides changed a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    SourceWins,
    TargetWins,
    /// The side that changed it later.
    Timestamp,
    /// A person decides; neither side is touched until then.
    Manual,
}

/// How a table is merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub resolution: Resolution,
    /// Changes of different columns of one row are put together.
    pub by_columns: bool,
    /// The column that `Timestamp` goes by.
    pub timestamp: Option<usize>,
    /// Columns that do nothing but tell when a row was changed: both sides always change them, and the later one stays.
    pub clocks: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Both sides changed it, each to something else.
    BothChanged,
    /// Both sides have it, they differ, and nothing is known of what it was before.
    BothInserted,
    /// The source deleted what the target changed.
    SourceDeleted,
    /// The target deleted what the source changed.
    TargetDeleted,
}

impl ConflictKind {
    pub const ALL: [ConflictKind; 4] = [
        ConflictKind::BothChanged,
        ConflictKind::BothInserted,
        ConflictKind::SourceDeleted,
        ConflictKind::TargetDeleted,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ConflictKind::BothChanged => "both_changed",
            ConflictKind::BothInserted => "both_inserted",
            ConflictKind::SourceDeleted => "source_deleted",
            ConflictKind::TargetDeleted => "target_deleted",
        }
    }
}

/// A conflict that waits for a person: both rows as they are, in `Fields` form; none where a side deleted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub key: Key,
    pub kind: ConflictKind,
    /// The columns that both sides changed, where those are known.
    pub columns: Vec<usize>,
    pub source: Option<Vec<u8>>,
    pub target: Option<Vec<u8>>,
}

impl Rules {
    /// Who is right about these two rows; none where a person has to say.
    ///
    /// By timestamp, a row that tells a time beats one that tells none, a deleted one among them. Where neither does, or
    /// both tell the same or something that cannot be compared, the source is right.
    pub fn winner(&self, source: Option<&[u8]>, target: Option<&[u8]>) -> Option<SideName> {
        match self.resolution {
            Resolution::SourceWins => Some(SideName::Source),
            Resolution::TargetWins => Some(SideName::Target),
            Resolution::Manual => None,
            Resolution::Timestamp => {
                let told = |row: Option<&[u8]>| row.and_then(|row| instant(field(row, self.timestamp?)?));
                Some(match (told(source), told(target)) {
                    (None, Some(_)) => SideName::Target,
                    (Some(source), Some(target)) if source.partial_cmp(&target) == Some(Ordering::Less) => {
                        SideName::Target
                    }
                    (None, None) if source.is_none() && target.is_some() => SideName::Target,
                    _ => SideName::Source,
                })
            }
        }
    }
}

fn field(row: &[u8], column: usize) -> Option<ValueRef<'_>> {
    fields(row).nth(column)?.ok()
}

/// The side whose value tells the later time; the source where they cannot be told apart.
pub(crate) fn later(source: ValueRef<'_>, target: ValueRef<'_>) -> SideName {
    match (instant(source), instant(target)) {
        (None, Some(_)) => SideName::Target,
        (Some(source), Some(target)) if source.partial_cmp(&target) == Some(Ordering::Less) => SideName::Target,
        _ => SideName::Source,
    }
}

/// A time, or a number that grows with time. One is not comparable with the other.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Instant {
    Micros(i64),
    Number(f64),
    Whole(i64),
}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Instant) -> Option<Ordering> {
        match (self, other) {
            (Instant::Micros(a), Instant::Micros(b)) | (Instant::Whole(a), Instant::Whole(b)) => Some(a.cmp(b)),
            (Instant::Number(a), Instant::Number(b)) => a.partial_cmp(b),
            (Instant::Whole(a), Instant::Number(b)) => (*a as f64).partial_cmp(b),
            (Instant::Number(a), Instant::Whole(b)) => a.partial_cmp(&(*b as f64)),
            _ => None,
        }
    }
}

const MICROS_OF_A_DAY: i64 = 86_400_000_000;

/// Times without a zone are taken as UTC, as SQLite's CURRENT_TIMESTAMP is.
fn instant(value: ValueRef<'_>) -> Option<Instant> {
    match value {
        ValueRef::Timestamp(micros) | ValueRef::TimestampTz(micros) => Some(Instant::Micros(micros)),
        ValueRef::Date(days) => i64::from(days).checked_mul(MICROS_OF_A_DAY).map(Instant::Micros),
        ValueRef::Int(number) => Some(Instant::Whole(number)),
        ValueRef::Float(number) => Some(Instant::Number(number)).filter(|_| !number.is_nan()),
        ValueRef::Decimal(text) => text.parse().ok().map(Instant::Number),
        ValueRef::Text(text) => {
            let date = || parse_date(text).and_then(|days| i64::from(days).checked_mul(MICROS_OF_A_DAY));
            let micros = parse_timestamptz(text).or_else(|| parse_timestamp(text)).or_else(date);
            micros.map(Instant::Micros)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::push_field;

    fn row(stamp: ValueRef<'_>) -> Vec<u8> {
        let mut row = Vec::new();
        push_field(&mut row, ValueRef::Int(1));
        push_field(&mut row, stamp);
        row
    }

    fn by_time(source: Option<ValueRef<'_>>, target: Option<ValueRef<'_>>) -> SideName {
        let rules =
            Rules { resolution: Resolution::Timestamp, by_columns: false, timestamp: Some(1), clocks: Vec::new() };
        let (source, target) = (source.map(row), target.map(row));
        rules.winner(source.as_deref(), target.as_deref()).unwrap()
    }

    #[test]
    fn the_later_time_wins_and_the_source_where_that_cannot_be_told() {
        use ValueRef::{Float, Int, Null, Text, Timestamp, TimestampTz};
        let check = |source, target, winner| {
            assert_eq!(by_time(Some(source), Some(target)), winner, "{source:?} {target:?}");
        };
        check(Timestamp(5), Timestamp(4), SideName::Source);
        check(Timestamp(4), Timestamp(5), SideName::Target);
        check(Timestamp(5), Timestamp(5), SideName::Source);
        check(Null, Timestamp(5), SideName::Target);
        check(Timestamp(5), Null, SideName::Source);
        check(Null, Null, SideName::Source);
        check(Int(1), Timestamp(0), SideName::Source);
        check(Int(1), Float(1.5), SideName::Target);
        // The same instant in two zones, and one that is later although its text sorts before.
        check(Text("2026-01-01T12:00:00+02:00"), Text("2026-01-01 10:00:00"), SideName::Source);
        check(Text("2026-01-01T11:00:00+02:00"), Text("2026-01-01 10:00:00"), SideName::Target);
        check(Text("2026-01-02"), TimestampTz(0), SideName::Source);
        check(Text("yesterday"), TimestampTz(0), SideName::Target);
    }

    #[test]
    fn a_row_that_is_there_wins_over_a_delete_by_timestamp() {
        assert_eq!(by_time(None, Some(ValueRef::Timestamp(5))), SideName::Target);
        assert_eq!(by_time(Some(ValueRef::Timestamp(5)), None), SideName::Source);
        assert_eq!(by_time(None, Some(ValueRef::Null)), SideName::Target);
    }
}
