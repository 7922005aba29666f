//! What one step of a user did to elements, and how it is taken back against the board as it is now.

use super::element::{Element, Stamp};
use super::elements::Owner;
use super::object::Object;
use crate::board::classroom::stroke::key_of;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Keys that each change of an element gives a new value: they say nothing about what was changed.
const BOOKKEEPING: [&str; 5] = ["id", "version", "versionNonce", "updated", "isDeleted"];

/// A key of an element that a step changed; JSON texts, none: the key was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: Arc<str>,
    pub before: Option<Arc<str>>,
    pub after: Option<Arc<str>>,
}

/// What a step did to one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It was not there and is as given now.
    Created(Element),
    /// It was as given and is not there now; whose it was, if that was noted.
    Deleted(Element, Option<Owner>),
    /// These keys have other values now.
    Modified { id: Arc<str>, keys: Vec<Key> },
}

/// What takes a part back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inverse {
    /// The JSON text that the element should have, but for its stamp.
    Put(String),
    Delete,
}

/// Whether two JSON texts mean the same. Clients write numbers and strings anew, each in its own way.
fn same(one: &str, other: &str) -> bool {
    one == other || key_of(one) == key_of(other)
}

fn same_or_none(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// Elements were read as objects before: this fails for none of them.
fn object(element: &Element) -> Object<'_> {
    Object::parse(element.text()).unwrap_or_default()
}

/// The keys in which two elements differ.
fn differing(before: &Element, after: &Element) -> Vec<Key> {
    if before == after {
        return Vec::new();
    }
    let (old, new) = (object(before), object(after));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).filter(|name| !BOOKKEEPING.contains(name)).collect();
    let differ = |name: &&str| !same_or_none(old.get(name), new.get(name));
    let key = |name: &str| Key {
        name: name.into(),
        before: old.get(name).map(Into::into),
        after: new.get(name).map(Into::into),
    };
    names.into_iter().filter(differ).map(key).collect()
}

/// Whether two states of an element look the same. Where it lies between others does not count: putting something
/// else below it gives it a new index.
pub fn same_work(one: &Element, other: &Element) -> bool {
    differing(one, other).iter().all(|key| &*key.name == "index")
}

/// Whether two states of an element differ in nothing but their stamps.
pub fn same_content(one: &Element, other: &Element) -> bool {
    differing(one, other).is_empty()
}

/// The text of an element with another stamp, not deleted.
pub fn restamped(text: &str, stamp: Stamp) -> String {
    let mut object = Object::parse(text).unwrap_or_default();
    object.set("version", stamp.version.to_string());
    object.set("versionNonce", stamp.nonce.to_string());
    if object.get("isDeleted").is_some_and(|deleted| deleted != "false") {
        object.set("isDeleted", "false");
    }
    object.text()
}

impl Part {
    /// What happened to an element that was there, or not, before and after. None if nothing that counts.
    pub fn between(before: Option<&Element>, after: Option<&Element>) -> Option<Self> {
        match (before, after) {
            (None, None) => None,
            (None, Some(after)) => Some(Self::Created(after.clone())),
            (Some(before), None) => Some(Self::Deleted(before.clone(), None)),
            (Some(before), Some(after)) => {
                let keys = differing(before, after);
                (!keys.is_empty()).then(|| Self::Modified { id: after.id().clone(), keys })
            }
        }
    }

    /// The element's id.
    pub fn id(&self) -> &Arc<str> {
        match self {
            Self::Created(element) | Self::Deleted(element, _) => element.id(),
            Self::Modified { id, .. } => id,
        }
    }

    /// Bytes that this keeps in memory, about.
    pub fn weight(&self) -> usize {
        let texts = match self {
            Self::Created(element) | Self::Deleted(element, _) => element.bytes(),
            Self::Modified { keys, .. } => keys.iter().map(Key::weight).sum(),
        };
        texts + 64
    }

