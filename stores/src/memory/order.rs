//! The order of keys in memory: by value, texts byte by byte.

use std::cmp::Ordering;

use rowsync_engine::canonical::normal_decimal;
use rowsync_engine::schema::TableSchema;
use rowsync_engine::value::Value;

/// A key that sorts by its values.
#[derive(Clone, Debug)]
pub(crate) struct SortedKey(pub Vec<Value>);

/// The key of a row, by the primary key of the schema.
pub(crate) fn key_of(schema: &TableSchema, row: &[Value]) -> SortedKey {
    let place = |name: &String| schema.columns.iter().position(|column| &column.name == name);
    SortedKey(schema.primary_key.iter().filter_map(place).map(|place| row[place].clone()).collect())
}

impl Ord for SortedKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|(a, b)| compare(a, b)).find(|order| order.is_ne()).unwrap_or(self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for SortedKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortedKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SortedKey {}

fn compare(a: &Value, b: &Value) -> Ordering {
    use Value::{Bool, Bytes, Date, Decimal, Float, Int, Native, Null, Text, Time, Timestamp, TimestampTz, Uuid};
    match (a, b) {
        (Null, Null) => Ordering::Equal,
        (Bool(a), Bool(b)) => a.cmp(b),
        (Int(a), Int(b)) | (Time(a), Time(b)) | (Timestamp(a), Timestamp(b)) | (TimestampTz(a), TimestampTz(b)) => {
            a.cmp(b)
        }
        (Float(a), Float(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
        (Decimal(a), Decimal(b)) => compare_decimals(&normal_decimal(a), &normal_decimal(b)),
        (Text(a), Text(b)) => a.cmp(b),
        (Bytes(a), Bytes(b)) | (Native(a), Native(b)) => a.cmp(b),
        (Uuid(a), Uuid(b)) => a.cmp(b),
        (Date(a), Date(b)) => a.cmp(b),
        _ => rank(a).cmp(rank(b)),
    }
}

/// Kinds that are not compared by value sort one after the other.
fn rank(value: &Value) -> &'static str {
    match value {
        Value::Null => "",
        value => value.as_ref().kind(),
    }
}

fn compare_decimals(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (Some(a), Some(b)) => compare_magnitudes(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => compare_magnitudes(a, b),
    }
}

fn compare_magnitudes(a: &str, b: &str) -> Ordering {
    let (a_whole, a_fraction) = a.split_once('.').unwrap_or((a, ""));
    let (b_whole, b_fraction) = b.split_once('.').unwrap_or((b, ""));
    (a_whole.len(), a_whole, a_fraction).cmp(&(b_whole.len(), b_whole, b_fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_sort_by_value() {
        let mut texts = ["10", "-2", "9.5", "0", "-10.25", "9.45"];
        texts.sort_by(|a, b| compare_decimals(a, b));
        assert_eq!(texts, ["-10.25", "-2", "0", "9.45", "9.5", "10"]);
    }
}
