//! Every type of PostgreSQL against the real server, value by value.

use std::sync::Arc;

use rowsync_engine::digest::DigestKind;
use rowsync_engine::row::Form;
use rowsync_engine::schema::TableName;
use rowsync_engine::store::Store;

use super::extremes::{Extremes, PREPARE, all};
use super::{File, Two, assert_spelled_alike, canonical_values, page};
use crate::postgres::Database;

/// Tables `t0`, `t1`, ...: one for each type, a row for each value, and one of NULL. What no server of this version has
/// is an error, so that nothing is left out in silence.
pub fn tables(cases: &[Extremes]) -> String {
    let mut sql = PREPARE.to_owned();
    for (number, case) in cases.iter().enumerate() {
        let declared = case.declared;
        sql.push_str(&format!(
            "CREATE TABLE t{number} (id bigint PRIMARY KEY, v {declared}); INSERT INTO t{number} VALUES (-1, NULL)"
        ));
        for (id, value) in case.classes.iter().flatten().enumerate() {
            sql.push_str(&format!(", ({id}, $v${value}$v$)"));
        }
        sql.push(';');
    }
    sql
}

impl Extremes {
    /// The digests that have to be equal where all values are.
    fn kinds(&self, two: &Two) -> Vec<DigestKind> {
        two.pair.digests.iter().copied().filter(|kind| self.alike || *kind != DigestKind::Portable).collect()
    }
}

/// For each value in the order of the keys, the number of its class; NULL is a class of its own.
fn classes(case: &Extremes) -> Vec<usize> {
    let of_values = case.classes.iter().enumerate().flat_map(|(number, class)| class.iter().map(move |_| number + 1));
    std::iter::once(0).chain(of_values).collect()
}

async fn store(database: &Database) -> Arc<dyn Store> {
    database.store().await
}

fn assert_told_apart(spelled: &[Vec<u8>], case: &Extremes, what: &str) {
    let classes = classes(case);
    assert_eq!(spelled.len(), classes.len(), "{what}: {}", case.declared);
    for (a, (one, of_one)) in spelled.iter().zip(&classes).enumerate() {
        for (b, (other, of_other)) in spelled.iter().zip(&classes).enumerate() {
            assert_eq!(one == other, of_one == of_other, "{what}: {} values {a} and {b}", case.declared);
        }
    }
}

/// Checks each type in a task of its own, so that one that fails does not hide the others.
async fn check_each<C, F>(cases: Vec<Extremes>, check: C)
where
    C: Fn(usize, Arc<Extremes>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut failed = Vec::new();
    for (number, case) in cases.into_iter().map(Arc::new).enumerate() {
        if tokio::spawn(check(number, Arc::clone(&case))).await.is_err() {
            failed.push(case.declared);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn equal_values_and_only_those_have_equal_bytes_and_the_server_spells_the_same() {
    let cases = all();
    let database = Database::with(&tables(&cases)).await;
    let store = store(&database).await;
    check_each(cases, |number, case| {
        let store = Arc::clone(&store);
        async move {
            let two = Two::of(&store, &store, &format!("t{number}")).await;
            let rows = page(&store, &two.pair.source, Form::Fields).await.unwrap();
            assert_told_apart(&canonical_values(&rows, &two.pair.source), &case, "read");
            assert!(two.pair.digests.contains(&DigestKind::Portable), "{}", case.declared);
            if case.alike {
                assert_spelled_alike(&store, &two.pair.source, case.declared).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_value_is_equal_after_a_copy_to_another_postgresql() {
    let cases = all();
    let source = Database::with(&tables(&cases)).await;
    // The same types under other numbers.
    let target = Database::with(&format!("CREATE TYPE spare AS (a int); {PREPARE}")).await;
    let (from, to) = (store(&source).await, store(&target).await);
    check_each(cases, |number, case| {
        let (from, to) = (Arc::clone(&from), Arc::clone(&to));
        async move {
            let two = Two::made(&from, &to, &format!("t{number}")).await;
            two.copy().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.declared));
            two.assert_equal(&case.kinds(&two), case.declared).await;
            let rows = page(&to, &two.pair.target, Form::Fields).await.unwrap();
            assert_told_apart(&canonical_values(&rows, &two.pair.target), &case, "copied");
        }
    })
    .await;
}

#[tokio::test]
async fn every_value_is_equal_after_a_copy_to_sqlite_and_back() {
    let cases = all();
    let source = Database::with(&tables(&cases)).await;
    let back = Database::with(PREPARE).await;
    let file = File::new();
    let (from, between, to) = (store(&source).await, file.store().await, store(&back).await);
    check_each(cases, |number, case| {
        let (from, between, to) = (Arc::clone(&from), Arc::clone(&between), Arc::clone(&to));
        async move {
            let table = format!("t{number}");
            let there = Two::made(&from, &between, &table).await;
            there.copy().await.unwrap_or_else(|error| panic!("{}: {error:?}", case.declared));
            there.assert_equal(&case.kinds(&there), case.declared).await;
            let rows = page(&between, &there.pair.target, Form::Fields).await.unwrap();
            assert_told_apart(&canonical_values(&rows, &there.pair.target), &case, "in SQLite");
            let mut like = from.describe(&there.pair.source.table).await.unwrap().unwrap();
            like.name = TableName::new(&table);
            to.create_table(&like, &[]).await.unwrap();
            let again = Two::of(&between, &to, &table).await;
            again.copy().await.unwrap_or_else(|error| panic!("{} back: {error:?}", case.declared));
            again.assert_equal(&case.kinds(&again), case.declared).await;
            let whole = Two::of(&from, &to, &table).await;
            whole.assert_equal(&case.kinds(&whole), case.declared).await;
        }
    })
    .await;
}

/// What is compared is UTF-8, whatever a server stores.
#[tokio::test]
async fn texts_are_equal_in_servers_of_different_encodings() {
    let sql = "CREATE TABLE t (id bigint PRIMARY KEY, v text, c char(5), j jsonb);
         INSERT INTO t VALUES (1, 'é', 'ÿ', '{\"ä\": \"ö\"}'), (2, 'a', 'a', '[]'), (3, '', '', 'null')";
    let one = Database::of("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", sql).await;
    let other = Database::with(sql).await;
    let (from, to) = (store(&one).await, store(&other).await);
    let two = Two::of(&from, &to, "t").await;
    two.assert_equal(&[DigestKind::Stream, DigestKind::Portable], "LATIN1 and UTF8").await;
    assert_spelled_alike(&from, &two.pair.source, "LATIN1").await;
    other.run("UPDATE t SET v = 'è' WHERE id = 1").await;
    two.assert_differ(1, "LATIN1 and UTF8").await;
}
