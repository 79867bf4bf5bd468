//! The history of all syncs of the service, which may lie in several states.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::settings::StateSettings;
use crate::state::{Execution, Filter, State, StateError};

/// Every state that was asked for, opened once.
#[derive(Clone, Default)]
pub struct Archive {
    open: Arc<Mutex<BTreeMap<String, Arc<State>>>>,
}

impl Archive {
    /// # Errors
    /// When it cannot be opened; the next one who asks tries again.
    pub async fn state(&self, settings: &StateSettings) -> Result<Arc<State>, StateError> {
        let mut open = self.open.lock().await;
        if let Some(state) = open.get(settings.url.expose()) {
            return Ok(Arc::clone(state));
        }
        let state = Arc::new(State::open(settings).await?);
        open.insert(settings.url.expose().to_owned(), Arc::clone(&state));
        Ok(state)
    }

    /// An execution in any of these states.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn execution(&self, states: Vec<StateSettings>, id: String) -> Result<Option<Execution>, StateError> {
        for settings in &states {
            if let Some(execution) = self.state(settings).await?.execution(&id).await? {
                return Ok(Some(execution));
            }
        }
        Ok(None)
    }

    /// The newest executions in all of these states that a filter lets through.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn executions(
        &self,
        states: Vec<StateSettings>,
        filter: Filter,
        count_max: usize,
    ) -> Result<Vec<Execution>, StateError> {
        let mut all = Vec::new();
        for settings in &states {
            all.extend(self.state(settings).await?.executions_like(&filter, count_max).await?);
        }
        // Ids begin with their time.
        all.sort_by(|one, other| other.id.cmp(&one.id));
        all.truncate(count_max);
        Ok(all)
    }
}
