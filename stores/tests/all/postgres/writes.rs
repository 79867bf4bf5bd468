//! Transactions: what they do, and that they do nothing by half.

use std::sync::Arc;
use std::time::Duration;

use rowsync_engine::change::Changes;
use rowsync_engine::error::Kind;
use rowsync_engine::key::Key;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Store;
use rowsync_engine::value::Value;

use super::{Database, all_rows, bytewise, insert, key, page_of, text, view, write};

fn row(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), text(name)]
}

async fn people() -> Database {
    Database::with("CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE); INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 10) i").await
}

#[tokio::test]
async fn deletes_come_before_updates_and_updates_before_inserts() {
    let database = people().await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    // Each step takes over a unique name that the step before has freed.
    let changes = Changes {
        inserts: page_of(1, &[row(11, "n2"), row(1, "new")]),
        updates: page_of(1, &[row(2, "n1"), row(3, "n3"), row(99, "gone")]),
        deletes: vec![key(&[Value::Int(1)]), key(&[Value::Int(77)])],
        ..Changes::new(1)
    };
    let applied = write(&*store, &view, changes).await.unwrap();
    assert_eq!((applied.deleted, applied.updated, applied.inserted), (1, 2, 2));
    assert!(applied.bytes_written > 0 && applied.queries >= 4);
    assert_eq!(all_rows(&*store, &view).await[..3], [row(1, "new"), row(2, "n1"), row(3, "n3")]);
}

#[tokio::test]
async fn a_row_that_is_there_already_is_refused_and_leaves_nothing() {
    let database = people().await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let error = insert(&*store, &view, &[row(20, "secret"), row(5, "other")]).await.unwrap_err();
    assert_eq!(error.kind, Kind::Duplicate);
    assert!(error.message.contains("t_pkey") && !format!("{error:?}").contains("secret"), "{error}");
    assert_eq!(database.number("SELECT count(*) FROM t").await, 10);
}

#[tokio::test]
async fn a_transaction_that_failed_cannot_be_committed() {
    let database = people().await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let mut transaction = store.begin(&view).await.unwrap();
    transaction.write(Arc::new(Changes::inserting(page_of(1, &[row(20, "x")])))).await.unwrap();
    assert!(transaction.write(Arc::new(Changes::inserting(page_of(1, &[row(20, "y")])))).await.is_err());
    assert!(transaction.commit().await.is_err());
    assert_eq!(database.number("SELECT count(*) FROM t").await, 10);
}

#[tokio::test]
async fn nothing_is_seen_before_commit_and_dropping_rolls_back() {
    let database = people().await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let mut transaction = store.begin(&view).await.unwrap();
    transaction.write(Arc::new(Changes::inserting(page_of(1, &[row(20, "x")])))).await.unwrap();
    assert_eq!(database.number("SELECT count(*) FROM t").await, 10);
    drop(transaction);
    // The lock on the key is free again, or this would wait for its timeout.
    insert(&*store, &view, &[row(20, "y")]).await.unwrap();
    assert_eq!(database.number("SELECT count(*) FROM t WHERE name = 'y'").await, 1);
}

#[tokio::test]
async fn rows_that_a_transaction_has_read_are_held_back_from_others() {
    let database = people().await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let mut transaction = store.begin(&view).await.unwrap();
    let found = transaction.before(&view, &[key(&[Value::Int(3)]), key(&[Value::Int(77)])]).await.unwrap();
    assert_eq!(found.len(), 1);
    let free =
        |id: i64| database.number_or_error(format!("SELECT id::bigint FROM t WHERE id = {id} FOR UPDATE NOWAIT"));
    assert!(free(3).await.is_err());
    assert_eq!(free(4).await.unwrap(), 4);
    transaction.commit().await.unwrap();
    assert_eq!(free(3).await.unwrap(), 3);
}

#[tokio::test]
async fn a_write_given_up_half_way_leaves_the_store_usable() {
    let database = people().await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let rows: Vec<Vec<Value>> = (100..40_000).map(|id| row(id, &format!("name {id}"))).collect();
    let changes = Arc::new(Changes::inserting(page_of(1, &rows)));
    for millis in [1, 5, 20, 60] {
        let mut transaction = store.begin(&view).await.unwrap();
        let given_up =
            tokio::time::timeout(Duration::from_millis(millis), transaction.write(Arc::clone(&changes))).await;
        if given_up.is_err() {
            assert!(transaction.commit().await.is_err());
        }
        store.ping().await.unwrap();
        assert_eq!(database.number("SELECT count(*) FROM t").await, 10);
    }
}

