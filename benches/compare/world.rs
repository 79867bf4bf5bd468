//! The two servers, and the tables on them and in files: the source is filled once for each size, the target is made
//! anew for each number of differences.

use std::cell::Cell;
use std::path::Path;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::harness::Result;
use crate::harness::postgres::{Database, Server};
use crate::harness::rowsync::Task;
use crate::harness::sqlite::File;
use crate::meter::Cluster;
use crate::rows::{CREATE_IN_POSTGRES, CREATE_IN_SQLITE, rows};
use crate::{differences, peers};

const SOURCE: &str = "rowsync_bench_compare_source";
const TARGET: &str = "rowsync_bench_compare_target";
const COPY_OUT: &str = "COPY items TO STDOUT (FORMAT binary)";

pub struct World {
    pub servers: [Server; 2],
    pub clusters: [Cluster; 2],
    pub source: Database,
    pub target: Database,
    pub source_file: File,
    pub target_file: File,
    directory: TempDir,
    /// How many rows each source holds.
    filled: Cell<Option<u64>>,
    filled_file: Cell<Option<u64>>,
}

impl World {
    pub fn new() -> Result<World> {
        let servers =
            [Server::of_environment("ROWSYNC_TEST_POSTGRES")?, Server::of_environment("ROWSYNC_BENCH_SECOND")?];
        let directory = tempfile::Builder::new().prefix("rowsync-bench.").tempdir()?;
        let (source, target) = (servers[0].create(SOURCE)?, servers[1].create(TARGET)?);
        peers::prepare(&source)?;
        peers::prepare(&target)?;
        Ok(World {
            clusters: [Cluster::of(&servers[0])?, Cluster::of(&servers[1])?],
            servers,
            source,
            target,
            source_file: File::new(directory.path().join("source.sqlite")),
            target_file: File::new(directory.path().join("target.sqlite")),
            directory,
            filled: Cell::new(None),
            filled_file: Cell::new(None),
        })
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn task<'a>(&'a self, source: &'a str, target: &'a str) -> Task<'a> {
        Task { directory: self.directory(), source, target, max_bytes_in_flight: None }
    }

    pub fn fill_postgres(&self, count: u64) -> Result<()> {
        if self.filled.get() != Some(count) {
            eprintln!("  filling PostgreSQL with {count} rows");
            self.filled.set(None);
            self.source.recreate(CREATE_IN_POSTGRES)?;
            self.source.copy_lines(|lines| rows(count).try_for_each(|row| row.write_copy_text(lines)))?;
            self.source.rest()?;
            self.filled.set(Some(count));
        }
        Ok(())
    }

    /// The source of `count` rows, and a copy of it with so many differences. The copy's rows lie in the order of their
    /// keys, as those of a copy do that has been kept.
    pub fn differ_in_postgres(&self, count: u64, differing: u64) -> Result<()> {
        self.fill_postgres(count)?;
        self.target.recreate(CREATE_IN_POSTGRES)?;
        self.source.pipe_to(&self.target, COPY_OUT)?;
        if differing > 0 {
            self.target.execute(&[&differences::statements(differing, count).join(";")])?;
            self.target.execute(&["CLUSTER items USING items_pkey"])?;
        }
        self.target.rest()
    }

    pub fn fill_sqlite(&self, count: u64) -> Result<()> {
        if self.filled_file.get() != Some(count) {
            eprintln!("  filling SQLite with {count} rows");
            self.filled_file.set(None);
            self.source_file.recreate(CREATE_IN_SQLITE)?;
            insert(self.source_file.open()?, count)?;
            self.filled_file.set(Some(count));
        }
        Ok(())
    }

    /// The source of `count` rows, and a copy of it with so many differences.
    pub fn differ_in_sqlite(&self, count: u64, differing: u64) -> Result<()> {
        self.fill_sqlite(count)?;
        self.target_file.copy_of(&self.source_file)?;
        let statements = differences::statements(differing, count).join(";");
        Ok(self.target_file.open()?.execute_batch(&format!("BEGIN; {statements}; COMMIT; ANALYZE"))?)
    }

    /// What a row of the source takes in PostgreSQL, in bytes.
    pub fn row_bytes(&self) -> Result<String> {
        self.source.execute(&["SELECT pg_table_size('items') / greatest(count(*), 1) FROM items"])
    }
}

fn insert(mut connection: Connection, count: u64) -> Result<()> {
    let transaction = connection.transaction()?;
    let mut insert = transaction.prepare("INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for row in rows(count) {
        insert.execute(params![row.id, row.name, row.note, row.quantity, row.price(), row.modified_at()])?;
    }
    drop(insert);
    transaction.commit()?;
    connection.execute_batch("ANALYZE")?;
    connection.close().map_err(|(_, error)| error.into())
}

impl Drop for World {
    fn drop(&mut self) {
        for (server, name) in self.servers.iter().zip([SOURCE, TARGET]) {
            if let Err(error) = server.drop(name) {
                eprintln!("{name} is left behind: {error}");
            }
        }
    }
}
