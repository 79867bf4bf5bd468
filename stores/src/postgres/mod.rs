//! PostgreSQL, version 12 and later. Rows travel by binary COPY in both directions; statements carry keys as literals.

#![allow(clippy::result_large_err, reason = "an error ends a statement of milliseconds; its size costs nothing")]

mod canonical;
mod cascade;
mod classify;
mod collations;
mod connection;
mod copy;
mod create;
mod decode;
mod digest;
mod domains;
mod encode;
mod filter;
mod fit;
mod foreseen;
mod hash;
mod histogram;
mod index;
mod link;
mod literal;
mod log;
mod lookup3;
mod mark;
mod measure;
mod numeric;
mod opening;
mod own_types;
mod park;
mod portable;
mod ranges;
mod read;
mod rows;
mod rules;
mod savepoint;
mod schema;
mod select;
mod sequence;
mod snapshot;
mod split;
mod stage;
mod stream;
mod stretch;
mod survey;
mod types;
mod values;
mod walk;
mod wire;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use rowsync_engine::cost::LinkSpeed;
use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Filter;
use rowsync_engine::limits::{NameRule, TableLimits};
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{DataType, ForeignKey, TableName, TableSchema, TableView};
use rowsync_engine::sightings::{Mark, Pulse};
use rowsync_engine::store::{
    Capabilities, Consistency, Creation, Decoder, Encoder, Engine, Result, Snapshot, Store, Transaction,
};
use sqlx::Connection as _;
use tokio::sync::Semaphore;

use self::connection::Door;
use self::decode::TupleDecoder;
use self::foreseen::Foreseen;
use self::link::Link;
use self::opening::Opening;
use self::snapshot::Reading;
use self::survey::Sizes;
use self::write::Writing;
use crate::{Access, Connection};

/// Generated columns, hashes of 64 bits and the functions on partitions are all there.
const OLDEST_MAJOR_VERSION: u32 = 12;
/// NAMEDATALEN with a NUL at the end, and MaxHeapAttributeNumber; hardly any server is built otherwise.
const LIMITS: TableLimits = TableLimits {
    name_bytes: 63,
    columns: 1_600,
    names: NameRule::Exact,
    own_columns: &["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"],
};

/// A copy that is quickest writes by two connections, and proves by a third one what was written.
const CONNECTIONS_OF_A_COPY: u32 = 3;

pub struct Postgres {
    door: Door,
    link: Arc<Link>,
    sizes: Arc<Sizes>,
    schema: Option<String>,
    access: Access,
    connections_max: u32,
    /// Room for transactions beside others.
    beside: Arc<Semaphore>,
    major_version: u32,
}

impl Postgres {
    /// Connects once, so that a wrong address, password or database is told at once.
    ///
    /// # Errors
    /// Where the server does not answer, refuses us, lacks the database, or is too old.
    pub async fn connect(connection: &Connection) -> Result<Arc<Postgres>> {
        let door = Door::new(connection)?;
        let opening = Opening::of(&door, connection.connections_max).await?;
        let major_version = opening.first.connection.server_version_num().unwrap_or_default() / 10_000;
        if major_version < OLDEST_MAJOR_VERSION {
            let message =
                format!("PostgreSQL {major_version} is older than {OLDEST_MAJOR_VERSION}, the oldest that works");
            return Err(StoreError::new(Kind::SchemaMismatch, "connect", message));
        }
        Ok(Arc::new(Postgres {
            link: Arc::new(Link::beginning_with(door.clone(), opening, connection.connections_max)),
            door,
            sizes: Arc::default(),
            schema: connection.schema.clone(),
            access: connection.access,
            connections_max: connection.connections_max,
            beside: Arc::new(Semaphore::new((connection.connections_max / CONNECTIONS_OF_A_COPY) as usize)),
            major_version,
        }))
    }

    fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    fn may_write(&self, operation: &'static str) -> Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read | Access::Look => Err(StoreError::new(Kind::Forbidden, operation, "this side is only read")),
        }
    }
}

#[async_trait]
impl Store for Postgres {
    fn capabilities(&self) -> Capabilities {
        let mut digests = vec![DigestKind::Count, DigestKind::Server, DigestKind::Stream, DigestKind::Raw];
        if self.major_version >= canonical::OLDEST_MAJOR_VERSION {
            digests.push(DigestKind::Portable);
        }
        Capabilities {
            engine: Engine { name: rules::ENGINE, major_version: self.major_version },
            frozen_snapshots: true,
            typed: true,
            digests,
            raw_pages: true,
            bytewise_is_indexed: false,
            // A frozen snapshot is kept by one connection of its own.
            concurrency: self.connections_max.saturating_sub(1).max(1) as usize,
            limits: LIMITS,
        }
    }

