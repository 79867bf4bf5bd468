//! The fields of a row: each a tag, a length where it varies, and the bytes.

use crate::canonical::normal_decimal;
use crate::value::{Found, Interval, ValueRef};

/// The bytes of a row are not fields, which is a mistake of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes of a row are not fields")]
pub struct FieldsError;

/// The fields of a row in `Fields` form.
pub fn fields(row: &[u8]) -> Fields<'_> {
    Fields { rest: row }
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const DECIMAL: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;
const UUID: u8 = 8;
const DATE: u8 = 9;
const TIME: u8 = 10;
const TIMESTAMP: u8 = 11;
const TIMESTAMPTZ: u8 = 12;
const INTERVAL: u8 = 13;
const JSON: u8 = 14;
const NATIVE: u8 = 15;
const UNFIT: u8 = 16;

/// Appends one field.
pub fn push_field(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Bool(false) => out.push(FALSE),
        ValueRef::Bool(true) => out.push(TRUE),
        ValueRef::Int(i) => push_fixed(out, INT, &i.to_le_bytes()),
        ValueRef::Float(f) => push_fixed(out, FLOAT, &f.to_bits().to_le_bytes()),
        ValueRef::Decimal(text) => push_sized(out, DECIMAL, text.as_bytes()),
        ValueRef::Text(text) => push_sized(out, TEXT, text.as_bytes()),
        ValueRef::Bytes(bytes) => push_sized(out, BYTES, bytes),
        ValueRef::Uuid(uuid) => push_fixed(out, UUID, &uuid),
        ValueRef::Date(days) => push_fixed(out, DATE, &days.to_le_bytes()),
        ValueRef::Time(micros) => push_fixed(out, TIME, &micros.to_le_bytes()),
        ValueRef::Timestamp(micros) => push_fixed(out, TIMESTAMP, &micros.to_le_bytes()),
        ValueRef::TimestampTz(micros) => push_fixed(out, TIMESTAMPTZ, &micros.to_le_bytes()),
        ValueRef::Interval(interval) => {
            push_fixed(out, INTERVAL, &interval.micros.to_le_bytes());
            out.extend_from_slice(&interval.months.to_le_bytes());
            out.extend_from_slice(&interval.days.to_le_bytes());
        }
        ValueRef::Json(text) => push_sized(out, JSON, text.as_bytes()),
        ValueRef::Native(bytes) => push_sized(out, NATIVE, bytes),
        ValueRef::Unfit(found, bytes) => {
            out.extend_from_slice(&[UNFIT, found as u8]);
            push_length(out, bytes);
            out.extend_from_slice(bytes);
        }
    }
}

/// Appends one field of a key: decimals and floats in the one spelling that equal values share.
pub fn push_key_field(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Decimal(text) => push_field(out, ValueRef::Decimal(&normal_decimal(text))),
        // The pattern takes in -0.0 as well.
        ValueRef::Float(0.0) => push_field(out, ValueRef::Float(0.0)),
        ValueRef::Float(f) if f.is_nan() => push_field(out, ValueRef::Float(f64::NAN)),
        other => push_field(out, other),
    }
}

