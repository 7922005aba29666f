//! What a board tells its clients.

use super::view::Version;
use crate::board::core::Tell;

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

impl Tell for Event {
    fn weight(&self) -> usize {
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

    /// The classroom has nothing volatile.
    fn slot(&self) -> Option<u64> {
        None
    }

    /// Undone and redone are whole boards too, but clients of the later generation know them by their names.
    fn replaceable(&self) -> bool {
        matches!(self, Self::PathsUpdate { .. })
    }

    fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}
