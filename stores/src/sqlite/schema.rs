//! What tables there are and what they look like, as SQLite's own pragmas tell it.

use rowsync_engine::change_log::LOG_PREFIX;
use rowsync_engine::error::StoreError;
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{Action, Column, Filled, ForeignKey, TableName, TableSchema, find_name};
use rusqlite::{Connection, Row};

use super::classify::classify;
use super::declared::data_type;
use super::index::{Index, Origin, indexes};

pub type Result<T> = std::result::Result<T, StoreError>;

/// The only schema of a file that is looked at.
const MAIN: &str = "main";

pub fn failed(error: rusqlite::Error) -> StoreError {
    classify(error, "describe")
}

/// Ordinary tables by name; none of SQLite's own, no logs of changes, and no virtual ones nor what those keep behind.
pub fn tables(connection: &Connection) -> Result<Vec<TableName>> {
    let text = "SELECT name FROM pragma_table_list
                WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                AND substr(name, 1, length(?1)) <> ?1 ORDER BY name";
    Ok(all(connection, text, LOG_PREFIX, |row| row.get::<_, String>(0))?.into_iter().map(TableName::new).collect())
}

/// Views, which a sync may name as a source.
fn views(connection: &Connection) -> Result<Vec<TableName>> {
    let text = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'view' ORDER BY name";
    Ok(all(connection, text, "", |row| row.get::<_, String>(0))?.into_iter().map(TableName::new).collect())
}

/// A table or view, or `None` where there is none of this name.
pub fn describe(connection: &Connection, table: &TableName) -> Result<Option<TableSchema>> {
    if table.schema.as_deref().is_some_and(|schema| schema != MAIN) {
        return Ok(None);
    }
    let readable = [tables(connection)?, views(connection)?].concat();
    let Some(table) = find_name(&readable, &table.name, |known| &known.name) else { return Ok(None) };
    let facts = columns(connection, &table.name)?;
    let indexes = indexes(connection, &table.name)?;
    let is_free = is_free_of_rowid_rules(connection, &table.name)?;
    let rowid = rowid_column(&facts, &indexes, is_free.without_rowid);
    let primary_key = match primary_key(&facts) {
        key if key.is_empty() => unique_key(&facts, &indexes),
        key => key,
    };
    Ok(Some(TableSchema {
        name: table.clone(),
        columns: facts.iter().map(|fact| fact.column(rowid == Some(fact.name.as_str()), is_free)).collect(),
        primary_key,
        foreign_keys: foreign_keys(connection, &table.name)?,
        rules: TableRules::default(),
    }))
}

/// What `pragma table_xinfo` tells of a column.
struct ColumnFacts {
    name: String,
    declared: String,
    not_null: bool,
    has_default: bool,
    /// Its place in the primary key, from 1 on; 0 where it has none.
    key_place: i64,
    computed: bool,
    collation: Option<String>,
}

/// Tables in which a primary key implies NOT NULL, as it does in other engines.
#[derive(Clone, Copy)]
struct Strictness {
    without_rowid: bool,
    strict: bool,
}

impl ColumnFacts {
    fn column(&self, is_rowid: bool, table: Strictness) -> Column {
        let filled = match (self.computed, is_rowid) {
            (true, _) => Filled::ByExpression,
            (false, true) => Filled::ByIdentity,
            (false, false) => Filled::ByWriter,
        };
        // SQLite takes NULL in a primary key, but for these; an old mistake that it keeps for compatibility.
        let key_is_whole = self.key_place > 0 && (is_rowid || table.without_rowid || table.strict);
        // Only there does it keep every value as it is, which elsewhere a column without a type does.
        let keeps_any = table.strict && self.declared.eq_ignore_ascii_case("ANY");
        let declared = if keeps_any { "" } else { &self.declared };
        Column {
            name: self.name.clone(),
            data_type: data_type(declared),
            declared: declared.to_owned(),
            nullable: !(self.not_null || key_is_whole),
            filled,
            collation: self.collation.clone(),
            has_default: self.has_default || is_rowid,
        }
    }
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<ColumnFacts>> {
    /// The column belongs to a virtual table and is not one of its rows' values.
    const HIDDEN: i64 = 1;
    let text = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1)
                WHERE hidden <> ?2 ORDER BY cid";
    let mut statement = connection.prepare_cached(text).map_err(failed)?;
    let facts = statement.query_map((table, HIDDEN), |row| {
        let name: String = row.get(0)?;
        Ok(ColumnFacts {
            collation: collation(connection, table, &name)?,
            name,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            has_default: row.get(3)?,
            key_place: row.get(4)?,
            computed: row.get::<_, i64>(5)? > HIDDEN,
        })
    });
    facts.and_then(Iterator::collect).map_err(failed)
}

