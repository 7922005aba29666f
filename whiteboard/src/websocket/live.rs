//! How much memory the messages that wait to be sent take, all connections together, each message once.

use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Set once, before the first client comes.
static ALLOWED: AtomicUsize = AtomicUsize::new(256 << 20);

/// Bytes that count as long as anybody holds them.
struct Counted(Vec<u8>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(self.0.capacity(), Ordering::Relaxed);
    }
}

/// Bytes to be shared; they count until the last one who holds a part of them lets go.
pub fn counted(bytes: Vec<u8>) -> Bytes {
    LIVE.fetch_add(bytes.capacity(), Ordering::Relaxed);
    Bytes::from_owner(Counted(bytes))
}

/// Bytes of all messages of this process that wait to be sent. One that many wait for counts once.
pub fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Bytes that [`live`] should stay below: from there on who is far behind is closed.
pub fn allowed() -> usize {
    ALLOWED.load(Ordering::Relaxed)
}

/// Sets [`allowed`]; for the whole process, 256 MiB before.
pub fn allow(bytes: usize) {
    ALLOWED.store(bytes, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_bytes_count_once_and_until_the_last_part_is_gone() {
        // Far more than all that other tests hold at the same time.
        const LARGE: usize = 128 << 20;
        let bytes = counted(vec![0; LARGE]);
        let part = bytes.slice(5..6);
        let copy = bytes.clone();
        assert!((LARGE..2 * LARGE).contains(&live()));
        drop(bytes);
        drop(copy);
        assert!(live() >= LARGE);
        drop(part);
        assert!(live() < LARGE);
    }
}
