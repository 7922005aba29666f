//! The polling transport, its limits, and the way from polling to WebSocket.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use support::http::{Answer, request};
use support::socket::Client;
use support::{Server, data};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// A polling session.
struct Polling {
    port: u16,
    sid: String,
}

impl Polling {
    async fn open(port: u16, code: &str) -> Self {
        let path = format!("/socket.io/?EIO=4&transport=polling&session_code={code}");
        let answer = request(port, "GET", &path, &[], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=UTF-8"));
        let open: Value = serde_json::from_str(answer.body.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(open["maxPayload"], 1_000_000);
        assert_eq!(open["upgrades"], serde_json::json!(["websocket"]));
        Self { port, sid: open["sid"].as_str().unwrap().to_owned() }
    }

    /// Opens a session and joins; takes `session_data` off.
    async fn join(port: u16, code: &str) -> Self {
        let polling = Self::open(port, code).await;
        assert_eq!(polling.post("40").await.body, "ok");
        let mut packets = polling.packets().await;
        if packets.len() == 1 {
            packets.extend(polling.packets().await);
        }
        assert!(packets[0].starts_with("40{\"sid\":") && packets[1].starts_with("42[\"session_data\""), "{packets:?}");
        polling
    }

    fn path(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    async fn post(&self, body: &str) -> Answer {
        request(self.port, "POST", &self.path(), &[], body).await
    }

    async fn poll(&self) -> Answer {
        request(self.port, "GET", &self.path(), &[], "").await
    }

    /// So many polls, one after the other on a connection, of whose answers hardly more than the beginning is read.
    async fn poll_without_reading(&self, polls: usize) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut unread = socket.connect(([127, 0, 0, 1], self.port).into()).await.unwrap();
        let ask = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", self.path());
        unread.write_all(ask.repeat(polls).as_bytes()).await.unwrap();
        let mut head = [0; 12];
        unread.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        unread
    }

    async fn packets(&self) -> Vec<String> {
        let answer = self.poll().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body.split('\u{1e}').map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn more_than_sixteen_packets_are_taken_and_answers_hold_at_most_sixteen() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let drawer = Polling::join(server.port, "physics").await;
    let (mut watcher, _) = Client::join(server.port, "physics").await;
    let body: Vec<String> =
        (0..50).map(|n| format!("42{n}[\"set_quiz_status\",{{\"is_quiz\":{}}}]", n % 2 == 0)).collect();
    assert_eq!(drawer.post(&body.join("\u{1e}")).await.body, "ok");
    let mut packets = Vec::new();
    while packets.len() < 100 {
        let more = drawer.packets().await;
        assert!(more.len() <= 16, "{} packets in an answer", more.len());
        packets.extend(more);
    }
    let acks: Vec<_> = packets.iter().filter(|packet| packet.starts_with("43")).cloned().collect();
    assert_eq!(acks, (0..50).map(|n| format!("43{n}[]")).collect::<Vec<_>>());
    for n in 0..50 {
        assert_eq!(watcher.event("quiz_status_updated").await, format!("{{\"is_quiz\":{}}}", n % 2 == 0));
    }
}

#[tokio::test]
async fn a_poll_waits_for_news_and_opaque_values_pass() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let reader = Polling::join(server.port, "physics").await;
    let (mut drawer, _) = Client::join(server.port, "physics").await;
    let poll = tokio::spawn(async move { reader.packets().await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!poll.is_finished());
    let list = r#"[123456789012345678901234567890,{"a": 1e21},"\ud800","é"]"#;
    drawer.update(list).await;
    assert_eq!(poll.await.unwrap(), [format!("42[\"paths_update\",{{\"paths\":{list}}}]")]);
}

#[tokio::test]
async fn what_is_wrong_ends_in_an_error_and_nothing_else() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let port = server.port;
    for (method, path, code) in [
        ("GET", "/socket.io/?EIO=4&transport=carrier-pigeon", 0),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=nobody", 1),
        ("POST", "/socket.io/?EIO=4&transport=polling&sid=nobody", 1),
        ("GET", "/socket.io/?EIO=4&transport=websocket&sid=nobody", 1),
        ("POST", "/socket.io/?EIO=4&transport=polling", 2),
        ("GET", "/socket.io/?EIO=4&transport=websocket", 3),
        ("GET", "/socket.io/?EIO=3&transport=polling", 5),
        ("GET", "/socket.io/?transport=polling", 5),
    ] {
        let answer = request(port, method, path, &[], "").await;
        assert_eq!((answer.status, answer.json()["code"].as_i64()), (400, Some(code)), "{method} {path}");
    }

    let (mut watcher, _) = Client::join(port, "physics").await;
    let large = Polling::join(port, "physics").await;
    let body = format!("42[\"update_background\",{{\"background_image\":\"{}\"}}]", "x".repeat(1_000_000));
    assert_eq!(large.post(&body).await.status, 413);
    assert_eq!(large.poll().await.json()["code"], 1, "the session is closed");

    let nonsense = Polling::join(port, "physics").await;
    assert_eq!(nonsense.post("42[\"clear_paths\",").await.status, 400);
    assert_eq!(nonsense.poll().await.status, 400);

    let early = Polling::open(port, "physics").await;
    assert_eq!(early.post("42[\"clear_paths\",{}]").await.status, 400, "an event before the connection");

    let twice = Polling::join(port, "physics").await;
    let (one, other) = tokio::join!(twice.poll(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        twice.poll().await
    });
    assert_eq!((other.status, one.status), (400, 200), "two polls at a time end the session");
    assert_eq!(twice.poll().await.status, 400);

    let polite = Polling::join(port, "physics").await;
    assert_eq!(polite.post("41\u{1e}1").await.body, "ok");
    assert_eq!(polite.poll().await.status, 400);
    assert_eq!(watcher.rest().await, []);
}

#[tokio::test]
async fn polling_becomes_a_websocket_without_losing_a_packet() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let polling = Polling::join(server.port, "physics").await;
    let (mut drawer, _) = Client::join(server.port, "physics").await;
    let waiting = {
        let (port, sid) = (polling.port, polling.sid.clone());
        tokio::spawn(async move { Polling { port, sid }.packets().await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let address = format!("ws://127.0.0.1:{}/socket.io/?EIO=4&transport=websocket&sid={}", server.port, polling.sid);
    let (mut socket, _) = connect_async(address.as_str()).await.unwrap();
    socket.send(Message::text("2probe")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("3probe"));
    assert_eq!(waiting.await.unwrap(), ["6"], "the waiting poll is let go");
    // Drawn while neither transport carries the session.
    drawer.update("[1]").await;
    drawer.update("[1,2]").await;
    socket.send(Message::text("5")).await.unwrap();
    for list in ["[1]", "[1,2]"] {
        let expected = format!("42[\"paths_update\",{{\"paths\":{list}}}]");
        loop {
            match socket.next().await.unwrap().unwrap() {
                Message::Text(text) => break assert_eq!(text.as_str(), expected),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(polling.poll().await.json()["code"], 1, "the session is not polled any more");
    socket.send(Message::text("4217[\"clear_paths\",{}]")).await.unwrap();
    assert_eq!(drawer.event("paths_cleared").await, "{\"paths\":[]}");
}

#[tokio::test]
async fn a_broken_probe_leaves_the_session_polling() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let polling = Polling::join(server.port, "physics").await;
    let address = format!("ws://127.0.0.1:{}/socket.io/?EIO=4&transport=websocket&sid={}", server.port, polling.sid);
    for first in ["5", "2probe"] {
        let (mut socket, _) = connect_async(address.as_str()).await.unwrap();
        socket.send(Message::text(first)).await.unwrap();
        if first == "2probe" {
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("3probe"));
        }
        drop(socket);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    polling.post("421[\"get_quiz_status\",{}]").await;
    assert_eq!(polling.packets().await[0], "42[\"quiz_status\",{\"is_quiz\":false}]");
}

#[tokio::test]
async fn a_polling_client_is_pinged_and_a_silent_one_is_gone() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--ping-interval", "0.5", "--ping-timeout", "0.8"]);
    let polling = Polling::join(server.port, "physics").await;
    for _ in 0..3 {
        assert_eq!(polling.packets().await, ["2"]);
        assert_eq!(polling.post("3").await.body, "ok");
    }
    assert_eq!(polling.packets().await, ["2"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(polling.post("3").await.status, 400);
}

#[tokio::test]
async fn a_crowd_that_reads_no_answer_shares_what_waits_for_all_of_it() {
    const SESSIONS: usize = 40;
    const IMAGES: usize = 6;
    let (_directory, data) = data();
    let server = Server::start(&data, &["--ping-interval", "300", "--ping-timeout", "300"]);
    let mut crowd = Vec::new();
    for _ in 0..SESSIONS {
        crowd.push(Polling::join(server.port, "physics").await);
    }
    let reader = Polling::join(server.port, "physics").await;
    let (mut drawer, _) = Client::join(server.port, "physics").await;
    let before = server.resident();
    let image = format!("{{\"background_image\":\"{}\"}}", "x".repeat(900_000));
    for _ in 0..IMAGES {
        drawer.call("update_background", &image).await;
    }
    let mut unread = Vec::new();
    for polling in &crowd {
        unread.push(polling.poll_without_reading(IMAGES).await);
    }
    let grown = server.resident().saturating_sub(before);
    // With a copy of four megabytes each it would be 160 MB.
    assert!(grown < 64 << 20, "{SESSIONS} unread answers made the server grow by {grown} bytes");
    for _ in 0..IMAGES {
        assert_eq!(reader.packets().await, [format!("42[\"background_update\",{image}]")]);
    }
    drop(unread);
}
