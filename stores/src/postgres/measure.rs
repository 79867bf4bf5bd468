//! What the way to the server takes: how long a question, and how many bytes a second.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use rowsync_engine::cost::LinkSpeed;
use rowsync_engine::error::StoreError;
use sqlx::{AssertSqlSafe, Executor as _};

use super::connection::{FAR, NEAR};
use super::link::Lease;
use crate::statement::ask;

/// Little enough for a slow link (13 ms at 10 Mbit/s), and enough to stand out from the round trip.
const PROBE_BYTES: usize = 16 * 1024;

/// `first_answer` is what the first answer of the server took, where that is known.
pub async fn measure(mut lease: Lease, first_answer: Option<Duration>) -> Result<LinkSpeed, StoreError> {
    let round_trip_seconds = round_trip(&mut lease, first_answer).await?;
    let mut link = LinkSpeed { round_trip_seconds, ..LinkSpeed::LOCAL };
    if round_trip_seconds > NEAR.as_secs_f64() {
        let [first, last] = probe(&mut lease).await?.map(|took| took.as_secs_f64());
        // The first answer may have taken the server a while, and the first row of the probe may have waited for some of
        // what follows it.
        link.round_trip_seconds = round_trip_seconds.min(first);
        let sending = (last - link.round_trip_seconds).max(PROBE_BYTES as f64 / LinkSpeed::LOCAL.bytes_per_second);
        link.bytes_per_second = PROBE_BYTES as f64 / sending;
    }
    lease.release();
    Ok(link)
}

/// How long it takes until the first row is there, and until all of the probe is.
async fn probe(lease: &mut Lease) -> Result<[Duration; 2], StoreError> {
    let question = format!("VALUES (''), (repeat('x', {PROBE_BYTES}))");
    let _asked = ask(lease.operation(), &question);
    let (deadline, asked) = (lease.deadline(), Instant::now());
    let mut rows = (**lease).fetch(sqlx::raw_sql(AssertSqlSafe(question)));
    let mut first = None;
    while deadline.keep(rows.try_next()).await?.is_some() {
        first.get_or_insert_with(|| asked.elapsed());
    }
    let last = asked.elapsed();
    Ok([first.unwrap_or(last), last])
}

/// Not asked for where the first answer already tells that the way is long.
async fn round_trip(lease: &mut Lease, first_answer: Option<Duration>) -> Result<f64, StoreError> {
    match first_answer {
        Some(took) if took > FAR => Ok(took.as_secs_f64()),
        Some(took) => Ok(seconds_of(lease, "SELECT ''").await?.min(took.as_secs_f64())),
        None => seconds_of(lease, "SELECT ''").await,
    }
}

async fn seconds_of(lease: &mut Lease, question: &str) -> Result<f64, StoreError> {
    let begun = Instant::now();
    lease.texts(question).await?;
    Ok(begun.elapsed().as_secs_f64())
}
