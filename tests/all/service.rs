//! `rowsync serve`: a process that is asked over HTTP.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::server::{API, Held, Server};
use crate::support::{Database, Desk};

/// Keys of a service that a test asks as fast as it can.
const FAST: &str = r#""listen": "127.0.0.1:0", "max_requests_per_second": 100000, "state": "sqlite:state.sqlite","#;

fn shop(desk: &Desk, name: &str, more: &str) {
    desk.in_sqlite(
        name,
        "create table item (id integer primary key, v text); insert into item values (1, 'a'), (2, 'b')",
    );
    desk.sync(name, &desk.sqlite(name), &desk.sqlite(&format!("{name}-copy")), &format!("{FAST} {more}"));
}

#[test]
fn a_sync_of_a_file_is_executed_and_its_report_is_shown_as_run_prints_it() {
    let desk = Desk::new();
    shop(&desk, "shop", "");
    let server = Server::start(&desk, &["shop.json"]);
    let id = server.execute("shop");
    let report = server.report(&id);
    assert_eq!((&report["status"], &report["totals"]["added"]), (&json!("completed"), &json!(2)), "{report:#}");
    assert_eq!((&report["configuration"], &report["sync"]), (&json!("shop"), &json!("shop")));
    assert_eq!(desk.dump("shop-copy", "item"), desk.dump("shop", "item"));
    // Shown again, and by the history of the command line, from the same state.
    let shown = server.get(&format!("{API}/executions/{id}")).json();
    assert_eq!(shown, report);
    let printed: Value = serde_json::from_str(&desk.rowsync(&["history", "shop.json", &id]).stdout).unwrap();
    for (key, value) in printed.as_object().unwrap() {
        assert_eq!(&shown[key], value, "{key}");
    }
}

#[test]
fn executions_are_listed_the_newest_first_in_pages() {
    let desk = Desk::new();
    shop(&desk, "one", "");
    shop(&desk, "two", r#""only_sync_plan": true,"#);
    let server = Server::start(&desk, &["one.json", "two.json"]);
    let reports = ["one", "two", "one"].map(|id| server.run(id));
    let list = |query: &str| {
        let page = server.get(&format!("{API}/executions{query}")).json();
        let ids = page["executions"].as_array().unwrap().iter().map(|listed| listed["execution_id"].clone());
        (ids.collect::<Vec<_>>(), page["next"].clone())
    };
    let ids = [2, 1, 0].map(|at: usize| reports[at]["execution_id"].clone()).to_vec();
    assert_eq!(list(""), (ids.clone(), Value::Null));
    assert_eq!(list("?configuration=one"), (vec![ids[0].clone(), ids[2].clone()], Value::Null));
    assert_eq!(list("?status=planned"), (vec![ids[1].clone()], Value::Null));
    assert_eq!(list("?status=running"), (vec![], Value::Null));
    let (first, next) = list("?limit=2");
    assert_eq!((first, &next), (ids[..2].to_vec(), &ids[1]));
    assert_eq!(list(&format!("?limit=2&before={}", next.as_str().unwrap())), (ids[2..].to_vec(), Value::Null));
    for wrong in ["?limit=0", "?limit=1001", "?limit=x", "?before=x", "?status=lost"] {
        server.get(&format!("{API}/executions{wrong}")).refused(400);
    }
    server.get(&format!("{API}/executions?configuration=none")).refused(404);
}

#[test]
fn a_sync_at_work_is_shown_live_refuses_a_second_execution_and_is_cancelled() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql("create table item (id int primary key, v text); insert into item values (1, 'a')");
    desk.sync("shop", &source.url, &desk.sqlite("copy"), FAST);
    let server = Server::start(&desk, &["shop.json"]);
    let held = Held::table(&source, "item");
    let id = server.execute("shop");
    let shown = server.get(&format!("{API}/executions/{id}")).json();
    assert_eq!((&shown["status"], &shown["finished_at"]), (&json!("running"), &Value::Null));
    let list = server.get(&format!("{API}/executions?status=running")).json();
    assert_eq!(list["executions"][0]["execution_id"], json!(id));
    let again = server.ask("POST", &format!("{API}/configurations/shop/execute"), "", "");
    assert!(again.refused(409).contains(&id));
    let cancelled = server.ask("POST", &format!("{API}/executions/{id}/cancel"), "", "");
    assert_eq!(cancelled.status, 202);
    held.release();
    assert_eq!(server.report(&id)["status"], "interrupted");
    let again = server.ask("POST", &format!("{API}/executions/{id}/cancel"), "", "");
    assert!(again.refused(409).contains("it is interrupted"));
    // And the next one does what is left.
    assert_eq!(server.run("shop")["totals"]["added"], 1);
}

