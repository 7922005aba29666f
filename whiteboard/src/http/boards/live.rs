//! [`Rooms`] as they are: a client of the server itself joins the board's room, asks, and leaves.

use super::answer::Refused;
use super::rooms::{Past, Rooms};
use crate::board::canvas::{self, Canvas};
use crate::board::classroom::{self, Classroom};
use crate::board::core::{Closed, Core, Refusal};
use crate::board::scene::Scene;
use crate::board::scene::action::{Action, Asked, Join, Since, What};
use crate::board::scene::identity::{Role, UserId};
use crate::limits::address::Household;
use crate::room::{Hub, Outbox};
use crate::store::BoardName;
use crate::websocket::Outgoing;
use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// For one change to be on disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is taken out of the outbox at a time.
const FRAMES: usize = 64;
const BYTES: usize = 1 << 20;

/// The rooms of this server.
pub struct Live {
    pub boards: Hub<Scene>,
    pub classrooms: Hub<Classroom>,
    pub canvases: Hub<Canvas>,
}

/// Joins a room with a request, waits until what it led to is on disk, and leaves.
async fn enter_and_leave<C: Core>(hub: &Hub<C>, board: &BoardName, action: C::Action) -> Result<(), Refused> {
    let outbox = Arc::new(Outbox::new(hub.shared().ground.metrics.clone()));
    let membership = hub.visit(board, outbox.clone(), action);
    if tokio::time::timeout(PATIENCE, membership.settled()).await.is_err() {
        return Err(Refused::internal(&"a board's room did not answer in time"));
    }
    outbox.closed().map_or(Ok(()), |reason| Err(closed(reason)))
}

impl Live {
    async fn ask(&self, board: BoardName, what: Vec<What>) -> Result<u64, Refused> {
        let ground = &self.boards.shared().ground;
        let (reader, name) = (ground.store.reader.clone(), board.clone());
        // What is on disk is taken for known, so that not the whole board comes.
        let seq = super::blocking(move || Ok(reader.timeline(&name, 0)?.last)).await?;
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(|error| Refused::internal(&error))?;
        let join = Join {
            user: UserId::SERVER,
            session: format!("http-{:016x}", u64::from_le_bytes(chance)).into(),
            name: "".into(),
            color: None,
            role: Role::Teacher,
            since: Some(Since { epoch: ground.epoch.clone(), seq }),
            present: false,
        };
        let outbox = Arc::new(Outbox::new(ground.metrics.clone()));
        let membership = self.boards.visit(&board, outbox.clone(), Action::Join(join));
        let mut last = seq;
        for (id, what) in (1..).zip(what) {
            membership.request(Action::Durable(Asked { id, what }), Some(id)).await;
            last = match tokio::time::timeout(PATIENCE, answer(&outbox, id)).await {
                Ok(answer) => answer?,
                Err(_) => return Err(Refused::internal(&"a board's room did not answer in time")),
            };
        }
        Ok(last)
    }
}

impl Rooms for Live {
    fn change(&self, board: BoardName, what: Vec<What>) -> BoxFuture<'_, Result<u64, Refused>> {
        Box::pin(self.ask(board, what))
    }

    fn replace(&self, board: BoardName, past: Past) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move {
            match past {
                Past::Classroom { strokes, background } => {
                    let action = classroom::Action::BringBack { strokes, background };
                    enter_and_leave(&self.classrooms, &board, action).await
                }
                Past::Canvas(state) => enter_and_leave(&self.canvases, &board, canvas::Action::Replace(state)).await,
            }
        })
    }

    fn close(&self, board: &BoardName, reason: Closed) {
        match board.dialect {
            BoardName::CLASSROOM => self.classrooms.close(board, reason),
            BoardName::CANVAS => self.canvases.close(board, reason),
            _ => self.boards.close(board, reason),
        }
    }

    fn may_begin_board(&self, boards: u64, from: Option<Household>) -> Result<(), Refusal> {
        self.boards.shared().ground.space.may_begin_board(boards, from, None)
    }

    fn no_board_begun(&self, from: Option<Household>) {
        self.boards.shared().ground.space.no_board_begun(from);
    }

    fn is_full(&self) -> bool {
        self.boards.shared().ground.space.is_full()
    }
}

/// What of a message to a client counts here.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    id: Option<u64>,
    seq: Option<u64>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// Waits for the answer to request `id`: the number of its operation.
