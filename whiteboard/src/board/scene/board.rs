//! A board of the native dialect in use: requests in, records and events out.

use super::action::{Action, Draft, Grow, Join, Volatile};
use super::catchup::{Catchup, Shared, parts};
use super::drafts::Drafts;
use super::elements::Owner;
use super::event::{BoardFacts, Code, DraftGrew, DraftSoFar, Event, LimitFacts, Person, Refused, Welcome};
use super::identity::{Role, UserId};
use super::state::State;
use super::visibility::Eyes;
use crate::board::core::{ClientId, Closed, Core, Effect, Limits, Moment, Opening, Outcome, Refusal, Request, To};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

mod anew;
mod requests;

/// Somebody on the board.
#[derive(Debug)]
struct Client {
    person: Person,
    session: Arc<str>,
    /// Others know of this client.
    present: bool,
    /// The last request done or found to need nothing; not on disk if it needed nothing.
    executed: u64,
    /// The connection is being closed because something before was not saved: executing what follows would make the
    /// session's earlier requests look executed.
    cut: bool,
}

/// A board in use.
#[derive(Debug)]
pub struct Scene {
    state: State,
    /// Number of the last operation.
    seq: u64,
    epoch: Arc<str>,
    code: Arc<str>,
    /// The title that the board has unless its log gives it one.
    title: Arc<str>,
    limits: Limits,
    clients: BTreeMap<ClientId, Client>,
    drafts: Drafts,
    catchup: Catchup,
    shared: Shared,
}

impl Client {
    fn eyes(&self) -> Eyes {
        Eyes { user: self.person.user, role: self.person.role }
    }

    fn user(&self) -> UserId {
        self.person.user
    }
}

impl Core for Scene {
    type State = State;
    type Action = Action;
    type Event = Event;

