//! What other tools have taken for equal, by name: looked for row by row and by every kind of digest, between all
//! engines.

use std::sync::Arc;

use rowsync_engine::digest::DigestKind;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::Form;
use rowsync_engine::store::{Consistency, Store};

use super::{File, SALT, Two, page};
use crate::postgres::Database;

/// Two databases of each engine, for as many tables as a test needs.
struct World {
    files: [File; 2],
    databases: [Database; 2],
    stores: [Arc<dyn Store>; 4],
    tables: u32,
}

impl World {
    async fn new() -> World {
        let files = [File::new(), File::new()];
        let databases = [Database::with("").await, Database::with("").await];
        let stores: [Arc<dyn Store>; 4] =
            [files[0].store().await, files[1].store().await, databases[0].store().await, databases[1].store().await];
        World { files, databases, stores, tables: 0 }
    }

    /// Every row of the two lists differs from the other of its number, between any two engines, by any digest of it
    /// alone and of all of them.
    async fn check(&mut self, columns: &str, source: &[String], target: &[String]) {
        self.tables += 1;
        let name = format!("t{}", self.tables);
        for (side, rows) in [source, target].into_iter().enumerate() {
            let sql = script(&name, columns, rows);
            self.files[side].run(&sql.replace("numeric", "DECIMAL BLOB"));
            self.databases[side].run(&sql).await;
        }
        let [file, other_file, database, other_database] = &self.stores;
        let near = [DigestKind::Stream, DigestKind::Portable];
        let alike = [DigestKind::Stream, DigestKind::Portable, DigestKind::Raw];
        let servers = [DigestKind::Server, DigestKind::Stream, DigestKind::Portable, DigestKind::Raw];
        let pairs: [(_, _, &[DigestKind], _); 4] = [
            (file, other_file, &alike, "SQLite to SQLite"),
            (file, other_database, &near, "SQLite to PostgreSQL"),
            (database, other_file, &near, "PostgreSQL to SQLite"),
            (database, other_database, &servers, "PostgreSQL to PostgreSQL"),
        ];
        for (from, to, kinds, what) in pairs {
            let two = Two::of(from, to, &name).await;
            let what = format!("{what}: {columns}");
            assert_eq!(two.pair.digests, kinds, "{what}");
            two.assert_differ(source.len(), &what).await;
            each_row_differs(&two, &what).await;
        }
    }

    async fn check_pairs(&mut self, columns: &str, pairs: &[(&str, &str)]) {
        let owned = |side: fn(&(&str, &str)) -> String| pairs.iter().map(side).collect::<Vec<_>>();
        self.check(columns, &owned(|pair| pair.0.to_owned()), &owned(|pair| pair.1.to_owned())).await;
    }
}

fn script(name: &str, columns: &str, rows: &[String]) -> String {
    let rows: Vec<String> = rows.iter().enumerate().map(|(id, row)| format!("({id}, {row})")).collect();
    format!("CREATE TABLE {name} (id bigint PRIMARY KEY, {columns}); INSERT INTO {name} VALUES {};", rows.join(", "))
}

async fn each_row_differs(two: &Two, what: &str) {
    let rows = page(&two.source, &two.pair.source, Form::Fields).await.unwrap();
    let ranges = KeyRange::ALL.cut_at((0..rows.len() - 1).map(|index| rows.key(index)));
    for kind in two.pair.digests.iter().copied() {
        let source = two.source.snapshot(Consistency::Latest).await.unwrap();
        let target = two.target.snapshot(Consistency::Latest).await.unwrap();
        let source = source.digests(&two.pair.source, &ranges, kind, SALT).await.unwrap();
        let target = target.digests(&two.pair.target, &ranges, kind, SALT).await.unwrap();
        for (row, (one, other)) in source.iter().zip(&target).enumerate() {
            assert_eq!((one.rows, other.rows), (1, 1), "{what}");
            assert_ne!(one, other, "{what}: {kind:?} misses row {row}");
        }
    }
}

#[tokio::test]
async fn null_is_neither_the_empty_text_nor_any_text_that_stands_for_it() {
    let mut world = World::new().await;
    let texts = ["''", "' '", "'<null>'", "'NULL'", "'null'", "'\\N'", "'0'"];
    let pairs: Vec<(&str, &str)> = texts.iter().flat_map(|text| [("NULL", *text), (*text, "NULL")]).collect();
    world.check_pairs("a text", &pairs).await;
}

#[tokio::test]
async fn a_null_on_one_side_only_is_seen_in_every_type() {
    let mut world = World::new().await;
    let columns = "a text, b bigint, c double precision, d numeric, e date, f timestamp";
    let full = ["'a'", "0", "0", "'0'", "'2000-01-01'", "'2000-01-01 00:00:00'"];
    let with_null = |at: usize| {
        let mut values = full;
        values[at] = "NULL";
        values.join(", ")
    };
    let nulls: Vec<String> = (0..full.len()).map(with_null).collect();
    let fulls = vec![full.join(", "); full.len()];
    world.check(columns, &nulls, &fulls).await;
    world.check(columns, &fulls, &nulls).await;
}

