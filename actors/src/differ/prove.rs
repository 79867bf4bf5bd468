//! Reading back: the digests of ranges on both sides, several questions in flight, both sides at once.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::key::KeyRange;

use super::Desk;
use crate::failure::Failure;

/// Ranges of one statement; more save nothing and make progress coarse.
const RANGES_OF_A_QUESTION: usize = 256;
/// Statements in flight on each side: one that works, one that is under way.
const QUESTIONS_IN_FLIGHT: usize = 2;

/// The digests of both sides, in the order of the ranges.
pub(super) async fn digests(
    desk: &Desk,
    ranges: &[KeyRange],
    kind: DigestKind,
) -> Result<Vec<(Digest, Digest)>, Failure> {
    ask_all(desk, ranges, kind, |answers| desk.progress.rows_done(answers.iter().map(|(source, _)| source.rows).sum()))
        .await
}

async fn ask_all(
    desk: &Desk,
    ranges: &[KeyRange],
    kind: DigestKind,
    tell: impl Fn(&[(Digest, Digest)]),
) -> Result<Vec<(Digest, Digest)>, Failure> {
    let questions: Vec<Arc<[KeyRange]>> = ranges.chunks(RANGES_OF_A_QUESTION).map(Arc::from).collect();
    let answers: Vec<Vec<(Digest, Digest)>> = stream::iter(questions)
        .map(|ranges| ask_both(desk, ranges, kind))
        .buffered(QUESTIONS_IN_FLIGHT)
        .inspect_ok(|answers| tell(answers))
        .try_collect()
        .await?;
    Ok(answers.concat())
}

/// How many questions that were, on both sides together.
pub(super) fn questions(ranges: usize) -> u64 {
    2 * ranges.div_ceil(RANGES_OF_A_QUESTION) as u64
}

async fn ask_both(desk: &Desk, ranges: Arc<[KeyRange]>, kind: DigestKind) -> Result<Vec<(Digest, Digest)>, Failure> {
    desk.check_stop()?;
    let source = desk.source.digests(Arc::clone(&ranges), kind, desk.salt);
    let target = desk.target.digests(ranges, kind, desk.salt);
    let (source, target) = futures_util::try_join!(source, target)?;
    Ok(source.into_iter().zip(target).collect())
}

/// Those of the ranges whose digests are not the same on both sides.
pub(super) async fn unequal(desk: &Desk, ranges: Vec<KeyRange>, kind: DigestKind) -> Result<Vec<KeyRange>, Failure> {
    let answers = ask_all(desk, &ranges, kind, |_| ()).await?;
    let pairs = ranges.into_iter().zip(answers);
    Ok(pairs.filter(|(_, (source, target))| source != target).map(|(range, _)| range).collect())
}
