//! What waits to be sent to one client: bounded in bytes, with a written answer to "full".
//!
//! A reader that falls behind first loses volatile messages (of each sender and kind the newest stays) and whole boards
//! that a newer one replaces: nothing is lost by that. If even the rest does not fit, the connection is closed: the
//! client comes back by itself and gets the board as it is, or what it missed.

use super::batch::Batch;
use crate::board::core::{ClientId, Closed};
use crate::metrics::Metrics;
use crate::websocket::{Frame, Line, Now, Outgoing, Taken, allowed, live};
use bytes::Bytes;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Bytes that may wait for one client, besides answers to itself.
pub const CAPACITY: usize = 8 << 20;

/// Bytes of answers to a client itself and of whole boards (when it comes, when a quiz begins) that may wait on top: a
/// board's limit, and more.
pub const ANSWERS: usize = 96 << 20;

/// Above this many waiting bytes a whole board replaces older ones. Below, every client gets every one, as before.
pub const SUPERSEDE_ABOVE: usize = 256 << 10;

/// Above this many waiting bytes of volatile messages only the newest of each slot stay.
pub const VOLATILE_ABOVE: usize = 64 << 10;

/// If even these are more than this, volatile messages are dropped altogether until the client reads again.
pub const VOLATILE_CAPACITY: usize = 1 << 20;

/// Bytes that anybody may have waiting, however little memory is left. Once more than [`allowed`] waits for all clients of
/// the server together, what many wait for counted once, who has more than this is closed, and what is volatile is dropped
/// for who is behind: many slow readers together must not take the memory of everybody. Answers count from twice as much
/// on: who comes to a large board has much waiting.
pub const SHARE: usize = 256 << 10;

/// Places that a queue keeps when it is empty.
const KEPT: usize = 8;

#[derive(Debug)]
enum Waiting {
    /// `answer`: only this client gets it, because of what it did; or a whole board.
    Frame { frame: Frame, answer: bool },
    /// An answer that is put into words when its turn comes.
    Later(Later),
    /// Volatile messages of a tick, all but those that this client sent.
    Batch { batch: Arc<Batch>, but: Option<ClientId> },
}

/// What can be put into words, and about how many bytes that will be.
struct Later {
    bytes: usize,
    write: Box<dyn FnOnce() -> Frame + Send>,
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Later").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        match self {
            Self::Frame { frame, .. } => frame.len(),
            Self::Later(later) => later.bytes,
            Self::Batch { batch, but } => batch.size(*but).1,
        }
    }

    fn replaceable(&self) -> bool {
        matches!(self, Self::Frame { frame, .. } if frame.replaceable)
    }
}

/// Bytes waiting, by kind.
#[derive(Clone, Copy, Debug, Default)]
struct Bytewise {
    frames: usize,
    answers: usize,
    /// Answers that are not in words yet.
    later: usize,
    volatile: usize,
}

impl Bytewise {
    fn of(&mut self, waiting: &Waiting) -> &mut usize {
        match waiting {
            Waiting::Frame { answer: false, .. } => &mut self.frames,
            Waiting::Frame { answer: true, .. } => &mut self.answers,
            Waiting::Later(_) => &mut self.later,
            Waiting::Batch { .. } => &mut self.volatile,
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: Bytewise,
    /// Volatile bytes at which the next look for older ones is worth its time.
    thin_at: usize,
    closed: Option<Closed>,
}

impl Queue {
    fn push(&mut self, waiting: Waiting) {
        *self.bytes.of(&waiting) += waiting.bytes();
        self.waiting.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        *self.bytes.of(&waiting) -= waiting.bytes();
        Some(waiting)
    }

    fn clear(&mut self) {
        self.waiting = VecDeque::new();
        self.bytes = Bytewise::default();
    }

    /// Whether the client does not keep up at all. `live`: bytes that wait for anybody.
    fn is_too_long(&self, live: usize) -> bool {
        let full = self.bytes.frames > CAPACITY || self.bytes.answers + self.bytes.later > ANSWERS;
        // What is not in words yet takes no memory: somebody who joins does not pay for those who read slowly.
        let unfair = live > allowed() && self.bytes.frames > SHARE
            || live > allowed().saturating_mul(2) && self.bytes.frames + self.bytes.answers > SHARE;
        (full || unfair) && self.waiting.len() > 1
    }

    /// Whether volatile messages are dropped for this client. `live`: bytes that wait for anybody.
    fn refuses_volatile(&self, live: usize) -> bool {
        live > allowed() && !self.waiting.is_empty()
    }

    /// Gives memory back once nothing waits.
    fn tidy(&mut self) {
        if self.waiting.is_empty() {
            self.thin_at = 0;
            if self.waiting.capacity() > KEPT {
                self.waiting = VecDeque::new();
            }
        }
    }

    /// Keeps the newest volatile message of each slot; returns how many went.
    fn thin(&mut self) -> usize {
        let (mut newer, mut dropped) = (HashSet::new(), 0);
        let mut kept = VecDeque::with_capacity(self.waiting.len());
        self.bytes.volatile = 0;
        for waiting in self.waiting.drain(..).rev() {
            let Waiting::Batch { batch, but } = &waiting else {
                kept.push_front(waiting);
                continue;
            };
            dropped += batch.size(*but).0;
            if let Some(batch) = batch.newest(*but, &mut newer)
                && self.bytes.volatile < VOLATILE_CAPACITY
            {
                let (count, bytes) = batch.size(None);
                dropped -= count;
                self.bytes.volatile += bytes;
                kept.push_front(Waiting::Batch { batch: Arc::new(batch), but: None });
            }
        }
        self.waiting = kept;
        // What stays must double before it is looked through again.
        self.thin_at = 2 * self.bytes.volatile;
        dropped
    }
}

/// Queue between a room and a connection.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    /// The way to the client, if the room may write at once. Held weakly: a connection that ended is closed, whoever
    /// still knows its outbox.
    line: OnceLock<Weak<Line>>,
    metrics: Arc<Metrics>,
}

impl Outbox {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { queue: Mutex::default(), wake: Notify::new(), line: OnceLock::new(), metrics }
    }

