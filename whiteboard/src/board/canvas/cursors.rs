//! Where people point. The first movement after a quiet moment leaves at once; while the pointers keep moving, what
//! came within 50 ms leaves together, of each person only the newest.

use super::action::User;
use crate::board::core::ClientId;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// For how long movements are gathered (contract).
pub const WINDOW: Duration = Duration::from_millis(50);

/// Where somebody points; numbers as they were sent.
#[derive(Clone, Debug)]
pub struct Pointer {
    pub user: Arc<User>,
    pub x: Arc<RawValue>,
    pub y: Arc<RawValue>,
}

impl PartialEq for Pointer {
    fn eq(&self, other: &Self) -> bool {
        (self.user.id, self.x.get(), self.y.get()) == (other.user.id, other.x.get(), other.y.get())
    }
}

impl Eq for Pointer {}

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// One person moved: for the others.
    One(ClientId, Pointer),
    /// Several did: for everybody.
    Many(Vec<Pointer>),
}

/// Movements that wait.
#[derive(Debug, Default)]
pub struct Cursors {
    waiting: Vec<(ClientId, Pointer)>,
    /// End of the window; none while nobody moves.
    until: Option<Duration>,
}

impl Cursors {
    /// When [`Self::due`] is to be asked.
    pub fn next(&self) -> Option<Duration> {
        self.until
    }

    /// Takes a movement; gives it back if it is to be sent at once.
    pub fn moved(&mut self, client: ClientId, pointer: Pointer, now: Duration) -> Option<Pointer> {
        if self.until.is_none() {
            self.until = Some(now + WINDOW);
            return Some(pointer);
        }
        match self.waiting.iter_mut().find(|(_, waiting)| waiting.user.id == pointer.user.id) {
            Some(waiting) => *waiting = (client, pointer),
            None => self.waiting.push((client, pointer)),
        }
        None
    }

    /// What has gathered, when the window is over.
    pub fn due(&mut self, now: Duration) -> Due {
        if self.until.is_none_or(|until| now < until) {
            return Due::Nothing;
        }
        self.until = if self.waiting.is_empty() { None } else { Some(now + WINDOW) };
        let mut gathered = std::mem::take(&mut self.waiting);
        match gathered.len() {
            0 => Due::Nothing,
            1 => gathered.pop().map_or(Due::Nothing, |(client, pointer)| Due::One(client, pointer)),
            _ => Due::Many(gathered.into_iter().map(|(_, pointer)| pointer).collect()),
        }
    }

    /// A client has gone: what waited of it is not sent.
    pub fn forget(&mut self, client: ClientId) {
        self.waiting.retain(|(waiting, _)| *waiting != client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(id: i64, x: &str) -> Pointer {
        let user = Arc::new(User { id, username: "x".into(), color: "#fff".into() });
        let number = |text: &str| Arc::from(serde_json::from_str::<Box<RawValue>>(text).unwrap());
        Pointer { user, x: number(x), y: number("0") }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_first_leaves_at_once_and_then_one_batch_each_window() {
        let mut cursors = Cursors::default();
        assert_eq!(cursors.next(), None);
        assert_eq!(cursors.moved(1, pointer(1, "0"), ms(1000)), Some(pointer(1, "0")));
        assert_eq!(cursors.next(), Some(ms(1050)));
        for n in 1..20_u32 {
            assert_eq!(cursors.moved(1, pointer(1, &n.to_string()), ms(1001)), None);
        }
        assert_eq!(cursors.due(ms(1049)), Due::Nothing);
        assert_eq!(cursors.due(ms(1050)), Due::One(1, pointer(1, "19")));
        for client in [1, 2, 3, 2] {
            let id = i64::try_from(client).unwrap();
            assert_eq!(cursors.moved(client, pointer(id, "1.50"), ms(1060)), None);
        }
        cursors.forget(3);
        assert_eq!(cursors.due(ms(1101)), Due::Many(vec![pointer(1, "1.50"), pointer(2, "1.50")]));
        assert_eq!(cursors.next(), Some(ms(1151)));
        assert_eq!(cursors.due(ms(1151)), Due::Nothing);
        assert_eq!(cursors.next(), None, "no timer while nobody moves");
        assert!(cursors.moved(1, pointer(1, "2"), ms(1200)).is_some());
    }

    #[test]
    fn a_person_with_two_tabs_has_one_cursor() {
        let mut cursors = Cursors::default();
        cursors.moved(9, pointer(9, "0"), ms(0));
        cursors.moved(1, pointer(7, "1"), ms(1));
        cursors.moved(2, pointer(7, "2"), ms(2));
        assert_eq!(cursors.due(ms(50)), Due::One(2, pointer(7, "2")));
    }
}
