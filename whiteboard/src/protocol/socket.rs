//! One Socket.IO connection of the classroom dialect, on whatever transport: from its packets to its room.

use super::classroom::{action, check_code};
use super::id::random_id;
use super::socketio::{Packet, connect_error, connected, parse};
use crate::board::classroom::{Action, Classroom};
use crate::limits::address::Household;
use crate::room::{Frame, Hub, Membership, Outbox};
use crate::store::BoardName;
use std::sync::Arc;
use std::time::Duration;

/// The client does not speak the protocol: its transport is to be closed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client does not speak Socket.IO 5")]
pub struct Misuse;

/// The connection, before and after it joined. Dropping it leaves the room.
pub struct Socket {
    hub: Hub<Classroom>,
    outbox: Arc<Outbox>,
    /// From the query of the transport's first request.
    code: Option<String>,
    /// Whom a new board counts for.
    from: Option<Household>,
    membership: Option<Membership<Classroom>>,
}

impl Socket {
    pub fn new(hub: Hub<Classroom>, outbox: Arc<Outbox>, code: Option<String>, from: Option<Household>) -> Self {
        Self { hub, outbox, code, from, membership: None }
    }

    /// Whether the client is in a room.
    pub fn is_joined(&self) -> bool {
        self.membership.is_some()
    }

    /// Takes one message packet, in the order in which the client sent them. Waits while the room is busy.
    pub async fn message(&mut self, text: &str) -> Result<(), Misuse> {
        match parse(text).map_err(|_| Misuse)? {
            Packet::Connect => self.connect(),
            Packet::ConnectElsewhere(namespace) => {
                self.outbox.push(Frame::plain(connect_error(namespace, "Invalid namespace")));
            }
            Packet::Disconnect => self.leave(),
            Packet::Event { name, payload, ack } => {
                let (Some(membership), Some(code)) = (&self.membership, &self.code) else { return Err(Misuse) };
                membership.request(action(&name, payload, code), ack).await;
            }
            Packet::Binary => {
                let Some(membership) = &self.membership else { return Err(Misuse) };
                let sentence = "This server takes no binary events. Nothing was changed.".to_owned();
                membership.request(Action::Refused(sentence), None).await;
            }
            Packet::Ignored => {}
        }
        Ok(())
    }

    fn connect(&mut self) {
        if self.is_joined() {
            return;
        }
        match check_code(self.code.as_deref()) {
            Ok(code) => {
                self.outbox.push(Frame::plain(connected(&random_id())));
                let (board, outbox) = (BoardName::classroom(code), self.outbox.clone());
                self.membership = Some(self.hub.join_from(&board, self.from, outbox, Action::Join));
            }
            Err(sentence) => self.outbox.push(Frame::plain(connect_error("/", sentence))),
        }
    }

    /// The client has received the list of this version; messages made before may be under way for `grace`.
    pub async fn seen(&self, version: u64, grace: Duration) {
        if let Some(membership) = &self.membership {
            membership.request(Action::Seen { version, grace }, None).await;
        }
    }

    /// Waits until everything that the client sent is on disk and answered in its outbox.
    pub async fn settled(&self) {
        if let Some(membership) = &self.membership {
            membership.settled().await;
        }
    }

    /// Leaves the room.
    pub fn leave(&mut self) {
        self.membership = None;
    }
}
