//! What waits to be sent to one client: bounded in bytes, with a written answer to "full".
//!
//! A reader that falls behind first loses whole boards that a newer one replaces (nothing is lost by that); if even
//! the rest does not fit, the connection is closed: the client comes back by itself and gets the board as it is.

use crate::metrics::{Closed, Metrics};
use axum::extract::ws::Utf8Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes that may wait for one client.
pub const CAPACITY: usize = 8 << 20;

/// Above this many waiting bytes a whole board replaces older ones. Below, every client gets every one, as before.
pub const SUPERSEDE_ABOVE: usize = 256 << 10;

/// A text ready for the wire, shared by all who receive it.
#[derive(Clone, Debug)]
pub struct Frame {
    pub text: Utf8Bytes,
    /// The version of the list in it, for frames that carry one.
    pub version: Option<u64>,
    /// The frame says nothing that a later whole board does not say.
    pub replaceable: bool,
}

impl Frame {
    pub fn plain(text: impl Into<Utf8Bytes>) -> Self {
        Self { text: text.into(), version: None, replaceable: false }
    }
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    closed: Option<Closed>,
}

/// Queue between a room and a connection.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    metrics: Arc<Metrics>,
}

impl Outbox {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { queue: Mutex::default(), wake: Notify::new(), metrics }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Every change of the queue is complete before anything in it can panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame. A client that has too much waiting is closed instead; one that is closed gets nothing more.
    pub fn push(&self, frame: Frame) {
        {
            let mut queue = self.queue();
            if queue.closed.is_some() {
                return;
            }
            if frame.replaceable && queue.bytes > SUPERSEDE_ABOVE {
                let before = queue.frames.len();
                queue.frames.retain(|waiting| !waiting.replaceable);
                queue.bytes = queue.frames.iter().map(|waiting| waiting.text.len()).sum();
                self.metrics.superseded.inc_by((before - queue.frames.len()) as u64);
            }
            queue.bytes += frame.text.len();
            self.metrics.deliveries.inc();
            queue.frames.push_back(frame);
            if queue.bytes > CAPACITY && queue.frames.len() > 1 {
                queue.frames.clear();
                queue.bytes = 0;
                queue.closed = Some(Closed::SlowReader);
                self.metrics.closed(Closed::SlowReader);
            }
        }
        self.wake.notify_one();
    }

    /// Takes what waits, oldest first: at most `frames`, and no more once `bytes` are reached.
    pub fn take(&self, frames: usize, bytes: usize) -> Vec<Frame> {
        let mut queue = self.queue();
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < frames && size < bytes {
            let Some(frame) = queue.frames.pop_front() else { break };
            size += frame.text.len();
            taken.push(frame);
        }
        queue.bytes -= size;
        if queue.frames.is_empty() && queue.frames.capacity() > 64 {
            queue.frames = VecDeque::new();
        }
        self.metrics.bytes_sent.inc_by(size as u64);
        taken
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        self.queue().frames.is_empty()
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

    /// Resolves when something was queued or closed since the last call. One waiter at a time.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(Arc::new(Metrics::default()))
    }

    fn board(version: u64, bytes: usize) -> Frame {
        Frame { text: "x".repeat(bytes).into(), version: Some(version), replaceable: true }
    }

    fn versions(frames: &[Frame]) -> Vec<Option<u64>> {
        frames.iter().map(|frame| frame.version).collect()
    }

    #[test]
    fn a_quick_reader_gets_everything_in_order() {
        let outbox = outbox();
        for version in 0..10 {
            outbox.push(board(version, 1000));
            outbox.push(Frame::plain("between"));
        }
        assert_eq!(outbox.take(3, usize::MAX).len(), 3);
        assert_eq!(outbox.take(usize::MAX, 1500).len(), 4, "7, 1000 and 7 stay below, the next reaches it");
        assert_eq!(outbox.take(usize::MAX, usize::MAX).len(), 13);
        assert!(outbox.is_empty() && outbox.closed().is_none());
    }

    #[test]
    fn a_slow_reader_gets_the_newest_board_and_everything_else() {
        let outbox = outbox();
        for version in 0..1000 {
            outbox.push(board(version, 200_000));
        }
        outbox.push(Frame::plain("lock"));
        outbox.push(board(1000, 200_000));
        assert_eq!(versions(&outbox.take(usize::MAX, usize::MAX)), [None, Some(1000)]);
        assert_eq!(outbox.closed(), None);
    }

    #[test]
    fn a_reader_that_never_reads_is_closed_and_costs_nothing() {
        let outbox = outbox();
        let frame = Frame::plain("x".repeat(1 << 20));
        for _ in 0..9 {
            assert_eq!(outbox.closed(), None);
            outbox.push(frame.clone());
        }
        assert_eq!(outbox.closed(), Some(Closed::SlowReader));
        outbox.push(frame);
        outbox.close(Closed::Shutdown);
        assert_eq!(outbox.closed(), Some(Closed::SlowReader), "the first reason stays");
        assert!(outbox.is_empty());
    }

    #[test]
    fn one_large_frame_is_no_reason_to_close() {
        let outbox = outbox();
        outbox.push(Frame::plain("x".repeat(CAPACITY + 1)));
        assert_eq!(outbox.closed(), None);
        assert_eq!(outbox.take(1, 1).len(), 1);
    }

    #[tokio::test]
    async fn closing_and_pushing_wake_the_connection() {
        let outbox = outbox();
        outbox.push(Frame::plain("x"));
        outbox.changed().await;
        outbox.close(Closed::Shutdown);
        outbox.changed().await;
        assert_eq!(outbox.closed(), Some(Closed::Shutdown));
    }
}
