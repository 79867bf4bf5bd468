//! The contract between rowsync and a database: three small traits, and capabilities as data.
//!
//! Promises that every adapter keeps, and that the conformance suite checks:
//!
//! * Pages come in the key order of the view, each key once, and a page that is not `complete` holds at least one row.
//! * A digest of the same rows is the same, however the ranges are cut: the digests of the parts add up to the whole.
//!   A portable one does not add up, but is the same for the same rows in every store.
//! * Inserting a row that is there already is a constraint error and leaves nothing behind; updating a row to what it is,
//!   and deleting a row that is gone, change nothing. A step that got no answer is repeated from its comparison.
//! * Nothing of a transaction is seen before `commit`; after it, every new answer of a `Latest` snapshot sees it.
//!   Dropping a transaction rolls it back.
//! * A digest of the kind `Raw` tells rows apart that differ in any value; equal values may differ in it.
//! * A failure is an error, never an empty answer. Adapters do not try again by themselves.
//! * Dropping the future of a call leaves the store usable.

use std::sync::Arc;

use async_trait::async_trait;

use crate::change::{Applied, Changes};
use crate::change_log::{LogPage, LogStanding};
use crate::cost::LinkSpeed;
use crate::digest::{Digest, DigestKind};
use crate::error::{Kind, StoreError};
use crate::filter::Filter;
use crate::key::{Key, KeyRange};
use crate::limits::TableLimits;
use crate::row::{Form, RowPage};
use crate::rules::TableRules;
use crate::schema::{ForeignKey, TableName, TableSchema, TableView};
use crate::sightings::{Mark, Pulse};
use crate::stretch::Stretch;
use crate::value::Value;

pub type Result<T> = std::result::Result<T, StoreError>;

/// What an adapter can do, to be looked at by the plan before it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Name and major version: two stores with equal engines understand each other's native bytes and hashes.
    pub engine: Engine,
    /// Whether a `Frozen` snapshot really stands still.
    pub frozen_snapshots: bool,
    /// Whether the columns' declared types bind their values; where not, the other side's types decide.
    pub typed: bool,
    /// Digests that it can make.
    pub digests: Vec<DigestKind>,
    /// Whether pages in `Raw` form can be read and inserted.
    pub raw_pages: bool,
    /// Whether reading by ranges of a `Bytewise` key is served by an index even where a text column has a collation.
    pub bytewise_is_indexed: bool,
    /// Questions that it answers side by side.
    pub concurrency: usize,
    /// Tables that it can make.
    pub limits: TableLimits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    pub name: &'static str,
    pub major_version: u32,
}

/// What both sides of a snapshot promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Every answer tells of the same moment, where the store can.
    Frozen,
    /// Every answer tells of the moment of the question.
    Latest,
}

/// A database.
#[async_trait]
pub trait Store: Send + Sync {
    fn capabilities(&self) -> Capabilities;

    /// Whether it answers. The first call connects.
    async fn ping(&self) -> Result<()>;

    /// Drops every connection, whatever state it is in, and opens one anew. Frozen snapshots need not survive it.
    async fn reconnect(&self) -> Result<()> {
        self.ping().await
    }

    /// All tables that a sync without a list would take, by name.
    async fn tables(&self) -> Result<Vec<TableName>>;

    /// A table, or `None` where there is none of this name. Names match exactly, or else by the only one that differs
    /// in nothing but case.
    async fn describe(&self, table: &TableName) -> Result<Option<TableSchema>>;

    /// Makes a table like one of another store: columns, types, nullability, key. With what `foreign_keys` asks for
    /// where the engine can only declare them at once. Returns its schema as it came to be.
    async fn create_table(&self, like: &TableSchema, foreign_keys: &[ForeignKey]) -> Result<TableSchema>;

    /// The statements that `create_table` would run, and those that `add_foreign_keys` would run once the rows are there,
    /// in their order and without running any.
    async fn creation(&self, like: &TableSchema, _foreign_keys: &[ForeignKey]) -> Result<Creation> {
        Err(StoreError::new(Kind::Forbidden, "create", "this database makes tables without statements").at(&like.name))
    }

