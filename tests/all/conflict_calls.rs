//! Conflicts over the API of a running service.

use serde_json::{Value, json};

use crate::conflicts::{MANUAL, in_conflict_with};
use crate::merge::{MERGE, Side, each_pair, rows, two_files};
use crate::server::{API, Answer, Held, Server};
use crate::support::{Database, Desk};

const KEYS: &str =
    r#""listen": "127.0.0.1:0", "max_requests_per_second": 100000, "state": "sqlite:shared.state.sqlite","#;

/// A service with three conflicts, which a cycle has found.
fn in_conflict(desk: &Desk, a: &Side<'_>, b: &Side<'_>) -> Server {
    in_conflict_with(desk, a, b, KEYS);
    let server = Server::start(desk, &["shop.json"]);
    assert_eq!(server.run("shop")["totals"]["conflicts"], 3);
    server
}

fn listed(server: &Server, query: &str) -> (Vec<Value>, Value) {
    let page = server.get(&format!("{API}/conflicts{query}"));
    assert_eq!(page.status, 200, "{page:?}");
    (page.json()["conflicts"].as_array().unwrap().clone(), page.json()["next"].clone())
}

fn ids(conflicts: &[Value]) -> Vec<&str> {
    conflicts.iter().map(|conflict| conflict["id"].as_str().unwrap()).collect()
}

fn show(server: &Server, id: &str) -> Answer {
    server.get(&format!("{API}/conflicts/{id}"))
}

fn resolve(server: &Server, id: &str, decision: &Value) -> Answer {
    server.send("POST", &format!("{API}/conflicts/{id}/resolve"), decision)
}

#[test]
fn a_decision_reaches_both_sides_over_the_api() {
    each_pair(|desk, a, b| {
        let server = in_conflict(desk, a, b);
        let (waiting, next) = listed(&server, "?status=waiting");
        assert_eq!((ids(&waiting), next), (vec!["shop-1", "shop-2", "shop-3"], Value::Null));
        let shown = show(&server, "shop-1").json();
        assert_eq!(shown, waiting[0]);
        assert_eq!((&shown["configuration"], &shown["sync"]), (&json!("shop"), &json!("shop")));
        assert_eq!((&shown["source"]["a"], &shown["target"]["a"]), (&json!("left"), &json!("right")));
        let decisions = [
            json!({ "row": { "a": "both" }, "changed_at": shown["changed_at"] }),
            json!({ "use": "target" }),
            json!({ "use": "source" }),
        ];
        for (id, decision) in ids(&waiting).into_iter().zip(decisions) {
            let resolved = resolve(&server, id, &decision);
            assert_eq!((resolved.status, &resolved.json()["status"]), (200, &json!("resolved")), "{resolved:?}");
        }
        let expected = ["1|both|b", "2|a|right", "3|left|", "4|only|b"].map(str::to_owned).to_vec();
        assert_eq!((rows(a), rows(b)), (expected.clone(), expected));
        assert_eq!((listed(&server, "?status=waiting").0.len(), listed(&server, "?status=resolved").0.len()), (0, 3));
        let again = resolve(&server, "shop-1", &json!({ "use": "source" })).refused(409);
        assert!(again.contains("does not wait any more"), "{again}");
        assert_eq!(server.run("shop")["totals"]["modified"], 0);
    });
}

/// What Prometheus is told.
fn open_conflicts(server: &Server) -> Option<String> {
    let text = server.get("/metrics").body;
    let line = text.lines().find(|line| line.starts_with("rowsync_conflicts_open{"));
    line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
}

#[test]
fn conflicts_that_wait_are_counted_after_each_cycle_each_decision_and_at_the_start() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    let server = in_conflict(&desk, &a, &b);
    assert_eq!(open_conflicts(&server).as_deref(), Some("3"));
    assert_eq!(resolve(&server, "shop-1", &json!({ "use": "target" })).status, 200);
    assert_eq!(open_conflicts(&server).as_deref(), Some("2"));
    drop(server);
    let server = Server::start(&desk, &["shop.json"]);
    // It counts beside what it answers.
    assert!((0..100_000).any(|_| open_conflicts(&server).as_deref() == Some("2")));
    // A rule decides those that are left.
    let text = std::fs::read_to_string(desk.path("shop.json")).unwrap();
    std::fs::write(desk.path("shop.json"), text.replace("\"manual\"", "\"source_wins\"")).unwrap();
    drop(server);
    let server = Server::start(&desk, &["shop.json"]);
    assert_eq!((server.run("shop")["totals"]["conflicts"].clone(), rows(&a)), (json!(0), rows(&b)));
    assert_eq!(open_conflicts(&server).as_deref(), Some("0"));
}

