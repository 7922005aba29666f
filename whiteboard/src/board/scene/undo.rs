//! Each user's own steps: what can be undone and redone.
//!
//! A step is taken back against the board as it is (see [`super::step`]), and what taking it back did is a step again:
//! redo is nothing but the undo of an undo. So neither ever touches what others did since.

use super::element::{Deleted, Element, GREATEST, Stamp};
use super::elements::{Elements, Known, Life};
use super::identity::UserId;
use super::operation::{Edit, Owners, Rules};
use super::step::{Inverse, Joined, Part, restamped};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Steps of one user that can be undone.
pub const STEPS: usize = 100;

/// Users whose steps are kept; of more, whoever did nothing for the longest time loses them.
pub const USERS: usize = 512;

/// Bytes that all steps of a board but the largest one may take in memory, about; the oldest go first.
pub const BYTES: usize = 32 << 20;

/// Bytes that the largest step may have on top of those: a full board that somebody cleared. Otherwise that would take
/// everybody's steps, and could not be undone itself.
pub const LARGEST: usize = 72 << 20;

/// What holds changes together: the tab and the number that it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gesture {
    pub session: Arc<str>,
    pub number: u64,
}

/// What one user did in one go. An element may come more than once, if others changed it meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub gesture: Option<Gesture>,
    pub parts: Vec<Part>,
    /// Its place among the steps of all.
    pub order: u64,
}

/// One user's steps, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    pub undo: VecDeque<Step>,
    pub redo: VecDeque<Step>,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Undo,
    Redo,
}

/// How many steps there are to undo and to redo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub undo: usize,
    pub redo: usize,
}

/// What an undo or redo is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Steps that are used up: the last one is done, those before had nothing left.
    pub popped: usize,
    pub edit: Edit,
    /// Whose those elements are of which the board remembers nothing.
    pub owners: Owners,
}

/// All users' steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stacks {
    users: BTreeMap<UserId, Stack>,
    bytes: usize,
    next: u64,
}

/// The log says that a user took back more steps than there were.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("user {user} has {has} steps, not {popped}")]
pub struct NoSuchStep {
    user: UserId,
    has: usize,
    popped: usize,
}

impl Step {
    fn weight(&self) -> usize {
        64 + self.parts.iter().map(Part::weight).sum::<usize>()
    }

    /// Adds what happened later in the same gesture.
    fn join(&mut self, parts: Vec<Part>) {
        let mut newest: HashMap<Arc<str>, usize> =
            self.parts.iter().enumerate().map(|(place, part)| (part.id().clone(), place)).collect();
        let mut kept: Vec<Option<Part>> = std::mem::take(&mut self.parts).into_iter().map(Some).collect();
        for part in parts {
            let id = part.id().clone();
            let before = newest.get(&id).and_then(|place| Some((*place, kept[*place].take()?)));
            let Some((place, before)) = before else {
                newest.insert(id, kept.len());
                kept.push(Some(part));
                continue;
            };
            match before.then(part) {
                Joined::Nothing => {
                    newest.remove(&id);
                }
                Joined::One(one) => kept[place] = Some(one),
                Joined::Both(first, next) => {
                    kept[place] = Some(first);
                    newest.insert(id, kept.len());
                    kept.push(Some(next));
                }
            }
        }
        self.parts = kept.into_iter().flatten().collect();
    }
}

impl Stack {
    fn steps(&self, way: Way) -> &VecDeque<Step> {
        match way {
            Way::Undo => &self.undo,
            Way::Redo => &self.redo,
        }
    }

    fn steps_mut(&mut self, way: Way) -> &mut VecDeque<Step> {
        match way {
            Way::Undo => &mut self.undo,
            Way::Redo => &mut self.redo,
        }
    }

    fn weight(&self) -> usize {
        self.undo.iter().chain(&self.redo).map(Step::weight).sum()
    }

    fn newest(&self) -> u64 {
        self.undo.back().into_iter().chain(self.redo.back()).map(|step| step.order).max().unwrap_or(0)
    }

