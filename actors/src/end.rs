//! One end of a sync: its database, the view of its rows, and the breaker that all tables share.
//!
//! When a connection is lost, the first table that notices opens the end anew, later and later, so many times; the
//! others wait for it. What comes back is a new view: a frozen one dies with its connection, and shows another moment
//! when it is made again, so a table begins again with a new one.

use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use rowsync_engine::backoff::Backoff;
use rowsync_engine::derived::{Beside, DerivedRows};
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::recovery::{History, Verdict, judge};
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Consistency, Snapshot, Store};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// What the log tells of connections to those who ask for it (`debug_connection_change`).
pub const CONNECTIONS: &str = "rowsync_connections";

/// A number from 0 to 1 that nobody can foresee.
pub type Dice = Arc<dyn Fn() -> f64 + Send + Sync>;

/// How patiently a lost connection is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Before the first try.
    pub wait: Duration,
    /// Tries after the first one.
    pub tries_max: u32,
    /// Whether the log tells when a connection is lost and found again, whatever else it tells.
    pub tells_changes: bool,
    pub backoff: Backoff,
}

/// A database, shared by all tables of a run.
pub struct End {
    side: SideName,
    store: Arc<dyn Store>,
    beside: Beside,
    consistency: Consistency,
    patience: Patience,
    dice: Dice,
    stop: CancellationToken,
    line: Mutex<Line>,
    /// By the class of what went before.
    retries: Vec<Counter>,
}

struct Line {
    generation: u64,
    rows: Arc<dyn Snapshot>,
    /// Why nobody tries any more.
    given_up: Option<(Kind, String)>,
}

/// The rows of an end, until its connection is lost.
#[derive(Clone)]
pub struct Rows {
    pub snapshot: Arc<dyn Snapshot>,
    /// Which of the end's connections it belongs to.
    pub generation: u64,
}

impl End {
    /// # Errors
    /// When the first view cannot be had.
    pub async fn new(
        side: SideName,
        store: Arc<dyn Store>,
        consistency: Consistency,
        patience: Patience,
        dice: Dice,
        stop: CancellationToken,
        retries: Vec<Counter>,
    ) -> Result<Arc<End>, StoreError> {
        let beside = Beside::default();
        let rows = DerivedRows::over(store.snapshot(consistency).await?, &beside);
        let line = Mutex::new(Line { generation: 1, rows, given_up: None });
        Ok(Arc::new(End { side, store, beside, consistency, patience, dice, stop, line, retries }))
    }

    /// Tells of the other database; the first word counts.
    pub fn lie_beside(&self, other: Arc<dyn Store>) {
        self.beside.get_or_init(|| other);
    }

    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// The rows, as soon as there is a connection.
    ///
    /// # Errors
    /// When the end was given up.
    pub async fn rows(&self) -> Result<Rows, StoreError> {
        let line = self.line.lock().await;
        self.refuse_when_given_up(&line)?;
        Ok(Rows { snapshot: Arc::clone(&line.rows), generation: line.generation })
    }

    /// The rows as they are at this moment, whatever the others of this end see.
    ///
    /// # Errors
    /// When the view cannot be had.
    pub async fn standing_still(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(DerivedRows::over(self.store.snapshot(Consistency::Frozen).await?, &self.beside))
    }

