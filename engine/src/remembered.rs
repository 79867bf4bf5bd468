//! What is remembered of rows on which both sides of a merge agreed: imprints, since the rows themselves stand in both.

use xxhash_rust::xxh3::xxh3_64;

use crate::canonical::{NotCanonical, write_canonical};
use crate::domain::Domain;
use crate::image::{Imprint, imprint};
use crate::key::Key;
use crate::row::fields;

/// What is known of a row on which both sides agreed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// None where the row was seen with other columns, so it was there, and its values cannot be compared.
    pub row: Option<Imprint>,
    /// One for each column behind the key, where those are kept.
    pub columns: Box<[u64]>,
}

impl Remembered {
    /// # Errors
    /// When a value has no canonical form.
    pub fn of(row: &[u8], key_len: usize, domains: &[Domain], by_columns: bool) -> Result<Remembered, NotCanonical> {
        let columns = if by_columns { column_imprints(row, key_len, domains)? } else { Vec::new() };
        Ok(Remembered { row: Some(imprint(row, domains)?), columns: columns.into() })
    }

    pub(crate) fn is(&self, row: Imprint) -> bool {
        self.row == Some(row)
    }

    /// The same row where its columns are others now.
    pub fn with_other_columns(self) -> Remembered {
        Remembered { row: None, columns: Box::default() }
    }
}

/// One of each column behind the key.
pub(crate) fn column_imprints(row: &[u8], key_len: usize, domains: &[Domain]) -> Result<Vec<u64>, NotCanonical> {
    let mut scratch = Vec::new();
    let columns = fields(row).zip(domains).skip(key_len);
    columns
        .map(|(value, domain)| {
            let value = value.map_err(|_| NotCanonical { kind: "broken row", domain: *domain })?;
            scratch.clear();
            write_canonical(&mut scratch, value, *domain)?;
            Ok(xxh3_64(&scratch))
        })
        .collect()
}

/// A number for a text, such as the names of columns that something is remembered of.
pub fn fingerprint(text: &str) -> i64 {
    xxh3_64(text.as_bytes()) as i64
}

/// The first byte of rows as they are kept: who changes what follows, the form of rows or that of imprints, changes it.
const VERSION: u8 = 1;
const HAS_IMPRINT: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RememberedError {
    #[error("rows remembered by another version of rowsync")]
    Version,
    #[error("damaged memory of rows")]
    Damaged,
}

/// Rows as they are kept: of each its key, whether there is an imprint, and the imprints.
pub fn encode<'a>(rows: impl IntoIterator<Item = (&'a Key, &'a Remembered)>) -> Vec<u8> {
    let mut out = vec![VERSION];
    for (key, row) in rows {
        out.extend((key.as_bytes().len() as u32).to_le_bytes());
        out.extend_from_slice(key.as_bytes());
        out.push(row.row.map_or(0, |_| HAS_IMPRINT));
        out.extend(row.row.iter().flatten());
        // No table has as many columns.
        out.extend((row.columns.len() as u16).to_le_bytes());
        row.columns.iter().for_each(|column| out.extend(column.to_le_bytes()));
    }
    out
}

/// # Errors
/// When the bytes are none that [`encode`] made.
pub fn decode(bytes: &[u8]) -> Result<Vec<(Key, Remembered)>, RememberedError> {
    let (version, mut rest) = bytes.split_first().ok_or(RememberedError::Damaged)?;
    if *version != VERSION {
        return Err(RememberedError::Version);
    }
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (key, behind) = rest.split_at_checked(length).ok_or(RememberedError::Damaged)?;
        rest = behind;
        let [has_imprint] = take(&mut rest)?;
        let row = if has_imprint == HAS_IMPRINT { Some(take(&mut rest)?) } else { None };
        let columns = u16::from_le_bytes(take(&mut rest)?);
        let columns = (0..columns).map(|_| take(&mut rest).map(u64::from_le_bytes)).collect::<Result<_, _>>()?;
        rows.push((Key::from_bytes(key), Remembered { row, columns }));
    }
    Ok(rows)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], RememberedError> {
    let (bytes, behind) = rest.split_first_chunk::<N>().ok_or(RememberedError::Damaged)?;
    *rest = behind;
    Ok(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ValueRef;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_remembered_survives_being_kept(
            rows in prop::collection::vec((any::<i64>(), any::<Option<Imprint>>(), any::<Vec<u64>>()), 0..9)
        ) {
            let rows: Vec<(Key, Remembered)> = rows
                .into_iter()
                .map(|(key, row, columns)| (Key::new([ValueRef::Int(key)]), Remembered { row, columns: columns.into() }))
                .collect();
            prop_assert_eq!(decode(&encode(rows.iter().map(|(key, row)| (key, row)))).unwrap(), rows);
        }

        #[test]
        fn a_damaged_memory_is_an_error_and_not_a_panic(bytes: Vec<u8>) {
            let _ = decode(&[&[VERSION], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn a_memory_of_another_version_is_refused() {
        assert_eq!(decode(&[VERSION + 1]).unwrap_err(), RememberedError::Version);
    }
}
