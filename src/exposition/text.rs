//! The text: what the recorders rendered, put together in the order of the catalogue.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use rowsync_engine::metrics::{CATALOGUE, Kind, Metric, Unit};

use super::about;

const NANOSECONDS: f64 = 1e9;

/// How the lines of a metric begin in what a recorder renders.
const TYPE: &str = "# TYPE ";

/// Where each metric stands in the catalogue.
static PLACES: LazyLock<HashMap<&str, usize>> =
    LazyLock::new(|| CATALOGUE.iter().enumerate().map(|(place, metric)| (metric.name, place)).collect());

/// Every metric once, also those that nobody has counted yet; the series of each in the order of the recorders. There may be
/// hundreds of thousands, so each is gone through once, and none but those of one recorder are sorted.
pub fn compose(rendered: impl Iterator<Item = String>) -> String {
    let mut blocks: Vec<String> = CATALOGUE.iter().map(head).collect();
    rendered.for_each(|rendered| take_apart(&rendered, &mut blocks));
    blocks.concat()
}

fn head(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let about = about(metric).replace('\\', "\\\\");
    format!("# HELP {name} {about}\n{TYPE}{name} {kind}\n", name = metric.name)
}

/// Adds the lines of one recorder to the blocks of their metrics.
fn take_apart(rendered: &str, blocks: &mut [String]) {
    let mut lines = rendered.lines().filter(|line| !line.is_empty()).peekable();
    let mut series = Vec::new();
    while let Some(line) = lines.next() {
        let name = line.strip_prefix(TYPE).and_then(|typed| typed.split(' ').next());
        let Some(&place) = name.and_then(|name| PLACES.get(name)) else { continue };
        series.extend(std::iter::from_fn(|| lines.next_if(|line| !line.starts_with('#'))));
        // The bounds of a histogram come in their order, all others in none.
        if CATALOGUE[place].kind != Kind::Histogram {
            series.sort_unstable();
        }
        series.drain(..).for_each(|line| tell(&CATALOGUE[place], line, &mut blocks[place]));
    }
}

/// Adds a line as it is to be read: seconds were counted in whole nanoseconds.
fn tell(metric: &Metric, line: &str, text: &mut String) {
    let is_in_nanoseconds = (metric.kind, metric.unit) == (Kind::Counter, Unit::Seconds);
    let counted = line.rsplit_once(' ').filter(|_| is_in_nanoseconds);
    let seconds = counted.and_then(|(series, count)| Some((series, count.parse::<f64>().ok()? / NANOSECONDS)));
    match seconds {
        Some((series, seconds)) => {
            text.push_str(series);
            // A text that is written to memory takes all.
            let _ = write!(text, " {seconds}");
        }
        None => text.push_str(line),
    }
    text.push('\n');
}
