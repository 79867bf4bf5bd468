//! `rowsync undo`: puts back what an execution changed, where the rows are still as it left them.
//!
//! It is an execution like any other: it has the lease, writes batch by batch through the writer of a run, keeps what it
//! changes so that it can be undone itself, and looks at what it wrote. Rows that were there come back parents first,
//! rows that were added go children first; what is refused is tried again when all else is done.

pub mod columns;
pub mod journal;
mod restore;
mod told;
mod watch;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use rowsync_actors::end::End;
use rowsync_actors::failure::Failure;
use rowsync_actors::leave::Leave;
use rowsync_actors::meters::SyncMeters;
use rowsync_actors::writer::Pen;
use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::image::follow;
use rowsync_engine::pair::{Mismatch, Pair};
use rowsync_engine::report::{ErrorReport, RunReport, TableReport, TableStatus};
use rowsync_engine::search::SideName;
use rowsync_engine::store::Consistency;
use rowsync_stores::Access;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::closing::close_tables;
use crate::ends::{Ends, told};
use crate::execute::{
    Hooks, begin_journal, now, place_of, table_options, tell_whether_recorded, told_in_report, with_own_errors,
};
use crate::footing::Kept;
use crate::patience::{dice, patience_of, patiently};
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster};
use crate::settings::SyncSettings;
use crate::state::{Command, State};
use crate::tally::Tally;
use columns::{image_view, shape, whole};
use journal::ExecutionJournal;
use restore::{Half, Restorer, Tools};
pub use told::{list, list_text};
use watch::Watch;

/// Undoes an execution.
///
/// # Errors
/// When it cannot be begun: nothing is kept of that execution, or a database cannot be reached.
pub async fn undo(settings: &SyncSettings, execution_id: &str, hooks: &Hooks) -> Result<RunReport, Problem> {
    let finding = patiently(settings, &hooks.stop, async || told::find(settings, execution_id).await);
    let execution_id = finding.await?;
    let mut kept = Kept::undoing(Uuid::now_v7(), now(), execution_id.clone());
    hooks.board.begin(&settings.name);
    let tally = Tally::begin(Command::Undo, &settings.name, &hooks.board);
    let span =
        tracing::info_span!("sync_run", sync = %settings.name, execution = %kept.execution_id, undoes = %execution_id);
    let ended = see_through(settings, &execution_id, hooks, &mut kept).instrument(span).await;
    kept.end(&settings.name, &ended, now()).await;
    tally.end(&ended);
    ended
}

async fn see_through(
    settings: &SyncSettings,
    execution_id: &str,
    hooks: &Hooks,
    kept: &mut Kept,
) -> Result<RunReport, Problem> {
    let begun = patiently(settings, &hooks.stop, async || begin(settings, hooks, kept).await).await?;
    let mut undoing = begun.read(settings, execution_id, hooks).await?;
    let ended = undoing.go().await;
    let (mut tables, mut errors) = undoing.report(ended, &begun.roster);
    if begun.leave.to_write().await.is_ok() {
        close_tables(&begun.tools.target, settings.max_error_loop, &begun.roster, &mut tables).await;
    }
    errors.extend(begun.flush(settings).await);
    tables.retain(|table| table.status != TableStatus::Planned);
    let mut report = RunReport {
        execution_id: kept.execution_id.to_string(),
        sync: settings.name.clone(),
        undoes: Some(execution_id.to_owned()),
        status: RunReport::status_of(&tables),
        started_at: kept.started_at.clone(),
        finished_at: now(),
        totals: RunReport::total(&tables),
        tables,
        errors,
    };
    with_own_errors(&mut report);
    let recorded = begun.state.record_report(Command::Undo, &report).await;
    let remedy = "the rows are put back; mend the state";
    tell_whether_recorded(recorded, remedy, settings, &begun.state, &mut report).await;
    Ok(report)
}

/// All that an undo stands on.
struct Begun {
    state: Arc<State>,
    leave: Arc<dyn Leave>,
    roster: Roster,
    ends: Ends,
    journal: Option<Arc<ExecutionJournal>>,
    tools: Arc<Tools>,
}

