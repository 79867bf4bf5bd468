//! How connections are lent out, so that none comes back in a state that nobody knows.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use rowsync_engine::error::{Kind, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor, Row as _};

use tokio::sync::Notify;

use super::classify::classify;
use super::connection::{Door, TRUSTED_IDLE};
use super::opening::{Opening, Second};
use crate::statement::ask;

/// A pool, the connections that were used a moment ago, and the door for a second look when the pool has none for us.
///
/// The pool asks each connection that comes back whether it still lives, and lends it out only after the answer: a round
/// trip, during which the next one who wants a connection has to open another, which are six. So connections that come
/// back in good order are kept beside the pool, and lent out again as they are.
pub struct Link {
    answered_in: Option<Duration>,
    pool: RwLock<PgPool>,
    spares: Arc<Spares>,
    connections_max: u32,
    door: Door,
}

impl Link {
    pub fn new(door: Door, connections_max: u32) -> Link {
        Link {
            answered_in: None,
            pool: RwLock::new(door.pool(connections_max)),
            spares: Arc::default(),
            connections_max,
            door,
        }
    }

    /// The same with what is open already or will soon be.
    pub fn beginning_with(door: Door, opening: Opening, connections_max: u32) -> Link {
        let Opening { first, second } = opening;
        // They count among the others.
        let own = u32::from(connections_max > 1) + u32::from(second.is_some());
        let link = Link { answered_in: Some(first.answered_in), ..Link::new(door, connections_max - own) };
        if connections_max > 1 {
            link.spares.give_back(Held::Own(Box::new(first.connection)), 0);
        }
        if let Some(second) = second {
            link.await_second(second);
        }
        link
    }

    /// How long the first answer took, where a connection was open from the beginning.
    pub fn answered_in(&self) -> Option<Duration> {
        self.answered_in
    }

    /// Takes the second connection in when it comes. If it does not, that is told to the next one who needs one.
    fn await_second(&self, second: Second) {
        self.spares.opening.store(true, Release);
        let spares = Arc::clone(&self.spares);
        tokio::spawn(async move {
            if let Ok(Ok(opened)) = second.await {
                spares.give_back(Held::Own(Box::new(opened.connection)), 0);
            }
            spares.opening.store(false, Release);
            spares.own_is_back.notify_waiters();
            spares.own_is_back.notify_one();
        });
    }

    /// Drops all connections and begins with none. Those that are lent out go when their operation ends.
    pub fn renew(&self) {
        self.spares.renew();
        let mut pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        *pool = self.door.pool(self.connections_max);
    }

    pub async fn lease(&self, operation: &'static str) -> Result<Lease, StoreError> {
        let lease = |held, generation| Lease {
            held: Some(held),
            spares: Arc::clone(&self.spares),
            generation,
            operation,
            silence: self.door.silence,
        };
        let waiting = match Spares::take_or_wait(&self.spares) {
            Ok((held, generation)) => return Ok(lease(held, generation)),
            Err(waiting) => waiting,
        };
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut acquiring = Box::pin(pool.acquire());
        let mut has_begun = false;
        let acquired = loop {
            // Listening begins before the look, so that nobody misses the end of an opening.
            let mut back = std::pin::pin!(self.spares.own_is_back.notified());
            back.as_mut().enable();
            let is_opening = self.spares.opening.load(Acquire);
            has_begun |= !is_opening;
            tokio::select! {
                acquired = &mut acquiring, if !is_opening => break acquired,
                () = back => {
                    if let Some((held, generation)) = self.spares.take() {
                        if has_begun {
                            self.spares.expect(acquiring, waiting.generation);
                        }
                        return Ok(lease(held, generation));
                    }
                }
            }
        };
        match acquired {
            Ok(connection) => Ok(lease(Held::Pooled(connection), waiting.generation)),
            Err(sqlx::Error::PoolTimedOut) => Err(self.why_none(operation).await),
            Err(error) => Err(self.door.refused(&error)),
        }
    }

