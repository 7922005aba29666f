//! What was done to a board, and how it is written in the board's log: one JSON object a row.
//!
//! | key | meaning |
//! |---|---|
//! | `op` | `change`, `undo`, `redo`, `clear`, `restore`, `lock`, `quiz`, `title`, `settings` |
//! | `rules` | by which [`Rules`] the board goes through it (left out for the first) |
//! | `by`, `teacher` | the user, and whether as a teacher (left out if not) |
//! | `session`, `id` | the tab and the number of its request |
//! | `at` | when, in milliseconds since 1970 |
//! | `gesture` | of a change: which changes are one step of undo |
//! | `popped` | of undo and redo: how many steps it used up |
//! | `nonce` | of clear: the `versionNonce` of all deleted elements |
//! | `seq` | of restore: the operation that the board went back to |
//! | `on`, `title`, `values` | of lock and quiz, title, settings (and of restore, if the look went back too) |
//! | `elements`, `deleted` | elements as they are afterwards, `[id, version, versionNonce]` of those deleted |
//! | `owners` | `[id, user, teacher]` of elements that come back after the board forgot whose they were (left out if none) |
//!
//! A row says what came of a request, not what was asked: reading it needs no decision, so later versions of the
//! server come to the same board.

use super::element::{Deleted, Element, ElementError, GREATEST, Stamp, write_deleted, write_elements};
use super::elements::Owner;
use super::identity::UserId;
use super::object::{Object, write_string};
use crate::board::core::RecordError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Elements after an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    pub elements: Vec<Element>,
    pub deleted: Vec<Deleted>,
}

impl Edit {
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty() && self.deleted.is_empty()
    }
}

/// Keys and the JSON text of their values; `null` removes.
pub type Pairs = Vec<(Arc<str>, Arc<str>)>;

/// Whose elements are, by their ids.
pub type Owners = BTreeMap<Arc<str>, Owner>;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Change {
        gesture: Option<u64>,
        edit: Edit,
    },
    Undo {
        popped: usize,
        edit: Edit,
    },
    Redo {
        popped: usize,
        edit: Edit,
    },
    Clear {
        nonce: u64,
    },
    /// `values`: what to merge into the board's look.
    Restore {
        seq: u64,
        edit: Edit,
        values: Pairs,
    },
    Lock(bool),
    Quiz(bool),
    Title(Arc<str>),
    Settings(Pairs),
}

/// How a board goes through an operation. What is in a log stays as it was: snapshots were made of it, and both must
/// come to the same board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Of logs that say nothing about it.
    First,
    /// Steps of undo know whose the elements were that they deleted, and a large one leaves room for the others. Of
    /// deletions that are forgotten the highest version is kept.
    Second,
}

impl Rules {
    /// Those of new operations.
    pub const NOW: Self = Self::Second;

    /// By the number in the log.
    fn numbered(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::First),
            2 => Some(Self::Second),
            _ => None,
        }
    }
}

/// One operation of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub by: Owner,
    pub session: Arc<str>,
    pub id: u64,
    /// Milliseconds since 1970.
    pub at: i64,
    pub done: Done,
    pub rules: Rules,
    /// Whose those elements are of which the board remembers nothing; `by`'s if they are not named.
    pub owners: Owners,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    rules: Option<u64>,
    by: UserId,
    #[serde(default)]
    teacher: bool,
    #[serde(borrow)]
    session: Cow<'a, str>,
    id: u64,
    at: i64,
    gesture: Option<u64>,
    #[serde(default)]
    popped: usize,
    #[serde(default)]
    nonce: u64,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    on: bool,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
    #[serde(borrow, default)]
    elements: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    deleted: Vec<(Cow<'a, str>, u64, u64)>,
    #[serde(borrow, default)]
    owners: Vec<(Cow<'a, str>, UserId, bool)>,
}

impl Done {
    /// The word for it, as in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Change { .. } => "change",
            Self::Undo { .. } => "undo",
            Self::Redo { .. } => "redo",
            Self::Clear { .. } => "clear",
            Self::Restore { .. } => "restore",
            Self::Lock(_) => "lock",
            Self::Quiz(_) => "quiz",
            Self::Title(_) => "title",
            Self::Settings(_) => "settings",
        }
    }

    fn edit(&self) -> Option<&Edit> {
        match self {
            Self::Change { edit, .. }
            | Self::Undo { edit, .. }
            | Self::Redo { edit, .. }
            | Self::Restore { edit, .. } => Some(edit),
            _ => None,
        }
    }
}

