//! Figures, not promises: `cargo test --release -p rowsync-stores --test all -- --ignored --nocapture speed`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rowsync_engine::change::Changes;
use rowsync_engine::digest::DigestKind;
use rowsync_engine::key::KeyRange;
use rowsync_engine::schema::DataType;
use rowsync_engine::store::{Consistency, PageRequest};
use rowsync_engine::value::Value;
use rowsync_stores::sqlite::Sqlite;
use rowsync_stores::testing::rows::{Bench, asking, number, page_of, text};
use rowsync_stores::{Access, Connection};

const PAGES: i64 = 60;
const ROWS_OF_A_PAGE: i64 = 5_000;

fn columns() -> Vec<(&'static str, DataType)> {
    vec![
        ("id", DataType::Int { bits: 64 }),
        ("customer", DataType::Int { bits: 64 }),
        ("name", DataType::Text { max_chars: None }),
        ("email", DataType::Text { max_chars: None }),
        ("price", DataType::Decimal { precision: Some(10), scale: Some(2) }),
        ("weight", DataType::Float { bits: 64 }),
        ("paid", DataType::Bool),
        ("changed", DataType::Timestamp),
        ("note", DataType::Text { max_chars: None }),
    ]
}

fn row(i: i64) -> Vec<Value> {
    vec![
        number(i),
        number(i * 7 % 1000),
        text(&format!("customer number {i}")),
        text(&format!("c{i}@example.org")),
        Value::Decimal(format!("{}.{:02}", i % 9000, i % 100)),
        Value::Float(i as f64 / 3.0),
        Value::Bool(i % 2 == 0),
        Value::Timestamp(1_700_000_000_000_000 + i * 1_000_000),
        text("a note of some length that most rows have"),
    ]
}

#[tokio::test]
#[ignore = "measures"]
async fn speed_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection {
        url: format!("sqlite:{}", folder.path().join("speed.sqlite").display()),
        schema: None,
        timeout: Duration::from_secs(10),
        connections_max: 4,
        access: Access::Write,
    };
    let store = Sqlite::connect(&connection).await.unwrap();
    let bench = Bench { store };
    let table = bench.table(&columns(), 1).await;
    let rows = PAGES * ROWS_OF_A_PAGE;
    let tell = |what: &str, since: Instant| {
        println!("{what}: {:.3} µs a row", since.elapsed().as_secs_f64() * 1e6 / rows as f64);
    };
    let pages: Vec<Arc<Changes>> = (0..PAGES)
        .map(|page| (page * ROWS_OF_A_PAGE..(page + 1) * ROWS_OF_A_PAGE).map(row).collect::<Vec<_>>())
        .map(|rows| Arc::new(Changes::inserting(page_of(&rows, 1))))
        .collect();
    bare(&pages, folder.path(), &tell);

    let start = Instant::now();
    let mut transaction = bench.store.begin(&table.view).await.unwrap();
    for page in &pages {
        transaction.write(Arc::clone(page)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    tell("insert", start);

    let latest = bench.store.snapshot(Consistency::Latest).await.unwrap();
    let start = Instant::now();
    let mut range = KeyRange::ALL;
    loop {
        let request = PageRequest { rows_max: 5_000, ..asking(range) };
        let page = latest.page(&table.view, &request).await.unwrap();
        if page.complete {
            break;
        }
        range = KeyRange::new(page.last_key, None);
    }
    tell("pages of 5,000", start);
    for kind in [DigestKind::Stream, DigestKind::Count] {
        let start = Instant::now();
        latest.digests(&table.view, &[KeyRange::ALL], kind, 1).await.unwrap();
        tell(&format!("{kind:?}"), start);
    }
    let start = Instant::now();
    let cuts = latest.split(&table.view, &KeyRange::ALL, 1_000).await.unwrap();
    println!("split into {}: {:?}", cuts.len() + 1, start.elapsed());
    let ranges = KeyRange::ALL.cut_at(cuts);
    let start = Instant::now();
    latest.digests(&table.view, &ranges, DigestKind::Stream, 1).await.unwrap();
    tell("Stream by ranges of 1,000", start);
}

/// The same values by a bare prepared statement, for comparison.
fn bare(pages: &[Arc<Changes>], folder: &std::path::Path, tell: &impl Fn(&str, Instant)) {
    let connection = rusqlite::Connection::open(folder.join("bare.sqlite")).unwrap();
    let set_up = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16384;
                  CREATE TABLE t(id INTEGER PRIMARY KEY, customer INT, name TEXT, email TEXT, price NUMERIC(10,2),
                                 weight REAL, paid BOOLEAN, changed TIMESTAMP, note TEXT); BEGIN";
    connection.execute_batch(set_up).unwrap();
    let start = Instant::now();
    let mut statement = connection.prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)").unwrap();
    for i in 0..pages.iter().map(|page| page.len() as i64).sum() {
        let values = (i, i * 7 % 1000, "customer number 123456", "c123456@example.org", 123.45, i as f64 / 3.0, i % 2);
        let texts = ("2023-11-14 22:13:20", "a note of some length that most rows have");
        let (a, b, c, d, e, f, g) = values;
        statement.execute(rusqlite::params![a, b, c, d, e, f, g, texts.0, texts.1]).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    tell("bare insert", start);
}
