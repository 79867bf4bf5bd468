//! One sync: what a settings file means as a whole.

use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rowsync_engine::plan::Strategy;
use rowsync_engine::schedule::Schedule;

use super::connection::{ConnectionSettings, Engine, engine_of, sqlite_path};
use super::keys::{RawConnection, RawLink, RawSettings, RawTuning};
use super::making;
use super::problem::{did_you_mean, listed};
use super::provenance::Provenance;
use super::schedule::read_schedule;
use super::secret::{MASK, SecretUrl};
use super::strategy::check_strategies;
use super::table::TableSelection;
use super::tuning::{TuningSettings, set};
use crate::state::Retention;

/// What a file means. Nothing in here can be wrong any more, except about the databases themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSettings {
    pub name: String,
    /// Where the settings were read from.
    pub file: PathBuf,
    pub source: ConnectionSettings,
    /// Another place than the source.
    pub target: ConnectionSettings,
    pub state: StateSettings,
    pub tables: TableSelection,
    /// Names of tables to restrict a run to. Among `tables` where those are named.
    pub sync_table: Option<Vec<String>>,
    /// What holds for tables that have no entry.
    pub tuning: TuningSettings,
    pub max_parallel_tables: NonZeroUsize,
    pub max_bytes_in_flight: NonZeroU64,
    pub max_error_loop: u32,
    pub lease: Duration,
    pub retention: Retention,
    pub undo: UndoSettings,
    pub enabled: bool,
    /// None: it is run once.
    pub schedule: Option<Schedule>,
    /// Names of syncs that have to end first.
    pub after: Vec<String>,
}

/// What is kept so that a run can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndoSettings {
    pub is_on: bool,
    pub keep: Duration,
    pub bytes_max: u64,
}

impl UndoSettings {
    fn new(raw: &RawSettings, by_default: bool) -> UndoSettings {
        let keep = Duration::from_secs(set(raw.undo_keep_days) * SECONDS_OF_A_DAY);
        UndoSettings { is_on: raw.undo.unwrap_or(by_default), keep, bytes_max: set(raw.undo_max_bytes).get() }
    }
}

const SECONDS_OF_A_DAY: u64 = 86_400;

/// Where runs are remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSettings {
    pub engine: Engine,
    /// Of the engine's scheme, and readable.
    pub url: SecretUrl,
    pub retry_count: u32,
    pub retry_delay: Duration,
}

impl StateSettings {
    /// Those of a connection at the top of the file hold for the state too.
    fn new(engine: Engine, url: SecretUrl, link: &RawLink) -> StateSettings {
        let retry_delay = Duration::from_millis(set(link.retry_delay));
        StateSettings { engine, url, retry_count: set(link.retry_count), retry_delay }
    }

    /// A SQLite state that is not tried again, as tests of this crate use it.
    #[cfg(test)]
    pub(crate) fn in_file(path: &Path) -> StateSettings {
        let url = format!("sqlite:{}", path.display());
        let url = SecretUrl::new(url.clone(), &url);
        StateSettings { engine: Engine::Sqlite, url, retry_count: 0, retry_delay: Duration::ZERO }
    }

    /// Whether it lies in the database of a connection, as far as can be told without connecting.
    pub fn is_beside(&self, connection: &ConnectionSettings) -> bool {
        self.engine == connection.engine && place_of(&self.url, self.engine) == place_of(&connection.url, self.engine)
    }

    /// The file of a SQLite state, to be opened and not to be shown; `url` is for showing.
    pub fn path(&self) -> PathBuf {
        let url = self.url.expose();
        PathBuf::from(sqlite_path(url.split_once(':').map_or(url, |(_, rest)| rest)))
    }
}

