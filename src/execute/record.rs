//! What the state keeps of an execution: its report, and what was learned of the tables.

use jiff::Timestamp;
use rowsync_actors::messages::TableOutcome;
use rowsync_engine::error::Class;
use rowsync_engine::report::{ErrorReport, RunReport};
use rowsync_engine::schema::TableView;

use super::with_own_errors;
use crate::roster::{Entry, Roster};
use crate::settings::SyncSettings;
use crate::state::{Command, State, StateError};

/// Each outcome with what its memory depends on.
pub(super) fn remembered_as(roster: &Roster, outcomes: Vec<TableOutcome>) -> Vec<(String, TableOutcome)> {
    let shape = |outcome: &TableOutcome| {
        let entry = roster.entries.iter().find(|entry| entry.settings.name == outcome.report.table);
        entry.map(shape_of).unwrap_or_default()
    };
    outcomes.into_iter().map(|outcome| (shape(&outcome), outcome)).collect()
}

/// The target, and the columns and rows that take part. A memory of other ones is no use.
pub(super) fn shape_of(entry: &Entry) -> String {
    let Ok(pair) = &entry.pair else { return String::new() };
    let names = |view: &TableView| {
        let names: Vec<&str> = view.columns.iter().map(|column| column.column.name.as_str()).collect();
        let rows = if view.filter.is_all() { String::new() } else { format!(" where {:?}", view.filter) };
        let made = view.derived.as_ref().map(|derivation| format!(" made {}", derivation.shape())).unwrap_or_default();
        let exact = if view.exact.is_empty() { String::new() } else { format!(" exact {:?}", view.exact) };
        format!("{} ({}) by {:?}{rows}{made}{exact}", view.table, names.join(","), view.modify_time)
    };
    format!("{} -> {}", names(&pair.source), names(&pair.target))
}

/// What fails here is an error of the execution: its rows are written.
pub(crate) async fn tell_whether_recorded(
    recorded: Result<(), StateError>,
    remedy: &str,
    settings: &SyncSettings,
    state: &State,
    report: &mut RunReport,
) {
    if let Err(error) = recorded {
        let remedy = remedy.to_owned();
        let class = if error.is_refusal() { Class::Connection } else { Class::Logic };
        report.errors.push(ErrorReport { class, key: None, message: error.to_string(), remedy });
        with_own_errors(report);
    } else if let Err(error) = state.forget(&settings.name, settings.retention, Timestamp::now()).await {
        tracing::warn!(%error, "old executions could not be removed from the history");
    }
}

/// Where there is a state: to look is no reason to make one. A state that only lets itself be read does not stop anybody
/// from looking either.
pub(super) async fn remember_verification(settings: &SyncSettings, roster: &Roster, report: &RunReport) {
    let mut report = report.clone();
    let secretive = roster.entries.iter().filter(|entry| !entry.settings.tuning.keep_failed_rows);
    for entry in secretive {
        let tables = report.tables.iter_mut().filter(|table| table.table == entry.settings.name);
        let samples = tables.filter_map(|table| table.verification.as_mut()).flat_map(|found| &mut found.samples);
        samples.for_each(|sample| sample.columns.clear());
    }
    let remembered = async {
        let state = State::open(&settings.state).await?;
        state.record_report(Command::Verify, &report).await?;
        state.forget(&settings.name, settings.retention, Timestamp::now()).await
    };
    if let Err(error) = remembered.await {
        tracing::warn!(%error, "the history does not hold this verification");
    }
}
