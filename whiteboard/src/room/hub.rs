//! All boards in use: finds a board's room or starts it, exactly one at a time for each board.

use super::Shared;
use super::outbox::Outbox;
use super::task::{self, Input};
use crate::board::classroom::Action;
use crate::board::core::{Act, ClientId, Request};
use crate::store::BoardName;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How much may wait in a room, in units of [`UNIT`] bytes (a small request counts as one); who sends more waits too,
/// and with that its connection is not read.
const WAITING_UNITS: usize = 2048;

/// Bytes of a request that count as one.
const UNIT: usize = 4 << 10;

/// How much of a room's waiting space a request takes.
pub(super) fn units(action: &Action) -> u32 {
    // A request has a megabyte at most.
    u32::try_from(1 + action.weight() / UNIT).unwrap_or(u32::MAX)
}

/// The way into a room. Requests need a permit, so that nobody can flood a room; joining, leaving and barriers do not,
/// so that they are never lost, and all of it arrives in one order.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) inputs: mpsc::UnboundedSender<Input>,
    pub(super) permits: Arc<Semaphore>,
}

struct Inner {
    shared: Shared,
    rooms: Mutex<HashMap<BoardName, Door>>,
    next_client: AtomicU64,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// Handle to all rooms.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

impl Hub {
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(Inner {
            shared,
            rooms: Mutex::default(),
            next_client: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<BoardName, Door>> {
        // The map is changed by single calls only: a panic elsewhere leaves it whole.
        self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a board: its events begin to arrive in `outbox`, the whole board first.
    pub fn join(&self, board: &BoardName, outbox: Arc<Outbox>) -> Membership {
        let client = self.0.next_client.fetch_add(1, Ordering::Relaxed);
        let mut outbox = Some(outbox);
        let mut rooms = self.rooms();
        loop {
            let door = match rooms.entry(board.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.start(board)),
            };
            let Some(mine) = outbox.take() else { unreachable!("given back by a closed room") };
            match door.inputs.send(Input::Join(client, mine)) {
                Ok(()) => return Membership { client, door: door.clone() },
                Err(mpsc::error::SendError(input)) => {
                    // The room has just ended without being asked for (its task panicked): a new one takes its place.
                    rooms.remove(board);
                    if let Input::Join(_, mine) = input {
                        outbox = Some(mine);
                    }
                }
            }
        }
    }

    fn start(&self, board: &BoardName) -> Door {
        let (inputs, receiver) = mpsc::unbounded_channel();
        let door = Door { inputs, permits: Arc::new(Semaphore::new(WAITING_UNITS)) };
        let (hub, name) = (self.clone(), board.clone());
        let stopping = self.0.stopping.clone();
        let permits = door.permits.clone();
        self.0.tasks.spawn(async move { task::run(hub, name, receiver, permits, stopping).await });
        door
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// Ends a room unless somebody has come in the meantime. After `true` nobody can join that room any more.
    pub(super) fn leave_memory(&self, board: &BoardName, inputs: &mpsc::UnboundedReceiver<Input>) -> bool {
        let mut rooms = self.rooms();
        if !inputs.is_empty() {
            return false;
        }
        rooms.remove(board);
        true
    }

    /// Lets every room finish what it has: rooms end as soon as their last client is gone. Then the store can close.
    pub async fn shutdown(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

/// One client's place in a room; dropping it leaves.
#[derive(Debug)]
pub struct Membership {
    client: ClientId,
    door: Door,
}

impl Membership {
    /// Hands a request to the room, in order; waits while the room has too many.
    pub async fn request(&self, action: Action, ack: Option<u64>) {
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

impl Drop for Membership {
    fn drop(&mut self) {
        let leave = Request { client: self.client, action: Action::Leave, ack: None };
        let _ = self.door.inputs.send(Input::Leave(leave));
    }
}
