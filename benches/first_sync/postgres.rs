//! PostgreSQL, spoken to by psql alone: what is measured is the server and its own client, and nothing of ours.

use std::env;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use url::Url;

use crate::process::expect_success;
use crate::rows::rows;
use crate::{Result, differences};

/// Autovacuum off: it would start whenever it likes, beside one run and not beside the next.
const CREATE_ITEMS: &str = "CREATE TABLE items (id bigint PRIMARY KEY, name text, email text, note text, \
    price numeric(12,2), quantity integer, attributes jsonb, created_at timestamp, modified_at timestamptz) \
    WITH (autovacuum_enabled = false)";
const COPY_OUT: &str = "COPY items TO STDOUT (FORMAT binary)";
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

/// The server that tests/with-postgres.sh starts.
pub struct Server {
    url: Url,
}

impl Server {
    pub fn of_environment() -> Result<Server> {
        let url = env::var("ROWSYNC_TEST_POSTGRES")
            .map_err(|_| "ROWSYNC_TEST_POSTGRES is not set; `make bench` starts a server and sets it")?;
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

    fn maintenance(&self) -> Database {
        Database { url: self.url.clone() }
    }
}

pub struct Database {
    url: Url,
}

impl Database {
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    fn psql(&self, sql: &str) -> Command {
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

    /// An empty table, with nothing left to write from before.
    pub fn recreate(&self) -> Result<()> {
        self.execute(&["SET client_min_messages = warning; DROP TABLE IF EXISTS items", CREATE_ITEMS, "CHECKPOINT"])
            .map(|_| ())
    }

    /// Fills the table with the rows `0..count`.
    pub fn fill(&self, count: u64) -> Result<()> {
        self.recreate()?;
        let mut copy = self.psql("COPY items FROM STDIN").stdin(Stdio::piped()).spawn()?;
        {
            let mut lines = BufWriter::with_capacity(1 << 20, copy.stdin.take().ok_or("psql has no stdin")?);
            for row in rows(count) {
                row.write_copy_text(&mut lines)?;
            }
            lines.flush()?;
        }
        finish(copy)?;
        self.rest()
    }

    /// Brings the table to rest: statistics known, rows known to be visible, pages written.
    pub fn rest(&self) -> Result<()> {
        self.execute(&["VACUUM ANALYZE items", "CHECKPOINT"]).map(|_| ())
    }

    /// The shortest way for all rows, binary from psql to psql, into an empty table.
    pub fn copy_to(&self, target: &Database) -> Result<Duration> {
        self.pipe_to(target, COPY_OUT)
    }

    /// What `copy_out` tells, into an empty table.
    pub fn pipe_to(&self, target: &Database, copy_out: &str) -> Result<Duration> {
        let start = Instant::now();
        let mut out = self.psql(copy_out).stdout(Stdio::piped()).spawn()?;
        let rows = out.stdout.take().ok_or("psql has no stdout")?;
        let into = target.psql(COPY_IN).stdin(rows).spawn()?;
        finish(out)?;
        finish(into)?;
        Ok(start.elapsed())
    }

    pub fn copy_to_file(&self, file: &Path) -> Result<()> {
        expect_success(self.psql(COPY_OUT).args(["-o", path(file)?])).map(|_| ())
    }

    pub fn copy_from_file(&self, file: &Path) -> Result<Duration> {
        let start = Instant::now();
        self.execute(&[&format!("\\copy items from '{}' (format binary)", path(file)?)])?;
        Ok(start.elapsed())
    }

    /// Makes this the copy of `source` with a hundred differences.
    pub fn differ_from(&self, source: &Database, rows: u64) -> Result<()> {
        self.recreate()?;
        source.copy_to(self)?;
        self.execute(&[&differences::statements(rows).join(";")])?;
        self.rest()
    }

    /// Equal for tables with the same rows.
    pub fn fingerprint(&self) -> Result<String> {
        self.execute(&["SELECT count(*), sum(hash_record_extended(t, 0)) FROM items t"])
    }
}

/// Reads every row of both sides once, both at the same time.
pub fn hash_both(source: &Database, target: &Database) -> Result<Duration> {
    let start = Instant::now();
    let started: Vec<Child> = [source, target]
        .map(|side| side.psql(HASH_ALL).stdout(Stdio::null()).spawn())
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

fn path(file: &Path) -> Result<&str> {
    file.to_str().ok_or_else(|| "the temporary directory's name is no text".into())
}
