//! SQLite: files read and written on threads of their own.
//!
//! One thread writes, a few read, and each frozen snapshot has one more, with a read transaction that stands still. A
//! frozen snapshot of a file that is not in WAL mode keeps other programs from writing to it while it lasts; the journal
//! mode of a source is its owner's business and never changed.

mod affinity;
mod bind;
mod cascade;
mod checkpoint;
mod classify;
mod create;
mod declared;
mod decode;
mod definition;
mod digest;
mod encode;
mod filter;
mod flush;
mod index;
mod location;
mod log;
mod mark;
mod park;
mod raw;
mod read;
mod references;
mod rules;
mod schema;
mod snapshot;
mod spelling;
mod split;
mod sql;
mod standing;
mod stretch;
mod thread;
mod transaction;
mod values;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Filter;
use rowsync_engine::limits::{NameRule, TableLimits};
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{ForeignKey, TableName, TableSchema, TableView};
use rowsync_engine::sightings::Mark;
use rowsync_engine::store::{
    BrokenKey, Capabilities, Consistency, Creation, Decoder, Encoder, Engine, Snapshot, Store, Transaction,
};

use crate::Connection;
use decode::RowDecoder;
use encode::RowEncoder;
use location::Location;
use snapshot::ThreadSnapshot;
use thread::Threads;
use transaction::Writer;

type Result<T> = std::result::Result<T, StoreError>;

/// Threads that read what was committed last. More than the processor's cores would only wait for each other.
const READERS: usize = 2;
/// Names may have any length; SQLITE_MAX_COLUMN is 2,000 unless SQLite was built otherwise, and ours was not.
const LIMITS: TableLimits =
    TableLimits { name_bytes: usize::MAX, columns: 2_000, names: NameRule::AnyCase, own_columns: &[] };

/// A file of SQLite.
pub struct Sqlite {
    location: Location,
    readers: Arc<Threads>,
    /// `None` where nothing may be written.
    writer: Option<Writer>,
}

impl Sqlite {
    /// Opens the file, or makes it where that is allowed.
    ///
    /// # Errors
    /// When there is no such file, it is no database, or it may not be opened in this way.
    pub async fn connect(connection: &Connection) -> Result<Arc<Sqlite>> {
        let location = Location::new(connection)?;
        let opened = tokio::task::spawn_blocking(move || Sqlite::open(location)).await;
        opened.map_err(|error| StoreError::new(Kind::Bug, "connect", "opening did not end").caused_by(error))?
    }

    fn open(location: Location) -> Result<Arc<Sqlite>> {
        // The writer first: it makes the file.
        let writer = if location.is_writable() {
            Some(Writer::new(location.open_to_write()?, location.open_to_write()?)?)
        } else {
            None
        };
        let readers = (0..READERS).map(|_| location.open_to_read()).collect::<Result<Vec<_>>>()?;
        let readers = Arc::new(Threads::start("read", readers)?);
        Ok(Arc::new(Sqlite { location, readers, writer }))
    }

    /// Runs a job on a connection of its own, which writes although this side need only be read.
    async fn beside<T: Send + 'static>(
        &self,
        view: &Arc<TableView>,
        job: impl FnOnce(&rusqlite::Connection, &TableView) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (location, asked) = (self.location.clone(), Arc::clone(view));
        let done = tokio::task::spawn_blocking(move || job(&location.open_beside()?, &asked)).await;
        let done = done.map_err(|error| StoreError::new(Kind::Bug, "track", "writing did not end").caused_by(error))?;
        done.map_err(|error| error.at(&view.table))
    }

    fn writer(&self, operation: &'static str) -> Result<&Writer> {
        self.writer.as_ref().ok_or_else(|| {
            let path = self.location.path.display();
            StoreError::new(Kind::Forbidden, operation, format!("{path} is opened for reading only"))
        })
    }
}