    /// What takes this back where the element is now as given (none: not there). None if nothing of it is left:
    /// others have changed what this did.
    pub fn inverse(&self, now: Option<&Element>) -> Option<Inverse> {
        match (self, now) {
            (Self::Created(made), Some(now)) => same_work(made, now).then_some(Inverse::Delete),
            (Self::Deleted(gone, _), None) => Some(Inverse::Put(gone.text().to_owned())),
            (Self::Modified { keys, .. }, Some(now)) => {
                let mut object = object(now);
                let mut changed = false;
                for key in keys {
                    if same_or_none(object.get(&key.name), key.after.as_deref()) {
                        match &key.before {
                            Some(before) => object.set(&key.name, before.to_string()),
                            None => object.remove(&key.name),
                        }
                        changed = true;
                    }
                }
                changed.then(|| Inverse::Put(object.text()))
            }
            _ => None,
        }
    }

    /// Makes one part of this and what the same user did next to the same element. Gives the later one back if both
    /// have to stay, because others changed the element between them. None is left if both together did nothing.
    pub fn then(self, next: Self) -> Joined {
        match (self, next) {
            (Self::Created(made), Self::Modified { id, keys }) => {
                let object = object(&made);
                let fits = keys.iter().all(|key| same_or_none(object.get(&key.name), key.before.as_deref()));
                let next = Self::Modified { id, keys };
                if !fits {
                    return Joined::Both(Self::Created(made), next);
                }
                match next.apply(&made) {
                    Some(after) => Joined::One(Self::Created(after)),
                    None => Joined::Both(Self::Created(made), next),
                }
            }
            (Self::Created(made), Self::Deleted(gone, _)) if same_work(&made, &gone) => Joined::Nothing,
            (Self::Modified { id, keys: first }, Self::Modified { keys: second, .. }) => join_keys(id, first, second),
            (first, next) => Joined::Both(first, next),
        }
    }

    /// An element after the modification.
    fn apply(&self, to: &Element) -> Option<Element> {
        let Self::Modified { keys, .. } = self else { return None };
        let mut object = object(to);
        for key in keys {
            match &key.after {
                Some(after) => object.set(&key.name, after.to_string()),
                None => object.remove(&key.name),
            }
        }
        Element::from_text(&object.text()).ok()
    }
}

/// What became of two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    Nothing,
    One(Part),
    Both(Part, Part),
}

fn join_keys(id: Arc<str>, first: Vec<Key>, second: Vec<Key>) -> Joined {
    let place = |name: &str| first.iter().position(|key| &*key.name == name);
    let fits = |next: &Key| {
        place(&next.name).is_none_or(|place| same_or_none(first[place].after.as_deref(), next.before.as_deref()))
    };
    if !second.iter().all(fits) {
        return Joined::Both(Part::Modified { id: id.clone(), keys: first }, Part::Modified { id, keys: second });
    }
    let mut keys = first;
    for next in second {
        match keys.iter_mut().find(|key| key.name == next.name) {
            Some(key) => key.after = next.after,
            None => keys.push(next),
        }
    }
    keys.retain(|key| !same_or_none(key.before.as_deref(), key.after.as_deref()));
    if keys.is_empty() { Joined::Nothing } else { Joined::One(Part::Modified { id, keys }) }
}

