//! Digests that the server makes: counts, and sums of hashes of rows.

use rowsync_engine::digest::Digest;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::KeyRange;
use rowsync_engine::schema::TableView;

use super::copy::{Flow, copy_out};
use super::hash::row_hash;
use super::link::Lease;
use super::numeric;
use super::ranges::{self, DIGESTS_A_STATEMENT};
use super::select::ViewSql;

pub async fn counts(lease: Lease, view: &TableView, ranges: &[KeyRange]) -> Result<Vec<Digest>, StoreError> {
    asked(lease, view, ranges, "count(*), 0::numeric").await
}

pub async fn hashes(lease: Lease, view: &TableView, ranges: &[KeyRange], salt: u64) -> Result<Vec<Digest>, StoreError> {
    asked(lease, view, ranges, &format!("count(*), coalesce(sum({}), 0)", row_hash(view, salt))).await
}

async fn asked(
    mut lease: Lease,
    view: &TableView,
    ranges: &[KeyRange],
    aggregates: &str,
) -> Result<Vec<Digest>, StoreError> {
    let sql = ViewSql::new(view);
    let mut digests = Vec::with_capacity(ranges.len());
    for chunk in ranges.chunks(DIGESTS_A_STATEMENT) {
        let whole = ranges::are_whole(chunk);
        if whole {
            lease.execute("SET enable_seqscan = on").await?;
        }
        // All answers as one value, in the order of the ranges: a third of the bytes that rows of texts take.
        let statement = format!(
            "COPY (SELECT string_agg(int8send(d.rows) || numeric_send(d.sum), ''::bytea ORDER BY d.i) \
             FROM ({}) d(rows, sum, i)) TO STDOUT (FORMAT binary)",
            ranges::select(&sql, chunk, aggregates)?
        );
        let before = digests.len();
        copy_out(&mut lease, &statement, |tuple| {
            let answers = tuple.field(0).unwrap_or_default();
            parse_all(answers, &mut digests).ok_or_else(|| unexpected(view))?;
            Ok(Flow::More)
        })
        .await?;
        if digests.len() - before != chunk.len() {
            return Err(unexpected(view));
        }
        if whole {
            lease.execute("SET enable_seqscan = off").await?;
        }
    }
    lease.release();
    Ok(digests)
}

fn parse_all(mut bytes: &[u8], digests: &mut Vec<Digest>) -> Option<()> {
    let mut text = String::new();
    while let Some((rows, rest)) = bytes.split_first_chunk::<8>() {
        // A numeric says in its first two bytes how many pairs of bytes follow its header of eight.
        let length = 8 + 2 * usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?));
        let (sum, rest) = rest.split_at_checked(length)?;
        numeric::decode(sum, &mut text)?;
        digests.push(Digest { rows: u64::try_from(i64::from_be_bytes(*rows)).ok()?, sum: text.parse().ok()? });
        bytes = rest;
    }
    bytes.is_empty().then_some(())
}

fn unexpected(view: &TableView) -> StoreError {
    StoreError::new(Kind::Bug, "digest", "the server's answer does not fit the question").at(&view.table)
}
