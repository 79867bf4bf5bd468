//! Change tracking while others write: several at once, late and never committing, in bulk and one by one. What a run
//! misses would stay missing, so in the end the log alone has to lead to equality.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::support::{Database, Desk, Ended};

const BY_LOG: &str =
    r#""sync_strategy": "incremental", "change_tracking": "triggers", "tables": ["t"], "max_delete_percent": 100,"#;

fn tracked(source: &str, target: &str) -> Desk {
    let desk = Desk::new();
    desk.sync("k", source, target, BY_LOG);
    desk
}

fn install(desk: &Desk) {
    assert_eq!(desk.rowsync(&["track", "k.json", "install"]).code, Some(0));
    desk.run("k");
}

/// A run that followed the log: nothing was compared beside.
fn follow(desk: &Desk) -> Ended {
    let ended = desk.run("k");
    assert!(ended.stdout.contains("only rows that the log of changes names were compared"), "{}", ended.stdout);
    ended
}

/// A client of its own, whose transaction stays open until it is told to go on.
struct Session(Child);

impl Session {
    fn open(database: &Database) -> Session {
        let mut psql = Command::new("psql");
        psql.args(["-qXtA", "-v", "ON_ERROR_STOP=1", &database.url]);
        Session(psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Returns when the statements are done.
    fn say(&mut self, sql: &str) {
        use std::io::{BufRead as _, BufReader};
        writeln!(self.0.stdin.as_mut().unwrap(), "{sql}; select 'said';").unwrap();
        let mut lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "said"));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

const SERVER_TABLE: &str =
    "create table t (id bigint primary key, v text); insert into t select i, 'v' || i from generate_series(1, 2000) i";

#[test]
fn a_transaction_that_commits_late_is_followed_although_its_numbers_are_the_earliest() {
    let (source, target) = (Database::new(), Database::new());
    source.script(SERVER_TABLE);
    let desk = tracked(&source.url, &target.url);
    install(&desk);
    let mut late = Session::open(&source);
    late.say("begin; update t set v = 'late' where id <= 10; savepoint a; delete from t where id = 11; savepoint b; delete from t where id = 12; rollback to b");
    source.sql("update t set v = 'early' where id = 100");
    assert_eq!(follow(&desk).totals(), (0, 1, 0));
    source.sql("update t set v = 'between' where id = 101");
    late.say("commit");
    assert_eq!(follow(&desk).totals(), (0, 11, 1));
    assert_eq!(desk.verify_code("k"), Some(0));
    let left = source.sql("select query_to_xml(format('select count(*) from %I', relname), true, true, '')::text from pg_class where relname like 'rowsync_log%' and relkind = 'r'");
    assert!(left.contains("<count>0</count>"), "everything was acknowledged: {left}");
}

#[test]
fn what_is_rolled_back_is_never_heard_of() {
    let (source, target) = (Database::new(), Database::new());
    source.script(SERVER_TABLE);
    let desk = tracked(&source.url, &target.url);
    install(&desk);
    let mut other = Session::open(&source);
    other.say("begin; update t set v = 'x'; delete from t where id < 500");
    assert_eq!(follow(&desk).totals(), (0, 0, 0));
    other.say("rollback");
    assert_eq!(follow(&desk).totals(), (0, 0, 0));
    assert_eq!(desk.verify_code("k"), Some(0));
}

#[test]
fn bulk_loads_and_whole_updates_are_followed() {
    let (source, target) = (Database::new(), Database::new());
    source.script(SERVER_TABLE);
    let desk = tracked(&source.url, &target.url);
    install(&desk);
    source.script("copy t from stdin;\n3001\ta\n3002\tb\n3003\tc\n\\.\ninsert into t select i, 'n' from generate_series(10000, 29999) i; update t set v = v || '!' where id % 2 = 0; delete from t where id between 500 and 999;");
    let ended = follow(&desk);
    assert_eq!((ended.totals().0, ended.totals().2), (20_003, 500));
    assert_eq!(desk.verify_code("k"), Some(0));
}

/// Changes of all kinds at random keys; each third transaction is rolled back, some take a while.
fn chaos(writer: u64, round: u64) -> String {
    let number = |salt: u64| (writer * 7919 + round * 104_729 + salt * 1_299_709) % 2500;
    let (a, b, c) = (number(1), number(2), number(3));
    let end = if round.is_multiple_of(3) { "rollback" } else { "commit" };
    format!(
        "begin; insert into t values ({a}, 'i{writer}.{round}') on conflict (id) do update set v = excluded.v;
         delete from t where id = {b}; update t set v = 'u{writer}.{round}' where id between {c} and {c} + 3; {end};"
    )
}

#[test]
fn nothing_is_missed_while_many_write_to_a_server() {
    let (source, target) = (Database::new(), Database::new());
    source.script(SERVER_TABLE);
    let desk = tracked(&source.url, &target.url);
    install(&desk);
    let writers = 4;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let source = &source;
                scope.spawn(move || {
                    let mut session = Session::open(source);
                    // Two that meet at one row may end in a deadlock, which is one more way to roll back.
                    session.say("\\set ON_ERROR_STOP 0\n set client_min_messages = error");
                    (0..150).for_each(|round| session.say(&chaos(writer, round)));
                })
            })
            .collect();
        let runs = scope.spawn(|| {
            let mut runs = 0;
            while !done.load(SeqCst) {
                follow(&desk);
                runs += 1;
            }
            runs
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        done.store(true, SeqCst);
        assert!(runs.join().unwrap() > 1, "the runs were to meet the writers");
    });
    follow(&desk);
    assert_eq!(desk.verify_code("k"), Some(0));
    let rows = "select md5(string_agg(id || v, ',' order by id)) from t";
    assert_eq!(source.sql(rows), target.sql(rows));
}

#[test]
fn nothing_is_missed_while_others_write_to_a_file() {
    for journal in ["wal", "delete"] {
        let desk = Desk::new();
        desk.in_sqlite("s.sqlite", &format!("pragma journal_mode = {journal}"));
        desk.in_sqlite(
            "s.sqlite",
            "create table t (id integer primary key, v text);
             insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) select i, 'v' from n",
        );
        desk.sync("k", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), BY_LOG);
        install(&desk);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let path = desk.path("s.sqlite");
            let threads: Vec<_> = (0..3)
                .map(|writer| {
                    let path = path.clone();
                    scope.spawn(move || {
                        let connection = rusqlite::Connection::open(path).unwrap();
                        connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
                        let write = |round| {
                            connection.execute_batch(&chaos(writer, round).replace("begin;", "begin immediate;"))
                        };
                        (0..60).for_each(|round| write(round).unwrap());
                    })
                })
                .collect();
            let runs = scope.spawn(|| {
                while !done.load(SeqCst) {
                    follow(&desk);
                }
            });
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            done.store(true, SeqCst);
            runs.join().unwrap();
        });
        follow(&desk);
        assert_eq!(desk.verify_code("k"), Some(0));
        assert_eq!(desk.dump("s.sqlite", "t"), desk.dump("t.sqlite", "t"));
        let mode: String = rusqlite::Connection::open(desk.path("s.sqlite"))
            .unwrap()
            .query_row("pragma journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(mode, journal, "the journal of a source is its owner's business");
    }
}
