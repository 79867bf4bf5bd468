//! A read transaction around many small statements, each of which would take the locks of the file and give them back.

use rusqlite::{Connection, Transaction};

use super::read::{Result, failed};

/// As long as it lives, what is read is read at one moment, and a file without a write-ahead log waits for nobody who
/// writes; so it is for short work. `None` where a transaction stands already.
pub fn standing(connection: &Connection) -> Result<Option<Transaction<'_>>> {
    match connection.is_autocommit() {
        true => connection.unchecked_transaction().map(Some).map_err(failed),
        false => Ok(None),
    }
}