    /// Adds the columns of `like` to a table, which take NULL whatever they are like: rows that are there have no values for
    /// them yet. Of the rules, they get what belongs to their types.
    /// Returns its schema as it came to be.
    async fn add_columns(&self, table: &TableName, _like: &TableSchema) -> Result<TableSchema> {
        Err(StoreError::new(Kind::Forbidden, "create", "this database adds no columns").at(table))
    }

    /// What a table has beside columns and key.
    async fn rules(&self, _table: &TableName) -> Result<TableRules> {
        Ok(TableRules::default())
    }

    /// Gives the rules of `like` to a table that was made like it, once its rows are there; those that it has already
    /// stay. Returns what a person has to know: rules that the database refused. A store that declares them at once does
    /// nothing.
    async fn add_rules(&self, _table: &TableName, _like: &TableSchema) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Adds foreign keys to tables that were made without; a store that declared them at once does nothing.
    async fn add_foreign_keys(&self, table: &TableName, foreign_keys: &[ForeignKey]) -> Result<()>;

    /// Tables that were made here without their foreign keys, and have not got them yet.
    async fn unfinished_tables(&self) -> Result<Vec<TableName>> {
        Ok(Vec::new())
    }

    /// Moves what numbers the rows of a table past the highest number in it, where writing rows does not do that.
    async fn advance_numbers(&self, _table: &TableName) -> Result<()> {
        Ok(())
    }

    /// Foreign keys of a table that do not hold; only a store that writes tables on a cycle unchecked has any.
    async fn broken_foreign_keys(&self, _table: &TableName) -> Result<Vec<BrokenKey>> {
        Ok(Vec::new())
    }

    /// Whether rows of the table can be told by these conditions. Fails with the kind `SchemaMismatch` where not, before
    /// anything is read or written by them.
    async fn check_filter(&self, table: &TableName, filter: &Filter) -> Result<()> {
        match filter.is_all() {
            true => Ok(()),
            false => Err(StoreError::new(Kind::SchemaMismatch, "plan", "this store filters no rows").at(table)),
        }
    }

    async fn snapshot(&self, consistency: Consistency) -> Result<Arc<dyn Snapshot>>;

    /// A transaction on one table.
    async fn begin(&self, view: &Arc<TableView>) -> Result<Box<dyn Transaction>>;

    /// A second one beside it, to insert rows behind those of the first while that commits; `None` where the store takes
    /// one at a time, or has no connection to spare at this moment; nothing is waited for.
    async fn begin_beside(&self, _view: &Arc<TableView>) -> Result<Option<Box<dyn Transaction>>> {
        Ok(None)
    }

    /// This moment, where the store can tell later whether rows of the table were written by others since: it then refuses
    /// to change or delete such rows by changes that were found since an earlier one. `None` where it cannot tell.
    async fn mark(&self, _view: &Arc<TableView>) -> Result<Option<Mark>> {
        Ok(None)
    }

    /// What is another one as soon as anything was written; `None` where the store cannot tell, or is being written to.
    async fn pulse(&self) -> Result<Option<Pulse>> {
        Ok(None)
    }

    /// Who says how this table will hold rows; `None` where that cannot be told before it holds them.
    fn encoder(&self, _view: &Arc<TableView>) -> Option<Arc<dyn Encoder>> {
        None
    }

    /// Who takes rows of this view in `Raw` form apart; `None` where that needs the database.
    fn decoder(&self, _view: &Arc<TableView>) -> Option<Arc<dyn Decoder>> {
        None
    }

    /// Returns once all that was committed is safe on disk.
    async fn flush(&self) -> Result<()>;

    /// What the way to it takes. Measured by questions as small as the way allows; a store in this process needs none.
    async fn measure_link(&self) -> Result<LinkSpeed> {
        Ok(LinkSpeed::LOCAL)
    }

