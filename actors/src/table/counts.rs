//! How many rows a table has on each side: counted, or estimated where counting takes long and the copy counts anyway.

use rowsync_engine::error::Class;
use rowsync_engine::plan::Strategy;
use rowsync_engine::store::Survey;
use rowsync_engine::value::Value;

use super::work::Work;
use crate::failure::Failure;
use crate::job::Goal;
use crate::ports::ReaderPort;

/// Counting fewer rows takes no time that anybody would notice.
const LONG_TO_COUNT: u64 = 100_000;

impl Work {
    pub(super) async fn count(&mut self) -> Result<(), Failure> {
        let (source, target) = (self.children().source.clone(), self.children().target.clone());
        if let Some(estimate) = self.estimate_of_a_first_copy().await? {
            self.state.source = estimate;
            self.state.estimated = true;
        } else if self.job.target_missing {
            self.state.source = source.count(self.since()).await?;
        } else if matches!(self.shared.goal, Goal::Verify { .. }) {
            // Every row is looked at anyway, and that counts them.
            let about = async |side: &ReaderPort| match side.estimate().await? {
                Some(estimate) => Ok::<_, Failure>(estimate),
                None => side.count(None).await,
            };
            (self.state.source, self.state.target) = futures_util::try_join!(about(&source), about(&target))?;
            self.state.estimated = true;
        } else {
            let both = futures_util::try_join!(source.count(self.since()), target.count(None))?;
            (self.state.source, self.state.target) = both;
        }
        let (source, target) = (&self.state.source, &self.state.target);
        let progress = self.shared.board.table(&self.job.name);
        progress.begin(source.rows.max(target.rows));
        self.show_rows(&progress.meters);
        self.refuse_null_keys("source", source.null_keys)?;
        self.refuse_null_keys("target", target.null_keys)
    }

    /// What is copied into an empty table is counted on its way, so a table that takes long to count is only estimated.
    pub(super) async fn estimate_of_a_first_copy(&self) -> Result<Option<Survey>, Failure> {
        let copies = matches!(self.shared.goal, Goal::Sync { .. }) && !self.job.options.only_plan;
        let pair = &self.job.pair;
        // Only counting finds rows with NULL in the key, and the newest modify time from before the copy; and whether there
        // is enough to do is not decided by an estimate.
        let has_to_count = self.job.merge.is_some()
            || pair.source.modify_time.is_some()
            || self.job.options.min_rows_to_sync > 1
            || self.job.options.strategy == Strategy::Full
            || [&pair.source, &pair.target].iter().any(|view| view.key_columns().iter().any(|key| key.column.nullable));
        if !copies || has_to_count || self.job.earlier.is_some() {
            return Ok(None);
        }
        let (source, target) = (&self.children().source, &self.children().target);
        let last_key = async { if self.job.target_missing { Ok(None) } else { target.recent(0).await } };
        let (estimate, last_key) = futures_util::try_join!(source.estimate(), last_key)?;
        Ok(estimate.filter(|estimate| last_key.is_none() && estimate.rows >= LONG_TO_COUNT))
    }

    pub(super) async fn count_exactly(&mut self) -> Result<(), Failure> {
        if self.state.estimated {
            self.state.source = self.children().source.count(self.since()).await?;
            self.state.estimated = false;
        }
        Ok(())
    }

    pub(super) fn since(&self) -> Option<Value> {
        self.job.earlier.as_ref().and_then(|earlier| earlier.newest.clone())
    }

    pub(super) fn refuse_null_keys(&self, side: &str, rows: u64) -> Result<(), Failure> {
        if rows == 0 {
            return Ok(());
        }
        Err(Failure::Refused {
            class: Class::Data,
            message: format!(
                "{rows} rows in the {side} of {} have NULL in the key, so they cannot be told apart",
                self.job.name
            ),
            remedy: "fill the key, or name other columns in `primary_key_field`".into(),
        })
    }

    /// A number of rows as it may be told: an estimate is none that anybody has counted.
    pub(super) fn told(&self, rows: u64) -> String {
        if self.state.estimated && rows > 0 { format!("about {rows}") } else { rows.to_string() }
    }

    /// How many rows the target has more than the source.
    pub(super) fn gap(&self) -> u64 {
        self.state.target.rows.saturating_sub(self.state.source.rows)
    }
}
