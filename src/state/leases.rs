//! The leases in the state: one row for each sync that is being written.

use std::time::Duration;

use jiff::Timestamp;

use super::database::Database;
use super::session::Session;
use super::statement::{Row, Statement};
use super::{Place, State, StateError};
use crate::process::Process;

/// An execution that may write, and the process that carries it out. Its moments are those of the state's clock: all that
/// share a SQLite file share the clock of their machine, and PostgreSQL has one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub execution_id: String,
    pub process: Process,
    pub since: Timestamp,
    pub until: Timestamp,
}

/// Who would like to hold a lease, and for how long.
pub struct Claim<'a> {
    pub execution_id: &'a str,
    pub process: &'a Process,
    pub length: Duration,
    /// By the clock of this machine.
    pub now: Timestamp,
}

impl State {
    /// Makes somebody the holder of the lease, where nobody is, or the one who is has run out or `is_gone`. Returns who
    /// holds it instead.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub async fn claim_lease(
        &self,
        place: &Place,
        claim: &Claim<'_>,
        is_gone: impl Fn(&Process) -> bool + Send,
    ) -> Result<Option<Holder>, StateError> {
        self.claim(place, claim, is_gone).await.map_err(|error| self.error(error))
    }

    async fn claim(
        &self,
        place: &Place,
        claim: &Claim<'_>,
        is_gone: impl Fn(&Process) -> bool + Send,
    ) -> Result<Option<Holder>, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        self.lock_leases(&mut transaction).await?;
        let sql = format!("select {} as now", self.now(claim.now));
        let now = transaction.fetch_optional(Statement::new(sql)).await?.ok_or(sqlx::Error::RowNotFound)?;
        let now: i64 = now.get("now")?;
        let sql = "select * from sync_leases where sync = $1 and ends = $2";
        let found = transaction.fetch_optional(Statement::new(sql).bind(&place.sync).bind(&place.ends)).await?;
        let found = found.as_ref().map(holder_of).transpose()?;
        if let Some(holder) = found
            && holder.until.as_millisecond() > now
            && !is_gone(&holder.process)
        {
            transaction.commit().await?;
            return Ok(Some(holder));
        }
        transaction.execute(taking(place, claim, now)).await?;
        transaction.commit().await?;
        Ok(None)
    }

    /// Before the first look, so that of two claimants the second one sees the first one. A transaction of SQLite has its
    /// lock from the start.
    async fn lock_leases(&self, transaction: &mut Session) -> Result<(), sqlx::Error> {
        if let Database::Postgres(_) = self.database {
            transaction.execute(Statement::new("lock table sync_leases in share row exclusive mode")).await?;
        }
        Ok(())
    }

    /// Puts off the end of a lease. False where it is held by somebody else, or given back.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn renew_lease(
        &self,
        place: &Place,
        execution_id: &str,
        length: Duration,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let now = self.now(now);
        let sql =
            format!("update sync_leases set until = {now} + $1 where sync = $2 and ends = $3 and execution_id = $4");
        let update = Statement::new(sql).bind(millis(length));
        let update = update.bind(&place.sync).bind(&place.ends).bind(execution_id);
        Ok(self.execute(update).await? == 1)
    }

    /// Ends a lease; one that somebody else holds by now is left alone.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn end_lease(&self, place: &Place, execution_id: &str) -> Result<(), StateError> {
        let sql = "delete from sync_leases where sync = $1 and ends = $2 and execution_id = $3";
        self.execute(Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(execution_id)).await.map(drop)
    }

    /// What the state's clock says, as SQL, in milliseconds since 1970.
    pub(super) fn now(&self, here: Timestamp) -> String {
        match self.database {
            Database::Sqlite(_) => here.as_millisecond().to_string(),
            Database::Postgres(_) => self.clock().to_owned(),
        }
    }

    /// The same for whoever asks often: as text that stays what it is, so that the statement is prepared once.
    pub(super) fn clock(&self) -> &'static str {
        match self.database {
            Database::Sqlite(_) => "cast(unixepoch('subsec') * 1000 as bigint)",
            // Not that of the transaction, which stands still while a lock is waited for.
            Database::Postgres(_) => "(extract(epoch from clock_timestamp()) * 1000)::bigint",
        }
    }
}

fn taking(place: &Place, claim: &Claim<'_>, now: i64) -> Statement {
    let sql = "insert into sync_leases
        (sync, ends, execution_id, host, machine, process, process_began, since, until)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (sync, ends) do update set execution_id = excluded.execution_id, host = excluded.host,
            machine = excluded.machine, process = excluded.process, process_began = excluded.process_began,
            since = excluded.since, until = excluded.until";
    Statement::new(sql)
        .bind(&place.sync)
        .bind(&place.ends)
        .bind(claim.execution_id)
        .bind(&claim.process.host)
        .bind(claim.process.machine.clone())
        .bind(i64::from(claim.process.number))
        .bind(claim.process.began)
        .bind(now)
        .bind(now.saturating_add(millis(claim.length)))
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

fn holder_of(row: &Row) -> Result<Holder, sqlx::Error> {
    let moment = |column| -> Result<Timestamp, sqlx::Error> {
        Timestamp::from_millisecond(row.get(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    Ok(Holder {
        execution_id: row.get("execution_id")?,
        process: process_of(row)?,
        since: moment("since")?,
        until: moment("until")?,
    })
}

pub(super) fn process_of(row: &Row) -> Result<Process, sqlx::Error> {
    let number: i64 = row.get("process")?;
    Ok(Process {
        host: row.get("host")?,
        machine: row.get("machine")?,
        number: u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))?,
        began: row.get("process_began")?,
    })
}
