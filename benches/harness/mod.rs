//! What both benches stand on: processes that are watched, servers and files that are spoken to without rowsync's own
//! code, runs of the release binary, and figures of several runs.

pub mod figures;
pub mod postgres;
pub mod process;
pub mod rowsync;
pub mod sqlite;

/// Ends a scenario and is printed with its name; the others go on.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
