//! Clients of a native board that say anything. A line is one message: the digit of who says it, then the message as in
//! PROTOCOL.md. `!` kills the server, `?` makes writing fail, `+` and a digit lets somebody come back.

use whiteboard::board::core::{Core, Durable, Moment, Opening, Outcome, Request};
use whiteboard::board::scene::action::{Action, Asked, Join, RestoreTo, Since, What};
use whiteboard::board::scene::event::Event;
use whiteboard::board::scene::identity::{Role, UserId};
use whiteboard::board::scene::{Scene, State};
use whiteboard::protocol::native::encode;
use whiteboard::protocol::native::message::Message;

const ROLES: [Role; 4] = [Role::Teacher, Role::Pupil, Role::Pupil, Role::Viewer];

const LIMITS: encode::Limits = encode::Limits { message: 1 << 20, file: 1 << 20 };

/// Messages of one run.
const LINES: usize = 200;

struct Room {
    scene: Scene,
    log: Vec<String>,
    /// The number of each person's present client.
    clients: [u64; 4],
    next: u64,
    time: i64,
}

impl Room {
    fn new() -> Self {
        let opening = Opening { epoch: "e".into(), ..Opening::default() };
        let mut room =
            Self { scene: Scene::open(State::default(), opening), log: Vec::new(), clients: [0; 4], next: 1, time: 0 };
        (0..ROLES.len()).for_each(|who| room.join(who, None));
        room
    }

    fn now(&mut self) -> Moment {
        self.time += 1;
        Moment { run: std::time::Duration::from_millis(self.time.unsigned_abs()), unix_ms: self.time * 1_000_000 }
    }

    fn join(&mut self, who: usize, seq: Option<u64>) {
        self.act(who, Action::Leave);
        self.clients[who] = self.next;
        self.next += 1;
        let join = Join {
            user: UserId(who as u64 / 2),
            session: format!("session-{who}").into(),
            name: "".into(),
            color: None,
            role: ROLES[who],
            since: seq.map(|seq| Since { epoch: "e".into(), seq }),
            present: who != 2,
        };
        self.act(who, Action::Join(join));
    }

    fn act(&mut self, who: usize, action: Action) {
        let now = self.now();
        let outcome = self.scene.handle(Request { client: self.clients[who], action, ack: None }, now);
        self.take(outcome);
    }

    fn take(&mut self, outcome: Outcome<Event>) {
        self.log.extend(outcome.records);
        for effect in outcome.effects.iter().chain(&outcome.volatile) {
            // What goes to clients is JSON, whatever clients sent.
            let mut text = String::new();
            encode::write(&effect.event, LIMITS, &mut text);
            serde_json::from_str::<&serde_json::value::RawValue>(&text).expect("an event is JSON");
        }
    }

    fn after(&self, seq: usize) -> State {
        let mut state = State::default();
        for record in self.log.iter().take(seq) {
            state.replay(record).expect("what was recorded can be read");
        }
        state
    }

    fn line(&mut self, line: &str) {
        let mut letters = line.chars();
        let first = letters.next();
        let rest = letters.as_str();
        let opening = Opening { epoch: "e".into(), seq: self.log.len() as u64, ..Opening::default() };
        match first {
            Some('!') => {
                self.scene = Scene::open(self.after(usize::MAX), opening);
                (0..ROLES.len()).for_each(|who| self.join(who, None));
            }
            Some('?') => {
                let state = self.after(usize::MAX);
                let outcome = self.scene.reload(state, opening, "no");
                self.take(outcome);
                (0..ROLES.len()).for_each(|who| self.join(who, Some(0)));
            }
            Some('+') => {
                let seq = self.log.len() as u64;
                let back = rest.get(1..).and_then(|back| back.parse().ok()).unwrap_or(0);
                if let Some(who) = person(rest.chars().next()) {
                    self.join(who, Some(seq.saturating_sub(back)));
                }
            }
            first => {
                let Some(who) = person(first) else { return };
                let Ok(message) = Message::parse(rest) else { return };
                let action = match message {
                    Message::Asked(asked) => Action::Durable(asked),
                    Message::Restore { id, seq } => {
                        let past = self.after(usize::try_from(seq).unwrap_or(usize::MAX));
                        Action::Durable(Asked { id, what: What::RestoreTo(RestoreTo::of(seq, &past)) })
                    }
                    Message::Draft(draft) => Action::Draft(draft),
                    Message::Volatile(volatile) => Action::Volatile(volatile),
                    Message::Hello(_) | Message::Ping => return,
                };
                self.act(who, action);
            }
        }
    }
}

fn person(letter: Option<char>) -> Option<usize> {
    let digit = letter?.to_digit(10)? as usize;
    (digit < ROLES.len()).then_some(digit)
}

/// The log and the snapshot of a lesson.
pub fn lesson(text: &str) -> (Vec<String>, String) {
    let room = played(text);
    let snapshot = room.scene.state().encode();
    (room.log, snapshot)
}

fn played(text: &str) -> Room {
    let mut room = Room::new();
    for line in text.lines().take(LINES) {
        room.line(line);
    }
    room
}

pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let room = played(text);
    let encoded = room.scene.state().encode();
    assert_eq!(room.after(usize::MAX).encode(), encoded, "the log gives the board");
    assert_eq!(State::decode(&encoded).expect("a snapshot can be read").encode(), encoded, "so does a snapshot");
}
