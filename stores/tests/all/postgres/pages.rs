//! Pages, ranges, and what is left behind when a page is given up.

use std::sync::Arc;
use std::time::Duration;

use rowsync_engine::digest::DigestKind;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Consistency, PageRequest, Store};
use rowsync_engine::value::Value;

use super::{Database, all_pages, bytewise, key, latest, pages_from, request, rows_of, text, view};

/// Any way to walk the table gives the same rows in the same order, in both forms and in any cut.
pub async fn check_walks(store: &dyn Store, view: &Arc<TableView>) {
    let whole = all_pages(store, view, 1_000, Form::Fields).await;
    let whole = &whole[0];
    let keys: Vec<Key> = (0..whole.len()).map(|index| whole.key(index)).collect();
    let name = &view.table;
    for form in [Form::Fields, Form::Raw] {
        let pages = all_pages(store, view, 2, form).await;
        assert_eq!(pages.iter().map(RowPage::len).sum::<usize>(), keys.len(), "{name} {form:?}");
        let last: Vec<Key> = pages.iter().filter_map(|page| page.last_key.clone()).collect();
        let expected: Vec<Key> = keys.chunks(2).filter_map(|chunk| chunk.last().cloned()).collect();
        assert_eq!(last, expected, "{name} {form:?} {:?}", view.key_order);
        let frozen = store.snapshot(Consistency::Frozen).await.unwrap();
        let one_statement = PageRequest { form, goes_on: true, ..request(KeyRange::ALL, 2) };
        let walked = pages_from(&*frozen, view, one_statement).await;
        let bytes = |pages: &[RowPage]| pages.iter().flat_map(RowPage::rows).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(bytes(&walked), bytes(&pages), "{name} {form:?}");
        let last_walked: Vec<Key> = walked.into_iter().filter_map(|page| page.last_key).collect();
        assert_eq!(last_walked, expected, "{name} {form:?}");
    }
    let snapshot = latest(store).await;
    let found = snapshot.rows_by_key(view, &keys).await.unwrap();
    assert_eq!(found.len(), keys.len(), "{name} by key");
    let ranges = KeyRange::ALL.cut_at(keys.iter().cloned());
    for (kind, salt) in [(DigestKind::Stream, 5), (DigestKind::Raw, 5)] {
        let form = if kind == DigestKind::Raw { Form::Raw } else { Form::Fields };
        let digests = snapshot.digests(view, &ranges, kind, salt).await.unwrap();
        for (range, digest) in ranges.iter().zip(digests) {
            let page = snapshot.page(view, &PageRequest { form, ..request(range.clone(), 1_000) }).await.unwrap();
            assert_eq!(page.digest(&view.domains(), salt).unwrap(), digest, "{name} {kind:?}");
        }
    }
    let cuts = snapshot.split(view, &[KeyRange::ALL], 2).await.unwrap().remove(0);
    let expected: Vec<Key> = keys.chunks(2).filter(|c| c.len() == 2).map(|c| c[1].clone()).collect();
    let expected = if keys.len().is_multiple_of(2) { &expected[..expected.len() - 1] } else { &expected[..] };
    assert_eq!(cuts, expected, "{name} cuts");
    let all_but_one = snapshot.before_last(view, keys.len() as u64 - 1).await.unwrap();
    assert_eq!(all_but_one.as_ref(), keys.first(), "{name}");
    assert_eq!(snapshot.before_last(view, keys.len() as u64).await.unwrap(), None);
}

#[tokio::test]
async fn texts_walk_byte_by_byte_where_asked_to() {
    let database = Database::of(
        "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C.UTF-8'",
        "CREATE TABLE t (k text PRIMARY KEY); INSERT INTO t VALUES ('a'), ('B'), ('b'), ('A'), ('é'), ('z')",
    )
    .await;
    let store = database.store().await;
    let native = view(&*store, "t").await;
    let order = |pages: Vec<RowPage>| rows_of(&pages[0]).into_iter().flatten().collect::<Vec<_>>();
    let texts = |texts: [&str; 6]| texts.map(text).to_vec();
    assert_eq!(order(all_pages(&*store, &native, 9, Form::Fields).await), texts(["a", "A", "b", "B", "é", "z"]));
    let pages = all_pages(&*store, &bytewise(&native), 9, Form::Fields).await;
    assert_eq!(order(pages), texts(["A", "B", "a", "b", "z", "é"]));
    assert_eq!(store.missing_index(&native).await.unwrap(), None);
    let index = store.missing_index(&bytewise(&native)).await.unwrap().expect("the key sorts otherwise");
    assert!(index.contains("COLLATE \"C\""), "{index}");
    database.run(&index).await;
    assert_eq!(store.missing_index(&bytewise(&native)).await.unwrap(), None);
}

