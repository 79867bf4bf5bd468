//! Named moments of a run, for the tests: a debug build can be held at one of them, so that it is known where a process
//! was when it was killed, or panics there. A release build has nothing of this.

/// In the order in which a run comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    TablesMade,
    Counted,
    Planned,
    BatchBegun,
    BatchWritten,
    BatchCommitted,
    Copied,
    Compared,
    DeletesWait,
    Deleting,
    Deleted,
    Proven,
    /// The keeper of a table is done with a pass.
    TableStands,
    /// The supervisor is done with the first walk.
    Walked,
    TablesDone,
    KeysAdded,
    Recorded,
}

impl Phase {
    pub const ALL: [Phase; 17] = [
        Phase::TablesMade,
        Phase::Counted,
        Phase::Planned,
        Phase::BatchBegun,
        Phase::BatchWritten,
        Phase::BatchCommitted,
        Phase::Copied,
        Phase::Compared,
        Phase::DeletesWait,
        Phase::Deleting,
        Phase::Deleted,
        Phase::Proven,
        Phase::TableStands,
        Phase::Walked,
        Phase::TablesDone,
        Phase::KeysAdded,
        Phase::Recorded,
    ];

    /// Says that a run is there; it stays where a test wants it to.
    pub fn reached(self) {
        #[cfg(debug_assertions)]
        hold::here(self);
    }
}

#[cfg(debug_assertions)]
mod hold {
    use std::sync::LazyLock;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;

    use super::Phase;

    static HOLD: LazyLock<Option<Spot>> = LazyLock::new(|| Spot::read("ROWSYNC_HOLD_AT"));
    static PANIC: LazyLock<Option<Spot>> = LazyLock::new(|| Spot::read("ROWSYNC_PANIC_AT"));

    /// The phase, and the how-manieth time it is reached: `BatchWritten:3`.
    struct Spot {
        phase: String,
        nth: u64,
        reached: AtomicU64,
    }

    impl Spot {
        fn read(variable: &str) -> Option<Spot> {
            let spot = std::env::var(variable).ok()?;
            let (phase, nth) = spot.split_once(':')?;
            Some(Spot { phase: phase.to_owned(), nth: nth.parse().ok()?, reached: AtomicU64::new(0) })
        }

        fn is(&self, phase: Phase) -> bool {
            self.phase == format!("{phase:?}") && self.reached.fetch_add(1, Relaxed) + 1 == self.nth
        }
    }

    /// The thread stays for good: whoever holds a process ends it.
    pub(super) fn here(phase: Phase) {
        if HOLD.as_ref().is_some_and(|spot| spot.is(phase)) {
            eprintln!("held at {phase:?}");
            loop {
                std::thread::park();
            }
        }
        assert!(!PANIC.as_ref().is_some_and(|spot| spot.is(phase)), "as the test wants it, at {phase:?}");
    }
}
