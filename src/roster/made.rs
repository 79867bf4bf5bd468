//! Tables and columns that the target lacks, made.

use std::collections::BTreeSet;

use rowsync_actors::leave::Leave;
use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::order::Order;
use rowsync_engine::pair::Mismatch;
use rowsync_engine::schema::{Column, TableSchema};

use super::found::read_rules;
use super::laid::lay;
use super::wished::{columns_to_add, wished_foreign_keys, wished_table};
use super::{Entry, Missing};
use crate::ends::{Ends, told};
use crate::problem::Problem;
use crate::settings::SyncSettings;

pub(super) async fn create_missing(
    settings: &SyncSettings,
    ends: &Ends,
    entries: &mut [Entry],
    order: &Order,
    leave: &dyn Leave,
    made: &mut BTreeSet<String>,
) -> Result<(), Problem> {
    for place in order.waves.iter().flatten() {
        let is_there = entries[*place].target.is_some() || entries[*place].settings.tuning.only_sync_plan;
        // Why it would be of no use is told when it is laid beside its source once more.
        if is_there || lay(ends, &mut entries[*place], order.in_cycle(*place), Missing::Create).is_err() {
            continue;
        }
        let like = wished_table(&entries[*place]);
        let foreign_keys = wished_foreign_keys(entries, *place);
        let target_failed = |error| told("target", &settings.target, error);
        leave.to_write().await.map_err(target_failed)?;
        let created = match ends.target.create_table(&like, &foreign_keys).await {
            Ok(created) => created,
            Err(error) if error.kind.class() == Class::Schema => {
                entries[*place].unmade = Some(unmade(&error));
                continue;
            }
            Err(error) => return Err(target_failed(error)),
        };
        tracing::info!(table = %entries[*place].settings.source, target = %created.name, "created the missing table");
        let (source, target) = (entries[*place].settings.source.clone(), entries[*place].settings.target.clone());
        let of_the_same = |entry: &&mut Entry| entry.settings.source == source && entry.settings.target == target;
        for entry in entries.iter_mut().filter(of_the_same) {
            entry.target = Some(created.clone());
            made.insert(entry.settings.name.clone());
        }
    }
    if made.is_empty() {
        return Ok(());
    }
    // A server that goes down while the rows are written must not take the tables with it.
    ends.target.flush().await.map_err(|error| told("target", &settings.target, error))
}

/// The tables beside it go on.
fn unmade(error: &StoreError) -> Mismatch {
    let remedy = "make it by hand (`rowsync schema` prints the statements), or leave out what the target refuses";
    Mismatch { message: error.to_string(), remedy: remedy.into() }
}

pub(super) async fn add_missing_columns(
    settings: &SyncSettings,
    ends: &Ends,
    entries: &mut [Entry],
    leave: &dyn Leave,
) -> Result<(), Problem> {
    let target_failed = |error| told("target", &settings.target, error);
    let mut added = false;
    for place in 0..entries.len() {
        let columns: Vec<Column> = columns_to_add(&entries[place]).into_iter().map(|(_, column)| column).collect();
        let table = entries[place].target.as_ref().map(|target| target.name.clone());
        let Some(table) = table.filter(|_| !columns.is_empty()) else { continue };
        leave.to_write().await.map_err(target_failed)?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        read_rules(settings, ends, &mut entries[place].source).await?;
        let like = TableSchema { columns, ..wished_table(&entries[place]) };
        let grown = match ends.target.add_columns(&table, &like).await {
            Ok(grown) => grown,
            Err(error) if error.kind.class() == Class::Schema => {
                entries[place].unmade = Some(unmade(&error));
                continue;
            }
            Err(error) => return Err(target_failed(error)),
        };
        tracing::info!(%table, columns = names.join(", "), "added the missing columns");
        // The kinds of records of one table share it.
        for entry in entries.iter_mut().filter(|entry| entry.target.as_ref().is_some_and(|t| t.name == table)) {
            entry.target = Some(grown.clone());
            entry.added_columns.clone_from(&names);
        }
        added = true;
    }
    match added {
        true => ends.target.flush().await.map_err(target_failed),
        false => Ok(()),
    }
}
