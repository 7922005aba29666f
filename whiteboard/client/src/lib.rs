//! Reference client of the native protocol (see `PROTOCOL.md` beside the server, whose rules are cited as `[R1]`).
//!
//! [`State`] is what a client keeps: pure, without socket or clock. [`Client`] carries it over a WebSocket, comes back by
//! itself and sends again what was not acknowledged.

pub mod backoff;
pub mod drafts;
pub mod driver;
pub mod element;
pub mod message;
pub mod request;
pub mod state;

pub use backoff::Backoff;
pub use driver::{Client, Config};
pub use element::{Deleted, Element, Stamp};
pub use message::{Incoming, Misunderstood};
pub use request::Request;
pub use state::{Happening, Identity, State};
