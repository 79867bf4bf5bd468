//! Several syncs in one process: each by its own schedule, in the order that they ask for, so many at once. A sync never
//! runs beside itself, and one that fails disturbs neither its own schedule nor the others.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;
use rowsync_actors::meters::SyncMeters;
use rowsync_engine::schedule::{Cycle, Failures, Schedule};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::schedule::{Woken, wait_until_due};
use crate::turns::Turns;

/// A sync among others.
pub struct Member {
    pub name: String,
    pub schedule: Option<Schedule>,
    /// Names of those that it comes after; ones that are not there keep nobody waiting.
    pub after: Vec<String>,
    /// So many failed cycles in a row are one too many.
    pub failures_max: u32,
}

/// How a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Failed,
    /// Nothing was tried, for a reason that is not the sync's own.
    Passed,
    /// The sync cannot be run as it is, or was stopped: there is no next cycle.
    ForGood,
}

impl Ended {
    /// As it is told before the next sleep.
    pub fn word(self) -> &'static str {
        match self {
            Ended::Failed => "failed",
            Ended::Passed => "skipped",
            Ended::Done | Ended::ForGood => "complete",
        }
    }
}

/// What all syncs share.
pub struct Rounds<'a> {
    pub clock: &'a dyn Clock,
    pub stop: &'a CancellationToken,
    /// Syncs at work at once.
    pub at_once: usize,
    /// A throw of the dice, from 0 to 1.
    pub dice: &'a dyn Fn() -> f64,
    /// Where it is told what is waited for, with the sync's name.
    pub tell: &'a dyn Fn(&str, &str),
}

