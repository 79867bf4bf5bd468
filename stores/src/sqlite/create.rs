//! Tables like those of another store.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::rules::Definition;
use rowsync_engine::schema::{Column, DataType, ForeignKey, TableName, TableSchema};
use rusqlite::Connection;

use super::classify::classify;
use super::declared::declaration;
use super::definition;
use super::rules;
use super::schema::{Result, describe};
use super::sql::{quoted, quoted_list};

/// Makes the table and returns it as it came to be. Foreign keys are declared at once: SQLite cannot add them later.
pub fn create_table(connection: &Connection, like: &TableSchema, foreign_keys: &[ForeignKey]) -> Result<TableSchema> {
    all_or_nothing(connection, &statements(like, foreign_keys)).map_err(|error| error.at(&like.name))?;
    let missing = || StoreError::new(Kind::Bug, "create", "the table that was made is not there").at(&like.name);
    describe(connection, &like.name)?.ok_or_else(missing)
}

/// Adds the columns of `like`, which take NULL, and returns the table as it came to be.
pub fn add_columns(connection: &Connection, table: &TableName, like: &TableSchema) -> Result<TableSchema> {
    let addition = |column: &Column| {
        let name = quoted(&column.name);
        let collation = rules::collation_text(&like.rules, column);
        format!("ALTER TABLE {} ADD COLUMN {name} {}{collation}", quoted(&table.name), declaration(column, false))
    };
    let additions: Vec<String> = like.columns.iter().map(addition).collect();
    all_or_nothing(connection, &additions).map_err(|error| error.at(table))?;
    let missing = || StoreError::new(Kind::Bug, "create", "the table that got columns is not there").at(table);
    describe(connection, table)?.ok_or_else(missing)
}

fn all_or_nothing(connection: &Connection, statements: &[String]) -> Result<()> {
    let failed = |error| classify(error, "create");
    let Err(error) = connection.execute_batch(&format!("BEGIN IMMEDIATE; {}; COMMIT", statements.join("; "))) else {
        return Ok(());
    };
    // Where there is no transaction, it could not begin.
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK").map_err(failed)?;
    }
    Err(failed(error))
}

/// What makes the table and its indexes.
pub fn statements(like: &TableSchema, foreign_keys: &[ForeignKey]) -> Vec<String> {
    let table = statement(like, foreign_keys);
    std::iter::once(table).chain(rules::index_statements(&like.name.name, &like.rules)).collect()
}

/// In the words of a table of this engine where all of them hold, else in our own.
fn statement(like: &TableSchema, foreign_keys: &[ForeignKey]) -> String {
    if let Some(words) = like.rules.definition.as_ref().and_then(|definition| defined(definition, foreign_keys)) {
        return format!("CREATE TABLE {} {words}", quoted(&like.name.name));
    }
    let rowid = numbered_key(like);
    let mut parts: Vec<String> =
        like.columns.iter().map(|column| column_text(like, column, rowid == Some(column.name.as_str()))).collect();
    if rowid.is_none() && !like.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", names(&like.primary_key)));
    }
    parts.extend(rules::unique_texts(&like.rules));
    parts.extend(rules::own_texts(&like.rules));
    parts.extend(foreign_keys.iter().map(foreign_key_text));
    format!("CREATE TABLE {} (\n  {}\n)", quoted(&like.name.name), parts.join(",\n  "))
}

/// What stood behind the name of the table that this one is like, with the foreign keys that it is to have.
fn defined(definition: &Definition, wished: &[ForeignKey]) -> Option<String> {
    let said = |key: &ForeignKey| (key.columns.clone(), key.parent.name.clone(), key.parent_columns.clone());
    if definition.foreign_keys.iter().map(said).eq(wished.iter().map(said)) {
        return Some(definition.words.clone());
    }
    let (start, end) = definition::without_foreign_keys(&definition.words)?;
    let keys: String = wished.iter().map(|key| format!(",\n  {}", foreign_key_text(key))).collect();
    Some(format!("{start}{keys}{end}"))
}

/// The key's only column, if it holds whole numbers: those become the rowid.
fn numbered_key(like: &TableSchema) -> Option<&str> {
    let [name] = like.primary_key.as_slice() else { return None };
    let column = like.columns.iter().find(|column| column.name == *name)?;
    matches!(column.data_type, DataType::Int { .. }).then_some(name)
}

fn column_text(like: &TableSchema, column: &Column, is_rowid: bool) -> String {
    let name = quoted(&column.name);
    if is_rowid {
        return format!("{name} INTEGER PRIMARY KEY");
    }
    let is_key = like.primary_key.contains(&column.name);
    let not_null = if is_key || !column.nullable { " NOT NULL" } else { "" };
    let default = rules::default_text(&like.rules, column);
    let collation = rules::collation_text(&like.rules, column);
    format!("{name} {}{not_null}{default}{collation}", declaration(column, is_key))
}

fn foreign_key_text(key: &ForeignKey) -> String {
    let parent = quoted(&key.parent.name);
    let columns = names(&key.columns);
    let actions = key.actions();
    let deferred = if key.deferrable { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
    if key.parent_columns.is_empty() {
        format!("FOREIGN KEY ({columns}) REFERENCES {parent}{actions}{deferred}")
    } else {
        format!("FOREIGN KEY ({columns}) REFERENCES {parent} ({}){actions}{deferred}", names(&key.parent_columns))
    }
}

fn names(names: &[String]) -> String {
    quoted_list(names.iter().map(String::as_str))
}
