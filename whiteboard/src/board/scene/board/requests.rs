//! Requests of which everybody hears once they are on disk.

use super::anew::is_large;
use super::{Client, Scene};
use crate::board::core::{ClientId, Moment, Outcome, To};
use crate::board::scene::action::{Asked, Change, What};
use crate::board::scene::catchup::Recent;
use crate::board::scene::change::{self, check_room, merge, restoring};
use crate::board::scene::element::Element;
use crate::board::scene::event::{Ack, Changed, Code, Event};
use crate::board::scene::identity::Role;
use crate::board::scene::operation::{Done, Edit, Operation, Owners, Pairs, Rules, write_pairs};
use crate::board::scene::state::Applied;
use crate::board::scene::undo::{Plan, Way};
use crate::board::scene::visibility::{Eyes, split};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Characters of a board's title.
const TITLE_CHARACTERS: usize = 200;

/// Bytes of a board's look, as JSON.
const SETTINGS_BYTES: usize = 4 << 10;

/// Characters of the name of one setting.
const SETTING_CHARACTERS: usize = 64;

/// What a request comes to.
enum Verdict {
    /// It is so already. The sender takes the given elements instead of its own.
    Nothing(Edit),
    Do {
        done: Done,
        lost: Edit,
        owners: Owners,
    },
}

type Failure = (Code, String);

/// The elements that a request is about.
pub(super) fn ids(what: &What) -> Vec<Arc<str>> {
    let What::Change(change) = what else { return Vec::new() };
    change.elements.iter().map(|element| element.id().clone()).collect()
}

/// The elements whose drafts a request ends.
fn drafted(change: &Change) -> Vec<Arc<str>> {
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
    }
    let named = |text: &str| serde_json::from_str::<Named>(text).ok().map(|named| named.id.into());
    change.drafts.iter().filter_map(|draft| named(draft.text.get())).collect()
}

/// A number for `versionNonce`: what matters is that two servers or clients are unlikely to choose the same.
fn nonce(seq: u64, now: Moment, n: u64) -> u64 {
    let mut mixed = seq.rotate_left(40) ^ now.unix_ms.unsigned_abs().rotate_left(20) ^ n;
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ (mixed >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(factor);
    }
    // Excalidraw's are below 2^31.
    mixed >> 33
}

impl Scene {
    pub(super) fn durable(&mut self, id: ClientId, asked: Asked, now: Moment, outcome: &mut Outcome<Event>) {
        let Some(client) = self.clients.get(&id) else { return };
        if client.cut {
            return;
        }
        let executed = client.executed.max(self.state.last(client.user(), &client.session));
        if asked.id <= executed {
            return self.acknowledge(id, asked.id, Edit::default(), outcome);
        }
        let eyes = client.eyes();
        let (mut about, drafts) = match &asked.what {
            What::Change(change) => (ids(&asked.what), drafted(change)),
            _ => (Vec::new(), Vec::new()),
        };
        about.extend(drafts.iter().cloned());
        let is_change = matches!(asked.what, What::Change(_));
        match self.decide(id, client, asked.what, now) {
            Ok(Verdict::Nothing(lost)) => {
                self.noted(id, asked.id);
                self.acknowledge(id, asked.id, lost, outcome);
                self.give_up_drafts(id, &drafts, outcome);
            }
            Ok(Verdict::Do { done, lost, owners }) => {
                let session = client.session.clone();
                let (by, at, rules) = (eyes.owner(), now.unix_ms, Rules::NOW);
                let operation = Operation { by, session, id: asked.id, at, done, rules, owners };
                let applied = match self.state.apply(&operation) {
                    Ok(applied) => applied,
                    Err(misfit) => {
                        let failure = (Code::Internal, format!("The board could not be changed: {misfit}."));
                        return self.refuse_request(id, asked.id, failure, &about, outcome);
                    }
                };
                self.seq += 1;
                outcome.records.push(operation.encode());
                self.noted(id, asked.id);
                if is_change {
                    for element in &about {
                        self.drafts.remove(id, element);
                    }
                    self.acknowledge(id, asked.id, lost, outcome);
                    self.tell(&operation, applied, Some(id), outcome);
                } else {
                    self.tell(&operation, applied, None, outcome);
                    self.acknowledge(id, asked.id, lost, outcome);
                }
            }
            Err(failure) => {
                self.refuse_request(id, asked.id, failure, &about, outcome);
                self.give_up_drafts(id, &drafts, outcome);
            }
        }
    }

