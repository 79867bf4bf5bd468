//! Views of the rows: of the moment of each question, or of one moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rowsync_engine::change_log::{LogPage, LogStanding};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::filter::Filter;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::{TableName, TableView};
use rowsync_engine::store::{Gathered, PageRequest, Snapshot, Survey};
use rowsync_engine::stretch::Stretch;
use rowsync_engine::value::Value;
use rusqlite::Connection;

use super::location::Location;
use super::split::Cut;
use super::thread::{Caller, Threads};
use super::{digest, log, read, split, stretch};

type Result<T> = std::result::Result<T, StoreError>;

/// Asks threads. What the answers tell of is up to the connections: outside of a transaction each sees what was
/// committed last, inside of one it sees what the transaction saw first.
pub struct ThreadSnapshot {
    threads: Arc<Threads>,
    /// Rows of the tables that were surveyed. Cutting a table in parts needs about their number, and counting again
    /// would read the whole file again.
    counted: Mutex<HashMap<(TableName, Filter), u64>>,
}

impl ThreadSnapshot {
    pub fn new(threads: Arc<Threads>) -> ThreadSnapshot {
        ThreadSnapshot { threads, counted: Mutex::default() }
    }

    /// A thread whose connection stands still from now on, until this is dropped.
    pub async fn frozen(location: Location) -> Result<ThreadSnapshot> {
        let freeze = move || {
            let connection = location.open_to_read()?;
            // BEGIN alone looks at nothing, and would freeze what the first question finds.
            connection
                .execute_batch("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1")
                .map_err(|error| super::classify::classify(error, "snapshot"))?;
            Threads::start("frozen", vec![connection])
        };
        let frozen = tokio::task::spawn_blocking(freeze).await;
        let frozen =
            frozen.map_err(|error| StoreError::new(Kind::Bug, "snapshot", "opening did not end").caused_by(error))?;
        Ok(ThreadSnapshot::new(Arc::new(frozen?)))
    }

    async fn ask<T, F>(&self, view: &Arc<TableView>, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &TableView, &Caller<'_>) -> Result<T> + Send + 'static,
    {
        let asked = Arc::clone(view);
        let answer = self.threads.call(move |connection, caller| question(connection, &asked, caller)).await;
        answer.map_err(|error| error.at(&view.table))
    }
}

/// Which rows of which table a view shows.
fn part_of(view: &TableView) -> (TableName, Filter) {
    (view.table.clone(), view.filter.clone())
}

#[async_trait]
impl Snapshot for ThreadSnapshot {
    async fn survey(&self, view: &Arc<TableView>, since: Option<&Value>) -> Result<Survey> {
        let since = since.cloned();
        let survey = self.ask(view, move |connection, view, _| read::survey(connection, view, since.as_ref())).await?;
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(part_of(view), survey.rows);
        Ok(survey)
    }

    async fn estimate(&self, view: &Arc<TableView>) -> Result<Option<Survey>> {
        let estimate = self.ask(view, split::estimate).await?;
        if let Some(survey) = &estimate {
            self.counted.lock().unwrap_or_else(PoisonError::into_inner).entry(part_of(view)).or_insert(survey.rows);
        }
        Ok(estimate)
    }

    async fn split(&self, view: &Arc<TableView>, ranges: &[KeyRange], rows_per_part: u64) -> Result<Vec<Vec<Key>>> {
        let ranges = ranges.to_vec();
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner).get(&part_of(view)).copied();
        self.ask(view, move |connection, view, caller| {
            let cuts = ranges.into_iter().map(|range| Cut { range, rows_per_part, counted });
            cuts.map(|cut| split::split(connection, view, &cut, caller)).collect()
        })
        .await
    }

    async fn before_last(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Key>> {
        self.ask(view, move |connection, view, _| read::before_last(connection, view, rows)).await
    }

    async fn newest(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Vec<Key>>> {
        self.ask(view, move |connection, view, _| read::newest(connection, view, rows)).await
    }

    async fn digests(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        kind: DigestKind,
        salt: u64,
    ) -> Result<Vec<Digest>> {
        let ranges = ranges.to_vec();
        self.ask(view, move |connection, view, caller| digest::digests(connection, view, &ranges, kind, salt, caller))
            .await
    }

    async fn page(&self, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage> {
        let request = request.clone();
        self.ask(view, move |connection, view, _| read::page(connection, view, &request)).await
    }

    async fn gather(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>> {
        let ranges = ranges.to_vec();
        self.ask(view, move |connection, view, caller| {
            read::gather(connection, view, &ranges, wanted, bytes_max, caller)
        })
        .await
    }

    async fn stretches(&self, view: &Arc<TableView>, bytes_max: usize) -> Result<Vec<Stretch>> {
        self.ask(view, move |connection, view, _| stretch::stretches(connection, view, bytes_max)).await
    }

    async fn lying_in(&self, view: &Arc<TableView>, part: Stretch, bytes_max: usize) -> Result<Option<RowPage>> {
        self.ask(view, move |connection, view, caller| stretch::lying_in(connection, view, part, bytes_max, caller))
            .await
    }

    async fn rows_by_key(&self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        let keys = keys.to_vec();
        self.ask(view, move |connection, view, caller| read::rows_by_key(connection, view, &keys, caller)).await
    }

    async fn log(&self, view: &Arc<TableView>, owner: &str) -> Result<Option<LogStanding>> {
        let owner = owner.to_owned();
        self.ask(view, move |connection, view, _| log::standing(connection, view, &owner)).await
    }

    async fn changes_since(&self, view: &Arc<TableView>, owner: &str, after: i64, changes: usize) -> Result<LogPage> {
        let owner = owner.to_owned();
        self.ask(view, move |connection, view, _| log::changes(connection, view, &owner, after, changes)).await
    }
}
