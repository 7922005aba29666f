//! How many messages a connection may send: a token bucket.

use std::time::Duration;

/// So many messages a second in the long run, and so many at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

impl Rate {
    /// A rate that lets people who draw in bursts send what they had saved up for `seconds`.
    pub fn with_burst_of(per_second: u32, seconds: u32) -> Self {
        Self { per_second, burst: per_second.saturating_mul(seconds) }
    }
}

/// The tokens of one connection. Times are durations since any fixed moment, as long as it is always the same.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: Rate,
    /// When the bucket was or will be full. A message puts it off by what one token takes to come.
    full_at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Duration::ZERO }
    }

    /// Takes a token for one message; an error says how long to wait until there is one. A refused message costs
    /// nothing.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let token = Duration::from_secs(1) / self.rate.per_second.max(1);
        let full_at = self.full_at.max(now) + token;
        let longest = token * self.rate.burst.max(1);
        let wait = full_at.saturating_sub(now + longest);
        if wait.is_zero() {
            self.full_at = full_at;
            Ok(())
        } else {
            Err(wait)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_burst_passes_and_then_one_message_at_a_time() {
        let mut bucket = Bucket::new(Rate { per_second: 10, burst: 3 });
        for (at, expected) in [
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(100)),
            (40, Err(60)),
            (99, Err(1)),
            (100, Ok(())),
            (100, Err(100)),
            (10_000, Ok(())),
            (10_000, Ok(())),
            (10_000, Ok(())),
            (10_001, Err(99)),
        ] {
            assert_eq!(bucket.take(ms(at)), expected.map_err(ms), "at {at}");
        }
    }

    #[test]
    fn a_rate_of_nothing_is_one_a_second() {
        let mut bucket = Bucket::new(Rate { per_second: 0, burst: 0 });
        assert_eq!(bucket.take(ms(5)), Ok(()));
        assert_eq!(bucket.take(ms(5)), Err(ms(1000)));
        assert_eq!(Rate::with_burst_of(100, 4), Rate { per_second: 100, burst: 400 });
        assert_eq!(Rate::with_burst_of(u32::MAX, 4).burst, u32::MAX);
    }

    proptest! {
        /// In no stretch of time more than the rate and one burst pass; and who waits as told passes.
        #[test]
        fn the_rate_holds_in_any_stretch(
            per_second in 1u32..500,
            burst in 1u32..100,
            steps in prop::collection::vec((0u64..300, any::<bool>()), 1..300),
        ) {
            let mut bucket = Bucket::new(Rate { per_second, burst });
            let mut now = Duration::ZERO;
            let mut passed = Vec::new();
            for (pause, obey) in steps {
                now += ms(pause);
                match bucket.take(now) {
                    Ok(()) => passed.push(now),
                    Err(wait) if obey => {
                        now += wait;
                        prop_assert_eq!(bucket.take(now), Ok(()));
                        passed.push(now);
                    }
                    Err(_) => {}
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, until) in passed.iter().enumerate().skip(first) {
                    let count = u32::try_from(last - first + 1).unwrap();
                    let most = f64::from(burst) + until.saturating_sub(*from).as_secs_f64() * f64::from(per_second);
                    prop_assert!(f64::from(count) <= most + 1e-3);
                }
            }
        }
    }
}
