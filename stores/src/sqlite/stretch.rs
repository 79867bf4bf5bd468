//! Tables without a key, read by the numbers that SQLite gives their rows. Rows of a view have none: a hash of their values
//! stands for it, and each part takes the whole view to be worked out.

use rowsync_engine::error::StoreError;
use rowsync_engine::filter::Term;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Gathered;
use rowsync_engine::stretch::Stretch;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef as Stored;
use xxhash_rust::xxh3::Xxh3;

use super::classify::classify;
use super::read;
use super::schema::is_view;
use super::sql::{in_view, quoted, quoted_list, table};
use super::thread::Caller;

type Result<T> = std::result::Result<T, StoreError>;

/// The number of a row goes by the first of these names that no column has.
const NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// More parts at once save nothing; one that turns out to hold too much is halved.
const STRETCHES_MAX: u64 = 4096;

pub fn stretches(connection: &Connection, view: &TableView, bytes_max: usize) -> Result<Vec<Stretch>> {
    let (number, table) = (number(connection, view)?, table(view));
    let Some(number) = number else { return hashed_stretches(connection, view, bytes_max) };
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
    let number = match number(connection, view)? {
        Some(name) => name.to_owned(),
        None => hash_of(connection, view)?,
    };
    let mut part = view.clone();
    part.filter.terms.push(Term::Sql(format!("{number} BETWEEN {} AND {}", stretch.first, stretch.last)));
    read::gather(connection, &part, &[KeyRange::ALL], Gathered::Fields, bytes_max, caller)
}

/// What the number of a row is called; `None` for a view, and where columns have taken all names.
fn number(connection: &Connection, view: &TableView) -> Result<Option<&'static str>> {
    if is_view(connection, &view.table.name)? {
        return Ok(None);
    }
    let mut columns = connection.prepare_cached("SELECT lower(name) FROM pragma_table_xinfo(?1)").map_err(failed)?;
    let columns = columns.query_map([&view.table.name], |row| row.get(0)).map_err(failed)?;
    let columns: Vec<String> = columns.collect::<std::result::Result<_, _>>().map_err(failed)?;
    Ok(NAMES.into_iter().find(|name| !columns.iter().any(|column| column == name)))
}

/// What works out the hash of a row.
const HASH: &str = "rowsync_hash";
/// Columns that a hash is made of; rows that differ in others alone lie in one place.
const COLUMNS_HASHED: usize = 100;

/// Of numbers from 0 to the highest of 32 bits.
fn hash_of(connection: &Connection, view: &TableView) -> Result<String> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(HASH, -1, flags, |values| Ok(hash(values))).map_err(failed)?;
    let names = view.columns.iter().map(|column| column.column.name.as_str());
    Ok(format!("{HASH}({})", quoted_list(names.filter(|name| is_stored(view, name)).take(COLUMNS_HASHED))))
}

fn is_stored(view: &TableView, name: &str) -> bool {
    view.computed.iter().all(|computed| computed.name != name)
}

fn hash(values: &Context<'_>) -> i64 {
    let mut hasher = Xxh3::new();
    for place in 0..values.len() {
        match values.get_raw(place) {
            Stored::Null => hasher.update(&[0]),
            Stored::Integer(number) => hasher.update(&number.to_le_bytes()),
            Stored::Real(number) => hasher.update(&number.to_le_bytes()),
            Stored::Text(bytes) | Stored::Blob(bytes) => hasher.update(bytes),
        }
    }
    i64::from((hasher.digest() >> 32) as u32)
}

fn hashed_stretches(connection: &Connection, view: &TableView, bytes_max: usize) -> Result<Vec<Stretch>> {
    // Many terms would be too deep an expression.
    let some = view.columns.iter().take(COLUMNS_HASHED).map(|column| column.column.name.as_str());
    let lengths =
        some.filter(|name| is_stored(view, name)).map(|name| format!("ifnull(octet_length({}), 0)", quoted(name)));
    let row = lengths.chain(["0".to_owned()]).collect::<Vec<_>>().join(" + ");
    let text = format!("SELECT ifnull(sum({row}), 0) FROM {}{}", table(view), in_view(view));
    let bytes: i64 = connection.query_row(&text, [], |row| row.get(0)).map_err(failed)?;
    let whole = Stretch { first: 0, last: i64::from(u32::MAX) };
    Ok(whole.cut((2 * bytes.unsigned_abs() / bytes_max.max(1) as u64).clamp(1, STRETCHES_MAX)))
}

fn failed(error: rusqlite::Error) -> StoreError {
    classify(error, "read")
}
