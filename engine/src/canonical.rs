//! The canonical form: equal values, and only those, have equal bytes.
//!
//! A row is the number of its columns, and for each of them a tag, a length, and that many bytes; NULL has the length
//! -1. So NULL is not the empty text, and `('a|b', 'c')` is not `('a', 'b|c')`. Numbers stand with their most
//! significant byte first. What is hashed and compared is this form, never what a store happens to print.
//!
//! Tags, lengths and moments are those of PostgreSQL's binary form of a row, so that its servers spell a whole row with
//! one call of `record_send`, which takes half the time of putting it together in SQL. Any other SQL can do the same by
//! hand.

mod json;

pub use json::is_json;

use crate::domain::Domain;
use crate::moment::{rounded_time, rounded_timestamp};
use crate::value::{Found, ValueRef};

/// Tags: the numbers of the built-in types that `record_send` writes.
mod tag {
    /// NULL where no type is known, and what is no value of its domain.
    pub const NONE: u32 = 0;
    pub const BOOL: u32 = 16;
    pub const BYTES: u32 = 17;
    pub const INT: u32 = 20;
    /// Decimals and JSON are spelled as texts.
    pub const TEXT: u32 = 25;
    pub const FLOAT: u32 = 701;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const UUID: u32 = 2950;
}

/// Days and microseconds from 1970-01-01 to 2000-01-01, where the canonical form counts from.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A value that cannot be spelled in the domain of its column.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{kind} does not fit the column's domain {domain:?}")]
pub struct NotCanonical {
    pub kind: &'static str,
    pub domain: Domain,
}

/// Begins a row of so many columns, in place of what `out` held.
pub fn begin_row(out: &mut Vec<u8>, columns: usize) {
    out.clear();
    // No engine has tables of that many columns.
    out.extend_from_slice(&(columns as u32).to_be_bytes());
}

/// Appends the canonical form of `value` to `out`.
///
/// # Errors
/// When the text of a JSON value is not JSON.
pub fn write_canonical(out: &mut Vec<u8>, value: ValueRef<'_>, domain: Domain) -> Result<(), NotCanonical> {
    match (value, domain) {
        (ValueRef::Null, _) => push_null(out, domain),
        (ValueRef::Decimal(text), Domain::Decimal { scale: Some(scale) }) => {
            push_decimal(out, &rounded_decimal(text, scale));
        }
        (ValueRef::Decimal(text), _) => push_decimal(out, text),
        (ValueRef::Float(f), Domain::Float32) => push_float(out, rounded_float(f)),
        (ValueRef::Float(f), Domain::Dynamic) => match whole(f) {
            Some(i) => push_number(out, tag::INT, i),
            None => push_float(out, f),
        },
        (ValueRef::Float(f), _) => push_float(out, f),
        (ValueRef::Text(text), Domain::PaddedText) => push_text(out, text.trim_end_matches(' ')),
        (ValueRef::Json(text), _) => {
            sized(out, |out| json::push_json(out, text)).ok_or(NotCanonical { kind: "text", domain })?;
        }
        (ValueRef::Bool(b), _) => push_bytes(out, tag::BOOL, &[u8::from(b)]),
        (ValueRef::Int(i), _) => push_number(out, tag::INT, i),
        (ValueRef::Text(text), _) => push_text(out, text),
        (ValueRef::Bytes(bytes) | ValueRef::Native(bytes), _) => push_bytes(out, tag::BYTES, bytes),
        (ValueRef::Unfit(found, bytes), _) => push_unfit(out, found, bytes),
        (ValueRef::Uuid(uuid), _) => push_bytes(out, tag::UUID, &uuid),
        (ValueRef::Date(days), _) => push_bytes(out, tag::DATE, &canonical_days(days).to_be_bytes()),
        (ValueRef::Time(micros), Domain::Coarse { digits, .. }) => {
            push_number(out, tag::TIME, rounded_time(micros, digits));
        }
        (ValueRef::Timestamp(micros), Domain::Coarse { digits, .. }) => {
            push_number(out, tag::TIMESTAMP, canonical_micros(rounded_timestamp(micros, digits)));
        }
        (ValueRef::TimestampTz(micros), Domain::Coarse { digits, .. }) => {
            push_number(out, tag::TIMESTAMPTZ, canonical_micros(rounded_timestamp(micros, digits)));
        }
        (ValueRef::Time(micros), _) => push_number(out, tag::TIME, micros),
        (ValueRef::Timestamp(micros), _) => push_number(out, tag::TIMESTAMP, canonical_micros(micros)),
        (ValueRef::TimestampTz(micros), _) => push_number(out, tag::TIMESTAMPTZ, canonical_micros(micros)),
        (ValueRef::Interval(i), _) => {
            push_head(out, tag::INTERVAL, 16);
            out.extend_from_slice(&i.micros.to_be_bytes());
            out.extend_from_slice(&i.days.to_be_bytes());
            out.extend_from_slice(&i.months.to_be_bytes());
        }
    }
    Ok(())
}

