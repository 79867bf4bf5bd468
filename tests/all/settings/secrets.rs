//! What must not be seen is not seen.

use super::{Folder, error, file_with};

const SECRET: &str = "hunter2";

fn folder(url: &str, keys: &str) -> Folder {
    Folder::new().with("a.json", &file_with(keys).replace("sqlite:copy.sqlite", url))
}

#[test]
fn passwords_are_not_in_settings() {
    for url in ["postgres://u:hunter2@h/d", "postgres://u:${PASSWORD}@h/d", "${URL}", "postgres://h/d?password=hunter2"]
    {
        let environment = [("PASSWORD", SECRET), ("URL", "postgres://u:hunter2@h/d")];
        let settings = folder(url, "").load("a.json", &environment, &[]).unwrap();
        assert!(settings.target.url.expose().contains(SECRET));
        let shown = format!("{settings:?} {settings:#?} {}", settings.target.url);
        assert!(!shown.contains(SECRET) && shown.contains("***"), "{shown}");
    }
}

#[test]
fn secrets_are_not_in_errors() {
    let environment = [("X", SECRET)];
    let check = |url: &str, keys: &str, sets: &[&str]| {
        let text = folder(url, keys).error("a.json", &environment, sets);
        assert!(!text.contains(SECRET), "{text}");
    };
    check("hunter2://x", r#""batch_size": "${X}""#, &["connections.copy.url=${X}://x"]);
    check("postgres://u:hunter2@h:port/d", "", &[]);
    check("postgres://u:hun/ter2@h:port/d", "", &[]);
    check("hunter2", "", &[]);
    check("sqlite:x", r#""sync_strategy": "${X}", "sync_table": "${X}", "tables": ["a"]"#, &[]);
    check("sqlite:x", r#""api_token": "hunter2", "state": "hunter2:x""#, &[]);
    check("sqlite:x", r#""sync_table": ["${X}"], "tables": ["a"]"#, &[]);
    check("sqlite:x", r#""sync_table": ["hunter"], "tables": ["${X}", { "name": "b", "depends_on": ["${X}1"] }]"#, &[]);
    check("sqlite:x", r#""tables": [{ "name": "${X}", "depends_on": ["${X}"] }]"#, &[]);
    check("sqlite:x", r#""fields": ["${X}"], "exclude_fields": ["${X}"]"#, &[]);
    check("sqlite:x", r#""field_mapping": { "a": "${X}", "b": "${X}" }"#, &[]);
    check("sqlite:x", "", &["source=postgres://u:hunter2@h/d"]);
    check("sqlite:x", r#""batch_size": "postgres://u:hunter2@h/d""#, &["connections=postgres://u:hunter2@h/d"]);
    check("sqlite:x", "", &["connections.copy=postgres://u:hunter2@h/d"]);
    check("sqlite:x\" \"hunter2", "", &[]);
}

#[test]
fn broken_files_are_not_quoted() {
    for (name, text) in [
        ("a.toml", "url = \"x:hunter2\" y"),
        ("a.yaml", "hunter2"),
        ("b.yaml", "url: [\"x:hunter2\""),
        ("a.json", "{ \"url\": \"hunter2\" \"b\" }"),
    ] {
        let text = Folder::new().with(name, text).error(name, &[], &[]);
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn what_came_from_a_variable_is_shown_as_it_was_typed() {
    let folder = Folder::new().with("a.json", &file_with(r#""batch_size": "${X}""#));
    insta::assert_snapshot!(folder.error("a.json", &[("X", SECRET)], &[]), @r#"
    the settings have a problem:
      a.json: batch_size: expected a whole number from 1 to 10000000, found the text "${X}"
    "#);
}

#[test]
fn a_token_is_not_shown() {
    insta::assert_snapshot!(error(r#""api_token": 12345678"#), @r#"
    the settings have a problem:
      shop.json: api_token: expected a text, found something else
    "#);
}
