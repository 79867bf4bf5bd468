//! Collations that columns have of their own: read from the catalog, and given to columns that are made.

use rowsync_engine::error::StoreError;
use rowsync_engine::rules::{ColumnCollation, TableRules};
use rowsync_engine::schema::{Column, TableSchema};

use super::link::Lease;
use super::literal::{identifier, text_literal};

/// Columns with the schema and the name of a collation that is not their type's.
pub fn of_columns(oid: &str) -> String {
    format!(
        "SELECT a.attname::text, n.nspname::text, c.collname::text FROM pg_catalog.pg_attribute a \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped AND a.attcollation <> t.typcollation \
         ORDER BY a.attnum"
    )
}

pub fn read(row: &[Option<String>], rules: &mut TableRules) {
    let [Some(column), Some(schema), Some(name)] = row else { return };
    rules.collations.push(ColumnCollation { column: column.clone(), name: vec![schema.clone(), name.clone()] });
}

/// The collation of a column, with the word in front of it; nothing where it has none of its own, or the server lacks it.
pub async fn clause(lease: &mut Lease, column: &Column, like: &TableSchema) -> Result<String, StoreError> {
    match like.rules.collations.iter().find(|collation| collation.column == column.name) {
        Some(collation) if is_there(lease, collation).await? => Ok(format!(" COLLATE {}", spelled(collation))),
        _ => Ok(String::new()),
    }
}

fn spelled(collation: &ColumnCollation) -> String {
    collation.name.iter().map(|part| identifier(part)).collect::<Vec<_>>().join(".")
}

/// Whether this server has one of this name for its encoding.
async fn is_there(lease: &mut Lease, collation: &ColumnCollation) -> Result<bool, StoreError> {
    let [schema, name] = collation.name.as_slice() else { return Ok(false) };
    let statement = format!(
        "SELECT 'yes' FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
         JOIN pg_catalog.pg_database d ON d.datname = current_database() AND c.collencoding IN (-1, d.encoding) \
         WHERE n.nspname = {} AND c.collname = {}",
        text_literal(schema),
        text_literal(name)
    );
    Ok(!lease.texts(&statement).await?.is_empty())
}

/// What is told of those that this server lacks.
pub async fn left_out(lease: &mut Lease, like: &TableSchema) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    for collation in &like.rules.collations {
        if !is_there(lease, collation).await? {
            told.push(collation.not_carried());
        }
    }
    Ok(told)
}
