//! How often something may be tried: a number of times in a window. Pure; time is given.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Keys that are remembered at most. When there are more, the oldest windows are forgotten first.
const KEYS: usize = 20_000;

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Duration,
    tries: u32,
}

/// Counts tries by key.
#[derive(Debug)]
pub struct Attempts<K> {
    limit: u32,
    length: Duration,
    windows: HashMap<K, Window>,
}

impl<K: Eq + Hash + Clone> Attempts<K> {
    /// At most `limit` tries within `length` from the first of them.
    pub fn new(limit: u32, length: Duration) -> Self {
        Self { limit, length, windows: HashMap::new() }
    }

    /// Counts a try; an error is how long to wait until the next is allowed. Times are since any fixed moment.
    pub fn begin(&mut self, key: &K, now: Duration) -> Result<(), Duration> {
        if self.windows.len() >= KEYS && !self.windows.contains_key(key) {
            self.forget_some(now);
        }
        let window = self.windows.entry(key.clone()).or_insert(Window { began: now, tries: 0 });
        if now >= window.began + self.length {
            *window = Window { began: now, tries: 0 };
        }
        if window.tries >= self.limit {
            return Err((window.began + self.length).saturating_sub(now));
        }
        window.tries += 1;
        Ok(())
    }

    /// The try was none: it succeeded.
    pub fn take_back(&mut self, key: &K) {
        if let Some(window) = self.windows.get_mut(key) {
            window.tries = window.tries.saturating_sub(1);
        }
    }

    /// Nothing is held against this key any more.
    pub fn clear(&mut self, key: &K) {
        self.windows.remove(key);
    }

    fn forget_some(&mut self, now: Duration) {
        self.windows.retain(|_, window| now < window.began + self.length);
        if self.windows.len() >= KEYS {
            let mut begins: Vec<Duration> = self.windows.values().map(|window| window.began).collect();
            let (_, middle, _) = begins.select_nth_unstable(KEYS / 2);
            let middle = *middle;
            self.windows.retain(|_, window| window.began > middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn tries_are_counted_in_a_window() {
        let mut attempts = Attempts::new(3, s(60));
        for (at, key, expected) in [
            (0, "a", Ok(())),
            (10, "a", Ok(())),
            (10, "b", Ok(())),
            (20, "a", Ok(())),
            (21, "a", Err(s(39))),
            (59, "a", Err(s(1))),
            (60, "a", Ok(())),
            (61, "b", Ok(())),
        ] {
            assert_eq!(attempts.begin(&key, s(at)), expected, "{key} at {at}");
        }
    }

    #[test]
    fn successes_do_not_count() {
        let mut attempts = Attempts::new(1, s(60));
        for _ in 0..5 {
            assert_eq!(attempts.begin(&"a", s(0)), Ok(()));
            attempts.take_back(&"a");
        }
        assert_eq!(attempts.begin(&"a", s(0)), Ok(()));
        assert!(attempts.begin(&"a", s(0)).is_err());
        attempts.clear(&"a");
        assert_eq!(attempts.begin(&"a", s(0)), Ok(()));
        attempts.take_back(&"never seen");
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_remembered() {
        let mut attempts = Attempts::new(1, s(60));
        let many = u64::try_from(KEYS).unwrap();
        for n in 0..3 * many {
            attempts.begin(&n, Duration::from_micros(n)).unwrap();
            assert!(attempts.windows.len() <= KEYS);
        }
        assert!(attempts.begin(&(3 * many - 1), s(1)).is_err());
        let same_moment = &mut Attempts::new(1, s(60));
        for n in 0..2 * many {
            same_moment.begin(&n, s(0)).unwrap();
        }
        assert!(same_moment.windows.len() <= KEYS);
    }
}
