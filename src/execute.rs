//! One execution of one sync: from settings to report.

mod finish;
mod job;
mod record;

use std::sync::Arc;

use actix::Actor;
use jiff::Timestamp;
use rowsync_actors::board::Board;
use rowsync_actors::job::{Goal, RunJob};
use rowsync_actors::leave::Unshared;
use rowsync_actors::messages::{StartRun, TableOutcome};
use rowsync_actors::phase::Phase;
use rowsync_actors::supervisor::Supervisor;
use rowsync_engine::error::Class;
use rowsync_engine::report::{ErrorReport, RunReport, RunStatus, TableReport, TableStatus};
use rowsync_engine::store::Store;
use rowsync_stores::Access;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::closing::{close_sources, close_tables};
use crate::compatibility::columns_of;
use crate::ends::Ends;
use crate::footing::{Footing, Kept};
use crate::indexes::missing_indexes;
use crate::patience::patiently;
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster, read_rules};
use crate::settings::{ConnectionSettings, SyncSettings};
use crate::state::{Command, Place, State};
use crate::tally::{Tally, count_conflicts};
use crate::tracking::{acknowledge, logs_read};
use crate::undo::journal::ExecutionJournal;

use finish::finish_writing;
pub(crate) use finish::told_in_report;
use job::make_job;
pub(crate) use job::table_options;
pub(crate) use record::tell_whether_recorded;
use record::{remember_verification, remembered_as};

/// What goes with an execution: where progress is shown, and how it is stopped.
#[derive(Clone, Default)]
pub struct Hooks {
    pub board: Board,
    pub stop: CancellationToken,
    /// Only rows that failed in earlier runs are tried.
    pub only_failed: bool,
}

/// Carries a sync out.
///
/// # Errors
/// When it cannot be begun: the settings do not fit the databases, or one of them cannot be reached.
pub async fn execute(settings: &SyncSettings, goal: Goal, hooks: &Hooks) -> Result<RunReport, Problem> {
    execute_as(Uuid::now_v7(), settings, goal, hooks).await
}

/// Carries a sync out under an id that somebody has been told already.
///
/// # Errors
/// As [`execute`].
pub async fn execute_as(
    execution_id: Uuid,
    settings: &SyncSettings,
    goal: Goal,
    hooks: &Hooks,
) -> Result<RunReport, Problem> {
    hooks.board.begin(&settings.name);
    let command = command_of(goal, hooks);
    let tally = command.map(|command| Tally::begin(command, &settings.name, &hooks.board));
    let mut kept = Kept::new(command.unwrap_or(Command::Run), execution_id, now());
    let span = tracing::info_span!("sync_run", sync = %settings.name, execution = %kept.execution_id);
    let ended = see_through(settings, goal, hooks, &mut kept).instrument(span).await;
    kept.end(&settings.name, &ended, now()).await;
    if let Some(state) = kept.state() {
        count_conflicts(settings, state).await;
    }
    if let Some(tally) = tally {
        tally.end(&ended);
    }
    ended
}

/// None of a plan, which executes nothing.
fn command_of(goal: Goal, hooks: &Hooks) -> Option<Command> {
    match goal {
        Goal::Plan => None,
        Goal::Sync { .. } if hooks.only_failed => Some(Command::Replay),
        Goal::Sync { .. } => Some(Command::Run),
        Goal::Verify { .. } => Some(Command::Verify),
    }
}

/// From the first connection to the report.
async fn see_through(
    settings: &SyncSettings,
    goal: Goal,
    hooks: &Hooks,
    kept: &mut Kept,
) -> Result<RunReport, Problem> {
    let (execution_id, started_at) = (kept.execution_id, kept.started_at.clone());
    let goal = match goal {
        Goal::Sync { .. } if settings.tuning.only_sync_plan => Goal::Plan,
        goal => goal,
    };
    let writes = matches!(goal, Goal::Sync { .. });
    let place = place_of(settings);
    let begun = patiently(settings, &hooks.stop, async || begin(settings, goal, hooks, kept).await);
    let Begun { state, roster, job, parked } = begun.await?;
    for cycle in roster.cycles() {
        tracing::warn!("foreign keys form a cycle: {cycle}");
    }
    let (target, leave) = (Arc::clone(&job.shared.target), Arc::clone(&job.shared.leave));
    let source = Arc::clone(&job.shared.source);
    let outcomes = Supervisor.start().send(StartRun { job }).await;
    let outcomes = outcomes.map_err(|_| {
        Problem::Internal("the supervisor ended before it reported; this is a mistake in rowsync".into())
    })?;
    let mut tables = put_back(&roster, parked, &outcomes);
    if goal == Goal::Plan {
        tell_columns(&roster, &*source.store(), &*target.store(), &mut tables);
    }
    let mut errors = Vec::new();
    Phase::TablesDone.reached();
    if writes {
        // What a lost lease means is told by what follows.
        if leave.to_write().await.is_ok() {
            close_tables(&target, settings.max_error_loop, &roster, &mut tables).await;
            close_sources(&source, settings.max_error_loop, &roster, &mut tables).await;
        }
        errors.extend(finish_writing(&target, &*leave, settings.max_error_loop, &roster, &mut tables).await);
    }
    // A view that stands still would keep the log of changes from being pruned.
    let logged = source.store();
    drop(source);
    let mut report = RunReport {
        execution_id: execution_id.to_string(),
        sync: settings.name.clone(),
        undoes: None,
        status: RunReport::status_of(&tables),
        started_at,
        finished_at: now(),
        totals: RunReport::total(&tables),
        tables,
        errors,
    };
    with_own_errors(&mut report);
    match state {
        Some(state) if writes => {
            let logs = logs_read(&outcomes);
            let recorded = state.record(kept.command, &place, &report, &remembered_as(&roster, outcomes)).await;
            if recorded.is_ok() {
                acknowledge(&*logged, &roster, &place, &logs).await;
            }
            let remedy = "the rows are written; mend the state, and the next run compares again";
            tell_whether_recorded(recorded, remedy, settings, &state, &mut report).await;
        }
        Some(_) if matches!(goal, Goal::Verify { .. }) => remember_verification(settings, &roster, &report).await,
        _ => {}
    }
    Phase::Recorded.reached();
    Ok(report)
}

