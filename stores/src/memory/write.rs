//! Writing to memory: a transaction notes what it is told, and commits it in one step.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::row::{Form, RowPage, fields};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Result, Transaction};
use rowsync_engine::value::Value;

use super::filter::Sieve;
use super::order::key_of;
use super::read::{in_view, places, rows_of, sorted};
use super::{Table, Tables, no_table};

type Shared = Arc<Mutex<Arc<Tables>>>;

/// Changes the tables, or leaves them as they are when the change fails.
pub(crate) fn change<T>(shared: &Shared, change: impl FnOnce(&mut Tables) -> Result<T>) -> Result<T> {
    let mut now = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut next = Tables::clone(&now);
    let answer = change(&mut next)?;
    *now = Arc::new(next);
    Ok(answer)
}

pub(crate) struct MemoryTransaction {
    shared: Shared,
    view: Arc<TableView>,
    noted: Vec<Arc<Changes>>,
}

impl MemoryTransaction {
    pub(crate) fn new(shared: Shared, view: Arc<TableView>) -> MemoryTransaction {
        MemoryTransaction { shared, view, noted: Vec::new() }
    }

    /// The tables with what was noted.
    fn as_seen(&self) -> Result<Tables> {
        let mut tables = Tables::clone(&self.shared.lock().unwrap_or_else(PoisonError::into_inner));
        self.noted.iter().try_for_each(|noted| self.try_out(&mut tables, noted).map(|_| ()))?;
        Ok(tables)
    }

    /// What the changes would do to the tables as they are now, with those noted before.
    fn try_out(&self, tables: &mut Tables, changes: &Changes) -> Result<Applied> {
        let table = tables.get_mut(&self.view.table.name).ok_or_else(|| no_table(&self.view.table))?;
        apply(table, &self.view, changes)
    }
}

#[async_trait]
impl Transaction for MemoryTransaction {
    async fn before(&mut self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        let tables = self.as_seen()?;
        let table = tables.get(&self.view.table.name).ok_or_else(|| no_table(&self.view.table))?;
        let table = in_view(table, view)?;
        Ok(rows_of(&table, view, &places(&table, view)?, keys))
    }

    async fn write(&mut self, changes: Arc<Changes>) -> Result<Applied> {
        let mut tables = self.as_seen()?;
        let applied = self.try_out(&mut tables, &changes)?;
        self.noted.push(changes);
        Ok(applied)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        change(&self.shared, |tables| {
            self.noted.iter().try_for_each(|changes| self.try_out(tables, changes).map(|_| ()))
        })
    }
}

fn apply(table: &mut Table, view: &TableView, changes: &Changes) -> Result<Applied> {
    let places = places(table, view)?;
    let mut applied = Applied { queries: 1, ..Applied::default() };
    let schema = table.schema.clone();
    let sieve = Sieve::new(&schema, &view.filter)?;
    for key in &changes.deletes {
        let key = sorted(key);
        if table.rows.get(&key).is_some_and(|row| sieve.keeps(row)) {
            table.rows.remove(&key);
            applied.deleted += 1;
        }
    }
    for values in rows(&changes.updates, view)? {
        let mut row = vec![Value::Null; table.schema.columns.len()];
        places.iter().zip(values).for_each(|(place, value)| row[*place] = value);
        let key = key_of(&table.schema, &row);
        if let Some(found) = table.rows.get_mut(&key).filter(|row| sieve.keeps(row)) {
            places.iter().for_each(|place| found[*place] = row[*place].clone());
            applied.updated += 1;
        }
    }
    for values in rows(&changes.inserts, view)? {
        let mut row = vec![Value::Null; table.schema.columns.len()];
        places.iter().zip(values).for_each(|(place, value)| row[*place] = value);
        for given in &view.given {
            if let Some(place) = table.schema.columns.iter().position(|column| column.name == given.column.name) {
                row[place] = given.value.clone();
            }
        }
        refuse_null(table, view, &row)?;
        let key = key_of(&table.schema, &row);
        if table.rows.insert(key, row).is_some() {
            return Err(
                StoreError::new(Kind::Duplicate, "insert", "a row with this key is there already").at(&view.table)
            );
        }
        applied.inserted += 1;
    }
    applied.bytes_written = (changes.inserts.row_bytes() + changes.updates.row_bytes()) as u64;
    Ok(applied)
}

fn refuse_null(table: &Table, view: &TableView, row: &[Value]) -> Result<()> {
    let columns = table.schema.columns.iter().zip(row);
    match columns.into_iter().find(|(column, value)| !column.nullable && **value == Value::Null) {
        Some((column, _)) => {
            Err(StoreError::new(Kind::Constraint, "insert", format!("column {} must not be null", column.name))
                .at(&view.table))
        }
        None => Ok(()),
    }
}

fn rows(page: &RowPage, view: &TableView) -> Result<Vec<Vec<Value>>> {
    if page.form == Form::Raw {
        return Err(StoreError::new(Kind::Bug, "write", "raw pages are not understood").at(&view.table));
    }
    let broken = |_| StoreError::new(Kind::Bug, "write", "a row is broken").at(&view.table);
    page.rows()
        .map(|row| {
            fields(row)
                .map(|field| field.map(|value| value.to_value()))
                .collect::<std::result::Result<_, _>>()
                .map_err(broken)
        })
        .collect()
}
