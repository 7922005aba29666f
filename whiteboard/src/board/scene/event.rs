//! What a native board tells its clients. The messages of PROTOCOL.md, before they are written as JSON.

use super::action::List;
use super::element::{Deleted, Element};
use super::identity::{Role, UserId};
use crate::board::core::{ClientId, Tell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Somebody on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub client: ClientId,
    pub user: UserId,
    pub name: Arc<str>,
    pub color: Option<Arc<str>>,
    pub role: Role,
}

/// A stroke being drawn, as far as it came, for whoever joins meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftSoFar {
    pub client: ClientId,
    pub element: Arc<str>,
    /// JSON text of the element without its points.
    pub base: Arc<str>,
    pub points: List,
    pub pressures: Option<List>,
}

/// Keys and the JSON text of their values, in the order of the keys.
pub type Values = Arc<[(Arc<str>, Arc<str>)]>;

/// The answer to `hello`.
#[derive(Clone, Debug)]
pub struct Welcome {
    pub client: ClientId,
    pub user: UserId,
    pub role: Role,
    pub epoch: Arc<str>,
    pub seq: u64,
    pub board: BoardFacts,
    pub locked: bool,
    pub quiz: bool,
    pub undo: usize,
    pub redo: usize,
    /// Last executed id of this session, 0 if none.
    pub last: u64,
    pub limits: LimitFacts,
    pub people: Vec<Person>,
    pub drafts: Vec<DraftSoFar>,
    /// True if changes follow, false if a snapshot follows.
    pub resume: bool,
}

/// What a board is called and looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardFacts {
    pub id: Arc<str>,
    pub title: Arc<str>,
    /// The dialect whose board this is.
    pub kind: Arc<str>,
    pub settings: Values,
}

/// The limits of which a board knows; the dialect adds its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitFacts {
    /// Elements of a board.
    pub elements: usize,
    /// Bytes of all elements of a board.
    pub bytes: usize,
    /// Bytes of one element.
    pub element: usize,
}

/// A part of a board.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub seq: u64,
    pub elements: Vec<Element>,
    /// Whether another part follows.
    pub more: bool,
}

/// What an operation changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub seq: u64,
    pub by: UserId,
    pub elements: Vec<Element>,
    pub deleted: Vec<Deleted>,
}

/// A request is done and on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    pub id: u64,
    pub seq: u64,
    pub undo: usize,
    pub redo: usize,
    /// Those where the server's is another than what was sent.
    pub elements: Vec<Element>,
    pub deleted: Vec<Deleted>,
}

/// Why a request was refused. [`Code::name`] is what goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    Message,
    Version,
    Hello,
    UnknownBoard,
    DeletedBoard,
    Key,
    Access,
    Locked,
    ReadOnly,
    Element,
    /// The points of a draft did not arrive as counted: the element has to be sent whole.
    Draft,
    TooLarge,
    TooMany,
    BoardFull,
    DiskFull,
    DiskLow,
    File,
    UnknownSeq,
    Stopping,
    Internal,
}

impl Code {
    /// As PROTOCOL.md writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Version => "version",
            Self::Hello => "hello",
            Self::UnknownBoard => "unknown-board",
            Self::DeletedBoard => "deleted-board",
            Self::Key => "key",
            Self::Access => "access",
            Self::Locked => "locked",
            Self::ReadOnly => "read-only",
            Self::Element => "element",
            Self::Draft => "draft",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many",
            Self::BoardFull => "board-full",
            Self::DiskFull => "disk-full",
            Self::DiskLow => "disk-low",
            Self::File => "file",
            Self::UnknownSeq => "unknown-seq",
            Self::Stopping => "stopping",
            Self::Internal => "internal",
        }
    }
}

/// A refusal; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: Code,
    /// A sentence for the person.
    pub message: Arc<str>,
    pub id: Option<u64>,
    /// When to try again, in milliseconds.
    pub retry: Option<u32>,
    /// The elements in question as the server has them.
    pub elements: Vec<Element>,
    pub deleted: Vec<Deleted>,
}

