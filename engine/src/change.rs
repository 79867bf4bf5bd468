//! What has to be written to make a target equal: whole rows to insert and update, keys to delete.

use crate::key::Key;
use crate::row::{Form, RowPage};

/// Changes for one table, applied in one transaction.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Rows that the target lacks. In `Fields` or `Raw` form.
    pub inserts: RowPage,
    /// Whole rows that replace those with the same key. In `Fields` form.
    pub updates: RowPage,
    /// Keys of rows that only the target has.
    pub deletes: Vec<Key>,
}

impl Changes {
    pub fn new(key_len: usize) -> Changes {
        let page = RowPage::new(Form::Fields, key_len);
        Changes { inserts: page.clone(), updates: page, deletes: Vec::new() }
    }

    pub fn inserting(inserts: RowPage) -> Changes {
        Changes { updates: RowPage::new(Form::Fields, inserts.key_len), inserts, deletes: Vec::new() }
    }

    pub fn deleting(deletes: Vec<Key>, key_len: usize) -> Changes {
        Changes { deletes, ..Changes::new(key_len) }
    }

    /// Rows and keys in it.
    pub fn len(&self) -> usize {
        self.inserts.len() + self.updates.len() + self.deletes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it holds in memory.
    pub fn bytes(&self) -> usize {
        self.inserts.bytes()
            + self.updates.bytes()
            + self.deletes.iter().map(|key| key.as_bytes().len() + 16).sum::<usize>()
    }

    /// Takes over what another set holds.
    pub fn append(&mut self, other: Changes) {
        other.inserts.rows().for_each(|row| self.inserts.push_row(row));
        other.updates.rows().for_each(|row| self.updates.push_row(row));
        self.deletes.extend(other.deletes);
    }
}

/// What a writer did with a set of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    pub bytes_written: u64,
    /// Statements that it took.
    pub queries: u64,
}

impl std::ops::AddAssign for Applied {
    fn add_assign(&mut self, other: Applied) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.bytes_written += other.bytes_written;
        self.queries += other.queries;
    }
}