#[async_trait]
impl Store for Sqlite {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            engine: Engine { name: rules::ENGINE, major_version: 3 },
            frozen_snapshots: true,
            typed: false,
            digests: vec![DigestKind::Count, DigestKind::Stream, DigestKind::Portable, DigestKind::Raw],
            raw_pages: true,
            // Columns are compared byte by byte unless they say otherwise; `missing_index` tells of those that do.
            bytewise_is_indexed: true,
            concurrency: READERS,
            limits: LIMITS,
        }
    }

    async fn ping(&self) -> Result<()> {
        let text = "SELECT count(*) FROM sqlite_schema";
        self.readers.call(move |connection, _| connection.query_row(text, [], |_| Ok(())).map_err(read::failed)).await
    }

    async fn tables(&self) -> Result<Vec<TableName>> {
        self.readers.call(|connection, _| schema::tables(connection)).await
    }

    async fn describe(&self, table: &TableName) -> Result<Option<TableSchema>> {
        let name = table.clone();
        let described = self.readers.call(move |connection, _| schema::describe(connection, &name)).await;
        described.map_err(|error| error.at(table))
    }

    async fn create_table(&self, like: &TableSchema, foreign_keys: &[ForeignKey]) -> Result<TableSchema> {
        let (like, foreign_keys) = (like.clone(), foreign_keys.to_vec());
        let writer = self.writer("create")?;
        writer.alone(move |connection| create::create_table(connection, &like, &foreign_keys)).await
    }

    async fn add_columns(&self, table: &TableName, like: &TableSchema) -> Result<TableSchema> {
        let (name, like) = (table.clone(), like.clone());
        self.writer("create")?.alone(move |connection| create::add_columns(connection, &name, &like)).await
    }

    async fn rules(&self, table: &TableName) -> Result<TableRules> {
        let name = table.name.clone();
        let rules = self.readers.call(move |connection, _| rules::rules(connection, &name)).await;
        rules.map_err(|error| error.at(table))
    }

    async fn creation(&self, like: &TableSchema, foreign_keys: &[ForeignKey]) -> Result<Creation> {
        Ok(Creation { before: create::statements(like, foreign_keys), after: Vec::new(), notes: Vec::new() })
    }

    /// They were declared with the table.
    async fn add_foreign_keys(&self, _table: &TableName, _foreign_keys: &[ForeignKey]) -> Result<()> {
        Ok(())
    }

    async fn broken_foreign_keys(&self, table: &TableName) -> Result<Vec<BrokenKey>> {
        let table = table.clone();
        self.readers.call(move |connection, _| references::broken(connection, &table)).await
    }

    async fn check_filter(&self, table: &TableName, filter: &Filter) -> Result<()> {
        let (name, filter) = (table.clone(), filter.clone());
        let checked = self.readers.call(move |connection, _| filter::check(connection, &name.name, &filter)).await;
        checked.map_err(|error| error.at(table))
    }

    async fn snapshot(&self, consistency: Consistency) -> Result<Arc<dyn Snapshot>> {
        match consistency {
            Consistency::Latest => Ok(Arc::new(ThreadSnapshot::new(Arc::clone(&self.readers)))),
            Consistency::Frozen => Ok(Arc::new(ThreadSnapshot::frozen(self.location.clone()).await?)),
        }
    }

    async fn begin(&self, view: &Arc<TableView>) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(self.writer("write")?.begin(view).await?))
    }

    async fn mark(&self, _view: &Arc<TableView>) -> Result<Option<Mark>> {
        self.writer("write")?.alone(|connection| mark::mark(connection)).await.map(Some)
    }

    fn encoder(&self, view: &Arc<TableView>) -> Option<Arc<dyn Encoder>> {
        Some(Arc::new(RowEncoder::new(view)))
    }

    fn decoder(&self, view: &Arc<TableView>) -> Option<Arc<dyn Decoder>> {
        Some(Arc::new(RowDecoder::new(view)))
    }

    async fn flush(&self) -> Result<()> {
        match &self.writer {
            Some(writer) => writer.alone(|connection| flush::flush(connection)).await,
            None => Ok(()),
        }
    }

    async fn install_log(&self, view: &Arc<TableView>, owner: &str) -> Result<Vec<String>> {
        let owner = owner.to_owned();
        self.beside(view, move |connection, view| log::install(connection, view, &owner)).await
    }

    async fn remove_log(&self, view: &Arc<TableView>, owner: &str) -> Result<bool> {
        let owner = owner.to_owned();
        self.beside(view, move |connection, view| log::remove(connection, view, &owner)).await
    }

    async fn is_referenced(&self, view: &Arc<TableView>) -> Result<bool> {
        let table = view.table.clone();
        self.readers.call(move |connection, _| references::is_referenced(connection, &table)).await
    }

    async fn acknowledge(&self, view: &Arc<TableView>, owner: &str, through: &str) -> Result<()> {
        let (owner, through) = (owner.to_owned(), through.to_owned());
        self.beside(view, move |connection, view| log::acknowledge(connection, view, &owner, &through)).await
    }

    async fn missing_index(&self, view: &TableView) -> Result<Option<String>> {
        let view = view.clone();
        self.readers.call(move |connection, _| index::missing_index(connection, &view)).await
    }
}
