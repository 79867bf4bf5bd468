//! What is remembered from run to run, in a SQLite file: the executions, and what each table's newest change was.

mod leases;
mod row_errors;
mod undo;

use std::path::Path;
use std::time::Duration;

use rowsync_actors::job::Earlier;
use rowsync_actors::messages::TableOutcome;
use rowsync_engine::report::{RunReport, TableStatus};
use rowsync_engine::value::Value;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions};

static MIGRATIONS: Migrator = sqlx::migrate!("src/state/migrations");

#[derive(Debug, thiserror::Error)]
#[error("the state in {path} cannot be used: {source}; {}", self.remedy())]
pub struct StateError {
    path: String,
    #[source]
    source: sqlx::Error,
}

impl StateError {
    /// Whether nothing is wrong with it, but for the world around it.
    pub fn is_unreachable(&self) -> bool {
        self.is_full()
    }

    /// Its disk or a quota is used up.
    fn is_full(&self) -> bool {
        sqlite_code(&self.source) == Some(SQLITE_FULL)
    }

    fn remedy(&self) -> &'static str {
        if self.is_full() {
            "make room on its disk, or name another file in `state`"
        } else {
            "name another file in `state`, or mend this one"
        }
    }
}

pub use leases::Holder;
pub use row_errors::RowError;
pub use undo::{Entry, Kept, Undoable};

/// An open state store.
pub struct State {
    pool: SqlitePool,
    path: String,
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
    /// When the file cannot be opened or written, or is no state.
    pub async fn open(path: &Path) -> Result<State, StateError> {
        let state = State::connect(path, true).await?;
        state.migrate().await.map_err(|error| state.error(error))?;
        Ok(state)
    }

    /// Under one lock: of two processes that begin together, the second one finds all done.
    async fn migrate(&self) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin_with("begin immediate").await?;
        MIGRATIONS.run(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Opens the state where there is one, and changes nothing.
    ///
    /// # Errors
    /// When there is a file that cannot be opened.
    pub async fn look_at(path: &Path) -> Result<Option<State>, StateError> {
        if path.exists() { State::connect(path, false).await.map(Some) } else { Ok(None) }
    }

    async fn connect(path: &Path, write: bool) -> Result<State, StateError> {
        let shown = path.display().to_string();
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(write).read_only(!write);
        let options = if write { options.journal_mode(SqliteJournalMode::Wal) } else { options };
        let pool = connect_when_free(options).await.map_err(|source| StateError { path: shown.clone(), source })?;
        Ok(State { pool, path: shown })
    }

    /// What an earlier successful run of this table saw.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn earlier(&self, place: &Place, table: &str, shape: &str) -> Result<Option<Earlier>, StateError> {
        let sql =
            "select newest from sync_change_tracking where sync = ? and ends = ? and table_name = ? and shape = ?";
        let found: Option<(Option<String>,)> = sqlx::query_as(sql)
            .bind(&place.sync)
            .bind(&place.ends)
            .bind(table)
            .bind(shape)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.error(error))?;
        Ok(found.map(|(newest,)| Earlier { newest: newest.as_deref().and_then(parse_moment) }))
    }

    /// Remembers a run: its report, and the newest change of every table that ended well.
    ///
    /// # Errors
    /// When the state cannot be written; then nothing of the run is remembered.
    pub async fn record(
        &self,
        place: &Place,
        report: &RunReport,
        outcomes: &[(String, TableOutcome)],
    ) -> Result<(), StateError> {
        self.write(place, report, outcomes).await.map_err(|error| self.error(error))
    }

    async fn write(
        &self,
        place: &Place,
        report: &RunReport,
        outcomes: &[(String, TableOutcome)],
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let json = serde_json::to_string(report).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let sql =
            "insert into sync_executions (id, sync, status, started_at, finished_at, report) values (?, ?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(&report.execution_id)
            .bind(&report.sync)
            .bind(serde_json::to_value(report.status).ok().and_then(|status| status.as_str().map(str::to_owned)))
            .bind(&report.started_at)
            .bind(&report.finished_at)
            .bind(json)
            .execute(&mut *transaction)
            .await?;
        for (shape, outcome) in outcomes.iter().filter(|(_, outcome)| is_proven(outcome)) {
            let sql = "insert into sync_change_tracking (sync, ends, table_name, shape, newest, execution_id)
                values (?, ?, ?, ?, ?, ?)
                on conflict (sync, ends, table_name) do update set shape = excluded.shape, newest = excluded.newest, execution_id = excluded.execution_id";
            sqlx::query(sql)
                .bind(&place.sync)
                .bind(&place.ends)
                .bind(&outcome.report.table)
                .bind(shape)
                .bind(outcome.newest.as_ref().and_then(moment_text))
                .bind(&report.execution_id)
                .execute(&mut *transaction)
                .await?;
        }
        for (_, outcome) in outcomes {
            write_row_errors(&mut transaction, place, &report.execution_id, outcome).await?;
        }
        transaction.commit().await
    }

    fn error(&self, source: sqlx::Error) -> StateError {
        StateError { path: self.path.clone(), source }
    }
}

