//! What the way to the server takes: how long a question, and how many bytes a second.

use std::time::Instant;

use rowsync_engine::cost::LinkSpeed;
use rowsync_engine::error::StoreError;

use super::connection::Lease;

/// A server that answers sooner than this is on this machine or in this network, where bytes cost next to nothing.
const NEAR_SECONDS: f64 = 1e-3;
/// Little enough for a slow link (13 ms at 10 Mbit/s), and enough to stand out from the round trip.
const PROBE_BYTES: usize = 16 * 1024;
const QUESTIONS: usize = 2;

pub async fn measure(mut lease: Lease) -> Result<LinkSpeed, StoreError> {
    let mut round_trip = f64::INFINITY;
    for _ in 0..QUESTIONS {
        round_trip = round_trip.min(seconds_of(&mut lease, "SELECT ''").await?);
    }
    let mut link = LinkSpeed { round_trip_seconds: round_trip, ..LinkSpeed::LOCAL };
    if round_trip > NEAR_SECONDS {
        let probe = seconds_of(&mut lease, &format!("SELECT repeat('x', {PROBE_BYTES})")).await?;
        let sending = (probe - round_trip).max(PROBE_BYTES as f64 / LinkSpeed::LOCAL.bytes_per_second);
        link.bytes_per_second = PROBE_BYTES as f64 / sending;
    }
    lease.release();
    Ok(link)
}

async fn seconds_of(lease: &mut Lease, question: &str) -> Result<f64, StoreError> {
    let begun = Instant::now();
    lease.texts(question).await?;
    Ok(begun.elapsed().as_secs_f64())
}
