//! The types of both engines, what their columns hold at the ends, and what becomes of it in a column of another type.
//!
//! The verdicts are those of [`super::compatibility`], which `check` tells; the tests carry every sample over every pair, and
//! `docs/types.md` is written from here.

use std::fmt::Write as _;

use super::compatibility::{ColumnFit, Fit, compatibility};
use super::{PairOptions, Side};
use crate::digest::DigestKind;
use crate::limits::TableLimits;
use crate::schema::{Column, DataType, Filled, TableName, TableSchema};
use crate::store::{Capabilities, Engine};

/// A database with declared types, or one without, as far as verdicts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    PostgreSql,
    Sqlite,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::PostgreSql, Kind::Sqlite];

    fn capabilities(self) -> Capabilities {
        let name = match self {
            Kind::PostgreSql => "postgresql",
            Kind::Sqlite => "sqlite",
        };
        Capabilities {
            engine: Engine { name, major_version: 0 },
            frozen_snapshots: true,
            typed: self == Kind::PostgreSql,
            digests: vec![DigestKind::Stream],
            raw_pages: true,
            bytewise_is_indexed: true,
            concurrency: 1,
            limits: TableLimits::NONE,
        }
    }

    pub fn types(self) -> Vec<SampledType> {
        match self {
            Kind::PostgreSql => postgresql(),
            Kind::Sqlite => sqlite(),
        }
    }
}

/// A type as its engine spells it, and values of it: the extremes, and what other types have no room for.
#[derive(Clone, Debug)]
pub struct SampledType {
    pub kind: Kind,
    pub declared: &'static str,
    pub data_type: DataType,
    /// Literals of the engine's SQL.
    pub samples: &'static [&'static str],
}

impl SampledType {
    /// What becomes of its values in a column of that type.
    pub fn fit_in(&self, target: &SampledType) -> ColumnFit {
        let (source, target) = ((self, self.kind.capabilities()), (target, target.kind.capabilities()));
        let tables = [source.0.table(), target.0.table()];
        let side = |schema, capabilities| Side { schema, capabilities };
        let fits = compatibility(side(&tables[0], &source.1), side(&tables[1], &target.1), &PairOptions::default());
        fits.into_iter().next().expect("the report tells of every column")
    }

    fn table(&self) -> TableSchema {
        let column = Column {
            name: "v".into(),
            data_type: self.data_type.clone(),
            declared: self.declared.into(),
            nullable: true,
            filled: Filled::ByWriter,
            collation: None,
            has_default: false,
        };
        TableSchema {
            name: TableName::new("t"),
            columns: vec![column],
            primary_key: Vec::new(),
            foreign_keys: Vec::new(),
            rules: Default::default(),
        }
    }
}

fn postgresql() -> Vec<SampledType> {
    use DataType as T;
    let of = |declared, data_type, samples| SampledType { kind: Kind::PostgreSql, declared, data_type, samples };
    let decimal = |precision, scale| T::Decimal { precision, scale };
    vec![
        of("boolean", T::Bool, &["true", "false"]),
        of("smallint", T::Int { bits: 16 }, &["0", "1", "-32768", "32767"]),
        of("integer", T::Int { bits: 32 }, &["0", "1", "-2147483648", "2147483647"]),
        of("bigint", T::Int { bits: 64 }, &["0", "1", "-9223372036854775808", "9223372036854775807"]),
        of("numeric", decimal(None, None), &["0", "1", "-12.50", "1e20", "0.123456789012345678901", "'NaN'"]),
        of("numeric(9,2)", decimal(Some(9), Some(2)), &["0", "1", "-9999999.99", "1234567.89"]),
        of("real", T::Float { bits: 32 }, &["0", "1", "0.1", "-3.4028235e38", "'NaN'", "'Infinity'"]),
        of(
            "double precision",
            T::Float { bits: 64 },
            &["0", "1", "0.1", "-1.7976931348623157e308", "'NaN'", "'-Infinity'"],
        ),
        of(
            "text",
            T::Text { max_chars: None },
            &["''", "'1'", "'abcdefgh  '", "'abcd  '", "'2024-02-29'", "'Grüße 😀'", "'{\"a\": 1}'"],
        ),
        of("character varying(5)", T::Text { max_chars: Some(5) }, &["''", "'1'", "'äöüßé'", "'a '"]),
        of("character(5)", T::PaddedText { chars: 5 }, &["''", "'1'", "'äöüßé'"]),
        of("bytea", T::Bytes, &["''", "'\\x00ff'", "'\\x000102030405060708090a0b0c0d0e0f'"]),
        of("uuid", T::Uuid, &["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"]),
        of("date", T::Date, &["'2024-02-29'", "'4713-01-01 BC'", "'5874897-12-31'", "'infinity'"]),
        of("time without time zone", T::Time, &["'00:00'", "'24:00'", "'23:59:59.999999'"]),
        of(
            "timestamp without time zone",
            T::Timestamp,
            &["'2024-02-29 00:00'", "'2024-02-29 12:34:56.123456'", "'4713-01-01 00:00 BC'", "'-infinity'"],
        ),
        of("timestamp(3) without time zone", T::Timestamp, &["'2024-02-29 00:00'", "'9999-12-31 23:59:59.999'"]),
        of(
            "timestamp with time zone",
            T::TimestampTz,
            &["'2024-02-29 00:00+00'", "'2024-02-29 12:34:56.123456-08'", "'4713-01-01 00:00+00 BC'", "'infinity'"],
        ),
        of("interval", T::Interval, &["'0'", "'1 mon -1 day 00:00:00.000001'", "'-178000000 years'"]),
        of("json", T::Json, &["'null'", "'{\"b\": 1.50, \"a\": []}'", "'[1, 1]'", "'\"\\u0000\"'"]),
        of("jsonb", T::Json, &["'null'", "'{\"b\": 1.50, \"a\": []}'", "'12345678901234567890'"]),
        of("inet", T::Other, &["'10.0.0.1'", "'2001:db8::/32'"]),
        of("integer[]", T::Other, &["'{}'", "'{1,NULL,-2147483648}'"]),
    ]
}