impl Refused {
    /// A refusal without elements.
    pub fn new(code: Code, id: Option<u64>, message: impl Into<Arc<str>>) -> Self {
        Self { code, message: message.into(), id, retry: None, elements: Vec::new(), deleted: Vec::new() }
    }
}

/// A stroke being drawn grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftGrew {
    pub client: ClientId,
    pub element: Arc<str>,
    pub from: u32,
    pub points: List,
    pub pressures: Option<List>,
    /// JSON text of the element without its points, with `from` 0.
    pub base: Option<Arc<str>>,
}

/// One message to clients.
#[derive(Clone, Debug)]
pub enum Event {
    Welcome(Box<Welcome>),
    Snapshot(Arc<Snapshot>),
    Change(Arc<Changed>),
    Ack(Ack),
    Lock { seq: u64, by: UserId, on: bool },
    Quiz { seq: u64, by: UserId, on: bool },
    Title { seq: u64, by: UserId, title: Arc<str> },
    Settings { seq: u64, by: UserId, values: Values },
    Reset { reason: Arc<str> },
    Join(Person),
    Leave(ClientId),
    Draft(DraftGrew),
    DraftCancelled { client: ClientId, element: Arc<str> },
    Volatile { client: ClientId, kind: Arc<str>, data: Arc<str> },
    Error(Refused),
}

impl Tell for Event {
    fn weight(&self) -> usize {
        fn texts(elements: &[Element], deleted: &[Deleted]) -> usize {
            elements.iter().map(Element::bytes).sum::<usize>() + deleted.len() * 48
        }
        match self {
            Self::Welcome(welcome) => welcome.drafts.iter().map(|draft| draft.points.text.len()).sum(),
            Self::Snapshot(snapshot) => texts(&snapshot.elements, &[]) + snapshot.elements.len(),
            Self::Change(changed) => texts(&changed.elements, &changed.deleted),
            Self::Ack(ack) => texts(&ack.elements, &ack.deleted),
            Self::Error(refused) => texts(&refused.elements, &refused.deleted),
            Self::Draft(draft) => draft.points.text.len(),
            Self::Volatile { data, .. } => data.len(),
            _ => 0,
        }
    }

    /// Pieces of a draft follow on one another: none takes the place of an older one.
    fn slot(&self) -> Option<u64> {
        let Self::Volatile { client, kind, .. } = self else { return None };
        let mut hasher = DefaultHasher::new();
        (client, kind).hash(&mut hasher);
        Some(hasher.finish())
    }

    fn replaceable(&self) -> bool {
        false
    }

    fn is_whole(&self) -> bool {
        matches!(self, Self::Snapshot(_))
    }

    fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volatile(client: ClientId, kind: &str) -> Event {
        Event::Volatile { client, kind: kind.into(), data: "[1,2]".into() }
    }

    #[test]
    fn of_each_sender_and_kind_only_the_newest_counts() {
        let slot = volatile(1, "cursor").slot();
        assert!(slot.is_some());
        assert_eq!(slot, volatile(1, "cursor").slot());
        assert_ne!(slot, volatile(1, "laser").slot());
        assert_ne!(slot, volatile(2, "cursor").slot());
        let draft = Event::DraftCancelled { client: 1, element: "a".into() };
        assert_eq!((draft.slot(), Event::Leave(1).slot()), (None, None));
    }

    #[test]
    fn weight_counts_texts() {
        let element = Element::from_text(r#"{"id":"a","type":"t","version":1,"versionNonce":0}"#).unwrap();
        let bytes = element.text().len();
        let deleted = vec![element.as_deleted()];
        let changed = Changed { seq: 1, by: UserId(1), elements: vec![element], deleted };
        assert_eq!(Event::Change(Arc::new(changed)).weight(), bytes + 48);
        assert_eq!(volatile(1, "cursor").weight(), 5);
        let refused = Event::Error(Refused::new(Code::Locked, Some(1), "The board is locked."));
        assert!(refused.is_error() && refused.weight() == 0 && !refused.replaceable());
    }
}
