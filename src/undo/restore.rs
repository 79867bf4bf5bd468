//! Putting back the rows of one table: what was there before is written where the row is still as the execution left it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix::{Actor as _, Addr};
use rowsync_actors::board::Progress;
use rowsync_actors::end::End;
use rowsync_actors::failure::Failure;
use rowsync_actors::ledger::{Ledger, Rejected};
use rowsync_actors::messages::ChangeSet;
use rowsync_actors::writer::{Pen, Writer};
use rowsync_engine::budget::Budget;
use rowsync_engine::canonical::NotCanonical;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::image::{Imprint, Trail, Undoing, first_columns, imprint};
use rowsync_engine::key::Key;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::search::SideName;
use tokio_util::sync::CancellationToken;

use super::watch::Watch;

/// Looks at rows that somebody else changes all the while, before that is told.
const LOOKS_MAX: u32 = 5;

/// The two halves of an undo, each over all tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Rows that were there are there again as they were, parents first.
    PutBack,
    /// Rows that were added go, children first.
    Remove,
}

/// What the tables of an undo share.
pub struct Tools {
    pub target: Arc<End>,
    pub budget: Budget,
    pub failures_max: u32,
    pub stop: CancellationToken,
}

pub struct Restorer {
    tools: Arc<Tools>,
    view: Arc<TableView>,
    domains: Arc<[Domain]>,
    batch_rows: usize,
    /// Writes the columns that are synced.
    writer: Addr<Writer>,
    /// Writes all columns, where the target has others.
    whole: Option<(Arc<TableView>, Addr<Writer>)>,
    watch: Arc<Watch>,
    ledger: Arc<Ledger>,
    progress: Arc<Progress>,
    trails: BTreeMap<Key, Trail>,
    /// Rows that somebody else has changed since.
    pub conflicts: BTreeSet<Key>,
    pub applied: Applied,
}

/// What a look at some rows says is to be done.
struct Step {
    synced: Changes,
    whole: Changes,
    looked_at: BTreeMap<Key, Imprint>,
    conflicts: Vec<Key>,
}

impl Restorer {
    /// `pen` writes the columns that are synced; `image` are all that are kept.
    pub fn new(
        tools: Arc<Tools>,
        pen: Pen,
        image: &Arc<TableView>,
        watch: Arc<Watch>,
        trails: BTreeMap<Key, Trail>,
    ) -> Restorer {
        let (view, ledger, progress) = (Arc::clone(&pen.view), Arc::clone(&pen.ledger), Arc::clone(&pen.progress));
        let whole = (image.columns.len() > view.columns.len()).then(|| {
            let pen = Pen { view: Arc::clone(image), ..pen.clone() };
            (Arc::clone(image), Writer::new(pen).start())
        });
        Restorer {
            tools,
            domains: view.domains().into(),
            batch_rows: pen.options.batch_rows.get(),
            view,
            writer: Writer::new(pen).start(),
            whole,
            watch,
            ledger,
            progress,
            trails,
            conflicts: BTreeSet::new(),
            applied: Applied::default(),
        }
    }

    /// How many rows the execution wrote.
    pub fn rows(&self) -> u64 {
        self.trails.len() as u64
    }

    /// Rows that the target refuses, so far.
    pub fn refused(&self) -> Vec<(Key, Rejected)> {
        self.ledger.rejected()
    }

    /// # Errors
    /// When the target fails for good, or the undo is asked to stop.
    pub async fn go(&mut self, half: Half) -> Result<(), Failure> {
        let keys: Vec<Key> = self.trails.iter().filter(|(_, t)| half_of(t) == half).map(|(k, _)| k.clone()).collect();
        self.each_batch(&keys).await
    }

    /// Tries again what was refused: what was in the way may be gone by now, or there.
    ///
    /// # Errors
    /// As [`Restorer::go`].
    pub async fn again(&mut self, half: Half) -> Result<(), Failure> {
        let mut keys = Vec::new();
        for (key, rejected) in self.ledger.take_rejected() {
            if self.trails.get(&key).is_some_and(|trail| half_of(trail) == half) {
                keys.push(key);
            } else {
                self.ledger.reject(rejected);
            }
        }
        self.each_batch(&keys).await
    }

    async fn each_batch(&mut self, keys: &[Key]) -> Result<(), Failure> {
        for keys in keys.chunks(self.batch_rows) {
            if self.tools.stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            let tools = Arc::clone(&self.tools);
            tools.target.insist(tools.failures_max, async || self.batch(keys).await).await?;
        }
        Ok(())
    }

