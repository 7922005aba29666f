//! What a client of the native dialect says: each message read once, with limits and errors by code.
//!
//! Elements stay the text that was sent; only what the board needs to know of them is parsed.

use crate::board::scene::action::{Asked, Change, Draft, Grow, List, Unfinished, Volatile, What};
use crate::board::scene::element::{Element, GREATEST};
use crate::board::scene::event::Code;
use crate::board::scene::object::Object;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The version of the protocol that is spoken [H2].
pub const VERSION: u64 = 1;

/// Characters of what people type.
pub const NAME: RangeInclusive<usize> = 0..=80;
pub const COLOR: RangeInclusive<usize> = 1..=32;
pub const TITLE: RangeInclusive<usize> = 1..=200;

/// Characters of secrets and ids.
pub const KEY: RangeInclusive<usize> = 16..=128;
pub const SESSION: RangeInclusive<usize> = 8..=32;
pub const ACCESS: RangeInclusive<usize> = 1..=128;
pub const ELEMENT_ID: RangeInclusive<usize> = 1..=64;
pub const KIND: RangeInclusive<usize> = 1..=16;

/// Bytes of a volatile message's data, and of the settings in one request.
pub const VOLATILE_BYTES: usize = 1 << 10;
pub const SETTINGS_BYTES: usize = 4 << 10;

/// One message.
#[derive(Debug)]
pub enum Message {
    Hello(Hello),
    Asked(Asked),
    /// The elements of that moment are still to be read from the store.
    Restore {
        id: u64,
        seq: u64,
    },
    Draft(Draft),
    Volatile(Volatile),
    Ping,
}

/// The first message of a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Hello {
    pub key: String,
    pub session: Arc<str>,
    pub name: Arc<str>,
    pub color: Option<Arc<str>>,
    pub access: Option<String>,
    pub look: bool,
    /// `epoch` and `seq` as last seen.
    pub since: Option<(Arc<str>, u64)>,
}

/// A message that cannot be followed; nothing was changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misunderstood {
    pub code: Code,
    pub id: Option<u64>,
    /// A sentence for the person who wrote the client.
    pub message: String,
}

impl Misunderstood {
    fn new(code: Code, id: Option<u64>, message: impl Into<String>) -> Self {
        Self { code, id, message: message.into() }
    }
}

/// All keys of all messages; what is not known is ignored [P3].
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    gesture: Option<u64>,
    #[serde(borrow, default)]
    elements: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    drafts: Vec<&'a RawValue>,
    #[serde(default)]
    on: Option<bool>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    values: Option<&'a RawValue>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow, default)]
    el: Option<Cow<'a, str>>,
    #[serde(default)]
    from: Option<u32>,
    #[serde(borrow, default)]
    points: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pressures: Option<&'a RawValue>,
    #[serde(borrow, default)]
    base: Option<&'a RawValue>,
    #[serde(default)]
    cancel: bool,
    #[serde(borrow, default)]
    k: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
}

/// Keys of `hello`, which comes once: read apart from the others.
#[derive(Deserialize)]
struct HelloFields<'a> {
    v: u64,
    #[serde(borrow, default)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    session: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    color: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    access: Option<Cow<'a, str>>,
    /// True, or the board's secret for those who look only.
    #[serde(borrow, default)]
    look: Option<&'a RawValue>,
    #[serde(borrow, default)]
    epoch: Option<Cow<'a, str>>,
    #[serde(default)]
    seq: Option<u64>,
}

/// What can be read of a message whose rest is wrong.
#[derive(Deserialize, Default)]
struct Heading<'a> {
    #[serde(borrow, default)]
    t: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

impl Message {
    /// Reads a message.
    pub fn parse(text: &str) -> Result<Self, Misunderstood> {
        let fields: Fields<'_> = match serde_json::from_str(text) {
            // An array would fit, by the order of the keys.
            Ok(fields) if text.trim_start().starts_with('{') => fields,
            Ok(_) => {
                return Err(Misunderstood::new(Code::Message, None, "A message is a JSON object with a name in t."));
            }
            Err(error) => return Err(unreadable(text, &error)),
        };
        if fields.t == "hello" {
            return hello(text);
        }
        fields.message()
    }
}

