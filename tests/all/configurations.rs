//! Configurations made through the API of a running service.

use serde_json::{Value, json};

use crate::server::{API, Server};
use crate::support::{Database, Desk};

/// A service with two connections and no sync of its own.
fn service(desk: &Desk, state: &str, more: &str) {
    desk.in_sqlite(
        "shop",
        "create table item (id integer primary key, v text); insert into item values (1, 'a'), (2, 'b')",
    );
    let text = format!(
        r#"{{ "connections": {{ "erp": {{ "url": "{}" }}, "copy": {{ "url": "{}" }} }}, "state": "{state}",
             "listen": "127.0.0.1:0", "max_requests_per_second": 100000, "create_missing_tables": true, {more} "batch_size": 7 }}"#,
        desk.sqlite("shop"),
        desk.sqlite("copy")
    );
    std::fs::write(desk.path("service.json"), text).unwrap();
}

fn started(desk: &Desk, state: &str) -> Server {
    service(desk, state, "");
    Server::start(desk, &["service.json"])
}

fn item() -> Value {
    json!({ "name": "items", "source": "erp", "target": "copy", "source_table": "item", "target_table": "item_copy" })
}

fn path(id: &Value) -> String {
    format!("{API}/configurations/{}", id.as_str().unwrap())
}

fn create(server: &Server, configuration: &Value) -> Value {
    let answer = server.send("POST", &format!("{API}/configurations"), configuration);
    assert_eq!(answer.status, 201, "{answer:?}");
    let made = answer.json();
    assert!(answer.head.contains(&format!("location: {}", path(&made["id"]))), "{answer:?}");
    made
}

#[test]
fn a_configuration_is_made_run_changed_and_removed_and_outlives_the_process() {
    let check = |desk: &Desk, state: &str| {
        let server = started(desk, state);
        let made = create(&server, &item());
        assert_eq!(
            (&made["origin"], &made["problem"], &made["source_table"]),
            (&json!("api"), &Value::Null, &json!("item"))
        );
        let id = made["id"].as_str().unwrap();
        assert_eq!(server.run(id)["totals"]["added"], 2);
        assert_eq!(desk.dump("copy", "item_copy"), desk.dump("shop", "item"));

        let patched = server.send("PATCH", &path(&made["id"]), &json!({ "enabled": false, "target_table": null }));
        assert_eq!((patched.status, &patched.json()["enabled"]), (200, &json!(false)));
        assert!(patched.json().get("target_table").is_none());
        server.ask("POST", &format!("{API}/configurations/{id}/execute"), "", "").refused(409);

        server.signal("-TERM");
        server.ended();
        let server = Server::start(desk, &["service.json"]);
        let kept = server.get(&path(&made["id"])).json();
        assert_eq!(kept, patched.json());
        // What was read can be sent again.
        let mut whole = kept.clone();
        whole["enabled"] = json!(true);
        assert_eq!(server.send("PUT", &path(&made["id"]), &whole).status, 200);
        assert_eq!(server.run(id)["tables"][0]["target"], "item");

        assert_eq!(server.ask("DELETE", &path(&made["id"]), "", "").status, 204);
        server.get(&path(&made["id"])).refused(404);
        server.ask("DELETE", &path(&made["id"]), "", "").refused(404);
        // What it did is not forgotten with it.
        let executions = server.get(&format!("{API}/executions")).json();
        assert_eq!(executions["executions"].as_array().unwrap().len(), 2);
        assert_eq!(executions["executions"][0]["configuration"], Value::Null);
    };
    let desk = Desk::new();
    check(&desk, &desk.sqlite("state"));
    let (desk, state) = (Desk::new(), Database::new());
    check(&desk, &state.url);
}

