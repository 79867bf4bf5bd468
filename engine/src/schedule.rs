//! When a sync runs next, and what is told while it waits. Nothing here looks at a clock: each question brings the moment,
//! and how long the wait has taken by a stopwatch.
//!
//! * A time of day that a change of the clocks leaves out is taken as if they had not been changed: 02:30 is run at 03:30.
//!   One that comes twice is run the first time.
//! * Times of day that came while a cycle was at work, or while the machine slept, are caught up by one run.
//! * A clock that is set back does not run the same time of day again; one that is set forward wakes a sleep that is due.

use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Unit};

/// So often the clock is looked at, since it may be set, and the machine may sleep.
pub const LOOK_EVERY: Duration = Duration::from_secs(15);

/// When a sync runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub rhythm: Rhythm,
    /// Longest wait without a line of progress; at least a second.
    pub chunk_max: Duration,
    /// Each run is put off at random by up to so much.
    pub jitter_max: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// So long after the last cycle has ended.
    Pause(Duration),
    /// Each day at this time.
    Daily { at: Time, zone: TimeZone },
}

/// What the next cycle depends on of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    pub began: Timestamp,
    pub ended: Timestamp,
    /// The moment of the schedule that it was begun for, where it was one.
    pub slot: Option<Timestamp>,
}

/// The wait for one cycle.
#[derive(Clone, Debug)]
pub struct Wait {
    schedule: Schedule,
    last_slot: Option<Timestamp>,
    slot: Timestamp,
    jitter: SignedDuration,
    /// The whole wait as it looked when it began.
    span: SignedDuration,
    /// So many seconds before the end progress is told next; 0: not any more.
    mark: i64,
    /// When progress was told last, by the stopwatch.
    told_at: Duration,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// A line of progress.
    pub told: Option<String>,
    pub step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Sleep(Duration),
    Start,
}

impl Schedule {
    /// The wait that begins now. `roll` is a throw of the dice, from 0 to 1.
    pub fn wait(&self, last: &Cycle, now: Timestamp, roll: f64) -> Wait {
        let slot = match &self.rhythm {
            Rhythm::Pause(pause) => later(last.ended, signed(*pause)),
            // Behind the start: what came in the meantime is missed, unless the clock was set back in the meantime.
            Rhythm::Daily { at, zone } => next_day(*at, zone, last.began.min(last.ended), last.slot),
        };
        let jitter = signed(self.jitter_max.mul_f64(roll.clamp(0.0, 1.0)));
        let jitter = SignedDuration::from_secs(jitter.as_secs());
        let (span, told_at) = (SignedDuration::ZERO, Duration::ZERO);
        let mut wait = Wait { schedule: self.clone(), last_slot: last.slot, slot, jitter, span, mark: 0, told_at };
        wait.span = now.duration_until(wait.due());
        wait.mark = wait.mark_below(seconds(wait.span));
        wait
    }
}

impl Wait {
    /// The moment at which the clock of the wall ends the wait.
    pub fn due(&self) -> Timestamp {
        later(self.slot, self.jitter)
    }

    pub fn slot(&self) -> Timestamp {
        self.slot
    }

    /// What is told before the first sleep. `last` says how the last cycle ended: `complete`, `failed`, `skipped`; none where
    /// that is not known, and then a cycle that is due already is begun without a word.
    pub fn opening(&self, now: Timestamp, last: Option<&str>) -> Vec<String> {
        let left = now.duration_until(self.due());
        let last = last.map(|last| format!("Sync {last}. "));
        if last.is_none() && left <= SignedDuration::ZERO {
            return Vec::new();
        }
        let last = last.unwrap_or_default();
        match &self.schedule.rhythm {
            _ if left <= SignedDuration::ZERO => {
                vec![format!("{last}The run of {} was missed and is made up for now...", self.due())]
            }
            Rhythm::Pause(_) => vec![format!("{last}Sleeping {} seconds until next run...", seconds(left))],
            Rhythm::Daily { zone, .. } => {
                let (time, target) = (time_of_day(now, zone), time_of_day(self.due(), zone));
                let hours = hours(seconds(left));
                vec![
                    format!("{last}Waiting until {target} for next run..."),
                    format!("Current time: {time}, target: {target} ({hours} hours remaining)"),
                ]
            }
        }
    }

