//! What has to be written to make a target equal: whole rows to insert and update, keys to delete.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::key::Key;
use crate::row::{Form, RowPage, fields, key_bytes, push_field};
use crate::sightings::{Mark, Sightings};
use crate::value::ValueRef;

/// What remembering a row takes, in a table of hashes that is partly empty.
const SEEN_BYTES: usize = 16;

/// Changes for one table, applied in one transaction.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Rows that the target lacks. In `Fields` or `Raw` form.
    pub inserts: RowPage,
    /// Whole rows that replace those with the same key. In `Fields` form.
    pub updates: RowPage,
    /// Keys of rows that only the target has.
    pub deletes: Vec<Key>,
    /// What the target held in place of all these when it was compared; none where they are written whatever it holds.
    pub seen: Option<Arc<Sightings>>,
}

impl Changes {
    pub fn new(key_len: usize) -> Changes {
        let page = RowPage::new(Form::Fields, key_len);
        Changes { inserts: page.clone(), updates: page, deletes: Vec::new(), seen: None }
    }

    pub fn inserting(inserts: RowPage) -> Changes {
        let nothing = Changes::new(inserts.key_len);
        Changes { inserts, ..nothing }
    }

    pub fn deleting(deletes: Vec<Key>, key_len: usize) -> Changes {
        Changes { deletes, ..Changes::new(key_len) }
    }

    /// Keys of the rows that it replaces or deletes.
    pub fn keys_before(&self) -> Vec<Key> {
        let updated = (0..self.updates.len()).map(|index| self.updates.key(index));
        self.deletes.iter().cloned().chain(updated).collect()
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
            + self.seen.as_ref().map_or(0, |_| (self.updates.len() + self.deletes.len()) * SEEN_BYTES)
    }

    /// Two sets that are this one when they are applied one after the other; none where it is a single change.
    pub fn halves(&self) -> Option<(Changes, Changes)> {
        let (deletes, updates, inserts) = (self.deletes.len(), self.updates.len(), self.inserts.len());
        // Deletes come before updates, and updates before inserts.
        let middle = match (deletes, updates, inserts) {
            (0, 0, 0 | 1) | (0, 1, 0) | (1, 0, 0) => return None,
            (0, 0, _) | (0, _, 0) | (_, 0, 0) => self.len() / 2,
            (0, ..) => updates,
            (..) => deletes,
        };
        Some((self.part(0, middle), self.part(middle, self.len())))
    }

    /// What lies before a change, the change itself, and what lies behind it.
    pub fn around(&self, place: usize) -> (Changes, Changes, Changes) {
        (self.part(0, place), self.part(place, place + 1), self.part(place + 1, self.len()))
    }

    /// The changes from one place to another, in the order in which they are applied.
    fn part(&self, from: usize, to: usize) -> Changes {
        let rows = |page: &RowPage, before: usize| {
            let mut part = RowPage::new(page.form, page.key_len);
            (0..page.len())
                .filter(|index| (from..to).contains(&(before + index)))
                .for_each(|index| part.push_row(page.row(index)));
            part
        };
        let deletes = self.deletes.iter().take(to).skip(from).cloned().collect();
        let updates = rows(&self.updates, self.deletes.len());
        let inserts = rows(&self.inserts, self.deletes.len() + self.updates.len());
        Changes { inserts, updates, deletes, seen: self.seen.clone() }
    }

    /// The rows to insert with NULL in these columns, without the rows to update; and how many rows that changes. None
    /// where it is no different, or its rows cannot be taken apart.
    pub fn without_references(&self, columns: &[usize]) -> Option<(Changes, u64)> {
        if columns.is_empty() || self.inserts.form == Form::Raw {
            return None;
        }
        let mut inserts = RowPage::new(Form::Fields, self.inserts.key_len);
        let mut changed = 0;
        for row in self.inserts.rows() {
            let mut refers = false;
            let mut blank = Vec::with_capacity(row.len());
            for (index, value) in fields(row).enumerate() {
                let value = value.ok()?;
                let is_reference = columns.contains(&index) && !matches!(value, ValueRef::Null);
                refers |= is_reference;
                push_field(&mut blank, if is_reference { ValueRef::Null } else { value });
            }
            changed += u64::from(refers);
            inserts.push_row(if refers { &blank } else { row });
        }
        inserts.finish();
        let updates = RowPage::new(Form::Fields, self.updates.key_len);
        let is_less = changed > 0 || !self.updates.is_empty();
        is_less.then(|| (Changes { inserts, updates, deletes: self.deletes.clone(), seen: self.seen.clone() }, changed))
    }

