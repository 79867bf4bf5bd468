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

fn cases() -> Vec<Case> {
    let base = numbers((0..3000).map(|i| i * 3));
    let share = |name, every| case(name, NUMBER, base.clone(), edited(&base, every, usize::MAX));
    let texts: Rows = (0..2000).map(|i| (vec![format!("'{}'", text_key(i))], format!("'{i}'"))).collect();
    let uuids: Rows = (0..2000u64).map(|i| (vec![uuid_key(i)], format!("'{i}'"))).collect();
    let pairs: Rows = (0..2000)
        .map(|i: i64| (vec![(i / 100).to_string(), format!("'{}'", text_key(i % 100))], format!("'{i}'")))
        .collect();
    let mut beyond = base.clone();
    beyond.extend(numbers([-5, -4, 9_000, 9_001, 1_000_000]));
    let mut clustered = base.clone();
    clustered.extend(edited(&numbers((1000..1100).map(|i| i * 3)), 1, usize::MAX));
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
        // Every row lies on a bound of some cut: neighbours of each edit stay as they are.
        case("on_every_bound", NUMBER, base.clone(), edited(&base, 20, usize::MAX)),
    ]
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

enum Engine {
    Sqlite,
    Postgres,
}

/// A database filled with one side of all cases.
struct Side {
    url: String,
    _database: Option<Database>,
}

fn fill(desk: &Desk, engine: &Engine, name: &str, cases: &[Case], rows: fn(&Case) -> &Rows) -> Side {
    match engine {
        Engine::Sqlite => {
            let in_sqlite = |t: &str| if t == "uuid" { "text".into() } else { t.replace("bigint", "integer") };
            let script: String = cases.iter().map(|case| statements(case, rows(case), in_sqlite)).collect();
            desk.in_sqlite(name, &format!("begin; {script} commit;"));
            Side { url: desk.sqlite(name), _database: None }
        }
        Engine::Postgres => {
            let database = Database::new();
            let script: String = cases.iter().map(|case| statements(case, rows(case), str::to_owned)).collect();
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
    let a = fill(&desk, source, "a.sqlite", &cases, |case| &case.source);
    let b = fill(&desk, target, "b.sqlite", &cases, |case| &case.target);
    for method in methods {
        desk.sync("compare", &a.url, &b.url, &format!(r#"{SMALL} "compare_method": "{method}","#));
        let ended = desk.rowsync(&["verify", "compare.json"]);
        assert_eq!(ended.code, Some(3), "{method}: {}", ended.stderr);
        let report = ended.report();
        for case in &cases {
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
