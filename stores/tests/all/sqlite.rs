//! What only SQLite does: files, types that bind nothing, affinities, keys that other engines would refuse.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Filter;
use rowsync_engine::key::KeyRange;
use rowsync_engine::schema::{DataType, Filled, KeyOrder, TableName, TableSchema, TableView, ViewColumn};
use rowsync_engine::store::{Consistency, Store};
use rowsync_engine::value::{Interval, Value};
use rowsync_stores::sqlite::Sqlite;
use rowsync_stores::testing::rows::{asking, key, number, page_of, text, values};
use rowsync_stores::{Access, Connection};

/// A file, what is in it, and the store over it.
struct Fixture {
    folder: tempfile::TempDir,
    store: Arc<Sqlite>,
}

impl Fixture {
    async fn new(sql: &str) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        rusqlite::Connection::open(folder.path().join("a.sqlite")).unwrap().execute_batch(sql).unwrap();
        let store = open(&folder.path().join("a.sqlite"), Access::Write).await.unwrap();
        Fixture { folder, store }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("a.sqlite")
    }

    fn outside(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }

    async fn describe(&self, table: &str) -> TableSchema {
        self.store.describe(&TableName::new(table)).await.unwrap().unwrap()
    }

    /// A view of all columns of a table, the key first, in these domains.
    async fn view(&self, table: &str, domains: &[Domain]) -> Arc<TableView> {
        let schema = self.describe(table).await;
        let is_key = |name: &String| schema.primary_key.contains(name);
        let others = schema.columns.iter().map(|column| &column.name).filter(|name| !is_key(name));
        let columns = schema
            .primary_key
            .iter()
            .chain(others)
            .zip(domains)
            .map(|(name, domain)| ViewColumn { column: schema.column(name).unwrap().clone(), domain: *domain });
        Arc::new(TableView {
            table: schema.name.clone(),
            columns: columns.collect(),
            key_len: schema.primary_key.len(),
            key_order: KeyOrder::Bytewise,
            modify_time: None,
            in_cycle: false,
            filter: Filter::ALL,
            given: Vec::new(),
            derived: None,
            computed: Vec::new(),
            exact: Vec::new(),
        })
    }

    async fn read(&self, view: &Arc<TableView>) -> Result<Vec<Vec<Value>>, StoreError> {
        let latest = self.store.snapshot(Consistency::Latest).await?;
        Ok(values(&latest.page(view, &asking(KeyRange::ALL)).await?))
    }

    async fn insert(&self, view: &Arc<TableView>, rows: &[Vec<Value>]) -> Result<Applied, StoreError> {
        let mut transaction = self.store.begin(view).await?;
        let applied = transaction.write(Arc::new(Changes::inserting(page_of(rows, view.key_len)))).await?;
        transaction.commit().await?;
        Ok(applied)
    }
}

fn connection(url: String, access: Access) -> Connection {
    Connection { url, schema: None, timeout: Duration::from_millis(50), connections_max: 4, access }
}

async fn open(path: &Path, access: Access) -> Result<Arc<Sqlite>, StoreError> {
    Sqlite::connect(&connection(format!("sqlite:{}", path.display()), access)).await
}

async fn refusal(url: String, access: Access) -> StoreError {
    let Err(error) = Sqlite::connect(&connection(url, access)).await else { panic!("it was opened") };
    error
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("text.txt"), "this is a text, and long enough to be looked at as a database would be").unwrap();
    let check = async |url: String, access, message: &str| {
        let error = refusal(url, access).await;
        assert_eq!(error.kind, Kind::NoDatabase);
        assert!(error.to_string().contains(message), "{error}");
    };
    check(format!("sqlite:{}", path("no.sqlite")), Access::Read, "there is no file").await;
    check(format!("sqlite:{}?mode=rw", path("no.sqlite")), Access::Write, "mode=rwc would make it").await;
    check(format!("sqlite:{}", path("no/no.sqlite")), Access::Write, "there is no folder").await;
    check(format!("sqlite:{}", path("text.txt")), Access::Read, "text.txt").await;
    check(format!("sqlite:{}", path("text.txt")), Access::Write, "text.txt").await;
    let error = refusal(format!("sqlite:{}?mode=ro", path("no.sqlite")), Access::Write).await;
    assert_eq!((error.kind, error.message.contains("has to be written")), (Kind::Forbidden, true), "{error}");
    assert!(!folder.path().join("no.sqlite").exists());
    open(&folder.path().join("new.sqlite"), Access::Write).await.unwrap();
    assert!(folder.path().join("new.sqlite").exists());
}

