//! Rows on the move: a [`RowPage`] is one buffer of rows in key order.
//!
//! A row in the `Fields` form is its values one after the other, each a tag, a length where it varies, and the bytes;
//! the key's columns stand first, so a row's key is the first bytes of the row. A row in the `Raw` form is the
//! engine's own bulk format (PostgreSQL: one tuple of COPY BINARY; SQLite: storage classes); it moves untouched between
//! two stores that have the same types. One buffer instead of a value each is what keeps a page cheap to fill, to count and to free.

mod fields;

use crate::canonical::{NotCanonical, begin_row, write_canonical};
use crate::digest::Digest;
use crate::digest::portable::PortableDigest;
use crate::domain::Domain;
use crate::key::Key;
use crate::value::ValueRef;

pub use fields::{Fields, FieldsError, fields, push_field, push_key_field};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Fields,
    Raw,
}

/// Rows in key order, all in one buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct RowPage {
    pub form: Form,
    pub key_len: usize,
    data: Vec<u8>,
    ends: Vec<usize>,
    /// Key of the last row; `None` for a page without rows.
    pub last_key: Option<Key>,
    /// Whether the range that was asked for holds nothing behind the last row.
    pub complete: bool,
    /// Bytes that came over the wire for it.
    pub bytes_read: u64,
}

impl RowPage {
    pub fn new(form: Form, key_len: usize) -> RowPage {
        RowPage { form, key_len, data: Vec::new(), ends: Vec::new(), last_key: None, complete: true, bytes_read: 0 }
    }

    /// A page with room for about what was asked for, so that it does not have to grow: growing copies the page again
    /// and again, and has the system clear fresh memory for it.
    pub fn for_request(form: Form, key_len: usize, request: &crate::store::PageRequest) -> RowPage {
        let likely = request.rows_max.saturating_mul(request.row_bytes_hint);
        let bytes = likely.saturating_add(likely / 8).min(request.bytes_max);
        let rows = request.rows_max.min(bytes / request.row_bytes_hint.max(1) + 1);
        RowPage::with_capacity(form, key_len, rows, bytes)
    }

    pub fn with_capacity(form: Form, key_len: usize, rows: usize, bytes: usize) -> RowPage {
        RowPage { data: Vec::with_capacity(bytes), ends: Vec::with_capacity(rows), ..RowPage::new(form, key_len) }
    }