impl Operation {
    /// The row of the log.
    pub fn encode(&self) -> String {
        let edit = self.done.edit();
        let bytes =
            edit.map_or(0, |edit| edit.elements.iter().map(|e| e.bytes() + 1).sum::<usize>() + edit.deleted.len() * 48);
        let mut out = String::with_capacity(192 + bytes);
        // Writing to a String cannot fail.
        let _ = write!(out, "{{\"op\":\"{}\"", self.done.name());
        if self.rules == Rules::Second {
            out.push_str(",\"rules\":2");
        }
        let _ = write!(out, ",\"by\":\"{}\"", self.by.user);
        if self.by.teacher {
            out.push_str(",\"teacher\":true");
        }
        out.push_str(",\"session\":");
        write_string(&self.session, &mut out);
        let _ = write!(out, ",\"id\":{},\"at\":{}", self.id, self.at);
        match &self.done {
            Done::Change { gesture: Some(gesture), .. } => {
                let _ = write!(out, ",\"gesture\":{gesture}");
            }
            Done::Undo { popped, .. } | Done::Redo { popped, .. } => {
                let _ = write!(out, ",\"popped\":{popped}");
            }
            Done::Clear { nonce } => {
                let _ = write!(out, ",\"nonce\":{nonce}");
            }
            Done::Restore { seq, values, .. } => {
                let _ = write!(out, ",\"seq\":{seq}");
                if !values.is_empty() {
                    out.push_str(",\"values\":");
                    write_pairs(values, &mut out);
                }
            }
            Done::Lock(on) | Done::Quiz(on) => {
                let _ = write!(out, ",\"on\":{on}");
            }
            Done::Title(title) => {
                out.push_str(",\"title\":");
                write_string(title, &mut out);
            }
            Done::Settings(values) => {
                out.push_str(",\"values\":");
                write_pairs(values, &mut out);
            }
            Done::Change { gesture: None, .. } => {}
        }
        if let Some(edit) = edit {
            if !edit.elements.is_empty() {
                out.push_str(",\"elements\":");
                write_elements(&edit.elements, &mut out);
            }
            if !edit.deleted.is_empty() {
                out.push_str(",\"deleted\":");
                write_deleted(&edit.deleted, &mut out);
            }
        }
        if !self.owners.is_empty() {
            write_owners(&self.owners, &mut out);
        }
        out.push('}');
        out
    }

