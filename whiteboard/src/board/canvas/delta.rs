//! A change of some members of an object.

use super::members::Members;
use super::object::{self, Object};
use super::rules;

/// New values by key; each fits the rules by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta(String);

impl Delta {
    /// Reads and checks the `updates` for an object; an error is a sentence for that person. An id among them must be
    /// the object's own, and is left out.
    pub fn new(id: &str, text: &str) -> Result<Self, String> {
        let members = Members::parse(text).map_err(|_| "The updates are not a JSON object.".to_owned())?;
        object::check_number(&members)?;
        if let Some(given) = members.get("id")
            && rules::string(Some(given)).as_deref() != Some(id)
        {
            return Err("An object's id cannot be changed.".to_owned());
        }
        for (key, value) in members.iter() {
            rules::check(key, Some(value), false).map_err(|fault| format!("The object's {key} {fault}."))?;
        }
        let members = members.filtered(|key, _| key != "id");
        if members.is_empty() {
            return Err("The updates are empty.".to_owned());
        }
        Ok(Self(members.text()))
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The object with these values, and those of them that it did not have yet; none: it has all of them. An error: the
    /// object would lack something that it needs.
    pub fn apply(&self, before: &Object) -> Result<Option<(Object, String)>, String> {
        let mut members = parsed(before.text())?;
        let delta = parsed(&self.0)?;
        let news = delta.filtered(|key, value| members.get(key).is_none_or(|old| old.get() != value));
        if news.is_empty() {
            return Ok(None);
        }
        for (key, value) in news.iter() {
            members.set(key, value);
        }
        object::check_number(&members)?;
        // Only what the change touches is checked: an object stays movable when rules become stricter.
        let kind = rules::string(members.get("type")).unwrap_or_default();
        if news.get("type").is_some() {
            object::check(&members)?;
        }
        for key in rules::needed(&kind).iter().filter(|key| news.get(key).is_some()) {
            rules::check(key, members.get(key), true).map_err(|fault| format!("The object's {key} {fault}."))?;
        }
        Ok(Some((Object::of(before.id().clone(), members.text()), news.text())))
    }

    /// The object with values that were checked when they were written down.
    pub(super) fn replay(delta: &str, before: &Object) -> Result<Object, serde_json::Error> {
        let mut members = Members::parse(before.text())?;
        for (key, value) in Members::parse(delta)?.iter() {
            members.set(key, value);
        }
        Ok(Object::of(before.id().clone(), members.text()))
    }

    /// The values that the object has now for these keys, `null` where it has none: what takes a refused change back.
    pub fn inverse(keys: &[String], object: &Object) -> String {
        let Ok(members) = Members::parse(object.text()) else { return "{}".to_owned() };
        let mut text = String::from("{");
        for key in keys.iter().filter(|key| *key != "id") {
            if text.len() > 1 {
                text.push(',');
            }
            super::members::push_string(&mut text, key);
            text.push(':');
            text.push_str(members.get(key).map_or("null", |value| value.get()));
        }
        text.push('}');
        text
    }
}

/// The keys of a JSON object; empty if it is none.
pub fn keys(text: &str) -> Vec<String> {
    Members::parse(text).map(|members| members.iter().map(|(key, _)| key.to_owned()).collect()).unwrap_or_default()
}

fn parsed(text: &str) -> Result<Members<'_>, String> {
    Members::parse(text).map_err(|error| format!("The object cannot be read: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECTANGLE: &str =
        r##"{"id":"a","type":"rectangle","x":1.0,"y":2,"width":3,"height":4,"color":"#fff","note":{"k":[]}}"##;

    fn rectangle() -> Object {
        Object::new(RECTANGLE).unwrap()
    }

    #[test]
    fn keys_are_merged_one_by_one() {
        for (updates, text, news) in [
            (r#"{"x":5}"#, RECTANGLE.replace("1.0", "5"), r#"{"x":5}"#),
            (r#"{"x":5.10,"id":"a","y":2}"#, RECTANGLE.replace("1.0", "5.10"), r#"{"x":5.10}"#),
            (
                r#"{"rotation":90,"note":null}"#,
                RECTANGLE.replace(r#"{"k":[]}}"#, r#"null,"rotation":90}"#),
                r#"{"rotation":90,"note":null}"#,
            ),
            (
                r#"{"type":"circle","radius":5}"#,
                RECTANGLE.replace("rectangle", "circle").replace("[]}}", r#"[]},"radius":5}"#),
                r#"{"type":"circle","radius":5}"#,
            ),
        ] {
            let (object, delta) = Delta::new("a", updates).unwrap().apply(&rectangle()).unwrap().unwrap();
            assert_eq!((&**object.text(), delta.as_str()), (text.as_str(), news), "{updates}");
        }
        let same = Delta::new("a", r##"{"y":2,"color":"#fff"}"##).unwrap();
        assert_eq!(same.apply(&rectangle()).unwrap(), None);
    }

    #[test]
    fn wrong_updates_are_refused() {
        for (updates, part) in [
            ("[]", "not a JSON object"),
            ("null", "not a JSON object"),
            ("{}", "are empty"),
            (r#"{"id":"a"}"#, "are empty"),
            (r#"{"id":"b","x":1}"#, "id cannot be changed"),
            (r#"{"x":10000.5}"#, "x must be"),
            (r#"{"width":-1}"#, "width must be"),
            (r#"{"color":"red"}"#, "color must be"),
            (r#"{"rotation":-1}"#, "rotation must be"),
            (r#"{"type":"star"}"#, "type must be"),
        ] {
            assert!(Delta::new("a", updates).unwrap_err().contains(part), "{updates}");
        }
        for (updates, part) in [
            (r#"{"x":null}"#, "x is missing"),
            (r#"{"width":null}"#, "width is missing"),
            (r#"{"type":"text"}"#, "text is missing"),
        ] {
            let fault = Delta::new("a", updates).unwrap().apply(&rectangle()).unwrap_err();
            assert!(fault.contains(part), "{updates}: {fault}");
        }
        let many = |from: u16| {
            format!("{{{}}}", (from..from + 200).map(|n| format!("\"k{n}\":0")).collect::<Vec<_>>().join(","))
        };
        let (fuller, _) = Delta::new("a", &many(0)).unwrap().apply(&rectangle()).unwrap().unwrap();
        assert!(Delta::new("a", &many(200)).unwrap().apply(&fuller).unwrap_err().contains("256 members"));
    }

    #[test]
    fn a_refused_change_can_be_taken_back() {
        let keys = keys(r#"{"x":9,"id":"a","rotation":1,"note":2}"#);
        assert_eq!(Delta::inverse(&keys, &rectangle()), r#"{"x":1.0,"rotation":null,"note":{"k":[]}}"#);
        assert!(super::keys("[]").is_empty());
    }
}
