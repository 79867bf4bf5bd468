//! Where the file lies and how it is opened: `sqlite:PATH`, `sqlite://PATH`, `?mode=ro|rw|rwc` behind it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rowsync_engine::error::{Kind, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::classify::classify;
use crate::Access;

/// Page cache of the connection that writes, in KiB. A bulk load touches the inner pages of every index again and
/// again; 16 MiB hold those of some million rows.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Pages of the write-ahead log before they are moved into the file. Each move waits for the disk twice, which took a
/// quarter of the time of a bulk load at SQLite's default of 1,000 pages; this is 64 MiB at pages of 4 KiB.
const PAGES_BEFORE_CHECKPOINT: i64 = 16 * 1024;
/// Statements kept prepared on a connection; a run uses about ten for each of its tables.
const STATEMENTS_KEPT: usize = 128;

/// A database file, checked at the door.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    pub path: PathBuf,
    pub timeout: Duration,
    access: Access,
    creates: bool,
    /// The URL forbids to write.
    for_reading: bool,
}

impl Location {
    pub fn new(connection: &crate::Connection) -> Result<Location, StoreError> {
        let (path, mode) = parse_url(&connection.url)?;
        let access = connection.access;
        if access == Access::Write && mode == Mode::ForReading {
            let message = format!("{} is opened with mode=ro, but has to be written to", path.display());
            return Err(StoreError::new(Kind::Forbidden, "connect", message));
        }
        Ok(Location {
            path,
            timeout: connection.timeout,
            access,
            creates: mode != Mode::Existing,
            for_reading: mode == Mode::ForReading,
        })
    }

    pub fn is_writable(&self) -> bool {
        self.access == Access::Write
    }

    /// A connection that never writes.
    pub fn open_to_read(&self) -> Result<Connection, StoreError> {
        if self.path.exists() {
            return self.open(OpenFlags::SQLITE_OPEN_READ_ONLY);
        }
        if self.access == Access::Look && self.creates {
            return Connection::open_in_memory().map_err(|error| classify(error, "connect"));
        }
        Err(refused(format!("there is no file {}; correct the path in the URL", self.path.display())))
    }

    /// The connection that writes. Makes the file where that was not forbidden.
    pub fn open_to_write(&self) -> Result<Connection, StoreError> {
        self.check_that_it_can_be_made()?;
        let create = if self.creates { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | create)?;
        tune_for_writing(&connection).map_err(|error| classify(error, "connect"))?;
        Ok(connection)
    }

    /// A connection that writes to a file that is somebody else's: its journal mode and its safety stay as they are.
    pub fn open_beside(&self) -> Result<Connection, StoreError> {
        if self.for_reading {
            let message =
                format!("{} is opened with mode=ro, but a log of changes has to be written", self.path.display());
            return Err(StoreError::new(Kind::Forbidden, "connect", message));
        }
        self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn check_that_it_can_be_made(&self) -> Result<(), StoreError> {
        if self.path.exists() {
            return Ok(());
        }
        let path = self.path.display();
        if !self.creates {
            return Err(refused(format!("there is no file {path}; mode=rwc would make it")));
        }
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                Err(refused(format!("{path} cannot be made: there is no folder {}", folder.display())))
            }
            _ => Ok(()),
        }
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let open = || {
            // Each connection stays on one thread, so SQLite's own locks would only cost.
            let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            self.prepare(&connection)?;
            Ok(connection)
        };
        open().map_err(|error| name_the_file(classify(error, "connect"), &self.path))
    }

    fn prepare(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.timeout)?;
        // Otherwise a column that does not exist would quietly be read as the text of its own name.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        connection.pragma_update(None, "foreign_keys", true)?;
        // The first statement that looks into the file; it fails where the file is no database.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    }
}

/// With a write-ahead log, readers and the writer do not wait for each other, and a commit need not wait for the disk:
/// that is what `flush` is for. A file that cannot have one (some network disks) gets its safety from each commit.
fn tune_for_writing(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    let synchronous = if mode.eq_ignore_ascii_case("wal") { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_BEFORE_CHECKPOINT)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
}

fn name_the_file(mut error: StoreError, path: &Path) -> StoreError {
    error.message = format!("{}: {}", path.display(), error.message);
    error
}

fn refused(message: String) -> StoreError {
    StoreError::new(Kind::NoDatabase, "connect", message)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    ForReading,
    /// To write, if it is there.
    Existing,
    /// To write, made where there is none.
    Create,
}

fn parse_url(url: &str) -> Result<(PathBuf, Mode), StoreError> {
    let rest = url.strip_prefix("sqlite:").ok_or_else(|| refused("the URL does not start with sqlite:".into()))?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = percent_decoded(path).ok_or_else(|| refused("the URL's path has a broken %".into()))?;
    if path.is_empty() || path == ":memory:" {
        // Every connection would have a database of its own there.
        return Err(refused("the URL names no file, as in sqlite:folder/shop.sqlite".into()));
    }
    let mut mode = Mode::Create;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        mode = match option {
            "mode=ro" => Mode::ForReading,
            "mode=rw" => Mode::Existing,
            "mode=rwc" => Mode::Create,
            _ => return Err(refused("behind the ? only mode=ro, mode=rw and mode=rwc are known".into())),
        };
    }
    Ok((PathBuf::from(path), mode))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_path_and_a_mode() {
        let check = |url: &str, path: &str, mode| {
            assert_eq!(parse_url(url).expect(url), (PathBuf::from(path), mode), "{url}");
        };
        check("sqlite:shop.db", "shop.db", Mode::Create);
        check("sqlite://shop.db?mode=ro", "shop.db", Mode::ForReading);
        check("sqlite:///var/shop.db?mode=rw", "/var/shop.db", Mode::Existing);
        check("sqlite:my%20shop.db?mode=rwc", "my shop.db", Mode::Create);
    }

    #[test]
    fn urls_without_a_file_are_refused() {
        for url in ["sqlite:", "sqlite::memory:", "postgres://x", "sqlite:a?cache=shared", "sqlite:a%2"] {
            assert!(parse_url(url).is_err(), "{url}");
        }
    }
}
