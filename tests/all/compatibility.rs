//! What `check` and `plan` find out about columns before the first row moves.

use serde_json::{Value, json};

use crate::support::{Database, Desk, Ended, sides};

/// Two tables whose columns fit in every way that there is but one.
fn unlike(more: &str) -> (Desk, Database, Database) {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(
        "create table parent (id bigint primary key);
         create table t (id bigint primary key, wide bigint, name text, price float8, at timestamp, lost int,
           parent bigint references parent);
         insert into parent values (1); insert into t values (1, 2, 'n', 0.5, '2024-01-01', 3, 1)",
    );
    target.sql(
        "create table parent (id bigint primary key);
         create table t (id bigint primary key, wide int not null, name varchar(3), price float4, at timestamp,
           own text, parent bigint)",
    );
    desk.sync("t", &source.url, &target.url, more);
    (desk, source, target)
}

const WITHOUT_LOST: &str = r#""tables": ["parent", { "name": "t", "exclude_fields": ["lost"] }],"#;

fn columns(ended: &Ended, table: &str) -> Vec<Value> {
    let report = ended.report();
    let table = report["tables"].as_array().unwrap().iter().find(|t| t["table"] == table).unwrap();
    table["columns"].as_array().unwrap().clone()
}

fn verdict(columns: &[Value], name: &str) -> Value {
    let found = columns.iter().find(|column| column["source"] == name || column["target"] == name).unwrap();
    json!([found["fit"], found["limits"]])
}

#[test]
fn check_and_plan_tell_of_every_column_what_is_refused() {
    let (desk, _source, target) = unlike(WITHOUT_LOST);
    for command in ["check", "plan"] {
        let told = desk.rowsync(&[command, "t.json"]);
        assert_eq!(told.code, Some(0), "{}\n{}", told.stdout, told.stderr);
        let columns = columns(&told, "t");
        assert_eq!(verdict(&columns, "id"), json!(["exact", []]));
        let range = "numbers outside of -2147483648 to 2147483647";
        assert_eq!(verdict(&columns, "wide"), json!(["may_fail", [range, "NULL"]]));
        assert_eq!(verdict(&columns, "name"), json!(["may_fail", ["texts of more than 3 characters"]]));
        let rounded = "numbers of more digits than 32 bits hold are rounded";
        assert_eq!(verdict(&columns, "price"), json!(["may_fail", [rounded, "numbers beyond 3.4e38"]]));
        assert_eq!(verdict(&columns, "lost"), json!(["left_out", []]));
        assert_eq!(verdict(&columns, "own"), json!(["left_alone", []]));
        assert_eq!(columns[0]["rule"], "whole numbers by value, whatever their width");
    }
    let notes = desk.rowsync(&["check", "t.json"]).report()["tables"][1]["notes"].to_string();
    assert!(notes.contains("lacks a foreign key of the source: (parent) refers to parent"), "{notes}");
    let added = notes.split("add it with: ").nth(1).unwrap().split("\",").next().unwrap().replace('\\', "");
    target.sql("insert into parent values (1)");
    target.sql(added.trim_end_matches("\"]"));
    let notes = desk.rowsync(&["check", "t.json"]).report()["tables"][1]["notes"].to_string();
    assert!(!notes.contains("foreign key"), "{notes}");
}

#[test]
fn all_that_is_impossible_is_told_at_once() {
    let (desk, source, _target) = unlike("");
    source.sql("alter table t alter at type timestamptz");
    let checked = desk.rowsync(&["check", "t.json"]);
    assert_eq!(checked.code, Some(2), "{}", checked.stderr);
    let columns = columns(&checked, "t");
    assert_eq!(verdict(&columns, "lost"), json!(["impossible", ["the target has no such column"]]));
    assert_eq!(verdict(&columns, "at")[0], "impossible");
    let problems = checked.report()["tables"][1]["problems"].to_string();
    assert!(problems.contains("column lost") && problems.contains("time zone"), "{problems}");
}

#[test]
fn what_people_read_fits_a_terminal() {
    let (desk, _source, _target) = unlike(WITHOUT_LOST);
    for command in ["check", "plan"] {
        let told = Ended::of(&mut desk.command(&[command, "t.json"]));
        // The place of a database is as long as it is.
        let lines = told.stdout.lines().filter(|line| !line.contains("://") && !line.contains("CREATE"));
        lines.for_each(|line| assert!(line.chars().count() <= 80, "{line}"));
        assert!(told.stdout.contains("may fail: texts"), "{}", told.stdout);
    }
}

#[test]
fn triggers_that_are_asked_for_and_missing_are_told_with_the_command_that_makes_them() {
    let more = r#""change_tracking": "triggers", "sync_strategy": "incremental", "tables": ["parent"],"#;
    let (desk, _source, _target) = unlike(more);
    let notes = || desk.rowsync(&["check", "t.json"]).report()["tables"][0]["notes"].to_string();
    assert!(notes().contains("rowsync track FILE install"), "{}", notes());
    assert_eq!(desk.rowsync(&["track", "t.json", "install"]).code, Some(0));
    assert!(!notes().contains("rowsync track"), "{}", notes());
}

