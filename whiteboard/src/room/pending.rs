//! Effects that wait for the disk, in the order in which they arose.

use crate::board::core::{ClientId, Closed, Effect, Tell};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::oneshot;

/// Something to do when everything before it is on disk.
#[derive(Debug)]
pub enum Held<E> {
    /// What a request led to, and when it was taken (see [`crate::board::core::Moment::run`]).
    Effects(Vec<Effect<E>>, Duration),
    /// What a client's joining led to has been sent.
    Joined(ClientId),
    Close(ClientId, Closed),
    /// Somebody wants to know that all this has happened.
    Barrier(oneshot::Sender<()>),
}

/// The queue of what is held back. Tickets are given in ascending order to what is being written.
#[derive(Debug)]
pub struct Pending<E> {
    held: VecDeque<(u64, Held<E>)>,
    last_ticket: u64,
    durable: u64,
    answered: u64,
    bytes: usize,
}

impl<E> Default for Pending<E> {
    fn default() -> Self {
        Self { held: VecDeque::new(), last_ticket: 0, durable: 0, answered: 0, bytes: 0 }
    }
}

impl<E: Tell> Held<E> {
    /// Bytes of lists, images and elements in it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Effects(effects, _) => effects.iter().map(|effect| effect.event.weight()).sum(),
            Self::Joined(_) | Self::Close(..) | Self::Barrier(_) => 0,
        }
    }
}

impl<E: Tell> Pending<E> {
    /// A ticket for rows about to be written: what is held from now on waits for them.
    pub fn ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// The newest ticket.
    pub fn last_ticket(&self) -> u64 {
        self.last_ticket
    }

    /// Holds something until all tickets given so far are durable.
    pub fn hold(&mut self, held: Held<E>) {
        self.bytes += held.bytes();
        self.held.push_back((self.last_ticket, held));
    }

    /// A ticket was answered; `durable` if its rows are on disk. Tickets are answered in order.
    pub fn answered(&mut self, ticket: u64, durable: bool) {
        self.answered = ticket;
        if durable {
            self.durable = ticket;
        }
    }

    /// The next thing that may happen now.
    pub fn release(&mut self) -> Option<Held<E>> {
        if self.held.front()?.0 > self.durable {
            return None;
        }
        let (_, held) = self.held.pop_front()?;
        self.bytes -= held.bytes();
        Some(held)
    }

    /// Whether every ticket given has its answer.
    pub fn is_settled(&self) -> bool {
        self.answered == self.last_ticket
    }

    /// Whether nothing is held and nothing is being written.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.is_settled()
    }

    /// How much is held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Bytes of lists and images in what is held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// After a failed write, once settled: nothing held will happen as it was meant. Who waits at a barrier learns by
    /// the dropped sender.
    pub fn abandon(&mut self) {
        self.durable = self.last_ticket;
        self.bytes = 0;
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::classroom::Event;
    use crate::board::core::To;

    fn effect(id: u64) -> Held<Event> {
        Held::Effects(vec![Effect { to: To::All, event: Event::Ack(id) }], Duration::ZERO)
    }

    fn released(pending: &mut Pending<Event>) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some(held) = pending.release() {
            if let Held::Effects(effects, _) = held {
                ids.extend(effects.into_iter().map(|effect| match effect.event {
                    Event::Ack(id) => id,
                    other => panic!("{other:?}"),
                }));
            }
        }
        ids
    }

    #[test]
    fn nothing_overtakes_what_is_being_written() {
        let mut pending = Pending::default();
        pending.hold(effect(1));
        assert_eq!(released(&mut pending), [1], "nothing is being written");
        let (first, second) = (pending.ticket(), {
            pending.hold(effect(2));
            pending.ticket()
        });
        pending.hold(effect(3));
        pending.hold(effect(4));
        assert_eq!(released(&mut pending), [] as [u64; 0]);
        pending.answered(first, true);
        assert_eq!(released(&mut pending), [2]);
        assert!(!pending.is_settled() && !pending.is_empty());
        pending.answered(second, true);
        assert_eq!(released(&mut pending), [3, 4]);
        assert!(pending.is_empty());
    }

    #[test]
    fn after_a_failure_nothing_held_happens() {
        let mut pending = Pending::default();
        let (first, second) = (pending.ticket(), pending.ticket());
        pending.hold(effect(1));
        let event = Event::Error("x".repeat(100));
        pending.hold(Held::Effects(vec![Effect { to: To::All, event }], Duration::ZERO));
        assert_eq!((pending.len(), pending.bytes()), (2, 100));
        let (done, mut waiting) = oneshot::channel();
        pending.hold(Held::Barrier(done));
        pending.answered(first, false);
        assert!(!pending.is_settled());
        pending.answered(second, false);
        assert!(pending.is_settled() && pending.release().is_none());
        assert_eq!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        pending.abandon();
        assert_eq!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(pending.is_empty() && pending.bytes() == 0);
        pending.hold(effect(2));
        assert_eq!(released(&mut pending), [2]);
    }
}
