//! What a person may decide about a conflict, and why it may not be carried out.

use std::str::FromStr;

use serde_json::Value;

/// What a person decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// The row as the source has it; where it has none, the row goes.
    Source,
    Target,
    /// A row by the names of the source's columns; null where it is to go.
    Row(Value),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Choice, String> {
        match text {
            "source" => Ok(Choice::Source),
            "target" => Ok(Choice::Target),
            _ => match serde_json::from_str(text) {
                Ok(row @ (Value::Object(_) | Value::Null)) => Ok(Choice::Row(row)),
                _ => Err("expected `source`, `target`, a row as a JSON object, or null for no row".into()),
            },
        }
    }
}

impl Choice {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Choice::Source => "source",
            Choice::Target => "target",
            Choice::Row(_) => "row",
        }
    }
}

/// Why a decision was not carried out. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    #[error("`{sync}` has no conflict {id}; list those that it has")]
    Unknown { sync: String, id: i64 },
    #[error("conflict {id} does not wait any more: it is {status}")]
    Closed { id: i64, status: String },
    #[error("conflict {0} was shown with other rows since; look at it again")]
    ShownAnew(i64),
    #[error("the rows of conflict {0} are not those any more that were shown; run the sync, then look at it again")]
    RowsChanged(i64),
    #[error("{0} is not merged any more")]
    NotMerged(String),
    #[error("{0}")]
    NoRow(String),
}
