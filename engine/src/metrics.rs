//! The catalogue of metrics, as data: what is counted, in which unit, under which labels. The actors count by it, the
//! program describes it to whoever asks, and the manual's page about metrics is written from it. Nothing is counted here.

use crate::search::SideName;

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `rowsync_`, the thing, the unit, and `_total` where it only grows.
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [Label],
    /// Its name among the counters that db-sync printed; empty where it had none.
    pub formerly: &'static str,
    /// The user's manual for it.
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and begins at zero with the process.
    Counter,
    Gauge,
    /// By [`EXECUTION_SECONDS_BOUNDS`].
    Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of counters: counted in nanoseconds, and told in seconds.
    Seconds,
    Bytes,
    /// Seconds since 1970.
    Timestamp,
    Number,
}

/// What a metric is told apart by. Each has a closed set of values; those of `sync` and `table` are the names that the
/// settings or the source hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Sync,
    Table,
    Side,
    Operation,
    Class,
    Outcome,
    Actor,
    State,
    Version,
}

impl Label {
    pub fn name(self) -> &'static str {
        match self {
            Label::Sync => "sync",
            Label::Table => "table",
            Label::Side => "side",
            Label::Operation => "operation",
            Label::Class => "class",
            Label::Outcome => "outcome",
            Label::Actor => "actor",
            Label::State => "state",
            Label::Version => "version",
        }
    }

    /// All values that it takes, in the order of the type that stands for them; none where these are names.
    pub fn values(self) -> Option<&'static [&'static str]> {
        match self {
            Label::Sync | Label::Table | Label::Version => None,
            Label::Side => Some(&["source", "target"]),
            Label::Operation => Some(&["add", "modify", "delete"]),
            Label::Class => Some(&["connection", "schema", "data", "logic"]),
            Label::Outcome => Some(&["completed", "completed_with_errors", "failed", "interrupted"]),
            Label::Actor => Some(&["table", "source_reader", "target_reader", "differ", "writer", "recovery"]),
            Label::State => Some(&["held", "free"]),
        }
    }
}

/// What makes a row of the target equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Add,
    Modify,
    Delete,
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    CompletedWithErrors,
    Failed,
    Interrupted,
}

/// The actors of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorName {
    Table,
    SourceReader,
    TargetReader,
    Differ,
    Writer,
    Recovery,
}

impl ActorName {
    /// Those that a table's actor makes, and that end with it.
    pub const CHILDREN: [ActorName; 4] =
        [ActorName::SourceReader, ActorName::TargetReader, ActorName::Differ, ActorName::Writer];

    pub fn reader(side: SideName) -> ActorName {
        match side {
            SideName::Source => ActorName::SourceReader,
            SideName::Target => ActorName::TargetReader,
        }
    }
}

/// What becomes of the bytes of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetState {
    Held,
    Free,
}

/// The upper ends of the histogram of executions: from a small sync that finds nothing to one that takes a night.
pub const EXECUTION_SECONDS_BOUNDS: &[f64] =
    &[0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0];

