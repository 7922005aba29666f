//! When a board gets a new snapshot: pure counting.

/// Operations after which a snapshot is written, so that loading replays at most about so many.
pub(super) const OPERATIONS: u64 = 1000;

/// Bytes of operations after which a snapshot is written, unless the last snapshot is larger: then as many as it has.
const BYTES: usize = 1 << 20;

/// A board that leaves memory with more operations than this behind its snapshot gets a new one.
const ON_LEAVING: u64 = 100;

/// Or with more bytes than this: each of them is read, and understood, whenever the board is opened; what stands in a
/// snapshot is read only. Of a large board that little is added to, a part as large as this fraction counts instead.
const BYTES_ON_LEAVING: usize = 64 << 10;
const PART_ON_LEAVING: usize = 8;

/// What stands behind the newest snapshot of a board.
#[derive(Debug, Default)]
pub(super) struct Behind {
    operations: u64,
    bytes: usize,
    last_snapshot: usize,
}

impl Behind {
    /// A board was loaded with so many operations, of so many bytes, behind its snapshot.
    pub(super) fn loaded(operations: u64, bytes: usize) -> Self {
        Self { operations, bytes, ..Self::default() }
    }

    /// Operations were recorded; true if it is time for a snapshot.
    pub(super) fn recorded(&mut self, operations: u64, bytes: usize) -> bool {
        self.operations += operations;
        self.bytes += bytes;
        self.operations >= OPERATIONS || self.bytes > BYTES.max(self.last_snapshot)
    }

    /// A snapshot of so many bytes was written.
    pub(super) fn snapshot(&mut self, bytes: usize) {
        *self = Self { last_snapshot: bytes, ..Self::default() };
    }

    /// Whether a board that leaves memory should leave a snapshot.
    pub(super) fn is_long(&self) -> bool {
        self.operations > ON_LEAVING || self.bytes > BYTES_ON_LEAVING.max(self.last_snapshot / PART_ON_LEAVING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_after_many_operations_or_many_bytes() {
        let mut behind = Behind::loaded(OPERATIONS - 2, 0);
        assert!(behind.is_long());
        assert!(!behind.recorded(1, 10));
        assert!(behind.recorded(1, 10));
        behind.snapshot(3 * BYTES);
        assert!(!behind.is_long());
        assert!(!behind.recorded(1, 2 * BYTES), "a large board is not written whole for less than it has itself");
        assert!(behind.recorded(1, BYTES + 1));
        behind.snapshot(10);
        assert!(!behind.recorded(1, BYTES));
        assert!(behind.recorded(1, 1));
    }

    #[test]
    fn a_short_log_needs_no_snapshot() {
        for (operations, bytes, long) in
            [(ON_LEAVING, BYTES_ON_LEAVING, false), (ON_LEAVING + 1, 0, true), (1, BYTES_ON_LEAVING + 1, true)]
        {
            assert_eq!(Behind::loaded(operations, bytes).is_long(), long, "{operations}, {bytes}");
        }
        let mut behind = Behind::default();
        behind.snapshot(10 * BYTES_ON_LEAVING);
        behind.recorded(1, BYTES_ON_LEAVING + 1);
        assert!(!behind.is_long(), "little beside what the snapshot has");
        behind.recorded(1, BYTES_ON_LEAVING);
        assert!(behind.is_long());
    }
}
