//! A whole native board as one text, so that loading does not replay its log from the first stroke.
//!
//! The text is a JSON object, and behind it the elements, each as it was sent and after a line feed. What loading needs
//! to know of an element stands in the object, so that none has to be read: the elements stay in the text, which
//! becomes the board's memory.
//!
//! | key | value |
//! |---|---|
//! | `format` | 2 |
//! | `owners` | `[user, teacher]` of all who own something |
//! | `elements` | `[place in owners, id, version, versionNonce, bytes]`, by id |
//! | `deleted` | `[id, version, versionNonce, place in owners, deleted by, at]`, in the order of deletion |
//! | `sessions` | `[user, session, last request]`, the newest last |
//! | `steps` | `[user, [steps to undo], [steps to redo]]`, a step being `[order, gesture, [parts]]`, a gesture `null` or `[session, number]` |
//! | `next` | the order of the next step |
//! | `locked`, `quiz`, `title`, `settings` | as in the log |
//!
//! A part is a number (made, and still as it is in that place of `elements`), `["+", element]` (made),
//! `["-", element, [user, teacher]]` (deleted, and whose it was, if that was noted) or `["~", id, [[key, [before], [after]], …]]` (changed; an empty list: the key was not there).
//!
//! Format 1 is read, too: there `elements` holds `[place in owners, element]`, nothing stands behind the object, and
//! `["=", id]` stands for the number.

use super::element::{Deleted, Element, ElementError, GREATEST, Stamp};
use super::elements::{Elements, Owner};
use super::identity::UserId;
use super::object::write_string;
use super::operation::{read_pairs, write_pairs};
use super::sessions::Sessions;
use super::state::State;
use super::step::{Key, Part};
use super::undo::{Gesture, Stack, Stacks, Step};
use crate::board::core::RecordError;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write};
use std::sync::Arc;

const FORMAT: u32 = 2;

/// The object; `E` is how it lists elements.
#[derive(Deserialize)]
#[serde(bound(deserialize = "E: Deserialize<'de>"))]
struct Text<'a, E> {
    format: u32,
    owners: Vec<(UserId, bool)>,
    elements: Vec<E>,
    #[serde(borrow)]
    deleted: Vec<(Cow<'a, str>, u64, u64, usize, UserId, i64)>,
    #[serde(borrow)]
    sessions: Vec<(UserId, Cow<'a, str>, u64)>,
    #[serde(borrow)]
    steps: Vec<(UserId, Vec<StepText<'a>>, Vec<StepText<'a>>)>,
    next: u64,
    /// Not written while it is 0, and not known to older releases, which go on without it.
    #[serde(default)]
    forgotten: u64,
    locked: bool,
    quiz: bool,
    title: Option<String>,
    #[serde(borrow)]
    settings: &'a RawValue,
}

/// An element in format 1.
#[derive(Deserialize)]
struct Whole<'a>(usize, #[serde(borrow)] &'a RawValue);

/// An element whose text stands behind the object.
#[derive(Deserialize)]
struct Head<'a>(usize, #[serde(borrow)] Cow<'a, str>, u64, u64, usize);

#[derive(Deserialize)]
struct StepText<'a>(u64, Option<(String, u64)>, #[serde(borrow)] Vec<PartText<'a>>);

enum PartText<'a> {
    /// Made, and still as it is in this place.
    Place(usize),
    Other(Vec<&'a RawValue>),
}

