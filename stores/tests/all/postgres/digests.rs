//! Digests of all kinds: they add up, they agree with pages, and they see what must be seen.

use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::value::Value;

use super::{Database, key, latest, text, view};

const KINDS: [DigestKind; 4] = [DigestKind::Count, DigestKind::Server, DigestKind::Stream, DigestKind::Raw];

async fn whole(database: &Database, kind: DigestKind, salt: u64) -> Digest {
    let store = database.store().await;
    let view = view(&*store, "t").await;
    latest(&*store).await.digests(&view, &[KeyRange::ALL], kind, salt).await.unwrap()[0]
}

#[tokio::test]
async fn digests_of_the_parts_add_up_to_the_whole() {
    let database = Database::with(
        "CREATE TABLE t (a int, b text, c numeric, d timestamptz, e bytea, PRIMARY KEY (a, b));
         INSERT INTO t SELECT i / 10, 'k' || i, nullif(i % 7, 0) * 1.5, now(), decode(md5(i::text), 'hex') FROM generate_series(1, 3000) i",
    )
    .await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let snapshot = latest(&*store).await;
    let bounds = |step: usize| (1..300).step_by(step).map(|a| key(&[Value::Int(a as i64), text(&format!("k{a}5"))]));
    for kind in KINDS {
        let one = whole(&database, kind, 99).await;
        assert_eq!(one.rows, 3_000);
        for step in [1, 7, 100] {
            let ranges = KeyRange::ALL.cut_at(bounds(step).collect::<Vec<Key>>());
            let mut sum = Digest::default();
            for part in snapshot.digests(&view, &ranges, kind, 99).await.unwrap() {
                sum += part;
            }
            assert_eq!(sum, one, "{kind:?} by {step}");
        }
        assert_eq!(whole(&database, kind, 99).await == whole(&database, kind, 100).await, kind == DigestKind::Count);
    }
    assert!(snapshot.digests(&view, &[], DigestKind::Server, 1).await.unwrap().is_empty());
}

/// Whether the server's digest is another one after the change.
async fn check_seen(database: &Database, create: &str, change: &str) {
    database.run(&format!("DROP TABLE IF EXISTS t; {create}")).await;
    for kind in [DigestKind::Server, DigestKind::Stream, DigestKind::Raw] {
        let before = [whole(database, kind, 1).await, whole(database, kind, 2).await];
        database.run(change).await;
        let after = [whole(database, kind, 1).await, whole(database, kind, 2).await];
        assert!(before[0] != after[0] && before[1] != after[1], "{kind:?} does not see: {change}");
        database.run(&format!("DROP TABLE t; {create}")).await;
    }
}

#[tokio::test]
async fn values_that_change_places_are_seen() {
    let database = &Database::with("").await;
    let create = "CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 10, 20), (2, 30, 40)";
    check_seen(database, create, "UPDATE t SET a = 40 - a").await;
    check_seen(database, create, "UPDATE t SET a = b, b = a").await;
    let numbers =
        "CREATE TABLE t (id int PRIMARY KEY, a numeric, b numeric); INSERT INTO t VALUES (1, 1, 10000), (2, 10000, 1)";
    check_seen(database, numbers, "UPDATE t SET a = b, b = a WHERE id = 1").await;
    check_seen(database, numbers, "UPDATE t SET b = 10001 - b").await;
    let texts =
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text); INSERT INTO t VALUES (1, 'x', NULL), (2, NULL, 'y')";
    check_seen(database, texts, "UPDATE t SET a = b, b = a").await;
    check_seen(database, texts, "UPDATE t SET a = 'x', b = NULL").await;
}

#[tokio::test]
async fn values_that_the_servers_own_hashes_confuse_are_seen() {
    let database = &Database::with("CREATE EXTENSION citext").await;
    let of = |column: &str, value: &str| {
        format!("CREATE TABLE t (id int PRIMARY KEY, v {column}); INSERT INTO t VALUES (1, {value})")
    };
    for (column, one, other) in [
        ("bigint", "-1", "4294967295"),
        ("bigint", "1", "4294967296"),
        ("numeric", "1.5", "-1.5"),
        ("numeric", "1", "10000"),
        ("citext", "'a'", "'A'"),
        ("interval", "'1 month'", "'30 days'"),
        ("jsonb", "'{\"a\": 1}'", "'{\"a\": -1}'"),
        ("bigint[]", "'{-1}'", "'{4294967295}'"),
        ("text", "NULL", "''"),
        ("bytea", "NULL", "''"),
        ("date", "NULL", "'2000-01-01'"),
        ("time", "'00:00'", "'24:00'"),
        ("timestamp", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'"),
        ("timestamptz", "'infinity'", "'-infinity'"),
        ("bool", "true", "false"),
        ("float8", "1", "1.0000000000000002"),
        ("json", "'[1]'", "'[2]'"),
    ] {
        check_seen(database, &of(column, one), &format!("UPDATE t SET v = {other}")).await;
    }
}

#[tokio::test]
async fn equal_rows_have_equal_digests_in_two_databases() {
    let sql = "CREATE TYPE mood AS ENUM ('a', 'b');
        CREATE TABLE t (id bigint PRIMARY KEY, m mood, s text, n numeric, f float8, u uuid, d date, j jsonb, p char(5));
        INSERT INTO t SELECT i, 'b', 's' || i, i * 1.50, i / 3.0, md5(i::text)::uuid, date '2020-01-01' + i, jsonb_build_object('i', i), 'x' FROM generate_series(1, 500) i";
    let one = Database::with(sql).await;
    // Types of other numbers, rows in another order.
    let other = Database::with(&format!("CREATE TABLE spare (m int); {sql}")).await;
    other.run("UPDATE t SET s = s WHERE id % 3 = 0").await;
    for kind in [DigestKind::Server, DigestKind::Stream] {
        assert_eq!(whole(&one, kind, 7).await, whole(&other, kind, 7).await, "{kind:?}");
    }
}
