//! How long to wait before coming back.

use std::time::Duration;

/// Before the first try again, on average.
pub const FIRST: Duration = Duration::from_millis(500);

/// At most.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Doubling delays with jitter, so that a class does not come back in one instant.
#[derive(Clone, Debug)]
pub struct Backoff {
    tries: u32,
    random: u64,
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Delays from `first` to `longest`; equal seeds give equal delays.
    pub fn new(seed: u64, first: Duration, longest: Duration) -> Self {
        Self { tries: 0, random: seed, first, longest }
    }

    /// The connection stands: the next loss starts with the shortest delay.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next delay: between half and the whole of what doubling gives.
    pub fn next_delay(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.tries.min(16)).min(self.longest);
        self.tries = self.tries.saturating_add(1);
        whole / 2 + self.share_of(whole / 2)
    }

    /// A moment within the span that a server asked its clients to spread over.
    pub fn spread(&mut self, over: Duration) -> Duration {
        self.share_of(over)
    }

    fn share_of(&mut self, span: Duration) -> Duration {
        let share = u32::try_from(self.random() >> 40).unwrap_or(0);
        span.mul_f64(f64::from(share) / f64::from(1 << 24))
    }

    /// Splitmix64: the next of a sequence that looks random.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::new(1, FIRST, LONGEST);
        for round in 0..2 {
            for (tries, whole) in [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000].into_iter().enumerate() {
                let (delay, whole) = (backoff.next_delay(), Duration::from_millis(whole));
                assert!(delay >= whole / 2 && delay <= whole, "round {round}, try {tries}: {delay:?}");
            }
            backoff.reset();
        }
    }

    #[test]
    fn clients_come_back_at_different_moments() {
        let mut delays: Vec<_> = (0..100).map(|seed| Backoff::new(seed, FIRST, LONGEST).next_delay()).collect();
        delays.sort();
        delays.dedup();
        assert!(delays.len() > 90, "{}", delays.len());
        let early = delays.iter().filter(|delay| **delay < FIRST * 3 / 4).count();
        assert!((30..70).contains(&early), "{early} of 100 in the first half");
        assert!(Backoff::new(5, FIRST, LONGEST).spread(Duration::from_secs(2)) <= Duration::from_secs(2));
    }
}