    /// From now on [`Self::write_volatile`] may write to the client at once. Only the first call counts. The client's
    /// connection takes from this outbox and no other.
    pub fn attach(&self, line: &Arc<Line>) {
        let _ = self.line.set(Arc::downgrade(line));
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Every change of the queue is complete before anything in it can panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queue, unless it is closed; wakes the connection if nothing waited before.
    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let wake = {
            let mut queue = self.queue();
            if queue.closed.is_some() {
                return;
            }
            let idle = queue.waiting.is_empty();
            change(&mut queue);
            idle || queue.closed.is_some()
        };
        if wake {
            self.wake.notify_one();
        }
    }

    /// Queues a frame that others get too. A client that has too much waiting is closed instead; one that is closed
    /// gets nothing more.
    pub fn push(&self, frame: Frame) {
        self.change(|queue| {
            if frame.replaceable && queue.bytes.frames > SUPERSEDE_ABOVE {
                self.supersede(queue);
            }
            self.metrics.deliveries.inc();
            queue.push(Waiting::Frame { frame, answer: false });
            self.bound(queue);
        });
    }

    /// Queues a frame that only this client gets, because of what it did; or a part of the whole board.
    pub fn answer(&self, frame: Frame) {
        self.change(|queue| {
            self.metrics.deliveries.inc();
            queue.push(Waiting::Frame { frame, answer: true });
            self.bound(queue);
        });
    }

    /// As [`Self::answer`], for about so many `bytes` that are put into words when those before have left: parts of a
    /// large board must not all be in memory for each of a crowd that joins and reads slowly.
    pub fn answer_later(&self, bytes: usize, write: impl FnOnce() -> Frame + Send + 'static) {
        self.change(|queue| {
            self.metrics.deliveries.inc();
            queue.push(Waiting::Later(Later { bytes, write: Box::new(write) }));
            self.bound(queue);
        });
    }

    /// Queues volatile messages, all but those of the client `but`. They may be dropped.
    pub fn push_volatile(&self, batch: &Arc<Batch>, but: Option<ClientId>) {
        let (count, bytes) = batch.size(but);
        if count == 0 {
            return;
        }
        self.change(|queue| {
            if queue.refuses_volatile(live()) {
                self.metrics.volatile_dropped.inc_by(count as u64);
                return;
            }
            self.metrics.deliveries.inc_by(count as u64);
            queue.push(Waiting::Batch { batch: batch.clone(), but });
            let before = queue.bytes.volatile - bytes;
            if before > 0 && queue.bytes.volatile > VOLATILE_ABOVE.max(queue.thin_at) {
                self.metrics.volatile_dropped.inc_by(queue.thin() as u64);
            }
        });
    }

    /// As [`Self::push_volatile`], but writes at once if nothing waits: the connection is not woken, which is a good part
    /// of what a small message costs. Not for what more follows on right away: that should leave in the same write.
    pub fn write_volatile(&self, batch: &Arc<Batch>, but: Option<ClientId>) {
        if !self.write_now(batch, but) {
            self.push_volatile(batch, but);
        }
    }

