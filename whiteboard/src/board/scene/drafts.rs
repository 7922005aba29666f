//! Strokes being drawn. Their points are kept until the element comes, for those who join meanwhile and so that the
//! finished element need not be sent with all its points again. Nothing of it is written down.

use super::action::{Grow, List};
use super::element::Element;
use super::event::DraftSoFar;
use super::object::Object;
use crate::board::core::ClientId;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Points of one draft.
pub const POINTS: u32 = 20_000;

/// Drafts of one client; a new one takes the place of its oldest.
pub const DRAFTS: usize = 4;

/// Bytes of one draft's points, its pressures, and its element without them.
pub const BYTES: usize = 1 << 20;

/// Bytes of all drafts of a board; what would be more is given up.
pub const ALL_BYTES: usize = 16 << 20;

#[derive(Debug)]
struct Draft {
    element: Arc<str>,
    base: Arc<str>,
    points: Growing,
    pressures: Growing,
}

/// Items of a JSON array as text, without the brackets.
#[derive(Debug, Default)]
struct Growing {
    text: String,
    count: u32,
}

/// All drafts of a board.
#[derive(Debug, Default)]
pub struct Drafts {
    drawn: BTreeMap<ClientId, Vec<Draft>>,
    bytes: usize,
}

/// Why an element cannot be put together from its draft.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DraftError {
    #[error("an element without points must be an object with `id` and `count`; send it whole")]
    Unreadable,
    #[error("the points of element {id} did not arrive: {has} of {count}; send it whole")]
    Points { id: String, has: u32, count: u32 },
    #[error("{0}")]
    Element(String),
}

/// Puts items behind the first `from` of a list.
fn extend(list: &mut Growing, from: u32, more: &List) {
    if from < list.count {
        let items = format!("[{}]", list.text);
        // The list was put together from items: it can be read as such.
        let items: Vec<&RawValue> = serde_json::from_str(&items).unwrap_or_default();
        list.text = items.iter().take(from as usize).map(|item| item.get()).collect::<Vec<_>>().join(",");
        list.count = from;
    }
    if !list.text.is_empty() && !more.text.is_empty() {
        list.text.push(',');
    }
    list.text.push_str(&more.text);
    list.count = list.count.saturating_add(more.count);
}

impl Draft {
    fn weight(&self) -> usize {
        self.base.len() + self.points.text.len() + self.pressures.text.len()
    }
}

impl Growing {
    fn list(&self) -> List {
        List { text: self.text.as_str().into(), count: self.count }
    }
}

impl Drafts {
    /// Takes the next points of a draft; those that overlap what came before replace it. False: some are missing before
    /// them or they are too many, the draft is given up and nobody is to be told of these points.
    pub fn grow(&mut self, client: ClientId, element: &Arc<str>, grow: &Grow) -> bool {
        let Grow::Points { from, points, pressures, base } = grow else {
            return self.remove(client, element);
        };
        if let (0, Some(base)) = (*from, base) {
            self.remove(client, element);
            let drafts = self.drawn.entry(client).or_default();
            if drafts.len() >= DRAFTS {
                self.bytes -= drafts.remove(0).weight();
            }
            let (points, pressures) = (Growing::default(), Growing::default());
            let draft = Draft { element: element.clone(), base: base.clone(), points, pressures };
            self.bytes += draft.weight();
            drafts.push(draft);
        }
        let drafts = self.drawn.get_mut(&client).into_iter().flatten();
        let Some(draft) = drafts.into_iter().find(|draft| draft.element == *element) else { return false };
        let follows = draft.points.count >= *from;
        if follows {
            self.bytes -= draft.weight();
            extend(&mut draft.points, *from, points);
            if let Some(pressures) = pressures {
                extend(&mut draft.pressures, *from, pressures);
            }
            self.bytes += draft.weight();
        }
        let fits = draft.points.count <= POINTS && draft.weight() <= BYTES && self.bytes <= ALL_BYTES;
        if !follows || !fits {
            self.remove(client, element);
        }
        follows && fits
    }

