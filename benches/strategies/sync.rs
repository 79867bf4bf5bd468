//! One sync between two databases with one table, run by the program, and the proof that each run did what it should.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ends::{Ends, Engine};
use crate::harness::Result;
use crate::harness::process::{complaint, watch};

pub const SETTINGS: &str = "bench.json";

pub struct Sync {
    directory: TempDir,
    pub ends: Ends,
}

impl Sync {
    /// With so many rows in the source, and settings beside those of every sync.
    pub fn new(engine: Engine, bench: &str, rows: u64, more: &Value) -> Result<Sync> {
        let directory = tempfile::Builder::new().prefix("rowsync-bench.").tempdir()?;
        let ends = Ends::new(engine, directory.path(), bench)?;
        let sync = Sync { directory, ends };
        sync.write_settings(more)?;
        let (number, series) = (sync.ends.number(), sync.ends.series(rows));
        sync.ends.in_source(&format!(
            "create table t (id {number} primary key, name text not null, amount {number}, note text);
             {series} insert into t select i, 'item number ' || i, i * 37 % 1000, 'a note about item ' || i from n;"
        ))?;
        Ok(sync)
    }

    fn write_settings(&self, more: &Value) -> Result<()> {
        let [source, target] = self.ends.urls();
        let mut settings = json!({
            "name": "bench",
            "connections": { "from": { "url": source }, "to": { "url": target } },
            "source": "from", "target": "to", "tables": ["t"],
            "state": format!("sqlite:{}", self.directory.path().join("state.sqlite").display()),
            "create_missing_tables": true,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            settings[key] = value.clone();
        }
        Ok(fs::write(self.directory.path().join(SETTINGS), settings.to_string())?)
    }

    /// Settings of a sync that follows triggers.
    pub fn tracked() -> Value {
        json!({ "sync_strategy": "incremental", "change_tracking": "triggers" })
    }

    /// The program, to be run. What it prints is for whoever starts it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut rowsync = Command::new(env!("CARGO_BIN_EXE_rowsync"));
        rowsync.args(arguments).args(["--quiet", "--no-progress", "--output", "json"]);
        rowsync.current_dir(self.directory.path()).env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped());
        rowsync
    }

    /// Runs the program to its end: its report, and seconds from start to exit.
    fn rowsync(&self, arguments: &[&str]) -> Result<(Value, f64)> {
        let mut rowsync = self.command(arguments);
        let (output, usage) = watch(&mut rowsync)?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stdout);
            return Err(format!("{}\n{told}", complaint(&rowsync, &output)).into());
        }
        Ok((serde_json::from_slice(&output.stdout)?, usage.wall.as_secs_f64()))
    }

    /// Has the changes of the table logged, or not, and sees that it is so.
    pub fn track(&self, action: &str, standing: &[&str]) -> Result<()> {
        let (report, _) = self.rowsync(&["track", SETTINGS, action])?;
        let told = report["tables"][0]["standing"].as_str().unwrap_or_default();
        if standing.contains(&told) { Ok(()) } else { Err(format!("expected {standing:?}: {report}").into()) }
    }

    pub fn run(&self) -> Result<(Value, f64)> {
        self.rowsync(&["run", SETTINGS])
    }

    /// Seconds of a run that modifies so many rows, of both sides together, and none else.
    pub fn expect_modified(&self, rows: u64) -> Result<f64> {
        let (report, seconds) = self.run()?;
        let totals = &report["totals"];
        let written = ["added", "modified", "deleted"].map(|count| totals[count].as_u64());
        match written == [Some(0), Some(rows), Some(0)] {
            true => Ok(seconds),
            false => Err(format!("expected {rows} modified rows: {report}").into()),
        }
    }

    /// Seconds until every row is known to be equal.
    pub fn verify(&self) -> Result<f64> {
        Ok(self.rowsync(&["verify", SETTINGS])?.1)
    }
}
