//! How many rows there are, and what is new among them, in one statement.

use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Survey;
use rowsync_engine::value::{Value, ValueRef};

use super::connection::Lease;
use super::fit::fit;
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
    // The whole table is looked at, for which a scan is the best there is.
    let statement = format!(
        "SET enable_seqscan = on; \
         SELECT count(*)::text, ({changed})::text, ({newest})::text, ({null_keys})::text, \
         (pg_table_size({}::regclass) / greatest(count(*), 1))::text FROM {}; SET enable_seqscan = off",
        text_literal(&sql.table),
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
