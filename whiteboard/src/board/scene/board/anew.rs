//! The whole board anew: for those who see another part of it when a quiz begins or ends, and instead of a change that is
//! too large to be told as one message. As a board it comes in parts, which may wait for a client as long as it takes them.

use super::Scene;
use crate::board::core::{ClientId, Effect, Outcome, Tell, To};
use crate::board::scene::catchup::parts;
use crate::board::scene::element::Element;
use crate::board::scene::event::{Changed, Event, Snapshot};
use crate::board::scene::identity::UserId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a change from which on the board is shown anew instead. Half of what may wait for a client: who has something
/// else to read as well is not to be closed for that.
const LARGE_CHANGE: usize = 4 << 20;

/// Whether a change is told as a board instead.
pub(super) fn is_large(changed: &Arc<Changed>) -> bool {
    Event::Change(changed.clone()).weight() > LARGE_CHANGE
}

impl Scene {
    /// Sends clients a reset and the board as they see it. Those who see the same get the same texts.
    pub(super) fn show_anew(&self, clients: &[ClientId], reason: &str, outcome: &mut Outcome<Event>) {
        if clients.is_empty() {
            return;
        }
        outcome.push(To::Only(clients.into()), Event::Reset { reason: reason.into() });
        let sees_less = |id: &ClientId| self.clients.get(id).is_some_and(|client| self.blinkered(client).is_some());
        let (pupils, others): (Vec<ClientId>, Vec<ClientId>) = clients.iter().copied().partition(sees_less);
        if !pupils.is_empty() {
            self.show_parts(&pupils, outcome);
        }
        if !others.is_empty() {
            let all = self.state.elements.iter().map(|(_, element)| element);
            send(&others, parts(self.seq, all), outcome);
        }
    }

    /// During a quiz: the teachers' elements, the same parts for all, then to each user the own ones. So all texts that
    /// wait are together no longer than the board, however many look at it.
    fn show_parts(&self, clients: &[ClientId], outcome: &mut Outcome<Event>) {
        let teachers = self.state.elements.iter().filter(|(owner, _)| owner.teacher).map(|(_, element)| element);
        let shared = parts(self.seq, teachers).into_iter().map(|part| Snapshot { more: true, ..part });
        send(clients, shared, outcome);
        let mut own: BTreeMap<UserId, Vec<&Element>> = BTreeMap::new();
        for (owner, element) in self.state.elements.iter().filter(|(owner, _)| !owner.teacher) {
            own.entry(owner.user).or_default().push(element);
        }
        let mut groups: BTreeMap<Option<UserId>, Vec<ClientId>> = BTreeMap::new();
        for id in clients {
            let user = self.clients.get(id).map(super::Client::user).filter(|user| own.contains_key(user));
            groups.entry(user).or_default().push(*id);
        }
        for (user, clients) in groups {
            let elements = user.and_then(|user| own.remove(&user)).unwrap_or_default();
            send(&clients, parts(self.seq, elements.into_iter()), outcome);
        }
    }
}

fn send(clients: &[ClientId], parts: impl IntoIterator<Item = Snapshot>, outcome: &mut Outcome<Event>) {
    let clients: Arc<[ClientId]> = clients.into();
    let effect = |part| Effect { to: To::Only(clients.clone()), event: Event::Snapshot(Arc::new(part)) };
    outcome.effects.extend(parts.into_iter().map(effect));
}

#[cfg(test)]
mod tests;
