//! The promises of `rowsync_engine::store`, one function each. Every adapter has to keep them all.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use rowsync_engine::change::Changes;
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::Kind;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::{Action, DataType, ForeignKey, TableName, TableView};
use rowsync_engine::store::{Consistency, Gathered, PageRequest, Store, Transaction};
use rowsync_engine::value::Value;

use super::filtered;
use super::rows::{Bench, Table, all_types, asking, key, number, numbered_rows, rows_of_all_types, text, values};

const SALT: u64 = 0x5eed;

/// Whether the database refuses rows without their parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignKeys {
    Checked,
    /// They are kept as a description only.
    Described,
}

/// Checks every promise. Makes tables of its own and leaves them behind. A promise that is not kept is a panic, whose
/// place tells which. `elsewhere` is the same database, opened a second time where that can be.
pub async fn run(store: Arc<dyn Store>, elsewhere: Arc<dyn Store>, foreign_keys: ForeignKeys) {
    let bench = Bench { store };
    bench.store.ping().await.expect("the store answers");
    a_table_is_described_as_it_was_made(&bench).await;
    a_table_that_is_not_there_is_none(&bench).await;
    a_table_is_not_made_twice(&bench).await;
    every_type_comes_back_equal(&bench).await;
    pages_come_in_key_order_each_key_once(&bench).await;
    pages_of_every_kind_of_key_come_in_its_order(&bench).await;
    a_page_that_is_not_complete_holds_a_row(&bench).await;
    a_page_of_keys_holds_nothing_else(&bench).await;
    a_page_may_leave_out_rows_that_have_not_changed(&bench).await;
    digests_of_the_parts_add_up_to_the_whole(&bench).await;
    a_digest_on_arrival_is_that_of_the_page(&bench).await;
    a_portable_digest_is_that_of_the_page(&bench).await;
    a_digest_tells_a_changed_row(&bench).await;
    cuts_lie_inside_the_range_and_rise(&bench).await;
    rows_of_several_ranges_come_at_once(&bench).await;
    every_row_lies_in_one_stretch(&bench).await;
    the_last_rows_lie_behind_a_key(&bench).await;
    rows_are_found_by_their_keys(&bench).await;
    a_survey_counts_rows_and_changes(&bench).await;
    a_row_that_is_there_is_not_inserted_again(&bench).await;
    the_same_update_or_delete_twice_changes_nothing(&bench).await;
    deletes_make_room_for_inserts(&bench).await;
    nothing_is_seen_before_the_commit(&bench).await;
    a_transaction_reads_rows_as_it_sees_them(&bench).await;
    a_row_is_read_in_the_same_bytes_wherever(&bench).await;
    rows_that_were_written_since_a_moment_are_refused(&bench, &*elsewhere).await;
    nothing_is_written_between_two_equal_pulses(&bench, &*elsewhere).await;
    a_dropped_transaction_leaves_nothing(&bench).await;
    a_frozen_snapshot_stands_still(&bench).await;
    a_dropped_future_leaves_the_store_usable(&bench).await;
    foreign_keys_are_described(&bench).await;
    if foreign_keys == ForeignKeys::Checked {
        a_child_without_its_parent_is_refused(&bench).await;
    }
    rows_may_point_at_each_other_within_a_transaction(&bench).await;
    a_failure_is_never_an_empty_answer(&bench).await;
    raw_pages_move_between_equal_tables(&bench).await;
    raw_rows_taken_apart_are_those_of_a_page_of_fields(&bench).await;
    encoded_rows_are_the_rows(&bench).await;
    encoded_rows_come_back_as_foreseen(&bench).await;
    what_was_committed_can_be_flushed(&bench).await;
    filtered::a_filtered_view_answers_like_a_table_of_its_rows(&bench).await;
    filtered::rows_outside_a_filter_are_not_touched(&bench).await;
    filtered::a_filter_on_what_is_not_there_is_refused(&bench).await;
}

async fn a_table_is_described_as_it_was_made(bench: &Bench) {
    let table = bench.table(&all_types(), 1).await;
    let described = bench.store.describe(&table.schema.name).await.expect("describe").expect("the table is there");
    assert_eq!(described, table.schema);
    assert_eq!(described.primary_key, ["id"]);
    let names: Vec<&str> = described.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, all_types().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(described.columns[1..].iter().all(|column| column.nullable));
    assert!(!described.columns[0].nullable);
    let tables = bench.store.tables().await.expect("tables");
    assert!(tables.contains(&table.schema.name) && tables.is_sorted());
}

async fn a_table_that_is_not_there_is_none(bench: &Bench) {
    assert_eq!(bench.store.describe(&TableName::new("nobody made this")).await.expect("describe"), None);
}