    fn open(state: State, opening: Opening) -> Self {
        Self {
            state,
            seq: opening.seq,
            epoch: opening.epoch,
            code: opening.meta.code,
            title: opening.meta.title.unwrap_or_default().into(),
            limits: opening.limits,
            clients: BTreeMap::new(),
            drafts: Drafts::default(),
            catchup: Catchup::default(),
            shared: Shared::default(),
        }
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn handle(&mut self, request: Request<Action>, now: Moment) -> Outcome<Event> {
        let mut outcome = Outcome::default();
        let Request { client, action, .. } = request;
        match action {
            Action::Join(join) => self.join(client, join, &mut outcome),
            Action::Leave => self.left(client, &mut outcome),
            Action::Durable(asked) => self.durable(client, asked, now, &mut outcome),
            Action::Wrong(refused) => self.wrong(client, refused, &mut outcome),
            Action::Draft(draft) => self.draft(client, draft, &mut outcome),
            Action::Volatile(Volatile { kind, data }) => {
                self.relay(client, None, Event::Volatile { client, kind, data }, &mut outcome);
            }
        }
        outcome
    }

    fn refuse(&mut self, request: Request<Action>, refusal: Refusal, _: Moment) -> Outcome<Event> {
        let mut outcome = Outcome::default();
        let Request { client, action, .. } = request;
        match action {
            Action::Durable(asked) => {
                let failure = (code(refusal), refusal.sentence().to_owned());
                self.refuse_request(client, asked.id, failure, &requests::ids(&asked.what), &mut outcome);
            }
            Action::Wrong(refused) => self.wrong(client, refused, &mut outcome),
            Action::Leave => self.left(client, &mut outcome),
            Action::Join(_) | Action::Draft(_) | Action::Volatile(_) => {
                outcome.push(To::One(client), Self::turned_away(refusal));
            }
        }
        outcome
    }

    fn turned_away(refusal: Refusal) -> Event {
        Event::Error(Refused::new(code(refusal), None, refusal.sentence()))
    }

    fn leave() -> Action {
        Action::Leave
    }

    fn next_tick(&self) -> Option<Duration> {
        None
    }

    fn tick(&mut self, _: Moment) -> Outcome<Event> {
        Outcome::default()
    }

    fn end_session(&mut self, _: Moment) -> Outcome<Event> {
        Outcome::default()
    }

    /// Answers to what was taken back were never sent, so everybody comes back, and sends again what was not answered.
    fn reload(&mut self, state: State, opening: Opening, sentence: &str) -> Outcome<Event> {
        self.state = state;
        self.seq = opening.seq;
        self.epoch = opening.epoch;
        self.catchup = Catchup::default();
        self.shared = Shared::default();
        let mut outcome = Outcome::default();
        for (id, client) in &mut self.clients {
            client.cut = true;
            outcome.push(To::One(*id), Event::Error(Refused::new(Code::Internal, None, sentence)));
            outcome.closes.push((*id, Closed::Unsaved));
        }
        outcome
    }
}

/// The code of PROTOCOL.md for what a room refuses.
fn code(refusal: Refusal) -> Code {
    match refusal {
        Refusal::Unreadable | Refusal::Unsaved => Code::Internal,
        Refusal::DiskLow => Code::DiskLow,
        Refusal::DiskFull => Code::DiskFull,
        Refusal::TooManyBoards | Refusal::TooManyOfAddress => Code::TooMany,
        Refusal::Deleted => Code::DeletedBoard,
    }
}

impl Scene {
    fn join(&mut self, client: ClientId, join: Join, outcome: &mut Outcome<Event>) {
        if self.clients.contains_key(&client) {
            let message = "The board has been joined already; `hello` is said once.";
            return outcome.push(To::One(client), Event::Error(Refused::new(Code::Message, None, message)));
        }
        let Join { user, session, name, color, role, since, present } = join;
        let person = Person { client, user, name, color, role };
        let eyes = Eyes { user, role };
        // What somebody saw of a quiz depends on the role at that time, which the server does not know any more.
        let known = since.filter(|since| since.epoch == self.epoch && !self.state.quiz);
        let missed = known.and_then(|known| self.catchup.since(known.seq, self.seq));
        let newcomer = Client { person: person.clone(), session, present, executed: 0, cut: false };
        self.clients.insert(client, newcomer);
        let welcome = self.welcome(client, &person, missed.is_some());
        outcome.push(To::One(client), Event::Welcome(Box::new(welcome)));
        match missed {
            Some(changes) => {
                let events = changes.into_iter().map(Event::Change);
                outcome.effects.extend(events.map(|event| Effect { to: To::One(client), event }));
            }
            None => self.snapshot(eyes, &To::One(client), outcome),
        }
        if present {
            outcome.push(To::Others(client), Event::Join(person));
        }
    }

    fn welcome(&self, client: ClientId, person: &Person, resume: bool) -> Welcome {
        let steps = self.state.stacks.counts(person.user);
        let last = self.clients.get(&client).map_or(0, |client| self.state.last(person.user, &client.session));
        let people = self.clients.values().filter(|client| client.present).map(|client| client.person.clone());
        let eyes = Eyes { user: person.user, role: person.role };
        let sees = |draft: &DraftSoFar| {
            let owners = self.clients.get(&draft.client).map(|drawer| self.whose(drawer, Some(&draft.element)));
            owners.is_some_and(|owners| !self.state.quiz || owners.iter().all(|owner| eyes.see(*owner)))
        };
        Welcome {
            client,
            user: person.user,
            role: person.role,
            epoch: self.epoch.clone(),
            seq: self.seq,
            board: BoardFacts {
                id: self.code.clone(),
                title: self.state.title.clone().unwrap_or_else(|| self.title.clone()),
                kind: "board".into(),
                settings: self.settings(),
            },
            locked: self.state.locked,
            quiz: self.state.quiz,
            undo: steps.undo,
            redo: steps.redo,
            last,
            limits: LimitFacts {
                elements: self.limits.elements,
                bytes: self.limits.bytes,
                element: self.limits.element_bytes,
            },
            people: people.collect(),
            drafts: self.drafts.all().filter(sees).collect(),
            resume,
        }
    }

