//! Names that break whoever pastes them into a statement: tables and columns of such names are kept equal like any
//! other, and nothing beside them is touched.

use serde_json::json;

use crate::support::{Database, Desk, Side, sides};

/// Of 63 bytes, the longest that PostgreSQL keeps, with a letter of two bytes at the end.
const LONGEST: &str = "n23456789_123456789_123456789_123456789_123456789_123456789_1é";

const NAMES: [&str; 21] = [
    "qu\"ote\"",
    "it's",
    "a; drop table canary; --",
    "\"; drop table canary; --",
    "'); drop table canary; --",
    " two  words ",
    "select",
    "Order",
    "MiXed",
    LONGEST,
    "Grüße 日本語",
    "\u{200f}right\u{202e}left",
    "back\\slash\\",
    "100%",
    "$1",
    "?1",
    ":name",
    "main.dotted.name",
    "line\nbreak\ttab",
    "$$ [x] `y` {z} /* w",
    "$rowsync$; drop table canary; --",
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table of each name, whose key has that name too and whose other columns have all the others.
fn tables() -> String {
    let table = |name: &&str| {
        let columns: String = others(name).map(|other| format!(", {} text", quoted(other))).collect();
        format!("create table {} ({} integer primary key{columns});\n", quoted(name), quoted(name))
    };
    NAMES.iter().map(table).collect()
}

fn others(name: &str) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(move |other| *other != name)
}

fn fill() -> String {
    let fill = |name: &&'static str| {
        let values = |id: u8| format!("({id}{})", others(name).map(|_| format!(", 'v{id}'")).collect::<String>());
        let columns: Vec<String> = [*name].into_iter().chain(others(name)).map(quoted).collect();
        format!(
            "insert into {} ({}) values {}, {}, {};\n",
            quoted(name),
            columns.join(", "),
            values(1),
            values(2),
            values(3)
        )
    };
    NAMES.iter().map(fill).collect()
}

/// In each table one row is changed, one goes, and one comes.
fn change() -> String {
    let change = |name: &&str| {
        let (table, value) = (quoted(name), quoted(others(name).next().unwrap()));
        format!(
            "update {table} set {value} = 'changed' where {table} = 1; delete from {table} where {table} = 2;
             insert into {table} ({table}, {value}) values (4, 'new');\n"
        )
    };
    NAMES.iter().map(change).collect()
}

const CANARY: &str = "create table canary (id integer primary key); insert into canary values (1), (2);";

fn only_these() -> String {
    format!("\"tables\": {},", json!(NAMES))
}

fn contents(side: &Side, desk: &Desk, name: &str) -> Vec<String> {
    let value = quoted(others(name).next().unwrap());
    side.lines(desk, &format!("select {0} || '-' || {value} from {0} order by 1", quoted(name)))
}

#[test]
fn tables_and_columns_of_any_name_are_kept_equal_and_nothing_else_is_touched() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{CANARY} {} {}", tables(), fill()));
        target.run(&desk, CANARY);
        target.run(&desk, "delete from canary where id = 2");
        desk.sync("names", &source.url(&desk), &target.url(&desk), &only_these());
        let rows = NAMES.len() as u64;
        assert_eq!(desk.run("names").totals(), (3 * rows, 0, 0));
        assert_eq!(desk.run("names").totals(), (0, 0, 0));
        source.run(&desk, &change());
        assert_eq!(desk.run("names").totals(), (rows, rows, rows));
        assert_eq!((desk.run("names").totals(), desk.verify_code("names")), ((0, 0, 0), Some(0)));
        for name in NAMES {
            assert_eq!(contents(&target, &desk, name), ["1-changed", "3-v3", "4-new"], "{name}");
        }
        let canary = "select '' || id from canary order by id";
        assert_eq!((source.lines(&desk, canary).len(), target.lines(&desk, canary)), (2, vec!["1".to_owned()]));
    }
}

