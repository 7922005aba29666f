//! The HTTP polling transport.

use super::heartbeat::Due;
use super::packet::{self, NOOP, PACKETS_A_POLL, PING, SEPARATOR};
use super::registry::Registry;
use super::session::{Session, Stage, Step};
use crate::limits::connections::Admission;
use crate::metrics::{Closed, Counted, Transport};
use crate::room::Frame;
use crate::store::BoardName;
use crate::websocket::{Outgoing, allowed, counted, live};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes after which an answer to a poll takes no further packet.
const POLL_BYTES: usize = 4 << 20;

/// A packet of more bytes is an answer of its own, which is shared with all who get that packet. Of smaller ones each
/// client has a copy.
const ALONE: usize = 64 << 10;

/// A posted message may have been made so long before the client saw what its next poll confirms.
const RECEIPT_GRACE: Duration = Duration::from_secs(1);

/// For how long a stopping server waits for a client's last changes to be on disk.
const SETTLING: Duration = Duration::from_secs(4);

/// For how long a session that is to be closed waits for a poll that takes the last packets.
const LAST_POLL: Duration = Duration::from_secs(1);

/// Why a request cannot be served; the session is over.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The session has ended or is carried by a WebSocket.
    Gone,
    /// Two polls at a time, or packets that are none.
    Misuse,
}

/// Opens a session; returns its first packet.
pub fn open(registry: &Arc<Registry>, code: Option<String>, admission: Admission) -> String {
    let session = Arc::new(Session::new(&registry.common, code, Stage::Polling, admission));
    registry.insert(&session);
    let text = packet::open(&session.sid, true, &registry.common.timing);
    let registry_of_task = registry.clone();
    registry.tasks.spawn(async move { keep(&session, &registry_of_task).await });
    text
}

/// Watches over a polling session until it ends or a WebSocket takes over.
async fn keep(session: &Session, registry: &Registry) {
    let _counted = Counted::new(&registry.common.metrics, BoardName::CLASSROOM, Transport::Polling);
    loop {
        let changed = session.stage_changed.notified();
        if matches!(session.stage(), Stage::Websocket | Stage::Ended) {
            return;
        }
        let at = session.heartbeat().at();
        tokio::select! {
            () = changed => {}
            () = sleep_until(at) => {
                let due = session.heartbeat().due(Instant::now());
                match due {
                    Due::Wait => {}
                    Due::Ping => session.outbox.push(Frame::plain(PING)),
                    Due::Gone => return registry.end(session, Some(Closed::NoAnswer)).await,
                }
                if session.outbox.closed().is_some() {
                    return registry.end(session, None).await;
                }
            }
            () = registry.stopping.cancelled() => {
                session.settle(SETTLING).await;
                session.outbox.close(Closed::Shutdown);
                // The poll that waits takes what there is and ends the session.
                let ended = session.stage_changed.notified();
                if session.stage() != Stage::Ended {
                    let _ = timeout(LAST_POLL, ended).await;
                }
                return registry.end(session, None).await;
            }
        }
    }
}

/// A poll in progress; whatever ends it (an answer, a client that hung up) permits the next one.
struct Poll<'a>(&'a Session);

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        self.0.polled.store(false, Ordering::Release);
    }
}

/// What a poll is answered: in memory, and counted, until the connection has taken it.
#[derive(Debug)]
pub struct Answer {
    text: Bytes,
    /// No other answer of the session is made meanwhile.
    _turn: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// Waits for something to tell the client. At most 16 packets are in an answer. The next one is not made before the client
/// has this one: who only asks and never reads, over many connections, gets no memory by it.
pub async fn poll(session: &Session, registry: &Registry) -> Result<Answer, Refused> {
    if matches!(session.stage(), Stage::Websocket | Stage::Ended) {
        return Err(Refused::Gone);
    }
    if !session.begin_poll() {
        registry.end(session, Some(Closed::Misuse)).await;
        return Err(Refused::Misuse);
    }
    let _poll = Poll(session);
    let patience = registry.common.timing.ping_timeout;
    let Ok(Ok(turn)) = timeout(patience, session.answering.clone().acquire_owned()).await else {
        registry.end(session, Some(Closed::SlowReader)).await;
        return Err(Refused::Gone);
    };
    let text = wait(session, registry).await?;
    Ok(Answer { text, _turn: turn })
}

/// Waits for packets; only one at a time does.
async fn wait(session: &Session, registry: &Registry) -> Result<Bytes, Refused> {
    let confirmed = session.polled_version.lock().ok().and_then(|mut version| version.take());
    if let Some(version) = confirmed {
        session.socket.lock().await.seen(version, RECEIPT_GRACE).await;
    }
    loop {
        let changed = session.stage_changed.notified();
        // While much waits for everybody, nobody gets more memory than for the next packet.
        let packets = if live() > allowed() { 1 } else { PACKETS_A_POLL };
        let frames = session.outbox.take_small_or_one(packets, POLL_BYTES, ALONE);
        if !frames.is_empty() {
            return Ok(answer(session, frames));
        }
        if session.outbox.closed().is_some() {
            registry.end(session, None).await;
            return Ok(Bytes::from_static(NOOP.as_bytes()));
        }
        match session.stage() {
            Stage::Polling => {}
            // The client waits for this poll to end before its WebSocket takes over.
            Stage::Probing | Stage::Websocket => return Ok(Bytes::from_static(NOOP.as_bytes())),
            Stage::Ended => return Err(Refused::Gone),
        }
        tokio::select! {
            () = changed => {}
            () = session.outbox.changed() => {}
        }
    }
}

fn answer(session: &Session, mut frames: Vec<Frame>) -> Bytes {
    if let (Some(newest), Ok(mut version)) =
        (frames.iter().rev().find_map(|frame| frame.version), session.polled_version.lock())
    {
        *version = Some(newest);
    }
    match frames.pop() {
        Some(only) if frames.is_empty() => only.into_text(),
        last => {
            frames.extend(last);
            joined(&frames)
        }
    }
}

/// The texts of some frames, in one.
fn joined(frames: &[Frame]) -> Bytes {
    let mut text = String::with_capacity(frames.iter().map(|frame| frame.len() + 1).sum());
    for (index, frame) in frames.iter().enumerate() {
        if index > 0 {
            text.push(SEPARATOR);
        }
        text.push_str(frame.text());
    }
    counted(text.into_bytes())
}

/// Takes what a client posted: any number of packets, in order.
pub async fn post(session: &Session, registry: &Registry, body: &str) -> Result<(), Refused> {
    for text in body.split(SEPARATOR) {
        // Also in the middle: it may end while a packet waits for its turn.
        if session.stage() == Stage::Ended {
            return Err(Refused::Gone);
        }
        match session.receive(text).await {
            Ok(Step::Continue) => {}
            Ok(Step::Close) => {
                registry.end(session, None).await;
                return Ok(());
            }
            Err(_) => {
                registry.end(session, Some(Closed::Misuse)).await;
                return Err(Refused::Misuse);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "polling_tests.rs"]
mod tests;