async fn begin(settings: &SyncSettings, hooks: &Hooks, kept: &mut Kept) -> Result<Begun, Problem> {
    let ends = Ends::connect(settings, Access::Write).await?;
    let state = Arc::new(State::open(&settings.state).await?);
    let leave = kept.take_lease(settings, &place_of(settings), &state).await?;
    let roster = Roster::call(settings, &ends, Missing::Report, &*leave, &mut kept.made).await?;
    let meters = SyncMeters::of(&settings.name);
    let target = End::new(
        SideName::Target,
        Arc::clone(&ends.target),
        Consistency::Latest,
        patience_of(&settings.target),
        dice(),
        hooks.stop.clone(),
        meters.retries.clone(),
    );
    let bytes = usize::try_from(settings.max_bytes_in_flight.get()).unwrap_or(usize::MAX);
    let tools = Tools {
        target: target.await.map_err(|error| told("target", &settings.target, error))?,
        budget: meters.budget(NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN)),
        failures_max: settings.max_error_loop,
        stop: hooks.stop.clone(),
    };
    let journal = begin_journal(settings, &state, kept.execution_id).await?;
    Ok(Begun { state, leave, roster, ends, journal, tools: Arc::new(tools) })
}

impl Begun {
    /// All that is kept of an execution, before anything is put back: what is changed now may push it out.
    async fn read(&self, settings: &SyncSettings, execution_id: &str, hooks: &Hooks) -> Result<Undoing, Problem> {
        let mut undoing = Undoing { tables: Vec::new(), left_out: Vec::new() };
        for (table, kept_shape) in self.state.undo_tables(execution_id).await? {
            let place = self.roster.entries.iter().position(|entry| entry.settings.name == table);
            let Some(place) = place else {
                if settings.sync_table.is_none() {
                    undoing.left_out.push((None, table, "it is none of the sync's tables any more".into()));
                }
                continue;
            };
            match self.restorer(settings, &self.roster.entries[place], &kept_shape, hooks, execution_id).await? {
                Ok(restorer) => undoing.tables.push(Restored { place, restorer, failure: None, unproven: 0 }),
                Err(reason) => undoing.left_out.push((Some(place), table, reason)),
            }
        }
        let waves: Vec<usize> = self.roster.order.waves.iter().flatten().copied().collect();
        undoing.tables.sort_by_key(|table| waves.iter().position(|place| *place == table.place));
        Ok(undoing)
    }

    /// The restorer of a table, or why there can be none.
    async fn restorer(
        &self,
        settings: &SyncSettings,
        entry: &Entry,
        kept_shape: &str,
        hooks: &Hooks,
        execution_id: &str,
    ) -> Result<Result<Restorer, String>, Problem> {
        let (pair, target) = match (&entry.pair, &entry.target) {
            (Ok(pair), Some(target)) => (pair, target),
            (Err(mismatch), _) => return Ok(Err(mismatch.to_string())),
            (_, None) => return Ok(Err("the target does not have it any more".into())),
        };
        let unreadable = |mismatch: Mismatch| Problem::Usage(mismatch.to_string());
        let capabilities = self.ends.target.capabilities();
        let image = image_view(pair, target, &capabilities).map_err(unreadable)?;
        if shape(&image, &pair.target) != kept_shape {
            return Ok(Err("its columns, or how they are compared, are not those of that run any more".into()));
        }
        let mut trails = BTreeMap::new();
        let name = &entry.settings.name;
        self.state.each_image(execution_id, name, |images| follow(&mut trails, images)).await?;
        // What the next run finds is no longer what the last one left.
        self.state.distrust(&place_of(settings), name).await?;
        let own = self.journal.as_ref().map(|journal| journal.keeping(name, pair, target, &capabilities));
        let own = own.transpose().map_err(unreadable)?;
        let watch = Arc::new(Watch::new(pair.target.domains().into(), own.map(|own| own.journal)));
        let pen = self.pen(settings, entry, pair, hooks, &watch, &image);
        Ok(Ok(Restorer::new(Arc::clone(&self.tools), pen, &image, watch, trails)))
    }

    fn pen(
        &self,
        settings: &SyncSettings,
        entry: &Entry,
        pair: &Pair,
        hooks: &Hooks,
        watch: &Arc<Watch>,
        image: &Arc<rowsync_engine::schema::TableView>,
    ) -> Pen {
        let mut options =
            table_options(&entry.settings.tuning, self.tools.budget.bytes_max(), settings.max_parallel_tables);
        // All rows that can be put back are; those that cannot be are told at the end.
        options.max_error_count = u64::MAX;
        options.continue_on_error = true;
        Pen {
            side: SideName::Target,
            store: self.tools.target.store(),
            view: whole(&pair.target),
            kin: None,
            progress: hooks.board.table(&entry.settings.name),
            ledger: Arc::default(),
            leave: Arc::clone(&self.leave),
            options,
            // A row without what it refers to is not the row that was there; it waits instead.
            circular: Vec::new(),
            others_write: Arc::default(),
            together: Arc::default(),
            keeping: Some(rowsync_actors::journal::Keeping {
                journal: Arc::clone(watch) as Arc<dyn rowsync_actors::journal::Journal>,
                image: Arc::clone(image),
                domains: pair.target.domains().into(),
            }),
        }
    }

