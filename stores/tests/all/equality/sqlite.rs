//! What SQLite stores under each declared type, beside PostgreSQL, whose type binds, and beside another SQLite, where the
//! storage class does.

use std::sync::Arc;

use rowsync_engine::row::Form;
use rowsync_engine::store::Store;

use super::{File, Two, assert_spelled_alike, canonical_values, page};
use crate::postgres::Database;

/// A declared type, and literals in classes of equal values.
type Case = (&'static str, &'static [&'static [&'static str]]);

const BESIDE_POSTGRES: [Case; 22] = [
    (
        "INTEGER",
        &[&["0", "'0'", "0.0"], &["1", "'1'"], &["-9223372036854775808"], &["9223372036854775807"], &["4294967296"]],
    ),
    ("TINYINT(1)", &[&["0"], &["1"], &["7"]]),
    ("BOOLEAN", &[&["1", "'t'", "'true'", "TRUE", "'1'"], &["0", "'f'", "'false'", "FALSE", "'0'"]]),
    (
        "REAL",
        &[
            &["0", "0.0", "-0.0"],
            &["0.1", "'0.1'"],
            &["0.3"],
            &["0.30000000000000004"],
            &["1e308"],
            &["5e-324"],
            &["9e999"],
            &["-9e999"],
        ],
    ),
    ("REAL", &[&["'NaN'"], &["0"]]),
    (
        "NUMERIC",
        &[
            &["1", "1.0", "'1.00'"],
            &["0.1"],
            &["-0.5", "'-.5'"],
            &["9223372036854775807"],
            &["1e15"],
            &["'NaN'"],
            &["'Infinity'", "9e999"],
        ],
    ),
    ("NUMERIC(10,2)", &[&["1.10", "'1.1'"], &["-99999999.99"], &["0", "'-0.00'"]]),
    (
        "DECIMAL BLOB",
        &[
            &["'123456789012.123456789012'", "'+123456789012.123456789012'"],
            &["'123456789012.123456789013'"],
            &["1", "'1.0'", "'1e0'", "'10E-1'"],
            &["'0.30000000000000004'"],
            &["0.3", "'0.3'"],
        ],
    ),
    (
        "TEXT",
        &[
            &["''"],
            &["' '"],
            &["'a'"],
            &["'a '"],
            &["'A'"],
            &["'<null>'"],
            &["'1'", "1"],
            &["'1.0'", "1.0"],
            &["'😀'"],
            &["char(1)"],
        ],
    ),
    ("NVARCHAR(160)", &[&["'é'"], &["'e' || char(769)"]]),
    ("BLOB", &[&["x''", "''"], &["x'00'"], &["x'0000'"], &["x'61'", "'a'"], &["zeroblob(1048576)"]]),
    (
        "UUID",
        &[
            &[
                "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
                "'A0EEBC999C0B4EF8BB6D6BB9BD380A11'",
                "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'",
                "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'",
            ],
            &["'00000000-0000-0000-0000-000000000000'", "zeroblob(16)"],
        ],
    ),
    (
        "DATE",
        &[
            &["'2024-02-29'", "'2024-02-29 00:00:00'", "'2024-02-29T00:00'"],
            &["'0044-03-15 BC'"],
            &["'10000-01-01'"],
            &["'infinity'"],
            &["'-infinity'"],
        ],
    ),
    ("TIME", &[&["'10:00'", "'10:00:00'", "'10:00:00.000'"], &["'24:00:00'"], &["'00:00:00'"], &["'23:59:59.999999'"]]),
    (
        "DATETIME",
        &[
            &["'2024-01-01 10:00'", "'2024-01-01T10:00:00'", "'2024-01-01 10:00:00.000'", "'2024-01-01T10:00:00Z'"],
            &["'2024-01-01'", "'2024-01-01 00:00:00'"],
            &["'2024-01-01 10:00:00.000001'"],
            &["'0044-03-15 01:02:03.5 BC'"],
            &["'infinity'"],
            &["'-infinity'"],
        ],
    ),
    (
        "TIMESTAMPTZ",
        &[
            &[
                "'2024-05-01 10:00:00Z'",
                "'2024-05-01 12:00:00+02:00'",
                "'2024-05-01T05:30:00-0430'",
                "'2024-05-01 10:00'",
            ],
            &["'2024-05-01 12:00:00Z'"],
            &["'infinity'"],
        ],
    ),
    (
        "INTERVAL",
        &[
            &["'P1M0DT0S'"],
            &["'P0M30DT0S'"],
            &["'P0M0DT2592000S'"],
            &["'P0M0DT-0.5S'"],
            &["'P-1M1DT-9223372036854.775808S'"],
        ],
    ),
    (
        "JSON",
        &[
            &["'{\"a\":1.0,\"b\":[]}'", "'{\"b\":[ ],\"a\":1}'"],
            &["'null'"],
            &["'\"null\"'"],
            &["1", "'1'", "'1.0'"],
            &["'\"1\"'"],
            &["0.3"],
            &["'0.30000000000000004'"],
        ],
    ),
    ("JSON TEXT", &[&["'12345678901234567890.1'"], &["'12345678901234567890.2'"], &["'[1.50]'", "'[15e-1]'"]]),
    ("", &[&["'a'"], &["''"], &["'1'", "1"], &["'0.5'", "0.5"]]),
    ("POINT", &[&["'(1,2)'"], &["'(2,1)'"]]),
    ("CHAR(5)", &[&["'a'"], &["'a    '"]]),
];

