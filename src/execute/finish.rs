//! What follows the rows: foreign keys and rules of the tables that were made, and everything safe on disk.

use std::collections::BTreeMap;

use rowsync_actors::end::End;
use rowsync_actors::failure::Failure;
use rowsync_actors::leave::Leave;
use rowsync_actors::phase::Phase;
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::report::{ErrorReport, RunReport, RunStatus, TableReport, TableStatus};
use rowsync_engine::schema::{ForeignKey, TableName, TableSchema};

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
        refused.clear();
        // A foreign key may need a unique index of any other table.
        for Unfinished { place, table, like, .. } in &created {
            match store.add_rules(table, like).await {
                Ok(told) => drop(notes.insert(*place, told)),
                Err(error) => refuse(error, *place, &mut refused)?,
            }
        }
        for Unfinished { place, table, foreign_keys, .. } in &created {
            if let Err(error) = store.add_foreign_keys(table, foreign_keys).await {
                refuse(error, *place, &mut refused)?;
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

/// Keeps what one table is refused for, and fails where the database itself is not to be had. A table that got no rules
/// is told of that first.
fn refuse(error: StoreError, place: usize, refused: &mut BTreeMap<usize, ErrorReport>) -> Result<(), StoreError> {
    if error.class() == Class::Connection && error.kind != Kind::Forbidden {
        return Err(error);
    }
    refused.entry(place).or_insert_with(|| told_in_report(&error));
    Ok(())
}

pub(crate) fn told_in_report(error: &StoreError) -> ErrorReport {
    let remedy = rowsync_engine::recovery::remedy(error.kind).to_owned();
    ErrorReport { class: error.class(), key: None, message: error.to_string(), remedy }
}
