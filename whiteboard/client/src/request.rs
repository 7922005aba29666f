//! What a client asks of the board, and how it is written.

use crate::element::Element;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;

/// A finished stroke whose points went ahead as a draft.
#[derive(Clone, Debug)]
pub struct Drafted {
    /// The whole element, for when the server does not have the points any more.
    pub whole: Element,
    /// The element's JSON without `points` and `pressures`.
    pub base: Arc<str>,
    /// How many points went ahead.
    pub count: usize,
}

/// A request that is numbered and answered.
#[derive(Clone, Debug)]
pub enum Request {
    Change {
        elements: Vec<Element>,
        drafted: Vec<Drafted>,
        gesture: Option<u64>,
    },
    Undo,
    Redo,
    Clear,
    Lock(bool),
    Quiz(bool),
    Title(String),
    /// A JSON object.
    Settings(Value),
    Restore(u64),
}

impl Request {
    /// A change of elements.
    pub fn change(elements: Vec<Element>) -> Self {
        Self::Change { elements, drafted: Vec::new(), gesture: None }
    }

    /// The elements as this request wants them, drafts included.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        let (elements, drafted): (&[Element], &[Drafted]) = match self {
            Self::Change { elements, drafted, .. } => (elements, drafted),
            _ => (&[], &[]),
        };
        elements.iter().chain(drafted.iter().map(|drafted| &drafted.whole))
    }

    /// The message. With `ahead` drafted strokes refer to the points that went ahead on this connection [D4].
    pub fn write(&self, id: u64, ahead: bool) -> String {
        match self {
            Self::Change { elements, drafted, gesture } => write_change(id, elements, drafted, *gesture, ahead),
            Self::Undo => json!({"t": "undo", "id": id}).to_string(),
            Self::Redo => json!({"t": "redo", "id": id}).to_string(),
            Self::Clear => json!({"t": "clear", "id": id}).to_string(),
            Self::Lock(on) => json!({"t": "lock", "id": id, "on": on}).to_string(),
            Self::Quiz(on) => json!({"t": "quiz", "id": id, "on": on}).to_string(),
            Self::Title(title) => json!({"t": "title", "id": id, "title": title}).to_string(),
            Self::Settings(values) => json!({"t": "settings", "id": id, "values": values}).to_string(),
            Self::Restore(seq) => json!({"t": "restore", "id": id, "seq": seq}).to_string(),
        }
    }
}

fn write_change(id: u64, elements: &[Element], drafted: &[Drafted], gesture: Option<u64>, ahead: bool) -> String {
    let whole = if ahead { &[] } else { drafted };
    let texts: Vec<&str> = elements
        .iter()
        .chain(whole.iter().map(|drafted| &drafted.whole))
        .filter_map(|element| element.text.as_deref())
        .collect();
    let mut message = format!(r#"{{"t":"change","id":{id}"#);
    if let Some(gesture) = gesture {
        // Writing to a string cannot fail.
        let _ = write!(message, r#","gesture":{gesture}"#);
    }
    let _ = write!(message, r#","elements":[{}]"#, texts.join(","));
    if ahead && !drafted.is_empty() {
        let drafts: Vec<String> = drafted.iter().map(|drafted| with_count(&drafted.base, drafted.count)).collect();
        let _ = write!(message, r#","drafts":[{}]"#, drafts.join(","));
    }
    message.push('}');
    message
}

/// Adds the number of points to an element's text.
fn with_count(base: &str, count: usize) -> String {
    let members = base.trim_end().strip_suffix('}').unwrap_or(base);
    format!(r#"{members},"count":{count}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(id: &str) -> Element {
        Element::parse(&format!(r#"{{"id":"{id}","version":1,"versionNonce":0,"x":1e21}}"#)).unwrap()
    }

    #[test]
    fn requests_are_written_as_the_protocol_says() {
        for (request, expected) in [
            (Request::Undo, r#"{"id":7,"t":"undo"}"#),
            (Request::Redo, r#"{"id":7,"t":"redo"}"#),
            (Request::Clear, r#"{"id":7,"t":"clear"}"#),
            (Request::Lock(true), r#"{"id":7,"on":true,"t":"lock"}"#),
            (Request::Quiz(false), r#"{"id":7,"on":false,"t":"quiz"}"#),
            (Request::Title("a \"b\"".into()), r#"{"id":7,"t":"title","title":"a \"b\""}"#),
            (Request::Settings(json!({"a": null})), r#"{"id":7,"t":"settings","values":{"a":null}}"#),
            (Request::Restore(3), r#"{"id":7,"seq":3,"t":"restore"}"#),
        ] {
            assert_eq!(request.write(7, true), expected);
        }
    }

    #[test]
    fn changes_keep_the_texts_of_elements() {
        assert_eq!(
            Request::change(vec![element("a"), element("b")]).write(1, true),
            r#"{"t":"change","id":1,"elements":[{"id":"a","version":1,"versionNonce":0,"x":1e21},{"id":"b","version":1,"versionNonce":0,"x":1e21}]}"#
        );
    }

    #[test]
    fn drafted_strokes_go_without_points_first_and_whole_again() {
        let drafted = Drafted { whole: element("s"), base: r#"{"id":"s"} "#.into(), count: 12 };
        let request = Request::Change { elements: vec![], drafted: vec![drafted], gesture: Some(4) };
        assert_eq!(
            request.write(1, true),
            r#"{"t":"change","id":1,"gesture":4,"elements":[],"drafts":[{"id":"s","count":12}]}"#
        );
        assert_eq!(
            request.write(1, false),
            r#"{"t":"change","id":1,"gesture":4,"elements":[{"id":"s","version":1,"versionNonce":0,"x":1e21}]}"#
        );
        assert_eq!(request.elements().count(), 1);
    }
}
