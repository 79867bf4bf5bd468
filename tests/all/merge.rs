//! Merge: what either side has changed is on both afterwards, and only that.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Database, Desk, Ended};

pub const MERGE: &str = r#""sync_strategy": "merge","#;

const TABLES: &str = "
    create table parent (id bigint primary key, name text not null unique, note text);
    create table child (id bigint primary key, parent bigint not null references parent (id), amount numeric(10, 2),
        tag text);";

/// A database of either engine.
pub enum Side<'a> {
    Sqlite(&'a Desk, &'static str),
    Postgres(Database),
}

impl Side<'_> {
    pub fn engine(&self) -> &'static str {
        match self {
            Side::Sqlite(..) => "SQLite",
            Side::Postgres(_) => "PostgreSQL",
        }
    }

    pub fn url(&self) -> String {
        match self {
            Side::Sqlite(desk, name) => desk.sqlite(name),
            Side::Postgres(database) => database.url.clone(),
        }
    }

    pub fn sql(&self, sql: &str) {
        match self {
            Side::Sqlite(desk, name) => desk.in_sqlite(name, &format!("pragma foreign_keys = on; {sql}")),
            Side::Postgres(database) => drop(database.script(sql)),
        }
    }

    /// What a query tells, row by row.
    pub fn read(&self, sql: &str) -> Vec<String> {
        match self {
            Side::Sqlite(desk, name) => {
                let connection = rusqlite::Connection::open(desk.path(name)).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let columns = statement.column_count();
                let text = |value: rusqlite::types::Value| match value {
                    rusqlite::types::Value::Null => String::new(),
                    rusqlite::types::Value::Integer(i) => i.to_string(),
                    rusqlite::types::Value::Real(r) => r.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
                };
                let row = |row: &rusqlite::Row<'_>| {
                    Ok((0..columns).map(|i| text(row.get(i).unwrap())).collect::<Vec<_>>().join("|"))
                };
                statement.query_map([], row).unwrap().map(Result::unwrap).collect()
            }
            Side::Postgres(database) => database.sql(sql).lines().map(str::to_owned).collect(),
        }
    }
}

/// Two databases of their own for each pair of engines.
pub fn each_pair(check: impl Fn(&Desk, &Side<'_>, &Side<'_>)) {
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        let desk = Desk::new();
        let side = |postgres, name| {
            if postgres { Side::Postgres(Database::new()) } else { Side::Sqlite(&desk, name) }
        };
        check(&desk, &side(a, "a.sqlite"), &side(b, "b.sqlite"));
    }
}

pub fn two_files(desk: &Desk) -> (Side<'_>, Side<'_>) {
    (Side::Sqlite(desk, "a.sqlite"), Side::Sqlite(desk, "b.sqlite"))
}

pub fn sync(desk: &Desk, a: &Side<'_>, b: &Side<'_>, more: &str) {
    desk.sync("shop", &a.url(), &b.url(), &format!("{MERGE} {more}"));
}

/// What was written to each side: added, modified, deleted.
pub fn written(ended: &Ended, side: &str) -> (u64, u64, u64) {
    let report = ended.report();
    let sum = |name: &str| {
        let tables = report["tables"].as_array().unwrap().iter();
        tables.map(|table| table["merge"][side][name].as_u64().unwrap()).sum()
    };
    (sum("added"), sum("modified"), sum("deleted"))
}

pub fn total(ended: &Ended, name: &str) -> u64 {
    ended.report()["totals"][name].as_u64().unwrap()
}

fn shop(side: &Side<'_>) -> Vec<String> {
    let mut rows = side.read("select id, name, note from parent order by id");
    rows.extend(side.read("select id, parent, cast(amount * 100 as integer), tag from child order by id"));
    rows
}

const NOTHING: (u64, u64, u64) = (0, 0, 0);

