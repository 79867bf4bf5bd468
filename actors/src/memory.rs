//! The memory of a merge: what both sides of a table agreed on last, and the conflicts that wait for a person. Where it is
//! kept is for others to know.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rowsync_engine::conflict::{Conflict, Rules};
use rowsync_engine::digest::Digest;
use rowsync_engine::error::StoreError;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::report::Merged;
use rowsync_engine::three_way::Memory;

use crate::ledger::Ledger;

/// A range of the table with what is remembered of it. The blocks of a table leave no gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub number: u64,
    pub range: KeyRange,
    /// Of both sides, when they were equal last; none where that is not known.
    pub digest: Option<Digest>,
}

/// What becomes of the queue of conflicts.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Conflicts as they are now, new ones and known ones.
    pub waiting: Vec<Conflict>,
    /// Rows that are in conflict no more.
    pub closed: Vec<Key>,
}

/// The memory of one table.
#[async_trait]
pub trait MergeMemory: Send + Sync {
    /// What the digests of its blocks are salted with.
    fn salt(&self) -> u64;

    /// All blocks, with the number of rows remembered; none where the table was never merged.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn blocks(&self) -> Result<(Vec<Block>, u64), StoreError>;

    /// The rows of a block; none of one that is not kept yet.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn rows(&self, number: u64) -> Result<Memory, StoreError>;

    /// Keeps blocks in place of those with the same numbers, and what becomes of conflicts in them, in one step.
    ///
    /// # Errors
    /// When they cannot be kept, or another process merges by now.
    async fn keep(&self, blocks: Vec<(Block, Memory)>, queue: Queue) -> Result<(), StoreError>;

    /// Keeps the digests of blocks.
    ///
    /// # Errors
    /// As [`MergeMemory::keep`].
    async fn keep_digests(&self, digests: Vec<(u64, Digest)>) -> Result<(), StoreError>;

    /// The rows whose conflicts wait.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn waiting(&self) -> Result<BTreeSet<Key>, StoreError>;
}

/// Fewer, and a table has too many blocks to ask for; more, and a change has too many neighbours that are read with it.
const BLOCK_ROWS: usize = 512;

/// What a table that is merged needs beside what every table does.
#[derive(Clone)]
pub struct Merge {
    pub memory: Arc<dyn MergeMemory>,
    pub rules: Rules,
    pub(crate) block_rows: usize,
    /// The ledger of what is written to the source.
    ledger: Arc<Ledger>,
    /// What was written, by all actors of the table.
    done: Arc<Mutex<Merged>>,
}

impl Merge {
    pub fn new(memory: Arc<dyn MergeMemory>, rules: Rules) -> Merge {
        Merge { memory, rules, block_rows: BLOCK_ROWS, ledger: Arc::default(), done: Arc::default() }
    }

    /// The same with smaller blocks, or larger ones.
    #[must_use]
    pub fn in_blocks_of(self, block_rows: usize) -> Merge {
        Merge { block_rows, ..self }
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    pub(crate) fn count(&self, merged: Merged) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) += merged;
    }

    pub(crate) fn done(&self) -> Merged {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
