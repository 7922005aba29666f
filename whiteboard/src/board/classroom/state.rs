//! The durable part of a board: exactly what comes back after the process was killed.

use super::delta::{Delta, Misfit};
use super::stroke::Stroke;
use super::{record, snapshot};
use crate::board::core::{Durable, RecordError};
use std::collections::VecDeque;
use std::sync::Arc;

/// Steps that can be undone; older ones are forgotten (contract).
pub const HISTORY_STEPS: usize = 100;

/// Bytes of elements that the steps to undo may hold on to in memory; older steps are forgotten. Lessons that draw
/// stay far below; clients that replace a megabyte at a time do not fill the server.
pub const HISTORY_BYTES: usize = 16 << 20;

/// The JSON text of an empty background.
pub const NO_BACKGROUND: &str = "\"\"";

/// A durable change of a board.
#[derive(Clone, Debug)]
pub enum Change {
    /// The list was changed by a client's update.
    Update(Arc<Delta>),
    /// The list was cleared; undo brings it back.
    Clear,
    Undo,
    Redo,
    /// JSON text of the new background.
    Background(Arc<str>),
    Lock(bool),
    Quiz(bool),
}

/// A recorded change that the board it stands in the log of cannot have gone through.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateError {
    #[error(transparent)]
    Misfit(#[from] Misfit),
    #[error("there is no step to {0}")]
    NoStep(&'static str),
}

/// A board as it is on disk.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) strokes: Vec<Stroke>,
    pub(super) undo: VecDeque<Arc<Delta>>,
    pub(super) redo: Vec<Arc<Delta>>,
    pub(super) background: Arc<str>,
    pub(super) locked: bool,
    pub(super) quiz: bool,
    history_bytes: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            strokes: Vec::new(),
            undo: VecDeque::new(),
            redo: Vec::new(),
            background: NO_BACKGROUND.into(),
            locked: false,
            quiz: false,
            history_bytes: 0,
        }
    }
}

impl State {
    /// A board put together from a snapshot.
    pub fn from_parts(
        strokes: Vec<Stroke>,
        undo: VecDeque<Arc<Delta>>,
        redo: Vec<Arc<Delta>>,
        background: Arc<str>,
        (locked, quiz): (bool, bool),
    ) -> Self {
        let history_bytes = undo.iter().map(|delta| delta.weight()).sum();
        Self { strokes, undo, redo, background, locked, quiz, history_bytes }
    }

    pub fn strokes(&self) -> &[Stroke] {
        &self.strokes
    }

    /// JSON text of the background image.
    pub fn background(&self) -> &str {
        &self.background
    }

    pub fn is_locked(&self) -> bool {
        self.locked
    }

    pub fn is_quiz(&self) -> bool {
        self.quiz
    }

    /// The step that undo would take back.
    pub fn next_undo(&self) -> Option<&Arc<Delta>> {
        self.undo.back()
    }

    /// The step that redo would bring back.
    pub fn next_redo(&self) -> Option<&Arc<Delta>> {
        self.redo.last()
    }

    /// The change that clears the list.
    pub fn clearing(&self) -> Delta {
        Delta::between(&self.strokes, &[])
    }

    /// Does what the change says. An error leaves the board as it was.
    pub fn apply(&mut self, change: &Change) -> Result<(), StateError> {
        match change {
            Change::Update(delta) => {
                delta.apply(&mut self.strokes)?;
                self.push_undo(delta.clone());
                self.redo.clear();
            }
            Change::Clear => {
                let delta = Arc::new(self.clearing());
                self.strokes.clear();
                self.push_undo(delta);
                self.redo.clear();
            }
            Change::Undo => {
                let delta = self.undo.back().cloned().ok_or(StateError::NoStep("undo"))?;
                delta.revert(&mut self.strokes)?;
                self.undo.pop_back();
                self.history_bytes -= delta.weight();
                self.redo.push(delta);
            }
            Change::Redo => {
                let delta = self.redo.last().cloned().ok_or(StateError::NoStep("redo"))?;
                delta.apply(&mut self.strokes)?;
                self.redo.pop();
                self.push_undo(delta);
            }
            Change::Background(image) => self.background = image.clone(),
            Change::Lock(locked) => self.locked = *locked,
            Change::Quiz(quiz) => self.quiz = *quiz,
        }
        Ok(())
    }

    fn push_undo(&mut self, delta: Arc<Delta>) {
        self.history_bytes += delta.weight();
        self.undo.push_back(delta);
        while self.undo.len() > HISTORY_STEPS || (self.history_bytes > HISTORY_BYTES && self.undo.len() > 1) {
            if let Some(oldest) = self.undo.pop_front() {
                self.history_bytes -= oldest.weight();
            }
        }
    }
}

