//! Hashes of rows that are made before the server holds them: the server makes the same.

use rowsync_engine::digest::DigestKind;
use rowsync_engine::key::KeyRange;
use rowsync_engine::row::Form;
use rowsync_engine::store::Store;

use super::{Database, all_pages, latest, view};
use crate::equality::extremes;
use crate::equality::postgres::tables;

const SALTS: [u64; 3] = [0, 1, 0x9e37_79b9_7f4a_7c15];

/// Each page of a table hashes here as it does there. Returns the kind of digest.
async fn check(store: &dyn Store, table: &str, rows_of_a_page: usize) -> DigestKind {
    let view = view(store, table).await;
    let encoder = store.encoder(&view).expect("nothing in these tables is written as text");
    let snapshot = latest(store).await;
    let mut found = DigestKind::Count;
    let mut after = None;
    for page in all_pages(store, &view, rows_of_a_page, Form::Raw).await {
        let range = KeyRange::new(after, page.last_key.clone());
        for salt in SALTS {
            let (kind, foreseen) = encoder.digest(&page, salt).unwrap();
            let digests = snapshot.digests(&view, std::slice::from_ref(&range), kind, salt).await.unwrap();
            assert_eq!(digests, [foreseen], "{table}: {range:?}");
            found = kind;
        }
        after = page.last_key.clone();
    }
    found
}

#[tokio::test]
async fn values_at_the_ends_of_every_type_hash_as_the_server_hashes_them() {
    let cases = extremes::all();
    let database = Database::with(&tables(&cases)).await;
    let store = database.store().await;
    let mut hashed = 0;
    for number in 0..cases.len() {
        let table = format!("t{number}");
        if store.encoder(&view(&*store, &table).await).is_some() {
            hashed += usize::from(check(&*store, &table, 1).await == DigestKind::Server);
        }
    }
    assert!(hashed >= 20, "only {hashed} of {} types are hashed", cases.len());
}

#[tokio::test]
async fn ordinary_rows_are_proven_by_the_servers_own_sum() {
    let database = Database::with(
        "CREATE TYPE mood AS ENUM ('a', 'b');
         CREATE TABLE t (id bigint PRIMARY KEY, i int2, n int, b bool, r real, f float8, d numeric, s text, c char(9), m mood,
           y bytea, u uuid, e date, w time, ts timestamp, tz timestamptz NOT NULL, j json, jb jsonb);
         INSERT INTO t SELECT (-1) ^ i * i * 9999999999, i - 700, i * 1000003, i % 3 = 0, i / 7.0, i / 3.0,
           (-1) ^ i * i * 10 ^ (i % 30 - 15), repeat(md5(i::text), i % 4) || left('äöü', i % 4), left('ab  c d', i % 8), 'b',
           decode(repeat(md5(i::text), i % 3), 'hex'), md5(i::text)::uuid, date '1600-01-01' + i * 400,
           time '00:00' + i * interval '61.000001 s', timestamp '1850-01-01' + i * interval '100 days 1.000007 s',
           timestamptz '1999-01-01' + i * interval '1.5 days', json_build_array(i), jsonb_build_object('a', i / 10.0, 'é', i)
         FROM generate_series(1, 1500) i",
    )
    .await;
    let store = database.store().await;
    assert_eq!(check(&*store, "t", 100).await, DigestKind::Server);
    assert_eq!(check(&*store, "t", 1_500).await, DigestKind::Server);
}

/// Their hash is that of a text that only the server can spell.
#[tokio::test]
async fn rows_of_types_that_only_the_server_spells_are_read_back() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, v interval, w int[]); INSERT INTO t VALUES (1, '1 day', '{1}')",
    )
    .await;
    assert_eq!(check(&*database.store().await, "t", 1).await, DigestKind::Raw);
}
