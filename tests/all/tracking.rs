//! Change tracking by triggers: no change is missed, which a full verify says, and nothing else is read, which the
//! report says.

use crate::support::{Database, Desk, Ended};

const BY_LOG: &str = r#""sync_strategy": "incremental", "change_tracking": "triggers","#;

pub enum Source {
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
            Source::File => desk.in_sqlite("s.sqlite", sql),
            Source::Server(database) => drop(database.script(sql)),
        }
    }

    fn names(&self, desk: &Desk) -> Vec<String> {
        match self {
            Source::File => {
                let connection = rusqlite::Connection::open(desk.path("s.sqlite")).unwrap();
                let mut names = connection.prepare("select name from sqlite_schema where name like 'rowsync%'").unwrap();
                names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            Source::Server(database) => database
                .sql("select relname from pg_class where relname like 'rowsync%' union all select proname from pg_proc where proname like 'rowsync%'")
                .lines()
                .map(str::to_owned)
                .collect(),
        }
    }
}

const TABLE: &str = "create table t (id bigint primary key, v text);
     insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
       select i, 'v' || i from n;";

/// A tracked table whose target is equal, and a run that is remembered.
fn tracked(source: &Source, table: &str) -> Desk {
    let desk = Desk::new();
    source.execute(&desk, table);
    desk.sync("k", &source.url(&desk), &desk.sqlite("t.sqlite"), BY_LOG);
    track(&desk, "install");
    desk.run("k");
    desk
}

fn track(desk: &Desk, action: &str) -> serde_json::Value {
    let ended = desk.rowsync(&["track", "k.json", action]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    ended.report()["tables"][0].clone()
}

fn told(ended: &Ended, what: &str) -> bool {
    ended.report()["tables"][0]["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains(what))
}

/// Runs by the log alone, and sees afterwards that nothing was missed.
fn follow(desk: &Desk) -> (u64, u64, u64) {
    let ended = desk.run("k");
    assert!(told(&ended, "only rows that the log of changes names were compared"), "{}", ended.stdout);
    assert_eq!(desk.verify_code("k"), Some(0));
    ended.totals()
}

/// The next run has to compare the table, for this reason, and the one behind it follows the log again.
fn fall_back(desk: &Desk, why: &str) -> (u64, u64, u64) {
    let ended = desk.run("k");
    assert!(told(&ended, why), "{why}: {}", ended.stdout);
    assert_eq!(desk.verify_code("k"), Some(0));
    assert_eq!(follow(desk), (0, 0, 0));
    ended.totals()
}

#[test]
fn rows_that_were_added_changed_deleted_and_renumbered_are_followed() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        assert_eq!(follow(&desk), (0, 0, 0));
        source.execute(
            &desk,
            "insert into t values (2001, 'a'), (2002, 'b'); update t set v = 'c' where id in (5, 6, 7);
             delete from t where id between 10 and 13; update t set id = 3000 where id = 20;",
        );
        assert_eq!(track(&desk, "status")["pending"], 2 + 3 + 4 + 2);
        assert_eq!(follow(&desk), (3, 3, 5));
        assert_eq!(track(&desk, "status")["pending"], 0, "what is in the target is forgotten");
        assert_eq!(follow(&desk), (0, 0, 0));
    }
}

#[test]
fn the_first_run_after_the_installation_compares_and_says_so() {
    for source in Source::all() {
        let desk = Desk::new();
        source.execute(&desk, TABLE);
        desk.sync("k", &source.url(&desk), &desk.sqlite("t.sqlite"), BY_LOG);
        let ended = desk.run("k");
        source.execute(&desk, "update t set v = 'before' where id = 1");
        assert_eq!(ended.totals(), (1000, 0, 0));
        track(&desk, "install");
        assert_eq!(fall_back(&desk, "was not compared since its changes are logged"), (0, 1, 0));
    }
}

#[test]
fn the_log_is_no_table_of_the_source_and_goes_without_a_trace() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        let ended = desk.rowsync(&["check", "k.json"]);
        assert_eq!(ended.report()["tables"].as_array().unwrap().len(), 1, "{}", ended.stdout);
        assert_eq!(track(&desk, "remove")["standing"], "removed");
        assert_eq!(source.names(&desk), Vec::<String>::new());
        assert_eq!(track(&desk, "status")["standing"], "not_tracked");
        source.execute(&desk, "update t set v = 'x' where id = 1");
        let ended = desk.run("k");
        assert!(told(&ended, "rowsync track FILE install"), "{}", ended.stdout);
        assert_eq!(ended.totals(), (0, 1, 0));
    }
}

