//! The rows of the table `items`, made from a seed: row 7 is the same in every run and on every machine.
//!
//! Not made: what databases spell differently. Texts hold quotes, umlauts and line ends, but the JSON is written as
//! PostgreSQL would write it, so that copies can be compared as text.

use std::io::{self, Write};

use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, ToSpan as _};

const SEED: u64 = 0x5EED_0F20_26B0_0157;
/// Ids come in steps of this, one of the first two of each step; the last is free for rows that only the target has.
pub const ID_STEP: i64 = 3;

pub const COLUMNS: [&str; 9] =
    ["id", "name", "email", "note", "price", "quantity", "attributes", "created_at", "modified_at"];

pub struct Row {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub note: Option<String>,
    pub price_cents: i64,
    pub quantity: i64,
    pub attributes: String,
    pub created_at: String,
    pub modified_at: String,
}

impl Row {
    pub fn price(&self) -> f64 {
        self.price_cents as f64 / 100.0
    }

    /// The row as a line of PostgreSQL's text format for COPY.
    pub fn write_copy_text(&self, out: &mut impl Write) -> io::Result<()> {
        let note = self.note.as_deref().map_or_else(|| "\\N".to_owned(), escaped);
        let (name, email, attributes) = (escaped(&self.name), escaped(&self.email), escaped(&self.attributes));
        let (id, quantity, created_at, modified_at) = (self.id, self.quantity, &self.created_at, &self.modified_at);
        let price = format!("{}.{:02}", self.price_cents / 100, self.price_cents % 100);
        writeln!(out, "{id}\t{name}\t{email}\t{note}\t{price}\t{quantity}\t{attributes}\t{created_at}\t{modified_at}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// The rows `0..count`, in the order of their ids.
pub fn rows(count: u64) -> impl Iterator<Item = Row> {
    (0..count).map(row)
}

/// The id of a row that is in the source.
pub fn id(index: u64) -> i64 {
    index as i64 * ID_STEP + 1 + Random::of(index).below(2) as i64
}

/// An id behind `index` that no row of the source has.
pub fn free_id(index: u64) -> i64 {
    index as i64 * ID_STEP + ID_STEP
}

pub fn row(index: u64) -> Row {
    let mut random = Random::of(index);
    let id = index as i64 * ID_STEP + 1 + random.below(2) as i64;
    let name = format!("{} {}", random.one_of(&FIRST_NAMES), random.one_of(&LAST_NAMES));
    let email = format!("{}.{index}@{}.example", random.one_of(&FIRST_NAMES).to_lowercase(), random.one_of(&WORDS));
    let note = match random.below(100) {
        0..30 => None,
        30..36 => Some(String::new()),
        36..39 => Some(random.words(120)),
        _ => Some(random.words(7)),
    };
    let attributes = format!(
        r#"{{"size": {}, "tags": ["{}", "{}"], "weight": {}.5}}"#,
        random.below(60),
        random.one_of(&WORDS),
        random.one_of(&WORDS),
        random.below(900)
    );
    let price_cents = random.below(1_000_000) as i64;
    let quantity = random.below(10_000) as i64 - 100;
    // Ten seconds between two rows, so that a million rows are four months.
    let created =
        start() + (index as i64 * 10).seconds() + SignedDuration::from_micros(random.below(10_000_000) as i64);
    let modified = created + SignedDuration::from_micros(random.below(1 << 40) as i64);
    Row {
        id,
        name,
        email,
        note,
        price_cents,
        quantity,
        attributes,
        created_at: created.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string(),
        modified_at: modified.strftime("%Y-%m-%d %H:%M:%S.%6f+00:00").to_string(),
    }
}

fn start() -> DateTime {
    date(2024, 5, 1).at(10, 0, 0, 123_456_000)
}

/// SplitMix64: small, and good enough that rows look like rows.
struct Random(u64);

impl Random {
    fn of(index: u64) -> Random {
        Random(SEED ^ index.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Slightly uneven for bounds that are no power of two, which no measurement here can see.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len() as u64) as usize]
    }

    fn words(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.one_of(&WORDS)).collect();
        let (first, rest) = words.split_at(count / 2);
        format!("{}, \"{}\"\n{}.", first.join(" "), self.one_of(&LAST_NAMES), rest.join(" "))
    }
}

const FIRST_NAMES: [&str; 12] =
    ["Ada", "Bruno", "Chiara", "Dieter", "Elena", "Fritz", "Grace", "Hugo", "Ines", "Jonas", "Katrin", "Zoë"];
const LAST_NAMES: [&str; 12] = [
    "Aebischer",
    "Brändli",
    "Cattaneo",
    "Dürr",
    "Egli",
    "Frei",
    "Gerber",
    "Hürlimann",
    "Imhof",
    "Jost",
    "O'Neill",
    "Wyss",
];
const WORDS: [&str; 16] = [
    "amber", "birch", "copper", "delta", "ember", "fjord", "granite", "harbor", "indigo", "juniper", "kelp", "lunar",
    "maple", "nickel", "onyx", "prairie",
];
