//! The WebSocket transport: one task a connection, that sleeps unless something happens.

use super::heartbeat::Due;
use super::packet::{self, PING, PONG_PROBE};
use super::registry::Registry;
use super::session::{Session, Stage, Step};
use crate::metrics::{Closed, Counted, Transport};
use crate::room::Frame;
use crate::store::BoardName;
use crate::websocket::{Connection, Ended, Next, Silence, Violation};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Asking a client's WebSocket what it has received happens so often at most, in the long run.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// So many may follow each other closely.
const PROBE_BURST: u32 = 10;

/// A browser's network process answers before the page has handled the message: a busy page takes a while.
const RECEIPT_GRACE: Duration = Duration::from_secs(1);

/// For how long a stopping server waits for a client's last changes to be on disk.
const SETTLING: Duration = Duration::from_secs(4);

/// For how long it waits after that until a client has taken what there is.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Asks, by WebSocket pings that carry a list's version, what the client has received: all clients answer these by
/// themselves and in order.
struct Receipts {
    wanted: Option<u64>,
    asked: bool,
    next: Instant,
}

impl Receipts {
    /// The ping to send now, if one is due.
    fn ask(&mut self, now: Instant) -> Option<Frame> {
        if self.asked || now < self.next {
            return None;
        }
        let version = self.wanted.take()?;
        self.asked = true;
        // What was not used for a while may be used at once, up to a burst.
        let earliest = now.checked_sub(PROBE_INTERVAL * (PROBE_BURST - 1)).unwrap_or(now);
        self.next = self.next.max(earliest) + PROBE_INTERVAL;
        Some(Frame::ping(&version.to_be_bytes()))
    }

    /// When [`Self::ask`] will have something.
    fn due(&self) -> Option<Instant> {
        (self.wanted.is_some() && !self.asked).then_some(self.next)
    }

    /// The version in the answer to a ping.
    fn answered(&mut self, payload: &[u8]) -> Option<u64> {
        let version = u64::from_be_bytes(payload.try_into().ok()?);
        self.asked = false;
        Some(version)
    }
}

/// A transport that ends, and why if it is the server's wish.
struct Over(Option<Closed>);

/// A session over its WebSocket.
struct Carrier<'a> {
    socket: Connection,
    session: &'a Session,
    registry: &'a Registry,
    receipts: Receipts,
}

/// Serves a new session that begins with a WebSocket.
pub async fn serve(mut socket: Connection, session: Arc<Session>, registry: Arc<Registry>) {
    socket.queue(&Frame::plain(packet::open(&session.sid, false, &registry.common.timing)));
    carry(socket, &session, &registry).await;
}

/// Serves a WebSocket that wants to take over a polling session: it proves that it works by a probe first.
pub async fn upgrade(mut socket: Connection, session: Arc<Session>, registry: Arc<Registry>) {
    if !session.advance(&[Stage::Polling], Stage::Probing) {
        return;
    }
    if probe(&mut socket, Instant::now() + registry.common.timing.request_timeout).await
        && session.advance(&[Stage::Probing], Stage::Websocket)
    {
        carry(socket, &session, &registry).await;
    } else {
        session.advance(&[Stage::Probing], Stage::Polling);
    }
}

async fn probe(socket: &mut Connection, deadline: Instant) -> bool {
    let mut probed = false;
    loop {
        match socket.next(&Silence, deadline).await {
            Next::Text("2probe") => {
                probed = true;
                socket.queue(&Frame::plain(PONG_PROBE));
            }
            Next::Text("5") => return probed,
            Next::Pong(_) => {}
            _ => return false,
        }
    }
}

/// Carries a session over a WebSocket until either ends.
async fn carry(socket: Connection, session: &Session, registry: &Registry) {
    let _counted = Counted::new(&registry.common.metrics, BoardName::CLASSROOM, Transport::Websocket);
    let now = Instant::now();
    let next = now.checked_sub(PROBE_INTERVAL * PROBE_BURST).unwrap_or(now);
    let receipts = Receipts { wanted: None, asked: false, next };
    let mut carrier = Carrier { socket, session, registry, receipts };
    let Over(reason) = carrier.run().await;
    tracing::debug!(session = %session.sid, ?reason, "websocket ended");
    registry.end(session, reason).await;
    carrier.close().await;
}

