//! What a client asks of a native board. The messages of PROTOCOL.md, read and limited by the dialect.

use super::element::Element;
use super::elements::Owner;
use super::event::Refused;
use super::identity::{Role, UserId};
use super::state::State;
use crate::board::core::Act;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The first thing a client does.
#[derive(Clone, Debug)]
pub struct Join {
    pub user: UserId,
    /// The tab's id: its requests are executed once.
    pub session: Arc<str>,
    pub name: Arc<str>,
    /// A colour as the client wrote it.
    pub color: Option<Arc<str>>,
    pub role: Role,
    /// `epoch` and `seq` as the client last saw them.
    pub since: Option<Since>,
    /// False for the server's own clients (HTTP API): nobody is told of them.
    pub present: bool,
}

/// Up to where a client knows the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    pub epoch: Arc<str>,
    pub seq: u64,
}

/// A request of which everybody hears once it is on disk. `id` grows with each request of a session.
#[derive(Debug)]
pub struct Asked {
    pub id: u64,
    pub what: What,
}

/// What is asked for.
#[derive(Debug)]
pub enum What {
    Change(Change),
    Undo,
    Redo,
    Clear,
    Lock(bool),
    Quiz(bool),
    /// 1-200 characters.
    Title(Arc<str>),
    /// Keys and the JSON text of their values, merged into what is there; `null` removes.
    Settings(Vec<(Arc<str>, Arc<str>)>),
    RestoreTo(RestoreTo),
}

/// Elements as they should be now.
#[derive(Debug, Default)]
pub struct Change {
    /// Changes of one gesture are one step of undo.
    pub gesture: Option<u64>,
    pub elements: Vec<Element>,
    /// Elements whose points were sent before as drafts.
    pub drafts: Vec<Unfinished>,
}

/// An element without its `points` and `pressures`, of which `count` were sent as drafts before.
#[derive(Debug)]
pub struct Unfinished {
    /// The JSON text of the object, as it was sent.
    pub text: Box<RawValue>,
}

/// Brings the board's elements and its look back to an earlier moment. Whoever handles the client's `restore` reads them from
/// the store.
#[derive(Debug)]
pub struct RestoreTo {
    /// The operation after which the board was like this.
    pub seq: u64,
    /// The elements that were not deleted then, and whose they were.
    pub elements: Vec<(Owner, Element)>,
    /// The board's look then: keys and the JSON text of their values.
    pub settings: BTreeMap<Arc<str>, Arc<str>>,
}

impl RestoreTo {
    /// Back to a board as it was after operation `seq`.
    pub fn of(seq: u64, past: &State) -> Self {
        let elements = past.elements.iter().map(|(owner, element)| (owner, element.clone())).collect();
        Self { seq, elements, settings: past.settings.clone() }
    }
}

/// A stroke being drawn. Nothing of it is written down.
#[derive(Debug)]
pub struct Draft {
    /// The id of the element that it will become.
    pub element: Arc<str>,
    pub what: Grow,
}

/// What becomes of a draft.
#[derive(Debug)]
pub enum Grow {
    Points {
        /// How many points were sent before.
        from: u32,
        points: List,
        pressures: Option<List>,
        /// The element without its points as JSON text; comes with `from` 0.
        base: Option<Arc<str>>,
    },
    Cancel,
}

/// Items of a JSON array as text without the brackets, so that numbers stay as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    pub text: Arc<str>,
    pub count: u32,
}

/// Of each sender and kind only the newest counts. Nothing of it is written down.
#[derive(Debug)]
pub struct Volatile {
    pub kind: Arc<str>,
    /// JSON text, at most 1 KiB.
    pub data: Arc<str>,
}

/// One message of a client.
#[derive(Debug)]
pub enum Action {
    Join(Join),
    Leave,
    Durable(Asked),
    /// A request that the dialect refuses. It comes by here to be answered in its turn.
    Wrong(Refused),
    Draft(Draft),
    Volatile(Volatile),
}

/// A JSON text that is not the list it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ListError {
    #[error("`points` must be a list of pairs of numbers")]
    Points,
    #[error("`pressures` must be a list of numbers")]
    Pressures,
}

