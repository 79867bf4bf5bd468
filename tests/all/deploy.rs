//! What is deployed, judged by those who are to take it: systemd its unit, a linter the Dockerfile, schemas the compose file and the
//! dashboards; and by the program itself, started as the compose file says.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::api::{expect, tool};
use crate::dashboards::{DASHBOARDS, file as of_grafana};
use crate::server::{API, Server};
use crate::support::Desk;

fn of_the_repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file that the judge has nothing to say against, as JSON.
fn judged(kind: &str, file: &Path) -> Value {
    let judge = of_the_repository("tests/judge_deploy.py");
    let output = tool("python").arg(judge).arg(kind).arg(file).output().unwrap();
    expect(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn compose() -> Value {
    judged("compose", &of_the_repository("deploy/compose.yaml"))
}

/// Of systemd's exposure, in tenths: below 2 it calls a service safe enough to smile.
const EXPOSURE_MAX: &str = "20";

#[cfg(target_os = "linux")]
#[test]
fn systemd_has_nothing_to_say_against_the_unit_and_finds_it_shut() {
    let desk = Desk::new();
    let text = std::fs::read_to_string(of_the_repository("deploy/rowsync.service")).unwrap();
    // It looks whether programs are there that a unit names.
    let text = text.replace("/usr/bin/rowsync", env!("CARGO_BIN_EXE_rowsync"));
    std::fs::write(desk.path("rowsync.service"), text).unwrap();
    let systemd = |arguments: &[&str]| {
        let output = Command::new("systemd-analyze").args(arguments).arg(desk.path("rowsync.service")).output();
        output.expect("these tests need systemd-analyze: run `make setup`")
    };
    let verified = systemd(&["verify", "--man=no"]);
    expect(&verified);
    // What it does not know is only told.
    assert_eq!(String::from_utf8_lossy(&verified.stderr), "");
    expect(&systemd(&["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE_MAX}")]));
}

#[test]
fn a_linter_has_nothing_to_say_against_the_dockerfile() {
    expect(&tool("hadolint").arg(of_the_repository("deploy/Dockerfile")).output().unwrap());
}

#[test]
fn grafana_knows_every_field_of_the_dashboards() {
    for name in DASHBOARDS {
        judged("dashboard", &of_grafana(&format!("dashboards/{name}.json")));
    }
}

#[test]
fn a_field_that_grafana_does_not_know_is_found() {
    let desk = Desk::new();
    let name = of_grafana("dashboards/one_table.json");
    let text = std::fs::read_to_string(name).unwrap().replacen("\"lineWidth\"", "\"lineWith\"", 1);
    std::fs::write(desk.path("wrong.json"), text).unwrap();
    let judge = of_the_repository("tests/judge_deploy.py");
    let output = tool("python").arg(judge).arg("dashboard").arg(desk.path("wrong.json")).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("custom.lineWith"));
}

/// Each file that is mounted is there, and stands where those look for it who read it.
#[test]
fn what_the_compose_file_mounts_is_where_it_is_looked_for() {
    let compose = compose();
    let mounted = |service: &str, inside: &str| {
        let volumes = compose["services"][service]["volumes"].as_array().unwrap();
        let outside = volumes.iter().find_map(|volume| volume.as_str()?.strip_suffix(&format!(":{inside}:ro")));
        of_the_repository("deploy").join(outside.unwrap_or_else(|| panic!("{service} has no {inside}")))
    };
    assert!(mounted("rowsync", "/etc/rowsync").join("shop.json").exists());
    // Where the image of Prometheus looks by itself.
    assert!(mounted("prometheus", "/etc/prometheus").join("prometheus.yml").exists());
    let provisioning = mounted("grafana", "/etc/grafana/provisioning");
    let provider = std::fs::read_to_string(provisioning.join("dashboards/rowsync.yaml")).unwrap();
    let dashboards = mounted("grafana", "/var/lib/grafana/dashboards");
    assert!(provider.contains("path: /var/lib/grafana/dashboards\n") && dashboards.join("one_table.json").exists());
    let source = std::fs::read_to_string(provisioning.join("datasources/prometheus.yaml")).unwrap();
    assert!(source.contains("url: http://prometheus:9090\n"));
    let dockerfile =
        of_the_repository("deploy").join(compose["services"]["rowsync"]["build"]["context"].as_str().unwrap());
    assert!(dockerfile.join(compose["services"]["rowsync"]["build"]["dockerfile"].as_str().unwrap()).exists());
}

#[test]
fn a_service_that_is_started_as_the_compose_file_says_syncs_and_is_open_to_prometheus_alone() {
    let (desk, compose) = (Desk::new(), compose());
    let service = &compose["services"]["rowsync"];
    let sample = desk.sample("chinook.sqlite");
    let typed = std::fs::read_to_string(of_the_repository("deploy/syncs/shop.json")).unwrap();
    let here = typed.replace("sqlite:/usr/share/rowsync/chinook.sqlite", &sample);
    assert_ne!(here, typed);
    std::fs::write(desk.path("shop.json"), here).unwrap();
    let mut command = desk.command(&[]);
    for argument in service["command"].as_array().unwrap() {
        command.arg(argument.as_str().unwrap().replace("/etc/rowsync/", ""));
    }
    for (name, value) in service["environment"].as_object().unwrap() {
        let value = match value.as_str().unwrap() {
            secret if secret.starts_with("${ROWSYNC_API_TOKEN:?") => "t0ken",
            // Of this machine, and a port that is free.
            "0.0.0.0:8080" => "127.0.0.1:0",
            plain => plain,
        };
        command.env(name, value);
    }
    let mut server = Server::of(&mut command);
    server.logged("status=Completed");
    // By the name and port that Prometheus is told.
    let config = std::fs::read_to_string(of_grafana("prometheus/prometheus.yml")).unwrap();
    assert!(config.contains(r#"["rowsync:8080"]"#));
    let ask = |path: &str, more: &str| {
        server.raw(format!("GET {path} HTTP/1.1\r\nHost: rowsync:8080\r\nConnection: close\r\n{more}\r\n").as_bytes())
    };
    let metrics = ask("/metrics", "");
    assert!(metrics.status == 200 && metrics.body.contains("rowsync_table_rows{"), "{metrics:?}");
    let executions = format!("{API}/executions");
    ask(&executions, "").refused(401);
    ask(&executions, "Authorization: Bearer t0cken\r\n").refused(401);
    let listed = ask(&executions, "Authorization: Bearer t0ken\r\n").json();
    assert_eq!(listed["executions"][0]["status"], "completed");
}
