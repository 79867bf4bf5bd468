//! Tables, columns and foreign keys as the target should have them.

use rowsync_engine::pair::{PairOptions, missing_columns};
use rowsync_engine::rules::Kept;
use rowsync_engine::schema::{Column, Filled, ForeignKey, TableName, TableSchema, find_name};

use super::found::table_name;
use super::{Entry, pair_options};

/// Columns of the source that the target's table lacks and may get, by their own names and as the target would have them.
pub fn columns_to_add(entry: &Entry) -> Vec<(String, Column)> {
    match &entry.target {
        Some(target) if entry.settings.tuning.add_missing_columns => {
            missing_columns(&entry.source, target, &pair_options(&entry.settings.tuning))
        }
        _ => Vec::new(),
    }
}

/// The table that the target should have: the source's columns that take part, under the target's names.
pub fn wished_table(entry: &Entry) -> TableSchema {
    let options = pair_options(&entry.settings.tuning);
    let renamed = |name: &str| target_column(&entry.source, &options, name);
    let key = if options.key.is_empty() { entry.source.primary_key.clone() } else { options.key.clone() };
    let listed = |names: &[String], column: &str| {
        names.iter().any(|name| entry.source.column(name).is_some_and(|c| c.name == column))
    };
    let takes_part = |column: &&Column| {
        (options.fields.is_empty() || listed(&options.fields, &column.name) || listed(&key, &column.name))
            && !listed(&options.exclude_fields, &column.name)
            && column.filled != Filled::ByExpression
    };
    let mut columns: Vec<_> = entry.source.columns.iter().filter(takes_part).cloned().collect();
    let all = entry.source.columns.iter().filter(|column| column.filled != Filled::ByExpression);
    let keeps_names =
        all.clone().count() == columns.len() && all.clone().all(|column| renamed(&column.name) == column.name);
    let carried = |name: &str| columns.iter().any(|column| column.name == name).then(|| renamed(name));
    let primary_key: Vec<String> = key.iter().map(|name| renamed(name)).collect();
    let is_made = entry.target.is_none() || entry.created;
    let kept = match keeps_names {
        true if is_made && options.key.is_empty() && options.expressions.is_empty() => Kept::Table,
        true => Kept::Columns,
        false => Kept::Part,
    };
    let rules = entry.source.rules.carried(entry.target_engine, kept, &primary_key, carried);
    columns.iter_mut().for_each(|column| column.name = renamed(&column.name));
    let made =
        options.expressions.iter().filter(|(name, _)| find_name(&columns, name, |column| &column.name).is_none());
    let made: Vec<Column> = made.map(|(name, expression)| expression.column(name, &entry.source)).collect();
    columns.extend(made);
    TableSchema { name: wished_name(entry), columns, primary_key, foreign_keys: Vec::new(), rules }
}

/// The name of the table that the target should have. A dot in it is part of it where the source's table is called so.
pub(super) fn wished_name(entry: &Entry) -> TableName {
    let settings = &entry.settings;
    match settings.target == settings.source && entry.source.name.name.eq_ignore_ascii_case(&settings.source) {
        true => TableName::new(&settings.target),
        false => table_name(&settings.target),
    }
}

pub fn target_column(source: &TableSchema, options: &PairOptions, name: &str) -> String {
    let own = source.column(name).map_or(name, |column| column.name.as_str());
    let mapped =
        options.field_mapping.iter().find(|(from, _)| source.column(from).is_some_and(|column| column.name == own));
    mapped.map_or_else(|| own.to_owned(), |(_, to)| to.clone())
}

/// The source's foreign keys between tables of this run, under the target's names. Those of columns that do not take
/// part are left out.
pub fn wished_foreign_keys(entries: &[Entry], place: usize) -> Vec<ForeignKey> {
    let entry = &entries[place];
    let wished = wished_table(entry);
    let translate = |key: &ForeignKey| {
        let parent = entries.iter().find(|other| other.source.name.name.eq_ignore_ascii_case(&key.parent.name))?;
        let columns = |of: &Entry, names: &[String]| -> Vec<String> {
            let options = pair_options(&of.settings.tuning);
            names.iter().map(|name| target_column(&of.source, &options, name)).collect()
        };
        let own = columns(entry, &key.columns);
        own.iter().all(|name| wished.columns.iter().any(|column| column.name == *name)).then_some(())?;
        let parent_name = parent.target.as_ref().map_or_else(|| wished_name(parent), |target| target.name.clone());
        let parent_columns = columns(parent, &key.parent_columns);
        Some(ForeignKey { columns: own, parent: parent_name, parent_columns, ..key.clone() })
    };
    entry.source.foreign_keys.iter().filter_map(translate).collect()
}
