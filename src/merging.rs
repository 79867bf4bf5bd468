//! What a table that is merged both ways needs of the root: its memory in the state, and the rules of its settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rowsync_actors::memory::{Block, Merge, MergeMemory, Queue};
use rowsync_engine::conflict::{Conflict, Rules};
use rowsync_engine::digest::Digest;
use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::image::imprint;
use rowsync_engine::key::Key;
use rowsync_engine::pair::Pair;
use rowsync_engine::remembered::fingerprint;
use rowsync_engine::row::fields;
use rowsync_engine::schema::{TableView, find_name};
use rowsync_engine::three_way::Memory;
use serde_json::Value;

use crate::settings::TuningSettings;
use crate::state::{MemoryOf, MergeStep, Place, Shown, State, StateError, StepKept};

/// What the actors need to merge a table.
pub fn merge(
    state: &Arc<State>,
    place: &Place,
    execution_id: String,
    table: &str,
    pair: &Pair,
    tuning: &TuningSettings,
) -> Merge {
    let memory = TableMemory {
        state: Arc::clone(state),
        of: memory_of(place, table, pair),
        execution_id,
        view: Arc::clone(&pair.source),
        domains: pair.source.domains().into(),
        keeps_values: tuning.keep_failed_rows,
    };
    Merge::new(Arc::new(memory), rules(pair, tuning))
}

/// Which memory in the state is that of a table.
pub fn memory_of(place: &Place, table: &str, pair: &Pair) -> MemoryOf {
    let told = |view: &TableView, columns: usize| {
        let names = view.columns[..columns].iter().map(|column| format!("{} {:?}", column.column.name, column.domain));
        format!("{} ({}) {:?}", view.table, names.collect::<Vec<_>>().join(", "), view.key_order)
    };
    let both = |columns| format!("{} <-> {}", told(&pair.source, columns), told(&pair.target, columns));
    MemoryOf {
        place: place.clone(),
        table: table.to_owned(),
        key_shape: fingerprint(&both(pair.source.key_len)),
        shape: fingerprint(&both(pair.source.columns.len())),
    }
}

pub fn rules(pair: &Pair, tuning: &TuningSettings) -> Rules {
    let place = |name: &str| {
        let columns = &pair.source.columns;
        let found = find_name(columns, name, |column| &column.column.name)?;
        columns.iter().position(|column| column.column.name == found.column.name)
    };
    let timestamp = place(&tuning.timestamp_field);
    let is_behind_the_key = |column: &usize| *column >= pair.source.key_len;
    let clocks = [timestamp, place(&tuning.modify_time_field)].into_iter().flatten().filter(is_behind_the_key);
    Rules {
        resolution: tuning.conflict_resolution,
        by_columns: tuning.merge_columns,
        timestamp,
        clocks: clocks.collect::<BTreeSet<_>>().into_iter().collect(),
    }
}

struct TableMemory {
    state: Arc<State>,
    of: MemoryOf,
    execution_id: String,
    view: Arc<TableView>,
    domains: Arc<[Domain]>,
    /// Whether the queue of conflicts holds whole rows.
    keeps_values: bool,
}

fn unreadable(error: StateError) -> StoreError {
    StoreError::new(Kind::Busy, "merge", "what both sides agreed on last cannot be read").caused_by(error)
}

fn unwritable(error: StateError) -> StoreError {
    StoreError::new(Kind::Busy, "merge", "the state cannot keep what both sides agreed on").caused_by(error)
}

impl TableMemory {
    async fn keep_step(&self, step: &MergeStep) -> Result<(), StoreError> {
        let kept = self.state.keep_merge_step(&self.of, &self.execution_id, step, Timestamp::now()).await;
        match kept.map_err(unwritable)? {
            StepKept::Yes => Ok(()),
            StepKept::LeaseLost => {
                Err(StoreError::new(Kind::LeaseLost, "merge", "another process merges these tables by now"))
            }
        }
    }

    fn shown(&self, found: Conflict) -> Result<Shown, StoreError> {
        let imprint = |row: &Option<Vec<u8>>| row.as_deref().map(|row| imprint(row, &self.domains)).transpose();
        let seen = imprint(&found.source).and_then(|source| Ok((source, imprint(&found.target)?)));
        let seen = seen.map_err(|error| StoreError::new(Kind::BadValue, "merge", error.to_string()))?;
        let names = || self.view.columns.iter().map(|column| column.column.name.as_str());
        let whole = |row: &Option<Vec<u8>>| {
            row.as_deref()
                .map(|row| if self.keeps_values { row_json(row, names()) } else { Value::Object(Default::default()) })
        };
        Ok(Shown {
            key: found.key.to_json(names().take(self.view.key_len)),
            columns: found.columns.iter().filter_map(|column| Some(names().nth(*column)?.to_owned())).collect(),
            source: whole(&found.source),
            target: whole(&found.target),
            seen,
            found,
        })
    }
}

/// A row by the names of its columns.
pub fn row_json<'a>(row: &[u8], names: impl Iterator<Item = &'a str>) -> Value {
    let values = fields(row).map(|value| value.map_or(Value::Null, |value| value.to_json()));
    Value::Object(names.map(str::to_owned).zip(values).collect())
}

#[async_trait]
impl MergeMemory for TableMemory {
    /// The same from run to run, and another one for every table.
    fn salt(&self) -> u64 {
        let MemoryOf { place, table, .. } = &self.of;
        fingerprint(&format!("{} {} {table}", place.sync, place.ends)) as u64
    }

    async fn blocks(&self) -> Result<(Vec<Block>, u64), StoreError> {
        self.state.memory_blocks(&self.of).await.map_err(unreadable)
    }

    async fn rows(&self, number: u64) -> Result<Memory, StoreError> {
        self.state.memory_rows(&self.of, number).await.map_err(unreadable)
    }

    async fn keep(&self, blocks: Vec<(Block, Memory)>, queue: Queue) -> Result<(), StoreError> {
        let waiting = queue.waiting.into_iter().map(|found| self.shown(found)).collect::<Result<_, _>>()?;
        self.keep_step(&MergeStep { blocks, waiting, closed: queue.closed, ..MergeStep::default() }).await
    }

    async fn keep_digests(&self, digests: Vec<(u64, Digest)>) -> Result<(), StoreError> {
        self.keep_step(&MergeStep { digests, ..MergeStep::default() }).await
    }

    async fn waiting(&self) -> Result<BTreeSet<Key>, StoreError> {
        Ok(self.state.waiting_keys(&self.of).await.map_err(unreadable)?.into_iter().collect())
    }
}
