//! A database in memory: the smallest adapter, for tests and for reading how an adapter is made.
//!
//! Its tables are typed, its snapshots stand still, its transactions are all or nothing. It has no foreign keys to
//! check and no collations.

mod filter;
mod order;
mod read;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Filter;
use rowsync_engine::limits::TableLimits;
use rowsync_engine::schema::{ForeignKey, TableName, TableSchema, TableView, find_name};
use rowsync_engine::store::{Capabilities, Consistency, Engine, Result, Snapshot, Store, Transaction};
use rowsync_engine::value::Value;

use order::SortedKey;

/// The rows of one table, in the order of the key.
pub(crate) type Rows = BTreeMap<SortedKey, Vec<Value>>;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub schema: TableSchema,
    pub rows: Rows,
}

pub(crate) type Tables = BTreeMap<String, Table>;

/// A database in memory.
#[derive(Debug, Default)]
pub struct Memory {
    tables: Arc<Mutex<Arc<Tables>>>,
}

impl Memory {
    pub fn new() -> Arc<Memory> {
        Arc::new(Memory::default())
    }

    /// Replaces the rows of a table, each with a value for every column in the order of the schema.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn fill(&self, table: &str, rows: impl IntoIterator<Item = Vec<Value>>) -> Result<()> {
        self.change(|tables| {
            let name = TableName::new(table);
            let table = tables.get_mut(table).ok_or_else(|| no_table(&name))?;
            table.rows = rows.into_iter().map(|row| (order::key_of(&table.schema, &row), row)).collect();
            Ok(())
        })
    }

    /// All rows of a table in the order of the key; empty where there is no such table.
    pub fn rows(&self, table: &str) -> Vec<Vec<Value>> {
        self.now().get(table).map(|table| table.rows.values().cloned().collect()).unwrap_or_default()
    }

    fn now(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tables) -> Result<T>) -> Result<T> {
        write::change(&self.tables, change)
    }
}

pub(crate) fn no_table(name: &TableName) -> StoreError {
    StoreError::new(Kind::SchemaMismatch, "find", "there is no such table").at(name)
}

#[async_trait]
impl Store for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            engine: Engine { name: "memory", major_version: 1 },
            frozen_snapshots: true,
            typed: true,
            digests: vec![DigestKind::Count, DigestKind::Stream, DigestKind::Portable],
            raw_pages: false,
            bytewise_is_indexed: true,
            concurrency: 4,
            limits: TableLimits::NONE,
        }
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn tables(&self) -> Result<Vec<TableName>> {
        Ok(self.now().keys().map(TableName::new).collect())
    }

    async fn describe(&self, table: &TableName) -> Result<Option<TableSchema>> {
        let tables: Vec<TableSchema> = self.now().values().map(|table| table.schema.clone()).collect();
        Ok(find_name(&tables, &table.name, |schema| &schema.name.name).cloned())
    }

    async fn create_table(&self, like: &TableSchema, foreign_keys: &[ForeignKey]) -> Result<TableSchema> {
        let name = TableName::new(&like.name.name);
        let schema = TableSchema { name: name.clone(), foreign_keys: foreign_keys.to_vec(), ..like.clone() };
        self.change(|tables| {
            if tables.contains_key(&name.name) {
                return Err(StoreError::new(Kind::SchemaMismatch, "create", "the table is there already").at(&name));
            }
            tables.insert(name.name.clone(), Table { schema: schema.clone(), rows: Rows::new() });
            Ok(schema)
        })
    }

    async fn add_foreign_keys(&self, table: &TableName, foreign_keys: &[ForeignKey]) -> Result<()> {
        self.change(|tables| {
            let found = tables.get_mut(&table.name).ok_or_else(|| no_table(table))?;
            let added = foreign_keys.iter().filter(|key| !found.schema.foreign_keys.contains(key)).cloned();
            let added: Vec<ForeignKey> = added.collect();
            found.schema.foreign_keys.extend(added);
            Ok(())
        })
    }

    async fn check_filter(&self, table: &TableName, filter: &Filter) -> Result<()> {
        let tables = self.now();
        let found = tables.get(&table.name).ok_or_else(|| no_table(table))?;
        filter::Sieve::new(&found.schema, filter).map(drop)
    }

    async fn snapshot(&self, consistency: Consistency) -> Result<Arc<dyn Snapshot>> {
        Ok(Arc::new(match consistency {
            Consistency::Frozen => read::MemorySnapshot::Frozen(self.now()),
            Consistency::Latest => read::MemorySnapshot::Latest(Arc::clone(&self.tables)),
        }))
    }

    async fn begin(&self, view: &Arc<TableView>) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(write::MemoryTransaction::new(Arc::clone(&self.tables), Arc::clone(view))))
    }

    async fn begin_beside(&self, view: &Arc<TableView>) -> Result<Option<Box<dyn Transaction>>> {
        self.begin(view).await.map(Some)
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}
