//! Two tables laid beside each other: which columns meet, in which domain, by which key and in which order.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::digest::DigestKind;
use crate::domain::{Domain, Moment};
use crate::schema::{Column, DataType, Filled, KeyOrder, TableSchema, TableView, ViewColumn, find_name};
use crate::store::Capabilities;

/// Digits of a microsecond, the finest that is compared.
const MICROSECOND_DIGITS: u32 = 6;

/// What a user said about one table's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairOptions {
    /// Source names; empty: the table's own key.
    pub key: Vec<String>,
    /// Source name of the column that tells when a row was changed; used where it exists.
    pub modify_time: String,
    /// Source name to target name.
    pub field_mapping: BTreeMap<String, String>,
    /// Source names that take part; empty: all.
    pub fields: Vec<String>,
    pub exclude_fields: Vec<String>,
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
}

/// Why two tables cannot be laid beside each other, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct Mismatch {
    pub message: String,
    pub remedy: String,
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
    refuse_unfilled(target.schema, &columns)?;
    let mut domains = Vec::new();
    for (s, t) in &ordered {
        domains.push(common_domain(source, s, target, t)?);
    }
    let same_engine = source.capabilities.engine == target.capabilities.engine;
    let same_types = same_engine && ordered.iter().all(|(s, t)| s.declared == t.declared && s.data_type == t.data_type);
    let moves_raw = same_types && ordered.iter().all(|(s, _)| s.data_type != DataType::Local);
    let key_order = key_order(&ordered[..key_len], same_engine);
    let raw = moves_raw && source.capabilities.raw_pages && target.capabilities.raw_pages;
    let mut digests = shared_digests(source, target, &ordered, &domains, same_types);
    // Last, since it is not one to prove by: equal values may have other bytes, and are read then.
    if raw && [source, target].iter().all(|side| side.capabilities.digests.contains(&DigestKind::Raw)) {
        digests.push(DigestKind::Raw);
    }
    let modify_time = modify_time(source, &columns, options);
    let view = |schema: &TableSchema, side: fn(&Matched) -> &Column, modify_time: Option<String>| {
        let columns = ordered.iter().zip(&domains);
        let columns = columns.map(|(m, domain)| ViewColumn { column: side(m).clone(), domain: *domain }).collect();
        Arc::new(TableView { table: schema.name.clone(), columns, key_len, key_order, modify_time, in_cycle: false })
    };
    Ok(Pair {
        source: view(source.schema, |m| &m.0, modify_time.as_ref().map(|m| m.0.name.clone())),
        target: view(target.schema, |m| &m.1, modify_time.as_ref().map(|m| m.1.name.clone())),
        digest: digests[0],
        digests,
        raw,
        notes: notes(source.schema, target.schema, &columns),
        circular: Vec::new(),
    })
}

type Matched = (Column, Column);

fn matched_columns(
    source: &TableSchema,
    target: &TableSchema,
    options: &PairOptions,
) -> Result<Vec<Matched>, Mismatch> {
    let named =
        options.fields.iter().chain(&options.exclude_fields).chain(options.field_mapping.keys()).chain(&options.key);
    for name in named {
        if source.column(name).is_none() {
            return mismatch(
                format!("table {} has no column {name}", source.name),
                format!("its columns are {}", names(&source.columns)),
            );
        }
    }
    let mut matched = Vec::new();
    for column in source.columns.iter().filter(|column| takes_part(column, source, options)) {
        let mapped = options.field_mapping.iter().find(|(from, _)| same_column(source, from, column));
        let wanted = mapped.map_or(column.name.as_str(), |(_, to)| to);
        let Some(found) = target.column(wanted) else {
            return mismatch(
                format!("target table {} has no column {wanted} for source column {}", target.name, column.name),
                "add the column, or name another in `field_mapping`, or leave it out with `exclude_fields`",
            );
        };
        if found.filled != Filled::ByExpression {
            matched.push((column.clone(), found.clone()));
        }
    }
    Ok(matched)
}

fn takes_part(column: &Column, source: &TableSchema, options: &PairOptions) -> bool {
    let listed = |names: &[String]| names.iter().any(|name| same_column(source, name, column));
    column.filled != Filled::ByExpression
        && (options.fields.is_empty() || listed(&options.fields) || listed(&options.key))
        && !listed(&options.exclude_fields)
}

