//! What a client asks of a board.

use super::stroke::Stroke;
use crate::board::core::Act;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// The events of the classroom contract, and what the transport has to tell.
#[derive(Debug)]
pub enum Action {
    Join,
    Leave,
    /// The whole list as JSON text, expected to be an array.
    UpdatePaths(Box<RawValue>),
    ClearPaths,
    Undo,
    Redo,
    /// The image as JSON text, kept as it is.
    UpdateBackground(Box<RawValue>),
    ClearBackground,
    SetLock(bool),
    SetQuiz(bool),
    GetQuiz,
    /// An earlier moment becomes the present: its list, and its background as JSON text. Undo takes the list back.
    BringBack {
        strokes: Vec<Stroke>,
        background: Arc<str>,
    },
    /// The client has received the list of this version (see [`super::view::View::seen`]).
    Seen {
        version: u64,
        grace: Duration,
    },
    /// A request that the dialect already knows to be wrong: the client hears why, in the order of its requests.
    Refused(String),
}

impl Action {
    /// Whether this puts off the end of an idle lesson's lock. Undo, redo and asking for the quiz never did
    /// (contract); reading along does not either.
    pub fn keeps_lock(&self) -> bool {
        match self {
            Self::Join
            | Self::UpdatePaths(_)
            | Self::ClearPaths
            | Self::UpdateBackground(_)
            | Self::ClearBackground
            | Self::SetLock(_)
            | Self::SetQuiz(_) => true,
            Self::Undo
            | Self::Redo
            | Self::GetQuiz
            | Self::BringBack { .. }
            | Self::Leave
            | Self::Seen { .. }
            | Self::Refused(_) => false,
        }
    }

    /// Whether a locked board refuses this to everybody but those who locked it.
    pub fn is_drawing(&self) -> bool {
        matches!(
            self,
            Self::UpdatePaths(_)
                | Self::ClearPaths
                | Self::Undo
                | Self::Redo
                | Self::UpdateBackground(_)
                | Self::ClearBackground
        )
    }
}

impl Act for Action {
    fn weight(&self) -> usize {
        match self {
            Self::UpdatePaths(json) | Self::UpdateBackground(json) => json.get().len(),
            Self::Refused(sentence) => sentence.len(),
            Self::BringBack { strokes, background } => {
                strokes.iter().map(|stroke| stroke.text().len()).sum::<usize>() + background.len()
            }
            _ => 0,
        }
    }

    fn is_activity(&self) -> bool {
        !matches!(self, Self::Seen { .. })
    }

    fn is_change(&self) -> bool {
        self.is_drawing() || matches!(self, Self::SetLock(_) | Self::SetQuiz(_) | Self::BringBack { .. })
    }
}
