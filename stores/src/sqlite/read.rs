//! Pages, surveys and cuts. Every page is a question of its own, so nothing is held open between two of them.

use std::borrow::Cow;

use rowsync_engine::domain::Domain;
use rowsync_engine::error::StoreError;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::{Column, DataType, Filled, TableView, ViewColumn, find_name};
use rowsync_engine::store::{Gathered, PageRequest, Survey};
use rowsync_engine::value::{Value, ValueRef};
use rusqlite::types::ValueRef as Stored;
use rusqlite::{CachedStatement, Connection, Row};

use super::bind::Binder;
use super::classify::classify;
use super::index::leads_to;
use super::raw;
use super::sql;
use super::standing::standing;
use super::thread::Caller;
use super::values::{Scratch, check_domains, checked_json, key_value, misfit, value};
use crate::statement::ask;

/// Rows between two looks at whether the answer is still wanted.
pub const ROWS_BETWEEN_LOOKS: u64 = 4096;

pub type Result<T> = std::result::Result<T, StoreError>;

/// An error of SQLite while reading.
pub fn failed(error: rusqlite::Error) -> StoreError {
    classify(error, "read")
}

/// Rows, changed rows, newest change and unreachable rows in one statement.
pub fn survey(connection: &Connection, view: &TableView, since: Option<&Value>) -> Result<Survey> {
    let modify = modify_column(view);
    let name = modify.as_ref().map(|column| sql::quoted(&column.column.name));
    let changed = match (&name, since) {
        (Some(name), Some(_)) => format!("count(*) FILTER (WHERE {name} > ?1)"),
        _ => "NULL".into(),
    };
    let newest = name.map_or("NULL".into(), |name| format!("max({name})"));
    let null_keys = sql::null_key(view).map_or("0".into(), |is_null| format!("count(*) FILTER (WHERE {is_null})"));
    let text =
        format!("SELECT count(*), {changed}, {newest}, {null_keys} FROM {}{}", sql::table(view), sql::in_view(view));
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    if let (Some(column), Some(since)) = (&modify, since) {
        Binder::new(column).bind_sought(&mut statement, 1, since.as_ref())?;
    }
    let mut rows = statement.raw_query();
    let row = rows.next().map_err(failed)?.ok_or_else(|| failed(rusqlite::Error::QueryReturnedNoRows))?;
    let count = |index| row.get::<_, Option<i64>>(index).map_err(failed).map(|n| n.map(i64::unsigned_abs));
    let newest = match &modify {
        Some(column) => newest_value(row.get_ref(2).map_err(failed)?, column)?,
        None => Value::Null,
    };
    Ok(Survey {
        rows: count(0)?.unwrap_or(0),
        changed: count(1)?,
        newest: (newest != Value::Null).then_some(newest),
        null_keys: count(3)?.unwrap_or(0),
        row_bytes: None,
    })
}

/// A moment that is none cannot be compared with the next one.
fn newest_value(stored: Stored<'_>, column: &ViewColumn) -> Result<Value> {
    match value(stored, column, &mut Scratch::default()) {
        ValueRef::Unfit(..) => Err(misfit(stored, column)),
        value => Ok(value.to_value()),
    }
}

/// The column that tells when a row was changed; by storage class where it is not one of those that are compared.
fn modify_column(view: &TableView) -> Option<Cow<'_, ViewColumn>> {
    let name = view.modify_time.as_deref()?;
    if let Some(column) = find_name(&view.columns, name, |column| &column.column.name) {
        return Some(Cow::Borrowed(column));
    }
    let column = Column {
        name: name.to_owned(),
        data_type: DataType::Dynamic,
        declared: String::new(),
        nullable: true,
        filled: Filled::ByWriter,
        collation: None,
        has_default: false,
    };
    Some(Cow::Owned(ViewColumn { column, domain: Domain::Dynamic }))
}

/// The first rows of a range.
pub fn page(connection: &Connection, view: &TableView, request: &PageRequest) -> Result<RowPage> {
    check_domains(view, "read")?;
    if request.form == Form::Raw && !request.keys_only {
        return raw_page(connection, view, request);
    }
    let columns = if request.keys_only { view.key_columns() } else { &view.columns };
    let mut statement = prepare_page(connection, view, request)?;
    let mut page = RowPage::for_request(Form::Fields, view.key_len, request);
    let mut rows = statement.raw_query();
    let mut reader = RowReader::new(view.key_len, columns);
    while let Some(row) = rows.next().map_err(failed)? {
        if is_full(&page, request) || !reader.push_within(&mut page, row, request.bytes_max)? {
            page.complete = false;
            break;
        }
    }
    page.bytes_read = page.row_bytes() as u64;
    page.finish();
    Ok(page)
}