    /// Makes triggers that log the keys of the rows that change from now on, for the sync called `owner`; anew where there
    /// are some. Returns what a person has to know: changes that triggers do not see.
    async fn install_log(&self, view: &Arc<TableView>, _owner: &str) -> Result<Vec<String>> {
        Err(StoreError::new(Kind::Forbidden, "track", "this database has no triggers to track changes by")
            .at(&view.table))
    }

    /// Removes triggers and log; `false` where there are none.
    async fn remove_log(&self, _view: &Arc<TableView>, _owner: &str) -> Result<bool> {
        Ok(false)
    }

    /// Whether a foreign key refers to the table, so that its rows cannot all go at once.
    async fn is_referenced(&self, _view: &Arc<TableView>) -> Result<bool> {
        Ok(true)
    }

    /// Forgets the logged changes that a snapshot saw, by what it told in `LogStanding::through`, and no others: one
    /// that commits later may have an earlier number. Also where the store is only read.
    async fn acknowledge(&self, _view: &Arc<TableView>, _owner: &str, _through: &str) -> Result<()> {
        Ok(())
    }

    /// The statement that would serve reading by this view, where the database lacks an index for it.
    async fn missing_index(&self, _view: &TableView) -> Result<Option<String>> {
        Ok(None)
    }
}

/// How a table is made, in the words of its database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// Before its rows: types that it needs, and the table.
    pub before: Vec<String>,
    /// Once the rows of all tables are there.
    pub after: Vec<String>,
    /// What they leave out, for a person.
    pub notes: Vec<String>,
}

/// A foreign key that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenKey {
    pub parent: TableName,
    /// Rows that refer to none.
    pub rows: u64,
}

/// Brings rows into the form in which a table will hold them, so that they can be read back and compared byte by byte
/// instead of value by value.
pub trait Encoder: Send + Sync {
    /// Rows in `Fields` form in the `Raw` form of the table. Where the table holds them in other bytes once they are
    /// inserted, it holds something else, or the same in a spelling that could not be foreseen.
    ///
    /// # Errors
    /// When the table cannot hold a value.
    fn encode(&self, rows: &RowPage) -> Result<RowPage>;

    /// The digest of the kind that is cheapest to ask for, which the table will have of rows in its `Raw` form once
    /// they are inserted. Where the table has another one, only a comparison of the values tells.
    ///
    /// # Errors
    /// When a row is not of that form.
    fn digest(&self, rows: &RowPage, salt: u64) -> Result<(DigestKind, Digest)> {
        Ok((DigestKind::Raw, rows.raw_digest(salt)))
    }
}

/// Takes rows apart that were read in the `Raw` form of a table.
pub trait Decoder: Send + Sync {
    /// The same rows in `Fields` form, as a page in that form would have held them.
    ///
    /// # Errors
    /// When a row is not of that form.
    fn decode(&self, rows: &RowPage) -> Result<RowPage>;
}

/// What is gathered of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// Their keys, in `Fields` form.
    Keys,
    Fields,
    /// In `Raw` form where the store can gather in it, and otherwise in `Fields` form.
    Raw,
}

/// How many rows a table has, and what has changed since a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    pub rows: u64,
    /// Rows whose modify time is later than the moment; `None` where no moment or no such column is known.
    pub changed: Option<u64>,
    /// The newest modify time, where there is such a column and a row that has one.
    pub newest: Option<Value>,
    /// Rows with NULL in the key, which no range can reach.
    pub null_keys: u64,
    /// What a row takes on average, in bytes, where that is known without reading.
    pub row_bytes: Option<u64>,
}

/// What a page may hold, and of which rows.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub range: KeyRange,
    /// At most so many rows. At least 1.
    pub rows_max: usize,
    /// At most so many bytes, but always one row.
    pub bytes_max: usize,
    /// What a row takes, as far as known; only a hint.
    pub row_bytes_hint: usize,
    pub form: Form,
    /// Only the key's columns.
    pub keys_only: bool,
    /// Only rows with a modify time later than this. Needs `TableView::modify_time`.
    pub modified_after: Option<Value>,
    /// Whoever asks will ask for what lies behind the page next, and for no end before the range's: worth to keep the rest at
    /// hand for. Only a hint.
    pub goes_on: bool,
}

