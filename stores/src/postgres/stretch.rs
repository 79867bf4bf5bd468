//! Tables without a key, read block by block. Where a row lies (`ctid`) is a block and a number in it, and stays as it is
//! for as long as the view of the rows stands. A stretch of a table with partitions or heirs is the same blocks of each.
//! Rows of a view lie nowhere: a stretch of it is the rows with these hashes, and each takes the whole view to be worked out.
//! Their places are the numbers below 0.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Term;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Gathered;
use rowsync_engine::stretch::Stretch;

use super::filter;
use super::link::Lease;
use super::literal::{identifiers, table, text_literal};
use super::read;

/// Bits of a place that are the number in a block.
const NUMBER_BITS: u32 = 16;
const LAST_NUMBER: i64 = (1 << NUMBER_BITS) - 1;

/// More parts at once save nothing; one that turns out to hold too much is halved.
const STRETCHES_MAX: u64 = 4096;

pub async fn stretches(mut lease: Lease, view: &TableView, bytes_max: usize) -> Result<Vec<Stretch>, StoreError> {
    let statement = format!(
        "WITH RECURSIVE tree (oid) AS (SELECT {}::regclass::oid \
           UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid) \
         SELECT (max(coalesce(pg_relation_size(c.oid), 0)) / current_setting('block_size')::int)::bigint::text, \
           sum(coalesce(pg_table_size(c.oid), 0))::text, bool_and(c.relkind IN ('r', 'm', 'p'))::text \
         FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid",
        text_literal(&table(&view.table))
    );
    let answer = lease.texts(&statement).await?;
    let Some([Some(blocks), Some(bytes), Some(has_places)]) = answer.first().map(Vec::as_slice) else {
        return Err(unexpected());
    };
    let blocks: i64 = blocks.parse().map_err(|_| unexpected())?;
    let (whole, bytes) = match has_places.as_str() {
        "true" => (Stretch { first: 0, last: (blocks << NUMBER_BITS) | LAST_NUMBER }, bytes.clone()),
        _ => {
            let taken = format!("SELECT coalesce(sum(length({})), 0)::text FROM {}", spelled(view), filter::rows(view));
            let answer = lease.texts(&taken).await?;
            (
                Stretch { first: i64::MIN, last: -1 },
                answer.into_iter().flatten().flatten().next().ok_or_else(unexpected)?,
            )
        }
    };
    lease.release();
    let bytes: u64 = bytes.parse().map_err(|_| unexpected())?;
    // Half, as some parts hold more than others.
    Ok(whole.cut((2 * bytes / bytes_max.max(1) as u64).clamp(1, STRETCHES_MAX)))
}

pub async fn lying_in(
    lease: Lease,
    view: &TableView,
    stretch: Stretch,
    bytes_max: usize,
) -> Result<Option<RowPage>, StoreError> {
    let place = |place: i64| format!("'({},{})'::tid", place >> NUMBER_BITS, place & LAST_NUMBER);
    let mut part = view.clone();
    let within = match stretch.last < 0 {
        true => format!("{} BETWEEN {} AND {}", hashed(view), stretch.first, stretch.last),
        false => format!("ctid >= {} AND ctid <= {}", place(stretch.first), place(stretch.last)),
    };
    part.filter.terms.push(Term::Sql(within));
    read::gather(lease, &part, &[KeyRange::ALL], Gathered::Fields, bytes_max).await
}

/// Columns that a hash is made of; rows that differ in others alone lie in one place.
const COLUMNS_HASHED: usize = 100;

/// A row as text.
fn spelled(view: &TableView) -> String {
    let is_stored = |name: &str| view.computed.iter().all(|computed| computed.name != name);
    let names = view.columns.iter().map(|column| column.column.name.as_str());
    format!("ROW({})::text", identifiers(names.filter(|name| is_stored(name)).take(COLUMNS_HASHED)))
}

/// The place of a row that lies nowhere.
fn hashed(view: &TableView) -> String {
    format!("-1 - (hashtextextended({}, 0) & {})", spelled(view), i64::MAX)
}

fn unexpected() -> StoreError {
    StoreError::new(Kind::Bug, "read", "the server's answer does not fit the question")
}
