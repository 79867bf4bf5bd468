//! A lease: which process may write a sync. It is taken before the first write, put off by a task while the run lasts,
//! and given back at its end; one whose process is gone runs out by itself.
//!
//! It is no lock on the target: between the last look at it and the commit a process may still be suspended. A look
//! demands that a good part of the lease is left, so that this takes a suspension of just that moment.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rowsync_actors::leave::Leave;
use rowsync_engine::error::{Kind, StoreError};
use tokio_util::task::AbortOnDropHandle;

use crate::problem::Problem;
use crate::process::Process;
use crate::state::{Claim, Holder, Place, State, StateError};

/// Two renewals may fail before a lease runs out, and a commit may take a third of it.
const PARTS: u32 = 3;

/// The time of this machine. Unlike a stopwatch it goes on while the machine sleeps. Who holds a lease is decided by the
/// clock of the state; this one tells a holder how long it may still write, and counts from before it asked.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// Another process may write this sync.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.told())]
pub struct Held {
    sync: String,
    holder: Holder,
}

/// Why it is not known whether a lease is still held.
#[derive(Debug, thiserror::Error)]
enum RenewalError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the state does not answer")]
    Late,
}

/// Leave to write a sync, until it is given back.
pub struct Lease {
    term: Arc<Term>,
    renewing: AbortOnDropHandle<()>,
}

/// One execution's hold on its sync.
struct Term {
    state: Arc<State>,
    place: Place,
    execution_id: String,
    length: Duration,
    clock: Clock,
    /// In milliseconds since 1970.
    until: AtomicI64,
}

impl Lease {
    /// Takes the lease of a sync, and keeps it.
    ///
    /// # Errors
    /// When another process has it, or the state cannot be used.
    pub async fn take(
        state: Arc<State>,
        place: Place,
        execution_id: String,
        length: Duration,
        clock: Clock,
    ) -> Result<Lease, Problem> {
        let term = Term { state, place, execution_id, length, clock, until: AtomicI64::new(i64::MIN) };
        term.take(Process::own()).await?;
        let term = Arc::new(term);
        let renewing = AbortOnDropHandle::new(tokio::spawn(keep_renewing(Arc::clone(&term))));
        Ok(Lease { term, renewing })
    }

    pub fn leave(&self) -> Arc<dyn Leave> {
        Arc::clone(&self.term) as Arc<dyn Leave>
    }

    /// Lets the next process in.
    pub async fn give_back(self) {
        let Lease { term, renewing } = self;
        drop(renewing);
        // Whatever is still at work, because what led it panicked, asks the state from now on, and hears no.
        term.until.store(i64::MIN, Relaxed);
        if let Err(error) = term.state.end_lease(&term.place, &term.execution_id).await {
            tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
        }
    }
}

impl Term {
    async fn take(&self, process: Process) -> Result<(), Problem> {
        let now = (self.clock)();
        let claim = Claim { execution_id: &self.execution_id, process: &process, length: self.length, now };
        match self.state.claim_lease(&self.place, &claim, |holder| holder.is_gone(&process)).await? {
            Some(holder) => Err(Problem::Held(Box::new(Held { sync: self.place.sync.clone(), holder }))),
            None => {
                self.until.store((now + self.length).as_millisecond(), Relaxed);
                Ok(())
            }
        }
    }

    /// False where another process has taken the lease. One that ran out and that nobody took is as good as before.
    /// Whoever waits for an answer longer than until the next turn learns it too late.
    async fn renew(&self) -> Result<bool, RenewalError> {
        let now = (self.clock)();
        let renewing = self.state.renew_lease(&self.place, &self.execution_id, self.length, now);
        let held = tokio::time::timeout(self.length / PARTS, renewing).await.map_err(|_| RenewalError::Late)??;
        self.until.store(if held { (now + self.length).as_millisecond() } else { i64::MIN }, Relaxed);
        Ok(held)
    }

    fn has_enough_left(&self) -> bool {
        let enough = (self.clock)() + self.length / PARTS;
        enough.as_millisecond() < self.until.load(Relaxed)
    }
}

#[async_trait]
impl Leave for Term {
    async fn to_write(&self) -> Result<(), StoreError> {
        if self.has_enough_left() {
            return Ok(());
        }
        match self.renew().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(lost("another process has taken the lease of this sync")),
            Err(error) => Err(lost("the lease of this sync ran out and cannot be renewed").caused_by(error)),
        }
    }
}

fn lost(message: &str) -> StoreError {
    StoreError::new(Kind::LeaseLost, "write", message)
}

/// Until another process has the lease. What fails is tried again at the next turn; a lease that ran out meanwhile is
/// looked at before the next write.
async fn keep_renewing(term: Arc<Term>) {
    loop {
        tokio::time::sleep(term.length / PARTS).await;
        match term.renew().await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!("another process has taken the lease of this sync; nothing is written any more");
                return;
            }
            Err(error) => tracing::warn!(%error, "the lease of this sync could not be renewed"),
        }
    }
}

impl Held {
    fn told(&self) -> String {
        let Holder { process, since, until, .. } = &self.holder;
        format!(
            "sync `{}` is being written by process {} on host {} since {}\n  \
             wait until it is done, or end it; if it is gone already, its lease runs out by itself at {}",
            self.sync,
            process.number,
            process.host,
            Seconds(*since),
            Seconds(*until)
        )
    }
}

