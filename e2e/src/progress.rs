//! What a person sees while long things happen: lines that begin with the time since the start.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Without a terminal a running step is mentioned this often; a CI log stays alive and readable.
const REMINDER: Duration = Duration::from_secs(30);

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Starts the clock that all lines show. Called first thing in `main`; later calls change nothing.
pub fn begin() {
    start();
}

/// Time since [`begin`].
pub fn elapsed() -> Duration {
    start().elapsed()
}

/// Prints one line with the time since the start, on stderr: stdout belongs to what other programs read.
pub fn say(text: &str) {
    eprintln!("{} {text}", stamp(elapsed()));
}

fn stamp(since: Duration) -> String {
    format!("[{:>4} s]", since.as_secs())
}

/// A duration as a person would say it: `9 s`, `1 min 20 s`, `7 min`, `1 h 5 min`.
pub fn spoken(time: Duration) -> String {
    // Rounded to the second, halves up, so that 59.9 s does not read as 59 s.
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The line of a step that is still running.
fn running(title: &str, so_far: Duration, usually: Option<Duration>) -> String {
    match usually {
        Some(usually) => format!("{title} … {} so far (usually {})", spoken(so_far), spoken(usually)),
        None => format!("{title} … {} so far", spoken(so_far)),
    }
}

/// A step in progress. On a terminal its line is refreshed every second, elsewhere it is repeated every 30 s.
pub struct Step {
    title: String,
    usually: Option<Duration>,
    began: Instant,
    shown: Instant,
    terminal: bool,
}

impl Step {
    /// Announces a step; `usually` is the time it took where it was measured.
    pub fn begin(title: &str, usually: Option<Duration>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let now = Instant::now();
        let step = Self { title: title.to_owned(), usually, began: now, shown: now, terminal };
        if terminal {
            step.refresh();
        } else {
            match usually {
                Some(usually) => say(&format!("{title} … (usually {})", spoken(usually))),
                None => say(&format!("{title} …")),
            }
        }
        step
    }

    /// To be called a few times a second while the step runs.
    pub fn tick(&mut self) {
        let every = if self.terminal { Duration::from_secs(1) } else { REMINDER };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        if self.terminal {
            self.refresh();
        } else {
            say(&running(&self.title, self.began.elapsed(), self.usually));
        }
    }

    /// Replaces the running line with the outcome.
    pub fn end(self, outcome: &str) {
        if self.terminal {
            // Carriage return and "erase line": the running line makes room for the final one.
            eprint!("\r\x1b[2K");
        }
        say(&format!("{}: {outcome} ({})", self.title, spoken(self.began.elapsed())));
    }

    fn refresh(&self) {
        eprint!("\r\x1b[2K{} {}", stamp(elapsed()), running(&self.title, self.began.elapsed(), self.usually));
        let _ = std::io::stderr().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (milliseconds, expected) in [
            (0, "0 s"),
            (499, "0 s"),
            (9_500, "10 s"),
            (59_900, "1 min"),
            (80_000, "1 min 20 s"),
            (420_000, "7 min"),
            (3_600_000, "1 h"),
            (3_900_000, "1 h 5 min"),
        ] {
            assert_eq!(spoken(Duration::from_millis(milliseconds)), expected, "{milliseconds} ms");
        }
    }

    #[test]
    fn a_running_step_says_how_long_it_usually_takes() {
        let seconds = Duration::from_secs;
        assert_eq!(
            running("building traefik v3.7.9", seconds(80), Some(seconds(420))),
            "building traefik v3.7.9 … 1 min 20 s so far (usually 7 min)"
        );
        assert_eq!(running("waiting", seconds(3), None), "waiting … 3 s so far");
    }

    #[test]
    fn stamps_align() {
        assert_eq!(stamp(Duration::from_secs(7)), "[   7 s]");
        assert_eq!(stamp(Duration::from_secs(1234)), "[1234 s]");
    }
}
