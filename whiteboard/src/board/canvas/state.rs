//! The durable part of a canvas: its objects, in the order in which they were made.

use super::object::Object;
use super::record;
use crate::board::core::{Durable, RecordError};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The objects of a canvas. Looking one up, changing it and removing it take no longer on a full canvas.
#[derive(Debug, Default)]
pub struct State {
    objects: BTreeMap<u64, Object>,
    places: HashMap<Arc<str>, u64>,
    next: u64,
    bytes: usize,
}

#[derive(Deserialize)]
struct Snapshot<'a> {
    #[serde(borrow)]
    objects: Vec<&'a RawValue>,
}

impl State {
    pub fn get(&self, id: &str) -> Option<&Object> {
        self.objects.get(self.places.get(id)?)
    }

    /// The objects, oldest first.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Bytes of all objects.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an object in the place of the one with its id, or on top of all.
    pub fn put(&mut self, object: Object) {
        let place = *self.places.entry(object.id().clone()).or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.bytes += object.text().len();
        if let Some(old) = self.objects.insert(place, object) {
            self.bytes -= old.text().len();
        }
    }

    /// Removes an object; false if there is none.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(object) = self.places.remove(id).and_then(|place| self.objects.remove(&place)) else { return false };
        self.bytes -= object.text().len();
        true
    }

    /// All objects as a JSON array.
    pub fn list(&self) -> String {
        let mut text = String::with_capacity(self.bytes + self.len() + 2);
        text.push('[');
        for (index, object) in self.objects().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(object.text());
        }
        text.push(']');
        text
    }
}

impl Durable for State {
    fn replay(&mut self, record: &str) -> Result<(), RecordError> {
        record::replay(record, self)
    }

    fn encode(&self) -> String {
        format!("{{\"objects\":{}}}", self.list())
    }

    fn decode(text: &str) -> Result<Self, RecordError> {
        let snapshot: Snapshot<'_> = serde_json::from_str(text)?;
        let mut state = Self::default();
        for object in snapshot.objects {
            state.put(Object::stored(object.get()).map_err(RecordError::Misfit)?);
        }
        Ok(state)
    }

    fn count(&self) -> u64 {
        self.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: &str, content: &str) -> Object {
        Object::new(&format!(r#"{{"id":"{id}","type":"text","x":0,"y":0,"text":"{content}"}}"#)).unwrap()
    }

    #[test]
    fn objects_keep_their_place_and_ids_are_unique() {
        let mut state = State::default();
        for (id, content) in [("a", "1"), ("b", "22"), ("A", "3"), ("a", "4444")] {
            state.put(text(id, content));
        }
        let ids: Vec<&str> = state.objects().map(|object| &**object.id()).collect();
        assert_eq!(ids, ["a", "b", "A"]);
        assert!(state.get("a").unwrap().text().contains("4444"));
        assert!(state.remove("b") && !state.remove("b") && state.get("b").is_none());
        assert_eq!((state.len(), state.count()), (2, 2));
        assert_eq!(state.bytes(), state.objects().map(|object| object.text().len()).sum::<usize>());
        state.put(text("b", "5"));
        assert_eq!(state.objects().last().unwrap().id().as_ref(), "b", "on top when it comes back");
    }

    #[test]
    fn a_snapshot_gives_the_same_canvas() {
        let mut state = State::default();
        assert_eq!(state.encode(), r#"{"objects":[]}"#);
        state.put(text("a", "1"));
        state.put(Object::new(r#"{ "id":"b", "type":"circle","x":1e2,"y":0,"radius":1.0 }"#).unwrap());
        let back = State::decode(&state.encode()).unwrap();
        assert_eq!(back.encode(), state.encode());
        assert_eq!(back.bytes(), state.bytes());
        for wrong in ["", "{}", "[]", r#"{"objects":{}}"#, r#"{"objects":[1]}"#, r#"{"objects":[{}]}"#] {
            assert!(State::decode(wrong).is_err(), "{wrong}");
        }
    }
}
