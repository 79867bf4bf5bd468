//! What happened: errors of stores, by kind and class. What to do about them is said in [`crate::recovery`].

use std::time::Duration;

use serde::Serialize;

use crate::schema::TableName;

/// The four classes of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Connection,
    Schema,
    Data,
    Logic,
}

/// What went wrong, as far as an adapter can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No connection, or it broke.
    Unreachable,
    /// An answer did not come in time.
    Timeout,
    /// The server is there but wants us to come later: too many connections, starting up, busy, deadlock.
    Busy,
    /// User, password, certificate or permission.
    Denied,
    /// The database itself is not there, or the file is no database.
    NoDatabase,
    /// Disk, quota or another resource is used up.
    Full,
    /// A table, column or type is missing or unlike what was described.
    SchemaMismatch,
    /// A constraint of the target refuses a row.
    Constraint,
    /// A value does not fit its column.
    BadValue,
    /// A row that had to be there is gone, or one that had to be gone is there.
    RowChanged,
    /// An invariant of rowsync is broken.
    Bug,
}

impl Kind {
    pub fn class(self) -> Class {
        match self {
            Kind::Unreachable | Kind::Timeout | Kind::Busy | Kind::Denied | Kind::NoDatabase | Kind::Full => {
                Class::Connection
            }
            Kind::SchemaMismatch => Class::Schema,
            Kind::Constraint | Kind::BadValue | Kind::RowChanged => Class::Data,
            Kind::Bug => Class::Logic,
        }
    }
}

/// An error of a store: what it was doing, to which table, and what the database said.
#[derive(Debug, thiserror::Error)]
#[error("{operation}{}: {message}", .table.as_ref().map(|t| format!(" {t}")).unwrap_or_default())]
pub struct StoreError {
    pub kind: Kind,
    /// What was being done: `connect`, `read`, `count`, `write`.
    pub operation: &'static str,
    pub table: Option<Box<TableName>>,
    /// What went wrong, without any value of a row.
    pub message: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// When the store asks to be left alone for so long.
    pub retry_after: Option<Duration>,
}

impl StoreError {
    pub fn new(kind: Kind, operation: &'static str, message: impl Into<String>) -> StoreError {
        StoreError { kind, operation, table: None, message: message.into(), source: None, retry_after: None }
    }

    #[must_use]
    pub fn at(mut self, table: &TableName) -> StoreError {
        self.table.get_or_insert_with(|| Box::new(table.clone()));
        self
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        self.source = Some(source.into());
        self
    }

    pub fn class(&self) -> Class {
        self.kind.class()
    }
}