    /// Looks and writes until what was written is what was looked at.
    async fn batch(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        for look in 1.. {
            let step = self.look(keys).await?;
            match self.write(step).await {
                Err(error) if error.kind == Kind::RowChanged && look < LOOKS_MAX => {}
                written => return written,
            }
        }
        unreachable!("the last look returns")
    }

    async fn look(&mut self, keys: &[Key]) -> Result<Step, StoreError> {
        let found = self.read(keys).await?;
        let step = self.decide(keys, &found).map_err(|error| self.broken(&error))?;
        if let Some(doubt) = self.ledger.first_doubt() {
            // A batch is applied as a whole or not at all, and this one was if nothing of it is left to do.
            if step.synced.is_empty() && step.whole.is_empty() {
                self.applied += doubt.applied;
            }
            self.ledger.dispel();
        }
        Ok(step)
    }

    async fn read(&self, keys: &[Key]) -> Result<RowPage, StoreError> {
        let rows = self.tools.target.rows().await?;
        rows.snapshot.rows_by_key(&self.view, keys).await.map_err(|error| error.on(SideName::Target))
    }

    fn decide(&self, keys: &[Key], found: &RowPage) -> Result<Step, NotCanonical> {
        let found: BTreeMap<Key, &[u8]> = found.rows().enumerate().map(|(at, row)| (found.key(at), row)).collect();
        let none = || Changes::new(self.view.key_len);
        let mut step = Step { synced: none(), whole: none(), looked_at: BTreeMap::new(), conflicts: Vec::new() };
        for key in keys {
            let Some(trail) = self.trails.get(key) else { continue };
            let row = found.get(key).copied();
            if let Some(row) = row {
                step.looked_at.insert(key.clone(), imprint(row, &self.domains)?);
            }
            let synced = |row| first_columns(row, self.view.columns.len());
            let has_others = self.whole.is_some();
            match trail.undoing(row, &self.domains)? {
                Undoing::Nothing => {}
                Undoing::Conflict => step.conflicts.push(key.clone()),
                Undoing::Delete => step.synced.deletes.push(key.clone()),
                Undoing::Insert(row) if has_others => step.whole.inserts.push_row(row),
                Undoing::Insert(row) => step.synced.inserts.push_row(row),
                Undoing::Update(row, true) if has_others => step.whole.updates.push_row(row),
                Undoing::Update(row, _) => step.synced.updates.push_row(synced(row)),
            }
        }
        Ok(step)
    }

    async fn write(&mut self, step: Step) -> Result<(), StoreError> {
        self.conflicts.extend(step.conflicts);
        self.watch.look_at(step.looked_at);
        let (writer, whole) = (self.writer.clone(), self.whole.as_ref().map(|(_, writer)| writer.clone()));
        self.send(&writer, step.synced).await?;
        match whole {
            Some(whole) => self.send(&whole, step.whole).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, writer: &Addr<Writer>, changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let permit = self.progress.meters.permit(&self.tools.budget, changes.bytes()).await;
        let written = writer.send(ChangeSet { changes, permit }).await;
        self.applied += written.map_err(|_| StoreError::new(Kind::Panic, "write", "the writer ended"))??;
        Ok(())
    }

    /// Reads back what was put back. How many rows are not as they were, beside those that are told already.
    ///
    /// # Errors
    /// When the target fails for good, or the undo is asked to stop.
    pub async fn prove(&mut self) -> Result<u64, Failure> {
        let keys: Vec<Key> = self.trails.keys().filter(|key| !self.is_told(key)).cloned().collect();
        let mut open = 0;
        for keys in keys.chunks(self.batch_rows) {
            if self.tools.stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            let tools = Arc::clone(&self.tools);
            let prove = async || {
                let step = self.look(keys).await?;
                open += (step.synced.len() + step.whole.len() + step.conflicts.len()) as u64;
                Ok(())
            };
            tools.target.insist(tools.failures_max, prove).await?;
        }
        Ok(open)
    }

    fn is_told(&self, key: &Key) -> bool {
        self.conflicts.contains(key) || self.ledger.is_rejected(key)
    }

    fn broken(&self, error: &NotCanonical) -> StoreError {
        StoreError::new(Kind::BadValue, "compare", error.to_string()).at(&self.view.table)
    }
}

fn half_of(trail: &Trail) -> Half {
    if trail.before.is_some() { Half::PutBack } else { Half::Remove }
}