async fn a_table_is_not_made_twice(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows([1])).await;
    assert!(bench.store.create_table(&table.schema, &[]).await.is_err());
    assert_eq!(table.all().await.len(), 1);
}

async fn every_type_comes_back_equal(bench: &Bench) {
    let table = bench.table(&all_types(), 1).await;
    let written = table.page_of(&rows_of_all_types());
    table.insert(&rows_of_all_types()).await;
    let read = table.latest().await.page(&table.view, &asking(KeyRange::ALL)).await.expect("a page");
    let domains = table.view.domains();
    let canonical = |row| {
        let mut out = Vec::new();
        rowsync_engine::row::canonical_row(row, &domains, &mut out).expect("a canonical row");
        out
    };
    assert_eq!(read.len(), written.len());
    for (read, written) in read.rows().zip(written.rows()) {
        assert_eq!(canonical(read), canonical(written));
    }
}

async fn pages_come_in_key_order_each_key_once(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows((-50..50).rev())).await;
    let mut seen = Vec::new();
    let mut range = KeyRange::ALL;
    let latest = table.latest().await;
    loop {
        let page = latest.page(&table.view, &PageRequest { rows_max: 7, ..asking(range) }).await.expect("a page");
        assert!(page.len() <= 7);
        seen.extend(values(&page));
        if page.complete {
            break;
        }
        range = KeyRange::new(page.last_key, None);
    }
    assert_eq!(seen, numbered_rows(-50..50));
}

async fn pages_of_every_kind_of_key_come_in_its_order(bench: &Bench) {
    let check = async |columns: &[(&str, DataType)], keys: &[Vec<Value>]| {
        let table = bench.table(columns, keys[0].len()).await;
        let shuffled: Vec<_> = keys.iter().rev().cloned().collect();
        table.insert(&shuffled).await;
        assert_eq!(table.all().await, keys);
        for (at, bound) in keys.iter().enumerate() {
            let bound = Some(key(bound));
            assert_eq!(table.rows(KeyRange::new(bound.clone(), None)).await, keys[at + 1..]);
            assert_eq!(table.rows(KeyRange::new(None, bound)).await, keys[..=at]);
        }
    };
    let texts: Vec<_> = ["", " ", "A", "B", "a", "b", "ba", "ä", "☃"].iter().map(|t| vec![text(t)]).collect();
    check(&[("name", DataType::Text { max_chars: None })], &texts).await;
    let pairs = [("A", 2), ("a", -1), ("a", 10), ("b", 1)].map(|(name, i)| vec![text(name), number(i)]);
    check(&[("name", DataType::Text { max_chars: None }), ("i", DataType::Int { bits: 32 })], &pairs).await;
    let uuids = [[0u8; 16], [1; 16], [0x7f; 16], [0x80; 16], [0xff; 16]].map(|uuid| vec![Value::Uuid(uuid)]);
    check(&[("id", DataType::Uuid)], &uuids).await;
    let days = [-719_162, -1, 0, 19_782].map(|day| vec![Value::Date(day)]);
    check(&[("day", DataType::Date)], &days).await;
    let decimals = ["-2.5", "0", "1.1", "10", "9999"].map(|text| vec![Value::Decimal(text.into())]);
    check(&[("price", DataType::Decimal { precision: Some(8), scale: Some(2) })], &decimals).await;
}

async fn a_page_that_is_not_complete_holds_a_row(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&[vec![number(1), text(&"x".repeat(10_000))], vec![number(2), text("y")]]).await;
    let latest = table.latest().await;
    let request = PageRequest { bytes_max: 100, ..asking(KeyRange::ALL) };
    let page = latest.page(&table.view, &request).await.expect("a page");
    assert_eq!((page.len(), page.complete), (1, false));
    let range = KeyRange::new(page.last_key, None);
    let page = latest.page(&table.view, &PageRequest { range, ..request.clone() }).await.expect("a page");
    assert_eq!(page.len(), 1);
    // A page that is exactly full need not know that nothing follows; the next one does.
    if !page.complete {
        let range = KeyRange::new(page.last_key, None);
        let page = latest.page(&table.view, &PageRequest { range, ..request }).await.expect("a page");
        assert_eq!((page.len(), page.complete), (0, true));
    }
}

async fn a_page_of_keys_holds_nothing_else(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(1..4)).await;
    let request = PageRequest { keys_only: true, ..asking(KeyRange::ALL) };
    let page = table.latest().await.page(&table.view, &request).await.expect("a page");
    assert_eq!(values(&page), [[number(1)], [number(2)], [number(3)]]);
}

