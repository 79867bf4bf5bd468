//! What a table has beside columns and key: read from the catalog, and given to tables that are made like it.

use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::rules::{Check, Default, DefaultValue, Generated, Index, TableRules, plain_default};
use rowsync_engine::schema::{Column, DataType, Filled, TableName, TableSchema};
use sqlparser::dialect::PostgreSqlDialect;

use super::collations;
use super::create::own_comment;
use super::domains;
use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::own_types;
use super::schema::{describe, find, unexpected};
use crate::condition;

/// This engine, as its capabilities name it.
pub const ENGINE: &str = "postgresql";

pub async fn rules(lease: &mut Lease, schema: Option<&str>, name: &TableName) -> Result<TableRules, StoreError> {
    let Some((oid, _)) = find(lease, schema, name).await? else { return Ok(TableRules::default()) };
    let [columns, domains, of_types, types, sorted, constraints, indexes, comment] = lease
        .texts_of([
            of_columns(&oid),
            domains::of_columns(&oid),
            own_types::of_columns(&oid),
            own_types::of_types(&oid),
            collations::of_columns(&oid),
            of_constraints(&oid),
            of_indexes(&oid),
            of_comment(&oid),
        ])
        .await?;
    let mut rules = TableRules { engine: ENGINE, ..TableRules::default() };
    columns.iter().for_each(|row| read_column(row, &mut rules));
    domains.iter().try_for_each(|row| domains::read(row, &mut rules))?;
    own_types::read(&of_types, &types, &mut rules)?;
    sorted.iter().for_each(|row| collations::read(row, &mut rules));
    constraints.iter().for_each(|row| read_constraint(row, &mut rules));
    if !rules.checks.is_empty() {
        let columns = describe(lease, schema, name).await?.map(|table| table.columns).unwrap_or_default();
        for check in &mut rules.checks {
            check.meaning = condition::meaning(&check.condition, &PostgreSqlDialect {}, &columns);
        }
    }
    for row in &indexes {
        rules.indexes.push(read_index(row)?);
    }
    let comment = comment.into_iter().flatten().flatten().next();
    rules.comment = comment.as_deref().and_then(own_comment).map(str::to_owned);
    Ok(rules)
}

/// The comment of a table as it stands, with our remark on it.
pub async fn comment(lease: &mut Lease, schema: Option<&str>, name: &TableName) -> Result<Option<String>, StoreError> {
    let Some((oid, _)) = find(lease, schema, name).await? else { return Ok(None) };
    Ok(lease.texts(&of_comment(&oid)).await?.into_iter().flatten().flatten().next())
}

fn of_comment(oid: &str) -> String {
    format!("SELECT pg_catalog.obj_description({oid}, 'pg_class')")
}

