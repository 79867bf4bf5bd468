//! The decisions of a table, in the order in which they are taken: count, plan, carry out, delete, prove.

use std::sync::Arc;

use actix::Addr;
use rowsync_engine::error::{Class, Kind};
use rowsync_engine::metrics::{ActorName, Operation as Mending};
use rowsync_engine::overlap;
use rowsync_engine::plan::{Facts, Operation, Plan, Strategy, decide, follow, replace};
use rowsync_engine::recovery::Verdict;
use rowsync_engine::report::{Method, TableStatus};
use rowsync_engine::search::SideName;
use rowsync_engine::sightings::Sightings;
use rowsync_engine::store::Survey;
use rowsync_engine::value::Value;

use super::Children;
use super::merge::Course;
use super::standing::TableState;
use crate::failure::Failure;
use crate::found::Found;
use crate::job::{Goal, MassDelete, Shared, TableJob};
use crate::keeper::Seen;
use crate::ledger::Ledger;
use crate::messages::{Act, AwaitWrites, Broken, CompareChanged, CopyTable, DeleteKeys, Judge, Pass, TableOutcome};
use crate::meters::TableMeters;
use crate::phase::Phase;
use crate::ports::{DifferPort, ReaderPort};
use crate::recovery::{Judgement, Recovery};

/// Smaller tables may lose any share of their rows; a share says little there.
pub(super) const MASS_DELETE_ROWS_MIN: u64 = 100;

/// Counting fewer rows takes no time that anybody would notice.
const LONG_TO_COUNT: u64 = 100_000;

/// How a pass ended.
pub(crate) enum Ended {
    Done,
    DeletesWait,
}

pub(crate) struct Work {
    pub(super) job: TableJob,
    pub(super) shared: Shared,
    pub(crate) state: TableState,
    pub(super) children: Option<Children>,
    pub(super) ledger: Arc<Ledger>,
    recovery: Addr<Recovery>,
    /// Which connections the children were given.
    pub(super) seen: Seen,
    /// Of a table that is merged both ways.
    pub(super) course: Course,
}

impl Work {
    pub(crate) fn new(
        job: TableJob,
        shared: Shared,
        state: TableState,
        ledger: Arc<Ledger>,
        recovery: Addr<Recovery>,
    ) -> Work {
        Work { job, shared, state, children: None, ledger, recovery, seen: Seen::default(), course: Course::default() }
    }

    /// From the first question on; `pass` is the second one where this actor took over from one that failed in it.
    pub(crate) async fn first_pass(&mut self, pass: Pass) -> Result<Ended, Failure> {
        let children = Children::start(&self.job, &self.shared, &self.ledger).await?;
        self.seen = children.seen;
        self.children = Some(children);
        if self.state.past.generation > 1 {
            self.shared.board.table(&self.job.name).meters.restarted(&ActorName::CHILDREN);
        }
        self.ledger.end_filling();
        self.dispel_doubts().await?;
        let by_log = match self.plan_by_failures().await? {
            None => self.plan_by_log().await?,
            by_failures => by_failures,
        };
        if by_log.is_none() {
            self.count().await?;
        }
        Phase::Counted.reached();
        self.count_what_was_lost();
        let by_log = by_log.or_else(|| self.job.merge.is_some().then(|| self.merge_plan()));
        self.state.plan = Some(by_log.unwrap_or_else(|| self.decide()));
        self.state.notes.extend(self.why_not_incremental());
        Phase::Planned.reached();
        match self.shared.goal {
            Goal::Plan => self.state.status = TableStatus::Planned,
            Goal::Verify { samples_max, explain } => self.verify(samples_max, explain).await?,
            Goal::Sync { .. } if self.job.options.only_plan => self.state.status = TableStatus::Planned,
            Goal::Sync { .. } if self.job.merge.is_some() => {
                self.state.past.writes = true;
                return self.merge(pass).await;
            }
            Goal::Sync { .. } if self.too_little_to_do() => self.skip(),
            Goal::Sync { .. } if self.job.pair.is_keyless() => {
                self.state.past.writes = true;
                self.refuse_mass_delete(self.gap())?;
                self.replace_as_multiset().await?;
            }
            Goal::Sync { .. } => {
                self.state.past.writes = true;
                // Estimates are no reason to refuse anything.
                if !self.state.follows_log {
                    self.refuse_mass_delete(self.gap())?;
                }
                self.carry_out().await?;
                return self.settle(pass).await;
            }
        }
        self.state.worked_through = true;
        Ok(Ended::Done)
    }

