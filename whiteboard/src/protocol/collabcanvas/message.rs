//! What clients say. Everything that is wrong becomes an action that tells the sender why: the original ignored
//! unknown types and incomplete messages without a word.

use crate::board::canvas::members::Members;
use crate::board::canvas::{Action, Mend, delta, delta::Delta, object::Object, rules};
use serde_json::value::RawValue;

/// Bytes that a message may have.
pub const MESSAGE_BYTES: usize = 1 << 20;

/// A message of a client.
#[derive(Debug)]
pub enum Message {
    /// Who it is: the session's token, if the page knows it.
    Auth {
        session: Option<String>,
    },
    Ask(Action),
}

/// Reads a message.
pub fn parse(text: &str) -> Message {
    let Ok(members) = Members::parse(text) else {
        return wrong("A message is a JSON object with a type.");
    };
    let Some(kind) = rules::string(members.get("type")) else {
        return wrong("The message has no type.");
    };
    match kind.as_str() {
        "auth" => Message::Auth { session: rules::string(either(&members, "sessionId", "session-id")) },
        "cursor" => Message::Ask(cursor(&members)),
        "object-create" => Message::Ask(create(&members)),
        "object-update" => Message::Ask(update(&members)),
        "object-delete" => Message::Ask(match object_id(&members) {
            Ok(id) => Action::Delete(id),
            Err(action) => action,
        }),
        "objects-delete" => Message::Ask(delete_many(&members)),
        _ => wrong("This server does not know messages of this type."),
    }
}

fn cursor(members: &Members<'_>) -> Action {
    let number = |key| members.get(key).filter(|value| rules::is_number(value)).map(ToOwned::to_owned);
    match (number("x"), number("y")) {
        (Some(x), Some(y)) => Action::Cursor { x, y },
        _ => told("A cursor has x and y, which are numbers."),
    }
}

fn create(members: &Members<'_>) -> Action {
    let Some(object) = members.get("object") else { return told("The message has no object.") };
    Object::new(object.get()).map_or_else(
        |sentence| {
            // The page shows it already.
            let inner = Members::parse(object.get()).ok();
            let id = inner.and_then(|inner| rules::id(inner.get("id")).ok());
            let mend = id.map_or(Mend::Nothing, |id| Mend::Shown { id, keys: None });
            Action::Wrong { sentence, mend }
        },
        Action::Create,
    )
}

fn update(members: &Members<'_>) -> Action {
    let id = match object_id(members) {
        Ok(id) => id,
        Err(action) => return action,
    };
    let Some(updates) = members.get("updates") else { return told("The message has no updates.") };
    match Delta::new(&id, updates.get()) {
        Ok(delta) => Action::Update { id, delta },
        Err(sentence) => {
            let keys = Some(delta::keys(updates.get()));
            Action::Wrong { sentence, mend: Mend::Shown { id, keys } }
        }
    }
}

fn delete_many(members: &Members<'_>) -> Action {
    let list = either(members, "object-ids", "objectIds");
    let ids = list.and_then(|list| serde_json::from_str::<Vec<String>>(list.get()).ok());
    ids.map_or_else(|| told("The message has no object-ids, a list of texts."), Action::DeleteMany)
}

fn object_id(members: &Members<'_>) -> Result<String, Action> {
    rules::id(either(members, "object-id", "objectId"))
        .map_err(|fault| told(&format!("The message's object-id {fault}.")))
}

/// A member under its name, or under that of another generation.
fn either<'a>(members: &Members<'a>, name: &str, other: &str) -> Option<&'a RawValue> {
    members.get(name).or_else(|| members.get(other))
}

fn wrong(sentence: &str) -> Message {
    Message::Ask(told(sentence))
}