/// A table with a modify time, and rows changed at the seconds 10, 20 and never.
async fn changing(bench: &Bench) -> Table {
    let mut table = bench.table(&[("id", DataType::Int { bits: 64 }), ("changed", DataType::Timestamp)], 1).await;
    table.view = Arc::new(TableView { modify_time: Some("changed".into()), ..TableView::clone(&table.view) });
    table.insert(&[vec![number(1), at(10)], vec![number(2), at(20)], vec![number(3), Value::Null]]).await;
    table
}

fn at(second: i64) -> Value {
    Value::Timestamp(second * 1_000_000)
}

async fn a_page_may_leave_out_rows_that_have_not_changed(bench: &Bench) {
    let table = changing(bench).await;
    let request = PageRequest { modified_after: Some(at(10)), ..asking(KeyRange::ALL) };
    let page = table.latest().await.page(&table.view, &request).await.expect("a page");
    assert_eq!(values(&page), [[number(2), at(20)]]);
}

async fn a_survey_counts_rows_and_changes(bench: &Bench) {
    let table = changing(bench).await;
    let latest = table.latest().await;
    let survey = latest.survey(&table.view, Some(&at(10))).await.expect("a survey");
    assert_eq!((survey.rows, survey.changed, survey.newest, survey.null_keys), (3, Some(1), Some(at(20)), 0));
    let survey = latest.survey(&table.view, None).await.expect("a survey");
    assert_eq!((survey.rows, survey.changed), (3, None));
    let plain = bench.numbered().await;
    let survey = plain.latest().await.survey(&plain.view, None).await.expect("a survey");
    assert_eq!((survey.rows, survey.changed, survey.newest), (0, None, None));
}

async fn digests_of_the_parts_add_up_to_the_whole(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows((0..300).map(|i| i * 3))).await;
    let latest = table.latest().await;
    let cuts = [-5, 0, 1, 299, 300, 301, 899].map(|i| key(&[number(i)]));
    let parts = KeyRange::ALL.cut_at(cuts);
    for kind in bench.store.capabilities().digests {
        let whole = latest.digests(&table.view, &[KeyRange::ALL], kind, SALT).await.expect("a digest");
        let digests = latest.digests(&table.view, &parts, kind, SALT).await.expect("digests");
        let mut sum = Digest::default();
        digests.iter().for_each(|digest| sum += *digest);
        assert_eq!((digests.len(), sum.rows, whole[0].rows), (parts.len(), 300, 300), "{kind:?}");
        assert_eq!(vec![sum] == whole, kind.adds_up(), "{kind:?}");
        assert_eq!(digests[0], Digest::default(), "{kind:?}");
        assert_eq!(digests[1].rows, 1, "{kind:?}: a range holds its last key and not its first");
    }
}

async fn a_digest_on_arrival_is_that_of_the_page(bench: &Bench) {
    let table = bench.table(&all_types(), 1).await;
    table.insert(&rows_of_all_types()).await;
    let latest = table.latest().await;
    let page = latest.page(&table.view, &asking(KeyRange::ALL)).await.expect("a page");
    let expected = page.digest(&table.view.domains(), SALT).expect("a digest of the page");
    let digests = latest.digests(&table.view, &[KeyRange::ALL], DigestKind::Stream, SALT).await.expect("a digest");
    assert_eq!(digests, [expected]);
}

async fn a_portable_digest_is_that_of_the_page(bench: &Bench) {
    if !bench.store.capabilities().digests.contains(&DigestKind::Portable) {
        return;
    }
    let table = bench.table(&all_types(), 1).await;
    table.insert(&rows_of_all_types()).await;
    check_portable(&table).await;
    // More rows than a chunk takes, and a row that is too long to stand as it is.
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..9_000)).await;
    table.insert(&[vec![number(-1), text(&"long ".repeat(10_000))]]).await;
    check_portable(&table).await;
}

async fn check_portable(table: &Table) {
    let latest = table.latest().await;
    for range in [KeyRange::ALL, KeyRange::new(Some(key(&[number(-1)])), Some(key(&[number(4_096)])))] {
        let page = latest.page(&table.view, &asking(range.clone())).await.expect("a page");
        let expected = page.portable_digest(&table.view.domains(), SALT).expect("a digest of the page");
        let digests = latest.digests(&table.view, &[range], DigestKind::Portable, SALT).await.expect("a digest");
        assert_eq!(digests, [expected]);
    }
}

async fn a_digest_tells_a_changed_row(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..10)).await;
    let latest = table.latest().await;
    for kind in bench.store.capabilities().digests {
        let digest = async || latest.digests(&table.view, &[KeyRange::ALL], kind, SALT).await.expect("a digest");
        let before = digest().await;
        update(&table, &[vec![number(3), text("changed")]]).await;
        assert_eq!(digest().await == before, kind == DigestKind::Count, "{kind:?}");
        update(&table, &[vec![number(3), text("name 3")]]).await;
        assert_eq!(digest().await, before, "{kind:?}");
    }
}

