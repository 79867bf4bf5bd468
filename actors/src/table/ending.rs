//! How the work on a table ends: what is told of it, or what is done about what stopped it.

use std::sync::Arc;

use rowsync_engine::metrics::Operation as Mending;
use rowsync_engine::recovery::Verdict;
use rowsync_engine::search::SideName;

use super::work::Work;
use crate::failure::Failure;
use crate::messages::{AwaitWrites, Broken, Judge, Pass, TableOutcome};
use crate::meters::TableMeters;
use crate::recovery::Judgement;

impl Work {
    /// Has a failure judged; what nothing is done about comes back.
    pub(crate) async fn weigh(&mut self, failure: Failure, pass: Pass) -> Result<Broken, Failure> {
        let stage = pass.name();
        let error = match failure {
            Failure::Refused { ref message, .. } => {
                tracing::warn!(table = %self.job.name, stage, "{message}");
                return Err(failure);
            }
            Failure::Stopped | Failure::Judged { .. } => return Err(failure),
            failure @ (Failure::Store(_) | Failure::Gone(_)) => Arc::new(self.with_drift(failure.into_error()).await),
        };
        // What was on its way is written or not, but not on its way any more, when the next actor begins.
        if let Some(children) = self.children.take() {
            for writer in [Some(children.writer), children.back].into_iter().flatten() {
                let _ = writer.send(AwaitWrites).await;
            }
        }
        let judge = Judge {
            failure: Arc::clone(&error),
            stage,
            generation: self.state.past.generation,
            batch_rows: self.job.options.batch_rows.get(),
        };
        let judgement = self.recovery.send(judge).await;
        let judgement = judgement.unwrap_or_else(|_| Judgement::of_a_lost_judge());
        match judgement.verdict {
            verdict @ (Verdict::Park { .. } | Verdict::Abort { .. } | Verdict::IsolateRow) => {
                Err(Failure::Judged { error, verdict })
            }
            _ => Ok(Broken { failure: error, judgement, seen: self.seen, past: self.state.past() }),
        }
    }

    /// Puts a failure into the report.
    pub(crate) fn end_with(&mut self, failure: Failure) {
        let progress = self.shared.board.table(&self.job.name);
        self.state.end_with(failure, &progress, &self.ledger);
    }

    pub(crate) fn outcome(&self) -> TableOutcome {
        let progress = self.shared.board.table(&self.job.name);
        progress.finished.store(true, std::sync::atomic::Ordering::Relaxed);
        self.show_standing(&progress.meters);
        self.state.outcome(&self.job, &progress, &self.ledger)
    }

    /// Where the table stands, for those who look from outside.
    pub(super) fn show_standing(&self, meters: &TableMeters) {
        if self.state.verified {
            meters.proven();
        } else if let Some(found) = &self.state.verification {
            let set = |mending: Mending, rows: u64| meters.differences[mending as usize].set(rows as f64);
            set(Mending::Add, found.missing);
            set(Mending::Modify, found.different);
            set(Mending::Delete, found.extra);
        }
        if !self.state.estimated {
            self.show_rows(meters);
        }
    }

    pub(super) fn show_rows(&self, meters: &TableMeters) {
        let set = |side: SideName, rows: u64| meters.rows[side as usize].set(rows as f64);
        set(SideName::Source, self.state.source.rows);
        set(SideName::Target, self.state.target.rows);
    }
}
