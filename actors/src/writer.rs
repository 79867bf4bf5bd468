//! The writer: applies one set of changes after the other, each in a transaction of its own, and puts rows aside that the
//! target refuses.

mod behind;
mod doubt;
mod moves;
mod narrow;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use actix::{Actor, AtomicResponse, Context, Handler, WrapFuture};
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::image::images;
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::TableView;
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Result, Store, Transaction};
use tokio::sync::{Mutex, oneshot};
use tokio_util::task::AbortOnDropHandle;

use tracing::{Instrument as _, Span};

use crate::board::{Progress, Spent};
use crate::job::TableOptions;
use crate::journal::Keeping;
use crate::leave::Leave;
use crate::ledger::{Doubt, Ledger, Witness};
use crate::messages::{AppendRows, Appending, AwaitWrites, BeginTogether, ChangeSet, CommitTogether};
use crate::phase::Phase;

use behind::Line;
pub use together::Together;

pub struct Writer {
    pen: Arc<Pen>,
    /// Of the table; made within it.
    span: Span,
    /// Sets that it was given.
    batches: u64,
    line: Line,
}

/// What writing takes, on whichever core it is done.
#[derive(Clone)]
pub struct Pen {
    /// Where it writes.
    pub side: SideName,
    pub store: Arc<dyn Store>,
    pub view: Arc<TableView>,
    /// See `Pair::kin`.
    pub kin: Option<Arc<TableView>>,
    pub progress: Arc<Progress>,
    pub ledger: Arc<Ledger>,
    pub leave: Arc<dyn Leave>,
    pub options: TableOptions,
    /// Columns that may be filled in later, see `Pair::circular`.
    pub circular: Vec<usize>,
    /// None where nothing is kept for an undo.
    pub keeping: Option<Keeping>,
    /// Somebody else writes to the table.
    pub others_write: Arc<AtomicBool>,
    /// Whether sets are written in one transaction.
    pub together: Arc<Mutex<Together>>,
}

impl Writer {
    pub fn new(pen: Pen) -> Writer {
        Writer { pen: Arc::new(pen), span: Span::current(), batches: 0, line: Line::default() }
    }

    fn batch_span(&mut self, changes: &Changes) -> Span {
        self.batches += 1;
        let (inserts, updates, deletes) = (changes.inserts.len(), changes.updates.len(), changes.deletes.len());
        let span = tracing::debug_span!(parent: &self.span, "batch", batch = self.batches, inserts, updates, deletes);
        // Where batches are not told apart, they are told of as their table's.
        if span.is_disabled() { self.span.clone() } else { span }
    }
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<ChangeSet> for Writer {
    /// One at a time: the mailbox's bound does not bound what asynchronous handlers do at once.
    type Result = AtomicResponse<Self, Result<Applied>>;

    fn handle(&mut self, message: ChangeSet, _: &mut Context<Self>) -> Self::Result {
        let pen = Arc::clone(&self.pen);
        let ChangeSet { changes, permit } = message;
        let span = self.batch_span(&changes);
        let mut before = self.line.last();
        let writing = async move {
            before.ended().await;
            let applied = pen.write(changes).await;
            drop(permit);
            applied
        };
        let task = AbortOnDropHandle::new(tokio::spawn(writing.instrument(span)));
        let (table, side) = (self.pen.view.table.clone(), self.pen.side);
        let panicked = move || StoreError::new(Kind::Panic, "write", "the adapter panicked").at(&table);
        let applied = async move {
            let applied = task.await.unwrap_or_else(|_| Err(panicked()));
            applied.map_err(|error| error.on(side))
        };
        AtomicResponse::new(Box::pin(applied.into_actor(self)))
    }
}

impl Handler<AppendRows> for Writer {
    /// Answered once the page before has ended, so that no more than two are in hand.
    type Result = AtomicResponse<Self, Appending>;

    fn handle(&mut self, message: AppendRows, _: &mut Context<Self>) -> Self::Result {
        let pen = Arc::clone(&self.pen);
        let AppendRows { changes, permit } = message;
        let span = self.batch_span(&changes);
        let (applied, answer) = oneshot::channel();
        let mut before = self.line.last();
        self.line.join(|before, mine| {
            let writing = async move {
                let written = pen.write_behind(changes, before, mine).await;
                drop(permit);
                // Whoever does not wait any more has stopped the table.
                let _ = applied.send(written.map_err(|error| error.on(pen.side)));
            };
            AbortOnDropHandle::new(tokio::spawn(writing.instrument(span)))
        });
        let taken = async move {
            before.ended().await;
            Appending(answer)
        };
        AtomicResponse::new(Box::pin(taken.into_actor(self)))
    }
}

impl Handler<BeginTogether> for Writer {
    type Result = AtomicResponse<Self, Result<()>>;

    fn handle(&mut self, message: BeginTogether, _: &mut Context<Self>) -> Self::Result {
        let pen = Arc::clone(&self.pen);
        let begun = async move { pen.begin_together(message.clear).await.map_err(|error| error.on(SideName::Target)) };
        AtomicResponse::new(Box::pin(begun.into_actor(self)))
    }
}

impl Handler<CommitTogether> for Writer {
    type Result = AtomicResponse<Self, Result<Applied>>;

    fn handle(&mut self, _: CommitTogether, _: &mut Context<Self>) -> Self::Result {
        let pen = Arc::clone(&self.pen);
        let done = async move { pen.commit_together().await.map_err(|error| error.on(SideName::Target)) };
        AtomicResponse::new(Box::pin(done.into_actor(self)))
    }
}

impl Handler<AwaitWrites> for Writer {
    /// Behind all sets of changes: an actor takes up nothing else while one of these answers is under way.
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: AwaitWrites, _: &mut Context<Self>) -> Self::Result {
        let mut last = self.line.last();
        let ended = async move {
            last.ended().await;
        };
        AtomicResponse::new(Box::pin(ended.into_actor(self)))
    }
}