    fn oldest(&self) -> u64 {
        self.undo.front().into_iter().chain(self.redo.front()).map(|step| step.order).min().unwrap_or(u64::MAX)
    }

    fn is_empty(&self) -> bool {
        self.undo.is_empty() && self.redo.is_empty()
    }
}

impl Way {
    fn back(self) -> Self {
        match self {
            Self::Undo => Self::Redo,
            Self::Redo => Self::Undo,
        }
    }
}

impl Stacks {
    /// Steps put together from a snapshot; `next`: the number for the next step.
    pub fn from_parts(users: BTreeMap<UserId, Stack>, next: u64) -> Self {
        let bytes = users.values().map(Stack::weight).sum();
        Self { users, bytes, next }
    }

    /// The number for the next step.
    pub fn next_order(&self) -> u64 {
        self.next
    }

    /// All users' steps.
    pub fn users(&self) -> &BTreeMap<UserId, Stack> {
        &self.users
    }

    pub fn counts(&self, user: UserId) -> Counts {
        self.users
            .get(&user)
            .map_or_else(Counts::default, |stack| Counts { undo: stack.undo.len(), redo: stack.redo.len() })
    }

    /// Notes what a user did. What was undone before cannot be redone any more.
    pub fn done(&mut self, user: UserId, gesture: Option<Gesture>, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        let order = self.take_order();
        let stack = self.users.entry(user).or_default();
        self.bytes -= stack.redo.drain(..).map(|step| step.weight()).sum::<usize>();
        match stack.undo.back_mut() {
            Some(top) if gesture.is_some() && top.gesture == gesture => {
                self.bytes -= top.weight();
                top.join(parts);
                top.order = order;
                if top.parts.is_empty() {
                    stack.undo.pop_back();
                } else {
                    self.bytes += top.weight();
                }
            }
            _ => self.push(user, Way::Undo, Step { gesture, parts, order }),
        }
    }

    /// Whether a user has so many steps.
    pub fn has(&self, user: UserId, way: Way, popped: usize) -> Result<(), NoSuchStep> {
        let has = self.users.get(&user).map_or(0, |stack| stack.steps(way).len());
        if popped > has { Err(NoSuchStep { user, has, popped }) } else { Ok(()) }
    }

    /// Notes that a user took back `popped` steps (see [`Self::plan`]), and what that did to the board.
    pub fn taken_back(&mut self, user: UserId, way: Way, popped: usize, parts: Vec<Part>) -> Result<(), NoSuchStep> {
        self.has(user, way, popped)?;
        if popped == 0 {
            return Ok(());
        }
        if let Some(stack) = self.users.get_mut(&user) {
            let steps = stack.steps_mut(way);
            self.bytes -= steps.drain(steps.len() - popped..).map(|step| step.weight()).sum::<usize>();
        }
        let order = self.take_order();
        if !parts.is_empty() {
            self.push(user, way.back(), Step { gesture: None, parts, order });
        }
        Ok(())
    }

    fn take_order(&mut self) -> u64 {
        let order = self.next;
        self.next += 1;
        order
    }

    fn push(&mut self, user: UserId, way: Way, step: Step) {
        self.bytes += step.weight();
        let steps = self.users.entry(user).or_default().steps_mut(way);
        steps.push_back(step);
        if steps.len() > STEPS {
            self.bytes -= steps.pop_front().map_or(0, |step| step.weight());
        }
    }

    /// Bytes of the largest step.
    fn largest(&self) -> usize {
        let steps = self.users.values().flat_map(|stack| stack.undo.iter().chain(&stack.redo));
        steps.map(Step::weight).max().unwrap_or(0)
    }

    /// Whether all steps are more than may be kept.
    fn is_heavy(&self, rules: Rules) -> bool {
        self.bytes > BYTES
            && match rules {
                Rules::First => true,
                Rules::Second => self.bytes > BYTES + self.largest().min(LARGEST),
            }
    }

