//! A page of CollabCanvas: accounts over HTTP, a canvas over a WebSocket.

use super::PATIENCE;
use super::http::{Answer, request};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub session: String,
}

/// Sends JSON by POST.
pub async fn post(port: u16, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
    request(port, "POST", path, &headers, &body.to_string()).await
}

impl Person {
    /// Registers.
    pub async fn register(port: u16, name: &str) -> Self {
        let body = json!({ "email": format!("{name}@school.example"), "username": name, "password": "correct horse" });
        let answer = post(port, "/api/register", &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self::of(&answer)
    }

    pub async fn log_in(port: u16, name: &str) -> Self {
        let body = json!({ "email": format!("{name}@school.example"), "password": "correct horse" });
        let answer = post(port, "/api/login", &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Self::of(&answer)
    }

    fn of(answer: &Answer) -> Self {
        let data = &answer.json()["data"];
        Self {
            id: data["user-id"].as_i64().unwrap(),
            name: data["username"].as_str().unwrap().to_owned(),
            session: data["session-id"].as_str().unwrap().to_owned(),
        }
    }

    /// What `/api/canvas/state` answers.
    pub async fn state(&self, port: u16, canvas: &str) -> Answer {
        let path = format!("/api/canvas/state?canvasId={canvas}");
        request(port, "GET", &path, &[("x-session-id", &self.session)], "").await
    }
}

/// A connection to a canvas.
pub struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What came while something else was waited for, as text.
    kept: VecDeque<String>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a closing frame of this code: old pages stay away.
    Said(u16),
    /// Without one: old pages come back.
    Broke,
}

impl Page {
    /// Opens a WebSocket; nobody has said who this is.
    pub async fn open(port: u16, canvas: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://127.0.0.1:{port}/ws/{canvas}").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await?;
        Ok(Self { socket, kept: VecDeque::new() })
    }

    /// Opens a canvas as this person; returns what `auth-success` says, as text. What comes with it is read away.
    pub async fn join(port: u16, canvas: &str, person: &Person) -> (Self, String) {
        let mut page = Self::open(port, canvas, &[]).await.unwrap();
        page.send(&json!({ "type": "auth", "sessionId": person.session, "canvasId": canvas })).await;
        let success = page.text_of("auth-success").await;
        page.get("presence").await;
        (page, success)
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// That the connection is gone shows when something is waited for.
    pub async fn send_text(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text)).await;
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        let _ = self.socket.send(Message::binary(bytes.to_vec())).await;
    }

    async fn receive(&mut self) -> Result<String, End> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("something from the server in time") {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(End::Said(frame.map_or(1005, |frame| frame.code.into())));
                }
                Some(Ok(Message::Ping(_))) => drop(self.socket.flush().await),
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Err(End::Broke),
            }
        }
    }

    /// The next message of a type, as text; others are kept.
    pub async fn text_of(&mut self, kind: &str) -> String {
        // By its text: what pages sent, such as half a character, is not always JSON for everybody.
        let begin = format!("{{\"type\":\"{kind}\"");
        let wanted = |text: &str| text.starts_with(&begin);
        if let Some(place) = self.kept.iter().position(|text| wanted(text)) {
            return self.kept.remove(place).unwrap();
        }
        loop {
            match self.receive().await {
                Ok(text) if wanted(&text) => return text,
                Ok(text) => self.kept.push_back(text),
                Err(end) => panic!("{end:?} while waiting for {kind}"),
            }
        }
    }

    /// The next message of a type; others are kept.
    pub async fn get(&mut self, kind: &str) -> Value {
        serde_json::from_str(&self.text_of(kind).await).unwrap()
    }

    /// Everything that has come until the server has done all that this page asked for: not measured by time, the
    /// answer to a question comes behind it.
    pub async fn rest(&mut self) -> Vec<Value> {
        self.send(&json!({ "type": "is anything more to come?" })).await;
        let mut all: Vec<Value> = self.kept.drain(..).map(|text| serde_json::from_str(&text).unwrap()).collect();
        loop {
            let text = self.receive().await.unwrap_or_else(|end| panic!("{end:?}"));
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["message"].as_str().is_some_and(|text| text.contains("does not know messages")) {
                return all;
            }
            all.push(message);
        }
    }

    /// Types of [`Self::rest`].
    pub async fn rest_types(&mut self) -> Vec<String> {
        self.rest().await.iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits for the end of the connection.
    pub async fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.receive().await {
                return end;
            }
        }
    }

    /// Leaves as a closed tab does.
    pub async fn close(mut self) {
        let _ = self.socket.close(None).await;
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

/// A rectangle as pages draw it.
pub fn rectangle(id: &str, x: f64) -> Value {
    json!({ "id": id, "type": "rectangle", "x": x, "y": 2, "width": 30, "height": 40, "color": "#3498db" })
}

/// The message that makes an object.
pub fn create(object: &Value) -> Value {
    json!({ "type": "object-create", "object": object, "messageId": 1 })
}

/// The message that changes an object.
pub fn update(id: &str, updates: &Value) -> Value {
    json!({ "type": "object-update", "object-id": id, "updates": updates, "messageId": 2 })
}
