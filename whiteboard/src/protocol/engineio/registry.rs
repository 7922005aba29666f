//! All sessions of the process.

use super::session::{Common, Session, Stage};
use crate::board::core::Closed;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What sessions share, and those that are found by their id (all that began by polling).
pub struct Registry {
    pub common: Common,
    /// Cancelled when the server stops: transports tell their clients and end.
    pub stopping: CancellationToken,
    /// The tasks of all transports.
    pub tasks: TaskTracker,
    sessions: Mutex<HashMap<Arc<str>, Arc<Session>>>,
}

impl Registry {
    pub fn new(common: Common) -> Self {
        Self { common, stopping: CancellationToken::new(), tasks: TaskTracker::new(), sessions: Mutex::default() }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Session>>> {
        // The map is changed by single calls only: a panic elsewhere leaves it whole.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn insert(&self, session: &Arc<Session>) {
        self.sessions().insert(session.sid.clone(), session.clone());
    }

    pub fn find(&self, sid: &str) -> Option<Arc<Session>> {
        self.sessions().get(sid).cloned()
    }

    /// Ends a session: the room hears of it, whatever transport is still open closes.
    pub async fn end(&self, session: &Session, reason: Option<Closed>) {
        if let Some(reason) = reason {
            session.outbox.close(reason);
        }
        self.sessions().remove(&session.sid);
        if session.advance(&[Stage::Polling, Stage::Probing, Stage::Websocket], Stage::Ended) {
            session.socket.lock().await.leave();
        }
    }

    /// Tells every client that the server stops and waits until the transports have ended, `patience` at most.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}