#[test]
fn changes_of_both_sides_meet_on_both() {
    each_pair(|desk, a, b| {
        a.sql(TABLES);
        b.sql(TABLES);
        a.sql(
            "insert into parent values (1, 'one', null), (2, 'two', 'x'), (3, 'three', null);
            insert into child values (10, 1, 1.50, 'p'), (11, 2, 2, null), (12, 3, 3, null);",
        );
        b.sql("insert into parent values (4, 'four', null); insert into child values (13, 4, 4.25, 'q');");
        sync(desk, a, b, "");
        let first = desk.run("shop");
        assert_eq!((written(&first, "target"), written(&first, "source")), ((6, 0, 0), (2, 0, 0)), "{}", first.stdout);
        assert_eq!((shop(a), shop(a).len()), (shop(b), 8));
        a.sql("update parent set note = 'a' where id = 1; delete from child where id = 12; delete from parent where id = 3;
            insert into parent values (5, 'five', 'a'); insert into child values (14, 5, 5, 'a');");
        b.sql(
            "update parent set name = 'TWO' where id = 2; delete from child where id = 10;
            insert into parent values (6, 'six', 'b'); insert into child values (15, 1, 6, 'b');
            update child set amount = 9.99 where id = 13;",
        );
        let second = desk.run("shop");
        let both = (written(&second, "target"), written(&second, "source"));
        assert_eq!(both, ((2, 1, 2), (2, 2, 1)), "{}", second.stdout);
        let expected = [
            "1|one|a",
            "2|TWO|x",
            "4|four|",
            "5|five|a",
            "6|six|b",
            "11|2|200|",
            "13|4|999|q",
            "14|5|500|a",
            "15|1|600|b",
        ];
        assert_eq!((shop(a), shop(b)), (expected.map(str::to_owned).to_vec(), shop(a)));
        let third = desk.run("shop");
        assert_eq!((written(&third, "target"), written(&third, "source")), (NOTHING, NOTHING), "{}", third.stdout);
        assert_eq!((desk.verify_code("shop"), shop(a)), (Some(0), expected.map(str::to_owned).to_vec()));
    });
}

pub const ROWS: &str = "create table t (id bigint primary key, a text, b text, updated_at timestamp);";

/// Two sides that agree on these rows: `(1, 'a', 'b')` and so on.
pub fn agreed(desk: &Desk, a: &Side<'_>, b: &Side<'_>, rows: u32, more: &str) {
    let insert = |id| format!("insert into t values ({id}, 'a', 'b', '2026-01-01 00:00:00');");
    a.sql(&format!("{ROWS}{}", (1..=rows).map(insert).collect::<String>()));
    b.sql(ROWS);
    sync(desk, a, b, more);
    desk.run("shop");
}

pub fn rows(side: &Side<'_>) -> Vec<String> {
    side.read("select id, a, b from t order by id")
}

/// Each row is changed differently on both sides, the last two are deleted on one.
fn in_conflict(desk: &Desk, a: &Side<'_>, b: &Side<'_>, more: &str) {
    agreed(desk, a, b, 6, more);
    a.sql("update t set a = 'left'; update t set updated_at = '2026-01-03 00:00:00' where id = 1; delete from t where id = 5;");
    b.sql(
        "update t set a = 'right'; update t set updated_at = '2026-01-02 00:00:00'; delete from t where id = 6;
        update t set updated_at = '2026-01-01 00:00:00' where id = 3; update t set updated_at = null where id = 4;",
    );
}

fn check_rule(rule: &str, expected: &[&str]) {
    each_pair(|desk, a, b| {
        in_conflict(desk, a, b, &format!(r#""conflict_resolution": "{rule}","#));
        let ended = desk.run("shop");
        let decided = &ended.report()["tables"][0]["merge"]["decided"];
        assert_eq!((decided.as_u64(), total(&ended, "conflicts")), (Some(6), 0), "{}", ended.stdout);
        assert_eq!((rows(a), rows(b)), (expected.iter().map(|row| (*row).to_owned()).collect(), rows(a)), "{rule}");
        let again = desk.run("shop");
        assert_eq!((written(&again, "target"), written(&again, "source")), (NOTHING, NOTHING), "{}", again.stdout);
    });
}

#[test]
fn the_source_wins_where_it_is_to() {
    check_rule("source_wins", &["1|left|b", "2|left|b", "3|left|b", "4|left|b", "6|left|b"]);
}

#[test]
fn the_target_wins_where_it_is_to() {
    check_rule("target_wins", &["1|right|b", "2|right|b", "3|right|b", "4|right|b", "5|right|b"]);
}

/// 3 has the same time on both sides, 4 has none in the target, and 5 and 6 none where they are gone.
#[test]
fn the_later_change_wins_where_timestamps_decide() {
    check_rule("timestamp", &["1|left|b", "2|right|b", "3|left|b", "4|left|b", "5|right|b", "6|left|b"]);
}

#[test]
fn changes_of_different_columns_are_put_together_unless_that_is_switched_off() {
    for (by_columns, expected) in [(true, "1|left|right"), (false, "1|left|b")] {
        let desk = Desk::new();
        let (a, b) = two_files(&desk);
        agreed(&desk, &a, &b, 1, &format!(r#""merge_columns": {by_columns},"#));
        a.sql("update t set a = 'left', updated_at = '2026-01-02 00:00:00'");
        b.sql("update t set b = 'right', updated_at = '2026-01-03 00:00:00'");
        desk.run("shop");
        assert_eq!((rows(&a), rows(&b)), (vec![expected.to_owned()], rows(&a)));
    }
}

#[test]
fn a_first_merge_takes_what_both_have_and_decides_what_differs() {
    each_pair(|desk, a, b| {
        a.sql(&format!(
            "{ROWS} insert into t values (1, 'same', '', null), (2, 'left', '', null), (3, 'only', '', null);"
        ));
        b.sql(&format!(
            "{ROWS} insert into t values (1, 'same', '', null), (2, 'right', '', null), (4, 'only', '', null);"
        ));
        sync(desk, a, b, r#""conflict_resolution": "target_wins","#);
        desk.run("shop");
        let expected = ["1|same|", "2|right|", "3|only|", "4|only|"].map(str::to_owned).to_vec();
        assert_eq!((rows(a), rows(b)), (expected.clone(), expected));
    });
}

#[test]
fn a_side_that_is_suddenly_empty_deletes_nothing() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    agreed(&desk, &a, &b, 3, "");
    b.sql("delete from t");
    let refused = desk.rowsync(&["run", "shop.json"]);
    assert_eq!((refused.code, rows(&a).len()), (Some(1), 3), "{}", refused.stdout);
    assert!(refused.stdout.contains("its target is empty, and 3 rows were there"), "{}", refused.stdout);
    let allowed = desk.rowsync(&["run", "shop.json", "--allow-mass-delete"]);
    assert_eq!((allowed.code, rows(&a).len(), rows(&b).len()), (Some(0), 0, 0), "{}", allowed.stdout);
}

#[test]
fn more_deletes_than_allowed_are_refused_on_either_side() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    agreed(&desk, &a, &b, 200, "");
    b.sql("delete from t where id > 50; insert into t values (900, 'new', '', null);");
    let refused = desk.rowsync(&["run", "shop.json"]);
    assert_eq!((refused.code, rows(&a).len()), (Some(1), 201), "{}", refused.stdout);
    assert!(
        refused.stdout.contains("refused to delete 150 of 200 rows of the source of t (75 %)"),
        "{}",
        refused.stdout
    );
    let allowed = desk.rowsync(&["run", "shop.json", "--allow-mass-delete"]);
    assert_eq!((allowed.code, rows(&a).len(), rows(&b).len()), (Some(0), 51, 51), "{}", allowed.stdout);
}

#[test]
fn a_row_that_was_deleted_stays_deleted_and_may_come_again_as_a_new_one() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    agreed(&desk, &a, &b, 3, "");
    a.sql("delete from t where id = 2");
    desk.run("shop");
    assert_eq!((rows(&b).len(), desk.run("shop").totals()), (2, NOTHING));
    b.sql("insert into t values (2, 'again', '', null)");
    desk.run("shop");
    assert_eq!(rows(&a)[1], "2|again|");
}

#[test]
fn a_table_that_grows_in_its_midst_is_merged_in_smaller_pieces() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    agreed(&desk, &a, &b, 1, "");
    let many = |from: u32, step: u32| {
        format!(
            "with recursive n(i) as (select {from} union all select i + {step} from n where i < 20000)
             insert into t select i, 'n', '', null from n;"
        )
    };
    a.sql(&many(2, 2));
    b.sql(&many(3, 2));
    desk.run("shop");
    assert_eq!((rows(&a).len(), rows(&a) == rows(&b)), (20_001, true));
    b.sql("update t set a = 'changed' where id % 7000 = 0; delete from t where id % 5000 = 1;");
    let ended = desk.run("shop");
    assert_eq!((written(&ended, "target"), written(&ended, "source")), (NOTHING, (0, 2, 5)), "{}", ended.stdout);
    // What nobody has changed is not read.
    let quiet = desk.run("shop");
    let table = &quiet.report()["tables"][0];
    let read = (table["digest"].as_str(), table["bytes_read"].as_u64());
    assert_eq!((quiet.totals(), read), (NOTHING, (Some("portable"), Some(0))), "{}", quiet.stdout);
}

#[test]
fn a_rule_for_conflicts_needs_a_merge_and_a_merge_is_neither_filtered_nor_undone() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    a.sql(ROWS);
    b.sql(ROWS);
    desk.sync("shop", &a.url(), &b.url(), r#""conflict_resolution": "manual","#);
    let refused = desk.rowsync(&["run", "shop.json"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("only a merge knows conflicts"), "{}", refused.stderr);
    sync(&desk, &a, &b, r#""undo": true,"#);
    let refused = desk.rowsync(&["run", "shop.json"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("cannot be undone"), "{}", refused.stderr);
    sync(&desk, &a, &b, r#""where": "id > 5","#);
    let refused = desk.rowsync(&["run", "shop.json"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("merge the whole table"), "{}", refused.stderr);
}

#[test]
fn a_source_that_is_not_there_is_not_made() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    b.sql(ROWS);
    sync(&desk, &a, &b, "");
    assert_eq!(desk.rowsync(&["run", "shop.json"]).code, Some(4));
    assert!(!desk.path("a.sqlite").exists());
}

/// Killed once the target has its changes, and once both have theirs and the memory knows nothing of it yet.
#[test]
fn a_merge_that_was_killed_between_its_commits_goes_on_without_a_conflict() {
    each_pair(|desk, a, b| {
        agreed(desk, a, b, 4, r#""conflict_resolution": "manual","#);
        for (commits, name) in [("1", "one"), ("2", "two")] {
            a.sql(&format!("update t set a = '{name}' where id = 1"));
            b.sql(&format!("update t set b = '{name}' where id = 2; delete from t where id = 2 + {commits};"));
            let mut command = desk.command(&["run", "shop.json"]);
            command.env("ROWSYNC_HOLD_AT", format!("BatchCommitted:{commits}")).stderr(Stdio::piped());
            let mut child = command.stdout(Stdio::null()).spawn().unwrap();
            let held = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
            assert!(held.into_iter().any(|line| line.starts_with("held at")), "it ended before it was held");
            child.kill().unwrap();
            child.wait().unwrap();
            let next = desk.run("shop");
            assert_eq!((total(&next, "conflicts"), rows(a)), (0, rows(b)), "{}", next.stdout);
            assert_eq!((&rows(a)[0], &rows(a)[1]), (&format!("1|{name}|b"), &format!("2|a|{name}")));
            assert_eq!((desk.run("shop").totals(), rows(a).len()), (NOTHING, 4 - commits.parse::<usize>().unwrap()));
        }
    });
}

#[test]
fn numbers_that_a_postgresql_source_gives_move_past_rows_that_came_back() {
    let desk = Desk::new();
    let (a, b) = (Side::Postgres(Database::new()), Side::Postgres(Database::new()));
    for side in [&a, &b] {
        side.sql("create table t (id bigint generated by default as identity primary key, a text)");
    }
    b.sql("insert into t (a) select 'b' from generate_series(1, 9)");
    sync(&desk, &a, &b, "");
    desk.run("shop");
    a.sql("insert into t (a) values ('next')");
    assert_eq!(a.read("select id from t where a = 'next'"), ["10"]);
}
