//! Rows that only the target has: found, counted against what may be deleted, and deleted.

use rowsync_engine::error::Class;
use rowsync_engine::sightings::Sightings;

use super::work::Work;
use crate::failure::Failure;
use crate::found::Found;
use crate::job::{Goal, MassDelete};
use crate::messages::{Act, DeleteKeys};
use crate::phase::Phase;

/// Smaller tables may lose any share of their rows; a share says little there.
pub(super) const MASS_DELETE_ROWS_MIN: u64 = 100;

impl Work {
    /// Looks for keys that only the target has.
    pub(super) async fn find_extras(&mut self) -> Result<(), Failure> {
        let found = self.seek_gap("deletes", self.job.options.search_for_delete, Act::CollectExtras).await?;
        self.state.take_in(found);
        Ok(())
    }

    /// Deletes the rows that only the target has, once it is known how many they are.
    pub(super) async fn delete_extras(&mut self) -> Result<(), Failure> {
        let extras = self.state.extras;
        if extras == 0 {
            return Ok(());
        }
        if let Some(plan) = &mut self.state.plan {
            plan.then_delete();
        }
        self.count_before_deleting().await?;
        self.refuse_mass_delete(extras + self.state.sum.applied.deleted)?;
        Phase::Deleting.reached();
        let mut found = if self.state.sum.extra_keys.len() as u64 == extras {
            let (keys, seen) =
                (std::mem::take(&mut self.state.sum.extra_keys), std::mem::take(&mut self.state.sum.extra_seen));
            self.differ().send(DeleteKeys { keys, seen }).await?
        } else if self.state.follows_log {
            self.follow_log(Act::DeleteExtras).await?;
            Found::default()
        } else {
            // They are too many to hold, and a search by counts need not have seen all: count before deleting.
            let all = self.search_differences(Act::CollectExtras).await?.extra;
            self.refuse_mass_delete(all + self.state.sum.applied.deleted)?;
            self.search_differences(Act::DeleteExtras).await?
        };
        Phase::Deleted.reached();
        // These rows were counted when they were found.
        self.state.sum.extra -= self.state.extras;
        self.state.sum.extra_keys.clear();
        self.state.sum.extra_seen = Sightings::default();
        self.state.extras = 0;
        found.extra = found.extra.min(found.applied.deleted);
        self.state.take_in(found);
        Ok(())
    }

    /// Declines to delete a larger share of the target than the settings allow.
    pub(super) fn refuse_mass_delete(&mut self, deletes: u64) -> Result<(), Failure> {
        let (target, percent) = (self.plan().target_count, self.job.options.max_delete_percent);
        let allowed = self.shared.goal == Goal::Sync { mass_delete: MassDelete::Allowed };
        if allowed || target < MASS_DELETE_ROWS_MIN || deletes * 100 <= target * percent {
            return Ok(());
        }
        self.state.failed += deletes;
        Err(Failure::Refused {
            class: Class::Logic,
            message: format!(
                "refused to delete {deletes} of {target} rows of {} ({} %), more than max_delete_percent {percent}",
                self.job.pair.target.table,
                deletes * 100 / target
            ),
            remedy: "see that the source is the right one and complete; then run once with --allow-mass-delete".into(),
        })
    }
}