/// Whether the name is that of a view, which has no index of its own.
pub fn is_view(connection: &Connection, name: &str) -> Result<bool> {
    is_a_view(connection, name).map_err(failed)
}

fn is_a_view(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let text = "SELECT EXISTS (SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND type = 'view' AND name = ?1)";
    connection.prepare_cached(text)?.query_row([name], |row| row.get(0))
}

/// The collation of a column where it is not byte by byte.
pub fn collation(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Option<String>> {
    if is_a_view(connection, table)? {
        // SQLite does not tell it of a view, which may have any: it is compared byte by byte, as if it had one.
        return Ok(Some("view".into()));
    }
    let (_, collation, ..) = connection.column_metadata(Some(MAIN), table, column)?;
    let collation = collation.map(|name| name.to_string_lossy().into_owned());
    Ok(collation.filter(|name| !name.eq_ignore_ascii_case("BINARY")))
}

fn is_free_of_rowid_rules(connection: &Connection, table: &str) -> Result<Strictness> {
    let text = "SELECT wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1";
    connection
        .query_row(text, [table], |row| Ok(Strictness { without_rowid: row.get(0)?, strict: row.get(1)? }))
        .map_err(failed)
}

fn primary_key(columns: &[ColumnFacts]) -> Vec<String> {
    let mut key: Vec<&ColumnFacts> = columns.iter().filter(|column| column.key_place > 0).collect();
    key.sort_by_key(|column| column.key_place);
    key.into_iter().map(|column| column.name.clone()).collect()
}

/// INTEGER PRIMARY KEY is another name of the rowid; a key that needed an index is not.
fn rowid_column<'a>(columns: &'a [ColumnFacts], indexes: &[Index], without_rowid: bool) -> Option<&'a str> {
    let mut key = columns.iter().filter(|column| column.key_place > 0);
    let only = key.next().filter(|_| key.next().is_none())?;
    let has_index = indexes.iter().any(|index| index.origin == Origin::PrimaryKey);
    (only.declared.eq_ignore_ascii_case("INTEGER") && !without_rowid && !has_index).then_some(&only.name)
}

/// Without a primary key, the shortest unique index that takes in every row and no NULL tells rows apart as well.
fn unique_key(columns: &[ColumnFacts], indexes: &[Index]) -> Vec<String> {
    let never_null = |name: &String| columns.iter().any(|column| column.name == *name && column.not_null);
    let mut keys: Vec<Vec<String>> = indexes
        .iter()
        .filter(|index| index.unique && !index.partial)
        .filter_map(Index::column_names)
        .filter(|names| !names.is_empty() && names.iter().all(never_null))
        .collect();
    keys.sort_by_key(|names| (names.len(), names.clone()));
    keys.into_iter().next().unwrap_or_default()
}

pub fn foreign_keys(connection: &Connection, table: &str) -> Result<Vec<ForeignKey>> {
    // SQLite numbers them backwards.
    let text = "SELECT id, \"table\", \"from\", \"to\", on_delete, on_update FROM pragma_foreign_key_list(?1)
                ORDER BY id DESC, seq";
    type Link = (i64, String, String, Option<String>, [Action; 2]);
    let links: Vec<Link> = all(connection, text, table, |row| {
        let action = |at: usize| row.get::<_, String>(at).map(|words| Action::of(&words));
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, [action(4)?, action(5)?]))
    })?;
    let mut keys: Vec<ForeignKey> = Vec::new();
    let mut last = None;
    for (id, parent, column, parent_column, [on_delete, on_update]) in links {
        if last != Some(id) {
            keys.push(ForeignKey {
                name: None,
                columns: Vec::new(),
                parent: TableName::new(parent),
                parent_columns: Vec::new(),
                deferrable: false,
                on_delete,
                on_update,
            });
            last = Some(id);
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(column);
            key.parent_columns.extend(parent_column);
        }
    }
    Ok(keys)
}

/// All rows of a statement that takes a table's name, or none where it is empty.
pub fn all<T>(
    connection: &Connection,
    text: &str,
    table: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(text).map_err(failed)?;
    let rows = if table.is_empty() { statement.query_map([], read) } else { statement.query_map([table], read) };
    rows.and_then(Iterator::collect).map_err(failed)
}
