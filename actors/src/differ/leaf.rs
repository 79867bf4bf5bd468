//! Comparing one range row by row: both sides are read at once, and what does not fit a page is left for the next step.

use std::sync::Arc;

use rowsync_engine::budget::Permit;
use rowsync_engine::compare::{Findings, compare, compare_keys};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::meeting::meeting;
use rowsync_engine::report::Sample;
use rowsync_engine::residue::Residue;
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Decoder, Gathered, PageRequest};

use super::Desk;
use super::samples::samples;
use crate::failure::Failure;
use crate::messages::Act;

/// What a step gave.
pub(super) struct Leaf {
    /// What was compared.
    pub(super) ranges: Vec<KeyRange>,
    /// What was not, because it did not fit.
    pub(super) rest: Vec<KeyRange>,
    pub(super) findings: Findings,
    pub(super) samples: Vec<Sample>,
    pub(super) source_rows: u64,
    pub(super) target_rows: u64,
    pub(super) permit: Permit,
}

/// Whether only extra rows are looked for. The source's keys are enough for that; the target's rows are remembered as they
/// were.
fn by_keys(act: Act) -> bool {
    matches!(act, Act::CollectExtras | Act::DeleteExtras)
}

fn keys_only(act: Act, side: SideName) -> bool {
    by_keys(act) && side == SideName::Source
}

/// In which form rows are compared: as they were read where equal bytes are equal rows.
fn form(desk: &Desk, act: Act) -> Form {
    if desk.decoders.is_some() && !by_keys(act) { Form::Raw } else { Form::Fields }
}

/// Compares several small ranges at once, which costs one round trip; or the first `rows_max` rows of a single one.
pub(super) async fn compare_some(
    desk: Arc<Desk>,
    mut ranges: Vec<KeyRange>,
    rows_max: u64,
    act: Act,
) -> Result<Leaf, Failure> {
    match ranges.pop() {
        Some(single) if ranges.is_empty() => compare_first(desk, single, rows_max as usize, act).await,
        last => {
            ranges.extend(last);
            compare_gathered(desk, ranges, act).await
        }
    }
}

async fn compare_gathered(desk: Arc<Desk>, ranges: Vec<KeyRange>, act: Act) -> Result<Leaf, Failure> {
    desk.check_stop()?;
    let mut permit = desk.permit(2 * desk.options.page_bytes).await;
    let shared: Arc<[KeyRange]> = ranges.as_slice().into();
    let gather = |side: SideName| {
        let reader = desk.reader(side).clone();
        let ranges = Arc::clone(&shared);
        let bytes_max = desk.options.page_bytes;
        let wanted = match form(&desk, act) {
            _ if keys_only(act, side) => Gathered::Keys,
            Form::Raw => Gathered::Raw,
            Form::Fields => Gathered::Fields,
        };
        async move { reader.gather(ranges, wanted, bytes_max).await }
    };
    let (Some(source), Some(target)) = futures_util::try_join!(gather(SideName::Source), gather(SideName::Target))?
    else {
        permit.settle(0);
        let findings = Findings::new(desk.key_len());
        return Ok(Leaf {
            ranges: Vec::new(),
            rest: ranges,
            findings,
            samples: Vec::new(),
            source_rows: 0,
            target_rows: 0,
            permit,
        });
    };
    permit.settle(source.bytes() + target.bytes());
    judge(&desk, ranges, Vec::new(), (source, target), act, permit)
}

/// Compares the first rows of a range.
async fn compare_first(desk: Arc<Desk>, range: KeyRange, rows_max: usize, act: Act) -> Result<Leaf, Failure> {
    desk.check_stop()?;
    let mut permit = desk.permit(2 * desk.options.page_bytes).await;
    let form = form(&desk, act);
    let page = |side: SideName, range: KeyRange| {
        let request = PageRequest { rows_max, keys_only: keys_only(act, side), ..desk.request(range, form) };
        desk.reader(side).page(request)
    };
    let (mut source, mut target) = read_both(&range, &page).await?;
    let (source, target, through) = match meet(&desk, &mut source, &mut target)? {
        Some(key) => (source, target, Some(key)),
        None => level(&range, &page, source, target).await?,
    };
    permit.settle(source.bytes() + target.bytes());
    desk.learn(if source.is_empty() { &target } else { &source });
    let cut = through != range.through;
    let rest = cut.then(|| KeyRange::new(through.clone(), range.through.clone())).into_iter().collect();
    judge(&desk, vec![KeyRange::new(range.after, through)], rest, (source, target), act, permit)
}

