//! The way to a peer: the writing half of its socket, and what has been begun on it.
//!
//! A connection writes what waits in its queue. Whoever fills the queue may write at once instead ([`Line::write_now`])
//! while nothing waits and nothing is begun: the connection's task is not woken for it. What the kernel does not take
//! stays here and is the connection's affair again, so that nothing is overtaken and no frame is cut.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;

/// Chunks that go into one system call.
const CHUNKS: usize = 64;

/// Places for chunks that a connection keeps while nothing waits.
const KEPT: usize = 8;

/// Where a connection's bytes go. Its connection holds it; others should hold it weakly, for the socket is closed only
/// when nobody has it any more.
#[derive(Debug)]
pub struct Line(Mutex<Sending>);

/// What [`Line::write_now`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// All of it has been given to the kernel.
    Written,
    /// The rest goes out as soon as the peer takes more: the connection is to be woken, so that it sees to that.
    Begun,
    /// Nothing was done: something else has been begun, or the connection says goodbye.
    Busy,
}

/// The writing half of a socket, with what has been taken from the queue and not yet given to the kernel.
#[derive(Debug)]
pub(super) struct Sending {
    half: OwnedWriteHalf,
    pub(super) chunks: VecDeque<Bytes>,
    /// The last frame is among `chunks`, or gone.
    pub(super) last: bool,
}

impl Line {
    pub(super) fn new(half: OwnedWriteHalf) -> Self {
        Self(Mutex::new(Sending { half, chunks: VecDeque::new(), last: false }))
    }

    pub(super) fn sending(&self) -> MutexGuard<'_, Sending> {
        // Chunks are whole frames or what is left of one after each single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes whole frames, which `fill` appends, without waiting for anything. The caller sees to it that nothing older
    /// waits in the connection's queue, nor comes into it meanwhile.
    pub fn write_now(&self, fill: impl FnOnce(&mut VecDeque<Bytes>)) -> Now {
        // The connection holds it while it takes from the queue: then it takes what is queued now, too.
        let Ok(mut sending) = self.0.try_lock() else { return Now::Busy };
        if sending.last || !sending.chunks.is_empty() {
            return Now::Busy;
        }
        fill(&mut sending.chunks);
        while !sending.chunks.is_empty() {
            let taken = sending.slices(|half, slices| match slices {
                [one] => half.try_write(one),
                many => half.try_write_vectored(many),
            });
            match taken {
                Ok(bytes @ 1..) => sending.advance(bytes),
                // What an error means is found out by the connection, which meets it again.
                Ok(0) | Err(_) => return Now::Begun,
            }
        }
        sending.tidy();
        Now::Written
    }
}

impl Sending {
    fn slices<T>(&mut self, write: impl FnOnce(&mut OwnedWriteHalf, &[IoSlice<'_>]) -> T) -> T {
        let mut slices = [IoSlice::new(&[]); CHUNKS];
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        write(&mut self.half, &slices[..count])
    }

    /// The kernel has taken so many bytes.
    fn advance(&mut self, mut bytes: usize) {
        while let Some(chunk) = self.chunks.front_mut()
            && bytes > 0
        {
            let part = bytes.min(chunk.len());
            bytes -= part;
            if part < chunk.len() {
                chunk.advance(part);
            } else {
                self.chunks.pop_front();
            }
        }
    }

    /// Gives memory back once nothing waits.
    fn tidy(&mut self) {
        if self.chunks.capacity() > KEPT {
            self.chunks = VecDeque::new();
        }
    }

    /// Gives the chunks to the kernel, many at a time; `took` is told of every step how many bytes it took.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, mut took: impl FnMut(usize)) -> Poll<io::Result<()>> {
        while !self.chunks.is_empty() {
            let bytes = ready!(self.slices(|half, slices| match slices {
                [one] => Pin::new(half).poll_write(cx, one),
                many => Pin::new(half).poll_write_vectored(cx, many),
            }))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            took(bytes);
            self.advance(bytes);
        }
        self.tidy();
        Poll::Ready(Ok(()))
    }

    /// Says to the peer's kernel that nothing more comes.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpSocket, TcpStream};

    /// A line, and its peer, which takes little before it reads.
    async fn line() -> (Line, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let peer = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        let (_, half) = listener.accept().await.unwrap().0.into_split();
        half.writable().await.unwrap();
        (Line::new(half), peer)
    }

    #[tokio::test]
    async fn what_is_written_at_once_arrives_without_the_connection() {
        let (line, mut peer) = line().await;
        let now = line.write_now(|chunks| chunks.extend([Bytes::from("ab"), Bytes::from("c")]));
        assert_eq!(now, Now::Written);
        assert_eq!(line.write_now(|chunks| chunks.push_back(Bytes::from("d"))), Now::Written);
        let mut text = [0; 4];
        peer.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"abcd");
    }

    #[tokio::test]
    async fn what_a_slow_peer_does_not_take_is_finished_first() {
        let (line, mut peer) = line().await;
        let large = Bytes::from(vec![b'x'; 16 << 20]);
        let bytes = large.len();
        assert_eq!(line.write_now(|chunks| chunks.push_back(large)), Now::Begun);
        let late = || line.write_now(|chunks| chunks.push_back(Bytes::from("late")));
        assert_eq!(late(), Now::Busy, "nothing comes into a frame that was begun");
        let (mut read, mut taken) = (vec![0; 1 << 16], 0);
        let mut told = 0;
        let write = poll_fn(|cx| line.sending().poll_write(cx, |bytes| told += bytes));
        let rest = async {
            while taken < bytes {
                taken += peer.read(&mut read).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(write, rest);
        written.unwrap();
        assert_eq!(taken, bytes);
        assert!(told > 0 && told < bytes, "{told}");
        assert_eq!(late(), Now::Written);
    }

    #[tokio::test]
    async fn nothing_comes_behind_the_last_frame() {
        let (line, _peer) = line().await;
        line.sending().last = true;
        assert_eq!(line.write_now(|chunks| chunks.push_back(Bytes::from("late"))), Now::Busy);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_line_that_is_in_use() {
        let (line, _peer) = line().await;
        let used = line.sending();
        assert_eq!(line.write_now(|_| unreachable!()), Now::Busy);
        drop(used);
    }
}
