//! The meters: handles of the metrics of one sync and of each of its tables, made once, so that counting costs no look
//! into a registry. Made without a recorder they count nothing. What is counted stands in [`rowsync_engine::metrics`].

use std::num::NonZeroUsize;
use std::time::{Duration, Instant, SystemTime};

use metrics::{Counter, Gauge, Histogram, Key, Level, Metadata, NoopRecorder, Recorder, with_recorder};
use rowsync_engine::budget::{Budget, Permit};
use rowsync_engine::change::Applied;
use rowsync_engine::metrics::{self as catalogue, ActorName, BudgetState, Kind, Label, Metric, Outcome, Unit};
use rowsync_engine::search::SideName;

use crate::board::Spent;

/// Time that is summed up. The facade counts whole numbers only, so these are nanoseconds, and whoever tells them divides.
#[derive(Clone, Debug)]
pub struct SecondsCounter(Counter);

impl SecondsCounter {
    pub fn add(&self, time: Duration) {
        self.0.increment(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// The metrics of one table.
#[derive(Debug)]
pub struct TableMeters {
    read: Vec<SecondsCounter>,
    compare: Vec<SecondsCounter>,
    search: Vec<SecondsCounter>,
    write: SecondsCounter,
    delete: SecondsCounter,
    queries: Vec<Counter>,
    bytes_read: Vec<Counter>,
    bytes_written: Counter,
    pub records: Counter,
    added: Counter,
    modified: Counter,
    deleted: Counter,
    pub skipped: Counter,
    pub failed: Counter,
    pub searches: Counter,
    pub search_iterations: Counter,
    pub search_queries: Counter,
    pub search_max_depth: Gauge,
    /// By class.
    pub errors: Vec<Counter>,
    /// By class.
    pub retries: Vec<Counter>,
    restarts: Vec<Counter>,
    pub panics: Counter,
    budget_wait: SecondsCounter,
    mailboxes: Vec<Gauge>,
    /// By side.
    pub rows: Vec<Gauge>,
    /// By operation.
    pub differences: Vec<Gauge>,
    pub parked: Gauge,
    pub verified: Gauge,
}

impl TableMeters {
    /// Registers all of them, at zero where nothing has happened yet.
    pub fn of(sync: &str, table: &str) -> TableMeters {
        let names = &[sync, table];
        TableMeters {
            read: seconds_by(&catalogue::READ_SECONDS, names),
            compare: seconds_by(&catalogue::COMPARE_SECONDS, names),
            search: seconds_by(&catalogue::BINARY_SEARCH_SECONDS, names),
            write: SecondsCounter(counter(&catalogue::WRITE_SECONDS, names)),
            delete: SecondsCounter(counter(&catalogue::DELETE_SECONDS, names)),
            queries: by(&catalogue::QUERIES, names, counter),
            bytes_read: by(&catalogue::BYTES_READ, names, counter),
            bytes_written: counter(&catalogue::BYTES_WRITTEN, names),
            records: counter(&catalogue::RECORDS, names),
            added: counter(&catalogue::RECORDS_ADDED, names),
            modified: counter(&catalogue::RECORDS_MODIFIED, names),
            deleted: counter(&catalogue::RECORDS_DELETED, names),
            skipped: counter(&catalogue::RECORDS_SKIPPED, names),
            failed: counter(&catalogue::RECORDS_FAILED, names),
            searches: counter(&catalogue::BINARY_SEARCHES, names),
            search_iterations: counter(&catalogue::BINARY_SEARCH_ITERATIONS, names),
            search_queries: counter(&catalogue::BINARY_SEARCH_QUERIES, names),
            search_max_depth: gauge(&catalogue::BINARY_SEARCH_MAX_DEPTH, names),
            errors: by(&catalogue::ERRORS, names, counter),
            retries: by(&catalogue::RETRIES, names, counter),
            restarts: by(&catalogue::RESTARTS, names, counter),
            panics: counter(&catalogue::PANICS, names),
            budget_wait: SecondsCounter(counter(&catalogue::BUDGET_WAIT_SECONDS, names)),
            mailboxes: by(&catalogue::MAILBOX_DEPTH, names, gauge),
            rows: by(&catalogue::TABLE_ROWS, names, gauge),
            differences: by(&catalogue::TABLE_DIFFERENCES, names, gauge),
            parked: gauge(&catalogue::TABLE_PARKED, names),
            verified: gauge(&catalogue::VERIFIED, names),
        }
    }

    pub(crate) fn applied(&self, applied: &Applied) {
        self.added.increment(applied.inserted);
        self.modified.increment(applied.updated);
        self.deleted.increment(applied.deleted);
        self.queries[SideName::Target as usize].increment(applied.queries);
        self.bytes_written.increment(applied.bytes_written);
    }

    pub(crate) fn queried(&self, side: SideName, bytes_read: u64) {
        self.queries[side as usize].increment(1);
        self.bytes_read[side as usize].increment(bytes_read);
    }

    pub(crate) fn spent(&self, spent: Spent, side: SideName, time: Duration) {
        let seconds = match spent {
            Spent::Read => &self.read[side as usize],
            Spent::Compare => &self.compare[side as usize],
            Spent::Search => &self.search[side as usize],
            Spent::Write => &self.write,
            Spent::Delete => &self.delete,
        };
        seconds.add(time);
    }

    /// These actors took the place of others.
    pub(crate) fn restarted(&self, actors: &[ActorName]) {
        actors.iter().for_each(|actor| self.restarts[*actor as usize].increment(1));
    }

    pub(crate) fn mailbox(&self, actor: ActorName) -> Gauge {
        self.mailboxes[actor as usize].clone()
    }

    /// Takes bytes of a budget, and notes how long that took.
    pub async fn permit(&self, budget: &Budget, bytes: usize) -> Permit {
        let begun = Instant::now();
        let permit = budget.take(bytes).await;
        self.budget_wait.add(begun.elapsed());
        permit
    }

    pub(crate) fn proven(&self) {
        self.verified.set(now());
        self.differences.iter().for_each(|differences| differences.set(0.0));
    }
}

/// They count nothing.
impl Default for TableMeters {
    fn default() -> TableMeters {
        metrics::with_local_recorder(&NoopRecorder, || TableMeters::of("", ""))
    }
}

/// The metrics of a sync as a whole.
#[derive(Clone, Debug)]
pub struct SyncMeters {
    /// By outcome.
    pub executions: Vec<Counter>,
    pub execution_seconds: Histogram,
    pub running: Gauge,
    budget: Vec<Gauge>,
    pub last_success: Gauge,
    pub conflicts_open: Gauge,
    next_run: Gauge,
    /// Of no table, by class.
    pub errors: Vec<Counter>,
    /// Of no table, by class.
    pub retries: Vec<Counter>,
}

/// The label of what belongs to no table. Prometheus takes an empty label as one that is not there.
const NO_TABLE: &str = "";

impl SyncMeters {
    /// Registers all of them, at zero where nothing has happened yet.
    pub fn of(sync: &str) -> SyncMeters {
        SyncMeters {
            executions: by(&catalogue::EXECUTIONS, &[sync], counter),
            execution_seconds: histogram(&catalogue::EXECUTION_SECONDS, &[sync]),
            running: gauge(&catalogue::EXECUTIONS_RUNNING, &[sync]),
            budget: by(&catalogue::BUDGET_BYTES, &[sync], gauge),
            last_success: gauge(&catalogue::LAST_SUCCESS, &[sync]),
            conflicts_open: gauge(&catalogue::CONFLICTS_OPEN, &[sync]),
            next_run: gauge(&catalogue::NEXT_RUN, &[sync]),
            errors: by(&catalogue::ERRORS, &[sync, NO_TABLE], counter),
            retries: by(&catalogue::RETRIES, &[sync, NO_TABLE], counter),
        }
    }

    pub fn ended(&self, outcome: Outcome, took: Duration) {
        self.executions[outcome as usize].increment(1);
        self.execution_seconds.record(took.as_secs_f64());
    }

    pub fn succeeded(&self) {
        self.last_success.set(now());
    }

    /// The next run is due at this second since 1970, as long as this lives.
    pub fn due(&self, second: i64) -> Due {
        self.next_run.set(second as f64);
        Due(self.next_run.clone())
    }

    /// The budget of an execution, watched. A sync has one execution at a time.
    pub fn budget(&self, bytes_max: NonZeroUsize) -> Budget {
        let [held, free] = [BudgetState::Held, BudgetState::Free].map(|state| self.budget[state as usize].clone());
        held.set(0.0);
        free.set(bytes_max.get() as f64);
        Budget::watched(
            bytes_max,
            Box::new(move |bytes| {
                held.increment(bytes as f64);
                free.decrement(bytes as f64);
            }),
        )
    }
}

/// A run that is waited for.
#[must_use]
pub struct Due(Gauge);

impl Drop for Due {
    fn drop(&mut self) {
        self.0.set(0.0);
    }
}

/// Raises a gauge as long as it lives.
#[must_use]
pub struct Raised(Gauge);

impl Raised {
    pub fn new(gauge: &Gauge) -> Raised {
        gauge.increment(1.0);
        Raised(gauge.clone())
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64()
}

/// One for each value of the last label of a metric, in their order.
fn by<T>(metric: &'static Metric, names: &[&str], make: fn(&'static Metric, &[&str]) -> T) -> Vec<T> {
    let values = metric.labels.last().and_then(|label| label.values()).unwrap_or_default();
    values.iter().map(|value| make(metric, &[names, &[*value]].concat())).collect()
}

fn seconds_by(metric: &'static Metric, names: &[&str]) -> Vec<SecondsCounter> {
    by(metric, names, counter).into_iter().map(SecondsCounter).collect()
}

fn counter(metric: &'static Metric, values: &[&str]) -> Counter {
    debug_assert_eq!(metric.kind, Kind::Counter);
    register(metric, values, |recorder, key, metadata| recorder.register_counter(key, metadata))
}

/// The gauge of these values of its labels.
pub fn gauge(metric: &'static Metric, values: &[&str]) -> Gauge {
    debug_assert_eq!(metric.kind, Kind::Gauge);
    register(metric, values, |recorder, key, metadata| recorder.register_gauge(key, metadata))
}

fn histogram(metric: &'static Metric, values: &[&str]) -> Histogram {
    debug_assert_eq!((metric.kind, metric.unit), (Kind::Histogram, Unit::Seconds));
    register(metric, values, |recorder, key, metadata| recorder.register_histogram(key, metadata))
}

fn register<T>(
    metric: &'static Metric,
    values: &[&str],
    make: impl FnOnce(&dyn Recorder, &Key, &Metadata<'_>) -> T,
) -> T {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let label = |(label, value): (&Label, &&str)| {
        debug_assert!(label.values().is_none_or(|all| all.contains(value)), "{}: {value}", metric.name);
        metrics::Label::new(label.name(), (*value).to_owned())
    };
    let labels: Vec<_> = metric.labels.iter().zip(values).map(label).collect();
    let metadata = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    with_recorder(|recorder| make(recorder, &Key::from_parts(metric.name, labels), &metadata))
}
