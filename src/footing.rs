//! What an execution stands on: its state, the lease by which it writes, and its entry in the history.

use std::collections::BTreeSet;
use std::sync::Arc;

use rowsync_actors::leave::Leave;
use rowsync_engine::report::RunReport;
use uuid::Uuid;

use crate::lease::{Lease, system_clock};
use crate::problem::Problem;
use crate::settings::SyncSettings;
use crate::state::{Command, Place, State};
use crate::undo::journal::ExecutionJournal;

/// What an execution remembers by, and by what right it writes.
pub struct Footing {
    pub state: Option<Arc<State>>,
    /// Keeps what rows were before they are changed, where that is wanted.
    pub journal: Option<Arc<ExecutionJournal>>,
    pub leave: Arc<dyn Leave>,
}

/// What an attempt to begin leaves to the next one.
pub struct Kept {
    pub execution_id: Uuid,
    pub started_at: String,
    pub command: Command,
    /// The execution that this one undoes.
    pub undoes: Option<String>,
    /// The tables that were created.
    pub made: BTreeSet<String>,
    lease: Option<Lease>,
    /// The state that knows that the execution has begun.
    entered: Option<Arc<State>>,
}

impl Kept {
    pub fn new(command: Command, execution_id: Uuid, started_at: String) -> Kept {
        let made = BTreeSet::new();
        Kept { execution_id, started_at, command, undoes: None, made, lease: None, entered: None }
    }

    /// Of one that undoes another one.
    pub fn undoing(execution_id: Uuid, started_at: String, undoes: String) -> Kept {
        Kept { undoes: Some(undoes), ..Kept::new(Command::Undo, execution_id, started_at) }
    }

    /// The state that knows of the execution, where it came so far.
    pub fn state(&self) -> Option<&State> {
        self.entered.as_deref()
    }

    /// Takes the lease and enters the execution in the history, as far as that is not done already.
    ///
    /// # Errors
    /// When another process has the lease, or the state cannot be used.
    pub async fn take_lease(
        &mut self,
        settings: &SyncSettings,
        place: &Place,
        state: &Arc<State>,
    ) -> Result<Arc<dyn Leave>, Problem> {
        let id = self.execution_id.to_string();
        let leave = match &self.lease {
            Some(lease) => lease.leave(),
            None => {
                let taking = Lease::take(Arc::clone(state), place.clone(), id.clone(), settings.lease, system_clock());
                self.lease.insert(taking.await?).leave()
            }
        };
        if self.entered.is_none() {
            state.begin(self.command, &settings.name, &id, &self.started_at).await?;
            self.entered = Some(Arc::clone(state));
        }
        Ok(leave)
    }

    /// The last word of an execution, however it ended: what failed is in the history, and the next process may come.
    pub async fn end(&mut self, sync: &str, ended: &Result<RunReport, Problem>, finished_at: String) {
        if let Err(problem) = ended {
            self.record_failure(sync, problem, finished_at).await;
        }
        self.give_back().await;
    }

    /// Enters that the execution could not begin its work, and why.
    async fn record_failure(&self, sync: &str, problem: &Problem, finished_at: String) {
        let Some(state) = &self.entered else { return };
        let report = problem.report(&self.execution_id, sync, self.undoes.as_deref(), &self.started_at, finished_at);
        if let Err(error) = state.record_report(self.command, &report).await {
            tracing::warn!(%error, "the history does not hold how this execution ended");
        }
    }

    /// Lets the next process in.
    async fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back().await;
        }
    }
}
