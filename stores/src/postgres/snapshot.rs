//! A view of the rows: of the moment of each question, or of one moment for all of them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rowsync_engine::change_log::{LogPage, LogStanding};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::StoreError;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Gathered, PageRequest, Result, Snapshot, Survey};
use rowsync_engine::stretch::Stretch;
use rowsync_engine::value::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::classify::classify;
use super::connection::{BEGIN_FROZEN, Door};
use super::link::Link;
use super::survey::Sizes;
use super::walk::Walks;
use super::{digest, log, portable, read, split, stream, stretch, survey};

pub struct Reading {
    link: Arc<Link>,
    sizes: Arc<Sizes>,
    frozen: Option<Frozen>,
}

struct Frozen {
    /// The connection whose transaction exported the snapshot; others can join only while it lives.
    _keeper: Mutex<PgConnection>,
    walks: Walks,
}

impl Reading {
    /// Each answer is of the moment of its question.
    pub fn latest(link: Arc<Link>, sizes: Arc<Sizes>) -> Reading {
        Reading { link, sizes, frozen: None }
    }

    /// All answers are of this moment. It has connections of its own, each of which is born inside the snapshot.
    pub async fn frozen(door: &Door, connections_max: u32, sizes: Arc<Sizes>) -> Result<Reading> {
        let mut keeper = door.open().await?.connection;
        let failed = |e: sqlx::Error| classify("snapshot", &e);
        // One message, since each is a round trip.
        let export = format!("{BEGIN_FROZEN}; SELECT pg_export_snapshot()");
        let row = keeper.fetch_one(sqlx::raw_sql(AssertSqlSafe(export))).await.map_err(failed)?;
        let name: String = row.try_get_unchecked(0).map_err(failed)?;
        let connections = connections_max.saturating_sub(1);
        let link = Arc::new(Link::new(door.joining(&name), connections));
        let frozen = Frozen { _keeper: Mutex::new(keeper), walks: Walks::new(connections) };
        Ok(Reading { link, sizes, frozen: Some(frozen) })
    }
}

/// Errors tell of which table.
async fn of<T>(view: &TableView, answer: impl Future<Output = Result<T>>) -> Result<T> {
    answer.await.map_err(|e: StoreError| e.at(&view.table))
}

#[async_trait]
impl Snapshot for Reading {
    async fn survey(&self, view: &Arc<TableView>, since: Option<&Value>) -> Result<Survey> {
        of(view, async { survey::survey(self.link.lease("survey").await?, view, since).await }).await
    }

    async fn estimate(&self, view: &Arc<TableView>) -> Result<Option<Survey>> {
        if !survey::is_estimated(view) {
            return Ok(None);
        }
        match self.sizes.take(&view.table) {
            Some(size) => Ok(Some(size)),
            None => of(view, async { survey::estimate(self.link.lease("survey").await?, view).await }).await,
        }
    }

    async fn split(&self, view: &Arc<TableView>, ranges: &[KeyRange], rows_per_part: u64) -> Result<Vec<Vec<Key>>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        of(view, async { split::split(self.link.lease("split").await?, view, ranges, rows_per_part).await }).await
    }

    async fn before_last(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Key>> {
        of(view, async { split::before_last(self.link.lease("split").await?, view, rows).await }).await
    }

    async fn newest(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Vec<Key>>> {
        of(view, async { read::newest(self.link.lease("read").await?, view, rows).await }).await
    }

    async fn digests(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        kind: DigestKind,
        salt: u64,
    ) -> Result<Vec<Digest>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let lease = || self.link.lease("digest");
        let answer = async {
            match kind {
                DigestKind::Count => digest::counts(lease().await?, view, ranges).await,
                DigestKind::Server => digest::hashes(lease().await?, view, ranges, salt).await,
                DigestKind::Stream => stream::by_values(lease().await?, view, ranges, salt).await,
                DigestKind::Raw => stream::by_bytes(lease().await?, view, ranges, salt).await,
                DigestKind::Portable => portable::digests(&self.link, view, ranges, salt).await,
            }
        };
        of(view, answer).await
    }

    async fn page(&self, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage> {
        of(view, async {
            if let Some(frozen) = &self.frozen
                && let Some(page) = frozen.walks.page(&self.link, view, request).await?
            {
                return Ok(page);
            }
            read::page(self.link.lease("read").await?, view, request).await
        })
        .await
    }

    async fn gather(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>> {
        let answer = async { read::gather(self.link.lease("read").await?, view, ranges, wanted, bytes_max).await };
        of(view, answer).await
    }

    async fn stretches(&self, view: &Arc<TableView>, bytes_max: usize) -> Result<Vec<Stretch>> {
        of(view, async { stretch::stretches(self.link.lease("read").await?, view, bytes_max).await }).await
    }

    async fn lying_in(&self, view: &Arc<TableView>, part: Stretch, bytes_max: usize) -> Result<Option<RowPage>> {
        of(view, async { stretch::lying_in(self.link.lease("read").await?, view, part, bytes_max).await }).await
    }

    async fn rows_by_key(&self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        of(view, async { read::rows_by_key(self.link.lease("read").await?, view, keys).await }).await
    }

    async fn log(&self, view: &Arc<TableView>, owner: &str) -> Result<Option<LogStanding>> {
        of(view, async { log::standing(self.link.lease("read").await?, view, owner).await }).await
    }

    async fn changes_since(&self, view: &Arc<TableView>, owner: &str, after: i64, changes: usize) -> Result<LogPage> {
        of(view, async { log::changes(self.link.lease("read").await?, view, owner, after, changes).await }).await
    }
}
