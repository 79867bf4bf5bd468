//! Tables without a key: compared as a multiset, whatever the order of their rows.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::support::{Database, Desk, Side, sides};

const TABLE: &str = "create table t (a integer, b varchar(40), c boolean);";

/// What `verify` says of `t` with these rows on both sides.
fn verified(source_rows: &str, target_rows: &str, mut look: impl FnMut(Option<i32>, Value)) {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} {source_rows}"));
        target.run(&desk, &format!("{TABLE} {target_rows}"));
        desk.sync("t", &source.url(&desk), &target.url(&desk), "");
        let ended = desk.rowsync(&["verify", "t.json", "--explain"]);
        look(ended.code, ended.report()["tables"][0].clone());
    }
}

/// Rows that are missing, and rows that are extra.
fn counts(table: &Value) -> (u64, u64, u64) {
    let count = |name: &str| table[name].as_u64().unwrap_or_else(|| panic!("{table}"));
    (count("missing"), count("extra"), count("different"))
}

#[test]
fn equal_rows_in_another_order_are_equal() {
    let rows =
        "insert into t values (1, 'x', true), (1, 'x', true), (null, null, null), (null, null, null), (2, '', false)";
    let turned =
        "insert into t values (2, '', false), (null, null, null), (1, 'x', true), (null, null, null), (1, 'x', true)";
    for (source, target) in [(rows, turned), ("", "")] {
        verified(source, target, |code, table| {
            assert_eq!((code, counts(&table), &table["verified"]), (Some(0), (0, 0, 0), &json!(true)), "{table}");
        });
    }
}

#[test]
fn a_row_that_is_there_twice_here_and_once_there_differs() {
    let twice = "insert into t values (1, 'x', true), (1, 'x', true), (2, 'y', null), (null, null, null)";
    let once =
        "insert into t values (1, 'x', true), (2, 'y', null), (2, 'y', null), (2, 'y', null), (null, null, null)";
    verified(twice, once, |code, table| {
        assert_eq!((code, counts(&table)), (Some(3), (1, 2, 0)), "{table}");
        let samples = table["samples"].as_array().unwrap();
        let shown = |sample: &Value| {
            let times = &sample["columns"][0];
            (sample["kind"].clone(), sample["key"]["b"].clone(), times["source"].clone(), times["target"].clone())
        };
        let shown: Vec<_> = samples.iter().map(shown).collect();
        let expected =
            [(json!("missing"), json!("x"), json!(2), json!(1)), (json!("extra"), json!("y"), json!(1), json!(3))];
        assert_eq!(shown, expected, "{table}");
    });
    verified("", once, |code, table| assert_eq!((code, counts(&table)), (Some(3), (0, 5, 0)), "{table}"));
}

/// With so little room that the tables are read in many stretches, and differing rows are counted in several turns.
#[test]
fn large_tables_are_compared_in_little_room() {
    let rows = |from: u64, to: u64| {
        format!(
            "insert into t with recursive n(i) as (select {from} union all select i + 1 from n where i < {to})
               select i / 3, 'a text that takes some room ' || (i / 3), null from n"
        )
    };
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} {}", rows(0, 8_999)));
        target.run(&desk, &format!("{TABLE} {}", rows(0, 8_999)));
        desk.sync(
            "t",
            &source.url(&desk),
            &target.url(&desk),
            r#""max_bytes_in_flight": 1048576, "max_parallel_tables": 8,"#,
        );
        assert_eq!(desk.verify_code("t"), Some(0));
        target.run(&desk, &format!("delete from t where a >= 2000; {}", rows(60_000, 62_999)));
        let table = desk.rowsync(&["verify", "t.json"]).report()["tables"][0].clone();
        assert_eq!(counts(&table), (3000, 3000, 0), "{table}");
        assert_eq!(table["samples"].as_array().unwrap().len(), 5, "{table}");
    }
}

/// With columns of which a server takes some by way of a staging table, and with one that the source lacks.
#[test]
fn full_replaces_all_rows_at_once_and_proves_it() {
    let (odd, more) =
        (TABLE.replace("c boolean", "c inet"), r#""sync_strategy": "full", "max_bytes_in_flight": 131072,"#);
    let rows = "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) select i / 2, 'v' || i / 2, null from n;
         insert into t values (7, 'x', '10.0.0.1'), (7, 'x', '10.0.0.1'), (null, null, null)";
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{odd} {rows}"));
        desk.sync("t", &source.url(&desk), &target.url(&desk), more);
        assert_eq!(desk.rowsync(&["check", "t.json"]).code, Some(0));
        let first = desk.run("t");
        assert_eq!(first.totals(), (2003, 0, 0), "{}", first.stdout);
        assert_eq!(first.report()["tables"][0]["verified"], true, "{}", first.stdout);
        assert_eq!(desk.verify_code("t"), Some(0));
        source.run(&desk, "delete from t where a = 7; update t set b = 'new' where a = 9");
        target.run(&desk, "insert into t values (1, 'theirs', null)");
        assert_eq!(desk.verify_code("t"), Some(3));
        assert_eq!(desk.run("t").totals(), (1999, 0, 2004));
        assert_eq!(desk.verify_code("t"), Some(0));
    }
}

#[test]
fn a_row_that_is_refused_leaves_the_old_rows() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} insert into t values (1, 'x', true), (2, 'y', true)"));
        target.run(
            &desk,
            "create table t (a integer check (a < 2), b varchar(40), c boolean); insert into t values (0, 'old', true)",
        );
        desk.sync("t", &source.url(&desk), &target.url(&desk), r#""sync_strategy": "full","#);
        let ended = desk.rowsync(&["run", "t.json"]);
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(target.lines(&desk, "select b from t"), ["old"]);
    }
}

