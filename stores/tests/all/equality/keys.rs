//! Both sides walk their keys in one order, so that every range holds the same rows on both, whatever type the key has.

use std::sync::Arc;

use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::Kind;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::Form;
use rowsync_engine::store::{Consistency, Store};

use super::{File, SALT, Two, page};
use crate::postgres::Database;

const KEYS: [(&str, &[&str]); 20] = [
    ("text", &["", " ", "A", "B", "a", "b", "ba", "b a", "é", "e\u{301}", "z", "😀", "_", "10", "9"]),
    ("character varying(20)", &["a", "B", "á", "-"]),
    ("text COLLATE \"und-x-icu\"", &["a", "B", "á", "-", "A", "b"]),
    ("citext", &["a", "B", "c", "É"]),
    ("character(4)", &["a", "B", "ab", "é"]),
    ("mood", &["z", "a", "it's", "é", "1"]),
    ("inet", &["10.0.0.9", "10.0.0.10", "9.0.0.0/8", "::1"]),
    ("integer[]", &["{}", "{2}", "{10}", "{1,2}"]),
    ("mood[]", &["{z}", "{a}", "{}"]),
    ("bigint", &["-9223372036854775808", "-1", "0", "9", "10", "9223372036854775807"]),
    ("numeric(12,2)", &["-1.50", "-1", "0", "9", "10", "10.01"]),
    ("double precision", &["-1e300", "-1.5", "0", "9", "10", "1e300", "Infinity", "-Infinity"]),
    ("boolean", &["true", "false"]),
    (
        "uuid",
        &[
            "00000000-0000-0000-0000-000000000000",
            "7fffffff-0000-0000-0000-000000000000",
            "ffffffff-0000-0000-0000-00000000000a",
        ],
    ),
    ("bytea", &["\\x", "\\x00", "\\x01", "\\x0100", "\\xff"]),
    ("date", &["0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31", "infinity", "-infinity"]),
    ("time", &["00:00", "00:00:00.5", "00:00:01", "24:00"]),
    (
        "timestamp",
        &[
            "0001-01-01",
            "2024-01-01",
            "2024-01-01 00:00:00.5",
            "2024-01-01 00:00:00.25",
            "2024-01-01 00:00:01",
            "infinity",
            "-infinity",
        ],
    ),
    (
        "timestamptz",
        &[
            "0001-01-01 00:00+00",
            "2024-01-01 00:00+00",
            "2024-01-01 00:00:00.5+00",
            "2024-01-01 00:00:01+00",
            "infinity",
            "-infinity",
        ],
    ),
    ("money", &["1", "10", "9"]),
];

const PREPARE: &str = "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('z', 'a', 'it''s', 'é', '1');";

fn table(number: usize, declared: &str, values: &[&str]) -> String {
    let rows: Vec<String> = values.iter().map(|value| format!("($v${value}$v$, $v${value}$v$)")).collect();
    format!(
        "CREATE TABLE t{number} (k {declared} PRIMARY KEY, v text); INSERT INTO t{number} VALUES {};",
        rows.join(", ")
    )
}

/// The ranges between the keys as one side has them hold the same on both.
async fn assert_ranges_equal(two: &Two, what: &str) {
    for (store, view) in [(&two.source, &two.pair.source), (&two.target, &two.pair.target)] {
        let rows = page(store, view, Form::Fields).await.unwrap();
        let ranges = KeyRange::ALL.cut_at((0..rows.len()).map(|index| rows.key(index)));
        for kind in two.pair.digests.iter().copied().chain([DigestKind::Count]) {
            let source = two.source.snapshot(Consistency::Latest).await.unwrap();
            let target = two.target.snapshot(Consistency::Latest).await.unwrap();
            let source = source.digests(&two.pair.source, &ranges, kind, SALT).await.unwrap();
            let target = target.digests(&two.pair.target, &ranges, kind, SALT).await.unwrap();
            assert_eq!(source, target, "{what}: {kind:?}");
        }
    }
}

#[tokio::test]
async fn ranges_of_every_kind_of_key_hold_the_same_rows_on_both_sides() {
    let tables: Vec<String> =
        KEYS.iter().enumerate().map(|(number, (declared, values))| table(number, declared, values)).collect();
    let (source, target) =
        (Database::with(&format!("{PREPARE}{}", tables.concat())).await, Database::with(PREPARE).await);
    let file = File::new();
    let (from, between, to) = (source.store().await, file.store().await, target.store().await);
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (from, to);
    for (number, (declared, _)) in KEYS.iter().enumerate() {
        let name = format!("t{number}");
        for there in [&between, &to] {
            let two = Two::made(&from, there, &name).await;
            two.copy().await.unwrap_or_else(|error| panic!("{declared}: {error:?}"));
            two.assert_equal(&two.pair.digests, declared).await;
            assert_ranges_equal(&two, declared).await;
        }
        let back = Two::of(&between, &to, &name).await;
        back.assert_equal(&back.pair.digests, declared).await;
        assert_ranges_equal(&back, declared).await;
    }
}

