//! From values to what SQLite stores, so that what is read back is equal.
//!
//! SQLite's affinities convert what they can and say nothing about it. A value that would come back unequal is refused
//! with an error that names the column.

use std::borrow::Cow;

use rowsync_engine::canonical::rounded_decimal;
use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::moment;
use rowsync_engine::schema::{DataType, ViewColumn};
use rowsync_engine::value::{Found, ValueRef, uuid_text};
use rusqlite::CachedStatement;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef as Stored};

use super::affinity::{Affinity, digits_survive, float_text, looks_numeric, read_back};
use super::classify::classify;
use super::spelling;
use super::values::{expected, whole};

/// Digits that every 64-bit float keeps.
const FLOAT_DIGITS: usize = 15;
/// Longest decimal that is looked at no further; with more zeros behind the point a float may run out of exponents.
const EASY_DECIMAL_LENGTH: usize = 32;

/// How values of one column are bound.
pub struct Binder<'a> {
    column: &'a ViewColumn,
    affinity: Affinity,
}

impl<'a> Binder<'a> {
    pub fn new(column: &'a ViewColumn) -> Binder<'a> {
        Binder { column, affinity: Affinity::of(&column.column.declared) }
    }

    /// Binds a value that is to be stored.
    #[inline]
    pub fn bind(
        &self,
        statement: &mut CachedStatement<'_>,
        parameter: usize,
        value: ValueRef<'_>,
    ) -> Result<(), StoreError> {
        statement.raw_bind_parameter(parameter, self.bound(value)?).map_err(|error| classify(error, "write"))
    }

    /// What is bound for a value that is to be stored.
    #[inline]
    pub fn bound<'v>(&self, value: ValueRef<'v>) -> Result<ToSqlOutput<'v>, StoreError> {
        self.stored(value).ok_or_else(|| self.misfit(value))
    }

    pub fn affinity(&self) -> Affinity {
        self.affinity
    }

    /// Binds a value that rows are compared with.
    pub fn bind_sought(
        &self,
        statement: &mut CachedStatement<'_>,
        parameter: usize,
        value: ValueRef<'_>,
    ) -> Result<(), StoreError> {
        let sought = match value {
            // Keys that are numbers are stored as numbers, so any number has its place among them; a bound of the other
            // side that is too fine for a float lies right beside it.
            ValueRef::Decimal(text) => decimal_number(text),
            ValueRef::Float(f) => ToSqlOutput::Borrowed(Stored::Real(f)),
            ValueRef::Int(i) => ToSqlOutput::Borrowed(Stored::Integer(i)),
            _ => self.spelled(value).ok_or_else(|| self.misfit(value))?,
        };
        statement.raw_bind_parameter(parameter, sought).map_err(|error| classify(error, "read"))
    }

    /// What to store for a value, or `None` where it would not come back equal.
    #[inline]
    fn stored<'v>(&self, value: ValueRef<'v>) -> Option<ToSqlOutput<'v>> {
        if self.column.domain == Domain::Dynamic && !self.keeps_class(value) {
            return None;
        }
        match value {
            ValueRef::Int(i) if self.affinity == Affinity::Real && whole(i as f64) != Some(i) => None,
            ValueRef::Int(i) => Some(ToSqlOutput::Borrowed(Stored::Integer(i))),
            ValueRef::Float(f) => Some(self.float(f)),
            ValueRef::Decimal(text) => self.decimal(text),
            ValueRef::Text(text) if !self.text_survives(text) => None,
            ValueRef::Json(text) if !self.json_survives(text) => None,
            _ => self.spelled(value),
        }
    }

    /// Whether a value that counts by its storage class keeps it.
    fn keeps_class(&self, value: ValueRef<'_>) -> bool {
        match value {
            ValueRef::Null | ValueRef::Bytes(_) => true,
            ValueRef::Int(_) => self.affinity != Affinity::Text,
            ValueRef::Float(f) => self.affinity != Affinity::Text && !f.is_nan(),
            ValueRef::Text(text) => !(self.affinity.is_numeric() && looks_numeric(text)),
            _ => false,
        }
    }

    fn float<'v>(&self, f: f64) -> ToSqlOutput<'v> {
        if f.is_nan() {
            // SQLite would store NULL in its place.
            ToSqlOutput::Borrowed(Stored::Text(b"NaN"))
        } else if self.affinity == Affinity::Text {
            // SQLite's own conversion to text keeps 15 digits.
            ToSqlOutput::Owned(Owned::Text(float_text(f)))
        } else {
            ToSqlOutput::Borrowed(Stored::Real(f))
        }
    }

    fn decimal<'v>(&self, text: &'v str) -> Option<ToSqlOutput<'v>> {
        if !self.affinity.is_numeric() || !looks_numeric(text) {
            return Some(borrowed(text));
        }
        let text = self.fitted_decimal(text)?;
        Some(match text.parse::<i64>() {
            Ok(number) => ToSqlOutput::Borrowed(Stored::Integer(number)),
            Err(_) => ToSqlOutput::Borrowed(Stored::Real(text.parse().ok()?)),
        })
    }

    /// The decimal, with fewer digits where they do not count, if SQLite's numbers hold it.
    fn fitted_decimal<'v>(&self, text: &'v str) -> Option<Cow<'v, str>> {
        let is_easy = text.len() <= EASY_DECIMAL_LENGTH && significant_digits(text) <= FLOAT_DIGITS;
        if is_easy || digits_survive(text, self.affinity) {
            return Some(Cow::Borrowed(text));
        }
        let Domain::Decimal { scale: Some(scale) } = self.column.domain else { return None };
        let rounded = rounded_decimal(text, scale);
        digits_survive(&rounded, self.affinity).then_some(Cow::Owned(rounded))
    }

    fn text_survives(&self, text: &str) -> bool {
        !(self.affinity.is_numeric() && looks_numeric(text)) || read_back(text, self.affinity) == text
    }

    fn json_survives(&self, text: &str) -> bool {
        !(self.affinity.is_numeric() && looks_numeric(text)) || digits_survive(text.trim(), self.affinity)
    }

    /// A value in the spelling in which it is both stored and looked up.
    fn spelled<'v>(&self, value: ValueRef<'v>) -> Option<ToSqlOutput<'v>> {
        Some(match value {
            ValueRef::Null => ToSqlOutput::Borrowed(Stored::Null),
            ValueRef::Bool(b) => ToSqlOutput::Borrowed(Stored::Integer(i64::from(b))),
            ValueRef::Text(text) if self.column.domain == Domain::PaddedText => borrowed(text.trim_end_matches(' ')),
            ValueRef::Text(text) | ValueRef::Json(text) => borrowed(text),
            ValueRef::Bytes(bytes) => ToSqlOutput::Borrowed(Stored::Blob(bytes)),
            ValueRef::Uuid(uuid) if self.column.column.data_type == DataType::Bytes => {
                ToSqlOutput::Owned(Owned::Blob(uuid.to_vec()))
            }
            ValueRef::Uuid(uuid) => owned(uuid_text(&uuid)),
            ValueRef::Date(days) => owned(moment::date_text(days)),
            ValueRef::Time(micros) => owned(moment::time_text(micros)),
            ValueRef::Timestamp(micros) => owned(spelling::timestamp(micros)),
            ValueRef::TimestampTz(micros) => owned(spelling::timestamptz(micros)),
            ValueRef::Interval(interval) => owned(moment::interval_text(interval)),
            ValueRef::Int(_)
            | ValueRef::Float(_)
            | ValueRef::Decimal(_)
            | ValueRef::Native(_)
            | ValueRef::Unfit(..) => return None,
        })
    }

    #[cold]
    fn misfit(&self, value: ValueRef<'_>) -> StoreError {
        let column = &self.column.column;
        if let ValueRef::Unfit(found, _) = value {
            return unfit(self.column, found);
        }
        let declared = if column.declared.is_empty() { "no type" } else { &column.declared };
        let message = format!("column {} ({declared}) would not keep this {} as it is", column.name, value.kind());
        StoreError::new(Kind::BadValue, "write", message)
    }
}

