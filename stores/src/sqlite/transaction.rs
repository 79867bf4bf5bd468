//! The one writer of a file, and transactions that take turns with it.
//!
//! A turn lasts from before BEGIN until the last word has been spoken: COMMIT and ROLLBACK alike are followed by a job
//! that rolls back what is still open, puts foreign keys back in force and only then frees the turn. That job is sent
//! when the transaction is dropped, so it comes whatever became of the futures in between.

use std::sync::Arc;

use async_trait::async_trait;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Transaction;
use rusqlite::Connection;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::checkpoint::Checkpointer;
use super::classify::classify;
use super::thread::Threads;
use super::{read, sql, write};

type Result<T> = std::result::Result<T, StoreError>;

/// The thread that writes, for one user at a time.
pub struct Writer {
    thread: Arc<Threads>,
    turn: Arc<Mutex<Checkpointer>>,
}

impl Writer {
    pub fn new(connection: Connection, beside: Connection) -> Result<Writer> {
        let thread = Threads::start("write", vec![connection])?;
        Ok(Writer { thread: Arc::new(thread), turn: Arc::new(Mutex::new(Checkpointer::start(beside)?)) })
    }

    pub async fn begin(&self, view: &Arc<TableView>) -> Result<WriteTransaction> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // Made before BEGIN is sent: if this future is dropped now, the last word follows all the same.
        let transaction = WriteTransaction {
            thread: Arc::clone(&self.thread),
            turn: Some(turn),
            view: Arc::clone(view),
            state: State::Open,
            bytes: 0,
        };
        let text = begin_text(view.in_cycle);
        transaction.run(move |connection| connection.execute_batch(&text)).await?;
        Ok(transaction)
    }

    /// Runs a job outside of any transaction.
    pub async fn alone<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.thread
            .call(move |connection, _| {
                // Rides in the job: were the caller to leave, the next turn would still wait for it.
                let _turn = turn;
                job(connection)
            })
            .await
    }
}

/// On a cycle of foreign keys a row may come before the row that it points to; elsewhere the check at the end is enough,
/// and both have to be asked for at the right side of BEGIN.
fn begin_text(in_cycle: bool) -> String {
    let before = if in_cycle { "PRAGMA foreign_keys = OFF;" } else { "" };
    format!("{before} BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON;")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A write was asked for and has not been answered, or failed: some of its rows may be there.
    HalfWritten,
}

/// Writes to one table.
pub struct WriteTransaction {
    thread: Arc<Threads>,
    turn: Option<OwnedMutexGuard<Checkpointer>>,
    view: Arc<TableView>,
    state: State,
    /// Of the rows that it wrote.
    bytes: u64,
}

impl WriteTransaction {
    async fn run(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) -> Result<()> {
        let answer = self.thread.call(move |connection, _| job(connection).map_err(|error| classify(error, "write")));
        answer.await.map_err(|error| error.at(&self.view.table))
    }
}

#[async_trait]
impl Transaction for WriteTransaction {
    /// Nobody else writes to the file while the transaction is open.
    async fn before(&mut self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        self.check_whole()?;
        let (view, keys) = (Arc::clone(view), keys.to_vec());
        let read = self.thread.call(move |connection, caller| read::rows_by_key(connection, &view, &keys, caller));
        read.await.map_err(|error| error.at(&self.view.table))
    }

    async fn clear(&mut self) -> Result<u64> {
        self.check_whole()?;
        self.state = State::HalfWritten;
        // Without a condition SQLite empties the table page by page instead of row by row.
        let condition = if self.view.filter.is_all() { String::new() } else { sql::in_view(&self.view) };
        let text = format!("DELETE FROM {}{condition}", sql::table(&self.view));
        let deleted = self
            .thread
            .call(move |connection, _| connection.execute(&text, []).map_err(|error| classify(error, "write")));
        let deleted = deleted.await.map_err(|error| error.at(&self.view.table))?;
        self.state = State::Open;
        Ok(deleted as u64)
    }

    async fn write(&mut self, changes: Arc<Changes>) -> Result<Applied> {
        self.check_whole()?;
        self.state = State::HalfWritten;
        let view = Arc::clone(&self.view);
        let applied = self.thread.call(move |connection, _| write::apply(connection, &view, &changes)).await;
        let applied = applied.map_err(|error| error.at(&self.view.table))?;
        self.state = State::Open;
        self.bytes += applied.bytes_written;
        Ok(applied)
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.check_whole()?;
        self.run(|connection| connection.execute_batch("COMMIT")).await?;
        let bytes = self.bytes;
        self.turn.iter_mut().for_each(|checkpointer| checkpointer.committed(bytes));
        Ok(())
    }
}

impl WriteTransaction {
    fn check_whole(&self) -> Result<()> {
        match self.state {
            State::Open => Ok(()),
            State::HalfWritten => {
                let message = "the transaction is used after one of its writes failed";
                Err(StoreError::new(Kind::Bug, "write", message).at(&self.view.table))
            }
        }
    }
}

impl Drop for WriteTransaction {
    fn drop(&mut self) {
        let turn = self.turn.take();
        self.thread.last_word(move |connection| {
            end(connection);
            drop(turn);
        });
    }
}

/// Leaves the connection as a new transaction expects it.
fn end(connection: &Connection) {
    let ended = || {
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        connection.execute_batch("PRAGMA foreign_keys = ON")
    };
    if let Err(error) = ended() {
        tracing::error!(error = %classify(error, "write"), "a transaction did not end cleanly");
    }
}