fn sqlite() -> Vec<SampledType> {
    use DataType as T;
    let of = |declared, data_type, samples| SampledType { kind: Kind::Sqlite, declared, data_type, samples };
    let decimal = |precision, scale| T::Decimal { precision, scale };
    vec![
        of("INTEGER", T::Int { bits: 64 }, &["0", "1", "-9223372036854775808", "9223372036854775807", "2.5", "'text'"]),
        of("REAL", T::Float { bits: 64 }, &["0", "1", "0.1", "-1.7976931348623157e308", "9e999", "'text'"]),
        of("NUMERIC(9,2)", decimal(Some(9), Some(2)), &["0", "1", "-9999999.99", "'text'"]),
        of("DECIMAL BLOB", decimal(None, None), &["0", "1.5", "'0.123456789012345678901'", "'NaN'"]),
        of(
            "TEXT",
            T::Text { max_chars: None },
            &["''", "'1'", "'007'", "'abcdefgh  '", "'abcd  '", "'2024-02-29'", "'{\"a\": 1}'"],
        ),
        of("VARCHAR(5)", T::Text { max_chars: Some(5) }, &["''", "'1'", "'äöüßé'", "'longer'"]),
        of("BLOB", T::Bytes, &["x''", "x'00ff'", "x'000102030405060708090a0b0c0d0e0f'", "'text'"]),
        of("BOOLEAN", T::Bool, &["0", "1", "2", "'true'"]),
        of(
            "UUID TEXT",
            T::Uuid,
            &["'00000000-0000-0000-0000-000000000000'", "'{FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF}'", "'text'"],
        ),
        of("DATE", T::Date, &["'2024-02-29'", "'4713-01-01 BC'", "'2023-02-29'", "'infinity'"]),
        of("TIME", T::Time, &["'00:00:00'", "'23:59:59.999999'", "'25:00:00'"]),
        of(
            "TIMESTAMP",
            T::Timestamp,
            &["'2024-02-29 00:00:00'", "'2024-02-29 12:34:56.123456'", "'300000-01-01 00:00:00'"],
        ),
        of(
            "TIMESTAMPTZ",
            T::TimestampTz,
            &["'2024-02-29 00:00:00+00:00'", "'2024-02-29 12:34:56.123456-08:00'", "'text'"],
        ),
        of("INTERVAL", T::Interval, &["'PT0S'", "'P1M-1DT0.000001S'", "'text'"]),
        of("JSON BLOB", T::Json, &["'null'", "'{\"b\": 1.50, \"a\": []}'", "'{'", "1.5"]),
        of("", T::Dynamic, &["1", "1.5", "'1'", "x'00'", "'text'"]),
    ]
}

impl Fit {
    /// Its sign in the manual; a blank where no row goes over.
    fn sign(self) -> &'static str {
        match self {
            Fit::Exact => "=",
            Fit::Rounded => "~",
            Fit::MayFail => "!",
            _ => "",
        }
    }
}

const HEAD: &str = "# From type to type

What becomes of the values of a column (rows) in a column of another type (columns), from one database to the other. This
page is written from the table that the tests go by: they carry the extremes of every type over every pair of columns, and
back where the way is exact. `rowsync check` tells the same of the columns of a sync, with the values that are meant.

| sign | |
| --- | --- |
| `=` | every value of the declared type goes over as it is |
| `~` | every value goes over; some are compared and kept rounded |
| `!` | some values are refused, and their rows put aside by key, column and reason; none is changed in silence |
| | the columns cannot be compared, and the table is refused |

`inet` and `integer[]` stand for all types that have no like in SQLite: ranges, composites and arrays go there as texts.

A column of SQLite may hold what its type does not say; such values are refused wherever the other column has a type.
";

/// The page of the manual.
pub fn types_md() -> String {
    let mut page = String::from(HEAD);
    for source in Kind::ALL {
        for target in Kind::ALL {
            let _ = write!(page, "\n## {} to {}\n\n", source.told(), target.told());
            push_table(&mut page, &source.types(), &target.types());
        }
    }
    page
}

fn push_table(page: &mut String, sources: &[SampledType], targets: &[SampledType]) {
    let heads: String = targets.iter().map(|target| format!(" {} |", target.told())).collect();
    let _ = writeln!(page, "| |{heads}\n| --- |{}", " --- |".repeat(targets.len()));
    for source in sources {
        let signs: String = targets.iter().map(|target| format!(" {} |", source.fit_in(target).fit.sign())).collect();
        let _ = writeln!(page, "| {} |{signs}", source.told());
    }
}

impl Kind {
    fn told(self) -> &'static str {
        match self {
            Kind::PostgreSql => "PostgreSQL",
            Kind::Sqlite => "SQLite",
        }
    }
}

impl SampledType {
    fn told(&self) -> &'static str {
        if self.declared.is_empty() { "(no type)" } else { self.declared }
    }
}
