//! `rowsync errors`: lists the rows that the target refused, and tries them again.
//!
//! Trying again is a run that looks such rows up by their keys, on both sides: what is to be written is what the source
//! holds now, not what it held when the row failed. A table of which a key cannot be read as it was kept is compared, with
//! nothing taken on trust.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use crate::execute::place_of;
use crate::problem::Problem;
use crate::settings::{SyncSettings, TableSelection};
use crate::state::{RowError, State};

/// The rows of a sync that wait to be written.
#[derive(Clone, Debug, Serialize)]
pub struct RowErrors {
    sync: String,
    errors: Vec<RowError>,
}

/// # Errors
/// When the state cannot be read.
pub async fn list(settings: &SyncSettings) -> Result<RowErrors, Problem> {
    let errors = match State::look_back(&settings.state).await? {
        Some(state) => state.row_errors(&place_of(settings)).await?,
        None => Vec::new(),
    };
    Ok(RowErrors { sync: settings.name.clone(), errors })
}

impl RowErrors {
    pub fn text(&self) -> String {
        if self.errors.is_empty() {
            return format!("{}: no row waits to be written", self.sync);
        }
        let mut text = String::new();
        for error in &self.errors {
            let _ = writeln!(text, "{} {} {}: {}", error.table, error.key, error.change, error.message);
            let _ = writeln!(text, "  failed in {} runs, last in {}", error.failures, error.execution_id);
        }
        text.trim_end().to_owned()
    }

    /// The settings of a run that tries these rows again; none where there is nothing to try.
    pub fn replaying(&self, settings: &SyncSettings) -> Option<SyncSettings> {
        let chosen = |table: &String| settings.sync_table.as_ref().is_none_or(|only| only.contains(table));
        let tables: BTreeSet<String> =
            self.errors.iter().map(|error| error.table.clone()).filter(|table| chosen(table)).collect();
        if tables.is_empty() {
            return None;
        }
        let mut replaying = settings.clone();
        replaying.sync_table = Some(tables.into_iter().collect());
        replaying.tuning.sync_all = true;
        if let TableSelection::Named(named) = &mut replaying.tables {
            named.iter_mut().for_each(|table| table.tuning.sync_all = true);
        }
        Some(replaying)
    }
}
