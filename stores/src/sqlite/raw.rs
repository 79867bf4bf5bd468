//! Rows in SQLite's own form: each value as it is stored, a tag for its storage class, a length where it varies, and the
//! bytes. What a column means is not looked at, so the same bytes are the same values, and nothing is parsed.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::row::push_key_field;
use rowsync_engine::schema::TableView;
use rusqlite::types::ValueRef as Stored;

use super::values::{Scratch, key_value};

type Result<T> = std::result::Result<T, StoreError>;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Appends one value.
#[inline]
pub fn push(out: &mut Vec<u8>, stored: Stored<'_>) {
    match stored {
        Stored::Null => out.push(NULL),
        Stored::Integer(i) => push_number(out, INTEGER, i.to_le_bytes()),
        Stored::Real(f) => push_number(out, REAL, f.to_bits().to_le_bytes()),
        Stored::Text(bytes) => push_sized(out, TEXT, bytes),
        Stored::Blob(bytes) => push_sized(out, BLOB, bytes),
    }
}

fn push_number(out: &mut Vec<u8>, tag: u8, bytes: [u8; 8]) {
    let mut field = [tag; 9];
    field[1..].copy_from_slice(&bytes);
    out.extend_from_slice(&field);
}

fn push_sized(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    let mut head = [tag; 5];
    // SQLite's own limit for a value is 2 GiB.
    head[1..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(bytes);
}

/// The values of a row, by reference; it ends where the bytes are no row.
pub fn values(row: &[u8]) -> Values<'_> {
    Values { rest: row }
}

pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    fn number(&mut self) -> Option<[u8; 8]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.rest = rest;
        Some(bytes)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Stored<'a>;

    #[inline]
    fn next(&mut self) -> Option<Stored<'a>> {
        let (tag, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match *tag {
            NULL => Stored::Null,
            INTEGER => Stored::Integer(i64::from_le_bytes(self.number()?)),
            REAL => Stored::Real(f64::from_bits(u64::from_le_bytes(self.number()?))),
            TEXT => Stored::Text(self.sized()?),
            BLOB => Stored::Blob(self.sized()?),
            _ => return None,
        })
    }
}

/// The key of a row, as all stores spell it.
pub fn key(row: &[u8], view: &TableView) -> Result<Key> {
    let mut bytes = Vec::new();
    let mut scratch = Scratch::default();
    let mut stored = values(row);
    for column in view.key_columns() {
        let stored = stored.next().ok_or_else(broken_row)?;
        push_key_field(&mut bytes, key_value(stored, column, &mut scratch)?);
    }
    Ok(Key::from_bytes(&bytes))
}

pub fn broken_row() -> StoreError {
    StoreError::new(Kind::Bug, "write", "a row does not have the values of its table's columns")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_survive_the_raw_form(i: i64, bits: u64, text in ".*", bytes: Vec<u8>) {
            // By its bits, as a NaN is not equal to itself.
            let real = f64::from_bits(bits);
            let stored = [
                Stored::Null,
                Stored::Integer(i),
                Stored::Text(text.as_bytes()),
                Stored::Blob(&bytes),
                Stored::Real(real),
            ];
            let mut row = Vec::new();
            stored.iter().for_each(|value| push(&mut row, *value));
            let read: Vec<_> = values(&row).collect();
            prop_assert_eq!(&read[..4], &stored[..4]);
            prop_assert!(matches!(read[4], Stored::Real(f) if f.to_bits() == bits));
        }

        #[test]
        fn broken_rows_end_and_do_not_panic(bytes: Vec<u8>) {
            prop_assert!(values(&bytes).count() <= bytes.len());
        }
    }
}
