//! Replacing all rows of a table: in one transaction, so that readers see the old rows or the new ones, and a failure
//! leaves the old ones.

use rowsync_engine::report::Method;

use super::work::Work;
use crate::failure::Failure;
use crate::messages::{Act, BeginTogether, CommitTogether, ReplaceRows};
use crate::phase::Phase;

const REFERRED_TO: &str = "foreign keys refer to the table, so its rows cannot all go at once; it was compared instead, and \
    written batch by batch";

const ONE_KIND: &str = "rows that have changed their kind would be there twice, so the rows of this kind were not replaced \
    at once; they were compared, and written batch by batch";

/// Pages that are in hand at once: one that is read, and the same on its way to the target.
const PAGES: usize = 2;

impl Work {
    pub(super) async fn replace(&mut self) -> Result<(), Failure> {
        // The other kinds of a table count as its children.
        if self.job.pair.kin.is_some() {
            self.state.notes.push(ONE_KIND.into());
            return self.cover(Act::Upsert).await;
        }
        if self.job.has_children || self.job.pair.target.in_cycle || self.is_referenced().await? {
            self.state.notes.push(REFERRED_TO.into());
            return self.cover(Act::Upsert).await;
        }
        self.state.method = Method::Bulk;
        // Images are kept of rows whose keys are told.
        let clear = self.job.keeping.is_none();
        let _memory = self.shared.budget.take(PAGES * self.job.options.page_bytes).await;
        self.begin(clear).await?;
        let mut found = self.differ().send(ReplaceRows { deletes: !clear }).await?;
        found.applied = self.commit().await?;
        Phase::Copied.reached();
        self.state.covered = true;
        self.state.sum.absorb(found);
        Ok(())
    }

    /// Empties the target and fills it like a new one; its readers see that.
    pub(super) async fn empty_and_copy(&mut self) -> Result<(), Failure> {
        let one_kind = self.job.pair.kin.is_some();
        if one_kind || self.job.keeping.is_some() || self.job.has_children || self.is_referenced().await? {
            return self.replace().await;
        }
        self.begin(true).await?;
        self.commit().await?;
        self.copy().await
    }

    pub(super) async fn is_referenced(&self) -> Result<bool, Failure> {
        Ok(self.shared.target.store().is_referenced(&self.job.pair.target).await?)
    }

    pub(super) async fn begin(&self, clear: bool) -> Result<(), Failure> {
        let begun = self.children().writer.send(BeginTogether { clear }).await;
        Ok(begun.map_err(|_| Failure::Gone("writer"))??)
    }

    pub(super) async fn commit(&self) -> Result<rowsync_engine::change::Applied, Failure> {
        let committed = self.children().writer.send(CommitTogether).await;
        Ok(committed.map_err(|_| Failure::Gone("writer"))??)
    }
}
