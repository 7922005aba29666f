//! All boards of a dialect in use: finds a board's room or starts it, exactly one at a time for each board.

use super::Shared;
use super::doors::{Door, Doors, Input, Membership, Stay};
use super::outbox::Outbox;
use super::task;
use crate::board::core::{Closed, Core, Request};
use crate::limits::address::Household;
use crate::store::BoardName;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

struct Inner<C: Core> {
    shared: Shared<C>,
    doors: Arc<Doors<C>>,
    next_client: AtomicU64,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// Handle to all rooms of a dialect.
pub struct Hub<C: Core>(Arc<Inner<C>>);

impl<C: Core> Clone for Hub<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Core> Hub<C> {
    pub fn new(shared: Shared<C>) -> Self {
        Self(Arc::new(Inner {
            shared,
            doors: Arc::default(),
            next_client: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// [`Self::join_from`] for boards that are there already, or that count for nobody.
    pub fn join(&self, board: &BoardName, outbox: Arc<Outbox>, action: C::Action) -> Membership<C> {
        self.enter(board, None, Stay::Client, outbox, action)
    }

    /// Joins a board for a moment, for the server itself: if nobody else comes meanwhile, the board leaves memory at once.
    pub fn visit(&self, board: &BoardName, outbox: Arc<Outbox>, action: C::Action) -> Membership<C> {
        self.enter(board, None, Stay::Visit, outbox, action)
    }

    /// Joins a board: its events begin to arrive in `outbox`, first what `action` (the request to join) leads to. `from`:
    /// whom it counts for if it is a new board.
    pub fn join_from(
        &self,
        board: &BoardName,
        from: Option<Household>,
        outbox: Arc<Outbox>,
        action: C::Action,
    ) -> Membership<C> {
        self.enter(board, from, Stay::Client, outbox, action)
    }

    fn enter(
        &self,
        board: &BoardName,
        from: Option<Household>,
        stay: Stay,
        outbox: Arc<Outbox>,
        action: C::Action,
    ) -> Membership<C> {
        let client = self.0.next_client.fetch_add(1, Ordering::Relaxed);
        let mut input = Input::Join(Request { client, action, ack: None }, outbox, stay);
        let mut doors = self.0.doors.lock();
        loop {
            let door = match doors.entry(board.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.start(board, from)),
            };
            match door.inputs.send(input) {
                Ok(()) => return Membership::new(client, door.clone()),
                Err(mpsc::error::SendError(back)) => {
                    // The room has just ended without being asked for (its task panicked): a new one takes its place.
                    doors.remove(board);
                    input = back;
                }
            }
        }
    }

    fn start(&self, board: &BoardName, from: Option<Household>) -> Door<C> {
        let (door, inside) = Door::new();
        let (shared, doors, name) = (self.0.shared.clone(), self.0.doors.clone(), board.clone());
        let stopping = self.0.stopping.clone();
        self.0.tasks.spawn(async move { task::run(shared, &doors, name, from, inside, stopping).await });
        door
    }

    /// Disconnects everybody from a board, for example because it was deleted. Who comes later opens it anew.
    pub fn close(&self, board: &BoardName, reason: Closed) {
        if let Some(door) = self.0.doors.lock().get(board) {
            // A room that has just ended has nobody left to disconnect.
            let _ = door.inputs.send(Input::Close(reason));
        }
    }

    /// What the rooms have in common.
    pub fn shared(&self) -> &Shared<C> {
        &self.0.shared
    }

    /// Lets every room finish what it has: rooms end as soon as their last client is gone. Then the store can close.
    pub async fn shutdown(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}
