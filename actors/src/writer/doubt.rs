//! Rows that somebody else may have written between the compare and the write: they are read again and locked, and those
//! that are not as they were compared are left as they are.
//!
//! As long as nobody else writes, the store says so by itself and nothing is read. From the first sign of another writer
//! on, every batch of the table is looked at.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::store::{Result, Transaction};

use super::Pen;

impl Pen {
    /// The changes as they are to be written: in doubt where others are known to write.
    pub(super) fn with_doubt(&self, changes: Changes) -> Arc<Changes> {
        let others = changes.since().is_some() && self.others_write.load(Relaxed);
        Arc::new(if others { changes.doubted() } else { changes })
    }

    /// Applies a set, and once more in doubt where somebody else seems to have written to its rows.
    pub(super) async fn apply_or_doubt(&self, changes: &Arc<Changes>) -> Result<Applied> {
        let error = match self.apply_or_owe(changes).await {
            Err(error) => error,
            applied => return applied,
        };
        match self.doubted(changes, &error) {
            Some(doubted) => self.apply_or_owe(&doubted).await,
            None => Err(error),
        }
    }

    /// The changes in doubt, where this failure may come of what somebody else wrote.
    fn doubted(&self, changes: &Changes, error: &StoreError) -> Option<Arc<Changes>> {
        let others = changes.since().is_some() && matches!(error.kind, Kind::RowChanged | Kind::Duplicate);
        if error.kind == Kind::RowChanged {
            self.others_write.store(true, Relaxed);
        }
        others.then(|| Arc::new(changes.doubted()))
    }

    /// What of the changes still fits the target's rows, which nobody else changes from now on; and how many do not.
    pub(super) async fn that_fit(
        &self,
        transaction: &mut dyn Transaction,
        changes: &Arc<Changes>,
    ) -> Result<(Arc<Changes>, u64)> {
        if changes.seen.is_none() || changes.since().is_some() {
            return Ok((Arc::clone(changes), 0));
        }
        let found = transaction.before(&self.view, &changes.keys()).await?;
        let (fitting, others) = changes.that_fit(&found);
        Ok((Arc::new(fitting), others))
    }
}
