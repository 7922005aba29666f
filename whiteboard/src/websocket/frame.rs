//! Frames of the server: encoded once, shared by everybody who gets them.

use super::live::counted;
use bytes::Bytes;
use std::sync::{Arc, Weak};

/// Room kept for a header in front of a payload that is still being written.
const HEADROOM: usize = 10;

pub(super) const FIN: u8 = 0x80;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Bytes that a control frame may carry.
pub(super) const CONTROL: usize = 125;

/// Finds a frame that somebody still holds.
#[derive(Clone, Debug, Default)]
pub struct WeakFrame(Weak<Frame>);

/// The bytes of a frame that can be found again.
struct Whole(Arc<Frame>);

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.0.wire
    }
}

impl WeakFrame {
    /// The frame, if anybody holds a part of it.
    pub fn upgrade(&self) -> Option<Frame> {
        self.0.upgrade().map(Frame::of_whole)
    }
}

/// One message, ready for the wire. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    wire: Bytes,
    payload: u8,
    /// The version of the list in it, for frames that carry one: whoever sends it is told ([`super::Next::Sent`]).
    pub version: Option<u64>,
    /// The frame says nothing that a later replaceable one does not say.
    pub replaceable: bool,
}

impl Frame {
    /// A text message.
    pub fn plain(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        Self::build(text.len(), |message| message.push_str(text))
    }

    /// A text message written in place: `write` appends the text, about `size` bytes, to what it is given.
    pub fn build(size: usize, write: impl FnOnce(&mut String)) -> Self {
        let mut text = String::with_capacity(HEADROOM + size);
        text.push_str("\0\0\0\0\0\0\0\0\0\0");
        write(&mut text);
        Self::finish(TEXT, text.into_bytes())
    }

