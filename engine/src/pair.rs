//! Two tables laid beside each other: which columns meet, in which domain, by which key and in which order.

mod columns;
mod compatibility;
mod derivation;
mod digests;
mod domains;
mod given;
mod losses;
pub mod matrix;
#[cfg(test)]
pub(crate) mod testing;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::derived::{Expression, OnLossy, Operand};
use crate::digest::DigestKind;
use crate::filter::Filter;
use crate::schema::{Column, DataType, TableSchema, TableView, ViewColumn};
use crate::store::Capabilities;
use columns::{Matched, key_columns, key_first, matched_columns, modify_time, notes, refuse_unfilled};
pub use columns::{missing_columns, refuse_one_way};
pub use compatibility::{ColumnFit, Fit, compatibility};
use derivation::{Making, derivation, exact_columns, is_made, made_columns, refuse_made, shared_ground};
use digests::shared_digests;
pub(crate) use domains::second_digits;
use given::given;
use walk::key_order;

/// What a user said about one table's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairOptions {
    /// Source names; empty: the table's own key.
    pub key: Vec<String>,
    /// A table without a key is laid beside the other one without a key, to be compared as a multiset.
    pub as_multiset: bool,
    /// Source name of the column that tells when a row was changed; used where it exists.
    pub modify_time: String,
    /// Source name to target name.
    pub field_mapping: BTreeMap<String, String>,
    /// Source names that take part; empty: all.
    pub fields: Vec<String>,
    pub exclude_fields: Vec<String>,
    /// Target names of columns that the source lacks, each with what it gets.
    pub default_values: BTreeMap<String, serde_json::Value>,
    /// Target names of columns that are made, each with what it is made of.
    pub expressions: BTreeMap<String, Expression<Operand>>,
    /// Target names of columns, each with what is done with a value that it cannot hold.
    pub on_lossy: BTreeMap<String, OnLossy>,
    /// Keys of JSON documents that only the target has stay.
    pub keep_json_keys: bool,
}

/// A pair of tables, ready to be compared.
#[derive(Clone, Debug)]
pub struct Pair {
    pub source: Arc<TableView>,
    pub target: Arc<TableView>,
    /// The cheapest digest that both sides share where the line between them is quick: the first of `digests`.
    pub digest: DigestKind,
    /// The digests of rows that both sides can make of this pair, best first.
    pub digests: Vec<DigestKind>,
    /// Whether rows can move in the engine's own bulk form.
    pub raw: bool,
    /// What a person may want to know, such as columns that are left alone.
    pub notes: Vec<String>,
    /// Columns that may be NULL until all rows are there: those of the target that refer to its own table or to one on
    /// its cycle. Filled by whoever knows all tables.
    pub circular: Vec<usize>,
    /// The target's rows of all kinds of record, where the table is one of several kinds: a row of another kind becomes one
    /// of this where the source says so. Filled by whoever knows the kinds.
    pub kin: Option<Arc<TableView>>,
}

/// Why two tables cannot be laid beside each other, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct Mismatch {
    pub message: String,
    pub remedy: String,
}

impl Pair {
    /// Whether nothing tells the rows apart, so that they are compared as a multiset, and replaced all at once.
    pub fn is_keyless(&self) -> bool {
        self.source.key_len == 0
    }
}

fn mismatch<T>(message: impl Into<String>, remedy: impl Into<String>) -> Result<T, Mismatch> {
    Err(Mismatch { message: message.into(), remedy: remedy.into() })
}

/// One side: its table and what its store can do.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub schema: &'a TableSchema,
    pub capabilities: &'a Capabilities,
}