/// The whole path of a file, or server and database.
fn place_of(url: &SecretUrl, engine: Engine) -> Option<String> {
    let (_, rest) = url.expose().split_once(':')?;
    match engine {
        Engine::Sqlite => Some(std::path::absolute(sqlite_path(rest)).ok()?.display().to_string()),
        Engine::Postgres => {
            let url = url::Url::parse(url.expose()).ok()?;
            Some(format!("{}:{}{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(5432), url.path()))
        }
    }
}

impl SyncSettings {
    /// Whether a table is merged both ways.
    pub fn merges(&self) -> bool {
        has(&self.tables, &self.tuning, Strategy::Merge)
    }

    /// Nothing where something that the rest hangs on is missing; `provenance` knows what.
    pub(super) fn new(raw: RawSettings, path: &Path, provenance: &mut Provenance) -> Option<SyncSettings> {
        let name = raw.name.clone().unwrap_or_else(|| stem(path));
        let ends = read_ends(&raw, provenance);
        let schedule = read_schedule(&raw, provenance);
        let tuning = TuningSettings::resolve(&raw.tuning, &RawTuning::default());
        making::check(&raw.tuning, "", provenance);
        tuning.check_columns("", provenance);
        tuning.check_filter("", provenance);
        tuning.check_kinds("", provenance);
        let tables = TableSelection::new(raw.tables.as_deref(), &raw.tuning, provenance);
        let sync_table = raw.sync_table.as_deref().map(|names| tables.known(names, "sync_table", provenance));
        let state = read_state(&raw, &name, provenance);
        check_strategies(&raw, &tables, &tuning, provenance);
        let undo = has(&tables, &tuning, Strategy::Full) && !has(&tables, &tuning, Strategy::Merge);
        let (source, target) = ends?;
        let settings = SyncSettings {
            name,
            file: path.to_owned(),
            source,
            target,
            state: state?,
            tables,
            sync_table,
            tuning,
            max_parallel_tables: set(raw.max_parallel_tables),
            max_bytes_in_flight: set(raw.max_bytes_in_flight),
            max_error_loop: set(raw.max_error_loop),
            lease: Duration::from_secs_f64(set(raw.lease_seconds)),
            retention: Retention { days: set(raw.history_keep_days), count: set(raw.history_keep_count) },
            undo: UndoSettings::new(&raw, undo),
            enabled: set(raw.enabled),
            schedule,
            after: raw.after.unwrap_or_default(),
        };
        if settings.undo.is_on && settings.merges() {
            provenance
                .refuse("undo", "a merge writes to both sides and cannot be undone; remove `undo`, or merge no table");
        }
        Some(settings)
    }
}

/// Whether a table goes by this strategy.
fn has(tables: &TableSelection, tuning: &TuningSettings, strategy: Strategy) -> bool {
    match tables {
        TableSelection::All => tuning.sync_strategy == strategy,
        TableSelection::Named(tables) => {
            tables.iter().any(|table| table.enabled && table.tuning.sync_strategy == strategy)
        }
    }
}

pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "sync".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// Source and target. Every connection is looked at, so that a mistake in an unused one is found too.
fn read_ends(raw: &RawSettings, provenance: &mut Provenance) -> Option<(ConnectionSettings, ConnectionSettings)> {
    let no_connections = BTreeMap::new();
    let typed = raw.connections.as_ref().unwrap_or(&no_connections);
    if typed.is_empty() {
        provenance
            .miss("connections", "no connection is there; add the source's and the target's, each with its `url`");
    }
    let mut connections = read_connections(raw, provenance);
    let source = end("source", raw.source.as_deref(), typed, provenance);
    let target = end("target", raw.target.as_deref(), typed, provenance);
    let (source, target) = (source?, target?);
    if source == target {
        provenance.refuse("target", "source and target are the same connection; name another one");
    }
    let (source, target) = (connections.remove(source), connections.remove(target));
    let (source, target) = (source?, target?);
    if source.is_same_place(&target) {
        provenance
            .refuse("target", "source and target lead to the same database and schema; a table cannot be its own copy");
    }
    Some((source, target))
}

/// Those that are good; what is wrong with the others is told.
pub(super) fn read_connections<'a>(
    raw: &'a RawSettings,
    provenance: &mut Provenance,
) -> BTreeMap<&'a str, ConnectionSettings> {
    let mut connections = BTreeMap::new();
    for (name, connection) in raw.connections.iter().flatten() {
        if let Some(connection) = ConnectionSettings::new(name, connection, &raw.link, provenance) {
            connections.insert(name.as_str(), connection);
        }
    }
    connections
}

/// The connection that `source` or `target` names.
fn end<'a>(
    key: &str,
    name: Option<&str>,
    connections: &'a BTreeMap<String, RawConnection>,
    provenance: &mut Provenance,
) -> Option<&'a str> {
    let known = || connections.keys().map(String::as_str);
    let Some(name) = name else {
        let known = listed(&known().collect::<Vec<_>>());
        provenance.miss(key, format!("`{key}` is missing; name one of the connections ({known})"));
        return None;
    };
    let found = known().find(|known| *known == name);
    if found.is_none() && !connections.is_empty() {
        let shown = provenance.shown(key, name);
        let hint = did_you_mean(&shown, known());
        provenance.refuse(
            key,
            format!("`{shown}` is no connection{hint}; there are {}", listed(&known().collect::<Vec<_>>())),
        );
    }
    found
}

/// Where the sync of a file remembers, or the service of a file that is no sync.
pub(super) fn read_state(raw: &RawSettings, name: &str, provenance: &mut Provenance) -> Option<StateSettings> {
    let Some(typed) = &raw.state else {
        let url = format!("sqlite:{}.state.sqlite", file_name(name));
        return Some(StateSettings::new(Engine::Sqlite, SecretUrl::new(url.clone(), &url), &raw.link));
    };
    let exposed = typed.expose().trim();
    let url = SecretUrl::new(exposed, provenance.typed("state", exposed));
    // The whole text is a secret, and so is what stands where a scheme should be.
    match engine_of(&SecretUrl::new(exposed, MASK)) {
        Ok(engine) => Some(StateSettings::new(engine, url, &raw.link)),
        Err(message) => {
            provenance.refuse("state", message);
            None
        }
    }
}

/// A sync's name as a file's: what could lead elsewhere, or ends a path in a URL, is left out.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}
