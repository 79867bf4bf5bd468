//! The service: all syncs of one process by id, and what each of them is doing. Of one sync there is never more than one
//! execution at work.
//!
//! A scheduler needs three things of it. [`Service::configurations`] tells which syncs there are, and
//! [`Service::changes`] wakes whoever waits when that has changed: files read anew, a configuration made, changed or
//! removed, an execution begun or ended. [`Service::execute`] starts one and returns at once; it refuses with
//! [`Refusal::Running`] where the sync is at work, with [`Refusal::Disabled`] or [`Refusal::Wrong`] where it cannot run, and with
//! [`Refusal::Stopping`] when there is nothing more to wait for. [`Execution::ended`] waits for the report.

mod archive;
mod books;
mod configuration;
mod decisions;
mod executions;
mod home;
mod outlook;
mod pauses;
mod progress;
mod recount;
mod replay;
mod schedules;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rowsync_actors::job::{Goal, MassDelete};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::execute::{Hooks, execute_as};
use crate::problem::Problem;
use crate::settings::{Requests, ServiceFiles, ServiceSettings, SettingsError, SyncSettings};
use crate::state::{Command, Standing, State, StateError};

pub use archive::Archive;
pub use configuration::{Configuration, Origin};
pub use executions::{Ended, Execution, Running, Task};
pub use home::Home;
pub use outlook::Outlook;
pub use progress::TableProgress;
pub use schedules::{Pause, Scheduled, Schedules};

use books::Books;
use decisions::Decisions;
use recount::Recount;

/// Longest time that the thread of the actors may take to answer that it lives.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Among so many of the newest executions the last run is looked for; the others are looks, undos and replays.
const RUNS_LOOKED_AT: u32 = 100;

/// Why an execution was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no configuration `{0}`")]
    Unknown(String),
    #[error("sync `{sync}` is at work already, as execution {execution_id}")]
    Running { sync: String, execution_id: Uuid },
    #[error("sync `{0}` is not enabled")]
    Disabled(String),
    #[error("sync `{sync}` cannot run: {problem}")]
    Wrong { sync: String, problem: String },
    #[error("the service is stopping")]
    Stopping,
}

pub struct Service {
    books: Mutex<Books>,
    home: Home,
    archive: Archive,
    /// Where configurations made through the API are kept.
    state: Arc<State>,
    /// Cancelled when the process was asked to end: every execution ends after the batch in hand.
    stop: CancellationToken,
    changes: watch::Sender<()>,
    schedules: Schedules,
    decisions: Decisions,
    recount: Recount,
}

impl Service {
    /// A service that runs on the actor system of this thread until `stop` is cancelled.
    ///
    /// # Errors
    /// When its state cannot be used.
    pub async fn start(files: ServiceFiles, stop: CancellationToken) -> Result<Arc<Service>, Problem> {
        let archive = Archive::default();
        let state = archive.state(&files.service.state).await?;
        let service = Arc::new(Service {
            books: Mutex::new(Books::new(files)),
            home: Home::here(),
            archive,
            state,
            stop,
            changes: watch::Sender::new(()),
            schedules: Schedules::default(),
            decisions: Decisions::default(),
            recount: Recount::default(),
        });
        let stored = service.state.configurations().await?;
        service.books().begin(stored)?;
        Ok(service)
    }

    /// How the service is reached, as the files say by now.
    pub fn settings(&self) -> Arc<ServiceSettings> {
        Arc::clone(&self.books().service)
    }

    /// All syncs: those of the files in their order, then the others from the oldest to the newest.
    pub fn configurations(&self) -> Vec<Arc<Configuration>> {
        self.books().configurations.clone()
    }

    pub fn configuration(&self, id: &str) -> Option<Arc<Configuration>> {
        self.books().find(id)
    }

    /// Told whenever there is something new to see: a configuration, the beginning or the end of an execution.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Starts a sync now. Its report can be waited for; whether anybody does makes no difference to it.
    ///
    /// # Errors
    /// When it is at work already, or cannot be run.
    pub fn execute(self: &Arc<Self>, id: &str) -> Result<Execution, Refusal> {
        self.begin(id, Task::Cycle)
    }

    fn begin(self: &Arc<Self>, id: &str, task: Task) -> Result<Execution, Refusal> {
        let mut books = self.books();
        if self.stop.is_cancelled() {
            return Err(Refusal::Stopping);
        }
        let configuration = books.find(id).ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
        let sync = || configuration.name.clone();
        let settings = configuration.usable()?;
        if !settings.enabled {
            return Err(Refusal::Disabled(sync()));
        }
        if let Some(running) = books.running_of(&settings.name) {
            return Err(Refusal::Running { sync: sync(), execution_id: running.id });
        }
        let running = Arc::new(Running::new(settings, task, self.stop.child_token()));
        books.running.push(Arc::clone(&running));
        drop(books);
        let execution = running.execution();
        let service = Arc::clone(self);
        self.home.run(move || service.see_through(running));
        self.changes.send_replace(());
        Ok(execution)
    }

