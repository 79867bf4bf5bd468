//! The decisions of a table, in the order in which they are taken: count, plan, carry out, delete, prove.

use std::sync::Arc;

use actix::Addr;
use rowsync_engine::metrics::ActorName;
use rowsync_engine::plan::Plan;
use rowsync_engine::report::TableStatus;

use super::Children;
use super::merge::Course;
use super::standing::TableState;
use crate::failure::Failure;
use crate::job::{Goal, Shared, TableJob};
use crate::keeper::Seen;
use crate::ledger::Ledger;
use crate::messages::Pass;
use crate::phase::Phase;
use crate::ports::DifferPort;
use crate::recovery::Recovery;

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
    pub(super) recovery: Addr<Recovery>,
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

    pub(super) fn children(&self) -> &Children {
        self.children.as_ref().expect("the first pass starts the children")
    }

    pub(super) fn differ(&self) -> &DifferPort {
        &self.children().differ
    }

    pub(super) fn plan(&self) -> &Plan {
        self.state.plan.as_ref().expect("the first pass plans before anything else")
    }
}
