//! Engine.IO bodies and the Socket.IO packets in them.

use whiteboard::protocol::engineio::packet::{self, SEPARATOR};
use whiteboard::protocol::{classroom, socketio};

pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    for part in text.split(SEPARATOR) {
        let Some(packet::Packet::Message(message)) = packet::parse(part) else { continue };
        if let Ok(socketio::Packet::Event { name, payload, .. }) = socketio::parse(message) {
            let _ = classroom::action(&name, payload, "code");
        }
    }
    let _ = classroom::check_code(Some(text));
}
