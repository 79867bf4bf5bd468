//! The executions in the state, each with its report.

use rowsync_actors::messages::TableOutcome;
use rowsync_engine::report::RunReport;

use super::session::Session;
use super::statement::Statement;
use super::{Place, State, StateError, word};

impl State {
    /// Remembers a run: its report, and the newest change of every table that ended well.
    ///
    /// # Errors
    /// When the state cannot be written; then nothing of the run is remembered.
    pub async fn record(
        &self,
        place: &Place,
        report: &RunReport,
        outcomes: &[(String, TableOutcome)],
    ) -> Result<(), StateError> {
        self.write(place, report, outcomes).await.map_err(|error| self.error(error))
    }

    async fn write(
        &self,
        place: &Place,
        report: &RunReport,
        outcomes: &[(String, TableOutcome)],
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        write_report(&mut transaction, report).await?;
        for (shape, outcome) in outcomes {
            super::change_tracking::write(&mut transaction, place, report, shape, outcome).await?;
            super::row_errors::write(&mut transaction, place, &report.execution_id, outcome).await?;
        }
        transaction.commit().await
    }
}

async fn write_report(transaction: &mut Session, report: &RunReport) -> Result<(), sqlx::Error> {
    let json = serde_json::to_string(report).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let sql = "insert into sync_executions (id, sync, status, started_at, finished_at, report)
        values ($1, $2, $3, $4, $5, $6)";
    let insert = Statement::new(sql)
        .bind(&report.execution_id)
        .bind(&report.sync)
        .bind(word(&report.status))
        .bind(&report.started_at)
        .bind(&report.finished_at)
        .bind(json);
    transaction.execute(insert).await.map(drop)
}
