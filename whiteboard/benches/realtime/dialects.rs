//! How each server is spoken to: ours in two dialects, and the peers.

use crate::broadcast::Dialect;
use crate::swarm::{Message, Swarm, frame};
use std::error::Error;

/// The native dialect; `board` users share a board.
pub struct Native<'a> {
    pub board: &'a str,
}

/// A native client's first message.
pub fn hello(user: usize) -> String {
    format!(
        "{{\"t\":\"hello\",\"v\":1,\"key\":\"benchmark-user-{user:08}\",\"session\":\"session-{user:08}\",\
         \"name\":\"User {user}\"}}"
    )
}

impl Dialect for Native<'_> {
    fn join(&self, swarm: &mut Swarm, port: u16, user: usize) -> Result<(), Box<dyn Error>> {
        let member = swarm.connect(port, &format!("/boards/{}/live", self.board))?;
        swarm.text(member, &hello(user))?;
        swarm.wait_for(|message| {
            (message.member == member && message.payload.starts_with(b"{\"t\":\"welcome\"")).then_some(())
        })
    }

    fn write(&self, content: &str, into: &mut Vec<u8>) {
        frame(1, format!("{{\"t\":\"v\",\"k\":\"cursor\",\"d\":\"{content}\"}}").as_bytes(), into);
    }

    fn behind(&self, message: &Message<'_>) -> Option<usize> {
        message.payload.starts_with(b"{\"t\":\"v\"").then_some(2)
    }
}

/// The classroom dialect. What a class sends that often is no cursor (it has none): each message is a small image of
/// the background, written to disk before the others get it.
pub struct Classroom;

impl Dialect for Classroom {
    fn join(&self, swarm: &mut Swarm, port: u16, _: usize) -> Result<(), Box<dyn Error>> {
        let member = swarm.connect(port, "/socket.io/?EIO=4&transport=websocket&session_code=benchmark")?;
        swarm.text(member, "40")?;
        swarm.wait_for(|message| {
            (message.member == member && message.payload.starts_with(b"42[\"session_data\"")).then_some(())
        })
    }

    fn write(&self, content: &str, into: &mut Vec<u8>) {
        let text = format!("42[\"update_background\",{{\"background_image\":\"{content}\"}}]");
        frame(1, text.as_bytes(), into);
    }

    fn behind(&self, message: &Message<'_>) -> Option<usize> {
        message.payload.starts_with(b"42[\"background_update\"").then_some(3)
    }

    fn pong(&self, message: &Message<'_>) -> Option<&'static str> {
        (message.payload == b"2").then_some("3")
    }
}

/// excalidraw-room's protocol on Node's socket.io: ciphertext and its initialisation vector as two attachments.
pub struct ExcalidrawRoom;

const IV: [u8; 12] = [7; 12];

impl Dialect for ExcalidrawRoom {
    fn join(&self, swarm: &mut Swarm, port: u16, _: usize) -> Result<(), Box<dyn Error>> {
        let member = swarm.connect(port, "/socket.io/?EIO=4&transport=websocket")?;
        swarm.text(member, "40")?;
        let event = |name: &'static str| {
            move |message: &Message<'_>| {
                let text = String::from_utf8_lossy(message.payload).into_owned();
                (message.member == member && text.starts_with("42") && text.contains(name)).then_some(())
            }
        };
        swarm.wait_for(event("\"init-room\""))?;
        swarm.text(member, "42[\"join-room\",\"benchmark\"]")?;
        swarm.wait_for(event("\"room-user-change\""))
    }

    fn write(&self, content: &str, into: &mut Vec<u8>) {
        let text = "452-[\"server-volatile-broadcast\",\"benchmark\",{\"_placeholder\":true,\"num\":0},\
                    {\"_placeholder\":true,\"num\":1}]";
        frame(1, text.as_bytes(), into);
        frame(2, content.as_bytes(), into);
        frame(2, &IV, into);
    }

    fn behind(&self, message: &Message<'_>) -> Option<usize> {
        (message.opcode == 2 && message.payload.len() > IV.len()).then_some(0)
    }

    fn pong(&self, message: &Message<'_>) -> Option<&'static str> {
        (message.payload == b"2").then_some("3")
    }
}

/// A bare broadcast: whatever comes goes to everybody else.
pub struct Bare;

impl Dialect for Bare {
    fn join(&self, swarm: &mut Swarm, port: u16, _: usize) -> Result<(), Box<dyn Error>> {
        let member = swarm.connect(port, "/")?;
        swarm.wait_for(|message| (message.member == member && message.payload == b"welcome").then_some(()))
    }

    fn write(&self, content: &str, into: &mut Vec<u8>) {
        frame(1, content.as_bytes(), into);
    }

    fn behind(&self, message: &Message<'_>) -> Option<usize> {
        (message.payload.len() > 100).then_some(0)
    }
}
