//! Somebody else writes to the target between the compare and the write. What they wrote is not overwritten before it was
//! compared as well, and either both sides end equal or the report says that somebody else writes.

use std::sync::Arc;

use serde_json::Value;

use crate::proxy::{Act, Proxy};
use crate::support::{Database, Desk, Ended, psql};

/// Of both engines: the row of the target that a change is about, and what another one does to it meanwhile.
struct Case {
    name: &'static str,
    source: &'static str,
    target: &'static str,
    meanwhile: &'static str,
    /// Added, modified, deleted by the run.
    totals: (u64, u64, u64),
}

/// The others make rows equal to the source where they can, so the run must not count them as its own.
const CASES: [Case; 5] = [
    Case {
        name: "update",
        source: "(1, 'new'), (2, 'b'), (3, 'c'), (4, 'd')",
        target: "(1, 'old'), (2, 'b'), (3, 'c'), (4, 'd')",
        meanwhile: "update t set v = 'new' where id = 1",
        totals: (0, 0, 0),
    },
    Case {
        name: "update_of_a_row_that_goes",
        source: "(1, 'new'), (2, 'b'), (3, 'c'), (4, 'd')",
        target: "(1, 'old'), (2, 'b'), (3, 'c'), (4, 'd')",
        meanwhile: "delete from t where id = 1",
        totals: (1, 0, 0),
    },
    Case {
        name: "delete",
        source: "(2, 'b'), (3, 'c'), (4, 'd')",
        target: "(1, 'old'), (2, 'b'), (3, 'c'), (4, 'd')",
        meanwhile: "update t set v = 'theirs' where id = 1",
        totals: (0, 0, 1),
    },
    Case {
        name: "insert",
        source: "(1, 'new'), (2, 'b'), (3, 'c'), (4, 'd')",
        target: "(2, 'b'), (3, 'c'), (4, 'd')",
        meanwhile: "insert into t values (1, 'new')",
        totals: (0, 0, 0),
    },
    Case {
        name: "insert_of_another",
        source: "(1, 'new'), (2, 'b'), (3, 'c'), (4, 'd')",
        target: "(2, 'b'), (3, 'c'), (4, 'd')",
        meanwhile: "insert into t values (1, 'theirs')",
        totals: (0, 1, 0),
    },
];

fn table(rows: &str) -> String {
    format!("create table t (id bigint primary key, v text); insert into t values {rows};")
}

fn notes(ended: &Ended) -> String {
    ended.report()["tables"][0]["notes"].to_string()
}

/// The run saw that somebody else was there, and both sides are equal.
fn told_and_equal(desk: &Desk, ended: &Ended, proxy: &Proxy, case: &Case) {
    assert_eq!((ended.code, proxy.done()), (Some(0), 1), "{}: {}\n{}", case.name, ended.stdout, ended.stderr);
    assert!(notes(ended).contains("1 rows of the target changed between compare and write"), "{}", notes(ended));
    assert_eq!(ended.totals(), case.totals, "{}: {}", case.name, ended.stdout);
    assert_eq!(desk.verify_code("others"), Some(0), "{}", case.name);
}

/// Two rows are read by one question, so the first one is compared, and not written, when the source is asked again.
const BY_TWO: &str = r#""batch_size": 2, "max_delete_percent": 100, "change_tracking": "none","#;

#[test]
fn rows_of_a_file_that_changed_meanwhile_are_compared_again() {
    for case in CASES {
        let (desk, source) = (Desk::new(), Database::new());
        source.sql(&table(case.source));
        desk.in_sqlite("t.sqlite", &table(case.target));
        let (path, meanwhile) = (desk.path("t.sqlite"), case.meanwhile);
        let write = move || rusqlite::Connection::open(path).unwrap().execute_batch(meanwhile).unwrap();
        let proxy = Proxy::before(&source.url).when("COPY (SELECT", 2, Act::Call(Box::new(write)));
        desk.sync("others", &proxy.url, &desk.sqlite("t.sqlite"), BY_TWO);
        let ended = desk.rowsync(&["run", "others.json"]);
        told_and_equal(&desk, &ended, &proxy, &case);
    }
}

/// What the server is about to hear when the others write: the very statement that changes the row.
fn statement(case: &Case) -> &'static str {
    match case.name {
        "delete" => "DELETE FROM",
        "insert" | "insert_of_another" => "FROM STDIN",
        _ => "AS rowsync_t SET",
    }
}

