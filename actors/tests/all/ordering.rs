//! Parents before children when rows are added, children before parents when they are deleted.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::report::TableStatus;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::{Action, ForeignKey, TableName, TableSchema, TableView};
use rowsync_engine::store::{Capabilities, Consistency, Result, Snapshot, Store, Transaction};
use rowsync_stores::memory::Memory;

use crate::world::{World, on_system, row, table};

pub fn child(name: &str, parent: &str) -> TableSchema {
    let foreign_key = ForeignKey {
        name: None,
        columns: vec!["id".into()],
        parent: TableName::new(parent),
        parent_columns: vec![],
        deferrable: false,
        on_delete: Action::None,
        on_update: Action::None,
    };
    TableSchema { foreign_keys: vec![foreign_key], ..table(name) }
}

/// A target that notes what is written where, and may refuse a table.
struct Noting {
    inner: Arc<Memory>,
    log: Arc<Mutex<Vec<String>>>,
    refuses: Option<&'static str>,
}

struct NotingTransaction {
    inner: Box<dyn Transaction>,
    log: Arc<Mutex<Vec<String>>>,
    table: String,
}

#[async_trait]
impl Transaction for NotingTransaction {
    async fn before(&mut self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        self.inner.before(view, keys).await
    }
    async fn write(&mut self, changes: Arc<Changes>) -> Result<Applied> {
        let applied = self.inner.write(changes).await?;
        let mut log = self.log.lock().unwrap();
        if applied.inserted > 0 {
            log.push(format!("+{}", self.table));
        }
        if applied.deleted > 0 {
            log.push(format!("-{}", self.table));
        }
        Ok(applied)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.inner.commit().await
    }
}

#[async_trait]
impl Store for Noting {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
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
        self.inner.snapshot(consistency).await
    }
    async fn begin(&self, view: &Arc<TableView>) -> Result<Box<dyn Transaction>> {
        if self.refuses == Some(view.table.name.as_str()) {
            return Err(StoreError::new(Kind::SchemaMismatch, "write", "refused by the test").at(&view.table));
        }
        let inner = self.inner.begin(view).await?;
        Ok(Box::new(NotingTransaction { inner, log: Arc::clone(&self.log), table: view.table.name.clone() }))
    }
    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }
}

async fn family() -> World {
    // Listed in the wrong order on purpose.
    World::new(vec![child("track", "album"), child("album", "artist"), table("artist")]).await
}

fn noting(world: &World, refuses: Option<&'static str>) -> (Arc<Noting>, Arc<Mutex<Vec<String>>>) {
    let log = Arc::default();
    (Arc::new(Noting { inner: Arc::clone(&world.target), log: Arc::clone(&log), refuses }), log)
}

#[test]
fn rows_are_added_parents_first_and_deleted_children_first() {
    on_system(async {
        let world = family().await;
        for name in ["artist", "album", "track"] {
            world.source.fill(name, [row(2, None, 0)]).unwrap();
            world.target.fill(name, [row(1, None, 0)]).unwrap();
        }
        let (target, log) = noting(&world, None);
        let reports: Vec<_> = world.run_into(target).await.into_iter().map(|o| o.report).collect();
        assert!(reports.iter().all(|r| r.verified && r.added == 1 && r.deleted == 1), "{reports:#?}");
        assert_eq!(*log.lock().unwrap(), ["+artist", "+album", "+track", "-track", "-album", "-artist"]);
    });
}

#[test]
fn a_parent_that_fails_blocks_its_children_and_nobody_else() {
    on_system(async {
        let world = World::new(vec![child("album", "artist"), table("artist"), table("genre")]).await;
        for name in ["artist", "album", "genre"] {
            world.source.fill(name, [row(1, None, 0)]).unwrap();
        }
        let (target, _) = noting(&world, Some("artist"));
        let outcomes = world.run_into(target).await;
        let status: Vec<_> = outcomes.iter().map(|o| o.report.status).collect();
        assert_eq!(status, [TableStatus::Blocked, TableStatus::Failed, TableStatus::Completed]);
        assert!(outcomes[0].report.errors[0].message.contains("artist"));
        assert!(world.target.rows("album").is_empty());
    });
}

#[test]
fn rows_of_a_parent_are_kept_while_a_child_is_not_in_order() {
    on_system(async {
        let world = World::new(vec![child("album", "artist"), table("artist")]).await;
        world.target.fill("artist", [row(1, None, 0), row(2, None, 0)]).unwrap();
        world.target.fill("album", [row(1, None, 0)]).unwrap();
        world.source.fill("artist", [row(2, None, 0)]).unwrap();
        let (target, log) = noting(&world, Some("album"));
        let outcomes = world.run_into(target).await;
        assert_eq!(world.target.rows("artist").len(), 2, "{outcomes:#?}");
        assert!(log.lock().unwrap().is_empty());
        assert!(outcomes[1].report.errors[0].message.contains("album"));
    });
}
