//! What the scenarios share: the directory, the server, and the sources, which are filled when first asked for.

use std::cell::OnceCell;
use std::path::Path;

use tempfile::TempDir;

use crate::harness::Result;
use crate::harness::postgres::{Database, Server};
use crate::harness::sqlite::File;

const ROWS: u64 = 1_000_000;
const SOURCE: &str = "rowsync_bench_source";
const TARGET: &str = "rowsync_bench_target";

pub struct World {
    /// None: what the scenario finds right.
    rows: Option<u64>,
    pub runs: u32,
    pub floors_only: bool,
    directory: TempDir,
    server: OnceCell<Server>,
    postgres: OnceCell<(Database, Database)>,
    sqlite: OnceCell<File>,
}

impl World {
    pub fn new(rows: Option<u64>, runs: u32, floors_only: bool) -> Result<World> {
        Ok(World {
            rows,
            runs,
            floors_only,
            directory: tempfile::Builder::new().prefix("rowsync-bench.").tempdir()?,
            server: OnceCell::new(),
            postgres: OnceCell::new(),
            sqlite: OnceCell::new(),
        })
    }

    pub fn rows(&self) -> u64 {
        self.rows_or(ROWS)
    }

    pub fn rows_or(&self, default: u64) -> u64 {
        self.rows.unwrap_or(default)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn server(&self) -> Result<&Server> {
        once(&self.server, || Server::of_environment("ROWSYNC_TEST_POSTGRES"))
    }

    /// The filled source, and the target, which holds whatever the last scenario left.
    pub fn postgres(&self) -> Result<(&Database, &Database)> {
        let server = self.server()?;
        let (source, target) = once(&self.postgres, || {
            eprintln!("  filling PostgreSQL");
            let source = server.create(SOURCE)?;
            source.fill(self.rows())?;
            Ok((source, server.create(TARGET)?))
        })?;
        Ok((source, target))
    }

    /// The filled source.
    pub fn sqlite(&self) -> Result<&File> {
        once(&self.sqlite, || {
            eprintln!("  filling SQLite");
            let source = File::new(self.directory().join("source.sqlite"));
            source.fill(self.rows())?;
            Ok(source)
        })
    }

    pub fn sqlite_target(&self) -> File {
        File::new(self.directory().join("target.sqlite"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(server) = self.server.get() else { return };
        for name in [SOURCE, TARGET] {
            if let Err(error) = server.drop(name) {
                eprintln!("{name} is left behind: {error}");
            }
        }
    }
}

fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
