//! A snapshot that shows made rows to those who ask by a view whose values are made.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Derivation, KeptKeys};
use crate::change_log::{LogPage, LogStanding};
use crate::digest::{Digest, DigestKind};
use crate::error::{Kind, StoreError};
use crate::key::{Key, KeyRange};
use crate::row::{Form, RowPage, key_bytes};
use crate::schema::TableView;
use crate::store::{Consistency, Gathered, PageRequest, Result, Snapshot, Store, Survey};
use crate::stretch::Stretch;
use crate::value::Value;

/// Most rows that are read at once to be hashed.
const ROWS_HASHED: usize = 5_000;
/// Most bytes that are read at once to be hashed; they are freed as soon as they are.
const BYTES_HASHED: usize = 1024 * 1024;
/// Ranges that are read side by side to be hashed.
const RANGES_AT_ONCE: usize = 4;

/// Shows what its inner snapshot shows, and made rows by views that say how.
pub struct DerivedRows {
    inner: Arc<dyn Snapshot>,
    beside: Beside,
}

/// The other database, once it is known: what it holds is a part of some made values.
pub type Beside = Arc<OnceLock<Arc<dyn Store>>>;

impl DerivedRows {
    pub fn over(inner: Arc<dyn Snapshot>, beside: &Beside) -> Arc<dyn Snapshot> {
        Arc::new(DerivedRows { inner, beside: Arc::clone(beside) })
    }

    /// What the target holds under the keys of these rows.
    async fn theirs(&self, kept: &KeptKeys, page: &RowPage) -> Result<RowPage> {
        let unknown = || StoreError::new(Kind::Bug, "read", "nobody knows the target").at(&kept.target.table);
        let target = self.beside.get().ok_or_else(unknown)?.snapshot(Consistency::Latest).await?;
        let keys: Vec<Key> = (0..page.len()).map(|row| page.key(row)).collect();
        target.rows_by_key(&kept.target, &keys).await
    }

    async fn made(&self, view: &TableView, derivation: &Derivation, page: &RowPage) -> Result<RowPage> {
        let theirs = match &derivation.kept {
            Some(kept) if !page.is_empty() => Some(self.theirs(kept, page).await?),
            _ => None,
        };
        let theirs = theirs.iter().flat_map(|page| (0..page.len()).map(move |row| (page.key(row), page.row(row))));
        let theirs: HashMap<Key, &[u8]> = theirs.collect();
        let broken = |error| StoreError::new(Kind::Bug, "read", "a row is not of fields").caused_by(error);
        let make = |read: &[u8], out: &mut Vec<u8>| {
            let key = Key::from_bytes(key_bytes(read, view.key_len));
            derivation.make(read, theirs.get(&key).copied(), out)
        };
        page.encoded(Form::Fields, make).map_err(|error| broken(error).at(&view.table))
    }

    async fn digest(&self, view: &Arc<TableView>, mut range: KeyRange, salt: u64) -> Result<Digest> {
        let (domains, mut digest) = (view.domains(), Digest::default());
        loop {
            let request = PageRequest {
                range: range.clone(),
                rows_max: ROWS_HASHED,
                bytes_max: BYTES_HASHED,
                row_bytes_hint: BYTES_HASHED / ROWS_HASHED,
                form: Form::Fields,
                keys_only: false,
                modified_after: None,
                goes_on: true,
            };
            let page = self.page(view, &request).await?;
            let hashed = page.digest(&domains, salt);
            digest +=
                hashed.map_err(|error| StoreError::new(Kind::BadValue, "digest", error.to_string()).at(&view.table))?;
            match page.last_key {
                Some(last) if !page.complete => range.after = Some(last),
                _ => return Ok(digest),
            }
        }
    }
}

#[async_trait]
impl Snapshot for DerivedRows {
    async fn survey(&self, view: &Arc<TableView>, since: Option<&Value>) -> Result<Survey> {
        self.inner.survey(view.stored(), since).await
    }

    async fn estimate(&self, view: &Arc<TableView>) -> Result<Option<Survey>> {
        self.inner.estimate(view.stored()).await
    }

    async fn split(&self, view: &Arc<TableView>, ranges: &[KeyRange], rows_per_part: u64) -> Result<Vec<Vec<Key>>> {
        self.inner.split(view.stored(), ranges, rows_per_part).await
    }

    async fn before_last(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Key>> {
        self.inner.before_last(view.stored(), rows).await
    }

    async fn newest(&self, view: &Arc<TableView>, rows: u64) -> Result<Option<Vec<Key>>> {
        self.inner.newest(view.stored(), rows).await
    }

    async fn digests(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        kind: DigestKind,
        salt: u64,
    ) -> Result<Vec<Digest>> {
        match (&view.derived, kind) {
            (None, _) | (_, DigestKind::Count) => self.inner.digests(view.stored(), ranges, kind, salt).await,
            (Some(_), DigestKind::Stream) => {
                let digests = ranges.iter().cloned().map(|range| self.digest(view, range, salt));
                stream::iter(digests).buffered(RANGES_AT_ONCE).try_collect().await
            }
            _ => Err(StoreError::new(Kind::Bug, "digest", "made rows are hashed where they are made").at(&view.table)),
        }
    }

    async fn page(&self, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage> {
        let page = self.inner.page(view.stored(), request).await?;
        match &view.derived {
            Some(derivation) if !request.keys_only => self.made(view, derivation, &page).await,
            _ => Ok(page),
        }
    }

    async fn gather(
        &self,
        view: &Arc<TableView>,
        ranges: &[KeyRange],
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>> {
        // What is made is made of fields.
        let stored = if view.derived.is_some() && wanted == Gathered::Raw { Gathered::Fields } else { wanted };
        let page = self.inner.gather(view.stored(), ranges, stored, bytes_max).await?;
        match (&view.derived, page) {
            (Some(derivation), Some(page)) if wanted != Gathered::Keys => {
                self.made(view, derivation, &page).await.map(Some)
            }
            (_, page) => Ok(page),
        }
    }

    async fn rows_by_key(&self, view: &Arc<TableView>, keys: &[Key]) -> Result<RowPage> {
        let page = self.inner.rows_by_key(view.stored(), keys).await?;
        match &view.derived {
            Some(derivation) => self.made(view, derivation, &page).await,
            None => Ok(page),
        }
    }

    async fn stretches(&self, view: &Arc<TableView>, bytes_max: usize) -> Result<Vec<Stretch>> {
        self.inner.stretches(view.stored(), bytes_max).await
    }

    async fn lying_in(&self, view: &Arc<TableView>, stretch: Stretch, bytes_max: usize) -> Result<Option<RowPage>> {
        let page = self.inner.lying_in(view.stored(), stretch, bytes_max).await?;
        match (&view.derived, page) {
            (Some(derivation), Some(page)) => self.made(view, derivation, &page).await.map(Some),
            (_, page) => Ok(page),
        }
    }

    async fn log(&self, view: &Arc<TableView>, owner: &str) -> Result<Option<LogStanding>> {
        self.inner.log(view.stored(), owner).await
    }

    async fn changes_since(&self, view: &Arc<TableView>, owner: &str, after: i64, changes: usize) -> Result<LogPage> {
        self.inner.changes_since(view.stored(), owner, after, changes).await
    }
}