impl Rounds<'_> {
    /// Runs every sync by its schedule, each cycle by `work`, until all have ended or are asked to stop. Those without a
    /// schedule are run once. Afterwards: the syncs that are paused, with their failures in a row.
    pub async fn go<F: Future<Output = Ended>>(
        &self,
        members: &[&Member],
        work: impl Fn(usize) -> F,
    ) -> BTreeMap<usize, u32> {
        let turns = Turns::new(self.at_once);
        members.iter().for_each(|member| turns.enter(&member.name));
        let all = members.iter().enumerate().map(|(place, member)| self.live(place, member, &turns, &work));
        join_all(all).await.into_iter().enumerate().filter_map(|(place, paused)| Some((place, paused?))).collect()
    }

    /// One sync from its first cycle to its last; its failures in a row where it is paused for them.
    async fn live<F: Future<Output = Ended>>(
        &self,
        place: usize,
        member: &Member,
        turns: &Turns,
        work: &impl Fn(usize) -> F,
    ) -> Option<u32> {
        let _leaving = turns.leaving(&member.name);
        let mut failures = Failures::new(member.failures_max);
        let (mut due, mut slot) = (self.clock.now(), None);
        loop {
            let turn = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                turn = turns.take(&member.name, &member.after, due) => turn,
            };
            let began = self.clock.now();
            let ended = work(place).await;
            drop(turn);
            match ended {
                Ended::ForGood => return None,
                Ended::Done => failures.succeeded(),
                Ended::Failed => failures.failed(),
                Ended::Passed => {}
            }
            let schedule = member.schedule.as_ref()?;
            if failures.are_too_many() {
                return Some(failures.in_a_row());
            }
            let last = Cycle { began, ended: self.clock.now(), slot };
            (due, slot) = self.rest(member, turns, schedule, &last, ended).await?;
        }
    }

    /// Waits for the next cycle: the moment it was due, and the moment of the schedule. None when asked to stop.
    async fn rest(
        &self,
        member: &Member,
        turns: &Turns,
        schedule: &Schedule,
        last: &Cycle,
        ended: Ended,
    ) -> Option<(Timestamp, Option<Timestamp>)> {
        let mut wait = schedule.wait(last, self.clock.now(), (self.dice)());
        turns.rest(&member.name, wait.due());
        let _due = SyncMeters::of(&member.name).due(wait.due().as_second());
        let tell = |line: &str| (self.tell)(&member.name, line);
        match wait_until_due(&mut wait, Some(ended.word()), self.clock, self.stop, &tell).await {
            Woken::Stopped => None,
            Woken::Due => Some((wait.due(), Some(wait.slot()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::time::Duration;

    use jiff::SignedDuration;
    use jiff::tz::TimeZone;
    use rowsync_engine::schedule::Rhythm;

    use super::*;
    use crate::exposition::Exposition;
    use crate::schedule::clock_of_tests::SetClock;

    fn member(name: &str, after: &[&str], schedule: Option<Schedule>) -> Member {
        let after = after.iter().map(|name| (*name).to_owned()).collect();
        Member { name: name.to_owned(), schedule, after, failures_max: 3 }
    }

    fn pause(seconds: u64) -> Option<Schedule> {
        let rhythm = Rhythm::Pause(Duration::from_secs(seconds));
        Some(Schedule { rhythm, chunk_max: Duration::from_secs(3600), jitter_max: Duration::ZERO })
    }

    fn daily(at: &str) -> Option<Schedule> {
        let rhythm = Rhythm::Daily { at: at.parse().unwrap(), zone: TimeZone::UTC };
        Some(Schedule { rhythm, chunk_max: Duration::from_secs(3600), jitter_max: Duration::ZERO })
    }

    /// What happened for so long from midnight: `10:00 a begins`, `10:00 a ends`. A cycle takes as long as `takes` says, and
    /// ends as `ends` says, by the sync and the number of its cycle.
    async fn happened(
        members: &[Member],
        at_once: usize,
        takes: impl Fn(usize, u32) -> Duration,
        ends: impl Fn(usize, u32) -> Ended,
        lasts: Duration,
    ) -> (Vec<String>, BTreeMap<usize, u32>) {
        let (clock, stop) = (SetClock::at("2026-05-01T00:00:00Z"), CancellationToken::new());
        let (log, most) = (RefCell::new(Vec::new()), Cell::new(0));
        let at_work: Vec<Cell<u32>> = members.iter().map(|_| Cell::new(0)).collect();
        let cycles: Vec<Cell<u32>> = members.iter().map(|_| Cell::new(0)).collect();
        let rounds = Rounds { clock: &clock, stop: &stop, at_once, dice: &|| 0.0, tell: &|_, _| {} };
        let note = |place: usize, what: &str| {
            log.borrow_mut().push(format!("{} {} {what}", clock.now().strftime("%H:%M"), members[place].name));
        };
        let work = async |place: usize| {
            note(place, "begins");
            at_work[place].set(at_work[place].get() + 1);
            cycles[place].set(cycles[place].get() + 1);
            let all: u32 = at_work.iter().map(Cell::get).sum();
            most.set(most.get().max(all));
            assert_eq!(at_work[place].get(), 1, "{} overlaps itself", members[place].name);
            clock.sleep(takes(place, cycles[place].get())).await;
            at_work[place].set(0);
            note(place, "ends");
            ends(place, cycles[place].get())
        };
        let stopping = async {
            clock.sleep(lasts).await;
            stop.cancel();
        };
        let members: Vec<&Member> = members.iter().collect();
        let going = rounds.go(&members, work);
        let (paused, ()) = tokio::join!(going, stopping);
        assert!(most.get() as usize <= at_once, "{} at once", most.get());
        (log.into_inner(), paused)
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_sync_waits_for_those_it_comes_after() {
        let members = [member("c", &["b", "a"], None), member("b", &["a"], None), member("a", &[], None)];
        for at_once in [1, 3] {
            let (log, _) = happened(&members, at_once, |_, _| MINUTE, |_, _| Ended::Failed, HOUR).await;
            let begun: Vec<_> = log.iter().filter(|line| line.ends_with("begins")).collect();
            assert_eq!(begun, ["00:00 a begins", "00:01 b begins", "00:02 c begins"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_are_at_work_as_may_be() {
        let members = ["a", "b", "c"].map(|name| member(name, &[], None));
        let (log, _) = happened(&members, 2, |_, _| MINUTE, |_, _| Ended::Done, HOUR).await;
        let begun: Vec<_> = log.iter().filter(|line| line.ends_with("begins")).collect();
        assert_eq!(begun, ["00:00 a begins", "00:00 b begins", "00:01 c begins"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_order_holds_in_every_round() {
        // Both are due at 02:00, and the one that comes first is the one that has to wait for its turn of the clock.
        let members = [member("late", &["early"], daily("02:00")), member("early", &[], daily("02:00"))];
        let (log, _) = happened(&members, 2, |_, _| MINUTE, |_, _| Ended::Done, 3 * HOUR).await;
        assert_eq!(log[4..], ["02:00 early begins", "02:01 early ends", "02:01 late begins", "02:02 late ends"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cycle_that_takes_too_long_is_followed_by_one_and_not_by_all_that_were_missed() {
        let members = [member("a", &[], daily("01:00"))];
        // The second cycle, of 01:00, takes two days and an hour.
        let takes = |_, cycle| if cycle == 2 { 49 * HOUR } else { MINUTE };
        let (log, _) = happened(&members, 1, takes, |_, _| Ended::Done, 96 * HOUR).await;
        let begun: Vec<_> = log.iter().filter(|line| line.ends_with("begins")).collect();
        // The first day at 00:00 and 01:00, the third at 02:00 for what was missed, the fourth at 01:00.
        assert_eq!(begun, ["00:00 a begins", "01:00 a begins", "02:00 a begins", "01:00 a begins"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_cycle_does_not_disturb_the_schedule() {
        let members = [member("a", &[], pause(3600))];
        let ends = |_, cycle| if cycle == 2 { Ended::Failed } else { Ended::Done };
        let (log, paused) = happened(&members, 1, |_, _| Duration::ZERO, ends, 3 * HOUR + MINUTE).await;
        let begun: Vec<_> = log.iter().filter(|line| line.ends_with("begins")).collect();
        assert_eq!(begun, ["00:00 a begins", "01:00 a begins", "02:00 a begins", "03:00 a begins"]);
        assert!(paused.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_failures_in_a_row_pause_a_sync_and_no_other() {
        let members = [member("bad", &[], pause(3600)), member("good", &["bad"], pause(3600))];
        let ends = |place, _| if place == 0 { Ended::Failed } else { Ended::Done };
        let (log, paused) = happened(&members, 1, |_, _| Duration::ZERO, ends, 5 * HOUR + MINUTE).await;
        assert_eq!(log.iter().filter(|line| line.ends_with("bad begins")).count(), 3);
        assert_eq!(log.iter().filter(|line| line.ends_with("good begins")).count(), 6);
        assert_eq!(paused, BTreeMap::from([(0, 3)]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_run_is_told_as_long_as_it_is_waited_for() {
        let exposition = Exposition::default();
        let recorder = exposition.recorder();
        let _recorder = metrics::set_default_local_recorder(&recorder);
        let told = || {
            let text = exposition.text();
            let line =
                text.lines().find_map(|line| line.strip_prefix(r#"rowsync_next_run_timestamp_seconds{sync="a"} "#));
            line.map(|seconds| Timestamp::from_second(seconds.parse().unwrap()).unwrap().to_string())
        };
        let (clock, stop) = (SetClock::at("2026-05-01T00:00:00Z"), CancellationToken::new());
        let rounds = Rounds { clock: &clock, stop: &stop, at_once: 1, dice: &|| 0.0, tell: &|_, _| {} };
        let (member, at_work) = (member("a", &[], daily("02:00")), RefCell::new(Vec::new()));
        let work = async |_| {
            at_work.borrow_mut().push(told());
            Ended::Done
        };
        let looking = async {
            clock.sleep(HOUR).await;
            let waiting = told();
            clock.sleep(2 * HOUR).await;
            stop.cancel();
            [waiting, told()]
        };
        let members = [&member];
        let (_, waiting) = tokio::join!(rounds.go(&members, work), looking);
        assert_eq!(waiting.map(Option::unwrap), ["2026-05-01T02:00:00Z", "2026-05-02T02:00:00Z"]);
        assert_eq!(at_work.into_inner(), [None, Some("1970-01-01T00:00:00Z".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cycle_that_another_process_prevents_is_no_failure() {
        let members = [member("a", &[], pause(60))];
        let (log, paused) = happened(&members, 1, |_, _| Duration::ZERO, |_, _| Ended::Passed, HOUR).await;
        assert!(paused.is_empty() && log.len() > 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait_for_a_turn() {
        let members = [member("a", &[], None), member("b", &[], None)];
        let clock = SetClock::at("2026-05-01T00:00:00Z");
        let stop = CancellationToken::new();
        let rounds = Rounds { clock: &clock, stop: &stop, at_once: 1, dice: &|| 0.0, tell: &|_, _| {} };
        let begun = RefCell::new(Vec::new());
        // As an execution does, the one at work ends when it is asked to.
        let work = async |place: usize| {
            begun.borrow_mut().push(place);
            stop.cancelled().await;
            Ended::ForGood
        };
        let stopping = async {
            clock.sleep(MINUTE).await;
            stop.cancel();
        };
        let members = members.each_ref();
        tokio::join!(rounds.go(&members, work), stopping);
        assert_eq!(begun.into_inner(), [0]);
        assert_eq!(clock.now().duration_since("2026-05-01T00:01:00Z".parse().unwrap()), SignedDuration::ZERO);
    }
}
