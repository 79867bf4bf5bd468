//! Waiting for the next cycle of a sync: looks at the clock, tells how long it still takes, and ends at once when asked to
//! stop. What is due when, and what is told, says [`rowsync_engine::schedule`].

use rowsync_engine::schedule::{Step, Wait};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// The log's name for what is waited for, so that it is shown where only warnings are.
pub(crate) const WAITING: &str = "rowsync::schedule";

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    Due,
    Stopped,
}

/// Waits until the next cycle is due. `last` says how the last one ended: `complete`, `failed`, `skipped`; none where this
/// process has seen none.
pub async fn wait_until_due(
    wait: &mut Wait,
    last: Option<&str>,
    clock: &dyn Clock,
    stop: &CancellationToken,
    tell: &dyn Fn(&str),
) -> Woken {
    let begun = clock.stopwatch();
    let opening = wait.opening(clock.now(), last);
    opening.iter().for_each(|line| tell(line));
    loop {
        let look = wait.look(clock.now(), clock.stopwatch().saturating_sub(begun));
        if let Some(line) = look.told {
            tell(&line);
        }
        let Step::Sleep(sleep) = look.step else { break };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Woken::Stopped,
            () = clock.sleep(sleep) => {}
        }
    }
    if !opening.is_empty() {
        tell(&wait.closing());
    }
    Woken::Due
}

