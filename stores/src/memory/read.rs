//! Reading from memory.

use std::borrow::Cow;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Gathered, PageRequest, Result, Snapshot, Survey};
use rowsync_engine::value::Value;

use super::filter::Sieve;
use super::order::SortedKey;
use super::{Table, Tables, no_table};

pub(crate) enum MemorySnapshot {
    Frozen(Arc<Tables>),
    Latest(Arc<Mutex<Arc<Tables>>>),
}

impl MemorySnapshot {
    fn tables(&self) -> Arc<Tables> {
        match self {
            MemorySnapshot::Frozen(tables) => Arc::clone(tables),
            MemorySnapshot::Latest(tables) => Arc::clone(&tables.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn with<T>(&self, view: &TableView, read: impl FnOnce(&Table, &[usize]) -> Result<T>) -> Result<T> {
        let tables = self.tables();
        let table = tables.get(&view.table.name).ok_or_else(|| no_table(&view.table))?;
        let table = in_view(table, view)?;
        read(&table, &places(&table, view)?)
    }
}

/// The table with the rows of the view alone.
pub(crate) fn in_view<'a>(table: &'a Table, view: &TableView) -> Result<Cow<'a, Table>> {
    if view.filter.is_all() {
        return Ok(Cow::Borrowed(table));
    }
    let sieve = Sieve::new(&table.schema, &view.filter)?;
    let rows = table.rows.iter().filter(|(_, row)| sieve.keeps(row)).map(|(key, row)| (key.clone(), row.clone()));
    Ok(Cow::Owned(Table { schema: table.schema.clone(), rows: rows.collect() }))
}

/// For each column of the view, its place in the table.
pub(crate) fn places(table: &Table, view: &TableView) -> Result<Vec<usize>> {
    let place = |name: &str| table.schema.columns.iter().position(|column| column.name == name);
    let missing = |name: &str| {
        StoreError::new(Kind::SchemaMismatch, "read", format!("there is no column {name}")).at(&view.table)
    };
    view.columns.iter().map(|c| place(&c.column.name).ok_or_else(|| missing(&c.column.name))).collect()
}

pub(crate) fn sorted(key: &Key) -> SortedKey {
    SortedKey(key.values().unwrap_or_default().into_iter().map(|value| value.to_value()).collect())
}

fn rows_in<'a>(table: &'a Table, range: &KeyRange) -> impl DoubleEndedIterator<Item = &'a Vec<Value>> + use<'a> {
    let after = range.after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(sorted(key)));
    let through = range.through.as_ref().map_or(Bound::Unbounded, |key| Bound::Included(sorted(key)));
    let empty = matches!((&after, &through), (Bound::Excluded(a), Bound::Included(t)) if a >= t);
    let rows = (!empty).then(|| table.rows.range((after, through)));
    rows.into_iter().flatten().map(|(_, row)| row)
}

fn key_of(row: &[Value], view: &TableView, places: &[usize]) -> Key {
    Key::new(places[..view.key_len].iter().map(|place| row[*place].as_ref()))
}

fn push(page: &mut RowPage, row: &[Value], places: &[usize]) {
    for (index, place) in places.iter().enumerate() {
        if index < page.key_len { page.push_key(row[*place].as_ref()) } else { page.push(row[*place].as_ref()) }
    }
    page.end_row();
}

/// The rows of the view with these keys.
pub(crate) fn rows_of(table: &Table, view: &TableView, places: &[usize], keys: &[Key]) -> RowPage {
    let mut page = RowPage::new(Form::Fields, view.key_len);
    let rows = keys.iter().filter_map(|key| table.rows.get(&sorted(key)));
    rows.for_each(|row| push(&mut page, row, places));
    page.finish();
    page.bytes_read = page.row_bytes() as u64;
    page
}

fn later(row: &[Value], place: Option<usize>, moment: &Value) -> bool {
    let Some(place) = place else { return false };
    row[place] != Value::Null && SortedKey(vec![row[place].clone()]) > SortedKey(vec![moment.clone()])
}

fn modify_place(table: &Table, view: &TableView) -> Option<usize> {
    let name = view.modify_time.as_ref()?;
    table.schema.columns.iter().position(|column| &column.name == name)
}