#[test]
fn an_execution_that_cannot_begin_is_in_the_history_with_its_reason() {
    let desk = Desk::new();
    desk.sync("shop", &desk.sqlite("nowhere"), &desk.sqlite("copy"), &format!("{FAST} \"retry_count\": 0,"));
    let server = Server::start(&desk, &["shop.json"]);
    let report = server.run("shop");
    assert_eq!(report["status"], "failed");
    assert!(report["errors"][0]["message"].as_str().unwrap().contains("source `a`"), "{report:#}");
    let history = desk.rowsync(&["history", "shop.json"]).report();
    assert_eq!(history["executions"][0]["status"], "failed");
}

/// It was counted as a mistake of rowsync itself, which is to be reported.
#[test]
fn a_table_that_the_target_lacks_is_an_error_of_the_schema() {
    let desk = Desk::new();
    desk.in_sqlite("shop", "create table item (id integer primary key)");
    desk.sync("shop", &desk.sqlite("shop"), &desk.sqlite("copy"), FAST);
    let written = std::fs::read_to_string(desk.path("shop.json")).unwrap();
    let making = "\"create_missing_tables\": true";
    assert!(written.contains(making));
    std::fs::write(desk.path("shop.json"), written.replace(making, "\"create_missing_tables\": false")).unwrap();
    desk.in_sqlite("copy", "create table other (id integer primary key)");
    let server = Server::start(&desk, &["shop.json"]);
    let report = server.run("shop");
    assert_eq!((&report["status"], &report["errors"][0]["class"]), (&json!("failed"), &json!("schema")), "{report:#}");
    assert!(report["errors"][0]["message"].as_str().unwrap().contains("create_missing_tables"), "{report:#}");
}

#[test]
fn a_sync_that_is_not_enabled_is_not_executed() {
    let desk = Desk::new();
    shop(&desk, "shop", r#""enabled": false,"#);
    let server = Server::start(&desk, &["shop.json"]);
    let answer = server.ask("POST", &format!("{API}/configurations/shop/execute"), "", "");
    assert!(answer.refused(409).contains("not enabled"));
    server.ask("POST", &format!("{API}/configurations/none/execute"), "", "").refused(404);
    server.get(&format!("{API}/executions/019ab3c4-0001-7000-8000-000000000000")).refused(404);
    server.get(&format!("{API}/executions/none/events")).refused(404);
}

#[test]
fn health_and_readiness_are_told_apart() {
    let (desk, state) = (Desk::new(), Database::new());
    desk.in_sqlite("shop", "create table item (id integer primary key)");
    let keys = FAST.replace("sqlite:state.sqlite", &state.url);
    desk.sync("shop", &desk.sqlite("shop"), &desk.sqlite("copy"), &keys);
    let mut server = Server::start(&desk, &["shop.json"]);
    assert_eq!((server.get("/healthz").status, server.get("/readyz").status), (200, 200));
    // The state is gone, and the process is not.
    state.sql("alter table sync_executions rename to gone");
    drop(state);
    // An answer holds for a moment.
    assert!((0..100_000).any(|_| server.get("/readyz").status == 503));
    server.get("/readyz").refused(503);
    assert!(server.is_alive());
    server.logged("not ready");
}

#[test]
fn asked_to_end_it_ends_after_the_batch_in_hand_and_takes_nothing_new() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql("create table item (id int primary key, v text); insert into item values (1, 'a')");
    desk.sync("shop", &source.url, &desk.sqlite("copy"), FAST);
    let mut server = Server::start(&desk, &["shop.json"]);
    let held = Held::table(&source, "item");
    let id = server.execute("shop");
    server.signal("-TERM");
    server.logged("stopping after the batch in hand");
    let refused = server.ask("POST", &format!("{API}/configurations/shop/execute"), "", "").refused(503);
    assert!(refused.contains("stopping"));
    server.get("/readyz").refused(503);
    held.release();
    assert_eq!(server.ended().code(), Some(0));
    let history = desk.rowsync(&["history", "shop.json", &id]);
    assert_eq!(history.report()["status"], "interrupted");
}

