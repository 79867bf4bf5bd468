//! Tables described, and made again from their description.

use rowsync_engine::error::Kind;
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{Column, DataType, Filled, ForeignKey, TableName, TableSchema};
use rowsync_engine::store::Store;
use rowsync_stores::Connection;
use rowsync_stores::postgres::Postgres;

use super::Database;

const SHOP: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
    CREATE DOMAIN positive AS int NOT NULL CHECK (VALUE > 0);
    CREATE TABLE parent (a int, b text COLLATE \"C\", PRIMARY KEY (b, a));
    CREATE TABLE \"Child\" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, pa int, pb text, m mood, p positive,
        n numeric(10,2), v varchar(30), c char(3), ts timestamp(3), tz timestamptz, ip inet, l int[],
        twice int GENERATED ALWAYS AS (pa * 2) STORED, d int DEFAULT 5, k serial, x \"char\",
        CONSTRAINT to_parent FOREIGN KEY (pb, pa) REFERENCES parent (b, a) DEFERRABLE);
    CREATE TABLE keyless (a int, b int NOT NULL, c int NOT NULL);
    CREATE UNIQUE INDEX ON keyless (a); CREATE UNIQUE INDEX ON keyless (c, b); CREATE UNIQUE INDEX ON keyless (b) WHERE b > 0;";