async fn update(table: &Table, rows: &[Vec<Value>]) -> u64 {
    let changes = Changes { updates: table.page_of(rows), ..Changes::new(table.view.key_len) };
    table.apply(changes).await.expect("update rows").updated
}

async fn cuts_lie_inside_the_range_and_rise(bench: &Bench) {
    let skewed = (0..500).chain((0..500).map(|i| 1_000_000_000_000 + i));
    for numbers in [(0..1000).collect::<Vec<i64>>(), skewed.collect()] {
        let table = bench.numbered().await;
        table.insert(&numbered_rows(numbers.iter().copied())).await;
        let inner = KeyRange::new(Some(key(&[number(numbers[99])])), Some(key(&[number(numbers[699])])));
        for (range, rows) in [(KeyRange::ALL, 1000), (inner, 600)] {
            let latest = table.latest().await;
            let cuts = latest.split(&table.view, std::slice::from_ref(&range), 100).await.expect("cuts").remove(0);
            assert!(cuts.len() as u64 >= rows / 100 - 2 && cuts.len() as u64 <= rows / 50, "{} cuts", cuts.len());
            let parts = range.cut_at(cuts.clone());
            assert_eq!(parts.len(), cuts.len() + 1, "each cut is a key inside the range, once");
            assert_eq!(rows_in(&table, &parts).await, rows);
            let of_parts = latest.split(&table.view, &parts, 20).await.expect("cuts of cuts");
            assert_eq!(of_parts.len(), parts.len());
            let finer: Vec<KeyRange> = parts.iter().zip(of_parts).flat_map(|(part, cuts)| part.cut_at(cuts)).collect();
            assert!(finer.len() > 2 * parts.len(), "{} parts of {}", finer.len(), parts.len());
            assert_eq!(rows_in(&table, &finer).await, rows);
        }
    }
    let empty = bench.numbered().await;
    let cuts = empty.latest().await.split(&empty.view, &[KeyRange::ALL], 10).await.expect("cuts");
    assert_eq!(cuts, [Vec::<Key>::new()]);
}

async fn rows_of_several_ranges_come_at_once(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..100)).await;
    let range = |after: i64, through: i64| KeyRange::new(Some(key(&[number(after)])), Some(key(&[number(through)])));
    let ranges = [
        range(89, 95),
        KeyRange::new(None, Some(key(&[number(4)]))),
        range(10, 10),
        range(20, 22),
        KeyRange::new(Some(key(&[number(97)])), None),
    ];
    let latest = table.latest().await;
    for wanted in [Gathered::Fields, Gathered::Raw, Gathered::Keys] {
        let page = latest.gather(&table.view, &ranges, wanted, 1 << 20).await.expect("rows").expect("they fit");
        let page = match page.form {
            Form::Raw => {
                bench.store.decoder(&table.view).expect("who reads so").decode(&page).expect("rows of a table")
            }
            Form::Fields => page,
        };
        let mut found: Vec<Key> = (0..page.len()).map(|index| page.key(index)).collect();
        found.sort();
        let mut expected: Vec<Key> =
            (90..=95).chain(0..=4).chain(21..=22).chain(98..=99).map(|i| key(&[number(i)])).collect();
        expected.sort();
        assert_eq!(found, expected);
        assert!(wanted == Gathered::Keys || values(&page).iter().all(|row| row.len() == table.view.columns.len()));
    }
    assert!(
        latest.gather(&table.view, &ranges, Gathered::Fields, 50).await.expect("an answer").is_none(),
        "too many bytes"
    );
}

/// The rows in ranges that must follow each other: a gap or an overlap would show in the sum.
async fn rows_in(table: &Table, ranges: &[KeyRange]) -> u64 {
    let digests = table.latest().await.digests(&table.view, ranges, DigestKind::Count, SALT).await.expect("counts");
    digests.iter().map(|digest| digest.rows).sum()
}

async fn the_last_rows_lie_behind_a_key(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..10)).await;
    let latest = table.latest().await;
    let before = latest.before_last(&table.view, 3).await.expect("a key");
    assert_eq!(before, Some(key(&[number(6)])));
    assert_eq!(table.rows(KeyRange::new(before, None)).await.len(), 3);
    assert_eq!(latest.before_last(&table.view, 10).await.expect("no key"), None);
    assert_eq!(latest.before_last(&table.view, 9).await.expect("a key"), Some(key(&[number(0)])));
}

