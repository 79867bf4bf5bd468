//! Tables and rows to test with, in the vocabulary that all stores share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::domain::Domain;
use rowsync_engine::filter::Filter;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{
    Column, DataType, Filled, ForeignKey, KeyOrder, TableName, TableSchema, TableView, ViewColumn,
};
use rowsync_engine::store::{Consistency, PageRequest, Result, Snapshot, Store};
use rowsync_engine::value::{Interval, Value};

/// A store under test.
pub struct Bench {
    pub store: Arc<dyn Store>,
}

/// A table of it, empty at first.
pub struct Table {
    pub store: Arc<dyn Store>,
    pub schema: TableSchema,
    pub view: Arc<TableView>,
}

impl Bench {
    /// Makes a table whose first `key_len` columns are its key, in a view that sorts byte by byte.
    pub async fn table(&self, columns: &[(&str, DataType)], key_len: usize) -> Table {
        self.table_with(columns, key_len, &[]).await
    }

    pub async fn table_with(&self, columns: &[(&str, DataType)], key_len: usize, foreign_keys: &[ForeignKey]) -> Table {
        let like = schema(&new_name(), columns, key_len, foreign_keys);
        let schema = self.store.create_table(&like, foreign_keys).await.expect("create the table");
        self.store.add_foreign_keys(&schema.name, foreign_keys).await.expect("add the foreign keys");
        let view = Arc::new(view_of(&schema, columns, key_len));
        Table { store: Arc::clone(&self.store), schema, view }
    }

    /// A table of a number as key and a text.
    pub async fn numbered(&self) -> Table {
        self.table(&[("id", DataType::Int { bits: 64 }), ("name", DataType::Text { max_chars: None })], 1).await
    }
}

impl Table {
    pub async fn latest(&self) -> Arc<dyn Snapshot> {
        self.store.snapshot(Consistency::Latest).await.expect("a snapshot of the latest")
    }

    /// Applies changes in a transaction of their own.
    pub async fn apply(&self, changes: Changes) -> Result<Applied> {
        let mut transaction = self.store.begin(&self.view).await?;
        let applied = transaction.write(Arc::new(changes)).await?;
        transaction.commit().await?;
        Ok(applied)
    }

    pub async fn insert(&self, rows: &[Vec<Value>]) {
        self.apply(Changes::inserting(self.page_of(rows))).await.expect("insert rows");
    }

    /// A page of these rows, as a reader would make it.
    pub fn page_of(&self, rows: &[Vec<Value>]) -> RowPage {
        page_of(rows, self.view.key_len)
    }

    /// All rows of a range.
    pub async fn rows(&self, range: KeyRange) -> Vec<Vec<Value>> {
        let page = self.latest().await.page(&self.view, &asking(range)).await.expect("a page");
        assert!(page.complete, "the page holds all");
        values(&page)
    }

    pub async fn all(&self) -> Vec<Vec<Value>> {
        self.rows(KeyRange::ALL).await
    }
}

/// A question for all rows of a range at once.
pub fn asking(range: KeyRange) -> PageRequest {
    PageRequest {
        range,
        rows_max: 1_000_000,
        bytes_max: usize::MAX,
        row_bytes_hint: 64,
        form: Form::Fields,
        keys_only: false,
        modified_after: None,
        goes_on: false,
    }
}

pub fn page_of(rows: &[Vec<Value>], key_len: usize) -> RowPage {
    let mut page = RowPage::new(Form::Fields, key_len);
    for row in rows {
        for (index, value) in row.iter().enumerate() {
            if index < key_len { page.push_key(value.as_ref()) } else { page.push(value.as_ref()) }
        }
        page.end_row();
    }
    page.finish();
    page
}

/// The rows of a page as values.
pub fn values(page: &RowPage) -> Vec<Vec<Value>> {
    let row = |row| rowsync_engine::row::fields(row).map(|field| field.expect("a field").to_value()).collect();
    page.rows().map(row).collect()
}

pub fn number(i: i64) -> Value {
    Value::Int(i)
}

pub fn text(text: &str) -> Value {
    Value::Text(text.into())
}

pub fn key(values: &[Value]) -> Key {
    Key::from(values)
}

/// `(first, "name first")` to `(last, "name last")`.
pub fn numbered_rows(numbers: impl IntoIterator<Item = i64>) -> Vec<Vec<Value>> {
    numbers.into_iter().map(|i| vec![number(i), text(&format!("name {i}"))]).collect()
}

/// Every kind of column that a table of any engine may have, but those that only one engine has.
pub fn all_types() -> Vec<(&'static str, DataType)> {
    vec![
        ("id", DataType::Int { bits: 64 }),
        ("a_bool", DataType::Bool),
        ("an_int", DataType::Int { bits: 32 }),
        ("a_float", DataType::Float { bits: 64 }),
        ("a_small_float", DataType::Float { bits: 32 }),
        ("a_price", DataType::Decimal { precision: Some(10), scale: Some(2) }),
        ("a_decimal", DataType::Decimal { precision: Some(40), scale: Some(20) }),
        ("any_decimal", DataType::Decimal { precision: None, scale: None }),
        ("a_text", DataType::Text { max_chars: None }),
        ("a_short_text", DataType::Text { max_chars: Some(20) }),
        ("bytes", DataType::Bytes),
        ("a_uuid", DataType::Uuid),
        ("a_date", DataType::Date),
        ("a_time", DataType::Time),
        ("a_timestamp", DataType::Timestamp),
        ("an_instant", DataType::TimestampTz),
        ("an_interval", DataType::Interval),
        ("a_json", DataType::Json),
    ]
}

