//! Which requests were executed: each of a session once, even if a client sends it again after a reconnect.

use super::identity::UserId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sessions that are remembered; of more, the one whose last request is the longest ago is forgotten.
pub const SESSIONS: usize = 1024;

/// The number of the last executed request of each session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    last: BTreeMap<(UserId, Arc<str>), Last>,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    id: u64,
    order: u64,
}

impl Sessions {
    /// The last executed request of a session, 0 if none is known.
    pub fn last(&self, user: UserId, session: &Arc<str>) -> u64 {
        self.last.get(&(user, session.clone())).map_or(0, |last| last.id)
    }

    /// Notes that a request was executed.
    pub fn executed(&mut self, user: UserId, session: &Arc<str>, id: u64) {
        let order = self.next;
        self.next += 1;
        let last = self.last.entry((user, session.clone())).or_insert(Last { id, order });
        *last = Last { id: last.id.max(id), order };
        if self.last.len() > SESSIONS {
            let idlest = self.last.iter().min_by_key(|(_, last)| last.order).map(|(key, _)| key.clone());
            if let Some(key) = idlest {
                self.last.remove(&key);
            }
        }
    }

    /// All, that with the newest request last.
    pub fn in_order(&self) -> Vec<(UserId, &Arc<str>, u64)> {
        let mut all: Vec<_> = self.last.iter().collect();
        all.sort_by_key(|(_, last)| last.order);
        all.into_iter().map(|((user, session), last)| (*user, session, last.id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: UserId = UserId(1);

    fn name(n: usize) -> Arc<str> {
        format!("session-{n}").into()
    }

    #[test]
    fn the_last_request_of_each_session_is_known() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.last(ME, &name(1)), 0);
        for (n, id) in [(1, 5), (2, 9), (1, 6), (1, 4)] {
            sessions.executed(ME, &name(n), id);
        }
        assert_eq!((sessions.last(ME, &name(1)), sessions.last(ME, &name(2))), (6, 9));
        assert_eq!(sessions.last(UserId(2), &name(1)), 0, "a session belongs to its user");
        let order: Vec<_> = sessions.in_order().into_iter().map(|(_, session, id)| (session.clone(), id)).collect();
        assert_eq!(order, [(name(2), 9), (name(1), 6)]);
    }

    #[test]
    fn the_idlest_session_is_forgotten_when_there_are_too_many() {
        let mut sessions = Sessions::default();
        for n in 0..SESSIONS {
            sessions.executed(ME, &name(n), 1);
        }
        sessions.executed(ME, &name(0), 2);
        sessions.executed(ME, &name(SESSIONS), 1);
        assert_eq!(sessions.in_order().len(), SESSIONS);
        assert_eq!((sessions.last(ME, &name(0)), sessions.last(ME, &name(1))), (2, 0));
    }
}
