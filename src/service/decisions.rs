//! People who decide about conflicts while the service runs their syncs: a decision and an execution of one sync never
//! meet, so that neither finds the other one's lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::{Refusal, Service};
use crate::conflicts::{self, Choice};
use crate::problem::Problem;
use crate::state::Conflict;

/// One at a time for each sync.
#[derive(Default)]
pub struct Decisions {
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Decisions {
    /// Waits for the decision in hand.
    pub async fn turn(&self, sync: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(sync.to_owned()).or_default())
        };
        turn.lock_owned().await
    }
}

impl Service {
    /// Writes to both sides what somebody decided about a conflict. An execution that begins meanwhile waits for it.
    ///
    /// # Errors
    /// When the sync is at work or cannot run, the conflict is not as it was shown, or a database refuses.
    pub async fn decide(
        &self,
        configuration: &str,
        number: i64,
        choice: &Choice,
        changed_at: Option<&str>,
    ) -> Result<Conflict, Problem> {
        let configuration =
            self.configuration(configuration).ok_or_else(|| Refusal::Unknown(configuration.to_owned()))?;
        let (sync, settings) = (&configuration.name, configuration.usable()?);
        let _turn = self.decisions.turn(sync).await;
        if self.is_stopping() {
            return Err(Refusal::Stopping.into());
        }
        let running = self.books().running_of(sync).map(|running| running.id);
        if let Some(execution_id) = running {
            return Err(Refusal::Running { sync: sync.clone(), execution_id }.into());
        }
        let resolved = conflicts::resolve(&settings, number, choice, changed_at).await;
        self.changes.send_replace(());
        resolved
    }
}
