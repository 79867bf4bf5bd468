//! Tables made like those of another store, and their foreign keys.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{Column, DataType, Filled, ForeignKey, TableName, TableSchema};
use rowsync_engine::store::Creation;

use super::collations;
use super::domains;
use super::link::Lease;
use super::literal::{identifier, identifiers, table, text_literal};
use super::own_types;
use super::rules;
use super::schema;
use super::types::declaration;

/// What columns are made of whose types the server does not have.
const TEXT: &str = "text";

/// Where a new table goes: its own schema, or the connection's, or the server's current one.
pub fn place(name: &TableName, schema: Option<&str>) -> TableName {
    TableName { schema: name.schema.clone().or_else(|| schema.map(str::to_owned)), name: name.name.clone() }
}

/// Remark on a table whose rules and foreign keys are to follow once its rows are there; it outlives whatever ends the run.
const UNFINISHED: &str = "rowsync: foreign keys follow when all rows are written";

/// In one transaction: the types that are missing, and the table.
pub async fn create(
    lease: &mut Lease,
    like: &TableSchema,
    name: &TableName,
    more_follows: bool,
) -> Result<(), StoreError> {
    lease.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
    let like = &with_types(lease, like, name).await?;
    for statement in statements(lease, like, name).await? {
        lease.execute(&statement).await?;
    }
    let comment = match (more_follows, &like.rules.comment) {
        (true, Some(comment)) => Some(format!("{UNFINISHED}\n{comment}")),
        (true, None) => Some(UNFINISHED.to_owned()),
        (false, comment) => comment.clone(),
    };
    if let Some(comment) = comment {
        lease.execute(&commented(name, Some(&comment))).await?;
    }
    lease.execute("COMMIT").await?;
    Ok(())
}

/// The table without the types that the server refuses to make; the others are there.
async fn with_types(lease: &mut Lease, like: &TableSchema, name: &TableName) -> Result<TableSchema, StoreError> {
    let with_domains = domains::make(lease, like, name).await?;
    own_types::make(lease, &with_domains, name).await
}

/// What makes the types that are missing, and the table.
async fn statements(lease: &mut Lease, like: &TableSchema, name: &TableName) -> Result<Vec<String>, StoreError> {
    let (mut statements, mut lines) = (Vec::new(), Vec::new());
    // Before all other types, as in a run: one of those may be made of a domain that a column has as well.
    for column in &like.columns {
        domains::type_of(lease, column, like, name, &mut statements).await?;
    }
    for column in &like.columns {
        lines.push(definition(lease, column, like, name, &mut statements).await?);
    }
    if !like.primary_key.is_empty() {
        lines.push(format!("PRIMARY KEY ({})", identifiers(like.primary_key.iter().map(String::as_str))));
    }
    statements.push(format!("CREATE TABLE {} (\n  {}\n)", table(name), lines.join(",\n  ")));
    Ok(statements)
}

/// In one transaction: the types that are missing, and the columns of `like`, which take NULL.
pub async fn add_columns(lease: &mut Lease, name: &TableName, like: &TableSchema) -> Result<(), StoreError> {
    lease.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
    let mut like = like.clone();
    // Rows that are there have no value for them yet.
    like.rules.domains.retain(|domain| !domain.not_null);
    let like = &with_types(lease, &like, name).await?;
    let (mut statements, mut additions) = (Vec::new(), Vec::new());
    for column in &like.columns {
        let declared = declared(lease, column, like, name, &mut statements).await?;
        additions.push(format!("ADD COLUMN {} {declared}", identifier(&column.name)));
    }
    statements.push(format!("ALTER TABLE {} {}", table(name), additions.join(", ")));
    for statement in statements {
        lease.execute(&statement).await?;
    }
    lease.execute("COMMIT").await?;
    Ok(())
}

/// The statements for a table, and for its foreign keys behind it.
pub async fn creation(
    lease: &mut Lease,
    like: &TableSchema,
    name: &TableName,
    foreign_keys: &[ForeignKey],
    default_schema: Option<&str>,
) -> Result<Creation, StoreError> {
    let before = statements(lease, like, name).await?;
    let mut notes = [domains::left_out(lease, like, name).await?, collations::left_out(lease, like).await?].concat();
    let mut texts = Vec::new();
    for column in &like.columns {
        if type_of(lease, column, like, name, &mut Vec::new()).await? == TEXT {
            texts.push(column.name.as_str());
        }
    }
    notes.extend(own_types::made_of_texts(like, |column| texts.contains(&column.name.as_str())));
    let mut after: Vec<String> = like.rules.comment.iter().map(|comment| commented(name, Some(comment))).collect();
    after.extend(rules::statements(name, like, &TableRules::default()).into_iter().map(|rule| rule.statement));
    after.extend(foreign_keys.iter().map(|key| {
        let parent = place(&key.parent, default_schema);
        addition(name, key, &parent, &key.parent_columns, false)
    }));
    Ok(Creation { before, after, notes })
}

