//! Runs the syncs of a service by their schedules: those of its files and those that were made through the API, each by a
//! task of its own. A sync whose schedule is changed begins anew with the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use rowsync_actors::meters::SyncMeters;
use rowsync_engine::order::{Disorder, Named, order_by_name};
use rowsync_engine::report::RunStatus;
use rowsync_engine::schedule::{Cycle, Failures, Rhythm, Schedule, Wait};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::rounds::Ended;
use crate::schedule::{WAITING, Woken, wait_until_due};
use crate::service::{Execution, Pause, Refusal, Service, Task};
use crate::settings::StateSettings;
use crate::turns::Turns;

pub struct Scheduler {
    service: Arc<Service>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    turns: Turns,
}

/// Until a state that cannot be read is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// What becomes of a pause that an earlier task or process left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pauses {
    Hold,
    /// The schedule is another one, so somebody has looked at it.
    Over,
}

/// What a task goes by.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    id: String,
    name: String,
    schedule: Schedule,
    /// Syncs of this service that are known and have a schedule.
    after: Vec<String>,
    failures_max: u32,
    /// Where pauses are kept.
    state: StateSettings,
}

impl Scheduler {
    pub fn new(service: Arc<Service>, clock: Arc<dyn Clock>, stop: CancellationToken) -> Scheduler {
        Scheduler { service, clock, stop, turns: Turns::new(Semaphore::MAX_PERMITS) }
    }

    /// Until it is asked to stop.
    pub async fn keep(self: Arc<Self>) {
        let mut tasks: BTreeMap<String, (Plan, AbortOnDropHandle<()>)> = BTreeMap::new();
        let mut changes = self.service.changes();
        loop {
            let plans = plans(&self.service);
            let is_gone = |name: &String, plan: &Plan| plans.get(name) != Some(plan);
            let gone: Vec<Plan> =
                tasks.extract_if(.., |name, (plan, _)| is_gone(name, plan)).map(|(_, (plan, _))| plan).collect();
            let changed: BTreeSet<String> = gone.iter().map(|plan| plan.name.clone()).collect();
            gone.into_iter().for_each(|plan| self.forget(plan, &plans));
            for (name, plan) in plans {
                let pauses = if changed.contains(&name) { Pauses::Over } else { Pauses::Hold };
                tasks.entry(name).or_insert_with(|| self.begin(plan, pauses));
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                // The sender is the service.
                _ = changes.changed() => {}
            }
        }
    }

    /// Of one that has another schedule now, the task of that one forgets the pause before it looks around.
    fn forget(self: &Arc<Self>, plan: Plan, plans: &BTreeMap<String, Plan>) {
        self.service.schedules().leave(&plan.name);
        if !plans.contains_key(&plan.name) {
            let service = Arc::clone(&self.service);
            drop(actix::spawn(async move { service.forget_pause(&plan.name, &plan.state).await }));
        }
    }

    fn begin(self: &Arc<Self>, plan: Plan, pauses: Pauses) -> (Plan, AbortOnDropHandle<()>) {
        self.service.schedules().enter(&plan.name);
        // Before any task looks around.
        self.turns.enter(&plan.name);
        let (scheduler, own) = (Arc::clone(self), plan.clone());
        (plan, AbortOnDropHandle::new(actix::spawn(async move { scheduler.live(&own, pauses).await })))
    }

