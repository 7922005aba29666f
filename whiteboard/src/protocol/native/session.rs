//! One connection of the native dialect, from hello to goodbye.

use super::access::{role_of, user_of};
use super::closing::{ended, goodbye, refused_hello};
use super::foreign;
use super::live::{Live, Place};
use super::message::{Hello, Message, Misunderstood};
use super::patience::{MISUNDERSTOOD, PONG, Patience};
use crate::board::core::Closed;
use crate::board::scene::Scene;
use crate::board::scene::action::{Action, Asked, Join, Since, What};
use crate::board::scene::event::{Code, Event, Refused};
use crate::board::scene::identity::Role;
use crate::limits::bucket::Bucket;
use crate::room::Membership;
use crate::store::BoardName;
use crate::websocket::{Connection, Frame, Next};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two hints that somebody sends too much [P5].
const HINTS: Duration = Duration::from_secs(10);

/// Serves a connection until it ends. `may_look`: whether a board of another dialect is shown to this client.
pub async fn serve(mut connection: Connection, board: BoardName, may_look: bool, live: Arc<Live>) {
    let place = live.enter();
    place.outbox.attach(connection.line());
    let (closed, joined) = match greet(&mut connection, &board, may_look, &place, &live).await {
        Ok((hello, _)) if board.dialect != BoardName::BOARD => {
            (Box::pin(foreign::show(&mut connection, &hello, &board, &place, &live)).await, true)
        }
        Ok((hello, role)) => {
            let join = join(hello, role);
            let membership = live.hub.join(&board, place.outbox.clone(), Action::Join(join));
            let mut session = Session::new(board, role, membership, &place, &live);
            (session.talk(&mut connection).await, true)
        }
        Err(closed) => (closed, false),
    };
    drop(place);
    if let Some(closed) = closed {
        let goodbye = goodbye(closed, joined);
        connection.close(goodbye.code, goodbye.reason).await;
    } else {
        // Whoever went gets the answer to a goodbye, if there was one.
        connection.close(1000, "").await;
    }
}

/// Reads the hello [H1]; an error is why the connection is to be closed, none if the client just went.
async fn greet(
    connection: &mut Connection,
    board: &BoardName,
    may_look: bool,
    place: &Place,
    live: &Live,
) -> Result<(Hello, Role), Option<Closed>> {
    let deadline = Instant::now() + live.timing.hello;
    let hello = loop {
        break match connection.next(&*place.outbox, deadline).await {
            Next::Text(text) => match Message::parse(text) {
                Ok(Message::Hello(hello)) => Ok(hello),
                Err(wrong) if matches!(wrong.code, Code::Hello | Code::Version | Code::Key) => Err(wrong),
                Ok(_) | Err(_) => Err(not_hello()),
            },
            Next::Binary(_) => Err(not_hello()),
            Next::Pong(_) | Next::Sent(_) => continue,
            Next::Deadline => return Err(Some(live.closed(Closed::NoAnswer))),
            Next::Closing => return Err(place.outbox.closed()),
            Next::Ended(end) => return Err(ended(end).map(|closed| live.closed(closed))),
        };
    };
    let answer = match hello {
        Ok(_) if !may_look => {
            let message = "Canvases are shown to people with an account. Log in to CollabCanvas first.".into();
            Err(Misunderstood { code: Code::Access, id: None, message })
        }
        Ok(hello) => match meta(live, board).await {
            Ok(meta) => role_of(&hello, &meta).map(|role| (hello, role)),
            Err(error) => {
                tracing::error!(board = %board.code, "{error}");
                let message = "This board cannot be read at the moment. Ask the person who runs the server.".into();
                Err(Misunderstood { code: Code::Internal, id: None, message })
            }
        },
        Err(wrong) => Err(wrong),
    };
    if answer.is_ok() {
        connection.set_max_message(live.limits.message);
    }
    answer.map_err(|wrong| {
        let code = wrong.code;
        connection.queue(&live.frame(&error(wrong)));
        Some(live.closed(refused_hello(code)))
    })
}

fn join(hello: Hello, role: Role) -> Join {
    Join {
        user: user_of(&hello.key),
        session: hello.session,
        name: hello.name,
        color: hello.color,
        role,
        since: hello.since.map(|(epoch, seq)| Since { epoch, seq }),
        present: true,
    }
}

fn not_hello() -> Misunderstood {
    let message = "The first message of a connection is hello. See PROTOCOL.md.".to_owned();
    Misunderstood { code: Code::Hello, id: None, message }
}

fn error(wrong: Misunderstood) -> Event {
    Event::Error(Refused::new(wrong.code, wrong.id, wrong.message))
}

async fn meta(live: &Live, board: &BoardName) -> Result<crate::board::core::BoardMeta, String> {
    let (reader, board) = (live.store.reader.clone(), board.clone());
    match tokio::task::spawn_blocking(move || reader.meta(&board)).await {
        Ok(meta) => meta.map_err(|error| error.to_string()),
        Err(panic) => Err(panic.to_string()),
    }
}

