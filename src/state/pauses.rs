//! Pauses of schedules, which outlive the process.

use super::statement::Statement;
use super::{State, StateError};

/// Why a sync does not run by its schedule, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPause {
    pub since: String,
    pub failures: u32,
    pub reason: String,
}

impl State {
    /// # Errors
    /// When the state cannot be read.
    pub async fn pause_of(&self, sync: &str) -> Result<Option<StoredPause>, StateError> {
        let sql = "select since, failures, reason from sync_pauses where sync = $1";
        let rows = self.fetch(Statement::new(sql).bind(sync)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = || {
            let failures: i64 = row.get("failures")?;
            let failures = u32::try_from(failures).unwrap_or(u32::MAX);
            Ok(StoredPause { since: row.get("since")?, failures, reason: row.get("reason")? })
        };
        read().map(Some).map_err(|error| self.error(error))
    }

    /// Keeps a pause; one that is there already stays.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn keep_pause(&self, sync: &str, pause: &StoredPause) -> Result<(), StateError> {
        let sql = "insert into sync_pauses (sync, since, failures, reason) values ($1, $2, $3, $4)
            on conflict (sync) do nothing";
        let insert = Statement::new(sql).bind(sync).bind(&pause.since).bind(i64::from(pause.failures));
        self.execute(insert.bind(&pause.reason)).await.map(drop)
    }

    /// # Errors
    /// When the state cannot be written.
    pub async fn end_pause(&self, sync: &str) -> Result<(), StateError> {
        self.execute(Statement::new("delete from sync_pauses where sync = $1").bind(sync)).await.map(drop)
    }
}