    /// Opens the end anew, unless another table has done so since `seen`.
    ///
    /// # Errors
    /// When all tries are used up, nothing is to be hoped for, or the run was asked to stop.
    pub async fn reopen(&self, seen: u64) -> Result<(), Failure> {
        // Held while waiting: whoever asks for rows meanwhile waits too.
        let mut line = self.line.lock().await;
        self.refuse_when_given_up(&line)?;
        if line.generation > seen {
            return Ok(());
        }
        let lost = std::time::Instant::now();
        if self.patience.tells_changes {
            let wait = self.patience.wait;
            tracing::info!(target: CONNECTIONS, side = %self.side, connection = line.generation, ?wait, "sync connection is lost");
        }
        self.pause(self.patience.wait).await?;
        for tries in 0.. {
            match self.open().await {
                Ok(rows) => {
                    line.rows = rows;
                    line.generation += 1;
                    self.tell_it_is_back(line.generation, lost.elapsed());
                    return Ok(());
                }
                Err(error) if self.may_try_again(&error, tries) => {
                    let pause = self.patience.backoff.pause(tries, (self.dice)());
                    tracing::warn!(side = %self.side, %error, ?pause, "sync connection failed");
                    self.count_retry(&error);
                    self.pause(pause).await?;
                }
                Err(error) => {
                    line.given_up = Some((error.kind, error.message.clone()));
                    return Err(error.on(self.side).into());
                }
            }
        }
        unreachable!("every try but the last one is followed by another")
    }

    fn tell_it_is_back(&self, connection: u64, away: Duration) {
        if self.patience.tells_changes {
            tracing::info!(target: CONNECTIONS, side = %self.side, connection, ?away, "sync connection is back");
        } else {
            tracing::info!(side = %self.side, connection, "sync connection is back");
        }
    }

    /// Does something with the store, again where that may help, `failures_max` times in a row.
    ///
    /// # Errors
    /// The last error, or that the run was asked to stop.
    pub async fn insist(
        &self,
        failures_max: u32,
        mut work: impl AsyncFnMut() -> Result<(), StoreError>,
    ) -> Result<(), Failure> {
        for failures in 1.. {
            let seen = self.rows().await?.generation;
            let Err(error) = work().await else { return Ok(()) };
            let tries_max = self.patience.tries_max;
            let history = History { failures, failures_max, tries_max, ..History::of_a_question() };
            let verdict = judge(error.kind, &history);
            tracing::warn!(side = %self.side, ?verdict, %error, "{}", what_failed(&error));
            match verdict {
                Verdict::Reopen => {
                    self.count_retry(&error);
                    self.reopen(seen).await?;
                }
                Verdict::Again => {
                    self.count_retry(&error);
                    self.pause(self.patience.backoff.pause(failures - 1, (self.dice)())).await?;
                }
                _ => return Err(error.on(self.side).into()),
            }
        }
        unreachable!("a history without end is judged hopeless at some time")
    }

    fn count_retry(&self, error: &StoreError) {
        if let Some(retries) = self.retries.get(error.class() as usize) {
            retries.increment(1);
        }
    }

    async fn open(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.store.reconnect().await?;
        Ok(DerivedRows::over(self.store.snapshot(self.consistency).await?, &self.beside))
    }

    /// A refused login or a database that is not there is no matter of patience.
    fn may_try_again(&self, error: &StoreError, tries: u32) -> bool {
        let tries_max = self.patience.tries_max;
        let history = History { failures: tries + 1, failures_max: tries_max, tries_max, ..History::of_a_question() };
        matches!(judge(error.kind, &history), Verdict::Again | Verdict::Reopen)
    }

    fn refuse_when_given_up(&self, line: &Line) -> Result<(), StoreError> {
        match &line.given_up {
            Some((kind, message)) => Err(StoreError::new(*kind, "connect", message.clone()).on(self.side)),
            None => Ok(()),
        }
    }

    async fn pause(&self, pause: Duration) -> Result<(), Failure> {
        pause_unless(&self.stop, pause).await
    }
}

/// The words that people search the log for.
pub(crate) fn what_failed(error: &StoreError) -> &'static str {
    if error.class() == Class::Connection { "sync connection failed" } else { "table failed" }
}

/// Waits, unless the run is asked to stop.
pub(crate) async fn pause_unless(stop: &CancellationToken, pause: Duration) -> Result<(), Failure> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Failure::Stopped),
        () = tokio::time::sleep(pause) => Ok(()),
    }
}