/// A client that is in.
struct Session<'a> {
    board: BoardName,
    role: Role,
    membership: Membership<Scene>,
    place: &'a Place,
    live: &'a Live,
    bucket: Bucket,
    /// What the bucket's times are counted from.
    since: Instant,
    hinted: Option<Instant>,
    misunderstood: u32,
    patience: Patience,
}

impl<'a> Session<'a> {
    fn new(board: BoardName, role: Role, membership: Membership<Scene>, place: &'a Place, live: &'a Live) -> Self {
        let now = Instant::now();
        Self {
            board,
            role,
            membership,
            place,
            live,
            bucket: Bucket::new(live.rate),
            since: now,
            hinted: None,
            misunderstood: 0,
            patience: Patience::new(live.timing),
        }
    }

    /// Until the connection is to be closed; none if the client just went.
    async fn talk(&mut self, connection: &mut Connection) -> Option<Closed> {
        loop {
            let message = match connection.next(&*self.place.outbox, self.patience.deadline()).await {
                Next::Text(text) => Message::parse(text),
                Next::Binary(_) => return Some(self.live.closed(Closed::Misuse)),
                Next::Pong(_) => {
                    self.patience.hear();
                    continue;
                }
                Next::Sent(_) => continue,
                Next::Deadline if self.patience.is_over() => return Some(self.live.closed(Closed::NoAnswer)),
                Next::Deadline => {
                    connection.queue(&Frame::ping(b""));
                    continue;
                }
                Next::Closing => return self.place.outbox.closed(),
                Next::Ended(end) => return ended(end).map(|closed| self.live.closed(closed)),
            };
            self.patience.hear();
            match message {
                Ok(message) => {
                    self.misunderstood = 0;
                    self.follow(message).await;
                }
                Err(wrong) => {
                    self.misunderstood += 1;
                    self.refuse(wrong).await;
                    if self.misunderstood >= MISUNDERSTOOD {
                        self.membership.settled().await;
                        return Some(self.live.closed(Closed::Misuse));
                    }
                    self.wait().await;
                }
            }
        }
    }

    fn answer(&self, event: &Event) {
        self.place.outbox.answer(self.live.frame(event));
    }

    /// Says why a message is refused: a request's answer comes after those to the requests before it [Q3].
    async fn refuse(&self, wrong: Misunderstood) {
        let Misunderstood { code, id, message } = wrong;
        let refused = Refused::new(code, id, message);
        if id.is_some() {
            self.membership.request(Action::Wrong(refused), None).await;
        } else {
            self.answer(&Event::Error(refused));
        }
    }

    async fn follow(&mut self, message: Message) {
        let action = match message {
            Message::Draft(draft) => Action::Draft(draft),
            Message::Volatile(volatile) => Action::Volatile(volatile),
            Message::Asked(asked) => {
                self.wait().await;
                return self.membership.request(Action::Durable(asked), None).await;
            }
            Message::Restore { id, seq } => {
                self.wait().await;
                return self.restore(id, seq).await;
            }
            Message::Ping => {
                self.wait().await;
                return self.place.outbox.answer(Frame::plain(PONG));
            }
            Message::Hello(_) => {
                self.wait().await;
                let sentence = "hello is said once, at the beginning of a connection.";
                return self.answer(&Event::Error(Refused::new(Code::Hello, None, sentence)));
            }
        };
        match self.bucket.take(self.since.elapsed()) {
            Ok(()) => self.membership.request(action, None).await,
            Err(wait) => self.hint(wait),
        }
    }

    /// Waits until the client may be listened to again; meanwhile nothing of it is read.
    async fn wait(&mut self) {
        while let Err(wait) = self.bucket.take(self.since.elapsed()) {
            self.hint(wait);
            sleep(wait).await;
        }
    }

    fn hint(&mut self, wait: Duration) {
        let now = Instant::now();
        if self.hinted.is_some_and(|hinted| now < hinted + HINTS) {
            return;
        }
        self.hinted = Some(now);
        let sentence = format!(
            "More than {} messages a second: they are read more slowly, and volatile ones are dropped. Send less \
             often, or ask the person who runs the server to raise NATIVE_MESSAGE_RATE.",
            self.live.rate.per_second
        );
        let retry = Some(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        self.answer(&Event::Error(Refused { retry, ..Refused::new(Code::TooMany, None, sentence) }));
    }

    /// Reads the board as it was, for the request that brings it back.
    async fn restore(&mut self, id: u64, seq: u64) {
        let (code, message) = match self.role {
            Role::Teacher => match super::past::moment(self.live, &self.board, seq).await {
                Ok(moment) => {
                    let what = What::RestoreTo(moment);
                    return self.membership.request(Action::Durable(Asked { id, what }), None).await;
                }
                Err(refused) => refused,
            },
            Role::Pupil => (Code::Access, "Only teachers may bring a board back.".to_owned()),
            Role::Viewer => (Code::ReadOnly, "You may look at this board, not change it.".to_owned()),
        };
        self.refuse(Misunderstood { code, id: Some(id), message }).await;
    }
}