    /// The same where some of the rows to insert stand in the target already, outside of the view: they are to replace
    /// those. None where none of them does.
    pub fn moving(&self, found: &RowPage) -> Option<Changes> {
        let there: HashSet<&[u8]> = found.rows().map(|row| key_bytes(row, found.key_len)).collect();
        let (mut inserts, mut updates) = (RowPage::new(Form::Fields, self.inserts.key_len), self.updates.clone());
        for row in self.inserts.rows() {
            let is_there = there.contains(key_bytes(row, self.inserts.key_len));
            if is_there { updates.push_row(row) } else { inserts.push_row(row) }
        }
        let seen = self.seen.as_ref().map(|seen| {
            let mut seen = Sightings::clone(seen);
            let since = seen.since();
            found.rows().for_each(|row| seen.note(row));
            Arc::new(seen.at(since))
        });
        (inserts.len() < self.inserts.len()).then(|| Changes { inserts, updates, deletes: self.deletes.clone(), seen })
    }

    /// Takes over what another set holds.
    pub fn append(&mut self, other: Changes) {
        other.inserts.rows().for_each(|row| self.inserts.push_row(row));
        other.updates.rows().for_each(|row| self.updates.push_row(row));
        self.deletes.extend(other.deletes);
        match (&mut self.seen, other.seen) {
            (Some(seen), Some(other)) => Arc::make_mut(seen).absorb(Arc::unwrap_or_clone(other)),
            (seen, Some(other)) => *seen = Some(other),
            (_, None) => {}
        }
    }

    /// The moment from which on the store itself can tell whether one of the rows was written by somebody else. None where
    /// they have to be read for that, or where it does not matter.
    pub fn since(&self) -> Option<Mark> {
        self.seen.as_ref().and_then(|seen| seen.since())
    }

    /// The same with a moment before what was seen was read.
    pub fn known_since(self, since: Option<Mark>) -> Changes {
        let seen = self.seen.map(|seen| Arc::new(Arc::unwrap_or_clone(seen).at(since)));
        Changes { seen, ..self }
    }

    /// The same, to be written only after its rows were read again.
    pub fn doubted(&self) -> Changes {
        self.clone().known_since(None)
    }

    /// The keys of all rows that it is about, as far as rows tell theirs.
    pub fn keys(&self) -> Vec<Key> {
        let keys = |page: &RowPage| match page.form {
            Form::Fields => (0..page.len()).map(|index| page.key(index)).collect(),
            Form::Raw => Vec::new(),
        };
        [self.deletes.clone(), keys(&self.updates), keys(&self.inserts)].concat()
    }

    /// What of it still fits the rows that the target holds now; and how many changes do not, because a row to update or
    /// delete is not as it was seen, or one to insert is there.
    pub fn that_fit(&self, found: &RowPage) -> (Changes, u64) {
        let Some(seen) = &self.seen else { return (self.clone(), 0) };
        let found: HashMap<&[u8], &[u8]> = found.rows().map(|row| (key_bytes(row, found.key_len), row)).collect();
        let as_seen = |key: &[u8]| found.get(key).map(|row| seen.holds(row));
        let rows = |page: &RowPage, fits: fn(Option<bool>) -> bool| {
            let mut fitting = RowPage::new(page.form, page.key_len);
            page.rows()
                .filter(|row| page.form == Form::Raw || fits(as_seen(key_bytes(row, page.key_len))))
                .for_each(|row| fitting.push_row(row));
            fitting
        };
        let updates = rows(&self.updates, |as_seen| as_seen == Some(true));
        let inserts = rows(&self.inserts, |as_seen| as_seen.is_none());
        // A row that is gone need not be deleted any more.
        let fits = |key: &&Key| as_seen(key.as_bytes()) != Some(false);
        let deletes: Vec<Key> = self.deletes.iter().filter(fits).cloned().collect();
        let fitting = Changes { inserts, updates, deletes, seen: self.seen.clone() };
        let others = (self.len() - fitting.len()) as u64;
        (fitting, others)
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
    /// Changes that were not made because the target's row was not the one any more that was compared.
    pub held_back: u64,
}

impl std::ops::AddAssign for Applied {
    fn add_assign(&mut self, other: Applied) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.bytes_written += other.bytes_written;
        self.queries += other.queries;
        self.held_back += other.held_back;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueRef;
    use proptest::prelude::*;