fn of_columns(oid: &str) -> String {
    format!(
        "SELECT a.attname::text, a.attgenerated::text, pg_catalog.format_type(a.atttypid, a.atttypmod), \
           pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.col_description(a.attrelid, a.attnum) \
         FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
}

fn read_column(row: &[Option<String>], rules: &mut TableRules) {
    let [Some(column), generated, Some(declared), words, comment] = row else { return };
    if let Some(comment) = comment {
        rules.column_comments.push((column.clone(), comment.clone()));
    }
    match words {
        Some(words) if generated.as_deref().is_some_and(|how| !how.is_empty()) => rules.generated.push(Generated {
            column: column.clone(),
            declared: declared.clone(),
            expression: words.clone(),
        }),
        // What numbers the rows goes with the column itself.
        Some(words) if !words.starts_with("nextval(") => {
            let value = plain_default(words, without_cast).unwrap_or_else(|| DefaultValue::Expression(words.clone()));
            rules.defaults.push(Default { column: column.clone(), value });
        }
        _ => {}
    }
}

/// `'G'` of `'G'::mpaa_rating`.
fn without_cast(words: &str) -> &str {
    match words.rsplit_once("::") {
        Some((literal, name)) if !name.contains(['\'', ')']) || name.ends_with(')') && !name.contains('\'') => literal,
        _ => words,
    }
}

fn of_constraints(oid: &str) -> String {
    format!(
        "SELECT name, kind, words FROM ( \
         SELECT conname::text, contype::text, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint \
         WHERE conrelid = {oid} AND contype IN ('c', 'x') \
         UNION ALL SELECT '', 'p', key FROM pg_catalog.pg_get_partkeydef({oid}) key WHERE key IS NOT NULL \
         ) told(name, kind, words) ORDER BY name COLLATE \"C\""
    )
}

fn read_constraint(row: &[Option<String>], rules: &mut TableRules) {
    let [Some(name), Some(kind), Some(words)] = row else { return };
    match words.strip_prefix("CHECK ") {
        Some(condition) if kind == "c" => {
            rules.checks.push(Check { name: Some(name.clone()), condition: condition.to_owned(), meaning: None });
        }
        _ if kind == "x" => rules.indexes.push(Index {
            name: name.clone(),
            unique: false,
            columns: None,
            words: words.clone(),
            constraint: Some(words.clone()),
        }),
        _ => rules.left_behind.push(format!("the source's table has partitions by {words}, and is made as one")),
    }
}

/// Indexes but for the primary key's and those of exclusions. Plain ones have nothing but columns in the usual order.
fn of_indexes(oid: &str) -> String {
    format!(
        "SELECT c.relname::text, i.indisunique::text, pg_catalog.pg_get_indexdef(i.indexrelid), \
           CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL AND i.indnkeyatts = i.indnatts AND m.amname = 'btree' \
             AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AND bool_and(o.opcdefault \
               AND u.option IN (0, 3) AND (u.sorted = a.attcollation OR u.sorted = 0)) \
             THEN json_agg(json_build_array(a.attname, u.option = 3) ORDER BY u.place)::text END, \
           (SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k \
             WHERE k.conindid = i.indexrelid AND k.contype = 'u') \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_am m ON m.oid = c.relam OR c.relam = 0 AND m.amname = 'btree' \
         CROSS JOIN LATERAL unnest(i.indkey, i.indoption, i.indcollation, i.indclass) \
           WITH ORDINALITY u(number, option, sorted, class, place) \
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number \
         LEFT JOIN pg_catalog.pg_opclass o ON o.oid = u.class \
         WHERE i.indrelid = {oid} AND i.indisvalid AND NOT i.indisprimary AND NOT i.indisexclusion \
         GROUP BY c.relname, i.indexrelid, i.indisunique, i.indexprs, i.indpred, i.indnkeyatts, i.indnatts, m.amname, \
           to_jsonb(i) ->> 'indnullsnotdistinct' ORDER BY c.relname COLLATE \"C\""
    )
}

fn read_index(row: &[Option<String>]) -> Result<Index, StoreError> {
    let [Some(name), Some(unique), Some(definition), columns, constraint] = row else { return Err(unexpected()) };
    let words = definition.split_once(" USING ").map_or(definition.as_str(), |(_, words)| words);
    let columns = columns.as_deref().map(serde_json::from_str).transpose().map_err(|_| unexpected())?;
    Ok(Index {
        name: name.clone(),
        unique: unique == "true",
        columns,
        words: format!("USING {words}"),
        constraint: constraint.clone(),
    })
}

/// A rule, and what gives it to a table.
pub struct Rule {
    pub name: String,
    pub statement: String,
}

/// Gives the table what it does not have yet; returns what the server refused.
pub async fn add(
    lease: &mut Lease,
    schema: Option<&str>,
    name: &TableName,
    like: &TableSchema,
) -> Result<Vec<String>, StoreError> {
    let existing = rules(lease, schema, name).await?;
    let (with_domain, made) = match find(lease, schema, name).await? {
        Some((oid, _)) => (domains::columns(lease, &oid).await?, describe(lease, schema, name).await?),
        None => (Vec::new(), None),
    };
    let is_text = |column: &Column| {
        let made = made.as_ref().and_then(|made| made.column(&column.name));
        made.is_some_and(|made| matches!(made.data_type, DataType::Text { .. }))
    };
    let mut refused = collations::left_out(lease, like).await?;
    refused.extend(domains::missing(like, |domain| with_domain.contains(&domain.column)));
    refused.extend(own_types::made_of_texts(like, is_text));
    for rule in statements(name, like, &existing) {
        match lease.execute(&rule.statement).await {
            Ok(_) => {}
            Err(error) if error.class() == Class::Connection && error.kind != Kind::Forbidden => return Err(error),
            Err(error) => refused.push(format!("the target refused {} of the source: {error}", rule.name)),
        }
    }
    Ok(refused)
}

/// What gives the rules of `like` to a table that has the `existing` ones.
pub fn statements(name: &TableName, like: &TableSchema, existing: &TableRules) -> Vec<Rule> {
    let (rules, place) = (&like.rules, table(name));
    let rule = |name: String, statement: String| Rule { name, statement };
    let defaults = rules.defaults.iter().filter_map(|default| {
        let column = like.columns.iter().find(|column| column.name == default.column)?;
        let is_there = existing.defaults.iter().any(|other| other.column == default.column);
        let words = spelled(&default.value, column)?;
        let statement = format!("ALTER TABLE {place} ALTER COLUMN {} SET DEFAULT {words}", identifier(&column.name));
        (!is_there).then(|| rule(format!("the default of column {}", column.name), statement))
    });
    let generated =
        rules.generated.iter().filter(|one| !existing.generated.iter().any(|other| other.column == one.column));
    let generated = generated.map(|one| {
        let Generated { column, declared, expression } = one;
        let computed = format!("{} {declared} GENERATED ALWAYS AS ({expression}) STORED", identifier(column));
        rule(format!("the computed column {column}"), format!("ALTER TABLE {place} ADD COLUMN {computed}"))
    });
    let is_there = |check: &Check, other: &Check| {
        other.condition == check.condition || check.meaning.is_some() && other.meaning == check.meaning
    };
    let checks = rules.checks.iter().filter(|check| !existing.checks.iter().any(|other| is_there(check, other)));
    let checks = checks.map(|check| {
        let named = check.name.as_deref().map(|name| format!("CONSTRAINT {} ", identifier(name))).unwrap_or_default();
        let name = format!("the check {}", check.name.as_deref().unwrap_or_default());
        rule(name, format!("ALTER TABLE {place} ADD {named}CHECK {}", condition::words(check)))
    });
    let indexes = rules.indexes.iter().filter(|index| !existing.indexes.iter().any(|other| is_same(index, other)));
    let indexes = indexes.map(|index| rule(format!("the index {}", index.name), indexed(&place, index)));
    let comments = rules.column_comments.iter().filter(|comment| !existing.column_comments.contains(comment));
    let comments = comments.map(|(column, text)| {
        let statement = format!("COMMENT ON COLUMN {place}.{} IS {}", identifier(column), text_literal(text));
        rule(format!("the comment of column {column}"), statement)
    });
    defaults.chain(generated).chain(checks).chain(indexes).chain(comments).collect()
}

fn is_same(wished: &Index, existing: &Index) -> bool {
    let alike = match (&wished.columns, &existing.columns) {
        (Some(wished), Some(existing)) => wished == existing,
        _ => wished.words == existing.words,
    };
    alike && wished.unique == existing.unique
}

fn indexed(place: &str, index: &Index) -> String {
    let kind = if index.unique { "UNIQUE INDEX" } else { "INDEX" };
    let name = if index.name.is_empty() { String::new() } else { format!("{} ", identifier(&index.name)) };
    if let Some(constraint) = &index.constraint {
        return format!("ALTER TABLE {place} ADD CONSTRAINT {} {constraint}", identifier(&index.name));
    }
    let words = match &index.columns {
        None => index.words.clone(),
        Some(columns) => {
            let term = |(name, down): &(String, bool)| identifier(name) + if *down { " DESC" } else { "" };
            format!("({})", columns.iter().map(term).collect::<Vec<_>>().join(", "))
        }
    };
    format!("CREATE {kind} {name}ON {place} {words}")
}

/// The default in this server's words; none for a column that is numbered, and for what its type does not take.
fn spelled(value: &DefaultValue, column: &Column) -> Option<String> {
    if column.filled != Filled::ByWriter {
        return None;
    }
    let holds_moments = matches!(
        column.data_type,
        DataType::Date | DataType::Time | DataType::Timestamp | DataType::TimestampTz | DataType::Text { .. }
    );
    match (value, &column.data_type) {
        (DefaultValue::Number(number), DataType::Bool) => Some(if number == "0" { "false" } else { "true" }.into()),
        (DefaultValue::Number(number), DataType::Text { .. } | DataType::Dynamic) => Some(text_literal(number)),
        (DefaultValue::Number(number), _) => Some(number.clone()),
        (DefaultValue::Text(text), _) => Some(text_literal(text)),
        (DefaultValue::Bool(yes), DataType::Bool) => Some(yes.to_string()),
        (DefaultValue::Bool(yes), _) => Some(if *yes { "1" } else { "0" }.into()),
        (DefaultValue::Now, _) => holds_moments.then(|| "now()".into()),
        (DefaultValue::Expression(words), _) => Some(words.clone()),
    }
}
