//! Domains of columns: read from the catalog, and made in the target where they are missing.

use rowsync_engine::error::StoreError;
use rowsync_engine::rules::{ColumnDomain, TableRules, not_carried};
use rowsync_engine::schema::{Column, Filled, TableName, TableSchema};

use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::savepoint::taken;
use super::schema::unexpected;

/// The domains of a table's columns, flattened over their base types. The last field tells whether nothing in them is
/// of somebody's own: a function, a type, a collation, an extension. Such things the target may lack, or mean otherwise.
pub fn of_columns(oid: &str) -> String {
    format!(
        "SELECT a.attname::text, t.typname::text, {FLAT_TYPE}, d.not_null::text, d.filler, d.checks::text, \
           d.collation, (d.plain AND a.attgenerated = '' AND t.oid >= 16384)::text \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype = 'd' \
         CROSS JOIN LATERAL ({FLATTENED}) d \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
}

const FLAT_TYPE: &str = "pg_catalog.format_type(d.base, d.modifier)";

/// One row for the domain `t`: what it and the domains that it is over say together. The outer default goes first.
const FLATTENED: &str = "WITH RECURSIVE layer AS ( \
       SELECT t.oid, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault, t.typcollation, 0 AS depth \
       UNION ALL SELECT b.oid, b.typbasetype, b.typtypmod, b.typnotnull, b.typdefault, b.typcollation, depth + 1 \
       FROM layer JOIN pg_catalog.pg_type b ON b.oid = layer.typbasetype AND b.typtype = 'd'), \
     limits AS (SELECT k.oid, k.conname, k.convalidated, depth FROM layer \
       JOIN pg_catalog.pg_constraint k ON k.contypid = layer.oid AND k.contype = 'c') \
     SELECT (SELECT typbasetype FROM layer ORDER BY depth DESC LIMIT 1) AS base, \
       coalesce((SELECT typtypmod FROM layer WHERE typtypmod <> -1 ORDER BY depth LIMIT 1), -1) AS modifier, \
       (SELECT bool_or(typnotnull) FROM layer) AS not_null, \
       (SELECT typdefault FROM layer WHERE typdefault IS NOT NULL ORDER BY depth LIMIT 1) AS filler, \
       (SELECT coalesce(json_agg(json_build_array(conname, pg_catalog.pg_get_constraintdef(oid)) \
         ORDER BY depth DESC, conname COLLATE \"C\"), '[]') FROM limits) AS checks, \
       (SELECT json_build_array(n.nspname, c.collname)::text FROM pg_catalog.pg_collation c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
         WHERE c.oid = t.typcollation AND c.collname <> 'default') AS collation, \
       NOT EXISTS (SELECT FROM limits WHERE NOT convalidated) AND NOT EXISTS ( \
         SELECT FROM pg_catalog.pg_depend p WHERE p.refobjid >= 16384 \
         AND p.refclassid <> 'pg_catalog.pg_namespace'::regclass AND p.refobjid NOT IN (SELECT oid FROM layer) \
         AND (p.classid = 'pg_catalog.pg_type'::regclass AND p.objid IN (SELECT oid FROM layer) \
           OR p.classid = 'pg_catalog.pg_constraint'::regclass AND p.objid IN (SELECT oid FROM limits))) AS plain";

pub fn read(row: &[Option<String>], rules: &mut TableRules) -> Result<(), StoreError> {
    let [Some(column), Some(name), Some(base), Some(not_null), filler, Some(checks), collation, Some(plain)] = row
    else {
        return Err(unexpected());
    };
    if plain != "true" {
        rules.left_behind.push(not_carried(name, column));
        return Ok(());
    }
    let collation: Option<(String, String)> =
        collation.as_deref().map(serde_json::from_str).transpose().map_err(|_| unexpected())?;
    rules.domains.push(ColumnDomain {
        column: column.clone(),
        name: name.clone(),
        base: base.clone(),
        collation,
        not_null: not_null == "true",
        default: filler.clone(),
        checks: serde_json::from_str(checks).map_err(|_| unexpected())?,
    });
    Ok(())
}

/// How the target stands to a domain that a column should have.
enum Standing {
    Missing,
    /// It has one of this name over the same base type.
    Usable,
    /// It has another type of this name.
    Taken,
}

