//! Foreign keys looked at afterwards, since a table on a cycle is written with them out of force.

use rowsync_engine::error::StoreError;
use rowsync_engine::schema::TableName;
use rowsync_engine::store::BrokenKey;
use rusqlite::Connection;

use super::schema::all;

/// Each foreign key of the table that does not hold.
pub fn broken(connection: &Connection, table: &TableName) -> Result<Vec<BrokenKey>, StoreError> {
    let text = "SELECT parent, count(*) FROM pragma_foreign_key_check(?1) GROUP BY fkid, parent ORDER BY fkid";
    let found = all(connection, text, &table.name, |row| {
        Ok(BrokenKey { parent: TableName::new(row.get::<_, String>(0)?), rows: row.get::<_, i64>(1)?.unsigned_abs() })
    });
    found.map_err(|error| error.at(table))
}
