//! The table in PostgreSQL: filled, copied and made to differ.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::differences;
use crate::harness::Result;
use crate::harness::postgres::Database;
use crate::harness::process::expect_success;
use crate::rows::rows;

/// Autovacuum off: it would start whenever it likes, beside one run and not beside the next.
pub const CREATE_ITEMS: &str = "CREATE TABLE items (id bigint PRIMARY KEY, name text, email text, note text, \
    price numeric(12,2), quantity integer, attributes jsonb, created_at timestamp, modified_at timestamptz) \
    WITH (autovacuum_enabled = false)";
const COPY_OUT: &str = "COPY items TO STDOUT (FORMAT binary)";

impl Database {
    /// Fills the table with the rows `0..count`.
    pub fn fill(&self, count: u64) -> Result<()> {
        self.recreate(CREATE_ITEMS)?;
        self.copy_lines(|lines| rows(count).try_for_each(|row| row.write_copy_text(lines)))?;
        self.rest()
    }

    /// The shortest way for all rows, binary from psql to psql, into an empty table.
    pub fn copy_to(&self, target: &Database) -> Result<Duration> {
        self.pipe_to(target, COPY_OUT)
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
        self.recreate(CREATE_ITEMS)?;
        source.copy_to(self)?;
        self.execute(&[&differences::statements(rows).join(";")])?;
        self.rest()
    }

    /// Equal for tables with the same rows.
    pub fn fingerprint(&self) -> Result<String> {
        self.execute(&["SELECT count(*), sum(hash_record_extended(t, 0)) FROM items t"])
    }
}

fn path(file: &Path) -> Result<&str> {
    file.to_str().ok_or_else(|| "the temporary directory's name is no text".into())
}