    async fn see_through(self: Arc<Self>, running: Arc<Running>) {
        let settings = Arc::clone(&running.settings);
        // None begins any more, since this is at work.
        drop(self.decisions.turn(&settings.name).await);
        let (settings, only_failed) = match &running.task {
            Task::Cycle => (settings, false),
            Task::Replay(replaying) => (Arc::clone(replaying), true),
        };
        let hooks = Hooks { board: running.board.clone(), stop: running.stop.clone(), only_failed };
        let (id, goal) = (running.id, Goal::Sync { mass_delete: MassDelete::Refused });
        // A task of its own, so that a panic ends the execution and not the memory of it.
        let ended = actix::spawn(async move { execute_as(id, &settings, goal, &hooks).await }).await;
        let ended = ended.unwrap_or_else(|_| {
            Err(Problem::Internal("the execution panicked; this is a mistake in rowsync".to_owned()))
        });
        let ended = match ended {
            Ok(report) => Ended { command: running.task.command(), report, is_held: false },
            Err(problem) => self.remember_failure(&running, &problem).await,
        };
        tracing::info!(sync = running.settings.name, execution = %running.id, status = ?ended.report.status, "execution ended");
        let ended = Arc::new(ended);
        self.books().end(&running, Arc::clone(&ended));
        // Before its callers hear of it, who look at once.
        self.changes.send_replace(());
        running.end(ended);
    }

    /// What could not even begin is told by its report, since nobody sits at a terminal.
    async fn remember_failure(&self, running: &Running, problem: &Problem) -> Ended {
        tracing::error!(sync = running.settings.name, execution = %running.id, "{problem}");
        let name = &running.settings.name;
        let report = problem.report(&running.id, name, None, &running.started_at, Timestamp::now().to_string());
        let recorded = async {
            let state = self.archive.state(&running.settings.state).await?;
            state.record_report(running.task.command(), &report).await
        };
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "the history does not hold how this execution ended");
        }
        Ended { command: running.task.command(), report, is_held: matches!(problem, Problem::Held(_)) }
    }

    /// When each sync runs next, and which are paused.
    pub fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// When the last run of a sync began and ended, as far as the history knows.
    pub(crate) async fn last_run(&self, id: &str) -> Option<(Timestamp, Timestamp)> {
        let settings = self.configuration(id)?.settings.clone().ok()?;
        let read = async {
            let state = self.archive.state(&settings.state).await?;
            state.executions(&settings.name, RUNS_LOOKED_AT).await
        };
        let executions = read.await.map_err(|error| {
            tracing::warn!(sync = settings.name, %error, "the history cannot tell when this sync ran last");
        });
        let last = executions.ok()?.into_iter().find(|execution| execution.command == Command::Run)?;
        let began = last.started_at.parse().ok()?;
        let ended = match &last.standing {
            Standing::Ended { finished_at, .. } => finished_at.parse().ok(),
            Standing::Running | Standing::Interrupted => None,
        };
        Some((began, ended.unwrap_or(began)))
    }

    /// An execution that is at work in this process.
    pub fn running(&self, execution_id: &Uuid) -> Option<Arc<Running>> {
        self.books().running.iter().find(|running| running.id == *execution_id).cloned()
    }

    /// All executions at work in this process.
    pub fn all_running(&self) -> Vec<Arc<Running>> {
        self.books().running.clone()
    }

    /// An execution that has ended in this process, unless many have since.
    pub fn recent(&self, execution_id: &Uuid) -> Option<Arc<Ended>> {
        let id = execution_id.to_string();
        self.books().recent.iter().find(|ended| ended.report.execution_id == id).cloned()
    }

    pub fn all_recent(&self) -> Vec<Arc<Ended>> {
        self.books().recent.iter().cloned().collect()
    }

    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The state that configurations made through the API are kept in.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Takes over what files say that were read anew. What is at work goes on as it began.
    ///
    /// # Errors
    /// When a file is a sync of a name that a configuration of the API has; then all stays as it was.
    pub fn reload(&self, files: ServiceFiles) -> Result<(), SettingsError> {
        self.books().reload(files)?;
        self.changes.send_replace(());
        Ok(())
    }

    /// Reads the configurations of the API anew: another process that shares the state may have changed them.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn refresh(&self) -> Result<(), StateError> {
        let stored = self.state.configurations().await?;
        let changed = self.books().take_stored(stored);
        if changed {
            self.changes.send_replace(());
        }
        Ok(())
    }

    /// Reads what a caller typed as a file would be read.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, typed: &str) -> Result<SyncSettings, SettingsError> {
        self.requests().read(typed)
    }

    fn requests(&self) -> Arc<Requests> {
        Arc::clone(&self.books().requests)
    }

    /// Whether the process is asked to end.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Whether the thread of the actors and the state answer.
    ///
    /// # Errors
    /// What does not.
    pub async fn is_ready(&self) -> Result<(), String> {
        if self.is_stopping() {
            return Err(Refusal::Stopping.to_string());
        }
        let answers = self.home.answers();
        tokio::time::timeout(ANSWER_MAX, answers).await.map_err(|_| "the supervisor does not answer".to_owned())?;
        self.state.answers().await.map_err(|error| error.to_string())
    }

    /// Until nothing is at work any more.
    pub async fn idle(&self) {
        let mut changes = self.changes();
        while !self.books().running.is_empty() {
            // The sender is this service.
            let _ = changes.changed().await;
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Every change of the books is one step, so that a panic beside it leaves them whole.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
