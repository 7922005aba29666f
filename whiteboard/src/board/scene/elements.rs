//! The elements of a board, by id: those that are there, and what is remembered of those that were deleted.

use super::element::{Deleted, Element, Stamp};
use super::identity::UserId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Deleted elements that are remembered, so that a late change does not bring them back.
pub const TOMBSTONES: usize = 5_000;

/// For how long a deleted element is remembered, in milliseconds.
pub const TOMBSTONE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Whose an element is: who made it. Decides what pupils see during a quiz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    pub user: UserId,
    pub teacher: bool,
}

/// What is remembered of a deleted element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    pub stamp: Stamp,
    /// Who deleted it.
    pub by: UserId,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Its place in the order of deletions.
    order: u64,
}

/// An element, or what is left of it.
#[derive(Clone, Debug)]
pub enum Life {
    Live(Element),
    /// Apart: most are there, and those should not take the room of a tombstone each.
    Dead(Box<Tombstone>),
}

/// What a board knows under an id.
#[derive(Clone, Debug)]
pub struct Known {
    pub owner: Owner,
    pub life: Life,
}

impl Known {
    pub fn stamp(&self) -> Stamp {
        match &self.life {
            Life::Live(element) => element.stamp(),
            Life::Dead(tombstone) => tombstone.stamp,
        }
    }

    /// The element, if it is there.
    pub fn live(&self) -> Option<&Element> {
        match &self.life {
            Life::Live(element) => Some(element),
            Life::Dead(_) => None,
        }
    }
}

/// All elements of a board.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    known: BTreeMap<Arc<str>, Known>,
    live: usize,
    bytes: usize,
    /// Deletions in order; one whose number is not that of its tombstone any more is void.
    graves: VecDeque<(u64, Arc<str>)>,
    next_order: u64,
    /// The highest version of a deletion that is not remembered here any more.
    forgotten: u64,
}

impl Elements {
    pub fn get(&self, id: &str) -> Option<&Known> {
        self.known.get(id)
    }

    /// The element, if it is there and not deleted.
    pub fn live(&self, id: &str) -> Option<&Element> {
        self.get(id)?.live()
    }

    /// Elements that are all there, by id; of two with one id the last counts.
    pub fn of(all: impl IntoIterator<Item = (Owner, Element)>) -> Self {
        let known =
            |(owner, element): (Owner, Element)| (element.id().clone(), Known { owner, life: Life::Live(element) });
        let known: BTreeMap<Arc<str>, Known> = all.into_iter().map(known).collect();
        let bytes = known.values().filter_map(Known::live).map(Element::bytes).sum();
        Self { live: known.len(), bytes, known, ..Self::default() }
    }

    /// Elements that are not deleted, by id.
    pub fn iter(&self) -> impl Iterator<Item = (Owner, &Element)> {
        self.known.values().filter_map(|known| Some((known.owner, known.live()?)))
    }

    /// Deleted elements in the order of their deletion.
    pub fn tombstones(&self) -> impl Iterator<Item = (&Arc<str>, Owner, Tombstone)> {
        self.graves.iter().filter_map(|(order, id)| {
            let known = self.known.get(id)?;
            match &known.life {
                Life::Dead(tombstone) if tombstone.order == *order => Some((id, known.owner, **tombstone)),
                _ => None,
            }
        })
    }

    /// The highest version of a deletion that was forgotten by [`Self::prune`], 0 if there is none. Clients may remember
    /// it still: of an element that nothing is known of here, what is brought back must have a higher version, or they
    /// keep it deleted.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Takes over [`Self::forgotten`] from a snapshot.
    pub fn set_forgotten(&mut self, version: u64) {
        self.forgotten = version;
    }

    /// Number of elements that are not deleted.
    pub fn count(&self) -> usize {
        self.live
    }

    /// Bytes of the texts of those.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an element in its place, whatever was there; `owner` counts if nothing was. Gives what was there.
    pub fn put(&mut self, element: Element, owner: Owner) -> Option<Known> {
        let owner = self.get(element.id()).map_or(owner, |known| known.owner);
        self.live += 1;
        self.bytes += element.bytes();
        let before = self.known.insert(element.id().clone(), Known { owner, life: Life::Live(element) });
        self.forget_size(before.as_ref());
        before
    }

    /// Remembers an element as deleted, whatever was there; `owner` counts if nothing was. Gives what was there.
    pub fn bury(&mut self, deleted: &Deleted, owner: Owner, by: UserId, at: i64) -> Option<Known> {
        let owner = self.get(&deleted.id).map_or(owner, |known| known.owner);
        let order = self.next_order;
        self.next_order += 1;
        self.graves.push_back((order, deleted.id.clone()));
        let life = Life::Dead(Box::new(Tombstone { stamp: deleted.stamp, by, at, order }));
        let before = self.known.insert(deleted.id.clone(), Known { owner, life });
        self.forget_size(before.as_ref());
        before
    }

    fn forget_size(&mut self, before: Option<&Known>) {
        if let Some(element) = before.and_then(Known::live) {
            self.live -= 1;
            self.bytes -= element.bytes();
        }
    }