    /// What to do at this moment. `waited` is what a stopwatch says that was started when the wait began; where it stands
    /// while the machine sleeps, the clock of the wall goes on.
    pub fn look(&mut self, now: Timestamp, waited: Duration) -> Look {
        self.follow_the_clock(now);
        let left = self.left(now, waited);
        if left <= SignedDuration::ZERO {
            return Look { told: None, step: Step::Start };
        }
        let remaining = seconds(left);
        let is_told = (self.mark > 0 && remaining <= self.mark) || self.silence_left(waited).is_zero();
        if is_told {
            self.told_at = waited;
        }
        // The clock may have been set back, too.
        if is_told || remaining - self.mark > self.chunk() {
            self.mark = self.mark_below(remaining);
        }
        let until_mark = Duration::try_from(left - SignedDuration::from_secs(self.mark)).unwrap_or_default();
        let sleep = until_mark.min(self.silence_left(waited)).clamp(SLEEP_MIN, LOOK_EVERY);
        Look { told: is_told.then(|| progress_line(remaining)), step: Step::Sleep(sleep) }
    }

    /// What is told when the wait is over.
    pub fn closing(&self) -> String {
        match &self.schedule.rhythm {
            Rhythm::Pause(_) => "Sleep complete. Starting next sync cycle...".to_owned(),
            Rhythm::Daily { zone, .. } => {
                format!("Target time reached. Starting sync at {}...", time_of_day(self.due(), zone))
            }
        }
    }

    /// A clock that was set back may have an earlier day before it.
    fn follow_the_clock(&mut self, now: Timestamp) {
        if let Rhythm::Daily { at, zone } = &self.schedule.rhythm {
            self.slot = self.slot.min(next_day(*at, zone, now, self.last_slot));
        }
    }

    fn left(&self, now: Timestamp, waited: Duration) -> SignedDuration {
        let by_the_wall = now.duration_until(self.due());
        match self.schedule.rhythm {
            Rhythm::Pause(_) => by_the_wall.min(self.span - signed(waited)),
            Rhythm::Daily { .. } => by_the_wall,
        }
    }

    /// A clock that is set back before each mark would put the marks off for ever: by the stopwatch, progress is told a little
    /// later than a chunk after it was told last.
    fn silence_left(&self, waited: Duration) -> Duration {
        let silence_max = self.schedule.chunk_max.saturating_add(LOOK_EVERY);
        silence_max.saturating_sub(waited.saturating_sub(self.told_at))
    }

    fn chunk(&self) -> i64 {
        seconds(signed(self.schedule.chunk_max)).max(1)
    }

    /// The seconds that remain when progress is told next. A pause is cut into chunks from its beginning, the way to a time
    /// of day from its end, so that it tells whole chunks.
    fn mark_below(&self, remaining: i64) -> i64 {
        let chunk = self.chunk();
        let odd = match self.schedule.rhythm {
            Rhythm::Pause(_) => seconds(self.span).rem_euclid(chunk),
            Rhythm::Daily { .. } => 0,
        };
        let chunks = (remaining - 1 - odd).div_euclid(chunk);
        (odd + chunks * chunk).max(0)
    }
}

/// Less would be a busy loop where the clock's steps are coarse.
const SLEEP_MIN: Duration = Duration::from_millis(1);

fn progress_line(remaining: i64) -> String {
    format!("Sleep progress: {remaining} seconds remaining ({} hours)", hours(remaining))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a year are exact")]
fn hours(seconds: i64) -> String {
    format!("{:.1}", seconds as f64 / 3600.0)
}

/// `02:00`, and the seconds where there are any.
fn time_of_day(moment: Timestamp, zone: &TimeZone) -> String {
    let time = zone.to_datetime(moment).time();
    match time.second() {
        0 => format!("{:02}:{:02}", time.hour(), time.minute()),
        second => format!("{:02}:{:02}:{second:02}", time.hour(), time.minute()),
    }
}

/// The first moment of this time of day behind a moment. One that was run already is passed over.
fn next_day(at: Time, zone: &TimeZone, moment: Timestamp, run_already: Option<Timestamp>) -> Timestamp {
    let today = zone.to_datetime(moment).date();
    // A zone may skip a whole day, and a day may have been run already.
    let moments = (-1..=3).filter_map(|days| on(today, days, at, zone));
    moments.filter(|day| *day > moment && Some(*day) != run_already).min().unwrap_or(Timestamp::MAX)
}

/// None at the end of all calendars.
fn on(today: Date, days: i64, at: Time, zone: &TimeZone) -> Option<Timestamp> {
    let date = today.checked_add(Span::new().days(days)).ok()?;
    // "Compatible" is the rule for gaps and repeats that stands above.
    zone.to_ambiguous_timestamp(date.to_datetime(at)).compatible().ok()
}

fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Rounded, so that a sleep that took a moment longer than asked for tells what was meant.
fn seconds(duration: SignedDuration) -> i64 {
    duration.round(Unit::Second).unwrap_or(duration).as_secs()
}

/// How often a sync failed in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    in_a_row: u32,
    max: u32,
}

