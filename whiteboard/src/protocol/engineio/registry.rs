//! All sessions of the process.

use super::Timing;
use super::session::Session;
use crate::board::classroom::Classroom;
use crate::limits::Rate;
use crate::metrics::Metrics;
use crate::room::Hub;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What sessions share, and those that are found by their id (all that began by polling).
pub struct Registry {
    pub hub: Hub<Classroom>,
    pub timing: Timing,
    /// How fast one client may send.
    pub rate: Rate,
    pub metrics: Arc<Metrics>,
    /// Cancelled when the server stops: transports tell their clients and end.
    pub stopping: CancellationToken,
    /// The tasks of all transports.
    pub tasks: TaskTracker,
    sessions: Mutex<HashMap<Arc<str>, Arc<Session>>>,
}

impl Registry {
    pub fn new(hub: Hub<Classroom>, timing: Timing, rate: Rate, metrics: Arc<Metrics>) -> Self {
        Self {
            hub,
            timing,
            rate,
            metrics,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            sessions: Mutex::default(),
        }
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

    pub fn remove(&self, sid: &str) {
        self.sessions().remove(sid);
    }

    /// Tells every client that the server stops and waits until the transports have ended, `patience` at most.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

/// An id that nobody can guess: 120 random bits.
pub fn random_id() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0; 24];
    // Without randomness from the kernel nothing that is served could be trusted.
    getrandom::fill(&mut bytes).expect("the kernel has random bytes");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_long_and_different() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| random_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 24 && id.chars().all(|c| c.is_ascii_alphanumeric())));
    }
}
