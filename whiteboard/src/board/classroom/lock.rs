//! Who may draw on a locked board.
//!
//! The lock's flag is durable, its keepers are connections: whoever set the lock goes on drawing, the others' changes
//! are refused. When the last keeper is gone the flag stays as clients show it, but nothing is enforced until somebody
//! sets the lock again: a teacher who reconnects must not be shut out of the own lesson, and the contract knows no
//! identity by which the teacher could be told from a student. A connection that broke without a word counts until its
//! pings stay unanswered (45 seconds); setting the lock again from the new one is possible at any time.

use crate::board::core::ClientId;

/// The connections that set the lock.
#[derive(Debug, Default)]
pub struct Keepers(Vec<ClientId>);

impl Keepers {
    /// `client` set the lock, or lifted it.
    pub fn set(&mut self, client: ClientId, locked: bool) {
        if !locked {
            self.0.clear();
        } else if !self.0.contains(&client) {
            self.0.push(client);
        }
    }

    /// The lock was lifted by the clock, or the board was loaded anew.
    pub fn lift(&mut self) {
        self.0.clear();
    }

    /// The connection is gone.
    pub fn leave(&mut self, client: ClientId) {
        self.0.retain(|&keeper| keeper != client);
    }

    /// Whether `client` may change a board whose lock's flag is `locked`.
    pub fn may_draw(&self, client: ClientId, locked: bool) -> bool {
        !locked || self.0.is_empty() || self.0.contains(&client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_draw() {
        let (teacher, student) = (1, 2);
        let mut keepers = Keepers::default();
        assert!(keepers.may_draw(student, false));
        assert!(keepers.may_draw(student, true), "a lock without keeper is not enforced");
        keepers.set(teacher, true);
        keepers.set(teacher, true);
        assert!(keepers.may_draw(teacher, true) && !keepers.may_draw(student, true));
        assert!(keepers.may_draw(student, false));
        keepers.set(student, true);
        assert!(keepers.may_draw(teacher, true), "a second keeper does not shut out the first");
        keepers.leave(student);
        assert!(!keepers.may_draw(student, true));
        keepers.leave(teacher);
        assert!(keepers.may_draw(student, true));
        keepers.set(teacher, true);
        keepers.set(student, false);
        assert!(keepers.may_draw(student, true));
        keepers.set(teacher, true);
        keepers.lift();
        assert!(keepers.may_draw(student, true));
    }
}
