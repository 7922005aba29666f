//! Snapshots on the disk. The first letter says of which kind of board, the rest is the snapshot. One that can be read
//! is written so that it can be read again, to the same.

use crate::records::boards;
use whiteboard::board::core::Durable;
use whiteboard::board::{canvas, classroom, scene};

fn decode<S: Durable>(text: &str) {
    let Ok(state) = S::decode(text) else { return };
    let text = state.encode();
    let again = S::decode(&text).unwrap_or_else(|error| panic!("what was written cannot be read: {error}: {text}"));
    assert_eq!(again.encode(), text);
}

pub fn run(data: &[u8]) {
    boards(data, [decode::<scene::State>, decode::<classroom::State>, decode::<canvas::State>]);
}