#[test]
fn triggers_that_were_dropped_or_made_anew_are_a_gap() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        let triggers = match &source {
            Source::File => "select name from sqlite_schema where type = 'trigger' and name like '%_u'",
            Source::Server(_) => "select tgname from pg_trigger where tgname like '%_w'",
        };
        let drop = |name: &str| match &source {
            Source::File => format!("drop trigger {name}"),
            Source::Server(_) => format!("drop trigger {name} on t"),
        };
        let name = match &source {
            Source::File => {
                let connection = rusqlite::Connection::open(desk.path("s.sqlite")).unwrap();
                connection.query_row(triggers, [], |row| row.get::<_, String>(0)).unwrap()
            }
            Source::Server(database) => database.sql(triggers),
        };
        source.execute(&desk, &format!("{}; update t set v = 'silent' where id = 9", drop(&name)));
        let ended = desk.run("k");
        assert!(told(&ended, "its triggers are missing"), "{}", ended.stdout);
        assert_eq!(ended.totals(), (0, 1, 0));
        track(&desk, "install");
        source.execute(&desk, "update t set v = 'logged' where id = 10");
        assert_eq!(fall_back(&desk, "made anew or altered"), (0, 1, 0));
    }
}

#[test]
fn a_table_that_was_swapped_is_a_gap() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        source.execute(
            &desk,
            "create table n (id bigint primary key, v text); insert into n select id, v || '!' from t where id < 900;
             alter table t rename to o; alter table n rename to t; drop table o;",
        );
        let ended = desk.run("k");
        assert!(told(&ended, "its triggers are missing"), "{}", ended.stdout);
        assert_eq!(desk.verify_code("k"), Some(0));
        track(&desk, "install");
        assert_eq!(fall_back(&desk, "made anew or altered"), (0, 0, 0));
    }
}

#[test]
fn changes_of_the_tables_form_are_a_gap_once() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        let fields = format!("{BY_LOG} \"fields\": [\"id\", \"v\"],");
        desk.sync("k", &source.url(&desk), &desk.sqlite("t.sqlite"), &fields);
        source.execute(&desk, "alter table t add column extra text; update t set v = 'x' where id = 3");
        let ended = desk.run("k");
        assert_eq!((ended.totals(), desk.verify_code("k")), ((0, 1, 0), Some(0)), "{}", ended.stdout);
        assert_eq!(follow(&desk), (0, 0, 0));
    }
}

#[test]
fn values_that_a_change_of_type_rewrites_are_seen_although_no_trigger_fires() {
    let source = Source::Server(Database::new());
    let desk = tracked(&source, TABLE);
    source.execute(&desk, "alter table t alter column v type text using upper(v)");
    assert_eq!(fall_back(&desk, "made anew or altered"), (0, 1000, 0));
}

#[test]
fn truncate_is_a_gap_and_what_comes_behind_it_is_followed() {
    let source = Source::Server(Database::new());
    let desk = tracked(&source, TABLE);
    source.execute(&desk, "truncate t; insert into t select i, 'n' || i from generate_series(1, 900) i");
    assert_eq!(fall_back(&desk, "the table was truncated"), (0, 900, 100));
}

#[test]
fn partitions_are_tracked_whatever_is_written_to_and_attached() {
    let source = Source::Server(Database::new());
    let parted = "create table t (id bigint primary key, v text) partition by range (id);
        create table t1 partition of t for values from (0) to (1000);
        create table t2 partition of t for values from (1000) to (2000);
        insert into t select i, 'v' || i from generate_series(1, 1500) i;";
    let desk = Desk::new();
    source.execute(&desk, parted);
    desk.sync("k", &source.url(&desk), &desk.sqlite("t.sqlite"), &format!("{BY_LOG} \"tables\": [\"t\"],"));
    track(&desk, "install");
    desk.run("k");
    source.execute(
        &desk,
        "insert into t1 values (0, 'direct'); update t set id = 1900 where id = 5; delete from t2 where id = 1000",
    );
    assert_eq!(follow(&desk), (2, 0, 2));
    source.execute(&desk, "truncate t2");
    let ended = desk.rowsync(&["run", "k.json", "--allow-mass-delete"]);
    assert!(told(&ended, "the table was truncated"), "{}", ended.stdout);
    source.execute(
        &desk,
        "create table t3 (id bigint primary key, v text); insert into t3 values (2500, 'attached');
         alter table t attach partition t3 for values from (2000) to (3000);",
    );
    let ended = desk.run("k");
    assert!(told(&ended, "the log of changes has a gap"), "{}", ended.stdout);
    assert_eq!((ended.totals(), desk.verify_code("k")), ((1, 0, 0), Some(0)));
}

#[test]
fn rows_that_replace_removes_by_another_unique_index_are_seen() {
    let source = Source::File;
    let desk = tracked(
        &source,
        "create table t (id integer primary key, u text unique collate nocase, a int, b int, unique (a, b));
         insert into t values (1, 'a', 1, 1), (2, 'b', 1, 2), (3, 'c', 2, 1), (4, 'd', 2, 2), (5, 'e', 5, 5)",
    );
    source.execute(
        &desk,
        "insert or replace into t values (9, 'B', 9, 9); update or replace t set a = 2, b = 1 where id = 1",
    );
    assert_eq!(follow(&desk), (1, 1, 2));
    source.execute(&desk, "replace into t values (4, 'f', 5, 5)");
    assert_eq!(follow(&desk), (0, 1, 1));
}

