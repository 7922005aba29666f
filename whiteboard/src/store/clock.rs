//! Times as the database keeps them: milliseconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds of a second, an hour, a day.
pub const SECOND: i64 = 1000;
pub const HOUR: i64 = 3600 * SECOND;
pub const DAY: i64 = 24 * HOUR;

/// The wall clock.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// How long ago a moment was; zero for one that lies ahead, because the clock was set back.
pub fn since(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(now().saturating_sub(milliseconds)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_ahead_are_now() {
        assert!(since(now() - DAY) >= Duration::from_hours(24));
        assert!(since(now() - HOUR) < Duration::from_hours(2));
        assert_eq!(since(now() + HOUR), Duration::ZERO);
        assert_eq!(since(i64::MAX), Duration::ZERO);
        assert!(since(i64::MIN) > Duration::from_hours(24));
    }
}
