//! What callers try who mean no good: all of it is refused, nothing of it is done, and the process serves on.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use crate::server::{API, Held, Server};
use crate::support::{Database, Desk};

const KEYS: &str = r#""listen": "127.0.0.1:0", "max_requests_per_second": 100000, "state": "sqlite:state.sqlite","#;

fn started(more: &str) -> (Desk, Server) {
    let desk = Desk::new();
    desk.in_sqlite("shop", "create table item (id integer primary key, v text); insert into item values (1, 'a')");
    desk.sync("shop", &desk.sqlite("shop"), &desk.sqlite("copy"), &format!("{KEYS} {more}"));
    let server = Server::start(&desk, &["shop.json"]);
    (desk, server)
}

/// Nothing was made and nothing was run.
fn nothing_happened(desk: &Desk, mut server: Server) {
    let configurations = server.get(&format!("{API}/configurations")).json();
    assert_eq!(configurations["total"], 1, "{configurations:#}");
    assert_eq!(server.get(&format!("{API}/executions")).json()["executions"], json!([]));
    assert!(!desk.path("copy").exists());
    assert_eq!(desk.dump("shop", "item").len(), 1);
    assert!(server.is_alive());
}

fn post(server: &Server, body: &str) -> u16 {
    let answer = server.ask("POST", &format!("{API}/configurations"), "Content-Type: application/json\r\n", body);
    if answer.status >= 400 {
        answer.refused(answer.status);
    }
    answer.status
}

