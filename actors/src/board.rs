//! The board: how far every running table is, for the terminal, the service and the report. Written by the actors
//! without waiting, read by whoever looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use rowsync_engine::change::Applied;

/// All tables by name.
#[derive(Clone, Debug, Default)]
pub struct Board {
    tables: Arc<DashMap<String, Arc<Progress>>>,
}

impl Board {
    /// The progress of a table, made at the first question.
    pub fn table(&self, name: &str) -> Arc<Progress> {
        Arc::clone(&self.tables.entry(name.to_owned()).or_default())
    }

    /// Forgets all tables, as the next sync has tables of its own.
    pub fn clear(&self) {
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
    nanos: [AtomicU64; 5],
}

impl Progress {
    pub fn applied(&self, applied: &Applied) {
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
        self.rows_done.fetch_add(rows, Relaxed);
    }

    /// Sets how many rows there are to go through, and begins anew.
    pub fn begin(&self, rows: u64) {
        self.rows_total.store(rows, Relaxed);
        self.rows_done.store(0, Relaxed);
    }

    pub fn queried(&self, bytes_read: u64) {
        self.queries.fetch_add(1, Relaxed);
        self.bytes_read.fetch_add(bytes_read, Relaxed);
    }

    pub fn spend(&self, spent: Spent, since: Instant) {
        let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos[spent as usize].fetch_add(nanos, Relaxed);
    }

    pub fn seconds(&self, spent: Spent) -> f64 {
        Duration::from_nanos(self.nanos[spent as usize].load(Relaxed)).as_secs_f64()
    }
}
