//! `rowsync conflicts`: the rows that a merge left to a person, and what the person decides.
//!
//! A decision is written to both sides in transactions that lock the rows and see that they are still the ones that were
//! shown; then both are committed. After a crash between the two the conflict waits still, and the next merge looks anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use rowsync_actors::leave::Leave;
use rowsync_actors::memory::Block;
use rowsync_engine::change::Changes;
use rowsync_engine::error::StoreError;
use rowsync_engine::given::row_given;
use rowsync_engine::image::imprint;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::pair::Pair;
use rowsync_engine::plan::Strategy;
use rowsync_engine::remembered::Remembered;
use rowsync_engine::row::Form;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Consistency, PageRequest, Snapshot, Store, Transaction};
use rowsync_engine::three_way::Memory;
use rowsync_stores::Access;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::ends::{Ends, told};
use crate::execute::place_of;
use crate::lease::{Lease, system_clock};
use crate::merging::{memory_of, row_json, rules};
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster};
use crate::settings::SyncSettings;
use crate::state::{Conflict, MergeStep, Resolved, State, StepKept};
use crate::tally::count_conflicts;

/// The conflicts of a sync.
#[derive(Clone, Debug, Serialize)]
pub struct Conflicts {
    pub sync: String,
    pub conflicts: Vec<Conflict>,
}

/// What a person decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// The row as the source has it; where it has none, the row goes.
    Source,
    Target,
    /// A row by the names of the source's columns; null where it is to go.
    Row(Value),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Choice, String> {
        match text {
            "source" => Ok(Choice::Source),
            "target" => Ok(Choice::Target),
            _ => match serde_json::from_str(text) {
                Ok(row @ (Value::Object(_) | Value::Null)) => Ok(Choice::Row(row)),
                _ => Err("expected `source`, `target`, a row as a JSON object, or null for no row".into()),
            },
        }
    }
}

impl Choice {
    fn name(&self) -> &'static str {
        match self {
            Choice::Source => "source",
            Choice::Target => "target",
            Choice::Row(_) => "row",
        }
    }
}

/// Why a decision was not carried out. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    #[error("`{sync}` has no conflict {id}; `list` names those that it has")]
    Unknown { sync: String, id: i64 },
    #[error("conflict {id} does not wait any more: it is {status}")]
    Closed { id: i64, status: String },
    #[error("conflict {0} was shown with other rows since; look at it again")]
    ShownAnew(i64),
    #[error("the rows of conflict {0} are not those any more that were shown; run the sync, then look at it again")]
    RowsChanged(i64),
    #[error("{0} is not merged any more")]
    NotMerged(String),
    #[error("{0}")]
    NoRow(String),
}

/// The conflicts of a sync that wait; with those that are decided where `all` says so.
///
/// # Errors
/// When the state cannot be read.
pub async fn list(settings: &SyncSettings, all: bool) -> Result<Conflicts, Problem> {
    let mut conflicts = match State::look_back(&settings.state).await? {
        Some(state) => state.conflicts(&place_of(settings), all).await?,
        None => Vec::new(),
    };
    if let Some(only) = &settings.sync_table {
        conflicts.retain(|conflict| only.contains(&conflict.table));
    }
    Ok(Conflicts { sync: settings.name.clone(), conflicts })
}

/// One conflict.
///
/// # Errors
/// When there is none of this number, or the state cannot be read.
pub async fn show(settings: &SyncSettings, id: i64) -> Result<Conflict, Problem> {
    let found = match State::look_back(&settings.state).await? {
        Some(state) => state.conflict(&place_of(settings), id).await?,
        None => None,
    };
    found.ok_or_else(|| Undecided::Unknown { sync: settings.name.clone(), id }.into())
}

