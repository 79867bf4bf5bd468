//! Comparing one range row by row: both sides are read at once, and what does not fit a page is left for the next step.

use std::sync::Arc;

use rowsync_engine::budget::Permit;
use rowsync_engine::change::Changes;
use rowsync_engine::compare::{Findings, compare};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::report::Sample;
use rowsync_engine::row::{Form, RowPage};

use super::Desk;
use super::samples::samples;
use crate::failure::Failure;
use crate::messages::Act;
use crate::ports::ReaderPort;

/// What a step gave.
pub(super) struct Leaf {
    /// What was compared.
    pub(super) ranges: Vec<KeyRange>,
    /// What was not, because it did not fit.
    pub(super) rest: Vec<KeyRange>,
    pub(super) findings: Findings,
    pub(super) samples: Vec<Sample>,
    pub(super) source_rows: u64,
    pub(super) permit: Permit,
}

/// Whether only missing and extra keys are looked for.
fn keys_only(act: Act) -> bool {
    matches!(act, Act::CollectExtras | Act::DeleteExtras)
}

/// Compares several small ranges at once, which costs one round trip; or the first rows of a single one.
pub(super) async fn compare_some(desk: Arc<Desk>, mut ranges: Vec<KeyRange>, act: Act) -> Result<Leaf, Failure> {
    match ranges.pop() {
        Some(single) if ranges.is_empty() => compare_first(desk, single, act).await,
        last => {
            ranges.extend(last);
            compare_gathered(desk, ranges, act).await
        }
    }
}

async fn compare_gathered(desk: Arc<Desk>, ranges: Vec<KeyRange>, act: Act) -> Result<Leaf, Failure> {
    desk.check_stop()?;
    let mut permit = desk.budget.take(2 * desk.options.page_bytes).await;
    let shared: Arc<[KeyRange]> = ranges.as_slice().into();
    let gather = |side: &ReaderPort| {
        let side = side.clone();
        let ranges = Arc::clone(&shared);
        let bytes_max = desk.options.page_bytes;
        async move { side.gather(ranges, keys_only(act), bytes_max).await }
    };
    let (Some(source), Some(target)) = futures_util::try_join!(gather(&desk.source), gather(&desk.target))? else {
        permit.settle(0);
        let findings = Findings { changes: Changes::new(desk.key_len()), equal: 0 };
        return Ok(Leaf { ranges: Vec::new(), rest: ranges, findings, samples: Vec::new(), source_rows: 0, permit });
    };
    permit.settle(source.bytes() + target.bytes());
    judge(&desk, ranges, Vec::new(), (&source, &target), act, permit)
}

/// Compares the first rows of a range.
async fn compare_first(desk: Arc<Desk>, range: KeyRange, act: Act) -> Result<Leaf, Failure> {
    desk.check_stop()?;
    let mut permit = desk.budget.take(2 * desk.options.page_bytes).await;
    let (source, target, through) = read_alike(&desk, &range, act).await?;
    permit.settle(source.bytes() + target.bytes());
    desk.learn(if source.is_empty() { &target } else { &source });
    let cut = through != range.through;
    let rest = cut.then(|| KeyRange::new(through.clone(), range.through.clone())).into_iter().collect();
    judge(&desk, vec![KeyRange::new(range.after, through)], rest, (&source, &target), act, permit)
}

fn judge(
    desk: &Desk,
    ranges: Vec<KeyRange>,
    rest: Vec<KeyRange>,
    (source, target): (&RowPage, &RowPage),
    act: Act,
    permit: Permit,
) -> Result<Leaf, Failure> {
    let findings = compare(source, target, &desk.domains())
        .map_err(|error| Failure::of_compare(error, &desk.pair.source.table))?;
    let samples = match act {
        Act::Observe { samples_max, explain } => samples(desk, &findings, target, samples_max, explain),
        _ => Vec::new(),
    };
    Ok(Leaf { ranges, rest, findings, samples, source_rows: source.len() as u64, permit })
}

/// Pages of both sides that hold the same range, and where that range ends.
///
/// When a page is cut, the other side is asked again for just as far. Keys need not be compared here, which only the
/// databases can do where collations are at work.
async fn read_alike(desk: &Desk, range: &KeyRange, act: Act) -> Result<(RowPage, RowPage, Option<Key>), Failure> {
    let request = |range: KeyRange| {
        let mut request = desk.request(range, Form::Fields);
        request.keys_only = keys_only(act);
        request
    };
    let whole = (desk.source.page(request(range.clone())), desk.target.page(request(range.clone())));
    let (mut source, mut target) = futures_util::try_join!(whole.0, whole.1)?;
    let mut through = range.through.clone();
    // Each turn that goes on leaves out at least one row of the side that was cut, so the turns come to an end.
    loop {
        // A page that is exactly full need not know that nothing follows, but it may have come to the end all the same.
        source.complete |= through.is_some() && source.last_key == through;
        target.complete |= through.is_some() && target.last_key == through;
        if source.complete && target.complete {
            break;
        }
        if source.complete {
            through = target.last_key.clone();
            target.complete = true;
            source = desk.source.page(request(KeyRange::new(range.after.clone(), through.clone()))).await?;
        } else {
            through = source.last_key.clone();
            source.complete = true;
            target = desk.target.page(request(KeyRange::new(range.after.clone(), through.clone()))).await?;
        }
    }
    Ok((source, target, through))
}
