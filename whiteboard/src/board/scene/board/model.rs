//! A small client, by the rules of PROTOCOL.md [S4] [Q1]-[Q4] [M2] [M5]: what the server acknowledged, a queue of
//! requests that were not answered, and what both together show.

use crate::board::core::ClientId;
use crate::board::scene::action::{Change, Join, RestoreTo, Since, What};
use crate::board::scene::element::{Deleted, Element, Stamp};
use crate::board::scene::event::Event;
use crate::board::scene::identity::{Role, UserId};
use crate::board::scene::state::State;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a client asks for, so that it can be sent again.
#[derive(Clone, Debug)]
pub enum Wish {
    Put { gesture: Option<u64>, elements: Vec<Element> },
    Undo,
    Redo,
    Clear,
    Lock(bool),
    Quiz(bool),
    Restore(State),
}

impl Wish {
    pub fn what(&self) -> What {
        match self.clone() {
            Self::Put { gesture, elements } => What::Change(Change { gesture, elements, drafts: vec![] }),
            Self::Undo => What::Undo,
            Self::Redo => What::Redo,
            Self::Clear => What::Clear,
            Self::Lock(on) => What::Lock(on),
            Self::Quiz(on) => What::Quiz(on),
            Self::Restore(past) => What::RestoreTo(RestoreTo::of(0, &past)),
        }
    }
}

/// An element, or that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Here(Element),
    Gone(Stamp),
}

impl Seen {
    fn stamp(&self) -> Stamp {
        match self {
            Self::Here(element) => element.stamp(),
            Self::Gone(stamp) => *stamp,
        }
    }
}

pub type Board = BTreeMap<Arc<str>, Seen>;

fn merge(board: &mut Board, id: &Arc<str>, seen: Seen) {
    match board.get(id) {
        Some(known) if !seen.stamp().wins_over(known.stamp()) => {}
        _ => drop(board.insert(id.clone(), seen)),
    }
}

fn merge_all(board: &mut Board, elements: &[Element], deleted: &[Deleted]) {
    for element in elements {
        let seen = if element.is_deleted() { Seen::Gone(element.stamp()) } else { Seen::Here(element.clone()) };
        merge(board, element.id(), seen);
    }
    for one in deleted {
        merge(board, &one.id, Seen::Gone(one.stamp));
    }
}

/// Elements that are there.
fn here(board: &Board) -> BTreeMap<Arc<str>, Element> {
    let here = |(id, seen): (&Arc<str>, &Seen)| match seen {
        Seen::Here(element) => Some((id.clone(), element.clone())),
        Seen::Gone(_) => None,
    };
    board.iter().filter_map(here).collect()
}

#[derive(Debug)]
pub struct Model {
    pub user: UserId,
    pub role: Role,
    pub client: Option<ClientId>,
    session: Arc<str>,
    epoch: Arc<str>,
    seq: u64,
    acknowledged: Option<Board>,
    incoming: Option<Board>,
    pub queue: VecDeque<(u64, Wish)>,
    sent: usize,
    last_id: u64,
    welcomed: bool,
    /// `last` of the welcome.
    before: u64,
    pub acks: u64,
}

impl Model {
    pub fn new(user: u64, tab: usize, role: Role) -> Self {
        Self {
            user: UserId(user),
            role,
            client: None,
            session: format!("tab-{tab:05}").into(),
            epoch: Arc::default(),
            seq: 0,
            acknowledged: None,
            incoming: None,
            queue: VecDeque::new(),
            sent: 0,
            last_id: 0,
            welcomed: false,
            before: 0,
            acks: 0,
        }
    }

    pub fn hello(&self) -> Join {
        let since = Since { epoch: self.epoch.clone(), seq: self.seq };
        Join {
            user: self.user,
            session: self.session.clone(),
            name: "".into(),
            color: None,
            role: self.role,
            since: self.acknowledged.is_some().then_some(since),
            present: true,
        }
    }

    pub fn ask(&mut self, wish: Wish) {
        self.last_id += 1;
        self.queue.push_back((self.last_id, wish));
    }

    /// Requests to be sent now.
    pub fn unsent(&mut self) -> Vec<(u64, What)> {
        if !self.welcomed {
            return Vec::new();
        }
        let first = std::mem::replace(&mut self.sent, self.queue.len());
        self.queue.iter().skip(first).map(|(id, wish)| (*id, wish.what())).collect()
    }

    pub fn disconnected(&mut self) {
        self.client = None;
        self.welcomed = false;
        self.incoming = None;
        self.sent = 0;
    }

    /// What the client shows.
    pub fn view(&self) -> BTreeMap<Arc<str>, Element> {
        let mut board = self.acknowledged.clone().unwrap_or_default();
        for (_, wish) in &self.queue {
            if let Wish::Put { elements, .. } = wish {
                merge_all(&mut board, elements, &[]);
            }
        }
        here(&board)
    }

    /// What the server has acknowledged.
    pub fn known(&self) -> BTreeMap<Arc<str>, Element> {
        here(self.acknowledged.as_ref().expect("a client that has read everything has a board"))
    }

    fn board(&mut self) -> &mut Board {
        match &mut self.incoming {
            Some(incoming) => incoming,
            None => self.acknowledged.as_mut().expect("changes come after a snapshot or to a board that is known"),
        }
    }

    fn reached(&mut self, seq: u64) {
        assert!(seq >= self.seq, "numbers go up: {seq} after {}", self.seq);
        self.seq = seq;
    }

    pub fn receive(&mut self, event: &Event) {
        assert!(self.welcomed || matches!(event, Event::Welcome(_) | Event::Error(_)), "before the welcome: {event:?}");
        match event {
            Event::Welcome(welcome) => {
                self.welcomed = true;
                self.epoch = welcome.epoch.clone();
                self.before = welcome.last;
                self.last_id = self.last_id.max(welcome.last);
                if !welcome.resume {
                    self.incoming = Some(Board::new());
                    self.seq = welcome.seq;
                }
            }
            Event::Reset { .. } => {
                self.acknowledged = None;
                self.incoming = Some(Board::new());
            }
            Event::Snapshot(part) => {
                merge_all(self.board(), &part.elements, &[]);
                self.reached(part.seq);
                if !part.more {
                    self.acknowledged = self.incoming.take();
                }
            }
            Event::Change(changed) => {
                self.reached(changed.seq);
                merge_all(self.board(), &changed.elements, &changed.deleted);
            }
            Event::Ack(ack) => {
                self.acks += 1;
                let (id, wish) = self.queue.pop_front().expect("only what was asked is acknowledged");
                self.sent -= 1;
                assert_eq!(id, ack.id, "answers come in order [Q3]");
                if let (Wish::Put { elements, .. }, true) = (wish, ack.id > self.before) {
                    merge_all(self.board(), &elements, &[]);
                }
                merge_all(self.board(), &ack.elements, &ack.deleted);
                self.reached(ack.seq);
            }
            Event::Error(refused) => {
                let Some(id) = refused.id else { return };
                let (asked, _) = self.queue.pop_front().expect("only what was asked is refused");
                self.sent -= 1;
                assert_eq!(id, asked, "answers come in order [Q3]");
                merge_all(self.board(), &refused.elements, &refused.deleted);
            }
            Event::Lock { seq, .. }
            | Event::Quiz { seq, .. }
            | Event::Title { seq, .. }
            | Event::Settings { seq, .. } => self.reached(*seq),
            Event::Join(_)
            | Event::Leave(_)
            | Event::Draft(_)
            | Event::DraftCancelled { .. }
            | Event::Volatile { .. } => {}
        }
    }
}