async fn look_for_indexes(settings: &SyncSettings, ends: &Ends, roster: &mut Roster) -> Result<(), Problem> {
    for entry in roster.entries.iter_mut().filter(|entry| entry.target.is_some() && entry.pair.is_ok()) {
        read_rules(settings, ends, &mut entry.source).await?;
        entry.missing_indexes = missing_indexes(settings, ends, entry).await?;
    }
    Ok(())
}

fn tell_columns(roster: &Roster, source: &dyn Store, target: &dyn Store, tables: &mut [TableReport]) {
    for table in tables {
        let entry = roster.entries.iter().find(|entry| entry.settings.name == table.table);
        table.columns = entry.map(|entry| columns_of(entry, source, target)).unwrap_or_default();
    }
}

pub(crate) fn with_own_errors(report: &mut RunReport) {
    if !report.errors.is_empty() && report.status == RunStatus::Completed {
        report.status = RunStatus::CompletedWithErrors;
    }
}

/// Both databases reached and their tables laid beside each other: all that may fail before the first row moves.
struct Begun {
    state: Option<Arc<State>>,
    roster: Roster,
    job: RunJob,
    /// Places of the tables that cannot be begun.
    parked: Vec<usize>,
}

async fn begin(settings: &SyncSettings, goal: Goal, hooks: &Hooks, kept: &mut Kept) -> Result<Begun, Problem> {
    let writes = matches!(goal, Goal::Sync { .. });
    let mut ends = Ends::connect(settings, if writes { Access::Write } else { Access::Look }).await?;
    let footing = if writes {
        let state = Arc::new(State::open(&settings.state).await?);
        let leave = kept.take_lease(settings, &place_of(settings), &state).await?;
        let journal = begin_journal(settings, &state, kept.execution_id).await?;
        Footing { state: Some(state), journal, leave }
    } else {
        let state = State::look_at(&settings.state).await?.map(Arc::new);
        Footing { state, journal: None, leave: Arc::new(Unshared) }
    };
    let missing = match goal {
        Goal::Sync { .. } => Missing::Create,
        Goal::Plan => Missing::Imagine,
        Goal::Verify { .. } => Missing::Compare,
    };
    let calling = Roster::call(settings, &ends, missing, &*footing.leave, &mut kept.made);
    let (mut roster, links) = tokio::try_join!(calling, ends.measure(settings))?;
    if goal == Goal::Plan {
        look_for_indexes(settings, &ends, &mut roster).await?;
    }
    Phase::TablesMade.reached();
    ends.links = links;
    let (job, parked) = make_job(settings, goal, hooks, &ends, &roster, &footing, kept.execution_id).await?;
    Ok(Begun { state: footing.state, roster, job, parked })
}

/// The journal that a run keeps, where it is to be undone.
pub(crate) async fn begin_journal(
    settings: &SyncSettings,
    state: &Arc<State>,
    execution_id: Uuid,
) -> Result<Option<Arc<ExecutionJournal>>, Problem> {
    if !settings.undo.is_on {
        return Ok(None);
    }
    let (place, now) = (place_of(settings), Timestamp::now());
    let journal = ExecutionJournal::begin(state, place, execution_id.to_string(), settings.undo, now);
    Ok(Some(journal.await?))
}

pub(crate) fn now() -> String {
    Timestamp::now().to_string()
}

pub(crate) fn place_of(settings: &SyncSettings) -> Place {
    Place { sync: settings.name.clone(), ends: format!("{} -> {}", end(&settings.source), end(&settings.target)) }
}

fn end(connection: &ConnectionSettings) -> String {
    format!("{} {}", connection.url, connection.schema.as_deref().unwrap_or_default())
}

/// The reports of all tables in the order of the roster, with those that were not begun.
fn put_back(roster: &Roster, parked: Vec<usize>, outcomes: &[TableOutcome]) -> Vec<TableReport> {
    let mut begun = outcomes.iter();
    let report = |(index, entry): (usize, &Entry)| match &entry.pair {
        Err(mismatch) => Roster::parked(entry, mismatch),
        Ok(_) if parked.contains(&index) => blocked(entry),
        Ok(_) => begun.next().map_or_else(|| blocked(entry), |outcome| outcome.report.clone()),
    };
    roster.entries.iter().enumerate().map(report).collect()
}

fn blocked(entry: &Entry) -> TableReport {
    let mut report = TableReport::new(&entry.settings.name, &entry.settings.target);
    report.status = TableStatus::Blocked;
    report.errors.push(ErrorReport {
        class: Class::Schema,
        key: None,
        message: "not begun: a table that it refers to does not fit".into(),
        remedy: "mend that table first, then run again".into(),
    });
    report
}
