//! Syncs that are run together: each has a name of its own, and knows those that have to end before it.

use rowsync_engine::order::{Disorder, Named, Order, order_by_name};

use crate::settings::problem::{did_you_mean, listed};
use crate::settings::{SettingsError, SyncSettings};

/// Those that are enabled, each behind those that it comes after.
///
/// # Errors
/// When two share a name, or there is no such order.
pub fn in_order(all: Vec<SyncSettings>) -> Result<Vec<SyncSettings>, SettingsError> {
    let order = check(&all)?;
    let mut all: Vec<Option<SyncSettings>> = all.into_iter().map(Some).collect();
    let ordered = order.waves.concat().into_iter().filter_map(|place| all[place].take());
    Ok(ordered.filter(|sync| sync.enabled).collect())
}

/// The order of all, those that are not enabled among them.
///
/// # Errors
/// When two share a name, or there is none.
pub fn check(all: &[SyncSettings]) -> Result<Order, SettingsError> {
    let named: Vec<Named> = all.iter().map(|sync| Named { name: &sync.name, after: &sync.after }).collect();
    order_by_name(&named).map_err(|disorder| told(&disorder, all))
}

fn told(disorder: &Disorder, all: &[SyncSettings]) -> SettingsError {
    let (name, message) = match disorder {
        Disorder::Twice(name) => {
            (name, format!("name: another file is called `{name}` too; give each sync a name of its own"))
        }
        Disorder::Unknown { name, after } => {
            let known: Vec<&str> = all.iter().map(|sync| sync.name.as_str()).collect();
            let hint = did_you_mean(after, known.iter().copied());
            let message = format!(
                "after: `{after}` is none of the syncs that are run ({}){hint}; name its file too, or leave it out with \
                 `--set after=[]`",
                listed(&known),
            );
            (name, message)
        }
        Disorder::Cycle(names) => {
            let circle: Vec<String> = names.iter().chain(names.first()).map(|name| format!("`{name}`")).collect();
            (
                &names[0],
                format!("after: the syncs wait for one another: {}; remove one of the links", circle.join(" -> ")),
            )
        }
    };
    let file = all.iter().rfind(|sync| sync.name == *name).map(|sync| sync.file.display().to_string());
    SettingsError::one(file.unwrap_or_else(|| name.clone()), message)
}
