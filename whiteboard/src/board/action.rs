//! What a client asks of a board.

use serde_json::value::RawValue;
use std::time::Duration;

/// Number of a client within the process; never used twice.
pub type ClientId = u64;

/// One request of one client, in the order in which the client made them.
#[derive(Debug)]
pub struct Request {
    pub client: ClientId,
    pub action: Action,
    /// The number under which the client wants to hear that this is on disk.
    pub ack: Option<u64>,
}

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
    pub fn is_activity(&self) -> bool {
        match self {
            Self::Join
            | Self::UpdatePaths(_)
            | Self::ClearPaths
            | Self::UpdateBackground(_)
            | Self::ClearBackground
            | Self::SetLock(_)
            | Self::SetQuiz(_) => true,
            Self::Undo | Self::Redo | Self::GetQuiz | Self::Leave | Self::Seen { .. } | Self::Refused(_) => false,
        }
    }

    /// Bytes of what the client sent along.
    pub fn weight(&self) -> usize {
        match self {
            Self::UpdatePaths(json) | Self::UpdateBackground(json) => json.get().len(),
            Self::Refused(sentence) => sentence.len(),
            _ => 0,
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