/// A value that the source holds beside the type of its column.
#[cold]
fn unfit(column: &ViewColumn, found: Found) -> StoreError {
    let (name, kind) = (&column.column.name, ValueRef::Unfit(found, &[]).kind());
    let message = match found {
        Found::BrokenText => format!("column {name} holds a {kind}"),
        _ => format!("column {name} holds a value ({kind}) that is not {}", expected(column.domain)),
    };
    StoreError::new(Kind::BadValue, "write", message)
}

/// Refuses a text in raw form that is none.
pub fn refuse_broken_text(stored: Stored<'_>, column: &ViewColumn) -> Result<(), StoreError> {
    match stored {
        Stored::Text(bytes) if std::str::from_utf8(bytes).is_err() => Err(unfit(column, Found::BrokenText)),
        _ => Ok(()),
    }
}

fn borrowed(text: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(Stored::Text(text.as_bytes()))
}

fn owned<'v>(text: String) -> ToSqlOutput<'v> {
    ToSqlOutput::Owned(Owned::Text(text))
}

fn decimal_number(text: &str) -> ToSqlOutput<'_> {
    let digits = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    match (digits.parse::<i64>(), text.parse::<f64>()) {
        (Ok(number), _) => ToSqlOutput::Borrowed(Stored::Integer(number)),
        (_, Ok(number)) if !number.is_nan() => ToSqlOutput::Borrowed(Stored::Real(number)),
        _ => borrowed(text),
    }
}

fn significant_digits(text: &str) -> usize {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    digits.skip_while(|digit| *digit == b'0').count()
}
