//! The supervisor: has the keeper of each table start it when its parents are done, so many at a time, walks back
//! through those whose rows wait to be deleted, children first, and once more to rows that were refused before that.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use actix::{Actor, AtomicResponse, Context, Handler, WrapFuture};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rowsync_engine::error::Class;
use rowsync_engine::report::{ErrorReport, TableReport, TableStatus};

use crate::job::{RunJob, TableJob};
use crate::keeper::Keeper;
use crate::messages::{Pass, Standing, StartRun, TableOutcome};
use crate::phase::Phase;

#[derive(Default)]
pub struct Supervisor;

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<StartRun> for Supervisor {
    type Result = AtomicResponse<Self, Vec<TableOutcome>>;

    fn handle(&mut self, message: StartRun, _: &mut Context<Self>) -> Self::Result {
        AtomicResponse::new(Box::pin(drive(message.job).into_actor(self)))
    }
}

/// All passes over all tables.
async fn drive(job: RunJob) -> Vec<TableOutcome> {
    let RunJob { tables, order, tables_at_once, shared } = job;
    // Whoever is left without a supervisor stops after the batch in hand.
    let unsupervised = shared.stop.clone().drop_guard();
    let mut run = Run { outcomes: vec![None; tables.len()], waiting: BTreeMap::new(), abort: false };
    let mut keepers: Vec<Option<Keeper>> =
        tables.iter().map(|table| Some(Keeper::new(table.clone(), shared.clone()))).collect();
    let mut walk = Walk::new(order.parents.clone(), (0..tables.len()).collect(), tables_at_once);
    walk.go(&mut run, &tables, Pass::Upserts, &mut keepers).await;
    Phase::Walked.reached();
    let waiting: Vec<usize> = run.waiting.keys().copied().collect();
    let any_waited = !waiting.is_empty();
    let mut walk = Walk::new(order.children(), waiting, tables_at_once);
    walk.go(&mut run, &tables, Pass::Deletes, &mut keepers).await;
    if any_waited {
        // What was in the way of a parent may have gone only now, and its children were refused before.
        let mut walk = Walk::new(order.parents.clone(), run.with_failed_rows(), tables_at_once);
        walk.go(&mut run, &tables, Pass::Deletes, &mut keepers).await;
    }
    unsupervised.disarm();
    let finished = run.outcomes.into_iter().zip(&tables);
    finished.map(|(outcome, table)| outcome.unwrap_or_else(|| failed(table, "the table was never begun"))).collect()
}

/// What is known of the run so far.
struct Run {
    outcomes: Vec<Option<TableOutcome>>,
    /// Tables whose deletes wait for the second pass.
    waiting: BTreeMap<usize, TableOutcome>,
    /// No further table can be worked on.
    abort: bool,
}

impl Run {
    fn note(&mut self, table: usize, standing: Standing) {
        match standing {
            Standing::Finished(outcome) => {
                self.abort |= outcome.abort;
                self.waiting.remove(&table);
                self.outcomes[table] = Some(*outcome);
            }
            Standing::DeletesWait(outcome) => {
                self.waiting.insert(table, *outcome);
            }
            Standing::Broken(_) => debug_assert!(false, "the keeper goes on until the table stands"),
        }
    }

    /// Tables that are at their end but for rows that were refused.
    fn with_failed_rows(&self) -> Vec<usize> {
        let failed = |outcome: &TableOutcome| outcome.worked_through && !outcome.failed_rows.is_empty();
        let places = self.outcomes.iter().enumerate();
        places.filter(|(_, outcome)| outcome.as_ref().is_some_and(failed)).map(|(place, _)| place).collect()
    }

    /// The first of these tables that was not brought to a good end.
    fn broken_among<'a>(&self, tables: &[usize], jobs: &'a [TableJob]) -> Option<&'a str> {
        let broken = |table: &&usize| self.outcomes[**table].as_ref().is_some_and(|outcome| !outcome.worked_through);
        tables.iter().find(broken).map(|table| jobs[*table].name.as_str())
    }
}

/// A walk over tables, each after those it depends on.
struct Walk {
    before: Vec<Vec<usize>>,
    open: Vec<usize>,
    at_once: usize,
}

impl Walk {
    fn new(before: Vec<Vec<usize>>, open: Vec<usize>, at_once: NonZeroUsize) -> Walk {
        Walk { before, open, at_once: at_once.get() }
    }

    async fn go(&mut self, run: &mut Run, jobs: &[TableJob], pass: Pass, keepers: &mut [Option<Keeper>]) {
        let mut running = FuturesUnordered::new();
        let mut busy: Vec<usize> = Vec::new();
        loop {
            while busy.len() < self.at_once {
                let Some(table) = self.take_ready(&busy) else { break };
                if let Some(reason) = self.obstacle(run, jobs, table, pass) {
                    block(run, jobs, table, pass, reason);
                    continue;
                }
                let Some(mut keeper) = keepers[table].take() else { continue };
                busy.push(table);
                running.push(async move {
                    let standing = keeper.see_through(pass).await;
                    (table, keeper, standing)
                });
            }
            let Some((table, keeper, standing)) = running.next().await else { return };
            busy.retain(|other| *other != table);
            keepers[table] = Some(keeper);
            run.note(table, standing);
        }
    }

    /// The next table that waits for none that is still open or busy.
    fn take_ready(&mut self, busy: &[usize]) -> Option<usize> {
        let pending = |table: &usize| self.open.contains(table) || busy.contains(table);
        let ready = self.open.iter().position(|table| !self.before[*table].iter().any(pending))?;
        Some(self.open.remove(ready))
    }

    fn obstacle(&self, run: &Run, jobs: &[TableJob], table: usize, pass: Pass) -> Option<String> {
        let broken = run.broken_among(&self.before[table], jobs);
        match (broken, pass) {
            (Some(other), Pass::Upserts) => Some(format!("its parent {other} was not brought to a good end")),
            (Some(other), Pass::Deletes) => Some(format!("{other}, which refers to it, was not brought to a good end")),
            (None, _) if run.abort => Some("the run was aborted".into()),
            (None, _) => None,
        }
    }
}

/// Notes that a table was not begun, or not brought to its end; what its first pass did stays in its report.
fn block(run: &mut Run, jobs: &[TableJob], table: usize, pass: Pass, reason: String) {
    let (message, status) = match pass {
        Pass::Upserts => (format!("not begun: {reason}"), TableStatus::Blocked),
        Pass::Deletes => {
            (format!("rows that wait to be deleted were kept: {reason}"), TableStatus::CompletedWithErrors)
        }
    };
    let mut outcome = failed(&jobs[table], &message);
    outcome.report.errors[0].remedy = "mend what stopped the other table, then run again".into();
    if let Some(mut begun) = run.waiting.remove(&table) {
        begun.report.errors.append(&mut outcome.report.errors);
        outcome = begun;
    }
    outcome.report.status = status;
    outcome.report.verified = false;
    run.outcomes[table] = Some(outcome);
}

fn failed(job: &TableJob, message: &str) -> TableOutcome {
    let mut report = TableReport::new(&job.name, &job.pair.target.table.name);
    report.status = TableStatus::Failed;
    report.errors.push(ErrorReport {
        class: Class::Logic,
        key: None,
        message: message.to_owned(),
        remedy: "this is a mistake in rowsync; please report it with the log".into(),
    });
    TableOutcome { report, newest: None, log: None, failed_rows: Vec::new(), worked_through: false, abort: false }
}
