//! The table in SQLite files: filled, differing, and the floors of writing and reading it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use rusqlite::params;
use rusqlite::types::ValueRef;

use crate::differences;
use crate::harness::Result;
use crate::harness::sqlite::File;
use crate::rows::{COLUMNS, Row, rows};

pub const CREATE_ITEMS: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, email TEXT, note TEXT, \
    price NUMERIC(12,2), quantity INTEGER, attributes JSON TEXT, created_at TIMESTAMP, modified_at TIMESTAMPTZ)";
const INSERT: &str = "INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

impl File {
    /// Fills a new file with the rows `0..count`.
    pub fn fill(&self, count: u64) -> Result<()> {
        self.recreate(CREATE_ITEMS)?;
        self.insert(rows(count))?;
        Ok(self.open()?.execute_batch("ANALYZE")?)
    }

    /// The shortest way for rows that are in memory: one prepared statement, one transaction. Closing belongs to it,
    /// since that is when SQLite moves the rows out of its journal.
    pub fn insert_all(&self, rows: &[Row]) -> Result<Duration> {
        let start = Instant::now();
        self.insert(rows.iter())?;
        Ok(start.elapsed())
    }

    fn insert<R: std::borrow::Borrow<Row>>(&self, rows: impl Iterator<Item = R>) -> Result<()> {
        let mut connection = self.open()?;
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare(INSERT)?;
        for row in rows {
            let row = row.borrow();
            insert.execute(params![
                row.id,
                row.name,
                row.email,
                row.note,
                row.price(),
                row.quantity,
                row.attributes,
                row.created_at,
                row.modified_at
            ])?;
        }
        drop(insert);
        transaction.commit()?;
        connection.close().map_err(|(_, error)| error.into())
    }

    /// Makes this the copy of `source` with a hundred differences.
    pub fn differ_from(&self, source: &File, rows: u64) -> Result<()> {
        self.copy_of(source)?;
        Ok(self.open()?.execute_batch(&format!("BEGIN; {}; COMMIT", differences::statements(rows).join(";")))?)
    }

    /// The number of rows, and one number for what they hold, whatever their order and however the engine that they
    /// came through spells a number, a time or JSON.
    pub fn fingerprint(&self) -> Result<(u64, u64)> {
        let connection = self.open_to_read()?;
        let mut statement = connection.prepare(&format!("SELECT {} FROM items", COLUMNS.join(", ")))?;
        let mut rows = statement.query([])?;
        let (mut count, mut sum) = (0, 0_u64);
        while let Some(row) = rows.next()? {
            let mut hasher = DefaultHasher::new();
            for (index, column) in COLUMNS.iter().enumerate() {
                spell(column, row.get_ref(index)?)?.hash(&mut hasher);
            }
            count += 1;
            sum = sum.wrapping_add(hasher.finish());
        }
        Ok((count, sum))
    }
}

/// One spelling of a value for all ways in which the same one may be stored; none for NULL.
fn spell(column: &str, value: ValueRef<'_>) -> Result<Option<String>> {
    let text = match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => std::str::from_utf8(text)?.to_owned(),
        ValueRef::Blob(_) => return Err(format!("{column} holds a blob").into()),
    };
    Ok(Some(match column {
        "price" => format!("{:.2}", text.parse::<f64>()?),
        // The texts inside hold no spaces.
        "attributes" => text.replace(' ', ""),
        "created_at" | "modified_at" => {
            let instant = text.replace('T', " ");
            let instant = instant.strip_suffix('Z').unwrap_or(&instant);
            let instant = instant.strip_suffix(":00").filter(|_| instant.contains('+')).unwrap_or(instant);
            let instant = instant.strip_suffix("+00").unwrap_or(instant);
            let instant = if instant.contains('.') { instant.trim_end_matches('0') } else { instant };
            instant.trim_end_matches('.').to_owned()
        }
        _ => text,
    }))
}

/// Reads one file, then the other.
pub fn read_one_by_one(source: &File, target: &File) -> Result<Duration> {
    let start = Instant::now();
    source.read_all()?;
    target.read_all()?;
    Ok(start.elapsed())
}
