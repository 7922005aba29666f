//! What a board tells its clients.

use super::action::ClientId;
use super::view::Version;

/// Who receives an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    One(ClientId),
    Others(ClientId),
    All,
}

/// An event of the classroom contract. Lists and images are JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The whole board for one who joins: a JSON object.
    SessionData {
        version: Version,
        json: String,
    },
    PathsUpdate {
        version: Version,
        paths: String,
    },
    PathsCleared {
        version: Version,
    },
    Undone {
        version: Version,
        paths: String,
    },
    Redone {
        version: Version,
        paths: String,
    },
    BackgroundUpdate {
        image: String,
    },
    BackgroundCleared,
    LockStatus(bool),
    QuizUpdated(bool),
    QuizStatus(bool),
    StudentUnlocked,
    Error(String),
    Ack(u64),
}

impl Event {
    /// Bytes of the lists and images in it.
    pub fn weight(&self) -> usize {
        match self {
            Self::SessionData { json: text, .. }
            | Self::PathsUpdate { paths: text, .. }
            | Self::Undone { paths: text, .. }
            | Self::Redone { paths: text, .. }
            | Self::BackgroundUpdate { image: text }
            | Self::Error(text) => text.len(),
            _ => 0,
        }
    }
}

/// An event with its receivers. May leave only when everything recorded before it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub to: To,
    pub event: Event,
}
