//! What is told of undoing: which executions can be undone, why one cannot, and what became of each table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::recovery::remedy;
use rowsync_engine::report::{ErrorReport, TableReport, TableStatus};
use serde::Serialize;

use super::restore::Restorer;
use crate::execute::{place_of, told_in_report};
use crate::problem::Problem;
use crate::roster::Entry;
use crate::settings::SyncSettings;
use crate::state::{State, Undoable};

/// Most rows of a table that are told one by one.
const ROWS_TOLD_MAX: usize = 25;

/// The executions of a sync that keep what can be undone, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct UndoList {
    sync: String,
    executions: Vec<Listed>,
}

#[derive(Clone, Debug, Serialize)]
struct Listed {
    execution_id: String,
    began_at: String,
    /// What it takes in the state.
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cannot_be_undone: Option<String>,
}

/// # Errors
/// When the state cannot be read.
pub async fn list(settings: &SyncSettings) -> Result<UndoList, Problem> {
    let listed = |one: Undoable| Listed {
        execution_id: one.execution_id,
        began_at: one.began.to_string(),
        bytes: one.bytes,
        cannot_be_undone: one.gone,
    };
    let kept = match State::look_back(&settings.state).await? {
        Some(state) => state.undoable(&place_of(settings)).await?,
        None => Vec::new(),
    };
    Ok(UndoList { sync: settings.name.clone(), executions: kept.into_iter().map(listed).collect() })
}

pub fn list_text(list: &UndoList) -> String {
    if list.executions.is_empty() {
        return format!("{}: no run can be undone; runs with `undo` keep what they change", list.sync);
    }
    let mut text = String::new();
    for one in &list.executions {
        let why = one.cannot_be_undone.as_ref().map(|why| format!(", cannot be undone: {why}")).unwrap_or_default();
        let _ = writeln!(text, "{}  {}  {} bytes{why}", one.execution_id, one.began_at, one.bytes);
    }
    text.trim_end().to_owned()
}

/// The whole id of the execution whose id is this one, or begins so. Refuses executions of which nothing is kept.
pub(super) async fn find(settings: &SyncSettings, id: &str) -> Result<String, Problem> {
    let id = id.to_lowercase();
    let (mut named, mut kept) = (BTreeSet::new(), Vec::new());
    if let Some(state) = State::look_back(&settings.state).await? {
        // Not only those that can be undone: whoever means another one is not to undo this one.
        named.extend(state.executions_named(&settings.name, &id).await?.into_iter().map(|execution| execution.id));
        kept = state.undoable(&place_of(settings)).await?;
        // The history may have forgotten what can still be undone.
        named.extend(kept.iter().map(|one| one.execution_id.clone()).filter(|kept| kept.starts_with(&id)));
    }
    if named.len() > 1 {
        return Err(Problem::Usage(format!("several executions begin with `{id}`; type more of it")));
    }
    let execution_id = named.pop_first().unwrap_or(id);
    match kept.into_iter().find(|one| one.execution_id == execution_id).map(|one| one.gone) {
        Some(None) => Ok(execution_id),
        Some(Some(why)) => Err(Problem::Usage(format!("{execution_id} cannot be undone: {why}"))),
        None => Err(Problem::Usage(format!(
            "nothing is kept of {execution_id}: it changed no row of these databases, ran without `undo`, or is older \
             than `undo_keep_days`; `rowsync undo {}` lists the runs that can be undone",
            settings.file.display()
        ))),
    }
}

pub(super) fn left_out(table: &str, reason: &str) -> ErrorReport {
    ErrorReport {
        class: Class::Schema,
        key: None,
        message: format!("{table} is left as it is: {reason}"),
        remedy: "bring the table back to what it was when that run changed it, then undo again".into(),
    }
}

/// What became of the rows of a table.
pub(super) fn tell(restorer: &Restorer, entry: &Entry, report: &mut TableReport) {
    let (applied, refused) = (restorer.applied, restorer.refused());
    report.added = applied.inserted;
    report.modified = applied.updated;
    report.deleted = applied.deleted;
    report.queries = applied.queries;
    report.bytes_written = applied.bytes_written;
    report.failed = refused.len() as u64;
    report.conflicts = restorer.conflicts.len() as u64;
    let touched = report.added + report.modified + report.deleted + report.failed + report.conflicts;
    report.skipped = restorer.rows().saturating_sub(touched);
    for (key, rejected) in refused.iter().take(ROWS_TOLD_MAX) {
        report.errors.push(of_row(entry, key, rejected.message.clone(), remedy(rejected.kind)));
    }
    for key in restorer.conflicts.iter().take(ROWS_TOLD_MAX) {
        let message = "changed by somebody else since that run; left as it is".to_owned();
        report.errors.push(of_row(entry, key, message, "decide by hand what this row is to be"));
    }
    let rows = report.failed.max(report.conflicts) as usize;
    if rows > ROWS_TOLD_MAX {
        report.notes.push(format!("only the first {ROWS_TOLD_MAX} rows that were left as they are are named"));
    }
}

fn of_row(entry: &Entry, key: &Key, message: String, remedy: &str) -> ErrorReport {
    let names = entry.pair.iter().flat_map(|pair| pair.source.key_columns());
    let key = key.to_json(names.map(|column| column.column.name.as_str()));
    ErrorReport { class: Class::Data, key: Some(key), message, remedy: remedy.to_owned() }
}

/// How a table ended.
pub(super) fn tell_end(failure: Option<&StoreError>, unproven: u64, stopped: bool, report: &mut TableReport) {
    if unproven > 0 {
        report.errors.push(ErrorReport {
            class: Class::Data,
            key: None,
            message: format!("{unproven} rows that were put back are not as they were"),
            remedy: "find out who else writes to the table, a trigger maybe, then undo again".into(),
        });
    }
    report.errors.extend(failure.map(told_in_report));
    report.status = match failure {
        Some(_) => TableStatus::Failed,
        None if stopped => TableStatus::Interrupted,
        None if report.errors.is_empty() => TableStatus::Completed,
        None => TableStatus::CompletedWithErrors,
    };
    report.verified = report.status == TableStatus::Completed;
}