const BESIDE_SQLITE: [Case; 5] = [
    (
        "",
        &[
            &["1", "1.0"],
            &["'1'"],
            &["x'31'"],
            &["''"],
            &["x''"],
            &["0", "0.0", "-0.0"],
            &["0.5"],
            &["'0.5'"],
            &["9223372036854775807"],
            &["9.3e18"],
            &["9e999"],
            &["'Infinity'"],
        ],
    ),
    ("TEXT", &[&["'1'", "1"], &["'1.0'", "1.0"], &["x'31'"], &["'a'"], &["'a '"]]),
    ("NUMERIC", &[&["1", "'1'", "1.0"], &["'a'"], &["0.1"], &["x'31'"]]),
    ("DATETIME", &[&["'2024-01-01 10:00:00'"], &["'2024-01-01T10:00:00'"], &["1704103200", "1704103200.0"]]),
    ("JSON", &[&["'{\"a\":1}'"], &["'{\"a\": 1}'"], &["1", "'1'"]]),
];

fn tables(cases: &[Case]) -> String {
    let table = |(number, (declared, classes)): (usize, &Case)| {
        let values = classes.iter().copied().flatten().enumerate();
        let rows: Vec<String> = values.map(|(id, value)| format!("({id}, {value})")).collect();
        format!(
            "CREATE TABLE t{number} (id INTEGER PRIMARY KEY, v {declared}); INSERT INTO t{number} VALUES (-1, NULL), {};",
            rows.join(", ")
        )
    };
    cases.iter().enumerate().map(table).collect()
}

async fn assert_told_apart(store: &Arc<dyn Store>, two: &Two, case: &Case) {
    let rows = page(store, &two.pair.source, Form::Fields).await.unwrap();
    let spelled = canonical_values(&rows, &two.pair.source);
    let of_values = case.1.iter().enumerate().flat_map(|(number, class)| class.iter().map(move |_| number + 1));
    let classes: Vec<usize> = std::iter::once(0).chain(of_values).collect();
    for (a, one) in spelled.iter().enumerate() {
        for (b, other) in spelled.iter().enumerate() {
            assert_eq!(one == other, classes[a] == classes[b], "{}: values {a} and {b}", case.0);
        }
    }
}

