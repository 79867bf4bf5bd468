//! Images of rows: what a batch found before it wrote and what it left, so that it can be undone.
//!
//! Kept whole is only what was there before. Of what was left an imprint is enough, since the row itself stands in the
//! target as long as nobody else has changed it.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_128;

use crate::canonical::NotCanonical;
use crate::change::Changes;
use crate::domain::Domain;
use crate::key::Key;
use crate::row::{Form, RowPage, canonical_row, key_bytes};

/// Tells a row from every other one by its values, in the domains of its pair.
pub type Imprint = [u8; 16];

/// The imprint of a row in `Fields` form; columns behind the domains do not count.
///
/// # Errors
/// When a value has no canonical form.
pub fn imprint(row: &[u8], domains: &[Domain]) -> Result<Imprint, NotCanonical> {
    let mut canonical = Vec::with_capacity(row.len());
    canonical_row(row, domains, &mut canonical)?;
    Ok(xxh3_128(&canonical).to_le_bytes())
}

/// One row in one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub key: Key,
    /// The whole row as it was; none where there was no such row.
    pub before: Option<Vec<u8>>,
    /// What the batch leaves; none where it deletes the row.
    pub after: Option<Imprint>,
}

/// The images of a set of changes, in the order in which it is applied. `found` are the rows that it replaces or
/// deletes, maybe with more columns than those that are written.
///
/// # Errors
/// When a value has no canonical form.
pub fn images(changes: &Changes, found: &RowPage, domains: &[Domain]) -> Result<Vec<Image>, NotCanonical> {
    debug_assert_eq!(changes.inserts.form, Form::Fields, "raw rows do not tell their keys");
    let found: BTreeMap<&[u8], &[u8]> = found.rows().map(|row| (key_bytes(row, found.key_len), row)).collect();
    let mut images = Vec::with_capacity(changes.len());
    for key in &changes.deletes {
        if let Some(row) = found.get(key.as_bytes()) {
            images.push(Image { key: key.clone(), before: Some(row.to_vec()), after: None });
        }
    }
    // Deletes and updates of rows that are gone change nothing.
    for (index, row) in changes.updates.rows().enumerate() {
        let key = changes.updates.key(index);
        if let Some(before) = found.get(key.as_bytes()) {
            images.push(Image { key, before: Some(before.to_vec()), after: Some(imprint(row, domains)?) });
        }
    }
    for (index, row) in changes.inserts.rows().enumerate() {
        images.push(Image { key: changes.inserts.key(index), before: None, after: Some(imprint(row, domains)?) });
    }
    Ok(images)
}

/// The first byte of images as they are kept: who changes what follows, or the form of rows, changes it.
const VERSION: u8 = 1;
const HAS_BEFORE: u8 = 1;
const HAS_AFTER: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("images of rows of another version of rowsync")]
    Version,
    #[error("damaged images of rows")]
    Damaged,
}