    /// A binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::copied(BINARY, payload)
    }

    /// A ping; of the payload the first 125 bytes count.
    pub fn ping(payload: &[u8]) -> Self {
        Self::copied(PING, &payload[..payload.len().min(CONTROL)])
    }

    pub(super) fn pong(payload: &[u8]) -> Self {
        Self::copied(PONG, &payload[..payload.len().min(CONTROL)])
    }

    /// A closing frame; a reason over 123 bytes is cut between two characters.
    pub(super) fn close(code: u16, reason: &str) -> Self {
        let end = (0..=reason.len().min(CONTROL - 2)).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
        Self::copied(CLOSE, &[&code.to_be_bytes(), &reason.as_bytes()[..end]].concat())
    }

    fn copied(opcode: u8, payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(HEADROOM + payload.len());
        bytes.resize(HEADROOM, 0);
        bytes.extend_from_slice(payload);
        Self::finish(opcode, bytes)
    }

    /// Puts the header right in front of a payload that begins at [`HEADROOM`].
    fn finish(opcode: u8, mut bytes: Vec<u8>) -> Self {
        let length = bytes.len() - HEADROOM;
        let start = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if usize::from(short) <= CONTROL => {
                bytes[HEADROOM - 1] = short;
                HEADROOM - 2
            }
            (_, Ok(medium)) => {
                bytes[HEADROOM - 3] = 126;
                bytes[HEADROOM - 2..HEADROOM].copy_from_slice(&medium.to_be_bytes());
                HEADROOM - 4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..HEADROOM].copy_from_slice(&(length as u64).to_be_bytes());
                0
            }
        };
        bytes[start] = FIN | opcode;
        let payload = if start == 0 {
            10
        } else if start == 6 {
            4
        } else {
            2
        };
        Self { wire: counted(bytes).slice(start..), payload, version: None, replaceable: false }
    }

    /// The same frame with what is to be known about its content.
    #[must_use]
    pub fn carrying(self, version: Option<u64>, replaceable: bool) -> Self {
        Self { version, replaceable, ..self }
    }

    /// The same frame, and how to find it again while anybody holds it.
    pub fn shared(self) -> (Self, WeakFrame) {
        let whole = Arc::new(self);
        let weak = WeakFrame(Arc::downgrade(&whole));
        (Self::of_whole(whole), weak)
    }

    fn of_whole(whole: Arc<Self>) -> Self {
        let (payload, version, replaceable) = (whole.payload, whole.version, whole.replaceable);
        Self { wire: Bytes::from_owner(Whole(whole)), payload, version, replaceable }
    }

    /// A whole frame as it was on the wire; its content is not known.
    pub fn of_wire(wire: Bytes) -> Self {
        let payload = match wire.get(1) {
            Some(127) => 10,
            Some(126) => 4,
            _ => 2,
        };
        Self { wire, payload, version: None, replaceable: false }
    }

    /// Header and payload.
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// Header and payload.
    pub fn into_wire(self) -> Bytes {
        self.wire
    }

    /// The message without its header.
    pub fn payload(&self) -> &[u8] {
        &self.wire[usize::from(self.payload)..]
    }

    /// The text of a text message; empty for others.
    pub fn text(&self) -> &str {
        if self.wire[0] & 0x0f != TEXT {
            return "";
        }
        // It was built from a string.
        std::str::from_utf8(self.payload()).unwrap_or_default()
    }

    /// The bytes of [`Self::text`], shared with whoever else has the frame.
    pub fn into_text(self) -> Bytes {
        let start = if self.text().is_empty() { self.wire.len() } else { usize::from(self.payload) };
        self.wire.slice(start..)
    }

    /// Bytes on the wire.
    pub fn len(&self) -> usize {
        self.wire.len()
    }

    /// Never: even an empty message has a header.
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_as_the_rfc_shows() {
        for (frame, wire) in [
            (Frame::plain("Hello"), &b"\x81\x05Hello"[..]),
            (Frame::plain(""), b"\x81\x00"),
            (Frame::binary(b"\0\xff"), b"\x82\x02\0\xff"),
            (Frame::ping(b"Hello"), b"\x89\x05Hello"),
            (Frame::pong(b"Hello"), b"\x8a\x05Hello"),
            (Frame::close(1000, ""), b"\x88\x02\x03\xe8"),
            (Frame::close(1013, "too slow"), b"\x88\x0a\x03\xf5too slow"),
        ] {
            assert_eq!(&frame.wire()[..], wire);
            assert!(!frame.is_empty());
        }
    }

    #[test]
    fn lengths_take_as_few_bytes_as_they_can() {
        for (length, header) in [
            (125, &b"\x81\x7d"[..]),
            (126, b"\x81\x7e\x00\x7e"),
            (256, b"\x81\x7e\x01\x00"),
            (65_535, b"\x81\x7e\xff\xff"),
            (65_536, b"\x81\x7f\0\0\0\0\0\x01\0\0"),
        ] {
            let text = "x".repeat(length);
            let frame = Frame::plain(&text);
            assert_eq!(&frame.wire()[..header.len()], header);
            assert_eq!((frame.text(), frame.len()), (&*text, header.len() + length));
            assert_eq!(Frame::of_wire(frame.clone().into_wire()), frame);
            let shared = frame.clone().into_text();
            assert_eq!((&shared[..], shared.as_ptr()), (text.as_bytes(), frame.text().as_ptr()), "no copy");
            assert_eq!(Frame::build(0, |message| message.push_str(&text)), frame, "the size is only a hint");
        }
    }

    #[test]
    fn control_frames_never_become_too_long() {
        assert_eq!(Frame::ping(&[7; 200]).payload(), &[7; 125]);
        let reason = "é".repeat(100);
        let close = Frame::close(1002, &reason);
        assert_eq!(close.payload().len(), 2 + 122);
        assert_eq!(std::str::from_utf8(&close.payload()[2..]), Ok(&*"é".repeat(61)));
        assert_eq!((close.text(), close.clone().into_text().len()), ("", 0), "no text message");
    }
}