/// Under a tag that no value of a domain has.
fn push_unfit(out: &mut Vec<u8>, found: Found, bytes: &[u8]) {
    push_head(out, tag::NONE, bytes.len() as u32 + 1);
    out.push(found as u8);
    out.extend_from_slice(bytes);
}

fn push_null(out: &mut Vec<u8>, domain: Domain) {
    let tag = match domain {
        Domain::Coarse { moment, .. } => return push_null(out, moment.domain()),
        Domain::Dynamic => tag::NONE,
        Domain::Bool => tag::BOOL,
        Domain::Int => tag::INT,
        Domain::Float | Domain::Float32 => tag::FLOAT,
        Domain::Decimal { .. } | Domain::Text | Domain::PaddedText | Domain::Json => tag::TEXT,
        Domain::Bytes | Domain::Native => tag::BYTES,
        Domain::Uuid => tag::UUID,
        Domain::Date => tag::DATE,
        Domain::Time => tag::TIME,
        Domain::Timestamp => tag::TIMESTAMP,
        Domain::TimestampTz => tag::TIMESTAMPTZ,
        Domain::Interval => tag::INTERVAL,
    };
    push_head(out, tag, u32::MAX);
}

/// Tag and length, written at once: this runs for every value of every row that is compared.
fn push_head(out: &mut Vec<u8>, tag: u32, length: u32) {
    let mut head = [0; 8];
    head[..4].copy_from_slice(&tag.to_be_bytes());
    head[4..].copy_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&head);
}

fn push_number(out: &mut Vec<u8>, tag: u32, number: i64) {
    let mut field = [0; 16];
    field[..4].copy_from_slice(&tag.to_be_bytes());
    field[7] = 8;
    field[8..].copy_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&field);
}

fn push_bytes(out: &mut Vec<u8>, tag: u32, bytes: &[u8]) {
    // A single value longer than 4 GiB exists in none of the engines.
    push_head(out, tag, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    push_bytes(out, tag::TEXT, text.as_bytes());
}

/// A text that is spelled straight into place, its length behind it.
fn sized(out: &mut Vec<u8>, spell: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
    push_head(out, tag::TEXT, 0);
    let start = out.len();
    spell(out)?;
    let length = (out.len() - start) as u32;
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    Some(())
}

fn push_float(out: &mut Vec<u8>, f: f64) {
    let normal = if f.is_nan() {
        f64::NAN
    } else if f == 0.0 {
        0.0
    } else {
        f
    };
    push_number(out, tag::FLOAT, normal.to_bits() as i64);
}

/// Rounded to 32 bits. What lies beyond their range keeps its value: it is not infinity.
pub fn rounded_float(f: f64) -> f64 {
    let narrow = f as f32;
    if narrow.is_infinite() { f } else { f64::from(narrow) }
}

/// The infinities are the same in both; whatever lies within reach of them is further than any calendar goes.
fn canonical_days(days: i32) -> i32 {
    if matches!(days, i32::MAX | i32::MIN) { days } else { days.wrapping_sub(EPOCH_DAYS) }
}

fn canonical_micros(micros: i64) -> i64 {
    if matches!(micros, i64::MAX | i64::MIN) { micros } else { micros.wrapping_sub(EPOCH_MICROS) }
}

/// A float that is a whole number, as that number.
fn whole(f: f64) -> Option<i64> {
    // 2^63 itself is not an i64; below it every whole float converts exactly.
    (f.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f)).then_some(f as i64)
}

