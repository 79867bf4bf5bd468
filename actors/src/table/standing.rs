//! What has become of a table so far, and the report made of it.

use std::sync::atomic::Ordering::Relaxed;

use rowsync_engine::digest::{DigestKind, miss_probability};
use rowsync_engine::plan::Plan;
use rowsync_engine::report::{
    BinarySearch, Comparison, ErrorReport, Method, Seconds, TableReport, TableStatus, Verification,
};
use rowsync_engine::store::Survey;

use crate::board::{Progress, Spent};
use crate::found::Found;
use crate::job::TableJob;
use crate::messages::TableOutcome;

pub(crate) struct TableState {
    pub(crate) plan: Option<Plan>,
    pub(crate) source: Survey,
    pub(crate) target: Survey,
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
    pub(crate) abort: bool,
}

impl TableState {
    pub(crate) fn new(job: &TableJob) -> TableState {
        TableState {
            plan: None,
            source: Survey::default(),
            target: Survey::default(),
            sum: Found::default(),
            extras: 0,
            covered: false,
            fell_back: false,
            cleared: false,
            verified: false,
            status: TableStatus::Completed,
            method: Method::None,
            digest: None,
            comparison: None,
            searches: 0,
            skipped: 0,
            failed: 0,
            errors: Vec::new(),
            notes: job.pair.notes.iter().chain(&job.notes).cloned().collect(),
            verification: None,
            seconds_total: 0.0,
            abort: false,
        }
    }

    /// Adds a piece of work to the sum.
    pub(crate) fn take_in(&mut self, found: Found) {
        self.extras += found.extra - found.applied.deleted.min(found.extra);
        self.sum.absorb(found);
    }

    pub(crate) fn outcome(&self, job: &TableJob, progress: &Progress) -> TableOutcome {
        TableOutcome { report: self.report(job, progress), newest: self.source.newest.clone(), abort: self.abort }
    }

    fn report(&self, job: &TableJob, progress: &Progress) -> TableReport {
        TableReport {
            status: self.status,
            plan: self.plan.clone(),
            method: self.method,
            // By the writer's own count, which also knows what was written before a failure.
            added: progress.added.load(Relaxed),
            modified: progress.modified.load(Relaxed),
            deleted: progress.deleted.load(Relaxed),
            skipped: self.skipped,
            failed: self.failed,
            verified: self.verified,
            queries: progress.queries.load(Relaxed),
            bytes_read: progress.bytes_read.load(Relaxed),
            bytes_written: progress.bytes_written.load(Relaxed),
            seconds: Seconds {
                total: self.seconds_total,
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
            errors: self.errors.clone(),
            notes: self.notes.clone(),
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

fn target_name(job: &TableJob) -> String {
    job.pair.target.table.name.clone()
}
