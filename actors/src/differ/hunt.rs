//! The hunt: carries out what a search asks, and does with the differences what it was told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rowsync_engine::change::Changes;
use rowsync_engine::digest::DigestKind;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::RowPage;
use rowsync_engine::search::{Ask, Search, SearchOptions, SearchStats, Seek, Step};
use rowsync_engine::sightings::{Mark, Sightings};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, Span};

use super::leaf::{Leaf, compare_some};
use super::newest::explain_gap;
use super::pending::Pending;
use super::second_look::Doubtful;
use super::{Desk, copy, prove};
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::{Act, CompareRange};

/// Most ranges that are read and compared at once, each with a connection to both sides: while one of them is compared, or
/// waits for the slower side, the servers have others to read. (On two cores four take 0.85 to 0.9 of the time of two.)
const LEAVES_IN_FLIGHT: usize = 4;
/// Most ranges of a group: what one statement takes.
const GROUP_MAX: usize = 1000;
/// Steps of the search that one progress line shows.
const STEPS_OF_A_LINE: usize = 12;

pub(super) async fn hunt(desk: Arc<Desk>, task: CompareRange) -> Result<Found, Failure> {
    if let Some(found) = begin(&desk, &task).await? {
        return Ok(found);
    }
    let CompareRange { range, source_count, target_count, options, digest, act } = task;
    let mut search = Search::within(range, source_count, target_count, options);
    let mut sum = Found::default();
    let mut pending = Pending::new(&desk);
    let mut doubtful = Doubtful::default();
    let mut since = None;
    let mut told = Told::default();
    let stood = if matches!(act, Act::Observe { .. }) { desk.pulses().await? } else { None };
    loop {
        desk.check_stop()?;
        match search.ask() {
            Ask::Recent { side, rows } => {
                sum.search_queries += 1;
                search.recent(desk.reader(side).recent(rows).await?);
            }
            Ask::Split { side, ranges, rows_per_part } => {
                sum.search_queries += 1;
                search.split(desk.reader(side).split(ranges, rows_per_part).await?);
            }
            Ask::Digests(ranges) => {
                let kind = if options.seek == Seek::Differences { digest } else { DigestKind::Count };
                sum.search_queries += prove::questions(&desk, ranges.len());
                search.digests(&prove::digests(&desk, &ranges, kind, desk.salt).await?);
            }
            Ask::Rows(ranges) => {
                let before = looked_for(&sum, act);
                if since.is_none() && !matches!(act, Act::Observe { .. }) {
                    since = desk.mark().await?;
                }
                let basket = Basket { act, since, pending: &mut pending, doubtful: &mut doubtful, sum: &mut sum };
                compare_all(&desk, grouped(&desk, ranges, options.read_rows), options, basket).await?;
                search.found(looked_for(&sum, act) - before);
            }
            Ask::Nothing => break,
        }
        tell_steps(&desk, &search.take_steps());
        told.tell(&desk, &search.stats, sum.search_queries);
    }
    pending.flush(&desk, &mut sum).await?;
    if let Act::Observe { samples_max, explain } = act {
        let stood_still = stood.is_some() && sum.differences() > 0 && stood == desk.pulses().await?;
        if !stood_still {
            doubtful.look_again(&desk, &mut sum, samples_max, explain).await?;
        }
    }
    sum.stats = search.stats;
    sum.looked_at.0 += sum.stats.equal_rows.0;
    sum.looked_at.1 += sum.stats.equal_rows.1;
    Ok(sum)
}

/// What the metrics know of a search, which are told after each of its steps.
#[derive(Default)]
struct Told {
    iterations: u64,
    queries: u64,
}

impl Told {
    fn tell(&mut self, desk: &Desk, stats: &SearchStats, queries: u64) {
        let meters = &desk.progress.meters;
        meters.search_iterations.increment(stats.iterations - self.iterations);
        meters.search_queries.increment(queries - self.queries);
        desk.progress.searched(stats.max_depth);
        (self.iterations, self.queries) = (stats.iterations, queries);
    }
}

