//! A connection to a state, and the transaction on it.

use std::io;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, Postgres, Sqlite};

use super::statement::{Row, Statement};

/// Longest silence of a server before its connection counts as lost.
pub const ANSWER_MAX: Duration = Duration::from_secs(15);

pub struct Session {
    link: Link,
    /// Something was begun on it and is not known to have ended. Such a connection is closed, not lent again: the next one
    /// would wait for an answer that may never come, or stand in a transaction of ours.
    in_doubt: bool,
}

enum Link {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Session {
    pub(super) fn sqlite(connection: PoolConnection<Sqlite>) -> Session {
        Session { link: Link::Sqlite(connection), in_doubt: false }
    }

    pub(super) fn postgres(connection: PoolConnection<Postgres>) -> Session {
        Session { link: Link::Postgres(connection), in_doubt: false }
    }

    /// Begins a transaction. In SQLite it has the lock from its start: one that reads first and then finds another one
    /// writing could not go on.
    pub(super) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.in_doubt = true;
        match &mut self.link {
            Link::Sqlite(connection) => connection.execute("begin immediate").await.map(drop),
            Link::Postgres(connection) => in_time(connection.execute("begin")).await.map(drop),
        }
    }

    /// Without it a transaction is undone when the session goes.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        match &mut self.link {
            Link::Sqlite(connection) => connection.execute("commit").await.map(drop),
            Link::Postgres(connection) => in_time(connection.execute("commit")).await.map(drop),
        }?;
        self.in_doubt = false;
        Ok(())
    }

    /// How many rows were written.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        let before = std::mem::replace(&mut self.in_doubt, true);
        let written = match &mut self.link {
            Link::Sqlite(connection) => statement.query().execute(&mut **connection).await?.rows_affected(),
            Link::Postgres(connection) => in_time(statement.query().execute(&mut **connection)).await?.rows_affected(),
        };
        self.in_doubt = before;
        Ok(written)
    }

    pub async fn fetch(&mut self, statement: Statement) -> Result<Vec<Row>, sqlx::Error> {
        let before = std::mem::replace(&mut self.in_doubt, true);
        let rows = match &mut self.link {
            Link::Sqlite(connection) => {
                let rows = statement.query().fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Link::Postgres(connection) => {
                let rows = in_time(statement.query().fetch_all(&mut **connection)).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        };
        self.in_doubt = before;
        Ok(rows)
    }

    pub async fn fetch_optional(&mut self, statement: Statement) -> Result<Option<Row>, sqlx::Error> {
        Ok(self.fetch(statement).await?.into_iter().next())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_doubt {
            match &mut self.link {
                Link::Sqlite(connection) => connection.close_on_drop(),
                Link::Postgres(connection) => connection.close_on_drop(),
            }
        }
    }
}

/// A line that went dead says nothing, not even that it is dead.
pub(super) async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {ANSWER_MAX:?}"));
    tokio::time::timeout(ANSWER_MAX, answer).await.unwrap_or_else(|_| Err(sqlx::Error::Io(late())))
}
