//! The classroom dialect: its events' names and fields, in both directions.
//!
//! | client → server | action | server → client |
//! |---|---|---|
//! | `update_paths` {paths} | replace the list | `paths_update` {paths} |
//! | `clear_paths` | clear it | `paths_cleared` {paths: []} |
//! | `undo_request`, `redo_request` | shared undo, redo | `paths_update`, or `undo`/`redo` (a setting) {paths} |
//! | `update_background` {background_image} | set the image | `background_update` {background_image} |
//! | `clear_background` | remove it | `background_cleared` {background_image: ""} |
//! | `set_student_lock` {is_locked} | lock | `student_lock_status` {is_student_locked} |
//! | `set_quiz_status` {is_quiz} | quiz | `quiz_status_updated` {is_quiz} |
//! | `get_quiz_status` | – | `quiz_status` {is_quiz} |
//!
//! Every request may carry `session_code`, which must be the one that the client joined. What is wrong is answered by
//! `error` {message} and changes nothing.

use super::socketio::{ack, event_text, quoted};
use crate::board::classroom::Action;
use crate::board::classroom::Event;
use crate::room::Frame;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes that a session code may have.
pub const MAX_CODE: usize = 200;

/// By which events undo and redo are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum UndoEvents {
    /// As the first generation did: `paths_update` for both.
    #[default]
    #[value(name = "paths_update")]
    PathsUpdate,
    /// As the later generation did: `undo` and `redo`.
    #[value(name = "undo")]
    Undo,
}

#[derive(Deserialize, Default)]
struct Payload<'a> {
    #[serde(borrow)]
    session_code: Option<&'a RawValue>,
    #[serde(borrow)]
    paths: Option<&'a RawValue>,
    #[serde(borrow)]
    background_image: Option<&'a RawValue>,
    #[serde(borrow)]
    is_locked: Option<&'a RawValue>,
    #[serde(borrow)]
    is_quiz: Option<&'a RawValue>,
}

/// Checks the code of a session that somebody wants to join; an error is a sentence for the person.
pub fn check_code(code: Option<&str>) -> Result<&str, &'static str> {
    match code {
        None | Some("") => Err("session_code is missing: connect with ?session_code=<the code of your session>."),
        Some(code) if code.len() > MAX_CODE => Err("session_code is too long: use at most 200 bytes."),
        Some(code) if code.chars().any(char::is_control) => Err("session_code must not hold control characters."),
        Some(code) => Ok(code),
    }
}

/// What an event of a client in session `code` asks for. What is wrong becomes [`Action::Refused`].
pub fn action(name: &str, payload: Option<&RawValue>, code: &str) -> Action {
    read(name, payload, code).unwrap_or_else(Action::Refused)
}

fn read(name: &str, payload: Option<&RawValue>, code: &str) -> Result<Action, String> {
    let fields: Payload<'_> = match payload.map(RawValue::get) {
        None | Some("null") => Payload::default(),
        Some(text) => serde_json::from_str(text)
            .ok()
            .filter(|_| text.starts_with('{'))
            .ok_or_else(|| format!("{name}: the argument must be an object with each field once."))?,
    };
    if let Some(theirs) = fields.session_code.map(RawValue::get) {
        let theirs = serde_json::from_str::<String>(theirs).unwrap_or_else(|_| theirs.to_owned());
        if theirs != code {
            return Err(format!("{name}: you joined another session than {}.", quoted(&theirs)));
        }
    }
    let expected = |field: &str, kind: &str| format!("{name}: `{field}` must be {kind}. Nothing was changed.");
    match name {
        "update_paths" => match fields.paths {
            Some(paths) if paths.get().starts_with('[') => Ok(Action::UpdatePaths(paths.to_owned())),
            _ => Err(expected("paths", "a list")),
        },
        "clear_paths" => Ok(Action::ClearPaths),
        "undo_request" => Ok(Action::Undo),
        "redo_request" => Ok(Action::Redo),
        "update_background" => match fields.background_image {
            Some(image) if image.get().starts_with('"') => Ok(Action::UpdateBackground(image.to_owned())),
            _ => Err(expected("background_image", "a string")),
        },
        "clear_background" => Ok(Action::ClearBackground),
        "set_student_lock" => {
            boolean(fields.is_locked).map(Action::SetLock).ok_or_else(|| expected("is_locked", "true or false"))
        }
        "set_quiz_status" => {
            boolean(fields.is_quiz).map(Action::SetQuiz).ok_or_else(|| expected("is_quiz", "true or false"))
        }
        "get_quiz_status" => Ok(Action::GetQuiz),
        _ => Err(format!("There is no event {}.", quoted(name))),
    }
}

