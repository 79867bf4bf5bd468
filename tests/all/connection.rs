//! Connections that break between rowsync and a real PostgreSQL, in the midst of each phase: the run goes on, ends with
//! both sides equal, and counts every row once.

use std::time::Duration;

use crate::proxy::{Act, Again, Proxy};
use crate::support::{Database, Desk, Ended};

const ROWS: u64 = 20_000;
/// Soon back, and long enough to outlast what the tests do.
const QUICK: &str = r#""reconnect_wait_seconds": 0.05, "retry_delay": 50, "retry_count": 8, "batch_size": 500,"#;

/// A table that takes a while, in a file.
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

/// The target lacks every tenth row, another tenth is different, and it has a hundred rows too much.
fn spoil(target: &Database) {
    target.sql(&format!(
        "create table t (id bigint primary key, v text not null);
         insert into t select i, case when i % 10 = 1 then 'other' else 'row number ' || i end
             from generate_series(1, {ROWS} + 100) i where i % 10 <> 2 or i > {ROWS};"
    ));
}

fn generation(ended: &Ended) -> u64 {
    ended.report()["tables"][0]["generation"].as_u64().unwrap()
}

/// Runs through the proxy and expects that the fault happened and nobody sees it in the end.
fn check(desk: &Desk, proxy: &Proxy, target: &Database, totals: (u64, u64, u64), more: &str) -> Ended {
    desk.sync("through", &source(desk), &proxy.url, &format!("{QUICK}{more}"));
    let ended = desk.run("through");
    assert_eq!(proxy.done(), 1, "the fault never happened");
    assert_eq!(ended.totals(), totals, "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(target.sql("select count(*), count(distinct v) from t"), format!("{ROWS}|{ROWS}"));
    desk.sync("direct", &desk.sqlite("s.sqlite"), &target.url, "");
    assert_eq!(desk.verify_code("direct"), Some(0));
    ended
}

#[test]
fn a_connection_cut_in_the_midst_of_a_copy_is_opened_again() {
    for (says, nth) in [("BEGIN ISOLATION LEVEL READ COMMITTED", 3), ("COPY \"public\".\"t\"", 9), ("COMMIT", 20)] {
        let (desk, target) = (Desk::new(), Database::new());
        let proxy = Proxy::before(&target.url).when(says, nth, Act::Cut);
        let ended = check(&desk, &proxy, &target, (ROWS, 0, 0), "");
        assert_eq!(generation(&ended), 2, "{says}");
        assert!(ended.stderr.contains("sync connection failed"), "{}", ended.stderr);
        assert!(ended.stderr.contains("the table is begun again table=t generation=2 panics=0"), "{}", ended.stderr);
        assert_eq!(ended.report()["tables"][0]["panics"], 0);
    }
}

#[test]
fn the_log_tells_when_connections_are_opened_lost_and_found_again_to_those_who_ask() {
    let log = |more: &str| {
        let (desk, target) = (Desk::new(), Database::new());
        let proxy = Proxy::before(&target.url).when("COPY \"public\".\"t\"", 9, Act::Cut);
        let stderr = check(&desk, &proxy, &target, (ROWS, 0, 0), more).stderr;
        assert!(!stderr.contains("row number"), "{stderr}");
        let told =
            ["is opened side=\"source\"", "is opened side=\"target\"", "is lost side=target", "is back side=target"];
        told.map(|words| stderr.matches(&format!("sync connection {words}")).count())
    };
    assert_eq!(log(r#""debug_connection_change": true,"#), [1, 1, 1, 1]);
    assert_eq!(log(""), [0, 0, 0, 1]);
}

#[test]
fn a_connection_cut_while_it_counts_or_compares_or_merges_is_opened_again() {
    for (says, nth) in [
        ("count(", 1),
        ("TO STDOUT", 3),
        ("rowsync_stage", 1),
        ("DELETE FROM", 1),
        ("COMMIT", 3),
        ("synchronous_commit = on", 1),
    ] {
        let (desk, target) = (Desk::new(), Database::new());
        spoil(&target);
        let proxy = Proxy::before(&target.url).when(says, nth, Act::Cut);
        let ended = check(&desk, &proxy, &target, (ROWS / 10, ROWS / 10, 100), "");
        assert_eq!(generation(&ended), 2, "{says}");
    }
}

#[test]
fn a_batch_whose_commit_got_no_answer_is_neither_written_nor_counted_twice() {
    for nth in [2, 11, 39] {
        let (desk, target) = (Desk::new(), Database::new());
        let proxy = Proxy::before(&target.url).when("COMMIT", nth, Act::CutTheAnswer);
        check(&desk, &proxy, &target, (ROWS, 0, 0), "");
    }
    for nth in [2, 5] {
        let (desk, target) = (Desk::new(), Database::new());
        spoil(&target);
        let proxy = Proxy::before(&target.url).when("COMMIT", nth, Act::CutTheAnswer);
        check(&desk, &proxy, &target, (ROWS / 10, ROWS / 10, 100), "");
    }
}

#[test]
fn a_connection_that_falls_silent_is_given_up_and_opened_again() {
    for (says, nth) in [("COPY \"public\".\"t\"", 9), ("COMMIT", 5)] {
        let (desk, target) = (Desk::new(), Database::new());
        let proxy = Proxy::before(&target.url).when(says, nth, Act::Silence);
        let begun = std::time::Instant::now();
        let ended = check(&desk, &proxy, &target, (ROWS, 0, 0), r#""timeout": 1,"#);
        assert!(ended.stderr.contains("the connection is dead"), "{}", ended.stderr);
        // Noticed after a second and a half, not when the system gives the line up.
        assert!(begun.elapsed() < Duration::from_secs(45));
    }
}

#[test]
fn a_source_that_is_cut_is_read_again_from_a_new_snapshot() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql(&format!("create table t as select i as id, 'row number ' || i as v from generate_series(1, {ROWS}) i; alter table t add primary key (id)"));
    let proxy = || Proxy::before(&source.url);
    for (name, proxy) in [
        ("counting", proxy().when("count(", 1, Act::Cut)),
        ("second page", proxy().when("SAVEPOINT rowsync_walk", 1, Act::Cut)),
        ("midst", proxy().after(100_000, Act::Cut)),
    ] {
        let target = desk.sqlite(&format!("{name}.sqlite"));
        desk.sync("from", &proxy.url, &target, QUICK);
        let ended = desk.run("from");
        let outcome = (proxy.done(), ended.totals(), generation(&ended));
        assert_eq!(outcome, (1, (ROWS, 0, 0), 2), "{name}: {}", ended.stderr);
    }
}

#[test]
fn a_run_that_cannot_connect_at_first_waits_for_the_server() {
    let (desk, target) = (Desk::new(), Database::new());
    let proxy = Proxy::before(&target.url).when("set_config", 1, Act::Cut);
    let ended = check(&desk, &proxy, &target, (ROWS, 0, 0), "");
    assert_eq!(generation(&ended), 1);
    assert!(ended.stderr.contains("sync connection failed"), "{}", ended.stderr);
}

#[test]
fn a_slow_line_is_no_fault() {
    let (desk, target) = (Desk::new(), Database::new());
    let proxy = Proxy::before(&target.url).slow(Duration::from_millis(3));
    desk.sync("slow", &source(&desk), &proxy.url, QUICK);
    let ended = desk.run("slow");
    assert_eq!((ended.totals(), generation(&ended)), ((ROWS, 0, 0), 1));
}

#[test]
fn a_narrow_line_is_no_fault_although_a_run_takes_longer_than_a_statement_may() {
    let (desk, target) = (Desk::new(), Database::new());
    let proxy = Proxy::before(&target.url).narrow(200_000);
    desk.sync("narrow", &source(&desk), &proxy.url, &format!(r#"{QUICK} "timeout": 1,"#));
    let begun = std::time::Instant::now();
    let ended = desk.run("narrow");
    assert!(begun.elapsed() > Duration::from_secs(2), "the line is wide: {:?}", begun.elapsed());
    assert_eq!((ended.totals(), generation(&ended)), ((ROWS, 0, 0), 1));
}

#[test]
fn a_long_way_is_gone_with_as_few_connections_as_there_may_be() {
    let (desk, target) = (Desk::new(), Database::new());
    let (from, far) = (source(&desk), Duration::from_millis(15));
    // The second one is opened ahead; where there may be only one, none is kept beside the pool.
    for (connections_max, opened) in [(8, 2), (2, 2), (1, 2)] {
        let proxy = Proxy::before(&target.url).slow(far);
        desk.sync("far", &from, &proxy.url, &format!(r#""max_connections": {connections_max},"#));
        let planned = desk.command(&["plan", "far.json"]).output().unwrap();
        assert!(planned.status.success(), "{planned:?}");
        assert_eq!(proxy.connections(), opened, "of at most {connections_max}");
    }
}

#[test]
fn a_line_that_comes_and_goes_brings_every_row_in_the_end() {
    let (desk, target) = (Desk::new(), Database::new());
    let proxy = (1..12).fold(Proxy::before(&target.url), |proxy, n| proxy.when("COMMIT", 3 * n, Act::Cut));
    desk.sync("flapping", &source(&desk), &proxy.url, QUICK);
    let ended = desk.run("flapping");
    assert_eq!((ended.totals(), proxy.done()), ((ROWS, 0, 0), 11), "{}", ended.stderr);
    assert!(generation(&ended) > 6, "{}", ended.stdout);
}

#[test]
fn backends_that_an_administrator_ends_are_replaced() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.sync("ended", &source(&desk), &target.url, QUICK);
    let (admin, name) = (target.url.clone(), target.sql("select current_database()"));
    let ending = Again::and_again(Duration::from_millis(400), move || {
        crate::support::psql(
            &admin,
            &format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rowsync' and datname = '{name}'"
            ),
        );
    });
    let mut ended = desk.run("ended");
    // On a quick machine a run may be over before the administrator comes.
    for _ in 0..20 {
        if generation(&ended) > 1 {
            break;
        }
        target.sql("truncate t");
        ended = desk.run("ended");
    }
    drop(ending);
    assert!(generation(&ended) > 1, "no backend was ended in the midst of a run");
    assert_eq!(target.sql("select count(*), count(distinct v) from t"), format!("{ROWS}|{ROWS}"));
    assert_eq!(ended.totals(), (ROWS, 0, 0));
}

#[test]
fn a_server_that_stays_away_longer_than_the_patience_is_told_and_the_next_run_goes_on() {
    let (desk, target) = (Desk::new(), Database::new());
    let proxy = Proxy::before(&target.url).when("COMMIT", 10, Act::Shut);
    desk.sync("away", &source(&desk), &proxy.url, QUICK);
    let ended = desk.rowsync(&["run", "away.json", "--set", "retry_count=2"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let table = &ended.report()["tables"][0];
    assert_eq!(table["errors"][0]["class"], "connection", "{table}");
    assert!(table["errors"][0]["remedy"].as_str().unwrap().contains("run again"), "{table}");
    // The first failure, and three tries to come back.
    assert_eq!(ended.stderr.matches("sync connection failed").count(), 3, "{}", ended.stderr);
    let added = table["added"].as_u64().unwrap();
    assert_eq!(target.sql("select count(*) from t"), added.to_string());
    proxy.open_again();
    assert_eq!(desk.run("away").totals(), (ROWS - added, 0, 0));
}
