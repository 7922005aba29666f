//! Who is in a room, and how an event gets to them: encoded once, queued for each.

use super::Encoder;
use super::batch::Batch;
use super::fan::Fan;
use super::outbox::Outbox;
use crate::board::core::{ClientId, Closed, Core, Effect, Tell, To};
use crate::metrics::Metrics;
use crate::websocket::{Frame, WeakFrame};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of an answer that is compared with the last one of its size: see [`alike`].
const LARGE: usize = 64 << 10;

/// Clients of a board that its room writes to by itself. More are woken to do so themselves: other threads help, and the
/// room gets back to its requests within a few milliseconds.
const AT_ONCE: usize = 300;

struct Client {
    outbox: Arc<Outbox>,
    /// Has got the whole board: what comes before that is not for this client.
    joined: bool,
}

/// The clients of one room.
pub(super) struct Clients<C: Core> {
    members: HashMap<ClientId, Client>,
    /// Volatile events for everybody that have not left yet.
    fan: Fan,
    /// The large answer that somebody was given last, while anybody holds it.
    large: WeakFrame,
    encoder: Encoder<C>,
    metrics: Arc<Metrics>,
}

impl<C: Core> Clients<C> {
    pub(super) fn new(encoder: Encoder<C>, metrics: Arc<Metrics>) -> Self {
        Self { members: HashMap::new(), fan: Fan::default(), large: WeakFrame::default(), encoder, metrics }
    }

    /// Somebody begins to join: gets only what is for it alone, until [`Self::joined`].
    pub(super) fn enter(&mut self, client: ClientId, outbox: Arc<Outbox>) {
        self.members.insert(client, Client { outbox, joined: false });
    }

    /// What the client's joining led to has been sent.
    pub(super) fn joined(&mut self, client: ClientId) {
        if let Some(client) = self.members.get_mut(&client) {
            client.joined = true;
        }
    }

