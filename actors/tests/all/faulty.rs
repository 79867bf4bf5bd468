//! A database that fails where the test wants it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::{ForeignKey, TableName, TableSchema, TableView};
use rowsync_engine::store::{
    Capabilities, Consistency, Gathered, PageRequest, Result, Snapshot, Store, Survey, Transaction,
};
use rowsync_engine::value::{Value, ValueRef};

/// Where something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    Reconnect,
    Snapshot,
    Survey,
    Split,
    Digests,
    Page,
    Keys,
    Begin,
    Write,
    Commit,
    Flush,
}

#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Fails(Kind),
    Panics,
    /// It is done, and the answer comes late.
    Late(Duration),
    /// It is done, but the connection breaks before the answer.
    Unanswered,
}

/// A fault, and the numbers of the calls that meet it.
type Place = (Spot, std::ops::RangeInclusive<usize>, Fault);

/// Which calls fail, and how many there were.
#[derive(Clone, Default)]
pub struct Script {
    faults: Arc<Mutex<Vec<Place>>>,
    calls: Arc<Mutex<BTreeMap<Spot, usize>>>,
    keeps: Arc<Mutex<Vec<Key>>>,
}

/// A row that holds this text is refused.
pub const BAD: &str = "a bad row";

impl Script {
    /// The call with this number, from 1 on, fails.
    pub fn nth(self, spot: Spot, number: usize, fault: Fault) -> Script {
        self.between(spot, number, number, fault)
    }

    pub fn always(self, spot: Spot, fault: Fault) -> Script {
        self.between(spot, 1, usize::MAX, fault)
    }

    pub fn between(self, spot: Spot, first: usize, last: usize, fault: Fault) -> Script {
        self.faults.lock().unwrap().push((spot, first..=last, fault));
        self
    }

    /// The row with this key cannot be deleted.
    pub fn keeping(self, id: i64) -> Script {
        self.keeps.lock().unwrap().push(Key::new([ValueRef::Int(id)]));
        self
    }

    fn refuse(&self, changes: &Changes) -> Result<()> {
        let bad = |row: &[u8]| row.windows(BAD.len()).any(|window| window == BAD.as_bytes());
        let refused = changes.inserts.rows().chain(changes.updates.rows()).any(bad)
            || changes.deletes.iter().any(|key| self.keeps.lock().unwrap().contains(key));
        let error = || StoreError::new(Kind::Constraint, "write", "no bad rows, please");
        if refused { Err(error()) } else { Ok(()) }
    }

    pub fn calls(&self, spot: Spot) -> usize {
        self.calls.lock().unwrap().get(&spot).copied().unwrap_or_default()
    }

    async fn play<T>(&self, spot: Spot, work: impl Future<Output = Result<T>>) -> Result<T> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            let number = calls.entry(spot).or_default();
            *number += 1;
            *number
        };
        let fits = |(at, numbers, _): &&Place| *at == spot && numbers.contains(&number);
        let fault = self.faults.lock().unwrap().iter().find(fits).map(|(.., fault)| *fault);
        let operation = match spot {
            Spot::Page | Spot::Keys => "read",
            Spot::Begin | Spot::Write | Spot::Commit => "write",
            _ => "ask",
        };
        match fault {
            None => work.await,
            Some(Fault::Fails(kind)) => Err(StoreError::new(kind, operation, "as the test wants it")),
            Some(Fault::Panics) => panic!("as the test wants it"),
            Some(Fault::Late(pause)) => {
                let answer = work.await;
                tokio::time::sleep(pause).await;
                answer
            }
            Some(Fault::Unanswered) => {
                work.await?;
                Err(StoreError::new(Kind::Unreachable, operation, "no answer, as the test wants it"))
            }
        }
    }
}

pub struct Faulty {
    inner: Arc<dyn Store>,
    script: Script,
}

