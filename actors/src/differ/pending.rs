//! Changes that were found and wait to fill a batch, so that scattered differences do not become a transaction each.

use rowsync_engine::budget::Permit;
use rowsync_engine::change::Changes;

use super::Desk;
use crate::failure::Failure;
use crate::found::Found;

/// The share of a page that may wait; see [`crate::job::page_bytes`] for why waiting always ends.
const WAITING_SHARE: usize = 2;

pub(super) struct Pending {
    changes: Changes,
    permit: Option<Permit>,
}

impl Pending {
    pub(super) fn new(desk: &Desk) -> Pending {
        Pending { changes: Changes::new(desk.key_len()), permit: None }
    }

    /// Takes changes over with their permit, and writes when a batch is full.
    pub(super) async fn add(
        &mut self,
        desk: &Desk,
        changes: Changes,
        permit: Permit,
        found: &mut Found,
    ) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        self.changes.append(changes);
        let held = self.permit.take();
        let permit = self.permit.insert(permit);
        if let Some(held) = held {
            permit.merge(held);
        }
        permit.settle(self.changes.bytes());
        let rows = self.changes.inserts.len() + self.changes.updates.len();
        let full = rows >= desk.options.batch_rows.get()
            || self.changes.deletes.len() >= desk.options.delete_batch_rows.get()
            || self.changes.bytes() >= desk.options.page_bytes / WAITING_SHARE;
        if full { self.flush(desk, found).await } else { Ok(()) }
    }

    /// Writes what waits.
    pub(super) async fn flush(&mut self, desk: &Desk, found: &mut Found) -> Result<(), Failure> {
        let Some(permit) = self.permit.take() else { return Ok(()) };
        let changes = std::mem::replace(&mut self.changes, Changes::new(desk.key_len()));
        found.applied += desk.writer.write(changes, permit).await?;
        Ok(())
    }
}
