//! Syncs that go on in cycles, and several of them in one command. How long is waited for what is tested where the clock can
//! be set (src/schedule.rs, src/rounds.rs); here the program itself runs.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Desk, Ended};

/// Far less than any sleep in these tests, and far more than it takes to end.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A sync of one table with two rows, whose file has these keys as well.
fn shop(desk: &Desk, name: &str, more: &str) {
    let rows = "create table item (id integer primary key, v text); insert into item values (1, 'a'), (2, 'b')";
    desk.in_sqlite(&format!("{name}.shop"), rows);
    desk.sync(name, &desk.sqlite(&format!("{name}.shop")), &desk.sqlite(&format!("{name}.copy")), more);
}

/// A run that goes on, and its log.
struct Going {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Going {
    fn start(desk: &Desk, arguments: &[&str]) -> Going {
        let mut command = desk.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Going { child, log }
    }

    /// Waits for a line of the log.
    fn wait_for(&mut self, words: &str) -> String {
        let mut seen = Vec::new();
        for line in self.log.by_ref().map(Result::unwrap) {
            if line.contains(words) {
                return line;
            }
            seen.push(line);
        }
        panic!("never told {words:?}: {seen:#?}");
    }

    /// Its exit code, and what else it prints.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let stopped = Instant::now();
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
        let mut printed = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        let code = self.child.wait().unwrap().code();
        assert!(stopped.elapsed() < AT_ONCE, "it took {:?} to end", stopped.elapsed());
        (code, printed)
    }
}

fn reports(printed: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(printed).into_iter().map(Result::unwrap).collect()
}