async fn definition(
    lease: &mut Lease,
    column: &Column,
    like: &TableSchema,
    name: &TableName,
    types: &mut Vec<String>,
) -> Result<String, StoreError> {
    let mut line = format!("{} {}", identifier(&column.name), declared(lease, column, like, name, types).await?);
    if !column.nullable || like.primary_key.contains(&column.name) {
        line.push_str(" NOT NULL");
    }
    if column.filled == Filled::ByIdentity && matches!(column.data_type, DataType::Int { .. }) {
        line.push_str(" GENERATED BY DEFAULT AS IDENTITY");
    }
    Ok(line)
}

/// Domain or type, and collation.
async fn declared(
    lease: &mut Lease,
    column: &Column,
    like: &TableSchema,
    name: &TableName,
    types: &mut Vec<String>,
) -> Result<String, StoreError> {
    let declared = match domains::type_of(lease, column, like, name, types).await? {
        Some(domain) => domain,
        None => type_of(lease, column, like, name, types).await?,
    };
    Ok(declared + &collations::clause(lease, column, like).await?)
}

async fn type_of(
    lease: &mut Lease,
    column: &Column,
    like: &TableSchema,
    name: &TableName,
    types: &mut Vec<String>,
) -> Result<String, StoreError> {
    match &column.data_type {
        DataType::Enum { labels } if !labels.is_empty() => enum_type(lease, column, labels, name, types).await,
        DataType::Other | DataType::Local if is_known(lease, &column.declared).await? => Ok(column.declared.clone()),
        DataType::Other | DataType::Local => {
            let own = own_types::type_of(lease, column, like, name, types).await?;
            Ok(own.unwrap_or_else(|| TEXT.to_owned()))
        }
        DataType::Text { .. } if declares_citext(column) && is_known(lease, &column.declared).await? => {
            Ok(column.declared.clone())
        }
        _ => Ok(declaration(column)),
    }
}

fn declares_citext(column: &Column) -> bool {
    column.declared.rsplit('.').next() == Some("citext")
}

/// Whether this server has a type of this spelling.
pub async fn is_known(lease: &mut Lease, declared: &str) -> Result<bool, StoreError> {
    // What format_type writes; anything else might not even parse as a type, which older servers answer with an error.
    let plausible = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_ .\"()[],".contains(c);
    if declared.is_empty() || declared.contains(" unsigned") || !declared.chars().all(plausible) {
        return Ok(false);
    }
    let rows = lease.texts(&format!("SELECT to_regtype({})::text", text_literal(declared))).await?;
    Ok(rows.first().is_some_and(|row| row[0].is_some()))
}

/// The enum type of these labels in the table's schema; `types` makes it if it is not there. Texts where it lacks some.
async fn enum_type(
    lease: &mut Lease,
    column: &Column,
    labels: &[String],
    place: &TableName,
    types: &mut Vec<String>,
) -> Result<String, StoreError> {
    let name = enum_name(column, place);
    let schema = place.schema.as_deref().map_or("current_schema()".into(), text_literal);
    let found = lease
        .texts(&format!(
            "SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_catalog.pg_type t \
             JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace AND n.nspname = {schema} \
             LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid WHERE t.typname = {} GROUP BY t.oid",
            text_literal(&name)
        ))
        .await?;
    let qualified = table(&TableName { schema: place.schema.clone(), name: name.clone() });
    match found.first() {
        None => {
            let literals: Vec<String> = labels.iter().map(|label| text_literal(label)).collect();
            let statement = format!("CREATE TYPE {qualified} AS ENUM ({})", literals.join(", "));
            if !types.contains(&statement) {
                types.push(statement);
            }
            Ok(qualified)
        }
        Some(row) => {
            let own = row[0].as_deref().and_then(|json| schema::names(json).ok()).unwrap_or_default();
            Ok(if labels.iter().all(|label| own.contains(label)) { qualified } else { TEXT.to_owned() })
        }
    }
}