    /// A connection that lies ready. Where none does, one is opened for the next who asks, and nobody waits for it: a
    /// server may have none to give.
    pub fn ready(&self, operation: &'static str) -> Option<Lease> {
        let Some((held, generation)) = self.spares.take_trusted() else {
            self.open_one_more();
            return None;
        };
        let (spares, silence) = (Arc::clone(&self.spares), self.door.silence);
        Some(Lease { held: Some(held), spares, generation, operation, silence })
    }

    fn open_one_more(&self) {
        if self.spares.readying.swap(true, AcqRel) {
            return;
        }
        let (spares, generation) = (Arc::clone(&self.spares), self.spares.shelf().generation);
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner).clone();
        tokio::spawn(async move {
            if let Ok(connection) = pool.acquire().await {
                spares.give_back(Held::Pooled(connection), generation);
            }
            spares.readying.store(false, Release);
        });
    }

    /// The pool hides why it could not connect; one attempt by ourselves tells.
    async fn why_none(&self, operation: &'static str) -> StoreError {
        match self.door.open().await {
            Err(refusal) => refusal,
            Ok(spare) => {
                let _ = spare.connection.close().await;
                StoreError::new(Kind::Busy, operation, "all connections are in use")
            }
        }
    }
}

/// A connection, of the pool or opened beside it.
enum Held {
    Pooled(PoolConnection<sqlx::Postgres>),
    Own(Box<PgConnection>),
}

impl Held {
    /// Without a word: the pool's own way of closing, and of taking back, needs a runtime, which may have ended.
    fn close(self) {
        match self {
            Held::Pooled(connection) => drop(connection.detach()),
            Held::Own(connection) => drop(connection),
        }
    }
}

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Held::Pooled(connection) => connection,
            Held::Own(connection) => connection,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Held::Pooled(connection) => connection,
            Held::Own(connection) => connection,
        }
    }
}

/// Connections that came back a moment ago.
#[derive(Default)]
struct Spares {
    shelf: Mutex<Shelf>,
    /// Those who wait for the pool would not see a connection that is not of the pool.
    own_is_back: Notify,
    /// One of our own is being opened: it will be there sooner than one that the pool would open now.
    opening: AtomicBool,
    /// One is being opened that nobody waits for.
    readying: AtomicBool,
}

#[derive(Default)]
struct Shelf {
    held: Vec<(Held, Instant)>,
    /// Those who wait for the pool: to them a connection that comes back is given through the pool.
    waiting: usize,
    /// Connections of an earlier generation are not taken back.
    generation: u64,
}

impl Spares {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, or a place among those who wait.
    fn take_or_wait(spares: &Arc<Spares>) -> Result<(Held, u64), Waiting> {
        let mut shelf = spares.shelf();
        let generation = shelf.generation;
        match shelf.held.pop() {
            Some((held, since)) if since.elapsed() < TRUSTED_IDLE => Ok((held, generation)),
            _ => {
                // The others lie there for longer still; the pool asks them whether they live.
                shelf.held.clear();
                shelf.waiting += 1;
                Err(Waiting { spares: Arc::clone(spares), generation })
            }
        }
    }

    fn take(&self) -> Option<(Held, u64)> {
        let mut shelf = self.shelf();
        let generation = shelf.generation;
        shelf.held.pop().map(|(held, _)| (held, generation))
    }

    /// One that came back so lately that it need not be asked whether it lives.
    fn take_trusted(&self) -> Option<(Held, u64)> {
        let mut shelf = self.shelf();
        let generation = shelf.generation;
        let (held, _) = shelf.held.pop_if(|(_, since)| since.elapsed() < TRUSTED_IDLE)?;
        Some((held, generation))
    }

    /// Keeps a connection that nobody waits for any more as soon as it comes: given up in the midst of being opened, it
    /// would have to be opened anew for the next one who needs it.
    fn expect(
        self: &Arc<Spares>,
        acquiring: impl Future<Output = Result<PoolConnection<sqlx::Postgres>, sqlx::Error>> + Send + 'static,
        generation: u64,
    ) {
        let spares = Arc::clone(self);
        tokio::spawn(async move {
            // Why none came is told to the next one who needs one.
            if let Ok(connection) = acquiring.await {
                spares.give_back(Held::Pooled(connection), generation);
            }
        });
    }

