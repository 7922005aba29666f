//! One Engine.IO session: what stays the same while its transport changes.

use super::Timing;
use super::heartbeat::Heartbeat;
use super::packet::{self, Packet};
use crate::board::classroom::Classroom;
use crate::limits::connections::Admission;
use crate::limits::{Bucket, Rate};
use crate::metrics::Metrics;
use crate::protocol::id::random_id;
use crate::protocol::socket::{Misuse, Socket};
use crate::room::{Hub, Outbox};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// Which transport carries the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Polling,
    /// Polling, while a WebSocket asks whether it may take over.
    Probing,
    Websocket,
    Ended,
}

/// What a packet of the client asks of the transport.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Continue,
    /// The client says goodbye.
    Close,
}

/// What all sessions have.
pub struct Common {
    pub hub: Hub<Classroom>,
    pub timing: Timing,
    /// How fast one client may send.
    pub rate: Rate,
    pub metrics: Arc<Metrics>,
}

pub struct Session {
    pub sid: Arc<str>,
    pub outbox: Arc<Outbox>,
    /// Held while a message is handed to the room: that keeps a client's messages in order.
    pub socket: tokio::sync::Mutex<Socket>,
    /// Wakes a waiting poll and the session's keeper when the stage has changed.
    pub stage_changed: Notify,
    /// A poll is waiting.
    pub polled: AtomicBool,
    /// Held by an answer to a poll until the client has it.
    pub answering: Arc<Semaphore>,
    /// The newest list in an answer to a poll, of which the next poll will be the proof of receipt.
    pub polled_version: Mutex<Option<u64>>,
    stage: Mutex<Stage>,
    heartbeat: Mutex<Heartbeat>,
    /// How fast the client may send.
    pace: Mutex<Bucket>,
    start: Instant,
    _admission: Admission,
}

impl Session {
    pub fn new(common: &Common, code: Option<String>, stage: Stage, admission: Admission) -> Self {
        let outbox = Arc::new(Outbox::new(common.metrics.clone()));
        let socket = Socket::new(common.hub.clone(), outbox.clone(), code, admission.household());
        Self {
            sid: random_id().into(),
            socket: tokio::sync::Mutex::new(socket),
            outbox,
            stage_changed: Notify::new(),
            polled: AtomicBool::new(false),
            answering: Arc::new(Semaphore::new(1)),
            polled_version: Mutex::new(None),
            stage: Mutex::new(stage),
            heartbeat: Mutex::new(Heartbeat::new(common.timing, Instant::now())),
            pace: Mutex::new(Bucket::new(common.rate)),
            start: Instant::now(),
            _admission: admission,
        }
    }

    fn stage_lock(&self) -> MutexGuard<'_, Stage> {
        // A stage is one word: never half-changed.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stage(&self) -> Stage {
        *self.stage_lock()
    }

    /// Goes from one stage to another; false if the session is in none of `from` (any more).
    pub fn advance(&self, from: &[Stage], to: Stage) -> bool {
        {
            let mut stage = self.stage_lock();
            if !from.contains(&stage) {
                return false;
            }
            *stage = to;
        }
        self.stage_changed.notify_waiters();
        true
    }

    /// The clock of the session.
    pub fn heartbeat(&self) -> MutexGuard<'_, Heartbeat> {
        self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a packet of the client from any transport.
    pub async fn receive(&self, text: &str) -> Result<Step, Misuse> {
        match packet::parse(text).ok_or(Misuse)? {
            Packet::Message(message) => {
                let mut socket = self.socket.lock().await;
                self.keep_pace().await;
                if self.stage() == Stage::Ended {
                    // Ended while this waited: nobody would notice that the client joined again.
                    return Ok(Step::Close);
                }
                socket.message(message).await?;
                if socket.is_joined() {
                    self.heartbeat().connected();
                }
            }
            Packet::Close => return Ok(Step::Close),
            Packet::Pong => {
                self.keep_pace().await;
                self.heartbeat().pong(Instant::now());
            }
            // Binary: attachments of a binary event, which was answered when its text came.
            Packet::Binary | Packet::Noop | Packet::Ping(_) | Packet::Upgrade => self.keep_pace().await,
        }
        Ok(Step::Continue)
    }

    /// Waits as long as the client is faster than its rate allows: meanwhile nothing more is read from it.
    pub(super) async fn keep_pace(&self) {
        loop {
            let taken = self.pace.lock().unwrap_or_else(PoisonError::into_inner).take(self.start.elapsed());
            let Err(wait) = taken else { return };
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits, `patience` at most, until everything received is on disk and answered.
    pub async fn settle(&self, patience: Duration) {
        // Out of patience: what is not answered is not acknowledged, the client will know.
        let _ = tokio::time::timeout(patience, async { self.socket.lock().await.settled().await }).await;
    }

    /// Says that the one permitted poll begins; false if there is one already.
    pub fn begin_poll(&self) -> bool {
        !self.polled.swap(true, Ordering::AcqRel)
    }
}
