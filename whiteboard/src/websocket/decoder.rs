//! From bytes of a client to its messages: pure, in any chunks.
//!
//! Rules of RFC 6455 by section: 5.1 (clients mask), 5.2 (reserved bits, lengths), 5.4 (fragments), 5.5 (control frames
//! are short, whole, and may come between fragments), 7.4 (codes in a closing frame), 8.1 (text is UTF-8).

use super::frame::{BINARY, CLOSE, CONTROL, FIN, PING, PONG, TEXT};
use super::unfinished::Held;
use std::ops::Range;

const CONTINUATION: u8 = 0;

/// Kept from one chunk to the next at most, once it is empty: anything larger is given back.
const KEPT: usize = 64 << 10;

/// Why nothing more can be read from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("{0}")]
    Protocol(&'static str),
    #[error("text is not UTF-8")]
    Utf8,
    #[error("a message may have {0} bytes at most")]
    TooLarge(usize),
    /// Nothing that this client did alone: all together send more than there is memory for.
    #[error("too many large messages are coming at the moment")]
    Busy,
    #[error("a message did not come whole in time")]
    Late,
}

impl Violation {
    /// The code of the closing frame that tells the client.
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::Utf8 => 1007,
            Self::TooLarge(_) => 1009,
            Self::Busy => 1013,
            Self::Late => 1008,
        }
    }
}

/// One message of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// With the code, if there was one. Nothing that comes after it is read.
    Close(Option<u16>),
}

/// What kind of message was found, checked, and where its bytes are.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) kind: Kind,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
    Ping,
    Pong,
    Close(Option<u16>),
}

#[derive(Clone, Debug)]
enum Place {
    Buffer(Range<usize>),
    Assembled,
}

struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Where the payload begins and ends in the buffer.
    payload: Range<usize>,
}

/// The decoder of one connection. It owns no memory while it waits for the beginning of a message.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// How much of the buffer has been handed out.
    read: usize,
    /// The parts so far of a message in fragments, or one that has just been handed out.
    assembled: Vec<u8>,
    /// What the fragments will be.
    assembling: Option<u8>,
    max_message: usize,
    closed: bool,
    held: Held,
}

impl Decoder {
    /// A decoder for messages of at most so many bytes.
    pub fn new(max_message: usize) -> Self {
        Self::counted(max_message, Held::new())
    }

    /// [`Self::new`], whose memory is counted in `held`.
    fn counted(max_message: usize, held: Held) -> Self {
        Self { buffer: Vec::new(), read: 0, assembled: Vec::new(), assembling: None, max_message, closed: false, held }
    }

    /// From now on messages may have so many bytes.
    pub fn set_max_message(&mut self, bytes: usize) {
        self.max_message = bytes;
    }

    /// Whether a message in fragments has begun and not ended.
    pub(super) fn is_assembling(&self) -> bool {
        self.assembling.is_some()
    }

    /// Bytes that came of a message that is not whole; only right after [`Self::advance`] had nothing.
    pub(super) fn unfinished(&self) -> Option<usize> {
        let bytes = self.buffer.len() + self.assembled.len();
        (bytes > 0 || self.is_assembling()).then_some(bytes)
    }

