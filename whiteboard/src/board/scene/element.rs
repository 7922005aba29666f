//! One element of a native board, kept as the text that a client sent.
//!
//! The server needs to know of an element what decides a merge: its id, `version`, `versionNonce`, and whether it is
//! deleted. All else comes back byte for byte: unknown keys, 30-digit numbers, lone surrogate halves.
//!
//! Most elements of a board were on disk when it was opened. Their texts stay together in the one text that was read:
//! a board of ten thousand elements is opened without looking into each, and without a piece of memory for each.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Characters of an element's id.
pub const ID_CHARACTERS: usize = 64;

/// Characters of an element's fractional index. It grows by about a character each time something is put between the
/// same two neighbours.
pub const INDEX_CHARACTERS: usize = 1024;

/// Characters of an element's `type`.
pub const TYPE_CHARACTERS: usize = 64;

/// The greatest `version` and `versionNonce`: whole numbers that JavaScript holds exactly.
pub const GREATEST: u64 = (1 << 53) - 1;

/// What decides between two states of one element: see [`Stamp::wins_over`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub version: u64,
    pub nonce: u64,
}

impl Stamp {
    /// Whether both numbers are in their range.
    pub fn is_sound(self) -> bool {
        (1..=GREATEST).contains(&self.version) && self.nonce <= GREATEST
    }

    /// PROTOCOL.md, "Merge": the higher version wins, of equal versions the lower nonce. Two states with the same stamp
    /// are taken for the same state: the one that was there first stays.
    pub fn wins_over(self, other: Self) -> bool {
        self.version > other.version || (self.version == other.version && self.nonce < other.nonce)
    }
}

/// What is told of a deleted element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    pub id: Arc<str>,
    pub stamp: Stamp,
}

/// Why a JSON text is not an element.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ElementError {
    #[error("an element is not understood: {0}")]
    Json(String),
    #[error("an element's id must have 1 to {ID_CHARACTERS} characters")]
    Id,
    #[error("the type of element {0} must have 1 to {TYPE_CHARACTERS} characters")]
    Type(Arc<str>),
    #[error("the version of element {0} must be a whole number from 1 to {GREATEST}")]
    Version(Arc<str>),
    #[error("the versionNonce of element {0} must be a whole number from 0 to {GREATEST}")]
    Nonce(Arc<str>),
    #[error("the index of element {0} must be null or have 1 to {INDEX_CHARACTERS} characters")]
    Index(Arc<str>),
}

/// An element. Cloning shares it.
#[derive(Clone)]
pub struct Element(Arc<Inner>);

struct Inner {
    id: Arc<str>,
    stamp: Stamp,
    deleted: bool,
    text: Text,
}

/// Where the text of an element is.
enum Text {
    Own(Box<str>),
    /// In a text that it shares with others; it stays whole for as long as one of them is needed.
    Shared {
        whole: Arc<String>,
        start: u32,
        length: u32,
    },
}

