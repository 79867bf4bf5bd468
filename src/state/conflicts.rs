//! The queue of conflicts that a person has to decide about.

use jiff::Timestamp;
use rowsync_actors::memory::Block;
use rowsync_engine::conflict::Conflict as Found;
use rowsync_engine::conflict::ConflictKind;
use rowsync_engine::digest::Digest;
use rowsync_engine::image::Imprint;
use rowsync_engine::key::Key;
use rowsync_engine::three_way::Memory;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::memory::{MemoryOf, keep, keep_digest};
use super::session::Session;
use super::statement::{Row, Statement};
use super::{Place, State, StateError};

/// A conflict as it is kept, for the owner of the data.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Conflict {
    pub id: i64,
    pub table: String,
    #[schema(value_type = Object)]
    pub key: Value,
    /// `both_changed`, `both_inserted`, `source_deleted` or `target_deleted`.
    pub kind: String,
    /// The columns that both sides changed, where those are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub columns: Vec<String>,
    /// The rows as both sides had them when they were looked at last; null where a side deleted it.
    #[schema(value_type = Option<Object>, required = true)]
    pub source: Option<Value>,
    #[schema(value_type = Option<Object>, required = true)]
    pub target: Option<Value>,
    /// `waiting`, `resolved` or `gone`.
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// What was written by that; none where the row was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub written: Option<Value>,
    pub found_at: String,
    /// When a row of it was last seen to be another one, or it was decided.
    pub changed_at: String,
    pub first_execution_id: String,
    pub execution_id: String,
    #[serde(skip)]
    pub key_bytes: Key,
    #[serde(skip)]
    pub seen: (Option<Imprint>, Option<Imprint>),
}

/// Which conflicts of a sync are asked for, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct ConflictFilter {
    pub status: Option<String>,
    /// Only those behind this number.
    pub after: i64,
}

/// A conflict as a merge found it, with what is shown of it.
pub struct Shown {
    pub found: Found,
    pub key: Value,
    pub columns: Vec<String>,
    pub source: Option<Value>,
    pub target: Option<Value>,
    pub seen: (Option<Imprint>, Option<Imprint>),
}

/// What a merge keeps in one step.
#[derive(Default)]
pub struct MergeStep {
    pub blocks: Vec<(Block, Memory)>,
    pub digests: Vec<(u64, Digest)>,
    pub waiting: Vec<Shown>,
    pub closed: Vec<Key>,
    pub resolved: Option<Resolved>,
}

/// What a person decided about a conflict.
pub struct Resolved {
    pub id: i64,
    /// `source`, `target` or `row`.
    pub resolution: &'static str,
    /// As it was written; none where it was deleted, or values are not to be kept.
    pub written: Option<Value>,
}

/// Whether a step was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKept {
    Yes,
    /// Another process has the lease by now, and with it the memory.
    LeaseLost,
}

impl State {
    /// Keeps a step of a merge, unless another execution has the lease.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn keep_merge_step(
        &self,
        of: &MemoryOf,
        execution_id: &str,
        step: &MergeStep,
        now: Timestamp,
    ) -> Result<StepKept, StateError> {
        self.write_merge_step(of, execution_id, step, now).await.map_err(|error| self.error(error))
    }

    async fn write_merge_step(
        &self,
        of: &MemoryOf,
        execution_id: &str,
        step: &MergeStep,
        now: Timestamp,
    ) -> Result<StepKept, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        // Locked, so that nobody takes it before this is committed.
        let sql = "update sync_leases set until = until where sync = $1 and ends = $2 and execution_id = $3";
        let lock = Statement::new(sql).bind(&of.place.sync).bind(&of.place.ends).bind(execution_id);
        if transaction.execute(lock).await? == 0 {
            return Ok(StepKept::LeaseLost);
        }
        for (block, rows) in &step.blocks {
            keep(&mut transaction, of, block, rows).await?;
        }
        for (block, digest) in &step.digests {
            keep_digest(&mut transaction, of, *block, digest).await?;
        }
        for conflict in &step.waiting {
            wait(&mut transaction, of, execution_id, conflict, now).await?;
        }
        for key in &step.closed {
            close(&mut transaction, of, execution_id, key, now).await?;
        }
        if let Some(resolved) = &step.resolved {
            resolve(&mut transaction, execution_id, resolved, now).await?;
        }
        transaction.commit().await?;
        Ok(StepKept::Yes)
    }

    /// The conflicts of a sync, table by table; those that are decided only where `all` says so.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn conflicts(&self, place: &Place, all: bool) -> Result<Vec<Conflict>, StateError> {
        let which = if all { "" } else { "and status = 'waiting'" };
        let sql = format!("select * from sync_conflicts where sync = $1 and ends = $2 {which} order by table_name, id");
        let rows = self.fetch(Statement::new(sql).bind(&place.sync).bind(&place.ends)).await?;
        rows.iter().map(conflict_of).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    /// The first conflicts of a sync that a filter lets through.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn conflicts_like(
        &self,
        place: &Place,
        filter: &ConflictFilter,
        count_max: usize,
    ) -> Result<Vec<Conflict>, StateError> {
        let which = filter.status.as_ref().map_or("", |_| "and status = $4");
        let sql = format!(
            "select * from sync_conflicts where sync = $1 and ends = $2 and id > $3 {which} order by id limit {count_max}"
        );
        let select = Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(filter.after);
        let rows = self.fetch(filter.status.iter().fold(select, Statement::bind)).await?;
        rows.iter().map(conflict_of).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    /// How many conflicts of a sync wait.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn conflicts_waiting(&self, place: &Place) -> Result<i64, StateError> {
        let sql = "select count(*) as waiting from sync_conflicts where sync = $1 and ends = $2 and status = 'waiting'";
        let rows = self.fetch(Statement::new(sql).bind(&place.sync).bind(&place.ends)).await?;
        rows.first().map_or(Ok(0), |row| row.get("waiting")).map_err(|error| self.error(error))
    }

    /// One conflict of a sync.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn conflict(&self, place: &Place, id: i64) -> Result<Option<Conflict>, StateError> {
        let sql = "select * from sync_conflicts where sync = $1 and ends = $2 and id = $3";
        let rows = self.fetch(Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(id)).await?;
        rows.first().map(conflict_of).transpose().map_err(|error| self.error(error))
    }

    /// The keys of a table's rows that wait.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn waiting_keys(&self, of: &MemoryOf) -> Result<Vec<Key>, StateError> {
        let sql = "select key from sync_conflicts
            where sync = $1 and ends = $2 and table_name = $3 and status = 'waiting'";
        let select = Statement::new(sql).bind(&of.place.sync).bind(&of.place.ends).bind(&of.table);
        let key = |row: &Row| Ok(Key::from_bytes(&row.get::<Vec<u8>>("key")?));
        self.fetch(select).await?.iter().map(key).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }
}

