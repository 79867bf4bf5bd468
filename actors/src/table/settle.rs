//! The end of a table: deletes that wait, and the proof that both sides are equal.

use rowsync_engine::error::Class;
use rowsync_engine::plan::{Operation, Strategy};
use rowsync_engine::report::TableStatus;
use rowsync_engine::search::SideName;

use super::work::{Ended, Work};
use crate::failure::Failure;
use crate::messages::{Act, Pass, ProveRanges};
use crate::phase::Phase;

/// A table that still differs after so many full compares has somebody else writing to it.
const ROUNDS_MAX: usize = 3;

const REMEDY: &str = "look for triggers on the target that change rows, for others who write to it, or for a key that is \
    not unique; then run again";

const ONLY_CHANGED_ROWS: &str =
    "only rows changed by modify time were compared, and the counts; a deleted row shows in the counts alone";

impl Work {
    /// Goes on until every row is known to be equal, or says why it cannot be.
    pub(super) async fn settle(&mut self, pass: Pass) -> Result<Ended, Failure> {
        let mut held_back = 0;
        for round in 0..ROUNDS_MAX {
            let waits = pass == Pass::Upserts && self.job.has_children;
            if waits && (self.state.extras > 0 || self.ledger.owes()) {
                Phase::DeletesWait.reached();
                return Ok(Ended::DeletesWait);
            }
            if self.state.extras > 0 {
                self.delete_extras().await?;
            }
            if !self.state.covered {
                self.cover_the_rest().await?;
                if self.state.extras > 0 {
                    continue;
                }
            }
            if self.ledger.owes() {
                if waits {
                    return Ok(Ended::DeletesWait);
                }
                self.fill_references().await?;
            }
            self.try_rejected_again().await?;
            held_back = std::mem::take(&mut self.state.sum.applied.held_back);
            if held_back > 0 {
                if round + 1 < ROUNDS_MAX {
                    self.compare_again(held_back).await?;
                }
                continue;
            }
            let why = match (self.proven().await?, self.counts_are_equal().await?) {
                (true, true) => {
                    Phase::Proven.reached();
                    self.tell_what_was_followed();
                    self.make_safe().await?;
                    let all_taken = self.ledger.rejected_count() == 0;
                    // Of the others nothing is known, and nothing is remembered by it.
                    let only_some = self.job.replay.is_some() && self.state.follows_log;
                    self.state.verified = all_taken && !only_some;
                    self.state.status = match all_taken {
                        true => TableStatus::Completed,
                        // May still become so, when the rows are tried again after the deletes of other tables.
                        false => TableStatus::CompletedWithErrors,
                    };
                    self.state.worked_through = true;
                    return Ok(Ended::Done);
                }
                (false, _) => "rows read back unequal",
                (true, false) => "the counts differ",
            };
            if round + 1 < ROUNDS_MAX {
                self.fall_back(why)?;
            }
        }
        let table = &self.job.pair.target.table;
        let message = match held_back {
            0 => format!("{table} still differs after a full compare"),
            rows => format!(
                "somebody else writes to {table}: {rows} rows changed between compare and write, after {ROUNDS_MAX} compares"
            ),
        };
        self.state.failed += held_back;
        Err(Failure::Refused { class: Class::Data, message, remedy: REMEDY.into() })
    }

    /// Compares the table once more, because somebody else wrote rows of it that were to be changed or added.
    async fn compare_again(&mut self, held_back: u64) -> Result<(), Failure> {
        tracing::warn!(table = %self.job.name, rows = held_back, "somebody else writes to the target; it is compared again");
        self.state.fell_back = true;
        self.state.notes.push(format!(
            "{held_back} rows of the target changed between compare and write; the table was compared again"
        ));
        self.cover(Act::Upsert).await
    }

    /// A server that goes down after this must not take with it what is reported.
    pub(super) async fn make_safe(&self) -> Result<(), Failure> {
        if self.shared.board.table(&self.job.name).rows_written() == 0 {
            return Ok(());
        }
        Ok(self.shared.target.store().flush().await.map_err(|error| error.on(SideName::Target))?)
    }

    /// Compares once more, now that all rows are there that others refer to.
    async fn fill_references(&mut self) -> Result<(), Failure> {
        tracing::info!(table = %self.job.name, "all rows are there; what they refer to is filled in");
        self.ledger.begin_filling();
        self.cover(Act::Upsert).await
    }

    /// Whether all that was touched is equal now.
    async fn proven(&mut self) -> Result<bool, Failure> {
        let ranges = self.state.sum.ranges_to_prove();
        if ranges.is_empty() {
            return Ok(true);
        }
        self.state.sum.stats.ranges += ranges.len() as u64;
        self.state.digest = Some(self.job.pair.digest);
        let unequal = self.differ().send(ProveRanges { ranges }).await?;
        if unequal.is_empty() || self.ledger.rejected_count() == 0 {
            return Ok(unequal.is_empty());
        }
        let rejected_alone = self.only_rejected_differ(unequal.clone()).await?;
        // Proven once more where the rows are written after all.
        self.state.sum.touched = unequal;
        Ok(rejected_alone)
    }

    /// Counts are compared always, whatever else was proven.
    async fn counts_are_equal(&mut self) -> Result<bool, Failure> {
        if self.state.follows_log {
            // What the log names was looked at, and counting would cost more than all of it.
            return Ok(true);
        }
        self.state.target.rows = match self.state.read_back.take() {
            Some(rows) => rows,
            None => self.children().target.count(None).await?.rows,
        };
        Ok(self.state.target.rows == self.wanted_rows())
    }

    /// Proves what the plan did not look at: by counts after a plan that trusts the modify times, else row by row.
    async fn cover_the_rest(&mut self) -> Result<(), Failure> {
        let equal = self.counts_are_equal().await?;
        let trusting = self.plan().has(Operation::Incremental) || self.plan().operations.is_empty();
        let trusted = trusting && !self.state.fell_back;
        if trusted && equal {
            self.state.covered = true;
            if self.job.options.strategy == Strategy::Incremental && self.plan().has(Operation::Incremental) {
                self.state.notes.push(ONLY_CHANGED_ROWS.into());
            }
            return Ok(());
        }
        if !equal {
            if self.plan().has(Operation::Delete) {
                tracing::warn!(table = %self.job.name, "counts mismatch after binary delete");
            }
            self.fall_back("the counts differ")?;
        }
        let before = self.state.sum.differences();
        let act = if self.job.options.fallback_full_compare {
            Act::Upsert
        } else {
            Act::Observe { samples_max: 0, explain: false }
        };
        self.cover(act).await?;
        let found = self.state.sum.differences() - before;
        if found > 0 && equal {
            self.fall_back("rows differ although the counts are equal")?;
        }
        Ok(())
    }

    /// Announces that the whole table is compared, or declines where that is switched off.
    fn fall_back(&mut self, why: &str) -> Result<(), Failure> {
        if !self.job.options.fallback_full_compare {
            return Err(Failure::Refused {
                class: Class::Logic,
                message: format!("{} and its source differ: {why}", self.job.pair.target.table),
                remedy: "set `fallback_full_compare_on_mismatch` to true, or find out who else writes to the target"
                    .into(),
            });
        }
        tracing::warn!(table = %self.job.name, "fallback full compare on mismatch");
        self.state.covered = false;
        self.state.fell_back = true;
        self.state.notes.push(format!("fallback full compare on mismatch: {why}"));
        Ok(())
    }
}
