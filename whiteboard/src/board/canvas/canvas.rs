//! A canvas in use: requests in, records and events out.

use super::action::{Action, Mend, Role, User};
use super::cursors::{Cursors, Due, Pointer};
use super::delta::Delta;
use super::event::Event;
use super::object::Object;
use super::people::{People, Person};
use super::record;
use super::state::State;
use crate::board::core::{ClientId, Core, Limits, Moment, Opening, Outcome, Refusal, Request, To};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What somebody is told who may only look.
const LOOK_ONLY: &str = "You may look at this canvas, not change it. Ask its owner. Nothing was changed.";

/// A canvas with the people on it.
#[derive(Debug)]
pub struct Canvas {
    state: State,
    people: People,
    cursors: Cursors,
    limits: Limits,
    /// The objects as they are sent to newcomers, until something changes: a flood of joins writes them once.
    list: Option<Arc<str>>,
}

type Told = Outcome<Event>;

impl Core for Canvas {
    type State = State;
    type Action = Action;
    type Event = Event;

    fn open(state: State, opening: Opening) -> Self {
        Self { state, people: People::default(), cursors: Cursors::default(), limits: opening.limits, list: None }
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn handle(&mut self, request: Request<Action>, now: Moment) -> Told {
        let mut outcome = Outcome::default();
        let Request { client, action, .. } = request;
        match action {
            Action::Join { user, role } => self.join(client, user, role, &mut outcome),
            Action::Leave => self.leave(client, &mut outcome),
            Action::Replace(state) => self.replace(client, &state, &mut outcome),
            Action::Wrong { sentence, mend } => self.refuse_with(client, sentence, &mend, &mut outcome),
            action => {
                let Some(Person { user, role }) = self.people.get(client).cloned() else { return outcome };
                let mend = action.mend();
                if let Err(sentence) = self.act(client, &user, role, action, now.run, &mut outcome) {
                    self.refuse_with(client, sentence, &mend, &mut outcome);
                }
            }
        }
        outcome
    }

    fn refuse(&mut self, request: Request<Action>, refusal: Refusal, _now: Moment) -> Told {
        let mut outcome = Outcome::default();
        let mend = request.action.mend();
        self.refuse_with(request.client, refusal.sentence().to_owned(), &mend, &mut outcome);
        outcome
    }

    fn turned_away(refusal: Refusal) -> Event {
        Event::AuthFailed(refusal.sentence().to_owned())
    }

    fn leave() -> Action {
        Action::Leave
    }

    fn next_tick(&self) -> Option<Duration> {
        self.cursors.next()
    }

    fn tick(&mut self, now: Moment) -> Told {
        let mut outcome = Outcome::default();
        match self.cursors.due(now.run) {
            Due::Nothing => {}
            Due::One(client, pointer) => outcome.push_volatile(To::Others(client), Event::Cursor(pointer)),
            Due::Many(pointers) => outcome.push_volatile(To::All, Event::CursorBatch(pointers)),
        }
        outcome
    }

    fn end_session(&mut self, _now: Moment) -> Told {
        Outcome::default()
    }

    fn reload(&mut self, state: State, opening: Opening, sentence: &str) -> Told {
        self.state = state;
        self.limits = opening.limits;
        self.list = None;
        let mut outcome = Outcome::default();
        let objects = self.list();
        // Whoever gets this forgets the objects it has.
        for (client, person) in self.people.iter() {
            let event = Event::AuthSuccess { user: person.user.clone(), objects: objects.clone() };
            outcome.push(To::One(client), event);
        }
        outcome.push(To::All, Event::Presence(self.people.present()));
        outcome.push(To::All, Event::Error(sentence.to_owned()));
        outcome
    }
}

impl Canvas {
    fn join(&mut self, client: ClientId, user: User, role: Role, outcome: &mut Told) {
        let user = self.people.enter(client, user, role);
        let objects = self.list();
        outcome.push(To::One(client), Event::AuthSuccess { user: user.clone(), objects });
        outcome.push(To::Others(client), Event::UserConnected(user));
        // For all, said twice: what is for all reaches a newcomer only once its joining is done.
        outcome.push(To::One(client), Event::Presence(self.people.present()));
        outcome.push(To::Others(client), Event::Presence(self.people.present()));
    }

