//! Why a command did not do what was asked, and with which exit code the program tells so.

use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::recovery::remedy;
use rowsync_engine::report::{ErrorReport, RunReport, RunStatus};
use uuid::Uuid;

use crate::conflicts::Undecided;
use crate::lease::Held;
use crate::service::Refusal;
use crate::settings::SettingsError;
use crate::state::StateError;

/// The program's exit codes; their meanings are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// Finished, but rows or tables failed.
    Failed = 1,
    /// Usage or configuration is wrong, nothing was touched.
    Usage = 2,
    /// `verify` found differences.
    Differences = 3,
    /// A database cannot be reached or refuses, or another process writes this sync.
    Unreachable = 4,
    Interrupted = 130,
}

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Found wrong before anything was touched.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{side} `{name}`: {error}\n  {}", remedy(.error.kind))]
    Store { side: &'static str, name: String, error: Box<StoreError> },
    #[error(transparent)]
    Undecided(#[from] Undecided),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("stopped on request, while waiting for a database")]
    Interrupted,
    #[error(transparent)]
    Held(Box<Held>),
    #[error("{0}")]
    Internal(String),
}

impl Problem {
    /// As a report tells it.
    pub fn in_report(&self) -> ErrorReport {
        let (class, message, remedy) = match self {
            Problem::Store { side, name, error } => {
                (error.class(), format!("{side} `{name}`: {error}"), remedy(error.kind))
            }
            Problem::State(error) if error.is_refusal() => (Class::Connection, error.to_string(), ""),
            Problem::Internal(message) => {
                (Class::Logic, message.clone(), "report it with the log, and run again; what was written stays")
            }
            // Nothing is wrong with rowsync where the settings do not fit what is there.
            Problem::Settings(_) | Problem::Usage(_) => (Class::Schema, self.to_string(), ""),
            other => (Class::Logic, other.to_string(), ""),
        };
        let remedy = if remedy.is_empty() { "mend that, then run again" } else { remedy };
        ErrorReport { class, key: None, message, remedy: remedy.to_owned() }
    }

    /// The report of an execution that could not begin its work.
    pub fn report(
        &self,
        execution_id: &Uuid,
        sync: &str,
        undoes: Option<&str>,
        started_at: &str,
        finished_at: String,
    ) -> RunReport {
        let interrupted = matches!(self, Problem::Interrupted);
        RunReport {
            execution_id: execution_id.to_string(),
            sync: sync.to_owned(),
            undoes: undoes.map(str::to_owned),
            status: if interrupted { RunStatus::Interrupted } else { RunStatus::Failed },
            started_at: started_at.to_owned(),
            finished_at,
            tables: Vec::new(),
            totals: RunReport::total(&[]),
            errors: if interrupted { Vec::new() } else { vec![self.in_report()] },
        }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Problem::Interrupted => Exit::Interrupted,
            Problem::State(error) if error.is_refusal() => Exit::Unreachable,
            Problem::Settings(_) | Problem::Usage(_) | Problem::Undecided(_) | Problem::State(_) => Exit::Usage,
            Problem::Store { error, .. } if error.class() == Class::Connection => Exit::Unreachable,
            Problem::Held(_) | Problem::Refused(_) => Exit::Unreachable,
            Problem::Store { .. } | Problem::Internal(_) => Exit::Failed,
        }
    }
}