#[test]
fn rows_that_a_foreign_key_takes_along_are_seen() {
    for source in Source::all() {
        let desk = Desk::new();
        source.execute(
            &desk,
            "create table p (id bigint primary key); create table t (id bigint primary key, p bigint references p on delete cascade);
             insert into p values (1), (2), (3); insert into t values (1, 1), (2, 1), (3, 2)",
        );
        desk.sync("k", &source.url(&desk), &desk.sqlite("t.sqlite"), BY_LOG);
        track(&desk, "install");
        desk.run("k");
        source.execute(
            &desk,
            match &source {
                Source::File => "pragma foreign_keys = on; delete from p where id = 1",
                Source::Server(_) => "delete from p where id = 1",
            },
        );
        assert_eq!(follow(&desk), (0, 0, 3));
    }
}

#[test]
fn two_syncs_of_one_table_do_not_take_changes_from_each_other() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        desk.sync("other", &source.url(&desk), &desk.sqlite("o.sqlite"), BY_LOG);
        assert_eq!(desk.rowsync(&["track", "other.json", "install"]).code, Some(0));
        desk.run("other");
        // A second log is a change of the file's form, which SQLite does not tell from one of the table.
        desk.run("k");
        source.execute(&desk, "update t set v = 'x' where id = 1");
        assert_eq!(follow(&desk), (0, 1, 0));
        assert_eq!((desk.run("other").totals(), desk.verify_code("other")), ((0, 1, 0), Some(0)));
    }
}

#[test]
fn more_deletes_than_keys_may_be_held_are_carried_out_and_guarded() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        source.execute(&desk, "delete from t where id <= 600");
        let few = ["run", "k.json", "--set", "id_array_batch_size=7", "--set", "batch_size=50"];
        let refused = desk.rowsync(&few);
        assert_eq!((refused.code, refused.totals()), (Some(1), (0, 0, 0)), "{}", refused.stdout);
        let ended = desk.rowsync(&[few.as_slice(), &["--allow-mass-delete"]].concat());
        assert_eq!((ended.code, ended.totals()), (Some(0), (0, 0, 600)), "{}", ended.stdout);
        assert_eq!(desk.verify_code("k"), Some(0));
    }
}

#[test]
fn a_row_that_was_logged_many_times_is_deleted_once() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        source.execute(&desk, &"update t set v = v || '.' where id < 9;".repeat(20));
        source.execute(&desk, "delete from t where id < 5");
        let ended = desk.rowsync(&["run", "k.json", "--set", "batch_size=3"]);
        assert_eq!((ended.code, ended.totals()), (Some(0), (0, 4, 4)), "{}", ended.stdout);
        assert_eq!(desk.verify_code("k"), Some(0));
    }
}

#[test]
fn an_emptied_target_is_filled_again() {
    for source in Source::all() {
        let desk = tracked(&source, TABLE);
        desk.in_sqlite("t.sqlite", "delete from t");
        assert_eq!(fall_back(&desk, "the target is empty"), (1000, 0, 0));
    }
}

#[test]
fn a_log_that_is_older_than_what_was_read_of_it_is_a_gap() {
    let source = Source::File;
    let desk = tracked(&source, TABLE);
    let backup = std::fs::read(desk.path("s.sqlite")).unwrap();
    source.execute(&desk, "update t set v = 'lost' where id < 4");
    assert_eq!(follow(&desk), (0, 3, 0));
    std::fs::write(desk.path("s.sqlite"), backup).unwrap();
    assert_eq!(fall_back(&desk, "the log is older than what was read of it"), (0, 3, 0));
}

#[test]
fn a_source_that_only_lets_itself_be_read_is_not_tracked() {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", TABLE);
    desk.sync("k", &format!("{}?mode=ro", desk.sqlite("s.sqlite")), &desk.sqlite("t.sqlite"), BY_LOG);
    let ended = desk.rowsync(&["track", "k.json", "install"]);
    assert!(ended.code != Some(0) && ended.stderr.contains("mode=ro"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn tables_that_are_not_incremental_are_left_without_triggers() {
    let source = Source::File;
    let desk = Desk::new();
    source.execute(&desk, TABLE);
    desk.sync("k", &source.url(&desk), &desk.sqlite("t.sqlite"), "");
    let told = track(&desk, "install");
    assert_eq!(told["standing"], "not_tracked");
    assert!(told["notes"][0].as_str().unwrap().contains("never read"), "{told}");
    assert_eq!(source.names(&desk), Vec::<String>::new());
}
