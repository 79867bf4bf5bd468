//! What the supervisor is given: the tables of a run, laid beside each other, and how to treat them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use rowsync_engine::budget::Budget;
use rowsync_engine::change_log::LogSeen;
use rowsync_engine::cost::{CompareMethod, LinkSpeed};
use rowsync_engine::key::Key;
use rowsync_engine::order::Order;
use rowsync_engine::pair::Pair;
use rowsync_engine::plan::Strategy;
use rowsync_engine::value::Value;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::board::Board;
use crate::end::{Dice, End};
use crate::journal::Keeping;
use crate::leave::Leave;
use crate::memory::Merge;

/// One run of one sync.
pub struct RunJob {
    pub tables: Vec<TableJob>,
    /// Over the tables, by their place in the list.
    pub order: Order,
    pub tables_at_once: NonZeroUsize,
    pub shared: Shared,
}

/// What all tables of a run share.
#[derive(Clone)]
pub struct Shared {
    /// Its view stands still, where it can.
    pub source: Arc<End>,
    /// Its rows are those of each question.
    pub target: Arc<End>,
    /// Asked before anything is written.
    pub leave: Arc<dyn Leave>,
    pub budget: Budget,
    pub board: Board,
    /// Looked at between steps.
    pub stop: CancellationToken,
    pub goal: Goal,
    /// Makes the hashes of this run unlike those of any other.
    pub salt: u64,
    /// The ways to both sides, as measured when the run began.
    pub source_link: LinkSpeed,
    pub target_link: LinkSpeed,
    /// Failures in a row, without a written row in between, after which a table is given up: `max_error_loop`.
    pub failures_max: u32,
    pub dice: Dice,
    /// The run, to which its tables belong in the log.
    pub span: Span,
}

/// From here on a round trip takes as long as hashing thousands of rows.
const FAR_SECONDS: f64 = 5e-3;

impl Shared {
    pub fn is_far(&self) -> bool {
        self.source_link.round_trip_seconds.max(self.target_link.round_trip_seconds) > FAR_SECONDS
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Only decide.
    Plan,
    /// Make the target equal.
    Sync { mass_delete: MassDelete },
    /// Only compare.
    Verify { samples_max: usize, explain: bool },
}

/// Whether more of a table may be deleted than its settings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MassDelete {
    Refused,
    Allowed,
}

/// One table of a run.
#[derive(Clone)]
pub struct TableJob {
    pub name: String,
    pub pair: Arc<Pair>,
    pub options: TableOptions,
    /// What an earlier successful run saw; none where there was none or it is not to be used.
    pub earlier: Option<Earlier>,
    /// The target's table is not there yet, and only a plan was asked for.
    pub target_missing: bool,
    /// Another table of the run refers to this one, so its deletes wait for the second pass.
    pub has_children: bool,
    /// What a person may want to know.
    pub notes: Vec<String>,
    /// Whose log of changes is followed; none where no log is.
    pub log_owner: Option<String>,
    /// None where nothing is kept for an undo.
    pub keeping: Option<Keeping>,
    /// None where rows go one way.
    pub merge: Option<Merge>,
    /// Only these rows, which failed in earlier runs; none: all that the plan finds.
    pub replay: Option<Arc<[Key]>>,
}

/// What an earlier successful run saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    pub newest: Option<Value>,
    /// Of the log of changes, where it was looked at.
    pub log: Option<LogSeen>,
}

/// Which statements of a table the log tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementLog {
    pub all: bool,
    pub writes: bool,
    /// How long they took, too.
    pub times: bool,
}

/// The tuning keys that a table works by; names and defaults are the configuration's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    pub strategy: Strategy,
    /// `full` empties the target first instead of replacing its rows in one transaction.
    pub truncate_target: bool,
    pub trust_modify_id: bool,
    /// How far before the newest change of the last run a run that follows modify times begins to read.
    pub overlap: Duration,
    pub batch_rows: NonZeroUsize,
    pub delete_batch_rows: NonZeroUsize,
    pub keys_max: usize,
    pub search_for_add: bool,
    pub search_for_delete: bool,
    pub search_min_rows: u64,
    pub search_max_diff_percent: u64,
    pub leaf_rows: u64,
    /// How tables are compared; none: the cheapest way.
    pub compare_method: Option<CompareMethod>,
    /// Questions about ranges of one table that each side works on at once.
    pub parallel_ranges: NonZeroUsize,
    pub recent_first: u64,
    pub fallback_full_compare: bool,
    pub max_delete_percent: u64,
    pub min_rows_to_sync: u64,
    pub check_all_tables: bool,
    /// Only decide.
    pub only_plan: bool,
    /// Rows that may fail, and `false` where the first one stops the table.
    pub max_error_count: u64,
    pub continue_on_error: bool,
    /// Whether the values of rows that fail are kept for the owner of the data.
    pub keep_failed_rows: bool,
    pub statements: StatementLog,
    /// Bytes that one page may hold; see [`page_bytes`].
    pub page_bytes: usize,
}

impl TableJob {
    /// Whether rows have to move as fields, which tell their keys: what is kept for an undo goes by them, and so does a row
    /// that changes its kind; others get values of columns that the source lacks.
    pub fn moves_fields(&self) -> bool {
        self.keeping.is_some() || self.pair.kin.is_some() || !self.pair.target.given.is_empty()
    }

    /// Takes nothing on trust any more.
    pub(crate) fn distrust(&mut self) {
        self.earlier = None;
        self.replay = None;
        self.options.check_all_tables = true;
    }
}

impl TableOptions {
    /// Half as many rows at once, but at least one.
    pub(crate) fn halve_batches(&mut self) {
        let half = |rows: NonZeroUsize| NonZeroUsize::new(rows.get() / 2).unwrap_or(NonZeroUsize::MIN);
        self.batch_rows = half(self.batch_rows);
        self.delete_batch_rows = half(self.delete_batch_rows);
        self.leaf_rows = (self.leaf_rows / 2).max(1);
    }
}

/// A larger page saves nothing (measured: 10,000 rows a COPY cost nothing extra over one for all).
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The bytes that a page may hold, so that waiting for permits always ends: each table holds back at most half a page of
/// changes while it waits for two pages, and all tables together leave more than that free.
pub fn page_bytes(budget_bytes: usize, tables_at_once: NonZeroUsize) -> usize {
    (budget_bytes / (4 * tables_at_once.get())).clamp(1, PAGE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_tables_hold_back_leaves_room_for_the_next_two_pages(budget in (1usize << 20)..(1 << 32), tables in 1usize..16) {
            let page = page_bytes(budget, NonZeroUsize::new(tables).unwrap());
            prop_assert!(tables * page / 2 + 2 * page <= budget);
        }
    }
}
