//! Filling an empty target, or the end that it lacks: pages of the source in key order, each written in a transaction of its own and then read
//! back by digest, some pages at a time, while the next ones are already being read and written.
//!
//! Every page closes the gap to the one before it, and the last one is open to the end, so the ranges that are read
//! back cover the whole table, and a row that somebody else puts between them is seen.
//!
//! Where the target can say beforehand how it will hold the rows, or even how it will hash them, that is what it is asked
//! for: it is cheaper than finding out what its bytes mean. The first page is compared by its values all the same unless
//! it moves untouched, so that a mistake in how values are spelled is not believed because it was made twice; and once
//! an answer was not as foreseen (JSON that the server spells anew, a trigger), the pages that follow are read back.

use std::cell::Cell;
use std::sync::Arc;

use futures_util::stream::TryChunksError;
use futures_util::{TryStreamExt, future, stream};
use rowsync_engine::budget::Permit;
use rowsync_engine::canonical::NotCanonical;
use rowsync_engine::change::Changes;
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::pair::Pair;
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::store::{Encoder, PageRequest};
use tokio::sync::oneshot;
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

/// Copies what lies behind a key, or all.
pub(super) async fn copy(desk: Arc<Desk>, after: Option<Key>) -> Result<Found, Failure> {
    let foreseen = Cell::new(true);
    let start = Cursor { after, is_first: true };
    let pages = stream::try_unfold(Some(start), |cursor| read_page(&desk, cursor));
    let mut turns = Turns::default();
    pages
        .map_ok(|page| write_page(&desk, page, turns.next(), &foreseen))
        .try_buffered(WRITES_IN_FLIGHT)
        .try_chunks(PAGES_OF_A_PROOF)
        .map_err(|TryChunksError(_, failure)| failure)
        .map_ok(|written| prove_pages(&desk, written, &foreseen))
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
    is_first: bool,
}

/// Where the next page begins.
struct Cursor {
    after: Option<Key>,
    is_first: bool,
}

/// A page with its permit, taken whole before it is read and settled to what the page really holds.
async fn read_page(desk: &Desk, cursor: Option<Cursor>) -> Result<Option<(Page, Option<Cursor>)>, Failure> {
    let Some(Cursor { after, is_first }) = cursor else { return Ok(None) };
    desk.check_stop()?;
    let form = if desk.pair.raw { Form::Raw } else { Form::Fields };
    let mut permit = desk.permit(desk.options.page_bytes).await;
    let request = PageRequest { goes_on: true, ..desk.request(KeyRange::new(after.clone(), None), form) };
    let rows = desk.source.page(request).await?;
    permit.settle(rows.bytes());
    desk.learn(&rows);
    let through = rows.last_key.clone().filter(|_| !rows.complete);
    let next = (!rows.complete).then(|| Cursor { after: through.clone(), is_first: false });
    Ok(Some((Page { rows, permit, range: KeyRange::new(after, through), is_first }, next)))
}

struct Written {
    range: KeyRange,
    /// The digest of the rows as they have to be read back.
    wanted: Digest,
    kind: DigestKind,
    found: Found,
}

/// Pages are written in the order of their keys, which keeps the target's index dense, although some are prepared more
/// quickly than those before them: the writer gets them one after the other.
#[derive(Default)]
struct Turns {
    last: Option<oneshot::Receiver<()>>,
}

struct Turn {
    mine: Option<oneshot::Receiver<()>>,
    next: oneshot::Sender<()>,
}

impl Turns {
    fn next(&mut self) -> Turn {
        let (next, last) = oneshot::channel();
        Turn { mine: self.last.replace(last), next }
    }
}

impl Turn {
    /// Waits until the writer has taken the page before, and hands back who is to be told when it has taken this one. Fails
    /// where it never will; the failure of the page before is told first.
    async fn come(self) -> Result<oneshot::Sender<()>, Failure> {
        if let Some(mine) = self.mine {
            mine.await.map_err(|_| Failure::Gone("page before"))?;
        }
        Ok(self.next)
    }
}

