//! WebSockets (RFC 6455), the server's side, made by hand for many receivers of the same bytes:
//!
//! * a [`Frame`] is encoded once, header and all, and shared by everybody who gets it (a server's frames are not masked);
//! * a [`Connection`] writes many frames in one system call and owns no buffer while nothing happens;
//! * nothing here wakes unless the peer sent something, there is something to send, or a deadline has come.
//!
//! A dialect uses it like this:
//!
//! ```ignore
//! async fn live(upgrade: websocket::Upgrade) -> Response {
//!     upgrade.accept(Config { max_message: 16 << 20, ..Config::default() }, async move |mut connection| {
//!         let outbox = Arc::new(Outbox::new(metrics));
//!         loop {
//!             match connection.next(&*outbox, deadline).await {
//!                 Next::Text(text) => …,              // one whole message; what is queued in `outbox` goes out meanwhile
//!                 Next::Deadline => …,                // `deadline` has come
//!                 Next::Closing => break,             // `outbox` was closed and all that waited is sent
//!                 Next::Ended(ended) => break,        // the peer went away or misbehaved
//!                 _ => {}
//!             }
//!         }
//!         connection.close(code, "reason").await;     // answers a peer's close, or says ours; nothing if the peer is gone
//!     })
//! }
//! ```
//!
//! No extensions and no subprotocols are offered.

mod connection;
pub mod decoder;
mod frame;
mod handshake;
mod line;
mod live;
mod unfinished;

pub use connection::{Connection, Ended, Next, Outgoing, Silence, Taken};
pub use decoder::Violation;
pub use frame::{Frame, WeakFrame};
pub use handshake::{Refused, Upgrade};
pub use line::{Line, Now};
pub use live::{allow, allowed, counted, live};
pub use unfinished::{Held, allow as allow_unfinished};

use std::time::Duration;

/// Bytes that a message may have before the peer has said who it is.
pub const BEFORE_HELLO: usize = 64 << 10;

/// Bytes of a message that has not come whole that give it a second more: less than any line carries.
pub const MESSAGE_RATE: usize = 16 << 10;

/// What a dialect allows.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bytes that one message of the peer may have, all its fragments together. A longer one is a [`Violation`]. See
    /// [`Connection::set_max_message`] for peers that have yet to say who they are.
    pub max_message: usize,
    /// A peer that takes nothing of what is sent for so long is [`Ended::TooSlow`].
    pub write_timeout: Duration,
    /// Within which a message must come whole, counted from its first byte; each [`MESSAGE_RATE`] bytes that came give
    /// a second more. Who is slower is [`Violation::Late`].
    pub message_timeout: Duration,
    /// How long a closing handshake may take.
    pub close_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            max_message: 1 << 20,
            write_timeout: seconds(20),
            message_timeout: seconds(60),
            close_timeout: seconds(1),
        }
    }
}
