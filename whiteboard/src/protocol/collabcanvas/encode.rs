//! What canvases tell, as JSON: once for all who receive it.

use crate::board::canvas::cursors::Pointer;
use crate::board::canvas::members::push_string;
use crate::board::canvas::{Event, User};
use crate::board::core::Tell;
use crate::websocket::Frame;
use std::fmt::Write;

/// The frame of an event.
pub fn frame(event: &Event) -> Frame {
    Frame::build(event.weight() + 128, |text| write(event, text))
}

/// Appends the text of an event.
pub fn write(event: &Event, text: &mut String) {
    match event {
        Event::AuthSuccess { user, objects } => {
            begin(text, "auth-success");
            push_user(text, user);
            text.push_str(",\"canvas-state\":");
            text.push_str(objects);
        }
        Event::AuthFailed(sentence) => {
            begin(text, "auth-failed");
            push_member(text, "message", sentence);
        }
        Event::UserConnected(user) => {
            begin(text, "user-connected");
            push_user(text, user);
        }
        Event::UserDisconnected(user) => {
            begin(text, "user-disconnected");
            push_by(text, user);
        }
        Event::Presence(users) => {
            begin(text, "presence");
            text.push_str(",\"users\":[");
            push_list(text, users, |text, user| {
                text.push('{');
                push_user(text, user);
                text.push('}');
            });
            text.push(']');
        }
        Event::Cursor(pointer) => {
            begin(text, "cursor");
            push_pointer(text, pointer);
        }
        Event::CursorBatch(pointers) => {
            begin(text, "cursor-batch");
            text.push_str(",\"cursors\":[");
            push_list(text, pointers, |text, pointer| {
                text.push('{');
                push_pointer(text, pointer);
                text.push('}');
            });
            text.push(']');
        }
        Event::Created { object, by } => {
            begin(text, "object-create");
            text.push_str(",\"object\":");
            text.push_str(object);
            push_by(text, by);
        }
        Event::Updated { id, delta, by } => {
            begin(text, "object-update");
            push_member(text, "object-id", id);
            text.push_str(",\"delta\":");
            text.push_str(delta);
            push_by(text, by);
        }
        Event::Deleted { id, by } => {
            begin(text, "object-delete");
            push_member(text, "object-id", id);
            push_by(text, by);
        }
        Event::DeletedMany { ids, by } => {
            begin(text, "objects-delete");
            text.push_str(",\"object-ids\":[");
            push_list(text, ids, |text, id| push_string(text, id));
            text.push(']');
            push_by(text, by);
        }
        Event::Error(sentence) => {
            begin(text, "error");
            push_member(text, "message", sentence);
        }
    }
    text.push('}');
}

fn begin(text: &mut String, kind: &str) {
    text.push_str("{\"type\":\"");
    text.push_str(kind);
    text.push('"');
}

/// Appends `,"key":"value"`, without the comma at the beginning of an object.
fn push_member(text: &mut String, key: &str, value: &str) {
    push_key(text, key);
    push_string(text, value);
}

fn push_key(text: &mut String, key: &str) {
    if !text.ends_with('{') {
        text.push(',');
    }
    text.push('"');
    text.push_str(key);
    text.push_str("\":");
}

fn push_id(text: &mut String, key: &str, user: &User) {
    push_key(text, key);
    // Writing into a text cannot fail.
    let _ = write!(text, "{}", user.id);
}

/// Who did it.
fn push_by(text: &mut String, user: &User) {
    push_id(text, "user-id", user);
    push_member(text, "username", &user.username);
}

fn push_user(text: &mut String, user: &User) {
    push_by(text, user);
    push_member(text, "color", &user.color);
}

/// With both keys: older servers sent the one while pages read the other.
fn push_pointer(text: &mut String, pointer: &Pointer) {
    push_id(text, "user-id", &pointer.user);
    push_id(text, "userId", &pointer.user);
    push_member(text, "username", &pointer.user.username);
    push_member(text, "color", &pointer.user.color);
    push_key(text, "x");
    text.push_str(pointer.x.get());
    push_key(text, "y");
    text.push_str(pointer.y.get());
}

fn push_list<T>(text: &mut String, list: &[T], push: impl Fn(&mut String, &T)) {
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push(text, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use std::sync::Arc;

    #[test]
    fn events_look_as_in_the_contract() {
        let user = |id, name: &str| Arc::new(User { id, username: name.into(), color: "#123456".into() });
        let (ann, eve) = (user(7, "ann"), user(8, "e\"ve"));
        let number = |text: &str| Arc::from(RawValue::from_string(text.to_owned()).unwrap());
        let pointer = |user: &Arc<User>| Pointer { user: user.clone(), x: number("1.50"), y: number("-0") };
        for (event, expected) in [
            (
                Event::AuthSuccess { user: ann.clone(), objects: r#"[{"id":"a"}]"#.into() },
                r##"{"type":"auth-success","user-id":7,"username":"ann","color":"#123456","canvas-state":[{"id":"a"}]}"##,
            ),
            (Event::AuthFailed("No.".into()), r#"{"type":"auth-failed","message":"No."}"#),
            (
                Event::UserConnected(eve.clone()),
                r##"{"type":"user-connected","user-id":8,"username":"e\"ve","color":"#123456"}"##,
            ),
            (Event::UserDisconnected(ann.clone()), r#"{"type":"user-disconnected","user-id":7,"username":"ann"}"#),
            (
                Event::Presence(vec![ann.clone(), eve.clone()]),
                r##"{"type":"presence","users":[{"user-id":7,"username":"ann","color":"#123456"},{"user-id":8,"username":"e\"ve","color":"#123456"}]}"##,
            ),
            (Event::Presence(vec![]), r#"{"type":"presence","users":[]}"#),
            (
                Event::Cursor(pointer(&ann)),
                r##"{"type":"cursor","user-id":7,"userId":7,"username":"ann","color":"#123456","x":1.50,"y":-0}"##,
            ),
            (
                Event::CursorBatch(vec![pointer(&ann), pointer(&ann)]),
                r##"{"type":"cursor-batch","cursors":[{"user-id":7,"userId":7,"username":"ann","color":"#123456","x":1.50,"y":-0},{"user-id":7,"userId":7,"username":"ann","color":"#123456","x":1.50,"y":-0}]}"##,
            ),
            (
                Event::Created { object: r#"{"fontSize": 1e1}"#.into(), by: ann.clone() },
                r#"{"type":"object-create","object":{"fontSize": 1e1},"user-id":7,"username":"ann"}"#,
            ),
            (
                Event::Updated { id: "A\n".into(), delta: r#"{"x":1}"#.into(), by: ann.clone() },
                r#"{"type":"object-update","object-id":"A\n","delta":{"x":1},"user-id":7,"username":"ann"}"#,
            ),
            (
                Event::Deleted { id: "a".into(), by: ann.clone() },
                r#"{"type":"object-delete","object-id":"a","user-id":7,"username":"ann"}"#,
            ),
            (
                Event::DeletedMany { ids: vec!["a".into(), "b".into()], by: ann },
                r#"{"type":"objects-delete","object-ids":["a","b"],"user-id":7,"username":"ann"}"#,
            ),
            (Event::Error("No \"x\".".into()), r#"{"type":"error","message":"No \"x\"."}"#),
        ] {
            let frame = frame(&event);
            let text = std::str::from_utf8(frame.payload()).unwrap();
            assert_eq!(text, expected);
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
        }
    }
}
