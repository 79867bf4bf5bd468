//! Tables and columns that the target lacks, made.

use std::collections::BTreeSet;

use rowsync_actors::leave::Leave;
use rowsync_engine::order::Order;
use rowsync_engine::schema::{Column, TableSchema};

use super::Entry;
use super::found::read_rules;
use super::wished::{columns_to_add, wished_foreign_keys, wished_table};
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
    let limits = ends.target.capabilities().limits;
    for place in order.waves.iter().flatten() {
        let like = wished_table(&entries[*place]);
        let is_there = entries[*place].target.is_some() || entries[*place].settings.tuning.only_sync_plan;
        // Why it cannot be made is told when it is laid beside its source.
        if is_there || limits.check(&like).is_err() {
            continue;
        }
        let foreign_keys = wished_foreign_keys(entries, *place);
        let target_failed = |error| told("target", &settings.target, error);
        leave.to_write().await.map_err(target_failed)?;
        let created = ends.target.create_table(&like, &foreign_keys).await.map_err(target_failed)?;
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
        let grown = ends.target.add_columns(&table, &like).await.map_err(target_failed)?;
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
