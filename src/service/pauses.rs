//! Pausing the schedule of a sync: kept in the state of the sync, so that the next process knows it, and then told to whoever
//! waits for it in this one.

use std::sync::Arc;

use super::{Configuration, Pause, Service};
use crate::problem::Problem;
use crate::settings::StateSettings;
use crate::state::{State, StateError, StoredPause};

impl Service {
    /// Pauses the schedule of a sync. False where it has none, or is paused already.
    ///
    /// # Errors
    /// When it cannot be kept; then it is not paused.
    pub async fn pause(&self, configuration: &Configuration, pause: Pause) -> Result<bool, Problem> {
        let (sync, state) = (&configuration.name, self.state_of(configuration).await?);
        let _turn = self.decisions.turn(sync).await;
        if self.schedules.of(sync).is_none_or(|scheduled| scheduled.paused.is_some()) {
            return Ok(false);
        }
        state.keep_pause(sync, &stored(&pause)).await?;
        Ok(self.schedules.pause(sync, pause))
    }

    /// Lets a sync run by its schedule again. False where it is not paused.
    ///
    /// # Errors
    /// When the pause cannot be taken out of the state; then it stays paused.
    pub async fn resume(&self, configuration: &Configuration) -> Result<bool, Problem> {
        let (sync, state) = (&configuration.name, self.state_of(configuration).await?);
        let _turn = self.decisions.turn(sync).await;
        if self.schedules.of(sync).is_none_or(|scheduled| scheduled.paused.is_none()) {
            return Ok(false);
        }
        state.end_pause(sync).await?;
        Ok(self.schedules.resume(sync))
    }

    /// Pauses a sync that failed too often. Where it cannot be kept, the pause ends with this process.
    pub(crate) async fn pause_failing(&self, sync: &str, state: &StateSettings, pause: Pause) {
        self.schedules.pause(sync, pause.clone());
        let kept = async { self.archive.state(state).await?.keep_pause(sync, &stored(&pause)).await };
        if let Err(error) = kept.await {
            tracing::warn!(sync, %error, "the pause is not kept, and ends with this process");
        }
    }

    /// Takes over a pause that an earlier process kept.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub(crate) async fn recall_pause(&self, sync: &str, state: &StateSettings) -> Result<(), StateError> {
        if let Some(kept) = self.archive.state(state).await?.pause_of(sync).await? {
            let StoredPause { since, failures, reason } = kept;
            self.schedules.pause(sync, Pause { since, failures, reason });
        }
        Ok(())
    }

    /// A sync has another schedule, or none any more: somebody has looked at it.
    pub(crate) async fn forget_pause(&self, sync: &str, state: &StateSettings) {
        let forgotten = async { self.archive.state(state).await?.end_pause(sync).await };
        if let Err(error) = forgotten.await {
            tracing::warn!(sync, %error, "the pause is over, but a new process would not know it");
        }
    }

    async fn state_of(&self, configuration: &Configuration) -> Result<Arc<State>, Problem> {
        Ok(self.archive.state(&configuration.usable()?.state).await?)
    }
}

fn stored(pause: &Pause) -> StoredPause {
    StoredPause { since: pause.since.clone(), failures: pause.failures, reason: pause.reason.clone() }
}
