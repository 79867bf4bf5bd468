//! Disks that are full: of the target, and of the state. The run says so and leaves nothing half written, and once there
//! is room the next one goes on.

use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::cluster::{Cluster, Place};
use crate::proxy::{Act, Proxy};
use crate::small_disk::SmallDisk;
use crate::support::{Database, Desk, Ended};

const ROWS: u64 = 20_000;
const BATCH: u64 = 500;
const SETTINGS: &str = r#""batch_size": 500,"#;

/// A megabyte and more, so a disk of half a megabyte is soon full.
const FILL: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
     insert into t select i, 'a row that takes some room on a disk, number ' || i from n";

fn source(desk: &Desk) -> String {
    desk.in_sqlite("s.sqlite", &format!("create table t (id integer primary key, v text not null); {FILL}"));
    desk.sqlite("s.sqlite")
}

/// A run that sees the small disk.
fn inside(desk: &Desk, disk: &SmallDisk) -> Command {
    disk.enter(desk.command(&["run", "full.json"]).args(["--output", "json"]))
}

fn run(desk: &Desk, disk: &SmallDisk) -> Ended {
    Ended::of(&mut inside(desk, disk))
}

/// What the target on the disk holds, seen in a copy, so that it stays as the run left it.
fn look(disk: &SmallDisk) -> Vec<String> {
    let copy = Desk::new();
    std::fs::copy(disk.path("t.sqlite"), copy.path("t.sqlite")).unwrap();
    if disk.path("t.sqlite-wal").exists() {
        std::fs::copy(disk.path("t.sqlite-wal"), copy.path("t.sqlite-wal")).unwrap();
    }
    copy.dump("t.sqlite", "t")
}

fn rows_of_server(cluster: &Cluster) -> u64 {
    cluster.sql("select count(*) from t").parse().unwrap()
}

/// The run stopped for want of room, and says how much it did.
fn expect_full(ended: &Ended, says: &str) -> u64 {
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.stdout, ended.stderr);
    let table = &ended.report()["tables"][0];
    let error = &table["errors"][0];
    assert_eq!((&table["status"], &error["class"]), (&"completed_with_errors".into(), &"connection".into()), "{table}");
    assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("make room on the target, then run again"), "{error}");
    let (added, failed) = (table["added"].as_u64().unwrap(), table["failed"].as_u64().unwrap());
    assert_eq!((added % BATCH, added + failed), (0, ROWS), "{table}");
    assert!(added > 0);
    added
}

#[test]
fn a_file_whose_disk_is_full_keeps_whole_batches_and_gets_the_rest_once_there_is_room() {
    let desk = Desk::new();
    let source = source(&desk);
    let mut disk = SmallDisk::over(&desk.path("small"), 1024);
    desk.sync("full", &source, &desk.sqlite("small/t.sqlite"), SETTINGS);
    let added = expect_full(&run(&desk, &disk), "full");
    assert_eq!(look(&disk), desk.dump("s.sqlite", "t")[..usize::try_from(added).unwrap()]);
    let again = run(&desk, &disk);
    assert!(again.code == Some(4) && again.stdout.contains("make room"), "still full: {}", again.stdout);
    let left = look(&disk).len() as u64;
    disk.grow();
    let ended = run(&desk, &disk);
    assert_eq!((ended.code, ended.totals()), (Some(0), (ROWS - left, 0, 0)), "{}", ended.stderr);
}

#[test]
fn a_server_whose_disk_is_full_keeps_whole_batches_and_gets_the_rest_once_there_is_room() {
    let desk = Desk::new();
    let source = source(&desk);
    let mut disk = SmallDisk::over(&desk.path("small"), 1024);
    // The server runs as somebody else, who has to come through.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(desk.path("."), everybody).unwrap();
    let cluster = Cluster::start_inside(disk.inside(), Place::Folder);
    let (space, owner) = (desk.path("small/space"), crate::cluster::owner());
    let mut make = disk.enter(Command::new("install").arg("-d").args(owner.iter().flat_map(|o| ["-o", o])).arg(&space));
    assert!(make.status().unwrap().success());
    cluster.sql(&format!("create tablespace small location '{}'", space.display()));
    cluster.sql("create table t (id bigint primary key, v text not null) tablespace small");
    desk.sync("full", &source, &cluster.url(), SETTINGS);
    let added = expect_full(&desk.rowsync(&["run", "full.json"]), "(53100)");
    assert_eq!(rows_of_server(&cluster), added);
    assert_eq!(cluster.sql("select max(id) from t"), added.to_string());
    let again = desk.rowsync(&["run", "full.json"]);
    assert!(again.code == Some(4) && again.stdout.contains("make room"), "still full: {}", again.stdout);
    let left = rows_of_server(&cluster);
    disk.grow();
    assert_eq!(desk.run("full").totals(), (ROWS - left, 0, 0));
    assert_eq!(cluster.sql("select count(*), min(v), sum(id) from t"), {
        let sum = ROWS * (ROWS + 1) / 2;
        format!("{ROWS}|a row that takes some room on a disk, number 1|{sum}")
    });
}

#[test]
fn a_state_whose_disk_is_full_stops_a_run_before_it_writes() {
    let (desk, target) = (Desk::new(), Database::new());
    let mut disk = SmallDisk::over(&desk.path("small"), 1024);
    let state = format!(r#""state": "{}","#, desk.sqlite("small/state.sqlite"));
    desk.sync("full", &source(&desk), &target.url, &state);
    disk.fill();
    let refused = run(&desk, &disk);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("state.sqlite cannot be used") && refused.stderr.contains("full"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("make room"), "{}", refused.stderr);
    assert_eq!(target.sql("select to_regclass('t') is null"), "t");
    disk.grow();
    assert_eq!(run(&desk, &disk).totals(), (ROWS, 0, 0));
}

#[test]
fn a_state_whose_disk_fills_while_rows_are_written_is_told_and_the_next_run_compares() {
    let (desk, target) = (Desk::new(), Database::new());
    let disk = Arc::new(Mutex::new(SmallDisk::over(&desk.path("small"), 1024)));
    let filling = Arc::clone(&disk);
    let fill = Act::Call(Box::new(move || filling.lock().unwrap().fill()));
    let proxy = Proxy::before(&target.url).when("COMMIT", 9, fill);
    let state = format!(r#""batch_size": 500, "state": "{}","#, desk.sqlite("small/state.sqlite"));
    desk.sync("full", &source(&desk), &proxy.url, &state);
    let mut command = inside(&desk, &disk.lock().unwrap());
    let written = Ended::of(&mut command);
    assert_eq!((proxy.done(), written.code, written.totals()), (1, Some(4), (ROWS, 0, 0)), "{}", written.stderr);
    let error = &written.report()["errors"][0];
    assert_eq!(error["class"], "connection", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("is full") && message.contains("make room"), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("the rows are written"), "{error}");
    disk.lock().unwrap().grow();
    assert_eq!(run(&desk, &disk.lock().unwrap()).totals(), (0, 0, 0));
}