    /// Takes bytes that have arrived. To bound memory, call [`Self::decode`] until it has nothing before the next.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.tidy();
        if !self.closed {
            self.buffer.extend_from_slice(bytes);
        }
        self.held.set(self.buffer.capacity() + self.assembled.capacity());
    }

    /// The next whole message, if it has arrived.
    pub fn decode(&mut self) -> Result<Option<Message<'_>>, Violation> {
        Ok(self.advance()?.map(|found| self.message(&found)))
    }

    /// Forgets what has been handed out.
    fn tidy(&mut self) {
        if self.assembling.is_none() && !self.assembled.is_empty() {
            self.assembled = Vec::new();
        }
        if self.read == 0 {
            return;
        }
        if self.read == self.buffer.len() {
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..self.read);
            if self.buffer.capacity() > KEPT && self.buffer.len() < KEPT / 2 {
                self.buffer.shrink_to(KEPT);
            }
        }
        self.read = 0;
    }

    /// Finds the next whole message. What an earlier call found is gone.
    pub(super) fn advance(&mut self) -> Result<Option<Found>, Violation> {
        if self.assembling.is_none() && !self.assembled.is_empty() {
            self.assembled = Vec::new();
        }
        while !self.closed
            && let Some(header) = self.header()?
        {
            if header.payload.end > self.buffer.len() {
                break;
            }
            unmask(&mut self.buffer[header.payload.clone()], header.mask);
            self.read = header.payload.end;
            match (header.opcode, header.fin) {
                (CONTINUATION, fin) => {
                    self.assembled.extend_from_slice(&self.buffer[header.payload]);
                    if fin {
                        let opcode = self.assembling.take().unwrap_or(BINARY);
                        return self.found(opcode, Place::Assembled).map(Some);
                    }
                }
                (TEXT | BINARY, false) => {
                    self.assembling = Some(header.opcode);
                    self.assembled.extend_from_slice(&self.buffer[header.payload]);
                }
                (opcode, _) => {
                    self.closed = opcode == CLOSE;
                    return self.found(opcode, Place::Buffer(header.payload)).map(Some);
                }
            }
        }
        self.tidy();
        self.held.set(self.buffer.capacity() + self.assembled.capacity());
        if self.held.is_too_much() {
            (self.buffer, self.assembled, self.closed) = (Vec::new(), Vec::new(), true);
            self.held.set(0);
            return Err(Violation::Busy);
        }
        Ok(None)
    }

    fn bytes(&self, place: &Place) -> &[u8] {
        match place {
            Place::Buffer(range) => &self.buffer[range.clone()],
            Place::Assembled => &self.assembled,
        }
    }

    /// Checks what is in a whole message.
    fn found(&self, opcode: u8, place: Place) -> Result<Found, Violation> {
        let bytes = self.bytes(&place);
        let kind = match opcode {
            TEXT => std::str::from_utf8(bytes).map(|_| Kind::Text).map_err(|_| Violation::Utf8)?,
            PING => Kind::Ping,
            PONG => Kind::Pong,
            CLOSE => Kind::Close(close_code(bytes)?),
            _ => Kind::Binary,
        };
        Ok(Found { kind, place })
    }

    /// The message that was found last.
    pub(super) fn message(&self, found: &Found) -> Message<'_> {
        let bytes = self.bytes(&found.place);
        match found.kind {
            // It was checked when it was found.
            Kind::Text => Message::Text(std::str::from_utf8(bytes).unwrap_or_default()),
            Kind::Binary => Message::Binary(bytes),
            Kind::Ping => Message::Ping(bytes),
            Kind::Pong => Message::Pong(bytes),
            Kind::Close(code) => Message::Close(code),
        }
    }

    /// Reads and checks a header; none if it has not arrived whole.
    fn header(&self) -> Result<Option<Header>, Violation> {
        let bytes = &self.buffer[self.read..];
        let &[first, second, ..] = bytes else { return Ok(None) };
        let (fin, opcode) = (first & FIN != 0, first & 0x0f);
        let wrong = |sentence| Err(Violation::Protocol(sentence));
        if first & 0x70 != 0 {
            return wrong("no extension was agreed on");
        }
        if second & 0x80 == 0 {
            return wrong("frames of a client must be masked");
        }
        match opcode {
            CONTINUATION if self.assembling.is_none() => return wrong("there is nothing to continue"),
            TEXT | BINARY if self.assembling.is_some() => return wrong("a message began inside another"),
            CLOSE | PING | PONG if !fin => return wrong("a control frame must not be in fragments"),
            CLOSE | PING | PONG if usize::from(second & 0x7f) > CONTROL => return wrong("a control frame is too long"),
            CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG => {}
            _ => return wrong("there is no such frame"),
        }
        let (length, head) = match second & 0x7f {
            126 => match bytes.get(2..4) {
                Some(&[a, b]) => (u64::from(u16::from_be_bytes([a, b])), 4),
                _ => return Ok(None),
            },
            127 => match bytes.get(2..10).and_then(|bytes| bytes.try_into().ok()) {
                Some(bytes) => (u64::from_be_bytes(bytes), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        if length >> 63 != 0 {
            return wrong("a length must not have its first bit set");
        }
        let before = if opcode == CONTINUATION { self.assembled.len() } else { 0 };
        let length = match usize::try_from(length) {
            Ok(length) if length <= self.max_message.saturating_sub(before) || opcode >= CLOSE => length,
            _ => return Err(Violation::TooLarge(self.max_message)),
        };
        let Some(&[a, b, c, d]) = bytes.get(head..head + 4) else { return Ok(None) };
        let start = self.read + head + 4;
        Ok(Some(Header { fin, opcode, mask: [a, b, c, d], payload: start..start + length }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

fn close_code(bytes: &[u8]) -> Result<Option<u16>, Violation> {
    match *bytes {
        [] => Ok(None),
        [a, b, ref reason @ ..] => {
            let code = u16::from_be_bytes([a, b]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::Protocol("this code may not be in a closing frame"));
            }
            std::str::from_utf8(reason).map_err(|_| Violation::Utf8)?;
            Ok(Some(code))
        }
        [_] => Err(Violation::Protocol("a code has two bytes")),
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
