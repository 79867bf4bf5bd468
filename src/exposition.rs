//! The exposition: all metrics of this process as the text that Prometheus reads, in the order of the catalogue, each with
//! what it means, also those of which nothing is known yet.

mod recorders;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use rowsync_actors::meters::{SyncMeters, TableMeters, gauge};
use rowsync_engine::metrics::{BUILD_INFO, Metric};
use rowsync_engine::report::{RunReport, RunStatus};

use crate::problem::Problem;
use crate::settings::{SyncSettings, TableSelection};
use crate::state::{Command, Execution, Standing, State};
use crate::tally::count_conflicts;

use recorders::new_recorder;

pub use recorders::Recorders;

/// All metrics of the process, for whoever asks.
#[derive(Clone, Default)]
pub struct Exposition {
    recorders: Recorders,
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
        new_recorder().map_err(|error| internal(error.to_string()))?;
        let exposition = Exposition::default();
        metrics::set_global_recorder(exposition.recorder()).map_err(|error| internal(error.to_string()))?;
        gauge(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")]).set(1.0);
        Ok(OF_THE_PROCESS.get_or_init(|| exposition).clone())
    }

    /// What this process counts, where it does.
    pub fn of_process() -> Option<&'static Exposition> {
        OF_THE_PROCESS.get()
    }

    /// Whoever counts tells this.
    pub fn recorder(&self) -> Recorders {
        self.recorders.clone()
    }

    /// Forgets the syncs that are not among these, which may have been taken out of the files: nobody is to be alarmed because
    /// they run no more.
    pub fn keep_syncs(&self, wanted: &BTreeSet<String>) {
        self.recorders.keep(|sync, _| wanted.contains(sync));
    }

    /// Forgets the tables of a sync that are not among these.
    pub fn keep_tables(&self, of: &str, wanted: &BTreeSet<&str>) {
        self.recorders.keep(|sync, table| sync != of || table.is_empty() || wanted.contains(table));
    }

    /// Adds up what was observed since the last time. Otherwise that is done when somebody asks for the text, and until then
    /// every single observation is kept.
    pub fn add_up(&self) {
        self.recorders.add_up();
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        text::compose(self.recorders.rendered())
    }
}

/// What is known of a sync before it runs: every metric of it and of the tables that its file names, at zero or as the
/// history left it. Nothing of one that is not to be run, which nobody has to wait for.
pub async fn expect(settings: &SyncSettings) {
    if !settings.enabled {
        return;
    }
    let sync = SyncMeters::of(&settings.name);
    expect_tables(settings);
    if let Err(error) = recall(settings, &sync).await {
        tracing::warn!(sync = %settings.name, %error, "the metrics begin without what the history knows");
    }
}

/// The tables that a file names.
pub fn expect_tables(settings: &SyncSettings) {
    for table in named_tables(settings).filter(|_| settings.enabled) {
        drop(TableMeters::of(&settings.name, table));
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
    let executions = state.executions(&settings.name, REMEMBERED).await?;
    let known = known_tables(settings, &executions);
    for execution in executions {
        let Standing::Ended { finished_at, report, .. } = execution.standing else { continue };
        let (Ok(at), Ok(report)) = (finished_at.parse::<jiff::Timestamp>(), RunReport::from_json(&report)) else {
            continue;
        };
        let at = at.as_millisecond() as f64 / 1e3;
        if execution.command == Command::Run && report.status == RunStatus::Completed {
            successes.push(at);
        }
        for table in report.tables.into_iter().filter(|table| table.verified && known.contains(&table.table)) {
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

/// The tables that there are: those that the settings name, and those of the last run that went through all of them. Others
/// were once.
fn known_tables(settings: &SyncSettings, executions: &[Execution]) -> BTreeSet<String> {
    let reports = executions.iter().filter(|execution| execution.command == Command::Run).filter_map(|execution| {
        let Standing::Ended { report, .. } = &execution.standing else { return None };
        RunReport::from_json(report).ok().filter(went_through_all)
    });
    let last = reports.take(1).flat_map(|report| report.tables).map(|table| table.table);
    last.chain(named_tables(settings).map(ToOwned::to_owned)).collect()
}

/// Whether a run names every table that there is.
pub fn went_through_all(report: &RunReport) -> bool {
    matches!(report.status, RunStatus::Completed | RunStatus::CompletedWithErrors)
}

/// Doc comments begin their lines with a space.
pub fn about(metric: &Metric) -> String {
    metric.about.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use rowsync_engine::metrics::EXECUTION_SECONDS;

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
        let exposition = Exposition::default();
        let meters = metrics::with_local_recorder(&exposition.recorder(), || SyncMeters::of("a"));
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
