//! Engine.IO packets as text: a digit, then data. Several in one body are parted by the record separator.

use super::{MAX_PAYLOAD, Timing};

/// Parts the packets of a polling body.
pub const SEPARATOR: char = '\u{1e}';

/// Packets that an answer to a poll holds at most: Python clients drop an answer with more.
pub const PACKETS_A_POLL: usize = 16;

pub const PING: &str = "2";
pub const PONG_PROBE: &str = "3probe";
pub const NOOP: &str = "6";

/// A packet of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    Close,
    Ping(&'a str),
    Pong,
    Message(&'a str),
    Upgrade,
    Noop,
    /// Binary data in Base64: the contract has none.
    Binary,
}

/// Reads one packet; none if it is none.
pub fn parse(text: &str) -> Option<Packet<'_>> {
    let kind = text.as_bytes().first()?;
    let rest = || &text[1..];
    match kind {
        b'1' => Some(Packet::Close),
        b'2' => Some(Packet::Ping(rest())),
        b'3' => Some(Packet::Pong),
        b'4' => Some(Packet::Message(rest())),
        b'5' => Some(Packet::Upgrade),
        b'6' => Some(Packet::Noop),
        b'b' => Some(Packet::Binary),
        _ => None,
    }
}

/// The packet that opens a session.
pub fn open(sid: &str, may_upgrade: bool, timing: &Timing) -> String {
    let upgrades = if may_upgrade { "[\"websocket\"]" } else { "[]" };
    format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":{upgrades},\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{MAX_PAYLOAD}}}",
        timing.ping_interval.as_millis(),
        timing.ping_timeout.as_millis(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read() {
        for (text, packet) in [
            ("1", Some(Packet::Close)),
            ("2probe", Some(Packet::Ping("probe"))),
            ("3", Some(Packet::Pong)),
            ("42[\"é\"]", Some(Packet::Message("2[\"é\"]"))),
            ("4", Some(Packet::Message(""))),
            ("5", Some(Packet::Upgrade)),
            ("6", Some(Packet::Noop)),
            ("bAAEC", Some(Packet::Binary)),
            ("", None),
            ("0{}", None),
            ("é", None),
            ("7", None),
        ] {
            assert_eq!(parse(text), packet, "{text}");
        }
    }

    #[test]
    fn the_opening_tells_the_contracts_numbers() {
        assert_eq!(
            open("abc", true, &Timing::default()),
            r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
        assert!(open("abc", false, &Timing::default()).contains(r#""upgrades":[]"#));
    }
}
