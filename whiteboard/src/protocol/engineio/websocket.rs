//! The WebSocket transport: one task a connection, that sleeps unless something happens.

use super::heartbeat::Due;
use super::packet::{self, PING, PONG_PROBE};
use super::registry::Registry;
use super::session::{Counted, Session, Stage, Step};
use crate::metrics::{Closed, Transport};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// Frames and bytes that go into one write at most, about.
const WRITE_FRAMES: usize = 256;
const WRITE_BYTES: usize = 1 << 20;

/// Asking a client's WebSocket what it has received happens so often at most, in the long run.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// So many may follow each other closely.
const PROBE_BURST: u32 = 10;

/// A browser's network process answers before the page has handled the message: a busy page takes a while.
const RECEIPT_GRACE: Duration = Duration::from_secs(1);

/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(1);

/// For how long a stopping server waits for a client's last changes to be on disk.
const SETTLING: Duration = Duration::from_secs(4);

/// Asks, by WebSocket pings that carry a list's version, what the client has received: all clients answer these by
/// themselves and in order.
struct Receipts {
    wanted: Option<u64>,
    asked: bool,
    next: Instant,
}

impl Receipts {
    /// The ping to send now, if one is due.
    fn ask(&mut self, now: Instant) -> Option<Message> {
        if self.asked || now < self.next {
            return None;
        }
        let version = self.wanted.take()?;
        self.asked = true;
        // What was not used for a while may be used at once, up to a burst.
        let earliest = now.checked_sub(PROBE_INTERVAL * (PROBE_BURST - 1)).unwrap_or(now);
        self.next = self.next.max(earliest) + PROBE_INTERVAL;
        Some(Message::Ping(Bytes::copy_from_slice(&version.to_be_bytes())))
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

/// A connection whose peer or whose session has ended.
struct Ended(Option<Closed>);

struct Connection<'a> {
    socket: WebSocket,
    session: &'a Session,
    registry: &'a Registry,
    receipts: Receipts,
}

/// Serves a new session that begins with a WebSocket.
pub async fn serve(mut socket: WebSocket, session: Arc<Session>, registry: Arc<Registry>) {
    let open = packet::open(&session.sid, false, &registry.timing);
    if socket.send(Message::text(open)).await.is_ok() {
        carry(socket, &session, &registry).await;
    } else {
        session.end(&registry, None).await;
    }
}

/// Serves a WebSocket that wants to take over a polling session: it proves that it works by a probe first.
pub async fn upgrade(mut socket: WebSocket, session: Arc<Session>, registry: Arc<Registry>) {
    if !session.advance(&[Stage::Polling], Stage::Probing) {
        return;
    }
    if let Ok(true) = timeout(registry.timing.request_timeout, probe(&mut socket)).await
        && session.advance(&[Stage::Probing], Stage::Websocket)
    {
        carry(socket, &session, &registry).await;
    } else {
        session.advance(&[Stage::Probing], Stage::Polling);
    }
}

async fn probe(socket: &mut WebSocket) -> bool {
    let mut probed = false;
    while let Some(Ok(message)) = socket.recv().await {
        match message {
            Message::Text(text) if text.as_str() == "2probe" => {
                probed = true;
                if socket.send(Message::text(PONG_PROBE)).await.is_err() {
                    return false;
                }
            }
            Message::Text(text) if text.as_str() == "5" => return probed,
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return false,
        }
    }
    false
}

/// Carries a session over a WebSocket until either ends.
async fn carry(socket: WebSocket, session: &Session, registry: &Registry) {
    let _counted = Counted::new(registry, Transport::Websocket);
    let now = Instant::now();
    let next = now.checked_sub(PROBE_INTERVAL * PROBE_BURST).unwrap_or(now);
    let receipts = Receipts { wanted: None, asked: false, next };
    let mut connection = Connection { socket, session, registry, receipts };
    let Ended(reason) = connection.run().await;
    tracing::debug!(session = %session.sid, ?reason, "websocket ended");
    session.end(registry, reason).await;
    connection.close().await;
}

impl Connection<'_> {
    async fn run(&mut self) -> Ended {
        // What was queued while polling.
        let mut flush = true;
        loop {
            if flush {
                if let Err(ended) = self.flush().await {
                    return ended;
                }
                if self.session.outbox.closed().is_some() {
                    return Ended(None);
                }
            }
            let beat = self.session.heartbeat().at();
            let wake = self.receipts.due().map_or(beat, |receipt| receipt.min(beat));
            flush = tokio::select! {
                biased;
                () = self.session.outbox.changed() => true,
                message = self.socket.recv() => match self.receive(message).await {
                    Ok(()) => false,
                    Err(ended) => return ended,
                },
                () = sleep_until(wake) => match self.session.heartbeat().due(Instant::now()) {
                    Due::Wait => true,
                    Due::Ping => {
                        self.session.outbox.push(crate::room::Frame::plain(PING));
                        true
                    }
                    Due::Gone => return Ended(Some(Closed::NoAnswer)),
                },
                () = self.registry.stopping.cancelled() => {
                    self.session.settle(SETTLING).await;
                    // A client that does not read now will come back anyway.
                    let _ = self.flush().await;
                    return Ended(Some(Closed::Shutdown));
                }
            };
        }
    }

