//! Tables that the target lacks: the statements that would make them, and the tables that are made.

use crate::support::{Database, Desk, Ended};

/// What `rowsync schema` prints, as a script.
fn script(desk: &Desk, name: &str) -> String {
    let ended = Ended::of(&mut desk.command(&["schema", &format!("{name}.json")]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

#[test]
fn what_schema_prints_for_a_server_makes_tables_that_a_run_fills() {
    let (desk, target) = (Desk::new(), Database::new());
    let source = desk.sample("chinook.sqlite");
    desk.sync("chinook", &source, &target.url, "");
    let made = script(&desk, "chinook");
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(target.sql(tables), "0", "nothing is executed");
    target.script(&made);
    assert_eq!(target.sql(tables), "11");
    assert_eq!(target.sql("select count(*) from pg_constraint where contype = 'f'"), "11");
    assert_eq!(desk.run("chinook").totals(), (15_607, 0, 0));
    let again = script(&desk, "chinook");
    assert!(!again.contains("CREATE") && again.contains("-- Track is there already"), "{again}");
}

#[test]
fn what_schema_prints_for_a_file_makes_tables_that_a_run_fills() {
    let (desk, source) = (Desk::new(), Database::filled("pagila.postgres.sql"));
    desk.sync("pagila", &source.url, &desk.sqlite("t.sqlite"), "");
    let made = script(&desk, "pagila");
    assert!(!desk.path("t.sqlite").exists(), "nothing is executed");
    desk.in_sqlite("t.sqlite", &made);
    assert_eq!(desk.run("pagila").totals(), (46_273, 0, 0));
}

#[test]
fn a_type_that_several_tables_have_is_printed_once() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(
        "create type mood as enum ('sad', 'glad');
         create table a (id int primary key, m mood); create table b (id int primary key, m mood, a int references a);
         insert into a values (1, 'sad'); insert into b values (1, 'glad', 1)",
    );
    desk.sync("moods", &source.url, &target.url, "");
    let report = desk.rowsync(&["schema", "moods.json"]).report();
    assert_eq!(report["tables"][0]["standing"], "missing");
    assert_eq!(report["tables"][1]["table"], "b", "parents come first");
    let made = script(&desk, "moods");
    assert_eq!(made.matches("CREATE TYPE").count(), 1, "{made}");
    target.script(&made);
    assert_eq!(desk.run("moods").totals(), (2, 0, 0));
}

#[test]
fn a_table_that_the_target_cannot_keep_is_told_instead() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite("s.sqlite", &format!("create table t (id integer primary key, {} int)", "c".repeat(70)));
    desk.sync("long", &desk.sqlite("s.sqlite"), &target.url, "");
    let ended = desk.rowsync(&["schema", "long.json"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.report()["tables"][0]["problem"].as_str().unwrap().contains("70 bytes"), "{}", ended.stdout);
}
