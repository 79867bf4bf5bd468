//! The writer: applies one set of changes after the other, each in a transaction of its own.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, AtomicResponse, Context, Handler, WrapFuture};
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::TableView;
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Result, Store};
use tokio_util::task::AbortOnDropHandle;

use crate::board::{Progress, Spent};
use crate::ledger::{Doubt, Ledger, Witness};
use crate::messages::{AwaitWrites, ChangeSet};

pub struct Writer {
    store: Arc<dyn Store>,
    view: Arc<TableView>,
    progress: Arc<Progress>,
    ledger: Arc<Ledger>,
}

impl Writer {
    pub fn new(store: Arc<dyn Store>, view: Arc<TableView>, progress: Arc<Progress>, ledger: Arc<Ledger>) -> Writer {
        Writer { store, view, progress, ledger }
    }
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<ChangeSet> for Writer {
    /// One at a time: the mailbox's bound does not bound what asynchronous handlers do at once.
    type Result = AtomicResponse<Self, Result<Applied>>;

    fn handle(&mut self, message: ChangeSet, _: &mut Context<Self>) -> Self::Result {
        let (store, view, progress) = (Arc::clone(&self.store), Arc::clone(&self.view), Arc::clone(&self.progress));
        let ledger = Arc::clone(&self.ledger);
        let ChangeSet { changes, permit } = message;
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let spent =
                if changes.inserts.is_empty() && changes.updates.is_empty() { Spent::Delete } else { Spent::Write };
            let begun = Instant::now();
            let applied = apply(store.as_ref(), &view, changes, &ledger).await;
            progress.spend(spent, begun);
            if let Ok(applied) = &applied {
                progress.applied(applied);
            }
            drop(permit);
            applied
        }));
        let table = self.view.table.clone();
        let panicked = move || StoreError::new(Kind::Panic, "write", "the adapter panicked").at(&table);
        let applied = async move {
            let applied = task.await.unwrap_or_else(|_| Err(panicked()));
            applied.map_err(|error| error.on(SideName::Target))
        };
        AtomicResponse::new(Box::pin(applied.into_actor(self)))
    }
}

impl Handler<AwaitWrites> for Writer {
    /// Behind all sets of changes: an actor takes up nothing else while one of these answers is under way.
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: AwaitWrites, _: &mut Context<Self>) -> Self::Result {
        AtomicResponse::new(Box::pin(async {}.into_actor(self)))
    }
}

async fn apply(store: &dyn Store, view: &Arc<TableView>, changes: Changes, ledger: &Ledger) -> Result<Applied> {
    let witness = Witness::of(&changes);
    let mut transaction = store.begin(view).await?;
    let applied = transaction.write(Arc::new(changes)).await?;
    match (transaction.commit().await, witness) {
        (Ok(()), _) => Ok(applied),
        (Err(error), Some(witness)) if got_no_answer(&error) => {
            ledger.doubt(Doubt { applied, witness });
            Err(error)
        }
        (Err(error), _) => Err(error),
    }
}

/// Whether what was asked may have been done all the same.
fn got_no_answer(error: &StoreError) -> bool {
    matches!(error.kind, Kind::Unreachable | Kind::Timeout | Kind::Panic)
}
