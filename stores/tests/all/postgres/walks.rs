//! Pages out of one statement that stays open between them.

use std::sync::Arc;
use std::time::Duration;

use rowsync_engine::digest::DigestKind;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Consistency, PageRequest, Snapshot, Store};
use rowsync_engine::value::Value;

use super::{Database, key, pages_from, request, rows_of, view};

const ROWS: i64 = 20_000;

async fn numbered() -> (Database, Arc<TableView>, Arc<dyn Snapshot>) {
    let sql = format!(
        "CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, {ROWS}) i"
    );
    let database = Database::with(&sql).await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let snapshot = store.snapshot(Consistency::Frozen).await.unwrap();
    (database, view, snapshot)
}

fn behind(id: i64, rows_max: usize) -> PageRequest {
    PageRequest { goes_on: true, ..request(KeyRange::new(Some(id_key(id)), None), rows_max) }
}

fn id_key(id: i64) -> Key {
    key(&[Value::Int(id)])
}

async fn ids(snapshot: &dyn Snapshot, view: &Arc<TableView>, request: &PageRequest) -> Vec<Value> {
    rows_of(&snapshot.page(view, request).await.unwrap()).into_iter().map(|mut row| row.remove(0)).collect()
}

fn numbers(range: std::ops::RangeInclusive<i64>) -> Vec<Value> {
    range.map(Value::Int).collect()
}

/// Each of them keeps a connection, and the snapshot has three.
#[tokio::test]
async fn more_walks_than_connections_all_come_to_their_end() {
    let (_database, view, snapshot) = numbered().await;
    let mut at = [0, 5_000, 10_000, 11_000, 12_000];
    for rows in [7, 100, 1_000] {
        for from in &mut at {
            assert_eq!(ids(&*snapshot, &view, &behind(*from, rows)).await, numbers(*from + 1..=*from + rows as i64));
            *from += rows as i64;
        }
        let count = snapshot.digests(&view, &[KeyRange::ALL], DigestKind::Count, 0).await.unwrap();
        assert_eq!(count[0].rows, ROWS as u64);
    }
    for from in at {
        let rest = pages_from(&*snapshot, &view, behind(from, 3_000)).await;
        assert_eq!(rest.iter().map(|page| page.len() as i64).sum::<i64>(), ROWS - from);
    }
}

#[tokio::test]
async fn a_page_that_goes_on_elsewhere_is_that_page() {
    let (_database, view, snapshot) = numbered().await;
    assert_eq!(ids(&*snapshot, &view, &behind(0, 10)).await, numbers(1..=10));
    assert_eq!(ids(&*snapshot, &view, &behind(500, 10)).await, numbers(501..=510));
    let bounded = PageRequest { range: KeyRange::new(Some(id_key(10)), Some(id_key(13))), ..behind(10, 100) };
    let page = snapshot.page(&view, &bounded).await.unwrap();
    assert!(page.complete && page.len() == 3);
    assert_eq!(ids(&*snapshot, &view, &PageRequest { bytes_max: 1, ..behind(10, 10) }).await, numbers(11..=11));
    assert_eq!(ids(&*snapshot, &view, &behind(11, 10)).await, numbers(12..=21));
}

#[tokio::test]
async fn a_walk_that_is_given_up_half_way_leaves_the_snapshot_usable() {
    let (_database, view, snapshot) = numbered().await;
    for micros in [100, 1_000, 3_000, 10_000].repeat(4) {
        let mut request = behind(0, 3_000);
        for _ in 0..3 {
            let page = tokio::time::timeout(Duration::from_micros(micros), snapshot.page(&view, &request)).await;
            let Ok(page) = page else { break };
            request.range.after = page.unwrap().last_key;
        }
        assert_eq!(ids(&*snapshot, &view, &behind(ROWS - 3, 10)).await, numbers(ROWS - 2..=ROWS));
    }
}

/// The server would end the statement by itself, as it does with one that answers late.
#[tokio::test]
async fn a_walk_may_take_longer_than_a_statement() {
    let (database, view, _) = numbered().await;
    let hurried = rowsync_stores::Connection { timeout: Duration::from_millis(300), ..database.connection() };
    let store = rowsync_stores::postgres::Postgres::connect(&hurried).await.unwrap();
    let snapshot = store.snapshot(Consistency::Frozen).await.unwrap();
    assert_eq!(ids(&*snapshot, &view, &behind(0, 10)).await, numbers(1..=10));
    database.run("SELECT pg_sleep(0.5)").await;
    let rest = pages_from(&*snapshot, &view, behind(10, 5_000)).await;
    assert_eq!(rest.iter().map(|page| page.len() as i64).sum::<i64>(), ROWS - 10);
}