impl Carrier<'_> {
    async fn run(&mut self) -> Over {
        let mut stopping = pin!(self.registry.stopping.cancelled());
        let mut stops = false;
        let mut settled = Instant::now();
        loop {
            let beat = self.session.heartbeat().at();
            let wake = self.receipts.due().map_or(beat, |receipt| receipt.min(beat));
            let next = tokio::select! {
                biased;
                () = &mut stopping, if !stops => None,
                next = self.socket.next(&*self.session.outbox, if stops { settled } else { wake }) => Some(next),
            };
            let Some(next) = next else {
                self.session.settle(SETTLING).await;
                // What is answered by now goes out; a client that does not read will come back anyway.
                self.session.outbox.close(Closed::Shutdown);
                (stops, settled) = (true, Instant::now() + LAST_WRITES);
                continue;
            };
            let over = match next {
                Next::Text(text) => match self.session.receive(text).await {
                    Ok(Step::Continue) => None,
                    Ok(Step::Close) => Some(Over(None)),
                    Err(_) => Some(Over(Some(Closed::Misuse))),
                },
                Next::Pong(payload) => {
                    if let Some(version) = self.receipts.answered(payload) {
                        self.session.socket.lock().await.seen(version, RECEIPT_GRACE).await;
                    }
                    None
                }
                Next::Sent(version) => {
                    self.receipts.wanted = Some(version);
                    None
                }
                // Attachments of a binary event; it was answered when its text came.
                Next::Binary(_) => {
                    self.session.keep_pace().await;
                    None
                }
                Next::Deadline if !stops => self.beat(),
                Next::Ended(Ended::TooSlow) => Some(Over(Some(Closed::SlowReader))),
                Next::Ended(Ended::Violation(Violation::TooLarge(_))) => Some(Over(Some(Closed::TooLarge))),
                Next::Ended(Ended::Violation(Violation::Busy)) => Some(Over(Some(Closed::Busy))),
                Next::Ended(Ended::Violation(Violation::Late)) => Some(Over(Some(Closed::NoAnswer))),
                Next::Ended(Ended::Violation(_)) => Some(Over(Some(Closed::Misuse))),
                Next::Deadline | Next::Closing | Next::Ended(Ended::ByPeer(_) | Ended::Lost) => Some(Over(None)),
            };
            if let Some(over) = over {
                return over;
            }
            if let Some(ping) = self.receipts.ask(Instant::now()) {
                self.socket.queue(&ping);
            }
        }
    }

    /// Does what the clock of the session demands.
    fn beat(&self) -> Option<Over> {
        match self.session.heartbeat().due(Instant::now()) {
            Due::Wait => None,
            Due::Ping => {
                self.session.outbox.answer(Frame::plain(PING));
                None
            }
            Due::Gone => Some(Over(Some(Closed::NoAnswer))),
        }
    }

    /// Ends the connection so that a client comes back by itself: without a Socket.IO disconnect.
    async fn close(self) {
        let Some(reason) = self.session.outbox.closed() else { return self.socket.close(1000, "").await };
        let (code, text) = match reason {
            Closed::SlowReader => (1013, "too slow: come back for the whole board"),
            Closed::Busy => (1013, "too many large messages at the moment: come back"),
            Closed::NoAnswer => (1001, "no answer to a ping"),
            Closed::SessionEnded => (1001, "nothing happened for long"),
            Closed::Shutdown => (1012, "the server restarts"),
            Closed::Misuse => (1002, "not Socket.IO 5"),
            Closed::Unreadable => (1011, "the board cannot be read"),
            Closed::TooLarge => (1009, "the message is too large"),
            Closed::Unsaved => (1013, "the last change was not saved: come back for the board as it is"),
            Closed::TooMany => (1008, "too many messages"),
            Closed::Refused => (1013, "no new boards at the moment"),
            Closed::Access | Closed::UnknownBoard | Closed::Deleted | Closed::Version => (1008, reason.label()),
        };
        self.socket.close(code, text).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_asked_for_one_at_a_time_and_not_too_often() {
        let start = Instant::now() + 2 * PROBE_BURST * PROBE_INTERVAL;
        let mut receipts = Receipts { wanted: None, asked: false, next: start - PROBE_BURST * PROBE_INTERVAL };
        assert!(receipts.ask(start).is_none() && receipts.due().is_none());
        for version in 0..u64::from(PROBE_BURST) {
            receipts.wanted = Some(version);
            let Some(ping) = receipts.ask(start) else { panic!("within the burst") };
            receipts.wanted = Some(version);
            assert!(receipts.ask(start + PROBE_INTERVAL).is_none(), "the first is not answered");
            assert_eq!(receipts.answered(b"someone else's"), None);
            assert_eq!(receipts.answered(ping.payload()), Some(version));
        }
        assert_eq!(receipts.due(), Some(start + PROBE_INTERVAL));
        assert!(receipts.ask(start).is_none(), "too early");
        assert!(receipts.ask(start + PROBE_INTERVAL).is_some());
        assert!(receipts.due().is_none());
    }
}
