//! What the user wants, and who does it: settings, command line, state, and the introduction of actors to stores.

pub mod check;
pub mod cli;
pub mod closing;
pub mod commands;
pub mod ends;
pub mod execute;
pub mod failures;
pub mod footing;
pub mod history;
pub mod init;
pub mod lease;
pub mod merging;
pub mod patience;
pub mod printing;
pub mod problem;
pub mod process;
pub mod progress;
pub mod roster;
pub mod row_errors;
pub mod samples;
pub mod settings;
pub mod shutdown;
pub mod state;
pub mod telemetry;
pub mod undo;