fn syncs(ended: &Ended) -> Vec<String> {
    let report = ended.report();
    report["executions"].as_array().unwrap().iter().map(|one| one["sync"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_sync_with_a_pause_goes_on_in_cycles_with_a_report_each() {
    let desk = Desk::new();
    shop(&desk, "sync", r#""sleep_seconds": 1,"#);
    let mut going = Going::start(&desk, &["run", "sync.json", "--output", "json"]);
    let line = going.wait_for("Sync complete. Sleeping 1 seconds until next run...");
    assert!(line.contains("sync=sync"), "{line}");
    desk.in_sqlite("sync.shop", "insert into item values (3, 'c')");
    going.wait_for("Sleep complete. Starting next sync cycle...");
    going.wait_for("Sync complete.");
    going.wait_for("Sync complete.");
    let (code, printed) = going.stop("-TERM");
    assert_eq!(code, Some(130));
    let added: Vec<_> = reports(&printed).iter().map(|report| report["totals"]["added"].as_u64().unwrap()).collect();
    assert_eq!(added[..3], [2, 1, 0], "{printed}");
    assert_eq!(desk.dump("sync.shop", "item"), desk.dump("sync.copy", "item"));
}

#[test]
fn a_signal_ends_a_sleep_at_once() {
    let desk = Desk::new();
    shop(&desk, "pause", r#""sync_interval_seconds": 86400,"#);
    shop(&desk, "daily", r#""run_at_time": "02:00", "time_zone": "Europe/Zurich","#);
    for signal in ["-INT", "-TERM"] {
        let mut going = Going::start(&desk, &["run", "pause.json"]);
        going.wait_for("Sync complete. Sleeping 86400 seconds until next run...");
        let (code, printed) = going.stop(signal);
        assert_eq!(code, Some(130));
        assert!(printed.contains("Sync complete: "), "{printed}");
        let mut going = Going::start(&desk, &["run", "daily.json"]);
        going.wait_for("Sync complete. Waiting until 02:00 for next run...");
        going.wait_for(", target: 02:00 (");
        assert_eq!(going.stop(signal).0, Some(130));
    }
}

#[test]
fn once_never_cycles() {
    let desk = Desk::new();
    shop(&desk, "sync", r#""sleep_seconds": 86400, "#);
    shop(&desk, "daily", r#""run_at_time": "02:00","#);
    assert_eq!(desk.rowsync(&["run", "sync.json", "--once"]).totals(), (2, 0, 0));
    let ended = desk.rowsync(&["run", "sync.json", "daily.json", "--once"]);
    assert_eq!((ended.code, syncs(&ended)), (Some(0), vec!["sync".to_owned(), "daily".to_owned()]));
}

#[test]
fn several_syncs_run_in_the_order_that_they_ask_for() {
    let desk = Desk::new();
    // The second one takes what the first one writes, and the third what the second one writes.
    desk.in_sqlite("first", "create table item (id integer primary key, v text); insert into item values (1, 'a')");
    desk.sync("one", &desk.sqlite("first"), &desk.sqlite("second"), "");
    desk.sync("two", &desk.sqlite("second"), &desk.sqlite("third"), r#""after": "one","#);
    desk.sync("three", &desk.sqlite("third"), &desk.sqlite("fourth"), r#""after": ["two"],"#);
    for parallel in ["1", "3"] {
        let files = ["three.json", "one.json", "two.json"];
        let ended = desk.rowsync(&[&["run", "--parallel", parallel], &files[..]].concat());
        assert_eq!((ended.code, syncs(&ended)), (Some(0), ["one", "two", "three"].map(String::from).to_vec()));
        assert_eq!(desk.dump("first", "item"), desk.dump("fourth", "item"));
        desk.in_sqlite("first", "insert into item select max(id) + 1, 'b' from item");
    }
    let text = Ended::of(&mut desk.command(&["run", "three.json", "one.json", "two.json"]));
    let heads: Vec<_> = text.stdout.lines().filter(|line| line.ends_with(':')).collect();
    assert_eq!(heads, ["one:", "two:", "three:"], "{}", text.stdout);
}

#[test]
fn an_order_that_cannot_be_is_told_before_anything_is_touched() {
    let desk = Desk::new();
    shop(&desk, "a", r#""after": "stock","#);
    shop(&desk, "stack", "");
    shop(&desk, "b", r#""after": "c","#);
    shop(&desk, "c", r#""after": "b","#);
    let check = |files: &[&str], words: &str| {
        let ended = desk.rowsync(&[&["run"], files].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    };
    check(
        &["stack.json", "a.json"],
        "a.json: after: `stock` is none of the syncs that are run (`stack`, `a`); did you mean `stack`?",
    );
    check(&["b.json", "c.json"], "b.json: after: the syncs wait for one another: `b` -> `c` -> `b`");
    std::fs::copy(desk.path("stack.json"), desk.path("other.json")).unwrap();
    check(&["stack.json", "other.json"], "other.json: name: another file is called `stack` too");
    assert!(!desk.path("stack.copy").exists() && !desk.path("b.copy").exists());
    assert_eq!(desk.rowsync(&["run", "a.json", "--set", "after=[]"]).totals(), (2, 0, 0));
}

#[test]
fn a_sync_that_is_not_enabled_is_known_and_not_run() {
    let desk = Desk::new();
    shop(&desk, "off", r#""enabled": false, "sleep_seconds": 86400,"#);
    shop(&desk, "on", r#""after": "off","#);
    let ended = desk.rowsync(&["run", "on.json", "off.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(0), (2, 0, 0)));
    assert!(ended.stderr.contains("is not enabled, and not run sync=off"), "{}", ended.stderr);
    assert!(!desk.path("off.copy").exists());
}

#[test]
fn too_many_failed_cycles_in_a_row_pause_a_sync_visibly() {
    let desk = Desk::new();
    shop(&desk, "sync", r#""sleep_seconds": 1, "max_error_loop": 2, "retry_count": 0,"#);
    assert_eq!(desk.rowsync(&["run", "sync.json", "--once"]).code, Some(0));
    std::fs::rename(desk.path("sync.shop"), desk.path("elsewhere")).unwrap();
    let ended = Ended::of(&mut desk.command(&["run", "sync.json"]));
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("the cycle failed: source `a`").count(), 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("Sync failed. Sleeping 1 seconds until next run..."), "{}", ended.stderr);
    assert!(ended.stderr.contains("the sync is paused"), "{}", ended.stderr);
}

#[test]
fn a_file_that_does_not_fit_is_told_at_once_and_not_tried_for_ever() {
    let desk = Desk::new();
    shop(&desk, "sync", r#""sleep_seconds": 86400, "tables": ["none"],"#);
    let ended = desk.rowsync(&["run", "sync.json"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn a_sync_that_cannot_begin_does_not_keep_others_from_running() {
    let desk = Desk::new();
    shop(&desk, "good", r#""after": "bad","#);
    shop(&desk, "bad", r#""tables": ["none"],"#);
    let ended = desk.rowsync(&["run", "bad.json", "good.json"]);
    // Something was touched.
    assert_eq!((ended.code, ended.totals()), (Some(1), (2, 0, 0)), "{}", ended.stderr);
    assert!(ended.stderr.contains("rowsync: bad: source `a` has no table `none`"), "{}", ended.stderr);
}