async fn answer(outbox: &Outbox, id: u64) -> Result<u64, Refused> {
    loop {
        let changed = outbox.changed();
        // Asked for before looking, so that nothing that comes in between is missed.
        let frames = outbox.take_frames(FRAMES, BYTES);
        let nothing = frames.is_empty();
        for frame in frames {
            if let Some(answer) = read(frame.text(), id) {
                return answer;
            }
        }
        if nothing {
            if let Some(reason) = outbox.closed() {
                return Err(closed(reason));
            }
            changed.await;
        }
    }
}

/// What a message says about request `id`; none if it is about something else.
fn read(text: &str, id: u64) -> Option<Result<u64, Refused>> {
    let message: Told<'_> = serde_json::from_str(text).ok()?;
    match &*message.t {
        "ack" if message.id == Some(id) => Some(Ok(message.seq.unwrap_or(0))),
        // An error without a number is about all that was asked.
        "error" if message.id.is_none_or(|of| of == id) => {
            let sentence = message.message.map_or_else(|| "The board refused it.".to_owned(), Cow::into_owned);
            Some(Err(refused(message.code.as_deref().unwrap_or(""), sentence)))
        }
        _ => None,
    }
}

/// The refusal of a board, as HTTP says it.
fn refused(code: &str, sentence: String) -> Refused {
    let (status, code) = match code {
        "unknown-board" => (StatusCode::NOT_FOUND, "unknown-board"),
        "deleted-board" => (StatusCode::GONE, "deleted-board"),
        "unknown-seq" => (StatusCode::NOT_FOUND, "unknown-seq"),
        "access" => (StatusCode::FORBIDDEN, "access"),
        "locked" => (StatusCode::CONFLICT, "locked"),
        "read-only" => (StatusCode::CONFLICT, "read-only"),
        "element" => (StatusCode::UNPROCESSABLE_ENTITY, "element"),
        "too-large" => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
        "board-full" => (StatusCode::PAYLOAD_TOO_LARGE, "board-full"),
        "too-many" => (StatusCode::TOO_MANY_REQUESTS, "too-many"),
        "disk-full" => (StatusCode::INSUFFICIENT_STORAGE, "disk-full"),
        "disk-low" => (StatusCode::INSUFFICIENT_STORAGE, "disk-low"),
        "stopping" => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        "message" => (StatusCode::BAD_REQUEST, "message"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    Refused::new(status, code, sentence)
}

fn closed(reason: Closed) -> Refused {
    match reason {
        Closed::Deleted => refused("deleted-board", "The board was deleted.".to_owned()),
        Closed::UnknownBoard => refused("unknown-board", "There is no such board.".to_owned()),
        Closed::Unsaved => refused("internal", Refusal::Unsaved.sentence().to_owned()),
        Closed::Shutdown => refused("stopping", "The server is ending. Try again when it is back.".to_owned()),
        other => Refused::internal(&format!("a board's room closed the server's own client: {}", other.label())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::websocket::Frame;

    #[test]
    fn only_what_is_about_the_request_counts() {
        for (text, expected) in [
            (r#"{"t":"ack","id":3,"seq":9,"undo":1,"redo":0}"#, Some(Ok(9))),
            (r#"{"t":"ack","id":2,"seq":8}"#, None),
            (r#"{"t":"change","seq":8,"by":"0","elements":[{"id":"a"}]}"#, None),
            (r#"{"t":"error","code":"board-full","message":"Full.","id":3}"#, Some(Err((413, "board-full")))),
            (r#"{"t":"error","code":"board-full","message":"Full.","id":2}"#, None),
            (r#"{"t":"error","code":"disk-full","message":"Full."}"#, Some(Err((507, "disk-full")))),
            (r#"{"t":"error","code":"something new","message":"No."}"#, Some(Err((500, "internal")))),
            ("broken", None),
        ] {
            let found = read(text, 3).map(|answer| answer.map_err(|refused| (refused.status.as_u16(), refused.code)));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_waited_for_among_others() {
        let outbox = Arc::new(Outbox::new(Arc::new(Metrics::default())));
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { answer(&outbox, 2).await }
        });
        for text in [r#"{"t":"welcome"}"#, r#"{"t":"ack","id":1,"seq":4}"#, r#"{"t":"ack","id":2,"seq":5}"#] {
            outbox.answer(Frame::plain(text));
            tokio::task::yield_now().await;
        }
        assert_eq!(waiting.await.unwrap(), Ok(5));
        outbox.close(Closed::Deleted);
        assert_eq!(answer(&outbox, 3).await.unwrap_err().code, "deleted-board");
    }
}
