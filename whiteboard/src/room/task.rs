//! The task of one board.

use super::Shared;
use super::clients::Clients;
use super::doors::{Doors, Input, Inside, Stay, units};
use super::pending::{Held, Pending};
use super::snapshots::Behind;
use super::unwritten::{Rows, Unwritten};
use crate::board::core::{Act, Closed, Core, Durable, Moment, Opening, Outcome, Refusal, Request, Tell};
use crate::limits::address::Household;
use crate::store::{Append, BoardName, Committed, Loaded, StoreError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Effects that may wait for the disk before the room stops taking requests.
const HELD_EFFECTS: usize = 4096;

/// Bytes of lists and images in effects that may wait for the disk.
const HELD_BYTES: usize = 32 << 20;

/// Bytes of an effect that is large: before it is encoded, those who have got what came before it may send that.
const LARGE: usize = 64 << 10;

/// So late may volatile events leave because other requests come first.
const LATE: Duration = Duration::from_millis(1);

struct Room<C: Core> {
    shared: Shared<C>,
    name: BoardName,
    core: C,
    clients: Clients<C>,
    /// What the core has done and the store does not know yet; `seq` counts it.
    unwritten: Unwritten,
    pending: Pending<C::Event>,
    done: mpsc::UnboundedSender<Committed>,
    /// Number of the last operation.
    seq: u64,
    behind: Behind,
    /// A write failed for this reason: nothing more is done until the board is loaded anew.
    failed: Option<String>,
    /// The board was deleted: nobody comes in any more, and when all have gone the board leaves memory.
    deleted: bool,
    /// No client has been here, only the server itself: when it has gone, the board leaves memory.
    visited_only: bool,
    start: Instant,
    last_request: Duration,
    empty_since: Duration,
}

/// Runs a room until its board leaves memory. `from`: whose it is if it is new.
pub(super) async fn run<C: Core>(
    shared: Shared<C>,
    doors: &Doors<C>,
    name: BoardName,
    from: Option<Household>,
    mut inside: Inside<C>,
    stopping: CancellationToken,
) {
    let loaded = match admit(&shared, &name, from).await {
        Ok(loaded) => loaded,
        Err(refusal) => return turn_away(&shared, doors, &name, inside, refusal).await,
    };
    tracing::debug!(board = %name.code, operations = loaded.seq, replayed = loaded.behind_snapshot, "board opened");
    shared.ground.metrics.boards_open.inc();
    let (done, mut commits) = mpsc::unbounded_channel();
    let mut room = Room::new(shared, name, loaded, done);
    room.tick();
    loop {
        while let Some(held) = room.pending.release() {
            if held.bytes() >= LARGE {
                // A large board is put into words part by part: what came before may leave meanwhile.
                tokio::task::yield_now().await;
            }
            room.release(held);
        }
        if room.failed.is_some() && room.pending.is_settled() {
            if room.reload().await {
                // What everybody is told about it waits for nothing.
                continue;
            }
            break;
        }
        let ready = room.failed.is_none() && room.pending.len() < HELD_EFFECTS && room.pending.bytes() < HELD_BYTES;
        let idle = !ready || inside.inputs.is_empty();
        room.flush(idle);
        room.write_due(idle);
        let deadline = room.deadline(stopping.is_cancelled());
        if deadline.is_none() && doors.leave_memory(&room.name, &inside) {
            break;
        }
        let wake = room.start + deadline.unwrap_or_default();
        let flush = earliest(room.clients.flush_due(), room.unwritten.due());
        tokio::select! {
            biased;
            Some(committed) = commits.recv() => room.committed(committed),
            Some(input) = inside.inputs.recv(), if ready => {
                if let Input::Request(request) = &input {
                    inside.permits.add_permits(units(&request.action) as usize);
                }
                room.input(input);
            }
            () = sleep_until(room.start + flush.unwrap_or_default()), if flush.is_some() => {}
            () = sleep_until(wake), if ready && deadline.is_some() => room.tick(),
            () = stopping.cancelled(), if !stopping.is_cancelled() => {}
        }
    }
    inside.permits.close();
    room.leave();
}

/// The earlier of two moments that may come.
fn earliest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

async fn load<C: Core>(shared: &Shared<C>, name: &BoardName) -> Result<Loaded<C::State>, StoreError> {
    let (reader, name) = (shared.ground.store.reader.clone(), name.clone());
    let path = reader.path().to_owned();
    match tokio::task::spawn_blocking(move || reader.load(&name)).await {
        Ok(loaded) => loaded,
        Err(panic) => Err(StoreError::Directory { path, source: std::io::Error::other(panic) }),
    }
}

/// Loads a board, if it may be opened.
async fn admit<C: Core>(
    shared: &Shared<C>,
    name: &BoardName,
    from: Option<Household>,
) -> Result<Loaded<C::State>, Refusal> {
    let unreadable = |error: StoreError| {
        tracing::error!(board = %name.code, "{error}");
        Refusal::Unreadable
    };
    let loaded = load(shared, name).await.map_err(unreadable)?;
    if loaded.meta.deleted.is_some() {
        return Err(Refusal::Deleted);
    }
    if !loaded.meta.exists {
        let reader = shared.ground.store.reader.clone();
        let boards = tokio::task::spawn_blocking(move || reader.boards()).await;
        let boards = boards.map_err(|_| Refusal::Unreadable)?.map_err(unreadable)?;
        shared.ground.space.may_begin_board(boards, from, Some(name))?;
    }
    Ok(loaded)
}

/// Nobody can use this board at the moment: whoever comes is told and disconnected.
async fn turn_away<C: Core>(
    shared: &Shared<C>,
    doors: &Doors<C>,
    name: &BoardName,
    mut inside: Inside<C>,
    refusal: Refusal,
) {
    inside.permits.close();
    let frame = (shared.encoder)(&C::turned_away(refusal));
    let reason = match refusal {
        Refusal::Unreadable => Closed::Unreadable,
        Refusal::Deleted => Closed::Deleted,
        _ => Closed::Refused,
    };
    while !doors.leave_memory(name, &inside) {
        if let Some(Input::Join(_, outbox, _)) = inside.inputs.recv().await {
            shared.ground.metrics.refused.inc();
            outbox.push(frame.clone());
            outbox.close(reason);
        }
    }
}

fn opening<C: Core>(shared: &Shared<C>, loaded: &Loaded<C::State>, now: Moment) -> Opening {
    Opening {
        seq: loaded.seq,
        epoch: shared.ground.epoch.clone(),
        now,
        idle: loaded.idle,
        meta: loaded.meta.clone(),
        limits: shared.ground.limits,
        unlock_after: shared.ground.timing.unlock_after,
    }
}

fn moment(start: Instant) -> Moment {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { run: start.elapsed(), unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX) }
}

