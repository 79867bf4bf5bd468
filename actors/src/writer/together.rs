//! Writing several sets in one transaction: all of them or none. A row that is refused ends it, since what was written
//! before cannot be kept without it.

use std::sync::Arc;

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::store::{Result, Transaction};

use super::Pen;

/// How sets of changes are written.
#[derive(Default)]
pub enum Together {
    /// Each in a transaction of its own.
    #[default]
    Apart,
    Open(Box<Open>),
    /// What is still on its way to a transaction that failed is not written by itself.
    Failed,
}

pub struct Open {
    transaction: Box<dyn Transaction>,
    applied: Applied,
    /// Images that were kept of its rows.
    notes: Vec<u64>,
}

impl Pen {
    pub(super) async fn begin_together(&self, clear: bool) -> Result<()> {
        self.leave.to_write().await?;
        let mut open =
            Open { transaction: self.store.begin(&self.view).await?, applied: Applied::default(), notes: Vec::new() };
        if clear {
            open.applied.deleted = open.transaction.clear().await?;
        }
        *self.together.lock().await = Together::Open(Box::new(open));
        Ok(())
    }

    /// None where sets are written apart.
    pub(super) async fn write_together(&self, changes: &Changes) -> Option<Result<Applied>> {
        let mut together = self.together.lock().await;
        let mut open = match std::mem::replace(&mut *together, Together::Failed) {
            Together::Apart => {
                *together = Together::Apart;
                return None;
            }
            Together::Failed => return Some(Err(self.failed_before())),
            Together::Open(open) => open,
        };
        let written = self.write_into(&mut open, changes).await;
        match written {
            Ok(_) => *together = Together::Open(open),
            Err(_) => self.strike(open).await,
        }
        Some(written)
    }

    async fn write_into(&self, open: &mut Open, changes: &Changes) -> Result<Applied> {
        self.leave.to_write().await?;
        let note = self.keep_images(&mut *open.transaction, changes).await?;
        open.notes.extend(note);
        let applied = open.transaction.write(Arc::new(changes.clone())).await?;
        open.applied += applied;
        Ok(applied)
    }

    pub(super) async fn commit_together(&self) -> Result<Applied> {
        let mut together = self.together.lock().await;
        let Together::Open(open) = std::mem::replace(&mut *together, Together::Failed) else {
            return Err(self.failed_before());
        };
        self.leave.to_write().await?;
        let Open { transaction, applied, .. } = *open;
        // Where no answer comes the images stay: they say what either outcome left.
        transaction.commit().await?;
        *together = Together::Apart;
        self.progress.applied(&applied);
        Ok(applied)
    }

    /// Rolls back, and forgets the images of what was not done.
    async fn strike(&self, open: Box<Open>) {
        let Open { transaction, notes, .. } = *open;
        drop(transaction);
        if let Some(keeping) = &self.keeping {
            for note in notes {
                keeping.journal.strike(note).await;
            }
        }
    }

    fn failed_before(&self) -> StoreError {
        StoreError::new(Kind::Bug, "write", "the transaction has failed before").at(&self.view.table)
    }
}