/// Rows for [`all_types`]: ordinary ones, the ends of ranges, and NULL all over.
pub fn rows_of_all_types() -> Vec<Vec<Value>> {
    let decimal = |text: &str| Value::Decimal(text.into());
    let ordinary = vec![
        number(1),
        Value::Bool(true),
        number(42),
        Value::Float(1.5),
        Value::Float(f64::from(0.1f32)),
        decimal("1.10"),
        decimal("12345678901234567890.12345678901234567890"),
        decimal("123456789012345678901234567890"),
        text("Müller's \"naïve\" | ☃"),
        text("short"),
        Value::Bytes(vec![0, 255, 10, 0]),
        Value::Uuid(*b"\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11"),
        Value::Date(19_782),
        Value::Time(47_100_250_000),
        Value::Timestamp(1_709_212_345_678_901),
        Value::TimestampTz(1_709_212_345_678_901),
        Value::Interval(Interval { months: 14, days: -3, micros: 1_500_000 }),
        Value::Json("{\"a\": [1, 2.50, null]}".into()),
    ];
    let extreme = vec![
        number(-1),
        Value::Bool(false),
        number(i64::from(i32::MIN)),
        Value::Float(-5e-324),
        Value::Float(f64::from(f32::MAX)),
        decimal("-99999999.99"),
        decimal("-0.00000000000000000001"),
        decimal("0"),
        text(""),
        text("007"),
        Value::Bytes(Vec::new()),
        Value::Uuid([0; 16]),
        Value::Date(-719_162),
        Value::Time(0),
        Value::Timestamp(-1),
        Value::TimestampTz(0),
        Value::Interval(Interval { months: 0, days: 0, micros: -1 }),
        Value::Json("12345678901234567890.10".into()),
    ];
    let mut nothing = vec![number(2)];
    nothing.resize(ordinary.len(), Value::Null);
    vec![extreme, ordinary, nothing]
}

fn schema(name: &str, columns: &[(&str, DataType)], key_len: usize, foreign_keys: &[ForeignKey]) -> TableSchema {
    let column = |(index, (name, data_type)): (usize, &(&str, DataType))| Column {
        name: (*name).into(),
        data_type: data_type.clone(),
        declared: "as elsewhere".into(),
        nullable: index >= key_len,
        filled: Filled::ByWriter,
        collation: None,
        has_default: false,
    };
    TableSchema {
        name: TableName::new(name),
        columns: columns.iter().enumerate().map(column).collect(),
        primary_key: columns[..key_len].iter().map(|(name, _)| (*name).into()).collect(),
        foreign_keys: foreign_keys.to_vec(),
        rules: TableRules::default(),
    }
}

fn view_of(schema: &TableSchema, columns: &[(&str, DataType)], key_len: usize) -> TableView {
    let column = |(name, data_type): &(&str, DataType)| ViewColumn {
        column: schema.column(name).expect("the column was made").clone(),
        domain: domain(data_type),
    };
    TableView {
        table: schema.name.clone(),
        columns: columns.iter().map(column).collect(),
        key_len,
        key_order: KeyOrder::Bytewise,
        modify_time: None,
        in_cycle: false,
        filter: Filter::ALL,
        given: Vec::new(),
        derived: None,
        computed: Vec::new(),
        exact: Vec::new(),
    }
}

/// The domain of two columns of this type.
pub fn domain(data_type: &DataType) -> Domain {
    match data_type {
        DataType::Bool => Domain::Bool,
        DataType::Int { .. } => Domain::Int,
        DataType::Float { bits: 32 } => Domain::Float32,
        DataType::Float { .. } => Domain::Float,
        DataType::Decimal { scale, .. } => Domain::Decimal { scale: *scale },
        DataType::Text { .. } | DataType::Enum { .. } | DataType::Other | DataType::Local => Domain::Text,
        DataType::PaddedText { .. } => Domain::PaddedText,
        DataType::Bytes => Domain::Bytes,
        DataType::Uuid => Domain::Uuid,
        DataType::Date => Domain::Date,
        DataType::Time => Domain::Time,
        DataType::Timestamp => Domain::Timestamp,
        DataType::TimestampTz => Domain::TimestampTz,
        DataType::Interval => Domain::Interval,
        DataType::Json => Domain::Json,
        DataType::Dynamic => Domain::Dynamic,
    }
}

/// A name that no other table of this process has.
fn new_name() -> String {
    static TABLES: AtomicU32 = AtomicU32::new(1);
    format!("conformance {}", TABLES.fetch_add(1, Ordering::Relaxed))
}
