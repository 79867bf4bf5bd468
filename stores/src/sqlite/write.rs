//! Changes become rows: deletes, then updates, then inserts, with statements that are prepared once.

use std::sync::Arc;

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::derived::refuse_lossy;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::row::{Form, RowPage, fields};
use rowsync_engine::schema::{Filled, TableView};
use rowsync_engine::value::Value;
use rusqlite::types::ToSqlOutput;
use rusqlite::{CachedStatement, Connection};

use super::bind::{Binder, refuse_broken_text};
use super::cascade::guards;
use super::classify::classify;
use super::mark::refuse_later;
use super::park::parking;
use super::raw::{self, broken_row};
use super::sql;
use crate::statement::tell;

type Result<T> = std::result::Result<T, StoreError>;

fn failed(error: rusqlite::Error) -> StoreError {
    classify(error, "write")
}

/// Applies a set of changes inside the transaction that is open.
pub fn apply(connection: &Connection, view: &TableView, changes: &Arc<Changes>) -> Result<Applied> {
    refuse_later(connection, changes.since())?;
    refuse_lossy(view, changes)?;
    let writer = Writer::new(connection, view);
    let applied = Applied {
        deleted: writer.delete(&changes.deletes)?,
        updated: writer.update(&changes.updates)?,
        inserted: writer.insert(&changes.inserts)?,
        bytes_written: (changes.updates.row_bytes() + changes.inserts.row_bytes()) as u64,
        queries: changes.len() as u64,
        held_back: 0,
    };
    Ok(applied)
}

struct Writer<'a> {
    connection: &'a Connection,
    view: &'a TableView,
    /// One for each column; `None` where the database computes it.
    binders: Vec<Option<Binder<'a>>>,
}

