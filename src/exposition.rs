//! The exposition: all metrics of this process as the text that Prometheus reads, in the order of the catalogue, each with
//! what it means, also those of which nothing is known yet.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use rowsync_actors::meters::{SyncMeters, TableMeters, gauge};
use rowsync_engine::metrics::{
    BUILD_INFO, CATALOGUE, EXECUTION_SECONDS, EXECUTION_SECONDS_BOUNDS, Kind, Metric, Unit, find,
};
use rowsync_engine::report::{RunReport, RunStatus};

use crate::problem::Problem;
use crate::settings::{SyncSettings, TableSelection};
use crate::state::{Command, Standing, State};
use crate::tally::count_conflicts;

const NANOSECONDS: f64 = 1e9;

/// All metrics of the process, for whoever asks.
#[derive(Clone)]
pub struct Exposition {
    handle: PrometheusHandle,
}

static OF_THE_PROCESS: OnceLock<Exposition> = OnceLock::new();

impl Exposition {
    /// From now on this process counts. A second start finds what the first one began.
    ///
    /// # Errors
    /// When somebody else counts already.
    pub fn start() -> Result<Exposition, Problem> {
        if let Some(started) = OF_THE_PROCESS.get() {
            return Ok(started.clone());
        }
        let internal = |error: String| Problem::Internal(format!("metrics cannot be counted: {error}"));
        let (recorder, exposition) = Exposition::new().map_err(|error| internal(error.to_string()))?;
        metrics::set_global_recorder(recorder).map_err(|error| internal(error.to_string()))?;
        gauge(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")]).set(1.0);
        Ok(OF_THE_PROCESS.get_or_init(|| exposition).clone())
    }

    /// With a recorder that is not installed yet.
    ///
    /// # Errors
    /// When the bounds of the histogram are none.
    pub fn new() -> Result<(PrometheusRecorder, Exposition), BuildError> {
        let durations = Matcher::Full(EXECUTION_SECONDS.name.to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, EXECUTION_SECONDS_BOUNDS)?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        Ok((recorder, Exposition { handle }))
    }

    /// Adds up what was observed since the last time. Otherwise that is done when somebody asks for the text, and until then
    /// every single observation is kept.
    pub fn add_up(&self) {
        self.handle.run_upkeep();
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let rendered = self.handle.render();
        let mut blocks = blocks(&rendered);
        let mut text = String::with_capacity(rendered.len() * 2);
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
}

/// What is known of a sync before it runs: every metric of it and of the tables that its file names, at zero or as the
/// history left it. Nothing of one that is not to be run, which nobody has to wait for.
pub async fn expect(settings: &SyncSettings) {
    if !settings.enabled {
        return;
    }
    let sync = SyncMeters::of(&settings.name);
    for table in named_tables(settings) {
        drop(TableMeters::of(&settings.name, table));
    }
    if let Err(error) = recall(settings, &sync).await {
        tracing::warn!(sync = %settings.name, %error, "the metrics begin without what the history knows");
    }
}

fn named_tables(settings: &SyncSettings) -> impl Iterator<Item = &str> {
    let named = match &settings.tables {
        TableSelection::All => &[][..],
        TableSelection::Named(tables) => tables,
    };
    named.iter().map(|table| table.name.as_str())
}

/// Executions of the history that are looked at.
const REMEMBERED: u32 = 100;

/// When the sync last succeeded, when each table was last proven, and what waits for a person: nobody is to be alarmed
/// because a process is new, nor to forget anything.
async fn recall(settings: &SyncSettings, sync: &SyncMeters) -> Result<(), Problem> {
    let Some(state) = State::look_back(&settings.state).await? else { return Ok(()) };
    count_conflicts(settings, &state).await;
    let mut successes = Vec::new();
    let mut proofs: BTreeMap<String, f64> = BTreeMap::new();
    for execution in state.executions(&settings.name, REMEMBERED).await? {
        let Standing::Ended { finished_at, report, .. } = execution.standing else { continue };
        let (Ok(at), Ok(report)) = (finished_at.parse::<jiff::Timestamp>(), RunReport::from_json(&report)) else {
            continue;
        };
        let at = at.as_millisecond() as f64 / 1e3;
        if execution.command == Command::Run && report.status == RunStatus::Completed {
            successes.push(at);
        }
        for table in report.tables.into_iter().filter(|table| table.verified) {
            let last = proofs.entry(table.table).or_insert(at);
            *last = last.max(at);
        }
    }
    if let Some(last) = successes.into_iter().reduce(f64::max) {
        sync.last_success.set(last);
    }
    for (table, at) in proofs {
        TableMeters::of(&settings.name, &table).verified.set(at);
    }
    Ok(())
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

/// Doc comments begin their lines with a space.
pub fn about(metric: &Metric) -> String {
    metric.about.trim().to_owned()
}

/// The lines of each metric. There may be hundreds of thousands, so none is copied, and those that stand together are looked
/// up once.
fn blocks(rendered: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut blocks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open: Option<(&str, &mut Vec<&str>)> = None;
    for line in rendered.lines().filter(|line| !line.starts_with('#')) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: usize = 320;
    const OBSERVATIONS_A_ROUND: usize = 100_000;

    /// Of this process, in bytes.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")).unwrap();
        kilobytes.trim().parse::<usize>().unwrap() * 1024
    }

    #[test]
    fn observations_that_nobody_asks_for_are_not_kept_one_by_one() {
        let (recorder, exposition) = Exposition::new().unwrap();
        let meters = metrics::with_local_recorder(&recorder, || SyncMeters::of("a"));
        let before = resident();
        for _ in 0..ROUNDS {
            (0..OBSERVATIONS_A_ROUND).for_each(|_| meters.execution_seconds.record(0.003));
            exposition.add_up();
        }
        let all = ROUNDS * OBSERVATIONS_A_ROUND;
        assert!(exposition.text().contains(&format!("{}_count{{sync=\"a\"}} {all}\n", EXECUTION_SECONDS.name)));
        let grown = resident().saturating_sub(before);
        assert!(grown < all * size_of::<f64>() / 2, "grown by {grown} bytes");
    }
}
