//! The log of changes: a table beside the tracked one, written by triggers.
//!
//! A file has one writer at a time, so numbers come in the order of commits and a snapshot sees all up to some number.
//! Rows that REPLACE removes fire no delete trigger. Those of the same key are logged as the row that comes; those that
//! stood in its way by another unique index are looked up before.

use rowsync_engine::change_log::{LogPage, LogStanding, log_name};
use rowsync_engine::error::StoreError;
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::TableView;
use rusqlite::{Connection, OptionalExtension};
use xxhash_rust::xxh3::xxh3_64;

use super::classify::classify;
use super::index::{Index, indexes};
use super::read::{RowReader, failed as failed_read};
use super::schema::{all, describe};
use super::sql::{quoted, quoted_list};

type Result<T> = std::result::Result<T, StoreError>;

fn failed(error: rusqlite::Error) -> StoreError {
    classify(error, "track")
}

struct Log<'a> {
    view: &'a TableView,
    name: String,
}

/// A trigger's name and the statement that makes it.
type Trigger = (String, String);

impl<'a> Log<'a> {
    fn new(view: &'a TableView, owner: &str) -> Log<'a> {
        Log { view, name: log_name(&view.table, owner).name }
    }

    fn key(&self) -> impl Iterator<Item = &str> {
        self.view.key_columns().iter().map(|column| column.column.name.as_str())
    }

    fn key_of(&self, row: &str) -> String {
        self.key().map(|name| format!("{row}.{}", quoted(name))).collect::<Vec<_>>().join(", ")
    }

    /// The statement that logs a key, in a trigger.
    fn logs(&self, operation: char, what: &str) -> String {
        let (log, keys) = (quoted(&self.name), quoted_list(self.key()));
        format!("INSERT INTO {log} (rowsync_op, {keys}) SELECT '{operation}', {what};")
    }

    fn trigger(&self, letter: &str, when: &str, body: &str) -> Trigger {
        let (name, table) = (format!("{}_{letter}", self.name), quoted(&self.view.table.name));
        (name.clone(), format!("CREATE TRIGGER {} {when} ON {table} BEGIN {body} END", quoted(&name)))
    }

    fn triggers(&self, connection: &Connection) -> Result<Vec<Trigger>> {
        let (new, old) = (self.key_of("NEW"), self.key_of("OLD"));
        let differs: Vec<String> =
            self.key().map(|name| format!("OLD.{0} COLLATE BINARY IS NOT NEW.{0}", quoted(name))).collect();
        let moved = self.logs('D', &format!("{old} WHERE {}", differs.join(" OR ")));
        let mut triggers = vec![
            self.trigger("i", "AFTER INSERT", &self.logs('I', &new)),
            self.trigger("u", "AFTER UPDATE", &format!("{} {moved}", self.logs('U', &new))),
            self.trigger("d", "AFTER DELETE", &self.logs('D', &old)),
        ];
        let displaced = self.displaced(connection)?;
        if !displaced.is_empty() {
            let logs = |more: &str| {
                let table = quoted(&self.view.table.name);
                let log = |equal: &String| {
                    self.logs('R', &format!("{} FROM {table} AS t WHERE {equal}{more}", self.key_of("t")))
                };
                displaced.iter().map(log).collect::<Vec<_>>().join(" ")
            };
            let others = format!(" AND ({}) IS NOT ({old})", self.key_of("t"));
            triggers.push(self.trigger("ri", "BEFORE INSERT", &logs("")));
            triggers.push(self.trigger("ru", "BEFORE UPDATE", &logs(&others)));
        }
        Ok(triggers)
    }

    /// For each way in which a row may stand in the way of another one with a different key: what they have in common.
    fn displaced(&self, connection: &Connection) -> Result<Vec<String>> {
        let equal = |columns: &[(String, String)]| {
            let terms = columns
                .iter()
                .map(|(name, collation)| format!("t.{0} = NEW.{0} COLLATE {1}", quoted(name), quoted(collation)));
            terms.collect::<Vec<_>>().join(" AND ")
        };
        let mut ways: Vec<Vec<(String, String)>> = indexes(connection, &self.view.table.name)?
            .iter()
            .filter(|index| index.unique && !index.partial)
            .filter_map(Index::collated_columns)
            .collect();
        let primary_key = describe(connection, &self.view.table)?.map(|table| table.primary_key).unwrap_or_default();
        if ways.iter().all(|way| !way.iter().map(|(name, _)| name).eq(&primary_key)) {
            ways.push(primary_key.into_iter().map(|name| (name, "BINARY".to_owned())).collect());
        }
        ways.retain(|way| !way.is_empty() && !self.is_the_key(way));
        Ok(ways.iter().map(|way| equal(way)).collect())
    }

    /// Rows that are equal in these columns have the same key, byte by byte.
    fn is_the_key(&self, columns: &[(String, String)]) -> bool {
        columns.len() == self.view.key_len
            && columns.iter().all(|(name, collation)| {
                collation.eq_ignore_ascii_case("BINARY") && self.key().any(|key| key.eq_ignore_ascii_case(name))
            })
    }

    fn is_there(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let text = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        Ok(connection.query_row(text, [&self.name], |_| Ok(())).optional()?.is_some())
    }

    /// All triggers of a log of this name, whichever there are.
    fn drop_all(&self, connection: &Connection) -> Result<()> {
        let text =
            "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, length(?1) + 1) = ?1 || '_'";
        let triggers: Vec<String> = all(connection, text, &self.name, |row| row.get(0))?;
        for trigger in triggers {
            connection.execute_batch(&format!("DROP TRIGGER {}", quoted(&trigger))).map_err(failed)?;
        }
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {}", quoted(&self.name))).map_err(failed)
    }
}

/// In one transaction.
fn together<T>(connection: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    // A transaction that is not committed ends with the connection.
    let done = work()?;
    connection.execute_batch("COMMIT").map_err(failed)?;
    Ok(done)
}

pub fn install(connection: &Connection, view: &TableView, owner: &str) -> Result<Vec<String>> {
    let log = Log::new(view, owner);
    let unseen = indexes(connection, &view.table.name)?
        .iter()
        .filter(|index| index.unique && (index.partial || index.column_names().is_none()))
        .count();
    together(connection, || {
        log.drop_all(connection)?;
        let keys = quoted_list(log.key());
        let table = format!(
            "CREATE TABLE {} (rowsync_id INTEGER PRIMARY KEY AUTOINCREMENT, rowsync_op TEXT NOT NULL, {keys})",
            quoted(&log.name)
        );
        connection.execute_batch(&table).map_err(failed)?;
        for (_, statement) in log.triggers(connection)? {
            connection.execute_batch(&statement).map_err(failed)?;
        }
        Ok(())
    })?;
    Ok(match unseen {
        0 => Vec::new(),
        count => vec![format!(
            "rows that REPLACE removes by {count} unique indexes on expressions or with a WHERE are not seen"
        )],
    })
}

pub fn remove(connection: &Connection, view: &TableView, owner: &str) -> Result<bool> {
    let log = Log::new(view, owner);
    let there = log.is_there(connection).map_err(failed)?;
    together(connection, || log.drop_all(connection))?;
    Ok(there)
}

pub fn acknowledge(connection: &Connection, view: &TableView, owner: &str, through: &str) -> Result<()> {
    let log = Log::new(view, owner);
    let text = format!("DELETE FROM {} WHERE rowsync_id <= ?1", quoted(&log.name));
    let through: i64 = through.parse().unwrap_or(0);
    connection.execute(&text, [through]).map_err(failed).map(drop)
}

pub fn standing(connection: &Connection, view: &TableView, owner: &str) -> Result<Option<LogStanding>> {
    let log = Log::new(view, owner);
    if !log.is_there(connection).map_err(failed_read)? {
        return Ok(None);
    }
    let gap = gap(connection, &log)?;
    let last: Option<i64> = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [&log.name], |row| row.get(0))
        .optional()
        .map_err(failed_read)?;
    let last = last.unwrap_or(0);
    let count = format!("SELECT count(*) FROM {}", quoted(&log.name));
    let pending: i64 = connection.query_row(&count, [], |row| row.get(0)).map_err(failed_read)?;
    let mark = mark(connection, &log)?;
    Ok(Some(LogStanding { mark, last, pending: pending.unsigned_abs(), gap, through: last.to_string() }))
}