    /// Everything safe on disk.
    async fn flush(&self, settings: &SyncSettings) -> Option<ErrorReport> {
        let target = &self.tools.target;
        let flushed = target.insist(settings.max_error_loop, async || {
            self.leave.to_write().await?;
            target.store().flush().await
        });
        match flushed.await {
            Ok(()) | Err(Failure::Stopped) => None,
            Err(failure) => Some(told_in_report(&failure.into_error())),
        }
    }
}

/// One table of an undo.
struct Restored {
    /// In the roster.
    place: usize,
    restorer: Restorer,
    /// Why it was not brought to its end.
    failure: Option<StoreError>,
    /// Rows that were put back and are not as they were all the same.
    unproven: u64,
}

struct Undoing {
    /// Parents first.
    tables: Vec<Restored>,
    /// Tables that cannot be restored: their place in the roster where they have one, their name, and why.
    left_out: Vec<(Option<usize>, String, String)>,
}

/// Whether the undo was stopped, or ended for all tables.
type Ended = Result<(), Failure>;

impl Undoing {
    async fn go(&mut self) -> Ended {
        for half in [Half::PutBack, Half::Remove] {
            self.half(half, async |restorer| restorer.go(half).await).await?;
        }
        let mut before = usize::MAX;
        while (1..before).contains(&self.refused()) {
            before = self.refused();
            for half in [Half::PutBack, Half::Remove] {
                self.half(half, async |restorer| restorer.again(half).await).await?;
            }
        }
        for table in self.tables.iter_mut().filter(|table| table.failure.is_none()) {
            match table.restorer.prove().await {
                Ok(unproven) => table.unproven = unproven,
                Err(failure) => table.fail(failure)?,
            }
        }
        Ok(())
    }

    /// Over all tables in the order of this half.
    async fn half(&mut self, half: Half, work: impl AsyncFn(&mut Restorer) -> Result<(), Failure>) -> Ended {
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        if half == Half::Remove {
            order.reverse();
        }
        for place in order {
            let table = &mut self.tables[place];
            if table.failure.is_none()
                && let Err(failure) = work(&mut table.restorer).await
            {
                table.fail(failure)?;
            }
        }
        Ok(())
    }

    fn refused(&self) -> usize {
        self.tables.iter().map(|table| table.restorer.refused().len()).sum()
    }

    /// A report for each entry of the roster, and errors that belong to none.
    fn report(self, ended: Ended, roster: &Roster) -> (Vec<TableReport>, Vec<ErrorReport>) {
        let blank = |entry: &Entry| TableReport::new(&entry.settings.name, &entry.settings.target);
        let mut reports: Vec<TableReport> = roster.entries.iter().map(blank).collect();
        let mut errors = Vec::new();
        for (place, table, reason) in self.left_out {
            let error = told::left_out(&table, &reason);
            match place {
                Some(place) => {
                    reports[place].status = TableStatus::Failed;
                    reports[place].errors.push(error);
                }
                None => errors.push(error),
            }
        }
        let stopped = matches!(ended, Err(Failure::Stopped));
        for table in &self.tables {
            let entry = &roster.entries[table.place];
            told::tell(&table.restorer, entry, &mut reports[table.place]);
            told::tell_end(table.failure.as_ref(), table.unproven, stopped, &mut reports[table.place]);
        }
        if let Err(failure) = ended
            && !stopped
        {
            errors.push(told_in_report(&failure.into_error()));
        }
        (reports, errors)
    }
}

impl Restored {
    /// Notes why the table is not restored; an error where the other ones cannot be either.
    fn fail(&mut self, failure: Failure) -> Ended {
        if matches!(failure, Failure::Stopped) {
            return Err(failure);
        }
        let error = failure.into_error();
        if error.class() == Class::Connection {
            self.failure = Some(StoreError::new(error.kind, error.operation, error.message.clone()));
            return Err(error.into());
        }
        self.failure = Some(error);
        Ok(())
    }
}