#[test]
fn rows_of_partitions_are_rows_of_the_whole() {
    let (desk, parts) = (Desk::new(), Database::new());
    parts.sql(
        "create table t (a integer, b text) partition by list (a); create table t_1 partition of t for values in (1);
         create table t_2 partition of t for values in (2) partition by hash (b);
         create table t_3 partition of t_2 for values with (modulus 1, remainder 0);
         insert into t select 1 + i % 2, 'v' || i from generate_series(0, 9999) i",
    );
    let rows = "create table t (a integer, b text); with recursive n(i) as (select 0 union all select i + 1 from n where i < 9999)
         insert into t select 1 + i % 2, 'v' || i from n";
    desk.in_sqlite("t.sqlite", rows);
    desk.sync("t", &parts.url, &desk.sqlite("t.sqlite"), "");
    assert_eq!(desk.verify_code("t"), Some(0));
    parts.sql("update t set a = 2 where b = 'v0'");
    assert_eq!(counts(&desk.rowsync(&["verify", "t.json"]).report()["tables"][0]), (1, 1, 0));
}

#[test]
fn whatever_writes_or_plans_wants_a_key() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} insert into t values (1, 'x', true)"));
        target.run(&desk, TABLE);
        desk.sync("t", &source.url(&desk), &target.url(&desk), "");
        for command in ["run", "plan", "check"] {
            let ended = desk.rowsync(&[command, "t.json"]);
            assert!(ended.stdout.contains("all of them where no row is there twice"), "{command}: {}", ended.stdout);
        }
        let lines = target.lines(&desk, "select b from t");
        assert!(lines.is_empty(), "{lines:?}");
    }
}

/// A column may have the name by which SQLite finds a row; others are left.
#[test]
fn a_column_may_be_called_rowid() {
    let (desk, table) = (Desk::new(), "create table t (rowid text, OID text); insert into t values ('x', 'y')");
    let (source, target) = (Side::File("s.sqlite"), Side::File("t.sqlite"));
    [&source, &target].into_iter().for_each(|side| side.run(&desk, table));
    desk.sync("t", &source.url(&desk), &target.url(&desk), "");
    assert_eq!(desk.verify_code("t"), Some(0));
    target.run(&desk, "insert into t values ('x', 'y')");
    assert_eq!(desk.verify_code("t"), Some(3));
}

/// Every update lays its rows elsewhere, so that a look that does not stand still sees some of them twice, or never.
#[test]
fn rows_that_are_moved_meanwhile_are_seen_once() {
    let (desk, source) = (Desk::new(), Database::new());
    let rows = "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i, 'v' || i, null from n";
    source.sql(&format!("{TABLE} {rows}"));
    desk.in_sqlite("t.sqlite", &format!("{TABLE} {rows}"));
    desk.sync("t", &source.url, &desk.sqlite("t.sqlite"), r#""max_bytes_in_flight": 65536,"#);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                source.sql("update t set a = a");
                source.sql("vacuum t");
            }
        });
        let codes: Vec<Option<i32>> = (0..3).map(|_| desk.verify_code("t")).collect();
        done.store(true, Relaxed);
        assert_eq!(codes, [Some(0); 3]);
    });
}

/// Its rows lie nowhere, so parts of it are told by hashes; with so little room that there are many parts.
#[test]
fn views_without_a_key_are_compared_and_replaced() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(
            &desk,
            &format!(
                "{TABLE} create view v as select a, b, c from t union all select a, 'again', c from t;
                 insert into t with recursive n(i) as (select 0 union all select i + 1 from n where i < 2999)
                   select i / 3, 'a text that takes some room ' || (i / 3), null from n"
            ),
        );
        let more = r#""max_bytes_in_flight": 1048576, "max_parallel_tables": 8,
            "tables": [{ "name": "v", "sync_strategy": "full" }],"#;
        desk.sync("v", &source.url(&desk), &target.url(&desk), more);
        let run = desk.run("v");
        assert_eq!(run.totals(), (6_000, 0, 0), "{}", run.stdout);
        assert_eq!(desk.verify_code("v"), Some(0));
        source.run(&desk, "update t set b = 'other' where a = 7; insert into t values (null, null, null)");
        let table = desk.rowsync(&["verify", "v.json"]).report()["tables"][0].clone();
        assert_eq!(counts(&table), (5, 3, 0), "{table}");
        desk.run("v");
        let told = "select concat(count(*), ' ', count(b), ' ', sum(a)) from v";
        assert_eq!(target.lines(&desk, told), source.lines(&desk, told));
        let planned = desk.rowsync(&["plan", "v.json"]).report()["tables"][0]["plan"]["operations"].clone();
        assert_eq!((planned, desk.verify_code("v")), (json!(["replace"]), Some(0)));
    }
}

/// So many columns that the hash is made of some of them alone, and names that leave none to the number of a row.
#[test]
fn a_file_whose_columns_have_all_names_of_a_rows_number_is_compared() {
    let desk = Desk::new();
    let wide: Vec<String> = (0..1_500).map(|i| format!("c{i} int")).collect();
    let table = format!("create table t (rowid int, _rowid_ int, oid int, {});", wide.join(", "));
    let rows = "insert into t (rowid, c1499) values (1, 1), (1, 1), (2, 2), (null, null);";
    desk.in_sqlite("s.sqlite", &format!("{table} {rows}"));
    desk.in_sqlite("t.sqlite", &format!("{table} {rows} update t set c1499 = 3 where rowid = 2"));
    desk.sync("t", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), "");
    let table = desk.rowsync(&["verify", "t.json"]).report()["tables"][0].clone();
    assert_eq!(counts(&table), (1, 1, 0), "{table}");
}