    pub(crate) async fn second_pass(&mut self) -> Result<Ended, Failure> {
        if self.job.merge.is_some() { self.merge_deletes().await } else { self.settle(Pass::Deletes).await }
    }

    pub(crate) fn outcome(&self) -> TableOutcome {
        let progress = self.shared.board.table(&self.job.name);
        progress.finished.store(true, std::sync::atomic::Ordering::Relaxed);
        self.show_standing(&progress.meters);
        self.state.outcome(&self.job, &progress, &self.ledger)
    }

    /// Where the table stands, for those who look from outside.
    fn show_standing(&self, meters: &TableMeters) {
        if self.state.verified {
            meters.proven();
        } else if let Some(found) = &self.state.verification {
            let set = |mending: Mending, rows: u64| meters.differences[mending as usize].set(rows as f64);
            set(Mending::Add, found.missing);
            set(Mending::Modify, found.different);
            set(Mending::Delete, found.extra);
        }
        if !self.state.estimated {
            self.show_rows(meters);
        }
    }

    fn show_rows(&self, meters: &TableMeters) {
        let set = |side: SideName, rows: u64| meters.rows[side as usize].set(rows as f64);
        set(SideName::Source, self.state.source.rows);
        set(SideName::Target, self.state.target.rows);
    }

    pub(super) fn children(&self) -> &Children {
        self.children.as_ref().expect("the first pass starts the children")
    }

    pub(super) fn differ(&self) -> &DifferPort {
        &self.children().differ
    }

    pub(super) fn plan(&self) -> &Plan {
        self.state.plan.as_ref().expect("the first pass plans before anything else")
    }

    async fn count(&mut self) -> Result<(), Failure> {
        let (source, target) = (self.children().source.clone(), self.children().target.clone());
        if let Some(estimate) = self.estimate_of_a_first_copy().await? {
            self.state.source = estimate;
            self.state.estimated = true;
        } else if self.job.target_missing {
            self.state.source = source.count(self.since()).await?;
        } else if matches!(self.shared.goal, Goal::Verify { .. }) {
            // Every row is looked at anyway, and that counts them.
            let about = async |side: &ReaderPort| match side.estimate().await? {
                Some(estimate) => Ok::<_, Failure>(estimate),
                None => side.count(None).await,
            };
            (self.state.source, self.state.target) = futures_util::try_join!(about(&source), about(&target))?;
            self.state.estimated = true;
        } else {
            let both = futures_util::try_join!(source.count(self.since()), target.count(None))?;
            (self.state.source, self.state.target) = both;
        }
        let (source, target) = (&self.state.source, &self.state.target);
        let progress = self.shared.board.table(&self.job.name);
        progress.begin(source.rows.max(target.rows));
        self.show_rows(&progress.meters);
        self.refuse_null_keys("source", source.null_keys)?;
        self.refuse_null_keys("target", target.null_keys)
    }

    /// What is copied into an empty table is counted on its way, so a table that takes long to count is only estimated.
    async fn estimate_of_a_first_copy(&self) -> Result<Option<Survey>, Failure> {
        let copies = matches!(self.shared.goal, Goal::Sync { .. }) && !self.job.options.only_plan;
        let pair = &self.job.pair;
        // Only counting finds rows with NULL in the key, and the newest modify time from before the copy; and whether there
        // is enough to do is not decided by an estimate.
        let has_to_count = self.job.merge.is_some()
            || pair.source.modify_time.is_some()
            || self.job.options.min_rows_to_sync > 1
            || self.job.options.strategy == Strategy::Full
            || [&pair.source, &pair.target].iter().any(|view| view.key_columns().iter().any(|key| key.column.nullable));
        if !copies || has_to_count || self.job.earlier.is_some() {
            return Ok(None);
        }
        let (source, target) = (&self.children().source, &self.children().target);
        let last_key = async { if self.job.target_missing { Ok(None) } else { target.recent(0).await } };
        let (estimate, last_key) = futures_util::try_join!(source.estimate(), last_key)?;
        Ok(estimate.filter(|estimate| last_key.is_none() && estimate.rows >= LONG_TO_COUNT))
    }

    fn since(&self) -> Option<Value> {
        self.job.earlier.as_ref().and_then(|earlier| earlier.newest.clone())
    }

    fn refuse_null_keys(&self, side: &str, rows: u64) -> Result<(), Failure> {
        if rows == 0 {
            return Ok(());
        }
        Err(Failure::Refused {
            class: Class::Data,
            message: format!(
                "{rows} rows in the {side} of {} have NULL in the key, so they cannot be told apart",
                self.job.name
            ),
            remedy: "fill the key, or name other columns in `primary_key_field`".into(),
        })
    }

