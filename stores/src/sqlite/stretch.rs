//! Tables without a key, read by the numbers that SQLite gives their rows.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Term;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::stretch::Stretch;
use rusqlite::Connection;

use super::classify::classify;
use super::read;
use super::sql::table;
use super::thread::Caller;

type Result<T> = std::result::Result<T, StoreError>;

/// The number of a row goes by the first of these names that no column has.
const NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// More parts at once save nothing; one that turns out to hold too much is halved.
const STRETCHES_MAX: u64 = 4096;

pub fn stretches(connection: &Connection, view: &TableView, bytes_max: usize) -> Result<Vec<Stretch>> {
    let (number, table) = (number(connection, view)?, table(view));
    let text = format!("SELECT (SELECT min({number}) FROM {table}), (SELECT max({number}) FROM {table})");
    let ends = connection.query_row(&text, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    let (Some(first), Some(last)) = ends else { return Ok(Vec::new()) };
    let whole = Stretch { first, last };
    let bytes = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = connection.query_row(bytes, [], |row| row.get(0)).map_err(failed)?;
    // Half, as some parts hold more than others.
    Ok(whole.cut((2 * bytes.unsigned_abs() / bytes_max.max(1) as u64).clamp(1, STRETCHES_MAX)))
}

pub fn lying_in(
    connection: &Connection,
    view: &TableView,
    stretch: Stretch,
    bytes_max: usize,
    caller: &Caller<'_>,
) -> Result<Option<RowPage>> {
    let number = number(connection, view)?;
    let mut part = view.clone();
    part.filter.terms.push(Term::Sql(format!("{number} BETWEEN {} AND {}", stretch.first, stretch.last)));
    read::gather(connection, &part, &[KeyRange::ALL], false, bytes_max, caller)
}

fn number(connection: &Connection, view: &TableView) -> Result<&'static str> {
    let refused = |message: &str| Err(StoreError::new(Kind::SchemaMismatch, "read", message));
    let is_view = "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE";
    if connection.query_row(is_view, [&view.table.name], |row| row.get(0)).map_err(failed)? {
        return refused("a view without a key cannot be read in parts; name one in `primary_key_field`");
    }
    let mut columns = connection.prepare_cached("SELECT lower(name) FROM pragma_table_xinfo(?1)").map_err(failed)?;
    let columns = columns.query_map([&view.table.name], |row| row.get(0)).map_err(failed)?;
    let columns: Vec<String> = columns.collect::<std::result::Result<_, _>>().map_err(failed)?;
    match NAMES.into_iter().find(|name| !columns.iter().any(|column| column == name)) {
        Some(name) => Ok(name),
        None => refused("columns have taken all names of the rowid; name a key in `primary_key_field`"),
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    classify(error, "read")
}