    async fn receive(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Ended> {
        match message {
            Some(Ok(Message::Text(text))) => match self.session.receive(&text).await {
                Ok(Step::Continue) => Ok(()),
                Ok(Step::Close) => Err(Ended(None)),
                Err(_) => Err(Ended(Some(Closed::Misuse))),
            },
            Some(Ok(Message::Pong(payload))) => {
                if let Some(version) = self.receipts.answered(&payload) {
                    self.session.socket.lock().await.seen(version, RECEIPT_GRACE).await;
                }
                Ok(())
            }
            // Attachments of a binary event; it was answered when its text came.
            Some(Ok(Message::Binary(_) | Message::Ping(_))) => Ok(()),
            // A message over the limit ends the connection (contract).
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Ended(None)),
        }
    }

    /// Writes what waits, many frames in one system call. A client that takes nothing for long is closed.
    async fn flush(&mut self) -> Result<(), Ended> {
        loop {
            let frames = self.session.outbox.take(WRITE_FRAMES, WRITE_BYTES);
            if let Some(version) = frames.iter().rev().find_map(|frame| frame.version) {
                self.receipts.wanted = Some(version);
            }
            let probe = self.receipts.ask(Instant::now());
            if frames.is_empty() && probe.is_none() {
                return Ok(());
            }
            let write = async {
                for frame in frames {
                    self.socket.feed(Message::Text(frame.text)).await?;
                }
                if let Some(probe) = probe {
                    self.socket.feed(probe).await?;
                }
                self.socket.flush().await
            };
            match timeout(self.registry.timing.ping_timeout, write).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Ended(None)),
                Err(_) => return Err(Ended(Some(Closed::SlowReader))),
            }
        }
    }

    /// Ends the connection so that a client comes back by itself: without a Socket.IO disconnect.
    async fn close(mut self) {
        let Some(reason) = self.session.outbox.closed() else { return };
        let (code, text) = match reason {
            Closed::SlowReader => (1013, "too slow: come back for the whole board"),
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
        let goodbye = async {
            let frame = CloseFrame { code, reason: text.into() };
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                // The client's answer: closing before it arrived could cut off what was written last.
                while let Some(Ok(_)) = self.socket.recv().await {}
            }
        };
        let _ = timeout(CLOSING, goodbye).await;
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
            let Some(Message::Ping(payload)) = receipts.ask(start) else { panic!("within the burst") };
            receipts.wanted = Some(version);
            assert!(receipts.ask(start + PROBE_INTERVAL).is_none(), "the first is not answered");
            assert_eq!(receipts.answered(b"someone else's"), None);
            assert_eq!(receipts.answered(&payload), Some(version));
        }
        assert_eq!(receipts.due(), Some(start + PROBE_INTERVAL));
        assert!(receipts.ask(start).is_none(), "too early");
        assert!(receipts.ask(start + PROBE_INTERVAL).is_some());
        assert!(receipts.due().is_none());
    }
}
