//! A value under another type: what a typed constant is worth, how a value is written as text, and what that text says in
//! the domain of a column.

use serde_json::Value as Json;

use crate::canonical::is_json;
use crate::domain::Domain;
use crate::given::value_given;
use crate::value::{Value, ValueRef};

/// What was typed, or stands in a document.
pub(super) fn meant(typed: &Json) -> Value {
    match typed {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Decimal(number.to_string()), Value::Int),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => Value::Json(typed.to_string()),
    }
}

/// As it is written where a text is wanted; none for NULL.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value.as_ref() {
        ValueRef::Null => None,
        ValueRef::Text(text) | ValueRef::Decimal(text) | ValueRef::Json(text) => Some(text.to_owned()),
        other => match other.to_json() {
            Json::String(text) => Some(text),
            shown => Some(shown.to_string()),
        },
    }
}

/// The value in the domain. One that is none of it stays what it is, and the column refuses it.
pub(super) fn in_domain(value: Value, domain: Domain) -> Value {
    let Some(text) = text_of(&value) else { return Value::Null };
    let trimmed = text.trim();
    let found = match domain {
        Domain::Text | Domain::PaddedText => Some(Value::Text(text.clone())),
        Domain::Json if is_json(&text) => Some(Value::Json(text.clone())),
        Domain::Bool => match trimmed.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "yes" | "on" => Some(Value::Bool(true)),
            "0" | "f" | "false" | "no" | "off" => Some(Value::Bool(false)),
            _ => None,
        },
        Domain::Int => trimmed.parse().ok().map(Value::Int),
        Domain::Bytes => match &value {
            Value::Bytes(_) => Some(value.clone()),
            _ => Some(Value::Bytes(text.clone().into_bytes())),
        },
        Domain::Dynamic => Some(dynamic(&value)),
        Domain::Json | Domain::Native => None,
        other => value_given(&Json::String(trimmed.to_owned()), other),
    };
    found.unwrap_or(value)
}

/// What a store holds that types each value on its own.
fn dynamic(value: &Value) -> Value {
    match value {
        Value::Bool(yes) => Value::Int(i64::from(*yes)),
        Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Bytes(_) => value.clone(),
        Value::Decimal(text) => text.parse().map_or_else(|_| Value::Text(text.clone()), Value::Float),
        other => text_of(other).map_or(Value::Null, Value::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_what_it_says_in_the_domain() {
        let check =
            |value: Value, domain, expected: Value| assert_eq!(in_domain(value, domain), expected, "{domain:?}");
        let text = |text: &str| Value::Text(text.to_owned());
        check(text(" 12 "), Domain::Int, Value::Int(12));
        check(text("twelve"), Domain::Int, text("twelve"));
        check(Value::Int(12), Domain::Text, text("12"));
        check(text("1.50"), Domain::Decimal { scale: Some(2) }, Value::Decimal("1.50".into()));
        check(text("1e2"), Domain::Float, Value::Float(100.0));
        check(text("TRUE"), Domain::Bool, Value::Bool(true));
        check(Value::Int(0), Domain::Bool, Value::Bool(false));
        check(text("1970-01-03"), Domain::Date, Value::Date(2));
        check(text("[1]"), Domain::Json, Value::Json("[1]".into()));
        check(text("ab"), Domain::Bytes, Value::Bytes(b"ab".to_vec()));
        check(Value::Bool(true), Domain::Dynamic, Value::Int(1));
        check(Value::Null, Domain::Int, Value::Null);
    }
}