/// Enters a conflict, or what has changed about a known one.
async fn wait(
    transaction: &mut Session,
    of: &MemoryOf,
    execution_id: &str,
    conflict: &Shown,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let Shown { found, key, columns, source, target, seen } = conflict;
    let imprint = |imprint: &Option<Imprint>| imprint.map(Vec::from).unwrap_or_default();
    let sql =
        "insert into sync_conflicts (id, sync, ends, table_name, key, key_json, kind, columns, source_row, target_row,
            source_imprint, target_imprint, status, found_at, changed_at, first_execution_id, execution_id)
        values ((select coalesce(max(id), 0) + 1 from sync_conflicts), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
            'waiting', $12, $12, $13, $13)
        on conflict (sync, ends, table_name, key) where status = 'waiting' do update set kind = excluded.kind,
            columns = excluded.columns, source_row = excluded.source_row, target_row = excluded.target_row,
            changed_at = case when sync_conflicts.source_imprint = excluded.source_imprint
                and sync_conflicts.target_imprint = excluded.target_imprint
                then sync_conflicts.changed_at else excluded.changed_at end,
            source_imprint = excluded.source_imprint, target_imprint = excluded.target_imprint,
            execution_id = excluded.execution_id";
    let json = |row: &Option<Value>| row.as_ref().map(ToString::to_string);
    let insert = Statement::new(sql)
        .bind(&of.place.sync)
        .bind(&of.place.ends)
        .bind(&of.table)
        .bind(found.key.as_bytes())
        .bind(key.to_string())
        .bind(found.kind.name())
        .bind(Value::from(columns.clone()).to_string())
        .bind(json(source))
        .bind(json(target))
        .bind(imprint(&seen.0).as_slice())
        .bind(imprint(&seen.1).as_slice())
        .bind(now.to_string())
        .bind(execution_id);
    transaction.execute(insert).await.map(drop)
}

/// The row is in conflict no more, and nobody decided that here.
async fn close(
    transaction: &mut Session,
    of: &MemoryOf,
    execution_id: &str,
    key: &Key,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "update sync_conflicts set status = 'gone', changed_at = $1, execution_id = $2
        where sync = $3 and ends = $4 and table_name = $5 and key = $6 and status = 'waiting'";
    let update = Statement::new(sql).bind(now.to_string()).bind(execution_id);
    let update = update.bind(&of.place.sync).bind(&of.place.ends).bind(&of.table).bind(key.as_bytes());
    transaction.execute(update).await.map(drop)
}

async fn resolve(
    transaction: &mut Session,
    execution_id: &str,
    resolved: &Resolved,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "update sync_conflicts set status = 'resolved', resolution = $1, written_row = $2, changed_at = $3,
        execution_id = $4 where id = $5";
    let update = Statement::new(sql)
        .bind(resolved.resolution)
        .bind(resolved.written.as_ref().map(ToString::to_string))
        .bind(now.to_string())
        .bind(execution_id)
        .bind(resolved.id);
    transaction.execute(update).await.map(drop)
}

fn conflict_of(row: &Row) -> Result<Conflict, sqlx::Error> {
    let json = |text: String| serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()));
    let row_of = |column| row.get::<Option<String>>(column)?.map(json).transpose();
    let imprint = |column| Ok::<_, sqlx::Error>(Imprint::try_from(row.get::<Vec<u8>>(column)?.as_slice()).ok());
    let columns: Value = json(row.get("columns")?)?;
    let kind: String = row.get("kind")?;
    debug_assert!(ConflictKind::ALL.iter().any(|known| known.name() == kind));
    Ok(Conflict {
        id: row.get("id")?,
        table: row.get("table_name")?,
        key: json(row.get("key_json")?)?,
        kind,
        columns: columns.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
        source: row_of("source_row")?,
        target: row_of("target_row")?,
        status: row.get("status")?,
        resolution: row.get("resolution")?,
        written: row_of("written_row")?,
        found_at: row.get("found_at")?,
        changed_at: row.get("changed_at")?,
        first_execution_id: row.get("first_execution_id")?,
        execution_id: row.get("execution_id")?,
        key_bytes: Key::from_bytes(&row.get::<Vec<u8>>("key")?),
        seen: (imprint("source_imprint")?, imprint("target_imprint")?),
    })
}
