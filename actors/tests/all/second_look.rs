//! A difference that is gone when it is looked at again is not reported.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use actix::Actor;
use async_trait::async_trait;
use rowsync_actors::differ::{Desk, Differ};
use rowsync_actors::found::Found;
use rowsync_actors::messages::{Act, CompareRange};
use rowsync_actors::ports::{ReaderPort, WriterPort};
use rowsync_actors::reader::Reader;
use rowsync_engine::budget::Budget;
use rowsync_engine::cost::{CompareFacts, CompareMethod, LinkSpeed, expect};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::pair::{PairOptions, Side, pair};
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::search::{SearchOptions, Seek, SideName};
use rowsync_engine::store::{Consistency, Gathered, PageRequest, Result, Snapshot, Store, Survey};
use rowsync_engine::value::Value;
use rowsync_stores::memory::Memory;
use tokio_util::sync::CancellationToken;

use crate::backpressure::Blocked;
use crate::world::{BUDGET, on_system, options, row, table};

/// Rows that somebody changes right after they were read for the first time.
struct Moving {
    inner: Arc<dyn Snapshot>,
    store: Arc<Memory>,
    after_first_read: Mutex<Option<Vec<Vec<Value>>>>,
}

impl Moving {
    fn was_read(&self) {
        if let Some(rows) = self.after_first_read.lock().unwrap().take() {
            self.store.fill("t", rows).unwrap();
        }
    }
}

#[async_trait]
impl Snapshot for Moving {
    async fn survey(&self, view: &Arc<TableView>, since: Option<&Value>) -> Result<Survey> {
        self.inner.survey(view, since).await
    }
    async fn split(&self, view: &Arc<TableView>, ranges: &[KeyRange], rows_per_part: u64) -> Result<Vec<Vec<Key>>> {
        self.inner.split(view, ranges, rows_per_part).await
    }
    async fn before_last(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Key>> {
        self.inner.before_last(view, rows).await
    }
    async fn digests(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        kind: DigestKind,
        salt: u64,
    ) -> Result<Vec<Digest>> {
        self.inner.digests(view, ranges, kind, salt).await
    }
    async fn page(&self, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage> {
        let page = self.inner.page(view, request).await;
        self.was_read();
        page
    }
    async fn gather(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>> {
        let page = self.inner.gather(view, ranges, wanted, bytes_max).await;
        self.was_read();
        page
    }
    async fn rows_by_key(&self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        self.inner.rows_by_key(view, keys).await
    }
}

/// What `verify` finds when the target becomes `then` after its rows were read once.
async fn observed(source: Vec<Vec<Value>>, target: Vec<Vec<Value>>, then: Vec<Vec<Value>>, keys_max: usize) -> Found {
    let (a, b, schema) = (Memory::new(), Memory::new(), table("t"));
    for (store, rows) in [(&a, &source), (&b, &target)] {
        store.create_table(&schema, &[]).await.unwrap();
        store.fill("t", rows.clone()).unwrap();
    }
    let capabilities = a.capabilities();
    let side = Side { schema: &schema, capabilities: &capabilities };
    let pair = Arc::new(pair(side, side, &PairOptions::default()).unwrap());
    let moving = Moving {
        inner: b.snapshot(Consistency::Latest).await.unwrap(),
        store: Arc::clone(&b),
        after_first_read: Mutex::new(Some(then)),
    };
    let reader = |side, snapshot, view: &Arc<TableView>| {
        ReaderPort::to(&Reader::new(side, snapshot, Arc::clone(view), Arc::default()).start())
    };
    let differ = Differ::new(Desk {
        source: reader(SideName::Source, a.snapshot(Consistency::Latest).await.unwrap(), &pair.source),
        target: reader(SideName::Target, Arc::new(moving), &pair.target),
        pair,
        writer: WriterPort::to(&Blocked.start()),
        ledger: Arc::default(),
        encoder: None,
        decoders: None,
        read: Arc::clone(&a) as _,
        written: b,
        budget: Budget::new(BUDGET.try_into().unwrap()),
        stop: CancellationToken::new(),
        options: rowsync_actors::job::TableOptions { keys_max, ..options() },
        progress: Arc::default(),
        salt: 0,
        far: false,
        row_bytes: AtomicUsize::new(0),
    })
    .start();
    let (source_count, target_count) = (source.len() as u64, target.len() as u64);
    let (digest, link) = (DigestKind::Stream, LinkSpeed::LOCAL);
    let facts = CompareFacts {
        rows: source_count.max(target_count),
        row_bytes: 50,
        differences: 0,
        digests: &[digest],
        source: link,
        target: link,
    };
    let options = SearchOptions {
        seek: Seek::Differences,
        leaf_rows: 10,
        fan_out: 64,
        recent_first: 0,
        dense_percent: 50,
        read_rows: 100,
        cut_by: None,
        costs: expect(CompareMethod::Digests(digest), &facts).costs,
    };
    let act = Act::Observe { samples_max: 10, explain: true };
    let task = CompareRange { range: KeyRange::ALL, source_count, target_count, options, digest, act };
    differ.send(task).await.unwrap().unwrap()
}

fn rows(numbers: impl IntoIterator<Item = i64>) -> Vec<Vec<Value>> {
    numbers.into_iter().map(|i| row(i, Some("x"), i)).collect()
}

#[test]
fn rows_that_were_on_their_way_are_not_reported() {
    on_system(async {
        let found = observed(rows(0..100), rows((5..95).chain(200..203)), rows(0..100), 1_000).await;
        assert_eq!((found.missing, found.different, found.extra), (0, 0, 0), "{found:?}");
        assert!(found.samples.is_empty());
    });
}

#[test]
fn what_still_differs_is_reported_as_it_is_now() {
    on_system(async {
        let mut then = rows(0..99);
        then[5] = row(5, Some("other"), 5);
        let mut before = rows(0..98);
        before[5] = row(5, None, 5);
        let found = observed(rows(0..100), before, then, 1_000).await;
        assert_eq!((found.missing, found.different, found.extra), (1, 1, 0), "{found:?}");
        let sample = found.samples.iter().find(|sample| !sample.columns.is_empty()).unwrap();
        assert_eq!(sample.columns[0].target, "other");
    });
}

#[test]
fn more_differences_than_may_be_held_are_reported_as_they_were_found() {
    on_system(async {
        let found = observed(rows(0..100), rows(50..100), rows(50..100), 20).await;
        assert_eq!((found.missing, found.different, found.extra), (50, 0, 0), "{found:?}");
        assert_eq!(found.samples.len(), 10);
    });
}
