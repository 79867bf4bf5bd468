//! Digests that are made here: rows are hashed as they arrive, and none is kept.

use rowsync_engine::digest::Digest;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::KeyRange;
use rowsync_engine::row;
use rowsync_engine::schema::TableView;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::connection::Lease;
use super::copy::{Flow, Tuple, copy_out};
use super::ranges::{self, RANGES_A_STATEMENT};
use super::read::{Fields, RawColumns, last_number};
use super::select::ViewSql;

/// By the canonical form of each row.
pub async fn by_values(
    lease: Lease,
    view: &TableView,
    ranges: &[KeyRange],
    salt: u64,
) -> Result<Vec<Digest>, StoreError> {
    let sql = ViewSql::new(view);
    let mut fields = Fields::new(&sql.columns, view.key_len, &view.table);
    let domains = view.domains();
    let (mut row, mut scratch) = (Vec::new(), Vec::new());
    let expressions = ViewSql::expressions(&sql.columns);
    streamed(lease, view, &sql, ranges, &expressions, move |tuple| {
        fields.read(tuple, &mut row)?;
        row::row_hash(&row, &domains, salt, &mut scratch)
            .map_err(|e| StoreError::new(Kind::BadValue, "digest", e.to_string()).at(&view.table))
    })
    .await
}

/// By the bytes of each tuple.
pub async fn by_bytes(
    lease: Lease,
    view: &TableView,
    ranges: &[KeyRange],
    salt: u64,
) -> Result<Vec<Digest>, StoreError> {
    let sql = ViewSql::new(view);
    let raw = RawColumns::new(view, &sql);
    let mut buffer = Vec::new();
    streamed(lease, view, &sql, ranges, &raw.expressions, move |tuple| {
        Ok(xxh3_64_with_seed(tuple.first_fields(raw.kept, &mut buffer), salt))
    })
    .await
}

/// The order of the rows does not matter to a sum; where there are several ranges, each tuple says by its last field of
/// which it is.
async fn streamed<F>(
    mut lease: Lease,
    view: &TableView,
    sql: &ViewSql,
    ranges: &[KeyRange],
    expressions: &str,
    mut hash: F,
) -> Result<Vec<Digest>, StoreError>
where
    F: FnMut(&Tuple<'_>) -> Result<u64, StoreError> + Send,
{
    let whole = ranges::are_whole(ranges);
    let mut digests = vec![Digest::default(); ranges.len()];
    if whole {
        lease.execute("SET enable_seqscan = on").await?;
    }
    for (chunk, digests) in ranges.chunks(RANGES_A_STATEMENT).zip(digests.chunks_mut(RANGES_A_STATEMENT)) {
        let select = match chunk {
            [range] => ranges::select_one(sql, range, expressions)?,
            several => ranges::select(sql, several, expressions)?,
        };
        copy_out(&mut lease, &format!("COPY ({select}) TO STDOUT (FORMAT binary)"), |tuple| {
            let index = if digests.len() == 1 { Some(0) } else { last_number(&tuple) };
            let digest = index.and_then(|index| digests.get_mut(index));
            let digest = digest.ok_or_else(|| {
                StoreError::new(Kind::Bug, "digest", "a row of a range that was not asked for").at(&view.table)
            })?;
            digest.add(hash(&tuple)?);
            Ok(Flow::More)
        })
        .await?;
    }
    if whole {
        lease.execute("SET enable_seqscan = off").await?;
    }
    lease.release();
    Ok(digests)
}
