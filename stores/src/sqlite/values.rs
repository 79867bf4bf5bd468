//! From what SQLite stores to values of a column's domain, checked and by reference.
//!
//! SQLite types each value on its own, whatever the column declares. Where the other side's column has a type, that type
//! binds: what does not fit it is told apart, so that its row differs and is refused where it would be written. In a key,
//! which has to be sorted, it is an error that names the column, and never the value.

use std::fmt::Write;

use rowsync_engine::canonical::{is_json, plain_number, rounded_float};
use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::moment;
use rowsync_engine::schema::{DataType, TableView, ViewColumn};
use rowsync_engine::value::{Found, ValueRef, parse_uuid};
use rusqlite::types::ValueRef as Stored;

use super::spelling;

/// The value that is stored, in the domain of its column, or as one that does not fit it. What has to be spelled anew is
/// spelled into `scratch`.
#[inline]
pub fn value<'a>(stored: Stored<'a>, column: &ViewColumn, scratch: &'a mut Scratch) -> ValueRef<'a> {
    // By far the most values are stored as what they are.
    match (stored, column.domain) {
        (Stored::Null, _) => ValueRef::Null,
        (Stored::Integer(i), Domain::Int | Domain::Dynamic) => ValueRef::Int(i),
        (Stored::Real(f), Domain::Float | Domain::Dynamic) => ValueRef::Float(f),
        (Stored::Blob(bytes), Domain::Bytes | Domain::Dynamic) => ValueRef::Bytes(bytes),
        _ => match converted(stored, column.domain, &mut scratch.fitted) {
            Some(value) => value,
            None => unfit(stored, &mut scratch.unfit),
        },
    }
}

/// Room for what has to be spelled anew; one for a whole page.
#[derive(Default)]
pub struct Scratch {
    fitted: String,
    unfit: String,
}

/// What is stored, as a value that does not fit.
#[cold]
fn unfit<'a>(stored: Stored<'a>, scratch: &'a mut String) -> ValueRef<'a> {
    match stored {
        Stored::Null => ValueRef::Null,
        Stored::Integer(_) | Stored::Real(_) => {
            ValueRef::Unfit(Found::Number, text(stored, scratch).unwrap_or_default().as_bytes())
        }
        Stored::Text(bytes) if std::str::from_utf8(bytes).is_err() => ValueRef::Unfit(Found::BrokenText, bytes),
        Stored::Text(bytes) => ValueRef::Unfit(Found::Text, bytes),
        Stored::Blob(bytes) => ValueRef::Unfit(Found::Bytes, bytes),
    }
}

/// The same value, if it is no text that should be JSON and is none: only canonical forms look so far into it.
pub fn checked_json(value: ValueRef<'_>) -> ValueRef<'_> {
    match value {
        ValueRef::Json(text) if !is_json(text) => ValueRef::Unfit(Found::Text, text.as_bytes()),
        value => value,
    }
}

/// The same for a column of the key, whose values have to fit, and to be stored in the spelling in which they are looked up:
/// SQLite orders and finds what is stored, not what it means.
///
/// # Errors
/// When the value does not fit, or is stored in another spelling.
#[inline]
pub fn key_value<'a>(
    stored: Stored<'a>,
    column: &ViewColumn,
    scratch: &'a mut Scratch,
) -> Result<ValueRef<'a>, StoreError> {
    match value(stored, column, scratch) {
        ValueRef::Unfit(..) => Err(misfit(stored, column)),
        value if is_looked_up_as_stored(stored, value, column) => Ok(value),
        _ => Err(not_in_order(column)),
    }
}

/// # Errors
/// When a column's values cannot come from this engine at all.
pub fn check_domains(view: &TableView, operation: &'static str) -> Result<(), StoreError> {
    match view.columns.iter().find(|column| column.domain == Domain::Native) {
        None => Ok(()),
        Some(column) => Err(StoreError::new(
            Kind::SchemaMismatch,
            operation,
            format!("column {} has a type that only another engine understands", column.column.name),
        )
        .at(&view.table)),
    }
}

