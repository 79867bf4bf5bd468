//! Which rows of a pair of tables take part, as the settings say it, and whether the databases understand it.

use std::sync::Arc;

use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::filter::{Filter, Term};
use rowsync_engine::store::Store;

use crate::ends::{Ends, told};
use crate::problem::Problem;
use crate::roster::Entry;
use crate::settings::{ConnectionSettings, SyncSettings, TuningSettings};

/// The filters of the source and of the target.
pub fn filters(tuning: &TuningSettings) -> [Filter; 2] {
    [&tuning.source_where, &tuning.target_where].map(|text| {
        let terms = text.iter().map(|text| Term::Sql(text.clone()));
        Filter { terms: terms.collect() }
    })
}

/// Has both databases look at the filters, before anything is read or made by them. The target's is taken at its word
/// where its table is not there yet.
///
/// # Errors
/// When a filter is none, or a database fails.
pub async fn check_filters(settings: &SyncSettings, ends: &Ends, entries: &[Entry]) -> Result<(), Problem> {
    for entry in entries {
        let [source, target] = filters(&entry.settings.tuning);
        let checked = ends.source.check_filter(&entry.source.name, &source).await;
        checked.map_err(|error| refused("source", "where", &settings.source, entry, error))?;
        if let Some(table) = &entry.target {
            check_target(settings, &ends.target, entry, &table.name, &target).await?;
        }
    }
    Ok(())
}

async fn check_target(
    settings: &SyncSettings,
    store: &Arc<dyn Store>,
    entry: &Entry,
    table: &rowsync_engine::schema::TableName,
    filter: &Filter,
) -> Result<(), Problem> {
    let checked = store.check_filter(table, filter).await;
    checked.map_err(|error| refused("target", "target_where", &settings.target, entry, error))
}

fn refused(
    side: &'static str,
    key: &str,
    connection: &ConnectionSettings,
    entry: &Entry,
    error: StoreError,
) -> Problem {
    match error.class() {
        Class::Schema => Problem::Usage(format!(
            "`{key}` of table `{}` is no condition on the rows of {side} `{}`: {}; mend it",
            entry.settings.name, connection.name, error.message
        )),
        _ => told(side, connection, error),
    }
}