#[test]
fn bodies_that_are_too_large_too_deep_or_no_json_are_refused() {
    let (desk, server) = started("");
    let large = format!(r#"{{ "name": "{}" }}"#, "x".repeat(3 << 20));
    assert_eq!(post(&server, &large), 413);
    // Announced, and never sent.
    let announced = format!(
        "POST {API}/configurations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    );
    server.raw(announced.as_bytes()).refused(413);
    let deep = format!(r#"{{ "name": {}1{} }}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(post(&server, &deep), 400);
    let wide = format!(r#"{{ "default_values": {} }}"#, "{\"a\":".repeat(300_000));
    assert_eq!(post(&server, &wide), 413);
    for wrong in [
        "",
        "{",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{\"name\": \"a\", \"name\": \"b\"}",
        "{'name': 1}",
        "{} {}",
        "\u{0}",
        "{\"a\": 1e999999}",
    ] {
        assert!(matches!(post(&server, wrong), 400 | 422), "{wrong}");
    }
    let no_json = server.ask("POST", &format!("{API}/configurations"), "Content-Type: text/plain\r\n", "{}");
    no_json.refused(415);
    server.raw(format!("POST {API}/configurations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n\u{c3}\u{28}").as_bytes());
    nothing_happened(&desk, server);
}

#[test]
fn paths_lead_nowhere_but_where_they_say() {
    let (desk, server) = started("");
    let tricks = [
        "/..",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//healthz",
        "/api/v1/docs/../../../etc/passwd",
        "/api/v1/docs/%2e%2e%2fCargo.toml",
        "/api/v1/sync/sql-sync/configurations/%2e%2e",
        "/api/v1/sync/sql-sync/configurations/%00",
        "/api/v1/sync/sql-sync/configurations/shop%00",
        "/api/v1/sync/sql-sync/configurations/shop/..",
        "/api/v1/sync/sql-sync/executions/%00",
        "/api/v1/sync/sql-sync/executions/'%20or%20'1'='1",
        "/api/v1/sync/sql-sync/executions/../../../healthz%23",
        "/api/v1/sync/sql-sync/executions?before=';drop%20table%20sync_executions;--",
        "/api/v1/sync/sql-sync/executions?limit=99999999999999999999",
        "/api/v1/sync/sql-sync/configurations?offset=-1",
        "/api/v1/sync/sql-sync/executions?status=%ff",
        "/%ff%fe",
    ];
    for path in tricks {
        let answer = server.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        answer.refused(answer.status);
    }
    let long = format!("/{}", "x".repeat(200_000));
    assert!((400..500).contains(&server.get(&long).status));
    for method in ["PUT", "DELETE", "TRACE", "BREW"] {
        let answer = server.ask(method, &format!("{API}/executions"), "", "");
        answer.refused(405);
        assert!(answer.head.contains("allow: get"), "{answer:?}");
    }
    nothing_happened(&desk, server);
}

#[test]
fn sql_in_names_and_filters_is_refused() {
    let (desk, server) = started("");
    let evil =
        ["item; drop table item", "item\"; drop table item; --", "item' or '1'='1", "item/**/", "x\u{0}y", "item`"];
    for evil in evil {
        let of = |key: &str| {
            let mut body = json!({ "name": "n", "source": "a", "target": "b", "source_table": "item" });
            body[key] = json!(evil);
            body.to_string()
        };
        for key in [
            "name",
            "source",
            "target",
            "source_table",
            "target_table",
            "fields",
            "exclude_fields",
            "primary_key_field",
            "modify_time_field",
            "sync_table",
        ] {
            assert_eq!(post(&server, &of(key)), 422, "{key}: {evil}");
        }
        let nested = json!({ "name": "n", "source": "a", "target": "b", "tables": [{ "name": "item", "field_mapping": { "v": evil } }] });
        assert_eq!(post(&server, &nested.to_string()), 422);
        let nested = json!({ "name": "n", "source": "a", "target": "b", "tables": ["item", evil] });
        assert_eq!(post(&server, &nested.to_string()), 422);
    }
    for filter in [
        "1=1; drop table item",
        "1=1) union select * from sqlite_schema --",
        "id in (delete from item)",
        "id in (select 1)",
        "load_extension('x')",
    ] {
        let of = |filters: [&str; 2]| {
            json!({ "name": "n", "source": "a", "target": "b", "source_table": "item",
                    "where": filters[0], "target_where": filters[1] })
        };
        for filters in [[filter, "id > 0"], ["id > 0", filter]] {
            assert_eq!(post(&server, &of(filters).to_string()), 422, "{filter}");
        }
        let nested = json!({ "name": "n", "source": "a", "target": "b",
                             "tables": [{ "name": "item", "where": filter, "target_where": filter }] });
        assert_eq!(post(&server, &nested.to_string()), 422, "{filter}");
    }
    nothing_happened(&desk, server);
}

#[test]
fn a_caller_cannot_name_databases_of_his_own_nor_read_the_environment() {
    let (desk, server) = started("");
    for (key, value) in [
        ("connections", json!({ "c": { "url": "sqlite:/etc/passwd" } })),
        ("state", json!("sqlite:elsewhere.sqlite")),
        ("api_token", json!("mine")),
        ("listen", json!("0.0.0.0:1")),
        ("tls_key", json!("/etc/shadow")),
    ] {
        let mut body = json!({ "name": "n", "source": "a", "target": "b" });
        body[key] = value;
        assert_eq!(post(&server, &body.to_string()), 422, "{key}");
    }
    let body = json!({ "name": "n", "source": "${HOME}", "target": "sqlite:x" });
    let answer = server.send("POST", &format!("{API}/configurations"), &body);
    assert!(answer.refused(422).contains("${HOME}"), "{answer:?}");
    nothing_happened(&desk, server);
}

#[test]
fn a_page_of_somebody_else_in_a_browser_here_is_no_caller() {
    let (desk, server) = started("");
    let execute = format!("{API}/configurations/shop/execute");
    for site in ["cross-site", "same-site"] {
        server.ask("POST", &execute, &format!("Sec-Fetch-Site: {site}\r\n"), "").refused(403);
    }
    let rebound =
        format!("POST {execute} HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    server.raw(rebound.as_bytes()).refused(403);
    nothing_happened(&desk, server);
}

#[test]
fn nothing_of_a_secret_is_shown() {
    let desk = Desk::new();
    desk.sync(
        "shop",
        "postgres://joe:hunter2@127.0.0.1:1/none",
        &desk.sqlite("copy"),
        &format!("{KEYS} \"retry_count\": 0, \"api_token\": \"t0ken\","),
    );
    let server = Server::start(&desk, &["shop.json"]);
    let mut told = String::new();
    let ask = |method: &str, path: &str| server.ask(method, path, "Authorization: Bearer t0ken\r\n", "");
    let started = ask("POST", &format!("{API}/configurations/shop/execute"));
    let id = started.json()["execution_id"].as_str().unwrap().to_owned();
    for path in [
        "configurations",
        "configurations/shop",
        "executions",
        &format!("executions/{id}/events"),
        &format!("executions/{id}"),
    ] {
        told.push_str(&ask("GET", &format!("{API}/{path}")).body);
    }
    assert!(told.contains("failed") && !told.contains("hunter2") && !told.contains("t0ken"), "{told}");
}

#[test]
fn too_many_requests_are_told_to_wait() {
    let (desk, server) = started("");
    drop(server);
    let keys = std::fs::read_to_string(desk.path("shop.json")).unwrap();
    std::fs::write(desk.path("shop.json"), keys.replace("100000", "1")).unwrap();
    let mut server = Server::start(&desk, &["shop.json"]);
    let answers: Vec<_> = (0..20).map(|_| server.get(&format!("{API}/executions"))).collect();
    let held_back = answers.iter().find(|answer| answer.status == 429).unwrap();
    held_back.refused(429);
    assert!(held_back.head.contains("retry-after: "), "{held_back:?}");
    assert!(server.is_alive());
}

#[test]
fn every_answer_has_an_id_and_a_plain_one_of_the_caller_is_kept() {
    let (_desk, server) = started("");
    let id = |header: &str| {
        let answer = server.ask("GET", "/nowhere", header, "");
        answer.head.lines().find_map(|line| line.strip_prefix("x-request-id: ").map(str::to_owned)).unwrap()
    };
    assert_eq!(id("X-Request-Id: my-own.1\r\n"), "my-own.1");
    assert_eq!(id("X-Request-Id: <script>\r\n").len(), 36);
    assert_ne!(id(""), id(""));
}

#[test]
fn a_hundred_callers_who_read_no_events_hold_up_nobody() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql("create table item (id int primary key, v text); insert into item select i, 'x' from generate_series(1, 50000) i");
    desk.sync("shop", &source.url, &desk.sqlite("copy"), KEYS);
    let mut server = Server::start(&desk, &["shop.json"]);
    let held = Held::table(&source, "item");
    let id = server.execute("shop");
    let request = format!("GET {API}/executions/{id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(request.as_bytes()).unwrap();
            // The head is read, so that each of them is known to be followed; and then nothing more.
            let mut first = [0; 15];
            stream.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 200 OK");
            stream
        })
        .collect();
    held.release();
    let report = server.report(&id);
    assert_eq!((&report["status"], &report["totals"]["added"]), (&json!("completed"), &Value::from(50000)));
    assert!(server.is_alive());
    // Whoever reads at last hears of the end.
    let mut stream = slow.into_iter().next().unwrap();
    let mut rest = String::new();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    while !rest.contains("event: finished") {
        let mut more = [0; 4096];
        let read = stream.read(&mut more).unwrap();
        assert!(read > 0, "{rest}");
        rest.push_str(&String::from_utf8_lossy(&more[..read]));
    }
}
