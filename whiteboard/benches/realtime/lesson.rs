//! Bytes on the wire for a minute of lesson: strokes as they grow, against whole boards as the classroom sends them.
//!
//! Thirty users finish six strokes a minute each. In the native dialect everybody sees them grow (ten parts a stroke);
//! in the classroom's protocol each finished stroke sends the whole board to everybody. Bytes do not depend on speed,
//! so the minute is sent as fast as the server answers. Cursors are left out: the classroom's protocol has none.

use crate::broadcast::Dialect;
use crate::dialects::{Classroom, Native};
use crate::drawing::{POINTS, classroom_stroke, draft, element};
use crate::process::Server;
use crate::swarm::Swarm;
use std::error::Error;
use std::time::Duration;

const USERS: usize = 30;
const STROKES: usize = 180;
const PARTS: usize = 10;

/// Joins everybody; bytes from now on count.
fn class(server: &Server, dialect: &impl Dialect) -> Result<Swarm, Box<dyn Error>> {
    let mut swarm = Swarm::new()?;
    for user in 0..USERS {
        dialect.join(&mut swarm, server.port, user)?;
    }
    swarm.settle(Duration::from_millis(200))?;
    (swarm.received, swarm.sent) = (0, 0);
    Ok(swarm)
}

/// Bytes in both directions, native.
pub fn native(server: &Server) -> Result<u64, Box<dyn Error>> {
    server.board("lesson")?;
    let mut swarm = class(server, &Native { board: "lesson" })?;
    for stroke in 0..STROKES {
        let (user, id) = (stroke % USERS, format!("lesson-{stroke}"));
        let mut parts = 0;
        for part in 0..PARTS {
            let size = POINTS / PARTS;
            swarm.text(user, &draft(&id, stroke, part * size..(part + 1) * size))?;
        }
        let request = stroke / USERS + 1;
        let element = element(&id, stroke, POINTS);
        swarm.text(user, &format!("{{\"t\":\"change\",\"id\":{request},\"gesture\":1,\"elements\":[{element}]}}"))?;
        let (mut others, mut acknowledged) = (0, false);
        swarm.wait_for(|message| {
            parts += usize::from(message.payload.starts_with(b"{\"t\":\"draft\""));
            others += usize::from(message.payload.starts_with(b"{\"t\":\"change\""));
            acknowledged |= message.payload.starts_with(b"{\"t\":\"ack\"");
            (acknowledged && others == USERS - 1).then_some(())
        })?;
        if parts != PARTS * (USERS - 1) {
            return Err(format!("only {parts} parts of a stroke arrived").into());
        }
    }
    Ok(swarm.received + swarm.sent)
}

/// Bytes in both directions, classroom.
pub fn classroom(server: &Server) -> Result<u64, Box<dyn Error>> {
    let mut swarm = class(server, &Classroom)?;
    let mut board: Vec<String> = Vec::new();
    for stroke in 0..STROKES {
        board.push(classroom_stroke(stroke));
        let user = stroke % USERS;
        swarm.text(user, &format!("42[\"update_paths\",{{\"paths\":[{}]}}]", board.join(",")))?;
        let mut others = 0;
        swarm.wait_for(|message| {
            others += usize::from(message.payload.starts_with(b"42[\"paths_update\""));
            (others >= USERS - 1).then_some(())
        })?;
    }
    Ok(swarm.received + swarm.sent)
}
