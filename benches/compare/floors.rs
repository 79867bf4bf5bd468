//! The least that each way of comparing has to do, done by the databases' own clients.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::Result;
use crate::harness::postgres::{Database, ask_both};
use crate::harness::sqlite::File;

/// Every row of both sides in the order of the key, both at once.
pub fn stream_both(source: &Database, target: &Database) -> Result<Duration> {
    ask_both(source, target, "COPY (SELECT * FROM items ORDER BY id) TO STDOUT (FORMAT binary)")
}

/// All rows of a table once, in the order in which they lie.
pub fn copy_out(database: &Database) -> Result<Duration> {
    let start = Instant::now();
    let status = database.psql("COPY items TO STDOUT (FORMAT binary)").stdout(Stdio::null()).status()?;
    if status.success() { Ok(start.elapsed()) } else { Err(format!("psql ended with {status}").into()) }
}

/// Every column of a file once.
pub fn read_file(file: &File) -> Result<Duration> {
    let start = Instant::now();
    file.read_all()?;
    Ok(start.elapsed())
}
