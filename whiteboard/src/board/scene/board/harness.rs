//! A room without socket, disk or clock for tests: it holds effects back until the records are on its "disk", gives
//! them to those who are to get them, and watches that a quiz leaks nothing.

use crate::board::core::{ClientId, Closed, Core, Durable, Effect, Moment, Opening, Outcome, Refusal, Request, To};
use crate::board::scene::action::{Action, Asked, Change, Join, Since, What};
use crate::board::scene::element::Element;
use crate::board::scene::event::{Changed, Event};
use crate::board::scene::identity::{Role, UserId};
use crate::board::scene::{Scene, State};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What an outcome asked for, waiting for the disk.
#[derive(Debug)]
struct Waiting {
    records: Vec<String>,
    effects: Vec<Effect<Event>>,
    closes: Vec<(ClientId, Closed)>,
    /// Whoever joined by this.
    joins: Option<ClientId>,
}

#[derive(Debug)]
pub struct Room {
    pub scene: Scene,
    /// What is on disk.
    pub log: Vec<String>,
    pub closed: Vec<(ClientId, Closed)>,
    pub now: Moment,
    /// Whether everything is on disk at once.
    pub prompt: bool,
    opening: Opening,
    waiting: VecDeque<Waiting>,
    inboxes: BTreeMap<ClientId, Vec<Event>>,
    joined: BTreeSet<ClientId>,
    roles: BTreeMap<ClientId, (UserId, Role)>,
    next: ClientId,
}

impl Room {
    pub fn new(opening: Opening) -> Self {
        Self {
            scene: Scene::open(State::default(), opening.clone()),
            log: Vec::new(),
            closed: Vec::new(),
            now: Moment { run: Duration::ZERO, unix_ms: 1_700_000_000_000 },
            prompt: true,
            opening,
            waiting: VecDeque::new(),
            inboxes: BTreeMap::new(),
            joined: BTreeSet::new(),
            roles: BTreeMap::new(),
            next: 1,
        }
    }

    pub fn join(&mut self, join: Join) -> ClientId {
        let client = self.next;
        self.next += 1;
        self.inboxes.insert(client, Vec::new());
        self.roles.insert(client, (join.user, join.role));
        self.run(client, Action::Join(join), true);
        client
    }

    pub fn act(&mut self, client: ClientId, action: Action) {
        self.run(client, action, false);
    }

    fn run(&mut self, client: ClientId, action: Action, joins: bool) {
        let outcome = self.scene.handle(Request { client, action, ack: None }, self.now);
        self.take(outcome, joins.then_some(client));
    }

    pub fn refuse(&mut self, client: ClientId, action: Action, refusal: Refusal) {
        let outcome = self.scene.refuse(Request { client, action, ack: None }, refusal, self.now);
        self.take(outcome, None);
    }

    pub fn ask(&mut self, client: ClientId, id: u64, what: What) {
        self.act(client, Action::Durable(Asked { id, what }));
    }

    pub fn put(&mut self, client: ClientId, id: u64, elements: &[Element]) {
        self.ask(client, id, What::Change(Change { elements: elements.to_vec(), ..Change::default() }));
    }

    /// The connection is gone.
    pub fn cut(&mut self, client: ClientId) {
        self.inboxes.remove(&client);
        self.act(client, Scene::leave());
    }

    fn take(&mut self, outcome: Outcome<Event>, joins: Option<ClientId>) {
        let Outcome { records, effects, volatile, closes } = outcome;
        for effect in volatile {
            self.watch(&effect);
            self.send(&effect);
        }
        for effect in &effects {
            self.watch(effect);
        }
        self.waiting.push_back(Waiting { records, effects, closes, joins });
        if self.prompt {
            self.commit(usize::MAX);
        }
    }

    /// Writes so many of the outcomes that wait to the disk, and hands out their effects.
    pub fn commit(&mut self, outcomes: usize) {
        for _ in 0..outcomes {
            let Some(Waiting { records, effects, closes, joins }) = self.waiting.pop_front() else { return };
            self.log.extend(records);
            for effect in &effects {
                self.send(effect);
            }
            self.joined.extend(joins);
            self.closed.extend(closes);
        }
    }

