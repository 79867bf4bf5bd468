//! The job of an execution: settings, tables and what is remembered of them, as the supervisor takes them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use rowsync_actors::end::End;
use rowsync_actors::job::{Earlier, Goal, RunJob, Shared, TableJob, TableOptions, page_bytes};
use rowsync_actors::journal::Keeping;
use rowsync_actors::meters::SyncMeters;
use rowsync_engine::given::key_given;
use rowsync_engine::key::Key;
use rowsync_engine::order::{Order, order};
use rowsync_engine::pair::Pair;
use rowsync_engine::plan::Strategy;
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Consistency, Store};
use uuid::Uuid;

use super::record::shape_of;
use super::{Hooks, place_of};
use crate::ends::{Ends, told};
use crate::footing::Footing;
use crate::merging;
use crate::patience::{dice, patience_of};
use crate::problem::Problem;
use crate::roster::{Entry, Roster, wished_table};
use crate::settings::{SyncSettings, TuningSettings};
use crate::state::{Place, RowError, State, StateError};
use crate::tracking::log_owner;

/// What was done to the target's table before its rows, or what a plan finds that it lacks.
fn creation_notes(entry: &Entry) -> Vec<String> {
    let created = entry.created.then(|| "the target's table was created".to_owned());
    let left_behind = if entry.created { wished_table(entry).rules.left_behind } else { Vec::new() };
    let added = &entry.added_columns;
    let added = (!added.is_empty()).then(|| format!("columns added to the target's table: {}", added.join(", ")));
    created.into_iter().chain(left_behind).chain(added).chain(entry.missing_indexes.clone()).collect()
}

/// The job for the supervisor, and the places of the tables that cannot be begun.
pub(super) async fn make_job(
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
    // What ends this run by itself ends no other.
    let stop = hooks.stop.child_token();
    let end = |side, store: &Arc<dyn Store>, consistency, connection| {
        let (patience, dice, stop) = (patience_of(connection), Arc::clone(&dice), stop.clone());
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
        stop: stop.clone(),
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
