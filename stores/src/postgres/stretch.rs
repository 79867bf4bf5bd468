//! Tables without a key, read block by block. Where a row lies (`ctid`) is a block and a number in it, and stays as it is
//! for as long as the view of the rows stands. A stretch of a table with partitions or heirs is the same blocks of each.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Term;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::stretch::Stretch;

use super::link::Lease;
use super::literal::{table, text_literal};
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
    lease.release();
    let Some([Some(blocks), Some(bytes), Some(has_places)]) = answer.first().map(Vec::as_slice) else {
        return Err(unexpected());
    };
    if has_places != "true" {
        let message = "a view without a key cannot be read in parts; name one in `primary_key_field`";
        return Err(StoreError::new(Kind::SchemaMismatch, "read", message));
    }
    let blocks: i64 = blocks.parse().map_err(|_| unexpected())?;
    let bytes: u64 = bytes.parse().map_err(|_| unexpected())?;
    let whole = Stretch { first: 0, last: (blocks << NUMBER_BITS) | LAST_NUMBER };
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
    let within = format!("ctid >= {} AND ctid <= {}", place(stretch.first), place(stretch.last));
    part.filter.terms.push(Term::Sql(within));
    read::gather(lease, &part, &[KeyRange::ALL], false, bytes_max).await
}

fn unexpected() -> StoreError {
    StoreError::new(Kind::Bug, "read", "the server's answer does not fit the question")
}
