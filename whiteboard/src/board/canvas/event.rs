//! What a canvas tells its clients.

use super::action::User;
use super::cursors::Pointer;
use crate::board::core::Tell;
use std::sync::Arc;

/// The messages of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Who the client is, and the whole canvas as a JSON array.
    AuthSuccess {
        user: Arc<User>,
        objects: Arc<str>,
    },
    /// The client cannot come in.
    AuthFailed(String),
    UserConnected(Arc<User>),
    UserDisconnected(Arc<User>),
    /// Everybody who is there, each once.
    Presence(Vec<Arc<User>>),
    Cursor(Pointer),
    CursorBatch(Vec<Pointer>),
    /// An object as JSON text.
    Created {
        object: Arc<str>,
        by: Arc<User>,
    },
    /// The members that have changed, as JSON text.
    Updated {
        id: Arc<str>,
        delta: Arc<str>,
        by: Arc<User>,
    },
    Deleted {
        id: Arc<str>,
        by: Arc<User>,
    },
    DeletedMany {
        ids: Vec<Arc<str>>,
        by: Arc<User>,
    },
    Error(String),
}

/// Slot of [`Event::CursorBatch`]. Those of single cursors are numbers of accounts, which are positive.
const BATCH: u64 = u64::MAX;

impl Tell for Event {
    fn weight(&self) -> usize {
        match self {
            Self::AuthSuccess { objects, .. } => objects.len(),
            Self::Created { object, .. } => object.len(),
            Self::Updated { delta, .. } => delta.len(),
            Self::DeletedMany { ids, .. } => ids.iter().map(|id| id.len()).sum(),
            Self::Presence(users) => users.len() * 64,
            Self::CursorBatch(pointers) => pointers.len() * 128,
            Self::AuthFailed(_)
            | Self::UserConnected(_)
            | Self::UserDisconnected(_)
            | Self::Cursor(_)
            | Self::Deleted { .. }
            | Self::Error(_) => 0,
        }
    }

    fn slot(&self) -> Option<u64> {
        match self {
            Self::Cursor(pointer) => Some(pointer.user.id.cast_unsigned()),
            Self::CursorBatch(_) => Some(BATCH),
            _ => None,
        }
    }

    fn replaceable(&self) -> bool {
        // An old client would forget what it is told between two of them; a slow one is closed and comes back.
        false
    }

    fn is_error(&self) -> bool {
        matches!(self, Self::Error(_) | Self::AuthFailed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn cursors_are_replaced_by_newer_ones_of_the_same_user_only() {
        let user = |id| Arc::new(User { id, username: "x".into(), color: "#fff".into() });
        let pointer =
            |id| Pointer { user: user(id), x: RawValue::NULL.to_owned().into(), y: RawValue::NULL.to_owned().into() };
        let slots = [
            Event::Cursor(pointer(1)).slot(),
            Event::Cursor(pointer(2)).slot(),
            Event::CursorBatch(vec![pointer(1)]).slot(),
        ];
        assert!(slots[0].is_some() && slots[0] != slots[1] && slots[2].is_some() && !slots[..2].contains(&slots[2]));
        assert_eq!(Event::Cursor(pointer(1)).slot(), Event::Cursor(pointer(1)).slot());
        let update = Event::Updated { id: "a".into(), delta: "{\"x\":1}".into(), by: user(1) };
        assert_eq!((update.slot(), update.weight(), update.is_error()), (None, 7, false));
        assert!(Event::Error("no".into()).is_error());
    }
}