    fn decide(&self) -> Plan {
        let (source, target) = (&self.state.source, &self.state.target);
        let has_times = self.job.pair.source.modify_time.is_some();
        let knows_changes = self.job.earlier.is_some() && has_times;
        // A log with a gap is no reason to trust modify times instead, which do not show what was deleted.
        let is_new = self.state.log.is_none() && !matches!(self.shared.goal, Goal::Verify { .. });
        let follows = self.job.options.strategy == Strategy::Incremental && knows_changes && is_new;
        let facts = Facts {
            source_count: source.rows,
            target_count: target.rows,
            changed: source.changed.unwrap_or(source.rows),
            trusted: self.job.options.trust_modify_id && knows_changes,
        };
        let replaces = self.job.options.strategy == Strategy::Full && !matches!(self.shared.goal, Goal::Verify { .. });
        let plan = match (replaces, follows) {
            (true, _) => replace(&facts),
            (_, true) => follow(&facts),
            _ => decide(&facts),
        };
        let (source, target) = (self.told(source.rows), self.told(target.rows));
        tracing::info!(table = %self.job.name, operations = ?plan.operations, %source, %target, "{}", plan.reason);
        plan
    }

    /// Why a table that is to be followed by its changes is compared instead.
    fn why_not_incremental(&self) -> Option<String> {
        let plan = self.plan();
        let compares = plan.has(Operation::Changed) || plan.has(Operation::Delete);
        let is_told =
            self.state.log.is_some() || self.job.replay.is_some() || matches!(self.shared.goal, Goal::Verify { .. });
        if self.job.options.strategy != Strategy::Incremental || !compares || is_told {
            return None;
        }
        Some(match self.job.pair.source.modify_time {
            _ if self.lacks_log() && self.job.pair.source.modify_time.is_none() => {
                "compared: nothing tells which rows have changed; `rowsync track FILE install` makes triggers that do"
                    .into()
            }
            None => "compared: nothing tells which rows have changed; name a column in `modify_time_field`".into(),
            Some(_) => "compared: what has changed is told from the next run on, since none before is known".into(),
        })
    }

    /// A number of rows as it may be told: an estimate is none that anybody has counted.
    fn told(&self, rows: u64) -> String {
        if self.state.estimated && rows > 0 { format!("about {rows}") } else { rows.to_string() }
    }

    /// How many rows the target has more than the source.
    pub(super) fn gap(&self) -> u64 {
        self.state.target.rows.saturating_sub(self.state.source.rows)
    }

    fn too_little_to_do(&self) -> bool {
        let plan = self.plan();
        if self.job.replay.is_some() {
            return false;
        }
        let known = plan.changed.max(plan.source_count.abs_diff(plan.target_count));
        known > 0 && known < self.job.options.min_rows_to_sync
    }

    fn skip(&mut self) {
        let min = self.job.options.min_rows_to_sync;
        self.state.status = TableStatus::Skipped;
        self.state.skipped = self.plan().changed;
        self.state.notes.push(format!("fewer rows have changed than `min_rows_to_sync` ({min})"));
    }

    async fn verify(&mut self, samples_max: usize, explain: bool) -> Result<(), Failure> {
        let found = match self.job.target_missing {
            true => Found { missing: self.state.source.rows, ..Found::default() },
            false if self.job.pair.is_keyless() => self.compare_as_multisets(samples_max, explain).await?,
            false => self.compare_every_row(Act::Observe { samples_max, explain }).await?,
        };
        if !self.job.target_missing {
            (self.state.source.rows, self.state.target.rows) = found.looked_at;
            self.state.estimated = false;
            self.state.plan = Some(self.decide());
        }
        self.state.take_in(found);
        self.state.verified = self.state.sum.differences() == 0;
        self.state.verification = Some(self.state.verification());
        Ok(())
    }