/// Names the message that could not be read, if there was a name.
fn unreadable(text: &str, error: &serde_json::Error) -> Misunderstood {
    let heading: Heading<'_> = serde_json::from_str(text).unwrap_or_default();
    let id = heading.id.and_then(|id| id.get().parse().ok());
    match heading.t.as_deref() {
        Some("hello") => Misunderstood::new(Code::Hello, None, format!("hello: {error}.")),
        Some(name) if is_known(name) => Misunderstood::new(Code::Message, id, format!("{name}: {error}.")),
        Some(_) => unknown(id),
        None => {
            Misunderstood::new(Code::Message, None, format!("A message is a JSON object with a name in t: {error}."))
        }
    }
}

fn is_known(name: &str) -> bool {
    matches!(
        name,
        "change"
            | "undo"
            | "redo"
            | "clear"
            | "lock"
            | "quiz"
            | "title"
            | "settings"
            | "restore"
            | "draft"
            | "v"
            | "ping"
    )
}

fn unknown(id: Option<u64>) -> Misunderstood {
    Misunderstood::new(Code::Message, id, "There is no message of this name (t). See PROTOCOL.md.")
}

/// Whether a text has as many characters as allowed, and none that controls.
fn fits(text: &str, characters: &RangeInclusive<usize>) -> bool {
    characters.contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_word(text: &str, characters: &RangeInclusive<usize>) -> bool {
    characters.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn hello(text: &str) -> Result<Message, Misunderstood> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(default)]
        v: Option<u64>,
    }
    // First of all the version: of another one nothing else is known [H2].
    if !matches!(serde_json::from_str(text), Ok(Version { v: Some(VERSION) })) {
        let sentence = format!("This server speaks version {VERSION} of the protocol: reload the page.");
        return Err(Misunderstood::new(Code::Version, None, sentence));
    }
    let wrong = |sentence: String| Misunderstood::new(Code::Hello, None, format!("hello: {sentence}."));
    let fields: HelloFields<'_> = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    debug_assert_eq!(fields.v, VERSION);
    if !KEY.contains(&fields.key.len()) || !fields.key.bytes().all(|b| b.is_ascii_graphic()) {
        let sentence = "hello: key must be 16 to 128 printable ASCII characters without blanks.";
        return Err(Misunderstood::new(Code::Key, None, sentence));
    }
    if !is_word(&fields.session, &SESSION) {
        return Err(wrong("session must be 8 to 32 characters of A-Z, a-z, 0-9, - and _".to_owned()));
    }
    let between = |name: &str, range: &RangeInclusive<usize>| {
        wrong(format!("{name} must have {} to {} characters, none of which controls", range.start(), range.end()))
    };
    if !fits(&fields.name, &NAME) {
        return Err(between("name", &NAME));
    }
    if fields.color.as_ref().is_some_and(|color| !fits(color, &COLOR)) {
        return Err(between("color", &COLOR));
    }
    let (look, secret) = match fields.look.map(RawValue::get) {
        None | Some("false" | "null") => (false, None),
        Some("true") => (true, None),
        Some(text) => {
            let secret: String = serde_json::from_str(text)
                .map_err(|_| wrong("look must be true, or the secret for those who look only".to_owned()))?;
            (true, Some(secret))
        }
    };
    let access = fields.access.map(Cow::into_owned).or(secret);
    if access.as_ref().is_some_and(|access| !fits(access, &ACCESS)) {
        return Err(between("access", &ACCESS));
    }
    Ok(Message::Hello(Hello {
        key: fields.key.into_owned(),
        session: fields.session.into(),
        name: fields.name.into(),
        color: fields.color.map(Into::into),
        access,
        look,
        since: fields.epoch.zip(fields.seq).map(|(epoch, seq)| (epoch.into(), seq)),
    }))
}