/// The last part of what PostgreSQL declares; other engines have no name for an enum, so table and column give it one.
fn enum_name(column: &Column, table: &TableName) -> String {
    let last = match column.declared.strip_suffix('"') {
        Some(quoted) => quoted.rsplit_once('"').map_or(quoted, |(_, name)| name),
        None => column.declared.rsplit('.').next().unwrap_or_default(),
    };
    let plain = !last.is_empty() && last.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ' ');
    let quoted = column.declared.ends_with('"');
    if plain && (quoted || (!last.contains(' ') && !last.eq_ignore_ascii_case("enum"))) {
        last.to_owned()
    } else {
        format!("{}_{}", table.name, column.name)
    }
}

/// Adds the foreign keys that the table does not have yet.
pub async fn add_foreign_keys(
    lease: &mut Lease,
    default_schema: Option<&str>,
    name: &TableName,
    foreign_keys: &[ForeignKey],
) -> Result<(), StoreError> {
    let Some(existing) = schema::describe(lease, default_schema, name).await? else {
        return Err(StoreError::new(Kind::SchemaMismatch, "create", "there is no such table"));
    };
    for key in foreign_keys {
        let parent = place(&key.parent, default_schema);
        let parent_columns = match key.parent_columns.is_empty() {
            true => primary_key(lease, default_schema, &parent).await?,
            false => key.parent_columns.clone(),
        };
        let same = |other: &ForeignKey| {
            other.columns == key.columns
                && other.parent.name == parent.name
                && (parent.schema.is_none() || other.parent.schema == parent.schema)
                && other.parent_columns == parent_columns
        };
        if !existing.foreign_keys.iter().any(same) {
            let taken = existing.foreign_keys.iter().any(|other| other.name == key.name);
            lease.execute(&addition(&existing.name, key, &parent, &parent_columns, taken)).await?;
        }
    }
    finish(lease, default_schema, &existing.name).await
}

/// Takes the remark away, and leaves the table's own comment.
async fn finish(lease: &mut Lease, default_schema: Option<&str>, name: &TableName) -> Result<(), StoreError> {
    let Some(comment) = rules::comment(lease, default_schema, name).await? else { return Ok(()) };
    if is_remark(&comment) {
        lease.execute(&commented(name, own_comment(&comment))).await?;
    }
    Ok(())
}

fn commented(name: &TableName, comment: Option<&str>) -> String {
    format!("COMMENT ON TABLE {} IS {}", table(name), comment.map_or("NULL".into(), text_literal))
}

fn is_remark(comment: &str) -> bool {
    comment.strip_prefix(UNFINISHED).is_some_and(|rest| rest.is_empty() || rest.starts_with('\n'))
}

/// What the comment says beside our remark.
pub fn own_comment(comment: &str) -> Option<&str> {
    if is_remark(comment) { comment.strip_prefix(UNFINISHED)?.strip_prefix('\n') } else { Some(comment) }
}

/// Tables that were made and still wait for their foreign keys.
pub async fn unfinished(lease: &mut Lease) -> Result<Vec<TableName>, StoreError> {
    let statement = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_description d \
         JOIN pg_catalog.pg_class c ON c.oid = d.objoid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0 \
         AND split_part(d.description, E'\\n', 1) = {}",
        text_literal(UNFINISHED)
    );
    let rows = lease.texts(&statement).await?;
    let named = rows.into_iter().filter_map(|row| match <[Option<String>; 2]>::try_from(row).ok()? {
        [Some(schema), Some(name)] => Some(TableName::in_schema(schema, name)),
        _ => None,
    });
    Ok(named.collect())
}

fn addition(name: &TableName, key: &ForeignKey, parent: &TableName, parent_columns: &[String], taken: bool) -> String {
    let constraint = match &key.name {
        Some(constraint) if !taken => format!("CONSTRAINT {} ", identifier(constraint)),
        _ => String::new(),
    };
    format!(
        "ALTER TABLE {} ADD {constraint}FOREIGN KEY ({}) REFERENCES {}{}{}{}",
        table(name),
        identifiers(key.columns.iter().map(String::as_str)),
        table(parent),
        match parent_columns {
            [] => String::new(),
            columns => format!(" ({})", identifiers(columns.iter().map(String::as_str))),
        },
        key.actions(),
        if key.deferrable { " DEFERRABLE" } else { "" }
    )
}

async fn primary_key(
    lease: &mut Lease,
    default_schema: Option<&str>,
    parent: &TableName,
) -> Result<Vec<String>, StoreError> {
    match schema::describe(lease, default_schema, parent).await? {
        Some(parent) => Ok(parent.primary_key),
        None => Err(StoreError::new(Kind::SchemaMismatch, "create", format!("there is no parent table {parent}"))),
    }
}
