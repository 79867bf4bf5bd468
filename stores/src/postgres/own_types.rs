//! Composite types, ranges and arrays of a database's own types: read from the catalog, and made in the target where
//! they are missing.

use std::collections::BTreeMap;

use rowsync_engine::error::StoreError;
use rowsync_engine::rules::{ColumnType, OwnType, TableRules, Words, not_carried_type};
use rowsync_engine::schema::{Column, DataType, TableName, TableSchema};
use serde::Deserialize;

use super::create::is_known;
use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::savepoint::taken;
use super::schema::unexpected;

/// Columns with the numbers of their types, but for those that are a domain or an enum themselves.
pub fn of_columns(oid: &str) -> String {
    format!(
        "SELECT a.attname::text, a.atttypid::text FROM pg_catalog.pg_attribute a \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype NOT IN ('d', 'e') AND t.oid >= 16384 \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum"
    )
}

/// One document for each of somebody's own types that the columns are made of, whatever its depth.
pub fn of_types(oid: &str) -> String {
    format!(
        "WITH RECURSIVE need AS (SELECT atttypid AS oid FROM pg_catalog.pg_attribute \
           WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped \
         UNION SELECT part FROM need JOIN pg_catalog.pg_type t ON t.oid = need.oid AND t.oid >= 16384 CROSS JOIN LATERAL ( \
           SELECT t.typelem WHERE t.typelem <> 0 AND t.typlen = -1 \
           UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd' \
           UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped \
           UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid \
           UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r \
             WHERE (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid) p(part)) \
         SELECT json_build_object('oid', t.oid::text, 'name', t.typname, 'kind', t.typtype, \
           'element', CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem::text END, \
           'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e \
             WHERE e.enumtypid = t.oid), \
           'attributes', (SELECT json_agg(json_build_object('name', a.attname, 'type', a.atttypid::text, \
               'words', pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum) \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'c' \
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), \
           'base', CASE WHEN t.typtype = 'd' THEN json_build_object('name', '', 'type', t.typbasetype::text, \
             'words', pg_catalog.format_type(t.typbasetype, t.typtypmod)) END, \
           'limits', concat(' DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN ' NOT NULL' END, \
             (SELECT string_agg(' ' || pg_catalog.pg_get_constraintdef(k.oid), '' ORDER BY k.conname COLLATE \"C\") \
             FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')), \
           'over', (SELECT json_build_object('name', '', 'type', r.rngsubtype::text, \
               'words', pg_catalog.format_type(r.rngsubtype, -1)) FROM pg_catalog.pg_range r \
             JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc AND o.opcdefault \
             WHERE r.rngtypid = t.oid AND r.rngcanonical = 0), \
           'many', (SELECT m.typname FROM pg_catalog.pg_range r \
             JOIN pg_catalog.pg_type m ON m.oid = (to_jsonb(r) ->> 'rngmultitypid')::oid WHERE r.rngtypid = t.oid), \
           'range', (SELECT r.rngtypid::text FROM pg_catalog.pg_range r \
             WHERE (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid))::text \
         FROM need JOIN pg_catalog.pg_type t ON t.oid = need.oid WHERE t.oid >= 16384 AND NOT EXISTS ( \
           SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid \
           AND d.deptype = 'e')"
    )
}

/// A type as the catalog tells it.
#[derive(Deserialize)]
struct Fact {
    oid: String,
    name: String,
    kind: String,
    element: Option<String>,
    labels: Option<Vec<String>>,
    attributes: Option<Vec<Part>>,
    base: Option<Part>,
    /// What a domain says beside its base.
    limits: String,
    /// What a range is over.
    over: Option<Part>,
    /// The name of the multirange of a range, and the range of a multirange.
    many: Option<String>,
    range: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    name: String,
    #[serde(rename = "type")]
    oid: String,
    words: String,
}

pub fn read(
    columns: &[Vec<Option<String>>],
    types: &[Vec<Option<String>>],
    rules: &mut TableRules,
) -> Result<(), StoreError> {
    let facts = types.iter().flatten().flatten().map(|json| serde_json::from_str::<Fact>(json));
    let facts: Vec<Fact> = facts.collect::<Result<_, _>>().map_err(|_| unexpected())?;
    let catalog = Catalog { facts: facts.iter().map(|fact| (fact.oid.as_str(), fact)).collect() };
    for row in columns {
        let [Some(column), Some(oid)] = row.as_slice() else { return Err(unexpected()) };
        let mut needs = Vec::new();
        // What is not to be understood whole is not made in parts.
        if let Some(named) = catalog.named(oid, "", &mut needs) {
            rules.types.push(ColumnType { column: column.clone(), named, needs });
        }
    }
    Ok(())
}

/// Own types by their numbers.
struct Catalog<'a> {
    facts: BTreeMap<&'a str, &'a Fact>,
}

