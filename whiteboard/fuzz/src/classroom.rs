//! Clients of a classroom that say anything: each line is a client's digit and a Socket.IO packet.

use std::collections::BTreeSet;
use whiteboard::board::classroom::{Action, Classroom, State};
use whiteboard::board::core::{Core, Durable, Moment, Opening, Request};
use whiteboard::protocol::{classroom, socketio};

/// Messages of one run.
const LINES: usize = 200;

/// The log and the board of a lesson.
pub fn lesson(text: &str) -> (Vec<String>, Classroom) {
    let mut board = Classroom::open(State::default(), Opening::default());
    let (mut log, mut here) = (Vec::new(), BTreeSet::new());
    for (place, line) in text.lines().take(LINES).enumerate() {
        let Some(client) = line.chars().next().and_then(|letter| letter.to_digit(10)).map(u64::from) else { continue };
        let now = Moment { run: std::time::Duration::from_secs(place as u64), unix_ms: 0 };
        let mut act = |action| {
            log.extend(board.handle(Request { client, action, ack: Some(1) }, now).records);
        };
        if here.insert(client) {
            act(Action::Join);
        }
        match socketio::parse(&line[1..]) {
            Ok(socketio::Packet::Event { name, payload, .. }) => act(classroom::action(&name, payload, "code")),
            Ok(socketio::Packet::Disconnect) => {
                here.remove(&client);
                act(Action::Leave);
            }
            _ => {}
        }
    }
    (log, board)
}

pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let (log, board) = lesson(text);
    let mut replayed = State::default();
    for record in &log {
        replayed.replay(record).expect("what was recorded can be read");
    }
    let encoded = board.state().encode();
    assert_eq!(replayed.encode(), encoded, "the log gives the board");
    assert_eq!(State::decode(&encoded).expect("a snapshot can be read").encode(), encoded);
}
