//! What is known of the schedules of a service: when each sync runs next, and which are paused. Written by the
//! [`crate::scheduler`], and by whoever pauses or resumes a sync.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

/// The schedule of one sync, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Scheduled {
    /// RFC 3339, in UTC; null while it is at work, waits for its turn, or is paused.
    pub next_run_at: Option<String>,
    /// Null where it is not paused.
    pub paused: Option<Pause>,
}

/// A sync that runs by its schedule no more until somebody resumes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pause {
    /// RFC 3339, in UTC.
    pub since: String,
    /// Cycles that failed in a row; 0 where somebody paused it.
    pub failures: u32,
    pub reason: String,
}

/// By the name of the sync.
pub struct Schedules {
    all: watch::Sender<BTreeMap<String, Scheduled>>,
}

impl Default for Schedules {
    fn default() -> Schedules {
        Schedules { all: watch::Sender::new(BTreeMap::new()) }
    }
}

impl Schedules {
    /// None of a sync without a schedule.
    pub fn of(&self, sync: &str) -> Option<Scheduled> {
        self.all.borrow().get(sync).cloned()
    }

    pub(super) fn changes(&self) -> watch::Receiver<BTreeMap<String, Scheduled>> {
        self.all.subscribe()
    }

    /// Pauses a sync. False where it has no schedule, or is paused already.
    pub fn pause(&self, sync: &str, pause: Pause) -> bool {
        self.change(sync, |scheduled| {
            let is_new = scheduled.paused.is_none();
            scheduled.paused.get_or_insert(pause);
            is_new
        })
    }

    /// False where it has no schedule, or is not paused.
    pub fn resume(&self, sync: &str) -> bool {
        self.change(sync, |scheduled| scheduled.paused.take().is_some())
    }

    /// A sync has a schedule from now on. One that was changed is not paused any more: somebody has looked at it.
    pub(crate) fn enter(&self, sync: &str) {
        self.all.send_modify(|all| drop(all.insert(sync.to_owned(), Scheduled::default())));
    }

    pub(crate) fn leave(&self, sync: &str) {
        self.all.send_modify(|all| drop(all.remove(sync)));
    }

    pub(crate) fn next_run(&self, sync: &str, at: Option<Timestamp>) {
        self.change(sync, |scheduled| {
            scheduled.next_run_at = at.map(|at| at.to_string());
            false
        });
    }

    /// Until a sync is paused.
    pub(crate) async fn paused(&self, sync: &str) {
        self.until(sync, true).await;
    }

    /// Until a sync is not paused.
    pub(crate) async fn resumed(&self, sync: &str) {
        self.until(sync, false).await;
    }

    async fn until(&self, sync: &str, is_paused: bool) {
        let stands = |all: &BTreeMap<String, Scheduled>| {
            all.get(sync).is_some_and(|scheduled| scheduled.paused.is_some()) == is_paused
        };
        // The sender is this value.
        let _ = self.all.subscribe().wait_for(stands).await;
    }

    /// What the change says of itself; false where the sync has no schedule.
    fn change(&self, sync: &str, change: impl FnOnce(&mut Scheduled) -> bool) -> bool {
        let mut changed = false;
        self.all.send_modify(|all| changed = all.get_mut(sync).is_some_and(change));
        changed
    }
}
