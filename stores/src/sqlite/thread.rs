//! Threads that own connections. SQLite calls block, so they never run on the runtime's own threads.
//!
//! A job is short and leaves nothing behind, so that two tables never block each other for long. Nobody waits for a
//! place in the channel while blocking: a place is a permit of a semaphore, waited for the async way, and rides in the
//! job until the job is done. So the channel always has room for a job that holds one, plus one place more for the word
//! that ends a transaction, which has to be said even where nothing can be awaited: when a future is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use rowsync_engine::error::{Kind, StoreError};
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

/// Jobs that are waiting or running on one set of threads; further callers wait without taking any memory.
const JOBS_MAX: usize = 32;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A few threads, each with a connection of its own, that take jobs from one channel. They end when this is dropped and
/// the last job is done.
pub struct Threads {
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
}

/// Whoever asked for a job. A long job looks now and then whether the answer is still wanted.
pub struct Caller<'a> {
    has_left: &'a dyn Fn() -> bool,
}

impl Caller<'_> {
    /// # Errors
    /// When nobody waits for the answer any more, so that the job may end at once.
    pub fn still_waits(&self) -> Result<(), StoreError> {
        if (self.has_left)() {
            return Err(StoreError::new(Kind::Timeout, "read", "nobody waits for the answer any more"));
        }
        Ok(())
    }
}

impl Threads {
    /// One thread for each connection.
    pub fn start(name: &str, connections: Vec<Connection>) -> Result<Threads, StoreError> {
        let (jobs, work) = bounded::<Job>(JOBS_MAX + 1);
        for connection in connections {
            let work = work.clone();
            std::thread::Builder::new()
                .name(format!("sqlite-{name}"))
                .spawn(move || serve(&work, connection))
                .map_err(|error| StoreError::new(Kind::Full, "connect", "no thread to be had").caused_by(error))?;
        }
        Ok(Threads { jobs, places: Arc::new(Semaphore::new(JOBS_MAX)) })
    }

    /// Runs a job on one of the threads. Dropping the future drops the answer; a job that has not begun is left out.
    pub async fn call<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &Caller<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| gone())?;
        let (answer, answered) = oneshot::channel();
        let span = tracing::Span::current();
        self.send(Box::new(move |connection| {
            let _asked_from = span.enter();
            if !answer.is_closed() {
                let result = run(connection, &Caller { has_left: &|| answer.is_closed() }, job);
                let _ = answer.send(result);
            }
            drop(place);
        }))?;
        answered.await.map_err(|_| gone())?
    }

    /// Puts the word that ends a transaction behind what is already asked. At most one at a time is on its way, since
    /// transactions take turns and the next turn comes when this job has run.
    pub fn last_word(&self, job: impl FnOnce(&mut Connection) + Send + 'static) {
        if let Err(error) = self.send(Box::new(job)) {
            tracing::error!(error = %error, "a transaction was not ended");
        }
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        debug_assert!(!self.jobs.is_full(), "every job holds a place");
        self.jobs.try_send(job).map_err(|_| gone())
    }
}

fn serve(work: &Receiver<Job>, mut connection: Connection) {
    for job in work {
        // The answer of a job that panics is given in `run`; this is for the last words.
        if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
            tracing::error!("a job of SQLite panicked");
        }
    }
}

fn run<T>(
    connection: &mut Connection,
    caller: &Caller<'_>,
    job: impl FnOnce(&mut Connection, &Caller<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // A connection is whole again once its statements are reset, which dropping them does.
    catch_unwind(AssertUnwindSafe(|| job(connection, caller)))
        .unwrap_or_else(|_| Err(StoreError::new(Kind::Panic, "read", "a job of the SQLite adapter panicked")))
}

fn gone() -> StoreError {
    StoreError::new(Kind::Bug, "read", "the thread of the SQLite adapter is gone")
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    use super::*;

    fn threads(count: usize) -> Threads {
        Threads::start("test", (0..count).map(|_| Connection::open_in_memory().unwrap()).collect()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_the_thread_lives_on() {
        let threads = threads(1);
        let error = threads.call(|_, _| -> Result<(), StoreError> { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(error.kind, Kind::Panic);
        assert_eq!(threads.call(|_, _| Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn more_callers_than_places_all_get_their_answer() {
        let threads = Arc::new(threads(2));
        let calls: Vec<_> = (0..JOBS_MAX * 4)
            .map(|i| {
                let threads = Arc::clone(&threads);
                tokio::spawn(async move { threads.call(move |_, _| Ok(i)).await })
            })
            .collect();
        for (i, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap().unwrap(), i);
        }
    }

    #[tokio::test]
    async fn a_job_whose_caller_has_left_before_it_began_is_left_out() {
        let threads = threads(1);
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let (ran, has_run) = std::sync::mpsc::channel::<()>();
        let blocker = threads.call(move |_, _| Ok(gate.recv().is_ok()));
        let left = threads.call(move |_, _| Ok(ran.send(()).is_ok()));
        let mut blocker = Box::pin(blocker);
        let mut left = Box::pin(left);
        poll_fn(|context| {
            assert!(blocker.as_mut().poll(context).is_pending());
            assert!(left.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(left);
        go.send(()).unwrap();
        assert!(blocker.await.unwrap());
        threads.call(|_, _| Ok(())).await.unwrap();
        assert!(has_run.try_recv().is_err());
    }
}
