//! Columns of different types that meet: what they hold is equal after a copy, and what differs is seen.

use std::sync::Arc;

use rowsync_engine::store::Store;

use super::{Two, assert_spelled_alike};
use crate::postgres::Database;

const PREPARE: &str = "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('z', 'a', 'it''s');";

/// The types of both sides, and values of the first.
const PAIRS: [(&str, &str, &[&str]); 39] = [
    ("smallint", "bigint", &["-32768", "0", "32767"]),
    ("bigint", "numeric", &["-9223372036854775808", "0", "100"]),
    ("bigint", "numeric(20,2)", &["-9223372036854775", "0", "100"]),
    ("bigint", "double precision", &["-4294967296", "0", "9007199254740992"]),
    ("numeric", "numeric(12,2)", &["0", "1.5", "-9999999999.99"]),
    ("numeric(12,2)", "numeric(14,4)", &["0", "1.50", "-9999999999.99"]),
    ("numeric", "double precision", &["0", "0.1", "0.30000000000000004", "NaN"]),
    ("real", "double precision", &["0.1", "-0", "3.4028235e38", "1e-45", "NaN", "Infinity"]),
    ("double precision", "real", &["0.1", "0.30000000000000004", "-0", "1e-60", "NaN", "-Infinity"]),
    ("text", "character varying(10)", &["", " ", "a ", "ééééééééé"]),
    ("text", "character(5)", &["", "a", "a  ", "ééééé"]),
    ("character(5)", "text", &["", "a", "ab c"]),
    ("citext", "text", &["a", "A"]),
    ("mood", "text", &["z", "a", "it's"]),
    ("text", "mood", &["z", "a", "it's"]),
    ("json", "jsonb", &["{\"a\": 1.0, \"b\":[]}", "null", "\"\\u00e9\""]),
    ("jsonb", "text", &["{\"a\": 1.0, \"b\": []}", "null"]),
    ("date", "timestamp", &["0044-03-15 BC", "2024-02-29", "infinity", "-infinity"]),
    ("inet", "cidr", &["10.0.0.0/8", "::/0"]),
    ("text", "inet", &["10.0.0.1", "10.0.0.0/8", "::1"]),
    ("integer[]", "text", &["{}", "{1,NULL}", "{{1}}"]),
    ("integer[]", "bigint[]", &["{}", "{1,NULL}"]),
    ("mood[]", "text[]", &["{z,a}", "{}"]),
    ("bit(3)", "bit varying", &["101", "000"]),
    ("boolean", "smallint", &["true", "false"]),
    ("integer", "boolean", &["1", "0"]),
    ("boolean", "text", &["true", "false"]),
    ("text", "boolean", &["t", "f", "true", "0", "1"]),
    ("uuid", "text", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("text", "uuid", &["A0EEBC999C0B4EF8BB6D6BB9BD380A11"]),
    ("uuid", "bytea", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("character(36)", "uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("bigint", "text", &["-9223372036854775808", "0"]),
    ("text", "numeric", &["1.50", "-0", "1e3", "NaN"]),
    ("double precision", "text", &["0.1", "NaN", "-Infinity", "1e-300"]),
    ("text", "date", &["2024-02-29", "infinity", "0044-03-15 BC"]),
    ("timestamptz", "text", &["2024-02-29 12:00+02", "-infinity", "0044-03-15 01:02:03.5+00 BC"]),
    ("text", "timestamp(3)", &["2024-02-29 12:00:00.001", "2024-02-29T12:00Z"]),
    ("time", "text", &["24:00", "00:00:00.000001"]),
];

/// The types of both sides, and values of which the second keeps only some digits.
const COARSER: [(&str, &str, &[&str]); 5] = [
    ("numeric", "numeric(12,2)", &["1.005", "-1.005", "1.0049", "9999999998.994999"]),
    ("numeric(12,4)", "numeric(12,2)", &["0.0050", "-0.0051"]),
    ("time", "time(3)", &["00:00:00.0005", "23:59:59.9999", "12:00:00.000499"]),
    (
        "timestamp",
        "timestamp(3)",
        &["1999-01-01 00:00:00.0005", "2001-01-01 00:00:00.0005", "0044-03-15 00:00:00.000499 BC", "infinity"],
    ),
    (
        "timestamptz",
        "timestamptz(0)",
        &["2024-01-01 00:00:00.5+00", "1969-12-31 23:59:59.5+00", "1999-12-31 23:59:58.5+00"],
    ),
];

#[tokio::test]
async fn values_are_equal_after_a_copy_to_a_column_of_another_type() {
    let tables = |type_of: fn(&(&'static str, &'static str, &'static [&'static str])) -> &'static str, fill: bool| {
        let mut sql = PREPARE.to_owned();
        for (number, pair) in PAIRS.iter().enumerate() {
            sql.push_str(&format!("CREATE TABLE t{number} (id bigint PRIMARY KEY, v {});", type_of(pair)));
            for (id, value) in pair.2.iter().enumerate().filter(|_| fill) {
                sql.push_str(&format!("INSERT INTO t{number} VALUES ({id}, $v${value}$v$);"));
            }
            sql.push_str(&format!("INSERT INTO t{number} SELECT -1, NULL WHERE {fill};"));
        }
        sql
    };
    let source = Database::with(&tables(|pair| pair.0, true)).await;
    let target = Database::with(&tables(|pair| pair.1, false)).await;
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.store().await, target.store().await);
    let mut failed = Vec::new();
    for (number, (one, other, values)) in PAIRS.iter().enumerate() {
        let (from, to) = (Arc::clone(&from), Arc::clone(&to));
        let what = format!("{one} to {other}");
        let rows = values.len() + 1;
        let wiping = format!("UPDATE t{number} SET v = NULL WHERE id = 0");
        let target_url = target.url.clone();
        let told = what.clone();
        let checked = tokio::spawn(async move {
            let two = Two::of(&from, &to, &format!("t{number}")).await;
            two.assert_differ(rows, &told).await;
            two.copy().await.unwrap_or_else(|error| panic!("{told}: {error:?}"));
            two.assert_equal(&two.pair.digests, &told).await;
            crate::postgres::run(&target_url, &wiping).await;
            two.assert_differ(1, &told).await;
        });
        if checked.await.is_err() {
            failed.push(what);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// 1e300 used to be the infinity of 32 bits, so a difference that no write could mend was not seen either.
#[tokio::test]
async fn what_the_coarser_column_cannot_hold_at_all_is_a_difference() {
    let table = |declared: &str, value: &str| {
        format!("CREATE TABLE t (id bigint PRIMARY KEY, v {declared}); INSERT INTO t VALUES (1, '{value}')")
    };
    let source = Database::with(&table("double precision", "1e300")).await;
    let target = Database::with(&table("real", "Infinity")).await;
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.store().await, target.store().await);
    Two::of(&from, &to, "t").await.assert_differ(1, "1e300").await;
}

#[tokio::test]
async fn digits_that_the_coarser_column_does_not_keep_do_not_count_but_are_not_dropped_in_silence() {
    let tables = |type_of: fn(&(&'static str, &'static str, &'static [&'static str])) -> &'static str| {
        let table = |(number, case): (usize, &(&'static str, &'static str, &'static [&'static str]))| {
            let rows: Vec<String> = case.2.iter().enumerate().map(|(id, value)| format!("({id}, '{value}')")).collect();
            format!(
                "CREATE TABLE t{number} (id bigint PRIMARY KEY, v {}); INSERT INTO t{number} VALUES {};",
                type_of(case),
                rows.join(", ")
            )
        };
        COARSER.iter().enumerate().map(table).collect::<String>()
    };
    let (source, target) = (Database::with(&tables(|case| case.0)).await, Database::with(&tables(|case| case.1)).await);
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.store().await, target.store().await);
    for (number, (one, other, _)) in COARSER.iter().enumerate() {
        let what = format!("{one} and {other}");
        for two in [Two::of(&from, &to, &format!("t{number}")).await, Two::of(&to, &from, &format!("t{number}")).await]
        {
            two.assert_equal(&two.pair.digests, &what).await;
            assert_spelled_alike(&two.source, &two.pair.source, &what).await;
        }
        target.run(&format!("DELETE FROM t{number}")).await;
        let two = Two::of(&from, &to, &format!("t{number}")).await;
        let error = two.copy().await.unwrap_err();
        assert!(error.message.contains("\"v\" cannot hold"), "{what}: {error}");
    }
}
