//! Two ways to give 300 clients the same 32 messages each tick: a queue of frames a client, or one batch for all.
//! `cargo bench -p whiteboard --bench queues`; prints the processor time of the writing thread for each delivery.
//!
//! Both do what a connection does after that: take under a lock what waits, and write it in one system call.

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

const CLIENTS: usize = 300;
const MESSAGES: usize = 32;
const BYTES: usize = 330;
const TICKS: usize = 150;

/// One client's end at the server: what waits for it, and its socket.
struct Client {
    waiting: Mutex<VecDeque<Bytes>>,
    socket: TcpStream,
}

/// Processor time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Connects clients whose other ends are read away by another thread.
fn connect() -> io::Result<Vec<Client>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (mut clients, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        readers.push(TcpStream::connect(listener.local_addr()?)?);
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        clients.push(Client { waiting: Mutex::default(), socket });
    }
    std::thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        let size = MESSAGES * BYTES;
        // In the order in which they are written, each tick's bytes of each client.
        loop {
            for reader in &mut readers {
                if reader.read_exact(&mut buffer[..size]).is_err() {
                    return;
                }
            }
        }
    });
    Ok(clients)
}

/// Writes all that waits for a client in one call.
fn write(client: &Client) -> io::Result<()> {
    let mut taken = std::mem::take(&mut *client.waiting.lock().map_err(|_| io::ErrorKind::Other)?);
    let slices: Vec<IoSlice<'_>> = taken.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut written = (&client.socket).write_vectored(&slices)?;
    // Loopback takes it whole, mostly.
    while let Some(chunk) = taken.pop_front() {
        if written < chunk.len() {
            (&client.socket).write_all(&chunk[written..])?;
            written = 0;
        } else {
            written -= chunk.len();
        }
    }
    Ok(())
}

/// Nanoseconds a delivery, where `queue` gives a tick's messages to all clients.
fn measure(name: &str, queue: impl Fn(&[Client], &[Bytes])) -> io::Result<()> {
    let clients = connect()?;
    let messages: Vec<Bytes> = (0..MESSAGES).map(|_| Bytes::from(vec![b'x'; BYTES])).collect();
    let (mut queueing, mut writing) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TICKS {
        let start = used();
        queue(&clients, &messages);
        let queued = used();
        for client in &clients {
            write(client)?;
        }
        queueing += queued.saturating_sub(start);
        writing += used().saturating_sub(queued);
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let deliveries = (TICKS * CLIENTS * MESSAGES) as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e9 / deliveries;
    println!("| {name} | {:.0} | {:.0} | {:.0} |", each(queueing), each(writing), each(queueing + writing));
    Ok(())
}

fn push(client: &Client, bytes: &Bytes) {
    if let Ok(mut waiting) = client.waiting.lock() {
        waiting.push_back(bytes.clone());
    }
}

fn main() -> io::Result<()> {
    println!("| way | queueing, ns a delivery | writing | both |\n|---|---|---|---|");
    for _ in 0..2 {
        measure("a queue of frames a client", |clients, messages| {
            // As they come: each message to everybody.
            for message in messages {
                for client in clients {
                    push(client, message);
                }
            }
        })?;
        measure("one batch for all", |clients, messages| {
            let batch = Bytes::from(messages.concat());
            for client in clients {
                push(client, &batch);
            }
        })?;
    }
    Ok(())
}