    /// Reads a row of the log.
    pub fn decode(text: &str) -> Result<Self, RecordError> {
        let row: Row<'_> = serde_json::from_str(text)?;
        let elements = row.elements.into_iter().map(Element::parse).collect::<Result<_, ElementError>>();
        let elements = elements.map_err(|error| RecordError::Misfit(error.to_string()))?;
        let deleted = row.deleted.into_iter().map(|(id, version, nonce)| {
            let deleted = Deleted { id: id.into(), stamp: Stamp { version, nonce } };
            let sound = deleted.stamp.is_sound();
            if sound {
                Ok(deleted)
            } else {
                Err(RecordError::Misfit(format!("{} has a stamp out of range", deleted.id)))
            }
        });
        let deleted = deleted.collect::<Result<_, _>>()?;
        if row.nonce > GREATEST {
            return Err(RecordError::Misfit(format!("the nonce {} is out of range", row.nonce)));
        }
        let edit = Edit { elements, deleted };
        let missing = |key: &str| RecordError::Misfit(format!("`{}` lacks `{key}`", row.op));
        let done = match &*row.op {
            "change" => Done::Change { gesture: row.gesture, edit },
            "undo" => Done::Undo { popped: row.popped, edit },
            "redo" => Done::Redo { popped: row.popped, edit },
            "clear" => Done::Clear { nonce: row.nonce },
            "restore" => {
                let values = row.values.map(|values| read_pairs(values.get())).transpose()?.unwrap_or_default();
                Done::Restore { seq: row.seq, edit, values }
            }
            "lock" => Done::Lock(row.on),
            "quiz" => Done::Quiz(row.on),
            "title" => Done::Title(row.title.ok_or_else(|| missing("title"))?.into()),
            "settings" => Done::Settings(read_pairs(row.values.ok_or_else(|| missing("values"))?.get())?),
            other => return Err(RecordError::Misfit(format!("nothing is known of the operation `{other}`"))),
        };
        let by = Owner { user: row.by, teacher: row.teacher };
        let rules = Rules::numbered(row.rules.unwrap_or(1))
            .ok_or_else(|| RecordError::Misfit(format!("`{}` follows rules that only a newer server knows", row.op)))?;
        let owner = |(id, user, teacher): (Cow<'_, str>, UserId, bool)| (id.into(), Owner { user, teacher });
        let owners = row.owners.into_iter().map(owner).collect();
        Ok(Self { by, session: row.session.into(), id: row.id, at: row.at, done, rules, owners })
    }
}

fn write_owners(owners: &Owners, out: &mut String) {
    out.push_str(",\"owners\":[");
    for (place, (id, owner)) in owners.iter().enumerate() {
        out.push_str(if place > 0 { ",[" } else { "[" });
        write_string(id, out);
        // Writing to a String cannot fail.
        let _ = write!(out, ",\"{}\",{}]", owner.user, owner.teacher);
    }
    out.push(']');
}

/// Writes keys and values as a JSON object.
pub fn write_pairs<'a>(pairs: impl IntoIterator<Item = &'a (Arc<str>, Arc<str>)>, out: &mut String) {
    out.push('{');
    for (place, (key, value)) in pairs.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
}

