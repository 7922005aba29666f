//! A connection of the native dialect that does nothing by itself, for tests of single rules; and boards to use it on.

use super::PATIENCE;
use futures_util::{SinkExt, StreamExt};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Puts a board into the database, as the HTTP API would. The server may be running.
pub fn create(data: &Path, code: &str, teacher: Option<&str>, look: Option<&str>) {
    let digest = |secret: &str| Sha256::digest(secret.as_bytes()).to_vec();
    let connection = Connection::open(data.join("whiteboard.db")).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    let inserted = connection.execute(
        "INSERT INTO boards (dialect, code, created, changed, teacher, look) VALUES ('board', ?1, 1, 1, ?2, ?3)",
        params![code, teacher.map(digest), look.map(digest)],
    );
    assert_eq!(inserted.unwrap(), 1);
}

/// The address of a board.
pub fn address(port: u16, board: &str) -> String {
    format!("ws://127.0.0.1:{port}/boards/{board}/live")
}

/// A hello of a person; every name has a key and a session of its own.
pub fn hello(name: &str) -> Value {
    json!({"t": "hello", "v": 1, "key": format!("key-of-{name:-<16}"), "session": format!("tab-of-{name}"), "name": name})
}

/// An element as text; its number is one that not every language can hold.
pub fn element(id: &str, version: u64, nonce: u64) -> String {
    format!(
        r#"{{"id":"{id}","type":"rectangle","version":{version},"versionNonce":{nonce},"index":"a0","x":1.50,"n":123456789012345678901234567890}}"#
    )
}

/// A `change` of these elements.
pub fn change(id: u64, elements: &[String]) -> String {
    format!(r#"{{"t":"change","id":{id},"elements":[{}]}}"#, elements.join(","))
}

/// One connection.
pub struct Native {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What came while something else was waited for.
    kept: Vec<(Value, String)>,
}

impl Native {
    pub async fn try_open(port: u16, board: &str) -> Result<Self, Error> {
        let (socket, _) = connect_async(address(port, board)).await?;
        Ok(Self { socket, kept: Vec::new() })
    }

    /// Opens a connection with headers of its own.
    pub async fn open_with(port: u16, board: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = address(port, board).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await.unwrap();
        Self { socket, kept: Vec::new() }
    }

    pub async fn open(port: u16, board: &str) -> Self {
        Self::try_open(port, board).await.unwrap()
    }

    /// Says hello; returns the connection and its `welcome`.
    pub async fn enter(port: u16, board: &str, hello: &Value) -> (Self, Value) {
        let mut client = Self::open(port, board).await;
        client.send(hello.to_string()).await;
        let welcome = client.next().await;
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        (client, welcome)
    }

    /// Says hello as somebody, and takes the snapshot.
    pub async fn join(port: u16, board: &str, name: &str) -> Self {
        let (mut client, welcome) = Self::enter(port, board, &hello(name)).await;
        assert_eq!(welcome["resume"], false);
        client.event("snapshot").await;
        client
    }

    pub async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// The next message and its text, or the closing code.
    pub async fn receive(&mut self, patience: Duration) -> Result<(Value, String), Option<u16>> {
        loop {
            match timeout(patience, self.socket.next()).await.expect("something from the server in time") {
                Some(Ok(Message::Text(text))) => return Ok((serde_json::from_str(&text).unwrap(), text.to_string())),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|CloseFrame { code, reason }| {
                        assert!(!reason.is_empty(), "a closing says why");
                        code.into()
                    }));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next message.
    pub async fn next(&mut self) -> Value {
        if self.kept.is_empty() { self.receive(PATIENCE).await.expect("no end yet").0 } else { self.kept.remove(0).0 }
    }

    /// The next message of that name, with its text; what comes before it is kept.
    pub async fn text(&mut self, name: &str) -> (Value, String) {
        if let Some(place) = self.kept.iter().position(|(kept, _)| kept["t"] == name) {
            return self.kept.remove(place);
        }
        loop {
            let (message, text) = self.receive(PATIENCE).await.unwrap_or_else(|code| panic!("{name}: closed {code:?}"));
            if message["t"] == name {
                return (message, text);
            }
            self.kept.push((message, text));
        }
    }

    pub async fn event(&mut self, name: &str) -> Value {
        self.text(name).await.0
    }

    /// Sends a request and waits for its `ack`.
    pub async fn ask(&mut self, text: impl Into<String>) -> Value {
        self.send(text).await;
        let ack = self.event("ack").await;
        assert!(self.kept.iter().all(|(kept, _)| kept["t"] != "error"), "{:?}", self.kept);
        ack
    }

    /// Sends something and waits for its `error`.
    pub async fn refused(&mut self, text: impl Into<String>) -> Value {
        self.send(text).await;
        self.event("error").await
    }

    /// Everything that has come before the answer to a ping, with the answer left out.
    pub async fn rest(&mut self) -> Vec<Value> {
        self.send(r#"{"t":"ping"}"#).await;
        self.event("pong").await;
        std::mem::take(&mut self.kept).into_iter().map(|(message, _)| message).collect()
    }

    /// Waits for the end; returns its code.
    pub async fn closed(&mut self) -> Option<u16> {
        self.closed_within(PATIENCE).await
    }

    pub async fn closed_within(&mut self, patience: Duration) -> Option<u16> {
        loop {
            match self.receive(patience).await {
                Ok(message) => self.kept.push(message),
                Err(code) => return code,
            }
        }
    }
}
