//! Moments of a file: a connection can tell whether another one has written since.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::sightings::Mark;
use rusqlite::Connection;

use super::classify::classify;

/// A number that changes when another connection commits, and never for what this one writes: so it has to be asked of
/// the connection that writes, which lives as long as the store.
pub fn mark(connection: &Connection) -> Result<Mark, StoreError> {
    let version = connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
    let version = version.map_err(|error| classify(error, "write"))?;
    Ok(Mark(version.unsigned_abs()))
}

/// Fails where somebody else has written to the file since, whatever that was.
pub fn refuse_later(connection: &Connection, since: Option<Mark>) -> Result<(), StoreError> {
    match since {
        Some(since) if mark(connection)? != since => {
            Err(StoreError::new(Kind::RowChanged, "write", "somebody else wrote to the file after it was compared"))
        }
        _ => Ok(()),
    }
}
