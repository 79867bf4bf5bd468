//! SQLite files, by rusqlite: opened as a careful program does, and read as fast as it goes.

use std::fs;
use std::hint::black_box;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::Result;

/// A file, whose table is called `items` everywhere.
pub struct File {
    pub path: PathBuf,
}

impl File {
    pub fn new(path: PathBuf) -> File {
        File { path }
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    pub fn open(&self) -> Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        Ok(connection)
    }

    pub fn open_to_read(&self) -> rusqlite::Result<Connection> {
        Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    }

    /// A new file with the empty table.
    pub fn recreate(&self, create_items: &str) -> Result<()> {
        self.remove()?;
        Ok(self.open()?.execute_batch(create_items)?)
    }

    /// Makes this a copy of a file that nobody has open.
    pub fn copy_of(&self, source: &File) -> Result<()> {
        self.remove()?;
        fs::copy(&source.path, &self.path)?;
        Ok(())
    }

    fn remove(&self) -> Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            let file = format!("{}{suffix}", self.path.display());
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Steps through all rows and takes every column by reference.
    pub fn read_all(&self) -> rusqlite::Result<()> {
        let connection = self.open_to_read()?;
        let mut statement = connection.prepare("SELECT * FROM items")?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                black_box(row.get_ref(column)?);
            }
        }
        Ok(())
    }
}

/// Reads both files at once, a thread each.
pub fn read_both(source: &File, target: &File) -> Result<Duration> {
    let start = Instant::now();
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(|| target.read_all());
        (source.read_all(), other.join())
    });
    first?;
    second.map_err(|_| "the thread that reads the target panicked")??;
    Ok(start.elapsed())
}
