//! rowsync as a library: the service without HTTP, on a thread of its own, so that any runtime can ask it.
//!
//! ```no_run
//! use rowsync::orchestrator::SyncOrchestrator;
//!
//! # async fn nightly() -> Result<(), Box<dyn std::error::Error>> {
//! let orchestrator = SyncOrchestrator::new(["shop.json"]).await?;
//! let report = orchestrator.execute_sync("shop").await?;
//! println!("{} rows added", report.totals.added);
//! orchestrator.stop().await;
//! # Ok(())
//! # }
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use actix::SystemRunner;
use rowsync_engine::report::RunReport;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::problem::Problem;
use crate::service::{Configuration, Execution, Refusal, Service};
use crate::settings::{self, Environment};

/// Runs syncs, each one at a time, and several beside each other. Dropped, it lets every batch in hand end and begins no
/// other; [`SyncOrchestrator::stop`] waits for that.
pub struct SyncOrchestrator {
    service: Arc<Service>,
    stop: DropGuard,
    gone: oneshot::Receiver<()>,
}

impl SyncOrchestrator {
    /// Reads settings files, one sync each, with what the environment lays over them. The first one says where syncs made
    /// through the API of a service are kept; they are there too.
    ///
    /// # Errors
    /// When a file is wrong, or the state cannot be used.
    pub async fn new<P: Into<PathBuf>>(files: impl IntoIterator<Item = P>) -> Result<SyncOrchestrator, Problem> {
        let files: Vec<PathBuf> = files.into_iter().map(Into::into).collect();
        if files.is_empty() {
            return Err(Problem::Usage("there is no settings file to read".to_owned()));
        }
        let stop = CancellationToken::new();
        let (begun, begins) = oneshot::channel();
        let (leaves, gone) = oneshot::channel();
        let (token, thread) = (stop.clone(), std::thread::Builder::new().name("rowsync".to_owned()));
        let living = move || {
            system().block_on(live(files, token, begun));
            // Whoever does not wait for the end does not hear of it.
            let _ = leaves.send(());
        };
        thread.spawn(living).map_err(|error| Problem::Internal(format!("there is no thread to be had: {error}")))?;
        let service = begins.await.map_err(|_| Problem::Internal("the thread of rowsync panicked".to_owned()))??;
        Ok(SyncOrchestrator { service, stop: stop.drop_guard(), gone })
    }

    /// The syncs that there are.
    pub fn configurations(&self) -> Vec<Arc<Configuration>> {
        self.service.configurations()
    }

    /// Runs a sync and waits for its report. What went wrong on the way stands in there.
    ///
    /// # Errors
    /// When it was not started: nobody knows it, it is at work already, or it is not enabled.
    pub async fn execute_sync(&self, id: &str) -> Result<RunReport, Refusal> {
        let ended = self.start_sync(id)?.ended().await.ok_or(Refusal::Stopping)?;
        Ok(ended.report.clone())
    }

    /// Starts a sync, and leaves it to the caller whether to wait.
    ///
    /// # Errors
    /// As [`SyncOrchestrator::execute_sync`].
    pub fn start_sync(&self, id: &str) -> Result<Execution, Refusal> {
        self.service.execute(id)
    }

    /// Ends an execution after the batch in hand. False where it is not at work.
    pub fn cancel(&self, execution_id: &Uuid) -> bool {
        let running = self.service.running(execution_id);
        running.is_some_and(|running| {
            running.stop.cancel();
            true
        })
    }

    /// Lets every batch in hand end, and waits for it.
    pub async fn stop(self) {
        drop(self.stop);
        // It hears of the end, or there was nobody left to tell it.
        let _ = self.gone.await;
    }
}

async fn live(files: Vec<PathBuf>, stop: CancellationToken, begun: oneshot::Sender<Result<Arc<Service>, Problem>>) {
    let start = async {
        let files = settings::load_service(&files, &Environment::of_process(), &[])?;
        Service::start(files, stop.clone()).await
    };
    let service = match start.await {
        Ok(service) => service,
        Err(problem) => {
            // Whoever asked may have left.
            let _ = begun.send(Err(problem));
            return;
        }
    };
    if begun.send(Ok(Arc::clone(&service))).is_err() {
        return;
    }
    stop.cancelled().await;
    service.idle().await;
}

/// Actors decide on one thread; what they spawn uses all cores.
pub(crate) fn system() -> SystemRunner {
    actix::System::with_tokio_rt(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("the system gives a process its first threads")
    })
}
