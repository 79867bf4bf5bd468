//! Whether an index serves reading a table in the order of a view.

use rowsync_engine::error::StoreError;
use rowsync_engine::schema::{DataType, KeyOrder, TableView, ViewColumn};

use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::select::is_enum;

/// The statement that makes the missing index.
pub async fn missing(lease: &mut Lease, view: &TableView) -> Result<Option<String>, StoreError> {
    if !has_rows_of_its_own(lease, view).await? {
        return Ok(None);
    }
    let indexes = indexes(lease, view).await?;
    let wanted = wanted(view);
    let served = indexes.iter().any(|index| index.serves(&wanted));
    let unique = indexes.iter().any(|index| index.makes_unique(&wanted));
    // The order of an enum's labels by their text cannot be indexed, since labels may be renamed.
    if (served || view.key_columns().iter().any(is_enum)) && unique {
        return Ok(None);
    }
    let columns: Vec<String> = wanted
        .iter()
        .map(|(name, c)| format!("{}{}", identifier(name), if *c { " COLLATE \"C\"" } else { "" }))
        .collect();
    let kind = if unique { "INDEX" } else { "UNIQUE INDEX" };
    Ok(Some(format!("CREATE {kind} ON {} ({})", table(&view.table), columns.join(", "))))
}

/// Whether the rows can be walked in the order of the view along an index.
pub async fn is_served(lease: &mut Lease, view: &TableView) -> Result<bool, StoreError> {
    let wanted = wanted(view);
    Ok(indexes(lease, view).await?.iter().any(|index| index.serves(&wanted)))
}

/// Whether an index begins with a column, so that it leads to the highest values of it.
pub async fn leads_to(lease: &mut Lease, view: &TableView, column: &str) -> Result<bool, StoreError> {
    let indexes = indexes(lease, view).await?;
    Ok(indexes.iter().any(|index| index.columns.first().is_some_and(|(name, _)| name == column)))
}

/// The columns of an index that serves the view, and whether they have to be indexed byte by byte.
fn wanted(view: &TableView) -> Vec<(String, bool)> {
    view.key_columns().iter().map(|column| (column.column.name.clone(), needs_c(column, view.key_order))).collect()
}

/// Views and foreign tables take no index here.
async fn has_rows_of_its_own(lease: &mut Lease, view: &TableView) -> Result<bool, StoreError> {
    let name = text_literal(&table(&view.table));
    let statement = format!(
        "SELECT oid::text FROM pg_catalog.pg_class WHERE oid = {name}::regclass AND relkind IN ('r', 'p', 'm')"
    );
    Ok(!lease.texts(&statement).await?.is_empty())
}

/// Whether the column is read in an order that its own collation does not have.
fn needs_c(column: &ViewColumn, order: KeyOrder) -> bool {
    let text = matches!(column.column.data_type, DataType::Text { .. } | DataType::PaddedText { .. });
    order == KeyOrder::Bytewise && (text && column.column.collation.is_some() || is_enum(column))
}

struct Index {
    unique: bool,
    /// Name, and whether it is indexed byte by byte although the column sorts otherwise.
    columns: Vec<(String, bool)>,
}

impl Index {
    fn serves(&self, wanted: &[(String, bool)]) -> bool {
        self.columns.starts_with(wanted)
    }

    fn makes_unique(&self, wanted: &[(String, bool)]) -> bool {
        self.unique && self.columns.iter().all(|(name, _)| wanted.iter().any(|(other, _)| other == name))
    }
}

async fn indexes(lease: &mut Lease, view: &TableView) -> Result<Vec<Index>, StoreError> {
    let statement = format!(
        "SELECT i.indexrelid::text, i.indisunique::text, a.attname::text, \
           (a.attcollation <> o.sorted AND o.sorted IN (SELECT oid FROM pg_catalog.pg_collation WHERE collname IN ('C', 'POSIX')))::text \
         FROM pg_catalog.pg_index i \
         CROSS JOIN LATERAL unnest(i.indkey, i.indcollation) WITH ORDINALITY o(number, sorted, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = o.number \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree' OR c.relkind = 'I' AND m.oid = c.relam \
         WHERE i.indrelid = {}::regclass AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
         AND o.place <= i.indnkeyatts ORDER BY i.indexrelid, o.place",
        text_literal(&table(&view.table))
    );
    let mut indexes: Vec<(String, Index)> = Vec::new();
    for row in lease.texts(&statement).await? {
        let [Some(oid), Some(unique), Some(name), by_bytes] = row.as_slice() else { continue };
        if indexes.last().is_none_or(|(last, _)| last != oid) {
            indexes.push((oid.clone(), Index { unique: unique == "true", columns: Vec::new() }));
        }
        if let Some((_, index)) = indexes.last_mut() {
            index.columns.push((name.clone(), by_bytes.as_deref() == Some("true")));
        }
    }
    Ok(indexes.into_iter().map(|(_, index)| index).collect())
}
