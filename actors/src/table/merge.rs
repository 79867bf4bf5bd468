//! A table that is merged both ways, from the memory of the last cycle to that of this one: what neither side has changed
//! is passed over by its digests, the rest is looked at, written and looked at again until nothing is left to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use rowsync_engine::compare::compare;
use rowsync_engine::error::Class;
use rowsync_engine::key::Key;
use rowsync_engine::plan::{Operation, Plan};
use rowsync_engine::report::{Merged, Method, TableStatus};

use super::deletes::MASS_DELETE_ROWS_MIN;
use super::work::{Ended, Work};
use crate::failure::Failure;
use crate::job::{Goal, MassDelete};
use crate::memory::{Merge, Queue};
use crate::merger::{Done, Merger, Open, Tour, Waiting};
use crate::messages::Pass;
use crate::phase::Phase;

/// Blocks that are not settled after so many looks have somebody else writing to them.
const ROUNDS_MAX: usize = 4;

/// How far a merge is.
#[derive(Default)]
pub(crate) struct Course {
    /// The first number that no block has.
    next: u64,
    waiting: Waiting,
    /// Blocks in which rows wait to be deleted, on the source and on the target.
    put_off: BTreeMap<u64, (Open, (u64, u64))>,
    /// Blocks that were not brought to an end.
    unsettled: Vec<Open>,
}

impl Work {
    pub(super) fn merge_plan(&self) -> Plan {
        let (source, target) = (&self.state.source, &self.state.target);
        Plan {
            operations: vec![Operation::Merge],
            reason: "both ways => merge by what both sides agreed on last".into(),
            source_count: source.rows,
            target_count: target.rows,
            changed: source.changed.unwrap_or(source.rows),
        }
    }

    /// Merges the table; rows to delete wait for the second pass where others refer to them.
    pub(super) async fn merge(&mut self, pass: Pass) -> Result<Ended, Failure> {
        self.state.method = Method::Merge;
        let merger = self.merger();
        self.state.digest = Some(merger.digest);
        let first = self.begin_merge(&merger).await?;
        self.merge_rounds(&merger, first, false).await?;
        Phase::Compared.reached();
        if self.course.put_off.is_empty() {
            return self.end_merge(&merger).await;
        }
        if pass == Pass::Upserts && self.job.has_children {
            Phase::DeletesWait.reached();
            return Ok(Ended::DeletesWait);
        }
        self.merge_deletes().await
    }

    /// Deletes what waits, once it is known how many rows that are.
    pub(super) async fn merge_deletes(&mut self) -> Result<Ended, Failure> {
        let merger = self.merger();
        let put_off = std::mem::take(&mut self.course.put_off);
        let count = |side: fn((u64, u64)) -> u64| put_off.values().map(|(_, deletes)| side(*deletes)).sum::<u64>();
        let (of_source, of_target) = (count(|deletes| deletes.0), count(|deletes| deletes.1));
        self.refuse_to_lose("source", of_source, self.state.source.rows)?;
        self.refuse_to_lose("target", of_target, self.state.target.rows)?;
        Phase::Deleting.reached();
        // What a row that goes was in the way of can be written now.
        let unsettled = std::mem::take(&mut self.course.unsettled);
        let mut blocks: BTreeMap<u64, Open> = unsettled.into_iter().map(|open| (open.number, open)).collect();
        blocks.extend(put_off.into_iter().map(|(number, (open, _))| (number, open)));
        self.merge_rounds(&merger, blocks.into_values().collect(), true).await?;
        Phase::Deleted.reached();
        self.end_merge(&merger).await
    }

    fn merger(&self) -> Arc<Merger> {
        let merger = self.children().merger.as_ref();
        Arc::clone(merger.expect("the children of a table that is merged have a merger"))
    }

    fn merge_job(&self) -> &Merge {
        self.job.merge.as_ref().expect("a table with a merger is merged")
    }

    /// The blocks that are not as they are remembered.
    async fn begin_merge(&mut self, merger: &Merger) -> Result<Vec<Open>, Failure> {
        let (blocks, known) = merger.memory.blocks().await?;
        self.refuse_an_empty_side(known)?;
        let waiting = merger.memory.waiting().await?;
        self.course = Course {
            next: blocks.iter().map(|block| block.number + 1).max().unwrap_or_default(),
            waiting: Waiting { open: waiting.clone(), unseen: waiting },
            ..Course::default()
        };
        if blocks.is_empty() {
            let first = merger.cut().await?;
            self.course.next = first.len() as u64;
            return Ok(first);
        }
        let ranges: Vec<_> = blocks.iter().map(|block| block.range.clone()).collect();
        let digests = merger.digests(&ranges).await?;
        self.state.sum.stats.ranges += ranges.len() as u64;
        let quiet = digests.into_iter().zip(&blocks).map(|((source, target), block)| {
            let is_quiet = source == target && block.digest == Some(source);
            (!is_quiet).then(|| Open::of(block))
        });
        Ok(quiet.flatten().collect())
    }

    /// Looks at blocks, writes, and looks again, until both sides of each are equal, wait for a person, or have rows to
    /// delete that are not deleted yet.
    async fn merge_rounds(&mut self, merger: &Arc<Merger>, first: Vec<Open>, deletes: bool) -> Result<(), Failure> {
        let mut looks = first;
        for round in 0..ROUNDS_MAX {
            if looks.is_empty() {
                break;
            }
            self.try_refused_again();
            let Course { next, waiting, .. } = &mut self.course;
            let tour = merger.tour(looks, next, deletes, waiting).await?;
            self.count_merged(&tour);
            looks = self.unproven(merger, tour.done, round == 0).await?;
        }
        self.course.unsettled.extend(looks);
        Ok(())
    }