impl Fields<'_> {
    fn message(self) -> Result<Message, Misunderstood> {
        match &*self.t {
            "draft" => return self.draft().map(Message::Draft),
            "v" => return self.volatile().map(Message::Volatile),
            "ping" => return Ok(Message::Ping),
            name if !is_known(name) => return Err(unknown(self.id)),
            _ => {}
        }
        let id = match self.id {
            Some(id) if (1..=GREATEST).contains(&id) => id,
            _ => return Err(self.wrong("id must be a whole number above 0")),
        };
        let what = match &*self.t {
            "change" => What::Change(self.change()?),
            "undo" => What::Undo,
            "redo" => What::Redo,
            "clear" => What::Clear,
            "lock" => What::Lock(self.switch()?),
            "quiz" => What::Quiz(self.switch()?),
            "title" => What::Title(self.board_title()?),
            "settings" => self.settings()?,
            // What is left is `restore`.
            _ => {
                let seq = self.seq.ok_or_else(|| self.wrong("seq must be the number of an operation"))?;
                return Ok(Message::Restore { id, seq });
            }
        };
        Ok(Message::Asked(Asked { id, what }))
    }

    fn wrong(&self, sentence: impl Display) -> Misunderstood {
        Misunderstood::new(Code::Message, self.id, format!("{}: {sentence}.", self.t))
    }

    fn change(&self) -> Result<Change, Misunderstood> {
        let element = |text: &&RawValue| {
            Element::parse(text)
                .map_err(|error| Misunderstood::new(Code::Element, self.id, format!("change: {error}.")))
        };
        let elements = self.elements.iter().map(element).collect::<Result<_, _>>()?;
        let drafts = self.drafts.iter().map(|text| Unfinished { text: (*text).to_owned() }).collect();
        Ok(Change { gesture: self.gesture, elements, drafts })
    }

    fn switch(&self) -> Result<bool, Misunderstood> {
        self.on.ok_or_else(|| self.wrong("on must be true or false"))
    }

    fn board_title(&self) -> Result<Arc<str>, Misunderstood> {
        match self.title.as_deref().map(str::trim) {
            Some(title) if fits(title, &TITLE) => Ok(title.into()),
            _ => Err(self.wrong("title must have 1 to 200 characters, none of which controls")),
        }
    }

    fn settings(&self) -> Result<What, Misunderstood> {
        let values = self.values.map_or("", RawValue::get);
        if values.len() > SETTINGS_BYTES {
            let sentence = format!("settings: values may have {SETTINGS_BYTES} bytes.");
            return Err(Misunderstood::new(Code::TooLarge, self.id, sentence));
        }
        let object = Object::parse(values).map_err(|_| self.wrong("values must be an object"))?;
        Ok(What::Settings(object.keys().filter_map(|key| Some((key.into(), object.get(key)?.into()))).collect()))
    }

    fn draft(&self) -> Result<Draft, Misunderstood> {
        let element = match self.el.as_deref() {
            Some(id) if ELEMENT_ID.contains(&id.chars().count()) => id.into(),
            _ => return Err(self.wrong("el must be the element's id, 1 to 64 characters")),
        };
        if self.cancel {
            return Ok(Draft { element, what: Grow::Cancel });
        }
        let from = self.from.ok_or_else(|| self.wrong("from must be how many points were sent before"))?;
        let points = self.points.ok_or_else(|| self.wrong("points must be there"))?;
        let points = List::points(points).map_err(|error| self.wrong(error))?;
        let pressures = self.pressures.map(List::pressures).transpose().map_err(|error| self.wrong(error))?;
        let base: Option<Arc<str>> = match self.base {
            Some(base) if base.get().starts_with('{') => Some(base.get().into()),
            Some(_) => return Err(self.wrong("base must be the element without points, an object")),
            None => None,
        };
        if from == 0 && base.is_none() {
            return Err(self.wrong("base comes with from 0"));
        }
        Ok(Draft { element, what: Grow::Points { from, points, pressures, base } })
    }

    fn volatile(&self) -> Result<Volatile, Misunderstood> {
        let kind = match self.k.as_deref() {
            Some(kind) if fits(kind, &KIND) => kind.into(),
            _ => return Err(self.wrong("k must be the kind, 1 to 16 characters")),
        };
        let data = self.d.map_or("null", RawValue::get);
        if data.len() > VOLATILE_BYTES {
            let sentence = format!("v: d may have {VOLATILE_BYTES} bytes.");
            return Err(Misunderstood::new(Code::TooLarge, None, sentence));
        }
        Ok(Volatile { kind, data: data.into() })
    }
}

#[cfg(test)]
mod tests;
