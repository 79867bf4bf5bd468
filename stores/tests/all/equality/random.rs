//! Random values of every type: the server spells them as we do, and calls equal what we call equal.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rowsync_engine::canonical::write_canonical;
use rowsync_engine::domain::Domain;
use rowsync_engine::row::{Form, RowPage, fields};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Store;
use rowsync_engine::value::{Interval, Value};

use super::{File, Two, assert_spelled_alike, page};
use crate::postgres::{Database, in_domains, insert, rows_of};

const ROWS: usize = 150;
const CASES: u32 = 6;

/// Type, other domains that it may be compared in, and whether `=` of PostgreSQL means what we mean: intervals are equal
/// to it where 30 days are a month.
const TYPES: [(&str, &[Domain], bool); 17] = [
    ("boolean", &[], true),
    ("smallint", &[Domain::Decimal { scale: None }], true),
    ("bigint", &[Domain::Decimal { scale: Some(2) }], true),
    ("real", &[Domain::Float], true),
    ("double precision", &[Domain::Float32], true),
    ("numeric", &[Domain::Decimal { scale: Some(2) }, Domain::Decimal { scale: Some(0) }], true),
    ("numeric(12,4)", &[Domain::Decimal { scale: Some(3) }], true),
    ("text", &[Domain::PaddedText], true),
    ("character varying", &[], true),
    ("bytea", &[], true),
    ("uuid", &[], true),
    ("date", &[], true),
    ("time", &[], true),
    ("timestamp", &[], true),
    ("timestamptz", &[], true),
    ("interval", &[], false),
    ("jsonb", &[], true),
];

/// A value of the type, and another one: often the same in another spelling, sometimes one beside it.
fn two_of(declared: &str) -> BoxedStrategy<(Value, Value)> {
    let values = match declared {
        "boolean" => any::<bool>().prop_map(Value::Bool).boxed(),
        "smallint" => any::<i16>().prop_map(|i| Value::Int(i.into())).boxed(),
        "bigint" => prop_oneof![any::<i64>(), -2i64..3, Just(i64::MIN), Just(i64::MAX)].prop_map(Value::Int).boxed(),
        "real" => prop_oneof![proptest::num::f32::ANY, Just(-0.0), Just(f32::MAX)].prop_map(|f| Value::Float(f.into())).boxed(),
        "double precision" => {
            let edges = [0.0, -0.0, f64::MAX, 5e-324, 3.402_823_567_797_336_5e38, 3.402_823_567_797_336_6e38, 7.006_492_321_624_085e-46, 7.1e-46, 1e-40];
            prop_oneof![proptest::num::f64::ANY, prop::sample::select(edges.to_vec()), (-1e9..1e9)].prop_map(Value::Float).boxed()
        }
        "numeric" => prop_oneof![
            9 => "-?[0-9]{1,30}(\\.[0-9]{1,20})?",
            1 => "-?0?\\.?00[0-9]{1,3}".prop_filter("a number", |text| !text.ends_with('.')),
            1 => prop::sample::select(vec!["NaN".to_owned(), "Infinity".into(), "-Infinity".into(), "0".into(), "-0.00".into()]),
        ]
        .prop_map(Value::Decimal)
        .boxed(),
        "numeric(12,4)" => "-?[0-9]{1,8}(\\.[0-9]{1,4})?".prop_map(Value::Decimal).boxed(),
        "text" => prop_oneof![any::<String>(), "[ a|\\n\\\\\"é😀]{0,6}", "[ab]{0,2} {0,2}"].prop_map(|text| Value::Text(text.replace('\0', ""))).boxed(),
        "character varying" => "\\PC{0,40}".prop_map(Value::Text).boxed(),
        "bytea" => prop_oneof![9 => prop::collection::vec(any::<u8>(), 0..40), 1 => prop::collection::vec(any::<u8>(), 9_000)].prop_map(Value::Bytes).boxed(),
        "uuid" => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
        "date" => prop_oneof![-2_440_588i32..2_145_042_906, -800_000..100_000, Just(i32::MAX), Just(i32::MIN)].prop_map(Value::Date).boxed(),
        "time" => (0i64..=86_400_000_000).prop_map(Value::Time).boxed(),
        "timestamp" => moments().prop_map(Value::Timestamp).boxed(),
        "timestamptz" => moments().prop_map(Value::TimestampTz).boxed(),
        "interval" => any::<(i32, i32, i64)>().prop_map(|(months, days, micros)| Value::Interval(Interval { months, days, micros })).boxed(),
        "jsonb" => documents().prop_map(Value::Json).boxed(),
        other => unreachable!("no values of {other}"),
    };
    let pairs = (values.clone(), values, 0..4u8);
    pairs
        .prop_map(|(one, other, choice)| if choice == 0 { (one, other) } else { (one.clone(), respelled(one)) })
        .boxed()
}

