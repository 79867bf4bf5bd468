//! The canonical form: equal values, and only those, have equal bytes.
//!
//! Each value starts with a tag and, where its length varies, a length, so that NULL is not the empty text and
//! `('a|b', 'c')` is not `('a', 'b|c')`. What is hashed and compared is this form, never what a store happens to print.

mod json;

use crate::domain::Domain;
use crate::value::ValueRef;

/// A value that cannot be spelled in the domain of its column.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{kind} does not fit the column's domain {domain:?}")]
pub struct NotCanonical {
    pub kind: &'static str,
    pub domain: Domain,
}

/// Appends the canonical form of `value` to `out`.
///
/// # Errors
/// When the text of a JSON value is not JSON.
pub fn write_canonical(out: &mut Vec<u8>, value: ValueRef<'_>, domain: Domain) -> Result<(), NotCanonical> {
    match (value, domain) {
        (ValueRef::Decimal(text), Domain::Decimal { scale: Some(scale) }) => {
            push_decimal(out, &rounded_decimal(text, scale));
        }
        (ValueRef::Decimal(text), _) => push_decimal(out, text),
        (ValueRef::Float(f), Domain::Float32) => push_float(out, f64::from(f as f32)),
        (ValueRef::Float(f), Domain::Dynamic) => match whole(f) {
            Some(i) => push_int(out, i),
            None => push_float(out, f),
        },
        (ValueRef::Float(f), _) => push_float(out, f),
        (ValueRef::Text(text), Domain::PaddedText) => push_text(out, b't', text.trim_end_matches(' ')),
        (ValueRef::Json(text), _) => json::push_json(out, text).ok_or(NotCanonical { kind: "text", domain })?,
        (ValueRef::Null, _) => out.push(b'n'),
        (ValueRef::Bool(b), _) => out.extend([b'b', u8::from(b)]),
        (ValueRef::Int(i), _) => push_int(out, i),
        (ValueRef::Text(text), _) => push_text(out, b't', text),
        (ValueRef::Bytes(bytes), _) => push_bytes(out, b'x', bytes),
        (ValueRef::Native(bytes), _) => push_bytes(out, b'v', bytes),
        (ValueRef::Uuid(uuid), _) => {
            out.push(b'u');
            out.extend(uuid);
        }
        (ValueRef::Date(days), _) => push_number(out, b'D', i64::from(days)),
        (ValueRef::Time(micros), _) => push_number(out, b'T', micros),
        (ValueRef::Timestamp(micros), _) => push_number(out, b's', micros),
        (ValueRef::TimestampTz(micros), _) => push_number(out, b'z', micros),
        (ValueRef::Interval(i), _) => {
            push_number(out, b'I', i.micros);
            out.extend(i.months.to_le_bytes());
            out.extend(i.days.to_le_bytes());
        }
    }
    Ok(())
}

/// A tag and eight bytes, written at once: this runs for every value of every row that is compared.
fn push_head(out: &mut Vec<u8>, tag: u8, bytes: [u8; 8]) {
    let mut head = [tag; 9];
    head[1..].copy_from_slice(&bytes);
    out.extend_from_slice(&head);
}

fn push_number(out: &mut Vec<u8>, tag: u8, number: i64) {
    push_head(out, tag, number.to_le_bytes());
}

fn push_int(out: &mut Vec<u8>, number: i64) {
    push_number(out, b'i', number);
}

fn push_float(out: &mut Vec<u8>, f: f64) {
    let normal = if f.is_nan() {
        f64::NAN
    } else if f == 0.0 {
        0.0
    } else {
        f
    };
    push_number(out, b'f', normal.to_bits() as i64);
}

fn push_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    push_head(out, tag, (bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn push_text(out: &mut Vec<u8>, tag: u8, text: &str) {
    push_bytes(out, tag, text.as_bytes());
}

/// A float that is a whole number, as that number.
fn whole(f: f64) -> Option<i64> {
    // 2^63 itself is not an i64; below it every whole float converts exactly.
    (f.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f)).then_some(f as i64)
}

fn push_decimal(out: &mut Vec<u8>, text: &str) {
    match DecimalParts::of(text) {
        None => push_text(out, b'd', text),
        Some(parts) => {
            let start = out.len();
            out.push(b'd');
            out.extend([0; 8]);
            parts.write(out);
            let length = (out.len() - start - 9) as u64;
            out[start + 1..start + 9].copy_from_slice(&length.to_le_bytes());
        }
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
    fn json_is_equal_by_value() {
        let json = |t| spelled(ValueRef::Json(t), Domain::Json);
        assert_eq!(json(r#"{"a": 1.0, "b": [1e2, null]}"#), json(r#"{"b":[100,null],"a":1}"#));
        assert_ne!(json("[1,[2]]"), json("[[1],2]"));
        assert_ne!(json("12345678901234567890.1"), json("12345678901234567890.2"));
        assert!(write_canonical(&mut Vec::new(), ValueRef::Json("{"), Domain::Json).is_err());
    }
}
