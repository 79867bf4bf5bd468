//! Runs of the release binary, and the proof that each did what it was asked to.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Result;
use super::process::{self, Usage};

const BINARY: &str = env!("CARGO_BIN_EXE_rowsync");
const EQUAL: i32 = 0;
const FOUND_DIFFERENCES: i32 = 3;

/// How a target differs from its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differences {
    pub changed: u64,
    pub missing: u64,
    pub extra: u64,
}

impl Differences {
    fn count(&self) -> u64 {
        self.changed + self.missing + self.extra
    }
}

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
    /// Finds exactly these differences; any other number of any kind is an error.
    pub fn verify(&self, expected: Differences) -> Result<Usage> {
        let code = if expected.count() == 0 { EQUAL } else { FOUND_DIFFERENCES };
        let (report, usage) = self.carry_out("verify", code)?;
        let table = only_table(&report)?;
        let count = |kind: &str| table[kind].as_u64().ok_or_else(|| format!("no count of {kind} rows: {report}"));
        let found = Differences { changed: count("different")?, missing: count("missing")?, extra: count("extra")? };
        if found != expected {
            return Err(format!("found {found:?} instead of {expected:?}: {report}").into());
        }
        Ok(usage)
    }

    /// Runs a command that is to end with this code; its report, and what it used.
    pub fn carry_out(&self, command: &str, code: i32) -> Result<(Value, Usage)> {
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

/// The report's part about the only table there is.
pub fn only_table(report: &Value) -> Result<&Value> {
    match report["tables"].as_array().map(Vec::as_slice) {
        Some([table]) => Ok(table),
        _ => Err(format!("the report does not tell of one table: {report}").into()),
    }
}
