//! What happened: errors of stores, by kind and class. What to do about them is said in [`crate::recovery`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schema::TableName;
use crate::search::SideName;

/// The four classes of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Connection,
    Schema,
    Data,
    Logic,
}

/// What went wrong, as far as an adapter can tell. What follows from each stands in [`crate::recovery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No connection, or it broke, or the server lets nobody in because it starts, recovers or ends.
    Unreachable,
    /// The server is there, and a statement took longer than it may.
    Timeout,
    /// The server is there but wants us to come later: too many connections, a lock, a deadlock.
    Busy,
    /// User, password or certificate: nobody lets us in.
    Denied,
    /// We are in, but may not do this: a permission on a table is missing, or the database is only to be read.
    Forbidden,
    /// The database itself is not there, or the file is no database.
    NoDatabase,
    /// Disk or quota is used up.
    Full,
    /// Memory or another limit that less at once would not reach.
    Exhausted,
    /// The database reports a fault of its own: an internal error, or damage to its files.
    Fault,
    /// A table, column or type is missing or unlike what was described.
    SchemaMismatch,
    /// A constraint of the target refuses a row.
    Constraint,
    /// Another row of the target has the same key or unique value.
    Duplicate,
    /// A value does not fit its column.
    BadValue,
    /// A row that had to be there is gone, or one that had to be gone is there.
    RowChanged,
    /// Another process may write this sync now.
    LeaseLost,
    /// The state does not keep what has to be kept before something is written.
    StateLost,
    /// An invariant of rowsync is broken.
    Bug,
    /// A part of rowsync panicked or ended while it was asked.
    Panic,
}

impl fmt::Display for SideName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SideName::Source => "source",
            SideName::Target => "target",
        })
    }
}

impl Kind {
    pub fn class(self) -> Class {
        match self {
            Kind::Unreachable
            | Kind::Timeout
            | Kind::Busy
            | Kind::Denied
            | Kind::Forbidden
            | Kind::NoDatabase
            | Kind::Full
            | Kind::Exhausted
            | Kind::Fault
            | Kind::LeaseLost
            | Kind::StateLost => Class::Connection,
            Kind::SchemaMismatch => Class::Schema,
            Kind::Constraint | Kind::Duplicate | Kind::BadValue | Kind::RowChanged => Class::Data,
            Kind::Bug | Kind::Panic => Class::Logic,
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
    /// Whose error it is, said by those who know which side they ask.
    pub side: Option<SideName>,
    /// What went wrong, without any value of a row.
    pub message: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Which change of a set failed, counted from 0 in the order in which they are applied, where the store can tell.
    pub place: Option<usize>,
    /// When the store asks to be left alone for so long.
    pub retry_after: Option<Duration>,
}

impl StoreError {
    pub fn new(kind: Kind, operation: &'static str, message: impl Into<String>) -> StoreError {
        StoreError {
            kind,
            operation,
            table: None,
            side: None,
            message: message.into(),
            source: None,
            place: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn at(mut self, table: &TableName) -> StoreError {
        self.table.get_or_insert_with(|| Box::new(table.clone()));
        self
    }

    #[must_use]
    pub fn on(mut self, side: SideName) -> StoreError {
        self.side.get_or_insert(side);
        self
    }

    /// The change at this place of a set failed.
    #[must_use]
    pub fn placed(mut self, place: usize) -> StoreError {
        self.place.get_or_insert(place);
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
