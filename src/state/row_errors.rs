//! Rows that a target refused, until it takes them.

use rowsync_actors::messages::TableOutcome;
use rowsync_engine::report::TableStatus;

use super::session::Session;
use super::statement::Statement;
use super::{Place, word};

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
