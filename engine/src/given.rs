//! Rows that a person gives as JSON, read into the values of their columns: the way back of [`ValueRef::to_json`].

use serde_json::{Map, Value as Json};

use crate::canonical::plain_number;
use crate::domain::Domain;
use crate::key::Key;
use crate::moment::{parse_date, parse_interval, parse_time, parse_timestamp, parse_timestamptz};
use crate::row::{fields, push_field};
use crate::schema::{TableView, ViewColumn};
use crate::value::{Value, ValueRef, parse_uuid};

/// Why a row cannot be taken as it was given. Names columns and no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    #[error("there is no column `{0}`")]
    Unknown(String),
    #[error("the key cannot be another one; leave `{0}` out")]
    Key(String),
    #[error("the value of `{0}` is none that the column can hold")]
    Value(String),
    #[error("the rows differ in {0}, and nothing is given for it")]
    Missing(String),
    #[error("the bytes of a row are not fields")]
    Broken,
}

/// The row that was given in place of these two, of which at least one is there. What is left out stays as both have it,
/// or as the one that is there.
///
/// # Errors
/// When a column is unknown or undecided, or a value does not fit.
pub fn row_given(
    given: &Map<String, Json>,
    source: Option<&[u8]>,
    target: Option<&[u8]>,
    view: &TableView,
) -> Result<Vec<u8>, GivenError> {
    let is_known = |name: &String| view.columns.iter().any(|column| column.column.name == *name);
    if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
        return Err(GivenError::Unknown(unknown.clone()));
    }
    let values = |row: Option<&[u8]>| row.map(values_of).transpose();
    let (source, target) = (values(source)?, values(target)?);
    let mut row = Vec::new();
    for (place, column) in view.columns.iter().enumerate() {
        let name = &column.column.name;
        let shown: Vec<&Value> = [&source, &target].into_iter().flatten().filter_map(|row| row.get(place)).collect();
        let value = match (given.get(name), shown.as_slice()) {
            // Spelled as a row is shown, it is what that row holds.
            (Some(given), _) => match shown.iter().find(|value| value.as_ref().to_json() == *given) {
                Some(value) => (*value).clone(),
                None if place < view.key_len => return Err(GivenError::Key(name.clone())),
                None => value_given(given, column.domain).ok_or_else(|| GivenError::Value(name.clone()))?,
            },
            (None, [only]) => (*only).clone(),
            (None, [one, other]) if place < view.key_len || one == other => (*one).clone(),
            (None, _) => return Err(GivenError::Missing(name.clone())),
        };
        push_field(&mut row, value.as_ref());
    }
    Ok(row)
}

/// The key that was shown so; none where the text leaves open which value it was.
pub fn key_given(shown: &Json, view: &TableView) -> Option<Key> {
    let value = |column: &ViewColumn| {
        let shown = shown.get(&column.column.name)?;
        // What is shown as text may have been bytes.
        let is_clear = column.domain != Domain::Dynamic || shown.is_i64();
        value_given(shown, column.domain).filter(|value| is_clear && value.as_ref().to_json() == *shown)
    };
    let values: Vec<Value> = view.key_columns().iter().map(value).collect::<Option<_>>()?;
    Some(Key::new(values.iter().map(Value::as_ref)))
}

fn values_of(row: &[u8]) -> Result<Vec<Value>, GivenError> {
    fields(row).map(|value| value.map(ValueRef::to_value).map_err(|_| GivenError::Broken)).collect()
}

/// A value of the domain; none where it is not one.
pub(crate) fn value_given(given: &Json, domain: Domain) -> Option<Value> {
    let text = given.as_str();
    let number = || given.as_number().map(ToString::to_string);
    Some(match domain {
        _ if given.is_null() => Value::Null,
        Domain::Json => Value::Json(given.to_string()),
        Domain::Bool => Value::Bool(given.as_bool()?),
        Domain::Int => Value::Int(given.as_i64()?),
        Domain::Float | Domain::Float32 => Value::Float(given.as_f64().or_else(|| text?.parse().ok())?),
        Domain::Decimal { .. } => Value::Decimal(decimal(number().as_deref().or(text)?)?),
        Domain::Text | Domain::PaddedText => Value::Text(text?.to_owned()),
        Domain::Bytes => Value::Bytes(bytes(text?)?),
        Domain::Uuid => Value::Uuid(parse_uuid(text?)?),
        Domain::Date => Value::Date(parse_date(text?)?),
        Domain::Time => Value::Time(parse_time(text?)?),
        Domain::Timestamp => Value::Timestamp(parse_timestamp(text?)?),
        Domain::TimestampTz => Value::TimestampTz(parse_timestamptz(text?)?),
        Domain::Coarse { moment, .. } => return value_given(given, moment.domain()),
        Domain::Interval => Value::Interval(parse_interval(text?)?),
        Domain::Dynamic => match given {
            Json::String(text) => Value::Text(text.clone()),
            Json::Bool(flag) => Value::Int(i64::from(*flag)),
            Json::Number(number) => number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Float))?,
            _ => return None,
        },
        // Only its own engine can spell it.
        Domain::Native => return None,
    })
}

fn decimal(text: &str) -> Option<String> {
    let plain = plain_number(text.trim());
    let digits = plain.strip_prefix('-').unwrap_or(&plain);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (are_digits(whole) && are_digits(fraction)).then_some(plain)
}

