//! The text: what the recorders rendered, put together in the order of the catalogue.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rowsync_engine::metrics::{CATALOGUE, Kind, Metric, Unit, find};

use super::about;

const NANOSECONDS: f64 = 1e9;

/// Every metric once, also those that nobody has counted yet.
pub fn compose(rendered: &[String]) -> String {
    let mut blocks = blocks(rendered);
    let mut text = String::with_capacity(rendered.iter().map(String::len).sum());
    for metric in CATALOGUE {
        let mut lines = blocks.remove(metric.name).unwrap_or_default();
        if metric.kind != Kind::Histogram {
            lines.sort_unstable();
        }
        text.push_str(&head(metric));
        lines.iter().for_each(|line| tell(metric, line, &mut text));
    }
    text
}

fn head(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let about = about(metric).replace('\\', "\\\\");
    format!("# HELP {name} {about}\n# TYPE {name} {kind}\n", name = metric.name)
}

/// The lines of each metric. There may be hundreds of thousands, so none is copied, and those that stand together are looked
/// up once.
fn blocks(rendered: &[String]) -> BTreeMap<&str, Vec<&str>> {
    let mut blocks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open: Option<(&str, &mut Vec<&str>)> = None;
    for line in rendered.iter().flat_map(|rendered| rendered.lines()).filter(|line| !line.starts_with('#')) {
        let Some(name) = line.split(['{', ' ']).next().filter(|name| !name.is_empty()) else { continue };
        match &mut open {
            Some((of, lines)) if *of == name => lines.push(line),
            _ => {
                open = metric_of(name).map(|metric| (name, blocks.entry(metric.name).or_default()));
                open.iter_mut().for_each(|(_, lines)| lines.push(line));
            }
        }
    }
    blocks
}

/// Whose lines are called so; those of a histogram have a word more in their name.
fn metric_of(name: &str) -> Option<&'static Metric> {
    let parts = ["_bucket", "_sum", "_count"];
    find(name).or_else(|| parts.iter().find_map(|part| find(name.strip_suffix(part)?)))
}

/// Adds a line as it is to be read: seconds were counted in whole nanoseconds.
fn tell(metric: &Metric, line: &str, text: &mut String) {
    let is_in_nanoseconds = (metric.kind, metric.unit) == (Kind::Counter, Unit::Seconds);
    let counted = line.rsplit_once(' ').filter(|_| is_in_nanoseconds);
    let seconds = counted.and_then(|(series, count)| Some((series, count.parse::<f64>().ok()? / NANOSECONDS)));
    // A text that is written to memory takes all.
    let _ = match seconds {
        Some((series, seconds)) => writeln!(text, "{series} {seconds}"),
        None => writeln!(text, "{line}"),
    };
}
