//! A configuration as a caller of the service typed it: one object of JSON, which becomes a layer over what the service's
//! own file says. A caller names connections and never makes them, and reads nothing of the environment.

use config::{Map, Value, ValueKind};

use super::condition;
use super::format::Format;
use super::keys;
use super::problem::{Problem, SettingsError};
use super::provenance::{entry, member};

/// What messages call it.
pub const ORIGIN: &str = "request";
/// Where a sync reads from and writes to, where it is one of a single table.
pub const SOURCE_TABLE: &str = "source_table";
pub const TARGET_TABLE: &str = "target_table";

/// Longer names are a mistake, and no file could be called so.
pub const NAME_MAX: usize = 200;

/// Keys that only who runs the service sets: where databases are, and the service itself.
pub const RESERVED: [&str; 8] =
    ["connections", "state", "listen", "api_token", "metrics_open", "tls_cert", "tls_key", "max_requests_per_second"];

/// What was typed, and all that can be seen to be wrong with it before it is laid over the rest.
pub struct Typed {
    pub map: Map<String, Value>,
    pub problems: Vec<Problem>,
}

/// Reads what was typed.
///
/// # Errors
/// Where it is no object of JSON.
pub fn read(text: &str) -> Result<Typed, SettingsError> {
    // Refuses what is nested deeper than any settings are, before anything else walks into it.
    serde_json::from_str::<serde_json::Value>(text)
        .map_err(|error| SettingsError::one(ORIGIN, format!("this is no JSON: {error}")))?;
    let mut map = Format::Json.parse(ORIGIN, text).map_err(|message| SettingsError::one(ORIGIN, message))?;
    map.retain(|_, value| !matches!(value.kind, ValueKind::Nil));
    let mut problems = Vec::new();
    refuse_reserved(&mut map, &mut problems);
    take_tables(&mut map, &mut problems);
    if let Some(ValueKind::String(name)) = map.get("name").map(|name| &name.kind)
        && name.chars().count() > NAME_MAX
    {
        problems.push(problem("name", format!("a name has at most {NAME_MAX} characters")));
    }
    for (name, value) in &mut map {
        look_at_names(value, name, name, &mut problems);
        take_literally(value);
    }
    if !map.contains_key("name") {
        problems.push(problem("name", "`name` is missing; the history goes by it".to_owned()));
    }
    Ok(Typed { map, problems })
}

/// Keys that stand twice are an error as they are in a file: one of the two would be ignored in silence.
///
/// # Errors
/// Where it is no object, or a key stands twice.
pub fn check_keys(text: &str) -> Result<(), String> {
    Format::Json.parse(ORIGIN, text).map(drop)
}

fn refuse_reserved(map: &mut Map<String, Value>, problems: &mut Vec<Problem>) {
    for name in RESERVED {
        if map.shift_remove(name).is_some() {
            let message = format!("`{name}` is set in the file of the service and not here");
            problems.push(problem(name, message));
        }
    }
}

/// One table under two keys is a list of one.
fn take_tables(map: &mut Map<String, Value>, problems: &mut Vec<Problem>) {
    let (source, target) = (map.shift_remove(SOURCE_TABLE), map.shift_remove(TARGET_TABLE));
    match (source, target) {
        (None, None) => {}
        (Some(_), _) if map.contains_key("tables") => {
            problems.push(problem(SOURCE_TABLE, "`tables` is there too; remove one of them".to_owned()));
        }
        (None, Some(_)) => {
            problems.push(problem(TARGET_TABLE, "there is no `source_table` to be written there; add it".to_owned()));
        }
        (Some(source), target) => {
            let target = target.map(|target| ("target".to_owned(), target));
            let table = [("name".to_owned(), source)].into_iter().chain(target).collect::<Map<_, _>>();
            let tables = vec![Value::new(Some(&ORIGIN.to_owned()), ValueKind::Table(table))];
            map.insert("tables".to_owned(), Value::new(Some(&ORIGIN.to_owned()), ValueKind::Array(tables)));
        }
    }
}

/// Keys whose text names something in a database or in the history.
const NAMING: [&str; 13] = [
    "name",
    "target",
    "source",
    "tables",
    "sync_table",
    "depends_on",
    "after",
    "fields",
    "exclude_fields",
    "primary_key_field",
    "modify_time_field",
    "timestamp_field",
    "record_type_field",
];