async fn described(store: &dyn Store, name: &str) -> TableSchema {
    store.describe(&TableName::new(name)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_table_is_described_as_it_was_declared() {
    let database = Database::with(SHOP).await;
    let store = database.store().await;
    let child = described(&*store, "Child").await;
    assert_eq!(described(&*store, "cHILD").await, child);
    assert_eq!(child.name, TableName::in_schema("public", "Child"));
    let column = |name: &str| child.column(name).unwrap();
    assert_eq!((column("id").filled, column("k").filled), (Filled::ByIdentity, Filled::ByIdentity));
    assert_eq!(column("twice").filled, Filled::ByExpression);
    assert_eq!(column("m").data_type, DataType::Enum { labels: vec!["sad".into(), "it's ok".into()] });
    assert_eq!((column("p").declared.as_str(), column("p").nullable), ("integer", false));
    assert_eq!(column("n").data_type, DataType::Decimal { precision: Some(10), scale: Some(2) });
    assert_eq!(column("v").data_type, DataType::Text { max_chars: Some(30) });
    assert_eq!(column("c").data_type, DataType::PaddedText { chars: 3 });
    assert_eq!(column("ts").declared, "timestamp(3) without time zone");
    assert_eq!((&column("l").data_type, column("l").declared.as_str()), (&DataType::Other, "integer[]"));
    assert!(column("d").has_default && column("id").has_default && !column("pa").has_default);
    assert!(column("v").collation.as_deref().is_some_and(|name| name.contains("C.UTF-8")));
    assert_eq!(child.foreign_keys.len(), 1);
    let key = &child.foreign_keys[0];
    assert_eq!((key.columns.as_slice(), key.deferrable), (["pb".to_owned(), "pa".to_owned()].as_slice(), true));
    assert_eq!(key.parent_columns, ["b", "a"]);
    let parent = described(&*store, "parent").await;
    assert_eq!(parent.primary_key, ["b", "a"]);
    assert_eq!(parent.column("b").unwrap().collation, None);
    assert_eq!(described(&*store, "keyless").await.primary_key, ["c", "b"]);
    assert_eq!(store.describe(&TableName::new("missing")).await.unwrap(), None);
    assert_eq!(store.describe(&TableName::in_schema("nowhere", "parent")).await.unwrap(), None);
}

#[tokio::test]
async fn a_table_is_made_again_from_its_description() {
    let source = Database::with(SHOP).await;
    let target = Database::with("CREATE SCHEMA shop").await;
    let connection = Connection { schema: Some("shop".into()), ..target.connection() };
    let (from, to) = (source.store().await, Postgres::connect(&connection).await.unwrap());
    for name in ["Child", "parent"] {
        let mut like = described(&*from, name).await;
        like.name.schema = None;
        let made = to.create_table(&like, &like.foreign_keys).await.unwrap();
        assert_eq!(made.name, TableName::in_schema("shop", name));
        assert_eq!(made.primary_key, like.primary_key);
        assert!(made.foreign_keys.is_empty());
        for (made, like) in made.columns.iter().zip(&like.columns) {
            assert_eq!(made.data_type, like.data_type);
            assert_eq!((&made.name, made.nullable), (&like.name, like.nullable));
            assert_eq!(made.filled == Filled::ByIdentity, like.filled == Filled::ByIdentity);
        }
        let again = to.create_table(&like, &[]).await.unwrap_err();
        assert_eq!(again.kind, Kind::SchemaMismatch, "{again}");
    }
    let mut key = described(&*from, "Child").await.foreign_keys[0].clone();
    key.parent.schema = None;
    for parent_columns in [key.parent_columns.clone(), Vec::new()] {
        let key = ForeignKey { parent_columns, ..key.clone() };
        to.add_foreign_keys(&TableName::new("Child"), &[key]).await.unwrap();
    }
    assert_eq!(described(&*to, "Child").await.foreign_keys.len(), 1);
    assert_eq!(to.tables().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_table_of_another_engine_gets_types_that_hold_its_values() {
    let database = Database::with("CREATE TYPE t_mood AS ENUM ('other')").await;
    let store = database.store().await;
    let column = |name: &str, data_type: DataType, declared: &str| Column {
        name: name.into(),
        data_type,
        declared: declared.into(),
        nullable: true,
        filled: if name == "id" { Filled::ByIdentity } else { Filled::ByWriter },
        collation: None,
        has_default: false,
    };
    let mut like = TableSchema {
        name: TableName::new("t"),
        columns: vec![
            column("id", DataType::Int { bits: 64 }, "INTEGER"),
            column("r", DataType::Float { bits: 64 }, "real"),
            column("s", DataType::Text { max_chars: Some(160) }, "NVARCHAR(160)"),
            column("odd", DataType::Other, "geometry"),
            column("any", DataType::Dynamic, ""),
            column("size", DataType::Enum { labels: vec!["s".into(), "l".into()] }, "enum('s','l')"),
        ],
        primary_key: vec!["id".into()],
        foreign_keys: Vec::new(),
        rules: TableRules::default(),
    };
    let made = store.create_table(&like, &[]).await.unwrap();
    let declared: Vec<&str> = made.columns.iter().map(|column| column.declared.as_str()).collect();
    assert_eq!(declared, ["bigint", "double precision", "text", "text", "text", "t_size"]);
    assert!(!made.columns[0].nullable);
    like.columns = vec![column("id", DataType::Enum { labels: vec!["a".into()] }, "t_mood")];
    like.name.name = "u".into();
    let made = store.create_table(&like, &[]).await.unwrap();
    assert_eq!(
        (made.columns[0].declared.as_str(), &made.columns[0].data_type),
        ("text", &DataType::Text { max_chars: None })
    );
    let notes = store.creation(&like, &[]).await.unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("t_mood") && note.contains("id")), "{notes:?}");
}

#[tokio::test]
async fn foreign_keys_of_partitions_count_once() {
    let database = Database::with(
        "CREATE TABLE parent (id int PRIMARY KEY);
         CREATE TABLE pay (id int, parent int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE pay1 PARTITION OF pay FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
         CREATE TABLE pay2 PARTITION OF pay FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
         ALTER TABLE pay1 ADD FOREIGN KEY (parent) REFERENCES parent; ALTER TABLE pay2 ADD FOREIGN KEY (parent) REFERENCES parent",
    )
    .await;
    let store = database.store().await;
    let keys = described(&*store, "pay").await.foreign_keys;
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].columns[0].as_str(), keys[0].parent.name.as_str()), ("parent", "parent"));
}