    async fn ping(&self) -> Result<()> {
        let mut lease = self.link.lease("ping").await?;
        lease.execute("SELECT 1").await?;
        lease.release();
        Ok(())
    }

    async fn reconnect(&self) -> Result<()> {
        self.link.renew();
        // By ourselves: the pool would try again and again until its own timeout.
        let first = self.door.open().await?;
        let _ = first.connection.close().await;
        Ok(())
    }

    async fn tables(&self) -> Result<Vec<TableName>> {
        let mut lease = self.link.lease("describe").await?;
        let tables = schema::tables(&mut lease, self.schema()).await?;
        lease.release();
        Ok(tables)
    }

    async fn describe(&self, table: &TableName) -> Result<Option<TableSchema>> {
        let mut lease = self.link.lease("describe").await.map_err(|e| e.at(table))?;
        let described = schema::describe_and_size(&mut lease, self.schema(), table).await.map_err(|e| e.at(table))?;
        lease.release();
        Ok(described.map(|(schema, size)| {
            self.sizes.remember(&schema.name, size);
            schema
        }))
    }

    async fn create_table(&self, like: &TableSchema, foreign_keys: &[ForeignKey]) -> Result<TableSchema> {
        self.may_write("create")?;
        let name = create::place(&like.name, self.schema());
        let mut lease = self.link.lease("create").await.map_err(|e| e.at(&name))?;
        let more_follows = !foreign_keys.is_empty() || !like.rules.is_empty();
        create::create(&mut lease, like, &name, more_follows).await.map_err(|e| e.at(&name))?;
        lease.release();
        self.describe(&name).await?.ok_or_else(|| {
            StoreError::new(Kind::SchemaMismatch, "create", "the table that was made cannot be found").at(&name)
        })
    }

    async fn creation(&self, like: &TableSchema, foreign_keys: &[ForeignKey]) -> Result<Creation> {
        let name = create::place(&like.name, self.schema());
        let mut lease = self.link.lease("create").await.map_err(|e| e.at(&name))?;
        let creation = create::creation(&mut lease, like, &name, foreign_keys, self.schema()).await;
        let creation = creation.map_err(|e| e.at(&name))?;
        lease.release();
        Ok(creation)
    }

    async fn add_columns(&self, table: &TableName, like: &TableSchema) -> Result<TableSchema> {
        self.may_write("create")?;
        let mut lease = self.link.lease("create").await.map_err(|e| e.at(table))?;
        create::add_columns(&mut lease, table, like).await.map_err(|e| e.at(table))?;
        lease.release();
        self.describe(table).await?.ok_or_else(|| {
            StoreError::new(Kind::SchemaMismatch, "create", "the table that got columns cannot be found").at(table)
        })
    }

    async fn rules(&self, table: &TableName) -> Result<TableRules> {
        let mut lease = self.link.lease("describe").await.map_err(|e| e.at(table))?;
        let rules = rules::rules(&mut lease, self.schema(), table).await.map_err(|e| e.at(table))?;
        lease.release();
        Ok(rules)
    }

    async fn add_rules(&self, table: &TableName, like: &TableSchema) -> Result<Vec<String>> {
        let has_types = like
            .columns
            .iter()
            .any(|column| matches!(column.data_type, DataType::Enum { .. } | DataType::Other | DataType::Local));
        if like.rules.is_empty() && !has_types {
            return Ok(Vec::new());
        }
        self.may_write("create")?;
        let mut lease = self.link.lease("create").await.map_err(|e| e.at(table))?;
        let refused = rules::add(&mut lease, self.schema(), table, like).await.map_err(|e| e.at(table))?;
        lease.release();
        Ok(refused)
    }

    async fn add_foreign_keys(&self, table: &TableName, foreign_keys: &[ForeignKey]) -> Result<()> {
        self.may_write("create")?;
        let mut lease = self.link.lease("create").await.map_err(|e| e.at(table))?;
        create::add_foreign_keys(&mut lease, self.schema(), table, foreign_keys).await.map_err(|e| e.at(table))?;
        lease.release();
        Ok(())
    }

    async fn unfinished_tables(&self) -> Result<Vec<TableName>> {
        let mut lease = self.link.lease("describe").await?;
        let tables = create::unfinished(&mut lease).await?;
        lease.release();
        Ok(tables)
    }

    async fn advance_numbers(&self, table: &TableName) -> Result<()> {
        self.may_write("write").map_err(|e| e.at(table))?;
        let mut lease = self.link.lease("write").await.map_err(|e| e.at(table))?;
        sequence::advance(&mut lease, table).await.map_err(|e| e.at(table))?;
        lease.release();
        Ok(())
    }

    async fn check_filter(&self, table: &TableName, filter: &Filter) -> Result<()> {
        let mut lease = self.link.lease("plan").await.map_err(|e| e.at(table))?;
        filter::check(&mut lease, table, filter).await.map_err(|e| e.at(table))?;
        lease.release();
        Ok(())
    }