fn push_decimal(out: &mut Vec<u8>, text: &str) {
    // Cannot fail: a decimal is spelled in any case.
    let _ = sized(out, |out| {
        push_number_text(out, text);
        Some(())
    });
}

/// The digits of a number that count; what has no digits, NaN and the infinities, as it is.
fn push_number_text(out: &mut Vec<u8>, text: &str) {
    match DecimalParts::of(text) {
        None => out.extend_from_slice(text.as_bytes()),
        Some(parts) => parts.write(out),
    }
}

/// Most digits that an exponent may ask for before the spelling is kept as it is (PostgreSQL's numeric ends there too).
const PLAIN_DIGITS_MAX: u64 = 140_000;

/// A number in plain notation: `1.5e3` becomes `1500`. Numbers beyond any column's range keep their spelling.
pub fn plain_number(text: &str) -> String {
    let Some(at) = text.find(['e', 'E']) else { return text.to_owned() };
    let (mantissa, exponent) = (&text[..at], text[at + 1..].parse::<i64>());
    let Ok(exponent) = exponent else { return text.to_owned() };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.trim_start_matches('+')),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if exponent.unsigned_abs() > PLAIN_DIGITS_MAX {
        return text.to_owned();
    }
    let point = whole.len() as i64 + exponent;
    if point <= 0 {
        format!("{sign}0.{}{digits}", "0".repeat(-point as usize))
    } else if point as usize >= digits.len() {
        format!("{sign}{digits}{}", "0".repeat(point as usize - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..point as usize], &digits[point as usize..])
    }
}

/// A decimal without superfluous zeros: `-012.500` becomes `-12.5`, `-0.0` becomes `0`.
pub fn normal_decimal(text: &str) -> String {
    match DecimalParts::of(text) {
        None => text.to_owned(),
        Some(parts) => {
            let mut normal = Vec::with_capacity(text.len() + 1);
            parts.write(&mut normal);
            String::from_utf8_lossy(&normal).into_owned()
        }
    }
}

/// The digits of a decimal that count.
struct DecimalParts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> DecimalParts<'a> {
    /// None where there is no digit at all: NaN and the infinities.
    fn of(text: &'a str) -> Option<DecimalParts<'a>> {
        if !text.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        let (negative, digits) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let point = digits.bytes().position(|b| b == b'.').unwrap_or(digits.len());
        let whole = digits[..point].trim_start_matches('0');
        let fraction = digits[point..].trim_start_matches('.').trim_end_matches('0');
        Some(DecimalParts { negative, whole, fraction })
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.whole.is_empty() && self.fraction.is_empty() {
            out.push(b'0');
            return;
        }
        if self.negative {
            out.push(b'-');
        }
        out.extend_from_slice(if self.whole.is_empty() { b"0" } else { self.whole.as_bytes() });
        if !self.fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(self.fraction.as_bytes());
        }
    }
}