    /// Forgets deleted elements that are too old or too many at this moment (milliseconds since 1970). What goes
    /// depends on the board and the moment only.
    pub fn prune(&mut self, at: i64) {
        let is_void = |known: &BTreeMap<Arc<str>, Known>, order: u64, id: &Arc<str>| !matches!(known.get(id), Some(Known { life: Life::Dead(tombstone), .. }) if tombstone.order == order);
        while let Some((order, id)) = self.graves.front() {
            let void = is_void(&self.known, *order, id);
            if !void {
                let many = self.known.len() - self.live > TOMBSTONES;
                let old = matches!(self.known.get(id), Some(Known { life: Life::Dead(tombstone), .. })
                    if at.saturating_sub(tombstone.at) > TOMBSTONE_MS);
                if !many && !old {
                    break;
                }
                if let Some(gone) = self.known.remove(id) {
                    self.forgotten = self.forgotten.max(gone.stamp().version);
                }
            }
            self.graves.pop_front();
        }
        // What is deleted and brought back again and again leaves void graves behind one that stays.
        if self.graves.len() > 2 * (self.known.len() - self.live) + 64 {
            let known = &self.known;
            self.graves.retain(|(order, id)| !is_void(known, *order, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Owner = Owner { user: UserId(1), teacher: false };
    const YOU: Owner = Owner { user: UserId(2), teacher: true };

    fn element(id: &str, version: u64) -> Element {
        Element::from_text(&format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":0}}"#)).unwrap()
    }

    fn deleted(id: &str, version: u64) -> Deleted {
        Deleted { id: id.into(), stamp: Stamp { version, nonce: 0 } }
    }

    fn dead(elements: &Elements) -> Vec<String> {
        elements.tombstones().map(|(id, ..)| id.to_string()).collect()
    }

    #[test]
    fn count_and_bytes_are_those_of_what_is_there() {
        let mut all = Elements::default();
        assert!(all.put(element("a", 1), ME).is_none());
        all.put(element("b", 100), ME);
        all.put(element("a", 10), YOU);
        assert_eq!((all.count(), all.bytes()), (2, element("a", 10).text().len() + element("b", 100).text().len()));
        assert_eq!(all.get("a").unwrap().owner, ME, "whoever made it keeps it");
        let before = all.bury(&deleted("b", 101), YOU, YOU.user, 7).unwrap();
        assert_eq!(before.stamp().version, 100);
        assert_eq!((all.count(), all.bytes()), (1, element("a", 10).text().len()));
        assert!(all.live("b").is_none());
        assert_eq!(all.get("b").unwrap().stamp().version, 101);
        assert_eq!(all.iter().count(), 1);
        all.put(element("b", 102), YOU);
        assert_eq!((all.count(), dead(&all).len()), (2, 0));
        assert_eq!(all.get("b").unwrap().owner, ME);
    }

    #[test]
    fn elements_that_come_together_are_counted_like_those_that_come_one_by_one() {
        let some = [(ME, element("b", 1)), (YOU, element("a", 20)), (ME, element("a", 3))];
        let mut all = Elements::of(some);
        let texts: Vec<&str> = all.iter().map(|(_, element)| element.text()).collect();
        assert_eq!(texts, [element("a", 3).text(), element("b", 1).text()]);
        assert_eq!((all.count(), all.bytes()), (2, 2 * element("a", 3).text().len()));
        all.bury(&deleted("a", 4), YOU, YOU.user, 0);
        assert_eq!((all.count(), all.bytes()), (1, element("b", 1).text().len()));
        assert_eq!(Elements::of([]).count(), 0);
    }

    #[test]
    fn the_oldest_tombstones_go_when_there_are_too_many() {
        let mut all = Elements::default();
        all.put(element("live", 1), ME);
        for n in 0..TOMBSTONES + 3 {
            all.bury(&deleted(&format!("d{n}"), 1), ME, ME.user, 0);
            all.prune(0);
        }
        let dead = dead(&all);
        assert_eq!((dead.len(), dead[0].as_str()), (TOMBSTONES, "d3"));
        assert!(all.get("d2").is_none() && all.live("live").is_some());
        assert_eq!(all.forgotten(), 1);
    }

    #[test]
    fn tombstones_go_after_seven_days() {
        let mut all = Elements::default();
        all.bury(&deleted("old", 7), ME, ME.user, 1000);
        all.bury(&deleted("new", 1), ME, ME.user, 2000);
        all.prune(1000 + TOMBSTONE_MS);
        assert_eq!((dead(&all), all.forgotten()), (vec!["old".to_owned(), "new".to_owned()], 0));
        all.prune(1001 + TOMBSTONE_MS);
        assert_eq!((dead(&all), all.forgotten()), (vec!["new".to_owned()], 7));
        all.prune(i64::MIN);
        assert_eq!(dead(&all), ["new"], "a clock that went back forgets nothing");
    }

    #[test]
    fn deleting_and_bringing_back_for_ever_keeps_no_graves() {
        let mut all = Elements::default();
        all.bury(&deleted("stays", 1), ME, ME.user, 0);
        for version in 1..2000 {
            all.put(element("a", version), ME);
            all.bury(&deleted("a", version), ME, ME.user, 0);
            all.prune(0);
        }
        assert!(all.graves.len() < 80, "{}", all.graves.len());
        assert_eq!(dead(&all), ["stays", "a"]);
    }
}
