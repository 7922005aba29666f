//! The durable part of a native board: exactly what comes back after the process was killed.
//!
//! It changes by [`State::apply`] only, while the board is used and while its log is read, so both come to the same.

use super::element::{Deleted, Element, GREATEST, Stamp};
use super::elements::{Elements, Known, Owner};
use super::identity::UserId;
use super::operation::{Done, Edit, Operation, Pairs, Rules};
use super::sessions::Sessions;
use super::snapshot;
use super::step::Part;
use super::undo::{Gesture, Stacks, Way};
use crate::board::core::{Durable, RecordError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A board as it is on disk.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub elements: Elements,
    pub stacks: Stacks,
    pub sessions: Sessions,
    pub locked: bool,
    pub quiz: bool,
    /// None: nobody has given it a title through its log.
    pub title: Option<Arc<str>>,
    /// The board's look: keys and the JSON text of their values.
    pub settings: BTreeMap<Arc<str>, Arc<str>>,
}

/// What an operation changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub edit: Edit,
    /// Whose the elements of `edit` are, then whose the deleted ones.
    pub owners: Vec<Owner>,
}

/// An operation that the board cannot have gone through.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Misfit {
    #[error("element {id} is at version {has}, the operation's is {wants}")]
    Older { id: Arc<str>, has: u64, wants: u64 },
    #[error("element {0} is marked as deleted but stands among those that are there")]
    Deleted(Arc<str>),
    #[error(transparent)]
    Step(#[from] super::undo::NoSuchStep),
}

impl State {
    /// Does what the operation says. An error leaves the board as it was.
    pub fn apply(&mut self, operation: &Operation) -> Result<Applied, Misfit> {
        let Operation { by, session, id, at, done, rules, .. } = operation;
        let applied = match done {
            Done::Change { gesture, edit } => {
                self.check(edit)?;
                let (applied, parts) = self.edit(edit.clone(), operation);
                let gesture = gesture.map(|number| Gesture { session: session.clone(), number });
                self.stacks.done(by.user, gesture, parts);
                applied
            }
            Done::Undo { popped, edit } => self.take_back(Way::Undo, *popped, edit, operation)?,
            Done::Redo { popped, edit } => self.take_back(Way::Redo, *popped, edit, operation)?,
            Done::Clear { nonce } => {
                let (applied, parts) = self.edit(self.clearing(*nonce), operation);
                self.stacks.done(by.user, None, parts);
                applied
            }
            Done::Restore { edit, values, .. } => {
                self.check(edit)?;
                self.settings = self.merged(values);
                let (applied, parts) = self.edit(edit.clone(), operation);
                self.stacks.done(by.user, None, parts);
                applied
            }
            Done::Lock(on) => {
                self.locked = *on;
                Applied::default()
            }
            Done::Quiz(on) => {
                self.quiz = *on;
                Applied::default()
            }
            Done::Title(title) => {
                self.title = Some(title.clone());
                Applied::default()
            }
            Done::Settings(pairs) => {
                self.settings = self.merged(pairs);
                Applied::default()
            }
        };
        self.stacks.limit(by.user, *rules);
        self.sessions.executed(by.user, session, *id);
        let forgotten = self.elements.forgotten();
        self.elements.prune(*at);
        if *rules == Rules::First {
            self.elements.set_forgotten(forgotten);
        }
        Ok(applied)
    }