    /// Blocks that are not known to be equal after they were written. The digests of the others are kept.
    async fn unproven(&mut self, merger: &Merger, done: Vec<Done>, is_first: bool) -> Result<Vec<Open>, Failure> {
        let mut written = Vec::new();
        for done in done {
            let waits = done.waiting > 0 || done.put_off != (0, 0);
            if done.changes == 0 && done.put_off != (0, 0) {
                self.course.put_off.insert(done.number, (Open::again(&done), done.put_off));
            } else if done.changes > 0 || (is_first && !waits) {
                written.push(done);
            }
        }
        let ranges: Vec<_> = written.iter().map(|done| done.range.clone()).collect();
        let digests = merger.digests(&ranges).await?;
        self.state.sum.stats.ranges += ranges.len() as u64;
        let (mut proven, mut unproven) = (Vec::new(), Vec::new());
        for (done, (source, target)) in written.iter().zip(digests) {
            if source == target {
                proven.push((done.number, source));
            } else {
                unproven.push(Open::again(done));
            }
        }
        if !proven.is_empty() {
            merger.memory.keep_digests(proven).await?;
        }
        Ok(unproven)
    }

    async fn end_merge(&mut self, merger: &Merger) -> Result<Ended, Failure> {
        self.close_unseen(merger).await?;
        let refused = self.ledger.rejected_count() + self.merge_job().ledger().rejected_count();
        let is_settled = self.course.unsettled.is_empty();
        if !is_settled && refused == 0 {
            let blocks = self.course.unsettled.len();
            self.state.notes.push(format!(
                "somebody else writes to the table: rows of {blocks} ranges changed while they were merged; the next run goes on"
            ));
        }
        self.state.conflicts = self.course.waiting.open.len() as u64;
        self.state.verified = is_settled && refused == 0;
        if refused > 0 {
            self.state.status = TableStatus::CompletedWithErrors;
        }
        Phase::Proven.reached();
        self.state.worked_through = true;
        Ok(Ended::Done)
    }

    /// Conflicts in blocks that nobody had to look at, because somebody made both rows equal by hand.
    async fn close_unseen(&mut self, merger: &Merger) -> Result<(), Failure> {
        let unseen: Vec<Key> = std::mem::take(&mut self.course.waiting.unseen).into_iter().collect();
        let mut closed = Vec::new();
        for keys in unseen.chunks(self.job.options.batch_rows.get()) {
            let (source, target) = (&merger.desk.source, &merger.desk.target);
            let (source, target) = futures_util::try_join!(source.keys(keys.to_vec()), target.keys(keys.to_vec()))?;
            let differences = compare(&source, &target, &merger.merging.domains);
            let differences = differences.map_err(|error| Failure::of_compare(error, &self.job.pair.source.table))?;
            let open = differences.into_changes().keys();
            closed.extend(keys.iter().filter(|key| !open.contains(key)).cloned());
        }
        if closed.is_empty() {
            return Ok(());
        }
        self.course.waiting.open.retain(|key| !closed.contains(key));
        Ok(merger.memory.keep(Vec::new(), Queue { waiting: Vec::new(), closed }).await?)
    }

    /// What was refused is written again when it is found again.
    fn try_refused_again(&self) {
        for ledger in [&self.ledger, self.merge_job().ledger()] {
            let refused = ledger.take_rejected().len() as u64;
            self.ledger.want_less(refused);
        }
    }

    fn count_merged(&self, tour: &Tour) {
        let held_back = tour.to_source.held_back + tour.to_target.held_back;
        if held_back > 0 {
            tracing::warn!(table = %self.job.name, rows = held_back, "somebody else writes to the table; it is looked at again");
        }
        self.merge_job().count(Merged {
            source: (&tour.to_source).into(),
            target: (&tour.to_target).into(),
            decided: tour.decided,
        });
    }

    /// A side without a row is taken for one that is not the right one, rather than for one whose rows were all deleted.
    fn refuse_an_empty_side(&self, known: u64) -> Result<(), Failure> {
        let (source, target) = (self.state.source.rows, self.state.target.rows);
        let side = match (source, target) {
            (0, rows) if rows > 0 => "source",
            (rows, 0) if rows > 0 => "target",
            _ => return Ok(()),
        };
        if known == 0 || self.may_lose() {
            return Ok(());
        }
        Err(Failure::Refused {
            class: Class::Logic,
            message: format!("refused to merge {}: its {side} is empty, and {known} rows were there", self.job.name),
            remedy: format!(
                "see that the {side} is the right one and complete; if all its rows were deleted, run once with --allow-mass-delete"
            ),
        })
    }

    fn refuse_to_lose(&mut self, side: &str, deletes: u64, rows: u64) -> Result<(), Failure> {
        let percent = self.job.options.max_delete_percent;
        if self.may_lose() || rows < MASS_DELETE_ROWS_MIN || deletes * 100 <= rows * percent {
            return Ok(());
        }
        self.state.failed += deletes;
        let other = if side == "source" { "target" } else { "source" };
        Err(Failure::Refused {
            class: Class::Logic,
            message: format!(
                "refused to delete {deletes} of {rows} rows of the {side} of {} ({} %), more than max_delete_percent {percent}",
                self.job.name,
                deletes * 100 / rows
            ),
            remedy: format!(
                "see that the {other} is the right one and complete; then run once with --allow-mass-delete"
            ),
        })
    }

    fn may_lose(&self) -> bool {
        self.shared.goal == Goal::Sync { mass_delete: MassDelete::Allowed }
    }
}