    fn leave(&mut self, client: ClientId, outcome: &mut Told) {
        self.cursors.forget(client);
        let Some((user, is_last)) = self.people.leave(client) else { return };
        // The late end of a dead connection says nothing about the person's new one.
        if is_last {
            outcome.push(To::Others(client), Event::UserDisconnected(user));
        }
        outcome.push(To::Others(client), Event::Presence(self.people.present()));
    }

    /// Does what somebody asks who has joined; an error is a sentence for that person, and nothing was changed.
    fn act(
        &mut self,
        client: ClientId,
        user: &Arc<User>,
        role: Role,
        action: Action,
        now: Duration,
        outcome: &mut Told,
    ) -> Result<(), String> {
        use crate::board::core::Act;
        if action.is_change() && role == Role::Viewer {
            return Err(LOOK_ONLY.to_owned());
        }
        match action {
            Action::Cursor { x, y } => {
                let pointer = Pointer { user: user.clone(), x: x.into(), y: y.into() };
                if let Some(pointer) = self.cursors.moved(client, pointer, now) {
                    outcome.push_volatile(To::Others(client), Event::Cursor(pointer));
                }
            }
            Action::Create(object) => return self.create(client, user, object, outcome),
            Action::Update { id, delta } => return self.update(client, user, &id, &delta, outcome),
            Action::Delete(id) => {
                for id in self.remove(user, vec![id], outcome) {
                    outcome.push(To::Others(client), Event::Deleted { id, by: user.clone() });
                }
            }
            Action::DeleteMany(ids) => {
                let asked: Vec<Arc<str>> = ids.iter().map(|id| id.as_str().into()).collect();
                let ids = self.remove(user, ids, outcome);
                // Of what nobody has, only who asked need hear that it is gone.
                let (to, ids) = if ids.is_empty() { (To::One(client), asked) } else { (To::All, ids) };
                outcome.push(to, Event::DeletedMany { ids, by: user.clone() });
            }
            Action::Join { .. } | Action::Leave | Action::Replace(_) | Action::Wrong { .. } => {}
        }
        Ok(())
    }

    fn create(&mut self, client: ClientId, user: &Arc<User>, object: Object, outcome: &mut Told) -> Result<(), String> {
        let old = self.state.get(object.id());
        if old == Some(&object) {
            // Sent again by a client that did not know that it had arrived.
            return Ok(());
        }
        self.check_room(old.is_none(), old.map_or(0, |old| old.text().len()), object.text().len())?;
        outcome.records.push(record::put(user.id, &object));
        let event = Event::Created { object: object.text().clone(), by: user.clone() };
        outcome.push(To::Others(client), event);
        self.put(object);
        Ok(())
    }

    fn update(
        &mut self,
        client: ClientId,
        user: &Arc<User>,
        id: &str,
        delta: &Delta,
        outcome: &mut Told,
    ) -> Result<(), String> {
        // Somebody else has just deleted it, and everybody knows (contract: ignored).
        let Some(old) = self.state.get(id) else { return Ok(()) };
        let Some((object, news)) = delta.apply(old)? else { return Ok(()) };
        self.check_room(false, old.text().len(), object.text().len())?;
        outcome.records.push(record::merge(user.id, id, &news));
        let event = Event::Updated { id: object.id().clone(), delta: news.into(), by: user.clone() };
        outcome.push(To::Others(client), event);
        self.put(object);
        Ok(())
    }

    /// Removes what there is of these; returns that.
    fn remove(&mut self, user: &User, ids: Vec<String>, outcome: &mut Told) -> Vec<Arc<str>> {
        let ids: Vec<Arc<str>> = ids.into_iter().filter(|id| self.state.remove(id)).map(Arc::from).collect();
        if !ids.is_empty() {
            self.list = None;
            outcome.records.push(record::remove(user.id, &ids));
        }
        ids
    }

