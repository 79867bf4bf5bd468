//! Signals to a run that waits for its database: the first one ends it as soon as the statement in hand is over or its time
//! is, the second one at once. Nothing is half written, and the next run goes on.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::process::{Child, ChildStderr, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::faults::signal;
use crate::server::Held;
use crate::support::{Database, Desk};

/// What a person waits for without asking whether it will end at all.
const SOON: Duration = Duration::from_secs(10);
const ROWS: u64 = 2_000;

struct Stuck {
    desk: Desk,
    target: Database,
    lock: Held,
    run: Child,
    log: Lines<BufReader<ChildStderr>>,
}

/// A run that waits for a table that somebody else has locked.
#[allow(clippy::zombie_processes, reason = "the tests wait for it")]
fn stuck(more: &str) -> Stuck {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite(
        "s.sqlite",
        &format!(
            "create table t (id integer primary key, v text not null);
             with recursive n(i) as (select 1 union all select i + 1 from n where i < {ROWS})
             insert into t select i, 'row number ' || i from n;"
        ),
    );
    target.sql("create table t (id bigint primary key, v text not null)");
    desk.sync("stuck", &desk.sqlite("s.sqlite"), &target.url, more);
    let lock = Held::table(&target, "t");
    let mut command = desk.command(&["run", "stuck.json", "--output", "json"]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'rowsync' and wait_event_type = 'Lock'";
    while target.sql(waits) == "0" {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be disturbed");
    }
    let log = BufReader::new(run.stderr.take().unwrap()).lines();
    Stuck { desk, target, lock, run, log }
}

impl Stuck {
    /// Sends a signal and returns once it was heard.
    fn interrupt(&mut self, name: &str) {
        signal(&self.run, name);
        let heard = self.log.by_ref().map(Result::unwrap).any(|line| line.contains("stopping after the batch in hand"));
        assert!(heard, "the signal was not heard");
    }

    /// How it ended, and what it printed.
    fn ended(&mut self) -> (ExitStatus, String) {
        let mut printed = String::new();
        self.run.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        (self.run.wait().unwrap(), printed)
    }

    /// Nothing was written, and everything is once the table is free.
    fn expect_that_the_next_run_does_all(self) {
        self.lock.release();
        assert_eq!(self.target.sql("select count(*) from t"), "0");
        assert_eq!(self.desk.run("stuck").totals(), (ROWS, 0, 0));
    }
}

#[test]
fn an_interrupt_waits_for_a_statement_no_longer_than_its_timeout() {
    for name in ["-INT", "-TERM"] {
        let mut stuck = stuck(r#""timeout": 3,"#);
        let asked = Instant::now();
        stuck.interrupt(name);
        let (status, printed) = stuck.ended();
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
        let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!((status.code(), &report["status"]), (Some(130), &"interrupted".into()), "{report}");
        stuck.expect_that_the_next_run_does_all();
    }
}

#[test]
fn a_second_interrupt_means_now() {
    for (first, second) in [("-INT", "-INT"), ("-TERM", "-INT"), ("-INT", "-TERM")] {
        // The statement itself may take half a minute.
        let mut stuck = stuck(r#""timeout": 30,"#);
        stuck.interrupt(first);
        assert!(stuck.run.try_wait().unwrap().is_none(), "the first signal ended it");
        let asked = Instant::now();
        signal(&stuck.run, second);
        let (status, printed) = stuck.ended();
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
        assert_eq!((status.code(), printed.as_str()), (Some(130), ""));
        stuck.expect_that_the_next_run_does_all();
    }
}
