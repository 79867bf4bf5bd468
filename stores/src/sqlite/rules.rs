//! What a table has beside columns and key, as the pragmas tell it.

use rowsync_engine::rules::{
    Check, ColumnCollation, Default, DefaultValue, Definition, Generated, Index as IndexRule, TableRules, plain_default,
};
use rowsync_engine::schema::{Column, DataType, Filled, TableName};
use rusqlite::Connection;
use sqlparser::dialect::SQLiteDialect;

use super::definition;
use super::index::indexes;
use super::schema::{Result, all, collation, describe, failed, foreign_keys};
use super::sql::{quoted, quoted_list};
use crate::condition;

/// This engine, as its capabilities name it.
pub const ENGINE: &str = "sqlite";

/// Names that SQLite gives itself, and nobody else may.
const OWN_PREFIX: &str = "sqlite_";

pub fn rules(connection: &Connection, table: &str) -> Result<TableRules> {
    let mut rules = TableRules { engine: ENGINE, ..TableRules::default() };
    let sql = words(connection, table)?;
    let words = sql.as_deref().and_then(definition::behind_the_name);
    let text = "SELECT name, dflt_value, hidden, type FROM pragma_table_xinfo(?1) ORDER BY cid";
    let columns = all(connection, text, table, |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, i64>(2)?, row.get(3)?))
    })?;
    for (column, default, hidden, declared) in columns {
        if sql.is_some()
            && let Some(name) = collation(connection, table, &column).map_err(failed)?
        {
            rules.collations.push(ColumnCollation { column: column.clone(), name: vec![name] });
        }
        match default {
            Some(words) if !words.eq_ignore_ascii_case("null") => {
                let value = plain_default(&words, |words| words).unwrap_or(DefaultValue::Expression(words));
                rules.defaults.push(Default { column, value });
            }
            // 1 is a column of a virtual table; 2 and 3 are computed.
            _ if hidden > 1 => match words.and_then(|words| definition::computed(words, &column)) {
                Some(expression) => rules.generated.push(Generated { column, declared, expression }),
                None => rules.left_behind.push(format!("computed column {column} of the source is not carried over")),
            },
            _ => {}
        }
    }
    // A program's own collation is not there for others.
    let (known, foreign): (Vec<_>, Vec<_>) = rules.collations.into_iter().partition(is_built_in);
    rules.collations = known;
    rules.left_behind.extend(foreign.iter().map(ColumnCollation::not_carried));
    rules.checks = words.map(definition::checks).unwrap_or_default();
    let described = describe(connection, &TableName::new(table))?;
    for (check, described) in rules.checks.iter_mut().zip(described.iter().cycle()) {
        check.meaning = condition::meaning(&check.condition, &SQLiteDialect {}, &described.columns);
    }
    if let Some(words) = words.filter(|_| foreign.is_empty()) {
        let (options, foreign_keys) = (definition::options(words), foreign_keys(connection, table)?);
        rules.definition = Some(Definition { words: words.to_owned(), foreign_keys, options });
    }
    rules.indexes = index_rules(connection, table)?;
    Ok(rules)
}

fn is_built_in(collation: &ColumnCollation) -> bool {
    collation.name.iter().all(|name| ["NOCASE", "RTRIM"].iter().any(|own| name.eq_ignore_ascii_case(own)))
}

/// The statement that made the table.
fn words(connection: &Connection, table: &str) -> Result<Option<String>> {
    let text = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND sql IS NOT NULL";
    Ok(all(connection, text, table, |row| row.get(0))?.pop())
}

