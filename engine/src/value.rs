//! A single value of a row, in the vocabulary that all stores share.
//!
//! [`ValueRef`] borrows from a page, [`Value`] owns. Neither says when two values count as equal: that is
//! [`crate::domain`] and [`crate::canonical`].

/// One value, borrowed from the buffer that holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A decimal number in plain notation (`-12.50`), or `NaN`, `Infinity`, `-Infinity`.
    Decimal(&'a str),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Sixteen bytes, most significant first.
    Uuid([u8; 16]),
    /// Days since 1970-01-01, proleptic Gregorian; `i32::MAX` and `i32::MIN` are the infinities.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01 00:00:00 without a zone; `i64::MAX` and `i64::MIN` are the infinities.
    Timestamp(i64),
    /// Microseconds since 1970-01-01 00:00:00 UTC; `i64::MAX` and `i64::MIN` are the infinities.
    TimestampTz(i64),
    Interval(Interval),
    /// JSON as it was spelled.
    Json(&'a str),
    /// The engine's own binary form of a type that rowsync does not take apart; only moves between equal types.
    Native(&'a [u8]),
    /// What a column holds that is no value of its domain. It is equal to nothing but itself, so its row differs, and
    /// whoever is to write it refuses it: one such row must not keep the others of its table from being compared.
    Unfit(Found, &'a [u8]),
}

/// What was found where a value of a domain was looked for, as which the bytes beside it are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Found {
    /// A number, spelled as text.
    Number,
    Text,
    /// A text that is not UTF-8.
    BrokenText,
    Bytes,
    /// Any other value, spelled as text.
    Other,
}

impl Found {
    const ALL: [Found; 5] = [Found::Number, Found::Text, Found::BrokenText, Found::Bytes, Found::Other];

    pub fn from_number(number: u8) -> Option<Found> {
        Found::ALL.into_iter().find(|found| *found as u8 == number)
    }

    fn told(self) -> &'static str {
        match self {
            Found::Number => "number",
            Found::Text => "text",
            Found::BrokenText => "text that is not UTF-8",
            Found::Bytes => "bytes",
            Found::Other => "other value",
        }
    }
}

/// A span of time in the three units that do not convert into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

/// One value that owns what it says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(String),
    Text(String),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
    Date(i32),
    Time(i64),
    Timestamp(i64),
    TimestampTz(i64),
    Interval(Interval),
    Json(String),
    Native(Vec<u8>),
    Unfit(Found, Vec<u8>),
}

impl Value {
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Bool(b) => ValueRef::Bool(*b),
            Value::Int(i) => ValueRef::Int(*i),
            Value::Float(f) => ValueRef::Float(*f),
            Value::Decimal(s) => ValueRef::Decimal(s),
            Value::Text(s) => ValueRef::Text(s),
            Value::Bytes(b) => ValueRef::Bytes(b),
            Value::Uuid(u) => ValueRef::Uuid(*u),
            Value::Date(d) => ValueRef::Date(*d),
            Value::Time(t) => ValueRef::Time(*t),
            Value::Timestamp(t) => ValueRef::Timestamp(*t),
            Value::TimestampTz(t) => ValueRef::TimestampTz(*t),
            Value::Interval(i) => ValueRef::Interval(*i),
            Value::Json(s) => ValueRef::Json(s),
            Value::Native(b) => ValueRef::Native(b),
            Value::Unfit(found, b) => ValueRef::Unfit(*found, b),
        }
    }
}