fn judge(
    desk: &Desk,
    ranges: Vec<KeyRange>,
    rest: Vec<KeyRange>,
    (source, target): (RowPage, RowPage),
    act: Act,
    permit: Permit,
) -> Result<Leaf, Failure> {
    let (source_rows, target_rows) = (source.len() as u64, target.len() as u64);
    let (source, target, equal) = unlike(desk, source, target)?;
    let findings =
        if by_keys(act) { compare_keys(&source, &target) } else { compare(&source, &target, &desk.domains()) };
    let mut findings = findings.map_err(|error| Failure::of_compare(error, &desk.pair.source.table))?;
    tracing::debug!(source_rows, target_rows, differing = findings.changes.len(), "range compared");
    findings.equal += equal;
    let samples = match act {
        Act::Observe { samples_max, explain } => samples(desk, &findings, &target, samples_max, explain),
        _ => Vec::new(),
    };
    Ok(Leaf { ranges, rest, findings, samples, source_rows, target_rows, permit })
}

/// Of raw pages the rows that are not the same on both sides, as fields, and how many are; pages of fields as they are.
/// Takes what it needs no more: rows may be larger than all other memory of a run.
fn unlike(desk: &Desk, source: RowPage, target: RowPage) -> Result<(RowPage, RowPage, u64), Failure> {
    let Some([of_source, of_target]) = desk.decoders.as_ref().filter(|_| source.form == Form::Raw) else {
        return Ok((source, target, 0));
    };
    let Residue { source, target, equal } = Residue::of(source, target);
    let as_fields =
        |decoder: &Arc<dyn Decoder>, raw: RowPage, side| decoder.decode(&raw).map_err(|error| error.on(side));
    let source = as_fields(of_source, source, SideName::Source)?;
    let target = as_fields(of_target, target, SideName::Target)?;
    Ok((source, target, equal))
}

/// Pages of both sides that hold the same range, and where that range ends.
///
/// When a page is cut, the other side is asked again for just as far. Keys need not be compared here, which only the
/// databases can do where collations are at work.
pub(crate) async fn read_alike<F: Future<Output = Result<RowPage, Failure>>>(
    range: &KeyRange,
    page: impl Fn(SideName, KeyRange) -> F,
) -> Result<(RowPage, RowPage, Option<Key>), Failure> {
    let (source, target) = read_both(range, &page).await?;
    level(range, &page, source, target).await
}

async fn read_both<F: Future<Output = Result<RowPage, Failure>>>(
    range: &KeyRange,
    page: &impl Fn(SideName, KeyRange) -> F,
) -> Result<(RowPage, RowPage), Failure> {
    futures_util::try_join!(page(SideName::Source, range.clone()), page(SideName::Target, range.clone()))
}

/// Cuts pages that do not come as far as each other where they meet, and tells the key of that row; `None` where nothing is
/// to be cut, or they do not meet.
fn meet(desk: &Desk, source: &mut RowPage, target: &mut RowPage) -> Result<Option<Key>, Failure> {
    if source.complete && target.complete {
        return Ok(None);
    }
    let Some((source_rows, target_rows)) = meeting(source, target) else { return Ok(None) };
    let key = match (&desk.decoders, source.form) {
        (_, Form::Fields) => source.key(source_rows - 1),
        (Some([decoder, _]), Form::Raw) => {
            let mut last = RowPage::new(Form::Raw, source.key_len);
            last.push_row(source.row(source_rows - 1));
            decoder.decode(&last).map_err(|error| error.on(SideName::Source))?.key(0)
        }
        (None, Form::Raw) => return Ok(None),
    };
    source.cut(source_rows, key.clone());
    target.cut(target_rows, key.clone());
    Ok(Some(key))
}

/// Asks one side again for what lies up to where the other one was full, until both hold the same part.
async fn level<F: Future<Output = Result<RowPage, Failure>>>(
    range: &KeyRange,
    page: &impl Fn(SideName, KeyRange) -> F,
    mut source: RowPage,
    mut target: RowPage,
) -> Result<(RowPage, RowPage, Option<Key>), Failure> {
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
            source = page(SideName::Source, KeyRange::new(range.after.clone(), through.clone())).await?;
        } else {
            through = source.last_key.clone();
            source.complete = true;
            target = page(SideName::Target, KeyRange::new(range.after.clone(), through.clone())).await?;
        }
    }
    Ok((source, target, through))
}
