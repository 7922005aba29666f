//! When to ping a client, and when to take it for gone.

use super::Timing;
use tokio::time::Instant;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Wait,
    Ping,
    /// The last ping was not answered in time, or the transport never became a connection.
    Gone,
}

/// The clock of one session. The server pings, the client answers.
#[derive(Debug)]
pub struct Heartbeat {
    timing: Timing,
    next_ping: Instant,
    answer_by: Option<Instant>,
    connect_by: Option<Instant>,
}

impl Heartbeat {
    pub fn new(timing: Timing, now: Instant) -> Self {
        Self {
            timing,
            next_ping: now + timing.ping_interval,
            answer_by: None,
            connect_by: Some(now + timing.connect_timeout),
        }
    }

    /// When to ask [`Self::due`] again.
    pub fn at(&self) -> Instant {
        let beat = self.answer_by.unwrap_or(self.next_ping);
        self.connect_by.map_or(beat, |connect| connect.min(beat))
    }

    /// What is due now; a ping counts as sent.
    pub fn due(&mut self, now: Instant) -> Due {
        let late = |by: Option<Instant>| by.is_some_and(|by| by <= now);
        if late(self.answer_by) || late(self.connect_by) {
            return Due::Gone;
        }
        if self.answer_by.is_none() && self.next_ping <= now {
            self.answer_by = Some(now + self.timing.ping_timeout);
            return Due::Ping;
        }
        Due::Wait
    }

    /// The client answered a ping.
    pub fn pong(&mut self, now: Instant) {
        if self.answer_by.take().is_some() {
            self.next_ping = now + self.timing.ping_interval;
        }
    }

    /// The transport became a Socket.IO connection.
    pub fn connected(&mut self) {
        self.connect_by = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_client_that_answers_lives_and_one_that_does_not_is_gone() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut heart = Heartbeat::new(Timing::default(), start);
        heart.connected();
        assert_eq!(heart.at(), at(25));
        assert_eq!(heart.due(at(24)), Due::Wait);
        assert_eq!(heart.due(at(25)), Due::Ping);
        assert_eq!((heart.at(), heart.due(at(30))), (at(45), Due::Wait));
        heart.pong(at(31));
        assert_eq!(heart.at(), at(56));
        heart.pong(at(40));
        assert_eq!(heart.at(), at(56), "an answer to nothing puts nothing off");
        assert_eq!(heart.due(at(56)), Due::Ping);
        assert_eq!(heart.due(at(75)), Due::Wait);
        assert_eq!(heart.due(at(76)), Due::Gone);
    }

    #[test]
    fn a_transport_that_never_connects_is_gone() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut heart = Heartbeat::new(Timing::default(), start);
        assert_eq!(heart.due(at(25)), Due::Ping);
        heart.pong(at(26));
        assert_eq!((heart.at(), heart.due(at(45))), (at(45), Due::Gone));
    }
}
