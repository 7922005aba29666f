//! The log on the disk. The first letter says whose (see [`boards`]), each line after it is a row. What can be read comes
//! back from its snapshot.

use whiteboard::board::core::Durable;
use whiteboard::board::{canvas, classroom, scene};

/// Calls the function for the kind of board that a letter names.
pub fn boards(data: &[u8], run: [fn(&str); 3]) {
    let Some(text) = crate::text(data) else { return };
    let mut letters = text.chars();
    match letters.next() {
        Some('b') => run[0](letters.as_str()),
        Some('r') => run[1](letters.as_str()),
        Some('c') => run[2](letters.as_str()),
        _ => {}
    }
}

fn replay<S: Durable>(rows: &str) {
    let mut state = S::default();
    for row in rows.lines() {
        if state.replay(row).is_err() {
            return;
        }
    }
    let text = state.encode();
    let back = S::decode(&text).unwrap_or_else(|error| panic!("a snapshot cannot be read: {error}: {text}"));
    assert_eq!(back.encode(), text);
    assert_eq!(back.count(), state.count());
}

pub fn run(data: &[u8]) {
    boards(data, [replay::<scene::State>, replay::<classroom::State>, replay::<canvas::State>]);
}
