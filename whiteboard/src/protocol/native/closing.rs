//! With which code a connection is closed, and the reason that people may read [X1] [X2].

use crate::board::core::Closed;
use crate::board::scene::event::Code;
use crate::websocket::{Ended, Violation};

/// A closing frame's code and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goodbye {
    pub code: u16,
    pub reason: &'static str,
}

/// The goodbye for a reason of the server. `joined`: after the welcome.
pub fn goodbye(closed: Closed, joined: bool) -> Goodbye {
    let (code, reason) = match closed {
        Closed::SlowReader => (1013, "too slow: come back and go on where you were"),
        Closed::Busy => (1013, "too many large messages at the moment: come back"),
        Closed::NoAnswer if joined => (1001, "no answer"),
        Closed::NoAnswer => (4408, "no hello in time"),
        Closed::SessionEnded => (1001, "nothing happened for long"),
        Closed::Shutdown | Closed::Unsaved => (1012, "the server restarts: come back"),
        Closed::Misuse => (4400, "this is not the protocol"),
        Closed::TooLarge => (4413, "a message was too large: send less at a time"),
        Closed::TooMany | Closed::Refused => (4429, "too many"),
        Closed::Unreadable => (1013, "the board cannot be read at the moment"),
        Closed::Access => (4401, "no access"),
        Closed::UnknownBoard => (4404, "no such board"),
        Closed::Deleted => (4409, "the board was deleted"),
        Closed::Version => (4406, "another version of the protocol: reload the page"),
    };
    Goodbye { code, reason }
}

/// What it means for the connection that its hello was refused with this code [H3].
pub fn refused_hello(code: Code) -> Closed {
    match code {
        Code::Version => Closed::Version,
        Code::Access | Code::Key => Closed::Access,
        Code::UnknownBoard => Closed::UnknownBoard,
        Code::DeletedBoard => Closed::Deleted,
        Code::TooMany | Code::DiskLow => Closed::Refused,
        Code::Internal => Closed::Unreadable,
        _ => Closed::Misuse,
    }
}

/// The server's reason when the connection ended by itself; none if the peer just went.
pub fn ended(ended: Ended) -> Option<Closed> {
    match ended {
        Ended::ByPeer(_) | Ended::Lost => None,
        Ended::TooSlow => Some(Closed::SlowReader),
        Ended::Violation(Violation::TooLarge(_)) => Some(Closed::TooLarge),
        Ended::Violation(Violation::Busy) => Some(Closed::Busy),
        Ended::Violation(Violation::Late) => Some(Closed::NoAnswer),
        Ended::Violation(Violation::Protocol(_) | Violation::Utf8) => Some(Closed::Misuse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x1_x2_each_reason_has_the_code_of_the_protocol() {
        for (closed, joined, code) in [
            (Closed::SlowReader, true, 1013),
            (Closed::Busy, true, 1013),
            (Closed::NoAnswer, true, 1001),
            (Closed::NoAnswer, false, 4408),
            (Closed::SessionEnded, true, 1001),
            (Closed::Shutdown, true, 1012),
            (Closed::Unsaved, true, 1012),
            (Closed::Misuse, true, 4400),
            (Closed::TooLarge, true, 4413),
            (Closed::TooMany, true, 4429),
            (Closed::Access, false, 4401),
            (Closed::UnknownBoard, false, 4404),
            (Closed::Deleted, true, 4409),
            (Closed::Version, false, 4406),
        ] {
            assert_eq!(goodbye(closed, joined).code, code, "{closed:?}");
        }
    }

    #[test]
    fn reasons_fit_into_a_closing_frame() {
        for closed in Closed::ALL {
            let reason = goodbye(closed, true).reason;
            assert!(!reason.is_empty() && reason.len() <= 123, "{reason}");
        }
    }

    #[test]
    fn h3_a_refused_hello_closes_with_what_was_wrong() {
        for (code, expected) in [
            (Code::Version, 4406),
            (Code::Key, 4401),
            (Code::Access, 4401),
            (Code::UnknownBoard, 4404),
            (Code::DeletedBoard, 4409),
            (Code::Hello, 4400),
            (Code::Message, 4400),
            (Code::TooMany, 4429),
            (Code::DiskLow, 4429),
            (Code::Internal, 1013),
        ] {
            assert_eq!(goodbye(refused_hello(code), false).code, expected, "{code:?}");
        }
    }

    #[test]
    fn what_the_peer_did_is_named() {
        for (end, closed) in [
            (Ended::Lost, None),
            (Ended::ByPeer(Some(1000)), None),
            (Ended::TooSlow, Some(Closed::SlowReader)),
            (Ended::Violation(Violation::TooLarge(5)), Some(Closed::TooLarge)),
            (Ended::Violation(Violation::Busy), Some(Closed::Busy)),
            (Ended::Violation(Violation::Late), Some(Closed::NoAnswer)),
            (Ended::Violation(Violation::Utf8), Some(Closed::Misuse)),
            (Ended::Violation(Violation::Protocol("x")), Some(Closed::Misuse)),
        ] {
            assert_eq!(ended(end), closed);
        }
    }
}