impl Key {
    fn weight(&self) -> usize {
        let value = |value: &Option<Arc<str>>| value.as_ref().map_or(0, |value| value.len());
        self.name.len() + value(&self.before) + value(&self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(version: u64, rest: &str) -> Element {
        let text = format!(r#"{{"id":"a","type":"t","version":{version},"versionNonce":0{rest}}}"#);
        Element::from_text(&text).unwrap()
    }

    fn modified(before: &str, after: &str) -> Part {
        Part::between(Some(&element(1, before)), Some(&element(2, after))).unwrap()
    }

    fn text(inverse: Option<Inverse>) -> String {
        match inverse {
            Some(Inverse::Put(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bookkeeping_is_no_change() {
        let (one, other) = (element(1, r#","x":1.0,"updated":5"#), element(9, r#","updated":6,"x":1"#));
        assert_eq!(Part::between(Some(&one), Some(&other)), None);
        assert!(same_content(&one, &other) && same_work(&one, &other));
        let moved = element(9, r#","x":1,"index":"a1""#);
        assert!(same_work(&one, &moved) && !same_content(&one, &moved));
        assert!(!same_work(&one, &element(2, r#","x":2"#)));
        assert_eq!(Part::between(None, None), None);
    }

    #[test]
    fn undo_of_a_creation_deletes_unless_others_changed_it() {
        let part = Part::between(None, Some(&element(1, r#","x":1"#))).unwrap();
        assert_eq!(part.inverse(Some(&element(7, r#","x":1,"index":"b""#))), Some(Inverse::Delete));
        assert_eq!(part.inverse(Some(&element(7, r#","x":2"#))), None);
        assert_eq!(part.inverse(None), None);
    }

    #[test]
    fn undo_of_a_deletion_brings_back_what_was_there() {
        let part = Part::between(Some(&element(3, r#","x":1"#)), None).unwrap();
        assert_eq!(text(part.inverse(None)), element(3, r#","x":1"#).text());
        assert_eq!(part.inverse(Some(&element(4, ""))), None);
    }

    #[test]
    fn undo_of_a_change_gives_back_only_keys_that_nobody_changed() {
        let part = modified(r#","x":1,"y":1,"c":"red""#, r#","x":2,"y":2,"new":[1]"#);
        let now = element(9, r#","x":2.0,"y":7,"new":[ 1 ],"other":true"#);
        let back = text(part.inverse(Some(&now)));
        assert_eq!(back, r#"{"id":"a","type":"t","version":9,"versionNonce":0,"x":1,"y":7,"other":true,"c":"red"}"#);
        let all_changed = element(9, r#","x":3,"y":3,"new":2,"c":"blue""#);
        assert_eq!(part.inverse(Some(&all_changed)), None);
        assert_eq!(part.inverse(None), None);
    }

    #[test]
    fn parts_of_one_gesture_become_one() {
        let made = Part::Created(element(1, r#","x":1"#));
        let joined = made.clone().then(modified(r#","x":1"#, r#","x":2"#));
        let Joined::One(Part::Created(after)) = joined else { panic!("{joined:?}") };
        assert!(same_content(&after, &element(1, r#","x":2"#)));
        let joined = modified(r#","x":1"#, r#","x":2"#).then(modified(r#","x":2,"y":1"#, r#","x":3,"y":2"#));
        assert_eq!(joined, Joined::One(modified(r#","x":1,"y":1"#, r#","x":3,"y":2"#)));
        let back = modified(r#","x":1"#, r#","x":2"#).then(modified(r#","x":2"#, r#","x":1"#));
        assert_eq!(back, Joined::Nothing);
        assert_eq!(made.then(Part::Deleted(element(2, r#","x":1"#), None)), Joined::Nothing);
    }

    #[test]
    fn what_others_did_between_keeps_parts_apart() {
        for (first, next) in [
            (Part::Created(element(1, r#","c":1"#)), modified(r#","c":5"#, r#","c":2"#)),
            (modified(r#","x":1"#, r#","x":2"#), modified(r#","x":5"#, r#","x":3"#)),
            (Part::Created(element(1, r#","c":1"#)), Part::Deleted(element(3, r#","c":5"#), None)),
            (Part::Deleted(element(1, ""), None), Part::Created(element(3, ""))),
        ] {
            assert_eq!(first.clone().then(next.clone()), Joined::Both(first, next));
        }
    }

    #[test]
    fn a_new_stamp_leaves_the_rest_alone() {
        let stamp = Stamp { version: 8, nonce: 9 };
        let text = r#"{ "id":"a","type":"t","x":1.50,"version":1,"versionNonce":2,"isDeleted": true }"#;
        let expected = r#"{"id":"a","type":"t","x":1.50,"version":8,"versionNonce":9,"isDeleted":false}"#;
        assert_eq!(restamped(text, stamp), expected);
        let plain = r#"{"id":"a","type":"t","version":1,"versionNonce":2}"#;
        assert_eq!(restamped(plain, stamp), r#"{"id":"a","type":"t","version":8,"versionNonce":9}"#);
    }
}