impl<C: Core> Room<C> {
    fn new(
        shared: Shared<C>,
        name: BoardName,
        loaded: Loaded<C::State>,
        done: mpsc::UnboundedSender<Committed>,
    ) -> Self {
        let start = Instant::now();
        let opening = opening(&shared, &loaded, moment(start));
        Self {
            seq: loaded.seq,
            behind: Behind::loaded(loaded.behind_snapshot, loaded.behind_bytes),
            core: C::open(loaded.state, opening),
            clients: Clients::new(shared.encoder.clone(), shared.ground.metrics.clone()),
            shared,
            name,
            unwritten: Unwritten::default(),
            pending: Pending::default(),
            done,
            failed: None,
            deleted: false,
            visited_only: true,
            start,
            last_request: Duration::ZERO,
            empty_since: Duration::ZERO,
        }
    }

    fn now(&self) -> Moment {
        moment(self.start)
    }

    /// When [`Self::tick`] is due; none: the board should leave memory now.
    fn deadline(&self, stopping: bool) -> Option<Duration> {
        let timing = &self.shared.ground.timing;
        if !self.clients.is_empty() {
            let session_end = self.last_request + timing.session_timeout;
            return Some(self.core.next_tick().map_or(session_end, |tick| tick.min(session_end)));
        }
        let now = self.start.elapsed();
        let unload = if self.deleted || self.visited_only { now } else { self.empty_since + timing.unload_after };
        if !self.pending.is_empty() {
            // What is being written wakes the room when it is done.
            return Some(unload.max(now + timing.unload_after));
        }
        (!stopping && now < unload).then_some(unload)
    }

    fn input(&mut self, input: Input<C>) {
        match input {
            Input::Join(_, outbox, _) if self.deleted => {
                self.shared.ground.metrics.refused.inc();
                outbox.push((self.shared.encoder)(&C::turned_away(Refusal::Deleted)));
                outbox.close(Closed::Deleted);
            }
            Input::Join(request, outbox, stay) => {
                self.visited_only &= stay == Stay::Visit;
                let client = request.client;
                self.clients.enter(client, outbox);
                self.last_request = self.start.elapsed();
                self.handle(request);
                self.pending.hold(Held::Joined(client));
            }
            Input::Request(request) => {
                if request.action.is_activity() {
                    self.last_request = self.start.elapsed();
                    self.shared.ground.metrics.requests.inc();
                }
                if request.action.is_change() && self.shared.ground.space.is_full() {
                    let outcome = self.core.refuse(request, Refusal::DiskFull, self.now());
                    return self.take(outcome);
                }
                self.handle(request);
            }
            Input::Leave(request) => {
                self.clients.leave(request.client);
                self.empty_since = self.start.elapsed();
                self.handle(request);
            }
            Input::Barrier(done) => self.pending.hold(Held::Barrier(done)),
            Input::Close(reason) => {
                self.deleted |= reason == Closed::Deleted;
                self.clients.close_all(reason);
            }
        }
    }

    fn handle(&mut self, request: Request<C::Action>) {
        let outcome = self.core.handle(request, self.now());
        self.take(outcome);
    }