/// Writes what was decided to both sides. Whoever decides may say of when the conflict is that was looked at (its
/// `changed_at`): a cycle may have shown other rows under its number since.
///
/// # Errors
/// When the conflict does not wait any more, its rows are not those that were shown, or a database refuses.
pub async fn resolve(
    settings: &SyncSettings,
    id: i64,
    choice: &Choice,
    changed_at: Option<&str>,
) -> Result<Conflict, Problem> {
    let conflict = show(settings, id).await?;
    if conflict.status != "waiting" {
        return Err(Undecided::Closed { id, status: conflict.status }.into());
    }
    if changed_at.is_some_and(|seen| seen != conflict.changed_at) {
        return Err(Undecided::ShownAnew(id).into());
    }
    let ends = Ends::connect(settings, Access::Write).await?;
    let state = Arc::new(State::open(&settings.state).await?);
    let (place, execution_id) = (place_of(settings), Uuid::now_v7().to_string());
    let lease = Lease::take(Arc::clone(&state), place, execution_id.clone(), settings.lease, system_clock()).await?;
    let leave = lease.leave();
    let resolving = Resolving { settings, ends: &ends, state: &state, leave: &*leave, execution_id, conflict };
    let resolved = resolving.go(choice).await;
    lease.give_back().await;
    count_conflicts(settings, &state).await;
    resolved?;
    show(settings, id).await
}

struct Resolving<'a> {
    settings: &'a SyncSettings,
    ends: &'a Ends,
    state: &'a State,
    leave: &'a dyn Leave,
    execution_id: String,
    conflict: Conflict,
}

