//! Tables as the catalog describes them.

use std::collections::HashSet;

use rowsync_engine::change_log::LOG_PREFIX;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{Action, Column, DataType, Filled, ForeignKey, TableName, TableSchema, find_name};
use rowsync_engine::store::Survey;

use super::link::Lease;
use super::literal::text_literal;
use super::survey;
use super::types::data_type;

type Row = Vec<Option<String>>;

/// Where unqualified tables lie, as an SQL expression.
fn schema_expression(schema: Option<&str>) -> String {
    schema.map_or("current_schema()".into(), text_literal)
}

/// Tables of one schema, without partitions, logs of changes, and without those that belong to an extension.
pub async fn tables(lease: &mut Lease, schema: Option<&str>) -> Result<Vec<TableName>, StoreError> {
    let statement = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = {} \
         AND NOT starts_with(c.relname::text, '{LOG_PREFIX}') AND NOT EXISTS \
         (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
         ORDER BY c.relname COLLATE \"C\"",
        schema_expression(schema)
    );
    let rows = lease.texts(&statement).await?;
    rows.into_iter().map(|row| Ok(TableName::in_schema(text(&row, 0)?, text(&row, 1)?))).collect()
}

pub async fn describe(
    lease: &mut Lease,
    schema: Option<&str>,
    table: &TableName,
) -> Result<Option<TableSchema>, StoreError> {
    Ok(describe_and_size(lease, schema, table).await?.map(|(schema, _)| schema))
}

/// The table, and its size where the planner knows it: for the one who is going to ask for just that next it is a round
/// trip less.
pub async fn describe_and_size(
    lease: &mut Lease,
    schema: Option<&str>,
    table: &TableName,
) -> Result<Option<(TableSchema, Option<Survey>)>, StoreError> {
    // All in one message, about the table that most likely is meant.
    let candidates = candidates(schema, table);
    let [of_columns, of_key, of_foreign_keys, of_size] =
        questions(&format!("(SELECT oid::oid FROM ({candidates} LIMIT 1) likely)"));
    let [found, mut columns, mut key, mut foreign_keys, mut size] =
        lease.texts_of([candidates, of_columns, of_key, of_foreign_keys, of_size]).await?;
    let Some((oid, name)) = meant(&found, table)? else { return Ok(None) };
    if found.first().and_then(|likely| likely[0].as_ref()) != Some(&oid) {
        [columns, key, foreign_keys, size] = lease.texts_of(questions(&oid)).await?;
    }
    let schema = TableSchema {
        columns: columns.iter().map(column).collect::<Result<_, _>>()?,
        primary_key: key.first().map_or(Ok(Vec::new()), |row| names(&text(row, 0)?))?,
        foreign_keys: read_foreign_keys(&foreign_keys)?,
        rules: TableRules::default(),
        name,
    };
    Ok(Some((schema, survey::size(&size)?)))
}

/// What is asked about the table of this number.
fn questions(oid: &str) -> [String; 4] {
    [of_columns(oid), of_key(oid), of_foreign_keys(oid), survey::of_size(oid)]
}

/// Number and name of a table.
pub async fn find(
    lease: &mut Lease,
    schema: Option<&str>,
    table: &TableName,
) -> Result<Option<(String, TableName)>, StoreError> {
    meant(&lease.texts(&candidates(schema, table)).await?, table)
}

/// Selects the number and names of each table whose name differs at most in the case of its letters, the likeliest first.
fn candidates(schema: Option<&str>, table: &TableName) -> String {
    let schema = schema_expression(table.schema.as_deref().or(schema));
    let name = text_literal(&table.name);
    format!(
        "SELECT c.oid::text, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND lower(n.nspname) = lower({schema}) \
         AND lower(c.relname) = lower({name}) ORDER BY n.nspname <> {schema}, c.relname <> {name}"
    )
}

fn meant(candidates: &[Row], table: &TableName) -> Result<Option<(String, TableName)>, StoreError> {
    let mut found = Vec::new();
    for row in candidates {
        // Rows of the schema with exactly this name come first; others count only where there is none.
        if found.first().is_none_or(|(_, first): &(String, TableName)| first.schema.as_deref() == row[1].as_deref()) {
            found.push((text(row, 0)?, TableName::in_schema(text(row, 1)?, text(row, 2)?)));
        }
    }
    Ok(find_name(&found, &table.name, |(_, name)| &name.name).cloned())
}

