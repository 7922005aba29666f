//! What the server says.

use crate::element::{Deleted, Element};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A message that does not follow the protocol.
#[derive(Debug, thiserror::Error)]
#[error("The server said something that is not in the protocol ({0}): {1}")]
pub struct Misunderstood(serde_json::Error, String);

impl Misunderstood {
    /// A message that is well written, but not at this point.
    pub(crate) fn because(sentence: &str, text: &str) -> Self {
        Self(serde_json::Error::custom(sentence), text.chars().take(200).collect())
    }
}

/// A message of the server.
#[derive(Debug)]
pub enum Incoming {
    Welcome(Box<Welcome>),
    Snapshot(Snapshot),
    Change(Change),
    Ack(Ack),
    Lock(Switch),
    Quiz(Switch),
    Title(Title),
    Settings(Settings),
    Reset(Reset),
    Join(Person),
    Leave(Leave),
    Draft(Draft),
    Volatile(Volatile),
    Error(Refusal),
    Pong,
    /// A name that this client does not know, which is no fault [P3].
    Unknown(String),
}

#[derive(Clone, Debug, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the protocol has them")]
pub struct Welcome {
    pub v: u64,
    pub client: u64,
    pub user: String,
    pub role: String,
    pub epoch: String,
    pub seq: u64,
    pub board: Board,
    pub locked: bool,
    pub quiz: bool,
    #[serde(default)]
    pub readonly: bool,
    pub undo: u64,
    pub redo: u64,
    pub last: u64,
    pub limits: serde_json::Map<String, serde_json::Value>,
    pub people: Vec<Person>,
    pub drafts: Vec<Draft>,
    pub resume: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Board {
    pub id: String,
    #[serde(default)]
    pub title: Option<String>,
    pub kind: String,
    pub settings: Box<RawValue>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Person {
    pub client: u64,
    pub user: String,
    pub name: String,
    #[serde(default)]
    pub color: Option<String>,
    pub role: String,
}

#[derive(Debug, Deserialize)]
pub struct Snapshot {
    pub seq: u64,
    #[serde(deserialize_with = "elements")]
    pub elements: Vec<Element>,
    pub more: bool,
}

#[derive(Debug, Deserialize)]
pub struct Change {
    pub seq: u64,
    pub by: String,
    #[serde(default, deserialize_with = "elements")]
    pub elements: Vec<Element>,
    #[serde(default)]
    pub deleted: Vec<Deleted>,
}

#[derive(Debug, Deserialize)]
pub struct Ack {
    pub id: u64,
    pub seq: u64,
    pub undo: u64,
    pub redo: u64,
    #[serde(default, deserialize_with = "elements")]
    pub elements: Vec<Element>,
    #[serde(default)]
    pub deleted: Vec<Deleted>,
}

#[derive(Debug, Deserialize)]
pub struct Switch {
    pub seq: u64,
    pub on: bool,
    pub by: String,
}

#[derive(Debug, Deserialize)]
pub struct Title {
    pub seq: u64,
    pub by: String,
    pub title: String,
}

#[derive(Debug, Deserialize)]
pub struct Settings {
    pub seq: u64,
    pub by: String,
    pub values: Box<RawValue>,
}

#[derive(Debug, Deserialize)]
pub struct Reset {
    pub reason: String,
}

#[derive(Debug, Deserialize)]
pub struct Leave {
    pub client: u64,
}

/// A part of a stroke that somebody is drawing, or that it will not be one.
#[derive(Clone, Debug, Deserialize)]
pub struct Draft {
    pub c: u64,
    pub el: String,
    #[serde(default)]
    pub from: usize,
    #[serde(default)]
    pub points: Vec<Box<RawValue>>,
    #[serde(default)]
    pub pressures: Vec<Box<RawValue>>,
    #[serde(default)]
    pub base: Option<Box<RawValue>>,
    #[serde(default)]
    pub cancel: bool,
}

#[derive(Debug, Deserialize)]
pub struct Volatile {
    pub c: u64,
    pub k: String,
    pub d: Box<RawValue>,
}

#[derive(Debug, Deserialize)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    #[serde(default)]
    pub id: Option<u64>,
    /// Milliseconds.
    #[serde(default)]
    pub retry: Option<u64>,
    #[serde(default, deserialize_with = "elements")]
    pub elements: Vec<Element>,
    #[serde(default)]
    pub deleted: Vec<Deleted>,
}

fn elements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Element>, D::Error> {
    let texts: Vec<&'de RawValue> = Vec::deserialize(deserializer)?;
    texts.into_iter().map(|text| Element::parse(text.get()).map_err(D::Error::custom)).collect()
}

#[derive(Deserialize)]
struct Name<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
}

impl Incoming {
    /// Reads a message. Keys that are not known do not matter [P3].
    pub fn parse(text: &str) -> Result<Self, Misunderstood> {
        Self::read(text).map_err(|error| Misunderstood(error, text.chars().take(200).collect()))
    }

    fn read(text: &str) -> Result<Self, serde_json::Error> {
        fn of<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
            serde_json::from_str(text)
        }
        let name: Name<'_> = of(text)?;
        Ok(match &*name.t {
            "welcome" => Self::Welcome(of(text)?),
            "snapshot" => Self::Snapshot(of(text)?),
            "change" => Self::Change(of(text)?),
            "ack" => Self::Ack(of(text)?),
            "lock" => Self::Lock(of(text)?),
            "quiz" => Self::Quiz(of(text)?),
            "title" => Self::Title(of(text)?),
            "settings" => Self::Settings(of(text)?),
            "reset" => Self::Reset(of(text)?),
            "join" => Self::Join(of(text)?),
            "leave" => Self::Leave(of(text)?),
            "draft" => Self::Draft(of(text)?),
            "v" => Self::Volatile(of(text)?),
            "error" => Self::Error(of(text)?),
            "pong" => Self::Pong,
            other => Self::Unknown(other.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_whatever_else_is_in_them() {
        for (text, expected) in [
            (r#"{"t":"pong","later":1}"#, "Pong"),
            (r#"{"t":"news","x":[]}"#, r#"Unknown("news")"#),
            (r#"{"t":"reset","reason":"quiz"}"#, r#"Reset(Reset { reason: "quiz" })"#),
            (r#"{"seq":3,"on":true,"by":"u","t":"lock"}"#, r#"Lock(Switch { seq: 3, on: true, by: "u" })"#),
        ] {
            assert_eq!(format!("{:?}", Incoming::parse(text).unwrap()), expected);
        }
    }

    #[test]
    fn elements_keep_their_text() {
        let text = r#"{"t":"change","seq":4,"by":"u","elements":[{"id":"a", "version":1,"versionNonce":2,"x":1e21}],"deleted":[["b",5,6]]}"#;
        let Incoming::Change(change) = Incoming::parse(text).unwrap() else { panic!() };
        assert_eq!(change.elements[0].text.as_deref(), Some(r#"{"id":"a", "version":1,"versionNonce":2,"x":1e21}"#));
        assert_eq!(change.deleted, [Deleted("b".into(), 5, 6)]);
    }

    #[test]
    fn what_is_not_in_the_protocol_is_told() {
        for text in ["", "[]", "{}", r#"{"t":"ack"}"#, r#"{"t":"change","seq":1,"by":"u","elements":[{}]}"#] {
            let error = Incoming::parse(text).unwrap_err().to_string();
            assert!(error.contains("not in the protocol") && error.ends_with(text), "{error}");
        }
    }
}
