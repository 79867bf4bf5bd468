//! Foreign keys looked at afterwards, since a table on a cycle is written with them out of force.

use rowsync_engine::error::StoreError;
use rowsync_engine::schema::TableName;
use rowsync_engine::store::BrokenKey;
use rusqlite::Connection;

use super::schema::all;

/// Whether any foreign key refers to the table.
pub fn is_referenced(connection: &Connection, table: &TableName) -> Result<bool, StoreError> {
    let text = "SELECT m.name FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
                WHERE m.type = 'table' AND lower(f.\"table\") = lower(?1) LIMIT 1";
    let found = all(connection, text, &table.name, |row| row.get::<_, String>(0));
    found.map(|found| !found.is_empty()).map_err(|error| error.at(table))
}

/// Each foreign key of the table that does not hold.
pub fn broken(connection: &Connection, table: &TableName) -> Result<Vec<BrokenKey>, StoreError> {
    let text = "SELECT parent, count(*) FROM pragma_foreign_key_check(?1) GROUP BY fkid, parent ORDER BY fkid";
    let found = all(connection, text, &table.name, |row| {
        Ok(BrokenKey { parent: TableName::new(row.get::<_, String>(0)?), rows: row.get::<_, i64>(1)?.unsigned_abs() })
    });
    found.map_err(|error| error.at(table))
}