#[test]
fn files_are_read_again_on_a_signal_and_the_old_ones_hold_where_the_new_are_wrong() {
    let desk = Desk::new();
    shop(&desk, "shop", "");
    let mut server = Server::start(&desk, &["shop.json"]);
    assert_eq!(server.run("shop")["tables"].as_array().unwrap().len(), 1);

    desk.in_sqlite("shop", "create table other (id integer primary key); insert into other values (7)");
    let text = std::fs::read_to_string(desk.path("shop.json")).unwrap();
    std::fs::write(desk.path("shop.json"), text.replace("\"source\": \"a\"", "\"source\": \"nobody\"")).unwrap();
    server.signal("-HUP");
    server.logged("the old ones hold");
    assert_eq!(server.run("shop")["totals"]["added"], 1);

    std::fs::write(desk.path("shop.json"), text.replace("\"name\": \"shop\"", "\"name\": \"store\"")).unwrap();
    server.signal("-HUP");
    server.logged("the files were read again");
    let report = server.run("store");
    assert_eq!((&report["sync"], &report["totals"]["added"]), (&json!("store"), &json!(0)));
    server.ask("POST", &format!("{API}/configurations/shop/execute"), "", "").refused(404);
}

/// The signal ended a process that still waited for its state.
#[test]
fn asked_to_read_its_files_again_before_it_serves_it_serves_all_the_same() {
    let (desk, state) = (Desk::new(), Database::new());
    desk.in_sqlite("shop", "create table item (id integer primary key)");
    let keys = FAST.replace("sqlite:state.sqlite", &state.url);
    desk.sync("shop", &desk.sqlite("shop"), &desk.sqlite("copy"), &keys);
    drop(Server::start(&desk, &["shop.json"]));
    let held = Held::table(&state, "sync_configurations");
    let mut child = desk.command(&["serve", "shop.json"]).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    assert!((0..1_000).any(|_| state.sql(waiting).trim() != "0"));
    let signal = |name: &str| assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    signal("-HUP");
    held.release();
    let log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<String> = log
        .inspect(|line| {
            if line.contains("the files were read again") {
                signal("-TERM")
            }
        })
        .collect();
    assert!(told.iter().any(|line| line.contains("listening on")), "{told:#?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A sync that was taken out of the files was an alarm a day later, because it did not succeed any more.
#[test]
fn a_sync_that_is_gone_or_disabled_has_no_metrics_any_more_and_one_that_comes_back_has_them_again() {
    let desk = Desk::new();
    let tables = r#""tables": ["item"],"#;
    shop(&desk, "one", tables);
    shop(&desk, "two", tables);
    let server = Server::start(&desk, &["one.json", "two.json"]);
    server.run("one");
    server.run("two");
    // Until it is so: the files are read beside those who ask.
    let is_told = |line: &str, expected: bool| {
        let is_there = || server.get("/metrics").body.lines().any(|told| told.starts_with(line));
        assert!((0..100_000).any(|_| is_there() == expected), "{line} {expected}");
    };
    let success = |sync: &str| format!(r#"rowsync_last_success_timestamp_seconds{{sync="{sync}"}} 1"#);
    let parked = |sync: &str, table: &str| format!(r#"rowsync_table_parked{{sync="{sync}",table="{table}"}} "#);
    is_told(&success("one"), true);
    is_told(&success("two"), true);
    let text = std::fs::read_to_string(desk.path("two.json")).unwrap();
    let reload = |text: &str| {
        std::fs::write(desk.path("two.json"), text).unwrap();
        server.signal("-HUP");
    };
    reload(&text.replace("\"two\"", "\"other\""));
    is_told(&parked("other", "item"), true);
    is_told(&parked("two", "item"), false);
    is_told(&success("two"), false);
    reload(&text.replace("\"name\"", "\"enabled\": false, \"name\""));
    is_told(&parked("other", "item"), false);
    assert!(!server.get("/metrics").body.contains("sync=\"two\""));
    // As the history left it, and with the tables that are named by now.
    reload(&text.replace(tables, r#""tables": ["item", "more"],"#));
    is_told(&success("two"), true);
    is_told(&parked("two", "more"), true);
    reload(&text.replace(tables, r#""tables": ["item", "most"],"#));
    is_told(&parked("two", "most"), true);
    is_told(&success("one"), true);
}

#[test]
fn files_that_disagree_about_the_service_are_refused() {
    let desk = Desk::new();
    shop(&desk, "one", "");
    shop(&desk, "two", "");
    let serve = |files: &[&str]| {
        let output = desk.command(&["serve"]).args(files).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let keys = std::fs::read_to_string(desk.path("two.json")).unwrap();
    std::fs::write(desk.path("two.json"), keys.replace("127.0.0.1:0", "127.0.0.1:1")).unwrap();
    let (code, told) = serve(&["one.json", "two.json"]);
    assert!(code == Some(2) && told.contains("two.json: listen: one.json says something else"), "{told}");

    std::fs::write(desk.path("two.json"), keys.replace("\"two\"", "\"one\"")).unwrap();
    let (code, told) = serve(&["one.json", "two.json"]);
    assert!(code == Some(2) && told.contains("one.json is a sync of this name too"), "{told}");

    for (listen, words) in [("0.0.0.0:0", "set `api_token`"), ("here", "expected an address with its port")] {
        std::fs::write(desk.path("two.json"), keys.replace("127.0.0.1:0", listen)).unwrap();
        let (code, told) = serve(&["two.json"]);
        assert!(code == Some(2) && told.contains(words), "{told}");
    }
    std::fs::write(desk.path("two.json"), keys.replace("\"state\"", "\"tls_cert\": \"cert.pem\", \"state\"")).unwrap();
    let (code, told) = serve(&["two.json"]);
    assert!(code == Some(2) && told.contains("the certificate has no key"), "{told}");
}

#[test]
fn without_its_token_nobody_gets_more_than_is_open() {
    let desk = Desk::new();
    shop(&desk, "shop", r#""api_token": "t0p-secret", "metrics_open": true,"#);
    let mut server = Server::start(&desk, &["shop.json"]);
    let execute = format!("{API}/configurations/shop/execute");
    let wrong = [
        "",
        "Authorization: Bearer t0p-secre\r\n",
        "Authorization: Basic t0p-secret\r\n",
        "Authorization: t0p-secret\r\n",
    ];
    for header in wrong {
        let answer = server.ask("POST", &execute, header, "");
        answer.refused(401);
        assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
        for path in ["/api/v1/sync/sql-sync/executions", "/nowhere"] {
            server.ask("GET", path, header, "").refused(401);
        }
    }
    assert_eq!((server.get("/healthz").status, server.get("/readyz").status), (200, 200));
    let right = server.ask("GET", &format!("{API}/executions"), "Authorization: Bearer t0p-secret\r\n", "");
    assert_eq!(right.json()["executions"], json!([]));
    assert!(server.is_alive());
}

#[test]
fn what_was_done_is_counted_and_told_to_prometheus() {
    let desk = Desk::new();
    shop(&desk, "shop", r#""tables": ["item"],"#);
    let server = Server::start(&desk, &["shop.json"]);
    let added = |server: &Server| {
        let answer = server.get("/metrics");
        assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{answer:?}");
        let line = answer.body.lines().find(|line| line.starts_with("rowsync_records_added_total{")).map(str::to_owned);
        line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    server.run("shop");
    assert_eq!(added(&server).as_deref(), Some("2"));
}

#[test]
fn rows_that_failed_are_listed_and_tried_again_on_request() {
    let desk = Desk::new();
    shop(&desk, "shop", r#""tables": ["item"],"#);
    desk.in_sqlite("shop-copy", "create table item (id integer primary key, v text check (v <> 'a'))");
    let server = Server::start(&desk, &["shop.json"]);
    let path = format!("{API}/configurations/shop/errors");
    let listed = |query: &str| server.get(&format!("{path}{query}")).json();
    assert_eq!(listed(""), json!({ "errors": [], "total": 0 }));
    let replay = || server.ask("POST", &format!("{path}/replay"), "", "");
    assert!(replay().refused(409).contains("no row waits"));
    assert_eq!(server.run("shop")["totals"]["failed"], 1);
    let page = listed("?limit=1");
    assert_eq!((&page["total"], &page["errors"][0]["key"]), (&json!(1), &json!({ "id": 1 })));
    assert_eq!(listed("?offset=1")["errors"], json!([]));
    desk.in_sqlite("shop", "update item set v = 'mended' where id = 1; update item set v = 'later' where id = 2");
    let begun = replay();
    assert_eq!(begun.status, 202, "{begun:?}");
    let id = begun.json()["execution_id"].as_str().unwrap().to_owned();
    let report = server.report(&id);
    assert_eq!((&report["status"], &report["totals"]["added"]), (&json!("completed"), &json!(1)), "{report:#}");
    // It is told from a run, while it is at work and ever after, and is none.
    let list = server.get(&format!("{API}/executions?limit=1")).json();
    let shown = server.get(&format!("{API}/executions/{id}")).json();
    for told in [&begun.json(), &report, &list["executions"][0], &shown] {
        assert_eq!((&told["execution_id"], &told["command"]), (&json!(id), &json!("replay")), "{told:#}");
    }
    assert!(server.get("/metrics").body.contains("rowsync_last_success_timestamp_seconds{sync=\"shop\"} 0\n"));
    assert_eq!((listed("")["total"].clone(), desk.dump("shop-copy", "item").len()), (json!(0), 2));
    assert_eq!(server.run("shop")["totals"]["modified"], 1);
    server.get(&format!("{API}/configurations/none/errors")).refused(404);
    server.get(&format!("{path}?limit=0")).refused(400);
}

/// It went on for ever: telling that it would stop panicked before it did.
#[test]
fn a_service_whose_log_nobody_reads_any_more_works_and_ends_as_ever() {
    let desk = Desk::new();
    shop(&desk, "shop", "");
    let mut server = Server::start(&desk, &["shop.json"]);
    server.leave_the_log();
    assert_eq!(server.run("shop")["status"], "completed");
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
}

/// Starts by itself, and goes on by its schedule.
#[test]
fn a_sync_with_a_schedule_runs_by_itself() {
    let desk = Desk::new();
    shop(&desk, "shop", r#""sleep_seconds": 1,"#);
    let mut server = Server::start(&desk, &["shop.json"]);
    server.logged("Sync complete. Sleeping 1 seconds until next run...");
    assert_eq!(desk.dump("shop-copy", "item").len(), 2);
    desk.in_sqlite("shop", "insert into item values (3, 'c')");
    server.logged("Sync complete. Sleeping 1 seconds until next run...");
    server.logged("Sync complete. Sleeping 1 seconds until next run...");
    assert_eq!(desk.dump("shop-copy", "item").len(), 3);
    let shown = server.get(&format!("{API}/configurations/shop")).json();
    assert_eq!(shown["schedule"]["paused"], Value::Null, "{shown:#}");
    server.signal("-TERM");
    assert!(server.ended().success());
}

#[test]
fn a_service_that_was_away_makes_up_for_what_it_missed_once() {
    let desk = Desk::new();
    shop(&desk, "shop", r#""sync_interval_seconds": 86400,"#);
    let mut server = Server::start(&desk, &["shop.json"]);
    server.logged("Sync complete. Sleeping 86400 seconds until next run...");
    drop(server);
    // A day has not gone by.
    let mut server = Server::start(&desk, &["shop.json"]);
    server.logged(" seconds until next run...");
    let shown = server.get(&format!("{API}/configurations/shop")).json();
    assert!(shown["schedule"]["next_run_at"].is_string(), "{shown:#}");
    drop(server);
    desk.in_sqlite(
        "state.sqlite",
        "update sync_executions set started_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-3 days'),
             finished_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-3 days', '+1 minute')",
    );
    let mut server = Server::start(&desk, &["shop.json"]);
    server.logged("Sync complete. Sleeping 86400 seconds until next run...");
    drop(server);
    assert_eq!(desk.rowsync(&["history", "shop.json"]).report()["executions"].as_array().unwrap().len(), 2);
}

#[test]
fn a_schedule_is_paused_after_too_many_failures_until_somebody_resumes_it() {
    let desk = Desk::new();
    shop(&desk, "shop", r#""sleep_seconds": 1, "max_error_loop": 2, "retry_count": 0,"#);
    std::fs::rename(desk.path("shop"), desk.path("elsewhere")).unwrap();
    let mut server = Server::start(&desk, &["shop.json"]);
    server.logged("Sync failed. Sleeping 1 seconds until next run...");
    server.logged("the sync is paused");
    let path = format!("{API}/configurations/shop");
    let shown = server.get(&path).json();
    assert_eq!(
        (&shown["schedule"]["paused"]["failures"], &shown["schedule"]["next_run_at"]),
        (&json!(2), &Value::Null)
    );
    // It can be executed by hand all the same, and stays paused.
    std::fs::rename(desk.path("elsewhere"), desk.path("shop")).unwrap();
    assert_eq!(server.run("shop")["totals"]["added"], 2);
    assert_eq!(server.get(&path).json()["schedule"]["paused"]["failures"], 2);
    server.ask("POST", &format!("{path}/pause"), "", "").refused(409);
    let resumed = server.ask("POST", &format!("{path}/resume"), "", "");
    assert_eq!((resumed.status, &resumed.json()["schedule"]["paused"]), (200, &Value::Null));
    server.logged("Sync complete. Sleeping 1 seconds until next run...");
    let paused = server.ask("POST", &format!("{path}/pause"), "", "");
    assert_eq!(paused.json()["schedule"]["paused"]["failures"], 0, "{paused:?}");
    server.ask("POST", &format!("{path}/pause"), "", "").refused(409);
    server.ask("POST", &format!("{API}/configurations/none/resume"), "", "").refused(404);
}

#[test]
fn a_pause_outlives_the_process_until_somebody_resumes_the_sync_or_changes_its_schedule() {
    let check = |state: &str| {
        let desk = Desk::new();
        shop(&desk, "shop", r#""sync_interval_seconds": 86400, "max_error_loop": 1, "retry_count": 0,"#);
        let text = std::fs::read_to_string(desk.path("shop.json")).unwrap().replace("sqlite:state.sqlite", state);
        std::fs::write(desk.path("shop.json"), &text).unwrap();
        let path = format!("{API}/configurations/shop");
        let paused = |server: &Server| server.get(&path).json()["schedule"]["paused"].clone();
        let is_paused_until_resumed = |mut server: Server| {
            assert!((0..100_000).any(|_| paused(&server) != Value::Null));
            let pause = paused(&server);
            assert_eq!(server.ask("POST", &format!("{path}/resume"), "", "").status, 200);
            server.logged("resumed");
            pause
        };
        // By failures.
        std::fs::rename(desk.path("shop"), desk.path("elsewhere")).unwrap();
        let mut server = Server::start(&desk, &["shop.json"]);
        server.logged("the sync is paused");
        let before = paused(&server);
        server.signal("-TERM");
        assert!(server.ended().success());
        std::fs::rename(desk.path("elsewhere"), desk.path("shop")).unwrap();
        let server = Server::start(&desk, &["shop.json"]);
        assert_eq!((&before["failures"], is_paused_until_resumed(server)), (&json!(1), before.clone()));
        // It runs again, and by request it is paused.
        let mut server = Server::start(&desk, &["shop.json"]);
        server.logged(" seconds until next run...");
        assert_eq!(server.ask("POST", &format!("{path}/pause"), "", "").status, 200);
        drop(server);
        let mut server = Server::start(&desk, &["shop.json"]);
        assert!((0..100_000).any(|_| paused(&server) != Value::Null));
        // Another schedule is a sign that somebody has looked.
        std::fs::write(desk.path("shop.json"), text.replace("86400", "86000")).unwrap();
        server.signal("-HUP");
        server.logged(" seconds until next run...");
        drop(server);
        let mut server = Server::start(&desk, &["shop.json"]);
        server.logged(" seconds until next run...");
        assert_eq!(paused(&server), Value::Null);
    };
    check("sqlite:state.sqlite");
    check(&Database::new().url);
}

#[test]
fn a_configuration_of_the_api_runs_by_its_schedule_and_by_its_new_one() {
    let desk = Desk::new();
    shop(&desk, "shop", "");
    let mut server = Server::start(&desk, &["shop.json"]);
    let typed = json!({ "name": "items", "source": "a", "target": "b", "tables": ["item"], "sync_interval_seconds": 86400,
                        "create_missing_tables": true });
    let made = server.send("POST", &format!("{API}/configurations"), &typed);
    assert_eq!(made.status, 201, "{made:?}");
    let line = server.logged("Sync complete. Sleeping 86400 seconds until next run...");
    assert!(line.contains("sync=items"), "{line}");
    let path = format!("{API}/configurations/{}", made.json()["id"].as_str().unwrap());
    let patch = json!({ "sync_interval_seconds": null, "run_at_time": "02:00", "time_zone": "UTC" });
    assert_eq!(server.send("PATCH", &path, &patch).status, 200);
    server.logged("Waiting until 02:00 for next run...");
    assert!(server.get(&path).json()["schedule"]["next_run_at"].as_str().unwrap().ends_with("T02:00:00Z"));
    assert_eq!(server.send("PATCH", &path, &json!({ "run_at_time": null })).status, 200);
    assert_eq!(server.get(&path).json()["schedule"], Value::Null);
    // A sync without a schedule has none to pause.
    server.ask("POST", &format!("{path}/pause"), "", "").refused(409);
}