/// Reads a JSON object as keys and values; of a key that is there twice the last counts.
pub fn read_pairs(text: &str) -> Result<Pairs, serde_json::Error> {
    let object = Object::parse(text)?;
    let mut pairs: Pairs = Vec::new();
    for key in object.keys() {
        if !pairs.iter().any(|(one, _)| &**one == key) {
            pairs.push((key.into(), object.get(key).unwrap_or("null").into()));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(id: &str) -> Element {
        let text = format!("{{\"id\":\"{id}\",\"type\":\"t\",\"version\":1,\"versionNonce\":2,\"x\":1.50}}");
        Element::from_text(&text).unwrap()
    }

    fn edit() -> Edit {
        Edit {
            elements: vec![element("a")],
            deleted: vec![Deleted { id: "b\"".into(), stamp: Stamp { version: 3, nonce: 4 } }],
        }
    }

    #[test]
    fn every_operation_comes_back_from_its_text() {
        let a = element("a");
        let tail = format!(r#","elements":[{a:?}],"deleted":[["b\"",3,4]]}}"#);
        let head = r#""by":"000000000000000f","teacher":true,"session":"tab-0001","id":7,"at":1700000000000"#;
        let pairs: Pairs = vec![("viewBackgroundColor".into(), "\"#fff\"".into()), ("gone".into(), "null".into())];
        for (done, op, rest) in [
            (Done::Change { gesture: Some(5), edit: edit() }, "change", format!(",\"gesture\":5{tail}")),
            (Done::Change { gesture: None, edit: edit() }, "change", tail.clone()),
            (Done::Change { gesture: None, edit: Edit::default() }, "change", "}".to_owned()),
            (Done::Undo { popped: 2, edit: edit() }, "undo", format!(",\"popped\":2{tail}")),
            (Done::Redo { popped: 1, edit: edit() }, "redo", format!(",\"popped\":1{tail}")),
            (Done::Clear { nonce: 9 }, "clear", ",\"nonce\":9}".to_owned()),
            (Done::Restore { seq: 3, edit: edit(), values: vec![] }, "restore", format!(",\"seq\":3{tail}")),
            (
                Done::Restore { seq: 3, edit: edit(), values: vec![("a".into(), "null".into())] },
                "restore",
                format!(",\"seq\":3,\"values\":{{\"a\":null}}{tail}"),
            ),
            (Done::Lock(true), "lock", ",\"on\":true}".to_owned()),
            (Done::Quiz(false), "quiz", ",\"on\":false}".to_owned()),
            (Done::Title("Ca\"ts".into()), "title", ",\"title\":\"Ca\\\"ts\"}".to_owned()),
            (
                Done::Settings(pairs),
                "settings",
                ",\"values\":{\"viewBackgroundColor\":\"#fff\",\"gone\":null}}".to_owned(),
            ),
        ] {
            let by = Owner { user: UserId(15), teacher: true };
            let owners = Owners::default();
            let (session, at, rules) = ("tab-0001".into(), 1_700_000_000_000, Rules::First);
            let mut operation = Operation { by, session, id: 7, at, done, rules, owners };
            let text = operation.encode();
            assert_eq!(text, format!("{{\"op\":\"{op}\",{head}{rest}"));
            assert_eq!(Operation::decode(&text).unwrap(), operation);
            operation.rules = Rules::Second;
            operation.owners.insert("b\"".into(), by);
            operation.owners.insert("a".into(), Owner { user: UserId(1), teacher: false });
            let text = operation.encode();
            let owners = r#","owners":[["a","0000000000000001",false],["b\"","000000000000000f",true]]}"#;
            assert!(text.ends_with(owners), "{text}");
            assert!(text.starts_with(&format!("{{\"op\":\"{op}\",\"rules\":2,\"by\":")), "{text}");
            assert_eq!(Operation::decode(&text).unwrap(), operation);
        }
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        let head = r#""by":"000000000000000f","session":"s","id":1,"at":0"#;
        for (text, sentence) in [
            (String::new(), "not readable"),
            (format!("{{{head}}}"), "missing field `op`"),
            (format!("{{\"op\":\"clear\",\"rules\":3,{head}}}"), "follows rules that only a newer server knows"),
            (format!("{{\"op\":\"drop\",{head}}}"), "nothing is known of the operation `drop`"),
            (format!("{{\"op\":\"title\",{head}}}"), "`title` lacks `title`"),
            (format!("{{\"op\":\"settings\",{head}}}"), "`settings` lacks `values`"),
            (format!("{{\"op\":\"settings\",{head},\"values\":[]}}"), "not readable"),
            (format!("{{\"op\":\"change\",{head},\"elements\":[{{}}]}}"), "an element is not understood"),
            (format!("{{\"op\":\"change\",{head},\"deleted\":[[1]]}}"), "not readable"),
            (format!("{{\"op\":\"change\",{head},\"deleted\":[[\"a\",0,1]]}}"), "a has a stamp out of range"),
            (format!("{{\"op\":\"change\",{head},\"deleted\":[[\"a\",{},1]]}}", u64::MAX), "out of range"),
            (format!("{{\"op\":\"clear\",{head},\"nonce\":{}}}", u64::MAX), "is out of range"),
        ] {
            let error = Operation::decode(&text).unwrap_err().to_string();
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }

    #[test]
    fn of_a_setting_that_is_there_twice_the_last_counts() {
        let pairs = read_pairs(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        let mut out = String::new();
        write_pairs(&pairs, &mut out);
        assert_eq!(out, r#"{"a":3,"b":2}"#);
    }
}
