//! Equality: the same values are equal wherever they are kept, and others are not.

pub mod extremes;
mod keys;
mod lookalikes;
mod mixed;
pub mod postgres;
mod random;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use rowsync_engine::change::Changes;
use rowsync_engine::compare::{Findings, compare};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::StoreError;
use rowsync_engine::key::KeyRange;
use rowsync_engine::pair::{Pair, PairOptions, Side, pair};
use rowsync_engine::row::{Form, RowPage, canonical_row};
use rowsync_engine::schema::{TableName, TableView};
use rowsync_engine::store::{Consistency, PageRequest, Store};
use rowsync_stores::sqlite::Sqlite;
use rowsync_stores::{Access, Connection};
use tempfile::TempDir;

pub const SALT: u64 = 0x5eed;

/// A SQLite file of one test.
pub struct File {
    folder: TempDir,
}

impl File {
    pub fn new() -> File {
        File { folder: tempfile::tempdir().unwrap() }
    }

    pub fn run(&self, sql: &str) {
        rusqlite::Connection::open(self.folder.path().join("t.sqlite")).unwrap().execute_batch(sql).unwrap();
    }

    pub async fn store(&self) -> Arc<dyn Store> {
        let connection = Connection {
            url: format!("sqlite:{}", self.folder.path().join("t.sqlite").display()),
            schema: None,
            timeout: Duration::from_secs(10),
            connections_max: 4,
            access: Access::Write,
        };
        Sqlite::connect(&connection).await.unwrap()
    }
}

/// Two tables laid beside each other.
pub struct Two {
    pub source: Arc<dyn Store>,
    pub target: Arc<dyn Store>,
    pub pair: Pair,
}

impl Two {
    /// The tables of this name, which both sides have.
    pub async fn of(source: &Arc<dyn Store>, target: &Arc<dyn Store>, table: &str) -> Two {
        let name = TableName::new(table);
        let schema =
            async |store: &Arc<dyn Store>| store.describe(&name).await.unwrap().expect("the test made this table");
        let (from, to) = (schema(source).await, schema(target).await);
        let (a, b) = (source.capabilities(), target.capabilities());
        let (a, b) = (Side { schema: &from, capabilities: &a }, Side { schema: &to, capabilities: &b });
        let pair = pair(a, b, &PairOptions::default()).unwrap();
        Two { source: Arc::clone(source), target: Arc::clone(target), pair }
    }

    /// The same, where the target has yet to be made like the source.
    pub async fn made(source: &Arc<dyn Store>, target: &Arc<dyn Store>, table: &str) -> Two {
        let mut like = source.describe(&TableName::new(table)).await.unwrap().expect("the test made this table");
        like.name = TableName::new(table);
        target.create_table(&like, &[]).await.unwrap();
        Two::of(source, target, table).await
    }

    /// Copies all rows of the source, as they move between these two.
    pub async fn copy(&self) -> Result<(), StoreError> {
        let form = if self.pair.raw { Form::Raw } else { Form::Fields };
        let rows = page(&self.source, &self.pair.source, form).await?;
        let mut transaction = self.target.begin(&self.pair.target).await?;
        transaction.write(Arc::new(Changes::inserting(rows))).await?;
        transaction.commit().await
    }

    /// Compares all rows one by one.
    pub async fn compare(&self) -> Findings {
        let source = page(&self.source, &self.pair.source, Form::Fields).await.unwrap();
        let target = page(&self.target, &self.pair.target, Form::Fields).await.unwrap();
        compare(&source, &target, &self.pair.source.domains()).unwrap()
    }

    /// The digests of the whole table on both sides.
    pub async fn digests(&self, kind: DigestKind, salt: u64) -> (Digest, Digest) {
        (
            digest(&self.source, &self.pair.source, kind, salt).await,
            digest(&self.target, &self.pair.target, kind, salt).await,
        )
    }

    /// Both sides are equal, whichever way one looks at them.
    pub async fn assert_equal(&self, kinds: &[DigestKind], what: &str) {
        let found = self.compare().await;
        assert!(found.changes.is_empty(), "{what}: {} rows differ", found.changes.len());
        // Equal values may have other raw bytes; they are read then.
        for kind in kinds.iter().filter(|kind| **kind != DigestKind::Raw) {
            let (source, target) = self.digests(*kind, SALT).await;
            assert_eq!(source, target, "{what}: {kind:?}");
        }
    }

    /// So many rows differ, and every kind of digest sees it.
    pub async fn assert_differ(&self, rows: usize, what: &str) {
        let found = self.compare().await;
        assert_eq!(found.changes.len(), rows, "{what}");
        for kind in &self.pair.digests {
            for salt in [1, 2, 3] {
                let (source, target) = self.digests(*kind, salt).await;
                assert_ne!(source, target, "{what}: {kind:?} misses it");
            }
        }
    }
}

/// All rows in one page.
pub async fn page(store: &Arc<dyn Store>, view: &Arc<TableView>, form: Form) -> Result<RowPage, StoreError> {
    let request = PageRequest {
        range: KeyRange::ALL,
        rows_max: 1_000_000,
        bytes_max: 1 << 30,
        row_bytes_hint: 64,
        form,
        keys_only: false,
        modified_after: None,
        goes_on: false,
    };
    store.snapshot(Consistency::Latest).await?.page(view, &request).await
}

async fn digest(store: &Arc<dyn Store>, view: &Arc<TableView>, kind: DigestKind, salt: u64) -> Digest {
    let snapshot = store.snapshot(Consistency::Latest).await.unwrap();
    snapshot.digests(view, &[KeyRange::ALL], kind, salt).await.unwrap()[0]
}

/// The canonical form of each row but for the key's field, which all of these tests have as one number in front.
pub fn canonical_values(page: &RowPage, view: &TableView) -> Vec<Vec<u8>> {
    /// The number of columns, and tag, length and bytes of the key.
    const KEY_END: usize = 4 + 16;
    let domains = view.domains();
    let spelled = |row: &[u8]| {
        let mut out = Vec::new();
        canonical_row(row, &domains, &mut out).unwrap();
        out.split_off(KEY_END)
    };
    page.rows().map(spelled).collect()
}

/// The server spells each row in the same bytes as we do: each as a range of its own, so that one hash is of one row.
pub async fn assert_spelled_alike(store: &Arc<dyn Store>, view: &Arc<TableView>, what: &str) {
    let page = page(store, view, Form::Fields).await.unwrap();
    let ranges = KeyRange::ALL.cut_at((0..page.len()).map(|index| page.key(index)));
    let snapshot = store.snapshot(Consistency::Latest).await.unwrap();
    let digests = snapshot.digests(view, &ranges, DigestKind::Portable, SALT).await.unwrap();
    for (index, (row, digest)) in page.rows().zip(&digests).enumerate() {
        let mut alone = RowPage::new(Form::Fields, 1);
        alone.push_row(row);
        let expected = alone.portable_digest(&view.domains(), SALT).unwrap();
        assert_eq!(*digest, expected, "{what}: row {index} is spelled otherwise by the server");
    }
}