fn push_fixed(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn push_sized(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    push_length(out, bytes);
    out.extend_from_slice(bytes);
}

fn push_length(out: &mut Vec<u8>, bytes: &[u8]) {
    // A single value longer than 4 GiB exists in none of the engines.
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
}

/// Walks the fields of a row.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// What is left of the row.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes of the next field, which is not looked at any further; none behind the last one.
    ///
    /// # Errors
    /// When they are no field.
    pub fn next_bytes(&mut self) -> Result<Option<&'a [u8]>, FieldsError> {
        let Some((tag, rest)) = self.rest.split_first() else { return Ok(None) };
        let length = match *tag {
            NULL | FALSE | TRUE => 0,
            DATE => 4,
            INT | FLOAT | TIME | TIMESTAMP | TIMESTAMPTZ => 8,
            UUID | INTERVAL => 16,
            DECIMAL | TEXT | BYTES | JSON | NATIVE => sized(rest)?,
            UNFIT => 1 + sized(rest.get(1..).ok_or(FieldsError)?)?,
            _ => return Err(FieldsError),
        };
        let (field, rest) = self.rest.split_at_checked(1 + length).ok_or(FieldsError)?;
        self.rest = rest;
        Ok(Some(field))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FieldsError> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(FieldsError)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn sized(&mut self) -> Result<&'a [u8], FieldsError> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(FieldsError)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, FieldsError> {
        std::str::from_utf8(self.sized()?).map_err(|_| FieldsError)
    }

    fn field(&mut self) -> Result<ValueRef<'a>, FieldsError> {
        let [tag] = self.take()?;
        Ok(match tag {
            NULL => ValueRef::Null,
            FALSE => ValueRef::Bool(false),
            TRUE => ValueRef::Bool(true),
            INT => ValueRef::Int(i64::from_le_bytes(self.take()?)),
            FLOAT => ValueRef::Float(f64::from_bits(u64::from_le_bytes(self.take()?))),
            DECIMAL => ValueRef::Decimal(self.text()?),
            TEXT => ValueRef::Text(self.text()?),
            BYTES => ValueRef::Bytes(self.sized()?),
            UUID => ValueRef::Uuid(self.take()?),
            DATE => ValueRef::Date(i32::from_le_bytes(self.take()?)),
            TIME => ValueRef::Time(i64::from_le_bytes(self.take()?)),
            TIMESTAMP => ValueRef::Timestamp(i64::from_le_bytes(self.take()?)),
            TIMESTAMPTZ => ValueRef::TimestampTz(i64::from_le_bytes(self.take()?)),
            INTERVAL => ValueRef::Interval(Interval {
                micros: i64::from_le_bytes(self.take()?),
                months: i32::from_le_bytes(self.take()?),
                days: i32::from_le_bytes(self.take()?),
            }),
            JSON => ValueRef::Json(self.text()?),
            NATIVE => ValueRef::Native(self.sized()?),
            UNFIT => {
                let [found] = self.take()?;
                ValueRef::Unfit(Found::from_number(found).ok_or(FieldsError)?, self.sized()?)
            }
            _ => return Err(FieldsError),
        })
    }
}

/// What a value takes that begins with its length.
fn sized(bytes: &[u8]) -> Result<usize, FieldsError> {
    let length = bytes.first_chunk().ok_or(FieldsError)?;
    Ok(4 + u32::from_le_bytes(*length) as usize)
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<ValueRef<'a>, FieldsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("NaN is not equal to itself", |f| !f.is_nan()).prop_map(Value::Float),
            "-?[0-9]{1,30}(\\.[0-9]{1,9})?".prop_map(Value::Decimal),
            ".*".prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            any::<[u8; 16]>().prop_map(Value::Uuid),
            any::<i32>().prop_map(Value::Date),
            any::<i64>().prop_map(Value::Time),
            any::<i64>().prop_map(Value::Timestamp),
            any::<i64>().prop_map(Value::TimestampTz),
            any::<(i32, i32, i64)>().prop_map(|(months, days, micros)| Value::Interval(Interval {
                months,
                days,
                micros
            })),
            ".*".prop_map(Value::Json),
            any::<Vec<u8>>().prop_map(Value::Native),
            (0u8..5, any::<Vec<u8>>())
                .prop_map(|(found, bytes)| Value::Unfit(Found::from_number(found).unwrap(), bytes)),
        ]
    }

    proptest! {
        #[test]
        fn fields_survive_the_row_form(values in prop::collection::vec(any_value(), 0..8)) {
            let mut row = Vec::new();
            values.iter().for_each(|value| push_field(&mut row, value.as_ref()));
            let read: Vec<Value> = fields(&row).map(|field| field.unwrap().to_value()).collect();
            prop_assert_eq!(read, values);
            let (mut skipped, mut read) = (fields(&row), fields(&row));
            while let Some(bytes) = skipped.next_bytes().unwrap() {
                prop_assert_eq!(fields(bytes).next(), read.next());
                prop_assert_eq!(skipped.rest(), read.rest());
            }
            prop_assert!(read.next().is_none());
        }

        #[test]
        fn broken_rows_end_in_an_error_not_in_a_panic(bytes: Vec<u8>) {
            for field in fields(&bytes) {
                if field.is_err() { break }
            }
            let mut skipped = fields(&bytes);
            while let Ok(Some(_)) = skipped.next_bytes() {}
        }
    }
}
