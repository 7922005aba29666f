//! A server with much on its disk: how fast it starts, what it keeps in memory, how fast it opens a large board.

use crate::broadcast::Dialect;
use crate::cores::Cores;
use crate::dialects::{Native, hello};
use crate::drawing::element;
use crate::process::Server;
use crate::swarm::Swarm;
use rusqlite::Connection;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

/// Elements of the large board.
pub const LARGE: usize = 10_000;

/// Puts a board of so many elements on the disk, through the server.
fn draw(server: &Server, board: &str, elements: usize) -> Result<(), Box<dyn Error>> {
    server.board(board)?;
    let mut swarm = Swarm::new()?;
    Native { board }.join(&mut swarm, server.port, 0)?;
    for (n, first) in (0..elements).step_by(500).enumerate() {
        let some: Vec<String> =
            (first..(first + 500).min(elements)).map(|stroke| element(&format!("e{stroke}"), stroke, 10)).collect();
        let id = n + 1;
        swarm.text(0, &format!("{{\"t\":\"change\",\"id\":{id},\"elements\":[{}]}}", some.join(",")))?;
        let begins = format!("{{\"t\":\"ack\",\"id\":{id},");
        swarm.wait_for(|message| message.payload.starts_with(begins.as_bytes()).then_some(()))?;
    }
    Ok(())
}

/// Fills a data directory: one large board, and `boards` boards of 1,000 elements. The first is drawn, the others are
/// its copies.
pub fn fill(cores: &Cores, data: &Path, boards: usize) -> Result<(), Box<dyn Error>> {
    let server = Server::whiteboard(cores, data)?;
    draw(&server, "large", LARGE)?;
    draw(&server, "copy-0", 1000)?;
    server.stop()?;
    let mut connection = Connection::open(Server::database(data))?;
    let transaction = connection.transaction()?;
    for n in 1..boards {
        transaction.execute(
            "INSERT INTO boards (dialect, code, created, changed)
             SELECT dialect, ?1, created, changed FROM boards WHERE code = 'copy-0'",
            [format!("copy-{n}")],
        )?;
        let copy = transaction.last_insert_rowid();
        for table in [
            "operations (board, seq, time, body) SELECT ?1, seq, time, body FROM operations",
            "snapshots (board, seq, body) SELECT ?1, seq, body FROM snapshots",
        ] {
            transaction.execute(
                &format!("INSERT INTO {table} WHERE board = (SELECT id FROM boards WHERE code = 'copy-0')"),
                [copy],
            )?;
        }
    }
    transaction.commit()?;
    Ok(connection.close().map_err(|(_, error)| error)?)
}

/// Resident memory with ten of the boards in use by one user each.
pub fn ten_in_use(server: &Server) -> Result<u64, Box<dyn Error>> {
    let mut swarm = Swarm::new()?;
    for user in 0..10 {
        let board = format!("copy-{user}");
        Native { board: &board }.join(&mut swarm, server.port, user)?;
    }
    swarm.settle(Duration::from_secs(1))?;
    Ok(server.resident())
}

/// Opens the large board: milliseconds from hello to the first byte, and to the whole board; its bytes.
pub fn open_large(server: &Server) -> Result<(f64, f64, u64), Box<dyn Error>> {
    let mut swarm = Swarm::new()?;
    let member = swarm.connect(server.port, "/boards/large/live")?;
    let start = Instant::now();
    swarm.text(member, &hello(0))?;
    let (mut first, mut last) = (None, None);
    while last.is_none() {
        if start.elapsed() > Duration::from_secs(30) {
            return Err("the board did not arrive".into());
        }
        swarm.poll(Duration::from_millis(10), |message| {
            first.get_or_insert_with(|| start.elapsed());
            if message.payload.starts_with(b"{\"t\":\"snapshot\"") && message.payload.ends_with(b"\"more\":false}") {
                last = Some(start.elapsed());
            }
        })?;
    }
    let ms = |duration: Option<Duration>| duration.unwrap_or_default().as_secs_f64() * 1e3;
    Ok((ms(first), ms(last), swarm.received))
}