fn raw_page(connection: &Connection, view: &TableView, request: &PageRequest) -> Result<RowPage> {
    let mut statement = prepare_page(connection, view, request)?;
    let mut page = RowPage::for_request(Form::Raw, view.key_len, request);
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(failed)? {
        let was_full = is_full(&page, request);
        if !was_full {
            push_raw(page.unfinished_row(), row, view.columns.len())?;
        }
        if was_full || (!page.is_empty() && page.row_bytes() > request.bytes_max) {
            page.drop_unfinished_row();
            page.complete = false;
            break;
        }
        page.end_row();
    }
    page.bytes_read = page.row_bytes() as u64;
    let last_key = page.rows().next_back().map(|row| raw::key(row, view)).transpose()?;
    page.last_key = last_key;
    page.shrink();
    Ok(page)
}

/// Whether no other row has room, however small it is; then it is not read, for it may be large.
fn is_full(page: &RowPage, request: &PageRequest) -> bool {
    page.len() == request.rows_max.max(1) || (!page.is_empty() && page.row_bytes() >= request.bytes_max)
}

/// Values are passed on without being looked at: a text that is none is refused where it is written.
fn push_raw(out: &mut Vec<u8>, row: &Row<'_>, columns: usize) -> Result<()> {
    for index in 0..columns {
        raw::push(out, row.get_ref(index).map_err(failed)?);
    }
    Ok(())
}

fn prepare_page<'c>(
    connection: &'c Connection,
    view: &TableView,
    request: &PageRequest,
) -> Result<CachedStatement<'c>> {
    let range = &request.range;
    let bounds = (range.after.iter().count() + range.through.iter().count()) * view.key_len;
    let modify = modify_column(view).zip(request.modified_after.as_ref());
    let modified = modify
        .as_ref()
        .map_or(String::new(), |(column, _)| format!(" AND {} > ?{}", sql::quoted(&column.column.name), bounds + 2));
    let text = format!(
        "SELECT {} FROM {}{}{modified}{} LIMIT ?{}",
        if request.keys_only { sql::columns(view.key_columns()) } else { sql::selected(view) },
        sql::table(view),
        sql::in_range(view, range),
        sql::order(view),
        bounds + 1
    );
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    sql::bind_range(&mut statement, view, range)?;
    // One more than asked tells whether there is more.
    let rows_max = i64::try_from(request.rows_max.max(1)).unwrap_or(i64::MAX).saturating_add(1);
    statement.raw_bind_parameter(bounds + 1, rows_max).map_err(failed)?;
    if let Some((column, moment)) = modify {
        Binder::new(&column).bind_sought(&mut statement, bounds + 2, moment.as_ref())?;
    }
    Ok(statement)
}

/// All rows of several ranges; none where they take more than `bytes_max`.
pub fn gather(
    connection: &Connection,
    view: &TableView,
    ranges: &[KeyRange],
    wanted: Gathered,
    bytes_max: usize,
    caller: &Caller<'_>,
) -> Result<Option<RowPage>> {
    check_domains(view, "read")?;
    let (columns, form) = match wanted {
        Gathered::Keys => (view.key_columns(), Form::Fields),
        Gathered::Fields => (view.columns.as_slice(), Form::Fields),
        Gathered::Raw => (view.columns.as_slice(), Form::Raw),
    };
    let names = if wanted == Gathered::Keys { sql::columns(columns) } else { sql::selected(view) };
    let mut page = RowPage::new(form, view.key_len);
    let mut reader = RowReader::new(view.key_len, columns);
    let _standing = standing(connection)?;
    for range in ranges {
        caller.still_waits()?;
        let text = format!("SELECT {names} FROM {}{}", sql::table(view), sql::in_range(view, range));
        let _asked = ask("read", &text);
        let mut statement = connection.prepare_cached(&text).map_err(failed)?;
        sql::bind_range(&mut statement, view, range)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            let fits = match form {
                Form::Fields => reader.push_within(&mut page, row, bytes_max)?,
                Form::Raw => {
                    push_raw(page.unfinished_row(), row, columns.len())?;
                    page.end_row();
                    true
                }
            };
            if !fits || page.row_bytes() > bytes_max {
                return Ok(None);
            }
        }
    }
    page.bytes_read = page.row_bytes() as u64;
    if form == Form::Fields {
        page.finish();
    }
    Ok(Some(page))
}

