//! When a sync runs by itself.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::{TimeZone, db};
use rowsync_engine::schedule::{Rhythm, Schedule};

use super::keys::RawSettings;
use super::problem::did_you_mean;
use super::provenance::Provenance;
use super::tuning::set;

/// The word of `time_zone` for the zone of the machine.
const LOCAL: &str = "local";

/// None where the file names no time, or a wrong one; `provenance` knows which.
pub(super) fn read_schedule(raw: &RawSettings, provenance: &mut Provenance) -> Option<Schedule> {
    refuse_two_pauses(raw, provenance);
    let zone = read_zone(&set(raw.time_zone.clone()), provenance);
    let pause = raw.sleep_seconds.or(raw.sync_interval_seconds).map(|pause| Rhythm::Pause(Duration::from_secs(pause)));
    let daily = raw.run_at_time.as_deref().map(|typed| read_time(typed, provenance));
    let rhythm = match (pause, daily) {
        (Some(_), Some(_)) => {
            let message = "a pause between cycles is named too; remove one of them";
            provenance.refuse("run_at_time", message);
            return None;
        }
        (Some(pause), None) => pause,
        (None, Some(at)) => Rhythm::Daily { at: at?, zone: zone? },
        (None, None) => return None,
    };
    let chunk_max = Duration::from_secs(set(raw.max_sleep_chunk_seconds));
    Some(Schedule { rhythm, chunk_max, jitter_max: Duration::from_secs(set(raw.schedule_jitter_seconds)) })
}

fn refuse_two_pauses(raw: &RawSettings, provenance: &mut Provenance) {
    if let (Some(one), Some(other)) = (raw.sleep_seconds, raw.sync_interval_seconds)
        && one != other
    {
        let message = "`sleep_seconds` is the same under its other name and says something else; remove one of them";
        provenance.refuse("sync_interval_seconds", message);
    }
}

/// `02:00`, or `02:00:30`.
fn read_time(typed: &str, provenance: &mut Provenance) -> Option<Time> {
    let plain = typed.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') && typed.contains(':');
    let time = plain.then(|| typed.parse::<Time>().ok()).flatten();
    if time.is_none() {
        let shown = provenance.shown("run_at_time", typed);
        let message = format!("expected a time of day such as \"02:00\" or \"14:30\", found {shown:?}");
        provenance.refuse("run_at_time", message);
    }
    time
}

fn read_zone(typed: &str, provenance: &mut Provenance) -> Option<TimeZone> {
    if typed == LOCAL {
        // A machine that says nothing about its zone lives in UTC, as its other programs have it.
        return Some(TimeZone::system());
    }
    let zone = TimeZone::get(typed).ok();
    if zone.is_none() {
        let known: Vec<String> = db().available().map(|name| name.to_string()).collect();
        let shown = provenance.shown("time_zone", typed);
        let hint = did_you_mean(&shown, known.iter().map(String::as_str));
        let message =
            format!("no time zone is called {shown:?}{hint}; name one such as \"Europe/Zurich\", \"UTC\" or {LOCAL:?}");
        provenance.refuse("time_zone", message);
    }
    zone
}
