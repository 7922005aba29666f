//! One connection, from its first message to its last.

use super::closing::{Goodbye, ended, goodbye};
use super::encode;
use super::message::{MESSAGE_BYTES, Message, parse};
use super::pace::{Pace, Paced, TOO_FAST};
use crate::accounts::live::{Registered, Why};
use crate::accounts::{AccountError, Accounts, Session, Token};
use crate::board::canvas::{Action, Canvas, Event, Mend, Role};
use crate::board::core::{Closed, Refusal};
use crate::limits::address::Household;
use crate::room::{Hub, Membership, Outbox};
use crate::store::BoardName;
use crate::websocket::{Connection, Frame, Next};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Within what time a client must say who it is.
const AUTH: Duration = Duration::from_secs(30);

/// Wrong sessions that a connection may show.
const ATTEMPTS: u32 = 10;

/// How long a stopping server waits for what a client has sent to be on disk and told.
const SETTLING: Duration = Duration::from_secs(3);

/// What all connections of this dialect share.
pub struct Collab {
    pub hub: Hub<Canvas>,
    pub accounts: Arc<Accounts>,
    /// Messages a second of one client.
    pub rate: u32,
    /// Between two pings of a quiet client, and how long it may take to answer.
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub stopping: CancellationToken,
    pub tasks: TaskTracker,
}

