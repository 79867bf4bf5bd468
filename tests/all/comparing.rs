//! Whatever the shape of the tables and of their differences, each way of comparing finds exactly what a full compare in
//! memory finds, between each pair of engines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::support::{Database, Desk};

/// The key's columns as SQL literals, and the value.
type Rows = BTreeMap<Vec<String>, String>;

/// Two tables with the same columns.
struct Case {
    name: &'static str,
    /// Types of the key's columns on PostgreSQL; on SQLite those of numbers are `integer`.
    key: &'static [&'static str],
    source: Rows,
    target: Rows,
}

/// What differs, by the oracle.
#[derive(Debug, PartialEq, Eq)]
struct Differences {
    missing: usize,
    extra: usize,
    different: usize,
}

impl Case {
    /// Whether the key is declared otherwise in the target than in the source.
    fn has_two_types(&self) -> bool {
        self.key.iter().any(|name| [SORTED_OTHERWISE, WIDER].contains(name))
    }

    fn differences(&self) -> Differences {
        Differences {
            missing: self.source.keys().filter(|key| !self.target.contains_key(*key)).count(),
            extra: self.target.keys().filter(|key| !self.source.contains_key(*key)).count(),
            different: self
                .source
                .iter()
                .filter(|(key, value)| self.target.get(*key).is_some_and(|t| t != *value))
                .count(),
        }
    }
}

fn numbers(keys: impl IntoIterator<Item = i64>) -> Rows {
    keys.into_iter().map(|key| (vec![key.to_string()], format!("'value {}'", key % 7))).collect()
}

/// The rows with some of them changed, left out or added: of `every` rows the first, at most `most` of them.
fn edited(rows: &Rows, every: usize, most: usize) -> Rows {
    let mut edited = rows.clone();
    for (place, key) in rows.keys().step_by(every.max(1)).take(most).enumerate() {
        match place % 3 {
            0 => edited.insert(key.clone(), "'edited'".into()),
            1 => edited.insert(key.clone(), "null".into()),
            _ => edited.remove(key),
        };
    }
    edited
}

