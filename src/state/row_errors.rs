//! The rows that a target refused, as they are kept until it takes them.

use serde::Serialize;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Place, State, StateError};

/// A row that failed, for the owner of the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowError {
    pub table: String,
    pub key: Value,
    /// `insert`, `update` or `delete`.
    pub change: String,
    pub class: String,
    pub message: String,
    /// As the source had it; none of a delete, or where values are not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<Value>,
    /// Runs in which it failed, the first and the last of them.
    pub failures: i64,
    pub first_execution_id: String,
    pub execution_id: String,
}

impl State {
    /// The rows of a sync that failed and were not written since, table by table.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn row_errors(&self, place: &Place) -> Result<Vec<RowError>, StateError> {
        let sql = "select table_name, key, change, class, message, row, failures, first_execution_id, execution_id
            from sync_row_errors where sync = ? and ends = ? order by table_name, key";
        let rows = sqlx::query(sql).bind(&place.sync).bind(&place.ends).fetch_all(&self.pool).await;
        rows.and_then(|rows| rows.iter().map(row_error).collect()).map_err(|error| self.error(error))
    }
}

fn row_error(row: &SqliteRow) -> Result<RowError, sqlx::Error> {
    let json = |text: String| serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()));
    Ok(RowError {
        table: row.try_get("table_name")?,
        key: json(row.try_get("key")?)?,
        change: row.try_get("change")?,
        class: row.try_get("class")?,
        message: row.try_get("message")?,
        row: row.try_get::<Option<String>, _>("row")?.map(json).transpose()?,
        failures: row.try_get("failures")?,
        first_execution_id: row.try_get("first_execution_id")?,
        execution_id: row.try_get("execution_id")?,
    })
}