impl Text {
    fn get(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Shared { whole, start, length } => {
                let start = *start as usize;
                &whole[start..start + *length as usize]
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    version: u64,
    version_nonce: u64,
    #[serde(borrow, default)]
    index: Option<Cow<'a, str>>,
    #[serde(default)]
    is_deleted: bool,
}

fn has_length(text: &str, most: usize) -> bool {
    !text.is_empty() && (text.len() <= most || text.chars().count() <= most)
}

impl Element {
    /// Reads an element as a client sent it. The length of the text is for the caller to limit.
    pub fn parse(json: &RawValue) -> Result<Self, ElementError> {
        Self::from_text(json.get())
    }

    /// Reads an element from JSON text.
    pub fn from_text(text: &str) -> Result<Self, ElementError> {
        let head: Head<'_> = serde_json::from_str(text).map_err(|error| ElementError::Json(error.to_string()))?;
        if !has_length(&head.id, ID_CHARACTERS) {
            return Err(ElementError::Id);
        }
        let id: Arc<str> = head.id.into();
        if !has_length(&head.kind, TYPE_CHARACTERS) {
            return Err(ElementError::Type(id));
        }
        if !(1..=GREATEST).contains(&head.version) {
            return Err(ElementError::Version(id));
        }
        if head.version_nonce > GREATEST {
            return Err(ElementError::Nonce(id));
        }
        if head.index.as_ref().is_some_and(|index| !has_length(index, INDEX_CHARACTERS)) {
            return Err(ElementError::Index(id));
        }
        Ok(Self(Arc::new(Inner {
            id,
            stamp: Stamp { version: head.version, nonce: head.version_nonce },
            deleted: head.is_deleted,
            text: Text::Own(text.into()),
        })))
    }

    /// An element that is there, whose text is a range of a larger text, and of which the rest is known already: it
    /// was an element before it was written there. None if there is no object in that range.
    pub fn within(whole: &Arc<String>, range: Range<usize>, id: Arc<str>, stamp: Stamp) -> Option<Self> {
        let text = whole.get(range.clone())?;
        if !text.starts_with('{') || !text.ends_with('}') {
            return None;
        }
        let text = match (u32::try_from(range.start), u32::try_from(range.len())) {
            (Ok(start), Ok(length)) => Text::Shared { whole: whole.clone(), start, length },
            _ => Text::Own(text.into()),
        };
        Some(Self(Arc::new(Inner { id, stamp, deleted: false, text })))
    }

    pub fn id(&self) -> &Arc<str> {
        &self.0.id
    }

    pub fn stamp(&self) -> Stamp {
        self.0.stamp
    }

    pub fn version(&self) -> u64 {
        self.0.stamp.version
    }

    pub fn nonce(&self) -> u64 {
        self.0.stamp.nonce
    }

    /// The fractional index that gives the order on the canvas. Looked up in the text: not for every day.
    pub fn index(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Place {
            index: Option<String>,
        }
        serde_json::from_str::<Place>(self.text()).ok()?.index
    }

    pub fn is_deleted(&self) -> bool {
        self.0.deleted
    }

    /// Bytes of the text; known without looking at it.
    pub fn bytes(&self) -> usize {
        match &self.0.text {
            Text::Own(text) => text.len(),
            Text::Shared { length, .. } => *length as usize,
        }
    }

    /// The JSON text exactly as it was sent.
    pub fn text(&self) -> &str {
        self.0.text.get()
    }

    /// The element as it is told when it is deleted.
    pub fn as_deleted(&self) -> Deleted {
        Deleted { id: self.0.id.clone(), stamp: self.0.stamp }
    }
}

/// Two elements are equal when their texts are.
impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl Eq for Element {}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Writes elements as a JSON array.
pub fn write_elements<'a>(elements: impl IntoIterator<Item = &'a Element>, out: &mut String) {
    out.push('[');
    for (place, element) in elements.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(element.text());
    }
    out.push(']');
}