fn moments() -> impl Strategy<Value = i64> {
    prop_oneof![
        -210_866_803_200_000_000i64..9_222_000_000_000_000_000,
        -2_000_000i64..2_000_000,
        Just(i64::MAX),
        Just(i64::MIN)
    ]
}

/// Documents as text, with numbers in every spelling and names that come twice.
fn documents() -> impl Strategy<Value = String> {
    let text = || {
        prop_oneof![any::<String>(), "[1.0\\\\\",: ]{0,8}", "\\.[0-9]0"]
            .prop_map(|text| serde_json::to_string(&text.replace('\0', "")).unwrap())
    };
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,2})?";
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null".to_owned(),
            "true".into(),
            "false".into(),
            "[]".into(),
            "{}".into(),
            "1.0".into()
        ]),
        number,
        text(),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        let name = prop_oneof![text(), "\"[ab]{1,2}\""];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((name, inner), 0..5).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(name, value)| format!("{name} :{value}")).collect();
                format!("{{ {} }}", members.join(" , "))
            }),
        ]
    })
}

/// The same value in other words.
fn respelled(value: Value) -> Value {
    match value {
        Value::Float(0.0) => Value::Float(-0.0),
        Value::Decimal(text) if text.contains('.') => Value::Decimal(format!("{text}00")),
        Value::Decimal(text) if text.bytes().all(|b| b.is_ascii_digit()) && text.len() < 5 => {
            Value::Decimal(format!("00{text}.0"))
        }
        Value::Json(text) => {
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            Value::Json(serde_json::to_string_pretty(&document).unwrap())
        }
        other => other,
    }
}

/// A row: two of each type, now and then NULL.
fn row() -> impl Strategy<Value = Vec<Value>> {
    let maybe = |value: BoxedStrategy<(Value, Value)>| {
        (value, 0..24u8).prop_map(|((one, other), choice)| match choice {
            0 => [Value::Null, other],
            1 => [one, Value::Null],
            2 => [Value::Null, Value::Null],
            _ => [one, other],
        })
    };
    let all: Vec<_> = TYPES.iter().map(|(declared, ..)| maybe(two_of(declared))).collect();
    all.prop_map(|pairs| pairs.into_iter().flatten().collect())
}

struct World {
    database: Database,
    other: Database,
    file: File,
}

