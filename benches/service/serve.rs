//! A running `rowsync serve` with one sync, and an execution of it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::Result;
use crate::line::Line;
use crate::world::{SETTINGS, SYNC};

pub const API: &str = "/api/v1/sync/sql-sync";

pub struct Serve {
    child: Child,
    pub address: String,
}

/// One that has begun.
pub struct Execution {
    pub id: String,
}

impl Serve {
    pub fn start(directory: &Path) -> Result<Serve> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rowsync"));
        command.args(["serve", SETTINGS]).current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut serve = Serve { child, address: String::new() };
        let log = serve.child.stderr.take().ok_or("the service has no stderr")?;
        let mut lines = BufReader::new(log).lines().map_while(std::result::Result::ok);
        let listening = lines.find_map(|line| line.split_once("listening on http://").map(|(_, rest)| rest.to_owned()));
        let listening = listening.ok_or("the service ended before it listened")?;
        serve.address = listening.split(' ').next().unwrap_or_default().to_owned();
        // Read on and on, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(serve)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn execute(&self) -> Result<Execution> {
        let path = format!("{API}/configurations/{SYNC}/execute");
        match Line::open(&self.address)?.ask("POST", &path)? {
            (202, body) => {
                let begun: Value = serde_json::from_str(&body)?;
                Ok(Execution { id: begun["execution_id"].as_str().unwrap_or_default().to_owned() })
            }
            (status, body) => Err(format!("not begun: {status} {body}").into()),
        }
    }

    /// Bytes by a name under `/proc`: `VmRSS` now, or `VmHWM` at its highest.
    pub fn memory(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| "the system tells no memory".into())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Execution {
    /// Waits for the report, by the events.
    pub fn ended(&self, serve: &Serve) -> Result<Value> {
        let mut line = Line::open(&serve.address)?;
        line.send("GET", &format!("{API}/executions/{}/events", self.id))?;
        line.head()?;
        while line.next()? != "event: finished" {}
        let data = line.next()?;
        let data = data.strip_prefix("data: ").ok_or("an event without data")?;
        Ok(serde_json::from_str(data)?)
    }
}

/// From its beginning to its end, by its own clock.
pub fn seconds(report: &Value) -> Result<f64> {
    let moment = |key: &str| -> Result<jiff::Timestamp> { Ok(report[key].as_str().unwrap_or_default().parse()?) };
    Ok(moment("finished_at")?.duration_since(moment("started_at")?).as_secs_f64())
}
