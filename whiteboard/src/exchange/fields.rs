//! A JSON object as its keys and the raw text of their values, in order.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// The members of an object. Values keep their text; a key that comes twice has its last value, as in JavaScript.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Fields<'a> {
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The raw text of a value; `None` where it is missing or `null`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.raw(key).filter(|value| *value != "null")
    }

    fn raw(&self, key: &str) -> Option<&str> {
        self.members.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// A value that is a text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(|value| serde_json::from_str(value).ok())
    }

    /// A value that is a finite number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(|value| serde_json::from_str(value).ok()).filter(|value: &f64| value.is_finite())
    }

    /// Gives a key another value (raw JSON), in its place, or at the end if it is new.
    pub fn set(&mut self, key: &'static str, value: impl Into<Cow<'a, str>>) {
        match self.members.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value.into(),
            None => self.members.push((Cow::Borrowed(key), value.into())),
        }
    }

    /// Sets a key that is missing (`null` counts as missing).
    pub fn set_missing(&mut self, key: &'static str, value: impl Into<Cow<'a, str>>) {
        if self.get(key).is_none() {
            self.set(key, value);
        }
    }

    /// Sets a key that is not there at all (`null` counts as there).
    pub fn set_absent(&mut self, key: &'static str, value: impl Into<Cow<'a, str>>) {
        if self.raw(key).is_none() {
            self.set(key, value);
        }
    }

    pub fn remove(&mut self, key: &str) {
        self.members.retain(|(name, _)| name != key);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The object as JSON text.
    pub fn to_json(&self) -> String {
        let bytes: usize = self.members.iter().map(|(key, value)| key.len() + value.len() + 4).sum();
        let mut json = String::with_capacity(bytes + 2);
        json.push('{');
        for (place, (key, value)) in self.members.iter().enumerate() {
            if place > 0 {
                json.push(',');
            }
            json.push_str(&quoted(key));
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        json
    }
}

/// A text as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                let mut places: HashMap<String, usize> = HashMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    let value: &RawValue = map.next_value()?;
                    if let Some(&place) = places.get(&key) {
                        fields.members[place].1 = Cow::Borrowed(value.get());
                    } else {
                        places.insert(key.clone(), fields.members.len());
                        fields.members.push((Cow::Owned(key), Cow::Borrowed(value.get())));
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The raw texts of a list's members, at most `limit` of them; one more than `limit` if there are more.
pub fn list(text: &str, limit: usize) -> Result<Vec<&str>, serde_json::Error> {
    struct Members(usize);
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<&'de str>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(member) = members.next_element::<&RawValue>()? {
                if texts.len() <= self.0 {
                    texts.push(member.get());
                }
            }
            Ok(texts)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde::Deserializer::deserialize_seq(&mut deserializer, Members(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_digit_by_digit() {
        let text = r#"{"x":1.000000000000000000001,"y":-0.0,"big":12345678901234567890123,"e":1E+2}"#;
        assert_eq!(Fields::parse(text).unwrap().to_json(), text);
    }

    #[test]
    fn keys_are_found_set_and_removed() {
        let mut fields = Fields::parse(r#" {"a" : 1, "b":null, "a":[2, 3], "\u0063": "x"} "#).unwrap();
        assert_eq!(fields.get("a"), Some("[2, 3]"));
        assert_eq!(fields.get("b"), None);
        assert_eq!(fields.text("c").as_deref(), Some("x"));
        assert_eq!(fields.number("a"), None);
        fields.set("a", "4");
        fields.set_missing("a", "5");
        fields.set_missing("b", "6");
        fields.set("d", "7");
        fields.remove("c");
        assert_eq!(fields.to_json(), r#"{"a":4,"b":6,"d":7}"#);
        assert_eq!(fields.number("b"), Some(6.0));
    }

    #[test]
    fn keys_are_quoted() {
        let text = r#"{"a\"b\\":1}"#;
        assert_eq!(Fields::parse(text).unwrap().to_json(), text);
    }

    #[test]
    fn lists_are_bounded() {
        assert_eq!(list("[1, [2], {}]", 5).unwrap(), ["1", "[2]", "{}"]);
        assert_eq!(list("[1,2,3,4]", 2).unwrap().len(), 3);
        assert!(list("{}", 2).is_err());
        assert!(list("[1,", 2).is_err());
    }
}
