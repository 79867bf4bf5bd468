//! The condition that a view's rows have to meet.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::{Filter, Term};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::classify::classify;
use super::sql::quoted;

/// ` AND` all that has to hold.
pub fn also(filter: &Filter) -> String {
    filter.terms.iter().map(|term| format!(" AND {}", condition(term))).collect()
}

fn condition(term: &Term) -> String {
    match term {
        // On lines of its own, so that a comment at its end takes nothing with it.
        Term::Sql(text) => format!("(\n{text}\n)"),
        Term::OneOf { column, values } => {
            let values: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
            let (column, values) = (quoted(column), values.join(", "));
            // The first half is served by an index, the second tells 'A' from 'a' where the column does not.
            format!("{column} IN ({values}) AND {column} COLLATE BINARY IN ({values})")
        }
    }
}

/// Prepares the filter and runs nothing.
pub fn check(connection: &Connection, table: &str, filter: &Filter) -> Result<(), StoreError> {
    if filter.is_all() {
        return Ok(());
    }
    // Else SQLite takes a misspelled column in quotes for a text, and no row would be found.
    let strictly = |strict: bool| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, !strict);
    let before = connection.db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML).map_err(|error| classify(error, "plan"))?;
    strictly(true).map_err(|error| classify(error, "plan"))?;
    let prepared = connection
        .prepare(&format!("SELECT 1 FROM {} WHERE true{}", quoted(table), also(filter)))
        .map(|statement| (statement.parameter_count(), statement.readonly()));
    strictly(!before).map_err(|error| classify(error, "plan"))?;
    let refused = |message: String| StoreError::new(Kind::SchemaMismatch, "plan", message);
    match prepared {
        Ok((0, true)) => Ok(()),
        Ok(_) => Err(refused("the filter has parameters, or does more than look at a row".into())),
        Err(error) => Err(refused(classify(error, "plan").message)),
    }
}
