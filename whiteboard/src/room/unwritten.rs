//! Operations on their way to the disk: those of a few milliseconds go into one commit, and what they lead to leaves in
//! one write a client (see [`super::pace`]).

use super::pace::Pace;
use std::time::Duration;

/// The longest that an operation is held back. It is acknowledged that much later at most, and a crowded board costs the
/// disk 200 commits a second at most: flash memory wears out by syncs, too.
const LONGEST: Duration = Duration::from_millis(5);

/// Bytes at most: more are written before their time.
const BYTES: usize = 256 << 10;

/// Operations that wait to be given to the store.
#[derive(Debug)]
pub(super) struct Unwritten {
    rows: Vec<String>,
    bytes: usize,
    pace: Pace,
}

/// Operations to be written now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// Ascending, without a gap to what was written before.
    pub(super) rows: Vec<String>,
    pub(super) bytes: usize,
}

impl Default for Unwritten {
    fn default() -> Self {
        Self { rows: Vec::new(), bytes: 0, pace: Pace::new(LONGEST) }
    }
}

impl Unwritten {
    /// Adds operations on a board with so many clients. `now` and all other times: since the room started.
    pub(super) fn add(&mut self, rows: Vec<String>, clients: usize, now: Duration) {
        self.bytes += rows.iter().map(String::len).sum::<usize>();
        if self.rows.is_empty() {
            self.rows = rows;
        } else {
            self.rows.extend(rows);
        }
        self.pace.wait(clients, now);
        if self.bytes > BYTES {
            self.pace.hurry(now);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// When [`Self::finish`] should be called; none while nothing waits.
    pub(super) fn due(&self) -> Option<Duration> {
        self.pace.due()
    }

    /// What waits.
    pub(super) fn finish(&mut self, now: Duration) -> Option<Rows> {
        self.pace
            .leave(now)
            .then(|| Rows { rows: std::mem::take(&mut self.rows), bytes: std::mem::take(&mut self.bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn rows(rows: &[&str]) -> Vec<String> {
        rows.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn operations_keep_their_order_and_leave_together() {
        let mut unwritten = Unwritten::default();
        assert!(unwritten.is_empty() && unwritten.finish(ms(1)).is_none());
        unwritten.add(rows(&["a"]), 300, ms(1));
        assert_eq!(unwritten.due(), Some(ms(1)));
        assert_eq!(unwritten.finish(ms(1)), Some(Rows { rows: rows(&["a"]), bytes: 1 }));
        unwritten.add(rows(&["bb", "c"]), 300, ms(2));
        unwritten.add(rows(&["d"]), 300, ms(3));
        assert_eq!(unwritten.due(), Some(ms(1) + LONGEST));
        assert_eq!(unwritten.finish(ms(6)), Some(Rows { rows: rows(&["bb", "c", "d"]), bytes: 4 }));
        assert!(unwritten.is_empty() && unwritten.due().is_none());
    }

    #[test]
    fn large_operations_do_not_wait_for_each_other() {
        let mut unwritten = Unwritten::default();
        unwritten.add(rows(&["a"]), 300, ms(1));
        unwritten.finish(ms(1));
        unwritten.add(vec!["x".repeat(BYTES)], 300, ms(2));
        assert_eq!(unwritten.due(), Some(ms(1) + LONGEST));
        unwritten.add(rows(&["y"]), 300, ms(3));
        assert_eq!(unwritten.due(), Some(ms(3)));
    }
}
