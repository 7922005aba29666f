//! What a client asks of a canvas.

use super::delta::Delta;
use super::object::Object;
use super::state::State;
use crate::board::core::Act;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Number of the account; of 0 there is none: the server itself.
    pub id: i64,
    pub username: Arc<str>,
    /// `#rrggbb`.
    pub color: Arc<str>,
}

/// What a person may do on a canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// May change it and say who may do what.
    Owner,
    /// May change it.
    Editor,
    /// May look at it.
    Viewer,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Owner, Self::Editor, Self::Viewer].into_iter().find(|role| role.name() == name)
    }
}

/// What a client that shows its own changes at once must be told when one of them is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mend {
    #[default]
    Nothing,
    /// It shows an object as new or changed: these keys of it (none: all).
    Shown { id: String, keys: Option<Vec<String>> },
    /// It does not show these objects any more.
    Deleted(Vec<String>),
}

/// The messages of the contract, read and checked as far as that goes without the canvas.
#[derive(Debug)]
pub enum Action {
    /// The client has shown who it is.
    Join {
        user: User,
        role: Role,
    },
    Leave,
    /// Numbers as they were sent.
    Cursor {
        x: Box<RawValue>,
        y: Box<RawValue>,
    },
    Create(Object),
    Update {
        id: String,
        delta: Delta,
    },
    Delete(String),
    DeleteMany(Vec<String>),
    /// Bring the canvas to this state.
    Replace(State),
    /// Something that is known to be wrong: the client hears why, in the order of its requests.
    Wrong {
        sentence: String,
        mend: Mend,
    },
}

impl Action {
    /// What has to be mended if this is refused.
    pub fn mend(&self) -> Mend {
        match self {
            Self::Create(object) => Mend::Shown { id: object.id().to_string(), keys: None },
            Self::Update { id, delta } => Mend::Shown { id: id.clone(), keys: Some(super::delta::keys(delta.text())) },
            Self::Delete(id) => Mend::Deleted(vec![id.clone()]),
            Self::DeleteMany(ids) => Mend::Deleted(ids.clone()),
            Self::Wrong { mend, .. } => mend.clone(),
            Self::Join { .. } | Self::Leave | Self::Cursor { .. } | Self::Replace(_) => Mend::Nothing,
        }
    }
}

impl Act for Action {
    fn weight(&self) -> usize {
        match self {
            Self::Create(object) => object.text().len(),
            Self::Update { id, delta } => id.len() + delta.text().len(),
            Self::DeleteMany(ids) => ids.iter().map(|id| id.len() + 24).sum(),
            Self::Replace(state) => state.bytes(),
            Self::Join { .. } | Self::Leave | Self::Cursor { .. } | Self::Delete(_) | Self::Wrong { .. } => 0,
        }
    }

    fn is_activity(&self) -> bool {
        !matches!(self, Self::Leave)
    }

    fn is_change(&self) -> bool {
        match self {
            Self::Create(_) | Self::Update { .. } | Self::Delete(_) | Self::DeleteMany(_) | Self::Replace(_) => true,
            Self::Join { .. } | Self::Leave | Self::Cursor { .. } | Self::Wrong { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_names() {
        for (name, role) in [
            ("owner", Some(Role::Owner)),
            ("editor", Some(Role::Editor)),
            ("viewer", Some(Role::Viewer)),
            ("Owner", None),
            ("", None),
        ] {
            assert_eq!(Role::named(name), role, "{name}");
        }
    }

    #[test]
    fn changes_weigh_and_can_be_mended() {
        let object = Object::new(r#"{"id":"a","type":"text","x":0,"y":0,"text":""}"#).unwrap();
        let length = object.text().len();
        let delta = Delta::new("a", r#"{"x":1,"y":2}"#).unwrap();
        let cursor = Action::Cursor { x: RawValue::NULL.to_owned(), y: RawValue::NULL.to_owned() };
        for (action, weight, is_change, mend) in [
            (Action::Create(object), length, true, Mend::Shown { id: "a".into(), keys: None }),
            (
                Action::Update { id: "a".into(), delta },
                14,
                true,
                Mend::Shown { id: "a".into(), keys: Some(vec!["x".into(), "y".into()]) },
            ),
            (Action::Delete("a".into()), 0, true, Mend::Deleted(vec!["a".into()])),
            (Action::DeleteMany(vec!["a".into(), "b".into()]), 50, true, Mend::Deleted(vec!["a".into(), "b".into()])),
            (Action::Replace(State::default()), 0, true, Mend::Nothing),
            (cursor, 0, false, Mend::Nothing),
            (Action::Leave, 0, false, Mend::Nothing),
        ] {
            assert_eq!((action.weight(), action.is_change(), action.mend()), (weight, is_change, mend), "{action:?}");
            assert_eq!(action.is_activity(), !matches!(action, Action::Leave));
        }
    }
}