#[test]
fn a_source_that_binds_no_types_says_so() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key, v varchar(9), n text collate nocase)");
    target.sql("create table t (id int primary key, v varchar(4), n text)");
    desk.sync("t", &desk.sqlite("s.sqlite"), &target.url, "");
    let checked = desk.rowsync(&["check", "t.json"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert_eq!(verdict(&columns(&checked, "t"), "v"), json!(["may_fail", ["texts of more than 4 characters"]]));
    assert!(checked.report()["notes"][0].as_str().unwrap().contains("take any value"), "{}", checked.stdout);
}

#[test]
fn a_column_that_the_source_has_got_is_told_added_and_filled() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(
            &desk,
            "create table t (id int primary key, v text); insert into t values (1, 'a'), (2, 'b'), (3, 'c')",
        );
        desk.sync("t", &source.url(&desk), &target.url(&desk), "");
        desk.run("t");
        source.run(
            &desk,
            "alter table t add column n numeric(9, 2) not null default 1.5; update t set n = 2.25 where id = 3",
        );
        // Nobody said that it may be added.
        let refused = desk.rowsync(&["run", "t.json"]);
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        let error = refused.report()["tables"][0]["errors"][0].clone();
        assert!(error["remedy"].as_str().unwrap().contains("add_missing_columns"), "{error}");

        desk.sync("t", &source.url(&desk), &target.url(&desk), r#""add_missing_columns": true,"#);
        for command in ["plan", "check"] {
            let told = desk.rowsync(&[command, "t.json"]);
            assert_eq!(told.code, Some(0), "{}\n{}", told.stdout, told.stderr);
            assert_eq!(verdict(&columns(&told, "t"), "n"), json!(["added", []]));
            assert!(told.report()["tables"][0]["notes"].to_string().contains("a run adds to the target: n"));
        }
        assert_ne!(desk.verify_code("t"), Some(0), "what is not there is not equal");
        let filled = desk.run("t");
        assert_eq!(filled.totals(), (0, 3, 0));
        assert!(filled.report()["tables"][0]["notes"].to_string().contains("columns added to the target's table: n"));
        assert_eq!(target.lines(&desk, "select cast(sum(n) as text) from t"), ["5.25"]);
        assert_eq!((desk.run("t").totals(), desk.verify_code("t")), ((0, 0, 0), Some(0)));
    }
}

#[test]
fn indexes_that_the_target_lacks_are_told_with_what_makes_them() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(
            &desk,
            "create table t (id integer primary key, code varchar(9) unique, a integer, b integer, at timestamp);
             create index by_a on t (a desc, b); create index by_b on t (b); create unique index by_both on t (a, code);
             create index by_at on t (at)",
        );
        target.run(
            &desk,
            "create table t (id integer primary key, code varchar(9), \"A\" integer, b integer, at timestamp);
             create index longer on t (b, at); create unique index moments on t (at)",
        );
        desk.sync("t", &source.url(&desk), &target.url(&desk), "");
        let notes_of = |command: &str| -> Vec<String> {
            let table = desk.rowsync(&[command, "t.json"]).report()["tables"][0].clone();
            let notes = table["notes"].as_array().unwrap_or_else(|| panic!("{table}")).clone();
            notes.iter().filter_map(Value::as_str).filter(|note| note.contains("index of")).map(str::to_owned).collect()
        };
        let notes = || notes_of("check");
        let told = notes();
        assert_eq!(notes_of("plan"), told);
        let mut what: Vec<&str> = told
            .iter()
            .map(|note| note.strip_prefix("the target lacks ").unwrap().split(';').next().unwrap())
            .collect();
        what.sort_unstable();
        let unique = "a unique index of the source";
        assert_eq!(
            what,
            [&format!("{unique}: A, code"), &format!("{unique}: code"), "an index of the source: A, b"],
            "{told:?}"
        );
        target.run(&desk, "drop index moments");
        for note in &told {
            target.run(&desk, note.split("add it with: ").nth(1).unwrap());
        }
        // Of the one that was dropped, a plain one is asked for.
        let left = notes();
        assert_eq!(left.len(), 1, "{left:?}");
        target.run(&desk, left[0].split("add it with: ").nth(1).unwrap());
        assert_eq!(notes(), Vec::<String>::new());
    }
}

#[test]
fn two_columns_that_would_go_to_one_are_refused_before_anything_is_written() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(
            &desk,
            "create table t (id integer primary key, a integer, b integer); insert into t values (1, 2, 3)",
        );
        target.run(&desk, "create table t (id integer primary key, a integer, b integer)");
        let mapped = |names: &str| format!(r#""tables": [{{ "name": "t", "field_mapping": {{ {names} }} }}],"#);
        desk.sync("one", &source.url(&desk), &target.url(&desk), &mapped(r#""a": "b""#));
        let checked = desk.rowsync(&["check", "one.json"]);
        assert_eq!(checked.code, Some(2), "{}", checked.stdout);
        let problems = checked.report()["tables"][0]["problems"].to_string();
        assert!(problems.contains("the columns a and b would both go to column b of table"), "{problems}");
        let ended = desk.rowsync(&["run", "one.json"]);
        assert_eq!(ended.report()["tables"][0]["errors"][0]["class"], "schema", "{}", ended.stdout);
        // Two that change places are no such columns.
        desk.sync("swapped", &source.url(&desk), &target.url(&desk), &mapped(r#""a": "b", "b": "a""#));
        assert_eq!(desk.run("swapped").totals(), (1, 0, 0));
        assert_eq!(target.lines(&desk, "select a || '|' || b from t"), ["3|2"]);
        assert_eq!(desk.run("swapped").totals(), (0, 0, 0));
    }
}