#[tokio::test]
async fn what_sqlite_holds_is_equal_after_a_copy_to_postgresql_and_back() {
    let (from_file, back_file) = (File::new(), File::new());
    from_file.run(&tables(&BESIDE_POSTGRES));
    let database = Database::with("").await;
    let from = from_file.store().await;
    let to: Arc<dyn Store> = database.store().await;
    let back = back_file.store().await;
    for (number, case) in BESIDE_POSTGRES.iter().enumerate() {
        let name = format!("t{number}");
        let there = Two::made(&from, &to, &name).await;
        assert_told_apart(&from, &there, case).await;
        there.copy().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.0));
        there.assert_equal(&there.pair.digests, case.0).await;
        assert_spelled_alike(&to, &there.pair.target, case.0).await;
        let again = Two::made(&to, &back, &name).await;
        again.copy().await.unwrap_or_else(|error| panic!("{} back: {error:?}", case.0));
        again.assert_equal(&again.pair.digests, case.0).await;
    }
}

#[tokio::test]
async fn what_sqlite_holds_is_equal_after_a_copy_to_another_sqlite() {
    let (from_file, to_file) = (File::new(), File::new());
    from_file.run(&tables(&BESIDE_SQLITE));
    let (from, to) = (from_file.store().await, to_file.store().await);
    for (number, case) in BESIDE_SQLITE.iter().enumerate() {
        let two = Two::made(&from, &to, &format!("t{number}")).await;
        assert_told_apart(&from, &two, case).await;
        two.copy().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.0));
        two.assert_equal(&two.pair.digests, case.0).await;
    }
}

/// What the type of the other side does not keep does not count. Floats are rounded on their way there; anything else
/// that is too fine is refused.
#[tokio::test]
async fn finer_values_of_sqlite_meet_a_coarser_column_of_postgresql() {
    let cases = [
        (
            "TIMESTAMP",
            "timestamp(3)",
            &["'1999-01-01 00:00:00.0005'", "'2001-01-01 00:00:00.000499'", "'infinity'"][..],
        ),
        ("TIMESTAMPTZ", "timestamptz(0)", &["'2024-01-01 00:00:00.5Z'", "'2024-01-01 02:00:00+02:00'"]),
        ("TIME", "time(0)", &["'23:59:59.5'", "'00:00:00.499999'"]),
        ("DECIMAL BLOB", "numeric(12,2)", &["'1.005'", "'-1.005'", "0.125"]),
        ("REAL", "real", &["0.1", "0.30000000000000004", "1e-60"]),
    ];
    let (file, database) = (File::new(), Database::with("").await);
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (file.store().await, database.store().await);
    for (number, (declared, bound, values)) in cases.iter().enumerate() {
        let name = format!("t{number}");
        let rows: Vec<String> = values.iter().enumerate().map(|(id, value)| format!("({id}, {value})")).collect();
        let rows = rows.join(", ");
        file.run(&format!(
            "CREATE TABLE {name} (id INTEGER PRIMARY KEY, v {declared}); INSERT INTO {name} VALUES {rows}"
        ));
        database.run(&format!("CREATE TABLE {name} (id bigint PRIMARY KEY, v {bound})")).await;
        let two = Two::of(&from, &to, &name).await;
        two.assert_differ(values.len(), bound).await;
        let copied = two.copy().await;
        assert_eq!(copied.is_ok(), *bound == "real", "{bound}: {copied:?}");
        if copied.is_err() {
            database.run(&format!("INSERT INTO {name} VALUES {rows}")).await;
        }
        two.assert_equal(&two.pair.digests, bound).await;
        assert_spelled_alike(&to, &two.pair.target, bound).await;
    }
}

#[tokio::test]
async fn a_float_beyond_the_other_column_is_a_difference_and_no_infinity() {
    let file = File::new();
    file.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v REAL); INSERT INTO t VALUES (1, 1e300)");
    let database =
        Database::with("CREATE TABLE t (id bigint PRIMARY KEY, v real); INSERT INTO t VALUES (1, 'Infinity')").await;
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (file.store().await, database.store().await);
    let two = Two::of(&from, &to, "t").await;
    two.assert_differ(1, "1e300").await;
    database.run("TRUNCATE t").await;
    let error = two.copy().await.unwrap_err();
    assert!(error.message.contains("\"v\"") && error.message.contains("32 bits"), "{error}");
}