impl Durable for State {
    fn replay(&mut self, text: &str) -> Result<(), RecordError> {
        record::replay(text, self)
    }

    fn encode(&self) -> String {
        snapshot::encode(self)
    }

    fn decode(text: &str) -> Result<Self, RecordError> {
        Ok(snapshot::decode(text)?)
    }

    fn count(&self) -> u64 {
        self.strokes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draw(state: &mut State, text: &str) {
        let mut list = state.strokes.clone();
        list.push(Stroke::new(text));
        let delta = Delta::between(&state.strokes, &list);
        state.apply(&Change::Update(Arc::new(delta))).unwrap();
    }

    fn texts(state: &State) -> Vec<String> {
        state.strokes.iter().map(|stroke| stroke.text().to_owned()).collect()
    }

    #[test]
    fn clearing_can_be_undone_and_drawing_empties_redo() {
        let mut state = State::default();
        draw(&mut state, "1");
        draw(&mut state, "2");
        state.apply(&Change::Clear).unwrap();
        assert!(texts(&state).is_empty());
        state.apply(&Change::Undo).unwrap();
        assert_eq!(texts(&state), ["1", "2"]);
        state.apply(&Change::Undo).unwrap();
        state.apply(&Change::Redo).unwrap();
        assert_eq!(texts(&state), ["1", "2"]);
        state.apply(&Change::Undo).unwrap();
        draw(&mut state, "3");
        assert_eq!(texts(&state), ["1", "3"]);
        assert_eq!(state.apply(&Change::Redo), Err(StateError::NoStep("redo")));
    }

    #[test]
    fn only_so_many_steps_are_kept() {
        let mut state = State::default();
        for n in 0..HISTORY_STEPS + 5 {
            draw(&mut state, &n.to_string());
        }
        for _ in 0..HISTORY_STEPS {
            state.apply(&Change::Undo).unwrap();
        }
        assert_eq!(texts(&state), ["0", "1", "2", "3", "4"]);
        assert_eq!(state.apply(&Change::Undo), Err(StateError::NoStep("undo")));
        assert_eq!(state.history_bytes, 0);
    }

    #[test]
    fn only_so_many_bytes_are_kept() {
        let mut state = State::default();
        let large = format!("\"{}\"", "x".repeat(HISTORY_BYTES / 4));
        for _ in 0..10 {
            draw(&mut state, &large);
        }
        assert_eq!(state.undo.len(), 3);
        assert!(state.history_bytes <= HISTORY_BYTES);
    }

    #[test]
    fn background_lock_and_quiz_are_not_in_the_history() {
        let mut state = State::default();
        draw(&mut state, "1");
        state.apply(&Change::Background("\"b\"".into())).unwrap();
        state.apply(&Change::Lock(true)).unwrap();
        state.apply(&Change::Quiz(true)).unwrap();
        state.apply(&Change::Undo).unwrap();
        assert!(texts(&state).is_empty());
        assert_eq!((state.background(), state.is_locked(), state.is_quiz()), ("\"b\"", true, true));
    }

    proptest! {
        /// Undo and redo against a model that keeps whole lists, as the original server did.
        #[test]
        fn steps_are_those_of_whole_lists(actions in proptest::collection::vec(0..6u8, 0..300)) {
            let mut state = State::default();
            let (mut now, mut undo, mut redo) = (Vec::<String>::new(), VecDeque::new(), Vec::new());
            for (n, action) in actions.into_iter().enumerate() {
                match action {
                    0..=2 => {
                        draw(&mut state, &n.to_string());
                        undo.push_back(now.clone());
                        now.push(n.to_string());
                        redo.clear();
                    }
                    3 => {
                        state.apply(&Change::Clear).unwrap();
                        undo.push_back(std::mem::take(&mut now));
                        redo.clear();
                    }
                    4 => {
                        prop_assert_eq!(state.apply(&Change::Undo).is_ok(), !undo.is_empty());
                        if let Some(old) = undo.pop_back() {
                            redo.push(std::mem::replace(&mut now, old));
                        }
                    }
                    _ => {
                        prop_assert_eq!(state.apply(&Change::Redo).is_ok(), !redo.is_empty());
                        if let Some(new) = redo.pop() {
                            undo.push_back(std::mem::replace(&mut now, new));
                        }
                    }
                }
                if undo.len() > HISTORY_STEPS {
                    undo.pop_front();
                }
                prop_assert_eq!(texts(&state), now.clone());
            }
        }
    }
}
