//! Values brought into a domain: what a column holds into what it is compared as, and back into what a column takes.
//!
//! A conversion either keeps the value or is refused; nothing is rounded or cut here.

use rowsync_engine::canonical::{normal_decimal, plain_number, rounded_float};
use rowsync_engine::domain::Domain;
use rowsync_engine::moment;
use rowsync_engine::value::{ValueRef, parse_uuid};

use super::literal::spelled;

const MICROS_OF_DAY: i64 = 86_400_000_000;

/// Why a value does not go where it should; without the value.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit(pub String);

impl Misfit {
    pub fn new(why: impl Into<String>) -> Misfit {
        Misfit(why.into())
    }

    /// A value that is none of the domain.
    pub fn of(value: ValueRef<'_>, domain: Domain) -> Misfit {
        Misfit(format!("a value ({}) that is no {}", value.kind(), name(domain)))
    }
}

/// The same value in `domain`. `scratch` holds it where it has to be spelled anew.
pub fn fit<'a>(value: ValueRef<'a>, domain: Domain, scratch: &'a mut String) -> Result<ValueRef<'a>, Misfit> {
    if matches!(value, ValueRef::Null) {
        return Ok(value);
    }
    let fitted = match domain {
        Domain::Coarse { moment, .. } => return fit(value, moment.domain(), scratch),
        Domain::Dynamic | Domain::Native => Some(value),
        Domain::Bool => boolean(value).map(ValueRef::Bool),
        Domain::Int => integer(value).map(ValueRef::Int),
        Domain::Float => float(value).map(ValueRef::Float),
        // Rounded here, so that keys are found again, whose bytes are compared as they are.
        Domain::Float32 => float(value).map(rounded_float).map(ValueRef::Float),
        Domain::Decimal { .. } => decimal(value, scratch),
        Domain::Text => text(value, scratch).map(ValueRef::Text),
        Domain::PaddedText => text(value, scratch).map(|text| ValueRef::Text(text.trim_end_matches(' '))),
        Domain::Bytes => bytes(value),
        Domain::Uuid => uuid(value).map(ValueRef::Uuid),
        Domain::Date => date(value).map(ValueRef::Date),
        Domain::Time => match value {
            ValueRef::Time(micros) => Some(micros),
            ValueRef::Text(text) => moment::parse_time(text),
            _ => None,
        }
        .map(ValueRef::Time),
        Domain::Timestamp => micros(value, moment::parse_timestamp).map(ValueRef::Timestamp),
        Domain::TimestampTz => micros(value, moment::parse_timestamptz).map(ValueRef::TimestampTz),
        Domain::Interval => match value {
            ValueRef::Interval(interval) => Some(interval),
            ValueRef::Text(text) => moment::parse_interval(text),
            _ => None,
        }
        .map(ValueRef::Interval),
        Domain::Json => match value {
            ValueRef::Json(text) | ValueRef::Text(text) => Some(ValueRef::Json(text)),
            _ => None,
        },
    };
    fitted.ok_or_else(|| Misfit::of(value, domain))
}

fn name(domain: Domain) -> &'static str {
    match domain {
        Domain::Bool => "boolean",
        Domain::Int => "whole number of 64 bits",
        Domain::Float | Domain::Float32 => "float",
        Domain::Decimal { .. } => "decimal number",
        Domain::Text | Domain::PaddedText => "text",
        Domain::Bytes => "sequence of bytes",
        Domain::Uuid => "UUID",
        Domain::Date => "date",
        Domain::Time => "time of day",
        Domain::Timestamp => "timestamp",
        Domain::TimestampTz => "timestamp with time zone",
        Domain::Coarse { .. } => "time or timestamp",
        Domain::Interval => "interval",
        Domain::Json => "JSON",
        Domain::Dynamic | Domain::Native => "value of this engine",
    }
}

fn boolean(value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::Bool(b) => Some(b),
        ValueRef::Int(0) => Some(false),
        ValueRef::Int(1) => Some(true),
        ValueRef::Text("1" | "t" | "true") => Some(true),
        ValueRef::Text("0" | "f" | "false") => Some(false),
        _ => None,
    }
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Int(i) => Some(i),
        ValueRef::Bool(b) => Some(i64::from(b)),
        ValueRef::Decimal(text) | ValueRef::Text(text) => text.parse().ok().or_else(|| number(text)?.parse().ok()),
        // Below 2^63 every whole float converts exactly.
        ValueRef::Float(f) if f.fract() == 0.0 && f.abs() < 9_223_372_036_854_775_808.0 => Some(f as i64),
        _ => None,
    }
}

fn float(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Float(f) => Some(f),
        ValueRef::Int(i) => Some(i as f64),
        ValueRef::Decimal(text) | ValueRef::Text(text) => match text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            // A number beyond all floats is no infinity.
            _ => number(text)?.parse().ok().filter(|f: &f64| f.is_finite()),
        },
        _ => None,
    }
}

