//! Changes of one table in one transaction: keys to delete, then rows to update, then rows to insert.

use std::sync::Arc;

use async_trait::async_trait;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::derived::refuse_lossy;
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::TableView;
use rowsync_engine::sightings::Mark;
use rowsync_engine::store::{Result, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use super::cascade::{Cascade, cascades, refuse_orphans};
use super::copy::{Copied, copy_in};
use super::link::{Lease, Link};
use super::literal::{identifier, identifiers, table};
use super::mark::{all_hit, written_before};
use super::park::parking;
use super::read::locked_rows_by_key;
use super::rows::RowEncoder;
use super::select::ViewSql;
use super::stage::Stage;

/// Most keys in one DELETE.
const KEYS_A_STATEMENT: usize = 1_000;

pub struct Writing {
    lease: Lease,
    view: Arc<TableView>,
    stage: Stage,
    /// Looked up before the first delete.
    cascades: Option<Vec<Cascade>>,
    /// Set while a write is under way, and so for good when it failed or was abandoned: PostgreSQL answers the COMMIT of
    /// a failed transaction with a quiet rollback.
    broken: bool,
    _room: Option<OwnedSemaphorePermit>,
}

impl Writing {
    pub async fn begin(link: &Link, view: &Arc<TableView>) -> Result<Writing> {
        Writing::begin_on(link.lease("write").await?, view, None).await
    }

    /// With the room that it takes among the connections.
    pub async fn begin_beside(
        link: &Link,
        view: &Arc<TableView>,
        room: OwnedSemaphorePermit,
    ) -> Result<Option<Writing>> {
        let Some(lease) = link.ready("write") else { return Ok(None) };
        Writing::begin_on(lease, view, Some(room)).await.map(Some)
    }

    async fn begin_on(mut lease: Lease, view: &Arc<TableView>, room: Option<OwnedSemaphorePermit>) -> Result<Writing> {
        // On a cycle of foreign keys rows refer to rows that come later; constraints that can wait do so.
        let deferred = if view.in_cycle { "; SET CONSTRAINTS ALL DEFERRED" } else { "" };
        lease.execute(&format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE{deferred}")).await?;
        let (stage, view) = (Stage::new(view), Arc::clone(view));
        Ok(Writing { lease, stage, cascades: None, view, broken: false, _room: room })
    }

    async fn apply(&mut self, changes: &Changes) -> Result<Applied> {
        refuse_lossy(&self.view, changes)?;
        let mut applied = Applied::default();
        for keys in changes.deletes.chunks(KEYS_A_STATEMENT) {
            applied += self.delete(keys, changes.since()).await?;
        }
        if !changes.updates.is_empty() {
            applied +=
                self.update(&changes.updates, changes.since()).await.map_err(|e| behind(e, changes.deletes.len()))?;
        }
        if !changes.inserts.is_empty() {
            let before = changes.deletes.len() + changes.updates.len();
            applied += self.insert(&changes.inserts).await.map_err(|e| behind(e, before))?;
        }
        Ok(applied)
    }

    async fn delete(&mut self, keys: &[Key], since: Option<Mark>) -> Result<Applied> {
        let sql = ViewSql::new(&self.view);
        self.refuse_orphans(&sql, keys).await?;
        let names: Vec<String> = (0..self.view.key_len).map(|index| format!("rowsync_k{index}")).collect();
        let statement = format!(
            "DELETE FROM {} USING (VALUES {}) rowsync_keys({}) WHERE {}{}{}",
            sql.unfiltered,
            sql.key_rows(keys)?,
            names.join(", "),
            sql.key_equals(names.iter().map(|name| format!("rowsync_keys.{name}"))),
            sql.also,
            since.map(written_before).unwrap_or_default(),
        );
        let deleted = self.lease.execute(&statement).await?;
        all_hit(since, deleted, keys.len())?;
        Ok(Applied { deleted, queries: 1, bytes_written: statement.len() as u64, ..Applied::default() })
    }

    async fn refuse_orphans(&mut self, sql: &ViewSql, keys: &[Key]) -> Result<()> {
        let cascades = match self.cascades.take() {
            Some(known) => known,
            None => cascades(&mut self.lease, &self.view).await?,
        };
        refuse_orphans(&mut self.lease, sql, self.view.key_len, keys, &cascades).await?;
        self.cascades = Some(cascades);
        Ok(())
    }

    async fn update(&mut self, rows: &RowPage, since: Option<Mark>) -> Result<Applied> {
        if self.view.columns.len() == self.view.key_len {
            return Ok(Applied::default());
        }
        let mut applied = self.stage.fill(&mut self.lease, &self.view, rows).await?;
        let update = self.stage.update(&self.view, since);
        applied.updated = match self.lease.execute(&format!("SAVEPOINT rowsync_update; {update}")).await {
            // Rows that were parked are ours; whether they were somebody else's before can only be told by reading them.
            Err(error) if error.kind == Kind::Duplicate && rows.len() > 1 && since.is_none() => {
                self.update_parked(&update, error).await?
            }
            updated => updated?,
        };
        all_hit(since, applied.updated, rows.len())?;
        applied.queries += 1;
        Ok(applied)
    }

    /// The update again, with the unique values of its rows out of the way.
    async fn update_parked(&mut self, update: &str, error: StoreError) -> Result<u64> {
        self.lease.execute("ROLLBACK TO SAVEPOINT rowsync_update").await?;
        let Some(park) = parking(&mut self.lease, &self.view, &self.stage).await? else { return Err(error) };
        match self.lease.execute(&park).await {
            // What was in the way is told rather than why it could not be moved.
            Err(refused) if refused.class() == Class::Data => Err(error),
            parked => {
                parked?;
                self.lease.execute(update).await
            }
        }
    }

    async fn insert(&mut self, rows: &RowPage) -> Result<Applied> {
        if rows.form == Form::Fields && (self.stage.spells() || !self.view.given.is_empty()) {
            let mut applied = self.stage.fill(&mut self.lease, &self.view, rows).await?;
            applied.inserted = self.lease.execute(&self.stage.insert(&self.view)).await?;
            applied.queries += 1;
            return Ok(applied);
        }
        let columns = identifiers(self.view.columns.iter().map(|column| column.column.name.as_str()));
        let statement = format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", table(&self.view.table));
        let copied = match rows.form {
            Form::Fields => copy_rows(&mut self.lease, &statement, rows, RowEncoder::new(&self.view)).await?,
            Form::Raw => copy_tuples(&mut self.lease, &statement, rows).await?,
        };
        Ok(Applied { inserted: copied.rows, bytes_written: copied.bytes, queries: 1, ..Applied::default() })
    }
}

/// Rows of fields, encoded one by one.
pub async fn copy_rows(lease: &mut Lease, statement: &str, rows: &RowPage, mut encoder: RowEncoder) -> Result<Copied> {
    let mut left = rows.rows().enumerate();
    copy_in(lease, statement, move |out| {
        let Some((place, row)) = left.next() else { return Ok(None) };
        encoder.encode(row, out).map_err(|e| e.placed(place))?;
        Ok(Some(&[]))
    })
    .await
}

/// Tuples as another server of the same version sent them.
async fn copy_tuples(lease: &mut Lease, statement: &str, rows: &RowPage) -> Result<Copied> {
    let mut left = rows.rows();
    copy_in(lease, statement, move |_| Ok(left.next())).await
}

#[async_trait]
impl Transaction for Writing {
    async fn before(&mut self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        if self.broken {
            return Err(failed_before(&self.view));
        }
        self.broken = true;
        let page = locked_rows_by_key(&mut self.lease, view, keys).await.map_err(|e| e.at(&self.view.table))?;
        self.broken = false;
        Ok(page)
    }

    /// Not by TRUNCATE, for which readers would wait.
    async fn clear(&mut self) -> Result<u64> {
        if self.broken {
            return Err(failed_before(&self.view));
        }
        self.broken = true;
        let sql = ViewSql::new(&self.view);
        let statement = format!("DELETE FROM {} WHERE true{}", sql.unfiltered, sql.also);
        let deleted = self.lease.execute(&statement).await.map_err(|e| as_write(e).at(&self.view.table))?;
        self.broken = false;
        Ok(deleted)
    }

    async fn write(&mut self, changes: Arc<Changes>) -> Result<Applied> {
        if self.broken {
            return Err(failed_before(&self.view));
        }
        self.broken = true;
        let applied = self.apply(&changes).await.map_err(|e| as_write(e).at(&self.view.table))?;
        self.broken = false;
        Ok(applied)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Writing { mut lease, view, broken, .. } = *self;
        if broken {
            return Err(failed_before(&view));
        }
        lease.execute("COMMIT").await.map_err(|e| e.at(&view.table))?;
        lease.release();
        Ok(())
    }
}

fn failed_before(view: &TableView) -> StoreError {
    StoreError::new(Kind::Bug, "write", "the transaction has failed before").at(&view.table)
}

/// The place of a row among its own, counted among all changes of the set.
fn behind(error: StoreError, before: usize) -> StoreError {
    StoreError { place: error.place.map(|place| place + before), ..error }
}

/// Keys are turned into SQL by the code that reads.
fn as_write(error: StoreError) -> StoreError {
    StoreError { operation: "write", ..error }
}

/// `"column"` of the staging table, cast where it holds the text of it.
pub fn staged(column: &str, declared: Option<&str>) -> String {
    match declared {
        Some(declared) => format!("rowsync_s.{}::{declared}", identifier(column)),
        None => format!("rowsync_s.{}", identifier(column)),
    }
}
