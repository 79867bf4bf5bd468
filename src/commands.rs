//! The commands: each reads its settings, does its work, prints its report, and says with which code to end.

use std::path::Path;

use rowsync_actors::job::{Goal, MassDelete};
use rowsync_engine::error::Class;
use rowsync_engine::report::{RunReport, RunStatus};
use serde::Serialize;

use crate::check;
use crate::cli::{
    Command, CommonArgs, ConflictsAction, ConflictsArgs, ErrorsAction, ErrorsArgs, FileArgs, HistoryArgs, InitArgs,
    Output, ServeArgs, TrackArgs, UndoArgs, VerifyArgs,
};
use crate::conflicts::{self, Conflicts};
use crate::ddl;
use crate::execute::{Hooks, execute};
use crate::history::{self, History};
use crate::init;
use crate::orchestrator::system;
use crate::printing::{plan_text, put, run_text, undo_text, verify_text};
use crate::problem::{Exit, Problem};
use crate::progress::Bars;
use crate::row_errors::RowErrors;
use crate::serve::{self, Sources};
use crate::settings::{self, Environment, SyncSettings};
use crate::{row_errors, run, shutdown, telemetry, track, undo};

/// Carries a command out. Problems are told on stderr, reports on stdout.
pub fn carry_out(command: Command) -> Exit {
    match command {
        Command::Init(args) => init(&args),
        Command::Run(args) => on_system(&args.common.clone(), |desk| run::run(args, desk)),
        Command::Serve(args) => on_system(&args.common.clone(), |desk| serve(args, desk)),
        Command::Plan(args) => on_system(&args.common.clone(), |desk| plan(args, desk)),
        Command::Verify(args) => on_system(&args.common.clone(), |desk| verify(args, desk)),
        Command::Undo(args) => on_system(&args.common.clone(), |desk| undo(args, desk)),
        Command::Conflicts(args) => on_system(&args.common.clone(), |desk| conflicts(args, desk)),
        Command::Errors(args) => on_system(&args.common.clone(), |desk| errors(args, desk)),
        Command::Check(args) => on_system(&args.common.clone(), |desk| check(args, desk)),
        Command::Schema(args) => on_system(&args.common.clone(), |desk| schema(args, desk)),
        Command::Track(args) => on_system(&args.common.clone(), |desk| track(args, desk)),
        Command::History(args) => on_system(&args.common.clone(), |desk| history(args, desk)),
    }
}

/// What every command with settings works with.
pub(crate) struct Desk {
    pub common: CommonArgs,
    pub bars: Bars,
    pub hooks: Hooks,
}

fn init(args: &InitArgs) -> Exit {
    match init::write_starter(&args.path) {
        Ok(()) => {
            put(&format!("wrote {}; fill it in, then: rowsync check {0}", args.path.display()));
            Exit::Done
        }
        Err(error) => {
            eprintln!("rowsync: {error}");
            Exit::Usage
        }
    }
}

fn on_system<F: Future<Output = Result<Exit, Problem>>>(common: &CommonArgs, work: impl FnOnce(Desk) -> F) -> Exit {
    let bars = Bars::new(common);
    telemetry::start(common, &bars);
    let desk = Desk { common: common.clone(), bars: bars.clone(), hooks: Hooks::default() };
    let ended = system().block_on(async {
        let _signals =
            shutdown::listen(desk.hooks.stop.clone()).map_err(|error| Problem::Internal(error.to_string()))?;
        let _drawing = bars.follow(&desk.hooks.board, None);
        work(desk).await
    });
    bars.clear();
    ended.unwrap_or_else(|problem| {
        eprintln!("rowsync: {problem}");
        problem.exit()
    })
}

impl Desk {
    pub fn settings(&self, file: &Path) -> Result<SyncSettings, Problem> {
        Ok(settings::load(file, &Environment::of_process(), &self.common.overrides())?)
    }

    pub fn print<T: Serialize>(&self, report: &T, text: impl FnOnce(&T) -> String) -> Result<(), Problem> {
        self.bars.clear();
        let text = match self.common.output {
            Output::Text => text(report),
            Output::Json => {
                serde_json::to_string_pretty(report).map_err(|error| Problem::Internal(error.to_string()))?
            }
        };
        put(&text);
        Ok(())
    }
}

async fn serve(args: ServeArgs, desk: Desk) -> Result<Exit, Problem> {
    let sources = Sources { files: args.files, overrides: desk.common.overrides() };
    // A service that was asked to end and did has done what it should.
    serve::serve(sources, desk.hooks.stop.clone()).await.map(|()| Exit::Done)
}

