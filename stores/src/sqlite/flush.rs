//! Making commits safe on disk.
//!
//! With a write-ahead log and `synchronous=NORMAL` a commit is in the file, but may still be in the memory of the
//! operating system. A checkpoint would sync the log, yet does nothing at all while a snapshot holds it back. A commit
//! under `synchronous=FULL` always syncs the log, and with it every commit before it, since those stand in the same
//! file in front of it; the checkpoint behind it only keeps the log short.

use rowsync_engine::error::StoreError;
use rusqlite::Connection;

use super::classify::classify;

pub fn flush(connection: &Connection) -> Result<(), StoreError> {
    let before: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    let committed = commit_nothing(connection);
    connection.pragma_update(None, "synchronous", before).map_err(failed)?;
    committed?;
    // Busy or held back is fine: what matters is safe already. The statement answers with a row of numbers.
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(failed)
}

/// A transaction that writes the header page as it is: the application's own version number, set to what it was.
fn commit_nothing(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let written = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .and_then(|version| connection.pragma_update(None, "user_version", version))
        .and_then(|()| connection.execute_batch("COMMIT"));
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK").map_err(failed)?;
    }
    written.map_err(failed)
}

fn failed(error: rusqlite::Error) -> StoreError {
    classify(error, "flush")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flush_writes_to_the_log_and_leaves_the_settings_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA user_version=7").unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        // A reader that holds the checkpoint back does not keep the log from being written and synced.
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("CREATE TABLE t(a); BEGIN").unwrap();
        reader.query_row("SELECT count(*) FROM t", [], |_| Ok(())).unwrap();
        let log = || std::fs::metadata(folder.path().join("a.sqlite-wal")).unwrap().len();
        let before = log();

        flush(&connection).unwrap();

        assert!(log() > before);
        let setting = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((setting("synchronous"), setting("user_version")), (1, 7));
    }
}
