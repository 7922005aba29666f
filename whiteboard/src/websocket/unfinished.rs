//! How much memory messages take that have begun to come and are not whole, all connections together; bodies that polling
//! clients post, too.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all connections together may hold if nothing else is said. Above it, who has more than [`SHARE`] is closed.
pub(super) const ALL: usize = 256 << 20;

/// Set once, before the first client comes.
static ALLOWED: AtomicUsize = AtomicUsize::new(ALL);

/// Sets how many bytes all connections together may hold; for the whole process.
pub fn allow(bytes: usize) {
    ALLOWED.store(bytes, Ordering::Relaxed);
}

/// Bytes that anybody may hold, however little is left.
pub(super) const SHARE: usize = 64 << 10;

/// So few are not counted: most messages are smaller, and counting costs.
const SMALL: usize = 4 << 10;

/// The bytes of all connections of this process.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// What one connection holds; dropping it lets go.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
    all: &'static AtomicUsize,
}

impl Held {
    /// Nothing yet, of what this process counts.
    pub fn new() -> Self {
        Self::of(&HELD)
    }

    /// Nothing yet, of what `all` counts.
    pub fn of(all: &'static AtomicUsize) -> Self {
        Self { bytes: 0, all }
    }

    /// So many bytes now.
    pub fn set(&mut self, bytes: usize) {
        let bytes = if bytes > SMALL { bytes } else { 0 };
        if bytes > self.bytes {
            self.all.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.all.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Whether this connection has to go, so that there is memory for the others.
    pub fn is_too_much(&self) -> bool {
        self.bytes > SHARE && self.all.load(Ordering::Relaxed) > ALLOWED.load(Ordering::Relaxed)
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_much_goes_when_all_hold_too_much() {
        static ALL_OF_TEST: AtomicUsize = AtomicUsize::new(0);
        let (mut one, mut other) = (Held::of(&ALL_OF_TEST), Held::of(&ALL_OF_TEST));
        for (ones, others, one_goes, other_goes) in [
            (SHARE + 1, ALL - SHARE - 1, false, false),
            (SHARE + 1, ALL, true, true),
            (SHARE, ALL, false, true),
            (SMALL, ALL, false, false),
            (0, 0, false, false),
        ] {
            one.set(ones);
            other.set(others);
            assert_eq!((one.is_too_much(), other.is_too_much()), (one_goes, other_goes), "{ones} {others}");
        }
        one.set(ALL);
        drop(one);
        assert_eq!(ALL_OF_TEST.load(Ordering::Relaxed), 0);
    }
}
