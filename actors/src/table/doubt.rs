//! What became of batches when the connection broke: those whose commit got no answer, and those that a server took
//! with it when it went down. Only the numbers of the report hang on this; the rows are compared in any case.

use std::sync::atomic::Ordering::Relaxed;

use rowsync_engine::compare::compare;

use super::work::Work;
use crate::failure::Failure;
use crate::ledger::{Ledger, Witness};
use crate::ports::ReaderPort;

impl Work {
    /// Looks which of the batches without an answer arrived, and counts those.
    pub(super) async fn dispel_doubts(&mut self) -> Result<(), Failure> {
        let (source, target) = (self.children().source.clone(), self.children().target.clone());
        self.dispel_doubts_about(&target, &self.ledger).await?;
        match &self.job.merge {
            Some(merge) => self.dispel_doubts_about(&source, merge.ledger()).await,
            None => Ok(()),
        }
    }

    async fn dispel_doubts_about(&self, side: &ReaderPort, ledger: &Ledger) -> Result<(), Failure> {
        while let Some(doubt) = ledger.first_doubt() {
            if self.has_arrived(side, doubt.witness).await? {
                self.shared.board.table(&self.job.name).applied(&doubt.applied);
            }
            ledger.dispel();
        }
        Ok(())
    }

    async fn has_arrived(&self, target: &ReaderPort, witness: Witness) -> Result<bool, Failure> {
        Ok(match witness {
            Witness::Inserted(key) => !target.keys(vec![key]).await?.is_empty(),
            Witness::Deleted(key) => target.keys(vec![key]).await?.is_empty(),
            Witness::Updated(row) => {
                let found = target.keys(vec![row.key(0)]).await?;
                let (pair, domains) = (&self.job.pair, self.job.pair.source.domains());
                let differences = compare(&row, &found, &domains);
                differences.map_err(|error| Failure::of_compare(error, &pair.target.table))?.changes.is_empty()
            }
        })
    }

    /// Takes back from the count what a server lost that went down: commits that had not reached its disk.
    pub(super) fn count_what_was_lost(&mut self) {
        let Some(first) = &self.state.past.plan else { return };
        // What a merge wrote is on both sides, and its memory is kept once it is safe there.
        if self.seen.target == 1 || self.job.merge.is_some() {
            return;
        }
        let progress = self.shared.board.table(&self.job.name);
        let expected =
            (first.target_count + progress.added.load(Relaxed)).saturating_sub(progress.deleted.load(Relaxed));
        let lost = expected.saturating_sub(self.state.target.rows).min(progress.added.load(Relaxed));
        if lost > 0 {
            progress.added.fetch_sub(lost, Relaxed);
            self.state.notes.push(format!("{lost} rows went down with the server and are written again"));
        }
    }
}
