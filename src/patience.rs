//! Patience: how often and how late a database is tried again, as its connection's settings say.

use std::sync::Arc;
use std::time::Duration;

use rowsync_actors::end::{Dice, Patience};
use rowsync_actors::meters::SyncMeters;
use rowsync_engine::backoff::Backoff;
use rowsync_engine::error::Kind;
use rowsync_engine::recovery::{History, Verdict, judge};
use tokio_util::sync::CancellationToken;

use crate::problem::Problem;
use crate::settings::{ConnectionSettings, SyncSettings};

/// Longer pauses than this save a server nothing.
const PAUSE_MAX: Duration = Duration::from_secs(60);

pub fn patience_of(connection: &ConnectionSettings) -> Patience {
    Patience {
        wait: connection.reconnect_wait,
        tries_max: connection.retry_count,
        tells_changes: connection.tells_changes,
        backoff: Backoff::new(connection.retry_delay, PAUSE_MAX),
    }
}

pub fn dice() -> Dice {
    Arc::new(fastrand::f64)
}

/// Begins something that needs both databases and the state, again where one of them cannot be reached yet.
///
/// # Errors
/// What cannot be mended by waiting, or lasts longer than the patience.
pub async fn patiently<T>(
    settings: &SyncSettings,
    stop: &CancellationToken,
    mut begin: impl AsyncFnMut() -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut tries = 0;
    loop {
        let problem = match begin().await {
            Ok(begun) => return Ok(begun),
            Err(problem) => problem,
        };
        let Some(pause) = pause_before_the_next(&problem, settings, tries) else { return Err(problem) };
        tracing::warn!(?pause, "sync connection failed: {problem}");
        SyncMeters::of(&settings.name).retries[problem.in_report().class as usize].increment(1);
        tokio::select! {
            () = stop.cancelled() => return Err(Problem::Interrupted),
            () = tokio::time::sleep(pause) => tries += 1,
        }
    }
}

/// None where there is to be no next try.
fn pause_before_the_next(problem: &Problem, settings: &SyncSettings, tries: u32) -> Option<Duration> {
    let (kind, tries_max, delay) = match problem {
        Problem::Store { side, error, .. } => {
            let connection = if *side == "source" { &settings.source } else { &settings.target };
            (error.kind, connection.retry_count, connection.retry_delay)
        }
        Problem::State(error) if error.is_away() => {
            (Kind::Unreachable, settings.state.retry_count, settings.state.retry_delay)
        }
        _ => return None,
    };
    let history = History { failures: tries + 1, failures_max: tries_max, tries_max, ..History::of_a_question() };
    let again = matches!(judge(kind, &history), Verdict::Again | Verdict::Reopen);
    again.then(|| Backoff::new(delay, PAUSE_MAX).pause(tries, fastrand::f64()))
}
