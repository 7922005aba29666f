//! How long things took: a histogram in steps of ten microseconds.

use std::time::Duration;

const STEP: u64 = 10_000;

/// Times up to ten seconds; longer ones count as ten seconds.
pub struct Times {
    steps: Vec<u32>,
    count: u64,
}

impl Times {
    pub fn new() -> Self {
        Self { steps: vec![0; 1_000_001], count: 0 }
    }

    pub fn add(&mut self, nanoseconds: u64) {
        let last = self.steps.len() - 1;
        self.steps[usize::try_from(nanoseconds / STEP).map_or(last, |step| step.min(last))] += 1;
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time that this share of all stayed below, in milliseconds.
    pub fn ms(&self, share: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wanted = ((self.count as f64) * share).ceil() as u64;
        let mut below = 0;
        for (step, count) in self.steps.iter().enumerate() {
            below += u64::from(*count);
            if below >= wanted {
                return Duration::from_nanos((step as u64 + 1) * STEP).as_secs_f64() * 1e3;
            }
        }
        f64::NAN
    }
}