/// A clock on a wall that tests set, beside the paused stopwatch of tokio.
#[cfg(test)]
pub(crate) mod clock_of_tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use async_trait::async_trait;
    use jiff::{SignedDuration, Timestamp};
    use tokio::time::Instant;

    use crate::clock::Clock;

    pub struct SetClock {
        made: Instant,
        /// What the wall's clock said when this one was made, had it been set to what it is set to now.
        base: Mutex<Timestamp>,
    }

    impl SetClock {
        pub fn at(moment: &str) -> SetClock {
            SetClock { made: Instant::now(), base: Mutex::new(moment.parse().unwrap()) }
        }

        /// Sets the clock of the wall; to sleep as a machine looks just like setting it forward.
        pub fn set_by(&self, step: SignedDuration) {
            *self.base.lock().unwrap() += step;
        }
    }

    #[async_trait]
    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            *self.base.lock().unwrap() + self.stopwatch()
        }

        fn stopwatch(&self) -> Duration {
            self.made.elapsed()
        }

        async fn sleep(&self, duration: Duration) {
            tokio::time::sleep(duration).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use jiff::SignedDuration;
    use jiff::tz::TimeZone;
    use rowsync_engine::schedule::{Cycle, LOOK_EVERY, Rhythm, Schedule};

    use super::clock_of_tests::SetClock;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn pause(seconds: u64, chunk_max: Duration) -> Schedule {
        Schedule { rhythm: Rhythm::Pause(Duration::from_secs(seconds)), chunk_max, jitter_max: Duration::ZERO }
    }

    fn daily(at: &str, zone: &str) -> Schedule {
        let rhythm = Rhythm::Daily { at: at.parse().unwrap(), zone: TimeZone::get(zone).unwrap() };
        Schedule { rhythm, chunk_max: HOUR, jitter_max: Duration::ZERO }
    }

    /// A sync is complete now; what is told until the next one, each line with the time of day in UTC. Meanwhile the clock
    /// of the wall is set by so many seconds, so late by the stopwatch.
    async fn told(schedule: &Schedule, clock: &SetClock, set: &[(Duration, i64)]) -> Vec<String> {
        let now = clock.now();
        let mut wait = schedule.wait(&Cycle { began: now, ended: now, slot: None }, now, 0.0);
        let lines = RefCell::new(Vec::new());
        let tell = |line: &str| lines.borrow_mut().push(format!("{} {line}", clock.now().strftime("%H:%M:%S")));
        let setting = async {
            for (late, step) in set {
                clock.sleep(*late).await;
                clock.set_by(SignedDuration::from_secs(*step));
            }
            std::future::pending::<()>().await;
        };
        let stop = CancellationToken::new();
        tokio::select! {
            woken = wait_until_due(&mut wait, Some("complete"), clock, &stop, &tell) => assert_eq!(woken, Woken::Due),
            () = setting => {}
        }
        lines.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_is_slept_in_half_hours() {
        let lines = told(&pause(3600, HOUR / 2), &SetClock::at("2026-05-01T10:00:00Z"), &[]).await;
        assert_eq!(
            lines,
            [
                "10:00:00 Sync complete. Sleeping 3600 seconds until next run...",
                "10:30:00 Sleep progress: 1800 seconds remaining (0.5 hours)",
                "11:00:00 Sleep complete. Starting next sync cycle...",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_is_slept_in_hours() {
        let lines = told(&pause(86_400, HOUR), &SetClock::at("2026-05-01T10:00:00Z"), &[]).await;
        assert_eq!(lines.len(), 25);
        assert_eq!(
            lines[..3],
            [
                "10:00:00 Sync complete. Sleeping 86400 seconds until next run...",
                "11:00:00 Sleep progress: 82800 seconds remaining (23.0 hours)",
                "12:00:00 Sleep progress: 79200 seconds remaining (22.0 hours)",
            ]
        );
        assert_eq!(
            lines[23..],
            [
                "09:00:00 Sleep progress: 3600 seconds remaining (1.0 hours)",
                "10:00:00 Sleep complete. Starting next sync cycle...",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn each_night_at_two_is_told_in_whole_hours() {
        let lines = told(&daily("02:00", "UTC"), &SetClock::at("2026-05-01T22:30:00Z"), &[]).await;
        assert_eq!(
            lines,
            [
                "22:30:00 Sync complete. Waiting until 02:00 for next run...",
                "22:30:00 Current time: 22:30, target: 02:00 (3.5 hours remaining)",
                "23:00:00 Sleep progress: 10800 seconds remaining (3.0 hours)",
                "00:00:00 Sleep progress: 7200 seconds remaining (2.0 hours)",
                "01:00:00 Sleep progress: 3600 seconds remaining (1.0 hours)",
                "02:00:00 Target time reached. Starting sync at 02:00...",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn two_in_the_night_of_the_change_forward_is_three() {
        // 02:00 to 03:00 is left out; 22:00 is 21:00 UTC, and 03:00 is 01:00 UTC.
        let lines = told(&daily("02:00", "Europe/Zurich"), &SetClock::at("2026-03-28T21:00:00Z"), &[]).await;
        assert_eq!(lines[0], "21:00:00 Sync complete. Waiting until 03:00 for next run...");
        assert_eq!(lines[1], "21:00:00 Current time: 22:00, target: 03:00 (4.0 hours remaining)");
        assert_eq!(lines.last().unwrap(), "01:00:00 Target time reached. Starting sync at 03:00...");
    }

    #[tokio::test(start_paused = true)]
    async fn half_past_two_in_the_night_of_the_change_back_is_run_once() {
        let (schedule, clock) = (daily("02:30", "Europe/Zurich"), SetClock::at("2026-10-24T22:30:00Z"));
        let lines = told(&schedule, &clock, &[]).await;
        assert_eq!(lines[1], "22:30:00 Current time: 00:30, target: 02:30 (2.0 hours remaining)");
        assert_eq!(lines.last().unwrap(), "00:30:00 Target time reached. Starting sync at 02:30...");
        // The next one is a day later and not in an hour, when it is half past two again.
        let lines = told(&schedule, &clock, &[]).await;
        assert_eq!(lines[1], "00:30:00 Current time: 02:30, target: 02:30 (25.0 hours remaining)");
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_that_a_zone_skips_is_run_once() {
        // Samoa went over the date line and had no 30 December; it was at UTC-10 and is at UTC+14 since.
        let (schedule, clock) = (daily("02:00", "Pacific/Apia"), SetClock::at("2011-12-29T11:00:00Z"));
        for expected in ["2011-12-29T12:00:00Z", "2011-12-30T12:00:00Z", "2011-12-31T12:00:00Z"] {
            told(&schedule, &clock, &[]).await;
            assert_eq!(clock.now().to_string(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_forward_or_a_machine_that_slept_wakes_it_early() {
        let clock = SetClock::at("2026-05-01T22:30:00Z");
        let lines = told(&daily("02:00", "UTC"), &clock, &[(Duration::from_secs(600), 8 * 3600)]).await;
        let due: jiff::Timestamp = "2026-05-02T06:40:00Z".parse().unwrap();
        assert!(due.duration_until(clock.now()) <= SignedDuration::try_from(LOOK_EVERY).unwrap(), "{}", clock.now());
        assert_eq!(lines.len(), 3, "{lines:?}");
        // A pause, too.
        let lines = told(&pause(86_400, HOUR), &clock, &[(Duration::from_secs(600), 2 * 86_400)]).await;
        assert_eq!(lines.len(), 2, "{lines:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_and_forth_is_followed() {
        let clock = SetClock::at("2026-05-01T22:30:00Z");
        let steps = [(Duration::from_secs(1800), -7200), (Duration::from_secs(1800), 7200)];
        let lines = told(&daily("02:00", "UTC"), &clock, &steps).await;
        assert_eq!(clock.now().to_string(), "2026-05-02T02:00:00Z");
        assert_eq!(lines.last().unwrap(), "02:00:00 Target time reached. Starting sync at 02:00...");
        // A pause takes as long by the stopwatch, however far the clock goes back.
        let begun = clock.stopwatch();
        told(&pause(7200, HOUR), &clock, &[(HOUR, -864_000)]).await;
        assert_eq!(clock.stopwatch() - begun, 2 * HOUR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_a_sleep_at_once() {
        let clock = SetClock::at("2026-05-01T10:00:00Z");
        let now = clock.now();
        let mut wait = pause(86_400, HOUR).wait(&Cycle { began: now, ended: now, slot: None }, now, 0.0);
        let stop = CancellationToken::new();
        let waiting = wait_until_due(&mut wait, Some("complete"), &clock, &stop, &|_| {});
        let stopping = async {
            clock.sleep(Duration::from_secs(5)).await;
            stop.cancel();
        };
        let (woken, ()) = tokio::join!(waiting, stopping);
        assert_eq!((woken, clock.stopwatch()), (Woken::Stopped, Duration::from_secs(5)));
    }
}
