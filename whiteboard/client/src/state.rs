//! What a client keeps of a board: what the server acknowledged, what it asked for itself, and what both together show.
//!
//! Pure: texts go in, texts come out. A lost connection is told by [`State::disconnected`]; the next `welcome` makes
//! everything that was not acknowledged go out again, in order and with the same numbers [Q2].

use crate::drafts::Drafts;
use crate::element::{Deleted, Element};
use crate::message::{Ack, Incoming, Misunderstood, Person, Refusal, Snapshot, Welcome};
use crate::request::{Drafted, Request};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Who the client is, and what it may show.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The user's secret, 16 to 128 characters.
    pub key: String,
    /// The tab's random id. Kept as long as requests wait.
    pub session: String,
    pub name: String,
    pub color: Option<String>,
    /// The board's secret, if the person has one.
    pub access: Option<String>,
    /// Only look.
    pub look: bool,
}

/// The board as the server had it after an operation.
#[derive(Clone, Debug, Default)]
struct Replica {
    epoch: String,
    seq: u64,
    elements: HashMap<Arc<str>, Element>,
}

impl Replica {
    fn merge(&mut self, element: Element) {
        match self.elements.get(&element.id) {
            Some(known) if !element.stamp.beats(known.stamp) => {}
            _ => drop(self.elements.insert(element.id.clone(), element)),
        }
    }

    fn merge_all(&mut self, elements: Vec<Element>, deleted: Vec<Deleted>) {
        elements.into_iter().chain(deleted.into_iter().map(Element::from)).for_each(|element| self.merge(element));
    }

    fn reached(&mut self, seq: u64) {
        self.seq = self.seq.max(seq);
    }
}

/// A board of which nothing is known yet.
fn empty(welcome: Option<&Welcome>) -> Replica {
    Replica { epoch: welcome.map(|welcome| welcome.epoch.clone()).unwrap_or_default(), ..Replica::default() }
}

#[derive(Debug)]
struct Pending {
    id: u64,
    request: Request,
}

/// What a message of the server meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The client is in; what was not acknowledged goes out again.
    Welcomed {
        resumed: bool,
    },
    /// A request is on disk.
    Acknowledged {
        id: u64,
        seq: u64,
    },
    /// A request, or what was said before, was refused; nothing was changed.
    Refused {
        id: Option<u64>,
        code: String,
        message: String,
        retry: Option<u64>,
    },
    /// Something volatile of somebody: client, kind, JSON.
    Volatile {
        client: u64,
        kind: String,
        data: String,
    },
    Pong,
    /// The board, the people or what they draw is not as before.
    Changed,
    Nothing,
}

/// A client's view of a board.
#[derive(Debug, Default)]
pub struct State {
    identity: Identity,
    /// Whole, as of its `seq`; none before the first snapshot and after a reset.
    acknowledged: Option<Replica>,
    /// A snapshot that has not come to its end.
    incoming: Option<Replica>,
    queue: VecDeque<Pending>,
    /// How many of the queue went out on this connection.
    sent: usize,
    last_id: u64,
    /// Requests up to this one are older than the connection.
    before: u64,
    /// As the connection began; none while there is none.
    welcome: Option<Welcome>,
    people: BTreeMap<u64, Person>,
    drafts: Drafts,
    locked: bool,
    quiz: bool,
    title: Option<String>,
    settings: String,
    undo: u64,
    redo: u64,
}

impl State {
    pub fn new(identity: Identity) -> Self {
        Self { identity, settings: "{}".into(), ..Self::default() }
    }

    /// The first message of a connection [H1].
    pub fn hello(&self) -> String {
        let identity = &self.identity;
        let mut hello = serde_json::json!({
            "t": "hello", "v": 1, "key": identity.key, "session": identity.session, "name": identity.name,
        });
        if let Some(color) = &identity.color {
            hello["color"] = color.as_str().into();
        }
        if let Some(access) = &identity.access {
            hello["access"] = access.as_str().into();
        }
        if identity.look {
            hello["look"] = true.into();
        }
        if let Some(replica) = &self.acknowledged {
            hello["epoch"] = replica.epoch.as_str().into();
            hello["seq"] = replica.seq.into();
        }
        hello.to_string()
    }

    /// Puts a request into the queue; returns its number. What it changes is shown at once.
    pub fn ask(&mut self, request: Request) -> u64 {
        self.last_id += 1;
        self.queue.push_back(Pending { id: self.last_id, request });
        self.last_id
    }

    /// The requests that are to be sent now, in order.
    pub fn unsent(&mut self) -> Vec<String> {
        if self.welcome.is_none() {
            return Vec::new();
        }
        let first = std::mem::replace(&mut self.sent, self.queue.len());
        self.queue
            .iter()
            .skip(first)
            // Points that went ahead belong to one connection: what is older than it goes whole [D4].
            .map(|pending| pending.request.write(pending.id, pending.id > self.before))
            .collect()
    }

    /// The connection is gone, and with it who was there and what they were drawing.
    pub fn disconnected(&mut self) {
        self.welcome = None;
        self.incoming = None;
        self.people.clear();
        self.drafts = Drafts::default();
        self.sent = 0;
    }

