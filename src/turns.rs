//! Whose turn it is among several syncs: not before those that it comes after, and so many at once.

use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Where a sync stands, as far as others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Due,
    AtWork,
    /// Until its next cycle.
    Resting(Timestamp),
    Gone,
}

pub struct Turns {
    stands: watch::Sender<Vec<Stand>>,
    /// For each sync, those that it comes after.
    after: Vec<Vec<usize>>,
    free: Semaphore,
}

/// A sync's leave to be at work, until it is dropped.
pub struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

/// Nobody waits for a sync any more once this is dropped.
pub struct Leaving<'a> {
    turns: &'a Turns,
    place: usize,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.turns.stand(self.place, Stand::Gone);
    }
}

impl Turns {
    /// All syncs are due.
    pub fn new(after: Vec<Vec<usize>>, at_once: usize) -> Turns {
        let stands = watch::Sender::new(vec![Stand::Due; after.len()]);
        Turns { stands, after, free: Semaphore::new(at_once) }
    }

    pub fn guard(&self, place: usize) -> Leaving<'_> {
        Leaving { turns: self, place }
    }

    /// Waits for the turn of a sync that was due at a moment.
    pub async fn take(&self, place: usize, due: Timestamp) -> Turn<'_> {
        self.stand(place, Stand::Due);
        let mut stands = self.stands.subscribe();
        loop {
            // The sender is ours, so this cannot fail.
            let _ = stands.wait_for(|stands| self.may_begin(place, due, stands)).await;
            let permit = self.free.acquire().await.expect("nobody closes the semaphore");
            // One that it comes after may have become due while it waited in line.
            if self.may_begin(place, due, &self.stands.borrow()) {
                self.stand(place, Stand::AtWork);
                return Turn { _permit: permit };
            }
        }
    }

    /// Its cycle has ended, and the next one is due then.
    pub fn rest(&self, place: usize, until: Timestamp) {
        self.stand(place, Stand::Resting(until));
    }

    /// One that is due at the same moment comes first, whoever looks at the clock first.
    fn may_begin(&self, place: usize, due: Timestamp, stands: &[Stand]) -> bool {
        self.after[place].iter().all(|before| match stands[*before] {
            Stand::Due | Stand::AtWork => false,
            Stand::Resting(until) => until > due,
            Stand::Gone => true,
        })
    }

    fn stand(&self, place: usize, stand: Stand) {
        self.stands.send_modify(|stands| stands[place] = stand);
    }
}
