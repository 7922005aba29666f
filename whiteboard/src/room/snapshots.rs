//! When a board gets a new snapshot: pure counting.

/// Operations after which a snapshot is written, so that loading replays at most about so many.
pub(super) const OPERATIONS: u64 = 1000;

/// Bytes of operations after which a snapshot is written, unless the last snapshot is larger: then as many as it has.
const BYTES: usize = 1 << 20;

/// A board that leaves memory with more operations than this behind its snapshot gets a new one.
const ON_LEAVING: u64 = 100;

/// What stands behind the newest snapshot of a board.
#[derive(Debug, Default)]
pub(super) struct Behind {
    operations: u64,
    bytes: usize,
    last_snapshot: usize,
}

impl Behind {
    /// A board was loaded with so many operations behind its snapshot.
    pub(super) fn loaded(operations: u64) -> Self {
        Self { operations, ..Self::default() }
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
        self.operations > ON_LEAVING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_after_many_operations_or_many_bytes() {
        let mut behind = Behind::loaded(OPERATIONS - 2);
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
        assert!(!Behind::loaded(ON_LEAVING).is_long());
        assert!(Behind::loaded(ON_LEAVING + 1).is_long());
    }
}