/// An enum sorts by the places of its labels, which differ from type to type.
#[tokio::test]
async fn enums_beside_texts_and_other_enums_are_walked_by_their_labels() {
    let values = ["z", "a", "m"];
    let source =
        Database::with(&format!("CREATE TYPE mood AS ENUM ('z', 'a', 'm'); {}", table(0, "mood", &values))).await;
    let texts = Database::with(&table(0, "text", &values)).await;
    let others =
        Database::with(&format!("CREATE TYPE mood AS ENUM ('m', 'z', 'a'); {}", table(0, "mood", &values))).await;
    let from: Arc<dyn Store> = source.store().await;
    for there in [&texts, &others] {
        let to: Arc<dyn Store> = there.store().await;
        let two = Two::of(&from, &to, "t0").await;
        two.assert_equal(&two.pair.digests, "enums").await;
        assert_ranges_equal(&two, "enums").await;
    }
}

/// SQLite sorts texts, and that of a year before Christ or of five digits is not where the year is.
#[tokio::test]
async fn keys_that_sqlite_cannot_sort_are_refused_by_name() {
    let cases = [
        ("date", "0044-03-15 BC"),
        ("date", "10000-01-01"),
        ("timestamp", "0044-03-15 00:00 BC"),
        ("timestamptz", "10000-01-01 00:00+00"),
        ("interval", "1 mon"),
    ];
    let sql: String =
        cases.iter().enumerate().map(|(number, (declared, value))| table(number, declared, &[value])).collect();
    let source = Database::with(&sql).await;
    let file = File::new();
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.store().await, file.store().await);
    for (number, (declared, _)) in cases.iter().enumerate() {
        let two = Two::made(&from, &to, &format!("t{number}")).await;
        let error = match two.copy().await {
            Ok(()) => page(&two.target, &two.pair.target, Form::Fields).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind, Kind::BadValue, "{declared}: {error}");
        assert!(error.message.contains("column k"), "{declared}: {error}");
    }
}

/// Keys of types that meet. 0.1 in 32 bits is another number than 0.1 in 64; keys are compared by their bytes, so both
/// have to be rounded.
#[tokio::test]
async fn ranges_of_keys_of_different_types_hold_the_same_rows_on_both_sides() {
    let uuids = ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000001"];
    let cases = [
        ("double precision", "real", &["0.1", "-1.5", "0", "3e38"][..]),
        ("bigint", "numeric", &["-10", "-9", "0", "9", "10"]),
        ("uuid", "text", &uuids),
        ("uuid", "character(36)", &uuids),
        ("bigint", "text COLLATE \"und-x-icu\"", &["-10", "-9", "9", "10"]),
        ("timestamptz", "text", &["2024-01-01 00:00+00", "0044-03-15 00:00+00 BC", "10000-01-01 00:00+00"]),
        ("boolean", "integer", &["1", "0"]),
        ("citext", "text", &["a", "B", "c"]),
    ];
    let tables = |side: fn(&(&'static str, &'static str, &[&str])) -> &'static str| -> String {
        cases.iter().enumerate().map(|(number, case)| table(number, side(case), case.2)).collect()
    };
    let here = Database::with(&format!("CREATE EXTENSION citext; {}", tables(|case| case.0))).await;
    let there = Database::with(&tables(|case| case.1)).await;
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (here.store().await, there.store().await);
    for (number, (one, other, _)) in cases.iter().enumerate() {
        let name = format!("t{number}");
        for two in [Two::of(&from, &to, &name).await, Two::of(&to, &from, &name).await] {
            let what = format!("{one} and {other}");
            two.assert_equal(&two.pair.digests, &what).await;
            assert_ranges_equal(&two, &what).await;
        }
    }
}

/// The bytes of a UUID are as good a key as the UUID.
#[tokio::test]
async fn keys_of_uuids_may_be_bytes_on_the_other_side() {
    let here = Database::with(
        "CREATE TABLE t (k uuid PRIMARY KEY); INSERT INTO t SELECT md5(i::text)::uuid FROM generate_series(1, 9) i",
    )
    .await;
    let there = Database::with("CREATE TABLE t (k bytea PRIMARY KEY)").await;
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (here.store().await, there.store().await);
    let two = Two::of(&from, &to, "t").await;
    two.copy().await.unwrap();
    two.assert_equal(&two.pair.digests, "bytes").await;
    assert_ranges_equal(&two, "bytes").await;
}
