//! What a client shows: the acknowledged board, and on top of it what it asked for itself.

use super::{Replica, State};
use crate::drafts::Drafts;
use crate::element::Element;
use crate::message::{Person, Welcome};
use std::collections::{BTreeMap, HashMap};

impl State {
    /// The board as it is shown: acknowledged, and on top of it what this client asked for. From below to above.
    pub fn elements(&self) -> Vec<&Element> {
        let mut shown: HashMap<&str, &Element> = HashMap::new();
        if let Some(replica) = self.known() {
            shown.extend(replica.elements.iter().map(|(id, element)| (&**id, element)));
        }
        for element in self.asked() {
            match shown.get(&*element.id) {
                Some(known) if !element.stamp.beats(known.stamp) => {}
                _ => drop(shown.insert(&element.id, element)),
            }
        }
        let mut elements: Vec<&Element> = shown.into_values().filter(|element| !element.deleted).collect();
        elements.sort_by(|one, other| one.place(other));
        elements
    }

    /// One element as it is shown, deleted ones too.
    pub fn element(&self, id: &str) -> Option<&Element> {
        let known = self.known().and_then(|replica| replica.elements.get(id));
        self.asked().filter(|element| &*element.id == id).fold(known, |shown, element| match shown {
            Some(known) if !element.stamp.beats(known.stamp) => Some(known),
            _ => Some(element),
        })
    }

    /// The whole board if there is one, else what has come of it.
    fn known(&self) -> Option<&Replica> {
        self.acknowledged.as_ref().or(self.incoming.as_ref())
    }

    fn asked(&self) -> impl Iterator<Item = &Element> {
        self.queue.iter().flat_map(|pending| pending.request.elements())
    }

    /// Number of the last operation that is known, if the board is.
    pub fn seq(&self) -> Option<u64> {
        self.acknowledged.as_ref().map(|replica| replica.seq)
    }

    /// How many requests were not answered.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How the connection began, as long as it stands.
    pub fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref()
    }

    /// Connected, the board whole, and nothing waits.
    pub fn is_settled(&self) -> bool {
        self.welcome.is_some() && self.acknowledged.is_some() && self.incoming.is_none() && self.queue.is_empty()
    }

    /// Everybody on this board, by client.
    pub fn people(&self) -> &BTreeMap<u64, Person> {
        &self.people
    }

    pub fn drafts(&self) -> &Drafts {
        &self.drafts
    }

    pub fn locked(&self) -> bool {
        self.locked
    }

    pub fn quiz(&self) -> bool {
        self.quiz
    }

    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The board's settings as JSON text.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Steps that this user may undo and redo.
    pub fn steps(&self) -> (u64, u64) {
        (self.undo, self.redo)
    }
}
