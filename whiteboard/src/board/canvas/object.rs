//! An object that fits the rules.

use super::members::Members;
use super::rules;
use std::sync::Arc;

/// A rectangle, circle or text. The JSON text is what was sent; cloning shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    id: Arc<str>,
    text: Arc<str>,
}

impl Object {
    /// Reads and checks an object that a client made; an error is a sentence for that person.
    pub fn new(text: &str) -> Result<Self, String> {
        let members = Members::parse(text).map_err(|_| "The object is not a JSON object.".to_owned())?;
        let id = rules::id(members.get("id")).map_err(|fault| format!("The object's id {fault}."))?;
        check(&members)?;
        let text = if members.has_repeated() { members.text().into() } else { text.trim().into() };
        Ok(Self { id: id.into(), text })
    }

    /// An object from disk, which was checked when it was made.
    pub(super) fn stored(text: &str) -> Result<Self, String> {
        let members = Members::parse(text).map_err(|error| error.to_string())?;
        let id = rules::id(members.get("id")).map_err(|fault| format!("an object's id {fault}"))?;
        Ok(Self { id: id.into(), text: text.into() })
    }

    pub(super) fn of(id: Arc<str>, text: String) -> Self {
        Self { id, text: text.into() }
    }

    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The JSON text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}

/// Members that an object may have; they are looked for one by one.
const MEMBERS: usize = 256;

/// Checks all members that have rules, and how many there are.
pub(super) fn check(members: &Members<'_>) -> Result<(), String> {
    check_number(members)?;
    let check = |key: &str, is_needed| {
        rules::check(key, members.get(key), is_needed).map_err(|fault| format!("The object's {key} {fault}."))
    };
    check("type", true)?;
    let kind = rules::string(members.get("type")).unwrap_or_default();
    rules::needed(&kind).iter().try_for_each(|key| check(key, true))?;
    members.iter().try_for_each(|(key, _)| check(key, false))
}

/// Checks how many members there are.
pub(super) fn check_number(members: &Members<'_>) -> Result<(), String> {
    if members.iter().count() > MEMBERS {
        return Err(format!("An object may have at most {MEMBERS} members."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_kept_as_they_were_sent() {
        for text in [
            r##"{"id":"Rect-1","type":"rectangle","x":1.50,"y":-2e1,"width":3,"height":4,"color":"#FF0000"}"##,
            r##"{ "type":"circle", "id":"c", "x":0, "y":0, "radius":12345e-2, "color":"#abc", "locked":false }"##,
            r#"{"id":"t","type":"text","x":0,"y":0,"text":"Grüße 👋","fontSize":12,"style":{},"link":null,"tags":[]}"#,
            r#"{"id":"t","type":"text","x":0,"y":0,"text":"","rotation":null}"#,
        ] {
            let object = Object::new(text).unwrap();
            assert_eq!(&**object.text(), text);
            assert_eq!(Object::stored(text).unwrap(), object);
        }
        assert_eq!(&**Object::new(r#"{"id":"Aa","type":"text","x":0,"y":0,"text":"1"}"#).unwrap().id(), "Aa");
        let twice = Object::new(r#"{"id":"a","type":"text","x":0,"y":0,"text":"1","x":5}"#).unwrap();
        assert_eq!(&**twice.text(), r#"{"id":"a","type":"text","x":5,"y":0,"text":"1"}"#);
    }

    #[test]
    fn wrong_objects_are_refused_with_what_is_wrong() {
        for (text, part) in [
            ("[]", "not a JSON object"),
            ("{}", "id must be a text"),
            (r#"{"id":7}"#, "id must be a text"),
            (r#"{"id":"a"}"#, "type is missing"),
            (r#"{"id":"a","type":"star"}"#, "type must be rectangle"),
            (r#"{"id":"a","type":"rectangle","x":1}"#, "y is missing"),
            (r#"{"id":"a","type":"rectangle","x":1,"y":1,"width":0,"height":1}"#, "width must be"),
            (r#"{"id":"a","type":"rectangle","x":1,"y":1,"width":1}"#, "height is missing"),
            (r#"{"id":"a","type":"circle","x":1,"y":1,"width":1,"height":1}"#, "radius is missing"),
            (r#"{"id":"a","type":"text","x":1,"y":1}"#, "text is missing"),
            (r#"{"id":"a","type":"text","x":10001,"y":1,"text":""}"#, "x must be"),
            (r##"{"id":"a","type":"text","x":1,"y":1,"text":"","color":"#zzzzzz"}"##, "color must be"),
            (r#"{"id":"a","type":"text","x":1,"y":1,"text":"","rotation":361}"#, "rotation must be"),
            (r#"{"id":"a","type":"text","x":1,"y":1,"text":"","x":"far"}"#, "x must be"),
        ] {
            let fault = Object::new(text).unwrap_err();
            assert!(fault.contains(part) && fault.ends_with('.'), "{text}: {fault}");
        }
        let many: Vec<String> = (0..MEMBERS).map(|n| format!("\"k{n}\":0")).collect();
        assert!(Object::new(&format!("{{\"id\":\"a\",{}}}", many.join(","))).unwrap_err().contains("256 members"));
    }
}
