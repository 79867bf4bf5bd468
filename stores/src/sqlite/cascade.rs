//! Foreign keys that take rows of other tables along with a delete, or leave them alone without their parent. Children
//! go only where the plan names them, so a delete that would reach some is refused, as it would be if the key had no
//! action.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::schema::TableView;
use rusqlite::{CachedStatement, Connection};

use super::classify::classify;
use super::schema::all;
use super::sql;

type Result<T> = std::result::Result<T, StoreError>;

/// Asks for each key that is to go whether it has children that would be harmed.
pub struct Guard<'a> {
    child: String,
    statement: CachedStatement<'a>,
}

struct Link {
    child: String,
    /// Of the child's foreign keys.
    number: i64,
    column: String,
    parent_column: String,
}

/// Foreign keys of others with an action. On a cycle nothing is in force, so there all keys count, but for those of
/// tables that are on the cycle themselves: their rows may be waiting to go as well.
const LINKS: &str = "WITH RECURSIVE above(name) AS (
       SELECT lower(?1) UNION SELECT lower(f.\"table\") FROM above, pragma_foreign_key_list(above.name) f)
     SELECT m.name, f.id, f.\"from\",
       coalesce(f.\"to\", (SELECT name FROM pragma_table_info(f.\"table\") WHERE pk = f.seq + 1))
     FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
     WHERE m.type = 'table' AND lower(f.\"table\") = lower(?1)";
const WITH_ACTION: &str = " AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT')";
const BESIDE_THE_CYCLE: &str = " AND lower(m.name) NOT IN (SELECT name FROM above)";
const IN_ORDER: &str = " ORDER BY m.name, f.id, f.seq";

/// The guards of a table, to be asked before its rows go.
pub fn guards<'a>(connection: &'a Connection, view: &TableView) -> Result<Vec<Guard<'a>>> {
    let which = if view.in_cycle { BESIDE_THE_CYCLE } else { WITH_ACTION };
    let links: Vec<Link> = all(connection, &format!("{LINKS}{which}{IN_ORDER}"), &view.table.name, |row| {
        Ok(Link { child: row.get(0)?, number: row.get(1)?, column: row.get(2)?, parent_column: row.get(3)? })
    })?;
    links
        .chunk_by(|a, b| (&a.child, a.number) == (&b.child, b.number))
        .map(|links| {
            let own = sql::quoted_list(links.iter().map(|link| link.column.as_str()));
            let parents = sql::quoted_list(links.iter().map(|link| link.parent_column.as_str()));
            let text = format!(
                "SELECT 1 FROM {} WHERE ({own}) IN (SELECT {parents} FROM {}{}) LIMIT 1",
                sql::quoted(&links[0].child),
                sql::table(view),
                sql::has_key(view)
            );
            let statement = connection.prepare_cached(&text).map_err(|error| classify(error, "write"))?;
            Ok(Guard { child: links[0].child.clone(), statement })
        })
        .collect()
}

impl Guard<'_> {
    /// Fails where rows refer to this one.
    pub fn refuse_orphans(&mut self, view: &TableView, key: &Key) -> Result<()> {
        sql::bind_key(&mut self.statement, view, key, 0)?;
        let mut rows = self.statement.raw_query();
        let found = rows.next().map_err(|error| classify(error, "write"))?.is_some();
        if !found {
            return Ok(());
        }
        let message = format!("rows of {} refer to this one, and would be deleted or changed with it", self.child);
        Err(StoreError::new(Kind::Constraint, "write", message))
    }
}