fn index_rules(connection: &Connection, table: &str) -> Result<Vec<IndexRule>> {
    let text = "SELECT l.name, l.\"unique\", coalesce(s.sql, '') FROM pragma_index_list(?1) l
                LEFT JOIN sqlite_schema s ON s.type = 'index' AND s.name = l.name WHERE l.origin <> 'pk' ORDER BY l.name";
    let named: Vec<(String, bool, String)> =
        all(connection, text, table, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let plain = indexes(connection, table)?;
    let rule = |(name, unique, words): (String, bool, String)| {
        let index = plain.iter().find(|index| index.name == name);
        let columns = index.and_then(|index| index.plain_columns());
        // What stands behind the table's name begins with the parenthesis of the columns. A constraint has no statement.
        let words = words.find('(').map(|at| words[at..].to_owned()).or_else(|| index?.terms()).unwrap_or_default();
        let name = if name.starts_with(OWN_PREFIX) { String::new() } else { name };
        IndexRule { name, unique, columns, words, constraint: None }
    };
    Ok(named.into_iter().map(rule).filter(|index| index.columns.is_some() || !index.words.is_empty()).collect())
}

/// The default of a column in SQLite's words, with the word in front of it.
pub fn default_text(rules: &TableRules, column: &Column) -> String {
    let default = rules.defaults.iter().find(|default| default.column == column.name);
    let Some(default) = default.filter(|_| column.filled == Filled::ByWriter) else { return String::new() };
    let words = match &default.value {
        DefaultValue::Number(number) => number.clone(),
        DefaultValue::Text(text) => format!("'{}'", text.replace('\'', "''")),
        DefaultValue::Bool(yes) => u8::from(*yes).to_string(),
        DefaultValue::Now => match column.data_type {
            DataType::Date => "CURRENT_DATE".into(),
            DataType::Time => "CURRENT_TIME".into(),
            _ => "CURRENT_TIMESTAMP".into(),
        },
        DefaultValue::Expression(words) => format!("({words})"),
    };
    format!(" DEFAULT {words}")
}

/// The collation of a column in SQLite's words, with the word in front of it.
pub fn collation_text(rules: &TableRules, column: &Column) -> String {
    let own = rules.collations.iter().filter(|_| rules.engine == ENGINE);
    let names = own.filter(|collation| collation.column == column.name).flat_map(|collation| &collation.name);
    names.map(|name| format!(" COLLATE {}", quoted(name))).collect()
}

/// The columns that SQLite computes, and the checks.
pub fn own_texts(rules: &TableRules) -> impl Iterator<Item = String> {
    let computed = rules
        .generated
        .iter()
        .map(|one| format!("{} {} GENERATED ALWAYS AS ({})", quoted(&one.column), one.declared, one.expression));
    let check = |check: &Check| {
        let named = check.name.as_deref().map(|name| format!("CONSTRAINT {} ", quoted(name))).unwrap_or_default();
        format!("{named}CHECK {}", condition::words(check))
    };
    computed.chain(rules.checks.iter().map(check))
}

/// The constraints for unique indexes without a name.
pub fn unique_texts(rules: &TableRules) -> impl Iterator<Item = String> {
    let unnamed = rules.indexes.iter().filter(|index| index.name.is_empty());
    unnamed.map(|index| match &index.columns {
        Some(columns) => format!("UNIQUE ({})", quoted_list(columns.iter().map(|(name, _)| name.as_str()))),
        None => format!("UNIQUE {}", index.words),
    })
}

/// What makes the indexes that have a name.
pub fn index_statements(table: &str, rules: &TableRules) -> Vec<String> {
    let named = rules.indexes.iter().filter(|index| !index.name.is_empty());
    let statement = |index: &IndexRule| {
        let kind = if index.unique { "UNIQUE INDEX" } else { "INDEX" };
        let words = match &index.columns {
            None => index.words.clone(),
            Some(columns) => {
                let term = |(name, down): &(String, bool)| quoted(name) + if *down { " DESC" } else { "" };
                format!("({})", columns.iter().map(term).collect::<Vec<_>>().join(", "))
            }
        };
        format!("CREATE {kind} {} ON {} {words}", quoted(&index.name), quoted(table))
    };
    named.map(statement).collect()
}