fn same_column(schema: &TableSchema, name: &str, column: &Column) -> bool {
    schema.column(name).is_some_and(|found| found.name == column.name)
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn key_columns(source: &TableSchema, options: &PairOptions) -> Result<Vec<String>, Mismatch> {
    let key = if options.key.is_empty() { &source.primary_key } else { &options.key };
    if key.is_empty() {
        return mismatch(
            format!("table {} has no primary key", source.name),
            "name the columns that identify a row in `primary_key_field`",
        );
    }
    Ok(key.clone())
}

fn key_first(columns: &[Matched], keys: &[String], source: &TableSchema) -> Result<(Vec<Matched>, usize), Mismatch> {
    let mut ordered: Vec<Matched> = Vec::new();
    for key in keys {
        match columns.iter().find(|(s, _)| same_column(source, key, s)) {
            Some(column) => ordered.push(column.clone()),
            None => {
                return mismatch(
                    format!("key column {key} of table {} does not take part", source.name),
                    "do not exclude the key, and have the target hold it",
                );
            }
        }
    }
    let rest = columns.iter().filter(|(s, _)| !ordered.iter().any(|(key, _)| key.name == s.name));
    let rest: Vec<Matched> = rest.cloned().collect();
    let key_len = ordered.len();
    ordered.extend(rest);
    Ok((ordered, key_len))
}

/// Whether rows can go back to the source as well.
///
/// # Errors
/// When the source has a column that nobody would fill.
pub fn refuse_one_way(pair: &Pair, source: &TableSchema) -> Result<(), Mismatch> {
    let taken = |column: &Column| pair.source.columns.iter().any(|taken| taken.column.name == column.name);
    match unfilled(source, taken) {
        Some(column) => mismatch(
            format!(
                "source column {}.{} must not be null, has no default, and the target has nothing for it",
                source.name, column.name
            ),
            "give the column a default in the source, or let it take part",
        ),
        None => Ok(()),
    }
}

/// A column that no writer of the others fills.
fn unfilled(table: &TableSchema, taken: impl Fn(&Column) -> bool) -> Option<&Column> {
    let filled = |c: &Column| c.nullable || c.has_default || c.filled != Filled::ByWriter;
    table.columns.iter().find(|column| !taken(column) && !filled(column))
}

/// Columns of the target that nobody fills would make every insert fail.
fn refuse_unfilled(target: &TableSchema, columns: &[Matched]) -> Result<(), Mismatch> {
    let taken = |column: &Column| columns.iter().any(|(_, t)| t.name == column.name);
    match unfilled(target, taken) {
        Some(column) => mismatch(
            format!(
                "target column {}.{} must not be null, has no default, and the source has nothing for it",
                target.name, column.name
            ),
            "give the column a default in the target, or map a source column to it",
        ),
        None => Ok(()),
    }
}

fn notes(source: &TableSchema, target: &TableSchema, columns: &[Matched]) -> Vec<String> {
    let left = target.columns.iter().filter(|t| !columns.iter().any(|(_, taken)| taken.name == t.name));
    let left: Vec<&str> = left.map(|column| column.name.as_str()).collect();
    let skipped = source.columns.iter().filter(|s| !columns.iter().any(|(taken, _)| taken.name == s.name));
    let skipped: Vec<&str> = skipped.map(|column| column.name.as_str()).collect();
    let mut notes = Vec::new();
    if !left.is_empty() {
        notes.push(format!("target columns left alone: {}", left.join(", ")));
    }
    if !skipped.is_empty() {
        notes.push(format!("source columns left out: {}", skipped.join(", ")));
    }
    notes
}

fn modify_time<'a>(source: Side<'_>, columns: &'a [Matched], options: &PairOptions) -> Option<&'a Matched> {
    let column = source.schema.column(&options.modify_time)?;
    find_name(columns, &column.name, |matched| &matched.0.name)
}

/// Kinds of digests that tell rows, not only their number. Hashing on arrival can always be done.
fn shared_digests(
    source: Side<'_>,
    target: Side<'_>,
    columns: &[Matched],
    domains: &[Domain],
    same_types: bool,
) -> Vec<DigestKind> {
    let both = |kind| source.capabilities.digests.contains(&kind) && target.capabilities.digests.contains(&kind);
    let spelled = |((s, t), domain): (&Matched, &Domain)| {
        let by = |side: Side<'_>, column: &Column| !side.capabilities.typed || spells(&column.data_type, *domain);
        by(source, s) && by(target, t)
    };
    let mut digests = Vec::new();
    if same_types && both(DigestKind::Server) {
        digests.push(DigestKind::Server);
    }
    digests.push(DigestKind::Stream);
    if both(DigestKind::Portable) && columns.iter().zip(domains).all(spelled) {
        digests.push(DigestKind::Portable);
    }
    digests
}

/// Whether a server can spell what a column of this type holds in the canonical form of the domain, without a conversion
/// that may fail.
fn spells(data_type: &DataType, domain: Domain) -> bool {
    use DataType as T;
    match domain {
        Domain::Bool => *data_type == T::Bool,
        Domain::Int => matches!(data_type, T::Int { .. }),
        Domain::Decimal { .. } => matches!(data_type, T::Decimal { .. } | T::Int { .. }),
        Domain::Float | Domain::Float32 => matches!(data_type, T::Float { .. }),
        Domain::Text => matches!(data_type, T::Text { .. } | T::Enum { .. } | T::Other | T::Local),
        Domain::PaddedText => matches!(data_type, T::Text { .. } | T::PaddedText { .. }),
        Domain::Native => *data_type == T::Other,
        Domain::Coarse { moment, .. } => own_domain(data_type) == moment.domain(),
        // What is declared by the same word as the domain, and nothing else.
        _ => own_domain(data_type) == domain,
    }
}

fn key_order(keys: &[Matched], same_engine: bool) -> KeyOrder {
    let alike = |(s, t): &Matched| match (&s.collation, &t.collation) {
        _ if has_own_order(&s.data_type) || has_own_order(&t.data_type) => {
            same_engine && s.declared == t.declared && s.data_type == t.data_type
        }
        (None, None) => true,
        (a, b) => same_engine && a == b,
    };
    if keys.iter().all(alike) { KeyOrder::Native } else { KeyOrder::Bytewise }
}

/// Whether values are sorted neither as numbers nor as texts: labels by their place, opaque types as they please.
fn has_own_order(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Enum { .. } | DataType::Other | DataType::Local)
}

