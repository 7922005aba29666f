//! Connections that somebody has opened with a session: they end when the session does, or when the person gets
//! another role on their canvas (an old client comes back by itself and gets the new one).

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ends one connection.
type End = Box<dyn Fn(Why) + Send>;

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The person has logged out.
    LoggedOut,
    /// The person may do something else than before.
    RoleChanged,
}

struct Connection {
    session: [u8; 32],
    user: i64,
    canvas: Arc<str>,
    end: End,
}

#[derive(Default)]
struct Inner {
    connections: Mutex<HashMap<u64, Connection>>,
    next: AtomicU64,
}

/// All such connections.
#[derive(Clone, Default)]
pub struct Live(Arc<Inner>);

/// One connection's entry; dropping it takes it out.
pub struct Registered {
    live: Live,
    number: u64,
}

impl Live {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Connection>> {
        // The map is changed by single calls only: a panic elsewhere leaves it whole.
        self.0.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a connection of this session (hash of its token) to this canvas. `end` is called at most a few times, must
    /// not block and must not come back here.
    pub fn register(
        &self,
        session: [u8; 32],
        user: i64,
        canvas: Arc<str>,
        end: impl Fn(Why) + Send + 'static,
    ) -> Registered {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.connections().insert(number, Connection { session, user, canvas, end: Box::new(end) });
        Registered { live: self.clone(), number }
    }

    /// Ends the connections of a session.
    pub fn logged_out(&self, session: &[u8; 32]) {
        self.end(Why::LoggedOut, |connection| connection.session == *session);
    }

    /// Ends the connections of a person to a canvas.
    pub fn role_changed(&self, user: i64, canvas: &str) {
        self.end(Why::RoleChanged, |connection| connection.user == user && *connection.canvas == *canvas);
    }

    fn end(&self, why: Why, is_meant: impl Fn(&Connection) -> bool) {
        for connection in self.connections().values().filter(|connection| is_meant(connection)) {
            (connection.end)(why);
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("connections", &self.connections().len()).finish()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // Taken out first, dropped after the lock: what `end` holds may do anything when it goes.
        let gone = self.live.connections().remove(&self.number);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn those_connections_end_that_are_meant() {
        let live = Live::default();
        let (told, ended) = mpsc::channel();
        let enter = |name: &'static str, session: u8, user, canvas: &str| {
            let told = told.clone();
            live.register([session; 32], user, canvas.into(), move |why| told.send((name, why)).unwrap())
        };
        let _one = enter("one", 1, 7, "a");
        let _other_canvas = enter("other canvas", 1, 7, "b");
        let other_session = enter("other session", 2, 7, "a");
        let _other_user = enter("other user", 3, 8, "a");
        let seen = || {
            let mut seen: Vec<_> = ended.try_iter().collect();
            seen.sort_by_key(|(name, _)| *name);
            seen
        };
        live.logged_out(&[1; 32]);
        assert_eq!(seen(), [("one", Why::LoggedOut), ("other canvas", Why::LoggedOut)]);
        live.role_changed(7, "a");
        assert_eq!(seen(), [("one", Why::RoleChanged), ("other session", Why::RoleChanged)]);
        drop(other_session);
        live.logged_out(&[2; 32]);
        assert_eq!(seen(), []);
        assert_eq!(format!("{live:?}"), "Live { connections: 3 }");
    }
}
