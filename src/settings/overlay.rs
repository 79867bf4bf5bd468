//! `ROWSYNC__KEY` and `--set KEY=VALUE`: single values laid over what the files say.

use config::{Map, Value, ValueKind};
use rowsync_engine::schema::find_name;

use super::format::json_value;
use super::key::{Kind, Place};
use super::keys;
use super::layers::Environment;
use super::problem::Problem;

const PREFIX: &str = "ROWSYNC__";

/// One value with the path that it goes to.
struct Setting {
    /// How messages call it; never with its value.
    origin: String,
    path: Vec<String>,
    text: String,
}

/// Lays over what can be; what cannot is told.
pub fn lay_over(root: &mut Value, environment: &Environment, sets: &[String]) -> Vec<Problem> {
    let from_environment = environment.iter().filter_map(|(name, text)| Some(Ok(from_variable(name, text)?)));
    let settings = from_environment.chain(sets.iter().map(|set| from_option(set)));
    settings.filter_map(|setting| setting.and_then(|setting| put(root, &setting)).err()).collect()
}

fn from_variable(name: &str, text: &str) -> Option<Setting> {
    let path = name.strip_prefix(PREFIX)?.split("__").map(ordinary_case).collect();
    Some(Setting { origin: name.to_owned(), path, text: text.to_owned() })
}

/// Variables are written in capitals, keys are not. Names that are neither are meant as they are.
fn ordinary_case(part: &str) -> String {
    if part.chars().any(char::is_lowercase) { part.to_owned() } else { part.to_lowercase() }
}

fn from_option(set: &str) -> Result<Setting, Problem> {
    let (key, text) = set.split_once('=').ok_or_else(|| Problem {
        origin: "--set".to_owned(),
        path: String::new(),
        message: "expected KEY=VALUE, such as `--set batch_size=1000`".to_owned(),
    })?;
    let path = key.replace('[', ".").replace(']', "").split('.').map(str::to_owned).collect();
    Ok(Setting { origin: format!("--set {key}"), path, text: text.to_owned() })
}

/// A value is read as JSON, unless its key takes text; what is no JSON is text.
fn value_of(setting: &Setting) -> Value {
    let text = &setting.text;
    let as_text = Value::new(Some(&setting.origin), ValueKind::String(text.clone()));
    let quoted = text.trim_start().starts_with(['"', '[', '{']);
    match kind_of(&setting.path) {
        Some(kind) if kind.is_textual() && !quoted => as_text,
        Some(Kind::Secret) => as_text,
        _ => json_value(&setting.origin, text).unwrap_or(as_text),
    }
}

fn kind_of(path: &[String]) -> Option<Kind> {
    let (place, name) = match path {
        [name] => (Place::Top, name),
        [tables, _, name] if tables == "tables" => (Place::Table, name),
        [connections, _, name] if connections == "connections" => (Place::Connection, name),
        _ => return None,
    };
    keys::find(name, place).map(|key| key.kind)
}

fn put(root: &mut Value, setting: &Setting) -> Result<(), Problem> {
    let refuse = |message| Problem { origin: setting.origin.clone(), path: String::new(), message };
    if setting.path.iter().any(String::is_empty) {
        return Err(refuse("a part of the key is empty".to_owned()));
    }
    if setting.path.len() > 1 && setting.path[0] == "tables" && !lists_tables(root) {
        return Err(refuse("no `tables` are listed that could take a key; list them in the file".to_owned()));
    }
    let mut place = root;
    for part in &setting.path {
        place = step_into(place, part).map_err(refuse)?;
    }
    *place = value_of(setting);
    Ok(())
}

fn lists_tables(root: &Value) -> bool {
    let ValueKind::Table(map) = &root.kind else { return false };
    map.get("tables").is_some_and(|tables| matches!(tables.kind, ValueKind::Array(_)))
}

/// The value under a name, which is made where it is missing, or under the index or name of a table's entry.
fn step_into<'a>(value: &'a mut Value, part: &str) -> Result<&'a mut Value, String> {
    if !matches!(value.kind, ValueKind::Array(_) | ValueKind::Table(_)) {
        *value = Value::new(None, ValueKind::Table(Map::new()));
    }
    match &mut value.kind {
        ValueKind::Array(entries) => entry_of(entries, part),
        ValueKind::Table(map) => Ok(member_of(map, part)),
        _ => Err(format!("`{part}` has no place here")),
    }
}

fn member_of<'a>(map: &'a mut Map<String, Value>, part: &str) -> &'a mut Value {
    let names: Vec<&String> = map.keys().collect();
    let name = find_name(&names, part, |name| name).map_or_else(|| part.to_owned(), |name| (*name).clone());
    map.entry(name).or_insert_with(|| Value::new(None, ValueKind::Nil))
}

/// A table that was a bare name becomes an entry, so that it can take keys.
fn entry_of<'a>(entries: &'a mut [Value], part: &str) -> Result<&'a mut Value, String> {
    let entry = entry_index(entries, part).and_then(|index| entries.get_mut(index));
    let entry = entry.ok_or_else(|| format!("there is no entry `{part}` in the list"))?;
    if let ValueKind::String(name) = &entry.kind {
        let name = Value::new(entry.origin().map(str::to_owned).as_ref(), name.clone());
        entry.kind = ValueKind::Table(Map::from_iter([("name".to_owned(), name)]));
    }
    Ok(entry)
}

fn entry_index(entries: &[Value], part: &str) -> Option<usize> {
    if let Ok(index) = part.parse() {
        return Some(index);
    }
    let names: Vec<(usize, &str)> =
        entries.iter().map(entry_name).enumerate().filter_map(|(i, n)| Some((i, n?))).collect();
    find_name(&names, part, |(_, name)| name).map(|(index, _)| *index)
}

fn entry_name(entry: &Value) -> Option<&str> {
    let name = match &entry.kind {
        ValueKind::Table(map) => &map.get("name")?.kind,
        kind => kind,
    };
    if let ValueKind::String(name) = name { Some(name) } else { None }
}
