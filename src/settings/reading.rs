//! Reads single values as what their keys take.

use bytesize::ByteSize;
use config::{Map, Value, ValueKind};

use super::key::Kind;
use super::provenance::Provenance;

/// The value in the one form that its type has afterwards; nothing where it is no such value. Numbers and flags may come
/// as text only where the text came from a variable, which holds nothing else.
pub fn read(kind: Kind, value: &Value, from_variable: bool) -> Option<ValueKind> {
    let typed = &value.kind;
    match kind {
        Kind::Flag => flag(typed, from_variable).map(ValueKind::Boolean),
        Kind::Number(min, max) => bounded(whole(typed, from_variable), min, max),
        Kind::Duration { max, .. } => bounded(whole(typed, from_variable), 1, max),
        Kind::Seconds(min, max) => {
            number(typed, from_variable).filter(|seconds| (min..=max).contains(seconds)).map(ValueKind::Float)
        }
        Kind::Percent => bounded(whole(typed, from_variable), 0, 100),
        Kind::Bytes => bounded(bytes(typed), 1, u64::MAX),
        Kind::Text | Kind::Secret => text(typed).map(ValueKind::String),
        Kind::Names => names(typed).filter(|names| !names.is_empty()).map(ValueKind::Array),
        Kind::NamesOrNone => names(typed).map(ValueKind::Array),
        Kind::OneOf(words) => {
            text(typed).filter(|text| words.iter().any(|word| word.name == text)).map(ValueKind::String)
        }
        Kind::Renames => {
            table(typed).filter(|map| map.values().all(|value| text(&value.kind).is_some())).map(ValueKind::Table)
        }
        Kind::Values => table(typed).map(ValueKind::Table),
        Kind::Connections | Kind::Tables => None,
    }
}

/// What was found instead, as it was typed. Secrets are not shown.
pub fn describe(kind: Kind, value: &Value, path: &str, provenance: &Provenance) -> String {
    match &value.kind {
        ValueKind::Nil => "nothing".to_owned(),
        ValueKind::Table(_) if matches!(kind, Kind::Renames) => {
            "a table with something in it that is no name".to_owned()
        }
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(entries) if entries.is_empty() => "an empty list".to_owned(),
        ValueKind::Array(_) if matches!(kind, Kind::Names | Kind::NamesOrNone) => {
            "a list with something in it that is no name".to_owned()
        }
        ValueKind::Array(_) => "a list".to_owned(),
        ValueKind::String(text) if text.is_empty() => "an empty text".to_owned(),
        _ if matches!(kind, Kind::Secret) => "something else".to_owned(),
        ValueKind::String(text) => format!("the text {:?}", provenance.shown(path, text)),
        ValueKind::Boolean(flag) => flag.to_string(),
        number => format!("the number {number}"),
    }
}

fn flag(kind: &ValueKind, from_variable: bool) -> Option<bool> {
    match kind {
        ValueKind::Boolean(flag) => Some(*flag),
        ValueKind::String(text) if from_variable => text.trim().parse().ok(),
        _ => None,
    }
}

fn whole(kind: &ValueKind, from_variable: bool) -> Option<u64> {
    match kind {
        ValueKind::I64(number) => u64::try_from(*number).ok(),
        ValueKind::U64(number) => Some(*number),
        ValueKind::String(text) if from_variable => text.trim().parse().ok(),
        _ => None,
    }
}

fn number(kind: &ValueKind, from_variable: bool) -> Option<f64> {
    match kind {
        ValueKind::Float(number) => Some(*number),
        ValueKind::String(text) if from_variable => text.trim().parse().ok(),
        // Far below where a float would lose a second.
        whole_number => whole(whole_number, from_variable).map(|number| number as f64),
    }
}

fn bytes(kind: &ValueKind) -> Option<u64> {
    match kind {
        ValueKind::String(text) => text.trim().parse::<ByteSize>().ok().map(|size| size.0),
        number => whole(number, false),
    }
}

fn bounded(number: Option<u64>, min: u64, max: u64) -> Option<ValueKind> {
    number.filter(|number| (min..=max).contains(number)).map(ValueKind::U64)
}

/// An empty text is a forgotten one.
fn text(kind: &ValueKind) -> Option<String> {
    match kind {
        ValueKind::String(text) if !text.trim().is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn names(kind: &ValueKind) -> Option<Vec<Value>> {
    match kind {
        ValueKind::Array(entries) => entries.iter().all(|entry| text(&entry.kind).is_some()).then(|| entries.clone()),
        one => text(one).map(|name| vec![Value::new(None, name)]),
    }
}

fn table(kind: &ValueKind) -> Option<Map<String, Value>> {
    match kind {
        ValueKind::Table(map) => Some(map.clone()),
        _ => None,
    }
}
