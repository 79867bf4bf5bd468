//! Every message between the actors. The first line of each says who sends it to whom and what comes back.

use std::sync::Arc;

use actix::Message;
use rowsync_engine::budget::Permit;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::change_log::{LogPage, LogStanding};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::report::TableReport;
use rowsync_engine::row::RowPage;
use rowsync_engine::search::SearchOptions;
use rowsync_engine::sightings::Sightings;
use rowsync_engine::store::{Gathered, PageRequest, Survey};
use rowsync_engine::stretch::Stretch;
use rowsync_engine::value::Value;
use tokio::sync::oneshot;
use tracing::Span;

use crate::failure::Failure;
use crate::found::Found;
use crate::job::RunJob;
use crate::keeper::Seen;
use crate::recovery::Judgement;
use crate::table::Past;

/// service -> supervisor. Answer: a report for every table, in the order of the job.
#[derive(Message)]
#[rtype(result = "Vec<TableOutcome>")]
pub struct StartRun {
    pub job: RunJob,
}

/// What became of a table, and what to remember of it.
#[derive(Clone, Debug)]
pub struct TableOutcome {
    pub report: TableReport,
    /// The newest modify time of the source as this run saw it.
    pub newest: Option<Value>,
    /// What the log of changes told, where all of it is in the target now.
    pub log: Option<LogStanding>,
    /// Rows that the target refused.
    pub failed_rows: Vec<FailedRow>,
    /// It was worked through, whatever became of single rows, so the tables that refer to it can be begun.
    pub worked_through: bool,
    /// Nothing else of the run can be worked on either.
    pub abort: bool,
}

/// A row that the target refused, for the owner of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedRow {
    pub key: serde_json::Value,
    /// `insert`, `update` or `delete`.
    pub change: &'static str,
    pub class: Class,
    pub message: String,
    pub remedy: &'static str,
    /// The row as the source has it; none of a delete, or where values are not to be kept.
    pub row: Option<serde_json::Value>,
}

/// Tables tied by foreign keys are walked twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Rows are added and changed, parents first; what only the target has is counted.
    Upserts,
    /// Rows are deleted, children first.
    Deletes,
}

/// supervisor -> table. Answer: where the table stands after the pass.
#[derive(Message)]
#[rtype(result = "Standing")]
pub struct SyncTable {
    pub pass: Pass,
    /// The table in the log. All that its actors do is told beneath it.
    pub span: Span,
}

impl Pass {
    pub fn name(self) -> &'static str {
        match self {
            Pass::Upserts => "upserts",
            Pass::Deletes => "deletes",
        }
    }
}

/// Where a table stands after a pass.
#[derive(Debug)]
pub enum Standing {
    /// This actor cannot go on; another one may.
    Broken(Box<Broken>),
    /// Nothing more to do.
    Finished(Box<TableOutcome>),
    /// Rows wait to be deleted in the second pass; this is what the first one did.
    DeletesWait(Box<TableOutcome>),
}

/// What an actor leaves to the next one of its table.
#[derive(Debug)]
pub struct Broken {
    pub failure: Arc<StoreError>,
    pub judgement: Judgement,
    pub seen: Seen,
    pub past: Past,
}

/// table, differ -> reader. Answer: how many rows there are, and what has changed.
#[derive(Message)]
#[rtype(result = "Result<Survey, StoreError>")]
pub struct CountRows {
    pub since: Option<Value>,
}

/// table -> reader. Answer: about how many rows there are, where that costs next to nothing.
#[derive(Message)]
#[rtype(result = "Result<Option<Survey>, StoreError>")]
pub struct EstimateRows;

/// differ -> reader. Answer: for each range, keys that cut it in parts.
#[derive(Message)]
#[rtype(result = "Result<Vec<Vec<Key>>, StoreError>")]
pub struct SplitRanges {
    pub ranges: Vec<KeyRange>,
    pub rows_per_part: u64,
}

/// differ -> reader. Answer: the key behind which the newest rows lie.
#[derive(Message)]
#[rtype(result = "Result<Option<Key>, StoreError>")]
pub struct FindRecent {
    pub rows: u64,
}

/// differ -> reader. Answer: the keys of the rows that were changed last; none where no index leads to them.
#[derive(Message)]
#[rtype(result = "Result<Option<Vec<Key>>, StoreError>")]
pub struct FindNewest {
    pub rows: u64,
}

/// differ -> reader, both sides at once. Answer: a digest for each range.
#[derive(Message)]
#[rtype(result = "Result<Vec<Digest>, StoreError>")]
pub struct DigestRanges {
    pub ranges: Arc<[KeyRange]>,
    pub kind: DigestKind,
    pub salt: u64,
}

/// differ -> reader. Answer: the first rows of a range.
#[derive(Message)]
#[rtype(result = "Result<RowPage, StoreError>")]
pub struct ReadRange {
    pub request: PageRequest,
}

/// differ -> reader. Answer: all rows of several small ranges; none where they would take more than `bytes_max`.
#[derive(Message)]
#[rtype(result = "Result<Option<RowPage>, StoreError>")]
pub struct GatherRows {
    pub ranges: Arc<[KeyRange]>,
    pub wanted: Gathered,
    pub bytes_max: usize,
}