#[tokio::test]
async fn rows_with_null_in_the_key_are_counted_and_not_read() {
    let database = Database::with(
        "CREATE TABLE t (a int, b text, m timestamp); INSERT INTO t VALUES (1, 'x', '2024-01-01'), (1, NULL, '2024-01-02'), (NULL, 'y', NULL), (2, 'z', '2024-01-03')",
    )
    .await;
    let store = database.store().await;
    let mut view = (*view(&*store, "t").await).clone();
    view.key_len = 2;
    view.modify_time = Some("m".into());
    let view = Arc::new(view);
    let since = Value::Timestamp(1_704_067_200_000_000);
    let snapshot = latest(&*store).await;
    let survey = snapshot.survey(&view, Some(&since)).await.unwrap();
    assert_eq!((survey.rows, survey.null_keys, survey.changed), (4, 2, Some(2)));
    assert_eq!(survey.newest, Some(Value::Timestamp(1_704_240_000_000_000)));
    let after = KeyRange::new(Some(key(&[Value::Int(0), text("a")])), None);
    for range in [KeyRange::ALL, after] {
        assert_eq!(snapshot.page(&view, &request(range, 10)).await.unwrap().len(), 2);
    }
    let changed = PageRequest { modified_after: Some(since), ..request(KeyRange::ALL, 10) };
    assert_eq!(snapshot.page(&view, &changed).await.unwrap().len(), 1);
    let index = store.missing_index(&view).await.unwrap().expect("there is no index at all");
    assert!(index.starts_with("CREATE UNIQUE INDEX"), "{index}");
}

#[tokio::test]
async fn a_page_is_cut_by_bytes_and_always_holds_a_row() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) i").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let snapshot = store.snapshot(Consistency::Frozen).await.unwrap();
    for form in [Form::Fields, Form::Raw] {
        for bytes_max in [1, 1_500, 10_500] {
            let request = PageRequest { bytes_max, form, ..request(KeyRange::ALL, 4_000) };
            let page = snapshot.page(&view, &PageRequest { row_bytes_hint: 0, ..request.clone() }).await.unwrap();
            assert!(!page.complete && !page.is_empty() && page.len() <= 10 && page.last_key.is_some());
            let hinted = snapshot.page(&view, &PageRequest { row_bytes_hint: 1_000, ..request }).await.unwrap();
            assert!(!hinted.complete && !hinted.is_empty() && hinted.len() <= 10);
        }
        let rest = KeyRange::new(Some(key(&[Value::Int(4_990)])), None);
        let page = snapshot.page(&view, &PageRequest { form, ..request(rest, 10) }).await.unwrap();
        assert_eq!(page.len(), 10);
    }
    let keys = PageRequest { keys_only: true, ..request(KeyRange::ALL, 3) };
    let page = snapshot.page(&view, &keys).await.unwrap();
    assert_eq!(rows_of(&page), [1, 2, 3].map(|i| vec![Value::Int(i)]));
}

#[tokio::test]
async fn dropping_a_question_half_way_leaves_the_store_usable() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 60000) i").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    for consistency in [Consistency::Frozen, Consistency::Latest] {
        let snapshot = store.snapshot(consistency).await.unwrap();
        for micros in [100, 1_000, 5_000, 20_000, 60_000].repeat(3) {
            let request = PageRequest { bytes_max: 1 << 30, ..request(KeyRange::ALL, 60_000) };
            let ranges = [KeyRange::new(None, Some(key(&[Value::Int(50_000)])))];
            let wait = Duration::from_micros(micros);
            let _ = tokio::time::timeout(wait, snapshot.page(&view, &request)).await;
            let _ = tokio::time::timeout(wait, snapshot.digests(&view, &ranges, DigestKind::Raw, 1)).await;
            let _ = tokio::time::timeout(wait, snapshot.survey(&view, None)).await;
            let three = KeyRange::new(Some(key(&[Value::Int(3)])), Some(key(&[Value::Int(6)])));
            let counts = snapshot.digests(&view, std::slice::from_ref(&three), DigestKind::Count, 1).await.unwrap();
            assert_eq!(counts[0].rows, 3);
        }
    }
}

#[tokio::test]
async fn rows_are_found_by_their_keys_and_missing_ones_left_out() {
    let database = Database::with("CREATE TABLE t (k0 int, rowsync_k0 text, v int, PRIMARY KEY (k0, rowsync_k0)); INSERT INTO t SELECT i, 'n' || i, i * 2 FROM generate_series(1, 3000) i").await;
    let store = database.store().await;
    let view = view(&*store, "t").await;
    let keys: Vec<Key> = (2_000..4_500).map(|i| key(&[Value::Int(i), text(&format!("n{i}"))])).collect();
    let page = latest(&*store).await.rows_by_key(&view, &keys).await.unwrap();
    assert_eq!(page.len(), 1_001);
    assert!(
        rows_of(&page).iter().all(|row| matches!((&row[0], &row[2]), (Value::Int(k), Value::Int(v)) if *v == k * 2))
    );
    assert!(latest(&*store).await.rows_by_key(&view, &[]).await.unwrap().is_empty());
}
