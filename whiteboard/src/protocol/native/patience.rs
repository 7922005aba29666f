//! What every connection does about a client that says nothing, or nonsense.

use super::live::Timing;
use std::time::Duration;
use tokio::time::Instant;

/// So many messages in a row that were not understood end a connection [P4].
pub(super) const MISUNDERSTOOD: u32 = 20;

/// The answer to a ping of a client [P6].
pub(super) const PONG: &str = r#"{"t":"pong"}"#;

/// Waits for a client that says nothing [P6].
pub(super) struct Patience {
    timing: Timing,
    /// When the client was last heard, and whether it was pinged since.
    heard: Instant,
    pinged: bool,
}

impl Patience {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, heard: Instant::now(), pinged: false }
    }

    /// The client said something, or answered a ping.
    pub(super) fn hear(&mut self) {
        self.heard = Instant::now();
        self.pinged = false;
    }

    /// When something is to be done about a client that goes on saying nothing.
    pub(super) fn deadline(&self) -> Instant {
        self.heard + self.timing.ping_interval + if self.pinged { self.timing.ping_timeout } else { Duration::ZERO }
    }

    /// What is to be done at the deadline: false: ping the client; true: it did not answer, and is gone.
    pub(super) fn is_over(&mut self) -> bool {
        std::mem::replace(&mut self.pinged, true)
    }
}
