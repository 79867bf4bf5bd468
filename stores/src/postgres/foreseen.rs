//! What the server will say of rows that it does not hold yet: the hashes of `hash`, made here from binary tuples.
//!
//! So rows that were sent can be proven to have arrived by a sum that the server makes, and need not travel back. What
//! is computed here is a guess: where it is wrong (a server whose machine counts bytes from the other end), the sums
//! differ, and the rows are read.

use std::sync::Arc;

use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::{DataType, TableView};
use rowsync_engine::store;

use super::copy::{Stored, Tuple};
use super::hash::{Recipe, Seeded};
use super::lookup3::{hash_bytes, hash_u32};
use super::numeric;
use super::rows::RowEncoder;
use super::select::is_spelled;
use super::wire::Wire;

/// Rows as the server will send them back, as far as that can be foreseen: it spells JSON and a few others anew.
pub struct Foreseen {
    view: Arc<TableView>,
    /// Whether the hash of each column can be made here.
    hashed: bool,
}

impl Foreseen {
    /// `None` where values of the view are written as texts, for the server to read.
    pub fn of(view: &Arc<TableView>) -> Option<Foreseen> {
        let mut columns = view.columns.iter().enumerate();
        let spells = columns.any(|(index, column)| is_spelled(column, index < view.key_len));
        let hashed = view.columns.iter().all(|column| is_hashed(Wire::of(&column.column)));
        (!spells).then(|| Foreseen { view: Arc::clone(view), hashed })
    }
}

/// Of the others the server hashes a text that only it can spell.
fn is_hashed(wire: Wire) -> bool {
    !matches!(wire, Wire::Interval | Wire::Opaque)
}

impl store::Encoder for Foreseen {
    fn encode(&self, rows: &RowPage) -> Result<RowPage, StoreError> {
        let mut encoder = RowEncoder::new(&self.view);
        rows.encoded(Form::Raw, |row, out| encoder.encode(row, out))
    }

    fn digest(&self, rows: &RowPage, salt: u64) -> Result<(DigestKind, Digest), StoreError> {
        if !self.hashed {
            return Ok((DigestKind::Raw, rows.raw_digest(salt)));
        }
        let hasher = Hasher::new(&self.view, salt);
        let mut stored = Stored::default();
        let mut digest = Digest::default();
        for row in rows.rows() {
            let hash = stored.tuple(row).and_then(|tuple| hasher.row(&tuple));
            digest.add(hash.ok_or_else(|| StoreError::new(Kind::Bug, "digest", "a raw row that is no tuple"))?);
        }
        Ok((DigestKind::Server, digest))
    }
}

struct Hasher {
    recipe: Recipe,
    /// Of each column: whether its spaces at the end are lost in the text that the server hashes.
    padded: Vec<bool>,
}

impl Hasher {
    fn new(view: &TableView, salt: u64) -> Hasher {
        let is_padded = |data_type: &DataType| matches!(data_type, DataType::PaddedText { .. });
        let padded = view.columns.iter().map(|column| is_padded(&column.column.data_type)).collect();
        Hasher { recipe: Recipe::new(view, salt), padded }
    }

    fn row(&self, tuple: &Tuple<'_>) -> Option<u64> {
        let mut sum = 0;
        for (index, column) in self.recipe.columns.iter().enumerate() {
            sum ^= match tuple.field(index) {
                // An array of NULL is not NULL.
                None if matches!(column.wire, Wire::Date | Wire::Bytea) => one_element(0),
                None => column.null,
                Some(bytes) => hash(bytes, column, self.padded[index])?,
            };
        }
        Some(hash_u32(self.recipe.mix as u32, sum))
    }
}

/// `None` where the bytes are none of the type.
fn hash(bytes: &[u8], column: &Seeded, padded: bool) -> Option<u64> {
    let seed = column.seed;
    Some(match column.wire {
        Wire::Bool => hash_u32(u32::from(*bytes.first()? != 0), seed),
        Wire::Int2 => hash_u32(i32::from(i16::from_be_bytes(bytes.try_into().ok()?)) as u32, seed),
        Wire::Int4 => hash_u32(u32::from_be_bytes(bytes.try_into().ok()?), seed),
        Wire::Int8 => {
            let number = i64::from_be_bytes(bytes.try_into().ok()?);
            hash_u32((number >> 32) as u32, hash_i64(number, seed))
        }
        Wire::Float4 => hash_f64(f64::from(f32::from_be_bytes(bytes.try_into().ok()?)), seed),
        Wire::Float8 => hash_f64(f64::from_be_bytes(bytes.try_into().ok()?), seed),
        Wire::Numeric => {
            let (hash, below_zero) = numeric::hash(bytes, seed)?;
            hash_u32(u32::from(below_zero), hash)
        }
        Wire::Uuid => hash_bytes(bytes, seed),
        Wire::Date => one_element(hash_u32(u32::from_be_bytes(bytes.try_into().ok()?), seed)),
        Wire::Bytea => one_element(hash_bytes(bytes, seed)),
        Wire::Time => hash_f64(seconds(i64::from_be_bytes(bytes.try_into().ok()?)), seed),
        Wire::Timestamp | Wire::TimestampTz => hash_moment(i64::from_be_bytes(bytes.try_into().ok()?), seed),
        Wire::Text if padded => hash_bytes(without_spaces(bytes), seed),
        Wire::Text | Wire::Json => hash_bytes(bytes, seed),
        Wire::Jsonb => hash_bytes(bytes.strip_prefix(&[1])?, seed),
        Wire::Interval | Wire::Opaque => return None,
    })
}

/// `hashint8extended`.
fn hash_i64(number: i64, seed: u64) -> u64 {
    let high = (number >> 32) as u32;
    hash_u32(number as u32 ^ if number >= 0 { high } else { !high }, seed)
}

/// `hashfloat8extended`.
fn hash_f64(number: f64, seed: u64) -> u64 {
    if number == 0.0 {
        return seed;
    }
    let number = if number.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { number };
    hash_bytes(&number.to_le_bytes(), seed)
}

/// `hash_array_extended` of an array of one element.
fn one_element(hash: u64) -> u64 {
    hash.wrapping_add(31)
}

fn without_spaces(bytes: &[u8]) -> &[u8] {
    let spaces = bytes.iter().rev().take_while(|byte| **byte == b' ').count();
    &bytes[..bytes.len() - spaces]
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}

/// Microseconds from 1970 to 2000, where the server counts from; the years between which seconds alone are hashed.
const EPOCH: i64 = 946_684_800_000_000;
const YEARS: std::ops::Range<i64> = -3_155_673_600_000_000..3_155_760_000_000_000;

fn hash_moment(micros: i64, seed: u64) -> u64 {
    let since_1970 = match micros {
        i64::MAX => f64::INFINITY,
        i64::MIN => f64::NEG_INFINITY,
        _ => micros.checked_add(EPOCH).map_or_else(|| (micros as f64 + EPOCH as f64) / 1_000_000.0, seconds),
    };
    let seed = if YEARS.contains(&micros) { seed } else { hash_i64(micros, seed) };
    hash_f64(since_1970, seed)
}
