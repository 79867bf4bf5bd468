//! What is remembered from run to run, in a SQLite file or in PostgreSQL: the executions, what each table's newest change
//! was, the rows that failed, what can be undone, and who may write.

mod change_tracking;
mod configurations;
mod conflicts;
mod database;
mod executions;
mod leases;
mod memory;
mod pauses;
mod row_errors;
mod session;
mod statement;
mod undo;
mod upgrade;

use rowsync_stores::Access;
use serde::Serialize;
use sqlx::postgres::PgDatabaseError;

use crate::settings::{Engine, StateSettings};
use database::{Database, SQLITE_FULL, sqlite_code};
use statement::{Row, Statement};

pub use configurations::StoredConfiguration;
pub use conflicts::{Conflict, ConflictFilter, MergeStep, Resolved, Shown, StepKept};
pub use executions::{Command, Execution, Filter, Retention, Standing};
pub use leases::{Claim, Holder};
pub use memory::MemoryOf;
pub use pauses::StoredPause;
pub use row_errors::RowError;
pub use undo::{Entry, Kept, Undoable};

#[derive(Debug, thiserror::Error)]
#[error("the state in {place} cannot be used: {source}; {}", self.remedy())]
pub struct StateError {
    place: String,
    #[source]
    source: sqlx::Error,
}

impl StateError {
    /// Whether its database is away or refuses, and not wrong.
    pub fn is_refusal(&self) -> bool {
        match &self.source {
            sqlx::Error::Tls(_) => true,
            _ if self.is_away() || self.is_full() => true,
            // Connections, passwords and rights, no such database, resources, an administrator at work.
            _ => self.has_code(&["08", "25006", "28", "3D", "42501", "53", "57"]),
        }
    }

    /// Whether waiting may help.
    pub fn is_away(&self) -> bool {
        match &self.source {
            // A connection that breaks while it is made is told as an answer that makes no sense.
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) => true,
            _ => self.has_code(&["08", "53300", "57P01", "57P02", "57P03"]),
        }
    }

    /// Its disk or a quota is used up.
    fn is_full(&self) -> bool {
        sqlite_code(&self.source) == Some(SQLITE_FULL) || self.has_code(&["53100"])
    }

    /// Of PostgreSQL; whole codes or their classes.
    fn has_code(&self, codes: &[&str]) -> bool {
        let error = self.source.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        error.is_some_and(|error| codes.iter().any(|code| error.code().starts_with(code)))
    }

    fn remedy(&self) -> &'static str {
        if self.is_full() {
            "make room on its disk, or name another database in `state`"
        } else if self.is_refusal() {
            "see that its server is up and lets you in and write, or name another database in `state`"
        } else {
            "name another one in `state`, or mend this one"
        }
    }
}

/// An open state store.
pub struct State {
    database: Database,
    /// Its URL without secrets.
    shown: String,
}

/// Which tables of which databases a memory belongs to. Memories of another place are no use, and dangerous to trust.
#[derive(Clone, Debug)]
pub struct Place {
    pub sync: String,
    /// Source and target without their secrets.
    pub ends: String,
}

impl State {
    /// Opens the state, and makes or upgrades it where needed.
    ///
    /// # Errors
    /// When the database cannot be reached or written, or holds no state and cannot be made one.
    pub async fn open(settings: &StateSettings) -> Result<State, StateError> {
        let state = State::connect(settings, Access::Write).await?;
        upgrade::upgrade(&state.database).await.map_err(|error| state.error(error))?;
        Ok(state)
    }

    /// Opens the state where there is one, and changes nothing.
    ///
    /// # Errors
    /// When there is a database that cannot be opened.
    pub async fn look_at(settings: &StateSettings) -> Result<Option<State>, StateError> {
        if settings.engine == Engine::Sqlite && !settings.path().exists() {
            return Ok(None);
        }
        let state = State::connect(settings, Access::Look).await?;
        Ok(state.is_made().await.map_err(|error| state.error(error))?.then_some(state))
    }

    /// Opens the state where there is one, to read what it remembers. One of an older version is upgraded first.
    ///
    /// # Errors
    /// When there is a database that cannot be opened, or upgraded.
    pub async fn look_back(settings: &StateSettings) -> Result<Option<State>, StateError> {
        let Some(state) = State::look_at(settings).await? else { return Ok(None) };
        let is_current = upgrade::is_current(&state.database).await.map_err(|error| state.error(error))?;
        if is_current { Ok(Some(state)) } else { State::open(settings).await.map(Some) }
    }

    /// Whether a table is one of a state in such a database. Beside the tables of a source it is none of the sync's.
    pub fn has_table(engine: Engine, name: &str) -> bool {
        upgrade::makes(engine, name)
    }

    async fn connect(settings: &StateSettings, access: Access) -> Result<State, StateError> {
        let shown = settings.url.to_string();
        match Database::connect(settings, access).await {
            Ok(database) => Ok(State { database, shown }),
            Err(source) => Err(StateError { place: shown, source }),
        }
    }

    /// A database may be there for other reasons.
    async fn is_made(&self) -> Result<bool, sqlx::Error> {
        let sql = match self.database {
            Database::Sqlite(_) => "select name from sqlite_schema where name = 'sync_executions'",
            Database::Postgres(_) => {
                "select 1 as made from pg_catalog.pg_class where oid = to_regclass('sync_executions')"
            }
        };
        Ok(self.database.session().await?.fetch_optional(Statement::new(sql)).await?.is_some())
    }

    /// Whether it can be asked anything at all.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn answers(&self) -> Result<(), StateError> {
        self.fetch(Statement::new("select 1 as one")).await.map(drop)
    }

    async fn execute(&self, statement: Statement) -> Result<u64, StateError> {
        let work = async { self.database.session().await?.execute(statement).await };
        work.await.map_err(|error| self.error(error))
    }

    async fn fetch(&self, statement: Statement) -> Result<Vec<Row>, StateError> {
        let work = async { self.database.session().await?.fetch(statement).await };
        work.await.map_err(|error| self.error(error))
    }

    fn error(&self, source: sqlx::Error) -> StateError {
        StateError { place: self.shown.clone(), source }
    }
}

/// A word of the report, as it is kept.
fn word(status: &impl Serialize) -> Option<String> {
    serde_json::to_value(status).ok().and_then(|status| status.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn processes_that_begin_together_on_a_new_state_make_it_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let settings = StateSettings::in_file(&folder.path().join("state.sqlite"));
            let open = || State::open(&settings);
            // Each has a connection, and so a thread, of its own.
            let opened = tokio::join!(open(), open(), open(), open());
            for state in <[_; 4]>::from(opened) {
                state.unwrap();
            }
        }
    }
}
