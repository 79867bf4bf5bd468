//! The tally of an execution: what its end adds to the metrics of its sync. What happens on the way is counted by the
//! actors, batch by batch.

use std::time::Instant;

use rowsync_actors::board::Board;
use rowsync_actors::meters::{Raised, SyncMeters};
use rowsync_engine::metrics::Outcome;
use rowsync_engine::report::{ErrorReport, RunReport, RunStatus, TableReport, TableStatus};

use crate::execute::place_of;
use crate::exposition::{Exposition, went_through_all};
use crate::problem::Problem;
use crate::settings::SyncSettings;
use crate::state::{Command, State};

pub struct Tally {
    command: Command,
    sync: String,
    meters: SyncMeters,
    board: Board,
    begun: Instant,
    _running: Raised,
}

impl Tally {
    pub fn begin(command: Command, sync: &str, board: &Board) -> Tally {
        let meters = SyncMeters::of(sync);
        let _running = Raised::new(&meters.running);
        Tally { command, sync: sync.to_owned(), meters, board: board.clone(), begun: Instant::now(), _running }
    }

    pub fn end(self, ended: &Result<RunReport, Problem>) {
        let outcome = match ended {
            Ok(report) => {
                let Some(outcome) = outcome_of(report.status) else { return };
                report.tables.iter().for_each(|table| self.add_table(table));
                report.errors.iter().for_each(|error| self.add_error(error));
                self.forget_tables(report);
                outcome
            }
            Err(Problem::Interrupted) => Outcome::Interrupted,
            Err(problem) => {
                self.add_error(&problem.in_report());
                Outcome::Failed
            }
        };
        self.meters.ended(outcome, self.begun.elapsed());
        if self.command == Command::Run && outcome == Outcome::Completed {
            self.meters.succeeded();
        }
    }

    fn add_table(&self, report: &TableReport) {
        let progress = self.board.table(&report.table);
        let meters = &progress.meters;
        meters.skipped.increment(report.skipped);
        meters.failed.increment(report.failed);
        report.errors.iter().for_each(|error| meters.errors[error.class as usize].increment(1));
        // Tables that were not begun have no actor that says so.
        if matches!(report.status, TableStatus::Failed | TableStatus::Blocked) {
            meters.parked.set(1.0);
        }
    }

    /// Those that there are no more: nobody is to be alarmed because they are not proven again.
    fn forget_tables(&self, report: &RunReport) {
        if self.command != Command::Run || !went_through_all(report) {
            return;
        }
        if let Some(exposition) = Exposition::of_process() {
            exposition.keep_tables(&self.sync, &report.tables.iter().map(|table| table.table.as_str()).collect());
        }
    }

    fn add_error(&self, error: &ErrorReport) {
        self.meters.errors[error.class as usize].increment(1);
    }
}

/// Tells how many conflicts of a sync wait by now; none of one that merges no more, which nobody can resolve.
pub async fn count_conflicts(settings: &SyncSettings, state: &State) {
    let counted = match settings.merges() {
        true => state.conflicts_waiting(&place_of(settings)).await,
        false => Ok(0),
    };
    match counted {
        Ok(waiting) => SyncMeters::of(&settings.name).conflicts_open.set(waiting as f64),
        Err(error) => tracing::warn!(sync = %settings.name, %error, "conflicts that wait could not be counted"),
    }
}

/// None of a plan, which executes nothing.
fn outcome_of(status: RunStatus) -> Option<Outcome> {
    match status {
        RunStatus::Completed => Some(Outcome::Completed),
        RunStatus::CompletedWithErrors => Some(Outcome::CompletedWithErrors),
        RunStatus::Failed => Some(Outcome::Failed),
        RunStatus::Interrupted => Some(Outcome::Interrupted),
        RunStatus::Planned => None,
    }
}
