//! Carries a [`State`] over a WebSocket, and comes back when the connection is lost.

use crate::backoff::{Backoff, FIRST, LONGEST};
use crate::request::Request;
use crate::state::{Happening, Identity, State};
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A client that heard nothing for so long asks whether the server is there [P6].
const SILENCE: Duration = Duration::from_secs(20);

/// And gives the connection up when nothing came for so long after that.
const NO_ANSWER: Duration = Duration::from_secs(10);

/// From this close code on the person has to be told instead of coming back [X2].
const FINAL: std::ops::Range<u16> = 4400..4500;

/// But for these, which pass [X1].
const PASSING: [u16; 2] = [4408, 4429];

/// How to reach a board.
#[derive(Clone, Debug)]
pub struct Config {
    /// Such as `ws://127.0.0.1:8080/boards/physics/live`.
    pub url: String,
    pub identity: Identity,
    /// Of the jitter between connections.
    pub seed: u64,
    /// Before the first try to come back; doubles from there.
    pub first_delay: Duration,
    /// The longest that it waits.
    pub longest_delay: Duration,
}

impl Config {
    pub fn new(url: impl Into<String>, identity: Identity, seed: u64) -> Self {
        Self { url: url.into(), identity, seed, first_delay: FIRST, longest_delay: LONGEST }
    }
}

/// How a client ended for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: u16,
    pub reason: String,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    /// Volatile messages to send; forgotten without a connection.
    volatile: VecDeque<String>,
    /// What happened, for those who ask for it.
    happenings: Option<VecDeque<Happening>>,
    ended: Option<Ended>,
    /// The connection is to be dropped, as if the network had.
    cut: bool,
    /// How long the server asked to spread the coming back over.
    spread: Option<Duration>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// There is something to send, or to cut.
    work: Notify,
    /// Counts what happened.
    happened: watch::Sender<u64>,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.happened.send_modify(|count| *count += 1);
    }
}

