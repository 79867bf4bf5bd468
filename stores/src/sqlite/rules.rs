//! What a table has beside columns and key, as the pragmas tell it.

use rowsync_engine::rules::{Default, DefaultValue, Index as IndexRule, TableRules, plain_default};
use rowsync_engine::schema::{Column, DataType, Filled};
use rusqlite::Connection;

use super::index::indexes;
use super::schema::{Result, all};
use super::sql::{quoted, quoted_list};

/// This engine, as its capabilities name it.
pub const ENGINE: &str = "sqlite";

/// Names that SQLite gives itself, and nobody else may.
const OWN_PREFIX: &str = "sqlite_";

pub fn rules(connection: &Connection, table: &str) -> Result<TableRules> {
    let mut rules = TableRules { engine: ENGINE, ..TableRules::default() };
    let text = "SELECT name, dflt_value, hidden FROM pragma_table_xinfo(?1) ORDER BY cid";
    let columns = all(connection, text, table, |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, i64>(2)?))
    })?;
    for (column, default, hidden) in columns {
        match default {
            Some(words) if !words.eq_ignore_ascii_case("null") => {
                let value = plain_default(&words, |words| words).unwrap_or(DefaultValue::Expression(words));
                rules.defaults.push(Default { column, value });
            }
            // 1 is a column of a virtual table; 2 and 3 are computed.
            _ if hidden > 1 => {
                rules.left_behind.push(format!("computed column {column} of the source is not carried over"))
            }
            _ => {}
        }
    }
    if says_check(connection, table)? {
        rules.left_behind.push("checks of the source's table are not carried over".into());
    }
    rules.indexes = index_rules(connection, table)?;
    Ok(rules)
}

/// Whether the table's own words have the word CHECK in them; no pragma tells.
fn says_check(connection: &Connection, table: &str) -> Result<bool> {
    let text = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND sql IS NOT NULL";
    let words: Vec<String> = all(connection, text, table, |row| row.get(0))?;
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    Ok(words.iter().any(|sql| sql.split(|c| !is_letter(c)).any(|word| word.eq_ignore_ascii_case("check"))))
}

fn index_rules(connection: &Connection, table: &str) -> Result<Vec<IndexRule>> {
    let text = "SELECT l.name, l.\"unique\", coalesce(s.sql, '') FROM pragma_index_list(?1) l
                LEFT JOIN sqlite_schema s ON s.type = 'index' AND s.name = l.name WHERE l.origin <> 'pk' ORDER BY l.name";
    let named: Vec<(String, bool, String)> =
        all(connection, text, table, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let plain = indexes(connection, table)?;
    let rule = |(name, unique, words): (String, bool, String)| {
        let columns = plain.iter().find(|index| index.name == name).and_then(|index| index.plain_columns());
        // What stands behind the table's name begins with the parenthesis of the columns.
        let words = words.find('(').map(|at| words[at..].to_owned()).unwrap_or_default();
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

/// The constraints for unique indexes without a name.
pub fn unique_texts(rules: &TableRules) -> impl Iterator<Item = String> {
    let unnamed = rules.indexes.iter().filter(|index| index.name.is_empty());
    unnamed.filter_map(|index| {
        let columns = index.columns.as_ref()?;
        Some(format!("UNIQUE ({})", quoted_list(columns.iter().map(|(name, _)| name.as_str()))))
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
