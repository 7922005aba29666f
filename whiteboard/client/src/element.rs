//! One element of a board, as the text it was sent in.

use serde::Deserialize;
use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

/// What decides between two states of an element: the higher version, of equal ones the lower nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    pub version: u64,
    pub nonce: u64,
}

impl Stamp {
    fn rank(self) -> (u64, Reverse<u64>) {
        (self.version, Reverse(self.nonce))
    }

    /// Whether a state with this stamp replaces one with the other.
    pub fn beats(self, other: Self) -> bool {
        self.rank() > other.rank()
    }
}

/// Why a text is no element.
#[derive(Debug, thiserror::Error)]
#[error("This is no element: {0}")]
pub struct NoElement(#[from] serde_json::Error);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    version: u64,
    version_nonce: u64,
    #[serde(borrow, default)]
    index: Option<Cow<'a, str>>,
    #[serde(default)]
    is_deleted: bool,
}

/// A state of an element. Cloning shares the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub id: Arc<str>,
    pub stamp: Stamp,
    /// Fractional index; elements without one lie on top.
    pub index: Option<Arc<str>>,
    pub deleted: bool,
    /// The JSON text digit by digit; of elements that others deleted only the stamp is known.
    pub text: Option<Arc<str>>,
}

/// An element that is deleted: id, version, nonce.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Deleted(pub String, pub u64, pub u64);

impl Element {
    /// Reads an element; its text is kept as it is.
    pub fn parse(text: &str) -> Result<Self, NoElement> {
        let head: Head<'_> = serde_json::from_str(text)?;
        Ok(Self {
            id: head.id.into(),
            stamp: Stamp { version: head.version, nonce: head.version_nonce },
            index: head.index.map(Into::into),
            deleted: head.is_deleted,
            text: Some(text.into()),
        })
    }

    /// Where the element lies among others: by index, those without one last, then by id.
    pub fn place(&self, other: &Self) -> Ordering {
        let key = |element: &Self| (element.index.is_none(), element.index.clone(), element.id.clone());
        key(self).cmp(&key(other))
    }
}

impl From<Deleted> for Element {
    fn from(Deleted(id, version, nonce): Deleted) -> Self {
        Self { id: id.into(), stamp: Stamp { version, nonce }, index: None, deleted: true, text: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(version: u64, nonce: u64) -> Stamp {
        Stamp { version, nonce }
    }

    #[test]
    fn the_higher_version_wins_then_the_lower_nonce() {
        for (one, other, wins) in [
            (stamp(2, 9), stamp(1, 0), true),
            (stamp(1, 0), stamp(2, 9), false),
            (stamp(2, 1), stamp(2, 2), true),
            (stamp(2, 2), stamp(2, 1), false),
            (stamp(2, 2), stamp(2, 2), false),
        ] {
            assert_eq!(one.beats(other), wins, "{one:?} {other:?}");
        }
    }

    #[test]
    fn texts_stay_as_they_are() {
        let text =
            r#"{"id":"a\u0062","version":7,"versionNonce":0,"index":null,"x":1e21,"n":123456789012345678901234567890}"#;
        let element = Element::parse(text).unwrap();
        assert_eq!((&*element.id, element.stamp, element.deleted), ("ab", stamp(7, 0), false));
        assert_eq!(element.text.as_deref(), Some(text));
        let deleted: Element = serde_json::from_str::<Deleted>(r#"["a",3,4]"#).unwrap().into();
        assert!(deleted.deleted && deleted.text.is_none() && deleted.stamp == stamp(3, 4));
    }

    #[test]
    fn what_lacks_a_stamp_is_no_element() {
        for text in ["1", "{}", r#"{"id":"a","version":1}"#, r#"{"id":"a","version":-1,"versionNonce":0}"#] {
            assert!(Element::parse(text).unwrap_err().to_string().starts_with("This is no element"), "{text}");
        }
    }

    #[test]
    fn elements_lie_by_index_then_id() {
        let element = |id: &str, index: &str| {
            Element::parse(&format!(r#"{{"id":"{id}","version":1,"versionNonce":1,"index":{index}}}"#)).unwrap()
        };
        let sorted = [
            element("d", "\"Zz\""),
            element("c", "\"a0\""),
            element("a", "\"a1\""),
            element("b", "\"a1\""),
            element("0", "null"),
        ];
        for (i, one) in sorted.iter().enumerate() {
            for (j, other) in sorted.iter().enumerate() {
                assert_eq!(one.place(other), i.cmp(&j), "{i} {j}");
            }
        }
    }
}