/// Writes deleted elements as a JSON array of `[id,version,versionNonce]`.
pub fn write_deleted<'a>(deleted: impl IntoIterator<Item = &'a Deleted>, out: &mut String) {
    out.push('[');
    for (place, one) in deleted.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push('[');
        super::object::write_string(&one.id, out);
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(out, format_args!(",{},{}]", one.stamp.version, one.stamp.nonce));
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        Element::from_text(text).unwrap()
    }

    #[test]
    fn an_element_comes_back_digit_by_digit() {
        let text = "{ \"id\":\"a\\u0062\",\"x\":1.50e-7, \"big\":123456789012345678901234567890,\"lone\":\"\\ud800\",\n\
                    \"type\":\"freedraw\",\"version\":7,\"versionNonce\":9007199254740991,\"index\":\"a1V\"}";
        let one = element(text);
        assert_eq!((&**one.id(), one.version(), one.nonce()), ("ab", 7, GREATEST));
        assert_eq!(one.index().as_deref(), Some("a1V"));
        assert!(!one.is_deleted());
        assert_eq!(one.text(), text);
        let mut out = String::new();
        write_elements([&one, &one], &mut out);
        assert_eq!(out, format!("[{text},{text}]"));
    }

    #[test]
    fn what_is_not_an_element_is_refused_with_a_sentence() {
        let long = "i".repeat(65);
        for (text, sentence) in [
            ("7".to_owned(), "not understood"),
            (r#"{"id":"a","version":1,"versionNonce":1}"#.to_owned(), "missing field `type`"),
            (r#"{"id":"a","id":"b","type":"t","version":1,"versionNonce":1}"#.to_owned(), "duplicate field `id`"),
            (r#"{"id":"","type":"t","version":1,"versionNonce":1}"#.to_owned(), "1 to 64 characters"),
            (format!(r#"{{"id":"{long}","type":"t","version":1,"versionNonce":1}}"#), "1 to 64 characters"),
            (r#"{"id":"a","type":"","version":1,"versionNonce":1}"#.to_owned(), "the type of element a"),
            (r#"{"id":"a","type":"t","version":0,"versionNonce":1}"#.to_owned(), "the version of element a"),
            (r#"{"id":"a","type":"t","version":1.5,"versionNonce":1}"#.to_owned(), "not understood"),
            (r#"{"id":"a","type":"t","version":9007199254740992,"versionNonce":1}"#.to_owned(), "the version of"),
            (r#"{"id":"a","type":"t","version":1,"versionNonce":-1}"#.to_owned(), "not understood"),
            (r#"{"id":"a","type":"t","version":1,"versionNonce":9007199254740992}"#.to_owned(), "the versionNonce"),
            (r#"{"id":"a","type":"t","version":1,"versionNonce":1,"index":""}"#.to_owned(), "the index of element a"),
            (r#"{"id":"a","type":"t","version":1,"versionNonce":1,"isDeleted":1}"#.to_owned(), "not understood"),
            (r#"{"id":"\ud800","type":"t","version":1,"versionNonce":1}"#.to_owned(), "not understood"),
        ] {
            let error = Element::from_text(&text).unwrap_err().to_string();
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }

    #[test]
    fn an_id_is_measured_in_characters() {
        let id = "é".repeat(64);
        let text = format!(r#"{{"id":"{id}","type":"t","version":1,"versionNonce":0,"index":null}}"#);
        assert_eq!(&**element(&text).id(), id);
    }

    #[test]
    fn an_element_may_share_its_text_with_others() {
        let one = r#"{"id":"é","type":"t","version":1,"versionNonce":2,"index":"a0"}"#;
        let whole = Arc::new(format!("[{one},7]"));
        let stamp = Stamp { version: 1, nonce: 2 };
        let within = |range| Element::within(&whole, range, "é".into(), stamp);
        let shared = within(1..1 + one.len()).unwrap();
        assert_eq!((shared.text(), &shared, shared.is_deleted()), (one, &element(one), false));
        assert_eq!((shared.bytes(), element(one).bytes()), (one.len(), one.len()));
        assert_eq!((&**shared.id(), shared.stamp(), shared.index().as_deref()), ("é", stamp, Some("a0")));
        for (range, why) in [
            (0..one.len(), "begins elsewhere"),
            (1..one.len(), "ends elsewhere"),
            (1..9, "ends within a letter"),
            (whole.len()..whole.len() + 1, "behind the end"),
        ] {
            assert!(within(range).is_none(), "{why}");
        }
    }

    #[test]
    fn merge_higher_version_then_lower_nonce() {
        let stamp = |version, nonce| Stamp { version, nonce };
        for (one, other, wins) in [
            (stamp(2, 9), stamp(1, 0), true),
            (stamp(1, 0), stamp(2, 9), false),
            (stamp(2, 3), stamp(2, 4), true),
            (stamp(2, 4), stamp(2, 3), false),
            (stamp(2, 4), stamp(2, 4), false),
        ] {
            assert_eq!(one.wins_over(other), wins, "{one:?} {other:?}");
        }
    }

    #[test]
    fn deleted_elements_are_written_as_triples() {
        let one = element(r#"{"id":"a\"b","type":"t","version":3,"versionNonce":4,"isDeleted":true}"#);
        assert!(one.is_deleted());
        let mut out = String::new();
        write_deleted([&one.as_deleted(), &one.as_deleted()], &mut out);
        assert_eq!(out, r#"[["a\"b",3,4],["a\"b",3,4]]"#);
    }
}
