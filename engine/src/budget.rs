//! The bytes that all tables together may hold between reading and writing.
//!
//! A piece of work takes one [`Permit`] for the most it may hold, once and whole, before it starts; when it knows what
//! it really holds it settles the permit to that. The permit rides with the rows and is freed when they are written or
//! dropped. Nobody waits for a permit while holding one that only he can free: two tables that each held a part and
//! waited for the rest would wait for ever.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// A shared number of bytes.
#[derive(Clone, Debug)]
pub struct Budget {
    inner: Arc<Inner>,
}

/// Told of each change of what is held, in bytes; from any thread, so a sum has to be made of it.
pub type Watcher = Box<dyn Fn(i64) + Send + Sync>;

struct Inner {
    free: Semaphore,
    bytes_max: usize,
    watcher: Watcher,
    /// Bytes held beyond the budget, because a single row was larger than the permit of its page.
    debt: Mutex<usize>,
}

impl Budget {
    pub fn new(bytes_max: NonZeroUsize) -> Budget {
        Budget::watched(bytes_max, Box::new(|_| {}))
    }

    /// With somebody who is told what is held.
    pub fn watched(bytes_max: NonZeroUsize, watcher: Watcher) -> Budget {
        let bytes_max = bytes_max.get().min(Semaphore::MAX_PERMITS);
        Budget { inner: Arc::new(Inner { free: Semaphore::new(bytes_max), bytes_max, watcher, debt: Mutex::new(0) }) }
    }

    pub fn bytes_max(&self) -> usize {
        self.inner.bytes_max
    }

    /// Bytes that nobody holds.
    pub fn bytes_free(&self) -> usize {
        self.inner.free.available_permits()
    }

    /// Waits until so many bytes are free, first come first served, and holds them. More than the whole budget is cut
    /// down to it, so that no request waits for ever.
    pub async fn take(&self, bytes: usize) -> Permit {
        let bytes = bytes.min(self.inner.bytes_max).min(u32::MAX as usize);
        let permit = self.inner.free.acquire_many(bytes as u32).await.expect("the semaphore is never closed");
        permit.forget();
        (self.inner.watcher)(bytes as i64);
        Permit { inner: Arc::clone(&self.inner), bytes }
    }
}

/// Bytes that are held; freed on drop.
#[derive(Debug)]
pub struct Permit {
    inner: Arc<Inner>,
    bytes: usize,
}

impl Permit {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sets what is held to what it really is, without waiting. What is more than was taken becomes a debt that is
    /// paid before anything is free again.
    pub fn settle(&mut self, bytes: usize) {
        if bytes <= self.bytes {
            self.inner.release(self.bytes - bytes);
        } else {
            self.inner.borrow(bytes - self.bytes);
        }
        self.bytes = bytes;
    }

    /// Takes over what another permit holds.
    pub fn merge(&mut self, mut other: Permit) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.inner.release(self.bytes);
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { free, bytes_max, debt, .. } = self;
        f.debug_struct("Inner").field("free", free).field("bytes_max", bytes_max).field("debt", debt).finish()
    }
}

impl Inner {
    fn release(&self, bytes: usize) {
        (self.watcher)(-(bytes as i64));
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = bytes.min(*debt);
        *debt -= paid;
        self.free.add_permits(bytes - paid);
    }

    fn borrow(&self, bytes: usize) {
        (self.watcher)(bytes as i64);
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        let covered = self.free.forget_permits(bytes);
        *debt += bytes - covered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn budget(bytes: usize) -> Budget {
        Budget::new(NonZeroUsize::new(bytes).unwrap())
    }

    fn now<F: Future>(future: F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn the_watcher_hears_of_all_that_is_held_debts_too() {
        let held = Arc::new(std::sync::atomic::AtomicI64::new(0));
        let sum = Arc::clone(&held);
        let watcher = Box::new(move |bytes| {
            sum.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        });
        let budget = Budget::watched(NonZeroUsize::new(100).unwrap(), watcher);
        let held = || held.load(std::sync::atomic::Ordering::Relaxed);
        let mut one = now(budget.take(60)).unwrap();
        let mut other = now(budget.take(40)).unwrap();
        one.settle(130);
        assert_eq!(held(), 170);
        other.settle(10);
        other.merge(one);
        assert_eq!(held(), 140);
        drop(other);
        assert_eq!(held(), 0);
    }

    #[test]
    fn a_permit_is_freed_when_it_is_settled_or_dropped() {
        let budget = budget(100);
        let mut permit = now(budget.take(80)).unwrap();
        assert!(now(budget.take(30)).is_none());
        permit.settle(10);
        assert_eq!(budget.bytes_free(), 90);
        drop(permit);
        assert_eq!(budget.bytes_free(), 100);
    }

    #[test]
    fn a_row_larger_than_its_permit_is_a_debt_that_is_paid_first() {
        let budget = budget(100);
        let mut permit = now(budget.take(60)).unwrap();
        permit.settle(250);
        assert_eq!(budget.bytes_free(), 0);
        permit.settle(120);
        assert_eq!(budget.bytes_free(), 0);
        drop(permit);
        assert_eq!(budget.bytes_free(), 100);
    }

    #[test]
    fn more_than_the_whole_budget_does_not_wait_for_ever() {
        assert_eq!(now(budget(10).take(1_000)).unwrap().bytes(), 10);
    }

    proptest! {
        #[test]
        fn all_bytes_come_back(steps in prop::collection::vec((0usize..80, 0usize..200), 1..40)) {
            let budget = budget(300);
            let mut held: Option<Permit> = None;
            for (take, settle) in steps {
                if let Some(mut permit) = now(budget.take(take)) {
                    permit.settle(settle);
                    match &mut held { Some(held) if settle % 3 != 0 => held.merge(permit), _ => held = Some(permit) }
                }
            }
            drop(held);
            prop_assert_eq!(budget.bytes_free(), 300);
        }
    }
}