    async fn snapshot(&self, consistency: Consistency) -> Result<Arc<dyn Snapshot>> {
        Ok(match consistency {
            Consistency::Latest => Arc::new(Reading::latest(Arc::clone(&self.link), Arc::clone(&self.sizes))),
            Consistency::Frozen => {
                Arc::new(Reading::frozen(&self.door, self.connections_max, Arc::clone(&self.sizes)).await?)
            }
        })
    }

    async fn begin(&self, view: &Arc<TableView>) -> Result<Box<dyn Transaction>> {
        self.may_write("write").map_err(|e| e.at(&view.table))?;
        Ok(Box::new(Writing::begin(&self.link, view).await.map_err(|e| e.at(&view.table))?))
    }

    async fn begin_beside(&self, view: &Arc<TableView>) -> Result<Option<Box<dyn Transaction>>> {
        self.may_write("write").map_err(|e| e.at(&view.table))?;
        let Ok(room) = Arc::clone(&self.beside).try_acquire_owned() else { return Ok(None) };
        let begun = Writing::begin_beside(&self.link, view, room).await.map_err(|e| e.at(&view.table))?;
        Ok(begun.map(|writing| Box::new(writing) as _))
    }

    async fn mark(&self, view: &Arc<TableView>) -> Result<Option<Mark>> {
        let mut lease = self.link.lease("write").await.map_err(|e| e.at(&view.table))?;
        let mark = mark::mark(&mut lease, view).await.map_err(|e| e.at(&view.table))?;
        lease.release();
        Ok(mark)
    }

    async fn pulse(&self) -> Result<Option<Pulse>> {
        let mut lease = self.link.lease("read").await?;
        let pulse = mark::pulse(&mut lease).await?;
        lease.release();
        Ok(pulse)
    }

    fn encoder(&self, view: &Arc<TableView>) -> Option<Arc<dyn Encoder>> {
        Some(Arc::new(Foreseen::of(view)?))
    }

    fn decoder(&self, view: &Arc<TableView>) -> Option<Arc<dyn Decoder>> {
        Some(Arc::new(TupleDecoder::of(view)?))
    }

    /// Our commits do not wait for the disk, each on its own. The log is flushed in order, so one commit that does wait
    /// makes all before it safe. It has to write to the log for that, and a transaction number alone does not count:
    /// hence a message, which means nothing to anybody.
    async fn flush(&self) -> Result<()> {
        if self.access != Access::Write {
            return Ok(());
        }
        let mut lease = self.link.lease("flush").await?;
        lease
            .execute(
                "BEGIN; SET LOCAL synchronous_commit = on; \
                 SELECT pg_logical_emit_message(true, 'rowsync', ''); COMMIT",
            )
            .await?;
        lease.release();
        Ok(())
    }

    async fn measure_link(&self) -> Result<LinkSpeed> {
        measure::measure(self.link.lease("ping").await?, self.link.answered_in()).await
    }

    async fn install_log(&self, view: &Arc<TableView>, owner: &str) -> Result<Vec<String>> {
        let mut lease = self.link.lease("track").await.map_err(|e| e.at(&view.table))?;
        let notes = log::install(&mut lease, view, owner).await.map_err(|e| e.at(&view.table))?;
        lease.release();
        Ok(notes)
    }

    async fn remove_log(&self, view: &Arc<TableView>, owner: &str) -> Result<bool> {
        let mut lease = self.link.lease("track").await.map_err(|e| e.at(&view.table))?;
        let removed = log::remove(&mut lease, view, owner).await.map_err(|e| e.at(&view.table))?;
        lease.release();
        Ok(removed)
    }

    async fn is_referenced(&self, view: &Arc<TableView>) -> Result<bool> {
        let mut lease = self.link.lease("describe").await.map_err(|e| e.at(&view.table))?;
        let is_referenced = cascade::is_referenced(&mut lease, view).await.map_err(|e| e.at(&view.table))?;
        lease.release();
        Ok(is_referenced)
    }

    async fn acknowledge(&self, view: &Arc<TableView>, owner: &str, through: &str) -> Result<()> {
        let mut lease = self.link.lease("track").await.map_err(|e| e.at(&view.table))?;
        log::acknowledge(&mut lease, view, owner, through).await.map_err(|e| e.at(&view.table))?;
        lease.release();
        Ok(())
    }

    async fn missing_index(&self, view: &TableView) -> Result<Option<String>> {
        let mut lease = self.link.lease("describe").await.map_err(|e| e.at(&view.table))?;
        let statement = index::missing(&mut lease, view).await.map_err(|e| e.at(&view.table))?;
        lease.release();
        Ok(statement)
    }
}
