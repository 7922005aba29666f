use super::*;
use crate::http::listener;
use crate::limits::address::Networks;
use crate::limits::connections::Connections;
use crate::websocket::Upgrade;
use axum::Router;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Message as Theirs;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::Frame as TheirFrame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

/// The plainest queue.
#[derive(Default)]
struct Waiting {
    frames: Mutex<(VecDeque<Frame>, bool)>,
    wake: Notify,
}

impl Waiting {
    fn push(&self, frame: Frame) {
        self.frames.lock().unwrap().0.push_back(frame);
        self.wake.notify_one();
    }

    fn close(&self) {
        self.frames.lock().unwrap().1 = true;
        self.wake.notify_one();
    }
}

impl Outgoing for Waiting {
    fn take(&self, chunks: &mut VecDeque<Bytes>, bytes: usize) -> Taken {
        let (frames, closed) = &mut *self.frames.lock().unwrap();
        let (mut version, mut size) = (None, 0);
        while size < bytes
            && let Some(frame) = frames.pop_front()
        {
            size += frame.len();
            version = frame.version.max(version);
            chunks.push_back(frame.wire().clone());
        }
        Taken { version, closed: *closed && frames.is_empty(), more: !frames.is_empty() }
    }

    fn changed(&self) -> Notified<'_> {
        self.wake.notified()
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

fn later() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

/// A server that answers `echo …` and writes down what happened otherwise.
struct Server {
    address: SocketAddr,
    queue: Arc<Waiting>,
    events: mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn start(config: Config) -> Self {
        let queue = Arc::new(Waiting::default());
        let (told, events) = mpsc::unbounded_channel();
        let waiting = queue.clone();
        let serve = async move |upgrade: Upgrade| {
            upgrade.accept(config, async move |mut connection| {
                let code = loop {
                    let event = match connection.next(&*waiting, later()).await {
                        Next::Text(text) if text.starts_with("echo ") => {
                            waiting.push(Frame::plain(&text[5..]));
                            continue;
                        }
                        Next::Text(text) => format!("text {text}"),
                        Next::Binary(bytes) => format!("binary {}", bytes.len()),
                        Next::Pong(bytes) => format!("pong {bytes:?}"),
                        Next::Sent(version) => format!("sent {version}"),
                        Next::Deadline => "deadline".to_owned(),
                        Next::Closing => break 1012,
                        Next::Ended(ended) => {
                            let _ = told.send(format!("{ended:?}"));
                            break if let Ended::Violation(violation) = ended { violation.code() } else { 1013 };
                        }
                    };
                    let _ = told.send(event);
                };
                connection.close(code, "goodbye").await;
                let _ = told.send("closed".to_owned());
            })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let allowed = listener::Config {
            connections: Connections::new(99, 99),
            proxies: Networks::default(),
            header_timeout: PATIENCE,
            unread_timeout: PATIENCE,
        };
        let router = Router::new().route("/", get(serve));
        tokio::spawn(listener::serve(listener, router, allowed, CancellationToken::new()));
        Self { address, queue, events }
    }

    async fn client(&self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        connect_async(format!("ws://{}/", self.address)).await.unwrap().0
    }

    async fn event(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap()
    }
}

fn goodbye(code: u16) -> Theirs {
    Theirs::Close(Some(CloseFrame { code: code.into(), reason: "goodbye".into() }))
}

#[tokio::test]
async fn messages_go_both_ways() {
    let mut server = Server::start(Config::default()).await;
    let mut client = server.client().await;
    for text in [String::new(), "é".to_owned(), "x".repeat(125), "y".repeat(60_000), "z".repeat(900_000)] {
        client.send(Theirs::text(format!("echo {text}"))).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Theirs::text(text));
    }
    client.send(Theirs::binary(vec![7; 70_000])).await.unwrap();
    assert_eq!(server.event().await, "binary 70000");
    client.send(Theirs::Ping(vec![1, 2].into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Theirs::Pong(vec![1, 2].into()));
    server.queue.push(Frame::ping(&[3]));
    assert_eq!(client.next().await.unwrap().unwrap(), Theirs::Ping(vec![3].into()));
    client.flush().await.unwrap();
    assert_eq!(server.event().await, "pong [3]");
    server.queue.push(Frame::plain("board").carrying(Some(5), true));
    assert_eq!(client.next().await.unwrap().unwrap(), Theirs::text("board"));
    assert_eq!(server.event().await, "sent 5");
}

#[tokio::test]
async fn fragments_with_a_ping_between_them_are_one_message() {
    let mut server = Server::start(Config::default()).await;
    let mut client = server.client().await;
    let part = |data, last, text: &'static str| Theirs::Frame(TheirFrame::message(text, OpCode::Data(data), last));
    client.send(part(Data::Text, false, "one ")).await.unwrap();
    client.send(Theirs::Ping(vec![9].into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Theirs::Pong(vec![9].into()), "before the message is whole");
    client.send(part(Data::Continue, true, "message")).await.unwrap();
    assert_eq!(server.event().await, "text one message");
}

#[tokio::test]
async fn many_frames_arrive_whole_and_in_order_at_a_slow_reader() {
    let server = Server::start(Config::default()).await;
    let mut client = server.client().await;
    // Far more than the kernel's buffers take, in frames of very different sizes.
    let sizes: Vec<usize> = (0..3000).map(|n| 10 + n * 7919 % 20_000).collect();
    for (n, size) in sizes.iter().enumerate() {
        server.queue.push(Frame::build(*size, |text| write!(text, "{n:0size$}").unwrap()));
    }
    server.queue.close();
    for (n, size) in sizes.into_iter().enumerate() {
        assert_eq!(client.next().await.unwrap().unwrap(), Theirs::text(format!("{n:0size$}")));
    }
    assert_eq!(client.next().await.unwrap().unwrap(), goodbye(1012));
}

#[tokio::test]
async fn either_side_may_close() {
    let mut server = Server::start(Config::default()).await;
    let mut client = server.client().await;
    server.queue.push(Frame::plain("last words"));
    server.queue.close();
    assert_eq!(client.next().await.unwrap().unwrap(), Theirs::text("last words"));
    assert_eq!(client.next().await.unwrap().unwrap(), goodbye(1012));
    assert!(client.next().await.is_none(), "the handshake is complete and the server hangs up");
    assert_eq!(server.event().await, "closed");

    let mut server = Server::start(Config::default()).await;
    let mut client = server.client().await;
    client.close(Some(CloseFrame { code: 4000.into(), reason: "enough".into() })).await.unwrap();
    assert_eq!(server.event().await, "ByPeer(Some(4000))");
    let Theirs::Close(Some(answer)) = client.next().await.unwrap().unwrap() else { panic!("no answer") };
    assert_eq!(u16::from(answer.code), 4000);

    let mut server = Server::start(Config::default()).await;
    drop(server.client().await);
    assert_eq!(server.event().await, "Lost");
    assert_eq!(server.event().await, "closed");
}

#[tokio::test]
async fn hanging_up_sends_what_waits_and_no_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut connection = Connection::new(listener.accept().await.unwrap().0, &[], Config::default());
    // Something that nobody reads before the end.
    peer.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
    connection.queue(&Frame::plain("last words"));
    let reading = async {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        drop(peer);
        all
    };
    let (all, ()) = tokio::join!(reading, connection.hang_up());
    assert_eq!(all, b"\x81\x0alast words");
}

#[tokio::test]
async fn violations_are_answered_by_their_code() {
    let raw = |bytes: &[u8]| bytes.to_vec();
    for (bytes, code) in [
        (raw(b"\x81\x05Hello"), 1002),
        (raw(b"\x81\x81\0\0\0\0\xff"), 1007),
        // A message over the limit, of which a part has arrived already: it is read away, so that the answer arrives.
        ([raw(b"\x81\xff\0\0\0\0\0\x0f\xff\xff\0\0\0\0"), vec![b'x'; 500_000]].concat(), 1009),
    ] {
        let mut server = Server::start(Config { max_message: 1000, ..Config::default() }).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                  sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .await
            .unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
        assert!(text.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
        let end = [&[0x88, 9][..], &u16::to_be_bytes(code), b"goodbye"].concat();
        assert!(answer.ends_with(&end), "{answer:?}");
        assert!(server.event().await.starts_with("Violation("));
    }
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_too_slow() {
    let config = Config { write_timeout: Duration::from_millis(200), ..Config::default() };
    let mut server = Server::start(config).await;
    let client = server.client().await;
    for _ in 0..200 {
        server.queue.push(Frame::plain("x".repeat(100_000)));
    }
    assert_eq!(server.event().await, "TooSlow");
    drop(client);
}

#[tokio::test]
async fn deadlines_come_once_each_even_when_they_move() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut connection = Connection::new(listener.accept().await.unwrap().0, &[], Config::default());
    let queue = Waiting::default();
    peer.write_all(b"\x81\x80\0\0\0\0").await.unwrap();
    let start = Instant::now();
    let soon = start + Duration::from_millis(50);
    assert!(matches!(connection.next(&queue, soon).await, Next::Text("")));
    assert!(matches!(connection.next(&queue, soon).await, Next::Deadline));
    assert!(Instant::now() >= soon);
    let then = soon + Duration::from_millis(80);
    assert!(matches!(connection.next(&queue, then).await, Next::Deadline));
    assert!(Instant::now() >= then, "the timer of before does not count");
    let sooner = Instant::now();
    let next = tokio::time::timeout(Duration::from_millis(1), connection.next(&queue, later()));
    assert!(next.await.is_err(), "and waiting can be given up");
    assert!(matches!(connection.next(&queue, sooner).await, Next::Deadline), "an earlier one counts at once");
}

#[test]
fn an_idle_connection_is_small() {
    let connection = size_of::<Connection>();
    assert!(connection <= 400, "{connection} bytes");
}

/// Both ends of a connection, the server's with this configuration.
async fn pair(config: Config) -> (TcpStream, Connection) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (peer, Connection::new(listener.accept().await.unwrap().0, &[], config))
}

#[tokio::test]
async fn a_message_that_does_not_come_whole_ends_the_connection_whatever_comes_between() {
    let config = Config { message_timeout: Duration::from_millis(50), ..Config::default() };
    let (mut peer, mut connection) = pair(config).await;
    let queue = Waiting::default();
    // "a" as the first fragment; then a pong and an empty fragment, again and again.
    peer.write_all(b"\x01\x81\0\0\0\0a").await.unwrap();
    let trickle = tokio::spawn(async move {
        while peer.write_all(b"\x8a\x80\0\0\0\0\x00\x80\0\0\0\0").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let ended = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Next::Ended(ended) = connection.next(&queue, later()).await {
                return ended;
            }
        }
    });
    assert_eq!(ended.await.unwrap(), Ended::Violation(Violation::Late));
    drop(connection);
    trickle.await.unwrap();
}

#[tokio::test]
async fn each_message_has_the_whole_time() {
    let config = Config { message_timeout: Duration::from_millis(200), ..Config::default() };
    let (mut peer, mut connection) = pair(config).await;
    let queue = Waiting::default();
    let start = Instant::now();
    // Each read ends within a message: the next one has begun whenever one is whole.
    peer.write_all(b"\x81\x81\0\0").await.unwrap();
    while start.elapsed() < Duration::from_millis(400) {
        peer.write_all(b"\0\0a\x81\x81\0\0").await.unwrap();
        assert!(matches!(connection.next(&queue, later()).await, Next::Text("a")));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_peer_that_takes_a_byte_now_and_then_is_too_slow() {
    let config = Config { write_timeout: Duration::from_millis(300), ..Config::default() };
    let (mut peer, mut connection) = pair(config).await;
    let queue = Waiting::default();
    for _ in 0..400 {
        queue.push(Frame::plain("x".repeat(100_000)));
    }
    let trickle = tokio::spawn(async move {
        let mut some = [0; 64];
        while matches!(peer.read(&mut some).await, Ok(1..)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let next = tokio::time::timeout(PATIENCE, connection.next(&queue, later()));
    assert!(matches!(next.await.unwrap(), Next::Ended(Ended::TooSlow)));
    trickle.abort();
}

#[tokio::test]
async fn a_flood_of_pings_leaves_others_their_turn() {
    let (mut peer, mut connection) = pair(Config::default()).await;
    let queue = Waiting::default();
    // As many as one read brings.
    peer.write_all(&b"\x89\x80\0\0\0\0".repeat(1000)).await.unwrap();
    connection.read.readable().await.unwrap();
    let looks = {
        let mut next = pin!(connection.next(&queue, later()));
        let mut looks = 0;
        let looking = poll_fn(|cx| {
            looks += 1;
            assert!(next.as_mut().poll(cx).is_pending());
            // One that is in order waits for the peer after so many looks.
            if looks < 5 { Poll::Pending } else { Poll::Ready(()) }
        });
        tokio::time::timeout(PATIENCE, looking).await.expect("it waits for the peer");
        looks
    };
    assert_eq!(looks, 5, "each look answers a few and asks for another");
    let mut pong = [0; 2];
    tokio::time::timeout(PATIENCE, peer.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\x8a\0");
}
