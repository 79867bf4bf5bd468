//! `rowsync conflicts`: the rows that a merge left to a person, and what the person decides.
//!
//! A decision is written to both sides in transactions that lock the rows and see that they are still the ones that were
//! shown; then both are committed. After a crash between the two the conflict waits still, and the next merge looks anew.

mod block;
mod choice;
mod held;
mod resolving;
mod text;

use serde::Serialize;

use crate::execute::place_of;
use crate::problem::Problem;
use crate::settings::SyncSettings;
use crate::state::{Conflict, State};

pub use choice::{Choice, Undecided};
pub use resolving::resolve;
pub use text::shown;

/// The conflicts of a sync.
#[derive(Clone, Debug, Serialize)]
pub struct Conflicts {
    pub sync: String,
    pub conflicts: Vec<Conflict>,
}

/// The conflicts of a sync that wait; with those that are decided where `all` says so.
///
/// # Errors
/// When the state cannot be read.
pub async fn list(settings: &SyncSettings, all: bool) -> Result<Conflicts, Problem> {
    let mut conflicts = match State::look_back(&settings.state).await? {
        Some(state) => state.conflicts(&place_of(settings), all).await?,
        None => Vec::new(),
    };
    if let Some(only) = &settings.sync_table {
        conflicts.retain(|conflict| only.contains(&conflict.table));
    }
    Ok(Conflicts { sync: settings.name.clone(), conflicts })
}

/// One conflict.
///
/// # Errors
/// When there is none of this number, or the state cannot be read.
pub async fn show(settings: &SyncSettings, id: i64) -> Result<Conflict, Problem> {
    let found = match State::look_back(&settings.state).await? {
        Some(state) => state.conflict(&place_of(settings), id).await?,
        None => None,
    };
    found.ok_or_else(|| Undecided::Unknown { sync: settings.name.clone(), id }.into())
}
