//! How much one caller may ask.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

type Limiter = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>;

/// Addresses that are remembered before those are forgotten that have been quiet.
const ADDRESSES_MAX: usize = 10_000;

/// A limiter for the rate that holds now. The rate may change when the files are read anew.
#[derive(Default)]
pub struct Limits {
    current: Mutex<Option<(u32, Arc<Limiter>)>>,
}

impl Limits {
    /// How long the caller has to wait, where it asked too often.
    pub fn check(&self, caller: IpAddr, per_second: u32) -> Result<(), Duration> {
        let limiter = self.limiter(per_second);
        if limiter.len() > ADDRESSES_MAX {
            limiter.retain_recent();
        }
        // The limiter's own clock: a new one asks the processor what it is, which takes longer than all the rest, most of all in
        // a virtual machine.
        limiter.check_key(&caller).map_err(|too_early| too_early.wait_time_from(limiter.clock().now()))
    }

    fn limiter(&self, per_second: u32) -> Arc<Limiter> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((rate, limiter)) if *rate == per_second => Arc::clone(limiter),
            _ => {
                let rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
                let quota = Quota::per_second(rate).allow_burst(rate.saturating_mul(TWICE));
                let limiter = Arc::new(RateLimiter::hashmap(quota));
                *current = Some((per_second, Arc::clone(&limiter)));
                limiter
            }
        }
    }
}

const TWICE: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_is_held_back_and_the_other_is_not() {
        let (limits, one, other) = (Limits::default(), IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let let_through = (0..100).filter(|_| limits.check(one, 5).is_ok()).count();
        // Ten at once, and what a second's fraction brings.
        assert!((10..20).contains(&let_through), "{let_through}");
        assert!(limits.check(one, 5).unwrap_err() <= Duration::from_millis(200));
        assert!(limits.check(other, 5).is_ok());
        // A new rate is a new start.
        assert!(limits.check(one, 6).is_ok());
    }
}
