//! All connections of the native dialect, and what they share.

use super::encode::{self, Limits};
use super::foreign::Gallery;
use crate::board::core::{Closed, Tell};
use crate::board::scene::Scene;
use crate::board::scene::event::{Code, Event, Refused};
use crate::limits::Rate;
use crate::metrics::Metrics;
use crate::room::{Encoder, Ground, Hub, Outbox, Shared};
use crate::store::Store;
use crate::websocket::Frame;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Within which a client says hello [H1].
    pub hello: Duration,
    /// After so much silence a client is pinged [P6].
    pub ping_interval: Duration,
    /// And closed when it did not answer within this.
    pub ping_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { hello: seconds(10), ping_interval: seconds(25), ping_timeout: seconds(20) }
    }
}

/// Boards that are read whole from the disk at a time, for whatever: more wait.
const HEAVY: usize = 1;

/// Of a class of clients that come back after a restart each gets so much of the time.
const RETRY_EACH: Duration = Duration::from_millis(5);

/// The shortest and the longest time over which clients are asked to spread their coming back.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Every connection, by a number of its own; none may come any more once the server stops.
#[derive(Debug, Default)]
struct Connections {
    outboxes: HashMap<u64, Arc<Outbox>>,
    next: u64,
    stopping: bool,
}

/// What connections share.
pub struct Live {
    pub hub: Hub<Scene>,
    pub store: Store,
    pub metrics: Arc<Metrics>,
    pub limits: Limits,
    pub timing: Timing,
    /// Messages that a client may send [P5].
    pub rate: Rate,
    /// Whoever reads a whole board from the disk has one of these places: each may take a processor for a while.
    pub heavy: Arc<Semaphore>,
    /// What those who look at boards of other dialects are shown.
    pub gallery: Gallery,
    /// The tasks of all connections.
    pub tasks: TaskTracker,
    connections: Mutex<Connections>,
}

fn frame(event: &Event, limits: Limits) -> Frame {
    Frame::build(128 + event.weight(), |text| encode::write(event, limits, text))
}

impl Live {
    /// The native dialect on the ground that all dialects share.
    pub fn new(ground: &Ground, rate: Rate, timing: Timing) -> Self {
        let limits = Limits { message: ground.limits.message_bytes, file: ground.limits.file_bytes };
        let encoder: Encoder<Scene> = Arc::new(move |event| frame(event, limits));
        Self {
            hub: Hub::new(Shared { ground: ground.clone(), encoder }),
            store: ground.store.clone(),
            metrics: ground.metrics.clone(),
            limits,
            timing,
            rate,
            heavy: Arc::new(Semaphore::new(HEAVY)),
            gallery: Gallery::default(),
            tasks: TaskTracker::new(),
            connections: Mutex::default(),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Changed by single calls only: a panic elsewhere leaves it whole.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server stops: nobody may come in any more.
    pub fn is_stopping(&self) -> bool {
        self.connections().stopping
    }

    /// A place for a new connection; it is told if the server is stopping already.
    pub fn enter(self: &Arc<Self>) -> Place {
        let outbox = Arc::new(Outbox::new(self.metrics.clone()));
        let mut connections = self.connections();
        let number = connections.next;
        connections.next += 1;
        if connections.stopping {
            self.tell_stop(&outbox, 1);
        }
        connections.outboxes.insert(number, outbox.clone());
        Place { live: self.clone(), number, outbox }
    }

    /// Counts a closing that no outbox was asked for.
    pub fn closed(&self, closed: Closed) -> Closed {
        self.metrics.closed(closed);
        closed
    }

    /// A frame for one client, beside what its board tells.
    pub fn frame(&self, event: &Event) -> Frame {
        frame(event, self.limits)
    }

    /// Queues an event for one client, put into words when its turn comes.
    pub fn answer_later(&self, outbox: &Outbox, event: Event) {
        let limits = self.limits;
        outbox.answer_later(event.weight(), move || frame(&event, limits));
    }

    fn tell_stop(&self, outbox: &Outbox, clients: usize) {
        let each = u32::try_from(clients).unwrap_or(u32::MAX);
        let over = RETRY_EACH.saturating_mul(each).clamp(RETRY.0, RETRY.1);
        let sentence = "The server restarts and is back in a moment.";
        let refused = Refused {
            retry: Some(u32::try_from(over.as_millis()).unwrap_or(u32::MAX)),
            ..Refused::new(Code::Stopping, None, sentence)
        };
        outbox.answer(self.frame(&Event::Error(refused)));
        outbox.close(Closed::Shutdown);
    }

    /// Tells every client that the server stops, and waits until the connections have ended, `patience` at most. What
    /// was asked and not answered is asked again by the clients when they are back.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        {
            let mut connections = self.connections();
            connections.stopping = true;
            let clients = connections.outboxes.len();
            for outbox in connections.outboxes.values() {
                self.tell_stop(outbox, clients);
            }
        }
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

/// A connection's place among all; dropping it leaves.
pub struct Place {
    live: Arc<Live>,
    number: u64,
    pub outbox: Arc<Outbox>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.connections().outboxes.remove(&self.number);
    }
}