/// Whether the triggers and the log are those that would be made now, and every change has a key.
fn gap(connection: &Connection, log: &Log<'_>) -> Result<Option<String>> {
    let text = "SELECT name FROM pragma_table_info(?1) WHERE cid > 1 ORDER BY cid";
    let columns: Vec<String> = all(connection, text, &log.name, |row| row.get(0))?;
    if columns.iter().map(String::as_str).ne(log.key()) {
        return Ok(Some("the log names other columns than the key; install it again".into()));
    }
    for (name, statement) in log.triggers(connection)? {
        let text = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1";
        let found: Option<String> =
            connection.query_row(text, [&name], |row| row.get(0)).optional().map_err(failed_read)?;
        if found.as_deref() != Some(statement.as_str()) {
            return Ok(Some(
                "its triggers are missing or were made for another form of the table; install them again".into(),
            ));
        }
    }
    let nulls: Vec<String> = log.key().map(|name| format!("{} IS NULL", quoted(name))).collect();
    let text = format!("SELECT 1 FROM {} WHERE {} LIMIT 1", quoted(&log.name), nulls.join(" OR "));
    let null = connection.query_row(&text, [], |_| Ok(())).optional().map_err(failed_read)?;
    Ok(null.map(|()| "a row has NULL in the key".to_owned()))
}

/// Every change of any table's form counts the schema's version on, also one that drops triggers and makes them again.
fn mark(connection: &Connection, log: &Log<'_>) -> Result<String> {
    let version: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0)).map_err(failed_read)?;
    let text = "SELECT coalesce(sql, '') FROM sqlite_schema WHERE lower(tbl_name) = lower(?1) ORDER BY type, name";
    let parts: Vec<String> = all(connection, text, &log.view.table.name, |row| row.get(0))?;
    Ok(format!("{version}/{:016x}", xxh3_64(parts.join("\n").as_bytes())))
}

pub fn changes(connection: &Connection, view: &TableView, owner: &str, after: i64, most: usize) -> Result<LogPage> {
    let log = Log::new(view, owner);
    let text = format!(
        "SELECT {}, rowsync_id FROM {} WHERE rowsync_id > ?1 ORDER BY rowsync_id LIMIT ?2",
        quoted_list(log.key()),
        quoted(&log.name)
    );
    let mut statement = connection.prepare_cached(&text).map_err(failed_read)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query([after, most]).map_err(failed_read)?;
    let mut keys = RowPage::new(Form::Fields, view.key_len);
    let mut reader = RowReader::new(view.key_len, view.key_columns());
    let mut last = None;
    while let Some(row) = rows.next().map_err(failed_read)? {
        reader.push_within(&mut keys, row, usize::MAX)?;
        last = Some(row.get(view.key_len).map_err(failed_read)?);
    }
    Ok(LogPage { keys: (0..keys.len()).map(|place| keys.key(place)).collect(), last })
}