/// Whether the binary form of the type `t`, an array of `e` if it is one, names other things of its database by numbers:
/// composites and arrays their parts' types, `regclass` and its kin what they refer to. Types that the server does not
/// come with have numbers from 16384 on.
const LOCAL_TYPE: &str = "t.oid >= 16384 AND t.typtype IN ('c', 'r', 'm') OR e.oid >= 16384 \
     OR coalesce(e.typname, t.typname) LIKE 'reg%' AND coalesce(e.oid, t.oid) < 16384";

/// Columns with their domains resolved to the base types, whose constraints on NULL they inherit.
fn of_columns(oid: &str) -> String {
    format!(
        "WITH RECURSIVE typed AS ( \
         SELECT a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS modifier, a.attnotnull AS not_null, \
           a.attidentity, a.attgenerated, a.attcollation, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS filler \
         FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped \
         UNION ALL \
         SELECT attnum, attname, t.typbasetype, CASE WHEN modifier = -1 THEN t.typtypmod ELSE modifier END, \
           not_null OR t.typnotnull, attidentity, attgenerated, attcollation, coalesce(filler, t.typdefault) \
         FROM typed JOIN pg_catalog.pg_type t ON t.oid = typed.type WHERE t.typtype = 'd') \
         SELECT y.attname::text, t.typname::text, pg_catalog.format_type(t.oid, y.modifier), y.modifier::text, y.not_null::text, \
           y.attidentity::text, y.attgenerated::text, y.filler, \
           (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)::text, \
           CASE WHEN c.collprovider = 'd' THEN coalesce(b.j ->> 'datlocprovider', 'c') ELSE c.collprovider::text END, \
           CASE WHEN c.collprovider = 'd' THEN \
             CASE WHEN coalesce(b.j ->> 'datlocprovider', 'c') = 'c' THEN b.j ->> 'datcollate' \
               ELSE coalesce(b.j ->> 'datlocale', b.j ->> 'daticulocale') END \
             ELSE coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate::text) END, \
           CASE WHEN c.collprovider = 'd' THEN b.j ->> 'datcollversion' ELSE c.collversion END, \
           (NOT c.collisdeterministic)::text, ({LOCAL_TYPE})::text \
         FROM typed y JOIN pg_catalog.pg_type t ON t.oid = y.type \
         LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1 \
         LEFT JOIN pg_catalog.pg_collation c ON c.oid = y.attcollation \
         CROSS JOIN (SELECT to_jsonb(d) FROM pg_catalog.pg_database d WHERE d.datname = current_database()) b(j) \
         WHERE t.typtype <> 'd' ORDER BY y.attnum"
    )
}

fn column(row: &Row) -> Result<Column, StoreError> {
    let type_name = text(row, 1)?;
    let modifier = text(row, 3)?.parse().map_err(|_| unexpected())?;
    let filler = row[7].as_deref();
    let data_type = match &row[8] {
        Some(labels) => DataType::Enum { labels: names(labels)? },
        None => match data_type(&type_name, modifier) {
            DataType::Other if row[13].as_deref() == Some("true") => DataType::Local,
            known => known,
        },
    };
    Ok(Column {
        name: text(row, 0)?,
        filled: filled(&data_type, &text(row, 5)?, &text(row, 6)?, filler),
        declared: text(row, 2)?,
        nullable: text(row, 4)? == "false",
        collation: if sorts_as_text(&data_type) { collation(row, &type_name) } else { None },
        has_default: filler.is_some() || !text(row, 5)?.is_empty(),
        data_type,
    })
}

fn sorts_as_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Text { .. } | DataType::PaddedText { .. })
}

/// A column that a sequence fills by default numbers its rows just as an identity does.
fn filled(data_type: &DataType, identity: &str, generated: &str, filler: Option<&str>) -> Filled {
    let numbered = matches!(data_type, DataType::Int { .. }) && filler.is_some_and(|sql| sql.starts_with("nextval("));
    if !generated.is_empty() {
        Filled::ByExpression
    } else if !identity.is_empty() || numbered {
        Filled::ByIdentity
    } else {
        Filled::ByWriter
    }
}