/// A client of one board; dropping it leaves.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Client {
    /// Starts to connect. Must be called within a Tokio runtime.
    pub fn start(config: Config) -> Self {
        let inner = Inner { state: State::new(config.identity.clone()), ..Inner::default() };
        let shared =
            Arc::new(Shared { inner: Mutex::new(inner), work: Notify::new(), happened: watch::Sender::new(0) });
        let task = tokio::spawn(carry(shared.clone(), config));
        Self { shared, task }
    }

    /// Looks at the state.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.inner().state)
    }

    /// Makes a request out of the state as it is; it goes out at once if there is a connection. Returns its number.
    pub fn ask(&self, make: impl FnOnce(&State) -> Request) -> u64 {
        let id = {
            let mut inner = self.shared.inner();
            let request = make(&inner.state);
            inner.state.ask(request)
        };
        self.shared.work.notify_one();
        self.shared.tell();
        id
    }

    /// Sends something volatile, such as a cursor. Forgotten if there is no connection.
    pub fn say(&self, text: impl Into<String>) {
        {
            let mut inner = self.shared.inner();
            if inner.state.welcome().is_none() {
                return;
            }
            inner.volatile.push_back(text.into());
        }
        self.shared.work.notify_one();
    }

    /// Drops the connection without a word, as a network does. The client comes back.
    pub fn cut(&self) {
        self.shared.inner().cut = true;
        self.shared.work.notify_one();
    }

    /// From now on what happens is kept for [`Self::happenings`].
    pub fn record(&self) {
        self.shared.inner().happenings.get_or_insert_default();
    }

    /// What happened since the last call, in order; nothing unless [`Self::record`] was called.
    pub fn happenings(&self) -> Vec<Happening> {
        self.shared.inner().happenings.as_mut().map(std::mem::take).unwrap_or_default().into()
    }

    /// Why the client does not come back, if it does not.
    pub fn ended(&self) -> Option<Ended> {
        self.shared.inner().ended.clone()
    }

    /// Waits until the state is as wanted, or the client has ended for good.
    pub async fn until(&self, mut wanted: impl FnMut(&State) -> bool) -> Result<(), Ended> {
        let mut happened = self.shared.happened.subscribe();
        loop {
            {
                let inner = self.shared.inner();
                if wanted(&inner.state) {
                    return Ok(());
                }
                if let Some(ended) = &inner.ended {
                    return Err(ended.clone());
                }
            }
            // The sender lives as long as this client.
            let _ = happened.changed().await;
        }
    }

    /// Waits until everything asked for is answered and the board is whole.
    pub async fn settled(&self) -> Result<(), Ended> {
        self.until(State::is_settled).await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(shared: Arc<Shared>, config: Config) {
    let mut backoff = Backoff::new(config.seed, config.first_delay, config.longest_delay);
    loop {
        let ended = match connect(&config.url).await {
            Ok(mut socket) => talk(&shared, &mut socket, &mut backoff).await,
            Err(()) => None,
        };
        let spread = {
            let mut inner = shared.inner();
            inner.state.disconnected();
            inner.volatile.clear();
            inner.cut = false;
            inner.ended = ended;
            inner.spread.take()
        };
        shared.tell();
        if shared.inner().ended.is_some() {
            return;
        }
        let delay = match spread {
            Some(over) => backoff.spread(over),
            None => backoff.next_delay(),
        };
        sleep(delay).await;
    }
}

async fn connect(url: &str) -> Result<Socket, ()> {
    // Small buffers: a process may hold many clients. What the server sends at once may be larger than a message of ours.
    let config = WebSocketConfig::default().read_buffer_size(8 << 10).write_buffer_size(8 << 10);
    let connecting = connect_async_with_config(url, Some(config), true);
    match timeout(NO_ANSWER, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        _ => Err(()),
    }
}

/// Until the connection is gone; the reason if it is not to be made again.
async fn talk(shared: &Shared, socket: &mut Socket, backoff: &mut Backoff) -> Option<Ended> {
    let hello = shared.inner().state.hello();
    socket.send(Message::text(hello)).await.ok()?;
    let mut asked = false;
    loop {
        tokio::select! {
            message = timeout(if asked { NO_ANSWER } else { SILENCE }, socket.next()) => match message {
                Ok(Some(Ok(Message::Text(text)))) => {
                    asked = false;
                    take(shared, &text, backoff)?;
                    write(shared, socket).await?;
                }
                Ok(Some(Ok(Message::Close(frame)))) => return closed(frame),
                Ok(Some(Ok(_))) => asked = false,
                Ok(Some(Err(_)) | None) => return None,
                Err(_) if asked => return None,
                Err(_) => {
                    asked = true;
                    socket.send(Message::text(r#"{"t":"ping"}"#)).await.ok()?;
                }
            },
            () = shared.work.notified() => write(shared, socket).await?,
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> Option<Ended> {
    let frame = frame?;
    let code = u16::from(frame.code);
    (FINAL.contains(&code) && !PASSING.contains(&code)).then(|| Ended { code, reason: frame.reason.to_string() })
}

/// Gives a message to the state. None: the connection is of no use any more.
fn take(shared: &Shared, text: &str, backoff: &mut Backoff) -> Option<()> {
    {
        let mut inner = shared.inner();
        let happening = inner.state.receive(text).ok()?;
        match &happening {
            Happening::Welcomed { .. } => backoff.reset(),
            Happening::Refused { code, retry: Some(retry), .. } if code == "stopping" => {
                inner.spread = Some(Duration::from_millis(*retry));
            }
            _ => {}
        }
        if let Some(happenings) = &mut inner.happenings {
            happenings.push_back(happening);
        }
    }
    shared.tell();
    Some(())
}

/// Sends what is to be sent. None: the connection is gone, or to be cut.
async fn write(shared: &Shared, socket: &mut Socket) -> Option<()> {
    let texts = {
        let mut inner = shared.inner();
        if inner.cut {
            return None;
        }
        let mut texts: Vec<String> = inner.volatile.drain(..).collect();
        texts.extend(inner.state.unsent());
        texts
    };
    if texts.is_empty() {
        return Some(());
    }
    for text in texts {
        socket.feed(Message::text(text)).await.ok()?;
    }
    socket.flush().await.ok()
}

#[cfg(test)]
mod tests;
