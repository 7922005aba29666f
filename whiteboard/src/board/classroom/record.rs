//! How a change is written in the log of a board: one JSON text a row.
//!
//! | change | text |
//! |---|---|
//! | update | `{"update":[[place, number removed, [elements added]], …]}`, places ascending, counted in the list before |
//! | clear, undo, redo | `"clear"`, `"undo"`, `"redo"` |
//! | background | `{"background": image}` |
//! | lock, quiz | `{"lock": bool}`, `{"quiz": bool}` |
//!
//! An update that adds one stroke writes that stroke and about twenty bytes.

use super::delta::{Delta, Misfit};
use super::state::{Change, State, StateError};
use super::stroke::{Stroke, write_list};
use crate::board::core::RecordError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt::Write;
use std::sync::Arc;

impl From<Misfit> for RecordError {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit.to_string())
    }
}

impl From<StateError> for RecordError {
    fn from(error: StateError) -> Self {
        Self::Misfit(error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Row<'a> {
    #[serde(borrow)]
    Update(Vec<(usize, usize, Vec<&'a RawValue>)>),
    Clear,
    Undo,
    Redo,
    Background(&'a RawValue),
    Lock(bool),
    Quiz(bool),
}

/// The text of a change.
pub fn encode(change: &Change) -> String {
    match change {
        Change::Update(delta) => encode_update(delta),
        Change::Clear => "\"clear\"".to_owned(),
        Change::Undo => "\"undo\"".to_owned(),
        Change::Redo => "\"redo\"".to_owned(),
        Change::Background(image) => format!("{{\"background\":{image}}}"),
        Change::Lock(locked) => format!("{{\"lock\":{locked}}}"),
        Change::Quiz(quiz) => format!("{{\"quiz\":{quiz}}}"),
    }
}

fn encode_update(delta: &Delta) -> String {
    let mut text = String::from("{\"update\":[");
    for (index, splice) in delta.splices().iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}[{},{},", splice.at, splice.removed.len());
        write_list(&splice.added, &mut text);
        text.push(']');
    }
    text.push_str("]}");
    text
}

/// Reads a change and makes the board go through it.
pub fn replay(text: &str, state: &mut State) -> Result<(), RecordError> {
    let change = match serde_json::from_str(text)? {
        Row::Update(parts) => {
            let parts = parts
                .into_iter()
                .map(|(at, removed, added)| (at, removed, added.into_iter().map(|s| Stroke::new(s.get())).collect()))
                .collect();
            Change::Update(Arc::new(Delta::from_parts(state.strokes(), parts)?))
        }
        Row::Clear => Change::Clear,
        Row::Undo => Change::Undo,
        Row::Redo => Change::Redo,
        Row::Background(image) => Change::Background(image.get().into()),
        Row::Lock(locked) => Change::Lock(locked),
        Row::Quiz(quiz) => Change::Quiz(quiz),
    };
    Ok(state.apply(&change)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(state: &State, new: &[&str]) -> Change {
        let new: Vec<_> = new
            .iter()
            .map(|text| {
                state.strokes().iter().find(|s| s.text() == *text).cloned().unwrap_or_else(|| Stroke::new(text))
            })
            .collect();
        Change::Update(Arc::new(Delta::between(state.strokes(), &new)))
    }

    type Step = (Box<dyn Fn(&State) -> Change>, &'static str);

    #[test]
    fn every_change_comes_back_from_its_text() {
        let deep = format!("{}1e21{}", "[".repeat(300), "]".repeat(300));
        let mut live = State::default();
        let mut replayed = State::default();
        let steps: Vec<Step> = vec![
            (
                Box::new(|s| update(s, &["123456789012345678901234567890", r#"{"x":"\ud800"}"#])),
                r#"{"update":[[0,0,[123456789012345678901234567890,{"x":"\ud800"}]]]}"#,
            ),
            (Box::new(|s| update(s, &["123456789012345678901234567890", "7"])), r#"{"update":[[1,1,[7]]]}"#),
            (
                Box::new(|s| update(s, &["5", "123456789012345678901234567890", "7", "8"])),
                r#"{"update":[[0,0,[5]],[2,0,[8]]]}"#,
            ),
            (Box::new(|s| update(s, &["5", "123456789012345678901234567890", "7", "8"])), r#"{"update":[]}"#),
            (Box::new(|_| Change::Clear), r#""clear""#),
            (Box::new(|_| Change::Undo), r#""undo""#),
            (Box::new(|_| Change::Redo), r#""redo""#),
            (Box::new(|_| Change::Background(r#""\udc00""#.into())), r#"{"background":"\udc00"}"#),
            (Box::new(|_| Change::Lock(true)), r#"{"lock":true}"#),
            (Box::new(|_| Change::Quiz(true)), r#"{"quiz":true}"#),
        ];
        for (make, text) in steps {
            let change = make(&live);
            assert_eq!(encode(&change), text);
            live.apply(&change).unwrap();
            replay(text, &mut replayed).unwrap();
        }
        replay(&encode(&update(&live, &[&deep])), &mut replayed).unwrap();
        assert_eq!(replayed.strokes()[0].text(), deep);
        assert_eq!(replayed.background(), r#""\udc00""#);
        assert!(replayed.is_locked() && replayed.is_quiz());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, sentence) in [
            ("", "not readable"),
            ("{}", "not readable"),
            (r#""drop""#, "not readable"),
            (r#"{"update":[[0,1,[]]]}"#, "elements 0 to 1 does not fit a list of 0"),
            (r#"{"update":[[-1,0,[]]]}"#, "not readable"),
            (r#""undo""#, "no step to undo"),
            (r#""redo""#, "no step to redo"),
        ] {
            let error = replay(text, &mut State::default()).unwrap_err().to_string();
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }
}