/// The ground on which the values of two columns meet.
fn common_domain(source: Side<'_>, s: &Column, target: Side<'_>, t: &Column) -> Result<Domain, Mismatch> {
    let same_engine = source.capabilities.engine.name == target.capabilities.engine.name;
    match (source.capabilities.typed, target.capabilities.typed) {
        (false, false) => Ok(Domain::Dynamic),
        (true, false) => Ok(bound_domain(s)),
        (false, true) => Ok(bound_domain(t)),
        (true, true) if s.data_type == DataType::Other && s.declared == t.declared && same_engine => Ok(Domain::Native),
        (true, true) => {
            let shared = shared_domain(&s.data_type, &t.data_type);
            shared.map_or_else(|| incomparable(source, s, target, t), |domain| Ok(coarser_moment(domain, s, t)))
        }
    }
}

fn incomparable(source: Side<'_>, s: &Column, target: Side<'_>, t: &Column) -> Result<Domain, Mismatch> {
    mismatch(
        format!(
            "source column {}.{} ({}) and target column {}.{} ({}) cannot be compared",
            source.schema.name, s.name, s.declared, target.schema.name, t.name, t.declared
        ),
        "change the type of one, or leave the column out with `exclude_fields`",
    )
}

/// The domain of a column whose partner takes any value.
fn bound_domain(column: &Column) -> Domain {
    let domain = own_domain(&column.data_type);
    moment(domain).map_or(domain, |moment| with_digits(moment, second_digits(column)))
}

/// Two columns of moments meet with the digits of the one that keeps fewer; where both keep the same, none is rounded.
fn coarser_moment(domain: Domain, s: &Column, t: &Column) -> Domain {
    match (moment(domain), second_digits(s), second_digits(t)) {
        (Some(moment), a, b) if a != b => with_digits(moment, a.min(b)),
        _ => domain,
    }
}

fn moment(domain: Domain) -> Option<Moment> {
    match domain {
        Domain::Time => Some(Moment::Time),
        Domain::Timestamp => Some(Moment::Timestamp),
        Domain::TimestampTz => Some(Moment::TimestampTz),
        _ => None,
    }
}