/// Rounds to `scale` digits behind the point, halves away from zero, as PostgreSQL's numeric does.
pub fn rounded_decimal(text: &str, scale: u32) -> String {
    let scale = scale as usize;
    let Some((whole, fraction)) = text.split_once('.') else { return text.to_owned() };
    if fraction.len() <= scale {
        return text.to_owned();
    }
    let (kept, dropped) = fraction.split_at(scale);
    let mut digits: Vec<u8> = whole.trim_start_matches('-').bytes().chain(kept.bytes()).collect();
    if dropped.as_bytes()[0] >= b'5' {
        let mut carried = true;
        for digit in digits.iter_mut().rev() {
            if *digit == b'9' {
                *digit = b'0';
            } else {
                *digit += 1;
                carried = false;
                break;
            }
        }
        if carried {
            digits.insert(0, b'1');
        }
    }
    let point = digits.len() - scale;
    let sign = if text.starts_with('-') { "-" } else { "" };
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    if scale == 0 {
        format!("{sign}{}", text(&digits))
    } else {
        format!("{sign}{}.{}", text(&digits[..point]), text(&digits[point..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(value: ValueRef<'_>, domain: Domain) -> Vec<u8> {
        let mut out = Vec::new();
        write_canonical(&mut out, value, domain).unwrap();
        out
    }

    #[test]
    fn numbers_are_equal_by_value() {
        let decimal = |text| spelled(ValueRef::Decimal(text), Domain::Decimal { scale: None });
        assert_eq!(decimal("1.0"), decimal("1.00"));
        assert_eq!(decimal("-0.0"), decimal("0"));
        assert_ne!(decimal("0.30000000000000004"), decimal("0.3"));
        assert_ne!(decimal("NaN"), decimal("0"));
        assert_eq!(spelled(ValueRef::Float(-0.0), Domain::Float), spelled(ValueRef::Float(0.0), Domain::Float));
        assert_eq!(spelled(ValueRef::Float(1.0), Domain::Dynamic), spelled(ValueRef::Int(1), Domain::Dynamic));
        assert_ne!(
            spelled(ValueRef::Float(9.3e18), Domain::Dynamic),
            spelled(ValueRef::Int(i64::MAX), Domain::Dynamic)
        );
    }

    #[test]
    fn precision_lost_by_the_coarser_column_does_not_count() {
        let cents = Domain::Decimal { scale: Some(2) };
        assert_eq!(spelled(ValueRef::Decimal("9.995"), cents), spelled(ValueRef::Decimal("10.00"), cents));
        assert_eq!(rounded_decimal("-0.125", 2), "-0.13");
        assert_eq!(rounded_decimal("99.5", 0), "100");
        let floats = |f| spelled(ValueRef::Float(f), Domain::Float32);
        assert_eq!(floats(0.1), floats(f64::from(0.1f32)));
    }

    #[test]
    fn null_empty_and_lookalikes_stay_apart() {
        let text = |t| spelled(ValueRef::Text(t), Domain::Text);
        assert_ne!(spelled(ValueRef::Null, Domain::Text), text(""));
        assert_ne!(spelled(ValueRef::Null, Domain::Text), text("<null>"));
        assert_ne!(text("a"), text("a "));
        assert_ne!([text("x|y"), text("z")].concat(), [text("x"), text("y|z")].concat());
        assert_eq!(spelled(ValueRef::Text("a "), Domain::PaddedText), spelled(ValueRef::Text("a"), Domain::PaddedText));
    }

    #[test]
    fn what_is_no_value_of_its_domain_is_equal_to_nothing_but_itself() {
        let unfit = |found, bytes| spelled(ValueRef::Unfit(found, bytes), Domain::Text);
        assert_eq!(unfit(Found::Text, b"a"), unfit(Found::Text, b"a"));
        assert_ne!(unfit(Found::Text, b"a"), unfit(Found::Bytes, b"a"));
        assert_ne!(unfit(Found::Text, b"a"), unfit(Found::Text, b"b"));
        assert_ne!(unfit(Found::Text, b"a"), spelled(ValueRef::Text("a"), Domain::Text));
        for domain in Domain::ALL {
            assert_ne!(spelled(ValueRef::Unfit(Found::Text, b""), domain), spelled(ValueRef::Null, domain));
        }
    }

    #[test]
    fn json_is_equal_by_value() {
        let json = |t| spelled(ValueRef::Json(t), Domain::Json);
        assert_eq!(json(r#"{"a": 1.0, "b": [1e2, null]}"#), json(r#"{"b":[100,null],"a":1}"#));
        assert_ne!(json("[1,[2]]"), json("[[1],2]"));
        assert_ne!(json("12345678901234567890.1"), json("12345678901234567890.2"));
        assert!(write_canonical(&mut Vec::new(), ValueRef::Json("{"), Domain::Json).is_err());
    }
}
