//! How far a table is, as the board says. The API and its events tell this; the bars on a terminal draw the same board.

use std::sync::atomic::Ordering::Relaxed;

use rowsync_actors::board::Board;
use serde::Serialize;
use utoipa::ToSchema;

/// How far a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TableProgress {
    pub table: String,
    /// Rows to go through, as far as is known.
    pub rows_total: u64,
    pub rows_done: u64,
    pub added: u64,
    pub modified: u64,
    pub deleted: u64,
    pub queries: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub finished: bool,
}

impl TableProgress {
    /// All tables that were begun, by name.
    pub fn of(board: &Board) -> Vec<TableProgress> {
        let all = board.all().into_iter();
        all.map(|(table, progress)| {
            let rows_total = progress.rows_total.load(Relaxed);
            let finished = progress.finished.load(Relaxed);
            TableProgress {
                table,
                rows_total,
                rows_done: if finished { rows_total } else { progress.rows_done.load(Relaxed).min(rows_total) },
                added: progress.added.load(Relaxed),
                modified: progress.modified.load(Relaxed),
                deleted: progress.deleted.load(Relaxed),
                queries: progress.queries.load(Relaxed),
                bytes_read: progress.bytes_read.load(Relaxed),
                bytes_written: progress.bytes_written.load(Relaxed),
                finished,
            }
        })
        .collect()
    }
}
