//! Blocks that were looked at and wait to be written together, so that scattered changes do not become a transaction each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use rowsync_engine::budget::Permit;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::conflict::Conflict;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::three_way::{Memory, MergedRow};

use super::look::Looked;
use super::{Done, Merger, Open, Tour, Waiting};
use crate::failure::Failure;
use crate::memory::{Block, Queue};
use crate::ports::WriterPort;

/// Blocks whose memory is kept in one step.
const BLOCKS_MAX: usize = 64;

/// The share of a page that may wait; see [`crate::job::page_bytes`] for why waiting always ends.
const WAITING_SHARE: usize = 2;

pub(super) struct Batch {
    key_len: usize,
    to_source: Changes,
    to_target: Changes,
    parts: Vec<Part>,
    /// What is left of blocks that were cut, by their numbers.
    rests: BTreeMap<u64, (KeyRange, Memory)>,
    permit: Option<Permit>,
    decided: u64,
}

struct Part {
    done: Done,
    rows: Vec<MergedRow>,
    waiting: Vec<Conflict>,
    /// Remembered, and on neither side any more.
    gone: Vec<Key>,
}

impl Batch {
    pub(super) fn new(merger: &Merger) -> Batch {
        let key_len = merger.merging.key_len;
        Batch {
            key_len,
            to_source: Changes::new(key_len),
            to_target: Changes::new(key_len),
            parts: Vec::new(),
            rests: BTreeMap::new(),
            permit: None,
            decided: 0,
        }
    }

    /// Takes a look over; what is left of its block comes back. What was cut off gets a number of its own.
    pub(super) fn take(&mut self, looked: Looked, next: &mut u64) -> Option<Open> {
        let Looked { number, part, rest, left, merged, permit } = looked;
        let own = if rest.is_some() { std::mem::replace(next, *next + 1) } else { number };
        self.decided += merged.decided;
        let done = Done {
            number: own,
            range: part,
            changes: merged.changes(),
            waiting: merged.waiting.len() as u64,
            put_off: merged.put_off,
        };
        self.to_source.append(merged.to_source);
        self.to_target.append(merged.to_target);
        self.hold(permit);
        // A key that neither side has may belong to what is left as well.
        let gone = if rest.is_some() { Vec::new() } else { left.keys().cloned().collect() };
        self.parts.push(Part { done, rows: merged.rows, waiting: merged.waiting, gone });
        let Some(range) = rest else {
            self.rests.remove(&number);
            return None;
        };
        self.rests.insert(number, (range.clone(), left.clone()));
        Some(Open { number, range, memory: Some(left) })
    }

    fn hold(&mut self, permit: Permit) {
        let held = self.permit.take();
        let permit = self.permit.insert(permit);
        if let Some(held) = held {
            permit.merge(held);
        }
        permit.settle(self.to_source.bytes() + self.to_target.bytes());
    }

    pub(super) fn is_full(&self, merger: &Merger) -> bool {
        let options = &merger.desk.options;
        let rows = |changes: &Changes| changes.inserts.len() + changes.updates.len();
        let is_full = |changes: &Changes| {
            rows(changes) >= options.batch_rows.get() || changes.deletes.len() >= options.delete_batch_rows.get()
        };
        self.parts.len() >= BLOCKS_MAX
            || is_full(&self.to_source)
            || is_full(&self.to_target)
            || self.to_source.bytes() + self.to_target.bytes() >= options.page_bytes / WAITING_SHARE
    }

    /// Writes to both sides, and keeps what is remembered then.
    pub(super) async fn write(
        &mut self,
        merger: &Merger,
        waiting: &mut Waiting,
        tour: &mut Tour,
    ) -> Result<(), Failure> {
        let Batch { to_source, to_target, parts, rests, permit, decided, .. } =
            std::mem::replace(self, Batch::new(merger));
        debug_assert_eq!(self.key_len, merger.merging.key_len);
        if parts.is_empty() {
            return Ok(());
        }
        merger.desk.check_stop()?;
        // The report counts what both writers are given in one ledger.
        merger.desk.ledger.wanted.fetch_add(to_source.len() as u64, Relaxed);
        let (wanted_source, wanted_target) = (to_source.len() as u64, to_target.len() as u64);
        let applied_target = send(&merger.desk.writer, to_target, merger).await?;
        let applied_source = send(&merger.back, to_source, merger).await?;
        drop(permit);
        if wanted_source + wanted_target > 0 {
            merger.flush().await?;
        }
        let is_whole = made(&applied_source) == wanted_source && made(&applied_target) == wanted_target;
        tour.to_source += applied_source;
        tour.to_target += applied_target;
        tour.decided += decided;
        keep(merger, parts, rests, is_whole, waiting, tour).await
    }
}

async fn send(writer: &WriterPort, changes: Changes, merger: &Merger) -> Result<Applied, Failure> {
    if changes.is_empty() {
        return Ok(Applied::default());
    }
    // What they hold is held by the permit of the whole batch.
    let nothing = merger.desk.permit(0).await;
    writer.write(changes, nothing).await
}

fn made(applied: &Applied) -> u64 {
    applied.inserted + applied.updated + applied.deleted
}

/// Keeps what is remembered of blocks. Where not all was written, nobody knows which rows were: what was remembered of
/// them stays, and those that were written are found to have changed alike.
async fn keep(
    merger: &Merger,
    parts: Vec<Part>,
    rests: BTreeMap<u64, (KeyRange, Memory)>,
    is_whole: bool,
    waiting: &mut Waiting,
    tour: &mut Tour,
) -> Result<(), Failure> {
    let mut queue = Queue::default();
    let mut blocks = Vec::with_capacity(parts.len() + rests.len());
    for part in parts {
        if is_whole || part.done.changes == 0 {
            note_conflicts(&part, waiting, &mut queue);
        }
        queue.waiting.extend(part.waiting);
        let known = |row: MergedRow| Some((row.key, if is_whole || !row.writes { row.after } else { row.before }?));
        let rows: Memory = part.rows.into_iter().filter_map(known).collect();
        blocks.push((Block { number: part.done.number, range: part.done.range.clone(), digest: None }, rows));
        tour.done.push(part.done);
    }
    blocks.extend(rests.into_iter().map(|(number, (range, rows))| (Block { number, range, digest: None }, rows)));
    Ok(merger.memory.keep(blocks, queue).await?)
}

/// Those that waited and do not any more.
fn note_conflicts(part: &Part, waiting: &mut Waiting, queue: &mut Queue) {
    let still: BTreeSet<&Key> = part.waiting.iter().map(|conflict| &conflict.key).collect();
    for key in part.rows.iter().map(|row| &row.key).chain(&part.gone) {
        waiting.unseen.remove(key);
        if still.contains(key) {
            waiting.open.insert(key.clone());
        } else if waiting.open.remove(key) {
            queue.closed.push(key.clone());
        }
    }
}