async fn rows_are_found_by_their_keys(bench: &Bench) {
    let table =
        bench.table(&[("name", DataType::Text { max_chars: None }), ("i", DataType::Int { bits: 32 })], 2).await;
    let rows = [vec![text("a"), number(1)], vec![text("a"), number(2)], vec![text("b"), number(1)]];
    table.insert(&rows).await;
    let keys = [key(&rows[2]), key(&[text("A"), number(1)]), key(&rows[0])];
    let page = table.latest().await.rows_by_key(&table.view, &keys).await.expect("rows");
    let mut found = values(&page);
    found.sort_by_key(|row| key(row));
    assert_eq!(found, [rows[0].clone(), rows[2].clone()]);
}

async fn a_row_that_is_there_is_not_inserted_again(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows([2])).await;
    let changes = Changes::inserting(table.page_of(&numbered_rows(1..4)));
    let error = table.apply(changes).await.expect_err("row 2 is there already");
    assert_eq!(error.kind, Kind::Duplicate);
    assert_eq!(table.all().await, numbered_rows([2]));
}

async fn the_same_update_or_delete_twice_changes_nothing(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(1..4)).await;
    for _ in 0..2 {
        update(&table, &[vec![number(1), text("new")]]).await;
        table.apply(Changes::deleting(vec![key(&[number(2)])], 1)).await.expect("delete");
        assert_eq!(table.all().await, [vec![number(1), text("new")], vec![number(3), text("name 3")]]);
    }
}

async fn deletes_make_room_for_inserts(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(1..4)).await;
    let changes = Changes {
        deletes: vec![key(&[number(1)])],
        updates: table.page_of(&[vec![number(2), text("two")]]),
        inserts: table.page_of(&[vec![number(1), text("one")]]),
        ..Changes::new(1)
    };
    let applied = table.apply(changes).await.expect("all three");
    assert_eq!((applied.deleted, applied.updated, applied.inserted), (1, 1, 1));
    assert!(applied.bytes_written > 0 && applied.queries > 0);
    let expected = [vec![number(1), text("one")], vec![number(2), text("two")], vec![number(3), text("name 3")]];
    assert_eq!(table.all().await, expected);
}

async fn nothing_is_seen_before_the_commit(bench: &Bench) {
    let table = bench.numbered().await;
    let latest = table.latest().await;
    let rows = async || latest.survey(&table.view, None).await.expect("a survey").rows;
    let mut transaction = bench.store.begin(&table.view).await.expect("begin");
    transaction.write(Arc::new(Changes::inserting(table.page_of(&numbered_rows(0..5))))).await.expect("write");
    assert_eq!(rows().await, 0);
    transaction.commit().await.expect("commit");
    assert_eq!(rows().await, 5);
}

async fn a_transaction_reads_rows_as_it_sees_them(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(1..4)).await;
    let keys = [1, 2, 9].map(|i| key(&[number(i)]));
    let mut transaction = bench.store.begin(&table.view).await.expect("begin");
    let read = async |transaction: &mut Box<dyn Transaction>| {
        let mut found = values(&transaction.before(&table.view, &keys).await.expect("rows"));
        found.sort_by_key(|row| key(&row[..1]));
        found
    };
    assert_eq!(read(&mut transaction).await, numbered_rows(1..3));
    let changes = Changes {
        deletes: vec![key(&[number(1)])],
        updates: table.page_of(&[vec![number(2), text("two")]]),
        inserts: table.page_of(&numbered_rows([9])),
        ..Changes::new(1)
    };
    transaction.write(Arc::new(changes)).await.expect("write");
    assert_eq!(read(&mut transaction).await, [vec![number(2), text("two")], vec![number(9), text("name 9")]]);
    assert!(values(&transaction.before(&table.view, &[]).await.expect("no rows")).is_empty());
    transaction.commit().await.expect("commit after reading");
    assert_eq!(table.all().await.len(), 3);
}

/// However small the stretches are cut, and with a view that shows a part of the table.
async fn every_row_lies_in_one_stretch(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..2000)).await;
    let latest = table.latest().await;
    let expected = values(&latest.page(&table.view, &asking(KeyRange::ALL)).await.expect("a page"));
    assert_eq!(expected.len(), 2000);
    for bytes_max in [500, 1 << 20] {
        let mut stretches = latest.stretches(&table.view, bytes_max).await.expect("stretches");
        let mut rows = Vec::new();
        while let Some(stretch) = stretches.pop() {
            let halves = stretch.halves();
            let bytes_max = if halves.is_some() { bytes_max } else { usize::MAX };
            match latest.lying_in(&table.view, stretch, bytes_max).await.expect("an answer") {
                Some(page) => rows.extend(values(&page)),
                None => stretches.extend(halves.expect("what takes too much can be cut")),
            }
        }
        rows.sort_by_key(|row| match row[0] {
            Value::Int(number) => number,
            _ => i64::MIN,
        });
        assert_eq!(rows, expected, "in stretches of {bytes_max} bytes");
    }
}

