//! How a change of a canvas is written in the log: one JSON text a row. `by` is the number of the user.
//!
//! | change | text |
//! |---|---|
//! | made or replaced | `{"by":7,"put":{object}}` |
//! | some members changed | `{"by":7,"merge":["id",{delta}]}` |
//! | removed | `{"by":7,"remove":["id",…]}` |
//! | brought back to how it was | `{"by":7,"replace":[objects]}` |

use super::delta::Delta;
use super::members::push_string;
use super::object::Object;
use super::state::State;
use crate::board::core::RecordError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    put: Option<&'a RawValue>,
    #[serde(borrow)]
    merge: Option<(String, &'a RawValue)>,
    remove: Option<Vec<String>>,
    #[serde(borrow)]
    replace: Option<Vec<&'a RawValue>>,
}

pub fn put(by: i64, object: &Object) -> String {
    format!("{{\"by\":{by},\"put\":{}}}", object.text())
}

pub fn merge(by: i64, id: &str, delta: &str) -> String {
    let mut text = format!("{{\"by\":{by},\"merge\":[");
    push_string(&mut text, id);
    text.push(',');
    text.push_str(delta);
    text.push_str("]}");
    text
}

pub fn remove(by: i64, ids: &[Arc<str>]) -> String {
    let mut text = format!("{{\"by\":{by},\"remove\":[");
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_string(&mut text, id);
    }
    text.push_str("]}");
    text
}

pub fn replace(by: i64, state: &State) -> String {
    format!("{{\"by\":{by},\"replace\":{}}}", state.list())
}

/// Reads a change and makes the canvas go through it.
pub fn replay(text: &str, state: &mut State) -> Result<(), RecordError> {
    let row: Row<'_> = serde_json::from_str(text)?;
    let stored = |object: &RawValue| Object::stored(object.get()).map_err(RecordError::Misfit);
    match (row.put, row.merge, row.remove, row.replace) {
        (Some(object), None, None, None) => state.put(stored(object)?),
        (None, Some((id, delta)), None, None) => {
            let before = state.get(&id).ok_or_else(|| RecordError::Misfit(format!("there is no object {id:?}")))?;
            let after = Delta::replay(delta.get(), before)?;
            state.put(after);
        }
        (None, None, Some(ids), None) => {
            for id in ids {
                if !state.remove(&id) {
                    return Err(RecordError::Misfit(format!("there is no object {id:?}")));
                }
            }
        }
        (None, None, None, Some(objects)) => {
            *state = State::default();
            for object in objects {
                state.put(stored(object)?);
            }
        }
        _ => return Err(RecordError::Misfit("it is not one change".to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::core::Durable;

    #[test]
    fn every_change_comes_back_from_its_text() {
        let a = Object::new(r#"{"id":"a\"é","type":"text","x":1e0,"y":0,"text":"\ud800"}"#).unwrap();
        let b = Object::new(r#"{"id":"b","type":"circle","x":0,"y":0,"radius":1}"#).unwrap();
        let mut other = State::default();
        other.put(b.clone());
        let mut state = State::default();
        for (row, expected, objects) in [
            (put(7, &a), r#"{"by":7,"put":{"id":"a\"é","type":"text","x":1e0,"y":0,"text":"\ud800"}}"#, 1),
            (put(7, &b), r#"{"by":7,"put":{"id":"b","type":"circle","x":0,"y":0,"radius":1}}"#, 2),
            (merge(-1, "a\"é", r#"{"x":2.50}"#), r#"{"by":-1,"merge":["a\"é",{"x":2.50}]}"#, 2),
            (remove(8, &[a.id().clone(), b.id().clone()]), r#"{"by":8,"remove":["a\"é","b"]}"#, 0),
            (replace(0, &other), r#"{"by":0,"replace":[{"id":"b","type":"circle","x":0,"y":0,"radius":1}]}"#, 1),
        ] {
            assert_eq!(row, expected);
            replay(&row, &mut state).unwrap();
            assert_eq!(state.len(), objects, "{row}");
        }
        assert_eq!(state.encode(), other.encode());
        replay(&put(7, &a), &mut state).unwrap();
        replay(&merge(7, a.id(), r#"{"x":2.50,"new":{}}"#), &mut state).unwrap();
        let text = r#"{"id":"a\"é","type":"text","x":2.50,"y":0,"text":"\ud800","new":{}}"#;
        assert_eq!(&**state.get("a\"é").unwrap().text(), text);
    }

    #[test]
    fn rules_of_today_do_not_make_yesterdays_rows_unreadable() {
        let mut state = State::default();
        replay(r#"{"by":1,"put":{"id":"a","type":"star","x":1000000}}"#, &mut state).unwrap();
        replay(r#"{"by":1,"merge":["a",{"x":null}]}"#, &mut state).unwrap();
        assert_eq!(state.list(), r#"[{"id":"a","type":"star","x":null}]"#);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (row, part) in [
            ("", "not readable"),
            ("{}", "not one change"),
            ("[]", "not readable"),
            (r#"{"by":1,"put":{},"remove":[]}"#, "not one change"),
            (r#"{"by":1,"put":{}}"#, "id must be a text"),
            (r#"{"by":1,"put":[]}"#, "expected a JSON object"),
            (r#"{"by":1,"merge":["a",{}]}"#, "no object \"a\""),
            (r#"{"by":1,"remove":["a"]}"#, "no object \"a\""),
            (r#"{"by":1,"replace":[{}]}"#, "id must be a text"),
        ] {
            let error = replay(row, &mut State::default()).unwrap_err().to_string();
            assert!(error.contains(part), "{row}: {error}");
        }
    }
}
