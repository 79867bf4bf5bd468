//! Digests that the server makes: counts, and sums of hashes of rows.

use rowsync_engine::digest::Digest;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::KeyRange;
use rowsync_engine::schema::TableView;

use super::connection::Lease;
use super::hash::row_hash;
use super::ranges::{self, RANGES_A_STATEMENT};
use super::select::ViewSql;

pub async fn counts(lease: Lease, view: &TableView, ranges: &[KeyRange]) -> Result<Vec<Digest>, StoreError> {
    asked(lease, view, ranges, "count(*)::text, '0'::text").await
}

pub async fn hashes(lease: Lease, view: &TableView, ranges: &[KeyRange], salt: u64) -> Result<Vec<Digest>, StoreError> {
    asked(lease, view, ranges, &format!("count(*)::text, coalesce(sum({}), 0)::text", row_hash(view, salt))).await
}

async fn asked(
    mut lease: Lease,
    view: &TableView,
    ranges: &[KeyRange],
    aggregates: &str,
) -> Result<Vec<Digest>, StoreError> {
    let sql = ViewSql::new(view);
    let mut digests = Vec::with_capacity(ranges.len());
    for chunk in ranges.chunks(RANGES_A_STATEMENT) {
        let mut statement = ranges::select(&sql, chunk, aggregates)?;
        if ranges::are_whole(chunk) {
            statement = format!("SET enable_seqscan = on; {statement}; SET enable_seqscan = off");
        }
        let mut found = vec![None; chunk.len()];
        for row in lease.texts(&statement).await? {
            let (index, digest) = parse(&row).ok_or_else(|| unexpected(view))?;
            *found.get_mut(index).ok_or_else(|| unexpected(view))? = Some(digest);
        }
        for digest in found {
            digests.push(digest.ok_or_else(|| unexpected(view))?);
        }
    }
    lease.release();
    Ok(digests)
}

fn parse(row: &[Option<String>]) -> Option<(usize, Digest)> {
    let [Some(rows), Some(sum), Some(index)] = row else { return None };
    Some((index.parse().ok()?, Digest { rows: rows.parse().ok()?, sum: sum.parse().ok()? }))
}

fn unexpected(view: &TableView) -> StoreError {
    StoreError::new(Kind::Bug, "digest", "the server's answer does not fit the question").at(&view.table)
}