/// Parts of a second help nobody here.
struct Seconds(Timestamp);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::settings::StateSettings;

    /// A file that several processes share, with a clock that the test sets.
    struct World {
        folder: tempfile::TempDir,
        time: Arc<Mutex<Timestamp>>,
    }

    const LENGTH: Duration = Duration::from_secs(30);

    impl World {
        fn new() -> World {
            let time = Arc::new(Mutex::new(Timestamp::UNIX_EPOCH));
            World { folder: tempfile::tempdir().unwrap(), time }
        }

        async fn term(&self, execution_id: &str) -> Term {
            let time = Arc::clone(&self.time);
            Term {
                state: Arc::new(
                    State::open(&StateSettings::in_file(&self.folder.path().join("state.sqlite"))).await.unwrap(),
                ),
                place: Place { sync: "shop".into(), ends: "a -> b".into() },
                execution_id: execution_id.into(),
                length: LENGTH,
                clock: Arc::new(move || *time.lock().unwrap()),
                until: AtomicI64::new(i64::MIN),
            }
        }

        fn pass(&self, seconds: u64) {
            *self.time.lock().unwrap() += Duration::from_secs(seconds);
        }
    }

    fn on(host: &str) -> Process {
        Process { host: host.into(), machine: Some(host.into()), number: 4711, began: Some(1) }
    }

    async fn may_write(term: &Term) -> bool {
        term.to_write().await.is_ok()
    }

    #[tokio::test]
    async fn a_lease_is_for_one_and_the_other_is_told_who_has_it_since_when() {
        let world = World::new();
        let (one, other) = (world.term("1").await, world.term("2").await);
        one.take(on("mill")).await.unwrap();
        world.pass(20);
        let problem = other.take(on("barn")).await.unwrap_err();
        assert_eq!(problem.exit(), crate::problem::Exit::Unreachable);
        assert_eq!(
            problem.to_string(),
            "sync `shop` is being written by process 4711 on host mill since 1970-01-01T00:00:00Z\n  \
             wait until it is done, or end it; if it is gone already, its lease runs out by itself at 1970-01-01T00:00:30Z"
        );
        assert!(may_write(&one).await && !may_write(&other).await);
    }

    /// Writers outlived their supervisor, and wrote beside the next process.
    #[tokio::test]
    async fn who_asks_for_leave_after_the_lease_was_given_back_gets_none() {
        let world = World::new();
        let term = Arc::new(world.term("1").await);
        term.take(on("mill")).await.unwrap();
        let lease = Lease { term, renewing: AbortOnDropHandle::new(tokio::spawn(std::future::pending())) };
        let leave = lease.leave();
        leave.to_write().await.unwrap();
        lease.give_back().await;
        assert_eq!(leave.to_write().await.unwrap_err().kind, Kind::LeaseLost);
    }

    #[tokio::test]
    async fn a_lease_that_was_given_back_is_free_at_once() {
        let world = World::new();
        let (one, other) = (world.term("1").await, world.term("2").await);
        one.take(on("mill")).await.unwrap();
        one.state.end_lease(&one.place, &one.execution_id).await.unwrap();
        other.take(on("barn")).await.unwrap();
    }

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_runs_out_and_its_old_holder_may_never_write_again() {
        let world = World::new();
        let (one, other) = (world.term("1").await, world.term("2").await);
        one.take(on("mill")).await.unwrap();
        world.pass(LENGTH.as_secs() - 1);
        assert!(other.take(on("barn")).await.is_err());
        world.pass(1);
        other.take(on("barn")).await.unwrap();
        assert_eq!(one.to_write().await.unwrap_err().kind, Kind::LeaseLost);
        assert!(!one.renew().await.unwrap());
        // Nor when the new holder is done, since the rows are no longer those that were compared.
        other.state.end_lease(&other.place, &other.execution_id).await.unwrap();
        assert!(!may_write(&one).await);
    }

    #[tokio::test]
    async fn a_renewed_lease_does_not_run_out() {
        let world = World::new();
        let (one, other) = (world.term("1").await, world.term("2").await);
        one.take(on("mill")).await.unwrap();
        for _ in 0..9 {
            world.pass(10);
            assert!(one.renew().await.unwrap() && other.take(on("barn")).await.is_err());
        }
    }

    #[tokio::test]
    async fn who_slept_through_the_lease_goes_on_where_nobody_took_it() {
        let world = World::new();
        let (one, other) = (world.term("1").await, world.term("2").await);
        one.take(on("mill")).await.unwrap();
        world.pass(3600);
        assert!(may_write(&one).await);
        assert!(other.take(on("barn")).await.is_err());
    }

    #[tokio::test]
    async fn a_look_before_a_write_leaves_time_for_the_commit() {
        let world = World::new();
        let one = world.term("1").await;
        one.take(on("mill")).await.unwrap();
        world.pass(21);
        assert!(may_write(&one).await);
        world.pass(29);
        assert!(one.until.load(Relaxed) > (one.clock)().as_millisecond(), "the first look renewed the lease");
    }

    #[tokio::test]
    async fn of_many_that_begin_at_once_on_a_new_state_one_gets_the_lease() {
        let world = World::new();
        let claim = async |number: usize| {
            let term = world.term(&number.to_string()).await;
            term.take(on(&format!("host {number}"))).await.is_ok()
        };
        let taken = tokio::join!(claim(0), claim(1), claim(2), claim(3), claim(4), claim(5));
        let taken = <[bool; 6]>::from(taken);
        assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_process_of_this_machine_that_is_gone_is_replaced_at_once() {
        let world = World::new();
        let (one, other) = (world.term("1").await, world.term("2").await);
        let own = Process::own();
        // The same number, but another beginning.
        one.take(Process { began: own.began.map(|began| began - 1), ..own.clone() }).await.unwrap();
        other.take(own.clone()).await.unwrap();
        assert!(one.take(own).await.is_err(), "this process lives");
    }
}
