//! How a connection ends. The pages come back by themselves from a connection that broke, and only from that: after a
//! closing handshake they stay away. So whoever is to come back is hung up on, without a closing frame.

use crate::board::core::Closed;
use crate::websocket::{Ended, Violation};

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// Without a word, so that the page comes back.
    HangUp,
    /// With a code and a reason that people may read.
    Close(u16, &'static str),
}

/// The goodbye for a reason of the server. `joined`: the client had shown who it is.
pub fn goodbye(closed: Closed, joined: bool) -> Goodbye {
    match closed {
        Closed::NoAnswer if !joined => Goodbye::Close(4401, "nobody said who this is"),
        Closed::SlowReader
        | Closed::Busy
        | Closed::NoAnswer
        | Closed::SessionEnded
        | Closed::Shutdown
        | Closed::Unsaved
        | Closed::Unreadable => Goodbye::HangUp,
        Closed::Misuse => Goodbye::Close(1002, "this is not the protocol"),
        Closed::TooLarge => Goodbye::Close(1009, "a message may have 1 MiB at most"),
        Closed::TooMany => Goodbye::Close(4429, "too many messages"),
        Closed::Refused => Goodbye::Close(4429, "no new canvases at the moment"),
        Closed::Access => Goodbye::Close(4401, "logged out"),
        Closed::UnknownBoard => Goodbye::Close(4404, "no such canvas"),
        Closed::Deleted => Goodbye::Close(4409, "the canvas was deleted"),
        Closed::Version => Goodbye::Close(4406, "another version of the protocol"),
    }
}

/// What ended the connection by itself: the reason for the statistics (none: the client went), and the goodbye.
pub fn ended(ended: Ended) -> (Option<Closed>, Goodbye) {
    match ended {
        Ended::ByPeer(_) | Ended::Lost => (None, Goodbye::Close(1000, "")),
        Ended::TooSlow => (Some(Closed::SlowReader), Goodbye::HangUp),
        Ended::Violation(violation) => {
            let closed = match violation {
                Violation::TooLarge(_) => Closed::TooLarge,
                Violation::Busy => return (Some(Closed::Busy), Goodbye::HangUp),
                Violation::Late => return (Some(Closed::NoAnswer), Goodbye::HangUp),
                Violation::Protocol(_) | Violation::Utf8 => Closed::Misuse,
            };
            let reason = if closed == Closed::TooLarge { "a message may have 1 MiB at most" } else { "bad frame" };
            (Some(closed), Goodbye::Close(violation.code(), reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_back_when_it_makes_sense() {
        for closed in Closed::ALL {
            let comes_back = goodbye(closed, true) == Goodbye::HangUp;
            let expected = matches!(
                closed,
                Closed::SlowReader
                    | Closed::Busy
                    | Closed::NoAnswer
                    | Closed::SessionEnded
                    | Closed::Shutdown
                    | Closed::Unsaved
                    | Closed::Unreadable
            );
            assert_eq!(comes_back, expected, "{closed:?}");
            if let Goodbye::Close(code, reason) = goodbye(closed, true) {
                assert!(!reason.is_empty() && reason.len() <= 123 && (1002..4500).contains(&code), "{closed:?}");
            }
        }
        assert_eq!(goodbye(Closed::NoAnswer, false), Goodbye::Close(4401, "nobody said who this is"));
    }

    #[test]
    fn violations_have_their_codes() {
        for (end, closed, code) in [
            (Ended::Lost, None, Some(1000)),
            (Ended::ByPeer(Some(1001)), None, Some(1000)),
            (Ended::TooSlow, Some(Closed::SlowReader), None),
            (Ended::Violation(Violation::TooLarge(1)), Some(Closed::TooLarge), Some(1009)),
            (Ended::Violation(Violation::Busy), Some(Closed::Busy), None),
            (Ended::Violation(Violation::Late), Some(Closed::NoAnswer), None),
            (Ended::Violation(Violation::Utf8), Some(Closed::Misuse), Some(1007)),
            (Ended::Violation(Violation::Protocol("x")), Some(Closed::Misuse), Some(1002)),
        ] {
            let (found, goodbye) = ended(end);
            let found_code = if let Goodbye::Close(code, _) = goodbye { Some(code) } else { None };
            assert_eq!((found, found_code), (closed, code), "{end:?}");
        }
    }
}
