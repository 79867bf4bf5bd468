//! The board: how far every running table is, for the terminal, the service and the report. Written by the actors
//! without waiting, read by whoever looks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use rowsync_engine::change::Applied;
use rowsync_engine::search::SideName;

use crate::meters::TableMeters;

/// All tables of a sync by name.
#[derive(Clone, Debug, Default)]
pub struct Board {
    sync: Arc<RwLock<Arc<str>>>,
    tables: Arc<DashMap<String, Arc<Progress>>>,
}

impl Board {
    /// The progress of a table, made at the first question.
    pub fn table(&self, name: &str) -> Arc<Progress> {
        let make = || Arc::new(Progress::of(&self.sync.read().unwrap_or_else(PoisonError::into_inner), name));
        Arc::clone(&self.tables.entry(name.to_owned()).or_insert_with(make))
    }

    /// Forgets all tables, as the next sync has tables of its own.
    pub fn begin(&self, sync: &str) {
        *self.sync.write().unwrap_or_else(PoisonError::into_inner) = sync.into();
        self.tables.clear();
    }

    /// All tables, by name.
    pub fn all(&self) -> Vec<(String, Arc<Progress>)> {
        let mut all: Vec<_> =
            self.tables.iter().map(|entry| (entry.key().clone(), Arc::clone(entry.value()))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

/// Where time goes. Several pieces of work run at once, so the sums may exceed the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    Read,
    Write,
    Delete,
    Compare,
    Search,
}

/// Counters of one table.
#[derive(Debug, Default)]
pub struct Progress {
    pub rows_total: AtomicU64,
    pub rows_done: AtomicU64,
    pub finished: std::sync::atomic::AtomicBool,
    pub added: AtomicU64,
    pub modified: AtomicU64,
    pub deleted: AtomicU64,
    pub queries: AtomicU64,
    pub bytes_read: AtomicU64,
    pub bytes_written: AtomicU64,
    /// How often the table was begun again, and how many panics there were among the reasons.
    pub restarts: AtomicU64,
    pub panics: AtomicU64,
    search_depth: AtomicU64,
    nanos: [AtomicU64; 5],
    /// The same for those who look from outside, over all executions.
    pub meters: TableMeters,
}

impl Progress {
    fn of(sync: &str, table: &str) -> Progress {
        let progress = Progress { meters: TableMeters::of(sync, table), ..Progress::default() };
        progress.meters.search_max_depth.set(0.0);
        progress
    }

    pub fn applied(&self, applied: &Applied) {
        self.meters.applied(applied);
        self.added.fetch_add(applied.inserted, Relaxed);
        self.modified.fetch_add(applied.updated, Relaxed);
        self.deleted.fetch_add(applied.deleted, Relaxed);
        self.queries.fetch_add(applied.queries, Relaxed);
        self.bytes_written.fetch_add(applied.bytes_written, Relaxed);
    }

    /// Rows that were added, changed or deleted.
    pub fn rows_written(&self) -> u64 {
        self.added.load(Relaxed) + self.modified.load(Relaxed) + self.deleted.load(Relaxed)
    }

    pub fn rows_done(&self, rows: u64) {
        self.meters.records.increment(rows);
        self.rows_done.fetch_add(rows, Relaxed);
    }

    /// Sets how many rows there are to go through, and begins anew.
    pub fn begin(&self, rows: u64) {
        self.rows_total.store(rows, Relaxed);
        self.rows_done.store(0, Relaxed);
    }

    pub fn queried(&self, side: SideName, bytes_read: u64) {
        self.meters.queried(side, bytes_read);
        self.queries.fetch_add(1, Relaxed);
        self.bytes_read.fetch_add(bytes_read, Relaxed);
    }

    /// A search went so deep.
    pub fn searched(&self, depth: u64) {
        let deepest = self.search_depth.fetch_max(depth, Relaxed).max(depth);
        self.meters.search_max_depth.set(deepest as f64);
    }

    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
        self.meters.panics.increment(1);
    }

    pub fn spend(&self, spent: Spent, side: SideName, since: Instant) {
        let time = since.elapsed();
        self.meters.spent(spent, side, time);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos[spent as usize].fetch_add(nanos, Relaxed);
    }

    pub fn seconds(&self, spent: Spent) -> f64 {
        Duration::from_nanos(self.nanos[spent as usize].load(Relaxed)).as_secs_f64()
    }
}