impl Catalog<'_> {
    /// What the type is called; those that it is made of come to `needs`. `words`: what the server calls it, if it is
    /// none of somebody's own.
    fn named(&self, oid: &str, words: &str, needs: &mut Vec<OwnType>) -> Option<Words> {
        let Some(fact) = self.facts.get(oid) else {
            return (!words.is_empty() && oid.parse::<u32>().is_ok_and(|oid| oid < 16384)).then(|| Words::plain(words));
        };
        if let Some(element) = &fact.element {
            let element = self.facts.get(element.as_str())?;
            return Some(self.named(&element.oid, "", needs)?.then("[]"));
        }
        if let Some(range) = &fact.range {
            self.named(range, "", needs)?;
            return Some(Words::own(&fact.name));
        }
        let (kind, body) = match fact.kind.as_str() {
            "e" => ("TYPE", labels(fact.labels.as_deref()?)),
            "c" => ("TYPE", self.attributes(fact.attributes.as_deref()?, needs)?),
            "r" => ("TYPE", self.range(fact, needs)?),
            "d" => ("DOMAIN", self.part(fact.base.as_ref()?, needs)?.then(&fact.limits)),
            _ => return None,
        };
        let own = OwnType { name: fact.name.clone(), kind, body };
        match needs.iter().find(|other| other.name == own.name) {
            // Two of one name, of two schemas.
            Some(other) if *other != own => return None,
            Some(_) => {}
            None => needs.push(own),
        }
        Some(Words::own(&fact.name))
    }

    fn part(&self, part: &Part, needs: &mut Vec<OwnType>) -> Option<Words> {
        self.named(&part.oid, &part.words, needs)
    }

    fn attributes(&self, parts: &[Part], needs: &mut Vec<OwnType>) -> Option<Words> {
        let mut body = Words::plain("(");
        for (place, part) in parts.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            body = body.then(format!("{comma}{} ", identifier(&part.name))).and(self.part(part, needs)?);
        }
        Some(body.then(")"))
    }

    fn range(&self, fact: &Fact, needs: &mut Vec<OwnType>) -> Option<Words> {
        let over = self.part(fact.over.as_ref()?, needs)?;
        let body = Words::plain("RANGE (SUBTYPE = ").and(over);
        Some(match &fact.many {
            Some(many) => body.then(", MULTIRANGE_TYPE_NAME = ").and(Words::own(many)).then(")"),
            None => body.then(")"),
        })
    }
}

fn labels(labels: &[String]) -> Words {
    let literals: Vec<String> = labels.iter().map(|label| text_literal(label)).collect();
    Words::plain(format!("ENUM ({})", literals.join(", ")))
}

fn called(place: &TableName) -> impl Fn(&str) -> String {
    |name| table(&TableName { schema: place.schema.clone(), name: name.to_owned() })
}

fn creation(own: &OwnType, place: &TableName) -> String {
    let called = called(place);
    format!("CREATE {} {} AS {}", own.kind, called(&own.name), own.body.spelled(&called))
}

/// Whether the schema of the table has a type of this name, of whatever kind.
async fn is_there(lease: &mut Lease, name: &str, place: &TableName) -> Result<bool, StoreError> {
    let schema = place.schema.as_deref().map_or("current_schema()".into(), text_literal);
    let statement = format!(
        "SELECT 'yes' FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
         WHERE n.nspname = {schema} AND t.typname = {}",
        text_literal(name)
    );
    Ok(!lease.texts(&statement).await?.is_empty())
}

fn wished<'a>(like: &'a TableSchema, column: &Column) -> Option<&'a ColumnType> {
    like.rules.types.iter().find(|wished| wished.column == column.name)
}

/// What the column's own type is called in the table's schema; `types` makes what of it is not there. `None` where it
/// has none.
pub async fn type_of(
    lease: &mut Lease,
    column: &Column,
    like: &TableSchema,
    place: &TableName,
    types: &mut Vec<String>,
) -> Result<Option<String>, StoreError> {
    let Some(wished) = wished(like, column) else { return Ok(None) };
    for (own, statement) in missing(lease, wished, place).await? {
        // A domain of a column has been made with the names of its checks.
        let start = format!("CREATE {} {} AS ", own.kind, called(place)(&own.name));
        if !types.iter().any(|other| other.starts_with(&start)) {
            types.push(statement);
        }
    }
    Ok(Some(wished.named.spelled(called(place))))
}

/// Makes the missing types in the transaction that is open, and returns the table without those that the server
/// refuses: their columns are made of texts.
pub async fn make(lease: &mut Lease, like: &TableSchema, place: &TableName) -> Result<TableSchema, StoreError> {
    let mut made = like.clone();
    for wished in &like.rules.types {
        let column = like.columns.iter().find(|column| column.name == wished.column);
        // It may lie in another schema, where the connection finds it.
        let is_needed = match column {
            Some(column) => !is_known(lease, &column.declared).await?,
            None => false,
        };
        if !is_needed {
            continue;
        }
        let missing = missing(lease, wished, place).await?;
        let mut statements: Vec<String> = missing.into_iter().map(|(_, statement)| statement).collect();
        // One that was there may be of another kind, of which there is no array or range of this name.
        let named = wished.named.spelled(called(place));
        statements.push(format!("SELECT {}::regtype", text_literal(&named)));
        if !taken(lease, &statements).await? {
            made.rules.types.retain(|other| other != wished);
        }
    }
    Ok(made)
}

/// What makes those that are not there.
async fn missing<'a>(
    lease: &mut Lease,
    wished: &'a ColumnType,
    place: &TableName,
) -> Result<Vec<(&'a OwnType, String)>, StoreError> {
    let mut statements = Vec::new();
    for own in &wished.needs {
        if !is_there(lease, &own.name, place).await? {
            statements.push((own, creation(own, place)));
        }
    }
    Ok(statements)
}

/// What is told of columns that are made of texts, since the server has no such type.
pub fn made_of_texts<'a>(
    like: &'a TableSchema,
    is_text: impl Fn(&Column) -> bool + 'a,
) -> impl Iterator<Item = String> + 'a {
    let own = like
        .columns
        .iter()
        .filter(|column| matches!(column.data_type, DataType::Enum { .. } | DataType::Other | DataType::Local));
    own.filter(move |column| is_text(column)).map(|column| not_carried_type(&column.declared, &column.name))
}
