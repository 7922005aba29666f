//! What comes of a change that a client asks for: which elements win the merge, and whether it is refused.

use super::element::{Deleted, Element};
use super::elements::{Elements, Known, Owner};
use super::event::{Code, Refused};
use super::operation::{Edit, Owners};
use super::step::{restamped, same_content};
use super::visibility::Eyes;
use crate::board::core::Limits;
use crate::board::scene::element::{GREATEST, Stamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How far an element's version may be above the one that the server has. Without it one client could take the last
/// version there is, and nobody could change the element any more.
pub const VERSION_JUMP: u64 = 1_000_000;

/// What a change comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// What the board takes.
    pub edit: Edit,
    /// What the sender has to take instead of its own.
    pub lost: Edit,
}

/// Merges the elements that a client sends into the board, or refuses all of them. `eyes`: who sends them, while a
/// quiz runs.
pub fn merge(
    elements: &Elements,
    incoming: Vec<Element>,
    eyes: Option<Eyes>,
    limits: &Limits,
) -> Result<Merged, (Code, String)> {
    let mut order: Vec<Arc<str>> = Vec::new();
    let mut newest: HashMap<Arc<str>, Element> = HashMap::new();
    for element in incoming {
        let known = elements.get(element.id());
        if let (Some(known), Some(eyes)) = (known, eyes)
            && !eyes.see(known.owner)
        {
            let message = format!("Element {} is not yours to change while the quiz runs.", element.id());
            return Err((Code::Element, message));
        }
        let bytes = element.bytes();
        if bytes > limits.element_bytes {
            let message =
                format!("Element {} has {bytes} bytes; an element may have {}.", element.id(), limits.element_bytes);
            return Err((Code::TooLarge, message));
        }
        if element.version() > known.map_or(0, |known| known.stamp().version) + VERSION_JUMP {
            let message = format!("Element {} claims a version that it cannot have reached.", element.id());
            return Err((Code::Element, message));
        }
        match newest.get_mut(element.id()) {
            Some(before) if element.stamp().wins_over(before.stamp()) => *before = element,
            Some(_) => {}
            None => {
                order.push(element.id().clone());
                newest.insert(element.id().clone(), element);
            }
        }
    }
    let mut merged = Merged::default();
    for id in order {
        let Some(element) = newest.remove(&id) else { continue };
        match elements.get(&id) {
            Some(known) if !element.stamp().wins_over(known.stamp()) => lose(known, &element, &mut merged.lost),
            _ if element.is_deleted() => merged.edit.deleted.push(element.as_deleted()),
            _ => merged.edit.elements.push(element),
        }
    }
    check_room(elements, &merged.edit, limits)?;
    Ok(merged)
}

/// Notes what the board has, if it is not what was sent.
fn lose(known: &Known, sent: &Element, lost: &mut Edit) {
    match known.live() {
        Some(has) if has == sent => {}
        Some(has) => lost.elements.push(has.clone()),
        None if sent.is_deleted() && sent.stamp() == known.stamp() => {}
        None => lost.deleted.push(Deleted { id: sent.id().clone(), stamp: known.stamp() }),
    }
}

/// Refuses what would make a board fuller than it may be. What makes it emptier is always welcome.
pub fn check_room(elements: &Elements, edit: &Edit, limits: &Limits) -> Result<(), (Code, String)> {
    let live = |id: &str| elements.live(id).map(Element::bytes);
    let gone = edit.elements.iter().map(Element::id).chain(edit.deleted.iter().map(|deleted| &deleted.id));
    let gone: Vec<usize> = gone.filter_map(|id| live(id)).collect();
    let count = elements.count() + edit.elements.len() - gone.len();
    let bytes = elements.bytes() + edit.elements.iter().map(Element::bytes).sum::<usize>() - gone.iter().sum::<usize>();
    if count > limits.elements && count > elements.count() {
        return Err((
            Code::BoardFull,
            format!(
                "The board is full: it may have {} elements. Delete some, or begin another board.",
                limits.elements
            ),
        ));
    }
    if bytes > limits.bytes && bytes > elements.bytes() {
        return Err((
            Code::BoardFull,
            format!("The board is full: it may have {} bytes. Delete something, or begin another board.", limits.bytes),
        ));
    }
    Ok(())
}

/// What brings the board back to earlier elements, and whose those are of which the board remembers nothing.
pub fn restoring(elements: &Elements, target: &[(Owner, Element)], mut nonce: impl FnMut() -> u64) -> (Edit, Owners) {
    let target = target.iter().filter(|(_, element)| !element.is_deleted());
    let target: BTreeMap<&Arc<str>, (Owner, &Element)> =
        target.map(|(owner, element)| (element.id(), (*owner, element))).collect();
    let (mut edit, mut owners) = (Edit::default(), Owners::default());
    for (_, element) in elements.iter() {
        if !target.contains_key(element.id()) && element.version() < GREATEST {
            let stamp = Stamp { version: element.version() + 1, nonce: nonce() };
            edit.deleted.push(Deleted { id: element.id().clone(), stamp });
        }
    }
    for (id, (owner, wanted)) in target {
        let known = elements.get(id);
        if known.and_then(Known::live).is_some_and(|now| same_content(now, wanted)) {
            continue;
        }
        // What is not known was deleted, and clients may remember that.
        let forgotten = || elements.forgotten().max(wanted.version() + 1);
        let version = known.map_or_else(forgotten, |known| known.stamp().version.max(wanted.version())) + 1;
        if version <= GREATEST {
            let text = restamped(wanted.text(), Stamp { version, nonce: nonce() });
            edit.elements.extend(Element::from_text(&text));
            if known.is_none() {
                owners.insert(id.clone(), owner);
            }
        }
    }
    (edit, owners)
}

/// A refusal that tells the sender how the board is where it asked for something else.
pub fn refused(
    elements: &Elements,
    id: u64,
    (code, message): (Code, String),
    asked: &[Arc<str>],
    eyes: Option<Eyes>,
) -> Refused {
    let mut refused = Refused::new(code, Some(id), message);
    for id in asked.iter().collect::<BTreeSet<_>>() {
        let Some(known) = elements.get(id) else { continue };
        if eyes.is_some_and(|eyes| !eyes.see(known.owner)) {
            continue;
        }
        match known.live() {
            Some(element) => refused.elements.push(element.clone()),
            None => refused.deleted.push(Deleted { id: id.clone(), stamp: known.stamp() }),
        }
    }
    refused
}

#[cfg(test)]
mod tests;