    /// Brings the canvas to an earlier state, whatever its limits are now: what is not in it goes, what is another or lies
    /// elsewhere comes anew. Whoever asks must have been found to be allowed to: the message parser makes no such request.
    fn replace(&mut self, client: ClientId, state: &State, outcome: &mut Told) {
        let by = self.people.get(client).map_or_else(
            || Arc::new(User { id: 0, username: "history".into(), color: "#000000".into() }),
            |person| person.user.clone(),
        );
        // Pages put what they hear of above all that they show. So what stays is what then lies as it should: the lowest
        // objects, in their order.
        let places: HashMap<&str, (usize, &Object)> =
            self.state.objects().enumerate().map(|(place, object)| (&**object.id(), (place, object))).collect();
        let mut above = 0;
        let stays = |object: &Object| {
            let (place, now) = places.get(&**object.id())?;
            let stays = *now == object && *place >= above;
            above = place + 1;
            stays.then(|| object.id().clone())
        };
        let same: HashSet<Arc<str>> = state.objects().map_while(stays).collect();
        let gone: Vec<Arc<str>> =
            self.state.objects().map(Object::id).filter(|id| !same.contains(*id)).cloned().collect();
        if gone.is_empty() && self.state.len() == state.len() {
            return;
        }
        outcome.records.push(record::replace(by.id, state));
        if !gone.is_empty() {
            outcome.push(To::All, Event::DeletedMany { ids: gone, by: by.clone() });
        }
        for object in state.objects().filter(|object| !same.contains(object.id())) {
            outcome.push(To::All, Event::Created { object: object.text().clone(), by: by.clone() });
        }
        self.state = State::default();
        state.objects().cloned().for_each(|object| self.put(object));
    }

    fn put(&mut self, object: Object) {
        self.list = None;
        self.state.put(object);
    }

    /// Whether an object fits that takes `new` bytes instead of `old`.
    fn check_room(&self, is_one_more: bool, old: usize, new: usize) -> Result<(), String> {
        let Limits { elements, bytes, element_bytes, .. } = self.limits;
        if new > element_bytes {
            return Err(format!("An object may have at most {element_bytes} bytes. Nothing was changed."));
        }
        if is_one_more && self.state.len() >= elements {
            return Err(format!("This canvas is full: it has {elements} objects. Delete some. Nothing was changed."));
        }
        if new > old && self.state.bytes() - old + new > bytes {
            return Err(format!("This canvas is full: it has {bytes} bytes. Delete something. Nothing was changed."));
        }
        Ok(())
    }

    /// Tells somebody what was wrong, and how things are that the client already shows otherwise.
    fn refuse_with(&self, client: ClientId, sentence: String, mend: &Mend, outcome: &mut Told) {
        outcome.push(To::One(client), Event::Error(sentence));
        let Some(person) = self.people.get(client) else { return };
        let by = person.user.clone();
        match mend {
            Mend::Nothing => {}
            Mend::Shown { id, keys } => {
                let event = match self.state.get(id) {
                    Some(object) => {
                        let all = || super::delta::keys(object.text());
                        let delta = Delta::inverse(&keys.clone().unwrap_or_else(all), object);
                        Event::Updated { id: object.id().clone(), delta: delta.into(), by }
                    }
                    None => Event::DeletedMany { ids: vec![id.as_str().into()], by },
                };
                outcome.push(To::One(client), event);
            }
            Mend::Deleted(ids) => {
                // Each once, however often it was named: a short message must not make a long answer.
                let mut told = HashSet::new();
                let named = ids.iter().filter(|id| told.insert(id.as_str()));
                for object in named.filter_map(|id| self.state.get(id)) {
                    let event = Event::Created { object: object.text().clone(), by: by.clone() };
                    outcome.push(To::One(client), event);
                }
            }
        }
    }

    fn list(&mut self) -> Arc<str> {
        self.list.get_or_insert_with(|| self.state.list().into()).clone()
    }
}

#[cfg(test)]
mod tests;