#[async_trait]
impl Snapshot for MemorySnapshot {
    async fn survey(&self, view: &Arc<TableView>, since: Option<&Value>) -> Result<Survey> {
        self.with(view, |table, places| {
            let modify = modify_place(table, view);
            let times = || {
                table
                    .rows
                    .values()
                    .filter_map(|row| modify.map(|place| row[place].clone()))
                    .filter(|t| *t != Value::Null)
            };
            let changed = since
                .zip(modify)
                .map(|(since, _)| table.rows.values().filter(|row| later(row, modify, since)).count() as u64);
            let null_key = |row: &&Vec<Value>| places[..view.key_len].iter().any(|place| row[*place] == Value::Null);
            Ok(Survey {
                rows: table.rows.len() as u64,
                changed,
                newest: times().max_by(|a, b| SortedKey(vec![a.clone()]).cmp(&SortedKey(vec![b.clone()]))),
                null_keys: table.rows.values().filter(null_key).count() as u64,
                row_bytes: None,
            })
        })
    }

    async fn split(&self, view: &Arc<TableView>, ranges: &[KeyRange], rows_per_part: u64) -> Result<Vec<Vec<Key>>> {
        let step = rows_per_part.max(1) as usize;
        self.with(view, |table, places| {
            let cuts = |range: &KeyRange| {
                let nth = rows_in(table, range).skip(step - 1).step_by(step);
                let mut keys: Vec<Key> = nth.map(|row| key_of(row, view, places)).collect();
                // A cut behind the last row would make an empty part.
                let last = rows_in(table, range).next_back().map(|row| key_of(row, view, places));
                keys.pop_if(|key| last.as_ref() == Some(key));
                keys
            };
            Ok(ranges.iter().map(cuts).collect())
        })
    }

    async fn before_last(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Key>> {
        self.with(view, |table, places| {
            Ok(table.rows.values().rev().nth(rows as usize).map(|row| key_of(row, view, places)))
        })
    }

    async fn digests(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        kind: DigestKind,
        salt: u64,
    ) -> Result<Vec<Digest>> {
        let domains: Vec<Domain> = view.domains();
        self.with(view, |table, places| {
            let digest = |range: &KeyRange| {
                if kind == DigestKind::Count {
                    return Ok(Digest { rows: rows_in(table, range).count() as u64, sum: 0 });
                }
                let mut page = RowPage::new(Form::Fields, view.key_len);
                rows_in(table, range).for_each(|row| push(&mut page, row, places));
                let digest = match kind {
                    DigestKind::Portable => page.portable_digest(&domains, salt),
                    _ => page.digest(&domains, salt),
                };
                digest.map_err(|error| StoreError::new(Kind::BadValue, "digest", error.to_string()).at(&view.table))
            };
            ranges.iter().map(digest).collect()
        })
    }

    async fn page(&self, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage> {
        self.with(view, |table, places| {
            let places = if request.keys_only { &places[..view.key_len] } else { places };
            let modify = modify_place(table, view);
            let wanted =
                |row: &&Vec<Value>| request.modified_after.as_ref().is_none_or(|moment| later(row, modify, moment));
            let mut page = RowPage::new(Form::Fields, view.key_len);
            for row in rows_in(table, &request.range).filter(wanted) {
                if page.len() == request.rows_max || (!page.is_empty() && page.row_bytes() >= request.bytes_max) {
                    page.complete = false;
                    break;
                }
                push(&mut page, row, places);
            }
            page.finish();
            page.bytes_read = page.row_bytes() as u64;
            Ok(page)
        })
    }

    async fn gather(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>> {
        self.with(view, |table, places| {
            let places = if wanted == Gathered::Keys { &places[..view.key_len] } else { places };
            let mut page = RowPage::new(Form::Fields, view.key_len);
            let rows = ranges.iter().flat_map(|range| rows_in(table, range));
            rows.for_each(|row| push(&mut page, row, places));
            page.finish();
            page.bytes_read = page.row_bytes() as u64;
            Ok((page.row_bytes() <= bytes_max).then_some(page))
        })
    }

    async fn rows_by_key(&self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        self.with(view, |table, places| Ok(rows_of(table, view, places, keys)))
    }
}
