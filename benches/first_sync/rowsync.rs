//! Runs of the release binary, and the proof that each did what it was asked to.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{self, Usage};
use crate::{Result, differences};

const BINARY: &str = env!("CARGO_BIN_EXE_rowsync");
const FOUND_DIFFERENCES: i32 = 3;

/// Where a run reads and writes.
pub struct Task<'a> {
    /// For the settings and the state.
    pub directory: &'a Path,
    pub source: &'a str,
    pub target: &'a str,
    /// Left out: rowsync's own default, as its users have it.
    pub max_bytes_in_flight: Option<&'static str>,
}

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

    /// Finds the hundred differences; any other number of any kind is an error.
    pub fn verify(&self) -> Result<Usage> {
        let (report, usage) = self.carry_out("verify", FOUND_DIFFERENCES)?;
        let table = only_table(&report)?;
        let found = ["different", "missing", "extra"].map(|kind| table[kind].as_u64());
        if found != [differences::CHANGED, differences::MISSING, differences::EXTRA].map(Some) {
            return Err(format!("not the hundred differences that were made: {report}").into());
        }
        Ok(usage)
    }

    fn carry_out(&self, command: &str, code: i32) -> Result<(Value, Usage)> {
        let settings = self.write_settings()?;
        let mut rowsync = Command::new(BINARY);
        rowsync.arg(command).arg(settings).args(["--quiet", "--no-progress", "--output", "json"]);
        let (output, usage) = process::watch(rowsync.current_dir(self.directory))?;
        if output.status.code() != Some(code) {
            let told = String::from_utf8_lossy(&output.stdout);
            return Err(format!("{}\n{told}", process::complaint(&rowsync, &output)).into());
        }
        Ok((serde_json::from_slice(&output.stdout)?, usage))
    }

    /// With a state that no earlier run has seen.
    fn write_settings(&self) -> Result<std::path::PathBuf> {
        let state = self.directory.join("state");
        if state.exists() {
            fs::remove_dir_all(&state)?;
        }
        fs::create_dir(&state)?;
        let mut settings = json!({
            "name": "bench",
            "connections": { "from": { "url": self.source }, "to": { "url": self.target } },
            "source": "from",
            "target": "to",
            "state": format!("sqlite:{}", state.join("bench.state.sqlite").display()),
            "tables": ["items"],
        });
        if let Some(bytes) = self.max_bytes_in_flight {
            settings["max_bytes_in_flight"] = json!(bytes);
        }
        let file = self.directory.join("bench.json");
        fs::write(&file, settings.to_string())?;
        Ok(file)
    }
}

fn only_table(report: &Value) -> Result<&Value> {
    match report["tables"].as_array().map(Vec::as_slice) {
        Some([table]) => Ok(table),
        _ => Err(format!("the report does not tell of one table: {report}").into()),
    }
}