    async fn carry_out(&mut self) -> Result<(), Failure> {
        let plan = self.plan().clone();
        if self.state.follows_log {
            return self.follow_log(Act::Upsert).await;
        }
        if plan.operations.is_empty() {
            // Nothing to do by the plan; both empty is equal, and otherwise the counts will be looked at.
            self.state.covered = plan.source_count == 0;
            return if self.job.options.check_all_tables { self.cover(Act::Upsert).await } else { Ok(()) };
        }
        if plan.has(Operation::Replace) {
            let truncates = self.job.options.truncate_target;
            return if truncates { self.empty_and_copy().await } else { self.replace().await };
        }
        if plan.target_count == 0 {
            return self.copy().await;
        }
        // A compare of every row finds the extras as well, all of them, before the first one is deleted. The children of
        // this table also need what it lacks, which a search for extras alone would find only after they were written.
        if plan.has(Operation::Changed) || (self.job.has_children && !plan.has(Operation::Incremental)) {
            return self.cover(Act::Upsert).await;
        }
        if plan.has(Operation::Delete) {
            self.find_extras().await?;
            if !self.job.has_children {
                self.delete_extras().await?;
            }
        }
        if plan.has(Operation::Add) {
            self.add_missing().await?;
        }
        if plan.has(Operation::Incremental) { self.write_changed().await } else { Ok(()) }
    }

    pub(super) async fn copy(&mut self) -> Result<(), Failure> {
        self.state.method = Method::Bulk;
        let mut found = match self.differ().send(CopyTable { after: None }).await {
            // Rows that do not tell their keys, or did not even come as far as the writer; a compare writes the rest, and
            // finds them.
            Err(Failure::Store(error)) if error.class() == Class::Data && !self.ledger.is_closed() => {
                tracing::warn!(table = %self.job.name, %error, "a row is refused; the rest of the table is compared");
                self.ledger.take_nameless();
                self.count_exactly().await?;
                return self.cover(Act::Upsert).await;
            }
            found => found?,
        };
        Phase::Copied.reached();
        self.state.covered = true;
        if self.state.estimated {
            self.state.source.rows = found.looked_at.0;
            self.state.estimated = false;
            if let Some(plan) = &mut self.state.plan {
                (plan.source_count, plan.changed) = (found.looked_at.0, found.looked_at.0);
            }
        }
        if found.unequal.is_empty() && self.ledger.rejected_count() == 0 {
            self.state.read_back = Some(found.looked_at.1);
        }
        if self.ledger.take_nameless() > 0 {
            self.find_in(found.unequal.clone()).await?;
        }
        // What did not read back equal is looked at again, with the other touched ranges, before success is reported.
        found.touched.append(&mut found.unequal);
        self.state.take_in(found);
        Ok(())
    }

    pub(super) async fn count_exactly(&mut self) -> Result<(), Failure> {
        if self.state.estimated {
            self.state.source = self.children().source.count(self.since()).await?;
            self.state.estimated = false;
        }
        Ok(())
    }

    /// Compares every row; what was found belongs to the sum.
    pub(super) async fn cover(&mut self, act: Act) -> Result<(), Failure> {
        self.leave_log().await?;
        let compared = match act {
            Act::Upsert => self.bring_in_line().await,
            _ => self.compare_every_row(act).await,
        };
        let found = match compared {
            Err(failure)
                if act == Act::Upsert && is_duplicate(&failure) && !self.job.has_children && !self.state.cleared =>
            {
                self.ledger.take_rejected();
                self.ledger.want_again(self.shared.board.table(&self.job.name).rows_written());
                self.clear_the_way().await?;
                self.compare_every_row(act).await?
            }
            found => found?,
        };
        Phase::Compared.reached();
        self.state.covered = true;
        self.state.take_in(found);
        Ok(())
    }

    /// Deletes what only the target has before the rest is written: a row that is to go may hold a unique value that a
    /// row that is to come needs.
    async fn clear_the_way(&mut self) -> Result<(), Failure> {
        tracing::info!(table = %self.job.name, "a constraint is in the way; rows that only the target has are deleted first");
        self.state.cleared = true;
        let found = self.search_differences(Act::CollectExtras).await?;
        self.state.take_in(found);
        self.delete_extras().await
    }

    /// Looks for keys that only the target has.
    async fn find_extras(&mut self) -> Result<(), Failure> {
        let found = self.seek_gap("deletes", self.job.options.search_for_delete, Act::CollectExtras).await?;
        self.state.take_in(found);
        Ok(())
    }

    async fn add_missing(&mut self) -> Result<(), Failure> {
        let found = self.seek_gap("adds", self.job.options.search_for_add, Act::Add).await?;
        self.state.take_in(found);
        Ok(())
    }

    async fn write_changed(&mut self) -> Result<(), Failure> {
        if self.state.method == Method::None {
            self.state.method = Method::Incremental;
        }
        let found = self.differ().send(CompareChanged { since: self.read_since() }).await?;
        self.state.take_in(found);
        Ok(())
    }

