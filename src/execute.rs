//! One execution of one sync: from settings to report.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use actix::Actor;
use jiff::Timestamp;
use rowsync_actors::board::Board;
use rowsync_actors::end::End;
use rowsync_actors::failure::Failure;
use rowsync_actors::job::{Earlier, Goal, RunJob, Shared, TableJob, TableOptions, page_bytes};
use rowsync_actors::journal::Keeping;
use rowsync_actors::leave::{Leave, Unshared};
use rowsync_actors::messages::{StartRun, TableOutcome};
use rowsync_actors::meters::SyncMeters;
use rowsync_actors::phase::Phase;
use rowsync_actors::supervisor::Supervisor;
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::given::key_given;
use rowsync_engine::key::Key;
use rowsync_engine::order::{Order, order};
use rowsync_engine::pair::Pair;
use rowsync_engine::plan::Strategy;
use rowsync_engine::report::{ErrorReport, RunReport, RunStatus, TableReport, TableStatus};
use rowsync_engine::schema::{ForeignKey, TableName, TableSchema, TableView};
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Consistency, Store};
use rowsync_stores::Access;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::closing::{close_sources, close_tables};
use crate::compatibility::columns_of;
use crate::ends::{Ends, told};
use crate::footing::{Footing, Kept};
use crate::merging;
use crate::patience::{dice, patience_of, patiently};
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster, wished_foreign_keys, wished_table};
use crate::settings::{ConnectionSettings, SyncSettings, TuningSettings};
use crate::state::{Command, Place, RowError, State, StateError};
use crate::tally::{Tally, count_conflicts};
use crate::tracking::{acknowledge, log_owner, logs_read};
use crate::undo::journal::ExecutionJournal;

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
    let tally = command_of(goal).map(|command| Tally::begin(command, &settings.name, &hooks.board));
    let mut kept = Kept::new(execution_id, now(), None);
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
fn command_of(goal: Goal) -> Option<Command> {
    match goal {
        Goal::Plan => None,
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
            let recorded = state.record(&place, &report, &remembered_as(&roster, outcomes)).await;
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

fn tell_columns(roster: &Roster, source: &dyn Store, target: &dyn Store, tables: &mut [TableReport]) {
    for table in tables {
        let entry = roster.entries.iter().find(|entry| entry.settings.name == table.table);
        table.columns = entry.map(|entry| columns_of(entry, source, target)).unwrap_or_default();
    }
}

/// What fails here is an error of the execution: its rows are written.
pub(crate) async fn tell_whether_recorded(
    recorded: Result<(), StateError>,
    remedy: &str,
    settings: &SyncSettings,
    state: &State,
    report: &mut RunReport,
) {
    if let Err(error) = recorded {
        let remedy = remedy.to_owned();
        let class = if error.is_refusal() { Class::Connection } else { Class::Logic };
        report.errors.push(ErrorReport { class, key: None, message: error.to_string(), remedy });
        with_own_errors(report);
    } else if let Err(error) = state.forget(&settings.name, settings.retention, Timestamp::now()).await {
        tracing::warn!(%error, "old executions could not be removed from the history");
    }
}

/// Where there is a state: to look is no reason to make one. A state that only lets itself be read does not stop anybody
/// from looking either.
async fn remember_verification(settings: &SyncSettings, roster: &Roster, report: &RunReport) {
    let mut report = report.clone();
    let secretive = roster.entries.iter().filter(|entry| !entry.settings.tuning.keep_failed_rows);
    for entry in secretive {
        let tables = report.tables.iter_mut().filter(|table| table.table == entry.settings.name);
        let samples = tables.filter_map(|table| table.verification.as_mut()).flat_map(|found| &mut found.samples);
        samples.for_each(|sample| sample.columns.clear());
    }
    let remembered = async {
        let state = State::open(&settings.state).await?;
        state.record_report(Command::Verify, &report).await?;
        state.forget(&settings.name, settings.retention, Timestamp::now()).await
    };
    if let Err(error) = remembered.await {
        tracing::warn!(%error, "the history does not hold this verification");
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
    let (roster, links) = tokio::try_join!(calling, ends.measure(settings))?;
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

/// Each outcome with what its memory depends on.
fn remembered_as(roster: &Roster, outcomes: Vec<TableOutcome>) -> Vec<(String, TableOutcome)> {
    let shape = |outcome: &TableOutcome| {
        let entry = roster.entries.iter().find(|entry| entry.settings.name == outcome.report.table);
        entry.map(shape_of).unwrap_or_default()
    };
    outcomes.into_iter().map(|outcome| (shape(&outcome), outcome)).collect()
}

/// The target, and the columns and rows that take part. A memory of other ones is no use.
fn shape_of(entry: &Entry) -> String {
    let Ok(pair) = &entry.pair else { return String::new() };
    let names = |view: &TableView| {
        let names: Vec<&str> = view.columns.iter().map(|column| column.column.name.as_str()).collect();
        let rows = if view.filter.is_all() { String::new() } else { format!(" where {:?}", view.filter) };
        let made = view.derived.as_ref().map(|derivation| format!(" made {}", derivation.shape())).unwrap_or_default();
        let exact = if view.exact.is_empty() { String::new() } else { format!(" exact {:?}", view.exact) };
        format!("{} ({}) by {:?}{rows}{made}{exact}", view.table, names.join(","), view.modify_time)
    };
    format!("{} -> {}", names(&pair.source), names(&pair.target))
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

/// What was done to the target's table before its rows.
fn creation_notes(entry: &Entry) -> Vec<String> {
    let created = entry.created.then(|| "the target's table was created".to_owned());
    let left_behind = if entry.created { wished_table(entry).rules.left_behind } else { Vec::new() };
    let added = &entry.added_columns;
    let added = (!added.is_empty()).then(|| format!("columns added to the target's table: {}", added.join(", ")));
    created.into_iter().chain(left_behind).chain(added).collect()
}

/// The job for the supervisor, and the places of the tables that cannot be begun.
async fn make_job(
    settings: &SyncSettings,
    goal: Goal,
    hooks: &Hooks,
    ends: &Ends,
    roster: &Roster,
    footing: &Footing,
    execution_id: Uuid,
) -> Result<(RunJob, Vec<usize>), Problem> {
    let (parked, place) = (parked_places(roster), place_of(settings));
    let budget_bytes = usize::try_from(settings.max_bytes_in_flight.get()).unwrap_or(usize::MAX);
    let failed = failed_rows(hooks, footing.state.as_deref(), &place).await?;
    let mut tables = Vec::new();
    for (index, entry) in roster.entries.iter().enumerate().filter(|(index, _)| !parked.contains(index)) {
        let Ok(pair) = &entry.pair else { continue };
        let keeping = keeping(footing, ends, entry, pair)?;
        let tuning = &entry.settings.tuning;
        let merge = footing.state.as_ref().filter(|_| tuning.sync_strategy == Strategy::Merge);
        let merge = merge
            .map(|state| merging::merge(state, &place, execution_id.to_string(), &entry.settings.name, pair, tuning));
        tables.push(TableJob {
            name: entry.settings.name.clone(),
            pair: if keeping.is_some() { Arc::new(Pair { raw: false, ..Pair::clone(pair) }) } else { Arc::clone(pair) },
            options: options_of(entry, budget_bytes, settings.max_parallel_tables),
            earlier: remembered(entry, footing.state.as_deref(), &place).await?,
            target_missing: entry.target_missing,
            has_children: roster.order.has_children[index],
            log_owner: log_owner(&entry.settings.tuning, &place).filter(|_| merge.is_none() && !pair.is_keyless()),
            notes: creation_notes(entry),
            keeping,
            replay: failed
                .as_ref()
                .filter(|_| merge.is_none() && !pair.is_keyless())
                .and_then(|all| keys_of(entry, pair, all)),
            merge,
        });
    }
    // A look finds out what differs now: a source that stands still would differ from a target that moves on.
    // A merge looks again at what it wrote.
    let is_latest = matches!(goal, Goal::Verify { .. }) || settings.merges();
    let consistency = if is_latest { Consistency::Latest } else { Consistency::Frozen };
    let (dice, meters) = (dice(), SyncMeters::of(&settings.name));
    let end = |side, store: &Arc<dyn Store>, consistency, connection| {
        let (patience, dice, stop) = (patience_of(connection), Arc::clone(&dice), hooks.stop.clone());
        End::new(side, Arc::clone(store), consistency, patience, dice, stop, meters.retries.clone())
    };
    let source = end(SideName::Source, &ends.source, consistency, &settings.source).await;
    let target = end(SideName::Target, &ends.target, Consistency::Latest, &settings.target).await;
    let source = source.map_err(|error| told("source", &settings.source, error))?;
    source.lie_beside(Arc::clone(&ends.target));
    let shared = Shared {
        source,
        target: target.map_err(|error| told("target", &settings.target, error))?,
        leave: Arc::clone(&footing.leave),
        budget: meters.budget(NonZeroUsize::new(budget_bytes).unwrap_or(NonZeroUsize::MIN)),
        board: hooks.board.clone(),
        stop: hooks.stop.clone(),
        goal,
        salt: execution_id.as_u64_pair().1,
        source_link: ends.links.source,
        target_link: ends.links.target,
        failures_max: settings.max_error_loop,
        dice,
        span: tracing::Span::current(),
    };
    let order = without(&roster.order, &parked);
    Ok((RunJob { tables, order, tables_at_once: settings.max_parallel_tables, shared }, parked))
}

/// Rows that failed, where only those are to be tried; read under the lease, so that none comes after.
async fn failed_rows(hooks: &Hooks, state: Option<&State>, place: &Place) -> Result<Option<Vec<RowError>>, StateError> {
    match state.filter(|_| hooks.only_failed) {
        Some(state) => state.row_errors(place).await.map(Some),
        None => Ok(None),
    }
}

/// The keys of a table's failed rows; none where one of them cannot be read as it is kept, and the table is compared.
fn keys_of(entry: &Entry, pair: &Pair, failed: &[RowError]) -> Option<Arc<[Key]>> {
    let own = failed.iter().filter(|error| error.table == entry.settings.name);
    own.map(|error| key_given(&error.key, &pair.source)).collect()
}

fn options_of(entry: &Entry, budget_bytes: usize, tables_at_once: NonZeroUsize) -> TableOptions {
    let options = table_options(&entry.settings.tuning, budget_bytes, tables_at_once);
    // Rows of this kind that only the target has may go to another kind before they are to be deleted: they are not
    // remembered, but searched again.
    let keys_max = if entry.settings.kind.is_some() { 0 } else { options.keys_max };
    TableOptions { keys_max, ..options }
}

fn keeping(footing: &Footing, ends: &Ends, entry: &Entry, pair: &Pair) -> Result<Option<Keeping>, Problem> {
    let (Some(journal), Some(target)) = (&footing.journal, &entry.target) else { return Ok(None) };
    // Images are found by the keys of their rows.
    if pair.is_keyless() {
        return Ok(None);
    }
    let keeping = journal.keeping(&entry.settings.name, pair, target, &ends.target.capabilities());
    keeping.map(Some).map_err(|mismatch| Problem::Usage(mismatch.to_string()))
}

/// Tables that do not fit, and those that depend on them.
fn parked_places(roster: &Roster) -> Vec<usize> {
    let mut parked: Vec<usize> = Vec::new();
    for index in roster.order.waves.iter().flatten() {
        let blocked = roster.order.parents[*index].iter().any(|parent| parked.contains(parent));
        if blocked || roster.entries[*index].pair.is_err() {
            parked.push(*index);
        }
    }
    parked.sort_unstable();
    parked
}

/// The same order over the tables that are left.
fn without(whole: &Order, parked: &[usize]) -> Order {
    let left: Vec<usize> = (0..whole.parents.len()).filter(|index| !parked.contains(index)).collect();
    let place = |index: &usize| left.iter().position(|other| other == index);
    let edges = left.iter().enumerate().flat_map(|(child, index)| {
        whole.parents[*index].iter().filter_map(place).map(move |parent| (parent, child)).collect::<Vec<_>>()
    });
    let edges: Vec<(usize, usize)> = edges.collect();
    let mut order = order(left.len(), &edges);
    order.has_children = left.iter().map(|index| whole.has_children[*index]).collect();
    order
}

async fn remembered(entry: &Entry, state: Option<&State>, place: &Place) -> Result<Option<Earlier>, Problem> {
    match state {
        Some(state) if !entry.settings.tuning.sync_all => {
            Ok(state.earlier(place, &entry.settings.name, &shape_of(entry)).await?)
        }
        _ => Ok(None),
    }
}

pub(crate) fn table_options(
    tuning: &TuningSettings,
    budget_bytes: usize,
    tables_at_once: NonZeroUsize,
) -> TableOptions {
    TableOptions {
        strategy: tuning.sync_strategy,
        overlap: tuning.modify_time_overlap,
        truncate_target: tuning.truncate_target,
        trust_modify_id: tuning.trust_modify_id,
        batch_rows: tuning.batch_size,
        delete_batch_rows: tuning.delete_batch_size,
        keys_max: tuning.id_array_batch_size.get(),
        search_for_add: tuning.binary_search_for_add,
        search_for_delete: tuning.binary_search_for_delete,
        search_min_rows: tuning.binary_search_min_table_size,
        search_max_diff_percent: u64::from(tuning.binary_search_max_diff_percent),
        leaf_rows: tuning.binary_search_read_batch.get() as u64,
        compare_method: tuning.compare_method,
        parallel_ranges: tuning.max_parallel_ranges,
        recent_first: tuning.binary_search_recent_first,
        fallback_full_compare: tuning.fallback_full_compare_on_mismatch,
        max_delete_percent: u64::from(tuning.max_delete_percent),
        min_rows_to_sync: tuning.min_rows_to_sync,
        check_all_tables: tuning.check_all_tables,
        only_plan: tuning.only_sync_plan,
        max_error_count: tuning.max_error_count,
        continue_on_error: tuning.continue_on_error,
        keep_failed_rows: tuning.keep_failed_rows,
        statements: tuning.statements,
        page_bytes: page_bytes(budget_bytes, tables_at_once),
    }
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

/// Foreign keys of the tables that were made, and everything safe on disk: in one step that is repeated as a whole, since
/// a server that goes down before the last word of it may lose the first. What fails here is an error of the run: the
/// rows are written.
async fn finish_writing(
    target: &End,
    leave: &dyn Leave,
    failures_max: u32,
    roster: &Roster,
    tables: &mut [TableReport],
) -> Option<ErrorReport> {
    let interrupted = RunReport::status_of(tables) == RunStatus::Interrupted;
    let created = roster.entries.iter().enumerate().filter(|(_, entry)| entry.lacks_foreign_keys && !interrupted);
    let created: Vec<Unfinished<'_>> = created
        .filter_map(|(place, entry)| {
            let foreign_keys = wished_foreign_keys(&roster.entries, place);
            Some(Unfinished { place, table: &entry.target.as_ref()?.name, like: wished_table(entry), foreign_keys })
        })
        .collect();
    let mut notes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut refused: BTreeMap<usize, ErrorReport> = BTreeMap::new();
    let finished = target.insist(failures_max, async || {
        let store = target.store();
        leave.to_write().await?;
        for Unfinished { place, table, like, foreign_keys } in &created {
            match add_rest(&*store, table, like, foreign_keys, notes.entry(*place).or_default()).await {
                Err(error) if error.class() == Class::Connection && error.kind != Kind::Forbidden => return Err(error),
                Err(error) => drop(refused.insert(*place, told_in_report(&error))),
                Ok(()) => {}
            }
        }
        Phase::KeysAdded.reached();
        store.flush().await
    });
    let finished = finished.await;
    notes.into_iter().for_each(|(place, notes)| tables[place].notes.extend(notes));
    for (place, error) in refused {
        tables[place].errors.push(error);
        if tables[place].status == TableStatus::Completed {
            tables[place].status = TableStatus::CompletedWithErrors;
        }
    }
    match finished {
        Ok(()) | Err(Failure::Stopped) => None,
        Err(failure) => Some(told_in_report(&failure.into_error())),
    }
}

/// A table that was made and lacks what follows its rows.
struct Unfinished<'a> {
    place: usize,
    table: &'a TableName,
    like: TableSchema,
    foreign_keys: Vec<ForeignKey>,
}

/// `notes`: what the target refused of the source's rules. A table is no less equal without an index.
async fn add_rest(
    store: &dyn Store,
    table: &TableName,
    like: &TableSchema,
    foreign_keys: &[ForeignKey],
    notes: &mut Vec<String>,
) -> Result<(), StoreError> {
    *notes = store.add_rules(table, like).await?;
    store.add_foreign_keys(table, foreign_keys).await
}

pub(crate) fn told_in_report(error: &StoreError) -> ErrorReport {
    let remedy = rowsync_engine::recovery::remedy(error.kind).to_owned();
    ErrorReport { class: error.class(), key: None, message: error.to_string(), remedy }
}
