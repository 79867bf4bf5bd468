//! What has become of a table so far, and the report made of it.

use std::sync::atomic::Ordering::Relaxed;

use rowsync_engine::change_log::LogStanding;
use rowsync_engine::digest::{DigestKind, miss_probability};
use rowsync_engine::error::StoreError;
use rowsync_engine::plan::Plan;
use rowsync_engine::recovery::{History, Verdict, judge, remedy};
use rowsync_engine::report::{
    BinarySearch, Comparison, ErrorReport, Method, Seconds, TableReport, TableStatus, Verification,
};
use rowsync_engine::store::Survey;

use super::rejects::failed_rows;
use super::tail::Tail;
use crate::board::{Progress, Spent};
use crate::failure::Failure;
use crate::found::Found;
use crate::job::TableJob;
use crate::ledger::Ledger;
use crate::messages::{FailedRow, TableOutcome};

pub(crate) struct TableState {
    pub(crate) plan: Option<Plan>,
    pub(crate) source: Survey,
    pub(crate) target: Survey,
    /// The counts are not exact, and nothing may be concluded from their difference.
    pub(crate) estimated: bool,
    /// Rows that the target has, where a proof of the whole table has counted them.
    pub(crate) read_back: Option<u64>,
    /// All that was found and done.
    pub(crate) sum: Found,
    /// Extra rows of the target that are known and not deleted yet.
    pub(crate) extras: u64,
    /// Every row was compared or copied in this run.
    pub(crate) covered: bool,
    /// Something came out unequal, so nothing is taken on trust any more.
    pub(crate) fell_back: bool,
    /// Extra rows were deleted first because a constraint was in the way.
    pub(crate) cleared: bool,
    /// What the log of changes told, where there is one.
    pub(crate) log: Option<LogStanding>,
    /// Only what the log names is looked at.
    pub(crate) follows_log: bool,
    /// The end of the table that is not compared now, as it is to be copied.
    pub(crate) tail: Option<Tail>,
    pub(crate) tail_copied: bool,
    pub(crate) verified: bool,
    pub(crate) status: TableStatus,
    pub(crate) method: Method,
    pub(crate) digest: Option<DigestKind>,
    pub(crate) comparison: Option<Comparison>,
    pub(crate) searches: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    pub(crate) errors: Vec<ErrorReport>,
    pub(crate) notes: Vec<String>,
    pub(crate) verification: Option<Verification>,
    pub(crate) seconds_total: f64,
    pub(crate) worked_through: bool,
    pub(crate) abort: bool,
    pub(crate) past: Past,
}

/// What earlier actors of a table left to this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// 1 for the first actor.
    pub generation: u32,
    /// The plan of the first one, with what later ones added.
    pub plan: Option<Plan>,
    pub notes: Vec<String>,
    pub seconds: f64,
    /// The plan was not only told but carried out.
    pub writes: bool,
}

impl Default for Past {
    fn default() -> Past {
        Past { generation: 1, plan: None, notes: Vec::new(), seconds: 0.0, writes: false }
    }
}

impl Past {
    /// Counts the next actor, and notes why there has to be one.
    pub(crate) fn begin_again(&mut self, failure: &StoreError) {
        self.generation += 1;
        self.notes.push(format!("begun again, generation {}: {failure}", self.generation));
    }
}

impl TableState {
    pub(crate) fn new(past: Past) -> TableState {
        TableState {
            plan: None,
            source: Survey::default(),
            target: Survey::default(),
            estimated: false,
            read_back: None,
            sum: Found::default(),
            extras: 0,
            covered: false,
            fell_back: false,
            cleared: false,
            log: None,
            follows_log: false,
            tail: None,
            tail_copied: false,
            verified: false,
            status: TableStatus::Completed,
            method: Method::None,
            digest: None,
            comparison: None,
            searches: 0,
            skipped: 0,
            failed: 0,
            errors: Vec::new(),
            notes: Vec::new(),
            verification: None,
            seconds_total: 0.0,
            worked_through: false,
            abort: false,
            past,
        }
    }

    /// Adds a piece of work to the sum.
    pub(crate) fn take_in(&mut self, found: Found) {
        self.extras += found.extra - found.applied.deleted.min(found.extra);
        self.sum.absorb(found);
    }

    pub(crate) fn outcome(&self, job: &TableJob, progress: &Progress, ledger: &Ledger) -> TableOutcome {
        let failed_rows = failed_rows(job, ledger);
        // What stops a table is an error of it; single rows that fail are told apart from those.
        progress.meters.parked.set(if self.errors.is_empty() { 0.0 } else { 1.0 });
        TableOutcome {
            report: self.report(job, progress, &failed_rows),
            failed_rows,
            newest: self.source.newest.clone(),
            log: self.log.clone().filter(|_| self.verified && self.status == TableStatus::Completed),
            worked_through: self.worked_through,
            abort: self.abort,
        }
    }