/// Triggers carry the names in text of their own.
#[test]
fn changes_of_tables_of_any_name_are_followed_by_their_log() {
    for source in [Side::File("s.sqlite"), Side::Server(Database::new())] {
        let desk = Desk::new();
        source.run(&desk, &format!("{CANARY} {} {}", tables(), fill()));
        let by_log = format!(r#"{} "sync_strategy": "incremental", "change_tracking": "triggers","#, only_these());
        desk.sync("log", &source.url(&desk), &desk.sqlite("t.sqlite"), &by_log);
        assert_eq!(desk.rowsync(&["track", "log.json", "install"]).code, Some(0));
        desk.run("log");
        source.run(&desk, &change());
        let ended = desk.rowsync(&["run", "log.json"]);
        let rows = NAMES.len() as u64;
        assert_eq!((ended.code, ended.totals()), (Some(0), (rows, rows, rows)), "{}", ended.stdout);
        let tables = ended.report()["tables"].as_array().unwrap().clone();
        assert!(tables.iter().all(|table| table["method"] == "incremental"), "{}", ended.stdout);
        assert_eq!(desk.verify_code("log"), Some(0));
        assert_eq!(source.lines(&desk, "select '' || id from canary order by id").len(), 2);
        assert_eq!(desk.rowsync(&["track", "log.json", "remove"]).code, Some(0));
    }
}

#[test]
fn what_was_done_to_tables_of_any_name_is_undone() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{CANARY} {} {}", tables(), fill()));
        desk.sync("undone", &source.url(&desk), &target.url(&desk), &format!("{} \"undo\": true,", only_these()));
        desk.run("undone");
        let before: Vec<_> = NAMES.iter().map(|name| contents(&target, &desk, name)).collect();
        source.run(&desk, &change());
        let execution = desk.run("undone").report()["execution_id"].as_str().unwrap().to_owned();
        let undone = desk.rowsync(&["undo", "undone.json", &execution]);
        assert_eq!(undone.code, Some(0), "{}{}", undone.stdout, undone.stderr);
        let after: Vec<_> = NAMES.iter().map(|name| contents(&target, &desk, name)).collect();
        assert_eq!(after, before);
    }
}