    /// Keeps the limits, after each operation; the user who has just done something is not the one to lose all.
    pub fn limit(&mut self, user: UserId, rules: Rules) {
        while self.is_heavy(rules) {
            let Some((_, stack)) = self.users.iter_mut().min_by_key(|(_, stack)| stack.oldest()) else { break };
            let older_redo = stack.redo.front().map(|step| step.order) < stack.undo.front().map(|step| step.order);
            let way =
                if stack.undo.is_empty() || (older_redo && !stack.redo.is_empty()) { Way::Redo } else { Way::Undo };
            self.bytes -= stack.steps_mut(way).pop_front().map_or(0, |step| step.weight());
            self.users.retain(|_, stack| !stack.is_empty());
        }
        self.users.retain(|_, stack| !stack.is_empty());
        while self.users.len() > USERS {
            let others = self.users.iter().filter(|(id, _)| **id != user);
            let Some(idle) = others.min_by_key(|(_, stack)| stack.newest()).map(|(id, _)| *id) else { break };
            self.bytes -= self.users.remove(&idle).map_or(0, |stack| stack.weight());
        }
    }

    /// What taking back the user's last step is to do, against the elements as they are. `may` tells which elements
    /// the user may touch; `nonce` gives each element its next `versionNonce`. If nothing is left of any step, none is
    /// used up: what somebody deleted may come back.
    pub fn plan(
        &self,
        user: UserId,
        way: Way,
        elements: &Elements,
        may: impl Fn(&Known) -> bool,
        mut nonce: impl FnMut() -> u64,
    ) -> Plan {
        let mut plan = Plan::default();
        let Some(stack) = self.users.get(&user) else { return plan };
        for step in stack.steps(way).iter().rev() {
            plan.popped += 1;
            let trial = Trial { user, elements, may: &may, results: BTreeMap::new(), owners: Owners::default() };
            (plan.edit, plan.owners) = trial.take_back(step, &mut nonce);
            if !plan.edit.is_empty() {
                return plan;
            }
        }
        Plan::default()
    }
}

/// A step being taken back: what has become of the elements so far.
struct Trial<'a, M> {
    user: UserId,
    elements: &'a Elements,
    may: &'a M,
    results: BTreeMap<Arc<str>, (Stamp, Option<Element>)>,
    owners: Owners,
}

impl<M: Fn(&Known) -> bool> Trial<'_, M> {
    fn take_back(mut self, step: &Step, nonce: &mut impl FnMut() -> u64) -> (Edit, Owners) {
        for part in step.parts.iter().rev() {
            self.part(part, nonce);
        }
        let mut edit = Edit::default();
        for (id, (stamp, result)) in self.results {
            match result {
                Some(element) => edit.elements.push(element),
                None if self.elements.live(&id).is_some() => edit.deleted.push(Deleted { id, stamp }),
                None => {}
            }
        }
        (edit, self.owners)
    }

    fn part(&mut self, part: &Part, nonce: &mut impl FnMut() -> u64) {
        let id = part.id();
        let known = self.elements.get(id);
        if known.is_some_and(|known| !(self.may)(known)) {
            return;
        }
        let (stamp, now) = if let Some((stamp, now)) = self.results.get(id) {
            (*stamp, now.as_ref())
        } else {
            // Deleted by somebody else since: that is theirs.
            if matches!(known.map(|known| &known.life), Some(Life::Dead(grave)) if grave.by != self.user) {
                return;
            }
            let version = match (known, part) {
                (Some(known), _) => known.stamp().version + 1,
                // Its deletion is forgotten here; clients may remember it. It was a version after this one.
                (None, Part::Deleted(element, owner)) => {
                    self.owners.extend(owner.map(|owner| (element.id().clone(), owner)));
                    (element.version() + 1).max(self.elements.forgotten()) + 1
                }
                (None, _) => return,
            };
            if version > GREATEST {
                return;
            }
            (Stamp { version, nonce: nonce() }, known.and_then(Known::live))
        };
        let result = match part.inverse(now) {
            Some(Inverse::Delete) => None,
            Some(Inverse::Put(text)) => match Element::from_text(&restamped(&text, stamp)) {
                Ok(element) => Some(element),
                Err(_) => return,
            },
            None => return,
        };
        self.results.insert(id.clone(), (stamp, result));
    }
}

#[cfg(test)]
mod tests;