async fn plan(args: FileArgs, desk: Desk) -> Result<Exit, Problem> {
    let report = execute(&desk.settings(&args.file)?, Goal::Plan, &desk.hooks).await?;
    desk.print(&report, plan_text)?;
    Ok(exit_of(&report))
}

async fn verify(args: VerifyArgs, desk: Desk) -> Result<Exit, Problem> {
    let goal = Goal::Verify { samples_max: args.samples, explain: args.explain };
    let report = execute(&desk.settings(&args.file)?, goal, &desk.hooks).await?;
    desk.print(&report, verify_text)?;
    let differs =
        report.tables.iter().filter_map(|table| table.verification.as_ref()).any(|found| found.differences() > 0);
    Ok(match exit_of(&report) {
        Exit::Done if differs => Exit::Differences,
        exit => exit,
    })
}

async fn undo(args: UndoArgs, desk: Desk) -> Result<Exit, Problem> {
    let settings = desk.settings(&args.file)?;
    let Some(execution_id) = args.execution_id else {
        desk.print(&undo::list(&settings).await?, undo::list_text)?;
        return Ok(Exit::Done);
    };
    let report = undo::undo(&settings, &execution_id, &desk.hooks).await?;
    desk.print(&report, undo_text)?;
    Ok(exit_of(&report))
}

async fn errors(args: ErrorsArgs, desk: Desk) -> Result<Exit, Problem> {
    let settings = desk.settings(&args.file)?;
    let errors = row_errors::list(&settings).await?;
    let replaying = match args.action {
        ErrorsAction::List => None,
        ErrorsAction::Replay => errors.replaying(&settings),
    };
    let Some(replaying) = replaying else {
        desk.print(&errors, RowErrors::text)?;
        return Ok(Exit::Done);
    };
    let hooks = Hooks { only_failed: true, ..desk.hooks.clone() };
    let report = execute(&replaying, Goal::Sync { mass_delete: MassDelete::Refused }, &hooks).await?;
    desk.print(&report, run_text)?;
    Ok(exit_of(&report))
}

async fn conflicts(args: ConflictsArgs, desk: Desk) -> Result<Exit, Problem> {
    let settings = desk.settings(&args.file)?;
    match (args.action, args.id, &args.choice) {
        (ConflictsAction::Show, Some(id), _) => {
            desk.print(&conflicts::show(&settings, id).await?, conflicts::shown)?;
        }
        (ConflictsAction::Resolve, Some(id), Some(choice)) => {
            desk.print(&conflicts::resolve(&settings, id, choice, None).await?, conflicts::shown)?;
        }
        _ => desk.print(&conflicts::list(&settings, args.all).await?, Conflicts::text)?,
    }
    Ok(Exit::Done)
}

async fn check(args: FileArgs, desk: Desk) -> Result<Exit, Problem> {
    let report = check::check(&desk.settings(&args.file)?).await?;
    desk.print(&report, check::text)?;
    Ok(if report.problems() == 0 { Exit::Done } else { Exit::Usage })
}

async fn schema(args: FileArgs, desk: Desk) -> Result<Exit, Problem> {
    let report = ddl::schema(&desk.settings(&args.file)?).await?;
    desk.print(&report, ddl::text)?;
    Ok(if report.problems() == 0 { Exit::Done } else { Exit::Usage })
}

async fn track(args: TrackArgs, desk: Desk) -> Result<Exit, Problem> {
    let report = track::track(&desk.settings(&args.file)?, args.action).await?;
    desk.print(&report, track::text)?;
    Ok(Exit::Done)
}

async fn history(args: HistoryArgs, desk: Desk) -> Result<Exit, Problem> {
    let settings = desk.settings(&args.file)?;
    match &args.id {
        None => desk.print(&History::of(&settings, args.limit).await?, history::text)?,
        Some(id) => {
            let execution = history::find(&settings, id).await?;
            desk.bars.clear();
            put(&history::shown(&execution, desk.common.output)?);
        }
    }
    Ok(Exit::Done)
}

pub(crate) fn exit_of(report: &RunReport) -> Exit {
    let lost = report
        .tables
        .iter()
        .flat_map(|table| &table.errors)
        .chain(&report.errors)
        .any(|error| error.class == Class::Connection);
    match report.status {
        RunStatus::Completed if report.totals.conflicts > 0 => Exit::Failed,
        RunStatus::Completed | RunStatus::Planned => Exit::Done,
        RunStatus::Interrupted => Exit::Interrupted,
        _ if lost => Exit::Unreachable,
        RunStatus::CompletedWithErrors | RunStatus::Failed => Exit::Failed,
    }
}

pub(crate) fn worse(a: Exit, b: Exit) -> Exit {
    if (b as u8) > (a as u8) { b } else { a }
}