async fn standing(lease: &mut Lease, domain: &ColumnDomain, place: &TableName) -> Result<Standing, StoreError> {
    let schema = place.schema.as_deref().map_or("current_schema()".into(), text_literal);
    let statement = format!(
        "SELECT CASE WHEN t.typtype = 'd' THEN {FLAT_TYPE} END FROM pg_catalog.pg_type t \
         JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace CROSS JOIN LATERAL ({FLATTENED}) d \
         WHERE n.nspname = {schema} AND t.typname = {}",
        text_literal(&domain.name)
    );
    Ok(match lease.texts(&statement).await?.first() {
        None => Standing::Missing,
        Some(row) if row[0].as_deref() == Some(domain.base.as_str()) => Standing::Usable,
        Some(_) => Standing::Taken,
    })
}

/// The domain that the column should have. A column that numbers its rows has to be of a plain number.
fn wished<'a>(like: &'a TableSchema, column: &Column) -> Option<&'a ColumnDomain> {
    let own = |domain: &&ColumnDomain| domain.column == column.name && domain.base == column.declared;
    like.rules.domains.iter().find(own).filter(|_| column.filled == Filled::ByWriter)
}

fn qualified(domain: &ColumnDomain, place: &TableName) -> String {
    table(&TableName { schema: place.schema.clone(), name: domain.name.clone() })
}

/// The column's domain in the table's schema; `types` makes it if it is not there. `None` where the column is made of
/// the base type.
pub async fn type_of(
    lease: &mut Lease,
    column: &Column,
    like: &TableSchema,
    place: &TableName,
    types: &mut Vec<String>,
) -> Result<Option<String>, StoreError> {
    let Some(domain) = wished(like, column) else { return Ok(None) };
    let name = qualified(domain, place);
    match standing(lease, domain, place).await? {
        Standing::Taken => return Ok(None),
        Standing::Usable => {}
        Standing::Missing => {
            let statement = creation(domain, place);
            let same_name = types.iter().find(|other| other.starts_with(&format!("CREATE DOMAIN {name} AS ")));
            match same_name {
                Some(other) if *other != statement => return Ok(None),
                Some(_) => {}
                None => types.push(statement),
            }
        }
    }
    Ok(Some(name))
}

fn creation(domain: &ColumnDomain, place: &TableName) -> String {
    let mut statement = format!("CREATE DOMAIN {} AS {}", qualified(domain, place), domain.base);
    if let Some((schema, name)) = &domain.collation {
        statement += &format!(" COLLATE {}.{}", identifier(schema), identifier(name));
    }
    if let Some(words) = &domain.default {
        statement += &format!(" DEFAULT {words}");
    }
    if domain.not_null {
        statement += " NOT NULL";
    }
    for (index, (name, words)) in domain.checks.iter().enumerate() {
        // Two layers of a domain may have checks of one name.
        let is_taken = domain.checks[..index].iter().any(|(other, _)| other == name);
        let named = if is_taken { String::new() } else { format!("CONSTRAINT {} ", identifier(name)) };
        statement += &format!(" {named}{words}");
    }
    statement
}

/// Makes the missing domains in the transaction that is open, and returns the table without those that the server
/// refuses.
pub async fn make(lease: &mut Lease, like: &TableSchema, place: &TableName) -> Result<TableSchema, StoreError> {
    let mut made = like.clone();
    for column in &like.columns {
        let Some(domain) = wished(like, column) else { continue };
        if !matches!(standing(lease, domain, place).await?, Standing::Missing) {
            continue;
        }
        if !taken(lease, &[creation(domain, place)]).await? {
            made.rules.domains.retain(|other| other != domain);
        }
    }
    Ok(made)
}

/// What is told of the domains that a table made by statements goes without.
pub async fn left_out(lease: &mut Lease, like: &TableSchema, place: &TableName) -> Result<Vec<String>, StoreError> {
    let (mut types, mut with_domain) = (Vec::new(), Vec::new());
    for column in &like.columns {
        if type_of(lease, column, like, place, &mut types).await?.is_some() {
            with_domain.push(column.name.clone());
        }
    }
    Ok(missing(like, |domain| with_domain.contains(&domain.column)))
}

/// What is told of the domains that the columns of the table should have, and do not.
pub fn missing(like: &TableSchema, is_there: impl Fn(&ColumnDomain) -> bool) -> Vec<String> {
    let missing = like.rules.domains.iter().filter(|domain| !is_there(domain));
    missing.map(|domain| not_carried(&domain.name, &domain.column)).collect()
}

/// Columns of a table that have a domain.
pub async fn columns(lease: &mut Lease, oid: &str) -> Result<Vec<String>, StoreError> {
    let statement = format!(
        "SELECT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND t.typtype = 'd'"
    );
    Ok(lease.texts(&statement).await?.into_iter().flatten().flatten().collect())
}
