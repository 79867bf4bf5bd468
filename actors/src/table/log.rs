//! Following the log of changes: whether it tells all that has changed, and bringing the rows that it names in line; the
//! same of rows that failed in earlier runs, and are to be tried again.

use rowsync_engine::change_log::LogStanding;
use rowsync_engine::plan::{Plan, Strategy};
use rowsync_engine::report::Method;

use super::deletes::MASS_DELETE_ROWS_MIN;
use super::work::Work;
use crate::failure::Failure;
use crate::found::Found;
use crate::job::Goal;
use crate::messages::{Act, CompareKeys};
use crate::ports::LogPort;

const ONLY_LOGGED_ROWS: &str =
    "only rows that the log of changes names were compared, and read back where they were written; nothing was counted";

const ONLY_FAILED_ROWS: &str =
    "only rows that had failed before were compared, and read back where they were written; nothing was counted";

impl Work {
    /// The plan of a run that tries failed rows again.
    pub(super) async fn plan_by_failures(&mut self) -> Result<Option<Plan>, Failure> {
        let Some(rows) = self.job.replay.as_ref().map(|keys| keys.len() as u64) else { return Ok(None) };
        self.estimate().await?;
        self.state.follows_log = true;
        let plan = Plan::by_failures(rows, self.state.source.rows, self.state.target.rows);
        tracing::info!(table = %self.job.name, rows, "{}", plan.reason);
        Ok(Some(plan))
    }

    /// Looks at the log, and plans by it where it tells all that has changed since an earlier run. None where the table
    /// has to be compared, which is then said.
    pub(super) async fn plan_by_log(&mut self) -> Result<Option<Plan>, Failure> {
        let Some(log) = self.children().log.clone().filter(|_| !matches!(self.shared.goal, Goal::Verify { .. })) else {
            return Ok(None);
        };
        let Some(standing) = log.standing().await? else { return Ok(None) };
        self.state.log = Some(standing.clone());
        if let Some(gap) = self.gap_in(&standing).await? {
            tracing::warn!(table = %self.job.name, "the log of changes has a gap: {gap}");
            self.state.notes.push(format!("compared: the log of changes has a gap: {gap}"));
            return Ok(None);
        }
        self.estimate().await?;
        let (source_count, target_count) = (self.state.source.rows, self.state.target.rows);
        self.state.follows_log = true;
        let plan = Plan::by_log(standing.pending, source_count, target_count);
        tracing::info!(table = %self.job.name, changes = standing.pending, "{}", plan.reason);
        Ok(Some(plan))
    }

    async fn gap_in(&self, standing: &LogStanding) -> Result<Option<String>, Failure> {
        let earlier = self.job.earlier.as_ref().and_then(|earlier| earlier.log.as_ref());
        if let Some(gap) = standing.gap_since(earlier) {
            return Ok(Some(gap));
        }
        if self.job.options.check_all_tables {
            return Ok(Some("all tables are to be checked".into()));
        }
        // Whoever empties a target means it to be filled again.
        let (source, target) = (&self.children().source, &self.children().target);
        let is_empty = self.job.target_missing || target.recent(0).await?.is_none();
        let is_gap = is_empty && source.recent(0).await?.is_some();
        Ok(is_gap.then(|| "the target is empty".to_owned()))
    }

    /// About how many rows there are, for people alone; where only counting would tell, that is left.
    async fn estimate(&mut self) -> Result<(), Failure> {
        let (source, target) = (&self.children().source, &self.children().target);
        let both = futures_util::try_join!(source.estimate(), target.estimate())?;
        self.state.source = both.0.unwrap_or_default();
        self.state.target = both.1.unwrap_or_default();
        // The memory of modify times is kept as it is.
        self.state.source.newest = self.job.earlier.as_ref().and_then(|earlier| earlier.newest.clone());
        self.state.estimated = true;
        Ok(())
    }

    /// Brings the rows that the log names in line.
    pub(super) async fn follow_log(&mut self, act: Act) -> Result<(), Failure> {
        self.state.method = Method::Incremental;
        if let Some(keys) = self.job.replay.clone() {
            self.shared.board.table(&self.job.name).begin(keys.len() as u64);
            let found = self.differ().send(CompareKeys { keys: keys.to_vec(), act }).await?;
            self.take_in_logged(found, act);
            self.state.covered = true;
            return Ok(());
        }
        let Some(log) = self.children().log.clone() else { return Ok(()) };
        let changes = self.job.options.batch_rows.get();
        let pending = self.state.log.as_ref().map_or(0, |standing| standing.pending);
        self.shared.board.table(&self.job.name).begin(pending);
        let mut after = 0;
        while let Some(last) = self.follow_page(&log, after, changes, act).await? {
            after = last;
        }
        self.forget_twins();
        self.state.covered = true;
        Ok(())
    }

    /// The number of the last change of the page; none where there was no change.
    async fn follow_page(
        &mut self,
        log: &LogPort,
        after: i64,
        changes: usize,
        act: Act,
    ) -> Result<Option<i64>, Failure> {
        let page = log.changes(after, changes).await?;
        if page.last.is_some() {
            let found = self.differ().send(CompareKeys { keys: page.keys, act }).await?;
            self.take_in_logged(found, act);
        }
        Ok(page.last)
    }

    /// A row that was logged in several pages is found to be extra in each of them.
    fn forget_twins(&mut self) {
        let state = &mut self.state;
        let held = state.sum.extra_keys.len() as u64;
        if held == state.extras {
            state.sum.extra_keys.sort_unstable();
            state.sum.extra_keys.dedup();
            let twins = held - state.sum.extra_keys.len() as u64;
            state.extras -= twins;
            state.sum.extra -= twins;
        }
    }

    /// A key may stand in several pages: what was found of it to be deleted was counted each time, and goes once.
    fn take_in_logged(&mut self, mut found: Found, act: Act) {
        if act == Act::DeleteExtras {
            found.extra = 0;
            self.state.sum.absorb(found);
        } else {
            self.state.take_in(found);
        }
    }

    /// The rail against mass deletes knows the target's rows only where they are counted.
    pub(super) async fn count_before_deleting(&mut self) -> Result<(), Failure> {
        if self.state.follows_log && self.state.extras >= MASS_DELETE_ROWS_MIN {
            let rows = self.children().target.count(None).await?.rows;
            if let Some(plan) = &mut self.state.plan {
                plan.target_count = rows;
            }
        }
        Ok(())
    }

    /// Whoever compares the whole table after all needs exact counts.
    pub(super) async fn leave_log(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.state.follows_log) {
            self.count_exactly().await?;
        }
        Ok(())
    }

    pub(super) fn tell_what_was_followed(&mut self) {
        if self.state.follows_log {
            let told = if self.job.replay.is_some() { ONLY_FAILED_ROWS } else { ONLY_LOGGED_ROWS };
            self.state.notes.push(told.into());
        }
    }

    /// Whether a log was asked for that is not there.
    pub(super) fn lacks_log(&self) -> bool {
        self.job.options.strategy == Strategy::Incremental && self.job.log_owner.is_some() && self.state.log.is_none()
    }
}
