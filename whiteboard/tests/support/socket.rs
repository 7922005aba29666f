//! A Socket.IO client over WebSocket, small and strict: it fails on whatever a real client would not understand.

use super::PATIENCE;
use futures_util::{SinkExt, StreamExt};
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// One thing that came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Name, and the argument as JSON text.
    Event(String, String),
    Ack(u64),
    /// The connection was refused, with this JSON text.
    Refused(String),
    Closed(Option<u16>),
}

pub struct Client {
    outgoing: mpsc::UnboundedSender<Message>,
    incoming: mpsc::UnboundedReceiver<Result<String, Option<u16>>>,
    next_ack: u64,
    /// What came while something else was waited for.
    kept: Vec<Incoming>,
}

/// Reads all the time, as a browser does: WebSocket pings are answered at once, whatever the page is doing.
async fn carry(
    mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    mut outgoing: mpsc::UnboundedReceiver<Message>,
    incoming: mpsc::UnboundedSender<Result<String, Option<u16>>>,
) {
    loop {
        tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => if socket.send(message).await.is_err() { break },
                None => return,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => drop(incoming.send(Ok(text.to_string()))),
                Some(Ok(Message::Ping(_))) => drop(socket.flush().await),
                Some(Ok(Message::Close(frame))) => {
                    drop(incoming.send(Err(frame.map(|CloseFrame { code, .. }| code.into()))));
                    // Completes the closing handshake.
                    while let Some(Ok(_)) = socket.next().await {}
                    return;
                }
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => break,
            }
        }
    }
    drop(incoming.send(Err(None)));
}

/// The address of a WebSocket for a session.
pub fn address(port: u16, code: &str) -> String {
    format!("ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket&session_code={code}")
}

impl Client {
    /// Opens the transport and asks to connect.
    pub async fn open(port: u16, code: &str) -> Result<Self, Error> {
        let (socket, _) = connect_async(address(port, code)).await?;
        let (outgoing, sent) = mpsc::unbounded_channel();
        let (received, incoming) = mpsc::unbounded_channel();
        tokio::spawn(carry(socket, sent, received));
        let mut client = Self { outgoing, incoming, next_ack: 1, kept: Vec::new() };
        let Ok(open) = client.text().await else { return Err(Error::ConnectionClosed) };
        assert!(open.starts_with("0{\"sid\":\"") && open.contains("\"pingInterval\":"), "{open}");
        client.send("40");
        Ok(client)
    }

    /// Connects to a session; returns the client and its `session_data`.
    pub async fn join(port: u16, code: &str) -> (Self, String) {
        let mut client = Self::open(port, code).await.unwrap();
        let data = client.event("session_data").await;
        (client, data)
    }

    /// Sends a raw Engine.IO packet. That the connection is gone shows when something is waited for.
    pub fn send(&mut self, text: &str) {
        let _ = self.outgoing.send(Message::text(text));
    }

    /// The next text of the transport; pings of the server are answered on the way.
    async fn text(&mut self) -> Result<String, Option<u16>> {
        loop {
            match timeout(PATIENCE, self.incoming.recv()).await.expect("something from the server in time") {
                Some(Ok(text)) if text == "2" => self.send("3"),
                Some(incoming) => return incoming,
                None => return Err(None),
            }
        }
    }

    async fn receive(&mut self) -> Incoming {
        loop {
            let text = match self.text().await {
                Ok(text) => text,
                Err(code) => return Incoming::Closed(code),
            };
            if text.starts_with("40{") {
                continue;
            }
            if let Some(event) = text.strip_prefix("42") {
                let arguments: Vec<&RawValue> = serde_json::from_str(event).unwrap();
                let name: String = serde_json::from_str(arguments[0].get()).unwrap();
                return Incoming::Event(name, arguments[1].get().to_owned());
            }
            if let Some(ack) = text.strip_prefix("43") {
                return Incoming::Ack(ack.strip_suffix("[]").unwrap().parse().unwrap());
            }
            if let Some(reason) = text.strip_prefix("44") {
                return Incoming::Refused(reason.to_owned());
            }
            panic!("{text}");
        }
    }

    /// The next thing that came.
    pub async fn next(&mut self) -> Incoming {
        if self.kept.is_empty() { self.receive().await } else { self.kept.remove(0) }
    }

    /// Waits for something; what comes before it is kept.
    async fn wait_for<T>(&mut self, wanted: impl Fn(&Incoming) -> Option<T>) -> T {
        if let Some(place) = self.kept.iter().position(|kept| wanted(kept).is_some()) {
            return wanted(&self.kept.remove(place)).unwrap();
        }
        loop {
            let incoming = self.receive().await;
            if let Some(found) = wanted(&incoming) {
                return found;
            }
            assert!(!matches!(incoming, Incoming::Closed(_)), "closed while waiting: {incoming:?}");
            self.kept.push(incoming);
        }
    }

    /// The argument of the next event of that name.
    pub async fn event(&mut self, wanted: &str) -> String {
        self.wait_for(|incoming| match incoming {
            Incoming::Event(name, payload) if name == wanted => Some(payload.clone()),
            _ => None,
        })
        .await
    }

    /// Sends an event.
    pub fn emit(&mut self, name: &str, payload: &str) {
        self.send(&format!("42[\"{name}\",{payload}]"));
    }

    /// Sends an event with the wish for an acknowledgement; returns its number.
    pub fn ask(&mut self, name: &str, payload: &str) -> u64 {
        let id = self.next_ack;
        self.next_ack += 1;
        self.send(&format!("42{id}[\"{name}\",{payload}]"));
        id
    }

    /// Waits for an acknowledgement.
    pub async fn acknowledged(&mut self, id: u64) {
        self.wait_for(|incoming| (*incoming == Incoming::Ack(id)).then_some(())).await;
    }

    /// Sends an event and waits until it is acknowledged.
    pub async fn call(&mut self, name: &str, payload: &str) {
        let id = self.ask(name, payload);
        self.acknowledged(id).await;
    }

    /// Replaces the list.
    pub async fn update(&mut self, paths: &str) {
        self.call("update_paths", &format!("{{\"paths\":{paths}}}")).await;
    }

    /// Everything that has come and comes within a moment.
    pub async fn rest(&mut self) -> Vec<Incoming> {
        let mut all = std::mem::take(&mut self.kept);
        while let Ok(incoming) = timeout(Duration::from_millis(300), self.receive()).await {
            let closed = matches!(incoming, Incoming::Closed(_));
            all.push(incoming);
            if closed {
                break;
            }
        }
        all
    }

    /// Everything that has come and comes until the server closes the connection.
    pub async fn until_closed(&mut self) -> Vec<Incoming> {
        let mut all = std::mem::take(&mut self.kept);
        while !matches!(all.last(), Some(Incoming::Closed(_))) {
            all.push(self.receive().await);
        }
        all
    }

    /// Names of [`Self::rest`]'s events.
    pub async fn rest_names(&mut self) -> Vec<String> {
        self.rest()
            .await
            .into_iter()
            .map(|incoming| match incoming {
                Incoming::Event(name, _) => name,
                other => format!("{other:?}"),
            })
            .collect()
    }

    /// Waits until the server closes the connection; returns the close code.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Incoming::Closed(code) = self.receive().await {
                return code;
            }
        }
    }
}
