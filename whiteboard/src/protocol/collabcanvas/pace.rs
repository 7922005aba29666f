//! How many messages a client may send: 100 a second (contract). A page sends 82 while it drags.

use crate::limits::{Bucket, Rate};
use std::time::Duration;

/// What the sender of more is told.
pub const TOO_FAST: &str = "Rate limit exceeded. Please slow down. Nothing was changed.";

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Fine,
    /// Not to be done; the sender is told.
    TooFast,
    /// Not to be done; the sender has been told within this second.
    Told,
}

/// The messages of one client.
#[derive(Debug)]
pub struct Paced {
    bucket: Bucket,
    told: Option<Duration>,
}

impl Paced {
    /// So many messages a second, and as many at once after a rest.
    pub fn new(per_second: u32) -> Self {
        Self { bucket: Bucket::new(Rate::with_burst_of(per_second, 1)), told: None }
    }

    /// Counts a message; times are since any fixed moment.
    pub fn count(&mut self, now: Duration) -> Pace {
        if self.bucket.take(now).is_ok() {
            return Pace::Fine;
        }
        if self.told.is_some_and(|told| now.saturating_sub(told) < Duration::from_secs(1)) {
            return Pace::Told;
        }
        self.told = Some(now);
        Pace::TooFast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_page_that_drags_is_never_too_fast() {
        let mut paced = Paced::new(100);
        // A drag each 16 ms, a cursor each 50 ms, for a minute.
        for n in 5..60_000 {
            for _ in 0..u32::from(n % 16 == 0) + u32::from(n % 50 == 0) {
                assert_eq!(paced.count(ms(n)), Pace::Fine, "{n}");
            }
        }
    }

    #[test]
    fn a_hundred_at_once_and_a_hundred_a_second() {
        let mut paced = Paced::new(100);
        for at in [0, 2000] {
            assert_eq!((0..100).filter(|_| paced.count(ms(at)) == Pace::Fine).count(), 100, "at {at}");
            assert_eq!((paced.count(ms(at)), paced.count(ms(at + 5))), (Pace::TooFast, Pace::Told), "at {at}");
        }
        let mut paced = Paced::new(100);
        let fine = (0..10_000).filter(|n| paced.count(ms(n / 2)) == Pace::Fine).count();
        assert!((595..=605).contains(&fine), "{fine} in five seconds: a hundred at once and 500");
    }

    #[test]
    fn the_sender_is_told_once_a_second() {
        let mut paced = Paced::new(100);
        let told = (0..10_000).filter(|n| paced.count(ms(n / 4)) == Pace::TooFast).count();
        assert_eq!(told, 3, "within two and a half seconds");
    }
}
