//! What the way to the server takes: how long a question, and how many bytes a second.

use std::time::{Duration, Instant};

use rowsync_engine::cost::LinkSpeed;
use rowsync_engine::error::StoreError;

use super::connection::{FAR, NEAR};
use super::link::Lease;

/// Little enough for a slow link (13 ms at 10 Mbit/s), and enough to stand out from the round trip.
const PROBE_BYTES: usize = 16 * 1024;

/// `first_answer` is what the first answer of the server took, where that is known.
pub async fn measure(mut lease: Lease, first_answer: Option<Duration>) -> Result<LinkSpeed, StoreError> {
    let round_trip_seconds = round_trip(&mut lease, first_answer).await?;
    let mut link = LinkSpeed { round_trip_seconds, ..LinkSpeed::LOCAL };
    if round_trip_seconds > NEAR.as_secs_f64() {
        let probe = seconds_of(&mut lease, &format!("SELECT repeat('x', {PROBE_BYTES})")).await?;
        let sending = (probe - round_trip_seconds).max(PROBE_BYTES as f64 / LinkSpeed::LOCAL.bytes_per_second);
        link.bytes_per_second = PROBE_BYTES as f64 / sending;
    }
    lease.release();
    Ok(link)
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