    fn give_back(&self, held: Held, generation: u64) {
        let mut shelf = self.shelf();
        match held {
            stale if shelf.generation != generation => stale.close(),
            Held::Pooled(connection) if shelf.waiting > 0 => drop(connection),
            held => {
                shelf.held.push((held, Instant::now()));
                if shelf.waiting > 0 {
                    self.own_is_back.notify_one();
                }
            }
        }
    }

    fn renew(&self) {
        let mut shelf = self.shelf();
        shelf.generation += 1;
        shelf.held.drain(..).for_each(|(held, _)| held.close());
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.held.drain(..).for_each(|(held, _)| held.close());
    }
}

/// One who waits for the pool, until the value is dropped.
struct Waiting {
    spares: Arc<Spares>,
    generation: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.spares.shelf().waiting -= 1;
    }
}

/// A connection for the time of one operation. It comes back by [`Lease::release`] alone: after an error, or when the
/// future of the operation was dropped half way, nobody knows what is still on the wire, and it is closed.
pub struct Lease {
    held: Option<Held>,
    spares: Arc<Spares>,
    generation: u64,
    operation: &'static str,
    silence: Duration,
}

/// How long an operation waits for the next word of the server.
#[derive(Clone, Copy)]
pub struct Deadline {
    operation: &'static str,
    silence: Duration,
}

impl Deadline {
    pub async fn keep<T>(self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.silence, answer).await {
            Ok(answer) => answer.map_err(|e| classify(self.operation, &e)),
            Err(_) => Err(StoreError::new(
                Kind::Unreachable,
                self.operation,
                format!(
                    "the connection is dead: not a word for {:?}, although the server gives up before",
                    self.silence
                ),
            )),
        }
    }
}

impl Lease {
    pub fn release(mut self) {
        if let Some(held) = self.held.take() {
            self.spares.give_back(held, self.generation);
        }
    }

    /// Runs statements that return nothing of interest; the rows that the last one affected.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, StoreError> {
        let _asked = ask(self.operation, sql);
        let deadline = self.deadline();
        let done = deadline.keep((**self).execute(sqlx::raw_sql(AssertSqlSafe(sql)))).await?;
        Ok(done.rows_affected())
    }

    /// All rows of a statement whose columns are all texts. For answers that are known to be small.
    pub async fn texts(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, StoreError> {
        let _asked = ask(self.operation, sql);
        let operation = self.operation;
        let rows = self.deadline().keep((**self).fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)))).await?;
        rows.iter().map(|row| text_row(row).map_err(|e| classify(operation, &e))).collect()
    }

    /// The same of several statements, in one round trip.
    pub async fn texts_of<const N: usize>(&mut self, statements: [String; N]) -> Result<[TextRows; N], StoreError> {
        let (operation, deadline) = (self.operation, self.deadline());
        let mut answers = [const { Vec::new() }; N];
        let mut place = 0;
        let mut stream = (**self).fetch_many(sqlx::raw_sql(AssertSqlSafe(statements.join("; "))));
        while let Some(item) = deadline.keep(stream.try_next()).await? {
            match item {
                // A statement has ended.
                Either::Left(_) => place += 1,
                Either::Right(row) => {
                    let row = text_row(&row).map_err(|e| classify(operation, &e))?;
                    if let Some(rows) = answers.get_mut(place) {
                        rows.push(row);
                    }
                }
            }
        }
        Ok(answers)
    }

    pub fn operation(&self) -> &'static str {
        self.operation
    }

    pub fn deadline(&self) -> Deadline {
        Deadline { operation: self.operation, silence: self.silence }
    }
}

/// Rows whose columns are all texts.
pub type TextRows = Vec<Vec<Option<String>>>;

fn text_row(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len()).map(|index| row.try_get_unchecked::<Option<String>, _>(index)).collect()
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.held.as_deref().expect("only release takes the connection, and release takes the lease")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.held.as_deref_mut().expect("only release takes the connection, and release takes the lease")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(Held::Pooled(connection)) = &mut self.held {
            connection.close_on_drop();
        }
    }
}
