//! How long a picture may take.

use super::RenderError;
use std::time::{Duration, Instant};

/// Runs from when the work on a picture began.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    most: Duration,
}

impl Clock {
    pub fn start(most: Duration) -> Self {
        Self { started: Instant::now(), most }
    }

    /// An error once the time is over. Takes some 30 ns: to be asked at every element.
    pub fn check(&self) -> Result<(), RenderError> {
        if self.started.elapsed() > self.most {
            Err(RenderError::Time { seconds: self.most.as_secs() })
        } else {
            Ok(())
        }
    }
}
