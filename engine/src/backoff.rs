//! How long to wait before the next try: later and later, and never all at once. A pure value; the dice are the caller's.

use std::time::Duration;

/// Pauses that double from the first to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

/// More doublings than this exceed every longest pause that can be typed.
const DOUBLINGS_MAX: u32 = 31;

impl Backoff {
    /// A longest pause below the first one is raised to it.
    pub fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest: longest.max(first) }
    }

    /// The pause before try number `tries` (0 is the first one after the failure). `dice` is from 0 to 1 and spreads the
    /// pause over its second half, so that those who failed together do not come back together.
    pub fn pause(&self, tries: u32, dice: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << tries.min(DOUBLINGS_MAX));
        doubled.min(self.longest).mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_double_until_the_longest() {
        let backoff = Backoff::new(seconds(5), seconds(30));
        let pauses: Vec<u64> = (0..5).map(|tries| backoff.pause(tries, 1.0).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 30, 30]);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_shorter_than_half_nor_longer_than_the_longest(
            first in 0u64..100_000, more in 0u64..100_000, tries: u32, dice in -1.0f64..2.0
        ) {
            let backoff = Backoff::new(Duration::from_millis(first), Duration::from_millis(first + more));
            let pause = backoff.pause(tries, dice);
            prop_assert!(pause >= Duration::from_millis(first) / 2);
            prop_assert!(pause <= Duration::from_millis(first + more));
        }

        #[test]
        fn later_tries_wait_at_least_as_long(first in 1u64..1000, tries in 0u32..40, dice in 0.0f64..=1.0) {
            let backoff = Backoff::new(seconds(first), seconds(first * 100));
            prop_assert!(backoff.pause(tries + 1, dice) >= backoff.pause(tries, dice));
        }
    }
}
