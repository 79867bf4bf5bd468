//! Searching the newest rows first: by key, and by modify time where an index leads to them. Whatever is looked at first,
//! both sides end with the same rows, which a dump of them by the databases' own clients says.

use crate::support::{Database, Desk, Ended};

const ROWS: i64 = 3000;
const LATER: &str = "'2030-01-01 00:00:00'";
const EARLIER: &str = "'2001-01-01 00:00:00'";
const UNKNOWN: &str = "null";

/// Odd numbers only, so that there is room between them.
fn table(index: &str) -> String {
    format!(
        "create table t (id bigint primary key, v text, modify_time timestamp); {index};
         insert into t with recursive n(i) as (select 1 union all select i + 2 from n where i < 2 * {ROWS} - 1)
           select i, 'v' || i, '2020-01-01 00:00:00' from n;"
    )
}

const INDEX: &str = "create index t_time on t (modify_time)";

/// Rows that one side gets after the first run, in the middle of the keys.
fn rows(time: &str) -> String {
    format!("insert into t values (1000, 'x', {time}), (2000, 'y', {time})")
}

enum Target {
    File,
    Server(Database),
}

impl Target {
    fn url(&self, desk: &Desk) -> String {
        match self {
            Target::File => desk.sqlite("t.sqlite"),
            Target::Server(database) => database.url.clone(),
        }
    }

    fn execute(&self, desk: &Desk, sql: &str) {
        match self {
            Target::File => desk.in_sqlite("t.sqlite", sql),
            Target::Server(database) => {
                database.script(&sql.replace("select i, 'v' || i, '2020", "select i, 'v' || i, timestamp '2020"));
            }
        }
    }

    fn keys(&self, desk: &Desk) -> Vec<String> {
        match self {
            Target::File => keys(desk, "t.sqlite"),
            Target::Server(database) => {
                database.sql("select id || v from t order by id").lines().map(str::to_owned).collect()
            }
        }
    }
}

fn keys(desk: &Desk, file: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(desk.path(file)).unwrap();
    let mut statement = connection.prepare("select id || v from t order by id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// How many steps the searches of the second run took. A run that deletes proves the rest with one step more.
fn iterations(ended: &Ended) -> u64 {
    ended.report()["tables"][0]["binary_search"]["iterations"].as_u64().unwrap()
}

const SMALL: &str = r#""tables": ["t"], "binary_search_min_table_size": 10, "binary_search_read_batch": 20,
    "binary_search_recent_first": 100, "trust_modify_id": true, "compare_method": "stream","#;

/// The second run, after one side got two rows more.
fn second_run(target: &Target, index: &str, source_gets: &str, target_gets: &str) -> Ended {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", &table(index));
    target.execute(&desk, &table(index));
    desk.sync("recent", &desk.sqlite("s.sqlite"), &target.url(&desk), SMALL);
    desk.run("recent");
    desk.in_sqlite("s.sqlite", source_gets);
    target.execute(&desk, target_gets);
    let ended = desk.run("recent");
    assert_eq!(keys(&desk, "s.sqlite"), target.keys(&desk));
    assert_eq!(target.keys(&desk).len() as i64, ROWS + if source_gets.is_empty() { 0 } else { 2 });
    target.execute(&desk, "drop table t");
    ended
}

fn targets() -> [Target; 2] {
    [Target::File, Target::Server(Database::new())]
}

#[test]
fn rows_to_delete_that_were_changed_last_are_found_by_an_index_at_once() {
    for target in targets() {
        let ended = second_run(&target, INDEX, "", &rows(LATER));
        assert_eq!((ended.totals(), iterations(&ended)), ((0, 0, 2), 2), "{}", ended.stdout);
        let line = "delete binary search 3002 records, search 100 recent first, need to find 2:";
        assert!(ended.stderr.contains(line), "{}", ended.stderr);
        assert!(ended.stderr.contains("3.3%↑100"), "{}", ended.stderr);
    }
}

#[test]
fn rows_to_add_that_were_changed_last_are_found_by_an_index_at_once() {
    for target in targets() {
        let ended = second_run(&target, INDEX, &rows(LATER), "");
        assert_eq!((ended.totals(), iterations(&ended)), ((2, 0, 0), 1), "{}", ended.stdout);
    }
}

#[test]
fn rows_that_are_not_among_those_that_were_changed_last_are_found_by_key() {
    for target in targets() {
        for (index, time) in [(INDEX, EARLIER), (INDEX, UNKNOWN), ("", LATER), ("", EARLIER)] {
            let ended = second_run(&target, index, "", &rows(time));
            assert_eq!(ended.totals(), (0, 0, 2), "{index} {time}: {}", ended.stdout);
            assert!(iterations(&ended) > 2, "{index} {time}: {}", ended.stdout);
        }
    }
}

#[test]
fn a_gap_that_hides_rows_on_the_other_side_is_seen_by_the_counts() {
    for target in targets() {
        // The target has two rows too much among the newest, and a third one elsewhere, in place of one of the source.
        let gets = format!("{}; delete from t where id = 5; insert into t values (6, 'z', {EARLIER})", rows(LATER));
        let ended = second_run(&target, INDEX, "", &gets);
        assert_eq!(ended.totals(), (1, 0, 3), "{}", ended.stdout);
    }
}