    /// Forgets a draft: it has become an element, or will not. True if there was one.
    pub fn remove(&mut self, client: ClientId, element: &str) -> bool {
        let Some(drafts) = self.drawn.get_mut(&client) else { return false };
        let Some(place) = drafts.iter().position(|draft| &*draft.element == element) else { return false };
        self.bytes -= drafts.remove(place).weight();
        if drafts.is_empty() {
            self.drawn.remove(&client);
        }
        true
    }

    /// Forgets all drafts of a client.
    pub fn leave(&mut self, client: ClientId) {
        let drafts = self.drawn.remove(&client).unwrap_or_default();
        self.bytes -= drafts.iter().map(Draft::weight).sum::<usize>();
    }

    /// The element that a draft has become, from its text without points and how many points there should be.
    pub fn finish(&self, client: ClientId, unfinished: &RawValue) -> Result<Element, DraftError> {
        let mut object = Object::parse(unfinished.get()).map_err(|_| DraftError::Unreadable)?;
        let read = |key: &str| object.get(key).ok_or(DraftError::Unreadable);
        let id: String = serde_json::from_str(read("id")?).map_err(|_| DraftError::Unreadable)?;
        let count: u32 = serde_json::from_str(read("count")?).map_err(|_| DraftError::Unreadable)?;
        let draft = self.drawn.get(&client).and_then(|drafts| drafts.iter().find(|draft| *draft.element == *id));
        let has = draft.map_or(0, |draft| draft.points.count);
        let Some(draft) = draft.filter(|_| has == count) else { return Err(DraftError::Points { id, has, count }) };
        object.remove("count");
        object.set("points", format!("[{}]", draft.points.text));
        object.set("pressures", format!("[{}]", draft.pressures.text));
        Element::from_text(&object.text()).map_err(|error| DraftError::Element(error.to_string()))
    }

