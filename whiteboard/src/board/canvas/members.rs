//! A JSON object as a list of its members. Values keep the text that a client sent: `1e21`, 30-digit integers, `false`,
//! `null` and `{}` come back digit by digit (the original turned some of them into lists).

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The members of a JSON object in the order in which they were sent.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    list: Vec<(String, &'a RawValue)>,
    repeated: bool,
}

impl<'a> Members<'a> {
    /// Reads the text of a JSON object. Of a key that comes twice the last value counts, as in every browser.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.list.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.list.iter().map(|(name, value)| (name.as_str(), *value))
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a key came more than once: then the text that was read is not what it means.
    pub fn has_repeated(&self) -> bool {
        self.repeated
    }

    /// Puts a value in the place of the one with this key, or at the end.
    pub fn set(&mut self, key: &str, value: &'a RawValue) {
        match self.list.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.list.push((key.to_owned(), value)),
        }
    }

    /// The members for which `keep` holds.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str, &str) -> bool) -> Self {
        let list = self.list.iter().filter(|(name, value)| keep(name, value.get())).cloned().collect();
        Self { list, repeated: false }
    }

    /// The JSON text.
    pub fn text(&self) -> String {
        let size: usize = self.list.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum();
        let mut text = String::with_capacity(size + 2);
        text.push('{');
        for (index, (name, value)) in self.list.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            push_string(&mut text, name);
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        text
    }
}

/// Appends a string as JSON.
pub fn push_string(text: &mut String, value: &str) {
    // A text can always be written as JSON.
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                /// From here on looking through the list for each key would take too long.
                const MANY: usize = 32;
                let mut members = Members { list: Vec::new(), repeated: false };
                let mut places = std::collections::HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.list.len() == MANY {
                        places = members.list.iter().map(|(name, _)| name.clone()).zip(0..).collect();
                    }
                    let place = if members.list.len() < MANY {
                        members.list.iter().position(|(known, _)| *known == name)
                    } else {
                        places.get(&name).copied()
                    };
                    if let Some(place) = place {
                        members.list[place].1 = value;
                        members.repeated = true;
                    } else {
                        if members.list.len() >= MANY {
                            places.insert(name.clone(), members.list.len());
                        }
                        members.list.push((name, value));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_keep_their_text() {
        for (text, expected) in [
            ("{}", "{}"),
            (r#" { "a" : 1e21 , "b":[ ] } "#, r#"{"a":1e21,"b":[ ]}"#),
            (r#"{"n":123456789012345678901234567890,"f":false,"z":null,"o":{}}"#, ""),
            (r#"{"fontSize":12,"FontSize":13,"s":"\ud800","é\n":"é"}"#, ""),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        ] {
            let members = Members::parse(text).unwrap();
            let expected = if expected.is_empty() { text } else { expected };
            assert_eq!(members.text(), expected.replace('\n', "\\n"));
            assert_eq!(members.has_repeated(), text.matches("\"a\"").count() > 1, "{text}");
        }
    }

    #[test]
    fn only_objects_are_read() {
        for text in ["", "[]", "1", "null", "\"x\"", "{", r#"{"a":}"#, r#"{"a":1}x"#, r#"{"\ud800":1}"#] {
            assert!(Members::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn members_are_found_replaced_added_and_left_out() {
        let delta = Members::parse(r#"{"y":5,"new":{}}"#).unwrap();
        let mut members = Members::parse(r#"{"x":1,"y":2}"#).unwrap();
        for (key, value) in delta.iter() {
            members.set(key, value);
        }
        assert_eq!(members.text(), r#"{"x":1,"y":5,"new":{}}"#);
        assert_eq!(members.get("y").unwrap().get(), "5");
        assert!(members.get("z").is_none() && !members.is_empty());
        assert_eq!(members.filtered(|name, value| name != "x" && value != "{}").text(), r#"{"y":5}"#);
    }

    proptest! {
        #[test]
        fn many_keys_mean_what_a_browser_understands(keys in prop::collection::vec("[a-z]{1,2}", 0..300)) {
            let body: Vec<String> = keys.iter().enumerate().map(|(n, key)| format!("\"{key}\":{n}")).collect();
            let text = format!("{{{}}}", body.join(","));
            let members = Members::parse(&text).unwrap();
            let known: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
            let mine: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&members.text()).unwrap();
            prop_assert_eq!(members.has_repeated(), known.len() != keys.len());
            prop_assert_eq!(members.iter().count(), known.len());
            prop_assert_eq!(mine, known);
        }
    }
}
