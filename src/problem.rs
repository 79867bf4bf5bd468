//! Why a command did not do what was asked, and with which exit code the program tells so.

use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::recovery::remedy;

use crate::lease::Held;
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
    #[error("stopped on request, while waiting for a database")]
    Interrupted,
    #[error(transparent)]
    Held(Box<Held>),
    #[error("{0}")]
    Internal(String),
}

impl Problem {
    pub fn exit(&self) -> Exit {
        match self {
            Problem::Interrupted => Exit::Interrupted,
            Problem::State(error) if error.is_unreachable() => Exit::Unreachable,
            Problem::Settings(_) | Problem::Usage(_) | Problem::State(_) => Exit::Usage,
            Problem::Store { error, .. } if error.class() == Class::Connection => Exit::Unreachable,
            Problem::Held(_) => Exit::Unreachable,
            Problem::Store { .. } | Problem::Internal(_) => Exit::Failed,
        }
    }
}
