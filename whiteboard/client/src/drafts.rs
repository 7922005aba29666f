//! Strokes that others are drawing at this moment.

use crate::message::Draft;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A stroke as far as it has come.
#[derive(Clone, Debug, Default)]
pub struct Stroke {
    /// The element without points.
    pub base: Option<Arc<str>>,
    /// `[x,y]` each.
    pub points: Vec<Box<RawValue>>,
    pub pressures: Vec<Box<RawValue>>,
}

/// All of them, by client and element.
#[derive(Clone, Debug, Default)]
pub struct Drafts(BTreeMap<(u64, String), Stroke>);

impl Drafts {
    /// Takes a part [D3]: one that leaves a gap is ignored together with the rest of its stroke, for the finished element
    /// comes; one that overlaps replaces what it overlaps.
    pub fn take(&mut self, draft: Draft) {
        let key = (draft.c, draft.el);
        if draft.cancel {
            self.0.remove(&key);
            return;
        }
        if draft.from == 0 {
            let stroke = Stroke { base: draft.base.map(|base| base.get().into()), ..Stroke::default() };
            self.0.insert(key.clone(), stroke);
        }
        let Some(stroke) = self.0.get_mut(&key) else { return };
        if draft.from > stroke.points.len() {
            self.0.remove(&key);
            return;
        }
        stroke.points.truncate(draft.from);
        stroke.pressures.truncate(draft.from);
        stroke.points.extend(draft.points);
        stroke.pressures.extend(draft.pressures);
    }

    /// The element has come: nobody draws it any more.
    pub fn finished(&mut self, element: &str) {
        self.0.retain(|(_, id), _| id != element);
    }

    /// A client has gone, and with it what it was drawing.
    pub fn gone(&mut self, client: u64) {
        self.0.retain(|(drawer, _), _| *drawer != client);
    }

    /// Client, element and stroke of everything that is being drawn.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str, &Stroke)> {
        self.0.iter().map(|((client, element), stroke)| (*client, element.as_str(), stroke))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts(parts: &[&str]) -> Vec<(u64, String, String)> {
        let mut drafts = Drafts::default();
        for part in parts {
            drafts.take(serde_json::from_str(part).unwrap());
        }
        drafts
            .iter()
            .map(|(client, element, stroke)| {
                let points: Vec<&str> = stroke.points.iter().map(|point| point.get()).collect();
                (client, element.to_owned(), points.join(" "))
            })
            .collect()
    }

    #[test]
    fn parts_become_a_stroke() {
        let first = r#"{"c":1,"el":"a","from":0,"points":[[0,0],[1,1]],"base":{"x":1}}"#;
        let next = r#"{"c":1,"el":"a","from":2,"points":[[2,1e1]]}"#;
        let overlap = r#"{"c":1,"el":"a","from":1,"points":[[9,9]]}"#;
        let gap = r#"{"c":1,"el":"a","from":5,"points":[[5,5]]}"#;
        let late = r#"{"c":2,"el":"b","from":3,"points":[[5,5]]}"#;
        let cancel = r#"{"c":1,"el":"a","cancel":true}"#;
        for (parts, expected) in [
            (vec![first, next], Some("[0,0] [1,1] [2,1e1]")),
            (vec![first, next, overlap], Some("[0,0] [9,9]")),
            (vec![first, next, first], Some("[0,0] [1,1]")),
            (vec![first, gap, next], None),
            (vec![late], None),
            (vec![first, cancel], None),
        ] {
            let expected: Vec<_> = expected.map(|points| (1, "a".to_owned(), points.to_owned())).into_iter().collect();
            assert_eq!(drafts(&parts), expected, "{parts:?}");
        }
    }

    #[test]
    fn drafts_end_with_their_element_or_their_client() {
        let mut drafts = Drafts::default();
        for (client, element) in [(1, "a"), (1, "b"), (2, "c")] {
            let part = format!(r#"{{"c":{client},"el":"{element}","from":0,"points":[]}}"#);
            drafts.take(serde_json::from_str(&part).unwrap());
        }
        drafts.finished("a");
        assert_eq!(drafts.iter().count(), 2);
        drafts.gone(2);
        assert_eq!(drafts.iter().map(|(_, element, _)| element).collect::<Vec<_>>(), ["b"]);
    }
}
