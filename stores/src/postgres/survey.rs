//! How many rows there are, and what is new among them, in one statement.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::{TableName, TableView};
use rowsync_engine::store::Survey;
use rowsync_engine::value::{Value, ValueRef};

use super::fit::fit;
use super::link::Lease;
use super::literal::text_literal;
use super::select::ViewSql;
use super::wire::Wire;

/// How long a size is good for an estimate.
const TRUSTED: Duration = Duration::from_secs(5);

pub async fn survey(mut lease: Lease, view: &TableView, since: Option<&Value>) -> Result<Survey, StoreError> {
    let sql = ViewSql::new(view);
    let changed = match (since, sql.modify_time()) {
        (Some(moment), Some(_)) => format!("count(*) FILTER (WHERE {})", sql.modified_after(moment)?),
        _ => "NULL".into(),
    };
    let newest = sql.modify_time().map_or("NULL".into(), |column| format!("max({column})"));
    let null_keys = sql.null_keys().map_or("0".into(), |nulls| format!("count(*) FILTER (WHERE {nulls})"));
    // What a filter leaves of the table has no size of its own.
    let size = match view.filter.is_all() {
        true => format!("pg_table_size({}::regclass)", text_literal(&sql.table)),
        false => "NULL".into(),
    };
    // The whole table is looked at, for which a scan is the best there is.
    let statement = format!(
        "SET enable_seqscan = on; \
         SELECT count(*)::text, ({changed})::text, ({newest})::text, ({null_keys})::text, \
         ({size} / greatest(count(*), 1))::text FROM {}; SET enable_seqscan = off",
        sql.from
    );
    let rows = lease.texts(&statement).await?;
    lease.release();
    let [row] = rows.as_slice() else { return Err(unexpected(view)) };
    let [Some(rows), changed, newest, Some(null_keys), row_bytes] = row.as_slice() else {
        return Err(unexpected(view));
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| unexpected(view));
    Ok(Survey {
        rows: number(rows)?,
        changed: changed.as_deref().map(number).transpose()?,
        newest: newest.as_deref().map(|text| moment(view, text)).transpose()?,
        null_keys: number(null_keys)?,
        // Views and partitioned tables have no size of their own.
        row_bytes: row_bytes.as_deref().map(number).transpose()?.filter(|bytes| *bytes > 0),
    })
}

/// By the planner's figures and the size of the table.
pub async fn estimate(mut lease: Lease, view: &TableView) -> Result<Option<Survey>, StoreError> {
    let oid = format!("{}::regclass", text_literal(&ViewSql::new(view).table));
    let rows = lease.texts(&of_size(&oid)).await?;
    lease.release();
    size(&rows)
}

/// Whether the size of the table tells how many rows the view has.
pub fn is_estimated(view: &TableView) -> bool {
    ViewSql::new(view).null_keys().is_none() && view.filter.is_all()
}

/// Selects rows and bytes of the table of this number, where the planner knows them.
pub fn of_size(oid: &str) -> String {
    format!(
        "SELECT round(reltuples * greatest(pg_relation_size(oid) / current_setting('block_size')::int / greatest(relpages, 1)::float8, 0.1))::bigint::text, \
         pg_table_size(oid)::text FROM pg_catalog.pg_class \
         WHERE oid = {oid} AND relkind IN ('r', 'm') AND reltuples > 0 AND relpages > 0"
    )
}

pub fn size(answer: &[Vec<Option<String>>]) -> Result<Option<Survey>, StoreError> {
    let Some([Some(rows), Some(bytes)]) = answer.first().map(Vec::as_slice) else { return Ok(None) };
    let number = |text: &str| {
        let unexpected = |_| StoreError::new(Kind::Bug, "survey", "the catalog's answer does not fit the question");
        text.parse::<u64>().map_err(unexpected)
    };
    let (rows, bytes) = (number(rows)?.max(1), number(bytes)?);
    Ok(Some(Survey { rows, row_bytes: Some(bytes / rows), ..Survey::default() }))
}

/// What descriptions of tables told of their sizes besides.
#[derive(Default)]
pub struct Sizes {
    told: Mutex<HashMap<TableName, (Survey, Instant)>>,
}

impl Sizes {
    pub fn remember(&self, table: &TableName, size: Option<Survey>) {
        match size {
            Some(size) => self.told().insert(table.clone(), (size, Instant::now())),
            None => self.told().remove(table),
        };
    }

    /// Once, and not for long: the table may have changed since.
    pub fn take(&self, table: &TableName) -> Option<Survey> {
        let (size, since) = self.told().remove(table)?;
        (since.elapsed() < TRUSTED).then_some(size)
    }

    fn told(&self) -> MutexGuard<'_, HashMap<TableName, (Survey, Instant)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The modify time in the domain of its column, or in the column's own where the view does not hold it.
fn moment(view: &TableView, text: &str) -> Result<Value, StoreError> {
    let column = view.columns.iter().find(|column| Some(&column.column.name) == view.modify_time.as_ref());
    let domain = match column {
        Some(column) => match column.domain {
            Domain::Native | Domain::Dynamic => Wire::of(&column.column).domain(),
            domain => domain,
        },
        None => Domain::Text,
    };
    let mut scratch = String::new();
    let fitted = fit(ValueRef::Text(text), domain, &mut scratch);
    fitted.map(ValueRef::to_value).map_err(|_| unexpected(view))
}

fn unexpected(view: &TableView) -> StoreError {
    StoreError::new(Kind::Bug, "survey", "the server's answer does not fit the question").at(&view.table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_was_told_is_taken_once_and_not_for_long() {
        let (sizes, table) = (Sizes::default(), TableName::new("t"));
        let size = Survey { rows: 7, ..Survey::default() };
        sizes.remember(&table, Some(size.clone()));
        assert_eq!(sizes.take(&TableName::new("other")), None);
        assert_eq!(sizes.take(&table), Some(size.clone()));
        assert_eq!(sizes.take(&table), None);
        let long_ago = Instant::now().checked_sub(TRUSTED).unwrap();
        sizes.told().insert(table.clone(), (size.clone(), long_ago));
        assert_eq!(sizes.take(&table), None);
        sizes.remember(&table, Some(size));
        sizes.remember(&table, None);
        assert_eq!(sizes.take(&table), None);
    }
}