#[test]
fn a_nul_in_a_name_is_refused_before_anything_is_touched() {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key, v text); insert into t values (1, 'v')");
    for (more, place) in [
        (r#""tables": ["t\u0000x"],"#, "tables[0]"),
        (r#""tables": [{ "name": "t", "target": "t\u0000x" }],"#, "tables[0].target"),
        (r#""tables": [{ "name": "t", "field_mapping": { "v": "v\u0000x" } }],"#, "tables[0].field_mapping.v"),
        (r#""tables": ["t"], "primary_key_field": ["id\u0000"],"#, "primary_key_field[0]"),
        (r#""tables": ["t"], "target_where": "id > 0\u0000 or true",  "#, "target_where"),
    ] {
        desk.sync("nul", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), more);
        for command in ["plan", "run"] {
            let ended = desk.rowsync(&[command, "nul.json"]);
            assert_eq!(ended.code, Some(2), "{more}: {}", ended.stderr);
            assert!(ended.stderr.contains(&format!("{place}: a NUL character")), "{more}: {}", ended.stderr);
        }
        assert!(!desk.path("t.sqlite").exists(), "{more}");
    }
}

/// What the first table's report says is wrong, by a plan and by a run, which leave the other table alone.
fn refused(desk: &Desk, name: &str) -> String {
    let [planned, run] = ["plan", "run"].map(|command| {
        let ended = desk.rowsync(&[command, &format!("{name}.json")]);
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        let error = ended.report()["tables"][0]["errors"][0].clone();
        assert_eq!(error["class"], "schema", "{error}");
        format!("{}; {}", error["message"].as_str().unwrap(), error["remedy"].as_str().unwrap())
    });
    assert_eq!(planned, run);
    run
}

#[test]
fn a_name_that_a_server_would_cut_is_refused_and_the_other_tables_go_on() {
    let (desk, target) = (Desk::new(), Database::new());
    let long = format!("{LONGEST}x");
    desk.in_sqlite(
        "s.sqlite",
        &format!(
            "create table {long} (id integer primary key); create table a ({long} integer primary key);
             create table b (id integer primary key); insert into b values (1)"
        ),
    );
    for table in [long.as_str(), "a"] {
        let only = format!("\"tables\": {},", json!([table, "b"]));
        desk.sync("long", &desk.sqlite("s.sqlite"), &target.url, &only);
        let told = refused(&desk, "long");
        assert!(told.contains("has 64 bytes, and the target cuts names behind 63 bytes"), "{told}");
        assert!(told.contains("field_mapping"), "{told}");
    }
    assert_eq!(target.sql("select string_agg(relname, ' ') from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"), "b");
    assert_eq!(target.sql("select count(*) from b"), "1");
}

#[test]
fn a_column_that_a_server_has_by_itself_is_refused_and_the_other_tables_go_on() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite(
        "s.sqlite",
        "create table a (id integer primary key, xmin integer); create table b (id integer primary key);
         insert into a values (1, 2); insert into b values (1)",
    );
    desk.sync("own", &desk.sqlite("s.sqlite"), &target.url, "");
    assert!(refused(&desk, "own").contains("table a has the column xmin"));
    assert_eq!(target.sql("select count(*) from b"), "1");
    let other = r#""tables": [{ "name": "a", "field_mapping": { "xmin": "least" } }],"#;
    desk.sync("other", &desk.sqlite("s.sqlite"), &target.url, other);
    assert_eq!(desk.run("other").totals(), (1, 0, 0));
}

/// What a target refuses is known to it alone; the error used to end the run of all tables.
#[test]
fn a_table_or_column_that_the_target_refuses_to_make_parks_that_table_alone() {
    let desk = Desk::new();
    let source = Database::new();
    source.sql(
        "create table sqlite_own (id bigint primary key); create table b (id bigint primary key, v int);
         insert into sqlite_own values (1); insert into b values (1, 2)",
    );
    desk.sync("own", &source.url, &desk.sqlite("t.sqlite"), r#""tables": ["sqlite_own", "b"],"#);
    let ended = desk.rowsync(&["run", "own.json"]);
    assert_eq!((ended.code, ended.table("b")), (Some(1), (1, 0, 0)), "{}{}", ended.stdout, ended.stderr);
    let error = ended.report()["tables"][0]["errors"][0].to_string();
    assert!(error.contains("reserved for internal use: sqlite_own") && error.contains("rowsync schema"), "{error}");

    let target = Database::new();
    target.sql("create table a (id bigint primary key)");
    desk.in_sqlite("a.sqlite", "create table a (id integer primary key, xmin int); create table b (id integer primary key); insert into b values (1)");
    desk.sync("grown", &desk.sqlite("a.sqlite"), &target.url, r#""add_missing_columns": true,"#);
    let ended = desk.rowsync(&["run", "grown.json"]);
    assert_eq!((ended.code, ended.table("b")), (Some(1), (1, 0, 0)), "{}{}", ended.stdout, ended.stderr);
    let error = ended.report()["tables"][0]["errors"][0].to_string();
    assert!(error.contains("conflicts with a system column name"), "{error}");
}

#[test]
fn a_table_whose_key_is_left_out_is_not_made_and_the_other_tables_go_on() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(
            &desk,
            "create table a (x integer, y integer, primary key (x, y)); create table b (id integer primary key);
             insert into a values (1, 2); insert into b values (1)",
        );
        let without = r#""tables": [{ "name": "a", "exclude_fields": ["y"] }, "b"],"#;
        desk.sync("key", &source.url(&desk), &target.url(&desk), without);
        assert!(refused(&desk, "key").contains("key column y of table"));
        assert_eq!(target.lines(&desk, "select count(*) || '' from b"), ["1"]);
    }
}

#[test]
fn columns_that_differ_in_nothing_but_case_are_refused_where_they_would_be_one() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql("create table a (id bigint primary key, v text, \"V\" text); create table b (id bigint primary key)");
    desk.sync("case", &source.url, &desk.sqlite("t.sqlite"), r#""tables": ["a", "b"],"#);
    assert!(refused(&desk, "case").contains("has the columns v and V"));
    let other = r#""tables": [{ "name": "a", "field_mapping": { "V": "v2" } }],"#;
    desk.sync("other", &source.url, &desk.sqlite("t.sqlite"), other);
    source.sql("insert into a values (1, 'small', 'large')");
    desk.run("other");
    assert_eq!(desk.dump("t.sqlite", "a"), ["Integer(1)|Text(\"small\")|Text(\"large\")"]);
}

#[test]
fn two_tables_that_would_be_one_in_the_target_are_refused_before_one_deletes_the_others_rows() {
    let (desk, source) = (Desk::new(), Database::new());
    let tables = "create table \"Thing\" (id bigint primary key); create table thing (id bigint primary key);";
    source.sql(&format!("{tables} insert into \"Thing\" values (1); insert into thing values (2)"));
    let server = Database::new();
    server.sql("create table \"THING\" (id bigint primary key); insert into \"THING\" values (3)");
    desk.in_sqlite("t.sqlite", "create table thing (id integer primary key); insert into thing values (3)");
    let targets = [desk.sqlite("t.sqlite"), server.url.clone(), desk.sqlite("new.sqlite")];
    for (at, url) in targets.iter().enumerate() {
        desk.sync("twins", &source.url, url, "");
        let ended = desk.rowsync(&["run", "twins.json"]);
        assert_eq!(ended.code, Some(2), "{at}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains("each delete the other's rows"), "{at}: {}", ended.stderr);
    }
    assert_eq!(Side::File("t.sqlite").lines(&desk, "select '' || id from thing"), ["3"]);
    assert_eq!(server.sql("select id from \"THING\""), "3");
    let named = r#""tables": ["thing", { "name": "Thing", "target": "other" }],"#;
    desk.sync("named", &source.url, &desk.sqlite("new.sqlite"), named);
    assert_eq!(desk.run("named").totals(), (2, 0, 0));
}
