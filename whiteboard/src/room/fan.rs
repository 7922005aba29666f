//! When volatile messages leave a room: at once while little happens, gathered for some milliseconds while much does.
//!
//! What a busy board costs is system calls: one for each client and each time it is written to. Whoever draws alone on a
//! board gets no delay at all; on a crowded one, whatever comes within a tick goes out in one write a client. Between two
//! writes to everybody there is a time that grows with the number of clients, so that the writes a second stay about
//! the same.

use super::batch::{Batch, Builder};
use crate::board::core::ClientId;
use std::collections::HashSet;
use std::time::Duration;

/// The longest that a message is held back. Timers fire up to a millisecond late: with that it is eight.
const LONGEST: Duration = Duration::from_millis(7);

/// Time that a client is worth between two writes: one write costs its part of that in processor time.
const A_CLIENT: Duration = Duration::from_micros(160);

/// A tick's bytes at most: more go out before their time.
const BYTES: usize = 256 << 10;

/// Messages that wait for the next tick.
#[derive(Debug, Default)]
pub(super) struct Fan {
    waiting: Builder,
    /// When the last ones left.
    last: Option<Duration>,
    due: Option<Duration>,
}

/// Time between two writes to so many clients.
fn interval(clients: usize) -> Duration {
    A_CLIENT.saturating_mul(u32::try_from(clients).unwrap_or(u32::MAX)).min(LONGEST)
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
        let due = self.last.map_or(now, |last| (last + interval(clients)).max(now));
        let due = if self.waiting.len() > BYTES { now } else { due };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// When [`Self::finish`] should be called; none while nothing waits.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// What waits, and who sent something in it.
    pub(super) fn finish(&mut self, now: Duration) -> Option<(Batch, HashSet<ClientId>)> {
        self.due.take()?;
        self.last = Some(now);
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
    fn a_message_after_a_pause_leaves_at_once() {
        let mut fan = Fan::default();
        assert_eq!(fan.due(), None);
        for now in [ms(0), ms(33), ms(66)] {
            fan.add(b"\x81\x00", Some(1), None, 300, now);
            assert_eq!(fan.due(), Some(now));
            assert_eq!(fan.finish(now).unwrap().1, HashSet::from([1]));
            assert_eq!(fan.due(), None);
            assert!(fan.finish(now).is_none());
        }
    }

    #[test]
    fn the_more_clients_the_longer_messages_are_gathered() {
        for (clients, wait) in [
            (0, Duration::ZERO),
            (2, Duration::from_micros(320)),
            (30, Duration::from_micros(4800)),
            (50, LONGEST),
            (300, LONGEST),
            (usize::MAX, LONGEST),
        ] {
            let mut fan = Fan::default();
            fan.add(b"\x81\x00", None, None, clients, ms(5));
            fan.finish(ms(5));
            fan.add(b"\x81\x00", None, None, clients, ms(5));
            assert_eq!(fan.due(), Some(ms(5) + wait), "{clients}");
            fan.add(b"\x81\x00", None, None, clients, ms(6));
            let due = fan.due().unwrap();
            assert!(due <= ms(6).max(ms(5) + wait), "more messages never put it off: {clients}");
            assert_eq!(fan.finish(due).unwrap().0.size(None), (2, 4));
        }
    }

    #[test]
    fn large_messages_do_not_wait_for_each_other() {
        let mut fan = Fan::default();
        fan.add(b"\x81\x00", None, None, 300, ms(1));
        fan.finish(ms(1));
        let large = vec![0; BYTES];
        fan.add(b"\x81\x00", None, None, 300, ms(2));
        assert_eq!(fan.due(), Some(ms(8)));
        fan.add(&large, None, None, 300, ms(3));
        assert_eq!(fan.due(), Some(ms(3)));
    }
}
