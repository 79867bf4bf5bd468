//! What follows the rows: foreign keys and rules of the tables that were made, and everything safe on disk.

use std::collections::BTreeMap;

use rowsync_actors::end::End;
use rowsync_actors::failure::Failure;
use rowsync_actors::leave::Leave;
use rowsync_actors::phase::Phase;
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::report::{ErrorReport, RunReport, RunStatus, TableReport, TableStatus};
use rowsync_engine::schema::{ForeignKey, TableName, TableSchema};
use rowsync_engine::store::Store;

use crate::roster::{Roster, wished_foreign_keys, wished_table};

/// Foreign keys of the tables that were made, and everything safe on disk: in one step that is repeated as a whole, since
/// a server that goes down before the last word of it may lose the first. What fails here is an error of the run: the
/// rows are written.
pub(super) async fn finish_writing(
    target: &End,
    leave: &dyn Leave,
    failures_max: u32,
    roster: &Roster,
    tables: &mut [TableReport],
) -> Option<ErrorReport> {
    let interrupted = RunReport::status_of(tables) == RunStatus::Interrupted;
    let created = roster.entries.iter().enumerate().filter(|(_, entry)| entry.lacks_foreign_keys && !interrupted);
    let created: Vec<Unfinished<'_>> = created
        .filter_map(|(place, entry)| {
            let foreign_keys = wished_foreign_keys(&roster.entries, place);
            Some(Unfinished { place, table: &entry.target.as_ref()?.name, like: wished_table(entry), foreign_keys })
        })
        .collect();
    let mut notes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut refused: BTreeMap<usize, ErrorReport> = BTreeMap::new();
    let finished = target.insist(failures_max, async || {
        let store = target.store();
        leave.to_write().await?;
        for Unfinished { place, table, like, foreign_keys } in &created {
            match add_rest(&*store, table, like, foreign_keys, notes.entry(*place).or_default()).await {
                Err(error) if error.class() == Class::Connection && error.kind != Kind::Forbidden => return Err(error),
                Err(error) => drop(refused.insert(*place, told_in_report(&error))),
                Ok(()) => {}
            }
        }
        Phase::KeysAdded.reached();
        store.flush().await
    });
    let finished = finished.await;
    notes.into_iter().for_each(|(place, notes)| tables[place].notes.extend(notes));
    for (place, error) in refused {
        tables[place].errors.push(error);
        if tables[place].status == TableStatus::Completed {
            tables[place].status = TableStatus::CompletedWithErrors;
        }
    }
    match finished {
        Ok(()) | Err(Failure::Stopped) => None,
        Err(failure) => Some(told_in_report(&failure.into_error())),
    }
}

/// A table that was made and lacks what follows its rows.
struct Unfinished<'a> {
    place: usize,
    table: &'a TableName,
    like: TableSchema,
    foreign_keys: Vec<ForeignKey>,
}

/// `notes`: what the target refused of the source's rules. A table is no less equal without an index.
async fn add_rest(
    store: &dyn Store,
    table: &TableName,
    like: &TableSchema,
    foreign_keys: &[ForeignKey],
    notes: &mut Vec<String>,
) -> Result<(), StoreError> {
    *notes = store.add_rules(table, like).await?;
    store.add_foreign_keys(table, foreign_keys).await
}

pub(crate) fn told_in_report(error: &StoreError) -> ErrorReport {
    let remedy = rowsync_engine::recovery::remedy(error.kind).to_owned();
    ErrorReport { class: error.class(), key: None, message: error.to_string(), remedy }
}