    fn changes(inserts: usize, updates: usize, deletes: usize) -> Changes {
        let page = |rows: std::ops::Range<usize>| {
            let mut page = RowPage::new(Form::Fields, 1);
            for row in rows {
                page.push_key(ValueRef::Int(row as i64));
                page.end_row();
            }
            page
        };
        let keys = (0..deletes).map(|id| Key::new([ValueRef::Int(id as i64)])).collect();
        let after = deletes + updates;
        Changes { deletes: keys, updates: page(deletes..after), inserts: page(after..after + inserts), seen: None }
    }

    fn singles(changes: &Changes, out: &mut Vec<Changes>) {
        match changes.halves() {
            Some((first, second)) => {
                singles(&first, out);
                singles(&second, out);
            }
            None => out.push(changes.clone()),
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_left_alone() {
        let row = |id: i64, value: &str| {
            let mut page = RowPage::new(Form::Fields, 1);
            page.push_key(ValueRef::Int(id));
            page.push(ValueRef::Text(value));
            page.end_row();
            page.row(0).to_vec()
        };
        let page = |rows: &[Vec<u8>]| {
            let mut page = RowPage::new(Form::Fields, 1);
            rows.iter().for_each(|row| page.push_row(row));
            page
        };
        let key = |id| Key::new([ValueRef::Int(id)]);
        let mut seen = Sightings::default();
        [1, 2, 3, 4, 5, 6].iter().for_each(|id| seen.note(&row(*id, "old")));
        let changes = Changes {
            updates: page(&[row(1, "new"), row(2, "new"), row(3, "new")]),
            deletes: vec![key(4), key(5), key(6)],
            inserts: page(&[row(7, "new"), row(8, "new")]),
            seen: Some(Arc::new(seen)),
        };
        // 2 and 5 were changed, 3 and 6 are gone, 8 has come.
        let now = [row(1, "old"), row(2, "other"), row(4, "old"), row(5, "other"), row(8, "other")];
        let (fitting, others) = changes.that_fit(&page(&now));
        assert_eq!(others, 4);
        assert_eq!(fitting.keys(), [4, 6, 1, 7].map(key));
        let whatever = Changes { seen: None, ..changes };
        assert_eq!(whatever.that_fit(&page(&now)).0.len(), whatever.len());
    }

    proptest! {
        #[test]
        fn halves_of_halves_are_the_single_changes_in_their_order(i in 0usize..9, u in 0usize..9, d in 0usize..9) {
            let whole = changes(i, u, d);
            let mut parts = Vec::new();
            singles(&whole, &mut parts);
            let keys = |part: &Changes| {
                let rows = |page: &RowPage| (0..page.len()).map(|index| page.key(index)).collect::<Vec<_>>();
                [part.deletes.clone(), rows(&part.updates), rows(&part.inserts)].concat()
            };
            prop_assert_eq!(parts.iter().flat_map(keys).collect::<Vec<_>>(), keys(&whole));
            prop_assert!(parts.iter().all(|part| part.len() == 1) || whole.is_empty());
            for (place, single) in parts.iter().enumerate().take(whole.len()) {
                let (before, here, behind) = whole.around(place);
                prop_assert_eq!((before.len(), behind.len()), (place, whole.len() - place - 1));
                prop_assert_eq!(keys(&here), keys(single));
            }
        }
    }
}