    pub(super) fn leave(&mut self, client: ClientId) {
        self.members.remove(&client);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Queues an event that nobody may miss.
    pub(super) fn send(&mut self, effect: &Effect<C::Event>) {
        if effect.event.is_error() {
            self.metrics.refused.inc();
        }
        if let To::One(client) = effect.to
            && effect.event.is_whole()
        {
            let Some(client) = self.members.get(&client) else { return };
            let (encoder, event) = (self.encoder.clone(), effect.event.clone());
            return client.outbox.answer_later(event.weight(), move || encoder(&event));
        }
        if let To::One(client) = effect.to {
            let Some(client) = self.members.get(&client) else { return };
            let frame = alike((self.encoder)(&effect.event), &mut self.large);
            return client.outbox.answer(frame);
        }
        let mut frame = None;
        let answer = effect.event.is_whole();
        self.each(&effect.to, |outbox| {
            let frame = frame.get_or_insert_with(|| (self.encoder)(&effect.event)).clone();
            if answer { outbox.answer(frame) } else { outbox.push(frame) }
        });
    }

    /// Queues an event of which, for who does not keep up, only the newest of its slot counts. One for everybody
    /// leaves with the next [`Self::flush`]. `now`: since the room started.
    pub(super) fn send_volatile(&mut self, effect: &Effect<C::Event>, now: Duration) {
        let encode = || (self.encoder)(&effect.event);
        let slot = effect.event.slot();
        let from = match effect.to {
            // Nobody else is here: the most frequent case of all.
            To::Others(sender) if self.members.len() == usize::from(self.members.contains_key(&sender)) => return,
            To::Others(sender) => Some(sender),
            To::All => None,
            To::One(_) | To::Only(_) => {
                let mut batch = None;
                return self.each(&effect.to, |outbox| {
                    outbox.push_volatile(batch.get_or_insert_with(|| Arc::new(Batch::of(&encode(), slot))), None);
                });
            }
        };
        self.fan.add(encode().wire(), from, slot, self.members.len(), now);
    }

    /// When [`Self::flush`] should be called; none while nothing waits for it.
    pub(super) fn flush_due(&self) -> Option<Duration> {
        self.fan.due()
    }

    /// Lets the volatile events for everybody leave. `now`: since the room started. `more`: other events follow right
    /// away, and both should leave in one write.
    pub(super) fn flush(&mut self, now: Duration, more: bool) {
        let Some((batch, authors)) = self.fan.finish(now) else { return };
        let batch = Arc::new(batch);
        for (place, (id, client)) in self.members.iter().filter(|(_, client)| client.joined).enumerate() {
            let but = authors.contains(id).then_some(*id);
            if more || place >= AT_ONCE {
                client.outbox.push_volatile(&batch, but);
            } else {
                client.outbox.write_volatile(&batch, but);
            }
        }
    }

    /// Visits those whom something is for.
    fn each(&self, to: &To, mut visit: impl FnMut(&Outbox)) {
        let mut joined = |client: &Client| {
            if client.joined {
                visit(&client.outbox);
            }
        };
        match to {
            To::One(client) => {
                if let Some(client) = self.members.get(client) {
                    visit(&client.outbox);
                }
            }
            To::All => self.members.values().for_each(joined),
            To::Others(sender) => {
                self.members.iter().filter(|(id, _)| *id != sender).for_each(|(_, client)| joined(client));
            }
            To::Only(ids) => ids.iter().filter_map(|id| self.members.get(id)).for_each(joined),
        }
    }

    pub(super) fn close(&self, client: ClientId, reason: Closed) {
        if let Some(client) = self.members.get(&client) {
            client.outbox.close(reason);
        }
    }

    pub(super) fn close_all(&self, reason: Closed) {
        self.members.values().for_each(|client| client.outbox.close(reason));
    }

    /// Closes those whose joining is not done.
    pub(super) fn close_newcomers(&self, reason: Closed) {
        self.members.values().filter(|client| !client.joined).for_each(|client| client.outbox.close(reason));
    }
}

/// A large frame that says the same as the last one becomes that one: a class that comes back together is sent its board
/// once. Comparing costs less than having it twice.
fn alike(frame: Frame, last: &mut WeakFrame) -> Frame {
    if frame.len() < LARGE {
        return frame;
    }
    if let Some(last) = last.upgrade()
        && last == frame
    {
        return last;
    }
    let (frame, weak) = frame.shared();
    *last = weak;
    frame
}

/// Nobody stays connected to a room that there is not any more: who is still here when it ends comes back to a new one.
impl<C: Core> Drop for Clients<C> {
    fn drop(&mut self) {
        self.close_all(Closed::Unreadable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::classroom::{Classroom, Event};
    use crate::board::scene::Scene;
    use crate::room::Frame;
    use crate::room::outbox::CAPACITY;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Bench {
        clients: Clients<Classroom>,
        outboxes: Vec<Arc<Outbox>>,
        encoded: Arc<AtomicUsize>,
    }

    /// Clients 0 to 3; the last one has not joined yet.
    fn bench() -> Bench {
        let metrics = Arc::new(Metrics::default());
        let encoded = Arc::new(AtomicUsize::new(0));
        let counter = encoded.clone();
        let encoder: Encoder<Classroom> = Arc::new(move |event| {
            counter.fetch_add(1, Ordering::Relaxed);
            Frame::plain(format!("{event:?}"))
        });
        let mut clients = Clients::new(encoder, metrics.clone());
        let outboxes: Vec<_> = (0..4).map(|_| Arc::new(Outbox::new(metrics.clone()))).collect();
        for (id, outbox) in (0..).zip(&outboxes) {
            clients.enter(id, outbox.clone());
            if id < 3 {
                clients.joined(id);
            }
        }
        Bench { clients, outboxes, encoded }
    }

    #[test]
    fn an_event_goes_to_those_it_is_for_and_is_encoded_once() {
        let cases = [
            (To::All, vec![0, 1, 2]),
            (To::Others(1), vec![0, 2]),
            (To::One(3), vec![3]),
            (To::One(9), vec![]),
            (To::Only(Arc::from([2, 0, 3, 9])), vec![0, 2]),
            (To::Only(Arc::from([])), vec![]),
        ];
        for (volatile, (to, expected)) in
            [false, true].into_iter().flat_map(|volatile| cases.clone().map(|case| (volatile, case)))
        {
            let Bench { mut clients, outboxes, encoded } = bench();
            let effect = Effect { to: to.clone(), event: Event::Error("no".into()) };
            if volatile {
                clients.send_volatile(&effect, Duration::ZERO);
                clients.flush(Duration::ZERO, false);
            } else {
                clients.send(&effect);
            }
            let got: Vec<usize> = (0..4).filter(|id| !outboxes[*id].is_empty()).collect();
            assert_eq!(got, expected, "{to:?}");
            assert_eq!(encoded.load(Ordering::Relaxed), usize::from(!expected.is_empty()), "{to:?}");
            let text = clients.metrics.render(crate::metrics::Sampled::default()).unwrap();
            assert!(text.contains(&format!("whiteboard_deliveries_total {}\n", expected.len())), "{to:?}: {text}");
        }
    }

    #[test]
    fn a_whole_board_may_be_longer_than_what_may_wait_otherwise() {
        use crate::board::scene::event::{Event, Snapshot};
        let metrics = Arc::new(Metrics::default());
        let frame = Frame::plain("x".repeat(CAPACITY / 2 + 1));
        let mut clients: Clients<Scene> = Clients::new(Arc::new(move |_| frame.clone()), metrics.clone());
        let outbox = Arc::new(Outbox::new(metrics));
        clients.enter(1, outbox.clone());
        clients.joined(1);
        let part = |more| Event::Snapshot(Arc::new(Snapshot { seq: 1, elements: vec![], more }));
        for event in [part(true), part(true), part(false), Event::Leave(2)] {
            clients.send(&Effect { to: To::Only(Arc::from([1])), event });
            assert_eq!(outbox.closed(), None);
        }
        clients.send(&Effect { to: To::All, event: Event::Leave(3) });
        assert_eq!(outbox.closed(), Some(Closed::SlowReader), "what is no whole board is bounded as ever");
    }

    #[test]
    fn a_crowd_that_joins_is_sent_the_same_bytes() {
        let Bench { mut clients, outboxes, .. } = bench();
        let board = |letter: &str| Event::Error(letter.repeat(LARGE));
        for (client, letter) in [(0, "a"), (1, "a"), (2, "b"), (3, "a")] {
            clients.send(&Effect { to: To::One(client), event: board(letter) });
        }
        let frames: Vec<Frame> = outboxes.iter().map(|outbox| outbox.take_frames(1, 1).remove(0)).collect();
        let same = |one: usize, other: usize| std::ptr::eq(frames[one].wire().as_ptr(), frames[other].wire().as_ptr());
        assert!(same(0, 1) && !same(0, 2), "what says the same is the same");
        assert!(!same(0, 3) && frames[0] == frames[3], "only the last one is known");
        drop(frames);
        assert!(clients.large.upgrade().is_none(), "and only while somebody has it");
        clients.send(&Effect { to: To::One(0), event: Event::Error("short".into()) });
        assert!(clients.large.upgrade().is_none());
    }

    #[test]
    fn a_part_of_a_board_is_put_into_words_when_its_turn_comes() {
        use crate::board::scene::event::{Event, Snapshot};
        let encoded = Arc::new(AtomicUsize::new(0));
        let counter = encoded.clone();
        let encoder: Encoder<Scene> =
            Arc::new(move |event| Frame::plain(format!("{} {event:?}", counter.fetch_add(1, Ordering::Relaxed))));
        let metrics = Arc::new(Metrics::default());
        let mut clients: Clients<Scene> = Clients::new(encoder, metrics.clone());
        let outbox = Arc::new(Outbox::new(metrics));
        clients.enter(1, outbox.clone());
        for seq in [5, 6] {
            let part = Arc::new(Snapshot { seq, elements: vec![], more: seq == 5 });
            clients.send(&Effect { to: To::One(1), event: Event::Snapshot(part) });
        }
        clients.send(&Effect { to: To::One(1), event: Event::Leave(7) });
        assert_eq!(encoded.load(Ordering::Relaxed), 1, "the last one only");
        let texts: Vec<String> = outbox.take_frames(9, 999).iter().map(|frame| frame.text().to_owned()).collect();
        let order: Vec<&str> = texts.iter().map(|text| text.split_whitespace().next().unwrap()).collect();
        assert_eq!(order, ["1", "2", "0"]);
    }

    #[test]
    fn who_left_gets_nothing_and_closing_reaches_whom_it_names() {
        let Bench { mut clients, outboxes, .. } = bench();
        clients.leave(0);
        clients.send(&Effect { to: To::All, event: Event::BackgroundCleared });
        assert!(outboxes[0].is_empty() && !outboxes[1].is_empty());
        clients.close(1, Closed::Access);
        clients.close_newcomers(Closed::Unsaved);
        let closed: Vec<_> = outboxes.iter().map(|outbox| outbox.closed()).collect();
        assert_eq!(closed, [None, Some(Closed::Access), None, Some(Closed::Unsaved)]);
        clients.close_all(Closed::Deleted);
        assert_eq!(outboxes[2].closed(), Some(Closed::Deleted));
        assert!(!clients.is_empty());
    }

    #[test]
    fn what_many_send_leaves_together_and_nobody_hears_themselves() {
        let Bench { mut clients, outboxes, encoded } = bench();
        clients.flush(Duration::ZERO, false);
        assert_eq!(clients.flush_due(), None);
        for sender in [0, 1, 1] {
            let event = Event::Error(sender.to_string());
            clients.send_volatile(&Effect { to: To::Others(sender), event }, Duration::ZERO);
        }
        clients.send_volatile(&Effect { to: To::All, event: Event::BackgroundCleared }, Duration::ZERO);
        assert!(outboxes.iter().all(|outbox| outbox.is_empty()), "not before its time");
        assert_eq!(clients.flush_due(), Some(Duration::ZERO));
        clients.flush(Duration::ZERO, false);
        let got: Vec<usize> = outboxes.iter().map(|outbox| outbox.take_frames(9, 9999).len()).collect();
        assert_eq!((got, encoded.load(Ordering::Relaxed)), (vec![3, 2, 4, 0], 4));
        clients.send_volatile(&Effect { to: To::All, event: Event::BackgroundCleared }, Duration::ZERO);
        assert!(clients.flush_due() > Some(Duration::ZERO), "the next ones are gathered");
    }

    #[test]
    fn who_is_there_when_a_room_breaks_is_closed() {
        let Bench { mut clients, outboxes, .. } = bench();
        clients.leave(0);
        clients.close(1, Closed::Access);
        drop(clients);
        let closed: Vec<_> = outboxes.iter().map(|outbox| outbox.closed()).collect();
        let broken = Some(Closed::Unreadable);
        assert_eq!(closed, [None, Some(Closed::Access), broken, broken]);
    }

    #[test]
    fn whoever_is_alone_costs_nothing() {
        let Bench { mut clients, encoded, .. } = bench();
        (0..3).for_each(|id| clients.leave(id));
        clients.send_volatile(&Effect { to: To::Others(3), event: Event::BackgroundCleared }, Duration::ZERO);
        assert_eq!((clients.flush_due(), encoded.load(Ordering::Relaxed)), (None, 0));
        clients.send_volatile(&Effect { to: To::Others(9), event: Event::BackgroundCleared }, Duration::ZERO);
        assert!(clients.flush_due().is_some(), "who has left may have been heard by others");
    }
}