/// Reads `\x` and two digits for each byte.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    if digits.len().is_multiple_of(2) { pairs.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Interval;

    fn row(values: &[Value]) -> Vec<u8> {
        let mut row = Vec::new();
        values.iter().for_each(|value| push_field(&mut row, value.as_ref()));
        row
    }

    fn view(domains: &[Domain]) -> TableView {
        use crate::schema::{Column, DataType, Filled, KeyOrder, TableName, ViewColumn};
        let column = |(place, domain): (usize, &Domain)| ViewColumn {
            column: Column {
                name: format!("c{place}"),
                data_type: DataType::Other,
                declared: String::new(),
                nullable: true,
                filled: Filled::ByWriter,
                collation: None,
                has_default: false,
            },
            domain: *domain,
        };
        TableView {
            table: TableName::new("t"),
            columns: domains.iter().enumerate().map(column).collect(),
            key_len: 1,
            key_order: KeyOrder::Native,
            modify_time: None,
            in_cycle: false,
            filter: crate::filter::Filter::default(),
            given: Vec::new(),
            derived: None,
            computed: Vec::new(),
            exact: Vec::new(),
        }
    }

    fn given(
        json: &str,
        source: &[Value],
        target: Option<&[Value]>,
        domains: &[Domain],
    ) -> Result<Vec<Value>, GivenError> {
        let given: Map<String, Json> = serde_json::from_str(json).unwrap();
        let (source, target) = (row(source), target.map(row));
        values_of(&row_given(&given, Some(&source), target.as_deref(), &view(domains))?)
    }

    #[test]
    fn a_value_of_every_domain_is_read_as_it_is_shown() {
        let values = [
            (Domain::Bool, Value::Bool(true)),
            (Domain::Int, Value::Int(-5)),
            (Domain::Float, Value::Float(1.5)),
            (Domain::Decimal { scale: None }, Value::Decimal("-12.50".into())),
            (Domain::Text, Value::Text("text".into())),
            (Domain::Bytes, Value::Bytes(vec![0, 255])),
            (Domain::Uuid, Value::Uuid([7; 16])),
            (Domain::Date, Value::Date(20_000)),
            (Domain::Time, Value::Time(1_500_000)),
            (Domain::Timestamp, Value::Timestamp(1_500_000)),
            (Domain::TimestampTz, Value::TimestampTz(1_500_000)),
            (Domain::Coarse { moment: crate::domain::Moment::Timestamp, digits: 3 }, Value::Timestamp(1_500_000)),
            (Domain::Interval, Value::Interval(Interval { months: 1, days: 2, micros: 3_000_000 })),
            (Domain::Json, Value::Json(r#"{"a":1}"#.into())),
            (Domain::Dynamic, Value::Text("text".into())),
            (Domain::Dynamic, Value::Null),
        ];
        for (domain, value) in values {
            assert_eq!(value_given(&value.as_ref().to_json(), domain), Some(value), "{domain:?}");
        }
        let wrong = serde_json::json!({"no": "value"});
        for domain in Domain::ALL.into_iter().filter(|domain| *domain != Domain::Json) {
            assert_eq!(value_given(&wrong, domain), None, "{domain:?}");
        }
    }

    #[test]
    fn what_is_left_out_stays_where_both_rows_have_the_same() {
        let domains = [Domain::Int, Domain::Text, Domain::Int];
        let source = [Value::Int(1), Value::Text("same".into()), Value::Int(5)];
        let target = [Value::Int(1), Value::Text("same".into()), Value::Int(6)];
        let check = |json: &str| given(json, &source, Some(&target), &domains);
        assert_eq!(check(r#"{"c2": 7}"#).unwrap(), [Value::Int(1), Value::Text("same".into()), Value::Int(7)]);
        assert_eq!(check(r#"{"c0": 1, "c2": 6}"#).unwrap(), target);
        assert_eq!(check("{}"), Err(GivenError::Missing("c2".into())));
        assert_eq!(check(r#"{"c2": "six"}"#), Err(GivenError::Value("c2".into())));
        assert_eq!(check(r#"{"c3": 7}"#), Err(GivenError::Unknown("c3".into())));
        assert_eq!(check(r#"{"c0": 2, "c2": 7}"#), Err(GivenError::Key("c0".into())));
        assert_eq!(given("{}", &source, None, &domains).unwrap(), source);
    }

    #[test]
    fn a_key_is_read_as_it_is_shown_unless_its_text_may_mean_several() {
        let read = |value: &Value, domain| {
            let view = view(&[domain]);
            let key = Key::new([value.as_ref()]);
            (key_given(&key.to_json(["c0"]), &view), key)
        };
        for (domain, value) in [
            (Domain::Int, Value::Int(-5)),
            (Domain::Text, Value::Text("\\x01".into())),
            (Domain::Bytes, Value::Bytes(vec![1])),
            (Domain::Decimal { scale: None }, Value::Decimal("1.5".into())),
            (Domain::TimestampTz, Value::TimestampTz(1_500_000)),
            (Domain::Dynamic, Value::Int(7)),
        ] {
            let (given, key) = read(&value, domain);
            assert_eq!(given, Some(key), "{domain:?}");
        }
        for (domain, value) in [
            (Domain::Dynamic, Value::Bytes(vec![1])),
            (Domain::Dynamic, Value::Text("1".into())),
            (Domain::Native, Value::Native(vec![1])),
        ] {
            assert_eq!(read(&value, domain).0, None, "{domain:?}");
        }
        assert_eq!(key_given(&serde_json::json!({ "other": 1 }), &view(&[Domain::Int])), None);
    }

    /// A blob in a column that takes anything is shown like a text.
    #[test]
    fn a_value_that_is_spelled_as_it_is_shown_is_that_value() {
        let domains = [Domain::Int, Domain::Dynamic];
        let source = [Value::Int(1), Value::Bytes(vec![1])];
        let target = [Value::Int(1), Value::Null];
        assert_eq!(given(r#"{"c1": "\\x01"}"#, &source, Some(&target), &domains).unwrap(), source);
    }
}
