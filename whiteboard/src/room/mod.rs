//! Boards in use: one task a board gives its requests their order, writes them down, and tells the others once they
//! are on disk.
//!
//! What is known by whom: `hub` (finds rooms) → `task` (one room) → `doors` (the way in), `clients` (the way out: `fan`
//! for what is volatile), `unwritten` (the way to the disk), `pending` (what waits for it), `snapshots` (when to write
//! one). `pace` says when what was gathered leaves.

pub mod batch;
mod clients;
mod doors;
mod fan;
pub mod hub;
pub mod outbox;
mod pace;
mod pending;
mod snapshots;
mod task;
mod unwritten;

pub use crate::websocket::Frame;
pub use doors::Membership;
pub use hub::Hub;
pub use outbox::Outbox;

use crate::board::core::{Core, Limits};
use crate::limits::space::Space;
use crate::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;

/// Turns an event into what goes over the wire; done once for all who receive it.
pub type Encoder<C> = Arc<dyn Fn(&<C as Core>::Event) -> Frame + Send + Sync>;

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

/// What all rooms have, whatever their dialect.
#[derive(Clone)]
pub struct Ground {
    pub store: crate::store::Store,
    pub timing: Timing,
    /// What one board may hold.
    pub limits: Limits,
    /// The life of the database (see [`crate::board::core::Opening::epoch`]).
    pub epoch: Arc<str>,
    /// Whether the disk has room for changes and for new boards.
    pub space: Arc<Space>,
    pub metrics: Arc<Metrics>,
}

/// What every room of a dialect has.
pub struct Shared<C: Core> {
    pub ground: Ground,
    pub encoder: Encoder<C>,
}

impl<C: Core> Clone for Shared<C> {
    fn clone(&self) -> Self {
        Self { ground: self.ground.clone(), encoder: self.encoder.clone() }
    }
}
