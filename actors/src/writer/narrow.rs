//! Narrowing: a batch that the target refuses is halved until the rows that it refuses are alone.
//!
//! Where the store tells which row it was, the batch is cut around it. Else it is halved, rather than written with
//! savepoints: a row that fails costs about 2 log2 n small transactions, a savepoint for each row costs n of them whether a
//! row fails or not, and a bulk load has no savepoints inside. Each part is committed on its own.

use std::sync::Arc;

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::recovery::{History, Step, Verdict, judge};
use rowsync_engine::row::Form;
use rowsync_engine::store::Result;

use super::Pen;
use crate::ledger::Rejected;

impl Pen {
    /// Writes what the target takes of a batch that it refused as a whole with this error. Beside the batch it holds
    /// copies of at most as many rows again.
    pub(super) async fn narrow(&self, batch: &Changes, error: StoreError) -> Result<Applied> {
        if !self.can_isolate(batch, &error) {
            return Err(error);
        }
        if !self.options.continue_on_error {
            return Err(self.find_the_first(batch, error).await);
        }
        let mut applied = Applied::default();
        let mut open = self.cut(batch, error)?;
        while let Some(part) = open.pop() {
            match self.apply_or_move(&part).await {
                Ok(done) => applied += done,
                Err(error) if self.can_isolate(&part, &error) => open.extend(self.cut(&part, error)?),
                Err(error) => return Err(error),
            }
        }
        Ok(applied)
    }

    fn can_isolate(&self, part: &Changes, error: &StoreError) -> bool {
        let history = History {
            step: Step::Batch,
            batch_rows: part.len(),
            rows_failed: self.ledger.rejected_count(),
            rows_failed_max: self.rows_failed_max(),
            ..History::of_a_question()
        };
        // Nothing is to be written behind the first row that fails, and of a raw row that could not be told.
        let can_be_told = part.inserts.form == Form::Fields || self.options.continue_on_error;
        can_be_told && judge(error.kind, &history) == Verdict::IsolateRow
    }

    fn rows_failed_max(&self) -> u64 {
        if self.options.continue_on_error { self.options.max_error_count.max(1) } else { 1 }
    }

    /// What is left to be written of a part, the first of it last, as it is taken from the end. A change that fails alone
    /// is put aside.
    fn cut(&self, part: &Changes, error: StoreError) -> Result<Vec<Arc<Changes>>> {
        let rest = match error.place.filter(|place| *place < part.len()) {
            Some(place) => {
                let (before, failed, behind) = part.around(place);
                self.reject_unless_full(&failed, &error)?;
                vec![Arc::new(behind), Arc::new(before)]
            }
            None => match part.halves() {
                Some((first, second)) => vec![Arc::new(second), Arc::new(first)],
                None => {
                    self.reject_unless_full(part, &error)?;
                    Vec::new()
                }
            },
        };
        Ok(rest.into_iter().filter(|part| !part.is_empty()).collect())
    }

    fn reject_unless_full(&self, change: &Changes, error: &StoreError) -> Result<()> {
        let max = self.rows_failed_max();
        if change.inserts.form == Form::Raw {
            // Raw rows do not tell their keys. A compare of their page does, and one of the table where they are too many.
            let too_many = self.ledger.reject_nameless() >= max;
            let again = || StoreError::new(error.kind, "write", error.message.clone()).at(&self.view.table);
            return if too_many { Err(again()) } else { Ok(()) };
        }
        let failed = self.reject(change, error);
        if failed < max { Ok(()) } else { Err(self.stopped(error, format!("maximum error count {max} was reached"))) }
    }

    fn reject(&self, change: &Changes, error: &StoreError) -> u64 {
        tracing::warn!(table = %self.view.table, %error, "row put aside");
        self.ledger.reject(Rejected { change: change.clone(), kind: error.kind, message: error.to_string() })
    }

    fn stopped(&self, error: &StoreError, message: String) -> StoreError {
        self.ledger.close();
        StoreError::new(error.kind, "write", message).at(&self.view.table)
    }

    /// Looks for the first row that fails and writes nothing: each try is rolled back. Where every part passes alone, as a
    /// constraint that is only checked at the commit lets it, the batch's own error is all that can be told.
    async fn find_the_first(&self, batch: &Changes, mut error: StoreError) -> StoreError {
        let mut suspect = batch.clone();
        while let Some((first, second)) = suspect.halves() {
            let (first, second) = (Arc::new(first), Arc::new(second));
            suspect = match self.try_out(&first).await {
                Err(found) if found.class() != Class::Data => return found,
                Err(found) => {
                    error = found;
                    Changes::clone(&first)
                }
                Ok(()) => Changes::clone(&second),
            };
        }
        if let Err(found) = self.try_out(&Arc::new(suspect.clone())).await {
            error = found;
            self.reject(&suspect, &error);
        }
        let message = format!("stopped at the first failed row, as `continue_on_error` is false: {}", error.message);
        self.stopped(&error, message)
    }

    async fn try_out(&self, changes: &Arc<Changes>) -> Result<()> {
        let mut transaction = self.store.begin(&self.view).await?;
        transaction.write(Arc::clone(changes)).await.map(drop)
    }
}
