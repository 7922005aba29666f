//! A JSON object as a list of keys with the text of each value, so that a key can be replaced while the others stay
//! byte for byte as they were sent.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Keys and values in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            entries.push((key, Cow::Borrowed(value.get())));
        }
        Ok(Object(entries))
    }
}

/// Borrows where the key has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

impl<'a> Object<'a> {
    /// Reads an object. Of a key that is there twice the last counts, as in JavaScript.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Keys in order; one that is there twice comes twice.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| &**key)
    }

    /// The JSON text of a key's value.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(one, _)| one == key).map(|(_, value)| &**value)
    }

    /// Gives a key a value (JSON text), in its place if it is there.
    pub fn set(&mut self, key: &str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        let Some(place) = self.0.iter().rposition(|(one, _)| one == key) else {
            self.0.push((Cow::Owned(key.to_owned()), value));
            return;
        };
        self.0[place].1 = value;
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(one, _)| one != key);
    }

    /// The JSON text of all.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(self.0.iter().map(|(key, value)| key.len() + value.len() + 4).sum());
        out.push('{');
        for (place, (key, value)) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            write_string(key, &mut out);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }
}

/// Writes a string as JSON.
pub fn write_string(text: &str, out: &mut String) {
    // A str is always valid JSON text once escaped.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_were_written() {
        let text = "{ \"a\" : 1.50 ,\"é\\n\":[ 1, {\"b\":\"\\ud800\"} ],\"n\":123456789012345678901234567890}";
        let mut object = Object::parse(text).unwrap();
        assert_eq!(object.get("a"), Some("1.50"));
        assert_eq!(object.keys().collect::<Vec<_>>(), ["a", "é\n", "n"]);
        object.set("a", "2");
        object.set("new", "null");
        assert_eq!(
            object.text(),
            "{\"a\":2,\"é\\n\":[ 1, {\"b\":\"\\ud800\"} ],\"n\":123456789012345678901234567890,\"new\":null}"
        );
        object.remove("é\n");
        object.remove("missing");
        assert_eq!(object.text(), "{\"a\":2,\"n\":123456789012345678901234567890,\"new\":null}");
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_counts() {
        let mut object = Object::parse(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(object.get("a"), Some("3"));
        object.set("a", "4");
        assert_eq!(object.get("a"), Some("4"));
        object.remove("a");
        assert_eq!(object.text(), r#"{"b":2}"#);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[]", "1", "{", r#"{"\ud800":1}"#, r#"{"a":1}x"#] {
            assert!(Object::parse(text).is_err(), "{text}");
        }
        assert_eq!(Object::parse(" {} ").unwrap().text(), "{}");
    }
}