fn case(name: &'static str, key: &'static [&'static str], source: Rows, target: Rows) -> Case {
    Case { name, key, source, target }
}

const NUMBER: &[&str] = &["bigint"];
/// Texts whose collation is another one in the target than in the source.
const SORTED_OTHERWISE: &str = "text that sorts otherwise";
/// A number that takes more bytes in the target than in the source.
const WIDER: &str = "a wider number";

fn cases() -> Vec<Case> {
    let base = numbers((0..3000).map(|i| i * 3));
    let share = |name, every| case(name, NUMBER, base.clone(), edited(&base, every, usize::MAX));
    let texts: Rows = (0..2000).map(|i| (vec![format!("'{}'", text_key(i))], format!("'{i}'"))).collect();
    let uuids: Rows = (0..2000u64).map(|i| (vec![uuid_key(i)], format!("'{i}'"))).collect();
    let pairs: Rows = (0..2000)
        .map(|i: i64| (vec![(i / 100).to_string(), format!("'{}'", text_key(i % 100))], format!("'{i}'")))
        .collect();
    let prefixes = prefixed_keys();
    let mut beyond = base.clone();
    beyond.extend(numbers([-5, -4, 9_000, 9_001, 1_000_000]));
    let mut clustered = base.clone();
    clustered.extend(edited(&numbers((1000..1100).map(|i| i * 3)), 1, usize::MAX));
    let widths = numbers((-32_768..32_768).step_by(41).chain([32_767]));
    let gaps = numbers((0..500).chain((0..500).map(|i| 4_000_000_000_000 + i)).chain([i64::MAX, i64::MIN]));
    vec![
        case("empty_both", NUMBER, Rows::new(), Rows::new()),
        case("empty_target", NUMBER, numbers(0..50), Rows::new()),
        case("empty_source", NUMBER, Rows::new(), numbers(0..50)),
        case("one_row", NUMBER, numbers([7]), edited(&numbers([7]), 1, 1)),
        case("one_row_each", NUMBER, numbers([7]), numbers([8])),
        case("none", NUMBER, base.clone(), base.clone()),
        case("first_row", NUMBER, base.clone(), edited(&base, usize::MAX, 1)),
        case("last_row", NUMBER, base.clone(), numbers((0..2999).map(|i| i * 3))),
        share("one_in_a_thousand", 1000),
        share("one_percent", 100),
        share("half", 2),
        case("nearly_all", NUMBER, base.clone(), edited(&base, 1, 2997)),
        share("every_row", 1),
        case("clustered", NUMBER, base.clone(), clustered),
        case("nothing_in_common", NUMBER, numbers(0..1500), numbers(5000..6500)),
        case("beyond_in_source", NUMBER, beyond.clone(), base.clone()),
        case("beyond_in_target", NUMBER, base.clone(), beyond),
        case("enormous_gaps", NUMBER, gaps.clone(), edited(&gaps, 97, 9)),
        case("negative", NUMBER, numbers(-2000..-500), edited(&numbers(-2000..-500), 211, 5)),
        case("texts", &["text"], texts.clone(), edited(&texts, 301, 6)),
        case("uuids", &["uuid"], uuids.clone(), edited(&uuids, 301, 6)),
        case("composite", &["integer", "text"], pairs.clone(), edited(&pairs, 301, 6)),
        case("composite_prefixes", &["text", "text", "integer"], prefixes.clone(), edited(&prefixes, 7, usize::MAX)),
        case("sorted_otherwise", &[SORTED_OTHERWISE], texts.clone(), edited(&texts, 97, usize::MAX)),
        case("widths", &[WIDER], widths.clone(), edited(&widths, 97, usize::MAX)),
        // Every row lies on a bound of some cut: neighbours of each edit stay as they are.
        case("on_every_bound", NUMBER, base.clone(), edited(&base, 20, usize::MAX)),
    ]
}

/// Keys that begin alike, and some that are the same letters cut elsewhere.
fn prefixed_keys() -> Rows {
    const PARTS: [&str; 6] = ["a", "aa", "aaa", "ab", "b", ""];
    let quoted = |part: &str| format!("'{part}'");
    let pairs = PARTS.iter().flat_map(|a| PARTS.iter().map(move |b| (*a, *b)));
    let keys = pairs.flat_map(|(a, b)| (0..20).map(move |i| vec![quoted(a), quoted(b), i.to_string()]));
    keys.enumerate().map(|(i, key)| (key, format!("'{i}'"))).collect()
}

/// Texts that collations sort otherwise than bytes do.
fn text_key(i: i64) -> String {
    const STARTS: [&str; 10] = ["a", "A", "ä", "Z", "z", "_", "-", "a b", "ab", "é|ß"];
    format!("{}{}", STARTS[(i % 10) as usize], i / 10)
}

fn uuid_key(i: u64) -> String {
    let mixed = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("'{:08x}-0000-4000-8000-{:012x}'", mixed >> 32, mixed & 0xffff_ffff_ffff)
}

fn statements(case: &Case, rows: &Rows, name_of_type: impl Fn(&str) -> String) -> String {
    let columns: Vec<String> =
        case.key.iter().enumerate().map(|(i, t)| format!("k{i} {} not null", name_of_type(t))).collect();
    let key: Vec<String> = (0..case.key.len()).map(|i| format!("k{i}")).collect();
    let mut sql =
        format!("create table {} ({}, v text, primary key ({}));\n", case.name, columns.join(", "), key.join(", "));
    for chunk in rows.iter().collect::<Vec<_>>().chunks(500) {
        let values: Vec<String> = chunk.iter().map(|(key, value)| format!("({}, {value})", key.join(", "))).collect();
        writeln!(sql, "insert into {} values {};", case.name, values.join(", ")).unwrap();
    }
    sql
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Source,
    Target,
}

fn type_in_sqlite(name: &str) -> String {
    match name {
        "uuid" | SORTED_OTHERWISE => "text".into(),
        WIDER => "integer".into(),
        name => name.replace("bigint", "integer"),
    }
}

fn type_in_postgres(name: &str, place: Place) -> String {
    let name = match (name, place) {
        (SORTED_OTHERWISE, Place::Source) => "text collate \"und-x-icu\"",
        (SORTED_OTHERWISE, Place::Target) => "text collate \"C\"",
        (WIDER, Place::Source) => "smallint",
        (WIDER, Place::Target) => "bigint",
        (name, _) => name,
    };
    name.into()
}

enum Engine {
    Sqlite,
    Postgres,
}

/// A database filled with one side of all cases.
struct Side {
    url: String,
    _database: Option<Database>,
}

fn fill(desk: &Desk, engine: &Engine, place: Place, cases: &[Case]) -> Side {
    let rows = |case: &'_ Case| if place == Place::Source { case.source.clone() } else { case.target.clone() };
    match engine {
        Engine::Sqlite => {
            let name = if place == Place::Source { "a.sqlite" } else { "b.sqlite" };
            let script: String = cases.iter().map(|case| statements(case, &rows(case), type_in_sqlite)).collect();
            desk.in_sqlite(name, &format!("begin; {script} commit;"));
            Side { url: desk.sqlite(name), _database: None }
        }
        Engine::Postgres => {
            let database = Database::new();
            let in_postgres = |name: &str| type_in_postgres(name, place);
            let script: String = cases.iter().map(|case| statements(case, &rows(case), in_postgres)).collect();
            database.script(&format!("begin; {script} commit; analyze;"));
            Side { url: database.url.clone(), _database: Some(database) }
        }
    }
}

/// Small enough that tables of a few thousand rows are cut several times.
const SMALL: &str =
    r#""binary_search_min_table_size": 10, "binary_search_read_batch": 20, "max_delete_percent": 100, "#;

fn check(source: &Engine, target: &Engine, methods: &[&str]) {
    let desk = Desk::new();
    let cases = cases();
    let a = fill(&desk, source, Place::Source, &cases);
    let b = fill(&desk, target, Place::Target, &cases);
    for method in methods {
        // Bytes and hashes of a server's own are compared between columns of the same types alone.
        let cases: Vec<&Case> =
            cases.iter().filter(|case| !["raw", "server"].contains(method) || !case.has_two_types()).collect();
        let tables: Vec<&str> = cases.iter().map(|case| case.name).collect();
        let more = format!(r#"{SMALL} "tables": {tables:?}, "compare_method": "{method}","#);
        desk.sync("compare", &a.url, &b.url, &more);
        let ended = desk.rowsync(&["verify", "compare.json"]);
        assert_eq!(ended.code, Some(3), "{method}: {}", ended.stderr);
        let report = ended.report();
        for case in cases {
            let table = report["tables"].as_array().unwrap().iter().find(|table| table["table"] == case.name).unwrap();
            let number = |name: &str| table[name].as_u64().unwrap() as usize;
            let found =
                Differences { missing: number("missing"), extra: number("extra"), different: number("different") };
            assert_eq!(found, case.differences(), "{method}: {table:#}");
        }
    }
    desk.run("compare");
    assert_eq!(desk.verify_code("compare"), Some(0));
    assert_eq!(desk.run("compare").totals(), (0, 0, 0));
}

#[test]
fn between_two_postgresql() {
    check(&Engine::Postgres, &Engine::Postgres, &["ordered", "stream", "portable", "raw", "server", "auto"]);
}

#[test]
fn between_sqlite_and_postgresql() {
    check(&Engine::Sqlite, &Engine::Postgres, &["ordered", "stream", "portable", "auto"]);
}

#[test]
fn between_postgresql_and_sqlite() {
    check(&Engine::Postgres, &Engine::Sqlite, &["ordered", "stream", "portable", "auto"]);
}

#[test]
fn between_two_sqlite() {
    check(&Engine::Sqlite, &Engine::Sqlite, &["ordered", "stream", "portable", "raw", "auto"]);
}

/// One row of 100,000, wherever it is.
#[test]
fn a_single_row_of_very_many_is_found() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    for database in [&source, &target] {
        database.sql(
            "create table t (id bigint primary key, v text);
             insert into t select i, 'value ' || i from generate_series(1, 100000) i",
        );
    }
    let edits = [
        ("update t set v = null where id = 1", (0, 0, 1)),
        ("delete from t where id = 100000", (1, 0, 0)),
        ("insert into t values (100001, 'extra')", (0, 1, 0)),
        ("update t set v = 'other' where id = 51201", (0, 0, 1)),
    ];
    let sum = "select count(*), md5(string_agg(id || '|' || coalesce(v, '~'), ',' order by id)) from t";
    for (edit, (missing, extra, different)) in edits {
        target.sql(edit);
        for method in ["ordered", "stream", "portable", "raw", "server", "auto"] {
            desk.sync("one", &source.url, &target.url, &format!(r#""compare_method": "{method}","#));
            let report = desk.rowsync(&["verify", "one.json"]).report();
            let table = &report["tables"][0];
            let found = ["missing", "extra", "different"].map(|name| table[name].as_u64().unwrap());
            assert_eq!(found, [missing, extra, different], "{edit} by {method}: {table:#}");
        }
        desk.run("one");
        assert_eq!(target.sql(sum), source.sql(sum), "{edit}");
    }
}

#[test]
fn a_method_that_the_pair_does_not_have_is_refused() {
    let desk = Desk::new();
    desk.in_sqlite("a.sqlite", "create table t (id integer primary key); insert into t values (1);");
    desk.in_sqlite("b.sqlite", "create table t (id integer primary key); insert into t values (2);");
    desk.sync("compare", &desk.sqlite("a.sqlite"), &desk.sqlite("b.sqlite"), r#""compare_method": "server","#);
    let ended = desk.rowsync(&["verify", "compare.json"]);
    let report = ended.report();
    let error = &report["tables"][0]["errors"][0];
    assert_eq!((ended.code, error["class"].as_str()), (Some(1), Some("schema")), "{report:#}");
    assert!(error["remedy"].as_str().unwrap().contains("auto"), "{error:#}");
}
