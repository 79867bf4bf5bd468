//! What answers look like, for the document of the API. The engine knows nothing of such documents, so the shape of its
//! report is said here once more; a test lays both beside each other.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::executions::Status;
use crate::service::TableProgress;
use crate::state::Command;

/// What one execution did, or does: the report that `rowsync run --output json` prints, with what the service knows beside.
#[derive(Serialize, ToSchema)]
pub struct Execution {
    pub execution_id: String,
    /// The name of the sync.
    pub sync: String,
    /// The configuration, where the service knows it still.
    pub configuration: Option<String>,
    pub command: Command,
    pub status: Status,
    /// RFC 3339, in UTC.
    pub started_at: String,
    /// Null while it runs.
    pub finished_at: Option<String>,
    /// Empty while it runs.
    pub tables: Vec<Table>,
    pub totals: Totals,
    /// Errors that belong to no table.
    #[schema(required = false)]
    pub errors: Vec<Error>,
    /// The execution that this one undoes.
    pub undoes: Option<String>,
    /// How far each table is, while it runs in this process.
    #[schema(required = false)]
    pub progress: Vec<TableProgress>,
}

#[derive(Serialize, ToSchema)]
pub struct Table {
    pub table: String,
    pub target: String,
    /// `completed`, `completed_with_errors`, `failed`, `interrupted`, `skipped`, `planned` or `blocked`.
    pub status: String,
    /// 1, and one more each time the table was begun again.
    pub generation: u64,
    pub panics: u64,
    pub plan: Option<Plan>,
    /// `bulk`, `binary_search`, `full_compare`, `incremental` or `none`.
    pub method: String,
    pub added: u64,
    pub modified: u64,
    pub deleted: u64,
    pub skipped: u64,
    pub failed: u64,
    pub conflicts: u64,
    /// Every row of the target is known to be equal.
    pub verified: bool,
    pub queries: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// Seconds by what they were spent on.
    #[schema(value_type = Object)]
    pub seconds: Value,
    #[schema(value_type = Object)]
    pub binary_search: Value,
    pub errors: Vec<Error>,
    #[schema(required = false)]
    pub notes: Vec<String>,
    /// Of a plan: what the columns of both sides come to.
    #[schema(required = false)]
    pub columns: Vec<Column>,
}

/// A column of either side, with its partner.
#[derive(Serialize, ToSchema)]
pub struct Column {
    pub source: Option<String>,
    pub source_type: Option<String>,
    pub target: Option<String>,
    pub target_type: Option<String>,
    /// `exact`, `rounded`, `may_fail`, `impossible`, `left_out` (by the sync), `added` (by a run), `given` (a value of
    /// the settings), `made` (by an expression) or `left_alone` (in the target).
    pub fit: String,
    pub compared_as: Option<String>,
    pub rule: Option<String>,
    /// The values that are refused or rounded, or why nothing goes over.
    pub limits: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Plan {
    pub operations: Vec<String>,
    pub reason: String,
    pub source_count: u64,
    pub target_count: u64,
    pub changed: u64,
}

#[derive(Serialize, ToSchema)]
pub struct Totals {
    pub added: u64,
    pub modified: u64,
    pub deleted: u64,
    pub skipped: u64,
    pub failed: u64,
    pub conflicts: u64,
}

#[derive(Serialize, ToSchema)]
pub struct Error {
    /// `connection`, `schema`, `data` or `logic`.
    pub class: String,
    /// The key of the row, where it is about one.
    #[schema(value_type = Option<Object>)]
    pub key: Option<Value>,
    pub message: String,
    /// What a person can do about it.
    pub remedy: String,
}

/// One event of a stream.
#[derive(Serialize, ToSchema)]
pub struct Event {
    /// `progress` or `finished`.
    pub event: String,
    /// An execution, as one line of JSON.
    pub data: String,
}

/// A page of executions, the newest first.
#[derive(Serialize, ToSchema)]
pub struct ExecutionPage {
    pub executions: Vec<ListedExecution>,
    /// What to send as `before` to see the next page; null on the last one.
    pub next: Option<String>,
}

/// An execution in the list.
#[derive(Serialize, ToSchema)]
pub struct ListedExecution {
    pub execution_id: String,
    pub sync: String,
    pub configuration: Option<String>,
    pub command: Command,
    pub status: Status,
    pub started_at: String,
    pub finished_at: Option<String>,
    pub seconds: Option<f64>,
    pub undoes: Option<String>,
    pub totals: Option<Totals>,
    /// Rows that `verify` found missing, extra or different.
    pub differences: Option<u64>,
}

/// A page of conflicts.
#[derive(Serialize, ToSchema)]
pub struct ConflictPage {
    pub conflicts: Vec<Conflict>,
    /// What to send as `after` to see the next page; null on the last one.
    pub next: Option<String>,
}

/// Made from the catalogue of settings, or from what the state holds; see [`super::openapi`].
macro_rules! made_elsewhere {
    ($($name:ident),*) => {
        $(
            #[derive(Serialize, ToSchema)]
            pub struct $name;
        )*
    };
}

made_elsewhere!(NewConfiguration, ConfigurationPatch, Configuration, ConfigurationPage, Conflict, Decision);

#[cfg(test)]
mod tests {
    use rowsync_engine::pair::{ColumnFit, Fit};
    use rowsync_engine::report::{ErrorReport, RunReport, RunStatus, TableReport};
    use utoipa::PartialSchema;

    use super::*;

    /// Every key that is always there is described, and whatever is described as always there is.
    fn check<T: PartialSchema>(told: &Value) {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let described = schema["properties"].as_object().unwrap();
        let told = told.as_object().unwrap();
        for key in told.keys() {
            assert!(described.contains_key(key), "`{key}` is told and not described");
        }
        for key in schema["required"].as_array().unwrap() {
            assert!(told.contains_key(key.as_str().unwrap()), "{key} is described and not told");
        }
    }

    #[test]
    fn reports_are_described_as_they_are() {
        let mut table = TableReport::new("a", "b");
        table.notes.push("n".into());
        table.columns.push(ColumnFit {
            source: Some("c".into()),
            source_type: Some("bigint".into()),
            target: Some("c".into()),
            target_type: Some("integer".into()),
            fit: Fit::MayFail,
            compared_as: Some("int".into()),
            rule: Some("r".into()),
            limits: vec!["l".into()],
        });
        let error = ErrorReport {
            class: rowsync_engine::error::Class::Data,
            key: Some(serde_json::json!({ "id": 1 })),
            message: "m".into(),
            remedy: "r".into(),
        };
        let report = RunReport {
            execution_id: "1".into(),
            sync: "s".into(),
            undoes: Some("0".into()),
            status: RunStatus::Completed,
            started_at: "t".into(),
            finished_at: "t".into(),
            totals: RunReport::total(&[]),
            tables: vec![table],
            errors: vec![error],
        };
        let mut told = serde_json::to_value(&report).unwrap();
        check::<Table>(&told["tables"][0]);
        check::<Column>(&told["tables"][0]["columns"][0]);
        check::<Error>(&told["errors"][0]);
        check::<Totals>(&told["totals"]);
        told["command"] = "run".into();
        check::<Execution>(&told);
    }
}
