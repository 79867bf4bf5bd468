//! Named moments of a run, for the tests: a debug build can be held at one of them, so that it is known where a process
//! was when it was killed. A release build has nothing of this.

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
    TablesDone,
    KeysAdded,
    Recorded,
}

impl Phase {
    pub const ALL: [Phase; 15] = [
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

    /// The phase, and the how-manieth time it is reached: `ROWSYNC_HOLD_AT=BatchWritten:3`.
    static HOLD: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let hold = std::env::var("ROWSYNC_HOLD_AT").ok()?;
        let (phase, nth) = hold.split_once(':')?;
        Some((phase.to_owned(), nth.parse().ok()?))
    });
    static REACHED: AtomicU64 = AtomicU64::new(0);

    /// The thread stays for good: whoever holds a process ends it.
    pub(super) fn here(phase: Phase) {
        let Some((name, nth)) = &*HOLD else { return };
        if *name == format!("{phase:?}") && REACHED.fetch_add(1, Relaxed) + 1 == *nth {
            eprintln!("held at {name}");
            loop {
                std::thread::park();
            }
        }
    }
}
