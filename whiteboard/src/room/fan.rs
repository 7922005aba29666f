//! Volatile messages on their way out: whatever comes within a tick goes out in one write a client (see [`super::pace`]).

use super::batch::{Batch, Builder};
use super::pace::Pace;
use crate::board::core::ClientId;
use std::collections::HashSet;
use std::time::Duration;

/// The longest that a message is held back. Timers fire up to a millisecond late: with that, and the time to write to
/// everybody, it stays below ten.
const LONGEST: Duration = Duration::from_micros(7750);

/// A tick's bytes at most: more go out before their time.
const BYTES: usize = 256 << 10;

/// Messages that wait for the next tick.
#[derive(Debug)]
pub(super) struct Fan {
    waiting: Builder,
    pace: Pace,
}

impl Default for Fan {
    fn default() -> Self {
        Self { waiting: Builder::default(), pace: Pace::new(LONGEST) }
    }
}

impl Fan {
    /// Adds a message for everybody but `from`. `now` and all other times: since the room started.
    pub(super) fn add(
        &mut self,
        wire: &[u8],
        from: Option<ClientId>,
        slot: Option<u64>,
        clients: usize,
        now: Duration,
    ) {
        self.waiting.add(wire, from, slot);
        self.pace.wait(clients, now);
        if self.waiting.len() > BYTES {
            self.pace.hurry(now);
        }
    }

    /// When [`Self::finish`] should be called; none while nothing waits.
    pub(super) fn due(&self) -> Option<Duration> {
        self.pace.due()
    }

    /// What waits, and who sent something in it.
    pub(super) fn finish(&mut self, now: Duration) -> Option<(Batch, HashSet<ClientId>)> {
        if !self.pace.leave(now) {
            return None;
        }
        let authors = self.waiting.authors();
        Some((self.waiting.finish(), authors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_comes_within_a_tick_leaves_together() {
        let mut fan = Fan::default();
        assert!(fan.finish(ms(1)).is_none());
        fan.add(b"\x81\x00", Some(1), None, 300, ms(1));
        assert_eq!(fan.due(), Some(ms(1)));
        assert_eq!(fan.finish(ms(1)).unwrap().1, HashSet::from([1]));
        fan.add(b"\x81\x00", None, None, 300, ms(2));
        fan.add(b"\x81\x00", Some(2), None, 300, ms(3));
        assert_eq!(fan.due(), Some(ms(1) + LONGEST));
        let (batch, authors) = fan.finish(ms(9)).unwrap();
        assert_eq!((batch.size(None), authors), ((2, 4), HashSet::from([2])));
        assert_eq!(fan.due(), None);
    }

    #[test]
    fn large_messages_do_not_wait_for_each_other() {
        let mut fan = Fan::default();
        fan.add(b"\x81\x00", None, None, 300, ms(1));
        fan.finish(ms(1));
        let large = vec![0; BYTES];
        fan.add(b"\x81\x00", None, None, 300, ms(2));
        assert_eq!(fan.due(), Some(ms(1) + LONGEST));
        fan.add(&large, None, None, 300, ms(3));
        assert_eq!(fan.due(), Some(ms(3)));
    }
}
