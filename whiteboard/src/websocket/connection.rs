//! One connection: reads when something came, writes when something waits, sleeps otherwise.

use super::decoder::{Decoder, Found, Kind, Message, Violation};
use super::line::Line;
use super::{Config, Frame, MESSAGE_RATE};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

/// Bytes that a thread reads at a time, whichever of its connections they are from.
const READ: usize = 64 << 10;

/// Bytes taken from the queue at a time, about.
const TAKE: usize = 256 << 10;

/// Writes in a row before the peer is listened to.
const WRITES: usize = 4;

/// Pings in a row that are answered before others have their turn.
const PINGS: usize = 32;

/// Bytes that a peer must take within [`Config::write_timeout`], unless everything went: who takes a byte now and then
/// takes nothing.
const PROGRESS: usize = 32 << 10;

thread_local! {
    /// What is read goes through here, so that a connection that waits has no buffer.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// What a connection sends: a queue that others fill.
pub trait Outgoing: Sync {
    /// Appends to `chunks` what waits, oldest first, until about `bytes`.
    fn take(&self, chunks: &mut VecDeque<Bytes>, bytes: usize) -> Taken;

    /// Resolves when something was queued, or the queue was closed, since the last call. One waiter at a time.
    fn changed(&self) -> Notified<'_>;
}

/// What [`Outgoing::take`] found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// The newest [`Frame::version`] among what was taken.
    pub version: Option<u64>,
    /// The queue is empty now, and nothing more will be queued.
    pub closed: bool,
    /// There is more.
    pub more: bool,
}

/// A queue in which nothing ever waits: for what comes before a client has one.
#[derive(Clone, Copy, Debug)]
pub struct Silence;

/// Nobody notifies it.
static NEVER: Notify = Notify::const_new();

impl Outgoing for Silence {
    fn take(&self, _: &mut VecDeque<Bytes>, _: usize) -> Taken {
        Taken::default()
    }

    fn changed(&self) -> Notified<'_> {
        NEVER.notified()
    }
}

