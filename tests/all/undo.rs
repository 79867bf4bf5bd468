//! Undo: what a run changed is put back, and only that.

use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use crate::kills::kill_held;
use crate::proxy::{Act, Proxy};
use crate::support::{Database, Desk, Ended};

const UNDO: &str = r#""undo": true,"#;

const TABLES: &str = "
    create table parent (id bigint primary key, name text not null unique, note text);
    create table child (id bigint primary key, parent bigint not null references parent (id), amount numeric(10, 2),
        tag text unique);";

const BEFORE: &str = "
    insert into parent values (1, 'one', null), (2, 'two', 'kept'), (3, 'three', null);
    insert into child values (10, 1, 1.50, 'x'), (11, 1, 2, null), (12, 2, null, null), (13, 3, 4.25, 'y');";

/// Against what stands there before: a parent and its children are gone, another one is changed, a child has moved to a
/// new parent, and a new child has the tag of one that is gone.
const AFTER: &str = "
    insert into parent values (2, 'two', 'changed'), (3, 'three', null), (4, 'four', 'new');
    insert into child values (12, 4, 9, null), (13, 3, 4.25, 'y'), (14, 4, 0.10, 'x');";

/// A database of either engine.
enum Side<'a> {
    Sqlite(&'a Desk, &'static str),
    Postgres(Database),
}

impl Side<'_> {
    fn url(&self) -> String {
        match self {
            Side::Sqlite(desk, name) => desk.sqlite(name),
            Side::Postgres(database) => database.url.clone(),
        }
    }

    fn sql(&self, sql: &str) {
        match self {
            Side::Sqlite(desk, name) => desk.in_sqlite(name, sql),
            Side::Postgres(database) => {
                database.script(sql);
            }
        }
    }

    fn dump(&self) -> Vec<String> {
        let tables = ["parent", "child"];
        match self {
            Side::Sqlite(desk, name) => tables.iter().flat_map(|table| desk.dump(name, table)).collect(),
            Side::Postgres(database) => {
                tables.iter().map(|table| database.sql(&format!("select * from {table} order by id"))).collect()
            }
        }
    }
}

/// A sync from a source that has changed to a target that is as before, run once; the run's id and the target before.
fn changed(desk: &Desk, source: &Side, target: &Side, more: &str) -> (String, Vec<String>) {
    source.sql(&format!("{TABLES}{AFTER}"));
    target.sql(&format!("{TABLES}{BEFORE}"));
    let before = target.dump();
    desk.sync(
        "shop",
        &source.url(),
        &target.url(),
        &if more.contains("\"undo\"") { more.to_owned() } else { format!("{UNDO} {more}") },
    );
    let ended = desk.run("shop");
    assert_eq!(ended.totals(), (2, 2, 3), "{}", ended.stdout);
    assert_ne!(target.dump(), before);
    (id(&ended), before)
}

fn id(ended: &Ended) -> String {
    ended.report()["execution_id"].as_str().unwrap().to_owned()
}

fn undo(desk: &Desk, execution_id: &str) -> Ended {
    desk.rowsync(&["undo", "shop.json", execution_id])
}

fn total(ended: &Ended, name: &str) -> u64 {
    ended.report()["totals"][name].as_u64().unwrap()
}

fn two_files(desk: &Desk) -> (Side<'_>, Side<'_>) {
    (Side::Sqlite(desk, "source.sqlite"), Side::Sqlite(desk, "target.sqlite"))
}

