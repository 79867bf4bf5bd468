//! Why a step of a table did not come to its end.

use std::sync::Arc;

use rowsync_engine::compare::CompareError;
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::recovery::Verdict;
use rowsync_engine::schema::TableName;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// rowsync itself declines to go on, and says what a person must do.
    #[error("{message}")]
    Refused { class: Class, message: String, remedy: String },
    /// Nothing more is tried about it.
    #[error("{error}")]
    Judged { error: Arc<StoreError>, verdict: Verdict },
    /// The run was asked to stop.
    #[error("stopped on request")]
    Stopped,
    /// An actor ended while it was asked.
    #[error("the {0} ended while it was asked")]
    Gone(&'static str),
}

impl Failure {
    /// The error that can be judged; what is none of a store is a panic.
    pub fn into_error(self) -> StoreError {
        match self {
            Failure::Store(error) => error,
            Failure::Judged { error, .. } => StoreError::new(error.kind, error.operation, error.message.clone()),
            other => StoreError::new(Kind::Panic, "work", other.to_string()),
        }
    }

    /// A compare that cannot be made, of this table.
    pub fn of_compare(error: CompareError, table: &TableName) -> Failure {
        match error {
            CompareError::DuplicateKey(side) => Failure::Refused {
                class: Class::Data,
                message: format!("{side} of {table} has two rows with the same key"),
                remedy: "name the columns that identify a row in `primary_key_field`".into(),
            },
            CompareError::NotCanonical(error) => {
                StoreError::new(Kind::BadValue, "compare", error.to_string()).at(table).into()
            }
        }
    }
}
