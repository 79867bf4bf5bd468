//! What is left to do for single tables of the target once their rows are written: numbers that it gives itself, and a
//! look at the foreign keys that were out of force.

use rowsync_actors::end::End;
use rowsync_actors::failure::Failure;
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::report::{ErrorReport, TableReport, TableStatus};
use rowsync_engine::schema::{Filled, TableName, TableSchema};

use crate::roster::Roster;

const BROKEN_KEY_REMEDY: &str = "these rows refer to none, as those of the source do: mend the source, or sync the table \
    that is referred to as well; then run again";

/// Closes every table that was begun. What fails here does not undo what was written; of a lost connection the run's own
/// end tells.
pub async fn close_tables(target: &End, failures_max: u32, roster: &Roster, tables: &mut [TableReport]) {
    for (entry, report) in roster.entries.iter().zip(tables) {
        let begun = !matches!(report.status, TableStatus::Planned | TableStatus::Blocked);
        if let (true, Ok(pair)) = (begun && !entry.target_missing, &entry.pair) {
            if let Some(table) = &entry.target {
                advance_numbers(target, failures_max, table, report).await;
            }
            if pair.target.in_cycle {
                tell_broken_keys(target, failures_max, &pair.target.table, report).await;
            }
        }
    }
}

/// The same for the sources of tables that were merged both ways.
pub async fn close_sources(source: &End, failures_max: u32, roster: &Roster, tables: &mut [TableReport]) {
    for (entry, report) in roster.entries.iter().zip(tables) {
        let Ok(pair) = &entry.pair else { continue };
        if report.merge.is_none() {
            continue;
        }
        advance_numbers(source, failures_max, &entry.source, report).await;
        if pair.source.in_cycle {
            tell_broken_keys(source, failures_max, &pair.source.table, report).await;
        }
    }
}

/// Rows that an application adds afterwards must not get numbers that were synced.
async fn advance_numbers(target: &End, failures_max: u32, table: &TableSchema, report: &mut TableReport) {
    if !table.columns.iter().any(|column| column.filled == Filled::ByIdentity) {
        return;
    }
    let advanced = target.insist(failures_max, async || target.store().advance_numbers(&table.name).await).await;
    match told(advanced) {
        // Whoever may only write rows may leave the numbers to others.
        Some(error) if error.kind == Kind::Forbidden => {
            report.notes.push(format!("the numbers that {} gives to new rows may be taken: {error}", table.name));
        }
        Some(error) => add(report, error.class(), error.to_string(), rowsync_engine::recovery::remedy(error.kind)),
        None => {}
    }
}

/// A table on a cycle may have been written with its foreign keys out of force.
async fn tell_broken_keys(target: &End, failures_max: u32, table: &TableName, report: &mut TableReport) {
    let mut broken = Vec::new();
    let looked = target.insist(failures_max, async || {
        broken = target.store().broken_foreign_keys(table).await?;
        Ok(())
    });
    if let Some(error) = told(looked.await) {
        return add(report, error.class(), error.to_string(), rowsync_engine::recovery::remedy(error.kind));
    }
    for key in broken {
        let message = format!("{} rows of {table} refer to rows of {} that are not there", key.rows, key.parent);
        add(report, Class::Data, message, BROKEN_KEY_REMEDY);
    }
}

/// The error to be told of the table.
fn told(done: Result<(), Failure>) -> Option<StoreError> {
    match done {
        Ok(()) | Err(Failure::Stopped) => None,
        Err(failure) => {
            Some(failure.into_error()).filter(|e| e.class() != Class::Connection || e.kind == Kind::Forbidden)
        }
    }
}

fn add(report: &mut TableReport, class: Class, message: String, remedy: &str) {
    report.errors.push(ErrorReport { class, key: None, message, remedy: remedy.to_owned() });
    if report.status == TableStatus::Completed {
        report.status = TableStatus::CompletedWithErrors;
    }
}
