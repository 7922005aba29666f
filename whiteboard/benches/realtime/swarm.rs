//! Many WebSocket clients in one thread: so light that one core of load keeps one core of server busy.
//!
//! Frames are counted, not understood: one `epoll`, one large buffer for all, and in each message at most one number at
//! a fixed distance from its end.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Bytes read at a time.
const READ: usize = 512 << 10;

/// The longest that a handshake, or an answer that a scenario waits for, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message that came.
pub struct Message<'a> {
    pub member: usize,
    pub opcode: u8,
    pub payload: &'a [u8],
}

struct Member {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come.
    rest: Vec<u8>,
}

/// All clients of a scenario.
pub struct Swarm {
    epoll: OwnedFd,
    members: Vec<Member>,
    /// Members of which something may have come before they were watched.
    fresh: Vec<usize>,
    buffer: Vec<u8>,
    /// Bytes received on the wire.
    pub received: u64,
    /// Bytes sent on the wire.
    pub sent: u64,
    /// Connections that the server closed.
    pub lost: usize,
}

/// A client's text or binary message, masked by zeros, which changes nothing.
pub fn frame(opcode: u8, payload: &[u8], into: &mut Vec<u8>) {
    into.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => into.push(0x80 | short),
        (_, Ok(medium)) => {
            into.push(0xfe);
            into.extend(medium.to_be_bytes());
        }
        _ => {
            into.push(0xff);
            into.extend((payload.len() as u64).to_be_bytes());
        }
    }
    into.extend([0; 4]);
    into.extend_from_slice(payload);
}

/// The first whole frame: opcode, where its payload is, and where it ends.
fn whole(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, head) = match second {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    (bytes.len() >= head + length).then_some((first & 0x0f, head, head + length))
}

impl Swarm {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            members: Vec::new(),
            fresh: Vec::new(),
            buffer: Vec::with_capacity(READ),
            received: 0,
            sent: 0,
            lost: 0,
        })
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Opens one more WebSocket; its number.
    pub fn connect(&mut self, port: u16, path: &str) -> Result<usize, Box<dyn Error>> {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let (mut head, mut part) = (Vec::new(), [0; 4096]);
        let end = loop {
            let read = stream.read(&mut part)?;
            head.extend_from_slice(&part[..read]);
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if read == 0 {
                return Err("the connection was closed during its handshake".into());
            }
        };
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(format!("no WebSocket: {}", String::from_utf8_lossy(&head)).into());
        }
        stream.set_nonblocking(true)?;
        let number = self.members.len();
        epoll::add(&self.epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
        self.members.push(Member { stream, rest: head.split_off(end) });
        self.fresh.push(number);
        Ok(number)
    }

    /// Sends frames made by [`frame`].
    pub fn send(&mut self, member: usize, mut bytes: &[u8]) -> io::Result<()> {
        self.sent += bytes.len() as u64;
        while !bytes.is_empty() {
            match self.members[member].stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                // The server reads all the time; large messages need a moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a text message.
    pub fn text(&mut self, member: usize, text: &str) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(text.len() + 14);
        frame(1, text.as_bytes(), &mut bytes);
        self.send(member, &bytes)
    }

    /// Waits until something comes, `timeout` at most, and shows each message. Pings are answered.
    pub fn poll(&mut self, timeout: Duration, mut each: impl FnMut(Message<'_>)) -> io::Result<()> {
        for member in std::mem::take(&mut self.fresh) {
            self.read(member, &mut each)?;
        }
        let wait =
            rustix::event::Timespec { tv_sec: timeout.as_secs().cast_signed(), tv_nsec: timeout.subsec_nanos().into() };
        let mut events: Vec<epoll::Event> = Vec::with_capacity(512);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let member = usize::try_from(event.data.u64()).unwrap_or_default();
            self.read(member, &mut each)?;
        }
        Ok(())
    }

    fn read(&mut self, number: usize, each: &mut impl FnMut(Message<'_>)) -> io::Result<()> {
        let mut pongs = Vec::new();
        let member = &mut self.members[number];
        let buffer = &mut self.buffer;
        buffer.clear();
        buffer.append(&mut member.rest);
        // What came with the answer to the handshake is looked at before anything is read.
        let mut more = true;
        loop {
            let mut start = 0;
            while let Some((opcode, head, end)) = whole(&buffer[start..]) {
                let payload = &buffer[start + head..start + end];
                if opcode == 9 {
                    frame(10, payload, &mut pongs);
                } else {
                    each(Message { member: number, opcode, payload });
                }
                start += end;
            }
            buffer.drain(..start);
            if !more {
                break;
            }
            if buffer.capacity() - buffer.len() < READ / 2 {
                buffer.reserve(READ);
            }
            match rustix::io::read(&member.stream, spare_capacity(buffer)) {
                Ok(0) | Err(rustix::io::Errno::CONNRESET) => {
                    epoll::delete(&self.epoll, &member.stream)?;
                    self.lost += 1;
                    return Ok(());
                }
                Ok(read) => self.received += read as u64,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
            more = buffer.len() == buffer.capacity();
        }
        member.rest.extend_from_slice(buffer);
        if !pongs.is_empty() {
            self.send(number, &pongs)?;
        }
        Ok(())
    }

    /// Waits for a message of a member for which `wanted` has an answer.
    pub fn wait_for<T>(&mut self, mut wanted: impl FnMut(&Message<'_>) -> Option<T>) -> Result<T, Box<dyn Error>> {
        let (start, mut found) = (Instant::now(), None);
        while found.is_none() {
            if start.elapsed() > PATIENCE {
                return Err("the server did not answer in time".into());
            }
            self.poll(Duration::from_millis(100), |message| found = found.take().or_else(|| wanted(&message)))?;
        }
        found.ok_or_else(|| "nothing came".into())
    }

    /// Reads until nothing has come for `quiet`.
    pub fn settle(&mut self, quiet: Duration) -> io::Result<()> {
        let mut last = Instant::now();
        while last.elapsed() < quiet {
            let mut any = false;
            self.poll(quiet, |_| any = true)?;
            if any {
                last = Instant::now();
            }
        }
        Ok(())
    }
}
