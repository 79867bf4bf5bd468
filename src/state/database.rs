//! A database that holds a state: a SQLite file, or PostgreSQL. All that is said to it is said in SQL that both
//! understand, and written once.
//!
//! Not `sqlx::Any`: it takes nothing but a URL, so that paths with `%` or `?` in them, the journal and all limits of
//! time would be lost.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use rowsync_stores::Access;
use sqlx::error::DatabaseError as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::session::{ANSWER_MAX, Session, in_time};
use crate::settings::{Engine, StateSettings};

pub enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The lease is put off beside the writing of something longer.
const CONNECTIONS_MAX: u32 = 2;
/// The server itself gives up sooner than we stop listening, and says why.
const STATEMENT_MAX: Duration = Duration::from_secs(10);

impl Database {
    pub async fn connect(settings: &StateSettings, access: Access) -> Result<Database, sqlx::Error> {
        match settings.engine {
            Engine::Sqlite => connect_sqlite(settings.path(), access).await.map(Database::Sqlite),
            Engine::Postgres => connect_postgres(settings.url.expose(), access).await.map(Database::Postgres),
        }
    }

    pub fn engine(&self) -> Engine {
        match self {
            Database::Sqlite(_) => Engine::Sqlite,
            Database::Postgres(_) => Engine::Postgres,
        }
    }

    /// A connection of one's own, as long as it is held.
    pub async fn session(&self) -> Result<Session, sqlx::Error> {
        Ok(match self {
            Database::Sqlite(pool) => Session::sqlite(pool.acquire().await?),
            Database::Postgres(pool) => Session::postgres(pool.acquire().await?),
        })
    }

    /// A connection on which nothing stays unless it is committed.
    pub async fn begin(&self) -> Result<Session, sqlx::Error> {
        let mut session = self.session().await?;
        session.begin().await?;
        Ok(session)
    }
}

async fn connect_sqlite(path: PathBuf, access: Access) -> Result<SqlitePool, sqlx::Error> {
    let writes = access == Access::Write;
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(writes).read_only(!writes);
    connect_when_free(if writes { options.journal_mode(SqliteJournalMode::Wal) } else { options }).await
}

/// Of two processes that make the same new file one has to wait while the other changes its journal, and that is a lock
/// for which SQLite does not wait by itself.
async fn connect_when_free(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let mut tries = 0;
    loop {
        match pool_of_a_file().connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && tries < BUSY_TRIES => tries += 1,
            connected => return connected,
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
}

/// A connection to a file needs no renewal. Without limits of age sqlx starts no task that looks after them: its count of idle
/// connections may pass below zero while one is lent, and the task then counts down from the largest number there is.
fn pool_of_a_file() -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None)
}

/// As long as SQLite waits for other locks: five seconds.
const BUSY_TRIES: u32 = 500;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

const SQLITE_BUSY: u32 = 5;
pub const SQLITE_FULL: u32 = 13;

fn is_busy(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(SQLITE_BUSY)
}

/// Of SQLite, without the upper bytes, which only say more about it.
pub fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.try_downcast_ref::<SqliteError>()?.code()?.parse::<u32>().ok()?;
    Some(code & 0xff)
}

async fn connect_postgres(url: &str, access: Access) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("rowsync");
    // A pool that finds the server away says after a while that it found no connection, and not why.
    let mut first = in_time(PgConnection::connect_with(&options)).await?;
    let setup = setup(access);
    in_time(first.execute(AssertSqlSafe(setup.clone()))).await?;
    // Whether it heard that we leave is its own matter.
    let _ = in_time(first.close()).await;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(ANSWER_MAX);
    // As with a file; one that is dead is noticed when it is taken.
    let pool = pool.idle_timeout(None).max_lifetime(None).after_connect(move |connection, _| {
        let setup = setup.clone();
        Box::pin(async move { connection.execute(AssertSqlSafe(setup)).await.map(drop) })
    });
    Ok(pool.connect_lazy_with(options))
}

/// Limits of time, in one message. Set here and not when connecting, where poolers between us and the server refuse it.
/// Whoever made the database read-only is not overruled.
fn setup(access: Access) -> String {
    let millis = STATEMENT_MAX.as_millis();
    let limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    let mut settings: Vec<String> =
        limits.iter().map(|name| format!("set_config('{name}', '{millis}', false)")).collect();
    if access != Access::Write {
        settings.push("set_config('default_transaction_read_only', 'on', false)".to_owned());
    }
    format!("select {}", settings.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It kept a core busy, and a run from ending.
    #[test]
    fn nothing_looks_after_the_age_of_connections_to_a_file() {
        let pool = pool_of_a_file();
        assert_eq!((pool.get_idle_timeout(), pool.get_max_lifetime()), (None, None));
    }
}
