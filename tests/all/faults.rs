//! Real faults: each ends with both sides equal after the next run, or with a report that says what a person must do.

use std::process::{Child, Command, Stdio};

use crate::support::{Database, Desk};

/// A SQLite file with so many rows that a run takes a while.
fn long_source(desk: &Desk) -> String {
    desk.in_sqlite(
        "long.sqlite",
        "create table t (id integer primary key, v text not null);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 150000)
         insert into t select i, 'row number ' || i from n;",
    );
    desk.sqlite("long.sqlite")
}

const BATCH: u64 = 500;

/// Starts a long run and returns once it has written something, but not all.
fn started(desk: &Desk, target: &Database) -> Child {
    desk.sync("long", &long_source(desk), &target.url, &format!(r#""batch_size": {BATCH},"#));
    writing(desk, target)
}

/// Starts the sync `long` and returns once it has written to `t`.
#[allow(clippy::zombie_processes, reason = "the tests wait for it")]
pub fn writing(desk: &Desk, target: &Database) -> Child {
    let mut child = desk
        .command(&["run", "long.json", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    loop {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be disturbed");
        if target.sql("select to_regclass('t') is not null") == "t" && rows(target) > 0 {
            return child;
        }
    }
}

fn rows(target: &Database) -> u64 {
    target.sql("select count(*) from t").parse().unwrap()
}

pub fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn after_kill_nine_the_next_run_needs_no_manual_step() {
    let (desk, target) = (Desk::new(), Database::new());
    let mut child = started(&desk, &target);
    signal(&child, "-KILL");
    child.wait().unwrap();
    let written = rows(&target);
    assert!(written < 150_000 && written.is_multiple_of(BATCH), "{written}");
    assert_eq!(desk.run("long").totals(), (150_000 - written, 0, 0));
    assert_eq!(desk.verify_code("long"), Some(0));
}

#[test]
fn an_interrupt_ends_the_batch_in_hand_reports_and_exits_130() {
    let (desk, target) = (Desk::new(), Database::new());
    let child = started(&desk, &target);
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["status"], "interrupted");
    assert_eq!(rows(&target) % BATCH, 0);
    desk.run("long");
    assert_eq!(rows(&target), 150_000);
}

#[test]
fn a_wrong_password_is_told_without_showing_it() {
    let (desk, target) = (Desk::new(), Database::new());
    let (scheme, rest) = target.url.split_once("://").unwrap();
    let (_, host) = rest.split_once('@').unwrap();
    let url = format!("{scheme}://rowsync:not-the-secret@{host}");
    desk.sync("locked", &desk.sample("chinook.sqlite"), &url, "");
    let ended = desk.rowsync(&["run", "locked.json"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("target `b`") && ended.stderr.contains("password"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("not-the-secret"), "{}", ended.stderr);
}

#[test]
fn a_server_or_file_that_is_not_there_is_told_with_the_remedy() {
    let desk = Desk::new();
    let chinook = desk.sample("chinook.sqlite");
    for (source, target) in [
        (desk.sqlite("none.sqlite"), desk.sqlite("copy.sqlite")),
        (chinook.clone(), "postgres://nobody@127.0.0.1:1/none".to_owned()),
        (chinook, desk.sqlite("no/such/folder/copy.sqlite")),
    ] {
        desk.sync("gone", &source, &target, r#""retry_count": 0,"#);
        let ended = desk.rowsync(&["run", "gone.json"]);
        assert_eq!(ended.code, Some(4), "{target}: {}", ended.stderr);
        assert!(ended.stdout.is_empty());
    }
    assert!(!desk.path("copy.sqlite").exists(), "a source that is not there must not leave a target behind");
}

#[test]
fn a_table_that_is_not_there_is_named_with_the_nearest() {
    let desk = Desk::new();
    desk.sync("typo", &desk.sample("chinook.sqlite"), &desk.sqlite("copy.sqlite"), r#""tables": ["Artits"],"#);
    let ended = desk.rowsync(&["run", "typo.json"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("no table `Artits`") && ended.stderr.contains("did you mean `Artist`?"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_table_without_a_key_is_refused_and_the_others_go_on() {
    let desk = Desk::new();
    desk.in_sqlite("source.sqlite", "create table keyless (a, b); insert into keyless values (1, 2); create table keyed (id integer primary key); insert into keyed values (1)");
    desk.sync("keyless", &desk.sqlite("source.sqlite"), &desk.sqlite("target.sqlite"), "");
    let ended = desk.rowsync(&["run", "keyless.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.table("keyed"), (1, 0, 0));
    let report = ended.report();
    let error = &report["tables"][1]["errors"][0];
    assert!(error["remedy"].as_str().unwrap().contains("primary_key_field"), "{error}");
    let named = r#""tables": [{ "name": "keyless", "primary_key_field": "a" }],"#;
    desk.sync("named", &desk.sqlite("source.sqlite"), &desk.sqlite("target.sqlite"), named);
    assert_eq!(desk.run("named").totals(), (1, 0, 0));
}

#[test]
fn a_row_that_stops_its_table_leaves_no_half_batch() {
    let (desk, target) = (Desk::new(), Database::new());
    target.sql("create table t (id bigint primary key, v text not null constraint short check (length(v) < 18))");
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key, v text not null);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200) insert into t select i, 'ok' from n;
        update t set v = 'much too long for the rule' where id = 700;");
    desk.sync("rule", &desk.sqlite("s.sqlite"), &target.url, r#""batch_size": 500, "continue_on_error": false,"#);
    let ended = desk.rowsync(&["run", "rule.json"]);
    assert_eq!(ended.code, Some(1));
    // The batch behind it may have been under way.
    assert!([500, 700].contains(&rows(&target)));
    let text = ended.report()["tables"][0]["errors"][0].to_string();
    assert!(text.contains("short") && !text.contains("much too long"), "{text}");
    assert!(!ended.stderr.contains("much too long"), "{}", ended.stderr);
}

#[test]
fn values_that_do_not_fit_are_never_changed_in_silence() {
    let (desk, target) = (Desk::new(), Database::new());
    target.sql("create table t (id int primary key, price numeric(6,2), name varchar(5))");
    for (bad, column) in
        [("12.345", "price"), ("123456.7", "price"), ("'six chars'", "name"), ("'a' || char(0)", "name")]
    {
        desk.in_sqlite(
            "s.sqlite",
            &format!(
                "drop table if exists t; create table t (id integer primary key, price numeric, name text);
            insert into t (id, {column}) values (1, {bad});"
            ),
        );
        desk.sync("fit", &desk.sqlite("s.sqlite"), &target.url, "");
        let ended = desk.rowsync(&["run", "fit.json"]);
        assert_eq!((ended.code, rows(&target)), (Some(1), 0), "{bad}: {}", ended.stdout);
        assert!(
            ended.report()["tables"][0]["errors"][0]["message"].as_str().unwrap().contains(column),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn a_unique_value_that_moves_to_a_new_row_is_no_obstacle() {
    let desk = Desk::new();
    let table = "create table t (id integer primary key, email text unique);";
    desk.in_sqlite("s.sqlite", &format!("{table} insert into t values (1, 'a@x'), (9, 'b@x');"));
    desk.in_sqlite("t.sqlite", &format!("{table} insert into t values (1, 'a@x'), (2, 'b@x');"));
    desk.sync("unique", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), "");
    assert_eq!(desk.run("unique").totals(), (1, 0, 1));
    assert_eq!(desk.dump("t.sqlite", "t"), desk.dump("s.sqlite", "t"));
}

#[test]
fn rows_that_refer_to_later_rows_of_their_own_table_are_moved() {
    let desk = Desk::new();
    desk.in_sqlite(
        "s.sqlite",
        "create table node (id integer primary key, parent integer references node (id));
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 300)
         insert into node select i, null from n;
         update node set parent = 301 - id;",
    );
    desk.sync("tree", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), r#""batch_size": 50,"#);
    assert_eq!(desk.run("tree").totals(), (300, 0, 0));
    let warehouse = Database::new();
    desk.sync("far", &desk.sqlite("s.sqlite"), &warehouse.url, r#""batch_size": 50,"#);
    assert_eq!(desk.run("far").totals(), (300, 0, 0));
}

#[test]
fn only_sync_plan_touches_nothing() {
    let desk = Desk::new();
    desk.sync("planned", &desk.sample("chinook.sqlite"), &desk.sqlite("copy.sqlite"), r#""only_sync_plan": true,"#);
    let planned = desk.rowsync(&["run", "planned.json"]);
    assert_eq!((planned.code, planned.report()["status"].as_str()), (Some(0), Some("planned")));
    assert!(!desk.path("copy.sqlite").exists());
}

#[test]
fn a_run_of_two_files_tells_what_was_done_when_the_second_cannot_begin() {
    let desk = Desk::new();
    let source = desk.sample("chinook.sqlite");
    desk.sync("first", &source, &desk.sqlite("copy.sqlite"), "");
    desk.sync("second", &desk.sqlite("none.sqlite"), &desk.sqlite("other.sqlite"), "");
    let ended = desk.rowsync(&["run", "first.json", "second.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(4), (15_607, 0, 0)), "{}", ended.stderr);
}

#[test]
fn mass_deletes_need_a_word_from_a_person() {
    let (desk, target) = (Desk::new(), Database::new());
    let source = desk.sample("chinook.sqlite");
    desk.sync("rail", &source, &target.url, r#""tables": ["PlaylistTrack"],"#);
    desk.run("rail");
    desk.in_sqlite("chinook.sqlite", "delete from PlaylistTrack where PlaylistId <> 17");
    let refused = desk.rowsync(&["run", "rail.json"]);
    assert_eq!((refused.code, refused.totals()), (Some(1), (0, 0, 0)));
    assert!(refused.stdout.contains("--allow-mass-delete"));
    let allowed = desk.rowsync(&["run", "rail.json", "--allow-mass-delete"]);
    assert_eq!((allowed.code, allowed.totals()), (Some(0), (0, 0, 8689)));
}

#[test]
fn plan_and_check_and_verify_write_nothing() {
    let desk = Desk::new();
    desk.sync("look", &desk.sample("chinook.sqlite"), &desk.sqlite("copy.sqlite"), "");
    assert_eq!(desk.rowsync(&["check", "look.json"]).code, Some(0));
    let planned = desk.rowsync(&["plan", "look.json"]);
    assert_eq!((planned.code, planned.report()["status"].as_str()), (Some(0), Some("planned")));
    assert_eq!(planned.report()["tables"][0]["plan"]["reason"], "target empty => add all");
    assert!(!desk.path("copy.sqlite").exists() && !desk.path("look.state.sqlite").exists());
}

#[test]
fn verify_explains_each_difference() {
    let desk = Desk::new();
    desk.sync("explain", &desk.sample("chinook.sqlite"), &desk.sqlite("copy.sqlite"), "");
    desk.run("explain");
    desk.in_sqlite(
        "copy.sqlite",
        "update Artist set Name = 'AC-DC' where ArtistId = 1; delete from InvoiceLine where InvoiceLineId = 1",
    );
    let ended = desk.rowsync(&["verify", "explain.json", "--explain"]);
    assert_eq!(ended.code, Some(3));
    let report = ended.report();
    let artist = &report["tables"][1];
    assert_eq!((&artist["different"], &artist["samples"][0]["key"]["ArtistId"]), (&1.into(), &1.into()));
    let column = &artist["samples"][0]["columns"][0];
    assert_eq!(
        (&column["column"], &column["source"], &column["target"]),
        (&"Name".into(), &"AC/DC".into(), &"AC-DC".into())
    );
    assert!(column["rule"].as_str().is_some_and(|rule| !rule.is_empty()));
    assert_eq!(report["tables"][6]["missing"], 1);
}
