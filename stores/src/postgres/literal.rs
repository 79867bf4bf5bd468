//! Names and values as SQL text.

use rowsync_engine::moment;
use rowsync_engine::schema::TableName;
use rowsync_engine::value::{ValueRef, uuid_text};

/// A name in double quotes.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn identifiers<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(identifier).collect::<Vec<_>>().join(", ")
}

pub fn table(name: &TableName) -> String {
    match &name.schema {
        Some(schema) => format!("{}.{}", identifier(schema), identifier(&name.name)),
        None => identifier(&name.name),
    }
}

/// A text in single quotes. `standard_conforming_strings` is on in each of our connections, so a backslash is itself.
pub fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// How PostgreSQL's input functions read a value of any type; `None` for NULL and for what has no spelling.
pub fn spelled(value: ValueRef<'_>) -> Option<String> {
    Some(match value {
        ValueRef::Null | ValueRef::Native(_) | ValueRef::Unfit(..) => return None,
        ValueRef::Bool(b) => if b { "true" } else { "false" }.to_owned(),
        ValueRef::Int(i) => i.to_string(),
        ValueRef::Float(f) => float_text(f),
        ValueRef::Decimal(text) | ValueRef::Text(text) | ValueRef::Json(text) => text.to_owned(),
        ValueRef::Bytes(bytes) => hex(bytes),
        ValueRef::Uuid(uuid) => uuid_text(&uuid),
        ValueRef::Date(days) => moment::date_text(days),
        ValueRef::Time(micros) => moment::time_text(micros),
        ValueRef::Timestamp(micros) => moment::timestamp_text(micros),
        ValueRef::TimestampTz(micros) => moment::timestamptz_text(micros),
        ValueRef::Interval(interval) => moment::interval_text(interval),
    })
}

/// The shortest text that reads back as the same float, in plain notation.
pub fn float_text(f: f64) -> String {
    if f.is_nan() {
        "NaN".into()
    } else if f.is_infinite() {
        if f > 0.0 { "Infinity" } else { "-Infinity" }.into()
    } else {
        f.to_string()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_are_doubled() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(text_literal("it's \\"), "'it''s \\'");
        assert_eq!(table(&TableName::in_schema("s", "t")), "\"s\".\"t\"");
    }

    #[test]
    fn floats_and_bytes_have_a_spelling_that_postgresql_reads() {
        assert_eq!(float_text(f64::NEG_INFINITY), "-Infinity");
        assert_eq!(float_text(1e-7), "0.0000001");
        assert_eq!(spelled(ValueRef::Bytes(&[0, 255])).as_deref(), Some("\\x00ff"));
        assert_eq!(spelled(ValueRef::Null), None);
    }
}
