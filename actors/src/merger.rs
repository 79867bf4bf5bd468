//! The merger: goes through the blocks of a table that is merged both ways, reads both sides of each, and has the writers
//! of both apply what follows. What is remembered is kept behind the commits of both: after a crash in between, both sides
//! have changed alike, which the next cycle finds.

mod batch;
mod look;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rowsync_engine::change::Applied;
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::search::SideName;
use rowsync_engine::sightings::Mark;
use rowsync_engine::store::Store;
use rowsync_engine::three_way::{Memory, Merging};
use tokio_util::task::AbortOnDropHandle;

use crate::differ::{Desk, digests};
use crate::failure::Failure;
use crate::memory::{Block, MergeMemory};
use crate::ports::WriterPort;
use batch::Batch;

/// Blocks of the ranges that a table is first cut into, which are then walked side by side.
const FIRST_CUT_BLOCKS: u64 = 64;

pub(crate) struct Merger {
    pub(crate) desk: Arc<Desk>,
    /// Writes to the source.
    pub(crate) back: WriterPort,
    pub(crate) memory: Arc<dyn MergeMemory>,
    pub(crate) merging: Merging,
    pub(crate) digest: DigestKind,
    pub(crate) block_rows: usize,
}

/// A block to be looked at.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) number: u64,
    pub(crate) range: KeyRange,
    /// Where it is not the one that is kept.
    memory: Option<Memory>,
}

impl Open {
    pub(crate) fn of(block: &Block) -> Open {
        Open { number: block.number, range: block.range.clone(), memory: None }
    }

    /// The same once more.
    pub(crate) fn again(done: &Done) -> Open {
        Open { number: done.number, range: done.range.clone(), memory: None }
    }

    fn new(number: u64, range: KeyRange) -> Open {
        Open { number, range, memory: Some(Memory::new()) }
    }
}

/// What became of a block.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) number: u64,
    pub(crate) range: KeyRange,
    /// Rows that were to be written.
    pub(crate) changes: u64,
    pub(crate) waiting: u64,
    /// Deletes on the source and on the target that were left for later.
    pub(crate) put_off: (u64, u64),
}

/// What a tour over blocks found and did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tour {
    pub(crate) done: Vec<Done>,
    pub(crate) to_source: Applied,
    pub(crate) to_target: Applied,
    /// Conflicts that were decided by a rule.
    pub(crate) decided: u64,
}

/// The conflicts of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) open: BTreeSet<Key>,
    /// Those of them that nobody has looked at yet.
    pub(crate) unseen: BTreeSet<Key>,
}

#[derive(Clone, Copy)]
struct Marks {
    source: Option<Mark>,
    target: Option<Mark>,
}

impl Merger {
    /// The first blocks of a table of which nothing is remembered.
    pub(crate) async fn cut(&self) -> Result<Vec<Open>, Failure> {
        let all = KeyRange::ALL;
        let bounds = self.desk.source.split(vec![all.clone()], FIRST_CUT_BLOCKS * self.block_rows as u64).await?;
        let ranges = all.cut_at(bounds.into_iter().flatten());
        Ok(ranges.into_iter().enumerate().map(|(number, range)| Open::new(number as u64, range)).collect())
    }

    /// The digests of both sides, in the order of the ranges.
    pub(crate) async fn digests(&self, ranges: &[KeyRange]) -> Result<Vec<(Digest, Digest)>, Failure> {
        digests(&self.desk, ranges, self.digest, self.memory.salt()).await
    }

    /// Looks at all these blocks and writes what follows. `next` is the first number that no block has.
    pub(crate) async fn tour(
        self: &Arc<Self>,
        blocks: Vec<Open>,
        next: &mut u64,
        deletes: bool,
        waiting: &mut Waiting,
    ) -> Result<Tour, Failure> {
        let (mut tour, mut batch) = (Tour::default(), Batch::new(self));
        let mut queue = VecDeque::from(blocks);
        let mut looks = FuturesUnordered::new();
        let mut marks = self.marks().await?;
        loop {
            while looks.len() < self.desk.options.parallel_ranges.get()
                && let Some(open) = queue.pop_front()
            {
                looks.push(AbortOnDropHandle::new(tokio::spawn(Arc::clone(self).look(open, marks, deletes))));
            }
            let Some(looked) = looks.next().await else { break };
            let looked = looked.map_err(|_| Failure::Gone("merger"))??;
            queue.extend(batch.take(looked, next));
            if batch.is_full(self) {
                batch.write(self, waiting, &mut tour).await?;
                marks = self.marks().await?;
            }
        }
        batch.write(self, waiting, &mut tour).await?;
        Ok(tour)
    }

    /// Moments before the rows are read that may be written.
    async fn marks(&self) -> Result<Marks, Failure> {
        let mark = async |store: &Arc<dyn Store>, view, side| store.mark(view).await.map_err(|error| error.on(side));
        let pair = &self.desk.pair;
        Ok(Marks {
            source: mark(&self.desk.read, &pair.source, SideName::Source).await?,
            target: mark(&self.desk.written, &pair.target, SideName::Target).await?,
        })
    }

    /// What is written on both sides is safe from a server that goes down: the memory must not know more than they do.
    async fn flush(&self) -> Result<(), Failure> {
        self.desk.read.flush().await.map_err(|error| error.on(SideName::Source))?;
        Ok(self.desk.written.flush().await.map_err(|error| error.on(SideName::Target))?)
    }
}
