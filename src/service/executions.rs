//! An execution of the service: at work, and ended.

use std::sync::Arc;

use jiff::Timestamp;
use rowsync_actors::board::Board;
use rowsync_engine::report::RunReport;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::progress::TableProgress;
use crate::settings::SyncSettings;
use crate::state::Command;

/// What an execution is about.
pub enum Task {
    Cycle,
    /// Rows that failed in earlier cycles are tried again: the tables that they are in.
    Replay(Arc<SyncSettings>),
}

impl Task {
    pub fn command(&self) -> Command {
        match self {
            Task::Cycle => Command::Run,
            Task::Replay(_) => Command::Replay,
        }
    }
}

/// One that is at work in this process.
pub struct Running {
    pub id: Uuid,
    pub started_at: String,
    pub settings: Arc<SyncSettings>,
    pub task: Task,
    pub board: Board,
    /// Ends it after the batch in hand.
    pub stop: CancellationToken,
    ended: watch::Sender<Option<Arc<Ended>>>,
}

/// One that has ended.
#[derive(Debug)]
pub struct Ended {
    pub command: Command,
    pub report: RunReport,
    /// Another process writes this sync, so nothing was tried.
    pub is_held: bool,
}

/// An execution that was started, to wait for its end.
#[derive(Clone)]
pub struct Execution {
    pub id: Uuid,
    ended: watch::Receiver<Option<Arc<Ended>>>,
}

impl Running {
    pub(super) fn new(settings: Arc<SyncSettings>, task: Task, stop: CancellationToken) -> Running {
        Running {
            id: Uuid::now_v7(),
            started_at: Timestamp::now().to_string(),
            settings,
            task,
            board: Board::default(),
            stop,
            ended: watch::Sender::new(None),
        }
    }

    pub fn execution(&self) -> Execution {
        Execution { id: self.id, ended: self.ended.subscribe() }
    }

    /// How far each table is, by name.
    pub fn progress(&self) -> Vec<TableProgress> {
        TableProgress::of(&self.board)
    }

    pub(super) fn end(&self, ended: Arc<Ended>) {
        self.ended.send_replace(Some(ended));
    }
}

impl Execution {
    /// Waits for the end. Nothing where the service is gone before it.
    pub async fn ended(mut self) -> Option<Arc<Ended>> {
        self.ended.wait_for(Option::is_some).await.ok()?.clone()
    }
}
