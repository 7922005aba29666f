//! The `session_data` that a classroom client gets when it joins: the board with its undo and redo lists written out.

use super::state::State;
use super::stroke::{Stroke, list_len, write_list};

/// Bytes that the lists of each stack may take, so that both stay within a megabyte. A step back from a large board is a whole large list on the
/// wire; those farthest from now are left out first. Undoing them on the server works all the same.
pub const STACK_BYTES: usize = 500_000;

/// The JSON object of `session_data`.
pub fn write(state: &State) -> String {
    let undo = undo_lists(state);
    let redo = redo_lists(state);
    let mut json = String::from("{\"background_image\":");
    json.push_str(&state.background);
    json.push_str(",\"paths\":");
    write_list(&state.strokes, &mut json);
    json.push_str(",\"undo_stack\":");
    write_stack(&undo, &mut json);
    json.push_str(",\"redo_stack\":");
    write_stack(&redo, &mut json);
    json.push_str(",\"is_student_locked\":");
    json.push_str(if state.locked { "true" } else { "false" });
    json.push_str(",\"is_quiz\":");
    json.push_str(if state.quiz { "true}" } else { "false}" });
    json
}

/// The lists that undo would bring, the next one last (a stack, as the original kept it).
fn undo_lists(state: &State) -> Vec<String> {
    let mut list = state.strokes.clone();
    let steps = state.undo.iter().rev().map(|delta| delta.revert(&mut list).ok().map(|()| list.clone()));
    collect_newest(steps)
}

/// The lists that redo would bring, the next one last.
fn redo_lists(state: &State) -> Vec<String> {
    let mut list = state.strokes.clone();
    let steps = state.redo.iter().rev().map(|delta| delta.apply(&mut list).ok().map(|()| list.clone()));
    collect_newest(steps)
}

fn collect_newest(steps: impl Iterator<Item = Option<Vec<Stroke>>>) -> Vec<String> {
    let (mut lists, mut left) = (Vec::new(), STACK_BYTES);
    for list in steps.map_while(|list| list) {
        let Some(rest) = left.checked_sub(list_len(&list) + 1) else { break };
        left = rest;
        let mut text = String::new();
        write_list(&list, &mut text);
        lists.push(text);
    }
    lists.reverse();
    lists
}

fn write_stack(lists: &[String], json: &mut String) {
    json.push('[');
    json.push_str(&lists.join(","));
    json.push(']');
}

#[cfg(test)]
mod tests {
    use super::super::record::replay;
    use super::super::state::{Change, HISTORY_STEPS};
    use super::*;

    #[test]
    fn stacks_are_lists_with_the_next_step_last() {
        let mut state = State::default();
        assert_eq!(
            write(&state),
            r#"{"background_image":"","paths":[],"undo_stack":[],"redo_stack":[],"is_student_locked":false,"is_quiz":false}"#
        );
        for text in [
            r#"{"update":[[0,0,[1]]]}"#,
            r#"{"update":[[1,0,[2]]]}"#,
            r#""clear""#,
            r#"{"update":[[0,0,[3]]]}"#,
            r#""undo""#,
            r#""undo""#,
            r#"{"quiz":true}"#,
        ] {
            replay(text, &mut state).unwrap();
        }
        assert_eq!(
            write(&state),
            r#"{"background_image":"","paths":[1,2],"undo_stack":[[],[1]],"redo_stack":[[3],[]],"is_student_locked":false,"is_quiz":true}"#
        );
    }

    #[test]
    fn the_steps_nearest_to_now_are_kept_within_the_bytes() {
        let mut state = State::default();
        for n in 0..HISTORY_STEPS {
            replay(&format!(r#"{{"update":[[{n},0,["{}"]]]}}"#, "x".repeat(1_000)), &mut state).unwrap();
        }
        state.apply(&Change::Undo).unwrap();
        let json: serde_json::Value = serde_json::from_str(&write(&state)).unwrap();
        let lengths: Vec<_> =
            json["undo_stack"].as_array().unwrap().iter().map(|list| list.as_array().unwrap().len()).collect();
        assert_eq!(lengths.last(), Some(&98));
        assert!((3..9).contains(&lengths.len()), "{}", lengths.len());
        assert!(lengths.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert_eq!(json["redo_stack"].as_array().map(Vec::len), Some(1));
    }
}
