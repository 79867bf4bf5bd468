//! The table `items` of the comparison: six columns, about 124 bytes a row as PostgreSQL keeps it, made from a seed.
//!
//! A bigint key with gaps, two texts, an integer, a numeric and a timestamp: nothing that costs one side a conversion
//! which the other is spared, so that what is measured is the way of comparing.

use std::io::{self, Write};

use jiff::ToSpan as _;
use jiff::civil::{DateTime, date};

pub const CREATE_IN_POSTGRES: &str = "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, note text, \
    quantity integer, price numeric(12,2), modified_at timestamp) WITH (autovacuum_enabled = false)";
pub const CREATE_IN_SQLITE: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, \
    quantity INTEGER, price NUMERIC(12,2), modified_at TIMESTAMP)";
pub const COLUMNS_BUT_KEY: [&str; 5] = ["name", "note", "quantity", "price", "modified_at"];

pub struct Row {
    pub id: i64,
    pub name: String,
    pub note: String,
    pub quantity: i64,
    pub price_cents: i64,
    pub modified_at: DateTime,
}

impl Row {
    /// The row as a line of PostgreSQL's text format for COPY; no text holds what would have to be escaped.
    pub fn write_copy_text(&self, out: &mut impl Write) -> io::Result<()> {
        let Row { id, name, note, quantity, price_cents, .. } = self;
        let (units, cents) = (price_cents / 100, price_cents % 100);
        writeln!(out, "{id}\t{name}\t{note}\t{quantity}\t{units}.{cents:02}\t{}", self.modified_at())
    }

    pub fn price(&self) -> f64 {
        self.price_cents as f64 / 100.0
    }

    pub fn modified_at(&self) -> String {
        self.modified_at.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
    }
}

/// The rows `0..count`, in the order of their ids.
pub fn rows(count: u64) -> impl Iterator<Item = Row> {
    (0..count).map(row)
}

/// Ids come in steps of three, one of the first two of each step; the last is free for rows that only the target has.
/// `differences.rs` says the same in SQL.
fn id(index: u64) -> i64 {
    (index * 3 + 1 + index % 5 % 2) as i64
}

fn row(index: u64) -> Row {
    let bits = |salt: u64| mixed(index.wrapping_mul(4).wrapping_add(salt));
    // A second to the row, and what a clock adds to it.
    let micros = index as i64 * 1_000_000 + (bits(3) % 1_000_000) as i64;
    Row {
        id: id(index),
        name: format!("article {:016x}", bits(0)),
        note: format!("{:016x} {:016x}", bits(1), bits(2)),
        quantity: (bits(3) % 10_000) as i64,
        price_cents: (bits(0) % 10_000_000) as i64,
        modified_at: date(2024, 5, 1).at(10, 0, 0, 0) + micros.microseconds(),
    }
}

/// SplitMix64: small, and good enough that rows look like rows.
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