    /// All drafts as far as they came.
    pub fn all(&self) -> impl Iterator<Item = DraftSoFar> {
        self.drawn.iter().flat_map(|(client, drafts)| {
            drafts.iter().map(|draft| DraftSoFar {
                client: *client,
                element: draft.element.clone(),
                base: draft.base.clone(),
                points: draft.points.list(),
                pressures: (draft.pressures.count > 0).then(|| draft.pressures.list()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str, count: u32) -> List {
        List { text: text.into(), count }
    }

    fn points(from: u32, points: &str, count: u32) -> Grow {
        let base = (from == 0).then(|| r#"{"id":"a"}"#.into());
        Grow::Points { from, points: list(points, count), pressures: Some(list("0.50", 1)), base }
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_draft_grows_and_becomes_its_element() {
        let (mut drafts, a) = (Drafts::default(), "a".into());
        assert!(drafts.grow(1, &a, &points(0, "[1.50,2],[3,4]", 2)));
        assert!(drafts.grow(1, &a, &points(2, "[5,6]", 1)));
        let all: Vec<_> = drafts.all().collect();
        assert_eq!((all[0].client, &*all[0].base, all[0].points.count), (1, r#"{"id":"a"}"#, 3));
        assert_eq!(all[0].pressures, Some(list("0.50,0.50", 2)));
        let text = raw(r#"{"id":"a", "type":"freedraw","count":3,"version":4,"versionNonce":5,"x":1.0}"#);
        let element = drafts.finish(1, &text).unwrap();
        assert_eq!(
            element.text(),
            r#"{"id":"a","type":"freedraw","version":4,"versionNonce":5,"x":1.0,"points":[[1.50,2],[3,4],[5,6]],"pressures":[0.50,0.50]}"#
        );
        assert!(drafts.remove(1, "a") && !drafts.remove(1, "a"));
        assert!(drafts.drawn.is_empty() && drafts.bytes == 0);
    }

    #[test]
    fn an_element_whose_points_did_not_arrive_is_refused() {
        let mut drafts = Drafts::default();
        drafts.grow(1, &"a".into(), &points(0, "[1,2]", 1));
        for (client, text, sentence) in [
            (1, r#"{"id":"a","count":2}"#, "the points of element a did not arrive: 1 of 2"),
            (1, r#"{"id":"b","count":1}"#, "0 of 1"),
            (2, r#"{"id":"a","count":1}"#, "0 of 1"),
            (1, r#"{"id":"a"}"#, "with `id` and `count`"),
            (1, r#"{"id":"a","count":-1}"#, "with `id` and `count`"),
            (1, "[]", "with `id` and `count`"),
            (1, r#"{"id":"a","count":1}"#, "missing field `type`"),
        ] {
            let error = drafts.finish(client, &raw(text)).unwrap_err().to_string();
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }

    #[test]
    fn d3_points_that_overlap_replace_what_came_before() {
        let (mut drafts, a) = (Drafts::default(), "a".into());
        let more = |from, text: &str, count, pressures: &str| Grow::Points {
            from,
            points: list(text, count),
            pressures: Some(list(pressures, count)),
            base: (from == 0).then(|| "{}".into()),
        };
        assert!(drafts.grow(1, &a, &more(0, "[1.0,2],[3,4],[5,6]", 3, "1,2,3")));
        assert!(drafts.grow(1, &a, &more(1, "[7,8],[9,9]", 2, "4,5")));
        let now = drafts.all().next().unwrap();
        assert_eq!(now.points, list("[1.0,2],[7,8],[9,9]", 3));
        assert_eq!(now.pressures, Some(list("1,4,5", 3)));
    }

    #[test]
    fn a_gap_ends_a_draft() {
        let (mut drafts, a) = (Drafts::default(), "a".into());
        assert!(!drafts.grow(1, &a, &points(5, "[1,2]", 1)));
        assert!(drafts.grow(1, &a, &points(0, "[1,2]", 1)));
        assert!(!drafts.grow(1, &a, &points(2, "[1,2]", 1)));
        assert!(!drafts.grow(1, &a, &points(1, "[1,2]", 1)), "it was given up");
        assert_eq!(drafts.all().count(), 0);
        assert!(!drafts.grow(1, &a, &Grow::Points { from: 0, points: list("", 0), pressures: None, base: None }));
    }

    #[test]
    fn a_draft_begins_anew_from_0() {
        let (mut drafts, a) = (Drafts::default(), "a".into());
        assert!(drafts.grow(1, &a, &points(0, "[1,2],[3,4]", 2)));
        assert!(drafts.grow(1, &a, &points(0, "[5,6]", 1)));
        assert_eq!(&*drafts.all().next().unwrap().points.text, "[5,6]");
        assert!(drafts.grow(1, &a, &Grow::Cancel));
        assert!(!drafts.grow(1, &a, &Grow::Cancel));
    }

    #[test]
    fn drafts_are_bounded() {
        let mut drafts = Drafts::default();
        for n in 0..10 {
            assert!(drafts.grow(1, &n.to_string().into(), &points(0, "[1,2]", 1)));
        }
        let ids: Vec<_> = drafts.all().map(|draft| draft.element.to_string()).collect();
        assert_eq!(ids, ["6", "7", "8", "9"]);
        let a: Arc<str> = "a".into();
        assert!(drafts.grow(2, &a, &points(0, "[1,2]", POINTS)));
        assert!(!drafts.grow(2, &a, &points(POINTS, "[1,2]", 1)));
        assert!(!drafts.grow(2, &a, &points(0, &"9".repeat(BYTES), 1)));
        drafts.leave(1);
        assert_eq!((drafts.all().count(), drafts.bytes), (0, 0));
        let long = "9".repeat(BYTES / 2);
        let grown = (1..100).filter(|client| drafts.grow(*client, &a, &points(0, &long, 1))).count();
        assert_eq!(grown, ALL_BYTES / (BYTES / 2) - 1, "all together have a limit too");
    }
}