fn decimal<'a>(value: ValueRef<'a>, scratch: &'a mut String) -> Option<ValueRef<'a>> {
    *scratch = match value {
        ValueRef::Decimal(_) => return Some(value),
        ValueRef::Int(_) | ValueRef::Float(_) => spelled(value)?,
        ValueRef::Bool(b) => u8::from(b).to_string(),
        ValueRef::Text(text @ ("NaN" | "Infinity" | "-Infinity")) => text.to_owned(),
        ValueRef::Text(text) => number(text)?,
        _ => return None,
    };
    Some(ValueRef::Decimal(scratch))
}

/// The normal spelling of a text that is a plain number.
fn number(text: &str) -> Option<String> {
    let plain = plain_number(text.trim());
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let valid = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    valid.then(|| normal_decimal(&plain))
}

fn text<'a>(value: ValueRef<'a>, scratch: &'a mut String) -> Option<&'a str> {
    match value {
        ValueRef::Text(text) | ValueRef::Json(text) | ValueRef::Decimal(text) => Some(text),
        _ => {
            *scratch = spelled(value)?;
            Some(scratch)
        }
    }
}

fn bytes(value: ValueRef<'_>) -> Option<ValueRef<'_>> {
    match value {
        ValueRef::Bytes(_) => Some(value),
        ValueRef::Text(text) => Some(ValueRef::Bytes(text.as_bytes())),
        _ => None,
    }
}

fn uuid(value: ValueRef<'_>) -> Option<[u8; 16]> {
    match value {
        ValueRef::Uuid(uuid) => Some(uuid),
        ValueRef::Text(text) => parse_uuid(text),
        ValueRef::Bytes(bytes) => bytes.try_into().ok(),
        _ => None,
    }
}

fn date(value: ValueRef<'_>) -> Option<i32> {
    match value {
        ValueRef::Date(days) => Some(days),
        ValueRef::Text(text) => moment::parse_date(text),
        ValueRef::Timestamp(i64::MAX) | ValueRef::TimestampTz(i64::MAX) => Some(i32::MAX),
        ValueRef::Timestamp(i64::MIN) | ValueRef::TimestampTz(i64::MIN) => Some(i32::MIN),
        ValueRef::Timestamp(micros) | ValueRef::TimestampTz(micros) if micros.rem_euclid(MICROS_OF_DAY) == 0 => {
            i32::try_from(micros.div_euclid(MICROS_OF_DAY)).ok()
        }
        _ => None,
    }
}

fn micros(value: ValueRef<'_>, parse: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    match value {
        ValueRef::Timestamp(micros) | ValueRef::TimestampTz(micros) => Some(micros),
        ValueRef::Date(i32::MAX) => Some(i64::MAX),
        ValueRef::Date(i32::MIN) => Some(i64::MIN),
        ValueRef::Date(days) => i64::from(days).checked_mul(MICROS_OF_DAY),
        ValueRef::Text(text) => parse(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: ValueRef<'_>, domain: Domain, expected: Option<ValueRef<'_>>) {
        let mut scratch = String::new();
        assert_eq!(fit(value, domain, &mut scratch).ok(), expected, "{value:?} as {domain:?}");
    }

    #[test]
    fn values_that_mean_the_same_convert() {
        let decimal = Domain::Decimal { scale: None };
        check(ValueRef::Int(-7), decimal, Some(ValueRef::Decimal("-7")));
        check(ValueRef::Decimal("12.00"), Domain::Int, Some(ValueRef::Int(12)));
        check(ValueRef::Text("1.5e2"), decimal, Some(ValueRef::Decimal("150")));
        check(ValueRef::Int(1), Domain::Bool, Some(ValueRef::Bool(true)));
        check(ValueRef::Text("a  "), Domain::PaddedText, Some(ValueRef::Text("a")));
        check(ValueRef::Date(1), Domain::Timestamp, Some(ValueRef::Timestamp(MICROS_OF_DAY)));
        check(ValueRef::Timestamp(-MICROS_OF_DAY), Domain::Date, Some(ValueRef::Date(-1)));
        check(ValueRef::Date(i32::MAX), Domain::Timestamp, Some(ValueRef::Timestamp(i64::MAX)));
        check(ValueRef::Null, Domain::Int, Some(ValueRef::Null));
    }

    #[test]
    fn values_that_would_change_are_refused() {
        check(ValueRef::Decimal("12.5"), Domain::Int, None);
        check(ValueRef::Decimal("9223372036854775808"), Domain::Int, None);
        check(ValueRef::Int(2), Domain::Bool, None);
        check(ValueRef::Timestamp(1), Domain::Date, None);
        check(ValueRef::Text("abc"), Domain::Decimal { scale: None }, None);
        check(ValueRef::Text("."), Domain::Float, None);
        check(ValueRef::Text("1e400"), Domain::Float, None);
        check(ValueRef::Float(1e300), Domain::Float32, Some(ValueRef::Float(1e300)));
        check(ValueRef::Bytes(&[1]), Domain::Uuid, None);
    }
}