impl<'a> Writer<'a> {
    fn new(connection: &'a Connection, view: &'a TableView) -> Writer<'a> {
        let binders = view
            .columns
            .iter()
            .map(|column| (column.column.filled != Filled::ByExpression).then(|| Binder::new(column)))
            .collect();
        Writer { connection, view, binders }
    }

    fn delete(&self, keys: &[Key]) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        let mut statement =
            self.prepare(format!("DELETE FROM {}{}", sql::table(self.view), sql::has_key(self.view)))?;
        let mut guards = guards(self.connection, self.view)?;
        let mut deleted = 0;
        for (place, key) in keys.iter().enumerate() {
            for guard in &mut guards {
                guard.refuse_orphans(self.view, key).map_err(|error| error.placed(place))?;
            }
            sql::bind_key(&mut statement, self.view, key, 0)?;
            deleted += statement.raw_execute().map_err(failed)?;
        }
        Ok(deleted as u64)
    }

    fn update(&self, rows: &RowPage) -> Result<u64> {
        let set = self.assignments();
        if rows.is_empty() || set.is_empty() {
            return Ok(0);
        }
        let mut statement = self.prepare(format!(
            "UPDATE {} SET {}{}",
            sql::table(self.view),
            set.join(", "),
            sql::has_key(self.view)
        ))?;
        self.connection.execute_batch("SAVEPOINT rowsync_update").map_err(failed)?;
        let updated = match self.execute_each(&mut statement, rows, self.view.key_len) {
            Err(error) if error.kind == Kind::Duplicate && rows.len() > 1 => {
                self.connection.execute_batch("ROLLBACK TO rowsync_update").map_err(failed)?;
                if !self.park(rows)? {
                    return Err(error);
                }
                self.execute_each(&mut statement, rows, self.view.key_len)?
            }
            updated => updated?,
        };
        self.connection.execute_batch("RELEASE rowsync_update").map_err(failed)?;
        Ok(updated)
    }

    /// Moves the unique values of these rows out of the way; not where there are none that can be moved.
    fn park(&self, rows: &RowPage) -> Result<bool> {
        let Some(text) = parking(self.connection, self.view)? else { return Ok(false) };
        let mut statement = self.prepare(text)?;
        for place in 0..rows.len() {
            sql::bind_key(&mut statement, self.view, &rows.key(place), 0)?;
            statement.raw_execute().map_err(failed)?;
        }
        Ok(true)
    }

    /// `"name" = ?n` for each column that is not of the key.
    fn assignments(&self) -> Vec<String> {
        let columns = self.written().skip_while(|(index, _)| *index < self.view.key_len);
        columns.map(|(index, name)| format!("{} = ?{}", sql::quoted(name), index + 1)).collect()
    }

    fn insert(&self, rows: &RowPage) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        // Behind those of the columns come the parameters of what every row gets. They stay bound.
        let given = self.view.given.iter().enumerate().map(|(index, given)| (self.view.columns.len() + index, given));
        let columns = self.written().chain(given.clone().map(|(index, given)| (index, given.column.name.as_str())));
        let (places, names): (Vec<usize>, Vec<&str>) = columns.unzip();
        let parameters: Vec<String> = places.iter().map(|index| format!("?{}", index + 1)).collect();
        let mut statement = self.prepare(format!(
            "INSERT INTO {} ({}) VALUES ({})",
            sql::table(self.view),
            sql::quoted_list(names),
            parameters.join(", ")
        ))?;
        for (index, given) in given {
            statement.raw_bind_parameter(index + 1, stored(&given.value)).map_err(failed)?;
        }
        self.execute_each(&mut statement, rows, 0)
    }

    /// Index and name of the columns that are written.
    fn written(&self) -> impl Iterator<Item = (usize, &str)> {
        let columns = self.view.columns.iter().enumerate();
        columns
            .filter(|(_, column)| column.column.filled != Filled::ByExpression)
            .map(|(index, column)| (index, column.column.name.as_str()))
    }

    fn prepare(&self, text: String) -> Result<CachedStatement<'a>> {
        tell("write", &text);
        self.connection.prepare_cached(&text).map_err(failed)
    }

    /// Runs the statement once for each row; the parameters are numbered like the columns, and the first `sought` of
    /// them tell which row is meant. Returns the rows that it hit.
    fn execute_each(&self, statement: &mut CachedStatement<'_>, rows: &RowPage, sought: usize) -> Result<u64> {
        let mut hit = 0;
        for row in rows.rows() {
            match rows.form {
                Form::Fields => self.bind_fields(statement, row, sought)?,
                Form::Raw => self.bind_raw(statement, row)?,
            }
            hit += statement.raw_execute().map_err(failed)?;
        }
        Ok(hit as u64)
    }

    fn bind_fields(&self, statement: &mut CachedStatement<'_>, row: &[u8], sought: usize) -> Result<()> {
        let mut values = fields(row);
        for (index, binder) in self.binders.iter().enumerate() {
            let value = values.next().ok_or_else(broken_row)?.map_err(|error| broken_row().caused_by(error))?;
            match binder {
                Some(binder) if index < sought => binder.bind_sought(statement, index + 1, value)?,
                Some(binder) => binder.bind(statement, index + 1, value)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Values of the storage classes that they are to have.
    fn bind_raw(&self, statement: &mut CachedStatement<'_>, row: &[u8]) -> Result<()> {
        let mut values = raw::values(row);
        for (index, binder) in self.binders.iter().enumerate() {
            let stored = values.next().ok_or_else(broken_row)?;
            if binder.is_some() {
                refuse_broken_text(stored, &self.view.columns[index])?;
                statement.raw_bind_parameter(index + 1, ToSqlOutput::Borrowed(stored)).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// What a setting means to SQLite, whose columns convert it as they do with a literal.
fn stored(value: &Value) -> ToSqlOutput<'_> {
    match value {
        Value::Bool(yes) => ToSqlOutput::from(*yes),
        Value::Int(whole) => ToSqlOutput::from(*whole),
        Value::Float(float) => ToSqlOutput::from(*float),
        Value::Decimal(text) => text.parse::<f64>().map_or(ToSqlOutput::from(text.as_str()), ToSqlOutput::from),
        Value::Text(text) | Value::Json(text) => ToSqlOutput::from(text.as_str()),
        _ => ToSqlOutput::from(rusqlite::types::Null),
    }
}
