//! The leases in the state: one row for each sync that is being written.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Place, State, StateError};
use crate::process::Process;

/// An execution that may write, and the process that carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub execution_id: String,
    pub process: Process,
    pub since: Timestamp,
    pub until: Timestamp,
}

impl State {
    /// Makes somebody the holder of the lease, where nobody is or `is_over` says so of the one who is. Returns who holds
    /// it instead.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub async fn claim_lease(
        &self,
        place: &Place,
        claimant: &Holder,
        is_over: impl Fn(&Holder) -> bool + Send,
    ) -> Result<Option<Holder>, StateError> {
        self.claim(place, claimant, is_over).await.map_err(|error| self.error(error))
    }

    async fn claim(
        &self,
        place: &Place,
        claimant: &Holder,
        is_over: impl Fn(&Holder) -> bool + Send,
    ) -> Result<Option<Holder>, sqlx::Error> {
        // The lock is taken before the first look, so that of two claimants the second one sees the first one.
        let mut transaction = self.pool.begin_with("begin immediate").await?;
        let sql = "select * from sync_leases where sync = ? and ends = ?";
        let found = sqlx::query(sql).bind(&place.sync).bind(&place.ends).fetch_optional(&mut *transaction).await?;
        if let Some(holder) = found.as_ref().map(holder_of).transpose()?.filter(|holder| !is_over(holder)) {
            return Ok(Some(holder));
        }
        let sql = "insert or replace into sync_leases
            (sync, ends, execution_id, host, machine, process, process_began, since, until)
            values (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(&place.sync)
            .bind(&place.ends)
            .bind(&claimant.execution_id)
            .bind(&claimant.process.host)
            .bind(&claimant.process.machine)
            .bind(i64::from(claimant.process.number))
            .bind(claimant.process.began)
            .bind(claimant.since.as_millisecond())
            .bind(claimant.until.as_millisecond())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(None)
    }

    /// Puts off the end of a lease. False where it is held by somebody else, or given back.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn renew_lease(&self, place: &Place, execution_id: &str, until: Timestamp) -> Result<bool, StateError> {
        let sql = "update sync_leases set until = ? where sync = ? and ends = ? and execution_id = ?";
        let update = sqlx::query(sql).bind(until.as_millisecond());
        let update = update.bind(&place.sync).bind(&place.ends).bind(execution_id).execute(&self.pool);
        Ok(update.await.map_err(|error| self.error(error))?.rows_affected() == 1)
    }

    /// Ends a lease; one that somebody else holds by now is left alone.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn end_lease(&self, place: &Place, execution_id: &str) -> Result<(), StateError> {
        let sql = "delete from sync_leases where sync = ? and ends = ? and execution_id = ?";
        let delete = sqlx::query(sql).bind(&place.sync).bind(&place.ends).bind(execution_id);
        delete.execute(&self.pool).await.map(drop).map_err(|error| self.error(error))
    }
}

fn holder_of(row: &SqliteRow) -> Result<Holder, sqlx::Error> {
    let moment = |name| -> Result<Timestamp, sqlx::Error> {
        Timestamp::from_millisecond(row.try_get(name)?).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    Ok(Holder {
        execution_id: row.try_get("execution_id")?,
        process: Process {
            host: row.try_get("host")?,
            machine: row.try_get("machine")?,
            number: row.try_get("process")?,
            began: row.try_get("process_began")?,
        },
        since: moment("since")?,
        until: moment("until")?,
    })
}