/// A view of the rows. All of it can be asked from several tasks at once.
#[async_trait]
pub trait Snapshot: Send + Sync {
    async fn survey(&self, view: &Arc<TableView>, since: Option<&Value>) -> Result<Survey>;

    /// About how many rows there are and what each takes, without looking at them; `None` where a survey is as cheap, or
    /// NULL might stand in a key. For choosing a way alone, never for deciding what is done.
    async fn estimate(&self, _view: &Arc<TableView>) -> Result<Option<Survey>> {
        Ok(None)
    }

    /// For each range, in the order of the ranges: keys inside it that cut it into parts of about `rows_per_part` rows,
    /// in rising order; fewer or none where there are not so many rows.
    async fn split(&self, view: &Arc<TableView>, ranges: &[KeyRange], rows_per_part: u64) -> Result<Vec<Vec<Key>>>;

    /// The key behind which the last `rows` rows of the table lie; `None` where it has no more than that.
    async fn before_last(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Key>>;

    /// The keys of the rows with the newest modify times, newest first, at most so many; `None` where there is no such
    /// column, or no index that leads to them.
    async fn newest(&self, _view: &Arc<TableView>, _rows: u64) -> Result<Option<Vec<Key>>> {
        Ok(None)
    }

    /// A digest for each range, in the order of the ranges.
    async fn digests(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        kind: DigestKind,
        salt: u64,
    ) -> Result<Vec<Digest>>;

    /// The first rows of a range.
    async fn page(&self, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage>;

    /// All rows of several ranges, in any order; `None` where they would take more than `bytes_max`.
    /// One answer for many small ranges saves their round trips.
    async fn gather(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>>;

    /// The rows with these keys, in any order; keys without a row are left out. `Fields` form.
    async fn rows_by_key(&self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage>;

    /// The whole table in stretches by where its rows lie, each of about `bytes_max` or less; for tables without a key, of
    /// which nothing else tells one part from another. No row lies in two of them.
    async fn stretches(&self, _view: &Arc<TableView>, _bytes_max: usize) -> Result<Vec<Stretch>> {
        Ok(vec![Stretch::ONE])
    }

    /// All rows of a stretch, in any order, in `Fields` form; `None` where they would take more than `bytes_max`.
    async fn lying_in(&self, view: &Arc<TableView>, _stretch: Stretch, bytes_max: usize) -> Result<Option<RowPage>> {
        self.gather(view, &[KeyRange::ALL], Gathered::Fields, bytes_max).await
    }

    /// What the log of changes tells; `None` where the sync called `owner` has none for this table.
    async fn log(&self, _view: &Arc<TableView>, _owner: &str) -> Result<Option<LogStanding>> {
        Ok(None)
    }

    /// The changes behind a number, in their order, at most so many.
    async fn changes_since(
        &self,
        view: &Arc<TableView>,
        _owner: &str,
        _after: i64,
        _changes: usize,
    ) -> Result<LogPage> {
        Err(StoreError::new(Kind::Bug, "read", "there is no log of changes").at(&view.table))
    }
}

/// Writes to one table; all or nothing.
#[async_trait]
pub trait Transaction: Send {
    /// The rows with these keys as the transaction sees them, in any order; keys without a row are left out. `Fields`
    /// form. `view` is one of the same table, with the same key. Where the store has locks, nobody else changes or deletes
    /// the rows that it found until the transaction ends.
    async fn before(&mut self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage>;

    /// Deletes every row of the view, to whose table no foreign key refers; how many there were.
    async fn clear(&mut self) -> Result<u64> {
        Err(StoreError::new(Kind::Bug, "write", "this database cannot empty a table at once"))
    }

    /// Deletes, then updates, then inserts. Where the changes say since when their rows are known, and one to update or
    /// delete may have been written or removed by another transaction since, this fails with the kind `RowChanged`.
    async fn write(&mut self, changes: Arc<Changes>) -> Result<Applied>;

    async fn commit(self: Box<Self>) -> Result<()>;
}