impl Pen {
    /// Writes a set, or as much of it as the target takes.
    async fn write(&self, changes: Changes) -> Result<Applied> {
        let spent = if changes.inserts.is_empty() && changes.updates.is_empty() { Spent::Delete } else { Spent::Write };
        let begun = Instant::now();
        self.ledger.wanted.fetch_add(changes.len() as u64, Relaxed);
        if let Some(applied) = self.write_together(&changes).await {
            self.progress.spend(spent, SideName::Target, begun);
            return applied;
        }
        let changes = self.with_doubt(changes);
        let applied = self.write_narrowed(&changes).await;
        self.progress.spend(spent, SideName::Target, begun);
        applied
    }

    /// Applies a set, or as much of it as the target takes.
    async fn write_narrowed(&self, changes: &Arc<Changes>) -> Result<Applied> {
        match self.apply_or_move(changes).await {
            Err(error) => self.narrow(changes, error).await,
            applied => applied,
        }
    }

    /// Applies a set; where a constraint is in the way that may be a foreign key to rows that are still to come, without
    /// what its rows refer to. A compare fills that in when all rows are there.
    async fn apply_or_owe(&self, changes: &Arc<Changes>) -> Result<Applied> {
        let error = match self.apply(changes).await {
            Err(error) if error.kind == Kind::Constraint && !self.ledger.is_filling() => error,
            applied => return applied,
        };
        let Some((less, rows)) = changes.without_references(&self.circular) else { return Err(error) };
        let applied = match self.apply(&Arc::new(less)).await {
            // Something else is in the way, and the rows with all that they refer to tell it better.
            Err(other) if other.class() == Class::Data => return Err(error),
            applied => applied?,
        };
        self.ledger.owe(rows);
        self.ledger.want_less(changes.updates.len() as u64);
        Ok(applied)
    }

    /// Applies a set in one transaction, and counts what was done.
    async fn apply(&self, changes: &Arc<Changes>) -> Result<Applied> {
        let mut note = None;
        let applied = self.apply_noted(changes, &mut note).await;
        if let (Some(keeping), Some(note), Err(error)) = (&self.keeping, note, &applied)
            && !got_no_answer(error)
        {
            keeping.journal.strike(note).await;
        }
        applied
    }

    async fn apply_noted(&self, changes: &Arc<Changes>, note: &mut Option<u64>) -> Result<Applied> {
        self.leave.to_write().await?;
        let mut transaction = self.store.begin(&self.view).await?;
        Phase::BatchBegun.reached();
        let (changes, held_back) = self.that_fit(&mut *transaction, changes).await?;
        *note = self.keep_images(&mut *transaction, &changes).await?;
        let witness = Witness::of(&changes);
        let written = transaction.write(changes).await;
        // The place of a row is one among those that were written, and nobody else knows which these were.
        let place = |error: &StoreError| error.place.filter(|_| held_back == 0);
        let written = written.map_err(|error| StoreError { place: place(&error), ..error })?;
        let applied = Applied { held_back, ..written };
        Phase::BatchWritten.reached();
        self.commit(transaction, applied, witness).await
    }

    /// Commits what was applied, and counts it.
    async fn commit(
        &self,
        transaction: Box<dyn Transaction>,
        applied: Applied,
        witness: Option<Witness>,
    ) -> Result<Applied> {
        // A process that was suspended since then must not commit what another one may have done meanwhile.
        self.leave.to_write().await?;
        match (transaction.commit().await, witness) {
            (Ok(()), _) => {
                Phase::BatchCommitted.reached();
                let filled = self.ledger.fill(applied.updated);
                // What is held back is wanted again when it is found again.
                self.ledger.want_less(filled + applied.held_back);
                let counted = Applied { updated: applied.updated - filled, ..applied };
                // Before anything that may fail: nobody finds out later what a batch did.
                self.progress.applied(&counted);
                tracing::debug!(applied.inserted, applied.updated, applied.deleted, "batch committed");
                Ok(counted)
            }
            (Err(error), Some(witness)) if got_no_answer(&error) => {
                self.ledger.doubt(Doubt { applied, witness });
                Err(error)
            }
            (Err(error), _) => Err(error),
        }
    }
}

impl Pen {
    /// Keeps what the rows of a set are now, where they may have to be put back. That is safe before anything is
    /// committed: after a crash there may be a note too many, which an undo finds not applied, and never one too few.
    async fn keep_images(&self, transaction: &mut dyn Transaction, changes: &Changes) -> Result<Option<u64>> {
        let Some(keeping) = self.keeping.as_ref().filter(|keeping| keeping.journal.is_open()) else { return Ok(None) };
        if changes.inserts.form == Form::Raw {
            let message = "rows that are to be kept for an undo came in a form that does not tell their keys";
            return Err(StoreError::new(Kind::Bug, "write", message).at(&self.view.table));
        }
        let keys = changes.keys_before();
        let found = match keys.is_empty() {
            true => RowPage::new(Form::Fields, self.view.key_len),
            false => transaction.before(&keeping.image, &keys).await?,
        };
        let images = images(changes, &found, &keeping.domains)
            .map_err(|error| StoreError::new(Kind::BadValue, "write", error.to_string()).at(&self.view.table))?;
        if images.is_empty() { Ok(None) } else { keeping.journal.note(&images).await.map(Some) }
    }
}

/// Whether what was asked may have been done all the same.
fn got_no_answer(error: &StoreError) -> bool {
    matches!(error.kind, Kind::Unreachable | Kind::Timeout | Kind::Panic)
}