/// Of every type: what was seen by a page is known again in a transaction.
async fn a_row_is_read_in_the_same_bytes_wherever(bench: &Bench) {
    let table = bench.table(&all_types(), 1).await;
    table.insert(&rows_of_all_types()).await;
    let latest = table.latest().await;
    let page = latest.page(&table.view, &asking(KeyRange::ALL)).await.expect("a page");
    let gathered =
        latest.gather(&table.view, &[KeyRange::ALL], Gathered::Fields, 1 << 20).await.expect("rows").expect("they fit");
    let keys: Vec<Key> = (0..page.len()).map(|row| page.key(row)).collect();
    let mut transaction = bench.store.begin(&table.view).await.expect("begin");
    let before = transaction.before(&table.view, &keys).await.expect("rows");
    let sorted = |page: &RowPage| {
        let mut rows: Vec<Vec<u8>> = page.rows().map(<[u8]>::to_vec).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(&page).len(), 3);
    assert_eq!([sorted(&gathered), sorted(&before)], [sorted(&page), sorted(&page)]);
}

/// The store may doubt rows without need, but never says that a row is as it was when it is not.
async fn rows_that_were_written_since_a_moment_are_refused(bench: &Bench, elsewhere: &dyn Store) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(1..6)).await;
    let changes = |updates: &[i64], deletes: &[i64], since| {
        let updates: Vec<_> = updates.iter().map(|i| vec![number(*i), text("changed")]).collect();
        let deletes = deletes.iter().map(|i| key(&[number(*i)])).collect();
        let changes = Changes { updates: table.page_of(&updates), deletes, ..Changes::new(1) };
        Changes { seen: Some(Arc::default()), ..changes }.known_since(since)
    };
    let before = bench.store.mark(&table.view).await.expect("a moment");
    let mut other = elsewhere.begin(&table.view).await.expect("begin elsewhere");
    let theirs = Changes { updates: table.page_of(&[vec![number(3), text("theirs")]]), ..Changes::new(1) };
    other.write(Arc::new(theirs)).await.expect("write elsewhere");
    other.commit().await.expect("commit elsewhere");
    // Where the store tells no moments, whoever writes has to look by himself.
    if before.is_some() {
        for (updates, deletes) in [(&[3][..], &[][..]), (&[], &[3]), (&[3, 4], &[])] {
            let refused = table.apply(changes(updates, deletes, before)).await;
            assert_eq!(refused.expect_err("row 3 was written since").kind, Kind::RowChanged);
        }
    }
    let applied = loop {
        let since = bench.store.mark(&table.view).await.expect("a moment");
        match table.apply(changes(&[3, 4], &[5], since)).await {
            // Somebody who came before us is still busy, with whatever.
            Err(error) if error.kind == Kind::RowChanged => {}
            applied => break applied.expect("nobody wrote since"),
        }
    };
    assert_eq!((applied.updated, applied.deleted), (2, 1));
}

async fn nothing_is_written_between_two_equal_pulses(bench: &Bench, elsewhere: &dyn Store) {
    let table = bench.numbered().await;
    let pulse = async || bench.store.pulse().await.expect("a pulse, or none");
    let before = pulse().await;
    let mut other = elsewhere.begin(&table.view).await.expect("begin elsewhere");
    other.write(Arc::new(Changes::inserting(table.page_of(&numbered_rows(1..3))))).await.expect("write elsewhere");
    let meanwhile = pulse().await;
    assert!(meanwhile.is_none() || meanwhile != before, "what is about to be committed was not there before");
    other.commit().await.expect("commit elsewhere");
    let after = pulse().await;
    for earlier in [before, meanwhile] {
        assert!(after.is_none() || after != earlier, "rows were committed");
    }
}

async fn a_dropped_transaction_leaves_nothing(bench: &Bench) {
    let table = bench.numbered().await;
    let mut transaction = bench.store.begin(&table.view).await.expect("begin");
    transaction.write(Arc::new(Changes::inserting(table.page_of(&numbered_rows(0..5))))).await.expect("write");
    drop(transaction);
    // The next transaction waits until the rollback is done.
    table.insert(&numbered_rows([7])).await;
    assert_eq!(table.all().await, numbered_rows([7]));
}