#[test]
fn a_configuration_is_refused_in_the_words_of_a_file_and_everything_at_once() {
    let desk = Desk::new();
    let server = started(&desk, &desk.sqlite("state"));
    let mut wrong = item();
    wrong["batch_sise"] = json!(3);
    wrong["max_delete_percent"] = json!(101);
    wrong["source"] = json!("erb");
    // What only a caller may not say hid all that is wrong in a file as well.
    wrong["state"] = json!("sqlite:mine");
    let answer = server.send("POST", &format!("{API}/configurations"), &wrong);
    answer.refused(422);
    let told: Vec<Value> = answer.json()["errors"].as_array().unwrap().clone();
    desk.sync("file", "sqlite:a", "sqlite:b", r#""batch_sise": 3, "max_delete_percent": 101,"#);
    let by_file = desk.rowsync(&["check", "file.json"]).stderr;
    for (path, is_in_file) in [("batch_sise", true), ("max_delete_percent", true), ("source", false), ("state", false)]
    {
        let problem = told.iter().find(|problem| problem["path"] == path).unwrap_or_else(|| panic!("{path}: {told:?}"));
        let message = problem["message"].as_str().unwrap();
        assert!(!is_in_file || by_file.contains(&format!("{path}: {message}")), "{message}\n{by_file}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().any(|problem| problem["message"].as_str().unwrap().contains("did you mean `erp`")), "{told:?}");
    assert_eq!(server.get(&format!("{API}/configurations")).json()["total"], 0);
}

#[test]
fn a_name_is_given_once_and_kept() {
    let desk = Desk::new();
    service(&desk, &desk.sqlite("state"), "");
    desk.sync("shop", &desk.sqlite("shop"), &desk.sqlite("other"), "");
    let server = Server::start(&desk, &["service.json", "shop.json"]);
    let made = create(&server, &item());
    assert!(server.send("POST", &format!("{API}/configurations"), &item()).refused(409).contains("already"));
    let mut twin = item();
    twin["name"] = json!("shop");
    assert!(server.send("POST", &format!("{API}/configurations"), &twin).refused(409).contains("already"));
    let renamed = server.send("PATCH", &path(&made["id"]), &json!({ "name": "other" }));
    assert!(renamed.refused(409).contains("the history goes by the name"));
    // A file is changed where it is.
    for method in ["PUT", "PATCH"] {
        let answer = server.send(method, &format!("{API}/configurations/shop"), &twin);
        assert!(answer.refused(409).contains("comes from a file"));
    }
    let listed = server.get(&format!("{API}/configurations")).json();
    let ids: Vec<&Value> = listed["configurations"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&json!("shop"), &made["id"]]);
    let second = server.get(&format!("{API}/configurations?limit=1&offset=1")).json();
    assert_eq!((&second["configurations"][0]["id"], &second["total"]), (&made["id"], &json!(2)));
}

#[test]
fn a_service_that_shares_the_state_sees_what_another_one_makes() {
    let desk = Desk::new();
    let (one, other) = (started(&desk, &desk.sqlite("state")), Server::start(&desk, &["service.json"]));
    let total = || other.get(&format!("{API}/configurations")).json()["total"].clone();
    assert_eq!(total(), 0);
    let made = create(&one, &item());
    assert_eq!(other.get(&path(&made["id"])).json(), made);
    // What was answered before holds for a moment.
    assert!((0..100_000).any(|_| total() == 1));
    assert_eq!(other.run(made["id"].as_str().unwrap())["totals"]["added"], 2);
    assert_eq!(one.ask("DELETE", &path(&made["id"]), "", "").status, 204);
    other.ask("POST", &format!("{}/execute", path(&made["id"])), "", "").refused(404);
}

#[test]
fn a_configuration_whose_connection_is_gone_says_so_and_does_not_run() {
    let desk = Desk::new();
    let mut server = started(&desk, &desk.sqlite("state"));
    let made = create(&server, &item());
    let text = std::fs::read_to_string(desk.path("service.json")).unwrap();
    std::fs::write(desk.path("service.json"), text.replace("\"copy\":", "\"copy2\":")).unwrap();
    server.signal("-HUP");
    server.logged("the files were read again");
    let shown = server.get(&path(&made["id"])).json();
    assert!(shown["problem"].as_str().unwrap().contains("did you mean `copy2`"), "{shown:#}");
    let refused = server.ask("POST", &format!("{}/execute", path(&made["id"])), "", "").refused(409);
    assert!(refused.contains("cannot run"), "{refused}");
}