impl Failures {
    /// `max` failures in a row are one too many; none at all cannot be demanded.
    pub fn new(max: u32) -> Failures {
        Failures { in_a_row: 0, max: max.max(1) }
    }

    pub fn succeeded(&mut self) {
        self.in_a_row = 0;
    }

    pub fn failed(&mut self) {
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    pub fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Whether the sync has to wait for a person.
    pub fn are_too_many(&self) -> bool {
        self.in_a_row >= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Central Europe: in 2026 the clocks go forward on 29 March at 02:00 and back on 25 October at 03:00.
    fn zurich() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn daily(at: &str, zone: TimeZone) -> Schedule {
        let rhythm = Rhythm::Daily { at: at.parse().unwrap(), zone };
        Schedule { rhythm, chunk_max: Duration::from_secs(3600), jitter_max: Duration::ZERO }
    }

    /// The cycles that follow when each is over at once.
    fn days(at: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = daily(at, zurich());
        let mut last = Cycle { began: moment(from), ended: moment(from), slot: None };
        let mut slots = Vec::new();
        for _ in 0..count {
            let slot = schedule.wait(&last, last.ended, 0.0).slot();
            last = Cycle { began: slot, ended: slot, slot: Some(slot) };
            slots.push(zurich().to_datetime(slot).to_string());
        }
        slots
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_is_run_an_hour_later_by_them() {
        let around = days("02:30", "2026-03-27T12:00:00Z", 3);
        assert_eq!(around, ["2026-03-28T02:30:00", "2026-03-29T03:30:00", "2026-03-30T02:30:00"]);
    }

    #[test]
    fn a_time_that_comes_twice_is_run_once() {
        let around = days("02:30", "2026-10-23T12:00:00Z", 3);
        assert_eq!(around, ["2026-10-24T02:30:00", "2026-10-25T02:30:00", "2026-10-26T02:30:00"]);
        let first = daily("02:30", zurich()).wait(&ended("2026-10-24T12:00:00Z"), moment("2026-10-24T12:00:00Z"), 0.0);
        assert_eq!(first.slot(), moment("2026-10-25T00:30:00Z"));
    }

    fn ended(at: &str) -> Cycle {
        Cycle { began: moment(at), ended: moment(at), slot: None }
    }

    #[test]
    fn times_that_came_during_a_cycle_are_made_up_for_by_one_run() {
        let schedule = daily("02:00", TimeZone::UTC);
        let slot = moment("2026-05-01T02:00:00Z");
        // It took more than two days.
        let last = Cycle { began: slot, ended: moment("2026-05-03T04:00:00Z"), slot: Some(slot) };
        let mut wait = schedule.wait(&last, last.ended, 0.0);
        assert_eq!(wait.look(last.ended, Duration::ZERO).step, Step::Start);
        let last = Cycle { began: last.ended, ended: moment("2026-05-03T05:00:00Z"), slot: Some(wait.slot()) };
        assert_eq!(schedule.wait(&last, last.ended, 0.0).slot(), moment("2026-05-04T02:00:00Z"));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_run_the_same_day_again() {
        let schedule = daily("02:00", TimeZone::UTC);
        let slot = moment("2026-05-01T02:00:00Z");
        let last = Cycle { began: slot, ended: moment("2026-05-01T02:10:00Z"), slot: Some(slot) };
        let mut wait = schedule.wait(&last, last.ended, 0.0);
        assert!(matches!(wait.look(moment("2026-05-01T01:30:00Z"), Duration::ZERO).step, Step::Sleep(_)));
        assert_eq!(wait.due(), moment("2026-05-02T02:00:00Z"));
        // Set back by days, it has other days before it.
        wait.look(moment("2026-04-20T01:30:00Z"), Duration::ZERO);
        assert_eq!(wait.due(), moment("2026-04-20T02:00:00Z"));
    }

    #[test]
    fn a_pause_lasts_no_longer_because_the_clock_is_set_back() {
        let rhythm = Rhythm::Pause(Duration::from_secs(3600));
        let schedule = Schedule { rhythm, chunk_max: Duration::from_secs(1800), jitter_max: Duration::ZERO };
        let mut wait = schedule.wait(&ended("2026-05-01T10:00:00Z"), moment("2026-05-01T10:00:00Z"), 0.0);
        let set_back = moment("2026-04-30T11:00:00Z");
        assert!(matches!(wait.look(set_back, Duration::from_secs(3599)).step, Step::Sleep(_)));
        assert_eq!(wait.look(set_back, Duration::from_secs(3600)).step, Step::Start);
    }

    #[test]
    fn the_dice_put_a_run_off_by_no_more_than_the_jitter() {
        let rhythm = Rhythm::Pause(Duration::from_secs(60));
        let schedule = Schedule { rhythm, chunk_max: Duration::from_secs(1800), jitter_max: Duration::from_secs(30) };
        let due = |roll| schedule.wait(&ended("2026-05-01T10:00:00Z"), moment("2026-05-01T10:00:00Z"), roll).due();
        assert_eq!(due(0.0), moment("2026-05-01T10:01:00Z"));
        assert_eq!(due(0.5), moment("2026-05-01T10:01:15Z"));
        assert_eq!(due(1.0), moment("2026-05-01T10:01:30Z"));
    }

    #[test]
    fn a_chunk_that_does_not_divide_a_pause_is_slept_from_its_beginning() {
        let rhythm = Rhythm::Pause(Duration::from_secs(5000));
        let schedule = Schedule { rhythm, chunk_max: Duration::from_secs(3600), jitter_max: Duration::ZERO };
        let start = moment("2026-05-01T10:00:00Z");
        let mut wait = schedule.wait(&ended("2026-05-01T10:00:00Z"), start, 0.0);
        assert_eq!(wait.look(start, Duration::ZERO).told, None);
        let later = start + SignedDuration::from_secs(3600);
        let told = wait.look(later, Duration::from_secs(3600)).told;
        assert_eq!(told.as_deref(), Some("Sleep progress: 1400 seconds remaining (0.4 hours)"));
    }

    #[test]
    fn a_clock_that_is_set_back_before_each_mark_keeps_nobody_in_silence() {
        let mut wait =
            daily("02:00", TimeZone::UTC).wait(&ended("2026-05-01T02:00:00Z"), moment("2026-05-01T02:00:00Z"), 0.0);
        let told: Vec<String> = (0..=4 * 60)
            .filter_map(|minutes| {
                // After half an hour it is half past two again.
                let now = moment("2026-05-01T02:30:00Z") + SignedDuration::from_mins(minutes % 30);
                wait.look(now, Duration::from_secs(u64::try_from(minutes * 60).unwrap())).told
            })
            .collect();
        // A little more than an hour apart.
        assert_eq!(
            told,
            [84540, 84480, 84420]
                .map(|left| format!("Sleep progress: {left} seconds remaining ({} hours)", hours(left)))
        );
    }

    #[test]
    fn failures_count_in_a_row() {
        let mut failures = Failures::new(2);
        failures.failed();
        failures.succeeded();
        failures.failed();
        assert!(!failures.are_too_many());
        failures.failed();
        assert!(failures.are_too_many());
        assert!(!Failures::new(0).are_too_many());
    }

    proptest! {
        /// Whatever the wall's clock does, a pause ends by the stopwatch, and no chunk passes in silence.
        #[test]
        fn a_pause_ends_in_its_time_and_tells_each_chunk(
            pause in 1u64..100_000,
            chunk in 1u64..5_000,
            steps in prop::collection::vec(-100_000i64..100_000, 0..5),
        ) {
            let rhythm = Rhythm::Pause(Duration::from_secs(pause));
            let schedule = Schedule { rhythm, chunk_max: Duration::from_secs(chunk), jitter_max: Duration::ZERO };
            let mut now = moment("2026-05-01T10:00:00Z");
            let mut wait = schedule.wait(&Cycle { began: now, ended: now, slot: None }, now, 0.0);
            let (mut waited, mut silent) = (Duration::ZERO, Duration::ZERO);
            let mut steps = steps.into_iter();
            loop {
                let look = wait.look(now, waited);
                if look.told.is_some() {
                    silent = Duration::ZERO;
                }
                let Step::Sleep(sleep) = look.step else { break };
                waited += sleep;
                silent += sleep;
                now = later(now, signed(sleep));
                prop_assert!(silent <= Duration::from_secs(chunk) + LOOK_EVERY, "{silent:?} in silence");
                if let Some(step) = steps.next() {
                    now = later(now, SignedDuration::from_secs(step));
                }
            }
            prop_assert!(waited <= Duration::from_secs(pause));
        }

        /// A day has one slot, and slots come about a day apart.
        #[test]
        fn every_day_is_run_once(minute in 0i8..60, hour in 0i8..24, start in 1_700_000_000i64..1_900_000_000) {
            let schedule = daily(&format!("{hour:02}:{minute:02}"), zurich());
            let start = Timestamp::from_second(start).unwrap();
            let mut last = Cycle { began: start, ended: start, slot: None };
            for _ in 0..400 {
                let slot = schedule.wait(&last, last.ended, 0.0).slot();
                if let Some(before) = last.slot {
                    let apart = before.duration_until(slot).as_hours();
                    prop_assert!((23..=25).contains(&apart), "{before} and {slot}");
                }
                last = Cycle { began: slot, ended: slot, slot: Some(slot) };
            }
        }
    }
}