/// Keys whose text is SQL.
const SQL: [&str; 3] = ["where", "target_where", "sql"];

/// Every name is quoted where it goes into a statement. What looks like more than a name is refused all the same when it
/// comes from afar: no table is called so, and whoever types it means no good.
fn look_at_names(value: &Value, key: &str, path: &str, problems: &mut Vec<Problem>) {
    match &value.kind {
        ValueKind::String(text) if SQL.contains(&key) => {
            if let Err(message) = condition::check(text) {
                problems.push(problem(path, message));
            }
        }
        ValueKind::String(text) if NAMING.contains(&key) && !is_plain(text) => {
            problems
                .push(problem(path, "a name holds no quotes, semicolons, comments or control characters".to_owned()));
        }
        ValueKind::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                look_at_names(value, if key == "tables" { "name" } else { key }, &entry(path, index), problems);
            }
        }
        ValueKind::Table(map) => {
            // What a column holds is no name, whatever the column is called.
            for (name, value) in map.iter().filter(|_| key != "default_values" && key != "constant") {
                let is_pair_of_names = key == "field_mapping";
                if is_pair_of_names && !is_plain(name) {
                    problems.push(problem(
                        path,
                        "a name holds no quotes, semicolons, comments or control characters".to_owned(),
                    ));
                }
                look_at_names(value, if is_pair_of_names { "name" } else { name }, &member(path, name), problems);
            }
        }
        _ => {}
    }
}

fn is_plain(name: &str) -> bool {
    const TELLING: [&str; 3] = ["--", "/*", "*/"];
    let is_ordinary = |c: char| !c.is_control() && !matches!(c, ';' | '\'' | '"' | '`' | '\\');
    name.chars().all(is_ordinary) && !TELLING.iter().any(|part| name.contains(part))
}

/// `${NAME}` stays what it is: the environment belongs to who runs the service.
fn take_literally(value: &mut Value) {
    match &mut value.kind {
        ValueKind::String(text) => *text = text.replace("${", "$${"),
        ValueKind::Array(entries) => entries.iter_mut().for_each(take_literally),
        ValueKind::Table(map) => map.values_mut().for_each(take_literally),
        _ => {}
    }
}

/// A file is called something in any case.
fn problem(path: &str, message: String) -> Problem {
    Problem { origin: ORIGIN.to_owned(), path: path.to_owned(), message }
}

/// Whether the service's file hands a key on to configurations made through the API although it is a sync itself: what
/// says how databases are reached.
pub fn is_shared(name: &str) -> bool {
    name == "connections" || name == "state" || keys::LINK.iter().any(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        match read(text) {
            Ok(Typed { map, problems }) if problems.is_empty() => format!("{:?}", map.keys()),
            Ok(Typed { problems, .. }) => SettingsError { problems }.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn deep_json_is_refused_before_anything_walks_into_it() {
        assert!(told(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).contains("recursion limit"));
    }

    #[test]
    fn connections_are_named_and_not_made() {
        let told = told(r#"{ "name": "a", "connections": { "x": { "url": "sqlite:/etc/x" } }, "api_token": "t" }"#);
        assert!(told.contains("connections: `connections` is set in the file of the service"), "{told}");
        assert!(told.contains("2 problems"), "{told}");
    }

    #[test]
    fn sql_is_no_name() {
        for name in ["a; drop table b", "a\"b", "a' or '1'='1", "a--b", "a/*b", "a\\u0000b"] {
            let table = serde_json::json!({ "source_table": name.replace("\\u0000", "\0") });
            assert!(told(&table.to_string()).contains("a name holds no quotes"), "{name}");
        }
        assert!(
            told(r#"{ "name": "a", "tables": ["Größe of things (2)", { "name": "sales-2024.x" }] }"#)
                .contains("tables")
        );
    }

    #[test]
    fn the_environment_is_not_read() {
        let Typed { map, .. } = read(r#"{ "default_values": { "a": "${HOME} $${HOME}" } }"#).unwrap();
        let values = map["default_values"].clone().into_table().unwrap();
        let text = values["a"].clone().into_string().unwrap();
        let filled = super::super::variables::fill(&text, |_| Some("secret".to_owned())).unwrap();
        assert_eq!((filled.text.as_str(), filled.has_variables), ("${HOME} $${HOME}", false));
    }
}
