//! Boards in use: one task a board gives its requests their order, writes them down, and tells the others once they
//! are on disk.

pub mod batch;
pub mod hub;
pub mod outbox;
mod pending;
mod task;

pub use crate::websocket::Frame;
pub use hub::{Hub, Membership};
pub use outbox::Outbox;

use crate::board::classroom::Event;
use crate::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;

/// Turns an event into what goes over the wire; done once for all who receive it.
pub type Encoder = Arc<dyn Fn(&Event) -> Frame + Send + Sync>;

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Without activity for so long, the lock is lifted (contract: 90 minutes).
    pub unlock_after: Duration,
    /// A session in which nothing happened for so long is ended: connections closed, lock lifted, board unloaded.
    pub session_timeout: Duration,
    /// A board without clients leaves memory after so long.
    pub unload_after: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            unlock_after: Duration::from_mins(90),
            session_timeout: Duration::from_hours(24),
            unload_after: Duration::from_mins(1),
        }
    }
}

/// What every room has.
#[derive(Clone)]
pub struct Shared {
    pub store: crate::store::Store,
    pub timing: Timing,
    pub encoder: Encoder,
    pub metrics: Arc<Metrics>,
}