fn with_digits(moment: Moment, digits: u32) -> Domain {
    if digits < MICROSECOND_DIGITS { Domain::Coarse { moment, digits } } else { moment.domain() }
}

/// Digits behind the second that a column keeps, as its declaration says: `timestamp(3) without time zone`.
fn second_digits(column: &Column) -> u32 {
    if moment(own_domain(&column.data_type)).is_none() {
        return MICROSECOND_DIGITS;
    }
    let in_brackets = column.declared.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    in_brackets.and_then(|(digits, _)| digits.trim().parse().ok()).unwrap_or(MICROSECOND_DIGITS)
}

/// The domain of all values of a type.
fn own_domain(data_type: &DataType) -> Domain {
    match data_type {
        DataType::Bool => Domain::Bool,
        DataType::Int { .. } => Domain::Int,
        DataType::Float { bits: 32 } => Domain::Float32,
        DataType::Float { .. } => Domain::Float,
        DataType::Decimal { scale, .. } => Domain::Decimal { scale: *scale },
        DataType::PaddedText { .. } => Domain::PaddedText,
        DataType::Bytes => Domain::Bytes,
        DataType::Uuid => Domain::Uuid,
        DataType::Date => Domain::Date,
        DataType::Time => Domain::Time,
        DataType::Timestamp => Domain::Timestamp,
        DataType::TimestampTz => Domain::TimestampTz,
        DataType::Interval => Domain::Interval,
        DataType::Json => Domain::Json,
        DataType::Text { .. } | DataType::Enum { .. } | DataType::Dynamic | DataType::Other | DataType::Local => {
            Domain::Text
        }
    }
}

/// The domain of two typed columns, where they have one.
fn shared_domain(s: &DataType, t: &DataType) -> Option<Domain> {
    use DataType as T;
    Some(match (s, t) {
        (T::Decimal { scale: a, .. }, T::Decimal { scale: b, .. }) => Domain::Decimal { scale: coarser(*a, *b) },
        (T::Decimal { .. }, T::Int { .. }) | (T::Int { .. }, T::Decimal { .. }) => Domain::Decimal { scale: None },
        (T::Float { bits: 32 }, T::Float { .. }) | (T::Float { .. }, T::Float { bits: 32 }) => Domain::Float32,
        (T::Float { .. }, T::Int { .. } | T::Decimal { .. }) | (T::Int { .. } | T::Decimal { .. }, T::Float { .. }) => {
            Domain::Float
        }
        (T::PaddedText { .. }, T::PaddedText { .. } | T::Text { .. }) | (T::Text { .. }, T::PaddedText { .. }) => {
            Domain::PaddedText
        }
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => Domain::Timestamp,
        (T::Bool, T::Int { .. }) | (T::Int { .. }, T::Bool) => Domain::Bool,
        (T::Uuid, T::Bytes | T::PaddedText { .. }) | (T::Bytes | T::PaddedText { .. }, T::Uuid) => Domain::Uuid,
        // As with SQLite: what the text says has to fit the other column's type.
        (typed, T::Text { .. }) | (T::Text { .. }, typed) if is_spelled_alike_everywhere(typed) => own_domain(typed),
        (T::Json, T::Text { .. }) | (T::Text { .. }, T::Json) => Domain::Json,
        (T::Enum { .. } | T::Other | T::Local, T::Text { .. } | T::Enum { .. } | T::Other | T::Local)
        | (T::Text { .. }, T::Enum { .. } | T::Other | T::Local) => Domain::Text,
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => own_domain(a),
        _ => return None,
    })
}

/// Whether texts that mean values of the type are spelled in one way by all engines; intervals are not.
fn is_spelled_alike_everywhere(data_type: &DataType) -> bool {
    use DataType as T;
    let is_number = matches!(data_type, T::Bool | T::Int { .. } | T::Float { .. } | T::Decimal { .. });
    is_number || matches!(data_type, T::Uuid | T::Date | T::Time | T::Timestamp | T::TimestampTz)
}