/// Of two processes that make the same new file one has to wait while the other changes its journal, and that is a lock
/// for which SQLite does not wait by itself.
async fn connect_when_free(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let mut tries = 0;
    loop {
        match SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && tries < BUSY_TRIES => tries += 1,
            connected => return connected,
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
}

/// As long as SQLite waits for other locks: five seconds.
const BUSY_TRIES: u32 = 500;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

const SQLITE_BUSY: u32 = 5;
const SQLITE_FULL: u32 = 13;

fn is_busy(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(SQLITE_BUSY)
}

/// Without the upper bytes, which only say more about it.
fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?.parse::<u32>().ok()?;
    Some(code & 0xff)
}

/// Keeps the rows that failed. Those that a table worked through took this time are none any more.
async fn write_row_errors(
    connection: &mut SqliteConnection,
    place: &Place,
    execution_id: &str,
    outcome: &TableOutcome,
) -> Result<(), sqlx::Error> {
    for failed in &outcome.failed_rows {
        let sql = "insert into sync_row_errors (sync, ends, table_name, key, change, class, message, row, failures,
                first_execution_id, execution_id) values (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
            on conflict (sync, ends, table_name, key) do update set change = excluded.change, class = excluded.class,
                message = excluded.message, row = excluded.row, failures = failures + 1,
                execution_id = excluded.execution_id";
        sqlx::query(sql)
            .bind(&place.sync)
            .bind(&place.ends)
            .bind(&outcome.report.table)
            .bind(failed.key.to_string())
            .bind(failed.change)
            .bind(serde_json::to_value(failed.class).ok().and_then(|class| class.as_str().map(str::to_owned)))
            .bind(&failed.message)
            .bind(failed.row.as_ref().map(ToString::to_string))
            .bind(execution_id)
            .bind(execution_id)
            .execute(&mut *connection)
            .await?;
    }
    let looked_at = !matches!(outcome.report.status, TableStatus::Skipped | TableStatus::Planned);
    if !outcome.worked_through || !looked_at {
        return Ok(());
    }
    let sql = "delete from sync_row_errors where sync = ? and ends = ? and table_name = ? and execution_id <> ?";
    let delete = sqlx::query(sql).bind(&place.sync).bind(&place.ends).bind(&outcome.report.table).bind(execution_id);
    delete.execute(connection).await.map(drop)
}

fn is_proven(outcome: &TableOutcome) -> bool {
    outcome.report.status == TableStatus::Completed && outcome.report.verified
}

/// A modify time as it is kept: its kind, and its number.
fn moment_text(value: &Value) -> Option<String> {
    match value {
        Value::Int(i) => Some(format!("int:{i}")),
        Value::Date(days) => Some(format!("date:{days}")),
        Value::Timestamp(micros) => Some(format!("timestamp:{micros}")),
        Value::TimestampTz(micros) => Some(format!("timestamptz:{micros}")),
        Value::Text(text) => Some(format!("text:{text}")),
        _ => None,
    }
}

fn parse_moment(text: &str) -> Option<Value> {
    let (kind, number) = text.split_once(':')?;
    match kind {
        "int" => number.parse().ok().map(Value::Int),
        "date" => number.parse().ok().map(Value::Date),
        "timestamp" => number.parse().ok().map(Value::Timestamp),
        "timestamptz" => number.parse().ok().map(Value::TimestampTz),
        "text" => Some(Value::Text(number.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn processes_that_begin_together_on_a_new_state_make_it_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.sqlite");
            // Each has a connection, and so a thread, of its own.
            let opened = tokio::join!(State::open(&path), State::open(&path), State::open(&path), State::open(&path));
            for state in <[_; 4]>::from(opened) {
                state.unwrap();
            }
        }
    }

    #[test]
    fn moments_survive_being_kept() {
        for value in
            [Value::Int(-5), Value::Date(3), Value::Timestamp(7), Value::TimestampTz(-9), Value::Text("a:b".into())]
        {
            assert_eq!(parse_moment(&moment_text(&value).unwrap()), Some(value));
        }
    }
}
