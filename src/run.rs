//! The command `run`: one sync or several, once or by their schedules, and what is told of them.

use std::cell::{Cell, RefCell};

use rowsync_actors::board::Board;
use rowsync_actors::job::{Goal, MassDelete};
use rowsync_engine::report::{RunReport, RunStatus};

use crate::cli::{Output, RunArgs};
use crate::clock::MachineClock;
use crate::commands::{Desk, exit_of, worse};
use crate::company::{Companion, in_order};
use crate::execute::{Hooks, execute};
use crate::metrics_file::MetricsFile;
use crate::printing::{plan_text, run_text};
use crate::problem::{Exit, Problem};
use crate::rounds::{Ended, Member, Rounds};
use crate::settings::SyncSettings;

/// The log's name for what is waited for, so that it is shown where only warnings are.
const WAITING: &str = "rowsync::schedule";

pub(crate) async fn run(args: RunArgs, desk: Desk) -> Result<Exit, Problem> {
    // All files are read before the first sync begins: a mistake in the last one must not be found half-way.
    let all: Vec<SyncSettings> = args.files.iter().map(|file| desk.settings(file)).collect::<Result<_, _>>()?;
    let _metrics_file = MetricsFile::keep(args.metrics_file.as_deref(), &all).await?;
    for sync in all.iter().filter(|sync| !sync.enabled) {
        tracing::info!(sync = %sync.name, "is not enabled, and not run");
    }
    let runs: Vec<Runner> = in_order(all)?.into_iter().map(|companion| Runner::new(companion, args.once)).collect();
    let mass_delete = if args.allow_mass_delete { MassDelete::Allowed } else { MassDelete::Refused };
    let in_cycles = runs.iter().any(|runner| runner.member.schedule.is_some());
    let told = Telling::new(&desk, runs.len() > 1, in_cycles);
    let work = async |place: usize| runs[place].cycle(Goal::Sync { mass_delete }, &told).await;
    let rounds = Rounds {
        clock: &MachineClock::new(),
        stop: &desk.hooks.stop,
        at_once: args.parallel.get(),
        dice: &fastrand::f64,
        tell: &|sync, line| tracing::info!(target: WAITING, %sync, "{line}"),
    };
    let members: Vec<&Member> = runs.iter().map(|runner| &runner.member).collect();
    for (place, failures) in rounds.go(&members, work).await {
        let remedy = "as many cycles failed in a row as `max_error_loop` allows: mend what failed, then run it again";
        tracing::error!(target: WAITING, sync = %members[place].name, failures, "the sync is paused; {remedy}");
    }
    told.in_the_end()?;
    let left = in_cycles || runs.iter().any(|runner| !runner.tried.get());
    Ok(if desk.hooks.stop.is_cancelled() && left { Exit::Interrupted } else { exit_of_all(&runs) })
}

/// What the last cycles say. As soon as one sync was begun, something was touched.
fn exit_of_all(runs: &[Runner]) -> Exit {
    let touched = runs.iter().any(|runner| runner.reported.get());
    let exits = runs.iter().map(|runner| match runner.exit.get() {
        Exit::Usage if touched => Exit::Failed,
        exit => exit,
    });
    exits.fold(Exit::Done, worse)
}

/// One sync of this command, and what has become of it.
struct Runner {
    settings: SyncSettings,
    member: Member,
    /// Of the last cycle.
    exit: Cell<Exit>,
    tried: Cell<bool>,
    /// A cycle has come to a report.
    reported: Cell<bool>,
}

impl Runner {
    fn new(companion: Companion, once: bool) -> Runner {
        let Companion { settings, after } = companion;
        let schedule = settings.schedule.clone().filter(|_| !once);
        let member = Member { name: settings.name.clone(), schedule, after, failures_max: settings.max_error_loop };
        Runner { settings, member, exit: Cell::new(Exit::Done), tried: Cell::default(), reported: Cell::default() }
    }

    async fn cycle(&self, goal: Goal, told: &Telling<'_>) -> Ended {
        self.tried.set(true);
        let hooks = Hooks { board: Board::default(), ..told.desk.hooks.clone() };
        let name = told.names_syncs.then_some(self.member.name.as_str());
        let drawing = told.desk.bars.follow(&hooks.board, name);
        let ended = execute(&self.settings, goal, &hooks).await;
        drop(drawing);
        match ended {
            Ok(report) => {
                self.exit.set(exit_of(&report));
                self.reported.set(true);
                let ended = match report.status {
                    RunStatus::Interrupted => Ended::ForGood,
                    RunStatus::Failed => Ended::Failed,
                    RunStatus::Completed | RunStatus::CompletedWithErrors | RunStatus::Planned => Ended::Done,
                };
                told.report(report);
                ended
            }
            Err(problem) => self.problem(&problem, told),
        }
    }

    fn problem(&self, problem: &Problem, told: &Telling) -> Ended {
        told.problem(&self.member, problem);
        let exit = problem.exit();
        self.exit.set(exit);
        match problem {
            Problem::Interrupted => Ended::ForGood,
            Problem::Held(_) => Ended::Passed,
            // What does not fit is found by whoever has just started it. Later on it is like any other failure: tables
            // come and go.
            _ if exit == Exit::Usage && !self.reported.get() => Ended::ForGood,
            _ => Ended::Failed,
        }
    }
}

/// Reports go to stdout: as text one after the other, as JSON in one object, or in one object a cycle.
struct Telling<'a> {
    desk: &'a Desk,
    names_syncs: bool,
    in_cycles: bool,
    /// Those that are told in the end.
    reports: RefCell<Vec<RunReport>>,
    any_problem: Cell<bool>,
}

impl<'a> Telling<'a> {
    fn new(desk: &'a Desk, names_syncs: bool, in_cycles: bool) -> Telling<'a> {
        Telling { desk, names_syncs, in_cycles, reports: RefCell::default(), any_problem: Cell::default() }
    }

    fn report(&self, report: RunReport) {
        match self.desk.common.output {
            Output::Json if !self.in_cycles => self.reports.borrow_mut().push(report),
            Output::Json | Output::Text => {
                let text = if report.status == RunStatus::Planned { plan_text } else { run_text };
                let headed = |report: &RunReport| match self.names_syncs {
                    true => format!("{}:\n{}", report.sync, text(report)),
                    false => text(report),
                };
                if let Err(problem) = self.desk.print(&report, headed) {
                    tracing::error!(sync = %report.sync, "the report cannot be shown: {problem}");
                }
            }
        }
    }

    fn problem(&self, sync: &Member, problem: &Problem) {
        self.any_problem.set(true);
        let name = &sync.name;
        if sync.schedule.is_some() {
            tracing::error!(sync = %name, "the cycle failed: {problem}");
            return;
        }
        let name = if self.names_syncs { format!("{name}: ") } else { String::new() };
        self.desk.bars.step_aside(|| eprintln!("rowsync: {name}{problem}"));
    }

    /// What was done is told, even where some syncs could not be begun.
    fn in_the_end(&self) -> Result<(), Problem> {
        let mut reports = self.reports.take();
        if self.desk.common.output == Output::Text || self.in_cycles || (reports.is_empty() && self.any_problem.get()) {
            return Ok(());
        }
        // Ids begin with their time.
        reports.sort_by(|one, other| one.execution_id.cmp(&other.execution_id));
        match &reports[..] {
            [report] => self.desk.print(report, |_| String::new()),
            reports => self.desk.print(&serde_json::json!({ "executions": reports }), |_| String::new()),
        }
    }
}