    /// The board's look with other values merged in.
    pub fn merged(&self, pairs: &Pairs) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut settings = self.settings.clone();
        for (key, value) in pairs {
            if &**value == "null" {
                settings.remove(key);
            } else {
                settings.insert(key.clone(), value.clone());
            }
        }
        settings
    }

    /// What to merge into the board's look to give each setting the value that it had. What had none stays: an import
    /// puts elements first and then the look, and going back between them should not take that away.
    pub fn settings_to(&self, wanted: &BTreeMap<Arc<str>, Arc<str>>) -> Pairs {
        let changed = wanted.iter().filter(|(key, value)| self.settings.get(*key) != Some(*value));
        changed.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The elements that are there, by id.
    pub fn live(&self) -> Vec<Element> {
        self.elements.iter().map(|(_, element)| element.clone()).collect()
    }

    /// What deletes every element.
    fn clearing(&self, nonce: u64) -> Edit {
        let next = |element: &Element| Stamp { version: element.version() + 1, nonce };
        let deleted = self
            .elements
            .iter()
            .filter(|(_, element)| element.version() < GREATEST)
            .map(|(_, element)| Deleted { id: element.id().clone(), stamp: next(element) })
            .collect();
        Edit { elements: Vec::new(), deleted }
    }

    fn check(&self, edit: &Edit) -> Result<(), Misfit> {
        let elements = edit.elements.iter().map(|element| (element.id(), element.stamp()));
        let deleted = edit.deleted.iter().map(|one| (&one.id, one.stamp));
        for (id, stamp) in elements.chain(deleted) {
            let has = self.elements.get(id).map(Known::stamp);
            if let Some(has) = has.filter(|has| !stamp.wins_over(*has)) {
                return Err(Misfit::Older { id: id.clone(), has: has.version, wants: stamp.version });
            }
        }
        match edit.elements.iter().find(|element| element.is_deleted()) {
            Some(element) => Err(Misfit::Deleted(element.id().clone())),
            None => Ok(()),
        }
    }

    fn take_back(&mut self, way: Way, popped: usize, edit: &Edit, operation: &Operation) -> Result<Applied, Misfit> {
        let user = operation.by.user;
        self.check(edit)?;
        self.stacks.has(user, way, popped)?;
        let (applied, parts) = self.edit(edit.clone(), operation);
        self.stacks.taken_back(user, way, popped, parts)?;
        Ok(applied)
    }

    /// Changes the elements; gives what that did, for undo.
    fn edit(&mut self, edit: Edit, operation: &Operation) -> (Applied, Vec<Part>) {
        let (by, at) = (operation.by, operation.at);
        let mut parts = Vec::new();
        let mut owners = Vec::with_capacity(edit.elements.len() + edit.deleted.len());
        for element in &edit.elements {
            let owner = operation.owners.get(element.id()).copied().unwrap_or(by);
            let before = self.elements.put(element.clone(), owner);
            owners.push(before.as_ref().map_or(owner, |known| known.owner));
            parts.extend(Part::between(before.as_ref().and_then(Known::live), Some(element)));
        }
        for deleted in &edit.deleted {
            let before = self.elements.bury(deleted, by, by.user, at);
            owners.push(before.as_ref().map_or(by, |known| known.owner));
            let gone = before.as_ref().and_then(|known| Some((known.live()?, known.owner)));
            let noted = |owner| (operation.rules == Rules::Second).then_some(owner);
            parts.extend(gone.map(|(element, owner)| Part::Deleted(element.clone(), noted(owner))));
        }
        (Applied { edit, owners }, parts)
    }

    /// The last executed request of a session, 0 if none is known.
    pub fn last(&self, user: UserId, session: &Arc<str>) -> u64 {
        self.sessions.last(user, session)
    }
}

impl Durable for State {
    fn replay(&mut self, record: &str) -> Result<(), RecordError> {
        let operation = Operation::decode(record)?;
        self.apply(&operation).map_err(|misfit| RecordError::Misfit(misfit.to_string()))?;
        Ok(())
    }

    fn encode(&self) -> String {
        snapshot::encode(self)
    }

    fn decode(text: &str) -> Result<Self, RecordError> {
        snapshot::decode(text.to_owned())
    }

    fn take(text: String) -> Result<Self, RecordError> {
        snapshot::decode(text)
    }

    fn inspect(&self) -> Result<(), RecordError> {
        for (_, element) in self.elements.iter() {
            let read = Element::from_text(element.text()).map_err(|error| RecordError::Misfit(error.to_string()))?;
            if (read.id(), read.stamp(), read.is_deleted()) != (element.id(), element.stamp(), false) {
                return Err(RecordError::Misfit(format!("element {} is another than its text says", element.id())));
            }
        }
        Ok(())
    }

    fn count(&self) -> u64 {
        self.elements.count() as u64
    }
}

#[cfg(test)]
mod tests;
