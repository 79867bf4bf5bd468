//! The text of statements over one view. Values never stand in it: they are bound.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::schema::{KeyOrder, TableView, ViewColumn};
use rusqlite::CachedStatement;

use super::bind::Binder;
use super::filter;

/// An identifier in quotes, so that no name is a keyword.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// The columns of a view, in its order.
pub fn columns(columns: &[ViewColumn]) -> String {
    quoted_list(columns.iter().map(|column| column.column.name.as_str()))
}

/// The same with those that are computed, which are no columns of the table.
pub fn selected(view: &TableView) -> String {
    let selected = |column: &ViewColumn| {
        let computed = view.computed.iter().find(|computed| computed.name == column.column.name);
        // On lines of its own, so that a comment at its end takes nothing with it.
        computed.map_or_else(|| quoted(&column.column.name), |computed| format!("(\n{}\n)", computed.sql))
    };
    view.columns.iter().map(selected).collect::<Vec<_>>().join(", ")
}

pub fn table(view: &TableView) -> String {
    quoted(&view.table.name)
}

/// The key's columns as they are compared and sorted.
fn key_terms(view: &TableView) -> Vec<String> {
    let term = |column: &ViewColumn| match (&column.column.collation, view.key_order) {
        (Some(_), KeyOrder::Bytewise) => format!("{} COLLATE BINARY", quoted(&column.column.name)),
        _ => quoted(&column.column.name),
    };
    view.key_columns().iter().map(term).collect()
}

/// `ORDER BY` the key.
pub fn order(view: &TableView) -> String {
    format!(" ORDER BY {}", key_terms(view).join(", "))
}

/// `ORDER BY` the key, last rows first.
pub fn order_backwards(view: &TableView) -> String {
    let terms: Vec<String> = key_terms(view).into_iter().map(|term| format!("{term} DESC")).collect();
    format!(" ORDER BY {}", terms.join(", "))
}

/// `WHERE` the row is one of the view.
pub fn in_view(view: &TableView) -> String {
    format!(" WHERE true{}", filter::also(&view.filter))
}

/// `WHERE` the row lies in a range. Its parameters are those of [`bind_range`]; further ones come behind them.
pub fn in_range(view: &TableView, range: &KeyRange) -> String {
    let terms = key_terms(view);
    let bound = |operator: &str, first: usize| {
        let parameters: Vec<String> = (first..first + terms.len()).map(|number| format!("?{number}")).collect();
        if terms.len() == 1 {
            format!("{} {operator} {}", terms[0], parameters[0])
        } else {
            format!("({}) {operator} ({})", terms.join(", "), parameters.join(", "))
        }
    };
    let mut conditions = not_null(view);
    if range.after.is_some() {
        conditions.push(bound(">", 1));
    }
    if range.through.is_some() {
        conditions.push(bound("<=", 1 + range.after.iter().count() * terms.len()));
    }
    let within = if conditions.is_empty() { "true".into() } else { conditions.join(" AND ") };
    format!(" WHERE {within}{}", filter::also(&view.filter))
}

/// Rows with NULL in the key have no place in its order, so they are in no range.
fn not_null(view: &TableView) -> Vec<String> {
    nullable_keys(view).map(|name| format!("{name} IS NOT NULL")).collect()
}

/// The condition of a row with NULL in its key, where it can be.
pub fn null_key(view: &TableView) -> Option<String> {
    let conditions: Vec<String> = nullable_keys(view).map(|name| format!("{name} IS NULL")).collect();
    (!conditions.is_empty()).then(|| conditions.join(" OR "))
}

fn nullable_keys(view: &TableView) -> impl Iterator<Item = String> {
    view.key_columns().iter().filter(|column| column.column.nullable).map(|column| quoted(&column.column.name))
}

/// `WHERE` the row of the view has a key, whose values are the first parameters.
pub fn has_key(view: &TableView) -> String {
    let condition = |(index, column): (usize, &ViewColumn)| {
        let (name, number) = (quoted(&column.column.name), index + 1);
        match column.column.collation {
            // The first half finds the row by the index, the second tells 'A' from 'a'.
            Some(_) => format!("{name} = ?{number} AND {name} = ?{number} COLLATE BINARY"),
            None => format!("{name} = ?{number}"),
        }
    };
    let conditions: Vec<String> = view.key_columns().iter().enumerate().map(condition).collect();
    format!(" WHERE {}{}", conditions.join(" AND "), filter::also(&view.filter))
}

/// Binds the bounds of a range; returns how many parameters that took.
pub fn bind_range(
    statement: &mut CachedStatement<'_>,
    view: &TableView,
    range: &KeyRange,
) -> Result<usize, StoreError> {
    let mut bound = 0;
    for key in range.after.iter().chain(&range.through) {
        bind_key(statement, view, key, bound)?;
        bound += view.key_len;
    }
    Ok(bound)
}

/// Binds a key's values behind the parameters that are bound already.
pub fn bind_key(
    statement: &mut CachedStatement<'_>,
    view: &TableView,
    key: &Key,
    bound: usize,
) -> Result<(), StoreError> {
    let values = key.values().map_err(|error| broken_key().caused_by(error))?;
    if values.len() != view.key_len {
        return Err(broken_key());
    }
    for (index, (value, column)) in values.into_iter().zip(view.key_columns()).enumerate() {
        Binder::new(column).bind_sought(statement, bound + index + 1, value)?;
    }
    Ok(())
}

fn broken_key() -> StoreError {
    StoreError::new(Kind::Bug, "read", "a key does not have the values of its table's key")
}
