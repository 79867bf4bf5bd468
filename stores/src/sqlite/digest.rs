//! Digests of ranges: counted by SQLite, or hashed on arrival.

use rowsync_engine::canonical::{begin_row, write_canonical};
use rowsync_engine::digest::portable::PortableDigest;
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::KeyRange;
use rowsync_engine::schema::TableView;
use rusqlite::{Connection, Row};

use super::raw;
use super::read::{ROWS_BETWEEN_LOOKS, Result, failed};
use super::sql;
use super::standing::standing;
use super::thread::Caller;
use super::values::{Scratch, check_domains, checked_json, key_value, value};
use crate::statement::ask;

/// A digest for each range.
pub fn digests(
    connection: &Connection,
    view: &TableView,
    ranges: &[KeyRange],
    kind: DigestKind,
    salt: u64,
    caller: &Caller<'_>,
) -> Result<Vec<Digest>> {
    let reader = Reader { connection, view, caller };
    match kind {
        DigestKind::Count => reader.each(ranges, |range| count(connection, view, range, caller)),
        DigestKind::Stream => {
            check_domains(view, "read")?;
            let mut speller = Speller::new(view);
            reader.each(ranges, |range| reader.sum(range, |row| Ok(hash(speller.row(row)?, salt))))
        }
        DigestKind::Portable => {
            check_domains(view, "read")?;
            let mut speller = Speller::new(view);
            reader.each(ranges, |range| reader.portable(range, salt, &mut speller))
        }
        DigestKind::Raw => {
            let mut bytes = Vec::new();
            let mut row_hash = |row: &Row<'_>| {
                bytes.clear();
                for index in 0..view.columns.len() {
                    raw::push(&mut bytes, row.get_ref(index).map_err(failed)?);
                }
                Ok(hash(&bytes, salt))
            };
            reader.each(ranges, |range| reader.sum(range, &mut row_hash))
        }
        DigestKind::Server => Err(StoreError::new(Kind::Bug, "read", "SQLite makes no digests of this kind")),
    }
}

fn count(connection: &Connection, view: &TableView, range: &KeyRange, caller: &Caller<'_>) -> Result<Digest> {
    caller.still_waits()?;
    let text = format!("SELECT count(*) FROM {}{}", sql::table(view), sql::in_range(view, range));
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    sql::bind_range(&mut statement, view, range)?;
    let mut rows = statement.raw_query();
    let row = rows.next().map_err(failed)?.ok_or_else(|| failed(rusqlite::Error::QueryReturnedNoRows))?;
    let count: i64 = row.get(0).map_err(failed)?;
    Ok(Digest { rows: count.unsigned_abs(), sum: 0 })
}

fn hash(row: &[u8], salt: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(row, salt)
}

/// Walks the rows of a range.
struct Reader<'a> {
    connection: &'a Connection,
    view: &'a TableView,
    caller: &'a Caller<'a>,
}

impl Reader<'_> {
    /// Ranges are often small, so several are read at one moment; not so many that a writer would wait for long.
    fn each(&self, ranges: &[KeyRange], mut digest: impl FnMut(&KeyRange) -> Result<Digest>) -> Result<Vec<Digest>> {
        let mut digests = Vec::with_capacity(ranges.len());
        let (mut stands, mut rows) = (standing(self.connection)?, 0);
        for range in ranges {
            if rows >= ROWS_BETWEEN_LOOKS {
                // The old one ends before the new one begins.
                drop(stands.take());
                (stands, rows) = (standing(self.connection)?, 0);
            }
            let digest = digest(range)?;
            rows += digest.rows;
            digests.push(digest);
        }
        drop(stands);
        Ok(digests)
    }

    /// Unordered: a sum does not mind, and SQLite may walk the table instead of the key's index.
    fn sum(&self, range: &KeyRange, mut row_hash: impl FnMut(&Row<'_>) -> Result<u64>) -> Result<Digest> {
        let mut digest = Digest::default();
        self.each_row(range, "", |row| {
            digest.add(row_hash(row)?);
            Ok(())
        })?;
        Ok(digest)
    }

    fn portable(&self, range: &KeyRange, salt: u64, speller: &mut Speller<'_>) -> Result<Digest> {
        let mut digest = PortableDigest::new(salt);
        self.each_row(range, &sql::order(self.view), |row| {
            digest.add_row(speller.row(row)?);
            Ok(())
        })?;
        Ok(digest.of_rows())
    }

    fn each_row(&self, range: &KeyRange, order: &str, mut take: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        let text = format!(
            "SELECT {} FROM {}{}{order}",
            sql::selected(self.view),
            sql::table(self.view),
            sql::in_range(self.view, range)
        );
        let _asked = ask("read", &text);
        let mut statement = self.connection.prepare_cached(&text).map_err(failed)?;
        sql::bind_range(&mut statement, self.view, range)?;
        let mut rows = statement.raw_query();
        let mut seen = 0u64;
        self.caller.still_waits()?;
        while let Some(row) = rows.next().map_err(failed)? {
            take(row)?;
            seen += 1;
            if seen.is_multiple_of(ROWS_BETWEEN_LOOKS) {
                self.caller.still_waits()?;
            }
        }
        Ok(())
    }
}

/// Spells rows in their canonical form, straight from where SQLite holds them.
struct Speller<'a> {
    view: &'a TableView,
    canonical: Vec<u8>,
    scratch: Scratch,
}

impl Speller<'_> {
    fn new(view: &TableView) -> Speller<'_> {
        Speller { view, canonical: Vec::new(), scratch: Scratch::default() }
    }

    /// The same as `canonical_row` of the row in a page.
    fn row(&mut self, row: &Row<'_>) -> Result<&[u8]> {
        begin_row(&mut self.canonical, self.view.columns.len());
        for (index, column) in self.view.columns.iter().enumerate() {
            let stored = row.get_ref(index).map_err(failed)?;
            let value = if index < self.view.key_len {
                key_value(stored, column, &mut self.scratch)?
            } else {
                value(stored, column, &mut self.scratch)
            };
            let start = self.canonical.len();
            if write_canonical(&mut self.canonical, value, column.domain).is_err() {
                self.canonical.truncate(start);
                // A value that does not fit has a canonical form in any case.
                let _ = write_canonical(&mut self.canonical, checked_json(value), column.domain);
            }
        }
        Ok(&self.canonical)
    }
}