    /// What the next actor of this table has to know.
    pub(crate) fn past(&self) -> Past {
        let mut past = self.past.clone();
        past.plan = self.whole_plan();
        past.notes.extend(self.notes.iter().cloned());
        past.seconds += self.seconds_total;
        past
    }

    /// The plan of the first actor, with what was added since.
    fn whole_plan(&self) -> Option<Plan> {
        match (&self.past.plan, &self.plan) {
            (Some(first), Some(later)) => {
                let mut plan = first.clone();
                plan.take_in(later);
                Some(plan)
            }
            (first, later) => first.as_ref().or(later.as_ref()).cloned(),
        }
    }

    /// Puts a failure that nothing is done about into the report, with what a person must do.
    pub(crate) fn end_with(&mut self, failure: Failure, progress: &Progress, ledger: &Ledger) {
        self.verified = false;
        let error = match failure {
            Failure::Stopped => {
                self.status = TableStatus::Interrupted;
                return;
            }
            Failure::Refused { class, message, remedy } => ErrorReport { class, key: None, message, remedy },
            Failure::Store(error) => {
                self.abort = matches!(judge(error.kind, &History::of_a_question()), Verdict::Abort { .. });
                told(&error)
            }
            Failure::Judged { error, verdict } => {
                self.abort = matches!(verdict, Verdict::Abort { .. });
                told(&error)
            }
            gone @ Failure::Gone(_) => told(&gone.into_error()),
        };
        self.status = if progress.rows_written() > 0 { TableStatus::CompletedWithErrors } else { TableStatus::Failed };
        self.errors.push(error);
        if self.past.writes {
            self.failed = self.failed.max(self.left_undone(progress, ledger));
        }
    }

    /// Planned changes that were not made: all rows that an empty target still lacks, or what the writer was given.
    fn left_undone(&self, progress: &Progress, ledger: &Ledger) -> u64 {
        let plan = self.whole_plan();
        let all = plan.filter(|plan| plan.target_count == 0).map(|plan| plan.source_count);
        all.unwrap_or(ledger.wanted.load(Relaxed)).saturating_sub(progress.rows_written())
    }

    fn report(&self, job: &TableJob, progress: &Progress, failed_rows: &[FailedRow]) -> TableReport {
        TableReport {
            status: self.status,
            generation: self.past.generation,
            panics: progress.panics.load(Relaxed),
            plan: self.whole_plan(),
            method: self.method,
            // By the writer's own count, which also knows what was written before a failure.
            added: progress.added.load(Relaxed),
            modified: progress.modified.load(Relaxed),
            deleted: progress.deleted.load(Relaxed),
            skipped: self.skipped,
            failed: self.failed.max(failed_rows.len() as u64),
            verified: self.verified,
            queries: progress.queries.load(Relaxed),
            bytes_read: progress.bytes_read.load(Relaxed),
            bytes_written: progress.bytes_written.load(Relaxed),
            seconds: Seconds {
                total: self.past.seconds + self.seconds_total,
                read: progress.seconds(Spent::Read),
                write: progress.seconds(Spent::Write),
                delete: progress.seconds(Spent::Delete),
                compare: progress.seconds(Spent::Compare),
                binary_search: progress.seconds(Spent::Search),
            },
            binary_search: BinarySearch {
                searches: self.searches,
                iterations: self.sum.stats.iterations,
                queries: self.sum.search_queries,
                max_depth: self.sum.stats.max_depth,
            },
            errors: failed_rows.iter().map(FailedRow::told).chain(self.errors.iter().cloned()).collect(),
            notes: job
                .pair
                .notes
                .iter()
                .chain(&job.notes)
                .chain(&self.past.notes)
                .chain(&self.notes)
                .cloned()
                .collect(),
            verification: self.verification.clone(),
            digest: self.digest,
            comparison: self.comparison.clone(),
            ..TableReport::new(&job.name, target_name(job))
        }
    }

    /// What `verify` tells of the table.
    pub(crate) fn verification(&self) -> Verification {
        Verification {
            missing: self.sum.missing,
            extra: self.sum.extra,
            different: self.sum.different,
            samples: self.sum.samples.clone(),
            miss_probability: miss_probability(self.sum.stats.ranges),
        }
    }
}

fn told(error: &StoreError) -> ErrorReport {
    let remedy = remedy(error.kind).to_owned();
    ErrorReport { class: error.class(), key: None, message: error.to_string(), remedy }
}

fn target_name(job: &TableJob) -> String {
    job.pair.target.table.name.clone()
}