/// The digits to which both are rounded: the fewer where they differ, no rounding where they are the same.
fn coarser(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (a, b) if a == b => None,
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::TableName;
    use crate::store::Engine;

    fn capabilities(name: &'static str, typed: bool) -> Capabilities {
        Capabilities {
            engine: Engine { name, major_version: 1 },
            frozen_snapshots: true,
            typed,
            digests: vec![DigestKind::Count, DigestKind::Stream, DigestKind::Server],
            raw_pages: typed,
            bytewise_is_indexed: true,
            concurrency: 1,
        }
    }

    fn column(name: &str, data_type: DataType, declared: &str) -> Column {
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

    fn table(columns: Vec<Column>) -> TableSchema {
        TableSchema { name: TableName::new("t"), primary_key: vec!["id".into()], columns, foreign_keys: vec![] }
    }

    fn int_table() -> TableSchema {
        table(vec![
            column("name", DataType::Text { max_chars: None }, "text"),
            column("id", DataType::Int { bits: 64 }, "bigint"),
        ])
    }

    fn lay(source: &TableSchema, target: &TableSchema, options: &PairOptions) -> Result<Pair, Mismatch> {
        let (a, b) = (capabilities("pg", true), capabilities("pg", true));
        pair(Side { schema: source, capabilities: &a }, Side { schema: target, capabilities: &b }, options)
    }

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
    fn a_table_without_a_key_is_refused_unless_one_is_named() {
        let mut keyless = int_table();
        keyless.primary_key.clear();
        let refused = lay(&keyless, &int_table(), &PairOptions::default()).unwrap_err();
        assert!(refused.to_string().contains("primary_key_field"), "{refused}");
        let options = PairOptions { key: vec!["ID".into()], ..PairOptions::default() };
        assert_eq!(lay(&keyless, &int_table(), &options).unwrap().source.key_len, 1);
    }

    #[test]
    fn a_missing_column_is_named_with_the_remedy() {
        let mut target = int_table();
        target.columns.remove(0);
        let refused = lay(&int_table(), &target, &PairOptions::default()).unwrap_err();
        assert!(refused.message.contains("no column name"), "{refused}");
        let options = PairOptions { exclude_fields: vec!["name".into()], ..PairOptions::default() };
        assert_eq!(lay(&int_table(), &target, &options).unwrap().source.columns.len(), 1);
    }

    #[test]
    fn a_target_column_that_nobody_fills_is_refused() {
        let mut target = int_table();
        target.columns.push(Column { nullable: false, ..column("extra", DataType::Bool, "boolean") });
        assert!(lay(&int_table(), &target, &PairOptions::default()).unwrap_err().message.contains("extra"));
        target.columns[2].has_default = true;
        let pair = lay(&int_table(), &target, &PairOptions::default()).unwrap();
        assert_eq!(pair.notes, ["target columns left alone: extra"]);
    }

    #[test]
    fn collations_that_differ_are_walked_byte_by_byte() {
        let keyed = |collation: Option<&str>| {
            let mut t = table(vec![column("id", DataType::Text { max_chars: None }, "text")]);
            t.columns[0].collation = collation.map(Into::into);
            t
        };
        let order = |a, b| lay(&keyed(a), &keyed(b), &PairOptions::default()).unwrap().source.key_order;
        assert_eq!(order(None, None), KeyOrder::Native);
        assert_eq!(order(Some("de"), Some("de")), KeyOrder::Native);
        assert_eq!(order(Some("de"), Some("en")), KeyOrder::Bytewise);
        assert_eq!(order(Some("de"), None), KeyOrder::Bytewise);
    }

    #[test]
    fn what_sorts_by_rules_of_its_own_is_walked_byte_by_byte_beside_anything_else() {
        let order = |a: (DataType, &str), b: (DataType, &str)| {
            let [a, b] = [a, b].map(|(data_type, declared)| table(vec![column("id", data_type, declared)]));
            lay(&a, &b, &PairOptions::default()).unwrap().source.key_order
        };
        let mood = |labels: [&str; 2]| (DataType::Enum { labels: labels.map(Into::into).into() }, "mood");
        let text = || (DataType::Text { max_chars: None }, "text");
        assert_eq!(order(mood(["z", "a"]), mood(["z", "a"])), KeyOrder::Native);
        assert_eq!(order(mood(["z", "a"]), mood(["a", "z"])), KeyOrder::Bytewise);
        assert_eq!(order(mood(["z", "a"]), text()), KeyOrder::Bytewise);
        assert_eq!(order((DataType::Other, "inet"), (DataType::Other, "inet")), KeyOrder::Native);
        assert_eq!(order((DataType::Other, "inet"), (DataType::Other, "cidr")), KeyOrder::Bytewise);
        assert_eq!(order(text(), (DataType::Local, "mood[]")), KeyOrder::Bytewise);
    }

    #[test]
    fn a_portable_digest_is_offered_where_both_servers_can_spell_all_columns() {
        let kinds = |a: DataType, b: DataType, typed: bool| {
            let with = |data_type| {
                table(vec![column("id", DataType::Int { bits: 64 }, "bigint"), column("v", data_type, "its type")])
            };
            let mut here = capabilities("pg", true);
            here.digests.push(DigestKind::Portable);
            let there = Capabilities { typed, engine: Engine { name: "other", major_version: 1 }, ..here.clone() };
            let (a, b) = (with(a), with(b));
            let (source, target) =
                (Side { schema: &a, capabilities: &here }, Side { schema: &b, capabilities: &there });
            pair(source, target, &PairOptions::default()).unwrap().digests
        };
        let both = [DigestKind::Stream, DigestKind::Portable];
        let decimal = || DataType::Decimal { precision: None, scale: None };
        assert_eq!(kinds(DataType::Int { bits: 16 }, decimal(), true), both);
        assert_eq!(kinds(DataType::Json, DataType::Json, true), both);
        // What a store without types holds is converted where it is read.
        assert_eq!(kinds(DataType::Date, DataType::Text { max_chars: None }, false), both);
        assert_eq!(kinds(DataType::Json, DataType::Text { max_chars: None }, true), [DigestKind::Stream]);
        assert_eq!(kinds(DataType::Date, DataType::Timestamp, true), [DigestKind::Stream]);
        assert_eq!(kinds(decimal(), DataType::Float { bits: 64 }, true), [DigestKind::Stream]);
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

    #[test]
    fn moments_meet_with_the_digits_of_the_coarser_column() {
        let domain = |a: (DataType, &str), b: (DataType, &str), typed: bool| {
            let [a, b] = [a, b].map(|(data_type, declared)| column("v", data_type, declared));
            let (here, there) = (capabilities("pg", true), capabilities("other", typed));
            let whole = table(vec![]);
            let (source, target) =
                (Side { schema: &whole, capabilities: &here }, Side { schema: &whole, capabilities: &there });
            common_domain(source, &a, target, &b).unwrap()
        };
        let millis = || (DataType::Timestamp, "timestamp(3) without time zone");
        let micros = || (DataType::Timestamp, "timestamp without time zone");
        let coarse = Domain::Coarse { moment: Moment::Timestamp, digits: 3 };
        assert_eq!(domain(millis(), micros(), true), coarse);
        assert_eq!(domain(micros(), millis(), true), coarse);
        assert_eq!(domain(millis(), millis(), true), Domain::Timestamp);
        assert_eq!(domain(millis(), (DataType::Dynamic, ""), false), coarse);
        assert_eq!(domain(micros(), (DataType::Timestamp, "TIMESTAMP(3)"), false), Domain::Timestamp);
        assert_eq!(domain((DataType::Text { max_chars: Some(3) }, "varchar(3)"), micros(), true), Domain::Timestamp);
        let zoned = domain(
            (DataType::TimestampTz, "timestamp(0) with time zone"),
            (DataType::TimestampTz, "timestamptz"),
            true,
        );
        assert_eq!(zoned, Domain::Coarse { moment: Moment::TimestampTz, digits: 0 });
    }

    #[test]
    fn domains_meet_on_the_coarser_side() {
        let decimal = |scale| DataType::Decimal { precision: Some(10), scale };
        assert_eq!(shared_domain(&decimal(Some(2)), &decimal(Some(2))), Some(Domain::Decimal { scale: None }));
        assert_eq!(shared_domain(&decimal(Some(2)), &decimal(None)), Some(Domain::Decimal { scale: Some(2) }));
        assert_eq!(shared_domain(&DataType::Int { bits: 16 }, &DataType::Int { bits: 64 }), Some(Domain::Int));
        assert_eq!(shared_domain(&DataType::Bool, &DataType::Bytes), None);
    }
}