impl Faulty {
    pub fn new(inner: Arc<dyn Store>, script: &Script) -> Arc<Faulty> {
        Arc::new(Faulty { inner, script: script.clone() })
    }
}

#[async_trait]
impl Store for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }
    async fn reconnect(&self) -> Result<()> {
        self.script.play(Spot::Reconnect, self.inner.reconnect()).await
    }
    async fn tables(&self) -> Result<Vec<TableName>> {
        self.inner.tables().await
    }
    async fn describe(&self, table: &TableName) -> Result<Option<TableSchema>> {
        self.inner.describe(table).await
    }
    async fn create_table(&self, like: &TableSchema, keys: &[ForeignKey]) -> Result<TableSchema> {
        self.inner.create_table(like, keys).await
    }
    async fn add_foreign_keys(&self, table: &TableName, keys: &[ForeignKey]) -> Result<()> {
        self.inner.add_foreign_keys(table, keys).await
    }
    async fn snapshot(&self, consistency: Consistency) -> Result<Arc<dyn Snapshot>> {
        let inner = self.script.play(Spot::Snapshot, self.inner.snapshot(consistency)).await?;
        Ok(Arc::new(FaultySnapshot { inner, script: self.script.clone() }))
    }
    async fn begin(&self, view: &Arc<TableView>) -> Result<Box<dyn Transaction>> {
        let inner = self.script.play(Spot::Begin, self.inner.begin(view)).await?;
        Ok(Box::new(FaultyTransaction { inner, script: self.script.clone() }))
    }
    async fn begin_beside(&self, view: &Arc<TableView>) -> Result<Option<Box<dyn Transaction>>> {
        let Some(inner) = self.script.play(Spot::Begin, self.inner.begin_beside(view)).await? else { return Ok(None) };
        Ok(Some(Box::new(FaultyTransaction { inner, script: self.script.clone() })))
    }
    async fn flush(&self) -> Result<()> {
        self.script.play(Spot::Flush, self.inner.flush()).await
    }
}

struct FaultySnapshot {
    inner: Arc<dyn Snapshot>,
    script: Script,
}

#[async_trait]
impl Snapshot for FaultySnapshot {
    async fn survey(&self, view: &Arc<TableView>, since: Option<&Value>) -> Result<Survey> {
        self.script.play(Spot::Survey, self.inner.survey(view, since)).await
    }
    async fn split(&self, view: &Arc<TableView>, ranges: &[KeyRange], rows_per_part: u64) -> Result<Vec<Vec<Key>>> {
        self.script.play(Spot::Split, self.inner.split(view, ranges, rows_per_part)).await
    }
    async fn gather(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>> {
        self.script.play(Spot::Page, self.inner.gather(view, ranges, wanted, bytes_max)).await
    }
    async fn before_last(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Key>> {
        self.script.play(Spot::Split, self.inner.before_last(view, rows)).await
    }
    async fn digests(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        kind: DigestKind,
        salt: u64,
    ) -> Result<Vec<Digest>> {
        self.script.play(Spot::Digests, self.inner.digests(view, ranges, kind, salt)).await
    }
    async fn page(&self, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage> {
        self.script.play(Spot::Page, self.inner.page(view, request)).await
    }
    async fn rows_by_key(&self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        self.script.play(Spot::Keys, self.inner.rows_by_key(view, keys)).await
    }
}

struct FaultyTransaction {
    inner: Box<dyn Transaction>,
    script: Script,
}

#[async_trait]
impl Transaction for FaultyTransaction {
    async fn before(&mut self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        self.inner.before(view, keys).await
    }
    async fn write(&mut self, changes: Arc<Changes>) -> Result<Applied> {
        self.script.refuse(&changes)?;
        self.script.play(Spot::Write, self.inner.write(changes)).await
    }
    async fn commit(self: Box<Self>) -> Result<()> {
        self.script.play(Spot::Commit, self.inner.commit()).await
    }
}
