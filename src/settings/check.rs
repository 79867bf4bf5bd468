//! The first look at what was typed: unknown keys, wrong types, keys without effect. What is wrong is told and taken
//! out, so that the rest can be looked at further and all problems are told at once.

use config::{Map, Value, ValueKind};

use super::key::{Effect, Key, Kind, Place};
use super::keys;
use super::problem::did_you_mean;
use super::provenance::{Provenance, entry, member};
use super::reading::{self, describe};

/// Checks the whole table of values. Afterwards each has the one form that its type is read from.
pub fn check(root: &mut Value, provenance: &mut Provenance) {
    refuse_nul(root, "", provenance);
    if let ValueKind::Table(map) = &mut root.kind {
        check_keys(map, Place::Top, "", provenance);
    }
}

/// Databases end a text at NUL, so what stands behind it in a name, a path or a condition would be lost without a word.
fn refuse_nul(value: &Value, path: &str, provenance: &mut Provenance) {
    match &value.kind {
        ValueKind::String(text) => refuse_nul_in(text, path, provenance),
        ValueKind::Array(entries) => {
            entries.iter().enumerate().for_each(|(index, value)| refuse_nul(value, &entry(path, index), provenance));
        }
        ValueKind::Table(map) => {
            for (name, value) in map {
                let path = member(path, name);
                refuse_nul_in(name, &path, provenance);
                refuse_nul(value, &path, provenance);
            }
        }
        _ => {}
    }
}

fn refuse_nul_in(text: &str, path: &str, provenance: &mut Provenance) {
    if text.contains('\0') {
        provenance.refuse(path, "a NUL character stands here, which no name, path or condition can hold; remove it");
    }
}

fn check_keys(map: &mut Map<String, Value>, place: Place, path: &str, provenance: &mut Provenance) {
    let typed = std::mem::take(map);
    for (name, mut value) in typed {
        let path = member(path, &name);
        let Some(key) = keys::find(&name, place) else {
            provenance.refuse(&path, unknown(&name, place));
            continue;
        };
        // Null is how JSON says that a key is left out.
        let kept = !matches!(value.kind, ValueKind::Nil) && check_key(key, &mut value, &path, provenance);
        if kept {
            map.insert(name, value);
        } else if let Some(preset) = preset(key, place) {
            map.insert(name, preset);
        }
    }
}

/// The default, where it stands at the top: that is where the resolved settings look for it.
fn preset(key: &Key, place: Place) -> Option<Value> {
    let text = key.preset.typed().filter(|_| place == Place::Top)?;
    let mut value = super::format::json_value("", &text)?;
    value.kind = reading::read(key.kind, &value, false)?;
    Some(value)
}

fn unknown(name: &str, place: Place) -> String {
    let elsewhere = [Place::Top, Place::Table, Place::Connection].into_iter().find(|p| keys::find(name, *p).is_some());
    match elsewhere {
        Some(elsewhere) => format!("`{name}` cannot stand {}; it stands {}", place.described(), elsewhere.described()),
        None => format!("unknown key{}", did_you_mean(name, keys::at(place).map(|key| key.name))),
    }
}

/// Whether the value can stay.
fn check_key(key: &Key, value: &mut Value, path: &str, provenance: &mut Provenance) -> bool {
    match key.kind {
        Kind::Connections => return check_connections(value, path, provenance),
        Kind::Tables => return check_tables(value, path, provenance),
        _ => {}
    }
    let Some(read) = reading::read(key.kind, value, provenance.is_from_variable(path)) else {
        let found = describe(key.kind, value, path, provenance);
        provenance.refuse(path, format!("expected {}, found {found}", key.kind.described()));
        return false;
    };
    value.kind = read;
    refuse_without_effect(key, value, path, provenance);
    true
}

/// The value stays, for what else may be wrong with it.
fn refuse_without_effect(key: &Key, value: &Value, path: &str, provenance: &mut Provenance) {
    let name = key.name;
    if key.effect == Effect::NotYet && !is_default(key, value) {
        provenance.refuse(path, format!("`{name}` is known but has no effect yet in this version; remove it"));
    }
    if let (Kind::OneOf(words), ValueKind::String(text)) = (key.kind, &value.kind)
        && words.iter().any(|word| word.name == text && word.effect == Effect::NotYet)
    {
        let shown = provenance.shown(path, text);
        let usual = key.preset.typed().unwrap_or_default();
        provenance.refuse(
            path,
            format!("`{name}` {shown:?} is known but has no effect yet in this version; remove it or use {usual}"),
        );
    }
}

fn is_default(key: &Key, value: &Value) -> bool {
    preset(key, Place::Top).is_some_and(|preset| preset.kind == value.kind)
}

fn check_connections(value: &mut Value, path: &str, provenance: &mut Provenance) -> bool {
    let ValueKind::Table(connections) = &mut value.kind else {
        let found = describe(Kind::Connections, value, path, provenance);
        provenance.refuse(path, format!("expected {}, found {found}", Kind::Connections.described()));
        return false;
    };
    for (name, connection) in connections.iter_mut() {
        let path = member(path, name);
        if let ValueKind::Table(map) = &mut connection.kind {
            check_keys(map, Place::Connection, &path, provenance);
        } else {
            // What stands here may be a URL with its password.
            provenance.refuse(&path, "expected an entry with a `url`, such as { \"url\": \"sqlite:PATH\" }");
            connection.kind = ValueKind::Table(Map::new());
            provenance.hush(&member(&path, "url"));
        }
    }
    true
}

fn check_tables(value: &mut Value, path: &str, provenance: &mut Provenance) -> bool {
    match &mut value.kind {
        ValueKind::Array(tables) if !tables.is_empty() => {
            for (index, table) in tables.iter_mut().enumerate() {
                check_table(table, &entry(path, index), provenance);
            }
            true
        }
        _ => {
            let found = describe(Kind::Tables, value, path, provenance);
            provenance.refuse(path, format!("expected {}, found {found}", Kind::Tables.described()));
            false
        }
    }
}

/// A table stays even where it is wrong: the paths of those behind it go by its index.
fn check_table(table: &mut Value, path: &str, provenance: &mut Provenance) {
    match &mut table.kind {
        ValueKind::Table(map) => check_keys(map, Place::Table, path, provenance),
        ValueKind::String(name) if !name.is_empty() => {
            let name = Value::new(None, ValueKind::String(name.clone()));
            table.kind = ValueKind::Table(Map::from_iter([("name".to_owned(), name)]));
        }
        _ => {
            let found = describe(Kind::Tables, table, path, provenance);
            provenance.refuse(path, format!("expected a table's name or its entry, found {found}"));
            provenance.hush(&member(path, "name"));
            table.kind = ValueKind::Table(Map::new());
        }
    }
}