/// Announces the search, and answers it where the newest rows explain what is looked for.
async fn begin(desk: &Desk, task: &CompareRange) -> Result<Option<Found>, Failure> {
    announce(desk, &task.options, task.act, task.source_count.max(task.target_count));
    let found = explain_gap(desk, task).await?;
    if let Some(found) = &found {
        Told::default().tell(desk, &found.stats, found.search_queries);
    }
    Ok(found)
}

/// Small ranges are read together, as many as fit a page by what is known of them.
fn grouped(desk: &Desk, ranges: Vec<(KeyRange, u64)>, read_rows: u64) -> VecDeque<Vec<KeyRange>> {
    let row_bytes = desk.row_bytes.load(Relaxed).max(1) as u64;
    // Half a page, since rows are larger than the mean as often as they are smaller.
    let rows_max = (desk.options.page_bytes as u64 / 2 / row_bytes).min(read_rows);
    let mut groups: VecDeque<Vec<KeyRange>> = VecDeque::new();
    let mut rows_of_group = u64::MAX;
    for (range, rows) in ranges {
        rows_of_group = rows_of_group.saturating_add(rows);
        match groups.back_mut() {
            Some(group) if rows_of_group <= rows_max && group.len() < GROUP_MAX => group.push(range),
            _ => {
                groups.push_back(vec![range]);
                rows_of_group = rows;
            }
        }
    }
    groups
}

fn looked_for(found: &Found, act: Act) -> u64 {
    match act {
        Act::Add => found.missing,
        Act::CollectExtras | Act::DeleteExtras => found.extra,
        Act::Upsert | Act::Observe { .. } => found.differences(),
    }
}

/// Compares all groups of ranges, a window of them at once; a range that does not fit a page goes on where the page
/// ended.
async fn compare_all(
    desk: &Arc<Desk>,
    mut open: VecDeque<Vec<KeyRange>>,
    options: SearchOptions,
    mut basket: Basket<'_>,
) -> Result<(), Failure> {
    let act = basket.act;
    let rows_max = with_slack(options.read_rows, act);
    let mut running = FuturesUnordered::new();
    // Of this step of the search; what the ranges hold is nobody's business in a log.
    let mut number = 0u64;
    loop {
        while running.len() < LEAVES_IN_FLIGHT {
            let Some(ranges) = open.pop_front() else { break };
            // Comparing takes a core for a while, so it is not done on the actors' thread.
            number += 1;
            let span = tracing::debug_span!("range", range = number, ranges = ranges.len());
            let span = if span.is_disabled() { Span::current() } else { span };
            let comparing = compare_some(Arc::clone(desk), ranges, rows_max, act).instrument(span);
            running.push(AbortOnDropHandle::new(tokio::spawn(comparing)));
        }
        let Some(leaf) = running.next().await else { return Ok(()) };
        let leaf = leaf.map_err(|_| Failure::Gone("comparing task"))??;
        open.extend(leaf.rest.iter().cloned().map(|range| vec![range]));
        if options.seek == Seek::Everything {
            desk.progress.rows_done(leaf.source_rows);
        }
        basket.take_in(desk, leaf).await?;
    }
}

/// Rows that a question takes which is to read a range whole, since ranges hold more rows than they are taken for as often
/// as fewer. What may have to be written has no room for more.
fn with_slack(rows: u64, act: Act) -> u64 {
    match act {
        Act::Observe { .. } => rows.saturating_add(rows / 4),
        _ => rows,
    }
}

/// Where differences go.
struct Basket<'a> {
    act: Act,
    /// A moment before the rows were read.
    since: Option<Mark>,
    pending: &'a mut Pending,
    doubtful: &'a mut Doubtful,
    sum: &'a mut Found,
}

