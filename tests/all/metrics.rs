//! What the program tells of itself in numbers.

use std::collections::{BTreeMap, BTreeSet};

use rowsync::exposition::Exposition;
use rowsync_actors::meters::{SyncMeters, TableMeters};
use rowsync_engine::metrics::{CATALOGUE, Kind, Outcome};

use crate::support::{CHINOOK, Desk};

/// Each series with its value, as Prometheus would read it.
pub fn series_of(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} has no value"));
        (series.to_owned(), value.parse().unwrap())
    };
    lines.map(read).collect()
}

/// A run that keeps its metrics in a file, and what stands in it afterwards.
fn run_with_file(desk: &Desk, arguments: &[&str]) -> (Option<i32>, BTreeMap<String, f64>) {
    let ended = desk.rowsync(&[arguments, &["--metrics-file", "shop.prom"]].concat());
    let text = std::fs::read_to_string(desk.path("shop.prom")).unwrap_or_else(|_| panic!("{}", ended.stderr));
    (ended.code, series_of(&text))
}

fn shop() -> Desk {
    let desk = Desk::new();
    let (source, target) = (desk.sample("chinook.sqlite"), desk.sqlite("copy.sqlite"));
    desk.sync("shop", &source, &target, "");
    desk
}

#[test]
fn the_text_describes_every_metric_once_in_the_order_of_the_catalogue_even_where_nothing_is_known() {
    let text = Exposition::default().text();
    let typed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let kind = |kind| match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let expected: Vec<String> =
        CATALOGUE.iter().map(|metric| format!("{} {}", metric.name, kind(metric.kind))).collect();
    assert_eq!(typed, expected);
    assert_eq!(text.lines().filter(|line| line.starts_with("# HELP ")).count(), CATALOGUE.len());
}