/// Makes a constant of each metric, and the list of all.
macro_rules! catalogue {
    ($(
        $(#[doc = $line:literal])+
        $constant:ident: $kind:ident $name:literal in $unit:ident by [$($label:ident),*] $(was $formerly:literal)?;
    )*) => {
        $($(#[doc = $line])+ pub const $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$(Label::$label),*],
            formerly: concat!("" $(, $formerly)?),
            about: concat!($($line),+),
        };)*

        /// All metrics, in the order of the manual.
        pub const CATALOGUE: &[Metric] = &[$($constant),*];
    };
}

catalogue! {
    /// Time spent reading and counting rows, summed over all that read at once.
    READ_SECONDS: Counter "rowsync_read_seconds_total" in Seconds by [Sync, Table, Side] was "readTimeAll";
    /// Time spent adding and changing rows, commits and what is kept for an undo included.
    WRITE_SECONDS: Counter "rowsync_write_seconds_total" in Seconds by [Sync, Table] was "writeTimeAll";
    /// Time spent in batches that only delete.
    DELETE_SECONDS: Counter "rowsync_delete_seconds_total" in Seconds by [Sync, Table] was "deleteTimeAll";
    /// Time spent making digests of ranges, to compare and to prove.
    COMPARE_SECONDS: Counter "rowsync_compare_seconds_total" in Seconds by [Sync, Table, Side] was "dataCompareTimeAll";
    /// Time spent cutting and counting ranges for a search.
    BINARY_SEARCH_SECONDS: Counter "rowsync_binary_search_seconds_total" in Seconds by [Sync, Table, Side]
        was "binarySearchTimeAll";
    /// Questions that the databases were asked, and batches that they were given.
    QUERIES: Counter "rowsync_queries_total" in Number by [Sync, Table, Side] was "queryCountAll";
    /// Rows of the source that were gone through, copied, compared or covered by a digest; again each time.
    RECORDS: Counter "rowsync_records_total" in Number by [Sync, Table] was "recordCountAllTables";
    /// Rows added to the target.
    RECORDS_ADDED: Counter "rowsync_records_added_total" in Number by [Sync, Table] was "recordCountAllAdded";
    /// Rows of the target changed.
    RECORDS_MODIFIED: Counter "rowsync_records_modified_total" in Number by [Sync, Table] was "recordCountAllModified";
    /// Rows of the target deleted.
    RECORDS_DELETED: Counter "rowsync_records_deleted_total" in Number by [Sync, Table] was "recordCountAllDeleted";
    /// Changed rows left for a later run, because they were fewer than `min_rows_to_sync`.
    RECORDS_SKIPPED: Counter "rowsync_records_skipped_total" in Number by [Sync, Table] was "recordCountAllSkipped";
    /// Planned changes that were not made, by the reports.
    RECORDS_FAILED: Counter "rowsync_records_failed_total" in Number by [Sync, Table];
    /// Searches for differences by ranges.
    BINARY_SEARCHES: Counter "rowsync_binary_searches_total" in Number by [Sync, Table] was "binarySearchCountAll";
    /// Steps of searches.
    BINARY_SEARCH_ITERATIONS: Counter "rowsync_binary_search_iterations_total" in Number by [Sync, Table]
        was "binarySearchIterationCount";
    /// Questions that searches asked.
    BINARY_SEARCH_QUERIES: Counter "rowsync_binary_search_queries_total" in Number by [Sync, Table]
        was "binarySearchQueryCount";
    /// How deep the searches of the last execution went.
    BINARY_SEARCH_MAX_DEPTH: Gauge "rowsync_binary_search_max_depth" in Number by [Sync, Table]
        was "binarySearchMaxDepthAll";
    /// Errors that reports tell, by class; those of an execution as a whole have no table.
    ERRORS: Counter "rowsync_errors_total" in Number by [Sync, Table, Class];
    /// Failures after which a table was begun again or a connection tried again, by class; connections have no table.
    RETRIES: Counter "rowsync_retries_total" in Number by [Sync, Table, Class];
    /// Actors that took the place of one that failed or panicked.
    RESTARTS: Counter "rowsync_restarts_total" in Number by [Sync, Table, Actor];
    /// Panics of a part of rowsync; each is a mistake in rowsync.
    PANICS: Counter "rowsync_panics_total" in Number by [Sync, Table];
    /// Runs, replays of rows that failed, verifications and undos that ended.
    EXECUTIONS: Counter "rowsync_executions_total" in Number by [Sync, Outcome];
    /// How long they took.
    EXECUTION_SECONDS: Histogram "rowsync_execution_seconds" in Seconds by [Sync];
    /// Executions at work.
    EXECUTIONS_RUNNING: Gauge "rowsync_executions_running" in Number by [Sync];
    /// Bytes of rows that were read.
    BYTES_READ: Counter "rowsync_bytes_read_total" in Bytes by [Sync, Table, Side];
    /// Bytes of rows that were written.
    BYTES_WRITTEN: Counter "rowsync_bytes_written_total" in Bytes by [Sync, Table];
    /// Bytes of rows between reading and writing, and what `max_bytes_in_flight` leaves beside them.
    BUDGET_BYTES: Gauge "rowsync_budget_bytes" in Bytes by [Sync, State];
    /// Time spent waiting for bytes of the budget to come free: our own patience, not that of a database.
    BUDGET_WAIT_SECONDS: Counter "rowsync_budget_wait_seconds_total" in Seconds by [Sync, Table];
    /// Messages that an actor was sent and has not answered yet.
    MAILBOX_DEPTH: Gauge "rowsync_mailbox_depth" in Number by [Sync, Table, Actor];
    /// Rows of the table, by the last count.
    TABLE_ROWS: Gauge "rowsync_table_rows" in Number by [Sync, Table, Side];
    /// Rows that would have to be added, modified or deleted to make the target equal: by the last `verify`, and none
    /// once a run has proven that there are none.
    TABLE_DIFFERENCES: Gauge "rowsync_table_differences" in Number by [Sync, Table, Operation];
    /// 1 where the last execution stopped the table or could not begin it, so that a person must look.
    TABLE_PARKED: Gauge "rowsync_table_parked" in Number by [Sync, Table];
    /// When the table was last proven equal; 0: not yet.
    VERIFIED: Gauge "rowsync_verified_timestamp_seconds" in Timestamp by [Sync, Table];
    /// When a run of the sync last ended without errors; 0: not yet.
    LAST_SUCCESS: Gauge "rowsync_last_success_timestamp_seconds" in Timestamp by [Sync];
    /// Conflicts that wait for a person, counted after each execution and each decision, and whenever the service is scraped.
    CONFLICTS_OPEN: Gauge "rowsync_conflicts_open" in Number by [Sync];
    /// When the next run is due; 0: none is.
    NEXT_RUN: Gauge "rowsync_next_run_timestamp_seconds" in Timestamp by [Sync];
    /// 1, with the version that runs.
    BUILD_INFO: Gauge "rowsync_build_info" in Number by [Version];
}

/// A metric by its name.
pub fn find(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn names_tell_kind_and_unit() {
        for metric in CATALOGUE {
            let name = metric.name.strip_prefix("rowsync_").unwrap();
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            let stem = name.strip_suffix("_total").unwrap_or(name);
            let unit = match metric.unit {
                Unit::Seconds => stem.ends_with("_seconds") && !stem.ends_with("_timestamp_seconds"),
                Unit::Timestamp => stem.ends_with("_timestamp_seconds"),
                Unit::Bytes => stem.split('_').any(|word| word == "bytes"),
                Unit::Number => !stem.contains("seconds") && !stem.contains("bytes"),
            };
            assert!(unit, "{}", metric.name);
        }
    }

    #[test]
    fn no_metric_stands_twice() {
        for (place, metric) in CATALOGUE.iter().enumerate() {
            assert_eq!(CATALOGUE.iter().position(|other| other.name == metric.name), Some(place), "{}", metric.name);
        }
    }

    /// The types stand for the values of their labels in the same order.
    #[test]
    fn each_type_names_the_values_of_its_label() {
        let check = |label: Label, typed: &[(usize, &str)]| {
            let values = label.values().unwrap();
            assert_eq!(typed.len(), values.len(), "{label:?}");
            for (place, name) in typed {
                assert_eq!(values[*place].replace('_', ""), name.to_lowercase(), "{label:?}");
            }
        };
        macro_rules! typed {
            ($type:ident: $($name:ident)*) => { &[$(($type::$name as usize, stringify!($name))),*] };
        }
        check(Label::Side, typed!(SideName: Source Target));
        check(Label::Operation, typed!(Operation: Add Modify Delete));
        check(Label::Class, typed!(Class: Connection Schema Data Logic));
        check(Label::Outcome, typed!(Outcome: Completed CompletedWithErrors Failed Interrupted));
        check(Label::Actor, typed!(ActorName: Table SourceReader TargetReader Differ Writer Recovery));
        check(Label::State, typed!(BudgetState: Held Free));
    }
}
