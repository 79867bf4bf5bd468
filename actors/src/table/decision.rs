//! What is decided for a table from what was counted, and whether that is worth doing.

use rowsync_engine::plan::{Facts, Operation, Plan, Strategy, decide, follow, replace};
use rowsync_engine::report::TableStatus;

use super::work::Work;
use crate::job::Goal;

impl Work {
    pub(super) fn decide(&self) -> Plan {
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
    pub(super) fn why_not_incremental(&self) -> Option<String> {
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

    pub(super) fn too_little_to_do(&self) -> bool {
        let plan = self.plan();
        if self.job.replay.is_some() {
            return false;
        }
        let known = plan.changed.max(plan.source_count.abs_diff(plan.target_count));
        known > 0 && known < self.job.options.min_rows_to_sync
    }

    pub(super) fn skip(&mut self) {
        let min = self.job.options.min_rows_to_sync;
        self.state.status = TableStatus::Skipped;
        self.state.skipped = self.plan().changed;
        self.state.notes.push(format!("fewer rows have changed than `min_rows_to_sync` ({min})"));
    }
}