fn told(sentence: &str) -> Action {
    Action::Wrong { sentence: format!("{sentence} Nothing was changed."), mend: Mend::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_of_all_generations_are_read() {
        for (text, expected) in [
            (r#"{"type":"auth","sessionId":"s","canvasId":"c"}"#, r#"Auth { session: Some("s") }"#),
            (r#"{"type":"auth","session-id":"s"}"#, r#"Auth { session: Some("s") }"#),
            (r#"{"type":"auth","sessionId":null}"#, "Auth { session: None }"),
            (r#"{"type":"auth"}"#, "Auth { session: None }"),
            (r#"{"type":"cursor","x":1.50,"y":-2}"#, "Ask(Cursor { x: RawValue(1.50), y: RawValue(-2) })"),
            (r#"{"type":"object-delete","object-id":"a"}"#, r#"Ask(Delete("a"))"#),
            (r#"{"type":"object-delete","objectId":"a"}"#, r#"Ask(Delete("a"))"#),
            (r#"{"type":"objects-delete","object-ids":["a","b"]}"#, r#"Ask(DeleteMany(["a", "b"]))"#),
            (r#"{"type":"objects-delete","objectIds":[]}"#, "Ask(DeleteMany([]))"),
            (
                r#"{"messageId":3,"updates":{"x":1e0},"object-id":"a","type":"object-update"}"#,
                r#"Ask(Update { id: "a", delta: Delta("{\"x\":1e0}") })"#,
            ),
        ] {
            assert_eq!(format!("{:?}", parse(text)), expected, "{text}");
        }
        let text =
            r#"{"type":"object-create","object":{"id":"a","type":"circle","x":0,"y":0,"radius":1.0},"messageId":1}"#;
        let Message::Ask(Action::Create(object)) = parse(text) else { panic!("{text}") };
        assert_eq!(&**object.text(), r#"{"id":"a","type":"circle","x":0,"y":0,"radius":1.0}"#);
    }

    #[test]
    fn what_is_wrong_is_told_and_mended() {
        let shown = |id: &str, keys: Option<&[&str]>| Mend::Shown {
            id: id.into(),
            keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
        };
        for (text, part, mend) in [
            ("", "JSON object", Mend::Nothing),
            ("[]", "JSON object", Mend::Nothing),
            ("{}", "no type", Mend::Nothing),
            (r#"{"type":7}"#, "no type", Mend::Nothing),
            (r#"{"type":"ai-command","command":"draw"}"#, "does not know", Mend::Nothing),
            (r#"{"type":"AUTH"}"#, "does not know", Mend::Nothing),
            (r#"{"type":"cursor","x":1}"#, "x and y", Mend::Nothing),
            (r#"{"type":"cursor","x":"1","y":null}"#, "x and y", Mend::Nothing),
            (r#"{"type":"object-create"}"#, "no object", Mend::Nothing),
            (r#"{"type":"object-create","object":[]}"#, "not a JSON object", Mend::Nothing),
            (r#"{"type":"object-create","object":{"type":"text"}}"#, "id must be", Mend::Nothing),
            (r#"{"type":"object-create","object":{"id":"a","type":"star"}}"#, "type must be", shown("a", None)),
            (r#"{"type":"object-update","updates":{"x":1}}"#, "object-id must be", Mend::Nothing),
            (r#"{"type":"object-update","object-id":"a"}"#, "no updates", Mend::Nothing),
            (
                r#"{"type":"object-update","object-id":"a","updates":{"x":99999}}"#,
                "x must be",
                shown("a", Some(&["x"])),
            ),
            (r#"{"type":"object-update","object-id":"a","updates":[]}"#, "not a JSON object", shown("a", Some(&[]))),
            (r#"{"type":"object-delete","object-id":7}"#, "object-id must be", Mend::Nothing),
            (r#"{"type":"objects-delete"}"#, "object-ids", Mend::Nothing),
            (r#"{"type":"objects-delete","object-ids":[1]}"#, "object-ids", Mend::Nothing),
            (r#"{"type":"objects-delete","object-ids":"a"}"#, "object-ids", Mend::Nothing),
        ] {
            let Message::Ask(Action::Wrong { sentence, mend: found }) = parse(text) else { panic!("{text}") };
            assert!(sentence.contains(part) && sentence.ends_with('.'), "{text}: {sentence}");
            assert_eq!(found, mend, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_does_harm(text in r#"(\{"type":"(auth|cursor|object-(create|update|delete)|objects-delete)",)?.{0,80}"#) {
            let _ = parse(&text);
        }
    }
}
