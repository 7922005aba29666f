//! Engine.IO 4: sessions over HTTP polling and WebSocket, and the way from one to the other.

pub mod heartbeat;
pub mod packet;
pub mod polling;
pub mod registry;
pub mod session;
pub mod websocket;

use std::time::Duration;

/// How long the transports wait.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two pings of the server (contract: 25 s).
    pub ping_interval: Duration,
    /// For the answer to a ping (contract: 20 s), and for a reader to take what was sent.
    pub ping_timeout: Duration,
    /// For a transport to become a Socket.IO connection.
    pub connect_timeout: Duration,
    /// For a probing WebSocket to finish its upgrade, and for a posted body to arrive.
    pub request_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(45),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// Bytes that one message, or one posted body, may have (contract).
pub const MAX_PAYLOAD: usize = 1_000_000;
