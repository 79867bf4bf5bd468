//! What has changed about a table since the run was planned: asked when a database says that something is missing.

use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::schema::{TableSchema, TableView};

use super::work::Work;

impl Work {
    /// The error of a table that is unlike what was planned, with what is unlike about it.
    pub(super) async fn with_drift(&self, mut error: StoreError) -> StoreError {
        if error.class() != Class::Schema {
            return error;
        }
        let pair = &self.job.pair;
        for (side, end, view) in
            [("source", &self.shared.source, &pair.source), ("target", &self.shared.target, &pair.target)]
        {
            // Where even this cannot be asked, the error itself has to do.
            let Ok(found) = end.store().describe(&view.table).await else { continue };
            for change in changes(view, found.as_ref()) {
                error.message.push_str(&format!("; since the run began, the {side}'s {change}"));
            }
        }
        error
    }
}

fn changes(planned: &TableView, found: Option<&TableSchema>) -> Vec<String> {
    let Some(found) = found else { return vec![format!("table {} is gone", planned.table)] };
    let mut changes = Vec::new();
    for column in planned.columns.iter().map(|column| &column.column) {
        match found.columns.iter().find(|other| other.name == column.name) {
            None => changes.push(format!("column \"{}\" is gone", column.name)),
            Some(now) if now.declared != column.declared => {
                changes.push(format!("column \"{}\" became {} from {}", column.name, now.declared, column.declared));
            }
            Some(_) => {}
        }
    }
    changes
}
