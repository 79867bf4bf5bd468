//! Fields of a binary tuple as values.

use rowsync_engine::canonical::is_json;
use rowsync_engine::domain::Domain;
use rowsync_engine::value::{Found, Interval, ValueRef};

use super::fit::{Misfit, fit};
use super::literal::spelled;
use super::numeric;
use super::wire::Wire;

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
pub const EPOCH_DAYS: i32 = 10_957;
pub const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Room for the values that have to be spelled while they are decoded; one for a whole page.
#[derive(Default)]
pub struct Scratch {
    number: String,
    fitted: String,
    unfit: String,
}

/// A field as a value of the domain, or as one that does not fit it; `None` bytes are NULL.
pub fn decode<'a>(bytes: Option<&'a [u8]>, wire: Wire, domain: Domain, scratch: &'a mut Scratch) -> ValueRef<'a> {
    let Some(bytes) = bytes else { return ValueRef::Null };
    let Some(value) = natural(bytes, wire, &mut scratch.number) else {
        // Among them the timestamps of the last thirty years before 294277, which 64 bits counted from 1970 miss.
        return ValueRef::Unfit(Found::Bytes, bytes);
    };
    match fit(value, domain, &mut scratch.fitted) {
        Ok(ValueRef::Json(text)) if wire == Wire::Text && !is_json(text) => {
            ValueRef::Unfit(Found::Text, text.as_bytes())
        }
        Ok(value) => value,
        Err(_) => unfit(value, &mut scratch.unfit),
    }
}

/// A value that is none of its domain, as it is spelled.
#[cold]
fn unfit<'a>(value: ValueRef<'a>, scratch: &'a mut String) -> ValueRef<'a> {
    let found = match value {
        ValueRef::Bytes(bytes) => return ValueRef::Unfit(Found::Bytes, bytes),
        ValueRef::Text(text) | ValueRef::Json(text) => return ValueRef::Unfit(Found::Text, text.as_bytes()),
        ValueRef::Int(_) | ValueRef::Float(_) | ValueRef::Decimal(_) => Found::Number,
        _ => Found::Other,
    };
    *scratch = spelled(value).unwrap_or_default();
    ValueRef::Unfit(found, scratch.as_bytes())
}

/// The same for a column of the key, which has to be sorted and looked up.
///
/// # Errors
/// When the value is none of the domain.
pub fn decode_key<'a>(
    bytes: Option<&'a [u8]>,
    wire: Wire,
    domain: Domain,
    scratch: &'a mut Scratch,
) -> Result<ValueRef<'a>, Misfit> {
    match decode(bytes, wire, domain, scratch) {
        value @ ValueRef::Unfit(..) => Err(Misfit::of(value, domain)),
        value => Ok(value),
    }
}

/// The value as the column has it.
fn natural<'a>(bytes: &'a [u8], wire: Wire, number: &'a mut String) -> Option<ValueRef<'a>> {
    Some(match wire {
        Wire::Bool => ValueRef::Bool(bytes.first().copied()? != 0),
        Wire::Int2 => ValueRef::Int(i64::from(i16::from_be_bytes(fixed(bytes)?))),
        Wire::Int4 => ValueRef::Int(i64::from(i32::from_be_bytes(fixed(bytes)?))),
        Wire::Int8 => ValueRef::Int(i64::from_be_bytes(fixed(bytes)?)),
        Wire::Float4 => ValueRef::Float(f64::from(f32::from_be_bytes(fixed(bytes)?))),
        Wire::Float8 => ValueRef::Float(f64::from_be_bytes(fixed(bytes)?)),
        Wire::Numeric => {
            numeric::decode(bytes, number)?;
            ValueRef::Decimal(number)
        }
        Wire::Text => ValueRef::Text(std::str::from_utf8(bytes).ok()?),
        Wire::Json => ValueRef::Json(std::str::from_utf8(bytes).ok()?),
        Wire::Jsonb => ValueRef::Json(std::str::from_utf8(bytes.strip_prefix(&[1])?).ok()?),
        Wire::Bytea => ValueRef::Bytes(bytes),
        Wire::Uuid => ValueRef::Uuid(fixed(bytes)?),
        Wire::Date => ValueRef::Date(date(i32::from_be_bytes(fixed(bytes)?))?),
        Wire::Time => ValueRef::Time(i64::from_be_bytes(fixed(bytes)?)),
        Wire::Timestamp => ValueRef::Timestamp(micros(i64::from_be_bytes(fixed(bytes)?))?),
        Wire::TimestampTz => ValueRef::TimestampTz(micros(i64::from_be_bytes(fixed(bytes)?))?),
        Wire::Interval => ValueRef::Interval(interval(bytes)?),
        Wire::Opaque => ValueRef::Native(bytes),
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn date(days: i32) -> Option<i32> {
    match days {
        i32::MAX | i32::MIN => Some(days),
        _ => days.checked_add(EPOCH_DAYS),
    }
}

fn micros(micros: i64) -> Option<i64> {
    match micros {
        i64::MAX | i64::MIN => Some(micros),
        _ => micros.checked_add(EPOCH_MICROS),
    }
}

fn interval(bytes: &[u8]) -> Option<Interval> {
    let (micros, rest) = bytes.split_first_chunk()?;
    let (days, rest) = rest.split_first_chunk()?;
    Some(Interval {
        micros: i64::from_be_bytes(*micros),
        days: i32::from_be_bytes(*days),
        months: i32::from_be_bytes(fixed(rest)?),
    })
}