fn converted<'a>(stored: Stored<'a>, domain: Domain, scratch: &'a mut String) -> Option<ValueRef<'a>> {
    Some(match domain {
        Domain::Coarse { moment, .. } => return converted(stored, moment.domain(), scratch),
        Domain::Dynamic => ValueRef::Text(text_of(stored)?),
        Domain::Bool => ValueRef::Bool(boolean(stored)?),
        Domain::Int => ValueRef::Int(integer(stored)?),
        Domain::Float => ValueRef::Float(float(stored)?),
        Domain::Float32 => ValueRef::Float(rounded_float(float(stored)?)),
        Domain::Decimal { .. } => ValueRef::Decimal(decimal(stored, scratch)?),
        Domain::Text => ValueRef::Text(text(stored, scratch)?),
        Domain::PaddedText => ValueRef::Text(text(stored, scratch)?.trim_end_matches(' ')),
        Domain::Bytes => ValueRef::Bytes(bytes(stored)?),
        Domain::Uuid => ValueRef::Uuid(uuid(stored)?),
        Domain::Date => ValueRef::Date(moment::parse_date(text_of(stored)?)?),
        Domain::Time => ValueRef::Time(moment::parse_time(text_of(stored)?)?),
        Domain::Timestamp => ValueRef::Timestamp(moment::parse_timestamp(text_of(stored)?)?),
        Domain::TimestampTz => ValueRef::TimestampTz(moment::parse_timestamptz(text_of(stored)?)?),
        Domain::Interval => ValueRef::Interval(moment::parse_interval(text_of(stored)?)?),
        Domain::Json => ValueRef::Json(json(stored, scratch)?),
        Domain::Native => return None,
    })
}