/// The rows with these keys; keys without a row are left out.
pub fn rows_by_key(connection: &Connection, view: &TableView, keys: &[Key], caller: &Caller<'_>) -> Result<RowPage> {
    check_domains(view, "read")?;
    let text = format!("SELECT {} FROM {}{}", sql::selected(view), sql::table(view), sql::has_key(view));
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let mut page = RowPage::new(Form::Fields, view.key_len);
    let mut reader = RowReader::new(view.key_len, &view.columns);
    let _standing = standing(connection)?;
    for key in keys {
        caller.still_waits()?;
        sql::bind_key(&mut statement, view, key, 0)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            reader.push_within(&mut page, row, usize::MAX)?;
        }
    }
    page.bytes_read = page.row_bytes() as u64;
    page.finish();
    Ok(page)
}

/// Turns rows of a statement over a view's columns into rows of a page.
pub struct RowReader<'a> {
    key_len: usize,
    columns: &'a [ViewColumn],
    scratch: Scratch,
}

impl<'a> RowReader<'a> {
    pub fn new(key_len: usize, columns: &'a [ViewColumn]) -> RowReader<'a> {
        RowReader { key_len, columns, scratch: Scratch::default() }
    }

    /// Appends the row if the page then holds no more bytes than that, or nothing else.
    pub fn push_within(&mut self, page: &mut RowPage, row: &Row<'_>, bytes_max: usize) -> Result<bool> {
        for (index, column) in self.columns.iter().enumerate() {
            let stored = row.get_ref(index).map_err(failed)?;
            if index < self.key_len {
                page.push_key(key_value(stored, column, &mut self.scratch)?);
            } else {
                page.push(checked_json(value(stored, column, &mut self.scratch)));
            }
        }
        if !page.is_empty() && page.row_bytes() > bytes_max {
            page.drop_unfinished_row();
            return Ok(false);
        }
        page.end_row();
        Ok(true)
    }
}

/// The key of a row of a statement that selects only the key.
pub fn key_of(row: &Row<'_>, view: &TableView) -> Result<Key> {
    let mut page = RowPage::new(Form::Fields, view.key_len);
    RowReader::new(view.key_len, view.key_columns()).push_within(&mut page, row, usize::MAX)?;
    Ok(page.key(0))
}

/// The key behind which the last `rows` rows lie.
pub fn before_last(connection: &Connection, view: &TableView, rows: u64) -> Result<Option<Key>> {
    check_domains(view, "read")?;
    let text = format!(
        "SELECT {} FROM {}{}{} LIMIT 1 OFFSET ?1",
        sql::columns(view.key_columns()),
        sql::table(view),
        sql::in_range(view, &KeyRange::ALL),
        sql::order_backwards(view)
    );
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    statement.raw_bind_parameter(1, i64::try_from(rows).unwrap_or(i64::MAX)).map_err(failed)?;
    let mut found = statement.raw_query();
    found.next().map_err(failed)?.map(|row| key_of(row, view)).transpose()
}

/// The keys of the rows that were changed last, where an index leads to them.
pub fn newest(connection: &Connection, view: &TableView, rows: u64) -> Result<Option<Vec<Key>>> {
    check_domains(view, "read")?;
    let Some(time) = &view.modify_time else { return Ok(None) };
    if !leads_to(connection, &view.table.name, time)? {
        return Ok(None);
    }
    let time = sql::quoted(time);
    let text = format!(
        "SELECT {} FROM {}{} AND {time} IS NOT NULL ORDER BY {time} DESC LIMIT ?1",
        sql::columns(view.key_columns()),
        sql::table(view),
        sql::in_range(view, &KeyRange::ALL),
    );
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    statement.raw_bind_parameter(1, i64::try_from(rows).unwrap_or(i64::MAX)).map_err(failed)?;
    let (mut found, mut keys) = (statement.raw_query(), Vec::new());
    while let Some(row) = found.next().map_err(failed)? {
        keys.push(key_of(row, view)?);
    }
    Ok(Some(keys))
}