/// What happened on a connection.
#[derive(Debug)]
pub enum Next<'a> {
    /// A whole message.
    Text(&'a str),
    Binary(&'a [u8]),
    /// The answer to a ping; pings of the peer are answered without asking.
    Pong(&'a [u8]),
    /// A frame with this version has been given to the kernel.
    Sent(u64),
    /// The deadline has come.
    Deadline,
    /// The queue was closed and everything in it has been given to the kernel.
    Closing,
    Ended(Ended),
}

/// Why there is nothing more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer closes, with this code.
    ByPeer(Option<u16>),
    /// The connection was cut.
    Lost,
    /// The peer took nothing for [`Config::write_timeout`].
    TooSlow,
    Violation(Violation),
}

/// What one look at the connection gave.
enum Step {
    Found(Found),
    Sent(u64),
    Deadline,
    Closing,
    Ended(Ended),
}

/// The server's end of a WebSocket.
#[derive(Debug)]
pub struct Connection {
    read: OwnedReadHalf,
    line: Arc<Line>,
    decoder: Decoder,
    /// The answer to the newest ping; older ones need none (section 5.5.3).
    pong: Option<Bytes>,
    /// The newest version in what is being sent.
    version: Option<u64>,
    /// Since when the kernel takes nothing, or less than [`PROGRESS`]; and how much it took since.
    blocked: Option<Instant>,
    progress: usize,
    /// Since when a message is coming that is not whole.
    unfinished: Option<Instant>,
    /// Armed for a moment that is not later than the next deadline; kept, because deadlines mostly move on.
    timer: Option<Pin<Box<Sleep>>>,
    config: Config,
    ended: Option<Ended>,
}

impl Connection {
    /// Serves a socket whose handshake is done; `read` is what was read behind it.
    pub fn new(stream: TcpStream, read: &[u8], config: Config) -> Self {
        // Small messages go out at once. A socket that refuses this is gone, as reading will show.
        let _ = stream.set_nodelay(true);
        let mut decoder = Decoder::new(config.max_message);
        decoder.feed(read);
        let (read, write) = stream.into_split();
        Self {
            read,
            line: Arc::new(Line::new(write)),
            decoder,
            pong: None,
            version: None,
            blocked: None,
            progress: 0,
            unfinished: None,
            timer: None,
            config,
            ended: None,
        }
    }

    /// The way to the peer, for who may write at once.
    pub fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// From now on messages of the peer may have so many bytes.
    pub fn set_max_message(&mut self, bytes: usize) {
        self.decoder.set_max_message(bytes);
    }

    /// Waits for the next thing to do; meanwhile, what is queued goes out. Cancel safe.
    pub async fn next(&mut self, queue: &impl Outgoing, deadline: Instant) -> Next<'_> {
        if let Some(ended) = self.ended {
            return Next::Ended(ended);
        }
        let step = {
            let mut changed = pin!(queue.changed());
            poll_fn(|cx| {
                loop {
                    if let Poll::Ready(step) = self.poll_step(cx, queue, deadline) {
                        return Poll::Ready(step);
                    }
                    if changed.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    changed.set(queue.changed());
                }
            })
            .await
        };
        let ended = match step {
            Step::Found(Found { kind: Kind::Close(code), .. }) => Ended::ByPeer(code),
            Step::Found(found) => return self.show(&found),
            Step::Sent(version) => return Next::Sent(version),
            Step::Deadline => return Next::Deadline,
            Step::Closing => return Next::Closing,
            Step::Ended(ended) => ended,
        };
        self.ended = Some(ended);
        Next::Ended(ended)
    }

    fn show(&self, found: &Found) -> Next<'_> {
        match self.decoder.message(found) {
            Message::Text(text) => Next::Text(text),
            Message::Binary(bytes) => Next::Binary(bytes),
            Message::Pong(bytes) => Next::Pong(bytes),
            Message::Ping(_) | Message::Close(_) => unreachable!("answered before"),
        }
    }

    /// Sends a frame behind what has been taken from the queue already; for what belongs to this connection only.
    /// It goes out with the next [`Self::next`].
    pub fn queue(&mut self, frame: &Frame) {
        self.line.sending().chunks.push_back(frame.wire().clone());
    }

    /// Says goodbye: our closing frame with a code and a reason, or the answer to the peer's. Waits for the peer's
    /// answer, [`Config::close_timeout`] at most: closing earlier could cut off what was written last.
    pub async fn close(mut self, code: u16, reason: &str) {
        let by_peer = match self.ended {
            Some(Ended::Lost) => return,
            Some(Ended::ByPeer(code)) => Some(code.unwrap_or(1000)),
            _ => None,
        };
        let until = Instant::now() + self.config.close_timeout;
        {
            let mut sending = self.line.sending();
            sending.chunks.push_back(Frame::close(by_peer.unwrap_or(code), reason).wire().clone());
            sending.last = true;
        }
        let _ = timeout_at(until, async {
            if poll_fn(|cx| self.poll_write(cx)).await.is_err() || by_peer.is_some() {
                return;
            }
            // After a violation nothing can be understood any more: it is read away until the peer closes.
            let mut understood = !matches!(self.ended, Some(Ended::Violation(_)));
            while let Ok(1..) = poll_fn(|cx| self.poll_read(cx, understood)).await {
                while understood && let Some(message) = self.decoder.decode().transpose() {
                    match message {
                        Ok(Message::Close(_)) => return,
                        Ok(_) => {}
                        Err(_) => understood = false,
                    }
                }
            }
        })
        .await;
    }

    /// Hangs up without a closing frame: to a browser this is a connection that broke, and there are pages that come
    /// back from that only. What waits is sent first, [`Config::close_timeout`] at most.
    pub async fn hang_up(mut self) {
        if matches!(self.ended, Some(Ended::Lost)) {
            return;
        }
        let until = Instant::now() + self.config.close_timeout;
        self.line.sending().last = true;
        let _ = timeout_at(until, async {
            if poll_fn(|cx| self.poll_write(cx)).await.is_err()
                || poll_fn(|cx| self.line.sending().poll_shutdown(cx)).await.is_err()
            {
                return;
            }
            // Read away until the peer hangs up too: closing with something unread would cut off what was sent last.
            while let Ok(1..) = poll_fn(|cx| self.poll_read(cx, false)).await {}
        })
        .await;
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, queue: &impl Outgoing, deadline: Instant) -> Poll<Step> {
        let mut pings = 0;
        loop {
            // The queue again after each message: answers to it go out with the rest.
            if let Some(step) = self.send(cx, queue) {
                return Poll::Ready(step);
            }
            let found = match self.decoder.advance() {
                Ok(found) => found,
                Err(violation) => return Poll::Ready(Step::Ended(Ended::Violation(violation))),
            };
            if found.is_some() && !self.decoder.is_assembling() {
                self.unfinished = None;
            }
            match found {
                Some(found) if found.kind == Kind::Ping => {
                    if let Message::Ping(payload) = self.decoder.message(&found) {
                        self.pong = Some(Frame::pong(payload).wire().clone());
                    }
                    pings += 1;
                    if pings == PINGS {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Some(found) => return Poll::Ready(Step::Found(found)),
                None => {
                    match self.decoder.unfinished() {
                        Some(_) => _ = self.unfinished.get_or_insert_with(Instant::now),
                        None => self.unfinished = None,
                    }
                    match self.poll_read(cx, true) {
                        Poll::Ready(Ok(1..)) => {}
                        Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Step::Ended(Ended::Lost)),
                        Poll::Pending => return self.poll_deadline(cx, deadline).map(|()| self.late(deadline)),
                    }
                }
            }
        }
    }

    /// What it means that the timer has fired.
    fn late(&self, deadline: Instant) -> Step {
        let first = self.first(deadline);
        if self.blocked_until().is_some_and(|until| until <= first) {
            Step::Ended(Ended::TooSlow)
        } else if self.whole_by().is_some_and(|until| until <= first) {
            Step::Ended(Ended::Violation(Violation::Late))
        } else {
            Step::Deadline
        }
    }

    /// When the peer must have taken something of what is sent.
    fn blocked_until(&self) -> Option<Instant> {
        self.blocked.map(|since| since + self.config.write_timeout)
    }

    /// When the message that is coming must be whole.
    fn whole_by(&self) -> Option<Instant> {
        let since = self.unfinished?;
        let seconds = self.decoder.unfinished().unwrap_or(0) / MESSAGE_RATE;
        Some(since + self.config.message_timeout + Duration::from_secs(seconds as u64))
    }

    /// The first of all moments at which something is due.
    fn first(&self, deadline: Instant) -> Instant {
        [self.blocked_until(), self.whole_by()].into_iter().flatten().fold(deadline, Instant::min)
    }

    /// Sends what waits, as far as the kernel takes it.
    fn send(&mut self, cx: &mut Context<'_>, queue: &impl Outgoing) -> Option<Step> {
        for _ in 0..WRITES {
            let mut last = false;
            {
                // Held while something is taken, so that nobody writes at once in between.
                let mut sending = self.line.sending();
                if sending.chunks.is_empty() {
                    sending.chunks.extend(self.pong.take());
                    let taken = queue.take(&mut sending.chunks, TAKE);
                    if sending.chunks.is_empty() {
                        return taken.closed.then_some(Step::Closing);
                    }
                    self.version = taken.version.max(self.version);
                    last = !taken.more && !taken.closed;
                }
            }
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Some(Step::Ended(Ended::Lost)),
                Poll::Pending => {
                    let since = *self.blocked.get_or_insert_with(|| {
                        self.progress = 0;
                        Instant::now()
                    });
                    return (since.elapsed() >= self.config.write_timeout).then_some(Step::Ended(Ended::TooSlow));
                }
            }
            if let Some(version) = self.version.take() {
                return Some(Step::Sent(version));
            }
            if last {
                return None;
            }
        }
        // The others have their turn first.
        cx.waker().wake_by_ref();
        None
    }

    /// Gives what was taken from the queue to the kernel.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { line, blocked, progress, .. } = self;
        let written = line.sending().poll_write(cx, |bytes| {
            *progress += bytes;
            if *progress >= PROGRESS {
                *blocked = None;
                *progress = 0;
            }
        });
        if matches!(written, Poll::Ready(Ok(()))) {
            *blocked = None;
        }
        written
    }

    /// Reads, and feeds the decoder if so wished; the number of bytes, 0 at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>, feed: bool) -> Poll<io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.read).poll_read(cx, &mut buffer))?;
            if feed {
                self.decoder.feed(buffer.filled());
            }
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let wanted = self.first(deadline);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(wanted)));
        if timer.deadline() > wanted {
            timer.as_mut().reset(wanted);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= wanted {
                return Poll::Ready(());
            }
            // Armed for an earlier deadline that has moved on since.
            timer.as_mut().reset(wanted);
        }
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