    fn noted(&mut self, client: ClientId, executed: u64) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.executed = executed;
        }
    }

    fn acknowledge(&self, client: ClientId, id: u64, lost: Edit, outcome: &mut Outcome<Event>) {
        let steps = self.clients.get(&client).map(|client| self.state.stacks.counts(client.user())).unwrap_or_default();
        let Edit { elements, deleted } = lost;
        let ack = Ack { id, seq: self.seq, undo: steps.undo, redo: steps.redo, elements, deleted };
        outcome.push(To::One(client), Event::Ack(ack));
    }

    /// Tells a client that its request changed nothing, and how the board is where it wanted something else.
    pub(super) fn refuse_request(
        &self,
        client: ClientId,
        id: u64,
        failure: Failure,
        about: &[Arc<str>],
        outcome: &mut Outcome<Event>,
    ) {
        let eyes = self.clients.get(&client).and_then(|client| self.blinkered(client));
        let refused = change::refused(&self.state.elements, id, failure, about, eyes);
        outcome.push(To::One(client), Event::Error(refused));
    }

    /// The eyes of somebody who does not see everything now.
    pub(super) fn blinkered(&self, client: &Client) -> Option<Eyes> {
        (self.state.quiz && client.person.role != Role::Teacher).then(|| client.eyes())
    }

    fn decide(&self, id: ClientId, client: &Client, what: What, now: Moment) -> Result<Verdict, Failure> {
        self.check_role(client, &what)?;
        let mut count = 0;
        let mut nonce = || {
            count += 1;
            nonce(self.seq, now, count)
        };
        let state = &self.state;
        let done = match what {
            What::Change(change) => return self.change(id, client, change),
            What::Undo => return self.take_back(client, Way::Undo, nonce),
            What::Redo => return self.take_back(client, Way::Redo, nonce),
            What::Clear if state.elements.count() == 0 => None,
            What::Clear => Some(Done::Clear { nonce: nonce() }),
            What::Lock(on) => (state.locked != on).then_some(Done::Lock(on)),
            What::Quiz(on) => (state.quiz != on).then_some(Done::Quiz(on)),
            What::Title(title) => {
                if title.is_empty() || title.chars().count() > TITLE_CHARACTERS {
                    return Err((Code::Message, format!("A title has 1 to {TITLE_CHARACTERS} characters.")));
                }
                (state.title.as_ref() != Some(&title)).then_some(Done::Title(title))
            }
            What::Settings(pairs) => self.settings_change(pairs)?.map(Done::Settings),
            What::RestoreTo(restore) => {
                let (edit, owners) = restoring(&state.elements, &restore.elements, nonce);
                check_room(&state.elements, &edit, &self.limits)?;
                let values = state.settings_to(&restore.settings);
                if edit.is_empty() && values.is_empty() {
                    return Ok(Verdict::Nothing(Edit::default()));
                }
                let done = Done::Restore { seq: restore.seq, edit, values };
                return Ok(Verdict::Do { done, lost: Edit::default(), owners });
            }
        };
        Ok(match done {
            Some(done) => Verdict::Do { done, lost: Edit::default(), owners: Owners::default() },
            None => Verdict::Nothing(Edit::default()),
        })
    }

    fn check_role(&self, client: &Client, what: &What) -> Result<(), Failure> {
        let draws = matches!(what, What::Change(_) | What::Undo | What::Redo);
        if client.person.role == Role::Pupil && !draws {
            return Err((Code::Access, "Only a teacher may do this: open the board by the teachers' link.".to_owned()));
        }
        self.check_drawing(client)
    }

    pub(super) fn check_drawing(&self, client: &Client) -> Result<(), Failure> {
        match client.person.role {
            Role::Viewer => Err((Code::ReadOnly, "You may look at this board, not change it.".to_owned())),
            Role::Pupil if self.state.locked => {
                Err((Code::Locked, "The board is locked: a teacher has to unlock it before you can draw.".to_owned()))
            }
            Role::Teacher | Role::Pupil => Ok(()),
        }
    }

    fn change(&self, id: ClientId, client: &Client, change: Change) -> Result<Verdict, Failure> {
        let Change { gesture, mut elements, drafts } = change;
        for draft in drafts {
            let finished: Result<Element, _> = self.drafts.finish(id, &draft.text);
            elements.push(finished.map_err(|error| (Code::Draft, error.to_string()))?);
        }
        let merged = merge(&self.state.elements, elements, self.blinkered(client), &self.limits)?;
        if merged.edit.is_empty() {
            return Ok(Verdict::Nothing(merged.lost));
        }
        let done = Done::Change { gesture, edit: merged.edit };
        Ok(Verdict::Do { done, lost: merged.lost, owners: Owners::default() })
    }

    fn take_back(&self, client: &Client, way: Way, nonce: impl FnMut() -> u64) -> Result<Verdict, Failure> {
        let eyes = self.blinkered(client);
        let state = &self.state;
        let may = |known: &crate::board::scene::elements::Known| eyes.is_none_or(|eyes| eyes.see(known.owner));
        let plan = state.stacks.plan(client.user(), way, &state.elements, may, nonce);
        if plan.popped == 0 {
            return Ok(Verdict::Nothing(Edit::default()));
        }
        check_room(&state.elements, &plan.edit, &self.limits)?;
        let Plan { popped, edit, owners } = plan;
        let done = match way {
            Way::Undo => Done::Undo { popped, edit },
            Way::Redo => Done::Redo { popped, edit },
        };
        Ok(Verdict::Do { done, lost: Edit::default(), owners })
    }

    fn settings_change(&self, pairs: Pairs) -> Result<Option<Pairs>, Failure> {
        let size = |pairs: &Pairs| {
            let mut text = String::new();
            write_pairs(pairs, &mut text);
            text.len()
        };
        let named = |key: &str| !key.is_empty() && key.chars().count() <= SETTING_CHARACTERS;
        let readable = |value: &str| serde_json::from_str::<&RawValue>(value).is_ok();
        if !pairs.iter().all(|(key, value)| named(key) && readable(value)) {
            let message = format!("Settings are JSON values under names of 1 to {SETTING_CHARACTERS} characters.");
            return Err((Code::Message, message));
        }
        let merged = self.state.merged(&pairs);
        let all = size(&merged.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
        if size(&pairs) > SETTINGS_BYTES || all > SETTINGS_BYTES {
            let message = format!("A board's settings may have {SETTINGS_BYTES} bytes; remove some with null.");
            return Err((Code::TooLarge, message));
        }
        Ok((merged != self.state.settings).then_some(pairs))
    }

    /// Tells everybody, but for one, what an operation changed, and notes it for those who come back.
    fn tell(&mut self, operation: &Operation, applied: Applied, but: Option<ClientId>, outcome: &mut Outcome<Event>) {
        let (seq, by) = (self.seq, operation.by.user);
        let event = match &operation.done {
            Done::Lock(on) => Event::Lock { seq, by, on: *on },
            Done::Quiz(on) => {
                self.catchup.push(Recent::Quiz);
                let pupils = self.clients.iter().filter(|(_, client)| client.person.role != Role::Teacher);
                let pupils: Vec<ClientId> = pupils.map(|(id, _)| *id).collect();
                let reason = if *on { "A quiz began." } else { "The quiz ended." };
                self.show_anew(&pupils, reason, outcome);
                // Last: it carries the number of this operation, and whoever knows that is taken to know what it shows.
                return outcome.push(To::All, Event::Quiz { seq, by, on: *on });
            }
            Done::Title(title) => Event::Title { seq, by, title: title.clone() },
            Done::Settings(_) => Event::Settings { seq, by, values: self.settings() },
            _ => {
                let Applied { edit: Edit { elements, deleted }, owners } = applied;
                let changed = Arc::new(Changed { seq, by, elements, deleted });
                self.tell_change(&changed, &owners, but, outcome);
                self.tell_look(operation, outcome);
                return self.catchup.push(Recent::Change(changed));
            }
        };
        self.catchup.push(Recent::Other);
        outcome.push(To::All, event);
    }

    /// Tells everybody the board's look, if it went back with the elements.
    fn tell_look(&self, operation: &Operation, outcome: &mut Outcome<Event>) {
        if let Done::Restore { values, .. } = &operation.done
            && !values.is_empty()
        {
            let (seq, by) = (self.seq, operation.by.user);
            outcome.push(To::All, Event::Settings { seq, by, values: self.settings() });
        }
    }

    fn tell_change(
        &self,
        changed: &Arc<Changed>,
        owners: &[crate::board::scene::elements::Owner],
        but: Option<ClientId>,
        outcome: &mut Outcome<Event>,
    ) {
        if is_large(changed) {
            let told = self.clients.keys().copied().filter(|id| Some(*id) != but).collect::<Vec<_>>();
            return self.show_anew(&told, "Much of the board changed at once.", outcome);
        }
        if !self.state.quiz {
            let to = but.map_or(To::All, To::Others);
            return outcome.push(to, Event::Change(changed.clone()));
        }
        let viewers = self.clients.iter().filter(|(id, _)| Some(**id) != but);
        for (clients, part) in split(changed, owners, viewers.map(|(id, client)| (*id, client.eyes()))) {
            outcome.push(To::Only(clients), Event::Change(part));
        }
    }
}
