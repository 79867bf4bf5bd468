//! The log of changes: a table beside the tracked one, written by triggers for each row.
//!
//! Triggers for each row also fire where a subscription applies changes, and on partitions; they are set to fire always,
//! so that `session_replication_role` does not silence them. Their conditions name the key's columns, so that those
//! cannot be dropped while every write would fail for it.
//!
//! Numbers are given before transactions commit, so a log is never read "from a number on": a snapshot sees whole
//! transactions, and what it saw is forgotten by the snapshot itself.

use rowsync_engine::change_log::{LogPage, LogStanding, log_name};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Result;

use super::copy::{Flow, copy_out};
use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::read::Fields;
use super::select::ViewSql;

/// Names of one log and its triggers, as SQL.
struct Names {
    table: String,
    log: String,
    /// Of the triggers, and of all relations that are one.
    writes: String,
    deletes: String,
    truncates: String,
}

impl Names {
    fn new(view: &TableView, owner: &str) -> Names {
        let log = log_name(&view.table, owner);
        let trigger = |letter: &str| identifier(&format!("{}_{letter}", log.name));
        Names {
            table: table(&view.table),
            log: table(&log),
            writes: trigger("w"),
            deletes: trigger("d"),
            truncates: trigger("t"),
        }
    }
}

fn key_names(view: &TableView) -> impl Iterator<Item = String> {
    view.key_columns().iter().map(|column| identifier(&column.column.name))
}

/// The key's columns of a row.
fn key_of(row: &str, view: &TableView) -> String {
    key_names(view).map(|name| format!("{row}.{name}")).collect::<Vec<_>>().join(", ")
}

pub async fn install(lease: &mut Lease, view: &TableView, owner: &str) -> Result<Vec<String>> {
    let names = Names::new(view, owner);
    let partitions = partitions(lease, view, &names).await?;
    lease.execute(&format!("BEGIN READ WRITE; {}", removal(&names, &partitions))).await?;
    lease.execute(&installation(view, &names, &partitions)).await?;
    lease.execute("COMMIT").await?;
    Ok(Vec::new())
}

/// The partitions of the table; TRUNCATE of one of them fires no trigger of the whole.
async fn partitions(lease: &mut Lease, view: &TableView, names: &Names) -> Result<Vec<String>> {
    let name = text_literal(&names.table);
    let statement = format!(
        "SELECT c.relkind::text, (SELECT count(*) FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)::text, \
         (SELECT json_agg(p.relid::regclass::text ORDER BY p.relid) FROM pg_catalog.pg_partition_tree(c.oid) p \
          WHERE p.relid <> c.oid)::text FROM pg_catalog.pg_class c WHERE c.oid = {name}::regclass"
    );
    let rows = lease.texts(&statement).await?;
    let [row] = rows.as_slice() else { return Err(super::schema::unexpected()) };
    let refused = |what: &str| {
        let message = format!("{what} cannot be tracked by triggers; set `change_tracking` to `modify_time` for it");
        Err(StoreError::new(Kind::Forbidden, "track", message).at(&view.table))
    };
    match (row[0].as_deref(), row[1].as_deref(), row[2].as_deref()) {
        (Some("p"), _, Some(partitions)) => super::schema::names(partitions),
        (Some("p"), ..) => Ok(Vec::new()),
        (Some("r"), Some("0"), _) => Ok(Vec::new()),
        (Some("r"), ..) => refused("a table with heirs that are no partitions"),
        _ => refused("what is no table"),
    }
}

fn removal(names: &Names, partitions: &[String]) -> String {
    let Names { table, log, writes, deletes, truncates } = names;
    let mut statements: Vec<String> =
        partitions.iter().map(|partition| format!("DROP TRIGGER IF EXISTS {truncates} ON {partition}")).collect();
    statements
        .extend([writes, deletes, truncates].map(|trigger| format!("DROP TRIGGER IF EXISTS {trigger} ON {table}")));
    statements.push(format!("DROP FUNCTION IF EXISTS {log}()"));
    statements.push(format!("DROP TABLE IF EXISTS {log}"));
    statements.join("; ")
}

