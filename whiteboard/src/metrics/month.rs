//! Bytes sent in a calendar month, as providers count them against what they allow.

use jiff::{Timestamp, tz::TimeZone};

/// The total of the current month (UTC), kept across restarts as a short text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthTotal {
    /// Such as `2026-11`.
    month: String,
    bytes: u64,
    /// The process's own counter when this was last brought up to date.
    counted: u64,
}

fn month_of(unix_ms: i64) -> String {
    let moment = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

fn is_month(text: &str) -> bool {
    let is_digit = |place: usize, byte: u8| if place == 4 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 7 && text.bytes().enumerate().all(|(place, byte)| is_digit(place, byte))
}

impl MonthTotal {
    /// What [`Self::text`] gave before the process was restarted; nothing of an earlier month, nor of unreadable text. A
    /// later month is kept: it is the clock that is wrong, as on machines that learn the time from the network.
    pub fn restored(text: Option<&str>, unix_ms: i64) -> Self {
        let month = month_of(unix_ms);
        let kept = text
            .and_then(|text| text.split_once(' '))
            .filter(|(then, _)| is_month(then) && *then >= month.as_str())
            .and_then(|(then, bytes)| Some((then.to_owned(), bytes.parse().ok()?)));
        let (month, bytes) = kept.unwrap_or((month, 0));
        Self { month, bytes, counted: 0 }
    }

    /// Adds what the process's counter grew by. What was sent since the last call counts for the month of `unix_ms`.
    pub fn update(&mut self, counter: u64, unix_ms: i64) {
        let month = month_of(unix_ms);
        if month > self.month {
            (self.month, self.bytes) = (month, 0);
        }
        self.bytes += counter.saturating_sub(self.counted);
        self.counted = counter;
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is kept on disk.
    pub fn text(&self) -> String {
        format!("{} {}", self.month, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn the_total_survives_a_restart_and_ends_with_the_month() {
        let mut total = MonthTotal::restored(None, ms("2026-11-21T00:00:00Z"));
        total.update(100, ms("2026-11-21T00:01:00Z"));
        total.update(150, ms("2026-11-30T23:59:59Z"));
        assert_eq!(total.text(), "2026-11 150");
        let mut again = MonthTotal::restored(Some("2026-11 150"), ms("2026-11-30T23:59:59Z"));
        again.update(5, ms("2026-11-30T23:59:59Z"));
        assert_eq!(again.bytes(), 155);
        again.update(9, ms("2026-12-01T00:00:00Z"));
        assert_eq!((again.bytes(), again.text().as_str()), (4, "2026-12 4"));
    }

    #[test]
    fn a_clock_that_is_behind_for_a_while_loses_nothing() {
        let mut total = MonthTotal::restored(Some("2026-11 7"), ms("1970-01-01T00:00:09Z"));
        total.update(1, ms("1970-01-01T00:01:00Z"));
        assert_eq!(total.text(), "2026-11 8");
        total.update(3, ms("2026-11-21T00:00:00Z"));
        assert_eq!(total.text(), "2026-11 10");
        total.update(4, ms("2026-12-01T00:00:00Z"));
        assert_eq!(total.text(), "2026-12 1");
    }

    #[test]
    fn what_is_of_an_earlier_month_or_unreadable_counts_nothing() {
        for text in ["2026-10 7", "2026-11", "2026-11 x", "", "2026-11 -5", "9 7", "future! 7"] {
            assert_eq!(MonthTotal::restored(Some(text), ms("2026-11-21T00:00:00Z")).text(), "2026-11 0", "{text}");
        }
    }
}
