//! A view with a filter is a table of its own: it answers as one would that holds nothing else.

use std::sync::Arc;

use rowsync_engine::change::Changes;
use rowsync_engine::error::Kind;
use rowsync_engine::filter::{Filter, Term};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::schema::{DataType, TableView};
use rowsync_engine::store::{Gathered, PageRequest};
use rowsync_engine::value::Value;

use super::rows::{Bench, Table, asking, key, number, page_of, text, values};

const SALT: u64 = 0xf117e4;

const COLUMNS: [(&str, DataType); 3] = [
    ("id", DataType::Int { bits: 64 }),
    ("kind", DataType::Text { max_chars: None }),
    ("changed", DataType::Timestamp),
];

fn row(id: i64) -> Vec<Value> {
    let kind = if id % 3 == 0 { text("work") } else { [text("WORK"), Value::Null][(id % 2) as usize].clone() };
    vec![number(id), kind, Value::Timestamp(id * 1_000_000)]
}

fn of_kind(view: &TableView, kind: &str) -> Arc<TableView> {
    let terms = vec![Term::OneOf { column: "kind".into(), values: vec![kind.into()] }];
    Arc::new(TableView { filter: Filter { terms }, ..TableView::clone(view) })
}

/// A table of several kinds in a view of one of them, and a table of that kind alone.
async fn mixed_and_pure(bench: &Bench) -> (Table, Table) {
    let (mut mixed, mut pure) = (bench.table(&COLUMNS, 1).await, bench.table(&COLUMNS, 1).await);
    for table in [&mut mixed, &mut pure] {
        table.view = Arc::new(TableView { modify_time: Some("changed".into()), ..TableView::clone(&table.view) });
    }
    mixed.insert(&(0..900).map(row).collect::<Vec<_>>()).await;
    pure.insert(&(0..900).filter(|id| id % 3 == 0).map(row).collect::<Vec<_>>()).await;
    mixed.view = of_kind(&mixed.view, "work");
    (mixed, pure)
}

pub async fn a_filtered_view_answers_like_a_table_of_its_rows(bench: &Bench) {
    let (mixed, pure) = mixed_and_pure(bench).await;
    bench.store.check_filter(&mixed.schema.name, &mixed.view.filter).await.expect("the filter is understood");
    let (of_mixed, of_pure) = (mixed.latest().await, pure.latest().await);
    let ids = |id: i64| key(&[number(id)]);
    let some = KeyRange::new(Some(ids(100)), Some(ids(500)));
    let parts = KeyRange::ALL.cut_at([ids(100), ids(301), ids(302), ids(500)]);
    let since = Value::Timestamp(600 * 1_000_000);
    let mut answers = Vec::new();
    for (table, rows) in [(&mixed, &of_mixed), (&pure, &of_pure)] {
        let view = &table.view;
        let survey = rows.survey(view, Some(&since)).await.expect("a survey");
        let mut digests = Vec::new();
        for kind in bench.store.capabilities().digests {
            for ranges in [std::slice::from_ref(&KeyRange::ALL), std::slice::from_ref(&some), &parts] {
                digests.push(rows.digests(view, ranges, kind, SALT).await.expect("digests"));
            }
        }
        let mut pages = Vec::new();
        for (rows_max, modified_after) in [(1_000, None), (7, None), (1_000, Some(since.clone()))] {
            let request = PageRequest { rows_max, modified_after, ..asking(some.clone()) };
            pages.push(values(&rows.page(view, &request).await.expect("a page")));
        }
        let gathered =
            rows.gather(view, &parts[1..3], Gathered::Fields, usize::MAX).await.expect("rows").expect("they fit");
        let mut gathered = values(&gathered);
        gathered.sort_by_key(|row| format!("{row:?}"));
        let keys: Vec<Key> = (0..30).map(ids).collect();
        let mut found = values(&rows.rows_by_key(view, &keys).await.expect("rows"));
        found.sort_by_key(|row| format!("{row:?}"));
        let before_last = rows.before_last(view, 10).await.expect("a key");
        let newest = rows.newest(view, 5).await.expect("keys");
        answers.push((
            (survey.rows, survey.changed, survey.newest, survey.null_keys),
            digests,
            pages,
            gathered,
            found,
            (before_last, newest),
        ));
    }
    assert_eq!(answers[0], answers[1]);
    // Cuts need not be the same, but leave no part empty.
    let cuts = of_mixed.split(&mixed.view, &[KeyRange::ALL], 50).await.expect("cuts").concat();
    assert!(cuts.len() >= 3, "{} cuts of 300 rows by 50", cuts.len());
    for part in KeyRange::ALL.cut_at(cuts) {
        assert!(!mixed.rows(part.clone()).await.is_empty(), "{part:?}");
    }
    if let Some(estimate) = of_mixed.estimate(&mixed.view).await.expect("an estimate") {
        assert!(estimate.rows <= 600, "{} rows of 300", estimate.rows);
    }
}

pub async fn rows_outside_a_filter_are_not_touched(bench: &Bench) {
    let (mixed, _) = mixed_and_pure(bench).await;
    let whole = Arc::new(TableView { filter: Filter::ALL, ..TableView::clone(&mixed.view) });
    let all = async || {
        let latest = mixed.latest().await;
        values(&latest.page(&whole, &asking(KeyRange::ALL)).await.expect("a page"))
    };
    let before = all().await;
    let outside = [1, 2, 4, 5].map(|id| vec![number(id), text("work"), Value::Null]);
    let deletes = [1, 2, 4, 5].map(|id| key(&[number(id)])).to_vec();
    let deleting = Changes::deleting(deletes, 1);
    assert_eq!(mixed.apply(deleting).await.expect("no row is deleted").deleted, 0);
    let updating = Changes { updates: page_of(&outside, 1), ..Changes::new(1) };
    assert_eq!(mixed.apply(updating).await.expect("no row is updated").updated, 0);
    let inserting = mixed.apply(Changes::inserting(page_of(&outside, 1))).await;
    assert_eq!(inserting.expect_err("a row with this key is there").kind, Kind::Duplicate);
    assert_eq!(all().await, before);
    let inside = Changes { updates: page_of(&[vec![number(3), text("done"), Value::Null]], 1), ..Changes::new(1) };
    assert_eq!(mixed.apply(inside).await.expect("a row is updated").updated, 1);
    assert_eq!(mixed.rows(KeyRange::ALL).await.len(), 299, "the row has left the view");
}

pub async fn a_filter_on_what_is_not_there_is_refused(bench: &Bench) {
    let table = bench.numbered().await;
    let terms = vec![Term::OneOf { column: "kind".into(), values: vec!["work".into()] }];
    let refused = bench.store.check_filter(&table.schema.name, &Filter { terms }).await;
    assert_eq!(refused.expect_err("there is no such column").kind, Kind::SchemaMismatch);
}