#[test]
fn rows_of_a_server_that_changed_meanwhile_are_compared_again() {
    for case in CASES {
        let (desk, target) = (Desk::new(), Arc::new(Database::new()));
        desk.in_sqlite("s.sqlite", &table(case.source));
        target.sql(&table(case.target));
        let (url, meanwhile) = (target.url.clone(), case.meanwhile);
        let write = move || drop(psql(&url, meanwhile));
        let proxy = Proxy::before(&target.url).when(statement(&case), 1, Act::Call(Box::new(write)));
        desk.sync("others", &desk.sqlite("s.sqlite"), &proxy.url, r#""max_delete_percent": 100,"#);
        let ended = desk.rowsync(&["run", "others.json"]);
        told_and_equal(&desk, &ended, &proxy, &case);
    }
}

#[test]
fn somebody_who_writes_again_and_again_is_told() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite("s.sqlite", &table("(1, 'new'), (2, 'b')"));
    target.sql(&table("(1, 'old'), (2, 'b')"));
    let write = |value: u8| {
        let url = target.url.clone();
        Act::Call(Box::new(move || drop(psql(&url, &format!("update t set v = '{value}' where id = 1")))))
    };
    let mut proxy = Proxy::before(&target.url).when("AS rowsync_t SET", 1, write(0));
    for round in 1..=3 {
        proxy = proxy.when("FOR UPDATE", usize::from(round), write(round));
    }
    desk.sync("others", &desk.sqlite("s.sqlite"), &proxy.url, "");
    let ended = desk.rowsync(&["run", "others.json"]);
    let report = ended.report();
    let error: &Value = &report["tables"][0]["errors"][0];
    assert_eq!((ended.code, proxy.done()), (Some(1), 4), "{report:#}");
    assert!(error["message"].as_str().unwrap().contains("somebody else writes to public.t: 1 rows"), "{error:#}");
    assert_eq!(report["tables"][0]["failed"], 1, "{report:#}");
    assert_eq!(target.sql("select v from t where id = 1"), "3");
}

#[test]
fn rows_of_a_view_bear_no_numbers_and_are_written_all_the_same() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite("s.sqlite", &table("(1, 'new'), (2, 'b')"));
    target.sql(&format!("{} create view w as select * from t", table("(1, 'old'), (2, 'b'), (3, 'extra')")));
    let more = r#""tables": [{ "name": "t", "target": "w", "primary_key_field": "id" }],"#;
    desk.sync("others", &desk.sqlite("s.sqlite"), &target.url, more);
    assert_eq!(desk.run("others").totals(), (0, 1, 1));
    assert_eq!(target.sql("select string_agg(id || v, ' ' order by id) from t"), "1new 2b");
}

/// The row that the target refuses is told, although a row before it in the batch is left alone.
#[test]
fn a_row_that_is_refused_beside_one_that_is_held_back_is_the_one_that_is_told() {
    let bad = "(1, 'new'), (2, 'b'), (3, 'bad'), (4, 'd')";
    let cases = [
        ("FROM STDIN", "(4, 'd')", "insert into t values (1, 'theirs')"),
        ("AS rowsync_t SET", "(1, 'old'), (2, 'old'), (3, 'old'), (4, 'd')", "update t set v = 'theirs' where id = 1"),
    ];
    for (says, rows, meanwhile) in cases {
        let (desk, target) = (Desk::new(), Database::new());
        desk.in_sqlite("s.sqlite", &table(bad));
        target.sql(&format!("{} alter table t add check (v <> 'bad')", table(rows)));
        let url = target.url.clone();
        let write = move || drop(psql(&url, meanwhile));
        let proxy = Proxy::before(&target.url).when(says, 1, Act::Call(Box::new(write)));
        desk.sync("others", &desk.sqlite("s.sqlite"), &proxy.url, "");
        let ended = desk.rowsync(&["run", "others.json"]);
        let report = ended.report();
        let errors = report["tables"][0]["errors"].as_array().unwrap();
        assert_eq!((ended.code, proxy.done(), errors.len()), (Some(1), 1, 1), "{says}: {report:#}");
        assert_eq!(errors[0]["key"]["id"], 3, "{says}: {report:#}");
        assert_eq!(
            target.sql("select string_agg(id || v, ' ' order by id) from t where id <> 3"),
            "1new 2b 4d",
            "{says}"
        );
    }
}
