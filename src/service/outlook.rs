//! How a service stood when somebody looked, to know later whether that still holds: configurations, executions, decisions
//! and schedules, as far as this process changes them.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{Scheduled, Schedules, Service};

#[derive(Clone)]
pub struct Outlook {
    changes: watch::Receiver<()>,
    schedules: watch::Receiver<BTreeMap<String, Scheduled>>,
}

impl Outlook {
    pub(crate) fn new(changes: watch::Receiver<()>, schedules: &Schedules) -> Outlook {
        Outlook { changes, schedules: schedules.changes() }
    }

    /// Nothing has changed since.
    pub fn is_as_before(&self) -> bool {
        // A service that is gone stands no more.
        !self.changes.has_changed().unwrap_or(true) && !self.schedules.has_changed().unwrap_or(true)
    }
}

impl Service {
    pub fn outlook(&self) -> Outlook {
        Outlook::new(self.changes(), &self.schedules)
    }
}
