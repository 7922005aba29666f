//! A whole native board as one JSON text, so that loading does not replay its log from the first stroke.
//!
//! | key | value |
//! |---|---|
//! | `format` | 1 |
//! | `owners` | `[user, teacher]` of all who own something |
//! | `elements` | `[place in owners, element]`, by id |
//! | `deleted` | `[id, version, versionNonce, place in owners, deleted by, at]`, in the order of deletion |
//! | `sessions` | `[user, session, last request]`, the newest last |
//! | `steps` | `[user, [steps to undo], [steps to redo]]`, a step being `[order, gesture, [parts]]`, a gesture `null` or `[session, number]` |
//! | `next` | the order of the next step |
//! | `locked`, `quiz`, `title`, `settings` | as in the log |
//!
//! A part is `["=", id]` (made, and still as it is among `elements`), `["+", element]` (made), `["-", element]` (deleted) or
//! `["~", id, [[key, [before], [after]], …]]` (changed; an empty list: the key was not there).

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
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;

const FORMAT: u32 = 1;

#[derive(Deserialize)]
struct Text<'a> {
    format: u32,
    owners: Vec<(UserId, bool)>,
    #[serde(borrow)]
    elements: Vec<(usize, &'a RawValue)>,
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

#[derive(Deserialize)]
struct StepText<'a>(u64, Option<(String, u64)>, #[serde(borrow)] Vec<Vec<&'a RawValue>>);

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
    // Writing to a String cannot fail, here and below.
    let mut out = String::with_capacity(elements.bytes() + elements.bytes() / 4 + 1024);
    let _ = write!(out, "{{\"format\":{FORMAT},\"owners\":");
    write_list(&owners, &mut out, |owner, out| {
        let _ = write!(out, "[\"{}\",{}]", owner.user, owner.teacher);
    });
    out.push_str(",\"elements\":");
    write_list(elements.iter(), &mut out, |(owner, element), out| {
        let _ = write!(out, "[{},{}]", place(owner), element.text());
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
        write_list(&stack.undo, out, |step, out| write_step(step, elements, out));
        out.push(',');
        write_list(&stack.redo, out, |step, out| write_step(step, elements, out));
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
    out
}

fn write_step(step: &Step, elements: &Elements, out: &mut String) {
    let _ = write!(out, "[{},", step.order);
    match &step.gesture {
        Some(gesture) => {
            out.push('[');
            write_string(&gesture.session, out);
            let _ = write!(out, ",{}],", gesture.number);
        }
        None => out.push_str("null,"),
    }
    write_list(&step.parts, out, |part, out| write_part(part, elements, out));
    out.push(']');
}

fn write_part(part: &Part, elements: &Elements, out: &mut String) {
    match part {
        Part::Created(element) if elements.live(element.id()) == Some(element) => {
            out.push_str("[\"=\",");
            write_string(element.id(), out);
        }
        Part::Created(element) => {
            let _ = write!(out, "[\"+\",{}", element.text());
        }
        Part::Deleted(element) => {
            let _ = write!(out, "[\"-\",{}", element.text());
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

/// Reads a board from its text.
pub fn decode(text: &str) -> Result<State, RecordError> {
    let text: Text<'_> = serde_json::from_str(text)?;
    if text.format != FORMAT {
        return Err(misfit(format!("a board is written in format {}, this server reads {FORMAT}", text.format)));
    }
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
    let mut elements = Elements::default();
    elements.set_forgotten(text.forgotten);
    for (place, element) in text.elements {
        let element = Element::parse(element).map_err(no_element)?;
        elements.put(element, owner(place)?);
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
    let mut users = BTreeMap::new();
    for (user, undo, redo) in text.steps {
        let stack = Stack { undo: read_steps(undo, &elements)?, redo: read_steps(redo, &elements)? };
        users.insert(user, stack);
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

fn read_steps(steps: Vec<StepText<'_>>, elements: &Elements) -> Result<VecDeque<Step>, RecordError> {
    let read = |StepText(order, gesture, parts): StepText<'_>| {
        let gesture = gesture.map(|(session, number)| Gesture { session: session.into(), number });
        let parts = parts.iter().map(|part| read_part(part, elements)).collect::<Result<_, _>>()?;
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
        ["\"-\"", element] => Ok(Part::Deleted(Element::from_text(element).map_err(no_element)?)),
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
mod tests {
    use super::*;
    use crate::board::scene::operation::{Done, Edit, Operation, Pairs};

    fn element(id: &str, version: u64, x: &str) -> Element {
        let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":3,"x":{x}}}"#);
        Element::from_text(&text).unwrap()
    }

    fn apply(state: &mut State, user: u64, done: Done) {
        let by = Owner { user: UserId(user), teacher: user == 9 };
        let id = state.last(by.user, &"tab\"".into()) + 1;
        state.apply(&Operation { by, session: "tab\"".into(), id, at: 1000, done }).unwrap();
    }

    fn put(id: &str, version: u64, x: &str) -> Done {
        Done::Change { gesture: Some(4), edit: Edit { elements: vec![element(id, version, x)], deleted: vec![] } }
    }

    fn board() -> State {
        let mut state = State::default();
        apply(&mut state, 1, put("a", 1, "123456789012345678901234567890"));
        apply(&mut state, 9, put("b", 1, "1.50"));
        apply(&mut state, 9, put("a", 2, "\"\\ud800\""));
        let deleted = vec![Deleted { id: "b".into(), stamp: Stamp { version: 2, nonce: 1 } }];
        apply(&mut state, 1, Done::Change { gesture: None, edit: Edit { elements: vec![], deleted } });
        let edit = Edit { elements: vec![element("b", 3, "1.50")], deleted: vec![] };
        apply(&mut state, 1, Done::Undo { popped: 1, edit });
        apply(&mut state, 1, put("c", 7, "{}"));
        let deleted = vec![Deleted { id: "c".into(), stamp: Stamp { version: 8, nonce: 1 } }];
        apply(&mut state, 9, Done::Change { gesture: None, edit: Edit { elements: vec![], deleted } });
        apply(&mut state, 9, Done::Lock(true));
        apply(&mut state, 9, Done::Title("T\"".into()));
        let pairs: Pairs = vec![("z".into(), "[1, 2]".into()), ("a".into(), "1.0".into())];
        apply(&mut state, 9, Done::Settings(pairs));
        state
    }

    #[test]
    fn a_board_comes_back_from_its_text() {
        let state = board();
        let text = encode(&state);
        serde_json::from_str::<serde::de::IgnoredAny>(&text).unwrap();
        let back = decode(&text).unwrap();
        assert_eq!(encode(&back), text);
        assert_eq!(back.stacks, state.stacks);
        assert_eq!((back.elements.count(), back.elements.bytes()), (2, state.elements.bytes()));
        assert_eq!(back.live(), state.live());
        assert!(text.contains(r#"["=","b"]"#) || text.contains(r#"["~","a",[["x",["#), "{text}");
        let empty = encode(&State::default());
        assert_eq!(encode(&decode(&empty).unwrap()), empty);
    }

    #[test]
    fn a_board_that_came_back_goes_on_like_the_first() {
        let (mut one, mut other) = (board(), decode(&encode(&board())).unwrap());
        for state in [&mut one, &mut other] {
            apply(state, 9, put("a", 3, "0"));
            apply(state, 9, Done::Clear { nonce: 4 });
            apply(state, 1, Done::Quiz(true));
        }
        assert_eq!(encode(&one), encode(&other));
    }

    #[test]
    fn what_is_no_board_is_refused() {
        let good = encode(&board());
        for (from, to, sentence) in [
            ("{\"format\":1", "{\"format\":2", "in format 2, this server reads 1"),
            ("{\"format\":1", "", "not readable"),
            ("\"elements\":[[0,", "\"elements\":[[7,", "owner 7 is missing"),
            ("[\"+\",", "[\"?\",", "not understood"),
            ("\"versionNonce\":3", "\"versionNonce\":-3", "not understood"),
            ("[\"c\",8,", "[\"c\",0,", "c has a stamp out of range"),
            ("\"next\":", "\"next\":9007199254740992", "numbered out of range"),
            ("\"locked\"", "\"forgotten\":9007199254740992,\"locked\"", "forgotten deletion is out of range"),
        ] {
            assert!(good.contains(from), "{from} is not in {good}");
            let error = decode(&good.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(sentence), "{from}: {error}");
        }
    }
}
