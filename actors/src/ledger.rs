//! The ledger of a table: what its writer could not say for sure. It outlives the table's actors.

use std::sync::{Mutex, PoisonError};

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::key::Key;
use rowsync_engine::row::RowPage;

/// Notes of one table, for all its actors.
#[derive(Debug, Default)]
pub struct Ledger {
    doubts: Mutex<Vec<Doubt>>,
}

/// A batch whose commit got no answer: it was applied as a whole, or not at all.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// What was applied if it was.
    pub applied: Applied,
    pub witness: Witness,
}

/// One change of a batch, which tells whether the batch was applied.
#[derive(Clone, Debug)]
pub enum Witness {
    Inserted(Key),
    /// The row as it was written, alone on a page.
    Updated(RowPage),
    Deleted(Key),
}

impl Witness {
    /// None where nothing can be told, as of a batch without rows.
    pub fn of(changes: &Changes) -> Option<Witness> {
        if !changes.inserts.is_empty() {
            // Raw rows know no key but the last.
            let key = changes.inserts.last_key.clone();
            return Some(Witness::Inserted(key.unwrap_or_else(|| changes.inserts.key(0))));
        }
        if !changes.updates.is_empty() {
            let mut row = RowPage::new(changes.updates.form, changes.updates.key_len);
            row.push_row(changes.updates.row(0));
            row.finish();
            return Some(Witness::Updated(row));
        }
        changes.deletes.first().cloned().map(Witness::Deleted)
    }
}

impl Ledger {
    pub fn doubt(&self, doubt: Doubt) {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner).push(doubt);
    }

    /// The first doubt that is not dispelled yet.
    pub fn first_doubt(&self) -> Option<Doubt> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    /// The first doubt is none any more.
    pub fn dispel(&self) {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        if !doubts.is_empty() {
            doubts.remove(0);
        }
    }
}
