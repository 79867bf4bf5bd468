//! Which columns of two tables meet, and which of them are the key.

use std::collections::BTreeMap;

use super::{Mismatch, Pair, PairOptions, Side, is_made, made_columns, mismatch};
use crate::schema::{Column, Filled, Given, TableSchema, find_name};

pub(super) type Matched = (Column, Column);

pub(super) fn matched_columns(
    source: &TableSchema,
    target: &TableSchema,
    options: &PairOptions,
) -> Result<Vec<Matched>, Mismatch> {
    let named =
        options.fields.iter().chain(&options.exclude_fields).chain(options.field_mapping.keys()).chain(&options.key);
    for name in named {
        if source.column(name).is_none() {
            return mismatch(
                format!("table {} has no column {name}", source.name),
                format!("its columns are {}", names(&source.columns)),
            );
        }
    }
    let mut matched = Vec::new();
    for column in source.columns.iter().filter(|column| takes_part(column, source, options)) {
        let Some(found) = partner(column, source, target, options) else {
            let wanted = wanted(column, source, options);
            return mismatch(
                format!("target table {} has no column {wanted} for source column {}", target.name, column.name),
                "add the column, by hand or with `add_missing_columns`, or name another in `field_mapping`, or leave it out with \
                 `exclude_fields`",
            );
        };
        // What is made takes the place of what would only be read.
        if found.filled != Filled::ByExpression && !is_made(target, found, options) {
            matched.push((column.clone(), found.clone()));
        }
    }
    matched.extend(made_columns(source, target, options)?);
    refuse_shared(&matched, target)?;
    Ok(matched)
}

/// A column takes one value of each row.
fn refuse_shared(columns: &[Matched], target: &TableSchema) -> Result<(), Mismatch> {
    let mut taken = BTreeMap::new();
    let twice = columns.iter().find_map(|(s, t)| Some((taken.insert(&t.name, &s.name)?, s, t)));
    match twice {
        Some((first, s, t)) => mismatch(
            format!("the columns {first} and {} would both go to column {} of table {}", s.name, t.name, target.name),
            "name another column for one of them in `field_mapping`, or leave it out with `exclude_fields`",
        ),
        None => Ok(()),
    }
}

/// Columns of the source that take part and have no partner, but for those of the key, under the names that they would have
/// in the target; with their own names before.
pub fn missing_columns(source: &TableSchema, target: &TableSchema, options: &PairOptions) -> Vec<(String, Column)> {
    let key = if options.key.is_empty() { &source.primary_key } else { &options.key };
    let is_key = |column: &Column| key.iter().any(|name| same_column(source, name, column));
    let taking_part = source.columns.iter().filter(|column| takes_part(column, source, options) && !is_key(column));
    let missing = taking_part.filter(|column| partner(column, source, target, options).is_none());
    let renamed = missing.map(|column| {
        let name = wanted(column, source, options).to_owned();
        (column.name.clone(), Column { name, ..column.clone() })
    });
    renamed.collect()
}

/// The target's column that a column of the source goes to.
pub(super) fn partner<'a>(
    column: &Column,
    source: &TableSchema,
    target: &'a TableSchema,
    options: &PairOptions,
) -> Option<&'a Column> {
    target.column(wanted(column, source, options))
}

fn wanted<'a>(column: &'a Column, source: &TableSchema, options: &'a PairOptions) -> &'a str {
    let mapped = options.field_mapping.iter().find(|(from, _)| same_column(source, from, column));
    mapped.map_or(column.name.as_str(), |(_, to)| to)
}

pub(super) fn takes_part(column: &Column, source: &TableSchema, options: &PairOptions) -> bool {
    let listed = |names: &[String]| names.iter().any(|name| same_column(source, name, column));
    column.filled != Filled::ByExpression
        && (options.fields.is_empty() || listed(&options.fields) || listed(&options.key))
        && !listed(&options.exclude_fields)
}

