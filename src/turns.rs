//! Whose turn it is among several syncs, by their names: not before those that it comes after, and so many at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Where a sync stands, as far as others wait for it. One that is not known keeps nobody waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Due,
    AtWork,
    /// Until its next cycle.
    Resting(Timestamp),
}

type Stands = BTreeMap<String, Stand>;

pub struct Turns {
    stands: watch::Sender<Stands>,
    free: Semaphore,
}

/// A sync's leave to be at work, until it is dropped.
pub struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

/// A sync leaves when this is dropped.
pub struct Leaving<'a> {
    turns: &'a Turns,
    name: String,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.turns.leave(&self.name);
    }
}

impl Turns {
    pub fn new(at_once: usize) -> Turns {
        Turns { stands: watch::Sender::default(), free: Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)) }
    }

    /// A sync is due, so that those that come after it wait.
    pub fn enter(&self, name: &str) {
        self.stand(name, Stand::Due);
    }

    /// Nobody waits for it any more.
    pub fn leave(&self, name: &str) {
        self.stands.send_modify(|stands| {
            stands.remove(name);
        });
    }

    pub fn leaving(&self, name: &str) -> Leaving<'_> {
        Leaving { turns: self, name: name.to_owned() }
    }

    /// Waits for the turn of a sync that was due at a moment.
    pub async fn take(&self, name: &str, after: &[String], due: Timestamp) -> Turn<'_> {
        self.stand(name, Stand::Due);
        let mut stands = self.stands.subscribe();
        loop {
            // The sender is ours, so this cannot fail.
            let _ = stands.wait_for(|stands| may_begin(after, due, stands)).await;
            let permit = self.free.acquire().await.expect("nobody closes the semaphore");
            // One that it comes after may have become due while it waited in line.
            if may_begin(after, due, &self.stands.borrow()) {
                self.stand(name, Stand::AtWork);
                return Turn { _permit: permit };
            }
        }
    }

    /// Its cycle has ended, and the next one is due then.
    pub fn rest(&self, name: &str, until: Timestamp) {
        self.stand(name, Stand::Resting(until));
    }

    fn stand(&self, name: &str, stand: Stand) {
        self.stands.send_modify(|stands| {
            stands.insert(name.to_owned(), stand);
        });
    }
}

/// One that is due at the same moment comes first, whoever looks at the clock first.
fn may_begin(after: &[String], due: Timestamp, stands: &Stands) -> bool {
    after.iter().all(|before| match stands.get(before) {
        Some(Stand::Due | Stand::AtWork) => false,
        Some(Stand::Resting(until)) => *until > due,
        None => true,
    })
}