impl Resolving<'_> {
    async fn go(&self, choice: &Choice) -> Result<(), Problem> {
        let (pair, memory) = self.pair().await?;
        let block = self.block(&pair).await?;
        let row = self.write(&pair, choice).await?;
        self.remember(&pair, block, row.as_deref(), choice, memory).await
    }

    /// The table as it is laid out now, with the name that its memory goes by.
    async fn pair(&self) -> Result<(Arc<Pair>, Remembering), Problem> {
        let mut settings = self.settings.clone();
        settings.sync_table = Some(vec![self.conflict.table.clone()]);
        let roster = Roster::call(&settings, self.ends, Missing::Report, self.leave, &mut BTreeSet::new()).await?;
        let merges = |entry: &Entry| entry.settings.tuning.sync_strategy == Strategy::Merge;
        let entry = roster.entries.into_iter().next().filter(merges);
        let entry = entry.ok_or_else(|| Undecided::NotMerged(self.conflict.table.clone()))?;
        let pair = entry.pair.map_err(|mismatch| Problem::Usage(mismatch.to_string()))?;
        let by_columns = rules(&pair, &entry.settings.tuning).by_columns;
        Ok((pair, Remembering { by_columns, keeps_values: entry.settings.tuning.keep_failed_rows }))
    }

    /// Writes the row to both sides, or deletes it there; what was written.
    async fn write(&self, pair: &Pair, choice: &Choice) -> Result<Option<Vec<u8>>, Problem> {
        self.leave.to_write().await.map_err(|error| self.of_target(error))?;
        let key = &self.conflict.key_bytes;
        let mut target = begin(&self.ends.target, &pair.target, key).await.map_err(|error| self.of_target(error))?;
        let mut source = begin(&self.ends.source, &pair.source, key).await.map_err(|error| self.of_source(error))?;
        self.are_as_shown(pair, &source, &target)?;
        let row = self.chosen(pair, choice, &source, &target)?;
        put(&mut target, row.as_deref(), key).await.map_err(|error| self.of_target(error))?;
        put(&mut source, row.as_deref(), key).await.map_err(|error| self.of_source(error))?;
        self.leave.to_write().await.map_err(|error| self.of_target(error))?;
        target.transaction.commit().await.map_err(|error| self.of_target(error))?;
        source.transaction.commit().await.map_err(|error| self.of_source(error))?;
        self.ends.target.flush().await.map_err(|error| self.of_target(error))?;
        self.ends.source.flush().await.map_err(|error| self.of_source(error))?;
        Ok(row)
    }

    fn are_as_shown(&self, pair: &Pair, source: &Held, target: &Held) -> Result<(), Problem> {
        let domains = pair.source.domains();
        let seen = |held: &Held| held.row.as_deref().map(|row| imprint(row, &domains)).transpose();
        let seen = seen(source).and_then(|source| Ok((source, seen(target)?)));
        if seen.is_ok_and(|seen| seen == self.conflict.seen) {
            return Ok(());
        }
        Err(Undecided::RowsChanged(self.conflict.id).into())
    }

    fn chosen(&self, pair: &Pair, choice: &Choice, source: &Held, target: &Held) -> Result<Option<Vec<u8>>, Problem> {
        match choice {
            Choice::Source => Ok(source.row.clone()),
            Choice::Target => Ok(target.row.clone()),
            Choice::Row(Value::Object(given)) => {
                let row = row_given(given, source.row.as_deref(), target.row.as_deref(), &pair.source);
                row.map(Some).map_err(|error| Undecided::NoRow(error.to_string()).into())
            }
            Choice::Row(_) => Ok(None),
        }
    }

    /// The block that the row belongs to, where the table has any. Only a database knows the order of keys, so it is asked
    /// whether the row lies behind a bound.
    async fn block(&self, pair: &Pair) -> Result<Option<Block>, Problem> {
        let of = memory_of(&place_of(self.settings), &self.conflict.table, pair);
        let blocks = in_order(self.state.memory_blocks(&of).await?.0);
        let is_in_source = self.conflict.seen.0.is_some();
        let (store, view) =
            if is_in_source { (&self.ends.source, &pair.source) } else { (&self.ends.target, &pair.target) };
        let side = |error| if is_in_source { self.of_source(error) } else { self.of_target(error) };
        let rows = store.snapshot(Consistency::Latest).await.map_err(side)?;
        let (mut first, mut last) = (0, blocks.len().saturating_sub(1));
        while first < last {
            let middle = (first + last) / 2;
            let bound = blocks[middle].range.through.clone();
            let is_behind = lies_behind(&*rows, view, bound, &self.conflict.key_bytes).await.map_err(side)?;
            (first, last) = if is_behind { (middle + 1, last) } else { (first, middle) };
        }
        Ok(blocks.into_iter().nth(first))
    }

    /// Closes the conflict, and remembers what both sides hold now.
    async fn remember(
        &self,
        pair: &Pair,
        block: Option<Block>,
        row: Option<&[u8]>,
        choice: &Choice,
        remembering: Remembering,
    ) -> Result<(), Problem> {
        let of = memory_of(&place_of(self.settings), &self.conflict.table, pair);
        let mut blocks = Vec::new();
        if let Some(block) = block {
            let mut rows: Memory = self.state.memory_rows(&of, block.number).await?;
            rows.remove(&self.conflict.key_bytes);
            if let Some(row) = row {
                let domains = pair.source.domains();
                let known = Remembered::of(row, pair.source.key_len, &domains, remembering.by_columns);
                let known = known.map_err(|error| Problem::Internal(error.to_string()))?;
                rows.insert(self.conflict.key_bytes.clone(), known);
            }
            blocks.push((Block { digest: None, ..block }, rows));
        }
        let names = pair.source.columns.iter().map(|column| column.column.name.as_str());
        let written = row.filter(|_| remembering.keeps_values).map(|row| row_json(row, names));
        let resolved = Resolved { id: self.conflict.id, resolution: choice.name(), written };
        let step = MergeStep { blocks, resolved: Some(resolved), ..MergeStep::default() };
        match self.state.keep_merge_step(&of, &self.execution_id, &step, Timestamp::now()).await? {
            StepKept::Yes => Ok(()),
            StepKept::LeaseLost => {
                let message = "the row is written, but another process merges by now and closes the conflict itself";
                Err(Problem::Internal(message.into()))
            }
        }
    }

    fn of_source(&self, error: StoreError) -> Problem {
        told("source", &self.settings.source, error)
    }

    fn of_target(&self, error: StoreError) -> Problem {
        told("target", &self.settings.target, error)
    }
}

/// How rows of the table are remembered.
struct Remembering {
    by_columns: bool,
    /// Whether the queue holds whole rows.
    keeps_values: bool,
}

