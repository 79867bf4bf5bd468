//! The rows that a target refused, as they are kept until it takes them.

use rowsync_actors::messages::TableOutcome;
use rowsync_engine::report::TableStatus;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::session::Session;
use super::statement::{Row, Statement};
use super::{Place, State, StateError, word};

/// A row that failed, for the owner of the data.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RowError {
    pub table: String,
    #[schema(value_type = Object)]
    pub key: Value,
    /// `insert`, `update` or `delete`.
    pub change: String,
    pub class: String,
    pub message: String,
    /// As the source had it; none of a delete, or where values are not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
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
        self.row_errors_on(place, 0, i64::MAX).await
    }

    /// A page of them.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn row_errors_on(&self, place: &Place, offset: i64, count_max: i64) -> Result<Vec<RowError>, StateError> {
        let sql = "select e.table_name, e.key, e.change, e.class, e.message, e.row, e.failures, e.first_execution_id,
                e.execution_id
            from sync_row_errors e where e.sync = $1 and e.ends = $2 order by e.table_name, e.key limit $3 offset $4";
        let select = Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(count_max).bind(offset);
        let rows = self.fetch(select).await?;
        rows.iter().map(row_error).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }
}

impl State {
    /// How many rows of a sync failed and were not written since.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn row_errors_count(&self, place: &Place) -> Result<i64, StateError> {
        let sql = "select count(*) as waiting from sync_row_errors where sync = $1 and ends = $2";
        let rows = self.fetch(Statement::new(sql).bind(&place.sync).bind(&place.ends)).await?;
        rows.first().map_or(Ok(0), |row| row.get("waiting")).map_err(|error| self.error(error))
    }
}

/// Keeps the rows that failed. Those that a table worked through took this time are none any more.
pub(super) async fn write(
    transaction: &mut Session,
    place: &Place,
    execution_id: &str,
    outcome: &TableOutcome,
) -> Result<(), sqlx::Error> {
    for failed in &outcome.failed_rows {
        let sql = "insert into sync_row_errors (sync, ends, table_name, key, change, class, message, row, failures,
                first_execution_id, execution_id) values ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $9)
            on conflict (sync, ends, table_name, key) do update set change = excluded.change, class = excluded.class,
                message = excluded.message, row = excluded.row, failures = sync_row_errors.failures + 1,
                execution_id = excluded.execution_id";
        let insert = Statement::new(sql)
            .bind(&place.sync)
            .bind(&place.ends)
            .bind(&outcome.report.table)
            .bind(failed.key.to_string())
            .bind(failed.change)
            .bind(word(&failed.class))
            .bind(&failed.message)
            .bind(failed.row.as_ref().map(ToString::to_string))
            .bind(execution_id);
        transaction.execute(insert).await?;
    }
    let looked_at = !matches!(outcome.report.status, TableStatus::Skipped | TableStatus::Planned);
    if !outcome.worked_through || !looked_at {
        return Ok(());
    }
    let sql = "delete from sync_row_errors where sync = $1 and ends = $2 and table_name = $3 and execution_id <> $4";
    let delete = Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(&outcome.report.table);
    transaction.execute(delete.bind(execution_id)).await.map(drop)
}

fn row_error(row: &Row) -> Result<RowError, sqlx::Error> {
    let json = |text: String| serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()));
    Ok(RowError {
        table: row.get("table_name")?,
        key: json(row.get("key")?)?,
        change: row.get("change")?,
        class: row.get("class")?,
        message: row.get("message")?,
        row: row.get::<Option<String>>("row")?.map(json).transpose()?,
        failures: row.get("failures")?,
        first_execution_id: row.get("first_execution_id")?,
        execution_id: row.get("execution_id")?,
    })
}
