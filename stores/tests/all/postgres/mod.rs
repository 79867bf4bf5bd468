//! The PostgreSQL adapter against a real server, which `tests/with-postgres.sh` starts.

mod connect;
mod digests;
mod foreseen;
mod pages;
mod schema;
mod split;
mod values;
mod walks;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rowsync_engine::change::Changes;
use rowsync_engine::domain::Domain;
use rowsync_engine::error::StoreError;
use rowsync_engine::filter::Filter;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage, fields};
use rowsync_engine::schema::{DataType, Filled, KeyOrder, TableName, TableView, ViewColumn};
use rowsync_engine::store::{Consistency, PageRequest, Snapshot, Store};
use rowsync_engine::value::Value;
use rowsync_stores::postgres::Postgres;
use rowsync_stores::{Access, Connection};
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection};

/// The server that all tests share.
pub fn server() -> String {
    std::env::var("ROWSYNC_TEST_POSTGRES")
        .unwrap_or_else(|_| panic!("no PostgreSQL to test with: run `make test`, or tests/with-postgres.sh cargo test"))
}

pub async fn run(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
    connection.close().await.unwrap();
}

/// A database of one test, dropped when the test ends.
pub struct Database {
    pub url: String,
    name: String,
}

impl Database {
    pub async fn with(sql: &str) -> Database {
        Database::of("", sql).await
    }

    /// `options`: of CREATE DATABASE.
    pub async fn of(options: &str, sql: &str) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::connect(&server()).await.unwrap();
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name} {options}"))).await.unwrap();
        let (base, _) = server().rsplit_once('/').map(|(base, rest)| (base.to_owned(), rest.to_owned())).unwrap();
        let database = Database { url: format!("{base}/{name}"), name };
        database.run(sql).await;
        database
    }

    pub async fn run(&self, sql: &str) {
        run(&self.url, sql).await;
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.number_or_error(sql.to_owned()).await.unwrap()
    }

    pub async fn number_or_error(&self, sql: String) -> Result<i64, sqlx::Error> {
        let mut connection = PgConnection::connect(&self.url).await?;
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await
    }

    pub fn connection(&self) -> Connection {
        Connection {
            url: self.url.clone(),
            schema: None,
            timeout: Duration::from_secs(20),
            connections_max: 4,
            access: Access::Write,
        }
    }

    pub async fn store(&self) -> Arc<Postgres> {
        Postgres::connect(&self.connection()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime of its own, since that of the test may be blocked by this very drop.
        let _ = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                if let Ok(mut admin) = PgConnection::connect(&server()).await {
                    let _ = admin.execute(AssertSqlSafe(drop)).await;
                }
            });
        })
        .join();
    }
}

/// The domain that two equal columns are compared in.
pub fn own_domain(data_type: &DataType) -> Domain {
    match data_type {
        DataType::Bool => Domain::Bool,
        DataType::Int { .. } => Domain::Int,
        DataType::Float { bits: 32 } => Domain::Float32,
        DataType::Float { .. } => Domain::Float,
        DataType::Decimal { .. } => Domain::Decimal { scale: None },
        DataType::Text { .. } | DataType::Enum { .. } | DataType::Local => Domain::Text,
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
        DataType::Other => Domain::Native,
    }
}

/// The view of a table by its primary key, each column in its own domain.
pub async fn view(store: &dyn Store, table: &str) -> Arc<TableView> {
    let schema = store.describe(&TableName::new(table)).await.unwrap().expect("the test made this table");
    let key = schema.primary_key.iter().map(|name| schema.column(name).unwrap());
    let others = schema.columns.iter().filter(|column| !schema.primary_key.contains(&column.name));
    let columns = key.chain(others).filter(|column| column.filled != Filled::ByExpression);
    Arc::new(TableView {
        table: schema.name.clone(),
        columns: columns
            .map(|column| ViewColumn { domain: own_domain(&column.data_type), column: column.clone() })
            .collect(),
        key_len: schema.primary_key.len(),
        key_order: KeyOrder::Native,
        modify_time: None,
        in_cycle: false,
        filter: Filter::ALL,
        given: Vec::new(),
        derived: None,
        computed: Vec::new(),
        exact: Vec::new(),
    })
}

/// The view with its columns in other domains.
pub fn in_domains(view: &Arc<TableView>, domains: &[(&str, Domain)]) -> Arc<TableView> {
    let mut view = TableView::clone(view);
    for (name, domain) in domains {
        view.columns.iter_mut().find(|column| column.column.name == *name).unwrap().domain = *domain;
    }
    Arc::new(view)
}

pub fn bytewise(view: &Arc<TableView>) -> Arc<TableView> {
    Arc::new(TableView { key_order: KeyOrder::Bytewise, ..TableView::clone(view) })
}

pub fn request(range: KeyRange, rows_max: usize) -> PageRequest {
    PageRequest {
        range,
        rows_max,
        bytes_max: 1 << 24,
        row_bytes_hint: 1,
        form: Form::Fields,
        keys_only: false,
        modified_after: None,
        goes_on: false,
    }
}

pub async fn latest(store: &dyn Store) -> Arc<dyn Snapshot> {
    store.snapshot(Consistency::Latest).await.unwrap()
}

/// All rows, in pages of so many.
pub async fn all_pages(store: &dyn Store, view: &Arc<TableView>, rows_max: usize, form: Form) -> Vec<RowPage> {
    let all = PageRequest { form, ..request(KeyRange::ALL, rows_max) };
    pages_from(&*latest(store).await, view, all).await
}

/// The page that is asked for, and those behind it.
pub async fn pages_from(snapshot: &dyn Snapshot, view: &Arc<TableView>, mut request: PageRequest) -> Vec<RowPage> {
    let mut pages = Vec::new();
    loop {
        let page = snapshot.page(view, &request).await.unwrap();
        assert!(page.complete || !page.is_empty(), "an incomplete page has a row");
        let complete = page.complete;
        request.range.after = page.last_key.clone();
        pages.push(page);
        if complete {
            return pages;
        }
    }
}

/// All rows as values.
pub async fn all_rows(store: &dyn Store, view: &Arc<TableView>) -> Vec<Vec<Value>> {
    all_pages(store, view, 1_000, Form::Fields).await.iter().flat_map(rows_of).collect()
}

pub fn rows_of(page: &RowPage) -> Vec<Vec<Value>> {
    page.rows().map(|row| fields(row).map(|field| field.unwrap().to_value()).collect()).collect()
}

pub fn key(values: &[Value]) -> Key {
    Key::from(values)
}

pub fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A page of these rows.
pub fn page_of(key_len: usize, rows: &[Vec<Value>]) -> RowPage {
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

pub async fn write(
    store: &dyn Store,
    view: &Arc<TableView>,
    changes: Changes,
) -> Result<rowsync_engine::change::Applied, StoreError> {
    let mut transaction = store.begin(view).await?;
    let applied = transaction.write(Arc::new(changes)).await?;
    transaction.commit().await?;
    Ok(applied)
}

pub async fn insert(store: &dyn Store, view: &Arc<TableView>, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    write(store, view, Changes::inserting(page_of(view.key_len, rows))).await.map(drop)
}