impl Basket<'_> {
    /// Does with the differences of a range what the act says.
    async fn take_in(&mut self, desk: &Desk, leaf: Leaf) -> Result<(), Failure> {
        let Leaf { ranges, findings, samples, source_rows, target_rows, permit, .. } = leaf;
        let (act, sum) = (self.act, &mut *self.sum);
        sum.looked_at.0 += source_rows;
        sum.looked_at.1 += target_rows;
        let mut changes = findings.changes.known_since(self.since);
        let extras = findings.extras.at(self.since);
        sum.equal += findings.equal;
        let (missing, different, extra) =
            (changes.inserts.len() as u64, changes.updates.len() as u64, changes.deletes.len() as u64);
        let nothing = Changes::new(desk.key_len());
        match act {
            Act::Observe { samples_max, .. } => {
                sum.samples.extend(samples);
                sum.samples.truncate(samples_max);
                let keys = |page: &RowPage| (0..page.len()).map(|index| page.key(index)).collect::<Vec<_>>();
                let rows = keys(&changes.updates).into_iter().chain(keys(&changes.inserts));
                self.doubtful.add(desk, rows.chain(std::mem::take(&mut changes.deletes)));
                changes = nothing;
            }
            Act::Add => changes = Changes { inserts: changes.inserts, seen: changes.seen, ..nothing },
            Act::CollectExtras => {
                collect(desk, sum, std::mem::take(&mut changes.deletes), extras);
                changes = nothing;
            }
            Act::DeleteExtras => {
                changes = Changes { deletes: changes.deletes, seen: Some(Arc::new(extras)), ..nothing }
            }
            Act::Upsert => collect(desk, sum, std::mem::take(&mut changes.deletes), extras),
        }
        let counted = |wanted: bool, count| if wanted { count } else { 0 };
        sum.missing += counted(matches!(act, Act::Add | Act::Upsert | Act::Observe { .. }), missing);
        sum.different += counted(matches!(act, Act::Upsert | Act::Observe { .. }), different);
        sum.extra += counted(act != Act::Add, extra);
        if missing + different + extra > 0 && !matches!(act, Act::Observe { .. }) {
            ranges.into_iter().for_each(|range| sum.touch(range));
        }
        if !changes.is_empty() {
            self.pending.add(desk, changes, permit, sum).await?;
            copy::tell_progress(desk);
        }
        Ok(())
    }
}

/// Holds extra keys as far as they may be held.
pub(super) fn collect(desk: &Desk, sum: &mut Found, keys: Vec<rowsync_engine::key::Key>, seen: Sightings) {
    let room = desk.options.keys_max.saturating_sub(sum.extra_keys.len());
    if room > 0 {
        sum.extra_seen.absorb(seen);
    }
    sum.extra_keys.extend(keys.into_iter().take(room));
}

fn announce(desk: &Desk, options: &SearchOptions, act: Act, rows: u64) {
    let Seek::CountGap { need } = options.seek else { return };
    let operation = if act == Act::Add { "add" } else { "delete" };
    let recent = options.recent_first;
    tracing::info!(table = %desk.pair.source.table, "{operation} binary search {rows} records, search {recent} recent first, need to find {need}:");
}

pub(super) fn tell_steps(desk: &Desk, steps: &[Step]) {
    if steps.is_empty() {
        return;
    }
    let show = |step: &Step| format!("{}%{}{}", percent(step.percent), if step.newer { '↑' } else { '↓' }, step.rows);
    let line: Vec<String> = steps.iter().rev().take(STEPS_OF_A_LINE).map(show).collect();
    let more = steps.len().saturating_sub(STEPS_OF_A_LINE);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    tracing::info!(table = %desk.pair.source.table, "{}{more}", line.join(" "));
}

/// `97`, `2.8`, `0.05`: two significant digits below ten, as the manual prints them.
fn percent(share: f64) -> String {
    match share {
        s if s >= 10.0 => format!("{s:.0}"),
        s if s >= 1.0 => format!("{s:.1}"),
        s => format!("{s:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn shares_are_printed_as_the_manual_prints_them() {
        assert_eq!((percent(97.2), percent(2.79), percent(0.051)), ("97".into(), "2.8".into(), "0.05".into()));
    }
}
