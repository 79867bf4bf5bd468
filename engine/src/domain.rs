//! The common ground on which the values of two columns are compared: one [`Domain`] for each pair of columns.
//!
//! Readers of both sides turn what they store into values of the domain; [`crate::canonical`] spells them.
//! `docs/equality.md` shows these rules to users; a test keeps the two together.

use serde::Serialize;

/// What the values of a pair of columns mean while they are compared and moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    Bool,
    Int,
    Float,
    /// One side holds only 32 bits, so both are compared with 32.
    Float32,
    /// `scale`: digits behind the point of the coarser column; none where neither is limited.
    Decimal {
        scale: Option<u32>,
    },
    Text,
    /// One side pads with spaces, so spaces at the end do not count.
    PaddedText,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    /// A time or timestamp of which one side keeps fewer digits behind the second, so both are compared with those.
    Coarse {
        moment: Moment,
        digits: u32,
    },
    Interval,
    Json,
    /// Both sides type each value on its own (SQLite): the storage class decides.
    Dynamic,
    /// The engine's own binary form of one and the same type on both sides.
    Native,
}

/// A kind of moment that columns may keep with fewer digits behind the second than six.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    Time,
    Timestamp,
    TimestampTz,
}

impl Moment {
    /// The domain of the same moments with all digits.
    pub fn domain(self) -> Domain {
        match self {
            Moment::Time => Domain::Time,
            Moment::Timestamp => Domain::Timestamp,
            Moment::TimestampTz => Domain::TimestampTz,
        }
    }
}

impl Domain {
    /// Every domain once, for documentation and tests.
    pub const ALL: [Domain; 19] = [
        Domain::Bool,
        Domain::Int,
        Domain::Float,
        Domain::Float32,
        Domain::Decimal { scale: None },
        Domain::Decimal { scale: Some(2) },
        Domain::Text,
        Domain::PaddedText,
        Domain::Bytes,
        Domain::Uuid,
        Domain::Date,
        Domain::Time,
        Domain::Timestamp,
        Domain::TimestampTz,
        Domain::Coarse { moment: Moment::Timestamp, digits: 3 },
        Domain::Interval,
        Domain::Json,
        Domain::Dynamic,
        Domain::Native,
    ];

    /// Its name, as `docs/equality.md` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Domain::Bool => "bool",
            Domain::Int => "int",
            Domain::Float => "float",
            Domain::Float32 => "float32",
            Domain::Decimal { scale: None } => "decimal",
            Domain::Decimal { scale: Some(_) } => "decimal, digits differ",
            Domain::Text => "text",
            Domain::PaddedText => "padded_text",
            Domain::Bytes => "bytes",
            Domain::Uuid => "uuid",
            Domain::Date => "date",
            Domain::Time => "time",
            Domain::Timestamp => "timestamp",
            Domain::TimestampTz => "timestamp_tz",
            Domain::Coarse { .. } => "timestamp, digits differ",
            Domain::Interval => "interval",
            Domain::Json => "json",
            Domain::Dynamic => "dynamic",
            Domain::Native => "native",
        }
    }

    /// The rule of equality in one sentence, as `verify --explain` and the documentation tell it.
    pub fn rule(&self) -> &'static str {
        match self {
            Domain::Bool => "booleans; 1, 't' and 'true' are true, 0, 'f' and 'false' are false",
            Domain::Int => "whole numbers by value, whatever their width",
            Domain::Float => "64-bit floats by value; -0.0 is 0.0 and NaN is NaN",
            Domain::Float32 => "floats by value after rounding to 32 bits, as one column holds no more",
            Domain::Decimal { scale: None } => "decimals by value; 1.0 and 1.00 are the same number",
            Domain::Decimal { scale: Some(_) } => "decimals by value, rounded to the digits of the coarser column",
            Domain::Text => "texts byte by byte in UTF-8; spaces at the end count",
            Domain::PaddedText => "texts without the spaces at the end, as one column pads with them",
            Domain::Bytes => "bytes one by one",
            Domain::Uuid => "UUIDs by value, whatever their spelling",
            Domain::Date => "days of the proleptic Gregorian calendar",
            Domain::Time => "times of day in microseconds",
            Domain::Timestamp => "date and time in microseconds, without a zone",
            Domain::TimestampTz => "instants in microseconds; the same instant is equal in every zone",
            Domain::Coarse { .. } => "times and timestamps by value, rounded to the digits of the coarser column",
            Domain::Interval => "months, days and microseconds, each for itself",
            Domain::Json => "JSON by value; the order of keys and the spelling of numbers do not count",
            Domain::Dynamic => "by storage class; 1 and 1.0 are the same number",
            Domain::Native => "the engine's own binary form",
        }
    }
}
