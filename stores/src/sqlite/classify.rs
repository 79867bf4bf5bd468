//! What an error of SQLite means: the only place that looks at its codes.

use rowsync_engine::error::{Kind, StoreError};
use rusqlite::{Error, ffi};

/// The error of a store that an error of SQLite stands for. Never tells a value of a row: SQLite's own messages name
/// tables, columns and constraints only, but for what a trigger says, which is left out.
pub fn classify(error: Error, operation: &'static str) -> StoreError {
    let (code, message) = match &error {
        Error::SqliteFailure(failure, message) => (failure.extended_code, message.clone()),
        Error::SqlInputError { error: failure, msg, .. } => (failure.extended_code, Some(msg.clone())),
        Error::InvalidPath(_) | Error::NulError(_) => (ffi::SQLITE_CANTOPEN, None),
        _ => return StoreError::new(Kind::Bug, operation, "the driver was used wrongly").caused_by(error),
    };
    let kind = kind_of(code);
    if code == ffi::SQLITE_CONSTRAINT_TRIGGER {
        return StoreError::new(kind, operation, "a trigger refuses the row");
    }
    let message = message.unwrap_or_else(|| ffi::code_to_str(code).to_lowercase());
    StoreError::new(kind, operation, told(code, message)).caused_by(error)
}

fn kind_of(extended_code: i32) -> Kind {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_DATATYPE => return Kind::BadValue,
        // An index or a column that vanished while a statement ran.
        ffi::SQLITE_ERROR_MISSING_COLLSEQ => return Kind::SchemaMismatch,
        _ => {}
    }
    match extended_code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Kind::Busy,
        ffi::SQLITE_FULL => Kind::Full,
        ffi::SQLITE_CANTOPEN | ffi::SQLITE_NOTADB | ffi::SQLITE_CORRUPT => Kind::NoDatabase,
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH => Kind::Denied,
        ffi::SQLITE_CONSTRAINT => Kind::Constraint,
        ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG | ffi::SQLITE_RANGE => Kind::BadValue,
        ffi::SQLITE_ERROR | ffi::SQLITE_SCHEMA => Kind::SchemaMismatch,
        ffi::SQLITE_IOERR => Kind::Unreachable,
        ffi::SQLITE_NOMEM => Kind::Full,
        _ => Kind::Bug,
    }
}

/// What SQLite says, with the remedy where it is always the same.
fn told(extended_code: i32, message: String) -> String {
    match extended_code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => format!("{message}; another program holds a lock on the file"),
        ffi::SQLITE_NOTADB => format!("{message}; the URL has to name an SQLite file"),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_kinds() {
        let check = |code, kind| assert_eq!(kind_of(code), kind, "{code}");
        check(ffi::SQLITE_BUSY_SNAPSHOT, Kind::Busy);
        check(ffi::SQLITE_LOCKED, Kind::Busy);
        check(ffi::SQLITE_FULL, Kind::Full);
        check(ffi::SQLITE_NOTADB, Kind::NoDatabase);
        check(ffi::SQLITE_CANTOPEN, Kind::NoDatabase);
        check(ffi::SQLITE_READONLY, Kind::Denied);
        check(ffi::SQLITE_CONSTRAINT_UNIQUE, Kind::Constraint);
        check(ffi::SQLITE_CONSTRAINT_DATATYPE, Kind::BadValue);
        check(ffi::SQLITE_TOOBIG, Kind::BadValue);
        check(ffi::SQLITE_ERROR, Kind::SchemaMismatch);
        check(ffi::SQLITE_IOERR_READ, Kind::Unreachable);
        check(ffi::SQLITE_MISUSE, Kind::Bug);
    }

    #[test]
    fn what_a_trigger_says_is_not_passed_on() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        database
            .execute_batch(
                "CREATE TABLE t(a); CREATE TRIGGER g BEFORE INSERT ON t
                 BEGIN SELECT raise(ABORT, 'secret is too large'); END;",
            )
            .unwrap();
        let error = classify(database.execute("INSERT INTO t VALUES (1)", []).unwrap_err(), "write");
        assert_eq!(error.kind, Kind::Constraint);
        assert!(!format!("{error:?}").contains("secret"));
    }
}