    /// Takes a message of the server.
    pub fn receive(&mut self, text: &str) -> Result<Happening, Misunderstood> {
        let incoming = Incoming::parse(text)?;
        if self.welcome.is_none()
            && !matches!(incoming, Incoming::Welcome(_) | Incoming::Error(_) | Incoming::Unknown(_))
        {
            return Err(Misunderstood::because("nothing may come before the welcome", text));
        }
        Ok(match incoming {
            Incoming::Welcome(welcome) => return self.welcomed(*welcome, text),
            Incoming::Snapshot(part) => self.snapshot(part),
            Incoming::Change(change) => {
                for id in change.elements.iter().map(|element| &*element.id) {
                    self.drafts.finished(id);
                }
                self.replica().merge_all(change.elements, change.deleted);
                self.reached(change.seq)
            }
            Incoming::Ack(ack) => self.acknowledge(ack),
            Incoming::Lock(switch) => {
                self.locked = switch.on;
                self.reached(switch.seq)
            }
            Incoming::Quiz(switch) => {
                self.quiz = switch.on;
                self.reached(switch.seq)
            }
            Incoming::Title(title) => {
                self.title = Some(title.title);
                self.reached(title.seq)
            }
            Incoming::Settings(settings) => {
                self.settings = settings.values.get().into();
                self.reached(settings.seq)
            }
            Incoming::Reset(_) => {
                self.acknowledged = None;
                self.incoming = Some(empty(self.welcome.as_ref()));
                self.drafts = Drafts::default();
                Happening::Changed
            }
            Incoming::Join(person) => {
                self.people.insert(person.client, person);
                Happening::Changed
            }
            Incoming::Leave(leave) => {
                self.people.remove(&leave.client);
                self.drafts.gone(leave.client);
                Happening::Changed
            }
            Incoming::Draft(draft) => {
                self.drafts.take(draft);
                Happening::Changed
            }
            Incoming::Volatile(volatile) => {
                Happening::Volatile { client: volatile.c, kind: volatile.k, data: volatile.d.get().into() }
            }
            Incoming::Error(refusal) => self.refused(refusal),
            Incoming::Pong => Happening::Pong,
            Incoming::Unknown(_) => Happening::Nothing,
        })
    }

    fn welcomed(&mut self, mut welcome: Welcome, text: &str) -> Result<Happening, Misunderstood> {
        if welcome.resume && self.acknowledged.as_ref().is_none_or(|replica| replica.epoch != welcome.epoch) {
            return Err(Misunderstood::because("there is nothing to go on from", text));
        }
        let resumed = welcome.resume;
        self.before = self.last_id;
        self.last_id = self.last_id.max(welcome.last);
        self.sent = 0;
        self.incoming = (!resumed).then(|| empty(Some(&welcome)));
        self.people = std::mem::take(&mut welcome.people).into_iter().map(|person| (person.client, person)).collect();
        self.drafts = Drafts::default();
        for draft in std::mem::take(&mut welcome.drafts) {
            self.drafts.take(draft);
        }
        (self.locked, self.quiz) = (welcome.locked, welcome.quiz);
        (self.undo, self.redo) = (welcome.undo, welcome.redo);
        self.title.clone_from(&welcome.board.title);
        self.settings = welcome.board.settings.get().into();
        self.welcome = Some(welcome);
        Ok(Happening::Welcomed { resumed })
    }

    fn snapshot(&mut self, part: Snapshot) -> Happening {
        let replica = match &mut self.incoming {
            Some(incoming) => incoming,
            None => self.incoming.insert(empty(self.welcome.as_ref())),
        };
        replica.merge_all(part.elements, Vec::new());
        replica.reached(part.seq);
        if part.more {
            return Happening::Nothing;
        }
        self.acknowledged = self.incoming.take();
        Happening::Changed
    }

    /// Where changes go: while a snapshot comes, into that.
    fn replica(&mut self) -> &mut Replica {
        match &mut self.incoming {
            Some(incoming) => incoming,
            None => self.acknowledged.get_or_insert_with(|| empty(self.welcome.as_ref())),
        }
    }

    fn reached(&mut self, seq: u64) -> Happening {
        self.replica().reached(seq);
        Happening::Changed
    }

    fn settle(&mut self, id: u64) -> Option<Request> {
        let place = self.queue.iter().position(|pending| pending.id == id)?;
        if place < self.sent {
            self.sent -= 1;
        }
        self.queue.remove(place).map(|pending| pending.request)
    }

    fn acknowledge(&mut self, ack: Ack) -> Happening {
        (self.undo, self.redo) = (ack.undo, ack.redo);
        let executed_before = self.welcome.as_ref().is_some_and(|welcome| ack.id <= welcome.last);
        let request = self.settle(ack.id);
        let replica = self.replica();
        // First what the server has instead [Q6]: a snapshot leaves tombstones out, and one of the very stamp that was sent
        // must not be taken for unknown.
        replica.merge_all(ack.elements, ack.deleted);
        // What was executed before the welcome is in what came after it, or was taken back since [Q4].
        if let Some(request) = request.filter(|_| !executed_before) {
            request.elements().cloned().for_each(|element| replica.merge(element));
        }
        replica.reached(ack.seq);
        Happening::Acknowledged { id: ack.id, seq: ack.seq }
    }

    fn refused(&mut self, refusal: Refusal) -> Happening {
        let Refusal { code, message, id, retry, elements, deleted } = refusal;
        let request = id.and_then(|id| self.settle(id));
        if self.welcome.is_some() {
            self.replica().merge_all(elements, deleted);
        }
        if let (Some(Request::Change { elements, drafted, gesture }), "draft") = (request, code.as_str()) {
            // The points did not arrive: the whole stroke, under a new number [D4].
            let whole = drafted.into_iter().map(|Drafted { whole, .. }| whole);
            let elements = elements.into_iter().chain(whole).collect();
            self.ask(Request::Change { elements, drafted: Vec::new(), gesture });
            return Happening::Changed;
        }
        Happening::Refused { id, code, message, retry }
    }
}

mod shown;

#[cfg(test)]
mod tests;
