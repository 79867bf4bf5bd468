//! How a connection is opened and set up.

use std::str::FromStr;
use std::time::{Duration, Instant};

use rowsync_engine::error::{Kind, StoreError};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor};

use super::classify::classify;
use super::literal::{identifier, text_literal};
use crate::{Access, Connection};

/// Longest wait for a connection, whatever the timeout of an answer: a server that is there accepts sooner.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// A connection that lay idle for longer is asked whether it still lives before it is lent; below that the question
/// would only add a round trip to each statement.
pub const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// The server itself gives up after `timeout` and says so. An answer that is later than that by more than this share of
/// it will never come: the connection is dead, and only we do not know it yet.
const LATE: f64 = 0.5;
/// That share is at least and at most so long.
const LATE_MIN: Duration = Duration::from_millis(500);
const LATE_MAX: Duration = Duration::from_secs(10);

/// A server that answers sooner than this is on this machine or in this network, where bytes cost next to nothing.
pub const NEAR: Duration = Duration::from_millis(1);
/// What a first answer takes of a server that is near, however busy the machine: one that took longer is far away.
pub const FAR: Duration = Duration::from_millis(10);

/// A connection that was opened beside all pools.
pub struct Opened {
    pub connection: PgConnection,
    /// How long its first answer took: a round trip, and next to nothing beside it.
    pub answered_in: Duration,
}

/// Everything that it takes to open a connection.
#[derive(Clone)]
pub struct Door {
    options: PgConnectOptions,
    /// Host and database, for messages.
    place: String,
    setup: String,
    /// Statements that follow the setup on each new connection: those that join a snapshot.
    joining: Option<String>,
    wait: Duration,
    /// Longest silence of the server in the midst of an operation.
    pub silence: Duration,
}

impl Door {
    pub fn new(connection: &Connection) -> Result<Door, StoreError> {
        let options = PgConnectOptions::from_str(&connection.url)
            .map_err(|_| StoreError::new(Kind::NoDatabase, "connect", "the URL is not one of PostgreSQL"))?
            // Statements carry keys of rows, which stay out of logs.
            .disable_statement_logging();
        let database = options.get_database().unwrap_or(options.get_username()).to_owned();
        let place = format!("database \"{database}\" on {}:{}", options.get_host(), options.get_port());
        let wait = connection.timeout.clamp(Duration::from_secs(1), CONNECT_MAX);
        let silence = connection.timeout + connection.timeout.mul_f64(LATE).clamp(LATE_MIN, LATE_MAX);
        Ok(Door { options, place, setup: setup(connection), joining: None, wait, silence })
    }

    /// The same door, through which each connection joins the snapshot of this name.
    pub fn joining(&self, snapshot: &str) -> Door {
        let joining = format!("{BEGIN_FROZEN}; SET TRANSACTION SNAPSHOT {}", text_literal(snapshot));
        Door { joining: Some(joining), ..self.clone() }
    }

    /// Opens one connection beside all pools.
    pub async fn open(&self) -> Result<Opened, StoreError> {
        let opening = async {
            let mut connection = PgConnection::connect_with(&self.options).await.map_err(|e| self.refused(&e))?;
            let asked = Instant::now();
            let words = first_words(&self.setup, self.joining.as_deref());
            run(&mut connection, &words).await.map_err(|e| self.not_prepared(e))?;
            let answered_in = asked.elapsed();
            Ok(Opened { connection, answered_in })
        };
        match tokio::time::timeout(self.wait, opening).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::new(
                Kind::Unreachable,
                "connect",
                format!("{} did not answer within {:?}", self.place, self.wait),
            )),
        }
    }

    pub fn refused(&self, error: &sqlx::Error) -> StoreError {
        let mut refusal = classify("connect", error);
        refusal.message = format!("{}: {}", self.place, refusal.message);
        refusal
    }

    fn not_prepared(&self, error: sqlx::Error) -> StoreError {
        if self.joining.is_none() || error.as_database_error().is_none() {
            return self.refused(&error);
        }
        let message = "the snapshot is gone, its keeper lost its connection";
        StoreError::new(Kind::Unreachable, "connect", message).caused_by(error)
    }

    /// A pool of at most so many connections, which live as long as it does.
    pub fn pool(&self, connections_max: u32) -> PgPool {
        let words = first_words(&self.setup, self.joining.as_deref());
        let options = PgPoolOptions::new()
            .max_connections(connections_max.max(1))
            .acquire_timeout(self.wait)
            .test_before_acquire(false)
            // A pool lasts no longer than an execution. Without limits of age sqlx starts no task that looks after them: its
            // count of idle connections may pass below zero while one is lent, and the task then counts down from the
            // largest number there is.
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                let words = words.clone();
                Box::pin(async move { run(connection, &words).await })
            });
        let options = match self.joining {
            Some(_) => options,
            None => options.before_acquire(|connection, about| {
                Box::pin(async move { Ok(about.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) })
            }),
        };
        options.connect_lazy_with(self.options.clone())
    }
}