impl List {
    /// Reads `[[x,y],…]`.
    pub fn points(json: &RawValue) -> Result<Self, ListError> {
        let items: Vec<&RawValue> = serde_json::from_str(json.get()).map_err(|_| ListError::Points)?;
        let fits = |item: &&RawValue| serde_json::from_str::<[f64; 2]>(item.get()).is_ok();
        if items.iter().all(fits) { Ok(Self::join(&items)) } else { Err(ListError::Points) }
    }

    /// Reads `[number,…]`.
    pub fn pressures(json: &RawValue) -> Result<Self, ListError> {
        let items: Vec<&RawValue> = serde_json::from_str(json.get()).map_err(|_| ListError::Pressures)?;
        let fits = |item: &&RawValue| serde_json::from_str::<f64>(item.get()).is_ok();
        if items.iter().all(fits) { Ok(Self::join(&items)) } else { Err(ListError::Pressures) }
    }

    fn join(items: &[&RawValue]) -> Self {
        let texts: Vec<&str> = items.iter().map(|item| item.get()).collect();
        Self { text: texts.join(",").into(), count: u32::try_from(items.len()).unwrap_or(u32::MAX) }
    }
}

impl Act for Action {
    fn weight(&self) -> usize {
        match self {
            Self::Durable(durable) => match &durable.what {
                What::Change(change) => {
                    change.elements.iter().map(Element::bytes).sum::<usize>()
                        + change.drafts.iter().map(|draft| draft.text.get().len()).sum::<usize>()
                }
                What::RestoreTo(restore) => restore.elements.iter().map(|(_, element)| element.bytes()).sum(),
                What::Title(title) => title.len(),
                What::Settings(values) => values.iter().map(|(key, value)| key.len() + value.len()).sum(),
                What::Undo | What::Redo | What::Clear | What::Lock(_) | What::Quiz(_) => 0,
            },
            Self::Draft(Draft { what: Grow::Points { points, pressures, base, .. }, .. }) => {
                points.text.len()
                    + pressures.as_ref().map_or(0, |list| list.text.len())
                    + base.as_ref().map_or(0, |base| base.len())
            }
            Self::Join(_) | Self::Leave | Self::Wrong(_) | Self::Draft(_) => 0,
            Self::Volatile(volatile) => volatile.data.len(),
        }
    }

    fn is_activity(&self) -> bool {
        matches!(self, Self::Join(_) | Self::Durable(_) | Self::Draft(_))
    }

    fn is_change(&self) -> bool {
        matches!(self, Self::Durable(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn points_keep_their_digits() {
        let points = List::points(&raw("[[1.50,2],[-0, 1e21],[3,4]]")).unwrap();
        assert_eq!((&*points.text, points.count), ("[1.50,2],[-0, 1e21],[3,4]", 3));
        let pressures = List::pressures(&raw("[ 0.50,1 ]")).unwrap();
        assert_eq!((&*pressures.text, pressures.count), ("0.50,1", 2));
        assert_eq!(List::points(&raw("[]")), Ok(List::default()));
    }

    #[test]
    fn what_is_no_list_of_numbers_is_refused() {
        for text in ["1", "[1]", "[[1]]", "[[1,2,3]]", r#"[["1",2]]"#, "[[1,null]]", "{}"] {
            assert_eq!(List::points(&raw(text)), Err(ListError::Points), "{text}");
        }
        for text in ["1", "[[1]]", r#"["1"]"#, "null"] {
            assert_eq!(List::pressures(&raw(text)), Err(ListError::Pressures), "{text}");
        }
    }

    #[test]
    fn weight_is_what_was_sent() {
        let element = Element::from_text(r#"{"id":"a","type":"t","version":1,"versionNonce":0}"#).unwrap();
        let bytes = element.text().len();
        let change = Change { elements: vec![element.clone(), element], drafts: vec![], gesture: None };
        let action = Action::Durable(Asked { id: 1, what: What::Change(change) });
        assert_eq!(action.weight(), 2 * bytes);
        assert!(action.is_activity());
        let cursor = Action::Volatile(Volatile { kind: "cursor".into(), data: "[1,2]".into() });
        assert_eq!(cursor.weight(), 5);
        assert!(!cursor.is_activity() && !Action::Leave.is_activity());
    }
}
