//! What is drawn and what alarms: dashboards and alert rules against the catalogue, and against a real Prometheus.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rowsync_engine::metrics::{CATALOGUE, Label, Metric, find};
use serde_json::Value;

pub const DASHBOARDS: [&str; 2] = ["all_syncs", "one_table"];

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana").join(name)
}

pub fn dashboard(name: &str) -> Value {
    let text = std::fs::read_to_string(file(&format!("dashboards/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

/// Each query with the title of its panel.
pub fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    panels(dashboard).iter().flat_map(of_panel).collect()
}

/// The expressions of the alert rules, each with its name.
pub fn alerts() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file("prometheus/rowsync.rules.yml")).unwrap();
    let of = |key: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(|rest| rest.trim().to_owned()).collect()
    };
    let (names, expressions) = (of("- alert:"), of("expr:"));
    assert_eq!(names.len(), expressions.len());
    names.into_iter().zip(expressions).collect()
}

/// The metrics of rowsync that an expression names.
fn named(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("rowsync_")).map(ToOwned::to_owned).collect()
}

/// The series of a histogram bear a word more.
fn metric(name: &str) -> &'static Metric {
    let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| find(name.strip_suffix(end)?));
    find(name).or(stem).unwrap_or_else(|| panic!("{name} is drawn, but nobody counts it"))
}

#[test]
fn everything_that_is_counted_is_drawn_and_everything_that_is_drawn_is_counted() {
    let all = DASHBOARDS.iter().flat_map(|name| queries(&dashboard(name)));
    let drawn: BTreeSet<&str> = all.flat_map(|(_, expr)| named(&expr)).map(|name| metric(&name).name).collect();
    let counted: BTreeSet<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
    assert_eq!(drawn, counted);
    for (name, expression) in alerts() {
        let named: Vec<&str> = named(&expression).iter().map(|named| metric(named).name).collect();
        assert!(!named.is_empty() || name == "RowsyncDown", "{name}");
    }
}

/// A label that the metric does not have is no error in Prometheus, only an empty panel.
#[test]
fn queries_select_and_group_by_labels_that_their_metrics_have() {
    let labels =
        [Label::Side, Label::Operation, Label::Class, Label::Outcome, Label::Actor, Label::State, Label::Table];
    let of_dashboards = DASHBOARDS.iter().flat_map(|name| queries(&dashboard(name)));
    for (title, expression) in of_dashboards.chain(alerts()) {
        let words: Vec<&str> = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$').collect();
        for label in labels.iter().filter(|label| words.contains(&label.name())) {
            for name in named(&expression) {
                assert!(metric(&name).labels.contains(label), "{title}: {name} has no label {}", label.name());
            }
        }
    }
}

#[test]
fn dashboards_import_without_edits() {
    let mut uids = BTreeSet::new();
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_owned()));
        assert!(dashboard.get("__inputs").is_none() && dashboard.get("id").is_none(), "{name}");
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert_eq!((&variables[0]["name"], &variables[0]["type"]), (&"datasource".into(), &"datasource".into()));
        let mut ids = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
            if panel["type"] == "row" {
                continue;
            }
            assert!(panel["description"].as_str().is_some_and(|about| about.ends_with('.')), "{title}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            }
        }
    }
    let linked = std::fs::read_to_string(file("dashboards/all_syncs.json")).unwrap();
    assert!(uids.iter().all(|uid| linked.contains(uid)));
}

#[test]
fn no_panel_lies_on_another() {
    for name in DASHBOARDS {
        let mut taken = BTreeSet::new();
        for panel in panels(&dashboard(name)) {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            for cell in (at("y")..at("y") + at("h")).flat_map(|y| (at("x")..at("x") + at("w")).map(move |x| (x, y))) {
                assert!(cell.0 < 24 && taken.insert(cell), "{name}: {}", panel["title"]);
            }
        }
    }
}

/// A program of Prometheus, installed or fetched by `make setup`.
pub fn program(name: &str) -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prometheus/usr/bin").join(name);
    let installed = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists())
    };
    let found = installed().or_else(|| fetched.exists().then_some(fetched));
    found.unwrap_or_else(|| panic!("these tests need {name}: run `make setup`, or install prometheus"))
}

fn promtool(arguments: &[&str]) {
    let output = Command::new(program("promtool")).args(arguments).current_dir(file("prometheus")).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_alert_rules_tell_what_they_should_when_they_should() {
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["test", "rules", "rowsync.rules.test.yml"]);
}

#[test]
fn every_alert_rule_has_a_test_of_when_it_tells() {
    let tests = std::fs::read_to_string(file("prometheus/rowsync.rules.test.yml")).unwrap();
    for (name, _) in alerts() {
        assert!(
            tests.contains(&format!("        alertname: {name}\n        exp_alerts:\n          - exp_labels")),
            "{name}"
        );
    }
}
