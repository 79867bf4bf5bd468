//! The server's own hash of a row, as an SQL expression.
//!
//! Each column is hashed by the function of its type under a seed of its own, the hashes are combined by exclusive or,
//! and the combination is mixed once more as a whole. Three things that look simpler were tried and are wrong:
//!
//! * `hash_record_extended(row, salt)`, and with it a sum of hashes that were not mixed as a whole, is linear in the
//!   columns' hashes: values swapped between two rows leave the sum as it was.
//! * `hashint8extended`, as the mixing step or for a column, folds its 64 bits into 32 first, so that -1 and 4294967295
//!   are the same to it under every seed. Mixing takes the number as a *seed*, all 64 bits of which are used; columns
//!   of eight bytes bring in their upper half by a second step.
//! * `hash_numeric_extended` does not look at the sign, and changes by a single bit from 1 to 10000. The sign goes into
//!   a second step, which also mixes.
//!
//! Functions of types that call different things equal (citext, interval, jsonb, arrays of any of these) are not
//! used: such values are hashed as text. So are enums, whose hash is that of a number that differs between databases.
//! At worst a text differs where values are equal (`{"a": 1.0}`), and a range is read that need not be.

use rowsync_engine::schema::{TableView, ViewColumn};

use super::literal::identifier;
use super::wire::Wire;

/// The hash of a row of the view, a bigint that is never NULL.
pub fn row_hash(view: &TableView, salt: u64) -> String {
    let recipe = Recipe::new(view, salt);
    let columns: Vec<String> =
        view.columns.iter().zip(&recipe.columns).map(|(column, seeded)| column_hash(column, seeded)).collect();
    format!("hashint4extended({}, {})", recipe.mix, columns.join(" # "))
}

/// The seeds of all that is hashed of a row.
pub struct Recipe {
    pub columns: Vec<Seeded>,
    /// The number that is hashed at last, under the combined hashes as a seed.
    pub mix: i32,
}

/// How the values of a column are hashed.
pub struct Seeded {
    pub wire: Wire,
    pub seed: u64,
    /// The hash of NULL.
    pub null: u64,
}

impl Recipe {
    pub fn new(view: &TableView, salt: u64) -> Recipe {
        let mut seeds = Seeds(salt);
        let columns = view.columns.iter().map(|column| Seeded {
            wire: Wire::of(&column.column),
            seed: seeds.next(),
            null: seeds.next(),
        });
        Recipe { columns: columns.collect(), mix: seeds.next() as i32 }
    }
}

/// `hashint4extended(number, seed)` mixes number and seed; NULL has a hash of its own in each column.
fn column_hash(column: &ViewColumn, seeded: &Seeded) -> String {
    let hash = of_value(&identifier(&column.column.name), seeded.wire, literal(seeded.seed));
    if column.column.nullable { format!("coalesce({hash}, {})", literal(seeded.null)) } else { hash }
}

fn literal(seed: u64) -> String {
    format!("'{}'::bigint", seed as i64)
}

fn of_value(column: &str, wire: Wire, seed: String) -> String {
    match wire {
        Wire::Bool => format!("hashint4extended({column}::int4, {seed})"),
        Wire::Int2 => format!("hashint2extended({column}, {seed})"),
        Wire::Int4 => format!("hashint4extended({column}, {seed})"),
        Wire::Int8 => format!("hashint4extended(({column} >> 32)::int4, hashint8extended({column}, {seed}))"),
        Wire::Float4 => format!("hashfloat4extended({column}, {seed})"),
        Wire::Float8 => format!("hashfloat8extended({column}, {seed})"),
        Wire::Numeric => format!("hashint4extended(({column} < 0)::int4, hash_numeric_extended({column}, {seed}))"),
        Wire::Uuid => format!("uuid_hash_extended({column}, {seed})"),
        // There is no function to call for these two in all versions, but arrays are hashed by their elements.
        Wire::Date | Wire::Bytea => format!("hash_array_extended(ARRAY[{column}], {seed})"),
        Wire::Time => format!("hashfloat8extended(date_part('epoch', {column}), {seed})"),
        Wire::Timestamp => moment(column, "timestamp", column, &seed),
        Wire::TimestampTz => moment(column, "timestamptz", &format!("({column} AT TIME ZONE 'UTC')"), &seed),
        Wire::Text | Wire::Interval | Wire::Json | Wire::Jsonb | Wire::Opaque => {
            format!("hashtextextended({column}::text COLLATE \"C\", {seed})")
        }
    }
}

/// Seconds as a float are exact to the microsecond for two centuries and a half around 1970, and hashing them takes half
/// the time of the type's own hash with it. Outside of the years that are usual, both are taken: the type's own hash
/// reaches all times, but only in 32 bits.
fn moment(column: &str, sql_type: &str, without_zone: &str, seed: &str) -> String {
    let seconds = format!("date_part('epoch', {column})");
    format!(
        "CASE WHEN {column} >= {sql_type} '1900-01-01' AND {column} < {sql_type} '2100-01-01' \
         THEN hashfloat8extended({seconds}, {seed}) \
         ELSE hashfloat8extended({seconds}, timestamp_hash_extended({without_zone}, {seed})) END"
    )
}

/// Numbers out of the salt that look unrelated: splitmix64.
struct Seeds(u64);

impl Seeds {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