/// What a connection of a frozen snapshot begins with.
pub const BEGIN_FROZEN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// All in one message, since each is a round trip. The settings stand behind the snapshot, which has to be joined before
/// the transaction does anything else, and last as long as the connection, which never leaves that transaction.
fn first_words(setup: &str, joining: Option<&str>) -> String {
    joining.map_or_else(|| setup.to_owned(), |joining| format!("{joining}; {setup}"))
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

/// One message that sets all that this server knows: settings of later versions are passed over.
fn setup(connection: &Connection) -> String {
    let millis = connection.timeout.as_millis().max(1);
    let mut settings = vec![
        ("application_name", "rowsync".to_owned()),
        ("TimeZone", "UTC".into()),
        ("DateStyle", "ISO, YMD".into()),
        ("IntervalStyle", "iso_8601".into()),
        ("bytea_output", "hex".into()),
        ("client_encoding", "UTF8".into()),
        ("extra_float_digits", "1".into()),
        ("standard_conforming_strings", "on".into()),
        ("row_security", "off".into()),
        ("jit", "off".into()),
        // Reading by ranges of the key must not turn into a scan of the table for each range, which the planner would
        // choose for tables that were never analyzed. Where there is no index, or a whole table is asked for, the
        // table is still scanned; the survey turns this on again for itself.
        ("enable_seqscan", "off".into()),
        ("statement_timeout", millis.to_string()),
        // Shorter, so that waiting for a lock is told as such.
        ("lock_timeout", (millis / 2).max(1).to_string()),
        // Connections that keep a snapshot or wait for the next batch are idle in a transaction for a good reason.
        ("idle_in_transaction_session_timeout", "0".into()),
        ("transaction_timeout", "0".into()),
        // The server lets go of our locks soon after we vanished without a word.
        ("tcp_keepalives_idle", "30".into()),
        ("tcp_keepalives_interval", "10".into()),
        ("tcp_keepalives_count", "3".into()),
        ("tcp_user_timeout", "60s".into()),
    ];
    match connection.access {
        Access::Read | Access::Look => settings.push(("default_transaction_read_only", "on".into())),
        // Many commits, one wait: see `Postgres::flush`.
        Access::Write => settings.push(("synchronous_commit", "off".into())),
    }
    if let Some(schema) = &connection.schema {
        // Extensions, and so the operators of their types, usually live in `public`.
        settings.push(("search_path", format!("{}, public", identifier(schema))));
    }
    let rows: Vec<String> =
        settings.iter().map(|(name, value)| format!("({}, {})", text_literal(name), text_literal(value))).collect();
    // The last one lets the server notice that we hung up in the midst of a long statement (14 and later, not on every
    // platform, which is why it may fail). All in one message, since each would be a round trip.
    format!(
        "SELECT set_config(s.name, v.value, false) FROM (VALUES {}) v(name, value) JOIN pg_catalog.pg_settings s ON s.name = v.name; \
         DO $$BEGIN SET client_connection_check_interval = '2s'; EXCEPTION WHEN OTHERS THEN NULL; END$$",
        rows.join(", ")
    )
}
