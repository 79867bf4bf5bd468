//! The clocks that a wait goes by, handed in so that tests can set them.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

/// The clock on the wall, which may be set, and a stopwatch, which may stand while the machine sleeps.
#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Since this clock was made.
    fn stopwatch(&self) -> Duration;

    /// By the stopwatch.
    async fn sleep(&self, duration: Duration);
}

/// The clocks of this machine.
pub struct MachineClock {
    made: Instant,
}

impl MachineClock {
    #[expect(clippy::new_without_default, reason = "a clock that begins to run is no default")]
    pub fn new() -> MachineClock {
        MachineClock { made: Instant::now() }
    }
}

#[async_trait]
impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn stopwatch(&self) -> Duration {
        self.made.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
