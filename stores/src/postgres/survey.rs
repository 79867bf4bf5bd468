//! How many rows there are, and what is new among them, in one statement.

use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Survey;
use rowsync_engine::value::{Value, ValueRef};

use super::fit::fit;
use super::link::Lease;
use super::literal::text_literal;
use super::select::ViewSql;
use super::wire::Wire;

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
    let sql = ViewSql::new(view);
    if sql.null_keys().is_some() || !view.filter.is_all() {
        return Ok(None);
    }
    let statement = format!(
        "SELECT round(reltuples * greatest(pg_relation_size(oid) / current_setting('block_size')::int / greatest(relpages, 1)::float8, 0.1))::bigint::text, \
         pg_table_size(oid)::text FROM pg_catalog.pg_class \
         WHERE oid = {}::regclass AND relkind IN ('r', 'm') AND reltuples > 0 AND relpages > 0",
        text_literal(&sql.table)
    );
    let rows = lease.texts(&statement).await?;
    lease.release();
    let Some([Some(rows), Some(bytes)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
    let number = |text: &str| text.parse::<u64>().map_err(|_| unexpected(view));
    let (rows, bytes) = (number(rows)?.max(1), number(bytes)?);
    Ok(Some(Survey { rows, row_bytes: Some(bytes / rows), ..Survey::default() }))
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