    fn left(&mut self, client: ClientId, outcome: &mut Outcome<Event>) {
        self.drafts.leave(client);
        if self.clients.remove(&client).is_some_and(|client| client.present) {
            outcome.push(To::All, Event::Leave(client));
        }
    }

    /// Tells why a request was refused before it came here, behind the answers to those before it.
    fn wrong(&self, client: ClientId, refused: Refused, outcome: &mut Outcome<Event>) {
        if self.clients.get(&client).is_some_and(|client| !client.cut) {
            outcome.push(To::One(client), Event::Error(refused));
        }
    }

    /// The whole board as somebody sees it.
    fn snapshot(&mut self, eyes: Eyes, to: &To, outcome: &mut Outcome<Event>) {
        let all = self.state.elements.iter();
        let parts = if self.state.quiz && eyes.role != Role::Teacher {
            let seen = all.filter(|(owner, _)| eyes.see(*owner));
            parts(self.seq, seen.map(|(_, element)| element)).into_iter().map(Arc::new).collect()
        } else {
            self.shared.parts(self.seq, all.map(|(_, element)| element))
        };
        outcome.effects.extend(parts.into_iter().map(|part| Effect { to: to.clone(), event: Event::Snapshot(part) }));
    }

    fn draft(&mut self, client: ClientId, Draft { element, what }: Draft, outcome: &mut Outcome<Event>) {
        let Some(drawer) = self.clients.get(&client) else { return };
        if let Err((code, message)) = self.check_drawing(drawer) {
            // Once a stroke is enough.
            if matches!(what, Grow::Points { from: 0, .. }) {
                outcome.push(To::One(client), Event::Error(Refused::new(code, None, message)));
            }
            return;
        }
        let grew = self.drafts.grow(client, &element, &what);
        let event = match what {
            Grow::Points { from, points, pressures, base } if grew => {
                Event::Draft(DraftGrew { client, element: element.clone(), from, points, pressures, base })
            }
            Grow::Cancel if grew => Event::DraftCancelled { client, element: element.clone() },
            _ => return,
        };
        self.relay(client, Some(&element), event, outcome);
    }

    /// Forgets drafts that do not become elements after all, and tells the others.
    fn give_up_drafts(&mut self, client: ClientId, elements: &[Arc<str>], outcome: &mut Outcome<Event>) {
        for element in elements {
            if self.drafts.remove(client, element) {
                let event = Event::DraftCancelled { client, element: element.clone() };
                self.relay(client, Some(element), event, outcome);
            }
        }
    }

    /// Hands something volatile to those who may see it; `about`: the element that it shows.
    fn relay(&self, client: ClientId, about: Option<&str>, event: Event, outcome: &mut Outcome<Event>) {
        let Some(sender) = self.clients.get(&client) else { return };
        let owners = self.whose(sender, about);
        if !self.state.quiz || owners.iter().all(|owner| owner.teacher) {
            return outcome.push_volatile(To::Others(client), event);
        }
        let sees = |other: &Client| owners.iter().all(|owner| other.eyes().see(*owner));
        let others = self.clients.iter().filter(|(id, other)| **id != client && sees(other));
        let others: Arc<[ClientId]> = others.map(|(id, _)| *id).collect();
        if !others.is_empty() {
            outcome.push_volatile(To::Only(others), event);
        }
    }

    /// Whose hand and whose element it is: a teacher's hand on a pupil's element shows that element.
    fn whose(&self, sender: &Client, about: Option<&str>) -> [Owner; 2] {
        let by = sender.eyes().owner();
        [by, about.and_then(|id| self.state.elements.get(id)).map_or(by, |known| known.owner)]
    }

    fn settings(&self) -> super::event::Values {
        self.state.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod model;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
