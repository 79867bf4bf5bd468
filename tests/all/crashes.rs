//! Servers that are restarted or killed in the midst of each phase of a run.

use crate::cluster::{Cluster, Server};
use crate::proxy::{Act, Proxy};
use crate::support::Desk;

const ROWS: u64 = 20_000;
const QUICK: &str = r#""reconnect_wait_seconds": 0.05, "retry_delay": 100, "retry_count": 10, "batch_size": 500,"#;

/// A statement of each phase: planning, counting, writing, committing, reading back, making everything safe.
const PHASES: [(&str, usize); 6] = [
    ("CREATE TABLE", 1),
    ("count(", 1),
    ("COPY \"public\".\"t\"", 9),
    ("COMMIT", 20),
    ("TO STDOUT", 2),
    ("synchronous_commit = on", 1),
];

fn source(desk: &Desk) -> String {
    desk.in_sqlite(
        "s.sqlite",
        &format!(
            "create table t (id integer primary key, v text not null);
             with recursive n(i) as (select 1 union all select i + 1 from n where i < {ROWS})
             insert into t select i, 'row number ' || i from n;"
        ),
    );
    desk.sqlite("s.sqlite")
}

fn check(down: fn(&Server)) {
    let cluster = Cluster::start();
    for (says, nth) in PHASES {
        let desk = Desk::new();
        cluster.sql("drop table if exists t");
        let server = cluster.server();
        let restart = Act::Call(Box::new(move || {
            down(&server);
            server.start_again();
        }));
        let proxy = Proxy::before(&cluster.url()).when(says, nth, restart);
        desk.sync("crash", &source(&desk), &proxy.url, QUICK);
        let ended = desk.run("crash");
        assert_eq!((proxy.done(), ended.totals()), (1, (ROWS, 0, 0)), "{says}: {}", ended.stderr);
        assert_eq!(cluster.sql("select count(*), count(distinct v) from t"), format!("{ROWS}|{ROWS}"), "{says}");
        assert!(ended.stderr.contains("sync connection failed"), "{says}: {}", ended.stderr);
        assert_eq!(desk.verify_code("crash"), Some(0), "{says}");
    }
}

#[test]
fn a_server_that_is_restarted_in_the_midst_of_any_phase_loses_nothing() {
    check(Server::stop);
}

#[test]
fn a_server_that_is_killed_in_the_midst_of_any_phase_loses_nothing_that_is_reported() {
    check(Server::kill);
}

#[test]
fn a_source_that_is_killed_while_it_is_read_is_read_again() {
    let cluster = Cluster::start();
    cluster.sql(&format!(
        "create table t (id bigint primary key, v text);
         insert into t select i, 'row number ' || i from generate_series(1, {ROWS}) i"
    ));
    let (desk, server) = (Desk::new(), cluster.server());
    let restart = Act::Call(Box::new(move || {
        server.kill();
        server.start_again();
    }));
    let proxy = Proxy::before(&cluster.url()).after(400_000, restart);
    desk.sync("crash", &proxy.url, &desk.sqlite("t.sqlite"), QUICK);
    let ended = desk.run("crash");
    assert_eq!((proxy.done(), ended.totals()), (1, (ROWS, 0, 0)), "{}", ended.stderr);
}
