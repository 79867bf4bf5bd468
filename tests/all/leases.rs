//! Two processes on one sync: one of them writes, whatever becomes of the other.

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};

use crate::proxy::{Act, Proxy};
use crate::support::{Database, Desk, Ended};

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// What a process asks of the source when it comes to `b`, and when it wants to know what its tables look like.
const AT_B: &str = "FROM \"public\".\"b\"";
const AT_THE_START: &str = "pg_attrdef";

/// Two tables, `a` before `b`, and a first process that is stopped when it asks something of the source: nothing else of
/// it is under way then.
struct World {
    desk: Desk,
    source: Database,
    target: Database,
    _proxy: Proxy,
    first: Stopped,
}

/// A process that is stopped; one that nobody wakes goes with the test.
struct Stopped(Option<Child>);

impl Stopped {
    fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    fn wake(mut self) -> Output {
        signal(self.id(), "-CONT");
        self.0.take().unwrap().wait_with_output().unwrap()
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.kill();
    }
}

impl World {
    fn new(stops_at: &'static str, more: &str) -> World {
        World::with_keys(stops_at, &format!("{more} \"state\": \"sqlite:state\","))
    }

    /// With a state that the keys name.
    fn with_keys(stops_at: &'static str, more: &str) -> World {
        let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
        for table in ["a", "b"] {
            source.sql(&format!(
                "create table {table} (id int primary key, v text);
                 insert into {table} select i, 'row ' || i from generate_series(1, 50) i"
            ));
        }
        let process = Arc::new(OnceLock::<u32>::new());
        let (stopped, stops): (_, Receiver<()>) = channel();
        let known = Arc::clone(&process);
        let stop = Act::Call(Box::new(move || {
            signal(*known.wait(), "-STOP");
            stopped.send(()).unwrap();
        }));
        let proxy = Proxy::before(&source.url).when(stops_at, 1, stop);
        let keys = r#""max_parallel_tables": 1, "tables": ["a", { "name": "b", "depends_on": ["a"] }],"#;
        let place = |name: &str, source: &str| {
            desk.sync(name, source, &target.url, &format!("{keys} {more}"));
        };
        place("sync", &proxy.url);
        let first = desk
            .command(&["run", "sync.json", "--output", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.set(first.id()).unwrap();
        stops.recv().unwrap();
        World { desk, source, target, _proxy: proxy, first: Stopped(Some(first)) }
    }

    /// Another process runs, as soon as the lease of the first one has run out.
    fn run_in_its_place(&self, added: u64) {
        loop {
            let ended = self.other("run");
            if ended.code != Some(4) {
                assert_eq!((ended.code, ended.totals()), (Some(0), (added, 0, 0)), "{}", ended.stderr);
                return;
            }
        }
    }

    /// What another process does meanwhile.
    fn other(&self, command: &str) -> Ended {
        self.desk.rowsync(&[command, "sync.json"])
    }

    fn rows(&self, table: &str) -> String {
        self.target.sql(&format!("select count(*) from {table}"))
    }

    fn wake(self) -> (Output, Database, Database, Desk) {
        (self.first.wake(), self.source, self.target, self.desk)
    }
}

#[test]
fn a_second_process_is_refused_and_told_who_writes() {
    let world = World::new(AT_B, "");
    let ended = world.other("run");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{}", ended.stderr);
    let who = format!("sync `sync` is being written by process {} on host ", world.first.id());
    assert!(ended.stderr.contains(&who) && ended.stderr.contains("wait until it is done"), "{}", ended.stderr);
    assert_eq!((world.rows("a"), world.rows("b")), ("50".into(), "0".into()));
    // Whoever only looks is let in.
    assert_eq!(world.other("plan").code, Some(0));
    assert_eq!(world.other("verify").code, Some(3));
    let (output, _source, target, desk) = world.wake();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(target.sql("select count(*) from b"), "50");
    // And once it is done, so is the next one that writes.
    assert_eq!(desk.run("sync").totals(), (0, 0, 0));
}

#[test]
fn a_process_that_was_killed_is_replaced_at_once() {
    let mut world = World::new(AT_B, r#""lease_seconds": 86400,"#);
    assert_eq!(world.other("run").code, Some(4));
    world.first.kill();
    let ended = world.other("run");
    assert_eq!((ended.code, ended.totals()), (Some(0), (50, 0, 0)), "{}", ended.stderr);
}

#[test]
fn a_process_that_slept_too_long_is_replaced_and_writes_nothing_when_it_wakes() {
    let world = World::new(AT_B, r#""lease_seconds": 1,"#);
    world.run_in_its_place(50);
    // What the first one would have to bring in, as it sees the source.
    world.target.sql("delete from b where id > 40");
    let (output, _source, target, desk) = world.wake();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = &report["tables"][1]["errors"][0];
    assert!(error["message"].as_str().unwrap().contains("another process has taken the lease"), "{report:#}");
    assert!(error["remedy"].as_str().unwrap().contains("one process at a time"), "{report:#}");
    assert_eq!(target.sql("select count(*) from b"), "40");
    assert_eq!(desk.run("sync").totals(), (10, 0, 0));
}

#[test]
fn a_process_that_slept_before_its_first_write_makes_no_tables() {
    let world = World::new(AT_THE_START, r#""lease_seconds": 1,"#);
    world.run_in_its_place(100);
    world.target.sql("drop table a, b");
    let (output, _source, target, _desk) = world.wake();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(4) && stderr.contains("another process has taken the lease"), "{stderr}");
    assert_eq!(target.sql("select to_regclass('a') is null and to_regclass('b') is null"), "t");
}

#[test]
fn syncs_that_share_a_state_do_not_wait_for_one_another() {
    let world = World::new(AT_B, "");
    let state = world.desk.sqlite("state");
    let other = Database::new();
    world.desk.sync("other", &world.source.url, &other.url, &format!("\"state\": \"{state}\","));
    assert_eq!(world.desk.run("other").totals(), (100, 0, 0));
    assert_eq!(world.wake().0.status.code(), Some(0));
}

#[test]
fn of_processes_that_begin_together_on_a_new_state_none_fails_but_for_the_lease() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.sync("chinook", &desk.sample("chinook.sqlite"), &target.url, "");
    let start = |_| {
        let mut command = desk.command(&["run", "chinook.json", "--output", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all: Vec<Child> = (0..4).map(start).collect();
    let ended: Vec<Output> = all.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(ended.iter().any(|output| output.status.code() == Some(0)));
    for output in ended {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let refused = output.status.code() == Some(4) && stderr.contains("is being written by process");
        assert!(output.status.code() == Some(0) || refused, "{:?} {stderr}", output.status);
    }
    assert_eq!(desk.verify_code("chinook"), Some(0));
}

/// A process that is held up at `b`, with its state in PostgreSQL.
fn with_a_shared_state(more: &str) -> (World, Database) {
    let state = Database::new();
    let more = format!("{more} \"state\": \"{}\",", state.url);
    (World::with_keys(AT_B, &more), state)
}

/// What a machine that nobody here knows would have written.
const ON_ANOTHER_MACHINE: &str = "update sync_leases set host = 'mill', machine = 'another'";

#[test]
fn a_second_process_is_refused_by_a_state_in_postgres_too() {
    let (world, state) = with_a_shared_state("");
    let ended = world.other("run");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{}", ended.stderr);
    let who = format!("sync `sync` is being written by process {} on host ", world.first.id());
    assert!(ended.stderr.contains(&who), "{}", ended.stderr);
    let (output, _source, target, desk) = world.wake();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(target.sql("select count(*) from b"), "50");
    assert_eq!(state.sql("select count(*) from sync_leases"), "0");
    assert_eq!(desk.run("sync").totals(), (0, 0, 0));
}

#[test]
fn a_killed_process_is_replaced_at_once_here_and_elsewhere_when_its_lease_runs_out() {
    let (mut world, state) = with_a_shared_state("\"lease_seconds\": 86400,");
    world.first.kill();
    state.sql(ON_ANOTHER_MACHINE);
    let ended = world.other("run");
    assert!(ended.code == Some(4) && ended.stderr.contains("on host mill since"), "{}", ended.stderr);
    // A day later, by the server's clock; that of this machine has nothing to say.
    state.sql("update sync_leases set until = (extract(epoch from clock_timestamp()) * 1000)::bigint");
    let ended = world.other("run");
    assert_eq!((ended.code, ended.totals()), (Some(0), (50, 0, 0)), "{}", ended.stderr);
}

#[test]
fn a_killed_process_of_this_machine_is_replaced_at_once_with_a_state_in_postgres() {
    let (mut world, _state) = with_a_shared_state("\"lease_seconds\": 86400,");
    assert_eq!(world.other("run").code, Some(4));
    world.first.kill();
    let ended = world.other("run");
    assert_eq!((ended.code, ended.totals()), (Some(0), (50, 0, 0)), "{}", ended.stderr);
}

/// From now on the server's clock is so many hours ahead of ours.
fn set_the_clock_ahead(state: &Database, hours: u32) {
    state.sql(&format!(
        "create or replace function public.clock_timestamp() returns timestamptz language sql
            as 'select pg_catalog.clock_timestamp() + interval ''{hours} hours''';
         do $$begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end$$"
    ));
}

#[test]
fn a_lease_goes_by_the_clock_of_the_server_and_not_by_that_of_this_machine() {
    let state = Database::new();
    set_the_clock_ahead(&state, 5);
    let more = format!("\"lease_seconds\": 600, \"state\": \"{}\",", state.url);
    let world = World::with_keys(AT_B, &more);
    let ahead =
        "select round((since / 1000 - extract(epoch from pg_catalog.clock_timestamp())) / 3600) from sync_leases";
    assert_eq!(state.sql(ahead), "5");
    state.sql(ON_ANOTHER_MACHINE);
    assert_eq!(world.other("run").code, Some(4));
    set_the_clock_ahead(&state, 6);
    let ended = world.other("run");
    assert_eq!((ended.code, ended.totals()), (Some(0), (50, 0, 0)), "{}", ended.stderr);
}

#[test]
fn a_process_that_slept_too_long_writes_nothing_with_a_state_in_postgres_either() {
    let (world, _state) = with_a_shared_state("\"lease_seconds\": 1,");
    world.run_in_its_place(50);
    world.target.sql("delete from b where id > 40");
    let (output, _source, target, _desk) = world.wake();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(4) && stderr.contains("another process has taken the lease"), "{stderr}");
    assert_eq!(target.sql("select count(*) from b"), "40");
}
