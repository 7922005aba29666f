//! A whole board as one JSON text, so that loading does not replay its log from the first stroke.
//!
//! `{"strokes":[…],"undo":[delta…],"redo":[delta…],"background":…,"locked":…,"quiz":…}`, a delta being
//! `[[place, [elements removed], [elements added]], …]`.

use super::delta::{Delta, Splice};
use super::state::State;
use super::stroke::{Stroke, write_list};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt::Write;
use std::sync::Arc;

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    strokes: Vec<&'a RawValue>,
    #[serde(borrow)]
    undo: Vec<DeltaText<'a>>,
    #[serde(borrow)]
    redo: Vec<DeltaText<'a>>,
    #[serde(borrow)]
    background: &'a RawValue,
    locked: bool,
    quiz: bool,
}

type DeltaText<'a> = Vec<(usize, Vec<&'a RawValue>, Vec<&'a RawValue>)>;

/// The text of a board.
pub fn encode(state: &State) -> String {
    let mut text = String::from("{\"strokes\":");
    write_list(&state.strokes, &mut text);
    text.push_str(",\"undo\":");
    write_deltas(state.undo.iter(), &mut text);
    text.push_str(",\"redo\":");
    write_deltas(state.redo.iter(), &mut text);
    let _ = write!(text, ",\"background\":{},\"locked\":{},\"quiz\":{}}}", state.background, state.locked, state.quiz);
    text
}

/// Reads a board back.
pub fn decode(text: &str) -> Result<State, serde_json::Error> {
    let text: Text<'_> = serde_json::from_str(text)?;
    Ok(State::from_parts(
        strokes(&text.strokes),
        text.undo.iter().map(delta_of).collect(),
        text.redo.iter().map(delta_of).collect(),
        text.background.get().into(),
        (text.locked, text.quiz),
    ))
}

fn strokes(texts: &[&RawValue]) -> Vec<Stroke> {
    texts.iter().map(|text| Stroke::new(text.get())).collect()
}

fn delta_of(text: &DeltaText<'_>) -> Arc<Delta> {
    let splices = text
        .iter()
        .map(|(at, removed, added)| Splice { at: *at, removed: strokes(removed), added: strokes(added) })
        .collect();
    Arc::new(Delta::from_splices(splices))
}

fn write_deltas<'a>(deltas: impl Iterator<Item = &'a Arc<Delta>>, text: &mut String) {
    text.push('[');
    for (index, delta) in deltas.enumerate() {
        text.push_str(if index > 0 { ",[" } else { "[" });
        for (index, splice) in delta.splices().iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(text, "{comma}[{},", splice.at);
            write_list(&splice.removed, text);
            text.push(',');
            write_list(&splice.added, text);
            text.push(']');
        }
        text.push(']');
    }
    text.push(']');
}

#[cfg(test)]
mod tests {
    use super::super::record::replay;
    use super::super::state::Change;
    use super::*;

    #[test]
    fn a_board_comes_back_with_its_history() {
        let mut state = State::default();
        for text in [
            r#"{"update":[[0,0,[1e21,{"x":"\ud800"},3]]]}"#,
            r#"{"update":[[1,1,[]],[3,0,[4, 5]]]}"#,
            r#"{"update":[]}"#,
            r#""clear""#,
            r#""undo""#,
            r#""undo""#,
            r#"{"background":"\udc00"}"#,
            r#"{"lock":true}"#,
        ] {
            replay(text, &mut state).unwrap();
        }
        let text = encode(&state);
        let mut back = decode(&text).unwrap();
        assert_eq!(encode(&back), text);
        assert!(back.is_locked() && !back.is_quiz());
        assert_eq!(back.background(), r#""\udc00""#);
        for change in [Change::Undo, Change::Undo, Change::Redo, Change::Redo, Change::Redo, Change::Redo] {
            back.apply(&change).unwrap();
            state.apply(&change).unwrap();
            assert_eq!(encode(&back), encode(&state), "{change:?}");
        }
    }

    #[test]
    fn an_empty_board_is_short() {
        let text = encode(&State::default());
        assert_eq!(text, r#"{"strokes":[],"undo":[],"redo":[],"background":"","locked":false,"quiz":false}"#);
        assert!(decode(&text).unwrap().strokes().is_empty());
    }

    #[test]
    fn a_broken_text_is_refused() {
        for text in
            ["", "{}", "[]", r#"{"strokes":{},"undo":[],"redo":[],"background":"","locked":false,"quiz":false}"#]
        {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
