//! Moving committed pages from the write-ahead log into the file, beside the writer.
//!
//! A connection does that by itself at the commit that makes its log long (`wal_autocheckpoint`), and nobody writes
//! meanwhile. Here another connection moves the pages as they come, by checkpoints that are `PASSIVE` and so hold nobody
//! up; what is left for the writer, when its log is long, is the last few. Only he lets the log begin anew.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rowsync_engine::error::{Kind, StoreError};
use rusqlite::Connection;

/// Bytes of rows after which it is worth to look.
const BYTES_OF_A_TURN: u64 = 8 << 20;

/// The other connection, on a thread of its own that ends when this is dropped.
pub struct Checkpointer {
    turns: Sender<()>,
    bytes: u64,
}

impl Checkpointer {
    pub fn start(connection: Connection) -> Result<Checkpointer, StoreError> {
        let (turns, asked) = bounded(1);
        std::thread::Builder::new()
            .name("sqlite-checkpoint".into())
            .spawn(move || serve(&asked, &connection))
            .map_err(|error| StoreError::new(Kind::Full, "connect", "no thread to be had").caused_by(error))?;
        Ok(Checkpointer { turns, bytes: 0 })
    }

    /// Tells that rows of so many bytes are committed.
    pub fn committed(&mut self, bytes: u64) {
        self.bytes += bytes;
        // One that is full has a turn before it that will see these pages too; the thread that is gone was not needed.
        if self.bytes >= BYTES_OF_A_TURN
            && let Ok(()) | Err(TrySendError::Full(())) = self.turns.try_send(())
        {
            self.bytes = 0;
        }
    }
}

fn serve(turns: &Receiver<()>, connection: &Connection) {
    for () in turns {
        // What could not be moved now is moved by the next turn, or by the writer, who tells what is wrong.
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::debug!(%error, "a checkpoint was put off");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_moves_what_is_committed_while_the_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let open = || {
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update(None, "journal_mode", "WAL").unwrap();
            connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
            connection
        };
        let (writer, beside) = (open(), open());
        writer.execute_batch("CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(1000000))").unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
        let (turns, asked) = bounded(1);
        turns.send(()).unwrap();
        drop(turns);
        let before = std::fs::metadata(&path).unwrap().len();
        serve(&asked, &beside);
        let after = std::fs::metadata(&path).unwrap().len();
        assert!(before < 100_000 && after > 1_000_000, "from {before} to {after} bytes");
        writer.execute_batch("COMMIT").unwrap();
    }

    #[test]
    fn a_turn_is_asked_for_when_there_is_something_to_move() {
        let (turns, asked) = bounded(1);
        let mut checkpointer = Checkpointer { turns, bytes: 0 };
        checkpointer.committed(BYTES_OF_A_TURN - 1);
        assert!(asked.is_empty());
        checkpointer.committed(1);
        assert!(asked.is_full());
        // A turn that waits already will see these pages too.
        checkpointer.committed(BYTES_OF_A_TURN);
        assert_eq!((asked.len(), checkpointer.bytes), (1, 0));
    }
}