#[tokio::test]
async fn many_rows_are_deleted_and_updated_in_one_transaction() {
    let database = Database::with("CREATE TABLE t (a text, rowsync_k0 int, v text, PRIMARY KEY (a, rowsync_k0)); INSERT INTO t SELECT 'a' || i % 7, i, 'v' FROM generate_series(1, 5000) i").await;
    let store = database.store().await;
    let view = bytewise(&view(&*store, "t").await);
    let keys: Vec<Key> = (1..=2_500).map(|i| key(&[text(&format!("a{}", i % 7)), Value::Int(i)])).collect();
    let rows: Vec<Vec<Value>> =
        (2_501..=5_000).map(|i| vec![text(&format!("a{}", i % 7)), Value::Int(i), text("w")]).collect();
    let mut transaction = store.begin(&view).await.unwrap();
    let applied = transaction.write(Arc::new(Changes::deleting(keys, 2))).await.unwrap();
    assert_eq!(applied.deleted, 2_500);
    for _ in 0..2 {
        let changes = Changes { updates: page_of(2, &rows), ..Changes::new(2) };
        assert_eq!(transaction.write(Arc::new(changes)).await.unwrap().updated, 2_500);
    }
    transaction.commit().await.unwrap();
    assert_eq!(database.number("SELECT count(*) FROM t WHERE v = 'w'").await, 2_500);
}

#[tokio::test]
async fn numbers_of_identity_columns_are_kept() {
    let database =
        Database::with("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ip inet, v int)").await;
    let store = database.store().await;
    let native = view(&*store, "t").await;
    insert(&*store, &native, &[vec![Value::Int(7), Value::Null, Value::Int(1)]]).await.unwrap();
    let by_text = super::in_domains(&native, &[("ip", rowsync_engine::domain::Domain::Text)]);
    insert(&*store, &by_text, &[vec![Value::Int(9), text("10.0.0.1"), Value::Null]]).await.unwrap();
    assert_eq!(database.number("SELECT sum(id) FROM t").await, 16);
    let changes =
        Changes { updates: page_of(1, &[vec![Value::Int(9), text("10.0.0.2"), Value::Int(3)]]), ..Changes::new(1) };
    assert_eq!(write(&*store, &by_text, changes).await.unwrap().updated, 1);
    assert_eq!(database.number("SELECT count(*) FROM t WHERE ip = '10.0.0.2' AND v = 3").await, 1);
}

#[tokio::test]
async fn rows_on_a_cycle_may_come_before_their_parents() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY, boss int REFERENCES t DEFERRABLE)").await;
    let store = database.store().await;
    let cyclic = Arc::new(TableView { in_cycle: true, ..(*view(&*store, "t").await).clone() });
    let mut transaction = store.begin(&cyclic).await.unwrap();
    for (id, boss) in [(1, 2), (2, 1)] {
        let rows = page_of(1, &[vec![Value::Int(id), Value::Int(boss)]]);
        transaction.write(Arc::new(Changes::inserting(rows))).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let mut orphan = store.begin(&cyclic).await.unwrap();
    orphan.write(Arc::new(Changes::inserting(page_of(1, &[vec![Value::Int(3), Value::Int(9)]])))).await.unwrap();
    assert_eq!(orphan.commit().await.unwrap_err().kind, Kind::Constraint);
}

#[tokio::test]
async fn tables_of_nothing_but_a_key_are_written() {
    let database = Database::with("CREATE TABLE t (a int, b int, PRIMARY KEY (a, b))").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let rows = [vec![Value::Int(1), Value::Int(2)]];
    insert(&*store, &view, &rows).await.unwrap();
    let changes = Changes { updates: page_of(2, &rows), ..Changes::new(2) };
    assert_eq!(write(&*store, &view, changes).await.unwrap().updated, 0);
    assert_eq!(write(&*store, &view, Changes::new(2)).await.unwrap(), Default::default());
}

#[tokio::test]
async fn an_error_names_the_place_of_the_row_where_the_server_tells_it() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(3) NOT NULL CHECK (v <> 'bad'), u int UNIQUE, w numeric(3,0))",
    )
    .await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let good = |id: i32| vec![Value::Int(id.into()), text("ok"), Value::Int(id.into()), Value::Null];
    for (bad, kind) in [
        (vec![Value::Int(7), text("bad"), Value::Null, Value::Null], Kind::Constraint),
        (vec![Value::Int(7), text("ok"), Value::Int(3), Value::Null], Kind::Duplicate),
        (vec![Value::Int(7), text("long"), Value::Null, Value::Null], Kind::BadValue),
    ] {
        let rows: Vec<Vec<Value>> = (0..7).map(good).chain([bad]).chain((8..12).map(good)).collect();
        // Counted among all changes of the set: one delete comes before the rows.
        let changes = Changes { deletes: vec![key(&[Value::Int(99)])], ..Changes::inserting(page_of(1, &rows)) };
        let error = write(&*store, &view, changes).await.unwrap_err();
        assert_eq!((error.kind, error.place), (kind, Some(8)), "{error}");
    }
}
