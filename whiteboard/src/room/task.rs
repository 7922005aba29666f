//! The task of one board.

use super::Shared;
use super::hub::{Hub, units};
use super::outbox::Outbox;
use super::pending::{Held, Pending};
use crate::board::classroom::state::State;
use crate::board::classroom::{Action, Classroom, Event};
use crate::board::core::{ClientId, Core, Durable, Effect, Moment, Opening, Outcome, Request, To};
use crate::metrics::Closed;
use crate::store::{Append, BoardName, Committed, Loaded, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Effects that may wait for the disk before the room stops taking requests.
const HELD_EFFECTS: usize = 4096;

/// Bytes of lists and images in effects that may wait for the disk.
const HELD_BYTES: usize = 32 << 20;

/// Operations after which a snapshot is written, so that loading replays at most about so many.
const SNAPSHOT_OPERATIONS: u64 = 1000;

/// Bytes of operations after which a snapshot is written, unless the last snapshot is larger: then as many as it has.
const SNAPSHOT_BYTES: usize = 1 << 20;

/// A board that leaves memory with more operations than this behind its snapshot gets a new one.
const SNAPSHOT_ON_LEAVING: u64 = 100;

/// What comes through the door of a room.
#[derive(Debug)]
pub(super) enum Input {
    Join(ClientId, Arc<Outbox>),
    Request(Request<Action>),
    Leave(Request<Action>),
    Barrier(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Client {
    outbox: Arc<Outbox>,
    /// Has got the whole board: what comes before that is not for this client.
    joined: bool,
}

struct Room {
    shared: Shared,
    name: BoardName,
    classroom: Classroom,
    clients: HashMap<ClientId, Client>,
    pending: Pending,
    done: mpsc::UnboundedSender<Committed>,
    /// Number of the last operation given to the store.
    seq: u64,
    behind_snapshot: u64,
    bytes_behind_snapshot: usize,
    snapshot_bytes: usize,
    /// A write failed for this reason: nothing more is done until the board is loaded anew.
    failed: Option<String>,
    start: Instant,
    last_request: Duration,
    empty_since: Duration,
}

/// Runs a room until its board leaves memory.
pub(super) async fn run(
    hub: Hub,
    name: BoardName,
    mut inputs: mpsc::UnboundedReceiver<Input>,
    permits: Arc<Semaphore>,
    stopping: CancellationToken,
) {
    let shared = hub.shared().clone();
    let loaded = match load(&shared, &name).await {
        Ok(loaded) => loaded,
        Err(error) => return turn_away(&hub, &name, inputs, &permits, &error).await,
    };
    tracing::debug!(board = %name.code, operations = loaded.seq, replayed = loaded.behind_snapshot, "board opened");
    shared.metrics.boards_open.inc();
    let (done, mut commits) = mpsc::unbounded_channel();
    let mut room = Room::new(shared, name, loaded, done);
    room.tick();
    loop {
        while let Some(held) = room.pending.release() {
            room.release(held);
        }
        if room.failed.is_some() && room.pending.is_settled() {
            if room.reload().await {
                // What everybody is told about it waits for nothing.
                continue;
            }
            break;
        }
        let deadline = room.deadline(stopping.is_cancelled());
        if deadline.is_none() && hub.leave_memory(&room.name, &inputs) {
            break;
        }
        let ready = room.failed.is_none() && room.pending.len() < HELD_EFFECTS && room.pending.bytes() < HELD_BYTES;
        let wake = room.start + deadline.unwrap_or_default();
        tokio::select! {
            biased;
            Some(committed) = commits.recv() => room.committed(committed),
            Some(input) = inputs.recv(), if ready => {
                if let Input::Request(request) = &input {
                    permits.add_permits(units(&request.action) as usize);
                }
                room.input(input);
            }
            () = sleep_until(wake), if ready && deadline.is_some() => room.tick(),
            () = stopping.cancelled(), if !stopping.is_cancelled() => {}
        }
    }
    room.leave(&permits);
}

async fn load(shared: &Shared, name: &BoardName) -> Result<Loaded<State>, StoreError> {
    let (reader, name) = (shared.store.reader.clone(), name.clone());
    let path = reader.path().to_owned();
    match tokio::task::spawn_blocking(move || reader.load(&name)).await {
        Ok(loaded) => loaded,
        Err(panic) => Err(StoreError::Directory { path, source: std::io::Error::other(panic) }),
    }
}

fn opening(shared: &Shared, seq: u64, idle: Duration) -> Opening {
    Opening { seq, idle, unlock_after: shared.timing.unlock_after, ..Opening::default() }
}

/// Nobody can use a board that cannot be loaded: whoever comes is told and disconnected.
async fn turn_away(
    hub: &Hub,
    name: &BoardName,
    mut inputs: mpsc::UnboundedReceiver<Input>,
    permits: &Semaphore,
    error: &StoreError,
) {
    tracing::error!(board = %name.code, "{error}");
    permits.close();
    let message = "This board cannot be read at the moment. Ask the person who runs the server.".to_owned();
    let frame = (hub.shared().encoder)(&Event::Error(message));
    loop {
        if hub.leave_memory(name, &inputs) {
            return;
        }
        if let Some(Input::Join(_, outbox)) = inputs.recv().await {
            outbox.push(frame.clone());
            outbox.close(Closed::Unreadable);
        }
    }
}

impl Room {
    fn new(shared: Shared, name: BoardName, loaded: Loaded<State>, done: mpsc::UnboundedSender<Committed>) -> Self {
        Self {
            classroom: Classroom::open(loaded.state, opening(&shared, loaded.seq, loaded.idle)),
            shared,
            name,
            clients: HashMap::new(),
            pending: Pending::default(),
            done,
            seq: loaded.seq,
            behind_snapshot: loaded.behind_snapshot,
            bytes_behind_snapshot: 0,
            snapshot_bytes: 0,
            failed: None,
            start: Instant::now(),
            last_request: Duration::ZERO,
            empty_since: Duration::ZERO,
        }
    }

    fn moment(&self) -> Moment {
        Moment { run: self.now(), unix_ms: 0 }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// When [`Self::tick`] is due; none: the board should leave memory now.
    fn deadline(&self, stopping: bool) -> Option<Duration> {
        let now = self.now();
        if !self.clients.is_empty() {
            let session_end = self.last_request + self.shared.timing.session_timeout;
            return Some(self.classroom.next_tick().map_or(session_end, |tick| tick.min(session_end)));
        }
        let unload = self.empty_since + self.shared.timing.unload_after;
        if !self.pending.is_empty() {
            // What is being written wakes the room when it is done.
            return Some(unload.max(now + self.shared.timing.unload_after));
        }
        (!stopping && now < unload).then_some(unload)
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Join(client, outbox) => {
                self.clients.insert(client, Client { outbox, joined: false });
                self.last_request = self.now();
                self.handle(Request { client, action: Action::Join, ack: None });
            }
            Input::Request(request) => {
                if !matches!(request.action, Action::Seen { .. }) {
                    self.last_request = self.now();
                    self.shared.metrics.requests.inc();
                }
                self.handle(request);
            }
            Input::Leave(request) => {
                self.clients.remove(&request.client);
                self.empty_since = self.now();
                self.handle(request);
            }
            Input::Barrier(done) => self.pending.hold(Held::Barrier(done)),
        }
    }

    fn handle(&mut self, request: Request<Action>) {
        let outcome = self.classroom.handle(request, self.moment());
        self.take(outcome);
    }

    /// Does what time demands.
    fn tick(&mut self) {
        let now = self.now();
        let outcome = self.classroom.tick(self.moment());
        self.take(outcome);
        let idle = now.saturating_sub(self.last_request) >= self.shared.timing.session_timeout;
        if idle && !self.clients.is_empty() {
            let outcome = self.classroom.end_session(self.moment());
            self.take(outcome);
            for client in self.clients.values() {
                client.outbox.close(Closed::SessionEnded);
            }
            // Their connections leave one by one; until then nothing more is to be done about it.
            self.last_request = now;
        }
    }

    /// Gives an outcome's records to the store and holds its effects until they are on disk.
    fn take(&mut self, outcome: Outcome<Event>) {
        if !outcome.records.is_empty() {
            let bytes: usize = outcome.records.iter().map(String::len).sum();
            let rows = outcome.records.len() as u64;
            self.shared.store.writer.append(Append {
                board: self.name.clone(),
                first_seq: self.seq + 1,
                rows: outcome.records,
                ticket: self.pending.ticket(),
                done: self.done.clone(),
            });
            self.seq += rows;
            self.behind_snapshot += rows;
            self.bytes_behind_snapshot += bytes;
            let much = self.bytes_behind_snapshot > SNAPSHOT_BYTES.max(self.snapshot_bytes);
            if much || self.behind_snapshot >= SNAPSHOT_OPERATIONS {
                self.snapshot();
            }
        }
        if !outcome.effects.is_empty() {
            self.pending.hold(Held::Effects(outcome.effects));
        }
    }

    fn snapshot(&mut self) {
        let body = self.classroom.state().encode();
        self.behind_snapshot = 0;
        self.bytes_behind_snapshot = 0;
        self.snapshot_bytes = body.len();
        self.shared.store.writer.snapshot(self.name.clone(), self.seq, body);
    }

    fn committed(&mut self, committed: Committed) {
        self.pending.answered(committed.ticket, committed.result.is_ok());
        if let Err(sentence) = committed.result {
            self.failed.get_or_insert(sentence);
        }
    }

    fn release(&mut self, held: Held) {
        match held {
            Held::Effects(effects) => effects.into_iter().for_each(|effect| self.send(&effect)),
            Held::Barrier(done) => {
                let _ = done.send(());
            }
        }
    }

    fn send(&mut self, effect: &Effect<Event>) {
        if matches!(effect.event, Event::Error(_)) {
            self.shared.metrics.refused.inc();
        }
        match &effect.to {
            To::One(client) => {
                let Some(client) = self.clients.get_mut(client) else { return };
                client.joined |= matches!(effect.event, Event::SessionData { .. });
                client.outbox.answer((self.shared.encoder)(&effect.event));
            }
            To::Others(_) | To::All | To::Only(_) => {
                let mut frame = None;
                for (id, client) in &self.clients {
                    if client.joined && effect.to != To::Others(*id) {
                        let frame = frame.get_or_insert_with(|| (self.shared.encoder)(&effect.event));
                        client.outbox.push(frame.clone());
                    }
                }
            }
        }
    }

    /// After a failed write: back to what is on disk, and everybody is told. False if not even that can be read.
    async fn reload(&mut self) -> bool {
        let sentence = self.failed.take().unwrap_or_default();
        // Whoever waits there learns by the dropped sender that waiting has ended.
        drop(self.pending.abandon());
        let loaded = match load(&self.shared, &self.name).await {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(board = %self.name.code, "{error}");
                self.clients.values().for_each(|client| client.outbox.close(Closed::Unreadable));
                return false;
            }
        };
        tracing::warn!(board = %self.name.code, "the board was put back to what is on disk: {sentence}");
        self.seq = loaded.seq;
        self.behind_snapshot = loaded.behind_snapshot;
        let message = "The last change could not be saved and was taken back. Tell the person who runs the server.";
        let outcome = self.classroom.reload(loaded.state, opening(&self.shared, loaded.seq, loaded.idle), message);
        self.take(outcome);
        let waiting: Vec<ClientId> =
            self.clients.iter().filter(|(_, client)| !client.joined).map(|(id, _)| *id).collect();
        for client in waiting {
            self.handle(Request { client, action: Action::Join, ack: None });
        }
        true
    }

    fn leave(mut self, permits: &Semaphore) {
        permits.close();
        if self.behind_snapshot > SNAPSHOT_ON_LEAVING {
            self.snapshot();
        }
        self.shared.store.writer.forget(self.name.clone());
        self.shared.metrics.boards_open.dec();
        tracing::debug!(board = %self.name.code, operations = self.seq, "board left memory");
    }
}

#[cfg(test)]
mod tests;