/// It was counted only when the next cycle ended.
#[test]
fn a_conflict_that_the_command_line_resolves_is_counted_no_more_at_the_next_scrape() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    let server = in_conflict(&desk, &a, &b);
    assert_eq!(open_conflicts(&server).as_deref(), Some("3"));
    let resolved = desk.rowsync(&["conflicts", "shop.json", "resolve", "1", "--use", "source"]);
    assert_eq!(resolved.code, Some(0), "{}", resolved.stderr);
    assert!((0..100_000).any(|_| open_conflicts(&server).as_deref() == Some("2")));
}

#[test]
fn rows_that_are_not_those_that_were_shown_are_left_alone() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    let server = in_conflict(&desk, &a, &b);
    let seen = show(&server, "shop-1").json()["changed_at"].clone();
    b.sql("update t set a = 'later' where id = 1");
    let refused = resolve(&server, "shop-1", &json!({ "use": "source" })).refused(409);
    assert!(refused.contains("not those any more that were shown"), "{refused}");
    // A cycle shows the new row under the old number; who decides about the old one is told.
    server.run("shop");
    let refused = resolve(&server, "shop-1", &json!({ "use": "source", "changed_at": seen })).refused(409);
    assert!(refused.contains("shown with other rows since"), "{refused}");
    assert_eq!((rows(&a)[0].as_str(), rows(&b)[0].as_str()), ("1|left|b", "1|later|b"));
    let now = show(&server, "shop-1").json();
    let decision = json!({ "use": "target", "changed_at": now["changed_at"] });
    assert_eq!((&now["target"]["a"], resolve(&server, "shop-1", &decision).status), (&json!("later"), 200));
    assert_eq!(rows(&a)[0], "1|later|b");
}

#[test]
fn what_is_no_decision_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    let server = in_conflict(&desk, &a, &b);
    let before = (rows(&a), rows(&b));
    for (decision, status) in [
        (json!({}), 422),
        (json!({ "use": "sauce" }), 422),
        (json!({ "use": "source", "row": null }), 422),
        (json!({ "row": { "colour": "red" } }), 422),
        (json!({ "row": { "b": "x" } }), 422),
        (json!([]), 400),
    ] {
        resolve(&server, "shop-1", &decision).refused(status);
    }
    server.ask("POST", &format!("{API}/conflicts/shop-1/resolve"), "", "{}").refused(415);
    for id in ["shop-9", "shop", "none-1", "1", "shop--1"] {
        show(&server, id).refused(404);
        resolve(&server, id, &json!({ "use": "source" })).refused(404);
    }
    assert_eq!((rows(&a), rows(&b), listed(&server, "?status=waiting").0.len()), (before.0, before.1, 3));
}

#[test]
fn conflicts_of_syncs_that_share_a_state_are_told_apart_and_listed_in_pages() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    in_conflict_with(&desk, &a, &b, KEYS);
    desk.sync("shop-2", &a.url(), &b.url(), &format!("{MERGE} {MANUAL} {KEYS}"));
    let server = Server::start(&desk, &["shop.json", "shop-2.json"]);
    server.run("shop");
    // It knows nothing of the rows: one that only one side has is copied.
    assert_eq!(server.run("shop-2")["totals"]["conflicts"], 2);
    let all = ["shop-1", "shop-2", "shop-3", "shop-2-4", "shop-2-5"];
    assert_eq!(ids(&listed(&server, "").0), all);
    assert_eq!(ids(&listed(&server, "?configuration=shop-2").0), all[3..]);
    let (mut pages, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (page, next) = listed(&server, &query);
        pages.push(ids(&page).len());
        let Some(next) = next.as_str() else { break };
        query = format!("?limit=2&after={next}");
    }
    assert_eq!(pages, [2, 2, 1]);
    // A number of the other sync is none of this one.
    show(&server, "shop-4").refused(404);
    for (query, status) in [("?limit=0", 400), ("?after=x", 400), ("?after=gone-1", 404), ("?status=open", 400)] {
        server.get(&format!("{API}/conflicts{query}")).refused(status);
    }
    server.get(&format!("{API}/conflicts?configuration=none")).refused(404);
}

#[test]
fn nothing_is_decided_while_the_sync_is_at_work() {
    let desk = Desk::new();
    let (a, b) = (Side::Postgres(Database::new()), Side::Sqlite(&desk, "b.sqlite"));
    let server = in_conflict(&desk, &a, &b);
    let Side::Postgres(database) = &a else { unreachable!() };
    let held = Held::table(database, "t");
    let execution = server.execute("shop");
    let refused = resolve(&server, "shop-1", &json!({ "use": "target" })).refused(409);
    assert!(refused.contains("at work already"), "{refused}");
    held.release();
    assert_eq!(server.report(&execution)["status"], "completed");
    assert_eq!(resolve(&server, "shop-1", &json!({ "use": "target" })).status, 200);
}
