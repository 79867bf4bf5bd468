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

/// Extended codes before the plain ones that they belong to.
fn kind_of(extended_code: i32) -> Kind {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_DATATYPE => return Kind::BadValue,
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return Kind::Duplicate;
        }
        ffi::SQLITE_ERROR_RETRY | ffi::SQLITE_ERROR_SNAPSHOT => return Kind::Busy,
        ffi::SQLITE_IOERR_BLOCKED | ffi::SQLITE_IOERR_LOCK | ffi::SQLITE_IOERR_RDLOCK => return Kind::Busy,
        ffi::SQLITE_IOERR_NOMEM => return Kind::Exhausted,
        ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA => return Kind::Fault,
        ffi::SQLITE_IOERR_AUTH => return Kind::Forbidden,
        // The file was moved away or deleted under us.
        ffi::SQLITE_READONLY_DBMOVED => return Kind::NoDatabase,
        _ => {}
    }
    match extended_code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => Kind::Busy,
        ffi::SQLITE_FULL | ffi::SQLITE_NOLFS => Kind::Full,
        ffi::SQLITE_CANTOPEN | ffi::SQLITE_NOTADB => Kind::NoDatabase,
        ffi::SQLITE_CORRUPT => Kind::Fault,
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH => Kind::Forbidden,
        ffi::SQLITE_CONSTRAINT => Kind::Constraint,
        ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG => Kind::BadValue,
        ffi::SQLITE_ERROR | ffi::SQLITE_SCHEMA => Kind::SchemaMismatch,
        ffi::SQLITE_IOERR => Kind::Unreachable,
        ffi::SQLITE_NOMEM => Kind::Exhausted,
        ffi::SQLITE_INTERRUPT => Kind::Timeout,
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

    /// Every code of SQLite's list of result codes that is an error.
    const CODES: &[(Kind, &[i32])] = &[
        (
            Kind::Busy,
            &[
                ffi::SQLITE_BUSY,
                ffi::SQLITE_BUSY_RECOVERY,
                ffi::SQLITE_BUSY_SNAPSHOT,
                ffi::SQLITE_BUSY_TIMEOUT,
                ffi::SQLITE_LOCKED,
                ffi::SQLITE_LOCKED_SHAREDCACHE,
                ffi::SQLITE_LOCKED_VTAB,
                ffi::SQLITE_PROTOCOL,
                ffi::SQLITE_ERROR_RETRY,
                ffi::SQLITE_ERROR_SNAPSHOT,
                ffi::SQLITE_IOERR_BLOCKED,
                ffi::SQLITE_IOERR_LOCK,
                ffi::SQLITE_IOERR_RDLOCK,
            ],
        ),
        (Kind::Full, &[ffi::SQLITE_FULL, ffi::SQLITE_NOLFS]),
        (Kind::Exhausted, &[ffi::SQLITE_NOMEM, ffi::SQLITE_IOERR_NOMEM]),
        (
            Kind::NoDatabase,
            &[
                ffi::SQLITE_NOTADB,
                ffi::SQLITE_CANTOPEN,
                ffi::SQLITE_CANTOPEN_NOTEMPDIR,
                ffi::SQLITE_CANTOPEN_ISDIR,
                ffi::SQLITE_CANTOPEN_FULLPATH,
                ffi::SQLITE_CANTOPEN_CONVPATH,
                ffi::SQLITE_CANTOPEN_DIRTYWAL,
                ffi::SQLITE_CANTOPEN_SYMLINK,
                ffi::SQLITE_READONLY_DBMOVED,
            ],
        ),
        (
            Kind::Fault,
            &[
                ffi::SQLITE_CORRUPT,
                ffi::SQLITE_CORRUPT_VTAB,
                ffi::SQLITE_CORRUPT_SEQUENCE,
                ffi::SQLITE_CORRUPT_INDEX,
                ffi::SQLITE_IOERR_CORRUPTFS,
                ffi::SQLITE_IOERR_DATA,
            ],
        ),
        (
            Kind::Forbidden,
            &[
                ffi::SQLITE_READONLY,
                ffi::SQLITE_READONLY_RECOVERY,
                ffi::SQLITE_READONLY_CANTLOCK,
                ffi::SQLITE_READONLY_ROLLBACK,
                ffi::SQLITE_READONLY_CANTINIT,
                ffi::SQLITE_READONLY_DIRECTORY,
                ffi::SQLITE_PERM,
                ffi::SQLITE_AUTH,
                ffi::SQLITE_AUTH_USER,
                ffi::SQLITE_IOERR_AUTH,
            ],
        ),
        (
            Kind::Constraint,
            &[
                ffi::SQLITE_CONSTRAINT,
                ffi::SQLITE_CONSTRAINT_CHECK,
                ffi::SQLITE_CONSTRAINT_COMMITHOOK,
                ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
                ffi::SQLITE_CONSTRAINT_FUNCTION,
                ffi::SQLITE_CONSTRAINT_NOTNULL,
                ffi::SQLITE_CONSTRAINT_TRIGGER,
                ffi::SQLITE_CONSTRAINT_VTAB,
                ffi::SQLITE_CONSTRAINT_PINNED,
            ],
        ),
        (
            Kind::Duplicate,
            &[ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_ROWID],
        ),
        (Kind::BadValue, &[ffi::SQLITE_MISMATCH, ffi::SQLITE_TOOBIG, ffi::SQLITE_CONSTRAINT_DATATYPE]),
        (Kind::SchemaMismatch, &[ffi::SQLITE_ERROR, ffi::SQLITE_ERROR_MISSING_COLLSEQ, ffi::SQLITE_SCHEMA]),
        (
            Kind::Unreachable,
            &[
                ffi::SQLITE_IOERR,
                ffi::SQLITE_IOERR_READ,
                ffi::SQLITE_IOERR_SHORT_READ,
                ffi::SQLITE_IOERR_WRITE,
                ffi::SQLITE_IOERR_FSYNC,
                ffi::SQLITE_IOERR_DIR_FSYNC,
                ffi::SQLITE_IOERR_TRUNCATE,
                ffi::SQLITE_IOERR_FSTAT,
                ffi::SQLITE_IOERR_UNLOCK,
                ffi::SQLITE_IOERR_DELETE,
                ffi::SQLITE_IOERR_ACCESS,
                ffi::SQLITE_IOERR_CHECKRESERVEDLOCK,
                ffi::SQLITE_IOERR_CLOSE,
                ffi::SQLITE_IOERR_DIR_CLOSE,
                ffi::SQLITE_IOERR_SHMOPEN,
                ffi::SQLITE_IOERR_SHMSIZE,
                ffi::SQLITE_IOERR_SHMLOCK,
                ffi::SQLITE_IOERR_SHMMAP,
                ffi::SQLITE_IOERR_SEEK,
                ffi::SQLITE_IOERR_DELETE_NOENT,
                ffi::SQLITE_IOERR_MMAP,
                ffi::SQLITE_IOERR_GETTEMPPATH,
                ffi::SQLITE_IOERR_CONVPATH,
                ffi::SQLITE_IOERR_VNODE,
                ffi::SQLITE_IOERR_BEGIN_ATOMIC,
                ffi::SQLITE_IOERR_COMMIT_ATOMIC,
                ffi::SQLITE_IOERR_ROLLBACK_ATOMIC,
            ],
        ),
        (Kind::Timeout, &[ffi::SQLITE_INTERRUPT]),
        (
            Kind::Bug,
            &[
                ffi::SQLITE_INTERNAL,
                ffi::SQLITE_ABORT,
                ffi::SQLITE_ABORT_ROLLBACK,
                ffi::SQLITE_NOTFOUND,
                ffi::SQLITE_EMPTY,
                ffi::SQLITE_MISUSE,
                ffi::SQLITE_FORMAT,
                ffi::SQLITE_RANGE,
            ],
        ),
    ];

    #[test]
    fn every_code_means_what_it_is_said_to_mean() {
        for (kind, codes) in CODES {
            for code in *codes {
                assert_eq!(kind_of(*code), *kind, "{code} {}", ffi::code_to_str(*code));
            }
        }
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
