//! Files and servers that let us look and not write, or not even look: told with what helps, and nothing is touched.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::cluster::Cluster;
use crate::proxy::{Act, Proxy};
use crate::small_disk::is_root;
use crate::support::{Desk, Ended};

/// Runs as somebody whom permissions bind, which root is not by itself.
fn run(desk: &Desk, name: &str) -> Ended {
    let file = format!("{name}.json");
    let mut command = desk.command(&["run", &file, "--output", "json"]);
    if !is_root() {
        return Ended::of(&mut command);
    }
    let mut bound = Command::new("setpriv");
    bound.args(["--bounding-set", "-dac_override,-dac_read_search", "--"]).arg(command.get_program());
    Ended::of(bound.args(command.get_args()).current_dir(desk.path(".")).env_remove("RUST_LOG"))
}

fn allow(desk: &Desk, name: &str, mode: u32) {
    std::fs::set_permissions(desk.path(name), Permissions::from_mode(mode)).unwrap();
}

const TABLE: &str = "create table t (id integer primary key, v);";

/// A source of two rows, and an empty target in a folder of its own.
fn desk_with_both() -> Desk {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("there")).unwrap();
    std::fs::create_dir(desk.path("here")).unwrap();
    desk.in_sqlite("here/s.sqlite", &format!("{TABLE} insert into t values (1, 1), (2, 2)"));
    desk.in_sqlite("there/t.sqlite", TABLE);
    desk.sync("bound", &desk.sqlite("here/s.sqlite"), &desk.sqlite("there/t.sqlite"), "");
    desk
}

fn told(ended: &Ended) -> String {
    format!("{}{}", ended.stdout, ended.stderr)
}

#[test]
fn a_target_that_may_not_be_written_is_told_and_filled_once_it_may() {
    for (name, forbidden, allowed) in [("there/t.sqlite", 0o444, 0o644), ("there", 0o555, 0o755)] {
        let desk = desk_with_both();
        allow(&desk, name, forbidden);
        let ended = run(&desk, "bound");
        allow(&desk, name, allowed);
        assert_eq!(ended.code, Some(4), "{name}: {}", told(&ended));
        assert!(told(&ended).contains("or see that the database or file can be written"), "{name}: {}", told(&ended));
        assert!(desk.dump("there/t.sqlite", "t").is_empty());
        assert_eq!(run(&desk, "bound").totals(), (2, 0, 0));
    }
}

#[test]
fn a_source_that_may_not_be_read_is_told_and_leaves_no_new_target_behind() {
    for (name, allowed) in [("here/s.sqlite", 0o644), ("here", 0o755)] {
        let desk = desk_with_both();
        std::fs::remove_file(desk.path("there/t.sqlite")).unwrap();
        allow(&desk, name, 0);
        let ended = run(&desk, "bound");
        allow(&desk, name, allowed);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains("source `a`"), "{}", ended.stderr);
        assert!(!desk.path("there/t.sqlite").exists());
    }
}

/// SQLite reads a file in WAL mode only where it may write beside it.
#[test]
fn a_source_that_may_only_be_read_is_enough_unless_it_is_in_wal_mode() {
    for (mode, code) in [("delete", 0), ("wal", 4)] {
        let desk = desk_with_both();
        desk.in_sqlite("here/s.sqlite", &format!("pragma journal_mode = {mode}"));
        allow(&desk, "here/s.sqlite", 0o444);
        allow(&desk, "here", 0o555);
        let ended = run(&desk, "bound");
        allow(&desk, "here", 0o755);
        assert_eq!(ended.code, Some(code), "{mode}: {}", told(&ended));
        assert!(code == 0 || ended.stderr.contains("source `a`"), "{}", ended.stderr);
        assert_eq!(desk.dump("there/t.sqlite", "t").len(), if code == 0 { 2 } else { 0 });
    }
}

#[test]
fn a_state_that_may_not_be_written_stops_a_run_before_it_writes() {
    let desk = desk_with_both();
    std::fs::create_dir(desk.path("state")).unwrap();
    let state = format!(r#""state": "{}","#, desk.sqlite("state/state.sqlite"));
    desk.sync("bound", &desk.sqlite("here/s.sqlite"), &desk.sqlite("there/t.sqlite"), &state);
    allow(&desk, "state", 0o555);
    let ended = run(&desk, "bound");
    allow(&desk, "state", 0o755);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("state.sqlite cannot be used") && ended.stderr.contains("`state`"),
        "{}",
        ended.stderr
    );
    assert!(desk.dump("there/t.sqlite", "t").is_empty());
    assert_eq!(run(&desk, "bound").totals(), (2, 0, 0));
}

#[test]
fn a_server_that_can_only_be_read_after_a_failover_parks_its_table_until_it_can_be_written() {
    const ROWS: u64 = 5_000;
    let (desk, server) = (Desk::new(), Cluster::start());
    desk.in_sqlite(
        "s.sqlite",
        &format!(
            "{TABLE} with recursive n(i) as (select 1 union all select i + 1 from n where i < {ROWS})
             insert into t select i, i from n"
        ),
    );
    let down = server.server();
    let failover = Act::Call(Box::new(move || {
        down.stop();
        down.follow();
        down.start_again();
    }));
    let proxy = Proxy::before(&server.url()).when("COMMIT", 7, failover);
    let quick = r#""reconnect_wait_seconds": 0.05, "retry_delay": 100, "retry_count": 50, "batch_size": 500,"#;
    desk.sync("failover", &desk.sqlite("s.sqlite"), &proxy.url, quick);
    let ended = desk.rowsync(&["run", "failover.json"]);
    assert_eq!((proxy.done(), ended.code), (1, Some(4)), "{}", told(&ended));
    let error = &ended.report()["tables"][0]["errors"][0];
    assert_eq!(error["class"], "connection", "{error}");
    assert!(error["message"].as_str().unwrap().contains("during recovery"), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("can be written"), "{error}");
    let (added, ..) = ended.totals();
    assert_eq!(server.sql("select count(*) from t"), added.to_string());
    server.promote();
    assert_eq!(desk.run("failover").totals(), (ROWS - added, 0, 0));
}
