//! Clients of a canvas that say anything. A line is one message: the digit of who says it, then the message as pages send
//! it. `!` kills the server, `?` makes writing fail, `<` and a number brings the canvas back to how it was after so many
//! operations.

use std::collections::BTreeMap;
use std::time::Duration;
use whiteboard::board::canvas::members::Members;
use whiteboard::board::canvas::{Action, Canvas, Event, Role, State, User};
use whiteboard::board::core::{Core, Durable, Limits, Moment, Opening, Outcome, Request, To};
use whiteboard::protocol::collabcanvas::{encode, message};

/// The people; the last one never says anything.
const ROLES: [Role; 4] = [Role::Owner, Role::Editor, Role::Viewer, Role::Viewer];
const WATCHER: u64 = 3;

/// Messages of one run.
const LINES: usize = 200;

const LIMITS: Limits = Limits {
    elements: 40,
    bytes: 32 << 10,
    element_bytes: 8 << 10,
    message_bytes: 1 << 20,
    file_bytes: 0,
    files_bytes: 0,
};

struct Room {
    canvas: Canvas,
    log: Vec<String>,
    time: u64,
    /// What the watcher's page shows: ids and objects, the lowest first.
    shown: Vec<(String, String)>,
}

fn opening() -> Opening {
    Opening { limits: LIMITS, ..Opening::default() }
}

fn id_of(object: &str) -> String {
    let members = Members::parse(object).expect("an object is a JSON object");
    serde_json::from_str(members.get("id").expect("an object has an id").get()).expect("an id is a text")
}

fn whole(array: &str) -> Vec<(String, String)> {
    let objects: Vec<&serde_json::value::RawValue> = serde_json::from_str(array).expect("a canvas is a list");
    objects.into_iter().map(|object| (id_of(object.get()), object.get().to_owned())).collect()
}

/// What an object means: its members, whatever lies between them.
fn meaning(object: &str) -> Vec<(String, String)> {
    let members = Members::parse(object).expect("an object is a JSON object");
    members.iter().map(|(key, value)| (key.to_owned(), value.get().to_owned())).collect()
}

impl Room {
    fn new() -> Self {
        let canvas = Canvas::open(State::default(), opening());
        let mut room = Self { canvas, log: Vec::new(), time: 0, shown: Vec::new() };
        room.join();
        room
    }

    fn join(&mut self) {
        for (client, role) in (0_u32..).zip(ROLES) {
            let user = User { id: i64::from(client) + 1, username: "n".into(), color: "#123456".into() };
            self.act(client.into(), Action::Join { user, role }, 0);
        }
    }

    fn act(&mut self, client: u64, action: Action, said: usize) {
        self.time += 37;
        let now = Moment { run: Duration::from_millis(self.time), unix_ms: 0 };
        let before = self.canvas.state().bytes();
        let outcome = self.canvas.handle(Request { client, action, ack: None }, now);
        let most = 2 * (said + before + self.canvas.state().bytes()) + 100 * self.canvas.state().len() + 4_096;
        self.take(outcome, most);
        let ticked = self.canvas.tick(now);
        self.take(ticked, 4_096);
    }

    fn take(&mut self, outcome: Outcome<Event>, most: usize) {
        self.log.extend(outcome.records);
        let mut told: BTreeMap<u64, usize> = BTreeMap::new();
        for effect in outcome.effects.iter().chain(&outcome.volatile) {
            let mut text = String::new();
            encode::write(&effect.event, &mut text);
            serde_json::from_str::<&serde_json::value::RawValue>(&text).expect("an event is JSON");
            for client in 0..ROLES.len() as u64 {
                let hears = match &effect.to {
                    To::One(one) => *one == client,
                    To::Others(other) => *other != client,
                    To::All => true,
                    To::Only(some) => some.contains(&client),
                };
                if hears {
                    *told.entry(client).or_default() += text.len();
                }
                if hears && client == WATCHER {
                    self.watch(&effect.event);
                }
            }
        }
        for (client, bytes) in told {
            assert!(bytes <= most, "client {client} is told {bytes} bytes, more than {most}");
        }
    }

    /// A page takes in what it hears.
    fn watch(&mut self, event: &Event) {
        match event {
            Event::AuthSuccess { objects, .. } => self.shown = whole(objects),
            Event::Created { object, .. } => {
                let id = id_of(object);
                match self.shown.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, old)) => *old = object.to_string(),
                    None => self.shown.push((id, object.to_string())),
                }
            }
            Event::Updated { id, delta, .. } => {
                let (_, old) = self.shown.iter_mut().find(|(known, _)| **known == **id).expect("what changes is there");
                let mut members = Members::parse(old).expect("an object is a JSON object");
                let delta = Members::parse(delta).expect("a change is a JSON object");
                delta.iter().for_each(|(key, value)| members.set(key, value));
                *old = members.text();
            }
            Event::Deleted { id, .. } => self.shown.retain(|(known, _)| **known != **id),
            Event::DeletedMany { ids, .. } => self.shown.retain(|(known, _)| !ids.iter().any(|id| **id == **known)),
            _ => {}
        }
    }

    fn after(&self, count: usize) -> State {
        let mut state = State::default();
        for record in self.log.iter().take(count) {
            state.replay(record).expect("what was recorded can be read");
        }
        state
    }

    fn line(&mut self, line: &str) {
        let Some(first) = line.chars().next() else { return };
        let rest = &line[first.len_utf8()..];
        match first {
            '!' => {
                self.canvas = Canvas::open(self.after(usize::MAX), opening());
                self.join();
            }
            '?' => {
                let state = self.after(usize::MAX);
                let outcome = self.canvas.reload(state, opening(), "no");
                self.take(outcome, 1 << 20);
            }
            '<' => {
                let Ok(count) = rest.parse() else { return };
                self.act(0, Action::Replace(self.after(count)), LIMITS.bytes);
            }
            '0'..='2' => {
                let client = u64::from(first.to_digit(10).unwrap_or_default());
                if let message::Message::Ask(action) = message::parse(rest) {
                    self.act(client, action, rest.len());
                }
            }
            _ => {}
        }
    }
}

/// The log and the snapshot of a lesson.
pub fn lesson(text: &str) -> (Vec<String>, String) {
    let room = played(text);
    let snapshot = room.canvas.state().encode();
    (room.log, snapshot)
}

fn played(text: &str) -> Room {
    let mut room = Room::new();
    for line in text.lines().take(LINES) {
        room.line(line);
        let state = room.canvas.state();
        assert!(state.len() <= LIMITS.elements && state.bytes() <= LIMITS.bytes, "a canvas keeps its limits");
    }
    room
}

pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let room = played(text);
    let encoded = room.canvas.state().encode();
    assert_eq!(room.after(usize::MAX).encode(), encoded, "the log gives the canvas");
    assert_eq!(State::decode(&encoded).expect("a snapshot can be read").encode(), encoded, "so does a snapshot");
    let means = |(id, object): &(String, String)| (id.clone(), meaning(object));
    let shown: Vec<_> = room.shown.iter().map(means).collect();
    let kept: Vec<_> = whole(&room.canvas.state().list()).iter().map(means).collect();
    assert_eq!(shown, kept, "a page that listens shows the canvas");
}