pub(super) fn same_column(schema: &TableSchema, name: &str, column: &Column) -> bool {
    schema.column(name).is_some_and(|found| found.name == column.name)
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn key_columns(source: &TableSchema, options: &PairOptions) -> Result<Vec<String>, Mismatch> {
    let key = if options.key.is_empty() { &source.primary_key } else { &options.key };
    if key.is_empty() && !options.as_multiset {
        return mismatch(
            format!("table {} has no primary key", source.name),
            "name the columns that identify a row in `primary_key_field`: all of them where no row is there twice and none \
             of their values is NULL; without a key it is compared by `verify`, and replaced as a whole where \
             `sync_strategy` is `full`",
        );
    }
    Ok(key.clone())
}

pub(super) fn key_first(
    columns: &[Matched],
    keys: &[String],
    source: &TableSchema,
) -> Result<(Vec<Matched>, usize), Mismatch> {
    let mut ordered: Vec<Matched> = Vec::new();
    for key in keys {
        match columns.iter().find(|(s, _)| same_column(source, key, s)) {
            Some(column) => ordered.push(column.clone()),
            None => {
                return mismatch(
                    format!("key column {key} of table {} does not take part", source.name),
                    "do not exclude the key, and have the target hold it",
                );
            }
        }
    }
    let rest = columns.iter().filter(|(s, _)| !ordered.iter().any(|(key, _)| key.name == s.name));
    let rest: Vec<Matched> = rest.cloned().collect();
    let key_len = ordered.len();
    ordered.extend(rest);
    Ok((ordered, key_len))
}

/// Columns of the target that nobody fills would make every insert fail.
pub(super) fn refuse_unfilled(target: &TableSchema, columns: &[Matched], given: &[Given]) -> Result<(), Mismatch> {
    let taken = |column: &Column| {
        columns.iter().any(|(_, t)| t.name == column.name) || given.iter().any(|given| given.column.name == column.name)
    };
    match lacking(target, taken) {
        Some(column) => mismatch(
            format!(
                "target column {}.{} must not be null, has no default, and the source has nothing for it",
                target.name, column.name
            ),
            "give the column a default in the target, or a value in `default_values` with `set_default_value`, or map a \
             source column to it",
        ),
        None => Ok(()),
    }
}

/// Whether rows can go back to the source as well.
///
/// # Errors
/// When the source has a column that nobody would fill.
pub fn refuse_one_way(pair: &Pair, source: &TableSchema) -> Result<(), Mismatch> {
    let taken = |column: &Column| pair.source.columns.iter().any(|taken| taken.column.name == column.name);
    match lacking(source, taken) {
        Some(column) => mismatch(
            format!(
                "source column {}.{} must not be null, has no default, and the target has nothing for it",
                source.name, column.name
            ),
            "give the column a default in the source, or let it take part",
        ),
        None => Ok(()),
    }
}

/// A column that no writer of the others fills.
fn lacking(table: &TableSchema, taken: impl Fn(&Column) -> bool) -> Option<&Column> {
    table.columns.iter().find(|column| !taken(column) && unfilled(column))
}

/// Whether a row that brings nothing for the column is refused.
pub(super) fn unfilled(column: &Column) -> bool {
    !column.nullable && !column.has_default && column.filled == Filled::ByWriter
}

pub(super) fn notes(
    source: &TableSchema,
    target: &TableSchema,
    columns: &[Matched],
    given: &[Given],
    unused: &[String],
) -> Vec<String> {
    let is_given = |name: &str| given.iter().any(|given| given.column.name == name);
    let left = target.columns.iter().filter(|t| !columns.iter().any(|(_, taken)| taken.name == t.name));
    let left = left.filter(|column| !is_given(&column.name));
    let left: Vec<&str> = left.map(|column| column.name.as_str()).collect();
    let skipped = source.columns.iter().filter(|s| !columns.iter().any(|(taken, _)| taken.name == s.name));
    let skipped: Vec<&str> = skipped.map(|column| column.name.as_str()).collect();
    let mut notes = Vec::new();
    if !left.is_empty() {
        notes.push(format!("target columns left alone: {}", left.join(", ")));
    }
    if !skipped.is_empty() {
        notes.push(format!("source columns left out: {}", skipped.join(", ")));
    }
    if !given.is_empty() {
        let names: Vec<&str> = given.iter().map(|given| given.column.name.as_str()).collect();
        notes.push(format!("target columns that get a value from `default_values`: {}", names.join(", ")));
    }
    if !unused.is_empty() {
        notes.push(format!("`default_values` that no column needs: {}", unused.join(", ")));
    }
    notes
}

pub(super) fn modify_time<'a>(source: Side<'_>, columns: &'a [Matched], options: &PairOptions) -> Option<&'a Matched> {
    let column = source.schema.column(&options.modify_time)?;
    find_name(columns, &column.name, |matched| &matched.0.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::testing::{column, int_table, lay};
    use crate::schema::DataType;

    #[test]
    fn a_table_without_a_key_is_refused_unless_one_is_named() {
        let mut keyless = int_table();
        keyless.primary_key.clear();
        let refused = lay(&keyless, &int_table(), &PairOptions::default()).unwrap_err();
        assert!(refused.to_string().contains("primary_key_field"), "{refused}");
        let options = PairOptions { key: vec!["ID".into()], ..PairOptions::default() };
        assert_eq!(lay(&keyless, &int_table(), &options).unwrap().source.key_len, 1);
    }

    #[test]
    fn a_missing_column_is_named_with_the_remedy() {
        let mut target = int_table();
        target.columns.remove(0);
        let refused = lay(&int_table(), &target, &PairOptions::default()).unwrap_err();
        assert!(refused.message.contains("no column name"), "{refused}");
        let options = PairOptions { exclude_fields: vec!["name".into()], ..PairOptions::default() };
        assert_eq!(lay(&int_table(), &target, &options).unwrap().source.columns.len(), 1);
    }

    #[test]
    fn missing_columns_have_the_targets_names_and_are_none_of_the_key() {
        let mut source = int_table();
        source.columns.push(column("new", DataType::Bool, "boolean"));
        let mut target = int_table();
        target.columns.clear();
        let options = PairOptions { field_mapping: [("new".into(), "fresh".into())].into(), ..PairOptions::default() };
        let missing: Vec<(String, String)> =
            missing_columns(&source, &target, &options).into_iter().map(|(own, column)| (own, column.name)).collect();
        assert_eq!(missing, [("name".into(), "name".into()), ("new".into(), "fresh".to_owned())]);
    }

    #[test]
    fn a_target_column_that_nobody_fills_is_refused() {
        let mut target = int_table();
        target.columns.push(Column { nullable: false, ..column("extra", DataType::Bool, "boolean") });
        assert!(lay(&int_table(), &target, &PairOptions::default()).unwrap_err().message.contains("extra"));
        target.columns[2].has_default = true;
        let pair = lay(&int_table(), &target, &PairOptions::default()).unwrap();
        assert_eq!(pair.notes, ["target columns left alone: extra"]);
    }
}
