//! A decision on its way to both sides.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rowsync_actors::leave::Leave;
use rowsync_actors::memory::Block;
use rowsync_engine::error::StoreError;
use rowsync_engine::given::row_given;
use rowsync_engine::image::imprint;
use rowsync_engine::pair::Pair;
use rowsync_engine::plan::Strategy;
use rowsync_engine::remembered::Remembered;
use rowsync_engine::three_way::Memory;
use rowsync_stores::Access;
use serde_json::Value;
use uuid::Uuid;

use super::held::{Held, begin, put};
use super::{Choice, Undecided, show};
use crate::ends::{Ends, told};
use crate::execute::place_of;
use crate::lease::{Lease, system_clock};
use crate::merging::{memory_of, row_json, rules};
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster};
use crate::settings::SyncSettings;
use crate::state::{Conflict, MergeStep, Resolved, State, StepKept};
use crate::tally::count_conflicts;

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

pub(super) struct Resolving<'a> {
    pub(super) settings: &'a SyncSettings,
    pub(super) ends: &'a Ends,
    pub(super) state: &'a State,
    leave: &'a dyn Leave,
    execution_id: String,
    pub(super) conflict: Conflict,
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

    pub(super) fn of_source(&self, error: StoreError) -> Problem {
        told("source", &self.settings.source, error)
    }

    pub(super) fn of_target(&self, error: StoreError) -> Problem {
        told("target", &self.settings.target, error)
    }
}

/// How rows of the table are remembered.
struct Remembering {
    by_columns: bool,
    /// Whether the queue holds whole rows.
    keeps_values: bool,
}
