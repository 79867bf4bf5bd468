//! Filling an empty target: pages of the source in key order, each written in a transaction of its own and then read
//! back by digest, some pages at a time, while the next ones are already being read and written.
//!
//! Every page closes the gap to the one before it, and the last one is open to the end, so the ranges that are read
//! back cover the whole table, and a row that somebody else puts between them is seen.

use std::sync::Arc;

use futures_util::stream::TryChunksError;
use futures_util::{TryStreamExt, future, stream};
use rowsync_engine::budget::Permit;
use rowsync_engine::change::Changes;
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage};
use tokio_util::task::AbortOnDropHandle;

use super::Desk;
use crate::failure::Failure;
use crate::found::Found;

/// Pages on their way to the writer, where the budget allows as many; they bridge a writer that comes on unevenly.
pub const WRITES_IN_FLIGHT: usize = 8;
/// Pages that are read back by one question.
const PAGES_OF_A_PROOF: usize = 16;
/// Proofs under way behind the writer.
const PROOFS_IN_FLIGHT: usize = 2;

pub(super) async fn copy(desk: Arc<Desk>) -> Result<Found, Failure> {
    let form = if desk.pair.raw { Form::Raw } else { Form::Fields };
    let pages = stream::try_unfold(Some(None), |cursor| read_page(&desk, form, cursor));
    pages
        .map_ok(|page| write_page(&desk, page))
        .try_buffered(WRITES_IN_FLIGHT)
        .try_chunks(PAGES_OF_A_PROOF)
        .map_err(|TryChunksError(_, failure)| failure)
        .map_ok(|written| prove_pages(&desk, written))
        .try_buffered(PROOFS_IN_FLIGHT)
        .try_fold(Found::default(), |mut sum, found| {
            sum.absorb(found);
            future::ok(sum)
        })
        .await
}

struct Page {
    rows: RowPage,
    permit: Permit,
    range: KeyRange,
}

/// Where the next page begins; the outer `None` says that there is none.
type Cursor = Option<Option<Key>>;

/// A page with its permit, taken whole before it is read and settled to what the page really holds.
async fn read_page(desk: &Desk, form: Form, cursor: Cursor) -> Result<Option<(Page, Cursor)>, Failure> {
    let Some(after) = cursor else { return Ok(None) };
    desk.check_stop()?;
    let mut permit = desk.budget.take(desk.options.page_bytes).await;
    let rows = desk.source.page(desk.request(KeyRange::new(after.clone(), None), form)).await?;
    permit.settle(rows.bytes());
    desk.learn(&rows);
    let (through, next) =
        if rows.complete { (None, None) } else { (rows.last_key.clone(), Some(rows.last_key.clone())) };
    Ok(Some((Page { rows, permit, range: KeyRange::new(after, through) }, next)))
}

struct Written {
    range: KeyRange,
    /// The digest of the rows as they were read.
    wanted: Digest,
    form: Form,
    found: Found,
}

async fn write_page(desk: &Arc<Desk>, page: Page) -> Result<Written, Failure> {
    let Page { rows, permit, range } = page;
    let (count, form) = (rows.len() as u64, rows.form);
    let (rows, wanted) = digest_elsewhere(desk, rows).await?;
    let mut found = Found { missing: count, ..Found::default() };
    if count > 0 {
        found.applied = desk.writer.write(Changes::inserting(rows), permit).await?;
    }
    desk.progress.rows_done(count);
    tell_progress(desk);
    Ok(Written { range, wanted, form, found })
}

/// Hashing a page takes a core for a while, so it is not done on the actors' thread.
async fn digest_elsewhere(desk: &Arc<Desk>, rows: RowPage) -> Result<(RowPage, Digest), Failure> {
    let (domains, salt, table) = (desk.domains(), desk.salt, desk.pair.source.table.clone());
    let hashing = AbortOnDropHandle::new(tokio::spawn(async move {
        let digest = rows.digest(&domains, salt);
        (rows, digest)
    }));
    let (rows, digest) = hashing.await.map_err(|_| Failure::Gone("hashing task"))?;
    let digest = digest.map_err(|error| StoreError::new(Kind::BadValue, "read", error.to_string()).at(&table))?;
    Ok((rows, digest))
}

/// Reads pages back. Raw rows are hashed as they come over the wire again: asking both servers for their hash instead
/// was tried, and takes more of both than sending the rows of one takes.
async fn prove_pages(desk: &Desk, written: Vec<Written>) -> Result<Found, Failure> {
    let kind = match written.first().map(|page| page.form) {
        Some(Form::Raw) => DigestKind::Raw,
        _ => DigestKind::Stream,
    };
    let mut sum = Found::default();
    let mut ranges = Vec::new();
    let mut wanted = Vec::new();
    for page in written {
        sum.absorb(page.found);
        ranges.push(page.range);
        wanted.push(page.wanted);
    }
    sum.stats.ranges = ranges.len() as u64;
    let got = desk.target.digests(Arc::from(ranges.as_slice()), kind, desk.salt).await?;
    let pairs = ranges.into_iter().zip(wanted.into_iter().zip(got));
    sum.unequal = pairs.filter(|(_, (wanted, got))| wanted != got).map(|(range, _)| range).collect();
    Ok(sum)
}

pub(super) fn tell_progress(desk: &Desk) {
    use std::sync::atomic::Ordering::Relaxed;
    let total = desk.progress.rows_total.load(Relaxed);
    let done = desk.progress.rows_done.load(Relaxed).min(total);
    let open = total - done;
    tracing::debug!(table = %desk.pair.source.table, "records to sync: {open} / {total}, records synced: {done} / {total}");
}
