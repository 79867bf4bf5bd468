//! Which rows in memory take part. There is no SQL here, so only the values of a column tell.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::{Filter, Term};
use rowsync_engine::schema::TableSchema;
use rowsync_engine::store::Result;
use rowsync_engine::value::Value;

/// The terms of a filter with the places of their columns.
pub(crate) struct Sieve<'a> {
    terms: Vec<(usize, &'a [String])>,
}

impl<'a> Sieve<'a> {
    pub(crate) fn new(schema: &TableSchema, filter: &'a Filter) -> Result<Sieve<'a>> {
        let refused = |message: String| StoreError::new(Kind::SchemaMismatch, "plan", message).at(&schema.name);
        let term = |term: &'a Term| match term {
            Term::Sql(_) => Err(refused("there is no SQL in memory".into())),
            Term::OneOf { column, values } => {
                let place = schema.columns.iter().position(|known| known.name == *column);
                let place = place.ok_or_else(|| refused(format!("there is no column {column}")))?;
                Ok((place, values.as_slice()))
            }
        };
        Ok(Sieve { terms: filter.terms.iter().map(term).collect::<Result<_>>()? })
    }

    pub(crate) fn keeps(&self, row: &[Value]) -> bool {
        let is_one = |value: &Value, values: &[String]| match value {
            Value::Text(text) => values.iter().any(|known| known.as_str() == text.as_str()),
            _ => false,
        };
        self.terms.iter().all(|(place, values)| is_one(&row[*place], values))
    }
}
