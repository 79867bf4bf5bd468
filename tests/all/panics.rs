//! What leads a run panics: the supervisor, and the keepers that it holds. That is a mistake in rowsync, and costs the run.

use serde_json::json;

use crate::server::{API, Held, Server};
use crate::support::{Database, Desk};

/// In the keeper of the table that is done first, and in the supervisor.
const SPOTS: [&str; 2] = ["TableStands:1", "Walked:1"];

const TOLD: &str = "the supervisor ended before it reported; this is a mistake in rowsync";

fn shop(desk: &Desk, source: &str) {
    desk.sync("shop", source, &desk.sqlite("copy"), r#""listen": "127.0.0.1:0", "max_requests_per_second": 100000,"#);
}

#[test]
fn a_run_whose_supervisor_panics_says_so_and_the_next_one_does_the_rest() {
    for spot in SPOTS {
        let desk = Desk::new();
        desk.in_sqlite(
            "source",
            "create table item (id integer primary key, v text); insert into item values (1, 'a'), (2, 'b')",
        );
        shop(&desk, &desk.sqlite("source"));
        let panicked = desk.command(&["run", "shop.json"]).env("ROWSYNC_PANIC_AT", spot).output().unwrap();
        let told = String::from_utf8(panicked.stderr).unwrap();
        assert_eq!(panicked.status.code(), Some(1), "{spot}: {told}");
        assert!(told.contains(TOLD) && told.contains("as the test wants it"), "{spot}: {told}");
        let history = desk.rowsync(&["history", "shop.json"]).report();
        assert_eq!(history["executions"][0]["status"], "failed", "{spot}: {history:#}");
        // Nobody has to wait for a lease; what was written is there.
        assert_eq!(desk.run("shop").totals(), (0, 0, 0), "{spot}");
        assert_eq!(desk.dump("copy", "item"), desk.dump("source", "item"));
    }
}

#[test]
fn a_service_goes_on_where_the_supervisor_of_an_execution_panics_and_nothing_of_that_writes_any_more() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql("create table a (id int primary key); create table b (id int primary key)");
    source.sql("insert into a values (1), (2); insert into b values (1), (2), (3)");
    shop(&desk, &source.url);
    let server = Server::of(desk.command(&["serve", "shop.json"]).env("ROWSYNC_PANIC_AT", SPOTS[0]));
    // While one table stands, the other one waits for its rows.
    let held = Held::table(&source, "b");
    let report = server.run("shop");
    assert_eq!((&report["status"], &report["tables"]), (&json!("failed"), &json!([])), "{report:#}");
    let error = &report["errors"][0];
    assert_eq!((&error["class"], &error["message"]), (&json!("logic"), &json!(TOLD)));
    assert!(error["remedy"].as_str().unwrap().contains("report it"), "{error}");
    let listed = server.get(&format!("{API}/executions?status=failed")).json();
    assert_eq!(listed["executions"][0]["execution_id"], report["execution_id"]);
    assert_eq!((server.get("/healthz").status, server.get("/readyz").status), (200, 200));
    let metrics = server.get("/metrics").body;
    for counted in [r#"executions_total{sync="shop",outcome="failed"} 1"#, r#"executions_running{sync="shop"} 0"#] {
        assert!(metrics.contains(&format!("rowsync_{counted}\n")), "{metrics}");
    }
    held.release();
    let report = server.run("shop");
    assert_eq!((&report["status"], &report["totals"]["added"]), (&json!("completed"), &json!(3)), "{report:#}");
}