    /// The same rows in another form, of which `encode` appends one.
    ///
    /// # Errors
    /// That of `encode`.
    pub fn encoded<E>(
        &self,
        form: Form,
        mut encode: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<RowPage, E> {
        let mut page = RowPage::with_capacity(form, self.key_len, self.len(), self.row_bytes());
        for row in self.rows() {
            encode(row, &mut page.data)?;
            page.end_row();
        }
        page.last_key.clone_from(&self.last_key);
        page.complete = self.complete;
        page.bytes_read = self.bytes_read;
        Ok(page)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that the page holds in memory.
    pub fn bytes(&self) -> usize {
        self.data.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// Bytes of the rows themselves.
    pub fn row_bytes(&self) -> usize {
        self.data.len()
    }

    pub fn data(&self) -> &[u8] {
        &self.data
    }

    pub fn row(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.data[start..self.ends[index]]
    }

    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.row(index))
    }

    /// Writes a field of the row in the making; see [`RowPage::end_row`].
    pub fn push(&mut self, value: ValueRef<'_>) {
        push_field(&mut self.data, value);
    }

    /// Writes a field of the key; decimals and floats are normalised so that equal keys have equal bytes.
    pub fn push_key(&mut self, value: ValueRef<'_>) {
        push_key_field(&mut self.data, value);
    }

    /// The buffer that ends with the row in the making, for those who write its bytes themselves.
    pub fn unfinished_row(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// Ends the row in the making.
    pub fn end_row(&mut self) {
        self.ends.push(self.data.len());
    }

    /// Takes back the row in the making, or what has been written of it.
    pub fn drop_unfinished_row(&mut self) {
        self.data.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Appends a finished row of the same form.
    pub fn push_row(&mut self, row: &[u8]) {
        self.data.extend_from_slice(row);
        self.end_row();
    }

    /// The same, but leaves only a buffer, of which the content is of no use. A row that is larger than the page becomes
    /// the page, so that it is not held twice.
    pub fn take_row(&mut self, row: &mut Vec<u8>) {
        if self.is_empty() && row.len() > self.data.capacity() {
            std::mem::swap(&mut self.data, row);
            row.clear();
            self.end_row();
        } else {
            self.push_row(row);
        }
    }

    /// Leaves out all rows but the first ones, the last of which has this key.
    pub fn cut(&mut self, rows: usize, last_key: Key) {
        self.ends.truncate(rows);
        self.data.truncate(self.ends.last().copied().unwrap_or(0));
        self.last_key = Some(last_key);
        self.complete = false;
    }

    /// Sets the last key from the last row, and gives back memory that the page does not need. Pages in `Fields` form.
    pub fn finish(&mut self) {
        debug_assert_eq!(self.form, Form::Fields, "a raw page is told its last key");
        self.last_key = match self.len() {
            0 => None,
            rows => Some(self.key(rows - 1)),
        };
        self.shrink();
    }

    /// Gives back memory that the page does not need.
    pub fn shrink(&mut self) {
        if self.data.capacity() > self.data.len() + self.data.len() / 4 {
            self.data.shrink_to_fit();
        }
    }

    /// The key of a row in `Fields` form.
    pub fn key(&self, index: usize) -> Key {
        Key::from_bytes(key_bytes(self.row(index), self.key_len))
    }

    /// The digest of all rows: by the canonical form of each, or by the raw bytes.
    ///
    /// # Errors
    /// When a value has no canonical form.
    pub fn digest(&self, domains: &[Domain], salt: u64) -> Result<Digest, NotCanonical> {
        if self.form == Form::Raw {
            return Ok(self.raw_digest(salt));
        }
        let mut digest = Digest::default();
        let mut scratch = Vec::new();
        for row in self.rows() {
            digest.add(row_hash(row, domains, salt, &mut scratch)?);
        }
        Ok(digest)
    }

    /// The digest of the rows' bytes, whatever they mean.
    pub fn raw_digest(&self, salt: u64) -> Digest {
        let mut digest = Digest::default();
        self.rows().for_each(|row| digest.add(xxhash_rust::xxh3::xxh3_64_with_seed(row, salt)));
        digest
    }

    /// The portable digest of all rows, which have to be in key order. Pages in `Fields` form.
    ///
    /// # Errors
    /// When a value has no canonical form.
    pub fn portable_digest(&self, domains: &[Domain], salt: u64) -> Result<Digest, NotCanonical> {
        debug_assert_eq!(self.form, Form::Fields, "raw bytes are not portable");
        let mut digest = PortableDigest::new(salt);
        let mut scratch = Vec::new();
        for row in self.rows() {
            canonical_row(row, domains, &mut scratch)?;
            digest.add_row(&scratch);
        }
        Ok(digest.of_rows())
    }
}

/// The hash of one row in `Fields` form over its canonical form.
///
/// # Errors
/// When a value has no canonical form.
pub fn row_hash(row: &[u8], domains: &[Domain], salt: u64, scratch: &mut Vec<u8>) -> Result<u64, NotCanonical> {
    canonical_row(row, domains, scratch)?;
    Ok(xxhash_rust::xxh3::xxh3_64_with_seed(scratch, salt))
}

/// The same in 128 bits, for rows that are told apart by nothing else.
///
/// # Errors
/// When a value has no canonical form.
pub fn wide_row_hash(row: &[u8], domains: &[Domain], salt: u64, scratch: &mut Vec<u8>) -> Result<u128, NotCanonical> {
    canonical_row(row, domains, scratch)?;
    Ok(xxhash_rust::xxh3::xxh3_128_with_seed(scratch, salt))
}

/// The canonical form of one row in `Fields` form, in place of what `out` held.
///
/// # Errors
/// When a value has no canonical form.
pub fn canonical_row(row: &[u8], domains: &[Domain], out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    begin_row(out, domains.len());
    for (field, domain) in fields(row).zip(domains) {
        let value = field.map_err(|_| NotCanonical { kind: "broken row", domain: *domain })?;
        write_canonical(out, value, *domain)?;
    }
    Ok(())
}

/// The first `key_len` fields of a row, as bytes.
pub fn key_bytes(row: &[u8], key_len: usize) -> &[u8] {
    let mut fields = fields(row);
    for _ in 0..key_len {
        let _ = fields.next();
    }
    &row[..row.len() - fields.rest().len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_a_page_takes_follow_each_other_whatever_their_size() {
        let mut page = RowPage::with_capacity(Form::Raw, 0, 2, 4);
        let mut row = b"larger than the page".to_vec();
        page.take_row(&mut row);
        row.clear();
        row.extend_from_slice(b"small");
        page.take_row(&mut row);
        assert_eq!(page.rows().collect::<Vec<_>>(), [b"larger than the page".as_slice(), b"small"]);
    }

    #[test]
    fn a_rows_key_is_the_start_of_the_row() {
        let mut page = RowPage::new(Form::Fields, 2);
        page.push_key(ValueRef::Text("a"));
        page.push_key(ValueRef::Int(7));
        page.push(ValueRef::Null);
        page.end_row();
        page.finish();
        assert_eq!(page.last_key, Some(Key::new([ValueRef::Text("a"), ValueRef::Int(7)])));
    }
}
