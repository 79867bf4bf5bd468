//! What the user wants, in two steps: what was typed ([`keys::RawSettings`]), then what it means ([`SyncSettings`]).
//!
//! `layers` and `overlay` lay what was typed in several places over one another, `provenance` fills in variables and
//! remembers where everything came from, `check` refuses what cannot be, and `sync`, `connection`, `table`, `tuning` and
//! `schedule` say what the rest means. After that nothing can fail because of configuration. Nothing here opens a database.

mod check;
mod condition;
mod connection;
mod format;
pub mod key;
pub mod keys;
mod layers;
mod making;
pub mod manual;
mod overlay;
pub mod presets;
pub(crate) mod problem;
mod provenance;
mod reading;
pub mod request;
mod schedule;
mod secret;
mod service;
mod strategy;
mod sync;
mod table;
mod tuning;
mod variables;

use std::path::{Path, PathBuf};

use config::Value;

pub use connection::{ConnectionSettings, Engine};
pub use layers::Environment;
pub use problem::{Problem, SettingsError};
pub use secret::{SecretText, SecretUrl};
pub use service::{ServiceSettings, TlsFiles};
pub use sync::{StateSettings, SyncSettings, UndoSettings};
pub use table::{TableSelection, TableSettings};
pub use tuning::{ChangeTracking, TuningSettings};

use keys::RawSettings;
use layers::{Ground, Merged};
use provenance::Provenance;
use service::ServiceKeys;

/// Reads a settings file with all that is laid over it. `sets` are `KEY=VALUE` as given by `--set`.
///
/// # Errors
/// Everything that is wrong, in a text for the user.
pub fn load(path: &Path, environment: &Environment, sets: &[String]) -> Result<SyncSettings, SettingsError> {
    let (raw, mut provenance) = understood(layers::merge(path, environment, sets)?, path, environment)?;
    // A sync has no use for these, and whoever types them wants to know when they are wrong.
    ServiceKeys::new(&raw, &mut provenance);
    let settings = SyncSettings::new(raw, path, &mut provenance);
    provenance.verdict(settings)
}

/// What the files of a service say together.
pub struct ServiceFiles {
    pub service: ServiceSettings,
    /// One for each file that is a sync.
    pub syncs: Vec<SyncSettings>,
    pub requests: Requests,
}

/// Reads configurations that come through the API, over what the first file says.
pub struct Requests {
    ground: Ground,
    state: StateSettings,
}

/// Reads the files of a service. The first one says where configurations made through the API are kept and which
/// connections they may name; it may be about nothing else. `listen` and its kind may stand in any of them.
///
/// # Errors
/// Everything that is wrong with any of them, and where they disagree.
pub fn load_service(
    paths: &[PathBuf],
    environment: &Environment,
    sets: &[String],
) -> Result<ServiceFiles, SettingsError> {
    let (mut syncs, mut keys, mut problems, mut first) = (Vec::new(), Vec::new(), Vec::new(), None);
    for path in paths {
        match read_for_service(path, environment, sets) {
            Ok(file) => {
                first.get_or_insert((file.raw, file.state));
                keys.push(file.keys);
                syncs.extend(file.sync);
            }
            Err(error) => problems.extend(error.problems),
        }
    }
    problems.extend(namesakes(&syncs));
    let (Some((presets, state)), true) = (first, problems.is_empty()) else { return Err(SettingsError { problems }) };
    let service = ServiceSettings::agreed(&keys, &presets, state.clone())?;
    // A file that is no sync says nothing that a configuration may not build on.
    let ground = match layers::is_sync(&paths[0])? {
        true => Ground::new(&paths[0], request::is_shared, environment, sets)?,
        false => Ground::new(&paths[0], |_| true, environment, sets)?,
    };
    Ok(ServiceFiles { service, syncs, requests: Requests { ground, state } })
}

/// One file among those of a service.
struct FileOfService {
    raw: RawSettings,
    keys: ServiceKeys,
    state: StateSettings,
    sync: Option<SyncSettings>,
}

fn read_for_service(path: &Path, environment: &Environment, sets: &[String]) -> Result<FileOfService, SettingsError> {
    let is_sync = layers::is_sync(path)?;
    let (raw, mut provenance) = understood(layers::merge(path, environment, sets)?, path, environment)?;
    let keys = ServiceKeys::new(&raw, &mut provenance);
    if is_sync {
        let sync = SyncSettings::new(raw.clone(), path, &mut provenance);
        let sync = provenance.verdict(sync)?;
        let state = sync.state.clone();
        return Ok(FileOfService { raw, keys, state, sync: Some(sync) });
    }
    sync::read_connections(&raw, &mut provenance);
    let state = sync::read_state(&raw, &sync::stem(path), &mut provenance);
    let state = provenance.verdict(state)?;
    Ok(FileOfService { raw, keys, state, sync: None })
}

/// The history goes by the name.
fn namesakes(syncs: &[SyncSettings]) -> Vec<Problem> {
    let twin = |(index, sync): (usize, &SyncSettings)| {
        let other = syncs[..index].iter().find(|other| other.name == sync.name)?;
        let message = format!("{} is a sync of this name too; call one of them otherwise", other.file.display());
        Some(Problem { origin: sync.file.display().to_string(), path: "name".to_owned(), message })
    };
    syncs.iter().enumerate().filter_map(twin).collect()
}

impl Requests {
    /// What a configuration means that a caller typed as one object of JSON.
    ///
    /// # Errors
    /// Everything that is wrong, in the words that a file would be refused with.
    pub fn read(&self, text: &str) -> Result<SyncSettings, SettingsError> {
        let request::Typed { map, problems } = request::read(text)?;
        let (path, environment) = (self.ground.path(), self.ground.environment());
        let mut merged = self.ground.under(map)?;
        merged.problems.extend(problems);
        let (raw, mut provenance) = understood(merged, Path::new(request::ORIGIN), environment)?;
        let settings = SyncSettings::new(raw, path, &mut provenance);
        let settings = provenance.verdict(settings)?;
        Ok(SyncSettings { state: self.state.clone(), ..settings })
    }
}

/// What was typed, checked and in its types, and where it came from.
fn understood(
    merged: Merged,
    path: &Path,
    environment: &Environment,
) -> Result<(RawSettings, Provenance), SettingsError> {
    let Merged { mut root, problems } = merged;
    let mut provenance = Provenance::new(path.display().to_string(), problems);
    provenance.take_in(&mut root, environment);
    check::check(&mut root, &mut provenance);
    Ok((typed(root, path)?, provenance))
}

fn typed(root: Value, path: &Path) -> Result<RawSettings, SettingsError> {
    // After the check this fails only where the catalogue and its types disagree; the type's name says enough then.
    root.try_deserialize().map_err(|_| {
        SettingsError::one(path.display().to_string(), "the checked settings cannot be read; this is a bug of rowsync")
    })
}