/// Locale, version and provider, as far as they decide how texts sort; `None` for byte by byte.
fn collation(row: &Row, type_name: &str) -> Option<String> {
    let [provider, locale, version, nondeterministic] =
        [9, 10, 11, 12].map(|at| row[at].as_deref().unwrap_or_default());
    let by_bytes = match provider {
        "c" => matches!(locale, "C" | "POSIX"),
        // The built-in provider sorts by code point in all its locales.
        "b" => true,
        _ => locale.is_empty(),
    };
    // citext sorts lower-case texts, whatever the collation.
    let citext = if type_name == "citext" { "citext:" } else { "" };
    let loose = if nondeterministic == "true" { "~" } else { "" };
    let provider = if provider == "i" { "icu" } else { "libc" };
    (!by_bytes || !citext.is_empty()).then(|| format!("{citext}{loose}{locale}@{version}/{provider}"))
}

/// The primary key, or else the shortest unique index that takes in every row and no NULL.
fn of_key(oid: &str) -> String {
    format!(
        "SELECT json_agg(a.attname ORDER BY u.place)::text FROM pg_catalog.pg_index i \
         CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY u(number, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number \
         WHERE i.indrelid = {oid} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
         AND u.place <= i.indnkeyatts \
         GROUP BY i.indexrelid, i.indisprimary, i.indnkeyatts HAVING i.indisprimary OR bool_and(a.attnotnull) \
         ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1"
    )
}

/// Those of the table, and those that only its partitions carry, each once.
fn of_foreign_keys(oid: &str) -> String {
    let columns = |numbers: &str, table: &str| {
        format!(
            "(SELECT json_agg(a.attname ORDER BY u.place)::text FROM unnest({numbers}) WITH ORDINALITY u(number, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = {table} AND a.attnum = u.number)"
        )
    };
    format!(
        "SELECT k.conname::text, k.condeferrable::text, n.nspname::text, p.relname::text, {}, {}, \
           CASE WHEN to_jsonb(k) ->> 'confdelsetcols' IS NULL THEN {} END, {} \
         FROM pg_catalog.pg_constraint k \
         JOIN pg_catalog.pg_class p ON p.oid = coalesce(pg_catalog.pg_partition_root(k.confrelid), k.confrelid) \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace \
         WHERE k.contype = 'f' AND k.conparentid = 0 \
         AND (k.conrelid = {oid} OR k.conrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree({oid}))) \
         ORDER BY k.conrelid <> {oid}, k.conname COLLATE \"C\"",
        columns("k.conkey", "k.conrelid"),
        columns("k.confkey", "k.confrelid"),
        action("k.confdeltype"),
        action("k.confupdtype"),
    )
}

fn action(letter: &str) -> String {
    format!(
        "CASE {letter} WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' \
         WHEN 'd' THEN 'SET DEFAULT' END"
    )
}

fn read_foreign_keys(rows: &[Row]) -> Result<Vec<ForeignKey>, StoreError> {
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for row in rows {
        let key = ForeignKey {
            name: row[0].clone(),
            deferrable: text(row, 1)? == "true",
            parent: TableName::in_schema(text(row, 2)?, text(row, 3)?),
            columns: names(&text(row, 4)?)?,
            parent_columns: names(&text(row, 5)?)?,
            on_delete: row[6].as_deref().map_or(Action::None, Action::of),
            on_update: row[7].as_deref().map_or(Action::None, Action::of),
        };
        if seen.insert((key.columns.clone(), key.parent.clone(), key.parent_columns.clone())) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn text(row: &Row, index: usize) -> Result<String, StoreError> {
    row.get(index).cloned().flatten().ok_or_else(unexpected)
}

/// Names in a JSON array.
pub fn names(json: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(json).map_err(|_| unexpected())
}

pub fn unexpected() -> StoreError {
    StoreError::new(Kind::Bug, "describe", "the catalog's answer does not fit the question")
}