    /// One sync, from its first cycle to its last.
    async fn live(&self, plan: &Plan, pauses: Pauses) {
        let _leaving = self.turns.leaving(&plan.name);
        // The task before this one, which went by another schedule, may have left only now.
        self.turns.enter(&plan.name);
        let (name, schedules) = (&plan.name, self.service.schedules());
        if self.recall(plan, pauses).await.is_none() {
            return;
        }
        let mut failures = Failures::new(plan.failures_max);
        let mut last = self.last_known(plan).await;
        let mut ended = None;
        loop {
            let Some(wait) = self.rest(plan, &last, ended).await else { return };
            let turn = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = schedules.paused(name) => continue,
                turn = self.turns.take(name, &plan.after, wait.due()) => turn,
            };
            schedules.next_run(name, None);
            let began = self.clock.now();
            let outcome = self.cycle(plan).await;
            drop(turn);
            match outcome {
                Ended::ForGood => return,
                Ended::Done => failures.succeeded(),
                Ended::Failed => failures.failed(),
                Ended::Passed => {}
            }
            last = Cycle { began, ended: self.clock.now(), slot: Some(wait.slot()) };
            ended = Some(outcome);
            if failures.are_too_many() {
                self.pause_for(plan, &failures).await;
                failures = Failures::new(plan.failures_max);
            }
        }
    }

    /// What an earlier process left, before anything is begun by the schedule. None when asked to stop.
    async fn recall(&self, plan: &Plan, pauses: Pauses) -> Option<()> {
        if pauses == Pauses::Over {
            self.service.forget_pause(&plan.name, &plan.state).await;
            return Some(());
        }
        while let Err(error) = self.service.recall_pause(&plan.name, &plan.state).await {
            tracing::warn!(sync = %plan.name, %error, "whether the sync is paused is not known yet");
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        Some(())
    }

    /// Waits until the next cycle is due and the sync is not paused. None when asked to stop.
    async fn rest(&self, plan: &Plan, last: &Cycle, ended: Option<Ended>) -> Option<Wait> {
        let (name, schedules) = (&plan.name, self.service.schedules());
        let tell = |line: &str| tracing::info!(target: WAITING, sync = %name, "{line}");
        loop {
            if schedules.of(name).is_some_and(|scheduled| scheduled.paused.is_some()) {
                schedules.next_run(name, None);
                self.turns.leave(name);
                tokio::select! {
                    () = self.stop.cancelled() => return None,
                    () = schedules.resumed(name) => tell("resumed"),
                }
            }
            let mut wait = plan.schedule.wait(last, self.clock.now(), fastrand::f64());
            self.turns.rest(name, wait.due());
            schedules.next_run(name, Some(wait.due()));
            let _due = SyncMeters::of(name).due(wait.due().as_second());
            let word = ended.map(Ended::word);
            tokio::select! {
                woken = wait_until_due(&mut wait, word, &*self.clock, &self.stop, &tell) => match woken {
                    Woken::Due => return Some(wait),
                    Woken::Stopped => return None,
                },
                () = schedules.paused(name) => {}
            }
        }
    }

    /// The last execution that the history knows, so that what was missed while nobody served is made up for; where it knows
    /// none, a pause is over at once and a time of day is waited for.
    async fn last_known(&self, plan: &Plan) -> Cycle {
        let now = self.clock.now();
        if let Some((began, ended)) = self.service.last_run(&plan.id).await {
            return Cycle { began, ended, slot: None };
        }
        let ended = match plan.schedule.rhythm {
            Rhythm::Pause(pause) => SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_sub(pause).ok()),
            Rhythm::Daily { .. } => None,
        };
        Cycle { began: ended.unwrap_or(now), ended: ended.unwrap_or(now), slot: None }
    }

    /// One execution. One that somebody else has started is as good: a sync never runs beside itself.
    async fn cycle(&self, plan: &Plan) -> Ended {
        loop {
            match self.service.execute(&plan.id) {
                Ok(execution) => return self.outcome(execution).await,
                Err(Refusal::Running { execution_id, .. }) => {
                    let Some(running) = self.service.running(&execution_id) else { continue };
                    let outcome = self.outcome(running.execution()).await;
                    // Rows that are tried again are no cycle.
                    if matches!(running.task, Task::Replay(_)) && !matches!(outcome, Ended::ForGood) {
                        continue;
                    }
                    return outcome;
                }
                // Whatever made it so has been told, and begins this task anew.
                Err(Refusal::Stopping | Refusal::Unknown(_) | Refusal::Disabled(_)) => return Ended::ForGood,
                Err(refusal @ Refusal::Wrong { .. }) => {
                    tracing::error!(target: WAITING, sync = %plan.name, "the cycle failed: {refusal}");
                    return Ended::Failed;
                }
            }
        }
    }

    async fn outcome(&self, execution: Execution) -> Ended {
        match execution.ended().await {
            None => Ended::ForGood,
            Some(ended) if ended.is_held => Ended::Passed,
            Some(ended) => match ended.report.status {
                RunStatus::Interrupted if self.service.is_stopping() => Ended::ForGood,
                // Somebody has cancelled it.
                RunStatus::Interrupted => Ended::Passed,
                RunStatus::Failed => Ended::Failed,
                RunStatus::Completed | RunStatus::CompletedWithErrors | RunStatus::Planned => Ended::Done,
            },
        }
    }

    async fn pause_for(&self, plan: &Plan, failures: &Failures) {
        let (sync, failures) = (&plan.name, failures.in_a_row());
        let reason = "as many cycles failed in a row as `max_error_loop` allows";
        let pause = Pause { since: self.clock.now().to_string(), failures, reason: reason.to_owned() };
        self.service.pause_failing(sync, &plan.state, pause).await;
        tracing::error!(target: WAITING, %sync, failures, "the sync is paused: {reason}; mend what failed, then resume it");
    }
}

/// All syncs that run by themselves, by name.
fn plans(service: &Service) -> BTreeMap<String, Plan> {
    let mut plans = BTreeMap::new();
    for configuration in service.configurations() {
        let Ok(settings) = &configuration.settings else { continue };
        let Some(schedule) = settings.schedule.clone().filter(|_| configuration.has_schedule()) else { continue };
        let plan = Plan {
            id: configuration.id.clone(),
            name: settings.name.clone(),
            schedule,
            after: settings.after.clone(),
            failures_max: settings.max_error_loop,
            state: settings.state.clone(),
        };
        plans.insert(plan.name.clone(), plan);
    }
    let known: BTreeSet<String> = plans.keys().cloned().collect();
    plans.values_mut().for_each(|plan| plan.after.retain(|name| known.contains(name)));
    break_circles(&mut plans);
    plans
}

/// Syncs that wait for one another would wait for ever. Those of files are refused before; one of the API is told here.
fn break_circles(plans: &mut BTreeMap<String, Plan>) {
    loop {
        let named: Vec<Named> = plans.values().map(|plan| Named { name: &plan.name, after: &plan.after }).collect();
        let Err(Disorder::Cycle(names)) = order_by_name(&named) else { return };
        let circle = names.join("`, `");
        tracing::error!(target: WAITING, "after: the syncs `{circle}` wait for one another, so their order is left aside");
        for name in &names {
            if let Some(plan) = plans.get_mut(name) {
                plan.after.retain(|after| !names.contains(after));
            }
        }
    }
}
