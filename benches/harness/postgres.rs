//! PostgreSQL, spoken to by psql alone: what is measured is the server and its own client, and nothing of ours.

use std::env;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use url::Url;

use super::Result;
use super::process::expect_success;

const COPY_IN: &str = "COPY items FROM STDIN (FORMAT binary)";
/// One number for all rows, whatever their order.
const HASH_ALL: &str = "SELECT sum(hash_record_extended(t, 0)) FROM items t";

/// Debian's psql in the PATH is a wrapper that takes a tenth of a second to find the real one, and would flatter us.
static PSQL: LazyLock<PathBuf> = LazyLock::new(|| {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).max_by_key(version).map(|version| version.join("bin/psql"));
    newest.filter(|psql| psql.exists()).unwrap_or_else(|| PathBuf::from("psql"))
});

/// A server that tests/with-postgres.sh started.
pub struct Server {
    url: Url,
}

impl Server {
    /// The one whose URL is in this environment variable.
    pub fn of_environment(variable: &str) -> Result<Server> {
        let url =
            env::var(variable).map_err(|_| format!("{variable} is not set; `make` starts a server and sets it"))?;
        Ok(Server { url: Url::parse(&url)? })
    }

    pub fn version(&self) -> Result<String> {
        self.maintenance().execute(&["SHOW server_version"])
    }

    /// An empty database; one that an earlier run left is dropped.
    pub fn create(&self, name: &str) -> Result<Database> {
        self.drop(name)?;
        self.maintenance().execute(&[&format!("CREATE DATABASE {name}")])?;
        let mut url = self.url.clone();
        url.set_path(name);
        Ok(Database { url })
    }

    pub fn drop(&self, name: &str) -> Result<()> {
        self.maintenance().execute(&[&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).map(|_| ())
    }

    pub fn maintenance(&self) -> Database {
        Database { url: self.url.clone() }
    }
}

/// A database, whose table is called `items` everywhere.
pub struct Database {
    pub url: Url,
}

impl Database {
    pub fn psql(&self, sql: &str) -> Command {
        let mut command = Command::new(&*PSQL);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url.as_str(), "-c", sql]);
        command
    }

    /// Each statement for itself, so that those are possible that no transaction may hold.
    pub fn execute(&self, statements: &[&str]) -> Result<String> {
        let mut answer = String::new();
        for sql in statements {
            answer = expect_success(&mut self.psql(sql))?;
        }
        Ok(answer.trim().to_owned())
    }

    /// Instead of whatever was there, the empty table, with nothing left to write from before.
    pub fn recreate(&self, create_items: &str) -> Result<()> {
        self.execute(&["SET client_min_messages = warning; DROP TABLE IF EXISTS items", create_items, "CHECKPOINT"])
            .map(|_| ())
    }

    /// Brings the table to rest: statistics known, rows known to be visible, pages written.
    pub fn rest(&self) -> Result<()> {
        self.execute(&["VACUUM ANALYZE items", "CHECKPOINT"]).map(|_| ())
    }

    /// Fills the table with lines of PostgreSQL's text format.
    pub fn copy_lines(&self, write: impl FnOnce(&mut BufWriter<ChildStdin>) -> io::Result<()>) -> Result<()> {
        let mut copy = self.psql("COPY items FROM STDIN").stdin(Stdio::piped()).spawn()?;
        let mut lines = BufWriter::with_capacity(1 << 20, copy.stdin.take().ok_or("psql has no stdin")?);
        write(&mut lines)?;
        lines.flush()?;
        drop(lines);
        finish(copy)
    }

    /// What `copy_out` tells in binary form, from psql to psql, into an empty table.
    pub fn pipe_to(&self, target: &Database, copy_out: &str) -> Result<Duration> {
        let start = Instant::now();
        let mut out = self.psql(copy_out).stdout(Stdio::piped()).spawn()?;
        let rows = out.stdout.take().ok_or("psql has no stdout")?;
        let into = target.psql(COPY_IN).stdin(rows).spawn()?;
        finish(out)?;
        finish(into)?;
        Ok(start.elapsed())
    }
}

/// Reads every row of both sides once, both at the same time.
pub fn hash_both(source: &Database, target: &Database) -> Result<Duration> {
    ask_both(source, target, HASH_ALL)
}

/// The same question to both sides at the same time, whose answers nobody reads.
pub fn ask_both(source: &Database, target: &Database, sql: &str) -> Result<Duration> {
    let start = Instant::now();
    let started: Vec<Child> = [source, target]
        .map(|side| side.psql(sql).stdout(Stdio::null()).spawn())
        .into_iter()
        .collect::<std::io::Result<_>>()?;
    for psql in started {
        finish(psql)?;
    }
    Ok(start.elapsed())
}

/// What psql complains about goes to our stderr.
fn finish(mut psql: Child) -> Result<()> {
    let status = psql.wait()?;
    if status.success() { Ok(()) } else { Err(format!("psql ended with {status}").into()) }
}