    /// Writes a batch if nothing waits and nothing is under way; false if nothing was done.
    fn write_now(&self, batch: &Batch, but: Option<ClientId>) -> bool {
        let Some(line) = self.line.get().and_then(Weak::upgrade) else { return false };
        let (count, bytes) = batch.size(but);
        if count == 0 {
            return true;
        }
        let now = {
            // Held while it is written, so that nothing is queued, and taken, in between.
            let queue = self.queue();
            if queue.closed.is_some() || !queue.waiting.is_empty() {
                return false;
            }
            line.write_now(|chunks| batch.pieces(but, |piece| chunks.push_back(piece)))
        };
        if now == Now::Busy {
            return false;
        }
        self.metrics.deliveries.inc_by(count as u64);
        self.metrics.bytes_sent.inc_by(bytes as u64);
        if now == Now::Begun {
            self.wake.notify_one();
        }
        true
    }

    /// Leaves out whole boards that a newer one, about to be queued, replaces.
    fn supersede(&self, queue: &mut Queue) {
        let before = queue.waiting.len();
        let mut bytes = queue.bytes;
        queue.waiting.retain(|waiting| {
            let keep = !waiting.replaceable();
            if !keep {
                *bytes.of(waiting) -= waiting.bytes();
            }
            keep
        });
        queue.bytes = bytes;
        self.metrics.superseded.inc_by((before - queue.waiting.len()) as u64);
    }

    fn bound(&self, queue: &mut Queue) {
        if queue.is_too_long(live()) {
            queue.clear();
            queue.closed = Some(Closed::SlowReader);
            self.metrics.closed(Closed::SlowReader);
        }
    }

    /// Takes single frames, oldest first: at most `frames`, and no more once `bytes` are reached.
    pub fn take_frames(&self, frames: usize, bytes: usize) -> Vec<Frame> {
        self.take_small_or_one(frames, bytes, usize::MAX)
    }

    /// [`Self::take_frames`], but what has more than `alone` bytes comes alone.
    pub fn take_small_or_one(&self, frames: usize, bytes: usize, alone: usize) -> Vec<Frame> {
        let mut queue = self.queue();
        let (mut taken, mut size) = (Vec::new(), 0);
        while taken.len() < frames && size < bytes {
            let large = queue.waiting.front().is_some_and(|next| next.bytes() > alone);
            if large && !taken.is_empty() || taken.last().is_some_and(|frame: &Frame| frame.len() > alone) {
                break;
            }
            match queue.pop() {
                Some(Waiting::Frame { frame, .. }) => {
                    size += frame.len();
                    taken.push(frame);
                }
                Some(Waiting::Later(later)) => {
                    let frame = (later.write)();
                    size += frame.len();
                    taken.push(frame);
                }
                Some(Waiting::Batch { batch, but }) => {
                    let parts: Vec<Frame> = batch.frames(but).collect();
                    let (now, later) = parts.split_at(parts.len().min(frames - taken.len()));
                    size += now.iter().map(Frame::len).sum::<usize>();
                    taken.extend_from_slice(now);
                    for frame in later.iter().rev() {
                        let part = Waiting::Batch { batch: Arc::new(Batch::of(frame, None)), but: None };
                        *queue.bytes.of(&part) += part.bytes();
                        queue.waiting.push_front(part);
                    }
                }
                None => break,
            }
        }
        queue.tidy();
        // Its bytes are counted when the answer that carries it leaves.
        taken
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        self.queue().waiting.is_empty()
    }

    /// The connection is to be closed, for this reason if there was none yet. What waits may still be sent.
    pub fn close(&self, reason: Closed) {
        {
            let mut queue = self.queue();
            if queue.closed.is_none() {
                queue.closed = Some(reason);
                self.metrics.closed(reason);
            }
        }
        self.wake.notify_one();
    }

    /// Why the connection is to be closed, if it is.
    pub fn closed(&self) -> Option<Closed> {
        self.queue().closed
    }
}

impl Outgoing for Outbox {
    fn take(&self, chunks: &mut VecDeque<Bytes>, bytes: usize) -> Taken {
        let mut queue = self.queue();
        let (mut version, mut size) = (None, 0);
        while size < bytes
            && let Some(waiting) = queue.pop()
        {
            let mut chunk = |bytes: Bytes| {
                size += bytes.len();
                chunks.push_back(bytes);
            };
            match waiting {
                Waiting::Frame { frame, .. } => {
                    version = frame.version.max(version);
                    chunk(frame.into_wire());
                }
                Waiting::Later(later) => {
                    chunk((later.write)().into_wire());
                    // Of what takes memory only now there is one at a time while there is little memory.
                    if live() > allowed() {
                        break;
                    }
                }
                Waiting::Batch { batch, but } => batch.pieces(but, chunk),
            }
        }
        queue.tidy();
        if size > 0 {
            self.metrics.bytes_sent.inc_by(size as u64);
        }
        let more = !queue.waiting.is_empty();
        Taken { version, closed: queue.closed.is_some() && !more, more }
    }

    fn changed(&self) -> Notified<'_> {
        self.wake.notified()
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