fn installation(view: &TableView, names: &Names, partitions: &[String]) -> String {
    let Names { table, log, writes, deletes, truncates } = names;
    let columns: Vec<String> = view
        .key_columns()
        .iter()
        .map(|column| format!("{} {}", identifier(&column.column.name), column.column.declared))
        .collect();
    let (columns, keys) = (columns.join(", "), key_names(view).collect::<Vec<_>>().join(", "));
    let (new, old) = (key_of("NEW", view), key_of("OLD", view));
    let known = |row: &str| {
        let any = key_names(view).map(|name| format!("({row}.{name} IS NULL OR {row}.{name} IS NOT NULL)"));
        any.collect::<Vec<_>>().join(" AND ")
    };
    let (knows_new, knows_old) = (known("NEW"), known("OLD"));
    // It writes for whoever changes the table, who need not have any right to the log.
    let body = format!(
        "BEGIN IF TG_OP = 'INSERT' THEN INSERT INTO {log} (rowsync_op, {keys}) VALUES ('I', {new}); \
         ELSIF TG_OP = 'UPDATE' THEN INSERT INTO {log} (rowsync_op, {keys}) VALUES ('U', {new}); \
         IF record_image_ne(ROW({new}), ROW({old})) THEN INSERT INTO {log} (rowsync_op, {keys}) VALUES ('D', {old}); END IF; \
         ELSIF TG_OP = 'DELETE' THEN INSERT INTO {log} (rowsync_op, {keys}) VALUES ('D', {old}); \
         ELSE INSERT INTO {log} (rowsync_op) VALUES ('T'); END IF; RETURN NULL; END"
    );
    let mut statements = vec![
        format!(
            "CREATE TABLE {log} (rowsync_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
             rowsync_xid bigint NOT NULL DEFAULT txid_current(), rowsync_op \"char\" NOT NULL, {columns})"
        ),
        format!("COMMENT ON TABLE {log} IS 'changes for rowsync, made and removed by rowsync track'"),
        format!(
            "CREATE FUNCTION {log}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp AS {}",
            text_literal(&body)
        ),
        format!("REVOKE ALL ON FUNCTION {log}() FROM PUBLIC"),
        format!(
            "CREATE TRIGGER {writes} AFTER INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({knows_new}) \
             EXECUTE FUNCTION {log}()"
        ),
        format!(
            "CREATE TRIGGER {deletes} AFTER DELETE ON {table} FOR EACH ROW WHEN ({knows_old}) \
             EXECUTE FUNCTION {log}()"
        ),
    ];
    for member in partitions.iter().chain([table]) {
        statements.push(format!(
            "CREATE TRIGGER {truncates} AFTER TRUNCATE ON {member} FOR EACH STATEMENT EXECUTE FUNCTION {log}()"
        ));
        statements.push(format!("ALTER TABLE {member} ENABLE ALWAYS TRIGGER {truncates}"));
    }
    statements.extend([writes, deletes].map(|trigger| format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")));
    statements.join("; ")
}

pub async fn remove(lease: &mut Lease, view: &TableView, owner: &str) -> Result<bool> {
    let names = Names::new(view, owner);
    let there = lease.texts(&format!("SELECT to_regclass({})::text", text_literal(&names.log))).await?;
    let partitions = partitions(lease, view, &names).await.unwrap_or_default();
    lease.execute(&format!("BEGIN READ WRITE; {}; COMMIT", removal(&names, &partitions))).await?;
    Ok(there.first().is_some_and(|row| row[0].is_some()))
}

/// By the snapshot that saw them. A number of a transaction is the one of the whole, whatever savepoints it had.
pub async fn acknowledge(lease: &mut Lease, view: &TableView, owner: &str, through: &str) -> Result<()> {
    let names = Names::new(view, owner);
    let statement = format!(
        "BEGIN READ WRITE; DELETE FROM {} WHERE txid_visible_in_snapshot(rowsync_xid, {}::txid_snapshot); COMMIT",
        names.log,
        text_literal(through)
    );
    lease.execute(&statement).await.map(drop)
}

/// What would have to change with the table, its columns, its triggers or the log: their numbers, and the transactions
/// that last wrote them into the catalog.
fn mark(names: &Names) -> String {
    let (table, log) = (text_literal(&names.table), text_literal(&names.log));
    let triggers = format!("{}, {}, {}", unquoted(&names.writes), unquoted(&names.deletes), unquoted(&names.truncates));
    format!(
        "SELECT md5(concat_ws('/', \
         (SELECT string_agg(t.oid::text, ',' ORDER BY t.oid) FROM tree t), \
         (SELECT string_agg(concat_ws(':', a.attrelid, a.attnum, a.atttypid, a.atttypmod, a.xmin), ',' ORDER BY a.attrelid, a.attnum) \
          FROM pg_catalog.pg_attribute a JOIN tree t ON t.oid = a.attrelid WHERE a.attnum > 0), \
         (SELECT string_agg(concat_ws(':', g.oid, g.xmin, g.tgenabled), ',' ORDER BY g.oid) \
          FROM pg_catalog.pg_trigger g JOIN tree t ON t.oid = g.tgrelid WHERE g.tgname IN ({triggers})), \
         (SELECT string_agg(concat_ws(':', e.oid, e.enumlabel), ',' ORDER BY e.oid) FROM pg_catalog.pg_enum e \
          JOIN pg_catalog.pg_attribute a ON a.atttypid = e.enumtypid JOIN tree t ON t.oid = a.attrelid), \
         (SELECT concat_ws(':', c.oid, c.relfilenode) FROM pg_catalog.pg_class c WHERE c.oid = {log}::regclass), \
         (SELECT concat_ws(':', p.oid, p.xmin) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_trigger g ON g.tgfoid = p.oid \
          WHERE g.tgrelid = {table}::regclass AND g.tgname = {})))",
        unquoted(&names.writes)
    )
}

/// A trigger's name as a text.
fn unquoted(name: &str) -> String {
    text_literal(&name[1..name.len() - 1].replace("\"\"", "\""))
}

pub async fn standing(mut lease: Lease, view: &TableView, owner: &str) -> Result<Option<LogStanding>> {
    let names = Names::new(view, owner);
    let (table, log) = (text_literal(&names.table), text_literal(&names.log));
    let there = lease.texts(&format!("SELECT to_regclass({log})::text")).await?;
    if there.first().is_none_or(|row| row[0].is_none()) {
        lease.release();
        return Ok(None);
    }
    let enabled = format!(
        "(SELECT count(*) FROM pg_catalog.pg_trigger g WHERE g.tgrelid = {table}::regclass AND g.tgenabled IN ('O', 'A') \
          AND g.tgname IN ({}, {})) = 2 \
         AND NOT EXISTS (SELECT FROM tree t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g \
          WHERE g.tgrelid = t.oid AND g.tgenabled IN ('O', 'A') AND g.tgname = {}))",
        unquoted(&names.writes),
        unquoted(&names.deletes),
        unquoted(&names.truncates),
    );
    let nulls: Vec<String> = key_names(view).map(|name| format!("{name} IS NULL")).collect();
    let statement = format!(
        "WITH tree(oid) AS (SELECT {table}::regclass::oid UNION SELECT relid FROM pg_catalog.pg_partition_tree({table}::regclass)) \
         SELECT ({}), ({enabled})::text, l.pending::text, l.truncated::text, l.nulls::text, \
         coalesce(pg_sequence_last_value(pg_get_serial_sequence({log}, 'rowsync_id')::regclass), 0)::text, \
         txid_current_snapshot()::text \
         FROM (SELECT count(*) AS pending, coalesce(bool_or(rowsync_op = 'T'), false) AS truncated, \
          coalesce(bool_or(rowsync_op <> 'T' AND ({})), false) AS nulls FROM {}) l",
        mark(&names),
        nulls.join(" OR "),
        names.log,
    );
    let columns = format!(
        "SELECT json_agg(a.attname ORDER BY a.attnum)::text FROM pg_catalog.pg_attribute a \
         WHERE a.attrelid = {log}::regclass AND a.attnum > 3 AND NOT a.attisdropped"
    );
    let columns = lease.texts(&columns).await?;
    let logged = columns.first().and_then(|row| row[0].clone()).unwrap_or_else(|| "[]".into());
    let logged = super::schema::names(&logged)?;
    let wanted: Vec<&String> = view.key_columns().iter().map(|column| &column.column.name).collect();
    if logged.iter().ne(wanted) {
        lease.release();
        let gap = Some("the log names other columns than the key; install it again".to_owned());
        return Ok(Some(LogStanding { mark: String::new(), last: 0, pending: 0, gap, through: String::new() }));
    }
    let rows = lease.texts(&statement).await?;
    lease.release();
    let row: Vec<String> = rows.into_iter().next().unwrap_or_default().into_iter().flatten().collect();
    let [mark, enabled, pending, truncated, nulls, last, through] = row.as_slice() else {
        return Err(super::schema::unexpected());
    };
    let gap = match (enabled.as_str(), truncated.as_str(), nulls.as_str()) {
        ("false", ..) => Some("its triggers are missing or disabled; install them again"),
        (_, "true", _) => Some("the table was truncated"),
        (_, _, "true") => Some("a row has NULL in the key"),
        _ => None,
    };
    Ok(Some(LogStanding {
        mark: mark.clone(),
        last: last.parse().map_err(|_| super::schema::unexpected())?,
        pending: pending.parse().map_err(|_| super::schema::unexpected())?,
        gap: gap.map(str::to_owned),
        through: through.clone(),
    }))
}

/// Keys behind a number, in the order of the log.
pub async fn changes(mut lease: Lease, view: &TableView, owner: &str, after: i64, most: usize) -> Result<LogPage> {
    let sql = ViewSql::new(view);
    let statement = format!(
        "COPY (SELECT {}, rowsync_t.rowsync_id FROM {} AS rowsync_t WHERE rowsync_t.rowsync_id > {after} \
         ORDER BY rowsync_t.rowsync_id LIMIT {most}) TO STDOUT (FORMAT binary)",
        ViewSql::expressions(sql.key_columns()),
        Names::new(view, owner).log,
    );
    let mut fields = Fields::new(sql.key_columns(), view.key_len, &view.table);
    let (mut page, mut row) = (LogPage::default(), Vec::new());
    copy_out(&mut lease, &statement, |tuple| {
        fields.read(&tuple, &mut row)?;
        page.keys.push(Key::from_bytes(&row));
        let number = tuple.field(view.key_len).and_then(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)));
        page.last = Some(number.ok_or_else(super::schema::unexpected)?);
        Ok(Flow::More)
    })
    .await?;
    lease.release();
    Ok(page)
}