impl World {
    async fn check(&self, rows: Vec<Vec<Value>>) {
        self.database.run("TRUNCATE t").await;
        let source: Arc<dyn Store> = self.database.store().await;
        let written: Vec<Vec<Value>> =
            rows.into_iter().enumerate().map(|(id, row)| [vec![Value::Int(id as i64)], row].concat()).collect();
        let there: Arc<dyn Store> = self.other.store().await;
        let two = Two::of(&source, &there, "t").await;
        let view = &two.pair.source;
        insert(&*source, view, &written).await.unwrap();
        let read = page(&source, view, Form::Fields).await.unwrap();
        assert_read_as_written(&read, &written, view);
        assert_spelled_alike(&source, view, "their own domains").await;
        for view in other_domains(view) {
            assert_spelled_alike(&source, &view, "other domains").await;
        }
        self.assert_same_opinion(&read, view).await;
        self.other.run("TRUNCATE t").await;
        two.copy().await.unwrap();
        two.assert_equal(&two.pair.digests, "PostgreSQL to PostgreSQL").await;
        self.file.run("DROP TABLE IF EXISTS t");
        let sqlite = Two::made(&source, &self.file.store().await, "t").await;
        sqlite.copy().await.unwrap();
        sqlite.assert_equal(&sqlite.pair.digests, "PostgreSQL to SQLite").await;
    }

    /// What PostgreSQL calls equal within a row has equal bytes, and nothing else.
    async fn assert_same_opinion(&self, page: &RowPage, view: &TableView) {
        let rows = rows_of(page);
        for (number, (declared, ..)) in TYPES.iter().enumerate().filter(|(_, (.., same))| *same) {
            let place = 1 + number * 2;
            let spelled = |value: &Value| {
                let mut out = Vec::new();
                write_canonical(&mut out, value.as_ref(), view.columns[place].domain).unwrap();
                out
            };
            let ours = rows.iter().filter(|row| spelled(&row[place]) == spelled(&row[place + 1]));
            // No row is of number -1, but a list has to hold something.
            let ids: Vec<String> = ours
                .map(|row| match row[0] {
                    Value::Int(id) => id.to_string(),
                    _ => unreachable!("the key is a number"),
                })
                .chain(["-1".into()])
                .collect();
            let (a, b) = (&view.columns[place].column.name, &view.columns[place + 1].column.name);
            let ids = ids.join(", ");
            let sql = format!("SELECT count(*) FROM t WHERE ({a} IS NOT DISTINCT FROM {b}) <> (id IN ({ids}))");
            assert_eq!(self.database.number(&sql).await, 0, "{declared}: PostgreSQL is of another opinion");
        }
    }
}

fn assert_read_as_written(read: &RowPage, written: &[Vec<Value>], view: &TableView) {
    assert_eq!(read.len(), written.len());
    for (row, expected) in read.rows().zip(written) {
        for ((field, expected), column) in fields(row).zip(expected).zip(&view.columns) {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            write_canonical(&mut one, field.unwrap(), column.domain).unwrap();
            write_canonical(&mut other, expected.as_ref(), column.domain).unwrap();
            assert_eq!(one, other, "{}: {expected:?}", column.column.declared);
        }
    }
}

/// The view with all columns in the first of their other domains, in the second, ...
fn other_domains(view: &Arc<TableView>) -> Vec<Arc<TableView>> {
    let most = TYPES.iter().map(|(_, domains, _)| domains.len()).max().unwrap_or(0);
    let nth = |nth: usize| {
        let domain_of = |index: usize| TYPES[index / 2].1.get(nth).copied();
        let names = view.columns[1..].iter().enumerate();
        let domains: Vec<(&str, Domain)> =
            names.filter_map(|(index, column)| Some((column.column.name.as_str(), domain_of(index)?))).collect();
        in_domains(view, &domains)
    };
    (0..most).map(nth).collect()
}

#[test]
fn random_values_of_every_type_are_spelled_alike_and_called_equal_alike() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let columns: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(number, (declared, ..))| format!("v{number} {declared}, w{number} {declared}"))
        .collect();
    let create = format!("CREATE TABLE t (id bigint PRIMARY KEY, {})", columns.join(", "));
    let world = runtime.block_on(async {
        World { database: Database::with(&create).await, other: Database::with(&create).await, file: File::new() }
    });
    let config = Config { cases: CASES, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(row(), ROWS), |rows| {
            runtime.block_on(world.check(rows));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
