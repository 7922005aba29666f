//! The ways into rooms: which board has a room, and what may be handed in.

use super::outbox::Outbox;
use crate::board::core::{Act, ClientId, Closed, Core, Request};
use crate::store::BoardName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// How much may wait in a room, in units of [`UNIT`] bytes (a small request counts as one); who sends more waits too,
/// and with that its connection is not read.
pub(super) const WAITING_UNITS: u32 = 4096;

/// Bytes of a request that count as one.
const UNIT: usize = 4 << 10;

/// How much of a room's waiting space a request takes. The largest one has the room for itself.
pub(super) fn units<A: Act>(action: &A) -> u32 {
    u32::try_from(1 + action.weight() / UNIT).unwrap_or(u32::MAX).min(WAITING_UNITS)
}

/// What coming to a board means for its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// People may come back soon: the board stays in memory for a while after the last one has gone.
    Client,
    /// The server itself does something for somebody; nobody need ever look at the board.
    Visit,
}

/// What comes through the door of a room.
pub(super) enum Input<C: Core> {
    Join(Request<C::Action>, Arc<Outbox>, Stay),
    Request(Request<C::Action>),
    Leave(Request<C::Action>),
    Barrier(oneshot::Sender<()>),
    /// Everybody is to be disconnected for this reason.
    Close(Closed),
}

/// The way into a room. Requests need a permit, so that nobody can flood a room; joining, leaving and barriers do not,
/// so that they are never lost, and all of it arrives in one order.
pub(super) struct Door<C: Core> {
    pub(super) inputs: mpsc::UnboundedSender<Input<C>>,
    pub(super) permits: Arc<Semaphore>,
}

impl<C: Core> Clone for Door<C> {
    fn clone(&self) -> Self {
        Self { inputs: self.inputs.clone(), permits: self.permits.clone() }
    }
}

/// The inner side of a [`Door`].
pub(super) struct Inside<C: Core> {
    pub(super) inputs: mpsc::UnboundedReceiver<Input<C>>,
    pub(super) permits: Arc<Semaphore>,
}

/// A room that ends leaves nobody waiting: also when its task panicked, of which nobody is told otherwise.
impl<C: Core> Drop for Inside<C> {
    fn drop(&mut self) {
        self.permits.close();
        self.inputs.close();
        while let Ok(input) = self.inputs.try_recv() {
            if let Input::Join(_, outbox, _) = input {
                outbox.close(Closed::Unreadable);
            }
        }
    }
}

impl<C: Core> Door<C> {
    pub(super) fn new() -> (Self, Inside<C>) {
        let (inputs, receiver) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(WAITING_UNITS as usize));
        (Self { inputs, permits: permits.clone() }, Inside { inputs: receiver, permits })
    }
}

/// The doors of all boards in use.
pub(super) struct Doors<C: Core>(Mutex<HashMap<BoardName, Door<C>>>);

impl<C: Core> Default for Doors<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C: Core> Doors<C> {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<BoardName, Door<C>>> {
        // The map is changed by single calls only: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a room unless somebody has come in the meantime. After `true` nobody can join that room any more.
    pub(super) fn leave_memory(&self, board: &BoardName, inside: &Inside<C>) -> bool {
        let mut doors = self.lock();
        if !inside.inputs.is_empty() {
            return false;
        }
        doors.remove(board);
        true
    }
}

/// One client's place in a room; dropping it leaves.
pub struct Membership<C: Core> {
    client: ClientId,
    door: Door<C>,
}

impl<C: Core> Membership<C> {
    pub(super) fn new(client: ClientId, door: Door<C>) -> Self {
        Self { client, door }
    }

    /// The client's number.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Hands a request to the room, in order; waits while the room has too many.
    pub async fn request(&self, action: C::Action, ack: Option<u64>) {
        // Both fail only when the room has ended: its clients are being closed, there is nobody to tell.
        let Ok(permit) = self.door.permits.acquire_many(units(&action)).await else { return };
        permit.forget();
        let _ = self.door.inputs.send(Input::Request(Request { client: self.client, action, ack }));
    }

    /// Waits until everything requested so far is on disk and its events are in the outboxes.
    pub async fn settled(&self) {
        let (done, settled) = oneshot::channel();
        if self.door.inputs.send(Input::Barrier(done)).is_ok() {
            let _ = settled.await;
        }
    }
}

impl<C: Core> Drop for Membership<C> {
    fn drop(&mut self) {
        let leave = Request { client: self.client, action: C::leave(), ack: None };
        let _ = self.door.inputs.send(Input::Leave(leave));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::classroom::{Action, Classroom};

    #[tokio::test]
    async fn who_comes_while_a_room_breaks_is_closed_and_nobody_waits() {
        let (door, inside) = Door::<Classroom>::new();
        let outbox = Arc::new(Outbox::new(Arc::default()));
        let join = Request { client: 1, action: Action::Join, ack: None };
        assert!(door.inputs.send(Input::Join(join, outbox.clone(), Stay::Client)).is_ok());
        let member = Membership::new(1, door.clone());
        // All of the room's space is taken: a request has to wait.
        door.permits.acquire_many(WAITING_UNITS).await.unwrap().forget();
        let mut waiting = std::pin::pin!(member.request(Action::Join, None));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(inside);
        assert_eq!(outbox.closed(), Some(Closed::Unreadable));
        waiting.await;
        let later = Request { client: 2, action: Action::Join, ack: None };
        assert!(door.inputs.send(Input::Request(later)).is_err(), "a new room takes its place");
    }

    #[test]
    fn a_request_takes_room_by_its_size_and_never_more_than_there_is() {
        let refused = |bytes| units(&Action::Refused("x".repeat(bytes)));
        for (bytes, expected) in
            [(0, 1), (UNIT - 1, 1), (UNIT, 2), (10 * UNIT, 11), (UNIT * WAITING_UNITS as usize * 2, WAITING_UNITS)]
        {
            assert_eq!(refused(bytes), expected, "{bytes}");
        }
    }
}