impl<'de: 'a, 'a> Deserialize<'de> for PartText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = PartText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a place or a list")
            }

            fn visit_u64<E: de::Error>(self, place: u64) -> Result<Self::Value, E> {
                usize::try_from(place).map(PartText::Place).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(PartText::Other(list))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Writes items with commas between.
fn write_list<T>(items: impl IntoIterator<Item = T>, out: &mut String, mut write: impl FnMut(T, &mut String)) {
    out.push('[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

/// The text of a board. Equal boards have equal texts.
pub fn encode(state: &State) -> String {
    let elements = &state.elements;
    let live = elements.iter().map(|(owner, _)| owner);
    let mut owners: Vec<Owner> = live.chain(elements.tombstones().map(|(_, owner, _)| owner)).collect();
    owners.sort_unstable();
    owners.dedup();
    let place = |owner: Owner| owners.binary_search(&owner).unwrap_or_default();
    let all: Vec<&Element> = elements.iter().map(|(_, element)| element).collect();
    // Writing to a String cannot fail, here and below.
    let mut out = String::with_capacity(elements.bytes() + elements.count() * 96 + 1024);
    let _ = write!(out, "{{\"format\":{FORMAT},\"owners\":");
    write_list(&owners, &mut out, |owner, out| {
        let _ = write!(out, "[\"{}\",{}]", owner.user, owner.teacher);
    });
    out.push_str(",\"elements\":");
    write_list(elements.iter(), &mut out, |(owner, element), out| {
        let _ = write!(out, "[{},", place(owner));
        write_string(element.id(), out);
        let _ = write!(out, ",{},{},{}]", element.version(), element.nonce(), element.bytes());
    });
    out.push_str(",\"deleted\":");
    write_list(elements.tombstones(), &mut out, |(id, owner, grave), out| {
        out.push('[');
        write_string(id, out);
        let Stamp { version, nonce } = grave.stamp;
        let _ = write!(out, ",{version},{nonce},{},\"{}\",{}]", place(owner), grave.by, grave.at);
    });
    out.push_str(",\"sessions\":");
    write_list(state.sessions.in_order(), &mut out, |(user, session, id), out| {
        let _ = write!(out, "[\"{user}\",");
        write_string(session, out);
        let _ = write!(out, ",{id}]");
    });
    out.push_str(",\"steps\":");
    write_list(state.stacks.users(), &mut out, |(user, stack), out| {
        let _ = write!(out, "[\"{user}\",");
        write_list(&stack.undo, out, |step, out| write_step(step, &all, out));
        out.push(',');
        write_list(&stack.redo, out, |step, out| write_step(step, &all, out));
        out.push(']');
    });
    let _ = write!(out, ",\"next\":{}", state.stacks.next_order());
    if elements.forgotten() > 0 {
        let _ = write!(out, ",\"forgotten\":{}", elements.forgotten());
    }
    let _ = write!(out, ",\"locked\":{},\"quiz\":{},\"title\":", state.locked, state.quiz);
    match &state.title {
        Some(title) => write_string(title, &mut out),
        None => out.push_str("null"),
    }
    out.push_str(",\"settings\":");
    let pairs: Vec<_> = state.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    write_pairs(&pairs, &mut out);
    out.push('}');
    for element in all {
        out.push('\n');
        out.push_str(element.text());
    }
    out
}

fn write_step(step: &Step, all: &[&Element], out: &mut String) {
    let _ = write!(out, "[{},", step.order);
    match &step.gesture {
        Some(gesture) => {
            out.push('[');
            write_string(&gesture.session, out);
            let _ = write!(out, ",{}],", gesture.number);
        }
        None => out.push_str("null,"),
    }
    write_list(&step.parts, out, |part, out| write_part(part, all, out));
    out.push(']');
}

/// `all`: the elements that are there, by id.
fn write_part(part: &Part, all: &[&Element], out: &mut String) {
    match part {
        Part::Created(element) => {
            let place = all.binary_search_by(|one| one.id().cmp(element.id()));
            if let Some(place) = place.ok().filter(|place| all[*place] == element) {
                let _ = write!(out, "{place}");
                return;
            }
            let _ = write!(out, "[\"+\",{}", element.text());
        }
        Part::Deleted(element, owner) => {
            let _ = write!(out, "[\"-\",{}", element.text());
            if let Some(owner) = owner {
                let _ = write!(out, ",[\"{}\",{}]", owner.user, owner.teacher);
            }
        }
        Part::Modified { id, keys } => {
            out.push_str("[\"~\",");
            write_string(id, out);
            out.push(',');
            write_list(keys, out, |key, out| {
                out.push('[');
                write_string(&key.name, out);
                let value = |value: &Option<Arc<str>>| value.clone().unwrap_or_default();
                let _ = write!(out, ",[{}],[{}]]", value(&key.before), value(&key.after));
            });
        }
    }
    out.push(']');
}

fn misfit(sentence: impl Into<String>) -> RecordError {
    RecordError::Misfit(sentence.into())
}

// For `map_err`, which hands errors over by value.
#[expect(clippy::needless_pass_by_value)]
fn no_element(error: ElementError) -> RecordError {
    misfit(error.to_string())
}

/// Reads a board from its text, which stays in memory for as long as one of its elements does.
pub fn decode(text: String) -> Result<State, RecordError> {
    if text.starts_with("{\"format\":1,") {
        let text: Text<'_, Whole<'_>> = serde_json::from_str(&text)?;
        let element = |Whole(place, element): &Whole<'_>| Ok((*place, Element::parse(element).map_err(no_element)?));
        let elements = text.elements.iter().map(element).collect::<Result<_, RecordError>>()?;
        return build(text, elements);
    }
    let whole = Arc::new(text);
    let mut object = serde_json::Deserializer::from_str(&whole).into_iter::<Text<'_, Head<'_>>>();
    let text = object.next().ok_or_else(|| misfit("a board's text is empty"))??;
    if text.format != FORMAT {
        return Err(misfit(format!("a board is written in format {}, this server reads {FORMAT}", text.format)));
    }
    let mut end = object.byte_offset();
    let elements = text.elements.iter().map(|Head(place, id, version, nonce, bytes)| {
        let stamp = Stamp { version: *version, nonce: *nonce };
        let start = end + 1;
        end = start.saturating_add(*bytes);
        let element = Element::within(&whole, start..end, (&**id).into(), stamp).filter(|_| stamp.is_sound());
        Ok((*place, element.ok_or_else(|| misfit(format!("the text of element {id} is not where it should be")))?))
    });
    let elements = elements.collect::<Result<_, RecordError>>()?;
    if end != whole.len() {
        return Err(misfit("a board's text has not as many bytes as it says"));
    }
    build(text, elements)
}

/// A board from what its text says, `elements` with their places in `owners`.
fn build<E>(text: Text<'_, E>, elements: Vec<(usize, Element)>) -> Result<State, RecordError> {
    if text.next > GREATEST {
        return Err(misfit("the steps to undo are numbered out of range"));
    }
    if text.forgotten > GREATEST {
        return Err(misfit("the version of a forgotten deletion is out of range"));
    }
    let owner = |place: usize| {
        let (user, teacher) = text.owners.get(place).ok_or_else(|| misfit(format!("owner {place} is missing")))?;
        Ok::<_, RecordError>(Owner { user: *user, teacher: *teacher })
    };
    let all: Vec<(Owner, Element)> = elements
        .into_iter()
        .map(|(place, element)| Ok((owner(place)?, element)))
        .collect::<Result<_, RecordError>>()?;
    let mut users = BTreeMap::new();
    let mut elements = Elements::of(all.iter().cloned());
    elements.set_forgotten(text.forgotten);
    for (user, undo, redo) in text.steps {
        let stack = Stack { undo: read_steps(undo, &all, &elements)?, redo: read_steps(redo, &all, &elements)? };
        users.insert(user, stack);
    }
    for (id, version, nonce, place, by, at) in text.deleted {
        let deleted = Deleted { id: id.into(), stamp: Stamp { version, nonce } };
        if !deleted.stamp.is_sound() {
            return Err(misfit(format!("{} has a stamp out of range", deleted.id)));
        }
        elements.bury(&deleted, owner(place)?, by, at);
    }
    let mut sessions = Sessions::default();
    for (user, session, id) in text.sessions {
        sessions.executed(user, &session.into(), id);
    }
    Ok(State {
        elements,
        stacks: Stacks::from_parts(users, text.next),
        sessions,
        locked: text.locked,
        quiz: text.quiz,
        title: text.title.map(Into::into),
        settings: read_pairs(text.settings.get())?.into_iter().collect(),
    })
}

fn read_steps(
    steps: Vec<StepText<'_>>,
    all: &[(Owner, Element)],
    elements: &Elements,
) -> Result<VecDeque<Step>, RecordError> {
    let read = |StepText(order, gesture, parts): StepText<'_>| {
        let gesture = gesture.map(|(session, number)| Gesture { session: session.into(), number });
        let part = |part: &PartText<'_>| match part {
            PartText::Place(place) => match all.get(*place) {
                Some((_, element)) => Ok(Part::Created(element.clone())),
                None => Err(misfit(format!("element {place} is missing"))),
            },
            PartText::Other(part) => read_part(part, elements),
        };
        let parts = parts.iter().map(part).collect::<Result<_, _>>()?;
        Ok(Step { gesture, parts, order })
    };
    steps.into_iter().map(read).collect()
}

fn read_part(part: &[&RawValue], elements: &Elements) -> Result<Part, RecordError> {
    let texts: Vec<&str> = part.iter().map(|raw| raw.get()).collect();
    match texts.as_slice() {
        ["\"=\"", id] => {
            let id: String = serde_json::from_str(id)?;
            let element = elements.live(&id).ok_or_else(|| misfit(format!("element {id} is missing")))?;
            Ok(Part::Created(element.clone()))
        }
        ["\"+\"", element] => Ok(Part::Created(Element::from_text(element).map_err(no_element)?)),
        ["\"-\"", element, owner @ ..] if owner.len() < 2 => {
            let owner = owner.first().map(|owner| serde_json::from_str::<(UserId, bool)>(owner)).transpose()?;
            let owner = owner.map(|(user, teacher)| Owner { user, teacher });
            Ok(Part::Deleted(Element::from_text(element).map_err(no_element)?, owner))
        }
        ["\"~\"", id, keys] => {
            let id: String = serde_json::from_str(id)?;
            let keys: Vec<(String, Vec<&RawValue>, Vec<&RawValue>)> = serde_json::from_str(keys)?;
            let value = |values: &[&RawValue]| values.first().map(|value| value.get().into());
            let key = |(name, before, after): (String, Vec<&RawValue>, Vec<&RawValue>)| Key {
                name: name.into(),
                before: value(&before),
                after: value(&after),
            };
            Ok(Part::Modified { id: id.into(), keys: keys.into_iter().map(key).collect() })
        }
        _ => Err(misfit("a step to undo is not understood")),
    }
}

#[cfg(test)]
mod tests;
