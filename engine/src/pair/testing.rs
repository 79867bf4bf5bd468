//! Tables for the tests of this room.

use super::{Mismatch, Pair, PairOptions, Side, pair};
use crate::digest::DigestKind;
use crate::limits::TableLimits;
use crate::rules::TableRules;
use crate::schema::{Column, DataType, Filled, TableName, TableSchema};
use crate::store::{Capabilities, Engine};

pub(crate) fn capabilities(name: &'static str, typed: bool) -> Capabilities {
    Capabilities {
        engine: Engine { name, major_version: 1 },
        frozen_snapshots: true,
        typed,
        digests: vec![DigestKind::Count, DigestKind::Stream, DigestKind::Server],
        raw_pages: typed,
        bytewise_is_indexed: true,
        concurrency: 1,
        limits: TableLimits::NONE,
    }
}

pub(crate) fn column(name: &str, data_type: DataType, declared: &str) -> Column {
    Column {
        name: name.into(),
        data_type,
        declared: declared.into(),
        nullable: true,
        filled: Filled::ByWriter,
        collation: None,
        has_default: false,
    }
}

pub(crate) fn table(columns: Vec<Column>) -> TableSchema {
    TableSchema {
        name: TableName::new("t"),
        primary_key: vec!["id".into()],
        columns,
        foreign_keys: vec![],
        rules: TableRules::default(),
    }
}

pub(crate) fn int_table() -> TableSchema {
    table(vec![
        column("name", DataType::Text { max_chars: None }, "text"),
        column("id", DataType::Int { bits: 64 }, "bigint"),
    ])
}

pub(crate) fn lay(source: &TableSchema, target: &TableSchema, options: &PairOptions) -> Result<Pair, Mismatch> {
    let (a, b) = (capabilities("pg", true), capabilities("pg", true));
    pair(Side { schema: source, capabilities: &a }, Side { schema: target, capabilities: &b }, options)
}
