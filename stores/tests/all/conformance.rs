//! The promises of the contract, checked on each adapter.

use std::time::Duration;

use rowsync_stores::memory::Memory;
use rowsync_stores::sqlite::Sqlite;
use rowsync_stores::testing::conformance::{self, ForeignKeys};
use rowsync_stores::{Access, Connection};

#[tokio::test]
async fn sqlite_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection {
        url: format!("sqlite:{}", folder.path().join("conformance.sqlite").display()),
        schema: None,
        timeout: Duration::from_secs(10),
        connections_max: 4,
        access: Access::Write,
    };
    let (store, elsewhere) = (Sqlite::connect(&connection).await.unwrap(), Sqlite::connect(&connection).await.unwrap());
    conformance::run(store, elsewhere, ForeignKeys::Checked).await;
}

#[tokio::test]
async fn memory_keeps_every_promise() {
    let store = Memory::new();
    conformance::run(store.clone(), store, ForeignKeys::Described).await;
}

#[tokio::test]
async fn postgres_keeps_every_promise() {
    let database = crate::postgres::Database::with("select 1").await;
    conformance::run(database.store().await, database.store().await, ForeignKeys::Checked).await;
}