fn check_that_a_run_is_undone(desk: &Desk, source: &Side, target: &Side, more: &str) {
    let (run, before) = changed(desk, source, target, more);
    let after = target.dump();
    let undone = undo(desk, &run);
    assert_eq!(undone.code, Some(0), "{}\n{}", undone.stdout, undone.stderr);
    assert_eq!((undone.totals(), target.dump()), ((3, 2, 2), before.clone()));
    assert!(undone.report()["tables"].as_array().unwrap().iter().all(|table| table["verified"] == true));
    assert_eq!(undone.report()["undoes"], run);
    let again = undo(desk, &run);
    assert_eq!((again.code, again.totals(), total(&again, "skipped")), (Some(0), (0, 0, 0), 7), "{}", again.stdout);
    assert_eq!(target.dump(), before);
    let redone = undo(desk, &id(&undone));
    assert_eq!((redone.code, redone.totals()), (Some(0), (2, 2, 3)), "{}\n{}", redone.stdout, redone.stderr);
    assert_eq!((target.dump(), desk.verify_code("shop")), (after, Some(0)));
    let undone = undo(desk, &run);
    assert_eq!((undone.code, target.dump()), (Some(0), before), "{}", undone.stdout);
}

#[test]
fn a_run_is_undone_over_foreign_keys_and_the_undo_too() {
    let desk = Desk::new();
    let (source, target) = two_files(&desk);
    check_that_a_run_is_undone(&desk, &source, &target, "");
}

#[test]
fn a_run_into_postgresql_is_undone() {
    let desk = Desk::new();
    check_that_a_run_is_undone(&desk, &Side::Sqlite(&desk, "source.sqlite"), &Side::Postgres(Database::new()), "");
}

#[test]
fn a_run_from_postgresql_is_undone() {
    let desk = Desk::new();
    check_that_a_run_is_undone(&desk, &Side::Postgres(Database::new()), &Side::Sqlite(&desk, "target.sqlite"), "");
}

#[test]
fn a_run_between_two_of_postgresql_is_undone() {
    let desk = Desk::new();
    check_that_a_run_is_undone(&desk, &Side::Postgres(Database::new()), &Side::Postgres(Database::new()), "");
}

