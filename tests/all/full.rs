//! The strategy `full`: all rows are replaced in one transaction, or none.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::support::{Database, Desk};

const FULL: &str = r#""sync_strategy": "full", "tables": ["t"], "batch_size": 300,"#;

fn rows(count: u32, mark: &str) -> String {
    format!(
        "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) select i, '{mark}' || i from n;"
    )
}

enum Target {
    File,
    Server(Database),
}

impl Target {
    fn all() -> [Target; 2] {
        [Target::File, Target::Server(Database::new())]
    }

    fn url(&self, desk: &Desk) -> String {
        match self {
            Target::File => desk.sqlite("t.sqlite"),
            Target::Server(database) => database.url.clone(),
        }
    }

    fn execute(&self, desk: &Desk, sql: &str) {
        match self {
            Target::File => desk.in_sqlite("t.sqlite", sql),
            Target::Server(database) => drop(database.script(sql)),
        }
    }

    /// Rows, and one of them.
    fn seen(&self, desk: &Desk) -> String {
        let sql = "select count(*) || ' ' || coalesce(max(v), '-') from t";
        match self {
            Target::File => {
                let connection = rusqlite::Connection::open(desk.path("t.sqlite")).unwrap();
                connection.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Target::Server(database) => database.sql(sql),
        }
    }
}

const TABLE: &str = "create table t (id bigint primary key, v text);";

/// A source of 2000 new rows and a target of 2500 old ones.
fn desk(target: &Target, table: &str, more: &str) -> Desk {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", &format!("{TABLE}{}", rows(2000, "new")));
    target.execute(&desk, &format!("{table}{}", rows(2500, "old")));
    desk.sync("f", &desk.sqlite("s.sqlite"), &target.url(&desk), &format!("{FULL}{more}"));
    desk
}

#[test]
fn readers_see_the_old_rows_or_the_new_ones_and_never_an_empty_table() {
    for target in Target::all() {
        let desk = desk(&target, TABLE, "");
        let done = AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut seen = Vec::new();
                while !done.load(SeqCst) {
                    seen.push(target.seen(&desk));
                }
                seen
            });
            let ended = desk.run("f");
            done.store(true, SeqCst);
            let seen = watching.join().unwrap();
            assert!(seen.iter().all(|seen| seen == "2500 old999" || seen == "2000 new999"), "{seen:?}");
            ended
        });
        let report = ended.report();
        assert_eq!(
            (ended.totals(), &report["tables"][0]["plan"]["operations"]),
            ((2000, 0, 2500), &serde_json::json!(["replace"]))
        );
        assert_eq!((target.seen(&desk).as_str(), desk.verify_code("f")), ("2000 new999", Some(0)));
    }
}

#[test]
fn a_run_that_fails_half_way_leaves_the_target_as_it_was() {
    for target in Target::all() {
        let desk = desk(&target, "create table t (id bigint primary key, v text check (v <> 'new1999'));", "");
        let ended = desk.rowsync(&["run", "f.json"]);
        assert_eq!((ended.code, ended.totals()), (Some(1), (0, 0, 0)), "{}", ended.stdout);
        assert_eq!(target.seen(&desk), "2500 old999");
    }
}

/// Only what the filter names is replaced; it once took the whole table.
#[test]
fn rows_outside_the_filter_are_not_replaced() {
    for more in ["", r#""truncate_target": true,"#] {
        for target in Target::all() {
            let desk = Desk::new();
            desk.in_sqlite("s.sqlite", &format!("{TABLE}{}", rows(2000, "new")));
            target.execute(&desk, &format!("{TABLE}{} insert into t values (9001, 'theirs');", rows(2500, "old")));
            let filtered = r#""sync_strategy": "full", "batch_size": 300, "tables": [{ "name": "t", "where": "id < 9000",
                "target_where": "id < 9000" }],"#;
            desk.sync("f", &desk.sqlite("s.sqlite"), &target.url(&desk), &format!("{filtered}{more}"));
            assert_eq!((desk.run("f").totals(), target.seen(&desk).as_str()), ((2000, 0, 2500), "2001 theirs"));
            assert_eq!(desk.verify_code("f"), Some(0));
        }
    }
}

#[test]
fn an_undo_brings_back_what_was_replaced_unless_that_is_switched_off() {
    for target in Target::all() {
        let desk = desk(&target, TABLE, "");
        let ended = desk.run("f");
        assert_eq!(ended.totals(), (2000, 0, 2500));
        let id = ended.report()["execution_id"].as_str().unwrap().to_owned();
        let undone = desk.rowsync(&["undo", "f.json", &id]);
        assert_eq!((undone.code, target.seen(&desk).as_str()), (Some(0), "2500 old999"), "{}", undone.stdout);
        let off = desk.rowsync(&["run", "f.json", "--set", "undo=false"]).report()["execution_id"].clone();
        let refused = desk.rowsync(&["undo", "f.json", off.as_str().unwrap()]);
        assert_eq!((refused.code, target.seen(&desk).starts_with("2000 ")), (Some(2), true), "{}", refused.stderr);
    }
}

#[test]
fn a_table_that_others_refer_to_keeps_the_rows_that_stay() {
    for target in Target::all() {
        let children = "create table c (id bigint primary key, t bigint references t on delete cascade);";
        let desk = desk(&target, &format!("{TABLE}{children}"), "");
        target.execute(&desk, "insert into c values (1, 5), (2, 6)");
        let ended = desk.run("f");
        assert!(ended.stdout.contains("foreign keys refer to the table"), "{}", ended.stdout);
        assert_eq!((ended.totals(), desk.verify_code("f")), ((0, 2000, 500), Some(0)));
        target.execute(&desk, "update c set id = id + 10 where t in (5, 6)");
    }
}

#[test]
fn a_target_that_is_emptied_first_ends_as_equal() {
    for target in Target::all() {
        let desk = desk(&target, TABLE, r#""truncate_target": true,"#);
        assert_eq!((desk.run("f").totals(), desk.verify_code("f")), ((2000, 0, 2500), Some(0)));
    }
}

#[test]
fn a_source_that_lost_most_of_its_rows_replaces_nothing() {
    for target in Target::all() {
        let desk = desk(&target, TABLE, "");
        desk.in_sqlite("s.sqlite", "delete from t where id > 1000");
        let ended = desk.rowsync(&["run", "f.json"]);
        assert_eq!((ended.code, target.seen(&desk).as_str()), (Some(1), "2500 old999"), "{}", ended.stdout);
        let ended = desk.rowsync(&["run", "f.json", "--allow-mass-delete"]);
        assert_eq!((ended.code, target.seen(&desk).as_str()), (Some(0), "1000 new999"), "{}", ended.stdout);
    }
}

#[test]
fn several_tables_of_one_file_are_replaced_side_by_side_in_little_memory() {
    let desk = Desk::new();
    let tables = |mark: &str, count| {
        let table = |name: &str| {
            format!("{TABLE}{}", rows(count, mark))
                .replace("table t", &format!("table {name}"))
                .replace("into t", &format!("into {name}"))
        };
        ["a", "b", "c", "d", "e"].map(table).concat()
    };
    desk.in_sqlite("s.sqlite", &tables("new", 2000));
    desk.in_sqlite("t.sqlite", &tables("old", 2000));
    let more = r#""sync_strategy": "full", "batch_size": 100, "max_bytes_in_flight": 65536, "tables": ["a", "b", "c", { "name": "d", "sync_strategy": "compare" }, "e"],"#;
    desk.sync("f", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), more);
    assert_eq!((desk.run("f").totals(), desk.verify_code("f")), ((8000, 2000, 8000), Some(0)));
}
