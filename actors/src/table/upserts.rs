//! What a plan adds and changes.

use rowsync_engine::error::{Class, Kind};
use rowsync_engine::overlap;
use rowsync_engine::plan::{Operation, Strategy};
use rowsync_engine::report::Method;
use rowsync_engine::value::Value;

use super::work::Work;
use crate::failure::Failure;
use crate::messages::{Act, CompareChanged, CopyTable};
use crate::phase::Phase;

impl Work {
    pub(super) async fn carry_out(&mut self) -> Result<(), Failure> {
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
    pub(super) async fn clear_the_way(&mut self) -> Result<(), Failure> {
        tracing::info!(table = %self.job.name, "a constraint is in the way; rows that only the target has are deleted first");
        self.state.cleared = true;
        let found = self.search_differences(Act::CollectExtras).await?;
        self.state.take_in(found);
        self.delete_extras().await
    }

    pub(super) async fn add_missing(&mut self) -> Result<(), Failure> {
        let found = self.seek_gap("adds", self.job.options.search_for_add, Act::Add).await?;
        self.state.take_in(found);
        Ok(())
    }

    pub(super) async fn write_changed(&mut self) -> Result<(), Failure> {
        if self.state.method == Method::None {
            self.state.method = Method::Incremental;
        }
        let found = self.differ().send(CompareChanged { since: self.read_since() }).await?;
        self.state.take_in(found);
        Ok(())
    }

    /// From when on changed rows are read. Whoever trusts takes the newest change of the last run for the last one.
    pub(super) fn read_since(&self) -> Option<Value> {
        let micros = i64::try_from(self.job.options.overlap.as_micros()).unwrap_or(i64::MAX);
        match self.job.options.strategy {
            Strategy::Incremental => self.since().map(|newest| overlap::before(&newest, micros)),
            Strategy::Compare | Strategy::Full | Strategy::Merge => self.since(),
        }
    }
}

fn is_duplicate(failure: &Failure) -> bool {
    matches!(failure, Failure::Store(error) if error.kind == Kind::Duplicate)
}