fn text_of(stored: Stored<'_>) -> Option<&str> {
    match stored {
        Stored::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn boolean(stored: Stored<'_>) -> Option<bool> {
    match stored {
        Stored::Integer(0) => Some(false),
        Stored::Integer(1) => Some(true),
        // What a column of floats makes of them.
        Stored::Real(0.0) => Some(false),
        Stored::Real(1.0) => Some(true),
        Stored::Text(b"f" | b"false" | b"0") => Some(false),
        Stored::Text(b"t" | b"true" | b"1") => Some(true),
        _ => None,
    }
}

fn integer(stored: Stored<'_>) -> Option<i64> {
    match stored {
        Stored::Integer(i) => Some(i),
        Stored::Real(f) => whole(f),
        Stored::Text(_) => text_of(stored)?.parse().ok(),
        _ => None,
    }
}

/// A float that is a whole number, as that number.
pub fn whole(f: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (f.fract() == 0.0 && (-LIMIT..LIMIT).contains(&f)).then_some(f as i64)
}

fn float(stored: Stored<'_>) -> Option<f64> {
    match stored {
        Stored::Integer(i) => Some(i as f64),
        Stored::Real(f) => Some(f),
        // A number beyond all floats is no infinity.
        Stored::Text(text) if text.iter().any(u8::is_ascii_digit) => {
            text_of(stored)?.parse().ok().filter(|f: &f64| f.is_finite())
        }
        Stored::Text(_) => text_of(stored)?.parse().ok(),
        _ => None,
    }
}

fn decimal<'a>(stored: Stored<'a>, scratch: &'a mut String) -> Option<&'a str> {
    match stored {
        Stored::Integer(i) => spelled(scratch, format_args!("{i}")),
        Stored::Real(f) if f.is_infinite() => Some(if f > 0.0 { "Infinity" } else { "-Infinity" }),
        // Display is the shortest text that is read as the same float, and never has an exponent.
        Stored::Real(f) => spelled(scratch, format_args!("{f}")),
        Stored::Text(_) => decimal_text(text_of(stored)?, scratch),
        _ => None,
    }
}

fn decimal_text<'a>(text: &'a str, scratch: &'a mut String) -> Option<&'a str> {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return Some(text);
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if is_plain_decimal(text) {
        return Some(text);
    }
    let plain = super::affinity::looks_numeric(text).then(|| plain_number(text))?;
    if !is_plain_decimal(&plain) {
        return None;
    }
    *scratch = plain;
    Some(scratch)
}

fn is_plain_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let points = digits.bytes().filter(|b| *b == b'.').count();
    digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') && points <= 1 && digits.len() > points
}

fn text<'a>(stored: Stored<'a>, scratch: &'a mut String) -> Option<&'a str> {
    match stored {
        Stored::Integer(i) => spelled(scratch, format_args!("{i}")),
        Stored::Real(f) => spelled(scratch, format_args!("{f:?}")),
        _ => text_of(stored),
    }
}

fn bytes(stored: Stored<'_>) -> Option<&[u8]> {
    match stored {
        Stored::Blob(bytes) | Stored::Text(bytes) => Some(bytes),
        _ => None,
    }
}

fn uuid(stored: Stored<'_>) -> Option<[u8; 16]> {
    match stored {
        Stored::Blob(bytes) => bytes.try_into().ok(),
        _ => parse_uuid(text_of(stored)?),
    }
}

fn json<'a>(stored: Stored<'a>, scratch: &'a mut String) -> Option<&'a str> {
    match stored {
        Stored::Integer(i) => spelled(scratch, format_args!("{i}")),
        Stored::Real(f) if f.is_finite() => spelled(scratch, format_args!("{f:?}")),
        _ => text_of(stored),
    }
}

fn spelled<'a>(scratch: &'a mut String, text: std::fmt::Arguments<'_>) -> Option<&'a str> {
    scratch.clear();
    scratch.write_fmt(text).ok()?;
    Some(scratch)
}

/// Whether a key read as `value` is found again by that value, and in its order.
fn is_looked_up_as_stored(stored: Stored<'_>, value: ValueRef<'_>, column: &ViewColumn) -> bool {
    let is_text = |expected: &str| matches!(stored, Stored::Text(bytes) if bytes == expected.as_bytes());
    match (column.domain, value) {
        (Domain::Dynamic, _) => true,
        (Domain::Bool | Domain::Int | Domain::Float | Domain::Float32 | Domain::Decimal { .. }, _) => {
            matches!(stored, Stored::Integer(_) | Stored::Real(_))
        }
        (_, ValueRef::Text(text)) => is_text(text),
        (_, ValueRef::Bytes(_)) => matches!(stored, Stored::Blob(_)),
        (_, ValueRef::Uuid(_)) if column.column.data_type == DataType::Bytes => matches!(stored, Stored::Blob(_)),
        (_, ValueRef::Uuid(_)) => matches!(stored, Stored::Text(text) if is_usual_uuid(text)),
        (_, ValueRef::Date(days)) => spelling::day_sorts(days) && is_text(&moment::date_text(days)),
        (_, ValueRef::Time(micros)) => is_text(&moment::time_text(micros)),
        (_, ValueRef::Timestamp(micros)) => spelling::sorts(micros) && is_text(&spelling::timestamp(micros)),
        (_, ValueRef::TimestampTz(micros)) => spelling::sorts(micros) && is_text(&spelling::timestamptz(micros)),
        // NULL is kept out of ranges by the statement; spans and documents have no order in SQLite.
        _ => false,
    }
}

fn is_usual_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Why a value is not one of its column's domain.
#[cold]
pub fn misfit(stored: Stored<'_>, column: &ViewColumn) -> StoreError {
    let name = &column.column.name;
    if let Stored::Text(bytes) = stored
        && std::str::from_utf8(bytes).is_err()
    {
        return StoreError::new(Kind::BadValue, "read", format!("column {name} holds a text that is not UTF-8"));
    }
    let found = stored.data_type().to_string().to_lowercase();
    let expected = expected(column.domain);
    StoreError::new(Kind::BadValue, "read", format!("column {name} holds a value ({found}) that is not {expected}"))
}

#[cold]
fn not_in_order(column: &ViewColumn) -> StoreError {
    let message = format!(
        "key column {} holds a value in a spelling that SQLite does not sort as {}",
        column.column.name,
        expected(column.domain)
    );
    StoreError::new(Kind::BadValue, "read", message)
}

/// What values of a domain are, for messages.
pub fn expected(domain: Domain) -> &'static str {
    match domain {
        Domain::Bool => "a boolean (0, 1, 't', 'f', 'true', 'false')",
        Domain::Int => "a whole number of 64 bits",
        Domain::Float | Domain::Float32 => "a float",
        Domain::Decimal { .. } => "a decimal number",
        Domain::Text | Domain::PaddedText => "a text",
        Domain::Bytes => "bytes or a text",
        Domain::Uuid => "a UUID as text or as 16 bytes",
        Domain::Date => "a date as YYYY-MM-DD",
        Domain::Time => "a time as hh:mm:ss",
        Domain::Timestamp => "a timestamp as YYYY-MM-DD hh:mm:ss without a zone",
        Domain::TimestampTz => "a timestamp as YYYY-MM-DD hh:mm:ss with a zone",
        Domain::Coarse { moment, .. } => expected(moment.domain()),
        Domain::Interval => "an interval as PnMnDTnS",
        Domain::Json => "JSON",
        Domain::Dynamic => "a value of SQLite",
        Domain::Native => "a value of another engine's own type",
    }
}