/// A transaction with the row that it locked.
struct Held {
    transaction: Box<dyn Transaction>,
    row: Option<Vec<u8>>,
    key_len: usize,
}

async fn begin(store: &Arc<dyn Store>, view: &Arc<TableView>, key: &Key) -> Result<Held, StoreError> {
    let mut transaction = store.begin(view).await?;
    let found = transaction.before(view, std::slice::from_ref(key)).await?;
    let row = (!found.is_empty()).then(|| found.row(0).to_vec());
    Ok(Held { transaction, row, key_len: view.key_len })
}

async fn put(held: &mut Held, row: Option<&[u8]>, key: &Key) -> Result<(), StoreError> {
    let mut changes = Changes::new(held.key_len);
    match (row, &held.row) {
        (None, None) => return Ok(()),
        (None, Some(_)) => changes.deletes.push(key.clone()),
        (Some(row), None) => changes.inserts.push_row(row),
        (Some(row), Some(_)) => changes.updates.push_row(row),
    }
    held.transaction.write(Arc::new(changes)).await.map(drop)
}

/// Blocks one behind the other: each begins where another one ends.
fn in_order(blocks: Vec<Block>) -> Vec<Block> {
    let mut by_start: BTreeMap<Option<Key>, Block> =
        blocks.into_iter().map(|block| (block.range.after.clone(), block)).collect();
    let mut ordered = Vec::with_capacity(by_start.len());
    let mut start = None;
    while let Some(block) = by_start.remove(&start) {
        start.clone_from(&block.range.through);
        ordered.push(block);
        if start.is_none() {
            break;
        }
    }
    ordered
}

/// Whether a row that is there lies behind a bound.
async fn lies_behind(
    rows: &dyn Snapshot,
    view: &Arc<TableView>,
    bound: Option<Key>,
    key: &Key,
) -> Result<bool, StoreError> {
    let Some(bound) = bound.filter(|bound| bound != key) else { return Ok(false) };
    let request = PageRequest {
        range: KeyRange::new(Some(bound), Some(key.clone())),
        rows_max: 1,
        bytes_max: 1,
        row_bytes_hint: 1,
        form: Form::Fields,
        keys_only: true,
        modified_after: None,
        goes_on: false,
    };
    Ok(!rows.page(view, &request).await?.is_empty())
}

impl Conflicts {
    pub fn text(&self) -> String {
        if self.conflicts.is_empty() {
            return format!("{}: no conflict waits", self.sync);
        }
        let mut text = String::new();
        for conflict in &self.conflicts {
            let _ = writeln!(text, "{:>4}  {} {}: {}", conflict.id, conflict.table, conflict.key, words(conflict));
        }
        text.trim_end().to_owned()
    }
}

/// A conflict in one line.
fn words(conflict: &Conflict) -> String {
    let what = match conflict.kind.as_str() {
        "both_inserted" => "both sides have it, and the rows differ".to_owned(),
        "source_deleted" => "the source deleted what the target changed".to_owned(),
        "target_deleted" => "the target deleted what the source changed".to_owned(),
        _ if conflict.columns.is_empty() => "both sides changed it".to_owned(),
        _ => format!("both sides changed {}", conflict.columns.join(", ")),
    };
    match (&conflict.resolution, conflict.status.as_str()) {
        (Some(resolution), _) => format!("{what}; resolved by {resolution}"),
        (None, "gone") => format!("{what}; gone since"),
        _ => what,
    }
}

/// One conflict as people read it: the columns that differ, side by side.
pub fn shown(conflict: &Conflict) -> String {
    let mut text = format!("conflict {} in {} {}: {}", conflict.id, conflict.table, conflict.key, words(conflict));
    let _ = write!(text, "\nfound {}, last changed {}", conflict.found_at, conflict.changed_at);
    let row = |row: &Option<Value>| row.as_ref().map_or_else(|| "no row".to_owned(), ToString::to_string);
    let _ = write!(text, "\n  source: {}\n  target: {}", row(&conflict.source), row(&conflict.target));
    if let Some(written) = &conflict.written {
        let _ = write!(text, "\n  written: {written}");
    }
    text
}
