//! When something leaves: at once while little happens, gathered for some milliseconds while much does.
//!
//! What a busy board costs is system calls: one for each client and each time it is written to, and one sync of the disk
//! for each commit. Between two of them there is a time that grows with the number of clients, so that their number a
//! second stays about the same. Whoever draws alone on a board never waits.

use std::time::Duration;

/// Time that a client is worth between two times: one write costs its part of that in processor time.
const A_CLIENT: Duration = Duration::from_micros(160);

/// Says when what waits is to leave. All times: since the room started.
#[derive(Debug)]
pub(super) struct Pace {
    /// The longest that anything waits. Timers fire up to a millisecond late on top.
    longest: Duration,
    /// When something last left.
    last: Option<Duration>,
    due: Option<Duration>,
}

impl Pace {
    pub(super) const fn new(longest: Duration) -> Self {
        Self { longest, last: None, due: None }
    }

    /// Something began to wait, on a board with so many clients. More of it never puts off what is due.
    pub(super) fn wait(&mut self, clients: usize, now: Duration) {
        let interval = A_CLIENT.saturating_mul(u32::try_from(clients).unwrap_or(u32::MAX)).min(self.longest);
        let due = self.last.map_or(now, |last| (last + interval).max(now));
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// What waits has grown so much that it should leave now.
    pub(super) fn hurry(&mut self, now: Duration) {
        self.due = Some(now);
    }

    /// When what waits should leave; none while nothing waits.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// What waited leaves; false if nothing did.
    pub(super) fn leave(&mut self, now: Duration) -> bool {
        let waited = self.due.take().is_some();
        if waited {
            self.last = Some(now);
        }
        waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(7);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_comes_after_a_pause_leaves_at_once() {
        let mut pace = Pace::new(LONGEST);
        assert_eq!(pace.due(), None);
        for now in [ms(0), ms(33), ms(66)] {
            pace.wait(300, now);
            assert_eq!(pace.due(), Some(now));
            assert!(pace.leave(now));
            assert_eq!(pace.due(), None);
            assert!(!pace.leave(now));
        }
    }

    #[test]
    fn the_more_clients_the_longer_it_is_gathered() {
        for (clients, wait) in [
            (0, Duration::ZERO),
            (2, Duration::from_micros(320)),
            (30, Duration::from_micros(4800)),
            (50, LONGEST),
            (300, LONGEST),
            (usize::MAX, LONGEST),
        ] {
            let mut pace = Pace::new(LONGEST);
            pace.wait(clients, ms(5));
            pace.leave(ms(5));
            pace.wait(clients, ms(5));
            assert_eq!(pace.due(), Some(ms(5) + wait), "{clients}");
            pace.wait(clients, ms(6));
            assert_eq!(pace.due(), Some(ms(5) + wait), "more never puts it off: {clients}");
        }
    }

    #[test]
    fn what_is_much_does_not_wait() {
        let mut pace = Pace::new(LONGEST);
        pace.wait(300, ms(1));
        pace.leave(ms(1));
        pace.wait(300, ms(2));
        assert_eq!(pace.due(), Some(ms(8)));
        pace.hurry(ms(3));
        assert_eq!(pace.due(), Some(ms(3)));
    }
}
