//! Connecting, and what is said when that fails.

use std::time::Duration;

use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::Kind;
use rowsync_engine::key::KeyRange;
use rowsync_engine::schema::TableName;
use rowsync_engine::store::{Consistency, Store};
use rowsync_engine::value::Value;
use rowsync_stores::postgres::Postgres;
use rowsync_stores::{Access, Connection};

use super::{Database, all_rows, insert, latest, server, view};

fn at(url: String) -> Connection {
    Connection { url, schema: None, timeout: Duration::from_secs(5), connections_max: 2, access: Access::Write }
}

async fn refusal(url: String) -> rowsync_engine::error::StoreError {
    Postgres::connect(&at(url)).await.err().expect("this cannot connect")
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_not_shown() {
    let (before, place) = server().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let user = before.rsplit_once(':').unwrap().0.to_owned();
    let error = refusal(format!("{user}:tr0mbone@{place}")).await;
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.message.contains("127.0.0.1"), "{error}");
    assert!(!format!("{error:?}").contains("tr0mbone"));
}

#[tokio::test]
async fn an_unknown_database_is_named() {
    let (base, _) = server().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let error = refusal(format!("{base}/nowhere_at_all")).await;
    assert_eq!(error.kind, Kind::NoDatabase);
    assert!(error.message.contains("nowhere_at_all"), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_unreachable_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let started = std::time::Instant::now();
    let error = refusal(format!("postgres://rowsync:secret@127.0.0.1:{port}/there")).await;
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.message.contains("there") && !error.to_string().contains("secret"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_side_that_is_read_cannot_be_written() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let store = Postgres::connect(&Connection { access: Access::Read, ..database.connection() }).await.unwrap();
    let view = view(&*store, "t").await;
    assert_eq!(store.begin(&view).await.err().map(|e| e.kind), Some(Kind::Forbidden));
    store.flush().await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_long_statement_times_out_and_the_store_lives_on() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 3);
         CREATE VIEW slow AS SELECT id, pg_sleep(5)::text AS nap FROM t",
    )
    .await;
    let connection = Connection { timeout: Duration::from_millis(1_000), ..database.connection() };
    let store = Postgres::connect(&connection).await.unwrap();
    let mut slow = (*view(&*store, "t").await).clone();
    slow.table = TableName::in_schema("public", "slow");
    let nap = store.describe(&slow.table).await.unwrap().unwrap().columns[1].clone();
    slow.columns.push(rowsync_engine::schema::ViewColumn { column: nap, domain: rowsync_engine::domain::Domain::Text });
    let slow = std::sync::Arc::new(slow);
    let error = latest(&*store).await.digests(&slow, &[KeyRange::ALL], DigestKind::Stream, 1).await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout, "{error}");
    assert_eq!(error.table.as_deref(), Some(&slow.table));
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_frozen_snapshot_stands_still_while_the_latest_moves() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let frozen = store.snapshot(Consistency::Frozen).await.unwrap();
    insert(&*store, &view, &[vec![Value::Int(2)]]).await.unwrap();
    let questions = (0..12).map(|_| frozen.survey(&view, None));
    for survey in futures_util::future::join_all(questions).await {
        assert_eq!(survey.unwrap().rows, 1);
    }
    assert_eq!(latest(&*store).await.survey(&view, None).await.unwrap().rows, 2);
    assert_eq!(all_rows(&*store, &view).await.len(), 2);
}

#[tokio::test]
async fn a_frozen_snapshot_is_frozen_for_connections_that_come_later_too() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let frozen = store.snapshot(Consistency::Frozen).await.unwrap();
    insert(&*store, &view, &[vec![Value::Int(2)]]).await.unwrap();
    assert_eq!(frozen.digests(&view, &[KeyRange::ALL], DigestKind::Count, 0).await.unwrap()[0].rows, 0);
}

#[tokio::test]
async fn after_a_flush_the_log_is_on_disk_up_to_the_last_commit() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    for id in 0..20 {
        insert(&*store, &view, &[vec![Value::Int(id)]]).await.unwrap();
        let written = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";
        let flushed = "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint";
        let mark = database.number(written).await;
        store.flush().await.unwrap();
        assert!(database.number(flushed).await >= mark);
    }
}

#[tokio::test]
async fn after_a_reconnection_no_dead_connection_is_lent_out() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let all = || futures_util::future::join_all((0..4).map(|_| store.ping()));
    assert!(all().await.into_iter().all(|answer| answer.is_ok()));
    database
        .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rowsync' AND datname = current_database()")
        .await;
    store.reconnect().await.unwrap();
    assert!(all().await.into_iter().all(|answer| answer.is_ok()));
    insert(&*store, &view, &[vec![Value::Int(1)]]).await.unwrap();
}

/// A server that takes what it is told, and never says a word.
fn silent_server() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        open.extend(listener.incoming());
    });
    port
}

#[tokio::test]
async fn a_server_that_never_answers_is_unreachable_in_time() {
    let database = Database::with("").await;
    let url = format!("postgres://rowsync@127.0.0.1:{}/silent", silent_server());
    let connection = Connection { url, timeout: Duration::from_millis(200), ..database.connection() };
    let error = Postgres::connect(&connection).await.err().unwrap();
    assert_eq!(error.kind, Kind::Unreachable, "{error}");
}