#[test]
fn seconds_are_told_in_seconds_and_names_with_quotes_are_escaped() {
    let exposition = Exposition::default();
    metrics::with_local_recorder(&exposition.recorder(), || {
        let meters = SyncMeters::of("s");
        meters.ended(Outcome::Failed, std::time::Duration::from_millis(700));
        let table = TableMeters::of("s", r#"a "quoted" table"#);
        table.skipped.increment(3);
    });
    let series = series_of(&exposition.text());
    assert_eq!(series[r#"rowsync_executions_total{sync="s",outcome="failed"}"#], 1.0);
    assert_eq!(series[r#"rowsync_execution_seconds_sum{sync="s"}"#], 0.7);
    assert_eq!(series[r#"rowsync_execution_seconds_bucket{sync="s",le="0.5"}"#], 0.0);
    assert_eq!(series[r#"rowsync_execution_seconds_bucket{sync="s",le="1"}"#], 1.0);
    assert_eq!(series[r#"rowsync_records_skipped_total{sync="s",table="a \"quoted\" table"}"#], 3.0);
}

/// What recorders render begins the lines of each metric with its type, and a name may look like that.
#[test]
fn series_of_a_metric_stand_together_each_once_in_the_order_of_syncs_and_tables() {
    let exposition = Exposition::default();
    let lookalike = "a\n# TYPE rowsync_records_total counter\nrowsync_records_total 7";
    metrics::with_local_recorder(&exposition.recorder(), || {
        drop((TableMeters::of("two", "a"), SyncMeters::of("two"), TableMeters::of("one", "b"), SyncMeters::of("one")));
        drop((TableMeters::of("one", lookalike), TableMeters::of("one", "a")));
    });
    let text = exposition.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len());
    assert!(lines.iter().all(|line| !line.is_empty()));
    let of = |name: &str| -> Vec<&str> {
        let begun = lines.iter().skip_while(|line| !line.starts_with(&format!("# TYPE {name} "))).skip(1);
        begun.take_while(|line| !line.starts_with('#')).copied().collect()
    };
    let escaped = lookalike.replace('\n', "\\n");
    let records = [("one", "a"), ("one", escaped.as_str()), ("one", "b"), ("two", "a")];
    let expected = records.map(|(sync, table)| format!(r#"rowsync_records_total{{sync="{sync}",table="{table}"}} 0"#));
    assert_eq!(of("rowsync_records_total"), expected);
    let counted: usize = CATALOGUE.iter().map(|metric| of(metric.name).len()).sum();
    assert_eq!(counted + 2 * CATALOGUE.len(), lines.len());
    for metric in CATALOGUE {
        assert!(of(metric.name).iter().all(|line| line.starts_with(metric.name)), "{}", metric.name);
    }
    let seconds: Vec<f64> = of("rowsync_execution_seconds")
        .iter()
        .filter(|line| line.contains(r#"{sync="one",le=""#) && !line.contains("+Inf"))
        .map(|line| line.split("le=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
        .collect();
    assert!(seconds.len() > 1 && seconds.is_sorted(), "{seconds:?}");
}

#[test]
fn series_go_with_their_syncs_and_tables_unless_somebody_still_counts() {
    let exposition = Exposition::default();
    let held = metrics::with_local_recorder(&exposition.recorder(), || {
        drop((SyncMeters::of("shop"), TableMeters::of("shop", "kept"), TableMeters::of("shop", "gone")));
        drop((SyncMeters::of("old"), TableMeters::of("old", "gone")));
        TableMeters::of("shop", "at work")
    });
    let told = || -> BTreeSet<String> {
        let text = exposition.text();
        let between = |line: &str| line.split_once('{').map(|(_, rest)| rest.split(['}']).next().unwrap().to_owned());
        let names = |labels: String| {
            let value =
                |of: &str| labels.split(&format!("{of}=\"")).nth(1).map_or("", |rest| &rest[..rest.find('"').unwrap()]);
            format!("{}:{}", value("sync"), value("table"))
        };
        text.lines().filter_map(between).map(names).collect()
    };
    assert_eq!(
        told().into_iter().collect::<Vec<_>>(),
        ["old:", "old:gone", "shop:", "shop:at work", "shop:gone", "shop:kept"]
    );
    exposition.keep_syncs(&BTreeSet::from(["shop".to_owned()]));
    exposition.keep_tables("shop", &BTreeSet::from(["kept"]));
    assert_eq!(told().into_iter().collect::<Vec<_>>(), ["shop:", "shop:at work", "shop:kept"]);
    drop(held);
    exposition.keep_tables("shop", &BTreeSet::from(["kept"]));
    assert_eq!(told().into_iter().collect::<Vec<_>>(), ["shop:", "shop:kept"]);
}

/// A table that was dropped was an alarm a week later, for as long as the history knew that it was once proven.
#[test]
fn a_table_that_is_gone_is_not_counted_nor_remembered() {
    let desk = shop();
    let verified = r#"rowsync_verified_timestamp_seconds{sync="shop",table="Playlist"}"#;
    let (_, series) = run_with_file(&desk, &["run", "shop.json"]);
    assert!(series[verified] > 0.0);
    for name in ["chinook.sqlite", "copy.sqlite"] {
        desk.in_sqlite(name, "drop table PlaylistTrack; drop table Playlist");
    }
    // What the history knew before this run is told until it is over.
    let (_, series) = run_with_file(&desk, &["run", "shop.json"]);
    assert!(!series.contains_key(verified));
    let (_, series) = run_with_file(&desk, &["run", "shop.json"]);
    assert!(!series.keys().any(|line| line.contains("Playlist")));
    assert!(series.keys().any(|line| line.contains(r#"table="Track""#)));
}

#[test]
fn a_run_leaves_its_numbers_in_a_file_for_node_exporter() {
    let desk = shop();
    let (code, series) = run_with_file(&desk, &["run", "shop.json"]);
    assert_eq!(code, Some(0));
    let of_all = |metric: &str| -> f64 {
        CHINOOK.iter().map(|table| series[&format!(r#"{metric}{{sync="shop",table="{table}"}}"#)]).sum()
    };
    assert_eq!(of_all("rowsync_records_added_total"), 15607.0);
    assert_eq!(of_all("rowsync_records_failed_total"), 0.0);
    assert_eq!(of_all("rowsync_table_parked"), 0.0);
    let write_seconds = of_all("rowsync_write_seconds_total");
    assert!(write_seconds > 0.0 && write_seconds < 600.0, "{write_seconds}");
    assert_eq!(series[r#"rowsync_executions_total{sync="shop",outcome="completed"}"#], 1.0);
    assert_eq!(series[r#"rowsync_executions_running{sync="shop"}"#], 0.0);
    assert_eq!(series[r#"rowsync_table_rows{sync="shop",table="Track",side="target"}"#], 3503.0);
    assert!(series[r#"rowsync_last_success_timestamp_seconds{sync="shop"}"#] > 1.7e9);
    assert!(series.contains_key(&format!(r#"rowsync_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_run_that_fails_counts_its_errors_and_knows_from_the_history_when_it_last_went_well() {
    let desk = shop();
    let (_, first) = run_with_file(&desk, &["run", "shop.json"]);
    desk.in_sqlite(
        "copy.sqlite",
        "drop table InvoiceLine; create table InvoiceLine (InvoiceLineId integer primary key)",
    );
    let (code, series) = run_with_file(&desk, &["run", "shop.json"]);
    assert_eq!(code, Some(1));
    assert_eq!(series[r#"rowsync_executions_total{sync="shop",outcome="completed_with_errors"}"#], 1.0);
    assert_eq!(series[r#"rowsync_errors_total{sync="shop",table="InvoiceLine",class="schema"}"#], 1.0);
    assert_eq!(series[r#"rowsync_table_parked{sync="shop",table="InvoiceLine"}"#], 1.0);
    assert_eq!(series[r#"rowsync_table_parked{sync="shop",table="Track"}"#], 0.0);
    let last_success = r#"rowsync_last_success_timestamp_seconds{sync="shop"}"#;
    assert!((series[last_success] - first[last_success]).abs() < 1.0);
    let verified = r#"rowsync_verified_timestamp_seconds{sync="shop",table="InvoiceLine"}"#;
    assert!((series[verified] - first[verified]).abs() < 5.0);
}

#[test]
fn a_database_that_cannot_be_reached_is_a_failed_execution_with_an_error_of_its_class() {
    let desk = Desk::new();
    let source = desk.sqlite("nothing.sqlite");
    desk.sync("shop", &source, &desk.sqlite("copy.sqlite"), "");
    let (code, series) = run_with_file(&desk, &["run", "shop.json"]);
    assert_eq!(code, Some(4));
    assert_eq!(series[r#"rowsync_executions_total{sync="shop",outcome="failed"}"#], 1.0);
    assert_eq!(series[r#"rowsync_errors_total{sync="shop",table="",class="connection"}"#], 1.0);
}

#[test]
fn a_metrics_file_that_cannot_be_written_stops_the_run_before_it_begins() {
    let desk = shop();
    let ended = desk.rowsync(&["run", "shop.json", "--metrics-file", "no/such/folder/shop.prom"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("`--metrics-file` no/such/folder/shop.prom"), "{}", ended.stderr);
    assert!(!desk.path("copy.sqlite").exists());
}
