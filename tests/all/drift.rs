//! Tables that change, are locked or forbidden while a run is at work: theirs is parked with a remedy, the others go on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::proxy::{Act, Proxy};
use crate::support::{Database, Desk, psql};

/// Does something to a database when it is told so.
fn doing(url: &str, sql: &'static str) -> Act {
    let url = url.to_owned();
    Act::Call(Box::new(move || drop(psql(&url, sql))))
}

/// Parent, child, and a table that has nothing to do with them.
fn family(desk: &Desk) -> String {
    desk.in_sqlite(
        "s.sqlite",
        "create table parent (id integer primary key, v text);
         create table child (id integer primary key, parent integer references parent);
         create table stranger (id integer primary key);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) insert into parent select i, 'v' || i from n;
         insert into child select id, id from parent; insert into stranger select id from parent;",
    );
    desk.sqlite("s.sqlite")
}

fn status(report: &serde_json::Value, table: &str) -> String {
    let tables = report["tables"].as_array().unwrap();
    tables.iter().find(|t| t["table"] == table).unwrap()["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_target_that_changes_while_it_is_written_parks_its_table_and_blocks_its_children() {
    for (sql, says) in [
        ("drop table parent cascade", "table public.parent is gone"),
        ("alter table parent drop column v", "column \"v\" is gone"),
        ("alter table parent rename column v to w", "column \"v\" is gone"),
    ] {
        let (desk, target) = (Desk::new(), Database::new());
        let proxy = Proxy::before(&target.url).when("COPY \"public\".\"parent\"", 1, doing(&target.url, "select 1"));
        // Between two batches, when no transaction of ours holds the table.
        let proxy = proxy.when("BEGIN ISOLATION LEVEL READ COMMITTED", 6, doing(&target.url, sql));
        let one = r#""batch_size": 500, "max_parallel_tables": 1, "tables": ["parent", "child", "stranger"],"#;
        desk.sync("drift", &family(&desk), &proxy.url, one);
        let ended = desk.rowsync(&["run", "drift.json"]);
        let report = ended.report();
        assert_eq!((ended.code, proxy.done()), (Some(1), 2), "{}", ended.stderr);
        let error = &report["tables"][0]["errors"][0];
        assert_eq!(error["class"], "schema", "{error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert!(error["remedy"].as_str().unwrap().contains("rowsync check"), "{error}");
        assert_eq!((status(&report, "child"), status(&report, "stranger")), ("blocked".into(), "completed".into()));
    }
}

#[test]
fn a_source_that_changes_before_it_is_read_parks_its_table() {
    for (sql, says) in [
        ("drop table t", "the source's table public.t is gone"),
        ("alter table t rename column v to w", "the source's column \"v\" is gone"),
    ] {
        let (desk, source) = (Desk::new(), Database::new());
        source.sql("create table t (id int primary key, v text); insert into t values (1, 'x'); create table u (id int primary key)");
        let proxy = Proxy::before(&source.url).when("pg_export_snapshot", 1, doing(&source.url, sql));
        desk.sync("drift", &proxy.url, &desk.sqlite("t.sqlite"), "");
        let ended = desk.rowsync(&["run", "drift.json"]);
        assert_eq!((ended.code, proxy.done()), (Some(1), 1), "{}", ended.stderr);
        let report = ended.report();
        let error = &report["tables"][0]["errors"][0];
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(status(&report, "u"), "completed");
    }
}

#[test]
fn a_table_of_a_server_cannot_be_dropped_or_altered_while_it_is_read() {
    for sql in ["drop table t", "alter table t drop column v", "alter table t alter id type numeric"] {
        let (desk, source) = (Desk::new(), Database::new());
        source.sql(
            "create table t (id bigint primary key, v text);
             insert into t select i, 'v' || i from generate_series(1, 3000) i",
        );
        let url = source.url.clone();
        let impatient = Act::Call(Box::new(move || {
            let sql = format!("set lock_timeout = 100; {sql}");
            let output =
                Command::new("psql").args(["-qX", "-v", "ON_ERROR_STOP=1", &url, "-c", &sql]).output().unwrap();
            assert!(String::from_utf8_lossy(&output.stderr).contains("lock timeout"), "{output:?}");
        }));
        let proxy = Proxy::before(&source.url).after(40_000, impatient);
        desk.sync("drift", &proxy.url, &desk.sqlite("t.sqlite"), r#""batch_size": 500, "timeout": 20,"#);
        let ended = desk.run("drift");
        assert_eq!((proxy.done(), ended.totals()), (1, (3000, 0, 0)), "{sql}: {}", ended.stderr);
        // And as soon as nobody reads it, it can.
        source.sql(sql);
    }
}

#[test]
fn a_file_whose_table_is_dropped_while_it_is_read_is_read_to_its_end() {
    let (desk, target) = (Desk::new(), Database::new());
    family(&desk);
    desk.in_sqlite("s.sqlite", "pragma journal_mode = wal");
    let file = desk.path("s.sqlite");
    let drop = Act::Call(Box::new(move || {
        rusqlite::Connection::open(file).unwrap().execute_batch("drop table stranger").unwrap();
    }));
    let proxy = Proxy::before(&target.url).when("COPY \"public\".\"stranger\"", 3, drop);
    desk.sync("drift", &desk.sqlite("s.sqlite"), &proxy.url, r#""batch_size": 500, "tables": ["stranger"],"#);
    let ended = desk.run("drift");
    assert_eq!((proxy.done(), ended.totals()), (1, (3000, 0, 0)), "{}", ended.stderr);
    let next = desk.rowsync(&["run", "drift.json"]);
    assert_eq!(next.code, Some(2), "{}", next.stderr);
    assert!(next.stderr.contains("no table `stranger`"), "{}", next.stderr);
    assert_eq!(target.sql("select count(*) from stranger"), "3000");
}

#[test]
fn a_table_without_permission_is_parked_and_its_neighbour_is_not() {
    let (desk, target) = (Desk::new(), Database::new());
    let name = target.sql("select 'guest_' || current_database()");
    target.sql(&format!(
        "create table a (id int primary key); create table b (id int primary key);
         create role {name} login password 'guest'; grant select on a, b to {name}; grant insert, update, delete on b to {name}"
    ));
    desk.in_sqlite("s.sqlite", "create table a (id integer primary key); insert into a values (1); create table b as select 1 id; drop table b; create table b (id integer primary key); insert into b values (1)");
    let (_, rest) = target.url.split_once('@').unwrap();
    desk.sync("guest", &desk.sqlite("s.sqlite"), &format!("postgres://{name}:guest@{rest}"), "");
    let ended = desk.rowsync(&["run", "guest.json"]);
    target.sql(&format!("drop owned by {name}; drop role {name}"));
    let report = ended.report();
    assert_eq!((status(&report, "a"), status(&report, "b")), ("failed".into(), "completed".into()), "{}", ended.stderr);
    assert!(report["tables"][0]["errors"][0]["remedy"].as_str().unwrap().contains("permission"));
}

#[test]
fn a_locked_file_is_waited_for() {
    let desk = Desk::new();
    desk.in_sqlite("t.sqlite", "pragma journal_mode = wal; create table t (id integer primary key, v)");
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key, v); insert into t values (1, 1), (2, 2)");
    desk.sync(
        "locked",
        &desk.sqlite("s.sqlite"),
        &desk.sqlite("t.sqlite"),
        r#""timeout": 0.05, "retry_delay": 20, "retry_count": 1000,"#,
    );
    let lock = rusqlite::Connection::open(desk.path("t.sqlite")).unwrap();
    lock.execute_batch("begin immediate").unwrap();
    let mut child = desk
        .command(&["run", "locked.json", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("sync connection failed") && line.contains("holds a lock")));
    lock.execute_batch("rollback").unwrap();
    // Read to the end, so that nobody waits for us.
    let rest = lines.count();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{rest} more lines");
    assert_eq!(desk.dump("t.sqlite", "t").len(), 2);
}

#[test]
fn a_file_that_stays_locked_is_told_with_the_remedy() {
    let desk = Desk::new();
    desk.in_sqlite("t.sqlite", "pragma journal_mode = wal; create table t (id integer primary key)");
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key); insert into t values (1)");
    desk.sync(
        "locked",
        &desk.sqlite("s.sqlite"),
        &desk.sqlite("t.sqlite"),
        r#""timeout": 0.05, "retry_delay": 1, "retry_count": 2,"#,
    );
    let lock = rusqlite::Connection::open(desk.path("t.sqlite")).unwrap();
    lock.execute_batch("begin immediate").unwrap();
    let ended = desk.rowsync(&["run", "locked.json"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains("less busy"), "{}", ended.stderr);
}

#[test]
fn a_file_that_may_only_be_read_is_refused_before_anything_is_done() {
    let desk = Desk::new();
    desk.in_sqlite("t.sqlite", "create table t (id integer primary key, v)");
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key, v); insert into t values (1, 1)");
    desk.sync("readonly", &desk.sqlite("s.sqlite"), &format!("{}?mode=ro", desk.sqlite("t.sqlite")), "");
    let ended = desk.rowsync(&["run", "readonly.json"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert!(told.contains("mode=ro") && told.contains("can be written"), "{told}");
    assert!(desk.dump("t.sqlite", "t").is_empty());
}