    fn receivers(&self, to: &To) -> Vec<ClientId> {
        match to {
            To::One(client) => vec![*client],
            To::All => self.joined.iter().copied().collect(),
            To::Others(client) => self.joined.iter().copied().filter(|other| other != client).collect(),
            To::Only(clients) => clients.iter().copied().filter(|client| self.joined.contains(client)).collect(),
        }
    }

    fn send(&mut self, effect: &Effect<Event>) {
        for client in self.receivers(&effect.to) {
            if let Some(inbox) = self.inboxes.get_mut(&client) {
                inbox.push(effect.event.clone());
            }
        }
    }

    /// V1: nobody is sent, during a quiz, what they may not see.
    fn watch(&self, effect: &Effect<Event>) {
        let state = self.scene.state();
        if !state.quiz {
            return;
        }
        let listed = |all: &[Element]| all.iter().map(|element| element.id().to_string()).collect::<Vec<_>>();
        let ids = match &effect.event {
            Event::Change(changed) => ids(changed),
            Event::Snapshot(part) => listed(&part.elements),
            Event::Ack(ack) => listed(&ack.elements),
            Event::Error(refused) => listed(&refused.elements),
            Event::Draft(draft) => vec![draft.element.to_string()],
            Event::Welcome(welcome) => welcome.drafts.iter().map(|draft| draft.element.to_string()).collect(),
            _ => return,
        };
        for client in self.receivers(&effect.to) {
            let (user, role) = self.roles[&client];
            for id in &ids {
                let owner = state.elements.get(id).map(|known| known.owner);
                let sees = role == Role::Teacher || owner.is_none_or(|owner| owner.teacher || owner.user == user);
                assert!(sees, "client {client} ({user}) was sent {id} of {owner:?} during a quiz: {:?}", effect.event);
            }
        }
    }

    /// Everything a client has got since the last time.
    pub fn received(&mut self, client: ClientId) -> Vec<Event> {
        self.inboxes.get_mut(&client).map(std::mem::take).unwrap_or_default()
    }

    /// `kill -9`: what waited is gone, all connections are gone, the board is what its log says.
    pub fn restart(&mut self) {
        let (state, opening) = self.on_disk();
        self.waiting.clear();
        self.inboxes.clear();
        self.joined.clear();
        self.scene = Scene::open(state, opening);
    }

    /// What waited cannot be written.
    pub fn fail(&mut self) {
        let (state, opening) = self.on_disk();
        let joining: Vec<_> = self.waiting.drain(..).filter_map(|waiting| waiting.joins).collect();
        self.closed.extend(joining.into_iter().map(|client| (client, Closed::Unsaved)));
        let outcome = self.scene.reload(state, opening, "It could not be saved.");
        self.take(outcome, None);
        self.commit(usize::MAX);
    }

    /// The board as its log says.
    pub fn on_disk(&self) -> (State, Opening) {
        let mut state = State::default();
        for record in &self.log {
            state.replay(record).unwrap();
        }
        (state, Opening { seq: self.log.len() as u64, now: self.now, ..self.opening.clone() })
    }
}

fn ids(changed: &Changed) -> Vec<String> {
    let elements = changed.elements.iter().map(|element| element.id().to_string());
    elements.chain(changed.deleted.iter().map(|deleted| deleted.id.to_string())).collect()
}

/// Somebody who comes for the first time.
pub fn somebody(user: u64, role: Role) -> Join {
    Join {
        user: UserId(user),
        session: format!("session-{user}").into(),
        name: format!("User {user}").into(),
        color: None,
        role,
        since: None,
        present: true,
    }
}

/// Somebody who knows the board up to an operation.
pub fn again(user: u64, role: Role, seq: u64) -> Join {
    Join { since: Some(Since { epoch: "epoch".into(), seq }), ..somebody(user, role) }
}

pub fn element(id: &str, version: u64, x: u64) -> Element {
    let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":0,"x":{x}}}"#);
    Element::from_text(&text).unwrap()
}
