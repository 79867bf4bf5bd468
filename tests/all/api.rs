//! The document of the API, and whether the service keeps what it promises, both judged by tools that share nothing with
//! it. `make setup` installs them.

use std::path::Path;
use std::process::{Command, Output};

use crate::server::{API, Server};
use crate::support::Desk;

pub fn tool(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/api-tools/bin").join(name);
    assert!(path.exists(), "these tests need {}: run `make setup`", path.display());
    Command::new(path)
}

pub fn expect(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
}

fn started() -> (Desk, Server) {
    let desk = Desk::new();
    desk.in_sqlite("shop", "create table item (id integer primary key, v text); insert into item values (1, 'a')");
    let keys = r#""listen": "127.0.0.1:0", "max_requests_per_second": 1000000, "state": "sqlite:state.sqlite","#;
    desk.sync("shop", &desk.sqlite("shop"), &desk.sqlite("copy"), keys);
    let server = Server::start(&desk, &["shop.json"]);
    (desk, server)
}

#[test]
fn the_description_of_the_api_is_valid_openapi() {
    let (desk, server) = started();
    let document = server.get("/api/v1/openapi.json");
    assert!(document.json()["openapi"].as_str().unwrap().starts_with("3.1."));
    std::fs::write(desk.path("openapi.json"), &document.body).unwrap();
    expect(&tool("openapi-spec-validator").arg(desk.path("openapi.json")).output().unwrap());
}

/// What is described is there, and what is there is described: each path says itself which methods it has.
#[test]
fn every_call_is_described_with_all_of_its_methods() {
    let (_desk, server) = started();
    let document = server.get("/api/v1/openapi.json").json();
    let mut calls = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let answer = server.ask("BREW", &path.replace("{id}", "some"), "", "");
        let allowed = answer.head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap_or_default();
        let mut allowed: Vec<String> = allowed.split(", ").map(str::to_owned).collect();
        allowed.sort();
        let mut described: Vec<String> = operations.as_object().unwrap().keys().cloned().collect();
        described.sort();
        assert_eq!(allowed, described, "{path}");
        calls += described.len();
    }
    let of_the_contract = [
        ("post", "/configurations"),
        ("get", "/configurations"),
        ("get", "/configurations/{id}"),
        ("put", "/configurations/{id}"),
        ("patch", "/configurations/{id}"),
        ("delete", "/configurations/{id}"),
        ("post", "/configurations/{id}/execute"),
        ("get", "/executions"),
        ("get", "/executions/{id}"),
        ("post", "/executions/{id}/cancel"),
        ("get", "/executions/{id}/events"),
        ("get", "/conflicts"),
        ("get", "/conflicts/{id}"),
        ("post", "/conflicts/{id}/resolve"),
    ];
    for (method, path) in of_the_contract {
        assert!(document["paths"][format!("{API}{path}")][method].is_object(), "{method} {path}");
    }
    assert!(calls >= of_the_contract.len());
}

/// Thousands of requests, right ones and wrong ones: no crash, no 5xx, and no answer that the document does not describe.
#[test]
fn the_service_keeps_what_its_description_promises() {
    let (desk, mut server) = started();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis.toml");
    let url = format!("http://{}/api/v1/openapi.json", server.address);
    let mut schemathesis = tool("schemathesis");
    schemathesis.arg("--config-file").arg(config).args(["run", &url, "--seed", "17", "--max-examples", "25"]);
    schemathesis.args(["--phases", "examples,coverage,fuzzing,stateful", "--warnings", "off", "--no-color"]);
    expect(&schemathesis.current_dir(desk.path("")).output().unwrap());
    assert!(server.is_alive());
}

#[test]
fn the_page_comes_with_the_program_and_asks_nobody_else() {
    let (_desk, server) = started();
    let page = server.get("/api/v1/docs/");
    assert_eq!(page.status, 200);
    let sources: Vec<&str> =
        page.body.split(['"', '\'']).filter(|text| text.starts_with("./") || text.contains("://")).collect();
    assert!(!sources.is_empty() && sources.iter().all(|source| !source.contains("://")), "{sources:?}");
    for source in sources {
        assert_eq!(server.get(&format!("/api/v1/docs/{}", &source[2..])).status, 200, "{source}");
    }
    let start = server.get("/api/v1/docs/swagger-initializer.js").body;
    assert!(start.contains("/api/v1/openapi.json") && !start.contains("://"), "{start}");
}