#[tokio::test]
async fn a_source_is_neither_written_to_nor_changed_in_its_mode() {
    let fixture = Fixture::new("").await;
    let path = fixture.folder.path().join("source.sqlite");
    let source = rusqlite::Connection::open(&path).unwrap();
    source.execute_batch("PRAGMA journal_mode=DELETE; CREATE TABLE t(a INTEGER PRIMARY KEY)").unwrap();
    let store = open(&path, Access::Read).await.unwrap();
    let schema = store.describe(&TableName::new("T")).await.unwrap().unwrap();
    assert_eq!(schema.name, TableName::new("t"));
    assert_eq!(store.create_table(&schema, &[]).await.unwrap_err().kind, Kind::Forbidden);
    store.snapshot(Consistency::Frozen).await.unwrap();
    let mode: String = source.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
}

#[tokio::test]
async fn chinook_is_described() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/data/chinook.sqlite");
    let store = open(&path, Access::Read).await.unwrap();
    let tables = store.tables().await.unwrap();
    let mut keys = 0;
    for table in &tables {
        keys += store.describe(table).await.unwrap().unwrap().foreign_keys.len();
    }
    assert_eq!((tables.len(), keys), (11, 11));
    let track = store.describe(&TableName::new("playlisttrack")).await.unwrap().unwrap();
    assert_eq!(track.primary_key, ["PlaylistId", "TrackId"]);
    let invoice = store.describe(&TableName::new("Invoice")).await.unwrap().unwrap();
    let types: Vec<_> = ["InvoiceId", "InvoiceDate", "BillingCity", "Total"]
        .map(|name| invoice.column(name).unwrap().data_type.clone())
        .into();
    let expected = [
        DataType::Int { bits: 64 },
        DataType::Timestamp,
        DataType::Text { max_chars: Some(40) },
        DataType::Decimal { precision: Some(10), scale: Some(2) },
    ];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn odd_tables_are_described_as_they_are() {
    let fixture = Fixture::new(
        r#"CREATE TABLE "a ""b"" c" ("the ""key""" TEXT PRIMARY KEY, "v w" INT DEFAULT 7, g AS (1) STORED);
           CREATE TABLE whole (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID;
           CREATE TABLE strict (a TEXT PRIMARY KEY, b ANY) STRICT;
           CREATE TABLE nocase (a TEXT COLLATE NOCASE PRIMARY KEY);
           CREATE TABLE keyless (a TEXT);
           CREATE TABLE by_index (a TEXT NOT NULL, b INT NOT NULL UNIQUE, c INT UNIQUE);
           CREATE TABLE backwards (a INTEGER PRIMARY KEY DESC);
           CREATE TABLE short (a INT PRIMARY KEY);
           CREATE TABLE child (a INTEGER PRIMARY KEY, b TEXT REFERENCES strict, c INT, d TEXT,
                               FOREIGN KEY (c, d) REFERENCES whole (b, a));
           CREATE VIEW v AS SELECT 1;
           CREATE VIRTUAL TABLE search USING fts5(words);"#,
    )
    .await;
    let names: Vec<String> = fixture.store.tables().await.unwrap().into_iter().map(|table| table.name).collect();
    let expected = ["a \"b\" c", "backwards", "by_index", "child", "keyless", "nocase", "short", "strict", "whole"];
    assert_eq!(names, expected);

    let quoted = fixture.describe("a \"b\" c").await;
    assert_eq!(quoted.primary_key, ["the \"key\""]);
    assert!(quoted.columns[0].nullable, "SQLite takes NULL in such a key");
    assert!(quoted.columns[1].has_default);
    assert_eq!(quoted.columns[2].filled, Filled::ByExpression);

    let whole = fixture.describe("whole").await;
    assert_eq!(whole.primary_key, ["b", "a"]);
    assert!(whole.columns.iter().all(|column| !column.nullable));
    assert!(!fixture.describe("strict").await.columns[0].nullable);
    assert_eq!(fixture.describe("nocase").await.columns[0].collation.as_deref(), Some("NOCASE"));
    assert!(fixture.describe("keyless").await.primary_key.is_empty());
    assert_eq!(fixture.describe("by_index").await.primary_key, ["b"]);
    assert_eq!(fixture.describe("backwards").await.columns[0].filled, Filled::ByWriter);
    assert_eq!(fixture.describe("short").await.columns[0].filled, Filled::ByWriter);

    let child = fixture.describe("child").await;
    assert_eq!(child.columns[0].filled, Filled::ByIdentity);
    assert!(child.foreign_keys[0].parent_columns.is_empty());
    assert_eq!(child.foreign_keys[1].columns, ["c", "d"]);
    assert_eq!(child.foreign_keys[1].parent_columns, ["b", "a"]);
}

#[tokio::test]
async fn quoted_names_are_read_and_written() {
    let fixture = Fixture::new(r#"CREATE TABLE "a ""b"" c" ("the ""key""" TEXT PRIMARY KEY, "v w" INT)"#).await;
    let view = fixture.view("a \"b\" c", &[Domain::Text, Domain::Int]).await;
    let rows = [vec![text("x"), number(1)]];
    fixture.insert(&view, &rows).await.unwrap();
    assert_eq!(fixture.read(&view).await.unwrap(), rows);
}

#[tokio::test]
async fn values_are_read_as_the_other_side_types_them() {
    let fixture = Fixture::new("CREATE TABLE t(id INTEGER PRIMARY KEY, v)").await;
    let check = async |literal: &str, domain: Domain, expected: Option<Value>| {
        let store = fixture.outside();
        store.execute(&format!("INSERT OR REPLACE INTO t VALUES (1, {literal})"), []).unwrap();
        let view = fixture.view("t", &[Domain::Int, domain]).await;
        match (fixture.read(&view).await, expected) {
            (Ok(rows), Some(expected)) => assert_eq!(rows[0][1], expected, "{literal} as {domain:?}"),
            (Ok(rows), None) => {
                let value = rows[0][1].clone();
                assert!(matches!(value, Value::Unfit(..)), "{literal} as {domain:?}: {value:?}");
                let error = fixture.insert(&view, &[vec![number(2), value]]).await.unwrap_err();
                assert_eq!(error.kind, Kind::BadValue, "{literal} as {domain:?}");
                assert!(error.to_string().contains("t: column v "), "{error}");
                assert!(!error.to_string().contains("secret"), "{error}");
            }
            (read, expected) => panic!("{literal} as {domain:?}: {read:?}, not {expected:?}"),
        }
    };
    let decimal = |text: &str| Some(Value::Decimal(text.into()));
    let any_decimal = Domain::Decimal { scale: None };
    check("1", Domain::Dynamic, Some(number(1))).await;
    check("1.5", Domain::Dynamic, Some(Value::Float(1.5))).await;
    check("'1'", Domain::Dynamic, Some(text("1"))).await;
    check("x'00ff'", Domain::Dynamic, Some(Value::Bytes(vec![0, 255]))).await;
    check("cast(x'ff' AS TEXT)", Domain::Dynamic, None).await;
    check("cast(x'ff' AS TEXT)", Domain::Text, None).await;
    check("1.0", Domain::Bool, Some(Value::Bool(true))).await;
    check("0.5", Domain::Bool, None).await;
    check("1", Domain::Bool, Some(Value::Bool(true))).await;
    check("'f'", Domain::Bool, Some(Value::Bool(false))).await;
    check("2", Domain::Bool, None).await;
    check("'secret'", Domain::Bool, None).await;
    check("7.0", Domain::Int, Some(number(7))).await;
    check("'-7'", Domain::Int, Some(number(-7))).await;
    check("7.5", Domain::Int, None).await;
    check("1e19", Domain::Int, None).await;
    check("'secret'", Domain::Int, None).await;
    check("7", Domain::Float, Some(Value::Float(7.0))).await;
    check("'1e3'", Domain::Float, Some(Value::Float(1000.0))).await;
    check("x'00'", Domain::Float, None).await;
    check("0.1", Domain::Float32, Some(Value::Float(f64::from(0.1f32)))).await;
    check("7", any_decimal, decimal("7")).await;
    check("0.1", any_decimal, decimal("0.1")).await;
    check("1e-7", any_decimal, decimal("0.0000001")).await;
    check("'1.10'", any_decimal, decimal("1.10")).await;
    check("'+1.5e3'", any_decimal, decimal("1500")).await;
    check("'NaN'", any_decimal, decimal("NaN")).await;
    check("9e999", any_decimal, decimal("Infinity")).await;
    check("'1,5'", any_decimal, None).await;
    check("''", any_decimal, None).await;
    check("7", Domain::Text, Some(text("7"))).await;
    check("1.0", Domain::Text, Some(text("1.0"))).await;
    check("'a '", Domain::Text, Some(text("a "))).await;
    check("'a '", Domain::PaddedText, Some(text("a"))).await;
    check("x'61'", Domain::Text, None).await;
    check("'a'", Domain::Bytes, Some(Value::Bytes(b"a".to_vec()))).await;
    check("1", Domain::Bytes, None).await;
    check("'A0EEBC999C0B4EF8BB6D6BB9BD380A11'", Domain::Uuid, Some(Value::Uuid(UUID))).await;
    check("x'a0eebc999c0b4ef8bb6d6bb9bd380a11'", Domain::Uuid, Some(Value::Uuid(UUID))).await;
    check("'a0eebc99'", Domain::Uuid, None).await;
    check("'1970-01-02'", Domain::Date, Some(Value::Date(1))).await;
    check("'2023-02-29'", Domain::Date, None).await;
    check("1", Domain::Date, None).await;
    check("'00:00:01'", Domain::Time, Some(Value::Time(1_000_000))).await;
    check("'1970-01-01T00:00:01'", Domain::Timestamp, Some(Value::Timestamp(1_000_000))).await;
    check("'1970-01-01 00:00:01+01:00'", Domain::Timestamp, None).await;
    check("'1970-01-01 01:00:01+01:00'", Domain::TimestampTz, Some(Value::TimestampTz(1_000_000))).await;
    let span = Interval { months: 1, days: 2, micros: 3_000_000 };
    check("'P1M2DT3S'", Domain::Interval, Some(Value::Interval(span))).await;
    check("'[1]'", Domain::Json, Some(Value::Json("[1]".into()))).await;
    check("1.5", Domain::Json, Some(Value::Json("1.5".into()))).await;
    check("'{secret'", Domain::Json, None).await;
    check(r#"'["\u00e9"]'"#, Domain::Json, Some(Value::Json(r#"["\u00e9"]"#.into()))).await;
    check(r#"'["\ud800"]'"#, Domain::Json, Some(Value::Json(r#"["\ud800"]"#.into()))).await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    check(&format!("'{deep}'"), Domain::Json, Some(Value::Json(deep))).await;
    for domain in Domain::ALL.into_iter().filter(|domain| *domain != Domain::Native) {
        check("NULL", domain, Some(Value::Null)).await;
    }
    let native = fixture.view("t", &[Domain::Int, Domain::Native]).await;
    assert_eq!(fixture.read(&native).await.unwrap_err().kind, Kind::SchemaMismatch);
}

const UUID: [u8; 16] = *b"\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11";

#[tokio::test]
async fn affinities_change_nothing_in_silence() {
    let check = async |declared: &str, domain: Domain, value: Value, expected: Option<Value>| {
        let fixture = Fixture::new(&format!("CREATE TABLE t(id INTEGER PRIMARY KEY, v {declared})")).await;
        let view = fixture.view("t", &[Domain::Int, domain]).await;
        let what = format!("{value:?} into {declared} as {domain:?}");
        match (fixture.insert(&view, &[vec![number(1), value]]).await, expected) {
            (Ok(_), Some(expected)) => assert_eq!(fixture.read(&view).await.unwrap()[0][1], expected, "{what}"),
            (Err(error), None) => {
                assert_eq!(error.kind, Kind::BadValue, "{what}");
                assert!(error.to_string().contains("column v "), "{error}");
                assert!(fixture.read(&view).await.unwrap().is_empty(), "{what}");
            }
            (inserted, expected) => panic!("{what}: {inserted:?}, not {expected:?}"),
        }
    };
    let decimal = |text: &str| Value::Decimal(text.into());
    let (any, cents) = (Domain::Decimal { scale: None }, Domain::Decimal { scale: Some(2) });
    let long = "12345678901234567890.5";
    check("NUMERIC(10,2)", any, decimal("1.10"), Some(decimal("1.1"))).await;
    check("NUMERIC", any, decimal("5.00"), Some(decimal("5"))).await;
    check("NUMERIC", any, decimal("9223372036854775807"), Some(decimal("9223372036854775807"))).await;
    check("NUMERIC", any, decimal("NaN"), Some(decimal("NaN"))).await;
    check("NUMERIC", any, decimal("0.30000000000000004"), Some(decimal("0.30000000000000004"))).await;
    check("NUMERIC", any, decimal(long), None).await;
    check("INTEGER", any, decimal(long), None).await;
    check("REAL", any, decimal("9223372036854775807"), None).await;
    check("TEXT", any, decimal(long), Some(decimal(long))).await;
    check("DECIMAL BLOB(30,10)", any, decimal(long), Some(decimal(long))).await;
    check("NUMERIC(10,2)", cents, decimal("1.12345678901234567890"), Some(decimal("1.12"))).await;
    check("REAL", Domain::Int, number(i64::MAX), None).await;
    check("REAL", Domain::Int, number(7), Some(number(7))).await;
    check("TEXT", Domain::Int, number(7), Some(number(7))).await;
    check("TEXT", Domain::Float, Value::Float(0.1 + 0.2), Some(Value::Float(0.1 + 0.2))).await;
    check("TEXT", Domain::Bool, Value::Bool(true), Some(Value::Bool(true))).await;
    check("INTEGER", Domain::Text, text("7"), Some(text("7"))).await;
    check("INTEGER", Domain::Text, text("007"), None).await;
    check("NUMERIC", Domain::Text, text(" 7"), None).await;
    check("STRING", Domain::Text, text("1e5"), None).await;
    check("STRING", Domain::Text, text("1e5 "), None).await;
    check("STRING", Domain::Text, text("e5"), Some(text("e5"))).await;
    check("STRING", Domain::Dynamic, text("7"), None).await;
    check("TEXT", Domain::Dynamic, number(7), None).await;
    check("TEXT", Domain::Dynamic, text("7"), Some(text("7"))).await;
    check("REAL", Domain::Float, Value::Float(f64::NEG_INFINITY), Some(Value::Float(f64::NEG_INFINITY))).await;
    check("JSON", Domain::Json, Value::Json("12345678901234567890.5".into()), None).await;
    check("JSON", Domain::Json, Value::Json("1.50".into()), Some(Value::Json("1.5".into()))).await;
    check("BLOB", Domain::Uuid, Value::Uuid(UUID), Some(Value::Uuid(UUID))).await;
    check("UUID", Domain::Uuid, Value::Uuid(UUID), Some(Value::Uuid(UUID))).await;
    check("DATE", Domain::Date, Value::Date(i32::MAX), Some(Value::Date(i32::MAX))).await;
    check("CHAR(5)", Domain::PaddedText, text("ab   "), Some(text("ab"))).await;
}

#[tokio::test]
async fn not_a_number_is_kept_and_does_not_become_null() {
    let fixture = Fixture::new("CREATE TABLE t(id INTEGER PRIMARY KEY, v REAL)").await;
    let view = fixture.view("t", &[Domain::Int, Domain::Float]).await;
    fixture.insert(&view, &[vec![number(1), Value::Float(f64::NAN)]]).await.unwrap();
    assert!(matches!(fixture.read(&view).await.unwrap()[0][1], Value::Float(f) if f.is_nan()));
}

#[tokio::test]
async fn rows_with_null_in_the_key_are_counted_and_left_out() {
    let fixture = Fixture::new(
        "CREATE TABLE t(a TEXT, b INT, PRIMARY KEY (a, b));
         INSERT INTO t VALUES ('a', 1), (NULL, 1), (NULL, NULL), ('b', NULL), ('c', 3)",
    )
    .await;
    let view = fixture.view("t", &[Domain::Text, Domain::Int]).await;
    let latest = fixture.store.snapshot(Consistency::Latest).await.unwrap();
    let survey = latest.survey(&view, None).await.unwrap();
    assert_eq!((survey.rows, survey.null_keys), (5, 3));
    assert_eq!(fixture.read(&view).await.unwrap(), [[text("a"), number(1)], [text("c"), number(3)]]);
    let behind = KeyRange::new(Some(key(&[text("a"), number(1)])), None);
    assert_eq!(latest.page(&view, &asking(behind)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_in_a_spelling_that_does_not_sort_is_refused() {
    let fixture = Fixture::new("CREATE TABLE t(id PRIMARY KEY NOT NULL)").await;
    let check = async |literal: &str, domain: Domain, fits: bool| {
        let outside = fixture.outside();
        outside.execute_batch(&format!("DELETE FROM t; INSERT INTO t VALUES ({literal})")).unwrap();
        let view = fixture.view("t", &[domain]).await;
        match fixture.read(&view).await {
            Ok(rows) => assert!(fits && rows.len() == 1, "{literal}"),
            Err(error) => assert!(!fits && error.to_string().contains("key column id"), "{literal}: {error}"),
        }
    };
    check("10", Domain::Int, true).await;
    check("'10'", Domain::Int, false).await;
    check("'10.5'", Domain::Decimal { scale: None }, false).await;
    check("10", Domain::Text, false).await;
    check("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", Domain::Uuid, true).await;
    check("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", Domain::Uuid, false).await;
    check("'2024-01-01'", Domain::Date, true).await;
    check("'2024-01-01 00:00'", Domain::Date, false).await;
    check("'2024-01-01T00:00:00'", Domain::Timestamp, false).await;
}

#[tokio::test]
async fn keys_without_regard_to_case_are_walked_byte_by_byte_and_told_apart() {
    let fixture = Fixture::new(
        "CREATE TABLE t(a TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, b INT);
         INSERT INTO t VALUES ('a', 1), ('B', 2), ('c', 3)",
    )
    .await;
    let view = fixture.view("t", &[Domain::Text, Domain::Int]).await;
    let keys = |rows: Vec<Vec<Value>>| rows.into_iter().map(|mut row| row.remove(0)).collect::<Vec<_>>();
    assert_eq!(keys(fixture.read(&view).await.unwrap()), [text("B"), text("a"), text("c")]);
    let native = Arc::new(TableView { key_order: KeyOrder::Native, ..TableView::clone(&view) });
    assert_eq!(keys(fixture.read(&native).await.unwrap()), [text("a"), text("B"), text("c")]);
    let index = fixture.store.missing_index(&view).await.unwrap();
    assert_eq!(index.as_deref(), Some(r#"CREATE UNIQUE INDEX "t_key" ON "t" ("a" COLLATE BINARY)"#));
    assert_eq!(fixture.store.missing_index(&native).await.unwrap(), None);

    let mut transaction = fixture.store.begin(&view).await.unwrap();
    let changes = Changes {
        deletes: vec![key(&[text("A")]), key(&[text("c")])],
        updates: page_of(&[vec![text("b"), number(9)]], 1),
        inserts: page_of(&[vec![text("C"), number(3)]], 1),
        ..Changes::new(1)
    };
    let applied = transaction.write(Arc::new(changes)).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((applied.deleted, applied.updated, applied.inserted), (1, 0, 1));
    assert_eq!(keys(fixture.read(&view).await.unwrap()), [text("B"), text("C"), text("a")]);
}

#[tokio::test]
async fn tables_without_rowid_and_strict_ones_are_written() {
    let fixture = Fixture::new(
        "CREATE TABLE w(a TEXT, b INT, c REAL, PRIMARY KEY (b, a)) WITHOUT ROWID;
         CREATE TABLE s(id INTEGER PRIMARY KEY, b INTEGER) STRICT;",
    )
    .await;
    let view = fixture.view("w", &[Domain::Int, Domain::Text, Domain::Float]).await;
    let rows = [vec![number(1), text("b"), Value::Float(1.5)], vec![number(2), text("a"), Value::Null]];
    fixture.insert(&view, &rows).await.unwrap();
    assert_eq!(fixture.read(&view).await.unwrap(), rows);
    let view = fixture.view("s", &[Domain::Int, Domain::Text]).await;
    let error = fixture.insert(&view, &[vec![number(1), text("secret")]]).await.unwrap_err();
    assert_eq!(error.kind, Kind::BadValue);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn computed_columns_are_left_to_the_database() {
    let fixture = Fixture::new("CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, twice AS (a * 2) STORED)").await;
    let view = fixture.view("t", &[Domain::Int; 3]).await;
    fixture.insert(&view, &[vec![number(1), number(2), number(0)]]).await.unwrap();
    assert_eq!(fixture.read(&view).await.unwrap(), [[number(1), number(2), number(4)]]);
}

#[tokio::test]
async fn a_file_that_is_locked_is_busy_and_then_free_again() {
    let fixture = Fixture::new("CREATE TABLE t(id INTEGER PRIMARY KEY)").await;
    let view = fixture.view("t", &[Domain::Int]).await;
    let other = fixture.outside();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let Err(error) = fixture.store.begin(&view).await else { panic!("another program holds the lock") };
    assert_eq!(error.kind, Kind::Busy);
    other.execute_batch("ROLLBACK").unwrap();
    fixture.insert(&view, &[vec![number(1)]]).await.unwrap();
}

#[tokio::test]
async fn a_transaction_is_not_committed_after_a_failed_write() {
    let fixture = Fixture::new("CREATE TABLE t(id INTEGER PRIMARY KEY)").await;
    let view = fixture.view("t", &[Domain::Int]).await;
    let mut transaction = fixture.store.begin(&view).await.unwrap();
    let twice = page_of(&[vec![number(1)], vec![number(1)]], 1);
    let error = transaction.write(Arc::new(Changes::inserting(twice))).await.unwrap_err();
    assert_eq!(error.to_string(), "write t: UNIQUE constraint failed: t.id");
    assert!(transaction.commit().await.is_err());
    assert!(fixture.read(&view).await.unwrap().is_empty());
}

#[tokio::test]
async fn foreign_keys_are_in_force_again_after_a_cycle() {
    let fixture = Fixture::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p)",
    )
    .await;
    let view = fixture.view("c", &[Domain::Int, Domain::Int]).await;
    let cycle = Arc::new(TableView { in_cycle: true, ..TableView::clone(&view) });
    fixture.insert(&cycle, &[vec![number(1), number(7)]]).await.unwrap();
    let error = fixture.insert(&view, &[vec![number(2), number(7)]]).await.unwrap_err();
    assert_eq!(error.kind, Kind::Constraint);
    drop(fixture.store.begin(&cycle).await.unwrap());
    assert!(fixture.insert(&view, &[vec![number(2), number(7)]]).await.is_err());
}

#[tokio::test]
async fn transactions_on_two_tables_take_turns() {
    let fixture = Fixture::new("CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(id INTEGER PRIMARY KEY)").await;
    let (a, b) = (fixture.view("a", &[Domain::Int]).await, fixture.view("b", &[Domain::Int]).await);
    let first = fixture.store.begin(&a).await.unwrap();
    let rows = [vec![number(1)]];
    let insert = fixture.insert(&b, &rows);
    let mut insert = std::pin::pin!(insert);
    std::future::poll_fn(|context| {
        assert!(insert.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    first.commit().await.unwrap();
    insert.await.unwrap();
}