async fn a_frozen_snapshot_stands_still(bench: &Bench) {
    if !bench.store.capabilities().frozen_snapshots {
        return;
    }
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..5)).await;
    let frozen = bench.store.snapshot(Consistency::Frozen).await.expect("a frozen snapshot");
    table.insert(&numbered_rows(5..7)).await;
    assert_eq!(frozen.survey(&table.view, None).await.expect("a survey").rows, 5);
    let page = frozen.page(&table.view, &asking(KeyRange::ALL)).await.expect("a page");
    assert_eq!(values(&page), numbered_rows(0..5));
    assert_eq!(table.latest().await.survey(&table.view, None).await.expect("a survey").rows, 7);
}

async fn a_dropped_future_leaves_the_store_usable(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..2000)).await;
    let latest = table.latest().await;
    for polls in 1..4 {
        dropped_after(polls, latest.page(&table.view, &asking(KeyRange::ALL))).await;
        dropped_after(polls, latest.digests(&table.view, &[KeyRange::ALL], DigestKind::Stream, SALT)).await;
        dropped_after(polls, latest.split(&table.view, &[KeyRange::ALL], 10)).await;
        dropped_after(polls, bench.store.begin(&table.view)).await;
        let mut transaction = bench.store.begin(&table.view).await.expect("begin");
        let changes = Arc::new(Changes::inserting(table.page_of(&numbered_rows(2000..2100))));
        dropped_after(polls, transaction.write(changes)).await;
        drop(transaction);
        assert_eq!(table.all().await.len(), 2000);
        let mut transaction = bench.store.begin(&table.view).await.expect("begin");
        let changes = Changes::deleting(vec![key(&[number(-1)])], 1);
        transaction.write(Arc::new(changes)).await.expect("write");
        dropped_after(polls, transaction.commit()).await;
    }
    table.insert(&numbered_rows(2000..2001)).await;
    assert_eq!(table.all().await.len(), 2001);
}

/// Starts something and leaves it, at the latest when it has been looked at so many times.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Pending if left > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

fn link(column: &str, parent: &TableName) -> ForeignKey {
    ForeignKey {
        name: None,
        columns: vec![column.into()],
        parent: parent.clone(),
        parent_columns: vec!["id".into()],
        deferrable: true,
        on_delete: Action::None,
        on_update: Action::None,
    }
}

async fn parent_and_child(bench: &Bench) -> (Table, Table) {
    let parent = bench.numbered().await;
    let columns = [("id", DataType::Int { bits: 64 }), ("parent", DataType::Int { bits: 64 })];
    let child = bench.table_with(&columns, 1, &[link("parent", &parent.schema.name)]).await;
    (parent, child)
}

async fn foreign_keys_are_described(bench: &Bench) {
    let (parent, child) = parent_and_child(bench).await;
    let described = bench.store.describe(&child.schema.name).await.expect("describe").expect("the child");
    let [foreign_key] = described.foreign_keys.as_slice() else { panic!("one foreign key was asked for") };
    assert_eq!(foreign_key.columns, ["parent"]);
    assert_eq!(foreign_key.parent.name, parent.schema.name.name);
}

async fn a_child_without_its_parent_is_refused(bench: &Bench) {
    let (parent, child) = parent_and_child(bench).await;
    parent.insert(&numbered_rows([1])).await;
    child.insert(&[vec![number(1), number(1)]]).await;
    let orphan = Changes::inserting(child.page_of(&[vec![number(2), number(2)]]));
    let error = child.apply(orphan).await.expect_err("there is no parent 2");
    assert_eq!(error.kind, Kind::Constraint);
    assert_eq!(child.all().await.len(), 1);
}

async fn rows_may_point_at_each_other_within_a_transaction(bench: &Bench) {
    let columns = [("id", DataType::Int { bits: 64 }), ("friend", DataType::Int { bits: 64 })];
    let like = bench.table(&columns, 1).await;
    let name = TableName { name: format!("{} of friends", like.schema.name.name), ..like.schema.name.clone() };
    let links = [link("friend", &name)];
    let schema = rowsync_engine::schema::TableSchema { name: name.clone(), ..like.schema.clone() };
    bench.store.create_table(&schema, &links).await.expect("create the table");
    bench.store.add_foreign_keys(&name, &links).await.expect("add the foreign key");
    for in_cycle in [false, true] {
        let view = TableView { table: name.clone(), in_cycle, ..TableView::clone(&like.view) };
        let table = Table { store: Arc::clone(&bench.store), schema: schema.clone(), view: Arc::new(view) };
        table.insert(&[vec![number(1), number(2)], vec![number(2), number(1)]]).await;
        assert_eq!(table.all().await.len(), 2);
        let keys: Vec<Key> = [1, 2].map(|i| key(&[number(i)])).into();
        table.apply(Changes::deleting(keys, 1)).await.expect("both may go together");
    }
}

