//! Keys and ranges of keys.

use std::fmt;

use crate::row::{self, FieldsError};
use crate::value::{Value, ValueRef};

/// The key of one row: its key columns' values in the row form of [`crate::row`], decimals and floats normalised, so
/// that equal keys have equal bytes. It orders by bytes, which is a total order but not that of any database.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Box<[u8]>);

impl Key {
    pub fn new<'a>(values: impl IntoIterator<Item = ValueRef<'a>>) -> Key {
        let mut bytes = Vec::new();
        for value in values {
            row::push_key_field(&mut bytes, value);
        }
        Key(bytes.into())
    }

    /// Takes the bytes of key fields that [`row::push_key_field`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Key {
        Key(bytes.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The values, in the order of the key's columns.
    pub fn values(&self) -> Result<Vec<ValueRef<'_>>, FieldsError> {
        row::fields(&self.0).collect()
    }

    /// The values with the columns' names, for a report.
    pub fn to_json<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> serde_json::Value {
        let values = self.values().unwrap_or_default();
        let members = names.into_iter().zip(values).map(|(name, value)| (name.to_owned(), value.to_json()));
        serde_json::Value::Object(members.collect())
    }
}

impl From<&[Value]> for Key {
    fn from(values: &[Value]) -> Key {
        Key::new(values.iter().map(Value::as_ref))
    }
}

impl fmt::Debug for Key {
    /// The length alone: keys are values of rows, and those stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// The keys later than `after` and not later than `through`, in the order of the table's view. Ranges that follow each
/// other share a bound and leave no gap; an open end takes in rows beyond every key that was ever seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct KeyRange {
    /// Not in the range itself. `None`: from the first row on.
    pub after: Option<Key>,
    /// The last key in the range. `None`: to the last row.
    pub through: Option<Key>,
}

impl KeyRange {
    pub const ALL: KeyRange = KeyRange { after: None, through: None };

    pub fn new(after: Option<Key>, through: Option<Key>) -> KeyRange {
        KeyRange { after, through }
    }

    /// The ranges between `bounds`, which are keys inside this range in rising order.
    pub fn cut_at(&self, bounds: impl IntoIterator<Item = Key>) -> Vec<KeyRange> {
        let mut ranges = Vec::new();
        let mut after = self.after.clone();
        for bound in bounds {
            if after.as_ref() == Some(&bound) || self.through.as_ref() == Some(&bound) {
                continue;
            }
            ranges.push(KeyRange { after, through: Some(bound.clone()) });
            after = Some(bound);
        }
        ranges.push(KeyRange { after, through: self.through.clone() });
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(i: i64) -> Key {
        Key::new([ValueRef::Int(i)])
    }

    #[test]
    fn cut_ranges_cover_the_whole_without_gap_or_overlap() {
        let ranges = KeyRange::new(Some(key(1)), Some(key(9))).cut_at([key(3), key(3), key(9)]);
        assert_eq!(ranges, [KeyRange::new(Some(key(1)), Some(key(3))), KeyRange::new(Some(key(3)), Some(key(9)))]);
    }

    #[test]
    fn equal_numbers_are_equal_keys() {
        assert_eq!(Key::new([ValueRef::Decimal("1.50")]), Key::new([ValueRef::Decimal("1.5")]));
        assert_eq!(Key::new([ValueRef::Float(-0.0)]), Key::new([ValueRef::Float(0.0)]));
        assert_ne!(
            Key::new([ValueRef::Text("a|b"), ValueRef::Text("c")]),
            Key::new([ValueRef::Text("a"), ValueRef::Text("b|c")])
        );
    }

    #[test]
    fn a_key_in_a_log_shows_no_value() {
        assert!(!format!("{:?}", Key::new([ValueRef::Text("secret")])).contains("secret"));
    }
}
