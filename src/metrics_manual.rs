//! The manual's page about metrics, written from the catalogue. A test compares it with the file.

use rowsync_engine::metrics::{CATALOGUE, EXECUTION_SECONDS_BOUNDS, Kind, Label, Metric, Unit};

use crate::exposition::about;

/// What stands in the page above the metrics.
const INTRODUCTION: &str = include_str!("metrics_manual.md");

const LABELS: [Label; 9] = [
    Label::Sync,
    Label::Table,
    Label::Side,
    Label::Operation,
    Label::Class,
    Label::Outcome,
    Label::Actor,
    Label::State,
    Label::Version,
];

/// `docs/metrics.md`.
pub fn metrics_md() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n## Labels\n\n| label | values |\n| --- | --- |\n");
    for label in LABELS {
        text.push_str(&format!("| `{}` | {} |\n", label.name(), values(label)));
    }
    text.push_str("\n## All of them\n\n| metric | kind | labels | db-sync's name | meaning |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    CATALOGUE.iter().for_each(|metric| text.push_str(&row(metric)));
    let bounds: Vec<String> = EXECUTION_SECONDS_BOUNDS.iter().map(ToString::to_string).collect();
    text.push_str(&format!("\nThe bounds of the histogram, in seconds: {}.\n", bounds.join(", ")));
    text
}

fn values(label: Label) -> String {
    match (label, label.values()) {
        (Label::Sync, _) => "`name` of the settings file".to_owned(),
        (Label::Table, _) => "the table's name in the source; empty for what belongs to no table".to_owned(),
        (_, None) => "the version of the program".to_owned(),
        (_, Some(values)) => quoted(values.iter().copied()),
    }
}

fn row(metric: &Metric) -> String {
    let Metric { name, formerly, .. } = metric;
    let formerly = if formerly.is_empty() { String::new() } else { format!("`{formerly}`") };
    let labels = quoted(metric.labels.iter().map(|label| label.name()));
    format!("| `{name}` | {} | {labels} | {formerly} | {} |\n", kind(metric), about(metric))
}

fn kind(metric: &Metric) -> &'static str {
    match (metric.kind, metric.unit) {
        (Kind::Counter, Unit::Seconds) => "counter, seconds",
        (Kind::Counter, Unit::Bytes) => "counter, bytes",
        (Kind::Counter, _) => "counter",
        (Kind::Gauge, Unit::Bytes) => "gauge, bytes",
        (Kind::Gauge, Unit::Timestamp) => "gauge, seconds since 1970",
        (Kind::Gauge, _) => "gauge",
        (Kind::Histogram, _) => "histogram, seconds",
    }
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
