//! Incremental runs by modify time: what is read again, what the counts find, and what is said of it.

use crate::support::{Database, Desk, Ended};

const INCREMENTAL: &str = r#""sync_strategy": "incremental", "tables": ["t"],"#;

/// A thousand rows, the newest of them changed at noon.
const TABLE: &str = "create table t (id bigint primary key, v text, modify_time timestamp);
     insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
       select i, 'v' || i, TIME '2024-03-01 12:00:00' from n;";

enum Source {
    File,
    Server(Database),
}

impl Source {
    fn all() -> [Source; 2] {
        [Source::File, Source::Server(Database::new())]
    }

    fn url(&self, desk: &Desk) -> String {
        match self {
            Source::File => desk.sqlite("s.sqlite"),
            Source::Server(database) => database.url.clone(),
        }
    }

    fn execute(&self, desk: &Desk, sql: &str) {
        match self {
            Source::File => desk.in_sqlite("s.sqlite", &sql.replace("TIME ", "")),
            Source::Server(database) => drop(database.script(&sql.replace("TIME ", "timestamp "))),
        }
    }
}

/// A desk with two equal tables, and a run that is remembered.
fn synced(source: &Source) -> Desk {
    let desk = Desk::new();
    source.execute(&desk, TABLE);
    desk.sync("i", &source.url(&desk), &desk.sqlite("t.sqlite"), INCREMENTAL);
    desk.run("i");
    desk
}

fn told(ended: &Ended, what: &str) -> bool {
    ended.report()["tables"][0]["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains(what))
}

fn method(ended: &Ended) -> String {
    ended.report()["tables"][0]["method"].as_str().unwrap().to_owned()
}

#[test]
fn rows_of_the_newest_moment_and_of_late_commits_are_read_again() {
    for source in Source::all() {
        let desk = synced(&source);
        // One bears the newest moment itself, the other one that lies five minutes before it.
        source.execute(
            &desk,
            "insert into t values (1001, 'same moment', TIME '2024-03-01 12:00:00');
             update t set v = 'late commit', modify_time = TIME '2024-03-01 11:55:00' where id = 7;",
        );
        let ended = desk.run("i");
        assert_eq!((ended.totals(), method(&ended).as_str()), ((1, 1, 0), "incremental"), "{}", ended.stdout);
        assert!(told(&ended, "only rows changed by modify time were compared"), "{}", ended.stdout);
        assert_eq!(desk.verify_code("i"), Some(0));
    }
}

#[test]
fn what_changed_longer_ago_than_the_overlap_is_left_alone() {
    for source in Source::all() {
        let desk = synced(&source);
        source.execute(&desk, "update t set v = 'x', modify_time = TIME '2024-03-01 11:59:30' where id = 7");
        let run = |overlap: &str| desk.rowsync(&["run", "i.json", "--set", overlap]).totals();
        assert_eq!(run("modify_time_overlap_seconds=20"), (0, 0, 0));
        assert_eq!(run("modify_time_overlap_seconds=40"), (0, 1, 0));
    }
}

#[test]
fn a_deleted_row_shows_in_the_counts_and_leads_to_a_full_compare() {
    for source in Source::all() {
        let desk = synced(&source);
        source.execute(&desk, "delete from t where id = 500");
        let ended = desk.run("i");
        assert_eq!(ended.totals(), (0, 0, 1));
        assert!(told(&ended, "fallback full compare on mismatch: the counts differ"), "{}", ended.stdout);
        assert_eq!(desk.verify_code("i"), Some(0));
    }
}

#[test]
fn a_deleted_row_is_an_error_where_no_full_compare_is_wanted() {
    let source = Source::File;
    let desk = synced(&source);
    source.execute(&desk, "delete from t where id = 500");
    let ended = desk.rowsync(&["run", "i.json", "--set", "fallback_full_compare_on_mismatch=false"]);
    assert_eq!((ended.code, ended.totals()), (Some(1), (0, 0, 0)), "{}", ended.stdout);
}

#[test]
fn a_row_from_the_future_does_not_hide_later_changes() {
    for source in Source::all() {
        let desk = synced(&source);
        source.execute(&desk, "update t set modify_time = TIME '2999-01-01 00:00:00' where id = 1");
        desk.run("i");
        let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        source.execute(&desk, &format!("update t set v = 'now', modify_time = TIME '{now}' where id = 2"));
        let ended = desk.run("i");
        assert_eq!((ended.totals(), method(&ended).as_str()), ((0, 1, 0), "incremental"), "{}", ended.stdout);
    }
}

#[test]
fn without_a_modify_time_the_table_is_compared_and_that_is_said() {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key, v); insert into t values (1, 'a'), (2, 'b')");
    desk.sync("i", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), INCREMENTAL);
    desk.run("i");
    desk.in_sqlite("s.sqlite", "update t set v = 'c' where id = 2");
    let ended = desk.run("i");
    assert_eq!(ended.totals(), (0, 1, 0));
    assert!(told(&ended, "nothing tells which rows have changed"), "{}", ended.stdout);
}

#[test]
fn moments_that_are_kept_as_text_are_followed_too() {
    let desk = Desk::new();
    desk.in_sqlite(
        "s.sqlite",
        "create table t (id integer primary key, v text, modify_time text);
         insert into t values (1, 'a', '2024-03-01T12:00:00'), (2, 'b', '2024-03-01T11:00:00')",
    );
    desk.sync("i", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), INCREMENTAL);
    desk.run("i");
    desk.in_sqlite("s.sqlite", "update t set v = 'c', modify_time = '2024-03-01T12:00:00' where id = 2");
    let ended = desk.run("i");
    assert_eq!((ended.totals(), method(&ended).as_str()), ((0, 1, 0), "incremental"), "{}", ended.stdout);
}