/// Lays two tables beside each other.
///
/// # Errors
/// When there is no key, a column is missing, or two columns have no domain in common.
pub fn pair(source: Side<'_>, target: Side<'_>, options: &PairOptions) -> Result<Pair, Mismatch> {
    let columns = matched_columns(source.schema, target.schema, options)?;
    let keys = key_columns(source.schema, options)?;
    let (ordered, key_len) = key_first(&columns, &keys, source.schema)?;
    let (given, unused) = given(target.schema, &columns, options);
    refuse_unfilled(target.schema, &columns, &given)?;
    let mut domains = Vec::new();
    for (s, t) in &ordered {
        domains.push(shared_ground(source, s, target, t, options)?);
    }
    refuse_made(&ordered, key_len, source.schema, target.schema, options)?;
    let making = Making { source, target: target.schema, columns: &ordered, domains: &domains, key_len, options };
    let (made, exact) = (derivation(&making)?, exact_columns(&making));
    let same_engine = source.capabilities.engine == target.capabilities.engine;
    let same_types = same_engine && ordered.iter().all(|(s, t)| s.declared == t.declared && s.data_type == t.data_type);
    let moves_raw = same_types && ordered.iter().all(|(s, _)| s.data_type != DataType::Local);
    let key_order = key_order(&ordered[..key_len], same_engine);
    let is_plain = given.is_empty() && exact.is_empty() && made.is_none();
    let raw = moves_raw && is_plain && source.capabilities.raw_pages && target.capabilities.raw_pages;
    let mut digests = match &made {
        // Only where they arrive are they made.
        Some(_) => vec![DigestKind::Stream],
        None => shared_digests(source, target, &ordered, &domains, same_types),
    };
    // Last, since it is not one to prove by: equal values may have other bytes, and are read then.
    if raw && [source, target].iter().all(|side| side.capabilities.digests.contains(&DigestKind::Raw)) {
        digests.push(DigestKind::Raw);
    }
    let modify_time = modify_time(source, &columns, options);
    let view = |schema: &TableSchema, side: fn(&Matched) -> &Column, modify_time: Option<String>| {
        let columns = ordered.iter().zip(&domains);
        let columns = columns.map(|(m, domain)| ViewColumn { column: side(m).clone(), domain: *domain }).collect();
        Arc::new(TableView {
            table: schema.name.clone(),
            columns,
            key_len,
            key_order,
            modify_time,
            in_cycle: false,
            filter: Filter::ALL,
            given: Vec::new(),
            derived: None,
            computed: Vec::new(),
            exact: Vec::new(),
        })
    };
    let notes = notes(source.schema, target.schema, &columns, &given, &unused);
    let mut pair = Pair {
        source: view(source.schema, |m| &m.0, modify_time.as_ref().map(|m| m.0.name.clone())),
        target: view(target.schema, |m| &m.1, modify_time.as_ref().map(|m| m.1.name.clone())),
        digest: digests[0],
        digests,
        raw,
        notes,
        circular: Vec::new(),
        kin: None,
    };
    let target = Arc::make_mut(&mut pair.target);
    (target.given, target.exact) = (given, exact);
    if let Some(made) = made {
        let read = made.read_by(&pair.source, &pair.target);
        Arc::make_mut(&mut pair.source).derived = Some(Arc::new(read));
    }
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Domain;
    use crate::pair::testing::{column, int_table, lay, table};

    #[test]
    fn the_key_stands_first_and_equal_types_share_the_servers_hash() {
        let pair = lay(&int_table(), &int_table(), &PairOptions::default()).unwrap();
        assert_eq!(pair.source.columns[0].column.name, "id");
        assert_eq!((pair.digest, pair.raw), (DigestKind::Server, true));
        let mut wider = int_table();
        wider.columns[0].declared = "varchar".into();
        let pair = lay(&int_table(), &wider, &PairOptions::default()).unwrap();
        assert_eq!((pair.digest, pair.raw), (DigestKind::Stream, false));
    }

    #[test]
    fn types_that_hold_numbers_of_their_database_do_not_move_as_raw_bytes() {
        let with = |data_type| {
            table(vec![column("id", DataType::Int { bits: 64 }, "bigint"), column("v", data_type, "mood[]")])
        };
        let pair =
            |data_type: DataType| lay(&with(data_type.clone()), &with(data_type), &PairOptions::default()).unwrap();
        assert_eq!((pair(DataType::Other).raw, pair(DataType::Other).source.columns[1].domain), (true, Domain::Native));
        assert_eq!((pair(DataType::Local).raw, pair(DataType::Local).source.columns[1].domain), (false, Domain::Text));
    }
}