#[test]
fn a_run_is_undone_by_a_state_in_postgresql() {
    let (desk, state) = (Desk::new(), Database::new());
    let (source, target) = two_files(&desk);
    check_that_a_run_is_undone(&desk, &source, &target, &format!(r#""state": "{}","#, state.url));
    // A run, an undo, one with nothing left to do, its reverse with a look at it, and one more: all is kept here.
    assert_eq!(
        state.sql("select string_agg(command, ' ' order by id) from sync_executions"),
        "run undo undo undo verify undo"
    );
    assert_eq!(state.sql("select count(distinct execution_id), sum(octet_length(images)) > 0 from sync_undo"), "4|t");
    assert_eq!(state.sql("select count(*) from sync_leases"), "0");
}

#[test]
fn a_state_in_postgresql_keeps_no_more_for_undo_than_it_may() {
    let (desk, state) = (Desk::new(), Database::new());
    let (source, target) = two_files(&desk);
    source.sql(&format!("{TABLES}{AFTER}"));
    target.sql(&format!("{TABLES}{BEFORE}"));
    let more = format!(r#""state": "{}", "undo": true, "undo_max_bytes": 200,"#, state.url);
    desk.sync("shop", &source.url(), &target.url(), &more);
    let undone = undo(&desk, &id(&desk.run("shop")));
    assert_eq!(undone.code, Some(2));
    assert!(undone.stderr.contains("it alone takes more than `undo_max_bytes`"), "{}", undone.stderr);
    assert_eq!(state.sql("select count(*) from sync_undo"), "0");
}

#[test]
fn an_undo_stands_in_the_history_with_what_it_undoes() {
    let desk = Desk::new();
    let (source, target) = two_files(&desk);
    let (run, _) = changed(&desk, &source, &target, "");
    let undone = undo(&desk, &run);
    let history = desk.rowsync(&["history", "shop.json"]).report();
    let told = |at: usize, name: &str| history["executions"][at][name].clone();
    assert_eq!(
        (told(0, "command"), told(0, "undoes"), told(0, "status")),
        ("undo".into(), run.as_str().into(), "completed".into())
    );
    assert_eq!((told(1, "command"), told(1, "execution_id")), ("run".into(), run.as_str().into()));
    let again = desk.rowsync(&["history", "shop.json", &id(&undone)]);
    assert_eq!((again.code, &again.stdout), (Some(0), &undone.stdout));
    let text = Ended::of(&mut desk.command(&["history", "shop.json", &id(&undone)])).stdout;
    assert!(text.contains(&format!("Undo of {run}: 3 put back")), "{text}");
}

#[test]
fn the_beginning_of_an_id_is_enough_where_no_other_execution_begins_so() {
    let desk = Desk::new();
    let (source, target) = two_files(&desk);
    let (run, before) = changed(&desk, &source, &target, "");
    // It changes nothing, and nothing is kept of it. Whoever means it is not to undo the other one.
    let other = id(&desk.run("shop"));
    let shared = run.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let after = target.dump();
    let refused = undo(&desk, &run[..shared]);
    assert_eq!((refused.code, target.dump()), (Some(2), after.clone()));
    assert!(refused.stderr.contains("several executions begin with"), "{}", refused.stderr);
    let refused = undo(&desk, &other[..=shared]);
    assert!(refused.stderr.contains(&format!("nothing is kept of {other}")), "{}", refused.stderr);
    assert_eq!((undo(&desk, "").code, target.dump()), (Some(2), after));
    let undone = undo(&desk, &run[..=shared].to_uppercase());
    assert_eq!((undone.code, target.dump()), (Some(0), before), "{}", undone.stderr);
}

#[test]
fn a_first_fill_is_undone_whatever_form_its_rows_move_in() {
    for (source, target) in [(true, true), (false, false), (false, true)] {
        let desk = Desk::new();
        let side = |postgres, name| {
            if postgres { Side::Postgres(Database::new()) } else { Side::Sqlite(&desk, name) }
        };
        let (source, target) = (side(source, "source.sqlite"), side(target, "target.sqlite"));
        source.sql(&format!("{TABLES}{BEFORE}"));
        target.sql(TABLES);
        let before = target.dump();
        desk.sync("shop", &source.url(), &target.url(), UNDO);
        let run = id(&desk.run("shop"));
        let undone = undo(&desk, &run);
        assert_eq!((undone.code, undone.totals()), (Some(0), (0, 0, 7)), "{}", undone.stdout);
        assert_eq!(target.dump(), before);
    }
}

#[test]
fn a_row_that_somebody_changed_since_is_a_conflict_and_stays() {
    let desk = Desk::new();
    let (source, target) = (Side::Sqlite(&desk, "source.sqlite"), Side::Postgres(Database::new()));
    let (run, _) = changed(&desk, &source, &target, "");
    target
        .sql("update child set amount = 77 where id = 12; insert into parent values (1, 'other', 'put there by hand')");
    let undone = undo(&desk, &run);
    assert_eq!((undone.code, total(&undone, "conflicts")), (Some(1), 2), "{}", undone.stdout);
    let report = undone.report();
    let errors: Vec<_> =
        report["tables"].as_array().unwrap().iter().flat_map(|table| table["errors"].as_array()).collect();
    let told = |id: u64| errors.iter().any(|errors| errors.iter().any(|error| error["key"]["id"] == id));
    assert!(told(12) && told(1), "{}", undone.stdout);
    let Side::Postgres(database) = &target else { unreachable!() };
    assert_eq!(database.sql("select parent, amount from child where id = 12"), "4|77.00");
    assert_eq!(database.sql("select name from parent where id = 1"), "other");
    // Children of the row that was put there by hand are there again, as it has the key that they refer to.
    assert_eq!(database.sql("select count(*) from child where id in (10, 11)"), "2");
    // Parent 4 cannot go as long as child 12 refers to it.
    assert_eq!((total(&undone, "failed"), database.sql("select count(*) from parent where id = 4")), (1, "1".into()));
}

#[test]
fn a_run_that_is_killed_at_a_commit_is_undone() {
    // The server carries out what it hears from a process that is gone.
    check_that_a_killed_run_is_undone("COMMIT", 0);
}

#[test]
fn a_run_that_is_killed_before_a_commit_is_undone() {
    // Images of the batch are kept, and it was never committed.
    check_that_a_killed_run_is_undone("UPDATE \"public\".\"t\"", 100);
}

/// Each step of an undo is a batch of its own: what is put back already is as before for the next one.
fn check_that_a_killed_undo_is_finished_by_the_next(target: impl Fn(&Desk) -> Side<'_>) {
    let uninterrupted = 7;
    let held =
        [("BatchBegun", 1), ("BatchWritten", 1), ("BatchCommitted", 1), ("BatchBegun", 3), ("BatchCommitted", 3)];
    for (phase, nth) in held {
        let desk = Desk::new();
        let (source, target) = (Side::Sqlite(&desk, "source.sqlite"), target(&desk));
        let (run, before) = changed(&desk, &source, &target, r#""batch_size": 1, "delete_batch_size": 1,"#);
        let after = target.dump();
        let mut killed = desk.command(&["undo", "shop.json", &run]);
        let killed =
            killed.env("ROWSYNC_HOLD_AT", format!("{phase}:{nth}")).stdout(Stdio::null()).stderr(Stdio::piped());
        kill_held(killed.spawn().unwrap(), phase);
        assert_ne!(target.dump(), before, "{phase} {nth}");
        assert_eq!(target.dump() == after, nth == 1 && phase != "BatchCommitted", "{phase} {nth}");
        let undone = undo(&desk, &run);
        assert_eq!((undone.code, target.dump()), (Some(0), before.clone()), "{phase} {nth}: {}", undone.stdout);
        let (put_back, changed_back, removed) = undone.totals();
        let all = put_back + changed_back + removed + total(&undone, "skipped");
        assert_eq!((all, total(&undone, "conflicts")), (uninterrupted, 0), "{phase} {nth}: {}", undone.stdout);
        assert!(undone.report()["tables"].as_array().unwrap().iter().all(|table| table["verified"] == true));
    }
}

#[test]
fn an_undo_of_a_file_that_was_killed_is_finished_by_the_next() {
    check_that_a_killed_undo_is_finished_by_the_next(|desk| Side::Sqlite(desk, "target.sqlite"));
}

#[test]
fn an_undo_in_a_server_that_was_killed_is_finished_by_the_next() {
    check_that_a_killed_undo_is_finished_by_the_next(|_| Side::Postgres(Database::new()));
}

fn check_that_a_killed_run_is_undone(at: &'static str, uncommitted: u64) {
    const ROWS: u64 = 4_000;
    let (desk, database) = (Desk::new(), Database::new());
    let rows = |v: &str| {
        format!(
            "create table t (id bigint primary key, v text not null);
             with recursive n (i) as (select 1 union all select i + 1 from n where i < {ROWS})
             insert into t select i, '{v} ' || i from n;"
        )
    };
    desk.in_sqlite("source.sqlite", &rows("new"));
    database.script(&rows("old"));
    let process = Arc::new(OnceLock::<u32>::new());
    let known = Arc::clone(&process);
    let kill = move || {
        let kill = Command::new("kill").args(["-KILL", &known.wait().to_string()]).status();
        assert!(kill.unwrap().success());
    };
    let proxy = Proxy::before(&database.url).when(at, 9, Act::Call(Box::new(kill)));
    // Pages of any other method may be cut at other places, and batches with them.
    let more = r#""undo": true, "batch_size": 100, "compare_method": "ordered","#;
    desk.sync("shop", &desk.sqlite("source.sqlite"), &proxy.url, more);
    let mut running = desk.command(&["run", "shop.json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    process.set(running.id()).unwrap();
    assert!(!running.wait().unwrap().success());
    // Until the server has noticed that nobody is there.
    let others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend'";
    while database.sql(others) != "0" {}
    let changed: u64 = database.sql("select count(*) from t where v like 'new%'").parse().unwrap();
    assert!((100..ROWS).contains(&changed), "{changed}");
    let list = desk.rowsync(&["undo", "shop.json"]).report();
    let undone = undo(&desk, list["executions"][0]["execution_id"].as_str().unwrap());
    assert_eq!((undone.code, total(&undone, "modified")), (Some(0), changed), "{}\n{}", undone.stdout, undone.stderr);
    assert_eq!(total(&undone, "skipped"), uncommitted);
    assert_eq!(database.sql("select count(*) from t where v = 'old ' || id"), ROWS.to_string());
}

#[test]
fn columns_that_are_not_synced_come_back_with_a_deleted_row_and_stay_with_a_changed_one() {
    for postgres in [false, true] {
        let desk = Desk::new();
        let source = Side::Sqlite(&desk, "source.sqlite");
        let target = if postgres { Side::Postgres(Database::new()) } else { Side::Sqlite(&desk, "target.sqlite") };
        source.sql(
            "create table parent (id integer primary key, name text);
                    create table child (id integer primary key, v text);
                    insert into parent values (1, 'new');",
        );
        target.sql(
            "create table parent (id bigint primary key, own text default 'none', name text);
                    create table child (id bigint primary key, v text);
                    insert into parent values (1, 'mine', 'old'), (2, 'of 2', 'gone');",
        );
        desk.sync("shop", &source.url(), &target.url(), UNDO);
        let (before, run) = (target.dump(), id(&desk.run("shop")));
        target.sql("update parent set own = 'later' where id = 1");
        let undone = undo(&desk, &run);
        assert_eq!((undone.code, undone.totals()), (Some(0), (1, 1, 0)), "{}", undone.stdout);
        let expected: Vec<String> = before.iter().map(|rows| rows.replace("mine", "later")).collect();
        assert_eq!(target.dump(), expected);
    }
}

#[test]
fn nothing_is_kept_where_undo_is_off() {
    let desk = Desk::new();
    let (source, target) = two_files(&desk);
    let (run, _) = changed(&desk, &source, &target, r#""undo": false,"#);
    let after = target.dump();
    let undone = undo(&desk, &run);
    assert_eq!((undone.code, target.dump()), (Some(2), after));
    assert!(undone.stderr.contains("ran without `undo`"), "{}", undone.stderr);
    let list = desk.rowsync(&["undo", "shop.json"]);
    assert_eq!((list.code, list.report()["executions"].as_array().unwrap().len()), (Some(0), 0));
}

#[test]
fn a_run_that_changes_more_than_may_be_kept_is_given_up_as_a_whole() {
    let desk = Desk::new();
    let (source, target) = two_files(&desk);
    source.sql(&format!("{TABLES}{AFTER}"));
    target.sql(&format!("{TABLES}{BEFORE}"));
    desk.sync("shop", &source.url(), &target.url(), r#""undo": true, "undo_max_bytes": 200,"#);
    let ended = desk.run("shop");
    assert!(ended.stderr.contains("cannot be undone"), "{}", ended.stderr);
    let after = target.dump();
    let undone = undo(&desk, &id(&ended));
    assert_eq!((undone.code, target.dump()), (Some(2), after));
    assert!(undone.stderr.contains("it alone takes more than `undo_max_bytes`"), "{}", undone.stderr);
}

#[test]
fn a_table_whose_columns_changed_since_is_left_as_it_is() {
    let desk = Desk::new();
    let (source, target) = two_files(&desk);
    let (run, _) = changed(&desk, &source, &target, "");
    target.sql("alter table child add column later text");
    let undone = undo(&desk, &run);
    assert_eq!(undone.code, Some(1), "{}", undone.stdout);
    assert!(undone.stdout.contains("child is left as it is: its columns"), "{}", undone.stdout);
}

#[test]
fn the_next_run_after_an_undo_finds_the_differences_again() {
    let desk = Desk::new();
    let (source, target) = two_files(&desk);
    let (run, _) = changed(&desk, &source, &target, r#""trust_modify_id": true,"#);
    let after = target.dump();
    assert_eq!(undo(&desk, &run).code, Some(0));
    assert_eq!(desk.run("shop").totals(), (2, 2, 3));
    assert_eq!(target.dump(), after);
}
