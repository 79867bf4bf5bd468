//! The writer: applies one set of changes after the other, each in a transaction of its own.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, AtomicResponse, Context, Handler, WrapFuture};
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Result, Store};
use tokio_util::task::AbortOnDropHandle;

use crate::board::{Progress, Spent};
use crate::messages::ChangeSet;

pub struct Writer {
    store: Arc<dyn Store>,
    view: Arc<TableView>,
    progress: Arc<Progress>,
}

impl Writer {
    pub fn new(store: Arc<dyn Store>, view: Arc<TableView>, progress: Arc<Progress>) -> Writer {
        Writer { store, view, progress }
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
        let ChangeSet { changes, permit } = message;
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let spent =
                if changes.inserts.is_empty() && changes.updates.is_empty() { Spent::Delete } else { Spent::Write };
            let begun = Instant::now();
            let applied = apply(store.as_ref(), &view, changes).await;
            progress.spend(spent, begun);
            if let Ok(applied) = &applied {
                progress.applied(applied);
            }
            drop(permit);
            applied
        }));
        let table = self.view.table.clone();
        let panicked = move || StoreError::new(Kind::Panic, "write", "the adapter panicked").at(&table);
        AtomicResponse::new(Box::pin(async move { task.await.unwrap_or_else(|_| Err(panicked())) }.into_actor(self)))
    }
}

async fn apply(store: &dyn Store, view: &Arc<TableView>, changes: Changes) -> Result<Applied> {
    let mut transaction = store.begin(view).await?;
    let applied = transaction.write(Arc::new(changes)).await?;
    transaction.commit().await?;
    Ok(applied)
}