    /// Does what time demands.
    fn tick(&mut self) {
        let now = self.now();
        let outcome = self.core.tick(now);
        self.take(outcome);
        let idle = now.run.saturating_sub(self.last_request) >= self.shared.ground.timing.session_timeout;
        if idle && !self.clients.is_empty() {
            let outcome = self.core.end_session(now);
            self.take(outcome);
            self.clients.close_all(Closed::SessionEnded);
            // Their connections leave one by one; until then nothing more is to be done about it.
            self.last_request = now.run;
        }
    }

    /// Lets volatile events leave whose time has come; requests that wait are looked at first, for they may bring more.
    fn flush(&mut self, idle: bool) {
        let Some(due) = self.clients.flush_due() else { return };
        let now = self.start.elapsed();
        if due <= now && (idle || due + LATE <= now) {
            self.clients.flush(now, false);
        }
    }

    /// Gives operations to the store whose time has come; see [`Self::flush`].
    fn write_due(&mut self, idle: bool) {
        let Some(due) = self.unwritten.due() else { return };
        let now = self.start.elapsed();
        if due <= now && (idle || due + LATE <= now) {
            self.write(now);
        }
    }

    /// Gives all operations to the store.
    fn write(&mut self, now: Duration) {
        let Some(Rows { rows, bytes }) = self.unwritten.finish(now) else { return };
        let count = rows.len() as u64;
        self.shared.ground.store.writer.append(Append {
            board: self.name.clone(),
            first_seq: self.seq + 1 - count,
            rows,
            ticket: self.pending.last_ticket(),
            done: self.done.clone(),
        });
        if self.behind.recorded(count, bytes) {
            self.snapshot();
        }
    }

    /// Sends what is volatile, keeps the records for the store and holds the rest until they are on disk.
    fn take(&mut self, outcome: Outcome<C::Event>) {
        let Outcome { records, effects, volatile, closes } = outcome;
        let now = self.start.elapsed();
        for effect in &volatile {
            self.clients.send_volatile(effect, now);
        }
        if !records.is_empty() {
            if self.unwritten.is_empty() {
                // One ticket for all that go together.
                self.pending.ticket();
            }
            self.seq += records.len() as u64;
            self.unwritten.add(records, self.clients.len(), now);
        }
        if effects.iter().any(|effect| effect.event.weight() >= LARGE) {
            for effect in effects {
                self.pending.hold(Held::Effects(vec![effect], now));
            }
        } else if !effects.is_empty() {
            self.pending.hold(Held::Effects(effects, now));
        }
        for (client, reason) in closes {
            self.pending.hold(Held::Close(client, reason));
        }
    }

    fn snapshot(&mut self) {
        let body = self.core.state().encode();
        self.behind.snapshot(body.len());
        self.shared.ground.store.writer.snapshot(self.name.clone(), self.seq, body);
    }

    fn committed(&mut self, committed: Committed) {
        self.pending.answered(committed.ticket, committed.result.is_ok());
        if let Err(sentence) = committed.result {
            self.failed.get_or_insert(sentence);
        }
    }

    fn release(&mut self, held: Held<C::Event>) {
        // What somebody saw growing comes before what became of it, and nothing older than a welcome comes after it.
        self.clients.flush(self.start.elapsed(), true);
        match held {
            Held::Effects(effects, since) => {
                for effect in &effects {
                    self.clients.send(effect);
                }
                let took = self.start.elapsed().saturating_sub(since);
                self.shared.ground.metrics.delivery_seconds.observe(took);
            }
            Held::Joined(client) => self.clients.joined(client),
            Held::Close(client, reason) => self.clients.close(client, reason),
            Held::Barrier(done) => {
                let _ = done.send(());
            }
        }
    }

    /// After a failed write: back to what is on disk, and everybody is told. False if not even that can be read.
    async fn reload(&mut self) -> bool {
        let sentence = self.failed.take().unwrap_or_default();
        // Whoever waits there learns by the dropped sender that waiting has ended.
        self.pending.abandon();
        let loaded = match load(&self.shared, &self.name).await {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(board = %self.name.code, "{error}");
                self.clients.close_all(Closed::Unreadable);
                return false;
            }
        };
        tracing::warn!(board = %self.name.code, "the board was put back to what is on disk: {sentence}");
        // What they were to get first is lost: they come back and get the board as it is.
        self.clients.close_newcomers(Closed::Unsaved);
        self.seq = loaded.seq;
        self.behind = Behind::loaded(loaded.behind_snapshot, loaded.behind_bytes);
        let opening = opening(&self.shared, &loaded, self.now());
        let outcome = self.core.reload(loaded.state, opening, Refusal::Unsaved.sentence());
        self.take(outcome);
        true
    }

    fn leave(mut self) {
        self.write(self.start.elapsed());
        if self.behind.is_long() {
            self.snapshot();
        }
        self.shared.ground.store.writer.forget(self.name.clone());
        self.shared.ground.metrics.boards_open.dec();
        tracing::debug!(board = %self.name.code, operations = self.seq, "board left memory");
    }
}

#[cfg(test)]
mod tests;
