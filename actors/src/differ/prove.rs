//! Reading back: the digests of ranges on both sides, several questions in flight, both sides at once.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::key::KeyRange;

use super::Desk;
use crate::failure::Failure;

/// Fewer ranges of one statement save nothing, more make progress coarse.
const RANGES_OF_A_QUESTION: std::ops::RangeInclusive<usize> = 64..=1024;
/// Where round trips are dear, one more costs more than coarse progress.
const RANGES_OF_A_FAR_QUESTION_MAX: usize = 8192;
/// Statements for each place in flight: uneven ones even out.
const QUESTIONS_A_PLACE: usize = 4;

/// The digests of both sides, in the order of the ranges.
pub(crate) async fn digests(
    desk: &Desk,
    ranges: &[KeyRange],
    kind: DigestKind,
    salt: u64,
) -> Result<Vec<(Digest, Digest)>, Failure> {
    ask_all(desk, ranges, (kind, salt), |answers| {
        desk.progress.rows_done(answers.iter().map(|(source, _)| source.rows).sum())
    })
    .await
}

/// How many ranges are asked for by one statement. Where round trips are dear, none waits for another.
fn ranges_of_a_question(desk: &Desk, ranges: usize) -> usize {
    let places = desk.options.parallel_ranges.get();
    let (min, max) = RANGES_OF_A_QUESTION.into_inner();
    let (questions, max) =
        if desk.far { (places, RANGES_OF_A_FAR_QUESTION_MAX) } else { (places * QUESTIONS_A_PLACE, max) };
    ranges.div_ceil(questions).clamp(min, max)
}

async fn ask_all(
    desk: &Desk,
    ranges: &[KeyRange],
    digest: (DigestKind, u64),
    tell: impl Fn(&[(Digest, Digest)]),
) -> Result<Vec<(Digest, Digest)>, Failure> {
    let questions: Vec<Arc<[KeyRange]>> =
        ranges.chunks(ranges_of_a_question(desk, ranges.len())).map(Arc::from).collect();
    let answers: Vec<Vec<(Digest, Digest)>> = stream::iter(questions)
        .map(|ranges| ask_both(desk, ranges, digest))
        .buffered(desk.options.parallel_ranges.get())
        .inspect_ok(|answers| tell(answers))
        .try_collect()
        .await?;
    Ok(answers.concat())
}

/// How many questions that were, on both sides together.
pub(super) fn questions(desk: &Desk, ranges: usize) -> u64 {
    2 * ranges.div_ceil(ranges_of_a_question(desk, ranges)) as u64
}

async fn ask_both(
    desk: &Desk,
    ranges: Arc<[KeyRange]>,
    (kind, salt): (DigestKind, u64),
) -> Result<Vec<(Digest, Digest)>, Failure> {
    desk.check_stop()?;
    let source = desk.source.digests(Arc::clone(&ranges), kind, salt);
    let target = desk.target.digests(ranges, kind, salt);
    let (source, target) = futures_util::try_join!(source, target)?;
    Ok(source.into_iter().zip(target).collect())
}

/// Those of the ranges whose digests are not the same on both sides.
pub(super) async fn unequal(desk: &Desk, ranges: Vec<KeyRange>, kind: DigestKind) -> Result<Vec<KeyRange>, Failure> {
    let answers = ask_all(desk, &ranges, (kind, desk.salt), |_| ()).await?;
    let pairs = ranges.into_iter().zip(answers);
    Ok(pairs.filter(|(_, (source, target))| source != target).map(|(range, _)| range).collect())
}