impl Collab {
    /// With the contract's 100 messages a second of one client, and a ping each 25 s that may take 20.
    pub fn new(hub: Hub<Canvas>, accounts: Arc<Accounts>) -> Self {
        Self {
            hub,
            accounts,
            rate: 100,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Hangs up on everybody, once what they sent is on disk and told; false if some were not done in time.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.stopping.cancel();
        self.tasks.close();
        timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

/// The connection before and after its client has shown who it is. Dropping it leaves the canvas.
pub struct Socket {
    collab: Arc<Collab>,
    canvas: Arc<str>,
    outbox: Arc<Outbox>,
    /// Sessions in the cookies of the handshake.
    cookies: Vec<Token>,
    /// Whom a new canvas counts for.
    from: Option<Household>,
    joined: Option<Joined>,
    paced: Paced,
    begin: Instant,
    failed: u32,
}

struct Joined {
    membership: Membership<Canvas>,
    _registered: Registered,
}

impl Socket {
    pub fn new(
        collab: Arc<Collab>,
        canvas: &str,
        outbox: Arc<Outbox>,
        cookies: Vec<Token>,
        from: Option<Household>,
    ) -> Self {
        let (canvas, paced, begin) = (canvas.into(), Paced::new(collab.rate), Instant::now());
        Self { collab, canvas, outbox, cookies, from, joined: None, paced, begin, failed: 0 }
    }

    /// Takes one message, in the order in which the client sent them. Waits while the room is busy.
    async fn message(&mut self, text: &str) {
        let pace = self.paced.count(self.begin.elapsed());
        let message = if pace == Pace::Fine || self.joined.is_some() { parse(text) } else { Message::Ask(too_fast()) };
        let action = match (pace, message) {
            (Pace::Fine, Message::Auth { session }) if self.joined.is_none() => return self.auth(session).await,
            (Pace::Fine, Message::Auth { .. }) => told("This connection has shown who it is already."),
            (Pace::Fine, Message::Ask(action)) => action,
            (pace, Message::Ask(action)) => match (action.mend(), pace) {
                // A lost movement of the pointer is not worth a word each time; a lost change is.
                (Mend::Nothing, Pace::Told) => return,
                (mend, _) => Action::Wrong { sentence: TOO_FAST.to_owned(), mend },
            },
            (Pace::Told, _) => return,
            (_, Message::Auth { .. }) => too_fast(),
        };
        match (&self.joined, action) {
            (Some(joined), action) => joined.membership.request(action, None).await,
            (None, Action::Wrong { sentence, .. }) => self.say(&Event::Error(sentence)),
            (None, _) => self.say(&Event::Error("Send auth first. Nothing was changed.".to_owned())),
        }
    }

    async fn auth(&mut self, shown: Option<String>) {
        let shown = shown.and_then(|text| Token::shown(&text));
        let tokens: Vec<Token> = shown.into_iter().chain(self.cookies.iter().cloned()).collect();
        let entered = match self.collab.accounts.session(tokens).await {
            Ok(session) => self.enter(&session).await,
            Err(error) => Err(error),
        };
        if let Err(error) = entered {
            if let AccountError::Store(failure) = &error {
                tracing::error!(canvas = %self.canvas, "{failure}");
            }
            self.say(&Event::AuthFailed(error.to_string()));
            self.failed += 1;
            match error {
                AccountError::Deleted => self.outbox.close(Closed::Deleted),
                AccountError::Refused(_) => self.outbox.close(Closed::Refused),
                _ if self.failed >= ATTEMPTS => self.outbox.close(Closed::Access),
                _ => {}
            }
        }
    }

    async fn enter(&mut self, session: &Session) -> Result<(), AccountError> {
        let outbox = self.outbox.clone();
        // Entered before the role is looked up: if it changes in between, the connection ends.
        let registered = self.collab.accounts.live.register(
            session.token.hash(),
            session.user.id,
            self.canvas.clone(),
            move |why| {
                outbox.close(match why {
                    Why::LoggedOut => Closed::Access,
                    Why::RoleChanged => Closed::SessionEnded,
                });
            },
        );
        let role = self.role(session.user.id).await?;
        let action = Action::Join { user: session.user.clone(), role };
        // It is on disk by now, whoever it counted for.
        let membership = self.collab.hub.join(&BoardName::canvas(&self.canvas), self.outbox.clone(), action);
        self.joined = Some(Joined { membership, _registered: registered });
        let (accounts, token) = (self.collab.accounts.clone(), session.token.clone());
        tokio::spawn(async move { accounts.see(&token).await });
        Ok(())
    }

    /// What this person may do here; whoever opens a new canvas owns it.
    async fn role(&self, user: i64) -> Result<Role, AccountError> {
        if let Some(role) = self.collab.accounts.role(&self.canvas, user).await? {
            return Ok(role);
        }
        self.may_begin().await?;
        self.collab.accounts.open(&self.canvas, user).await
    }

    /// Whether there may be one more canvas.
    async fn may_begin(&self) -> Result<(), AccountError> {
        let ground = &self.collab.hub.shared().ground;
        let reader = ground.store.reader.clone();
        let counted = tokio::task::spawn_blocking(move || reader.boards()).await;
        let boards = counted.map_err(|_| AccountError::Refused(Refusal::Unreadable.sentence()))??;
        let begun = ground.space.may_begin_board(boards, self.from, Some(&BoardName::canvas(&self.canvas)));
        begun.map_err(|refusal| AccountError::Refused(refusal.sentence()))
    }

    fn say(&self, event: &Event) {
        self.outbox.answer(encode::frame(event));
    }

    /// Waits until everything that the client sent is on disk and its answers are in its outbox.
    async fn settled(&self) {
        if let Some(joined) = &self.joined {
            // Out of patience: what nobody was told of may be lost.
            let _ = timeout(SETTLING, joined.membership.settled()).await;
        }
    }
}

fn too_fast() -> Action {
    told(TOO_FAST)
}

fn told(sentence: &str) -> Action {
    Action::Wrong { sentence: sentence.to_owned(), mend: Mend::Nothing }
}

/// Serves a connection to its end.
pub async fn serve(mut connection: Connection, mut socket: Socket) {
    let collab = socket.collab.clone();
    let outbox = socket.outbox.clone();
    let mut heard = Instant::now();
    // Sent at this time, not answered yet.
    let mut pinged: Option<Instant> = None;
    let goodbye = loop {
        let deadline = match (&socket.joined, pinged) {
            (None, _) => socket.begin + AUTH,
            (Some(_), Some(pinged)) => pinged + collab.ping_timeout,
            (Some(_), None) => heard + collab.ping_interval,
        };
        let next = tokio::select! {
            biased;
            next = connection.next(&*outbox, deadline) => next,
            () = collab.stopping.cancelled() => {
                socket.settled().await;
                outbox.close(Closed::Shutdown);
                break drain(&mut connection, &outbox, &socket).await;
            }
        };
        match next {
            Next::Text(text) => {
                (heard, pinged) = (Instant::now(), None);
                socket.message(text).await;
                if socket.joined.is_some() {
                    connection.set_max_message(MESSAGE_BYTES);
                }
            }
            Next::Binary(_) => {
                (heard, pinged) = (Instant::now(), None);
                socket.message("").await;
            }
            Next::Pong(_) => (heard, pinged) = (Instant::now(), None),
            Next::Sent(_) => {}
            Next::Deadline if socket.joined.is_some() && pinged.is_none() => {
                // Whatever came since the deadline was set has put it off.
                if heard.elapsed() >= collab.ping_interval {
                    connection.queue(&Frame::ping(b""));
                    pinged = Some(Instant::now());
                }
            }
            Next::Deadline => {
                let closed = Closed::NoAnswer;
                outbox.close(closed);
                break goodbye(closed, socket.joined.is_some());
            }
            Next::Closing => {
                break goodbye(outbox.closed().unwrap_or(Closed::Shutdown), socket.joined.is_some());
            }
            Next::Ended(end) => {
                let (closed, goodbye) = ended(end);
                if let Some(closed) = closed {
                    outbox.close(closed);
                }
                break goodbye;
            }
        }
    };
    // Leaves the canvas at once: the others need not wait for the end of the farewell.
    drop(socket);
    match goodbye {
        Goodbye::HangUp => connection.hang_up().await,
        Goodbye::Close(code, reason) => connection.close(code, reason).await,
    }
}

/// Sends what waits in a closed outbox.
async fn drain(connection: &mut Connection, outbox: &Outbox, socket: &Socket) -> Goodbye {
    let deadline = Instant::now() + SETTLING;
    loop {
        match connection.next(outbox, deadline).await {
            Next::Text(_) | Next::Binary(_) | Next::Pong(_) | Next::Sent(_) => {}
            Next::Deadline | Next::Closing | Next::Ended(_) => {
                return goodbye(Closed::Shutdown, socket.joined.is_some());
            }
        }
    }
}