/// Images as they are kept: for each what it has, the row that was there or else the key, and the imprint.
pub fn encode(images: &[Image], key_len: usize) -> Vec<u8> {
    let mut out = vec![VERSION];
    // No table has as many columns.
    out.extend((key_len as u16).to_le_bytes());
    for image in images {
        out.push(image.before.as_ref().map_or(0, |_| HAS_BEFORE) | image.after.map_or(0, |_| HAS_AFTER));
        let bytes = image.before.as_deref().unwrap_or(image.key.as_bytes());
        out.extend((bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
        out.extend(image.after.iter().flatten());
    }
    out
}

/// # Errors
/// When the bytes are none that [`encode`] made.
pub fn decode(bytes: &[u8]) -> Result<Vec<Image>, ImageError> {
    let (version, mut rest) = bytes.split_first().ok_or(ImageError::Damaged)?;
    if *version != VERSION {
        return Err(ImageError::Version);
    }
    let key_len = usize::from(u16::from_le_bytes(take(&mut rest)?));
    let mut images = Vec::new();
    while !rest.is_empty() {
        let [flags] = take(&mut rest)?;
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (row, behind) = rest.split_at_checked(length).ok_or(ImageError::Damaged)?;
        rest = behind;
        images.push(Image {
            key: Key::from_bytes(key_bytes(row, key_len)),
            before: (flags & HAS_BEFORE != 0).then(|| row.to_vec()),
            after: if flags & HAS_AFTER != 0 { Some(take(&mut rest)?) } else { None },
        });
    }
    Ok(images)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ImageError> {
    let (bytes, behind) = rest.split_first_chunk::<N>().ok_or(ImageError::Damaged)?;
    *rest = behind;
    Ok(*bytes)
}

/// What one execution did to one row, however often it wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// The row as it was before the first write.
    pub before: Option<Vec<u8>>,
    /// What each write left. Any of them may be what stands there: the last one need not have been committed.
    afters: BTreeSet<Option<Imprint>>,
}

/// What is to be done about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undoing<'a> {
    /// It is as it was before.
    Nothing,
    Insert(&'a [u8]),
    /// The second: the row was gone in between, so all of its columns are put back, not only those that are synced.
    Update(&'a [u8], bool),
    Delete,
    /// Somebody else has changed it since.
    Conflict,
}

impl Trail {
    /// What follows from the row that is there now.
    ///
    /// # Errors
    /// When a value has no canonical form.
    pub fn undoing(&self, found: Option<&[u8]>, domains: &[Domain]) -> Result<Undoing<'_>, NotCanonical> {
        let found = found.map(|row| imprint(row, domains)).transpose()?;
        let before = self.before.as_deref().map(|row| imprint(row, domains)).transpose()?;
        if found == before {
            return Ok(Undoing::Nothing);
        }
        if !self.afters.contains(&found) {
            return Ok(Undoing::Conflict);
        }
        Ok(match (&self.before, found) {
            (None, _) => Undoing::Delete,
            (Some(row), None) => Undoing::Insert(row),
            (Some(row), Some(_)) => Undoing::Update(row, self.afters.contains(&None)),
        })
    }
}

/// Adds images to the trails of their rows, in the order in which they were made.
pub fn follow(trails: &mut BTreeMap<Key, Trail>, images: Vec<Image>) {
    for Image { key, before, after } in images {
        let first = || Trail { before, afters: BTreeSet::new() };
        trails.entry(key).or_insert_with(first).afters.insert(after);
    }
}

/// The first columns of a row in `Fields` form.
pub fn first_columns(row: &[u8], columns: usize) -> &[u8] {
    key_bytes(row, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::fields;
    use crate::value::ValueRef;
    use proptest::prelude::*;

    const DOMAINS: [Domain; 2] = [Domain::Int, Domain::Int];

    fn page(rows: &BTreeMap<i64, i64>) -> RowPage {
        let mut page = RowPage::new(Form::Fields, 1);
        for (key, value) in rows {
            page.push_key(ValueRef::Int(*key));
            page.push(ValueRef::Int(*value));
            page.end_row();
        }
        page.finish();
        page
    }

    fn key(id: i64) -> Key {
        Key::new([ValueRef::Int(id)])
    }

    /// Writes rows over those of a table, and deletes some; the images of that.
    fn write(table: &mut BTreeMap<i64, i64>, rows: &BTreeMap<i64, i64>, gone: &[i64]) -> Vec<Image> {
        let (updates, inserts) = rows.clone().into_iter().partition(|(id, _)| table.contains_key(id));
        let deletes = gone.iter().filter(|id| !rows.contains_key(id)).map(|id| key(*id)).collect();
        let changes = Changes { inserts: page(&inserts), updates: page(&updates), deletes, ..Changes::new(1) };
        let images = images(&changes, &page(table), &DOMAINS).unwrap();
        table.retain(|id, _| !gone.contains(id) || rows.contains_key(id));
        table.extend(rows);
        images
    }

    fn undo(table: &mut BTreeMap<i64, i64>, trails: &BTreeMap<Key, Trail>) -> usize {
        let mut conflicts = 0;
        for (at, trail) in trails {
            let ValueRef::Int(id) = at.values().unwrap()[0] else { panic!("keys are numbers") };
            let found = table.get(&id).map(|value| page(&[(id, *value)].into()));
            match trail.undoing(found.as_ref().map(|page| page.row(0)), &DOMAINS).unwrap() {
                Undoing::Nothing => {}
                Undoing::Delete => drop(table.remove(&id)),
                Undoing::Insert(row) | Undoing::Update(row, _) => {
                    let Some(Ok(ValueRef::Int(value))) = fields(row).nth(1) else { panic!("values are numbers") };
                    table.insert(id, value);
                }
                Undoing::Conflict => conflicts += 1,
            }
        }
        conflicts
    }

    proptest! {
        #[test]
        fn images_survive_being_kept(rows: BTreeMap<i64, i64>, gone: Vec<i64>, mut table: BTreeMap<i64, i64>) {
            let images = write(&mut table, &rows, &gone);
            prop_assert_eq!(decode(&encode(&images, 1)).unwrap(), images);
        }

        #[test]
        fn damaged_images_are_an_error_and_not_a_panic(bytes: Vec<u8>) {
            let _ = decode(&[&[VERSION], bytes.as_slice()].concat());
        }

        #[test]
        fn what_any_writes_did_is_undone(
            before in prop::collection::btree_map(0i64..20, 0i64..4, 0..20),
            writes in prop::collection::vec(
                (prop::collection::btree_map(0i64..20, 0i64..4, 0..9), prop::collection::vec(0i64..20, 0..5)), 0..5),
            uncommitted in prop::collection::btree_map(0i64..20, 0i64..4, 0..9),
        ) {
            let (mut table, mut trails) = (before.clone(), BTreeMap::new());
            for (rows, gone) in &writes {
                follow(&mut trails, write(&mut table, rows, gone));
            }
            // Of the last one only the images were kept.
            follow(&mut trails, write(&mut table.clone(), &uncommitted, &[]));
            prop_assert_eq!(undo(&mut table, &trails), 0);
            prop_assert_eq!(&table, &before);
            prop_assert_eq!(undo(&mut table, &trails), 0);
            prop_assert_eq!(&table, &before);
        }

        #[test]
        fn what_somebody_else_wrote_stays(rows in prop::collection::btree_map(0i64..9, 0i64..4, 1..9)) {
            let (mut table, mut trails) = (BTreeMap::new(), BTreeMap::new());
            follow(&mut trails, write(&mut table, &rows, &[]));
            let changed = *rows.keys().next().unwrap();
            table.insert(changed, 99);
            prop_assert_eq!(undo(&mut table, &trails), 1);
            prop_assert_eq!(table, BTreeMap::from([(changed, 99)]));
        }
    }

    #[test]
    fn images_of_another_version_are_refused() {
        assert_eq!(decode(&[VERSION + 1, 0, 0]).unwrap_err(), ImageError::Version);
    }
}