impl ValueRef<'_> {
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(b) => Value::Bool(b),
            ValueRef::Int(i) => Value::Int(i),
            ValueRef::Float(f) => Value::Float(f),
            ValueRef::Decimal(s) => Value::Decimal(s.to_owned()),
            ValueRef::Text(s) => Value::Text(s.to_owned()),
            ValueRef::Bytes(b) => Value::Bytes(b.to_vec()),
            ValueRef::Uuid(u) => Value::Uuid(u),
            ValueRef::Date(d) => Value::Date(d),
            ValueRef::Time(t) => Value::Time(t),
            ValueRef::Timestamp(t) => Value::Timestamp(t),
            ValueRef::TimestampTz(t) => Value::TimestampTz(t),
            ValueRef::Interval(i) => Value::Interval(i),
            ValueRef::Json(s) => Value::Json(s.to_owned()),
            ValueRef::Native(b) => Value::Native(b.to_vec()),
            ValueRef::Unfit(found, b) => Value::Unfit(found, b.to_vec()),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// The kind of value, for messages that must not show the value itself.
    pub fn kind(&self) -> &'static str {
        match self {
            ValueRef::Null => "null",
            ValueRef::Bool(_) => "boolean",
            ValueRef::Int(_) => "integer",
            ValueRef::Float(_) => "float",
            ValueRef::Decimal(_) => "decimal",
            ValueRef::Text(_) => "text",
            ValueRef::Bytes(_) => "bytes",
            ValueRef::Uuid(_) => "uuid",
            ValueRef::Date(_) => "date",
            ValueRef::Time(_) => "time",
            ValueRef::Timestamp(_) => "timestamp",
            ValueRef::TimestampTz(_) => "timestamp with time zone",
            ValueRef::Interval(_) => "interval",
            ValueRef::Json(_) => "json",
            ValueRef::Native(_) => "native value",
            ValueRef::Unfit(found, _) => found.told(),
        }
    }

    /// A spelling for reports and samples that a person reads; reports go to the owner of the data, never to a log.
    pub fn to_json(self) -> serde_json::Value {
        use serde_json::Value as J;
        match self {
            ValueRef::Null => J::Null,
            ValueRef::Bool(b) => J::Bool(b),
            ValueRef::Int(i) => J::from(i),
            ValueRef::Float(f) => serde_json::Number::from_f64(f).map_or_else(|| J::String(f.to_string()), J::Number),
            ValueRef::Decimal(s) | ValueRef::Text(s) => J::String(s.to_owned()),
            ValueRef::Bytes(b) | ValueRef::Native(b) | ValueRef::Unfit(Found::Bytes, b) => J::String(hex(b)),
            ValueRef::Unfit(_, b) => J::String(String::from_utf8_lossy(b).into_owned()),
            ValueRef::Uuid(u) => J::String(uuid_text(&u)),
            ValueRef::Date(d) => J::String(crate::moment::date_text(d)),
            ValueRef::Time(t) => J::String(crate::moment::time_text(t)),
            ValueRef::Timestamp(t) => J::String(crate::moment::timestamp_text(t)),
            ValueRef::TimestampTz(t) => J::String(crate::moment::timestamptz_text(t)),
            ValueRef::Interval(i) => J::String(crate::moment::interval_text(i)),
            ValueRef::Json(s) => serde_json::from_str(s).unwrap_or_else(|_| J::String(s.to_owned())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::from("\\x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The usual spelling of a UUID: lower case, with four hyphens (RFC 9562).
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let digits = hex(uuid);
    let d = &digits[2..];
    format!("{}-{}-{}-{}-{}", &d[..8], &d[8..12], &d[12..16], &d[16..20], &d[20..])
}

/// Reads a UUID in any case, with or without hyphens and braces.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut uuid = [0u8; 16];
    let mut digits = 0;
    for c in text.trim_start_matches('{').trim_end_matches('}').chars() {
        if c == '-' {
            continue;
        }
        let digit = c.to_digit(16)? as u8;
        *uuid.get_mut(digits / 2)? |= if digits % 2 == 0 { digit << 4 } else { digit };
        digits += 1;
    }
    (digits == 32).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_survives_its_own_text() {
        let uuid = parse_uuid("{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}").unwrap();
        assert_eq!(uuid_text(&uuid), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
        assert_eq!(parse_uuid("a0eebc99"), None);
    }
}