#[tokio::test]
async fn texts_do_not_run_into_each_other_whatever_stands_between_them() {
    let mut world = World::new().await;
    let mut separators: Vec<String> = (1..128u8).map(|byte| char::from(byte).to_string()).collect();
    separators
        .extend(["||", ", ", "', '", "\u{1f}\u{1e}", "\u{a0}", "\u{feff}", "NULL", "😀", "\\x00"].map(str::to_owned));
    let quoted = |text: String| format!("'{}'", text.replace('\'', "''"));
    let source = separators.iter().map(|s| format!("{}, 'z'", quoted(format!("x{s}y"))));
    let target = separators.iter().map(|s| format!("'x', {}", quoted(format!("y{s}z"))));
    world.check("a text, b text", &source.collect::<Vec<_>>(), &target.collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn texts_that_look_alike_are_told_apart() {
    let mut world = World::new().await;
    world
        .check_pairs(
            "a text",
            &[
                ("'a'", "'a '"),
                ("'a'", "'A'"),
                ("'é'", "'e\u{301}'"),
                ("'😀'", "'😁'"),
                ("'😀'", "'?'"),
                ("'😀'", "'\u{fffd}'"),
                ("'a😀b'", "'ab'"),
                ("'\u{10ffff}'", "'\u{10fffe}'"),
                ("'1'", "'1.0'"),
                ("'0'", "'-0'"),
                ("'a'", "'a\n'"),
                ("'ß'", "'ss'"),
                ("'aa'", "'a'"),
            ],
        )
        .await;
}

#[tokio::test]
async fn the_last_digit_of_a_number_counts() {
    let mut world = World::new().await;
    world
        .check_pairs(
            "a double precision",
            &[("0.30000000000000004", "0.3"), ("1", "1.0000000000000002"), ("5e-324", "0")],
        )
        .await;
    world
        .check_pairs(
            "a numeric",
            &[
                ("'0.30000000000000004'", "'0.3'"),
                ("'123456789012.123456789012'", "'123456789012.123456789013'"),
                ("'0.000000000001'", "'0'"),
                ("'99999999999999999999999999999999999999'", "'99999999999999999999999999999999999998'"),
                ("'-1'", "'1'"),
                ("'10000'", "'1'"),
            ],
        )
        .await;
    world
        .check_pairs("a bigint", &[("9007199254740993", "9007199254740992"), ("-1", "4294967295"), ("1", "4294967296")])
        .await;
}

#[tokio::test]
async fn moments_are_told_apart_to_the_microsecond() {
    let mut world = World::new().await;
    world.check_pairs("a timestamp", &[("'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00'")]).await;
    world
        .check_pairs(
            "a timestamp",
            &[("'infinity'", "'-infinity'"), ("'0044-03-15 00:00:00 BC'", "'0044-03-15 00:00:00'")],
        )
        .await;
    world.check_pairs("a date", &[("'infinity'", "'9999-12-31'"), ("'2024-02-29'", "'2024-03-01'")]).await;
    world.check_pairs("a time", &[("'24:00:00'", "'00:00:00'"), ("'12:00:00.000001'", "'12:00:00'")]).await;
}

#[tokio::test]
async fn twins_that_change_alike_do_not_cancel() {
    let mut world = World::new().await;
    world.check_pairs("a text", &[("'a'", "'b'"), ("'a'", "'b'")]).await;
    world
        .check_pairs("a bigint, b bigint", &[("7, 7", "8, 8"), ("7, 7", "8, 8"), ("1, 1", "0, 0"), ("1, 1", "0, 0")])
        .await;
}

#[tokio::test]
async fn values_that_change_places_between_rows_do_not_cancel() {
    let mut world = World::new().await;
    world.check_pairs("a text", &[("'a'", "'b'"), ("'b'", "'a'")]).await;
    world.check_pairs("a bigint, b bigint", &[("1, 5", "2, 5"), ("2, 5", "1, 5")]).await;
    world.check_pairs("a numeric, b text", &[("'1', NULL", "'10000', NULL"), ("'10000', NULL", "'1', NULL")]).await;
    // The values of the keys themselves.
    world.check_pairs("a bigint", &[("0", "1"), ("1", "0")]).await;
}

#[tokio::test]
async fn values_that_move_between_columns_do_not_cancel() {
    let mut world = World::new().await;
    world
        .check_pairs(
            "a text, b text",
            &[("'a', 'b'", "'b', 'a'"), ("'a', NULL", "NULL, 'a'"), ("'ab', ''", "'', 'ab'")],
        )
        .await;
    world.check_pairs("a bigint, b bigint", &[("1, 2", "2, 1"), ("0, NULL", "NULL, 0")]).await;
    world.check_pairs("a bigint, b double precision", &[("1, 0", "0, 1")]).await;
}

#[tokio::test]
async fn changes_that_make_up_for_each_other_do_not_cancel() {
    let mut world = World::new().await;
    world.check_pairs("a bigint", &[("10", "11"), ("20", "19")]).await;
    world.check_pairs("a bigint, b bigint", &[("10, 20", "11, 19"), ("11, 19", "10, 20")]).await;
    world.check_pairs("a double precision", &[("0.5", "1.5"), ("2.5", "1.5")]).await;
    world.check_pairs("a numeric", &[("'1.5'", "'-1.5'"), ("'-1.5'", "'1.5'")]).await;
}
