//! What is wrong is told with its place and its remedy, all at once.

use super::{Folder, error, file_with};

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let keys = r#""bach_size": 1, "tables": ["a", "b", { "name": "c", "primary_key_feild": "id", "source": "x", "zzz": 1 }],
                  "url": "sqlite:x""#;
    insta::assert_snapshot!(error(keys), @r#"
    the settings have 5 problems:
      shop.json: bach_size: unknown key; did you mean `batch_size`?
      shop.json: tables[2].primary_key_feild: unknown key; did you mean `primary_key_field`?
      shop.json: tables[2].source: `source` cannot stand in an entry of `tables`; it stands at the top
      shop.json: tables[2].zzz: unknown key
      shop.json: url: `url` cannot stand at the top; it stands in an entry of `connections`
    "#);
}

#[test]
fn wrong_types_say_what_was_expected_and_found() {
    let keys = r#""batch_size": "many", "max_delete_percent": 101, "timeout": 0, "trust_modify_id": "yes",
        "delete_batch_size": -1, "fields": [], "exclude_fields": [1], "max_bytes_in_flight": "big", "field_mapping": ["a"],
        "min_rows_to_sync": 1.5, "change_tracking": "magic", "name": "", "tables": [{ "target": "b" }, 5]"#;
    insta::assert_snapshot!(error(keys), @r#"
    the settings have 14 problems:
      shop.json: batch_size: expected a whole number from 1 to 10000000, found the text "many"
      shop.json: change_tracking: expected one of `auto`, `triggers`, `modify_time`, `none`, found the text "magic"
      shop.json: delete_batch_size: expected a whole number from 1 to 10000000, found the number -1
      shop.json: exclude_fields: expected a name or a list of names, found a list with something in it that is no name
      shop.json: field_mapping: expected a table of names, each with its other name, found a list
      shop.json: fields: expected a name, or a list of at least one name, found an empty list
      shop.json: max_bytes_in_flight: expected a size above 0, such as 1048576 or "64 MiB", found the text "big"
      shop.json: max_delete_percent: expected a percentage from 0 to 100, found the number 101
      shop.json: min_rows_to_sync: expected a whole number from 0 to 10000000, found the number 1.5
      shop.json: name: expected a text, found an empty text
      shop.json: tables[0].name: the entry has no `name`; add the table's name in the source
      shop.json: tables[1]: expected a table's name or its entry, found the number 5
      shop.json: timeout: expected a number of seconds from 0.001 to 31536000, found the number 0
      shop.json: trust_modify_id: expected true or false, found the text "yes"
    "#);
}

#[test]
fn keys_without_effect_are_refused() {
    let keys = r#""batch_size_4d": 7"#;
    insta::assert_snapshot!(error(keys), @r#"
    the settings have a problem:
      shop.json: batch_size_4d: `batch_size_4d` is known but has no effect yet in this version; remove it
    "#);
}

#[test]
fn a_schedule_says_one_thing() {
    insta::assert_snapshot!(error(r#""sleep_seconds": 5, "sync_interval_seconds": 6, "run_at_time": "02:00""#), @r#"
    the settings have 2 problems:
      shop.json: run_at_time: a pause between cycles is named too; remove one of them
      shop.json: sync_interval_seconds: `sleep_seconds` is the same under its other name and says something else; remove one of them
    "#);
    insta::assert_snapshot!(error(r#""run_at_time": "25:00", "time_zone": "Europe/Zurch", "sleep_seconds": 0"#), @r#"
    the settings have 3 problems:
      shop.json: run_at_time: expected a time of day such as "02:00" or "14:30", found "25:00"
      shop.json: sleep_seconds: expected a whole number of seconds from 1 to 31536000, found the number 0
      shop.json: time_zone: no time zone is called "Europe/Zurch"; did you mean `Europe/Zurich`?; name one such as "Europe/Zurich", "UTC" or "local"
    "#);
}

#[test]
fn tables_are_known_and_named_once() {
    let keys = r#""sync_table": ["Artst", "album"], "tables": ["Artist", "Artist", { "name": "Album", "depends_on": "Artit" },
        { "name": "Track", "target": "Album", "depends_on": ["Genre", "artist"] }, { "name": "Genre", "depends_on": "Track" }]"#;
    insta::assert_snapshot!(error(keys), @r#"
    the settings have 5 problems:
      shop.json: sync_table[0]: `Artst` is not in `tables`; did you mean `Artist`?
      shop.json: tables[1]: this table stands in tables[0] already; remove one of them
      shop.json: tables[2].depends_on: `Artit` is not in `tables`; did you mean `Artist`?
      shop.json: tables[3].depends_on: `Track`, `Genre` wait for one another; remove one of the links
      shop.json: tables[3].target: tables[2] writes to this target too; each would delete the other's rows, unless both have a `target_where`
    "#);
}

#[test]
fn columns_are_one_thing_at_once() {
    let keys = r#""fields": ["a", "b"], "exclude_fields": ["b"], "tables": [
        { "name": "t", "primary_key_field": ["b"], "field_mapping": { "a": "x", "c": "x" }, "fields": "a" }]"#;
    insta::assert_snapshot!(error(keys), @r#"
    the settings have 3 problems:
      shop.json: exclude_fields: `b` stands in `fields` too; remove it from one of them
      shop.json: tables[0].exclude_fields: `b` stands in `primary_key_field` too; rows cannot be told apart without it
      shop.json: tables[0].field_mapping.c: `a` goes to "x" already; give each column a target of its own
    "#);
}

fn error_in(text: &str) -> String {
    Folder::new().with("shop.json", text).error("shop.json", &[], &[])
}

#[test]
fn connections_exist_and_differ() {
    insta::assert_snapshot!(error_in("{}"), @r#"
    the settings have 3 problems:
      shop.json: connections: no connection is there; add the source's and the target's, each with its `url`
      shop.json: source: `source` is missing; name one of the connections (none)
      shop.json: target: `target` is missing; name one of the connections (none)
    "#);
    insta::assert_snapshot!(
        error_in(r#"{ "connections": { "erp": { "url": "sqlite:a" }, "warehouse": {}, "old": "sqlite:x" }, "source": "epr", "target": "warehose" }"#),
        @r#"
    the settings have 4 problems:
      shop.json: connections.old: expected an entry with a `url`, such as { "url": "sqlite:PATH" }
      shop.json: connections.warehouse.url: the connection has no `url`; add one, such as "sqlite:PATH" or "postgres://USER@HOST/DATABASE"
      shop.json: source: `epr` is no connection; did you mean `erp`?; there are `erp`, `old`, `warehouse`
      shop.json: target: `warehose` is no connection; did you mean `warehouse`?; there are `erp`, `old`, `warehouse`
    "#
    );
    insta::assert_snapshot!(error_in(r#"{ "connections": { "erp": { "url": "sqlite:a" } }, "source": "erp", "target": "erp" }"#), @r#"
    the settings have a problem:
      shop.json: target: source and target are the same connection; name another one
    "#);
    insta::assert_snapshot!(
        error_in(r#"{ "connections": { "a": { "url": "sqlite:a" }, "b": { "url": "sqlite:a" } }, "source": "a", "target": "b" }"#),
        @r#"
    the settings have a problem:
      shop.json: target: source and target lead to the same database and schema; a table cannot be its own copy
    "#
    );
}

#[test]
fn urls_are_of_databases_that_this_version_knows() {
    let keys = r#""state": "mysql://h/d""#;
    let urls = [
        "mysql://h/d",
        "4d://h/d",
        "rest+https://h",
        "postgre://h/d",
        "oracle:x",
        "chinook.sqlite",
        "sqlite:",
        "postgres:h/d",
        "postgres://u:p@h:x/d",
    ];
    let connections: Vec<String> =
        urls.iter().enumerate().map(|(i, url)| format!(r#""c{i}": {{ "url": "{url}" }}"#)).collect();
    let schema = r#""s": { "url": "sqlite:x", "schema": "main" }"#;
    let text = format!(
        r#"{{ "connections": {{ {}, {schema} }}, "source": "s", "target": "c0", {keys} }}"#,
        connections.join(", ")
    );
    insta::assert_snapshot!(error_in(&text), @r#"
    the settings have 11 problems:
      shop.json: connections.c0.url: `mysql:` is known but not in this version yet; use one of `sqlite`, `postgres`, `postgresql`
      shop.json: connections.c1.url: `4d:` is known but not in this version yet; use one of `sqlite`, `postgres`, `postgresql`
      shop.json: connections.c2.url: `rest+https:` is known but not in this version yet; use one of `sqlite`, `postgres`, `postgresql`
      shop.json: connections.c3.url: unknown scheme `postgre`; did you mean `postgres`?; known are `sqlite`, `postgres`, `postgresql`
      shop.json: connections.c4.url: unknown scheme `oracle`; known are `sqlite`, `postgres`, `postgresql`
      shop.json: connections.c5.url: the URL has no scheme; it has to start with one of `sqlite`, `postgres`, `postgresql`, and a colon
      shop.json: connections.c6.url: the URL names no file; write it behind the colon: "sqlite:PATH"
      shop.json: connections.c7.url: the URL has no `//` behind its scheme
      shop.json: connections.c8.url: the URL cannot be read: invalid port number; special characters of a password are written as %XX
      shop.json: connections.s.schema: SQLite has no schemas; remove it
      shop.json: state: `mysql:` is known but not in this version yet; use one of `sqlite`, `postgres`, `postgresql`
    "#);
}

#[test]
fn every_layer_is_named_where_it_is_wrong() {
    let folder = Folder::new().with("shop.json", &file_with(r#""name": "${NOT_THERE} ${OPEN""#));
    let folder = folder.with("config/default.toml", "batch_sise = 1");
    insta::assert_snapshot!(folder.error("shop.json", &[("ROWSYNC__DELETE_BATCH_SIZE", "x")], &["timeouts=5"]), @r#"
    the settings have 4 problems:
      --set timeouts: timeouts: unknown key; did you mean `timeout`?
      config/default.toml: batch_sise: unknown key; did you mean `batch_size`?
      shop.json: name: the environment has no variable `NOT_THERE`; set it, or write `$${` where `${` is meant as text
      ROWSYNC__DELETE_BATCH_SIZE: delete_batch_size: expected a whole number from 1 to 10000000, found the text "x"
    "#);
    insta::assert_snapshot!(folder.error("shop.json", &[("ROWSYNC__A____B", "x")], &["timeout", "tables.x.y=1"]), @r#"
    the settings have 5 problems:
      --set: expected KEY=VALUE, such as `--set batch_size=1000`
      --set tables.x.y: no `tables` are listed that could take a key; list them in the file
      config/default.toml: batch_sise: unknown key; did you mean `batch_size`?
      shop.json: name: the environment has no variable `NOT_THERE`; set it, or write `$${` where `${` is meant as text
      ROWSYNC__A____B: a part of the key is empty
    "#);
    insta::assert_snapshot!(error(r#""name": "${NOT_THERE}""#), @r#"
    the settings have a problem:
      shop.json: name: the environment has no variable `NOT_THERE`; set it, or write `$${` where `${` is meant as text
    "#);
    insta::assert_snapshot!(error(r#""tables": [ "a" ], "name": "${OPEN""#), @r#"
    the settings have a problem:
      shop.json: name: `${` has no `}`; write `$${` where it is meant as text
    "#);
}

#[test]
fn files_that_cannot_be_read_say_where() {
    let check = |name: &str, text: &str| Folder::new().with(name, text).error(name, &[], &[]);
    insta::assert_snapshot!(check("a.json", "{\n  \"a\": 1\n  \"b\": 2\n}"), @r#"
    the settings have a problem:
      a.json: line 2, column 9: Expected comma
    "#);
    insta::assert_snapshot!(check("a.json", "{ \"a\": 1,\n  \"a\": 2 }"), @r#"
    the settings have a problem:
      a.json: line 2, column 3: the key `a` stands twice
    "#);
    insta::assert_snapshot!(check("a.json", " // nothing"), @r#"
    the settings have a problem:
      a.json: the file is empty; `rowsync init` writes one to start from
    "#);
    insta::assert_snapshot!(check("a.json", "[]"), @r#"
    the settings have a problem:
      a.json: the file has to hold one object: { ... }
    "#);
    insta::assert_snapshot!(check("a.toml", "a = 1\nb = = 2"), @r#"
    the settings have a problem:
      a.toml: line 2, column 5: extra `=`, expected nothing
    "#);
    insta::assert_snapshot!(check("a.yaml", "a: 1\nb: [1"), @r#"
    the settings have a problem:
      a.yaml: line 3, column 1: while parsing a flow sequence, expected ',' or ']'
    "#);
    insta::assert_snapshot!(check("a.ini", "a=1"), @r#"
    the settings have a problem:
      a.ini: the extension tells the format: name it .json, .jsonc, .json5, .toml, .yaml or .yml
    "#);
    insta::assert_snapshot!(Folder::new().error("none.json", &[], &[]), @r#"
    the settings have a problem:
      none.json: the file cannot be read: No such file or directory (os error 2)
    "#);
}

#[test]
fn a_filter_needs_its_mirror() {
    let keys = r#""where": "a = 1", "tables": [{ "name": "a", "where": "a = 2" }, { "name": "b", "target_where": "b" },
        { "name": "c", "target": "x", "target_where": "c" }, { "name": "d", "target": "x" }]"#;
    insta::assert_snapshot!(error(keys), @r#"
    the settings have 3 problems:
      shop.json: tables[0].where: `where` needs its mirror `target_where`, so that rows of the target outside of it are left alone: often the same condition, or `"true"` where the target is to hold nothing else
      shop.json: tables[3].target: tables[2] writes to this target too; each would delete the other's rows, unless both have a `target_where`
      shop.json: where: `where` needs its mirror `target_where`, so that rows of the target outside of it are left alone: often the same condition, or `"true"` where the target is to hold nothing else
    "#);
}

#[test]
fn kinds_of_records_have_a_column_and_stand_once() {
    let keys = r#""tables": [{ "name": "a", "record_types": ["x"] }, { "name": "b", "record_type_field": "kind" },
        { "name": "c", "record_type_field": "kind", "record_types": ["x", "x"] }, { "name": "c-x", "depends_on": ["c-y"] }]"#;
    insta::assert_snapshot!(error(keys), @r#"
    the settings have 5 problems:
      shop.json: tables[0].record_types: name the column that tells them apart in `record_type_field`
      shop.json: tables[1].record_type_field: list the kinds of records in `record_types`
      shop.json: tables[2].record_types: a kind stands twice; remove one of them
      shop.json: tables[3]: this table stands in tables[2] already; remove one of them
      shop.json: tables[3].depends_on: `c-y` is not in `tables`; did you mean `c-x`?
    "#);
}
