//! A server whose own write-ahead log finds no room: it gives up in the midst of a statement, and comes down when it cannot
//! recover either. A run waits for it, or says what a person must do; once there is room the sides become equal.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use crate::cluster::{Cluster, Place};
use crate::proxy::{Act, Proxy};
use crate::small_disk::SmallDisk;
use crate::support::{Desk, Ended};

const ROWS: u64 = 20_000;
/// What is left of the disk once the cluster is there: less than the log of these rows.
const ROOM_KIB: u64 = 5 * 1024;
const QUICK: &str = r#""batch_size": 500, "reconnect_wait_seconds": 0.05, "retry_delay": 100,"#;

/// More than ten megabytes.
fn source(desk: &Desk) -> String {
    let fill = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
        insert into t select i, printf('%0600d', i) from n";
    desk.in_sqlite("s.sqlite", &format!("create table t (id integer primary key, v text not null); {fill}"));
    desk.sqlite("s.sqlite")
}

/// A server of which a part lies on a disk that is soon full.
fn small(desk: &Desk, place: fn(&Path) -> Place) -> (SmallDisk, Cluster) {
    // The server runs as somebody else, who has to come through.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(desk.path("."), everybody).unwrap();
    let disk = SmallDisk::over(&desk.path("small"), 100 * 1024);
    let cluster = Cluster::start_inside(disk.inside(), place(&desk.path("small")));
    cluster.sql("create table t (id bigint primary key, v text not null)");
    // The pages of the table are there already, and no old ones of the log, so that it is the log that grows.
    let fill = format!("insert into t select i, lpad(i::text, 600, '0') from generate_series(1, {ROWS}) i");
    for sql in ["alter system set wal_recycle = off", "select pg_reload_conf()", &fill, "delete from t"] {
        cluster.sql(sql);
    }
    cluster.sql("vacuum (truncate false) t");
    cluster.sql("checkpoint");
    disk.leave(ROOM_KIB);
    (disk, cluster)
}

fn log_alone(disk: &Path) -> Place {
    Place::Log(disk.join("log"))
}

fn all_data(disk: &Path) -> Place {
    Place::Data(disk.join("data"))
}

fn expect_equal(desk: &Desk, cluster: &Cluster) {
    assert_eq!(
        cluster.sql("select count(*), min(id), max(id), bool_and(v = lpad(id::text, 600, '0')) from t"),
        format!("{ROWS}|1|{ROWS}|t")
    );
    assert_eq!(desk.verify_code("log"), Some(0));
}

/// The run ended before its work was done, and says why and what to do.
fn expect_told(ended: &Ended) {
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.stdout, ended.stderr);
    let table = &ended.report()["tables"][0];
    let error = &table["errors"][0];
    assert_eq!((&table["status"], &error["class"]), (&"completed_with_errors".into(), &"connection".into()), "{table}");
    let remedy = error["remedy"].as_str().unwrap();
    // The statement that met the full disk is told so by the server, all others only see it go.
    let full = error["message"].as_str().unwrap().contains("(53100)");
    let says = if full { "make room on the target" } else { "see that the database runs and can be reached" };
    assert!(remedy.contains(says) && remedy.contains("then run again"), "{error}");
}

/// Whichever statement meets the end of the disk, the run says so, and after a person gave room the next one goes on.
fn check_that_it_is_told(place: fn(&Path) -> Place) {
    let desk = Desk::new();
    let (mut disk, cluster) = small(&desk, place);
    desk.sync("log", &source(&desk), &cluster.url(), &format!(r#"{QUICK} "retry_count": 1,"#));
    expect_told(&desk.rowsync(&["run", "log.json"]));
    cluster.ends();
    assert!(cluster.said().contains("PANIC:  could not write to file \"pg_wal/"), "{}", cluster.said());
    let away = desk.rowsync(&["run", "log.json"]);
    assert_eq!(away.code, Some(4), "{}", away.stderr);
    assert!(away.stderr.contains("see that the database runs"), "{}", away.stderr);
    disk.grow();
    cluster.start_again();
    let left: u64 = cluster.sql("select count(*) from t").parse().unwrap();
    assert!((1..ROWS).contains(&left), "{left}");
    assert_eq!(desk.run("log").totals(), (ROWS - left, 0, 0));
    expect_equal(&desk, &cluster);
}

#[test]
fn a_server_without_room_for_its_log_is_told_and_the_rest_comes_once_it_has_some() {
    check_that_it_is_told(log_alone);
}

#[test]
fn a_server_whose_whole_disk_is_full_is_told_and_the_rest_comes_once_there_is_room() {
    check_that_it_is_told(all_data);
}

/// Another one's rows use the room up; whoever only sees the server go away waits for it, as after any crash.
#[test]
fn a_server_that_comes_down_over_its_log_is_waited_for_until_somebody_gave_it_room() {
    let desk = Desk::new();
    let (mut disk, cluster) = small(&desk, log_alone);
    let (url, server) = (cluster.url(), cluster.server());
    let (came_down, is_down) = channel();
    let others = Act::Call(Box::new(move || {
        let many = "create table other as select repeat('x', 600) from generate_series(1, 50000)";
        let broken = Command::new("psql").args(["-qX", &url, "-c", many]).output().unwrap();
        assert!(!broken.status.success(), "the disk is large enough for all");
        server.ends();
        came_down.send(()).unwrap();
    }));
    let proxy = Proxy::before(&cluster.url()).when("COMMIT", 5, others);
    desk.sync("log", &source(&desk), &proxy.url, &format!(r#"{QUICK} "retry_count": 10,"#));
    let mut command = desk.command(&["run", "log.json", "--output", "json"]);
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("sync connection failed")), "the run did not wait");
    is_down.recv().unwrap();
    disk.grow();
    cluster.start_again();
    let rest: Vec<String> = lines.collect();
    let output = run.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (proxy.done(), output.status.code(), &report["totals"]["added"]),
        (1, Some(0), &ROWS.into()),
        "{rest:#?}"
    );
    assert_eq!(report["tables"][0]["generation"], 2, "{rest:#?}");
    expect_equal(&desk, &cluster);
}
