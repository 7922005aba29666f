//! How long it takes until a change is acknowledged from the disk, and what the disk itself takes.

use crate::broadcast::Dialect;
use crate::dialects::Native;
use crate::drawing::element;
use crate::process::Server;
use crate::swarm::Swarm;
use crate::times::Times;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Users that draw at the same time, and strokes a second that all of them finish together.
pub const USERS: usize = 50;
const RATE: u32 = 100;

/// Writes four kilobytes and waits for the disk, again and again, as the log of a database does.
pub fn fdatasync(directory: &Path, times: usize) -> Result<Times, Box<dyn Error>> {
    let path = directory.join("fdatasync");
    let mut file = std::fs::File::create(&path)?;
    let mut took = Times::new();
    for _ in 0..times {
        file.write_all(&[7; 4096])?;
        let start = Instant::now();
        file.sync_data()?;
        took.add(u64::try_from(start.elapsed().as_nanos())?);
    }
    std::fs::remove_file(path)?;
    Ok(took)
}

/// The number in `"id":…` of an acknowledgement.
fn acknowledged(payload: &[u8]) -> Option<usize> {
    let digits = payload.strip_prefix(b"{\"t\":\"ack\",\"id\":")?;
    let end = digits.iter().position(|digit| !digit.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// Lets fifty users finish strokes; how long each acknowledgement took.
pub fn acknowledgements(server: &Server, measure: Duration) -> Result<Times, Box<dyn Error>> {
    server.board("durable")?;
    let mut swarm = Swarm::new()?;
    for user in 0..USERS {
        Native { board: "durable" }.join(&mut swarm, server.port, user)?;
    }
    swarm.settle(Duration::from_millis(200))?;
    let mut sent: Vec<Vec<Instant>> = vec![Vec::new(); USERS];
    let (start, interval) = (Instant::now(), Duration::from_secs(1) / RATE);
    let (mut due, mut stroke, mut times) = (Duration::ZERO, 0, Times::new());
    while due < measure || (times.count() < stroke as u64 && start.elapsed() < measure + Duration::from_secs(5)) {
        while due <= start.elapsed() && due < measure {
            let user = stroke % USERS;
            let (id, request) = (format!("stroke-{stroke}"), sent[user].len() + 1);
            let element = element(&id, stroke, crate::drawing::POINTS);
            sent[user].push(Instant::now());
            let change =
                format!("{{\"t\":\"change\",\"id\":{request},\"gesture\":{request},\"elements\":[{element}]}}");
            swarm.text(user, &change)?;
            stroke += 1;
            due += interval;
        }
        swarm.poll(due.saturating_sub(start.elapsed()).min(Duration::from_millis(20)), |message| {
            if let Some(id) = acknowledged(message.payload)
                && let Some(at) = sent[message.member].get(id - 1)
            {
                times.add(u64::try_from(at.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
        })?;
    }
    if times.count() != stroke as u64 {
        return Err(format!("{stroke} changes were sent, {} were acknowledged", times.count()).into());
    }
    Ok(times)
}
