//! Conflicts that wait for a person, counted anew for whoever scrapes: what a command line or another process decided is
//! known to the state alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Service;
use crate::settings::SyncSettings;
use crate::tally::count_conflicts;

/// Nobody scrapes much oftener, and whoever does costs the state no more.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// When they were counted last.
#[derive(Default)]
pub struct Recount {
    last: Mutex<Option<Instant>>,
}

impl Recount {
    /// Whether it is time. Whoever is told so counts.
    fn is_due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() >= COUNT_EVERY);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

impl Service {
    /// The syncs whose conflicts are to be counted now: those that merge, unless that was done a moment ago.
    pub fn to_recount(&self) -> Vec<Arc<SyncSettings>> {
        let configurations = self.configurations();
        let usable = configurations.iter().filter_map(|configuration| configuration.usable().ok());
        let merging: Vec<_> = usable.filter(|sync| sync.enabled && sync.merges()).collect();
        if merging.is_empty() || !self.recount.is_due() { Vec::new() } else { merging }
    }

    /// Tells how many conflicts of these wait.
    pub async fn recount(&self, syncs: Vec<Arc<SyncSettings>>) {
        for settings in syncs {
            match self.archive.state(&settings.state).await {
                Ok(state) => count_conflicts(&settings, &state).await,
                Err(error) => tracing::warn!(sync = %settings.name, %error, "conflicts that wait could not be counted"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_scrapes_more_often_than_that_is_told_the_last_count() {
        let recount = Recount::default();
        assert_eq!([recount.is_due(), recount.is_due()], [true, false]);
        tokio::time::advance(COUNT_EVERY).await;
        assert_eq!([recount.is_due(), recount.is_due()], [true, false]);
    }
}
