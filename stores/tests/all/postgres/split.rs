//! Cuts of large tables, where they are sampled.

use rowsync_engine::digest::DigestKind;
use rowsync_engine::key::KeyRange;
use rowsync_engine::store::Store;
use rowsync_engine::value::Value;

use super::{Database, key, latest, view};

/// The parts of the cuts hold all rows, and none of them is far off the size asked for.
async fn check_parts(database: &Database, rows: u64, rows_per_part: u64) {
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let snapshot = latest(&*store).await;
    let cuts = snapshot.split(&view, &[KeyRange::ALL], rows_per_part).await.unwrap().remove(0);
    let ranges = KeyRange::ALL.cut_at(cuts.clone());
    assert_eq!(ranges.len(), cuts.len() + 1, "no cut comes twice");
    let counts = snapshot.digests(&view, &ranges, DigestKind::Count, 0).await.unwrap();
    assert_eq!(counts.iter().map(|count| count.rows).sum::<u64>(), rows, "cuts rise");
    let expected = rows.div_ceil(rows_per_part);
    assert!((expected / 2..=expected * 2).contains(&(ranges.len() as u64)), "{} parts for {expected}", ranges.len());
    assert!(counts.iter().all(|count| count.rows <= rows_per_part * 4));
}

#[tokio::test]
async fn large_tables_are_cut_evenly_whether_analyzed_or_not() {
    let fill = "INSERT INTO t SELECT md5(i::text), i, repeat('x', 100) FROM generate_series(1, 120000) i";
    let create = "CREATE TABLE t (a text, b int, c text, PRIMARY KEY (a, b)) WITH (autovacuum_enabled = off)";
    let database = Database::with(&format!("{create}; {fill}")).await;
    for rows_per_part in [20_000, 10_000, 1_000] {
        check_parts(&database, 120_000, rows_per_part).await;
    }
    database.run("ANALYZE t").await;
    check_parts(&database, 120_000, 10_000).await;
}

#[tokio::test]
async fn ranges_views_and_partitioned_tables_are_counted_out() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (40000);
         CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (40000) TO (200000);
         INSERT INTO t SELECT generate_series(1, 100000)",
    )
    .await;
    check_parts(&database, 100_000, 9_000).await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let range = KeyRange::new(Some(key(&[Value::Int(100)])), Some(key(&[Value::Int(200)])));
    let cuts = latest(&*store).await.split(&view, std::slice::from_ref(&range), 50).await.unwrap().remove(0);
    assert_eq!(cuts, [key(&[Value::Int(150)])]);
    assert!(latest(&*store).await.split(&view, &[range], 100).await.unwrap()[0].is_empty());
    let tables = store.tables().await.unwrap();
    assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["t"]);
}