fn boolean(value: Option<&RawValue>) -> Option<bool> {
    match value?.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Writes an event for the wire.
pub fn encode(event: &Event, undo_events: UndoEvents) -> Frame {
    let list = |name: &str, paths: &str| event_text(name, &format!("{{\"paths\":{paths}}}"));
    let flag = |name: &str, field: &str, value: bool| event_text(name, &format!("{{\"{field}\":{value}}}"));
    let (text, version, replaceable) = match event {
        Event::SessionData { version, json } => (event_text("session_data", json), Some(*version), false),
        Event::PathsUpdate { version, paths } => (list("paths_update", paths), Some(*version), true),
        Event::PathsCleared { version } => (list("paths_cleared", "[]"), Some(*version), false),
        Event::Undone { version, paths } | Event::Redone { version, paths } => {
            let name = match (undo_events, event) {
                (UndoEvents::PathsUpdate, _) => "paths_update",
                (UndoEvents::Undo, Event::Undone { .. }) => "undo",
                (UndoEvents::Undo, _) => "redo",
            };
            (list(name, paths), Some(*version), undo_events == UndoEvents::PathsUpdate)
        }
        Event::BackgroundUpdate { image } => {
            (event_text("background_update", &format!("{{\"background_image\":{image}}}")), None, false)
        }
        Event::BackgroundCleared => (event_text("background_cleared", "{\"background_image\":\"\"}"), None, false),
        Event::LockStatus(locked) => (flag("student_lock_status", "is_student_locked", *locked), None, false),
        Event::QuizUpdated(quiz) => (flag("quiz_status_updated", "is_quiz", *quiz), None, false),
        Event::QuizStatus(quiz) => (flag("quiz_status", "is_quiz", *quiz), None, false),
        Event::StudentUnlocked => (flag("student_unlocked", "is_student_locked", false), None, false),
        Event::Error(message) => (event_text("error", &format!("{{\"message\":{}}}", quoted(message))), None, false),
        Event::Ack(id) => (ack(*id), None, false),
    };
    Frame::plain(text).carrying(version, replaceable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn every_event_of_the_contract_is_understood() {
        for (name, payload, expected) in [
            (
                "update_paths",
                r#"{"session_code":"s","paths":[1e21, {"x":"\ud800"}],"more":1}"#,
                r#"UpdatePaths(RawValue([1e21, {"x":"\ud800"}]))"#,
            ),
            ("clear_paths", r#"{"session_code":"s"}"#, "ClearPaths"),
            ("clear_paths", "{}", "ClearPaths"),
            ("clear_paths", "null", "ClearPaths"),
            ("undo_request", r#"{"session_code":"\u0073"}"#, "Undo"),
            ("redo_request", r#"{"session_code":"s"}"#, "Redo"),
            ("update_background", r#"{"background_image":"\ud800"}"#, r#"UpdateBackground(RawValue("\ud800"))"#),
            ("clear_background", "{}", "ClearBackground"),
            ("set_student_lock", r#"{"is_locked":true}"#, "SetLock(true)"),
            ("set_quiz_status", r#"{"is_quiz":false}"#, "SetQuiz(false)"),
            ("get_quiz_status", "{}", "GetQuiz"),
        ] {
            assert_eq!(format!("{:?}", action(name, Some(&raw(payload)), "s")), expected, "{name}");
        }
        assert!(matches!(action("clear_paths", None, "s"), Action::ClearPaths));
        assert!(matches!(action("clear_paths", Some(&raw(r#"{"session_code":12}"#)), "12"), Action::ClearPaths));
    }

    #[test]
    fn what_is_wrong_is_refused_with_a_sentence() {
        for (name, payload, sentence) in [
            ("update_paths", r#"{"paths":{}}"#, "`paths` must be a list"),
            ("update_paths", r#"{"paths":null}"#, "`paths` must be a list"),
            ("update_paths", "{}", "`paths` must be a list"),
            ("update_paths", "[]", "must be an object"),
            ("update_paths", r#"{"paths":[],"paths":[]}"#, "each field once"),
            ("clear_paths", r#"{"session_code":"other"}"#, r#"another session than "other""#),
            ("clear_paths", r#"{"session_code":["s"]}"#, "another session"),
            ("clear_paths", "\"s\"", "must be an object"),
            ("update_background", r#"{"background_image":5}"#, "must be a string"),
            ("set_student_lock", r#"{"is_locked":"yes"}"#, "must be true or false"),
            ("set_student_lock", "{}", "must be true or false"),
            ("set_quiz_status", r#"{"is_quiz":1}"#, "must be true or false"),
            ("join", "{}", r#"no event "join""#),
        ] {
            match action(name, Some(&raw(payload)), "s") {
                Action::Refused(found) => assert!(found.contains(sentence), "{name}: {found}"),
                other => panic!("{name} {payload}: {other:?}"),
            }
        }
    }

    #[test]
    fn codes_are_checked() {
        assert_eq!(check_code(Some("Physik 7b ü")), Ok("Physik 7b ü"));
        assert_eq!(check_code(Some(&"x".repeat(MAX_CODE))).map(str::len), Ok(MAX_CODE));
        for code in [None, Some(""), Some("a\nb"), Some(&*"x".repeat(MAX_CODE + 1))] {
            assert!(check_code(code).unwrap_err().starts_with("session_code"));
        }
    }

    #[test]
    fn every_event_is_written_as_the_contract_says() {
        let paths = || "[1]".to_owned();
        for (event, expected) in [
            (Event::SessionData { version: 1, json: "{}".into() }, r#"42["session_data",{}]"#),
            (Event::PathsUpdate { version: 1, paths: paths() }, r#"42["paths_update",{"paths":[1]}]"#),
            (Event::PathsCleared { version: 1 }, r#"42["paths_cleared",{"paths":[]}]"#),
            (Event::Undone { version: 1, paths: paths() }, r#"42["paths_update",{"paths":[1]}]"#),
            (Event::Redone { version: 1, paths: paths() }, r#"42["paths_update",{"paths":[1]}]"#),
            (Event::BackgroundUpdate { image: "\"b\"".into() }, r#"42["background_update",{"background_image":"b"}]"#),
            (Event::BackgroundCleared, r#"42["background_cleared",{"background_image":""}]"#),
            (Event::LockStatus(true), r#"42["student_lock_status",{"is_student_locked":true}]"#),
            (Event::QuizUpdated(true), r#"42["quiz_status_updated",{"is_quiz":true}]"#),
            (Event::QuizStatus(false), r#"42["quiz_status",{"is_quiz":false}]"#),
            (Event::StudentUnlocked, r#"42["student_unlocked",{"is_student_locked":false}]"#),
            (Event::Error("a \"b\"".into()), r#"42["error",{"message":"a \"b\""}]"#),
            (Event::Ack(3), "433[]"),
        ] {
            assert_eq!(encode(&event, UndoEvents::PathsUpdate).text(), expected);
        }
        let undo = Event::Undone { version: 1, paths: paths() };
        assert_eq!(encode(&undo, UndoEvents::Undo).text(), r#"42["undo",{"paths":[1]}]"#);
        assert!(!encode(&undo, UndoEvents::Undo).replaceable);
        let redo = Event::Redone { version: 1, paths: paths() };
        assert_eq!(encode(&redo, UndoEvents::Undo).text(), r#"42["redo",{"paths":[1]}]"#);
        assert!(encode(&redo, UndoEvents::PathsUpdate).replaceable);
    }
}
