//! What the user wants, in two steps: what was typed ([`keys::RawSettings`]), then what it means ([`SyncSettings`]).
//!
//! `layers` and `overlay` lay what was typed in several places over one another, `provenance` fills in variables and
//! remembers where everything came from, `check` refuses what cannot be, and `sync`, `connection`, `table`, `tuning` and
//! `schedule` say what the rest means. After that nothing can fail because of configuration. Nothing here opens a database.

mod check;
mod connection;
mod format;
pub mod key;
pub mod keys;
mod layers;
pub mod manual;
mod overlay;
pub mod presets;
pub(crate) mod problem;
mod provenance;
mod reading;
mod schedule;
mod secret;
mod strategy;
mod sync;
mod table;
mod tuning;
mod variables;

use std::path::Path;

use config::Value;

pub use connection::{ConnectionSettings, Engine};
pub use layers::Environment;
pub use problem::{Problem, SettingsError};
pub use secret::{SecretText, SecretUrl};
pub use sync::{StateSettings, SyncSettings, UndoSettings};
pub use table::{TableSelection, TableSettings};
pub use tuning::{ChangeTracking, TuningSettings};

use keys::RawSettings;
use layers::Merged;
use provenance::Provenance;

/// Reads a settings file with all that is laid over it. `sets` are `KEY=VALUE` as given by `--set`.
///
/// # Errors
/// Everything that is wrong, in a text for the user.
pub fn load(path: &Path, environment: &Environment, sets: &[String]) -> Result<SyncSettings, SettingsError> {
    let Merged { mut root, problems } = layers::merge(path, environment, sets)?;
    let mut provenance = Provenance::new(path.display().to_string(), problems);
    provenance.take_in(&mut root, environment);
    check::check(&mut root, &mut provenance);
    let raw = typed(root, path)?;
    let settings = SyncSettings::new(raw, path, &mut provenance);
    provenance.verdict(settings)
}

fn typed(root: Value, path: &Path) -> Result<RawSettings, SettingsError> {
    // After the check this fails only where the catalogue and its types disagree; the type's name says enough then.
    root.try_deserialize().map_err(|_| {
        SettingsError::one(path.display().to_string(), "the checked settings cannot be read; this is a bug of rowsync")
    })
}