    /// From when on changed rows are read. Whoever trusts takes the newest change of the last run for the last one.
    fn read_since(&self) -> Option<Value> {
        let micros = i64::try_from(self.job.options.overlap.as_micros()).unwrap_or(i64::MAX);
        match self.job.options.strategy {
            Strategy::Incremental => self.since().map(|newest| overlap::before(&newest, micros)),
            Strategy::Compare | Strategy::Full | Strategy::Merge => self.since(),
        }
    }

    /// Deletes the rows that only the target has, once it is known how many they are.
    pub(super) async fn delete_extras(&mut self) -> Result<(), Failure> {
        let extras = self.state.extras;
        if extras == 0 {
            return Ok(());
        }
        if let Some(plan) = &mut self.state.plan {
            plan.then_delete();
        }
        self.count_before_deleting().await?;
        self.refuse_mass_delete(extras + self.state.sum.applied.deleted)?;
        Phase::Deleting.reached();
        let mut found = if self.state.sum.extra_keys.len() as u64 == extras {
            let (keys, seen) =
                (std::mem::take(&mut self.state.sum.extra_keys), std::mem::take(&mut self.state.sum.extra_seen));
            self.differ().send(DeleteKeys { keys, seen }).await?
        } else if self.state.follows_log {
            self.follow_log(Act::DeleteExtras).await?;
            Found::default()
        } else {
            // They are too many to hold, and a search by counts need not have seen all: count before deleting.
            let all = self.search_differences(Act::CollectExtras).await?.extra;
            self.refuse_mass_delete(all + self.state.sum.applied.deleted)?;
            self.search_differences(Act::DeleteExtras).await?
        };
        Phase::Deleted.reached();
        // These rows were counted when they were found.
        self.state.sum.extra -= self.state.extras;
        self.state.sum.extra_keys.clear();
        self.state.sum.extra_seen = Sightings::default();
        self.state.extras = 0;
        found.extra = found.extra.min(found.applied.deleted);
        self.state.take_in(found);
        Ok(())
    }

    /// Declines to delete a larger share of the target than the settings allow.
    fn refuse_mass_delete(&mut self, deletes: u64) -> Result<(), Failure> {
        let (target, percent) = (self.plan().target_count, self.job.options.max_delete_percent);
        let allowed = self.shared.goal == Goal::Sync { mass_delete: MassDelete::Allowed };
        if allowed || target < MASS_DELETE_ROWS_MIN || deletes * 100 <= target * percent {
            return Ok(());
        }
        self.state.failed += deletes;
        Err(Failure::Refused {
            class: Class::Logic,
            message: format!(
                "refused to delete {deletes} of {target} rows of {} ({} %), more than max_delete_percent {percent}",
                self.job.pair.target.table,
                deletes * 100 / target
            ),
            remedy: "see that the source is the right one and complete; then run once with --allow-mass-delete".into(),
        })
    }

    /// Has a failure judged; what nothing is done about comes back.
    pub(crate) async fn weigh(&mut self, failure: Failure, pass: Pass) -> Result<Broken, Failure> {
        let stage = pass.name();
        let error = match failure {
            Failure::Refused { ref message, .. } => {
                tracing::warn!(table = %self.job.name, stage, "{message}");
                return Err(failure);
            }
            Failure::Stopped | Failure::Judged { .. } => return Err(failure),
            failure @ (Failure::Store(_) | Failure::Gone(_)) => Arc::new(self.with_drift(failure.into_error()).await),
        };
        // What was on its way is written or not, but not on its way any more, when the next actor begins.
        if let Some(children) = self.children.take() {
            for writer in [Some(children.writer), children.back].into_iter().flatten() {
                let _ = writer.send(AwaitWrites).await;
            }
        }
        let judge = Judge {
            failure: Arc::clone(&error),
            stage,
            generation: self.state.past.generation,
            batch_rows: self.job.options.batch_rows.get(),
        };
        let judgement = self.recovery.send(judge).await;
        let judgement = judgement.unwrap_or_else(|_| Judgement::of_a_lost_judge());
        match judgement.verdict {
            verdict @ (Verdict::Park { .. } | Verdict::Abort { .. } | Verdict::IsolateRow) => {
                Err(Failure::Judged { error, verdict })
            }
            _ => Ok(Broken { failure: error, judgement, seen: self.seen, past: self.state.past() }),
        }
    }

    /// Puts a failure into the report.
    pub(crate) fn end_with(&mut self, failure: Failure) {
        let progress = self.shared.board.table(&self.job.name);
        self.state.end_with(failure, &progress, &self.ledger);
    }
}

fn is_duplicate(failure: &Failure) -> bool {
    matches!(failure, Failure::Store(error) if error.kind == Kind::Duplicate)
}