async fn write_page(desk: &Arc<Desk>, page: Page, turn: Turn, foreseen: &Cell<bool>) -> Result<Written, Failure> {
    let Page { rows, mut permit, range, is_first } = page;
    let encoder = desk.encoder.clone().filter(|_| foreseen.get() && (rows.form == Form::Raw || !is_first));
    if encoder.is_some() && rows.form == Form::Fields {
        permit.settle(2 * rows.bytes());
    }
    let (rows, kind, wanted) = prepare(desk, rows, encoder).await?;
    permit.settle(rows.bytes());
    let count = rows.len() as u64;
    let mut found = Found { missing: count, looked_at: (count, 0), ..Found::default() };
    let next = turn.come().await?;
    let appended = match count {
        0 => None,
        _ => Some(desk.writer.append(Changes::inserting(rows), permit).await?),
    };
    // Nobody waits where this page is the last.
    let _ = next.send(());
    if let Some(appended) = appended {
        found.applied = appended.applied().await?;
    }
    desk.progress.rows_done(count);
    tell_progress(desk);
    Ok(Written { range, wanted, kind, found })
}

type Prepared = (RowPage, DigestKind, Digest);

/// A page as it is written, and its digest. That takes a core for a while, so it is not done on the actors' thread.
async fn prepare(desk: &Arc<Desk>, rows: RowPage, encoder: Option<Arc<dyn Encoder>>) -> Result<Prepared, Failure> {
    let (pair, salt) = (Arc::clone(&desk.pair), desk.salt);
    let work = AbortOnDropHandle::new(tokio::spawn(async move {
        let Some(encoder) = encoder else { return as_read(rows, &pair, salt) };
        let foresee = || -> Result<Prepared, StoreError> {
            let rows = if rows.form == Form::Raw { rows } else { encoder.encode(&rows)? };
            let (kind, digest) = encoder.digest(&rows, salt)?;
            Ok((rows, kind, digest))
        };
        foresee().map_err(|error| error.at(&pair.target.table))
    }));
    let prepared: Result<_, StoreError> = work.await.map_err(|_| Failure::Gone("hashing task"))?;
    Ok(prepared?)
}

/// Rows that are to come back as they are, or with the same values.
fn as_read(rows: RowPage, pair: &Pair, salt: u64) -> Result<Prepared, StoreError> {
    let kind = if rows.form == Form::Raw { DigestKind::Raw } else { DigestKind::Stream };
    let broken = |error: NotCanonical| StoreError::new(Kind::BadValue, "read", error.to_string());
    let digest = rows.digest(&pair.source.domains(), salt).map_err(|error| broken(error).at(&pair.source.table))?;
    Ok((rows, kind, digest))
}

/// Reads pages back, neighbours as one range.
async fn prove_pages(desk: &Desk, written: Vec<Written>, foreseen: &Cell<bool>) -> Result<Found, Failure> {
    let mut sum = Found::default();
    for pages in written.chunk_by(|a, b| a.kind == b.kind) {
        let ([first, ..], [.., last]) = (pages, pages) else { continue };
        let range = KeyRange::new(first.range.after.clone(), last.range.through.clone());
        let mut wanted = Digest::default();
        pages.iter().for_each(|page| wanted += page.wanted);
        let got = desk.target.digests(Arc::from([range.clone()]), first.kind, desk.salt).await?;
        sum.looked_at.1 += got.iter().map(|digest| digest.rows).sum::<u64>();
        if got != [wanted] {
            foreseen.set(false);
            sum.unequal.push(range);
        }
        sum.stats.ranges += 1;
    }
    written.into_iter().for_each(|page| sum.absorb(page.found));
    Ok(sum)
}

pub(super) fn tell_progress(desk: &Desk) {
    use std::sync::atomic::Ordering::Relaxed;
    let total = desk.progress.rows_total.load(Relaxed);
    let done = desk.progress.rows_done.load(Relaxed).min(total);
    let open = total - done;
    tracing::debug!(table = %desk.pair.source.table, "records to sync: {open} / {total}, records synced: {done} / {total}");
}
