//! The portable digest: the server hashes the canonical forms of a range's rows, laid behind each other in key order.

use rowsync_engine::digest::Digest;
use rowsync_engine::digest::portable::{CHUNK_ROWS, PortableDigest, ROW_BYTES_MAX};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::KeyRange;
use rowsync_engine::schema::TableView;

use super::link::{Lease, Link};
use super::ranges::{self, DIGESTS_A_STATEMENT};
use super::select::ViewSql;
use super::{canonical, split};

/// A LIMIT that limits nothing.
const ALL_ROWS: u64 = i64::MAX as u64;

/// Rows, and the hash of them where there are any.
type Chunk = (u64, Option<[u8; 32]>);

/// A digest for each range. Usual ranges are one chunk, and all of them one statement; a larger one is cut into chunks,
/// so that the server never lays more than some megabytes behind each other.
pub async fn digests(link: &Link, view: &TableView, ranges: &[KeyRange], salt: u64) -> Result<Vec<Digest>, StoreError> {
    let sql = ViewSql::new(view);
    let row = canonical::row(view, &sql)?;
    let first =
        chunks(link.lease("digest").await?, view, ranges, |condition| chunk(&sql, &row, condition, CHUNK_ROWS)).await?;
    let mut digests = Vec::with_capacity(ranges.len());
    for (range, (rows, hash)) in ranges.iter().zip(first) {
        let chunks = match rows < CHUNK_ROWS {
            true => vec![(rows, hash)],
            false => {
                let lease = link.lease("digest").await?;
                let parts = range.cut_at(split::split_exactly(lease, view, range, CHUNK_ROWS).await?);
                let lease = link.lease("digest").await?;
                chunks(lease, view, &parts, |condition| chunk(&sql, &row, condition, ALL_ROWS)).await?
            }
        };
        digests.push(digest(chunks, salt));
    }
    Ok(digests)
}

fn digest(chunks: Vec<Chunk>, salt: u64) -> Digest {
    let mut digest = PortableDigest::new(salt);
    for (rows, hash) in chunks {
        if let Some(hash) = hash {
            digest.add_chunk(rows, hash);
        }
    }
    digest.of_chunks()
}

/// Number and hash of the rows under a condition. An aggregate takes the rows as the subquery sorts them, which an index
/// serves; an ORDER BY of its own would sort them once more. The LIMIT also keeps workers from sharing them out among
/// each other, which would lose their order.
fn chunk(sql: &ViewSql, row: &str, condition: &str, rows_max: u64) -> String {
    format!(
        "SELECT count(*)::text, encode(sha256(string_agg(CASE WHEN octet_length(r) > {ROW_BYTES_MAX} \
         THEN '\\xffffffff'::bytea || sha256(r) ELSE r END, ''::bytea)), 'hex') \
         FROM (SELECT {row} FROM {} WHERE {condition} ORDER BY {} LIMIT {rows_max}) rowsync_rows(r)",
        sql.from,
        sql.order_by("")
    )
}

async fn chunks(
    mut lease: Lease,
    view: &TableView,
    ranges: &[KeyRange],
    select: impl Fn(&str) -> String,
) -> Result<Vec<Chunk>, StoreError> {
    let sql = ViewSql::new(view);
    let mut chunks = Vec::with_capacity(ranges.len());
    for asked in ranges.chunks(DIGESTS_A_STATEMENT) {
        let statement = ranges::each(&sql, asked, |after, through| select(&sql.between(after, through)))?;
        let mut found = vec![None; asked.len()];
        for row in lease.texts(&statement).await? {
            let (index, chunk) = parse(&row).ok_or_else(|| unexpected(view))?;
            *found.get_mut(index).ok_or_else(|| unexpected(view))? = Some(chunk);
        }
        for chunk in found {
            chunks.push(chunk.ok_or_else(|| unexpected(view))?);
        }
    }
    lease.release();
    Ok(chunks)
}

fn parse(row: &[Option<String>]) -> Option<(usize, Chunk)> {
    let [Some(rows), hash, Some(index)] = row else { return None };
    let hash = match hash {
        Some(digits) => Some(parse_hash(digits)?),
        None => None,
    };
    Some((index.parse().ok()?, (rows.parse().ok()?, hash)))
}

fn parse_hash(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

fn unexpected(view: &TableView) -> StoreError {
    StoreError::new(Kind::Bug, "digest", "the server's answer does not fit the question").at(&view.table)
}
