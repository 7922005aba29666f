//! Bytes of a WebSocket client. They mean the same however they are cut; the first byte says how.

use whiteboard::websocket::decoder::{Decoder, Message};

/// Bytes of one message.
const MOST: usize = 4 << 10;

/// All that comes out of the bytes, as text.
fn messages(chunks: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new(MOST);
    let mut all = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk);
        loop {
            match decoder.decode() {
                Ok(Some(message)) => {
                    if let Message::Text(text) = message {
                        assert!(text.len() <= MOST, "longer than allowed");
                    }
                    all.push(format!("{message:?}"));
                }
                Ok(None) => break,
                Err(violation) => {
                    all.push(format!("{}", violation.code()));
                    return all;
                }
            }
        }
    }
    all
}

pub fn run(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else { return };
    let size = usize::from(*size).max(1);
    let cut: Vec<&[u8]> = bytes.chunks(size).collect();
    assert_eq!(messages(&cut), messages(&[bytes]));
}
