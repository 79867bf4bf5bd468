//! The recorders: one for each sync and one for each of its tables, because a recorder gives up none of its series by their
//! labels. So a process that lives for months holds no more than its syncs and tables are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use rowsync_engine::metrics::{EXECUTION_SECONDS, EXECUTION_SECONDS_BOUNDS, Label};

/// Whose series they are: the names of a sync and of a table, each empty where a series belongs to none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    sync: String,
    table: String,
}

#[derive(Clone, Default)]
pub struct Recorders(Arc<Mutex<BTreeMap<Owner, Arc<PrometheusRecorder>>>>);

impl Recorders {
    /// Forgets those that are not wanted by the names of their sync and table. Whoever still counts keeps them until the next
    /// time.
    pub fn keep(&self, is_wanted: impl Fn(&str, &str) -> bool) {
        self.all().retain(|Owner { sync, table }, recorder| {
            sync.is_empty() || Arc::strong_count(recorder) > 1 || is_wanted(sync, table)
        });
    }

    /// What is known of each, in the order of their names, as Prometheus reads it.
    pub fn rendered(&self) -> impl Iterator<Item = String> {
        self.handles().into_iter().map(|handle| handle.render())
    }

    /// Adds up what was observed since the last time.
    pub fn add_up(&self) {
        self.handles().iter().for_each(PrometheusHandle::run_upkeep);
    }

    /// Handles do not make a recorder one that somebody counts in.
    fn handles(&self) -> Vec<PrometheusHandle> {
        self.all().values().map(|recorder| recorder.handle()).collect()
    }

    /// None where a recorder cannot be made, which [`new_recorder`] says beforehand.
    fn of(&self, key: &Key) -> Option<Arc<PrometheusRecorder>> {
        let named = |label: Label| {
            let label = key.labels().find(|has| has.key() == label.name());
            label.map(|label| label.value().to_owned()).unwrap_or_default()
        };
        let owner = Owner { sync: named(Label::Sync), table: named(Label::Table) };
        let mut all = self.all();
        if let Some(recorder) = all.get(&owner) {
            return Some(Arc::clone(recorder));
        }
        let recorder = Arc::new(new_recorder().ok()?);
        all.insert(owner, Arc::clone(&recorder));
        Some(recorder)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Owner, Arc<PrometheusRecorder>>> {
        // Each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// # Errors
/// When the bounds of the histogram are none.
pub fn new_recorder() -> Result<PrometheusRecorder, BuildError> {
    let durations = Matcher::Full(EXECUTION_SECONDS.name.to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, EXECUTION_SECONDS_BOUNDS)?;
    Ok(builder.build_recorder())
}

impl Recorder for Recorders {
    // What a metric means stands in the catalogue.
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let held = self.of(key).map(|of| Held { counts: of.register_counter(key, metadata), _of: of });
        held.map_or_else(Counter::noop, |held| Counter::from_arc(Arc::new(held)))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let held = self.of(key).map(|of| Held { counts: of.register_gauge(key, metadata), _of: of });
        held.map_or_else(Gauge::noop, |held| Gauge::from_arc(Arc::new(held)))
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let held = self.of(key).map(|of| Held { counts: of.register_histogram(key, metadata), _of: of });
        held.map_or_else(Histogram::noop, |held| Histogram::from_arc(Arc::new(held)))
    }
}

/// A handle, by which its recorder is known to be counted in.
struct Held<T> {
    counts: T,
    _of: Arc<PrometheusRecorder>,
}

impl CounterFn for Held<Counter> {
    fn increment(&self, value: u64) {
        self.counts.increment(value);
    }

    fn absolute(&self, value: u64) {
        self.counts.absolute(value);
    }
}

impl GaugeFn for Held<Gauge> {
    fn increment(&self, value: f64) {
        self.counts.increment(value);
    }

    fn decrement(&self, value: f64) {
        self.counts.decrement(value);
    }

    fn set(&self, value: f64) {
        self.counts.set(value);
    }
}

impl HistogramFn for Held<Histogram> {
    fn record(&self, value: f64) {
        self.counts.record(value);
    }
}
