//! The ledger of a table: the rows that its target refused, and the batches of which nobody knows whether they were
//! applied. It outlives the table's actors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::Kind;
use rowsync_engine::key::Key;
use rowsync_engine::row::{Form, RowPage};

/// Notes of one table, for all its actors.
#[derive(Debug, Default)]
pub struct Ledger {
    doubts: Mutex<Vec<Doubt>>,
    rejected: Mutex<BTreeMap<Key, Rejected>>,
    /// Rows that were refused in a form that does not tell their keys, until a compare finds them.
    nameless: AtomicU64,
    /// Changes that the writer was given.
    pub wanted: AtomicU64,
    /// So many rows failed that the table is to stop.
    closed: AtomicBool,
    /// Rows were written without what they refer to, or not at all, until what they refer to is there.
    owes: AtomicBool,
    /// So many were written without, and not filled in yet.
    unfilled: AtomicU64,
    /// All that can be referred to is there.
    filling: AtomicBool,
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

/// A change that the target refuses.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The change alone.
    pub change: Changes,
    pub kind: Kind,
    /// What the target says, without any value of a row.
    pub message: String,
}

impl Witness {
    /// None where nothing can be told, as of a batch without rows.
    pub fn of(changes: &Changes) -> Option<Witness> {
        if !changes.inserts.is_empty() {
            // Raw rows know no key but that of the last of a page.
            return match changes.inserts.form {
                Form::Raw => changes.inserts.last_key.clone().map(Witness::Inserted),
                Form::Fields => Some(Witness::Inserted(changes.inserts.key(0))),
            };
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

impl Rejected {
    pub fn is_delete(&self) -> bool {
        !self.change.deletes.is_empty()
    }

    pub fn is_insert(&self) -> bool {
        !self.change.inserts.is_empty()
    }

    /// The row that was to be written; none of a delete.
    pub fn row(&self) -> Option<&[u8]> {
        let mut rows = self.change.inserts.rows().chain(self.change.updates.rows());
        rows.next()
    }

    fn key(&self) -> Option<Key> {
        let page = if self.is_insert() { &self.change.inserts } else { &self.change.updates };
        let of_row = || (!page.is_empty()).then(|| page.key(0));
        self.change.deletes.first().cloned().or_else(of_row)
    }
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    pub fn doubt(&self, doubt: Doubt) {
        open(&self.doubts).push(doubt);
    }

    /// The first doubt that is not dispelled yet.
    pub fn first_doubt(&self) -> Option<Doubt> {
        open(&self.doubts).first().cloned()
    }

    /// The first doubt is none any more.
    pub fn dispel(&self) {
        let mut doubts = open(&self.doubts);
        if !doubts.is_empty() {
            doubts.remove(0);
        }
    }

    /// Puts a change aside; one that was put aside before is not counted twice. How many they are now.
    pub fn reject(&self, rejected: Rejected) -> u64 {
        let mut all = open(&self.rejected);
        let known = rejected.key().and_then(|key| all.insert(key, rejected));
        if known.is_some() {
            // It was wanted when it was put aside first.
            self.want_less(1);
        }
        all.len() as u64
    }

    /// Counts a refused row whose key cannot be told. How many rows are put aside now.
    pub fn reject_nameless(&self) -> u64 {
        self.nameless.fetch_add(1, Relaxed) + 1 + self.rejected_count()
    }

    /// Forgets the rows without a key, since they are looked for now. How many they were.
    pub fn take_nameless(&self) -> u64 {
        let nameless = self.nameless.swap(0, Relaxed);
        self.want_less(nameless);
        nameless
    }

    pub fn rejected(&self) -> Vec<(Key, Rejected)> {
        open(&self.rejected).iter().map(|(key, rejected)| (key.clone(), rejected.clone())).collect()
    }

    pub fn rejected_count(&self) -> u64 {
        open(&self.rejected).len() as u64
    }

    pub fn is_rejected(&self, key: &Key) -> bool {
        open(&self.rejected).contains_key(key)
    }

    /// Takes all that were put aside, to be tried again.
    pub fn take_rejected(&self) -> BTreeMap<Key, Rejected> {
        self.closed.store(false, Relaxed);
        std::mem::take(&mut *open(&self.rejected))
    }

    pub fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// So many rows were written without what they refer to; others may have been left out.
    pub fn owe(&self, rows: u64) {
        self.owes.store(true, Relaxed);
        self.unfilled.fetch_add(rows, Relaxed);
    }

    pub fn owes(&self) -> bool {
        self.owes.load(Relaxed)
    }

    /// From now on rows are written with all that they refer to, or refused.
    pub fn begin_filling(&self) {
        self.owes.store(false, Relaxed);
        self.filling.store(true, Relaxed);
    }

    /// A new actor writes rows that others refer to, so references may have to wait again.
    pub fn end_filling(&self) {
        self.filling.store(false, Relaxed);
    }

    pub fn is_filling(&self) -> bool {
        self.filling.load(Relaxed)
    }

    /// How many of so many updated rows were only filled in: these were counted when they were added.
    pub fn fill(&self, updated: u64) -> u64 {
        let before = self.unfilled.load(Relaxed);
        let filled = before.min(updated);
        self.unfilled.store(before - filled, Relaxed);
        filled
    }

    /// So many changes are wanted again that were counted before.
    pub fn want_less(&self, changes: u64) {
        let less = |wanted: u64| Some(wanted.saturating_sub(changes));
        let _ = self.wanted.fetch_update(Relaxed, Relaxed, less);
    }

    /// Begins the count of what is wanted anew, from what was done.
    pub fn want_again(&self, done: u64) {
        self.wanted.store(done, Relaxed);
    }
}
