//! The scenario that all servers share: many users, each sends small messages, everybody else gets them.

use crate::process::Server;
use crate::swarm::{Message, Swarm};
use crate::times::Times;
use std::error::Error;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Bytes of a message's content, as a cursor with a name or a part of a stroke has.
pub const CONTENT: usize = 300;

/// Hexadecimal digits of a stamp.
const STAMP: usize = 16;

/// What is sent, by whom, for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub users: usize,
    /// Messages a second of all users together.
    pub rate: u32,
    pub measure: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub plan: Plan,
    pub expected: u64,
    pub received: u64,
    pub p50: f64,
    pub p99: f64,
    pub cpu_percent: f64,
    /// Connections that the server closed.
    pub closed: usize,
}

impl Outcome {
    /// Messages received a second.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn deliveries(&self) -> f64 {
        self.received as f64 / self.plan.measure.as_secs_f64()
    }

    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

/// How a server is spoken to.
pub trait Dialect {
    /// Connects one user and waits until it takes part.
    fn join(&self, swarm: &mut Swarm, port: u16, user: usize) -> Result<(), Box<dyn Error>>;
    /// Appends the frames of one message that carries `content`, which needs no escaping.
    fn write(&self, content: &str, into: &mut Vec<u8>);
    /// How many bytes follow the content in what others get; none if the message carries none.
    fn behind(&self, message: &Message<'_>) -> Option<usize>;
    /// What to answer, if the server asks for a sign of life.
    fn pong(&self, _message: &Message<'_>) -> Option<&'static str> {
        None
    }
}

/// The stamp at the end of a content, in nanoseconds; 0 if there is none.
fn stamp(payload: &[u8], behind: usize) -> u64 {
    let Some(end) = payload.len().checked_sub(behind) else { return 0 };
    let Some(digits) = end.checked_sub(STAMP).map(|start| &payload[start..end]) else { return 0 };
    digits.iter().fold(0, |value, digit| match digit {
        b'0'..=b'9' => value << 4 | u64::from(digit - b'0'),
        b'a'..=b'f' => value << 4 | u64::from(digit - b'a' + 10),
        _ => value,
    })
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Connects everybody and runs a plan.
pub fn run(server: &Server, dialect: &impl Dialect, plan: Plan) -> Result<Outcome, Box<dyn Error>> {
    let mut swarm = Swarm::new()?;
    for user in 0..plan.users {
        dialect.join(&mut swarm, server.port, user)?;
    }
    swarm.settle(Duration::from_millis(200))?;
    go(server, dialect, &mut swarm, plan)
}

/// Runs a plan with everybody connected: a second to warm up, the measurement, and what is still under way.
pub fn go(server: &Server, dialect: &impl Dialect, swarm: &mut Swarm, plan: Plan) -> Result<Outcome, Box<dyn Error>> {
    let start = Instant::now();
    let (begin, warm) = (1_000_000_000, Duration::from_secs(1));
    let end = warm + plan.measure;
    let interval = Duration::from_secs(1) / plan.rate;
    let mut content = "x".repeat(CONTENT);
    let (mut due, mut sender, mut sent, mut bytes) = (Duration::ZERO, 0, 0, Vec::new());
    let (mut times, mut cpu, mut cpu_end) = (Times::new(), None, None);
    let mut drained = end + Duration::from_millis(500);
    loop {
        let now = start.elapsed();
        if cpu.is_none() && now >= warm {
            cpu = Some((server.cpu(), now));
        }
        if cpu_end.is_none() && now >= end {
            cpu_end = Some((server.cpu(), now));
        }
        while due <= now && due < end {
            let at = nanoseconds(start);
            content.truncate(CONTENT - STAMP);
            write!(content, "{at:016x}")?;
            bytes.clear();
            dialect.write(&content, &mut bytes);
            swarm.send(sender, &bytes)?;
            sent += u64::from(at >= begin);
            sender = (sender + 1) % plan.users;
            due += interval;
        }
        let wait = if due < end { due.saturating_sub(start.elapsed()) } else { Duration::from_millis(20) };
        let (mut pongs, mut any) = (Vec::new(), false);
        swarm.poll(wait, |message| {
            if let Some(behind) = dialect.behind(&message) {
                let sent_at = stamp(message.payload, behind);
                if sent_at >= begin {
                    times.add(nanoseconds(start).saturating_sub(sent_at));
                }
                any = true;
            } else if let Some(pong) = dialect.pong(&message) {
                pongs.push((message.member, pong));
            }
        })?;
        for (member, pong) in pongs {
            swarm.text(member, pong)?;
        }
        let now = start.elapsed();
        if any && now > end {
            // As long as something comes, ten seconds at most, nothing counts as lost.
            drained = (now + Duration::from_millis(500)).min(end + Duration::from_secs(10));
        }
        if now >= drained && cpu_end.is_some() {
            break;
        }
    }
    let (from, until) = (cpu.unwrap_or_default(), cpu_end.unwrap_or_default());
    Ok(Outcome {
        plan,
        expected: sent * (plan.users as u64 - 1),
        received: times.count(),
        p50: times.ms(0.5),
        p99: times.ms(0.99),
        cpu_percent: until.0.saturating_sub(from.0).as_secs_f64() / until.1.saturating_sub(from.1).as_secs_f64()
            * 100.0,
        closed: swarm.lost,
    })
}