async fn a_failure_is_never_an_empty_answer(bench: &Bench) {
    let table = bench.numbered().await;
    let mut view = TableView::clone(&table.view);
    view.table = TableName { name: "nobody made this".into(), ..view.table };
    let no_table = Arc::new(view);
    let mut view = TableView::clone(&table.view);
    view.columns[1].column.name = "no such column".into();
    let no_column = Arc::new(view);
    let latest = table.latest().await;
    for view in [no_table, no_column] {
        let page = latest.page(&view, &asking(KeyRange::ALL)).await;
        assert_eq!(page.expect_err("there is nothing to read").kind, Kind::SchemaMismatch);
        let digests = latest.digests(&view, &[KeyRange::ALL], DigestKind::Stream, SALT).await;
        assert_eq!(digests.expect_err("there is nothing to read").kind, Kind::SchemaMismatch);
    }
}

async fn raw_pages_move_between_equal_tables(bench: &Bench) {
    if !bench.store.capabilities().raw_pages {
        return;
    }
    let (from, to) = (bench.table(&all_types(), 1).await, bench.table(&all_types(), 1).await);
    from.insert(&rows_of_all_types()).await;
    let request = PageRequest { form: Form::Raw, ..asking(KeyRange::ALL) };
    let page = from.latest().await.page(&from.view, &request).await.expect("a raw page");
    assert_eq!((page.form, page.len()), (Form::Raw, 3));
    to.apply(Changes::inserting(page)).await.expect("insert a raw page");
    let digest = async |table: &Table| {
        let latest = table.latest().await;
        latest.digests(&table.view, &[KeyRange::ALL], DigestKind::Stream, SALT).await.expect("a digest")
    };
    assert_eq!(digest(&from).await, digest(&to).await);
}

async fn raw_rows_taken_apart_are_those_of_a_page_of_fields(bench: &Bench) {
    let table = bench.table(&all_types(), 1).await;
    let Some(decoder) = bench.store.decoder(&table.view) else { return };
    table.insert(&rows_of_all_types()).await;
    let latest = table.latest().await;
    let page =
        async |form| latest.page(&table.view, &PageRequest { form, ..asking(KeyRange::ALL) }).await.expect("a page");
    let (raw, fields) = (page(Form::Raw).await, page(Form::Fields).await);
    let taken_apart = decoder.decode(&raw).expect("rows of their own table");
    assert_eq!((taken_apart.form, &taken_apart.last_key), (Form::Fields, &fields.last_key));
    assert_eq!(taken_apart.rows().collect::<Vec<_>>(), fields.rows().collect::<Vec<_>>());
}

/// Whatever bytes it foresees, once they are in the table they mean what was to be written.
async fn encoded_rows_are_the_rows(bench: &Bench) {
    let table = bench.table(&all_types(), 1).await;
    let Some(encoder) = bench.store.encoder(&table.view) else { return };
    let rows = table.page_of(&rows_of_all_types());
    let encoded = encoder.encode(&rows).expect("encode rows");
    assert_eq!((encoded.form, encoded.len(), &encoded.last_key), (Form::Raw, rows.len(), &rows.last_key));
    table.apply(Changes::inserting(encoded)).await.expect("insert encoded rows");
    let wanted = rows.digest(&table.view.domains(), SALT).expect("a digest of the page");
    let got = table.latest().await.digests(&table.view, &[KeyRange::ALL], DigestKind::Stream, SALT).await;
    assert_eq!(got.expect("a digest"), [wanted]);
}

/// All but JSON, which an engine may spell anew.
async fn encoded_rows_come_back_as_foreseen(bench: &Bench) {
    let (columns, rows) = (all_types(), rows_of_all_types());
    let table = bench.table(&columns[..columns.len() - 1], 1).await;
    let Some(encoder) = bench.store.encoder(&table.view) else { return };
    let rows: Vec<_> = rows.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
    let encoded = encoder.encode(&table.page_of(&rows)).expect("encode rows");
    let wanted = encoded.digest(&[], SALT).expect("a digest of bytes");
    table.apply(Changes::inserting(encoded)).await.expect("insert encoded rows");
    let digest = async || {
        let got = table.latest().await.digests(&table.view, &[KeyRange::ALL], DigestKind::Raw, SALT).await;
        got.expect("a digest")
    };
    assert_eq!(digest().await, [wanted]);
    let mut changed = rows[0].clone();
    changed[8] = text("changed");
    update(&table, &[changed]).await;
    assert_ne!(digest().await, [wanted]);
}

async fn what_was_committed_can_be_flushed(bench: &Bench) {
    let table = bench.numbered().await;
    table.insert(&numbered_rows(0..5)).await;
    bench.store.flush().await.expect("flush");
    assert_eq!(table.all().await.len(), 5);
}