/// table -> reader. Answer: a table without a key in stretches of about so many bytes.
#[derive(Message)]
#[rtype(result = "Result<Vec<Stretch>, StoreError>")]
pub struct CutInStretches {
    pub bytes_max: usize,
}

/// table -> reader. Answer: the rows of a stretch and their hashes; none where they would take more than `bytes_max`.
#[derive(Message)]
#[rtype(result = "Result<Option<HashedRows>, StoreError>")]
pub struct ReadStretch {
    pub stretch: Stretch,
    pub bytes_max: usize,
    pub salt: u64,
}

/// Rows with a hash for each.
#[derive(Debug)]
pub struct HashedRows {
    pub rows: RowPage,
    pub hashes: Vec<u128>,
}

/// differ -> reader. Answer: the rows with these keys.
#[derive(Message)]
#[rtype(result = "Result<RowPage, StoreError>")]
pub struct ReadKeys {
    pub keys: Vec<Key>,
}

/// differ -> writer. Answer: what was applied, in one transaction. The permit is freed with the set.
#[derive(Message)]
#[rtype(result = "Result<Applied, StoreError>")]
pub struct ChangeSet {
    pub changes: Changes,
    pub permit: Permit,
}

/// differ -> writer. A set of rows behind all that were sent before, of which none is committed where one before it was
/// refused. Answer: once the next one may be sent; what it leads to is told later. The permit is freed with the set.
#[derive(Message)]
#[rtype(result = "Appending")]
pub struct AppendRows {
    pub changes: Changes,
    pub permit: Permit,
}

/// What will have been applied of rows that were appended.
#[derive(Debug)]
pub struct Appending(pub oneshot::Receiver<Result<Applied, StoreError>>);

/// table -> differ. Answer: what was found, and written where it was to be.
#[derive(Message)]
#[rtype(result = "Result<Found, Failure>")]
pub struct CompareRange {
    pub range: KeyRange,
    pub source_count: u64,
    pub target_count: u64,
    pub options: SearchOptions,
    /// How digests are made, where any are.
    pub digest: DigestKind,
    pub act: Act,
}

/// What the differ does with differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Missing and different rows are written; keys that only the target has are collected.
    Upsert,
    /// Only missing rows are written.
    Add,
    /// Only keys that the target has too much are collected.
    CollectExtras,
    /// Keys that only the target has are deleted.
    DeleteExtras,
    /// Nothing is written; samples are kept.
    Observe { samples_max: usize, explain: bool },
}

/// table -> differ. Answer: what was copied into the target, and the ranges that did not come out equal.
#[derive(Message)]
#[rtype(result = "Result<Found, Failure>")]
pub struct CopyTable {
    /// The last key that the target has; none where it is empty.
    pub after: Option<Key>,
}

/// table -> differ. Answer: what was written of the rows that changed since the moment; none: of all rows.
#[derive(Message)]
#[rtype(result = "Result<Found, Failure>")]
pub struct CompareChanged {
    pub since: Option<Value>,
}

/// table -> differ. Answer: what differed in the rows with these keys, and was written where it was to be.
#[derive(Message)]
#[rtype(result = "Result<Found, Failure>")]
pub struct CompareKeys {
    pub keys: Vec<Key>,
    pub act: Act,
}

/// table -> reader. Answer: what the log of changes tells; none where there is none.
#[derive(Message)]
#[rtype(result = "Result<Option<LogStanding>, StoreError>")]
pub struct AskLog {
    pub owner: String,
}

/// table -> reader. Answer: the changes of the log behind a number.
#[derive(Message)]
#[rtype(result = "Result<LogPage, StoreError>")]
pub struct ReadLog {
    pub owner: String,
    pub after: i64,
    pub changes: usize,
}

/// table -> differ. Answer: what was deleted.
#[derive(Message)]
#[rtype(result = "Result<Found, Failure>")]
pub struct DeleteKeys {
    pub keys: Vec<Key>,
    /// What was seen of their rows.
    pub seen: Sightings,
}

/// table -> differ. Answer: those of the ranges that are not equal on both sides.
#[derive(Message)]
#[rtype(result = "Result<Vec<KeyRange>, Failure>")]
pub struct ProveRanges {
    pub ranges: Vec<KeyRange>,
}

/// table -> writer. All that is sent from now on is written in one transaction, which begins by emptying the table or
/// not. Answer: once it has begun.
#[derive(Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct BeginTogether {
    pub clear: bool,
}

/// table -> writer. Answer: what was applied since it began, once that is committed.
#[derive(Message)]
#[rtype(result = "Result<Applied, StoreError>")]
pub struct CommitTogether;

/// table -> differ. Answer: the ranges that were copied by a writer that writes them together. Keys of the target first,
/// to be deleted, where it was not emptied.
#[derive(Message)]
#[rtype(result = "Result<Found, Failure>")]
pub struct ReplaceRows {
    pub deletes: bool,
}

/// table -> writer. Answer: once all that was sent before is applied or failed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AwaitWrites;

/// table, keeper -> recovery. Answer: what to do about a failure.
#[derive(Message)]
#[rtype(result = "Judgement")]
pub struct Judge {
    pub failure: Arc<StoreError>,
    pub stage: &'static str,
    pub generation: u32,
    /// Rows of a batch at present.
    pub batch_rows: usize,
}
