//! A first sync, and the proof in its own words.

use crate::harness::Result;
use crate::harness::process::Usage;
use crate::harness::rowsync::{Task, only_table};

impl Task<'_> {
    /// Makes the target equal; anything but a completed and verified table is an error.
    pub fn run(&self) -> Result<Usage> {
        let (report, usage) = self.carry_out("run", 0)?;
        let table = only_table(&report)?;
        if report["status"] != "completed" || table["verified"] != true {
            return Err(format!("the report says neither completed nor verified: {report}").into());
        }
        Ok(usage)
    }
}
