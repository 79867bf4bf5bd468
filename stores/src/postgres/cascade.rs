//! Foreign keys that take rows of other tables along with a delete. Children go only where the plan names them, so a
//! delete that would reach some is refused, as it would be if the key had no action.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::schema::{TableName, TableView};

use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::schema::{names, unexpected};
use super::select::ViewSql;

/// A foreign key with ON DELETE CASCADE, SET NULL or SET DEFAULT.
pub struct Cascade {
    constraint: String,
    child: TableName,
    /// Columns of the child, each with the one of the parent that it refers to.
    columns: Vec<(String, String)>,
    /// The children are rows of the same table.
    own: bool,
}

/// Those that refer to a table, or to a partition or an heir of it.
pub async fn cascades(lease: &mut Lease, view: &TableView) -> Result<Vec<Cascade>, StoreError> {
    let name = text_literal(&table(&view.table));
    let columns = |numbers: &str, of: &str| {
        format!(
            "(SELECT json_agg(a.attname ORDER BY u.place)::text FROM unnest({numbers}) WITH ORDINALITY u(number, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = {of} AND a.attnum = u.number)"
        )
    };
    let statement = format!(
        "WITH RECURSIVE tree(oid) AS (SELECT {name}::regclass::oid \
         UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON tree.oid = i.inhparent) \
         SELECT k.conname::text, n.nspname::text, c.relname::text, (k.conrelid IN (SELECT oid FROM tree))::text, {}, {} \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd') AND k.confrelid IN (SELECT oid FROM tree) \
         AND (k.conparentid = 0 OR k.confrelid = {name}::regclass) ORDER BY k.oid",
        columns("k.conkey", "k.conrelid"),
        columns("k.confkey", "k.confrelid"),
    );
    lease.texts(&statement).await?.iter().map(|row| cascade(row)).collect()
}

/// Whether any foreign key refers to a table, or to a partition or an heir of it.
pub async fn is_referenced(lease: &mut Lease, view: &TableView) -> Result<bool, StoreError> {
    let name = text_literal(&table(&view.table));
    let statement = format!(
        "WITH RECURSIVE tree(oid) AS (SELECT {name}::regclass::oid \
         UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON tree.oid = i.inhparent) \
         SELECT 'yes' FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM tree) LIMIT 1"
    );
    Ok(!lease.texts(&statement).await?.is_empty())
}

fn cascade(row: &[Option<String>]) -> Result<Cascade, StoreError> {
    let [Some(constraint), Some(schema), Some(child), Some(own), Some(columns), Some(parents)] = row else {
        return Err(unexpected());
    };
    Ok(Cascade {
        constraint: constraint.clone(),
        child: TableName::in_schema(schema, child),
        columns: names(columns)?.into_iter().zip(names(parents)?).collect(),
        own: own == "true",
    })
}

/// Locks the rows, so that nobody gives them children in the meantime, and fails if one of them has some that do not go
/// with it by these same keys.
pub async fn refuse_orphans(
    lease: &mut Lease,
    sql: &ViewSql,
    key_len: usize,
    keys: &[Key],
    cascades: &[Cascade],
) -> Result<(), StoreError> {
    if cascades.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = (0..key_len).map(|index| format!("rowsync_k{index}")).collect();
    let keys = format!("(VALUES {}) rowsync_keys({})", sql.key_rows(keys)?, names.join(", "));
    let is_key = sql.key_equals(names.iter().map(|name| format!("rowsync_keys.{name}")));
    let lock = format!(
        "SELECT count(*)::text FROM (SELECT FROM {}, {keys} WHERE {is_key} FOR UPDATE OF rowsync_t) rowsync_l",
        sql.unfiltered
    );
    lease.texts(&lock).await?;
    for cascade in cascades {
        if !lease.texts(&cascade.orphans(&sql.unfiltered, &keys, &is_key)).await?.is_empty() {
            return Err(cascade.refused());
        }
    }
    Ok(())
}

impl Cascade {
    /// One row if some child would be taken along.
    fn orphans(&self, parent: &str, keys: &str, is_key: &str) -> String {
        let pairs = self
            .columns
            .iter()
            .map(|(child, parent)| format!("rowsync_c.{} = rowsync_t.{}", identifier(child), identifier(parent)));
        let refers = pairs.collect::<Vec<_>>().join(" AND ");
        // A child in the same table may be among those that are to go.
        let stays = match self.own {
            true => format!(
                " AND NOT EXISTS (SELECT FROM {parent}, {keys} WHERE {is_key} \
                 AND rowsync_t.tableoid = rowsync_c.tableoid AND rowsync_t.ctid = rowsync_c.ctid)"
            ),
            false => String::new(),
        };
        format!(
            "SELECT 'x' FROM {parent}, {keys}, {} AS rowsync_c WHERE {is_key} AND {refers}{stays} LIMIT 1",
            table(&self.child)
        )
    }

    fn refused(&self) -> StoreError {
        let message = format!(
            "rows of {} refer to this one, and would be deleted or changed with it by constraint \"{}\"",
            self.child, self.constraint
        );
        StoreError::new(Kind::Constraint, "write", message)
    }
}
