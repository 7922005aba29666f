//! Random lessons in simulated time: clients with delays, disconnections and lost answers, a server that is killed or
//! cannot write. Whatever happens, all end with the board that the log gives. The plan is data, printed when it fails.

use super::harness::Room;
use super::model::{Model, Wish};
use crate::board::core::{ClientId, Core, Durable, Opening};
use crate::board::scene::State;
use crate::board::scene::action::What;
use crate::board::scene::element::Element;
use crate::board::scene::event::Event;
use crate::board::scene::identity::{Role, UserId};
use crate::board::scene::object::Object;
use crate::board::scene::operation::{Done, Edit, Operation};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Two tabs of a teacher, one of another; two pupils, one with two tabs; one who looks.
const PEOPLE: [(u64, Role); 7] = [
    (1, Role::Teacher),
    (1, Role::Teacher),
    (2, Role::Teacher),
    (3, Role::Pupil),
    (4, Role::Pupil),
    (4, Role::Pupil),
    (5, Role::Viewer),
];

#[derive(Clone, Debug)]
enum Plan {
    /// Makes an element, or changes a key of one that the client sees.
    Draw {
        who: usize,
        which: usize,
        key: bool,
        gesture: bool,
    },
    Delete {
        who: usize,
        which: usize,
    },
    Undo {
        who: usize,
    },
    Redo {
        who: usize,
    },
    Clear {
        who: usize,
    },
    Lock {
        who: usize,
        on: bool,
    },
    Quiz {
        who: usize,
        on: bool,
    },
    Remember,
    Restore {
        who: usize,
    },
    /// So many requests arrive at the server.
    Up {
        who: usize,
        messages: usize,
    },
    /// So many events arrive at the client.
    Down {
        who: usize,
        messages: usize,
    },
    Commit {
        outcomes: usize,
    },
    Cut {
        who: usize,
    },
    Connect {
        who: usize,
    },
    /// Somebody who is away comes back as a teacher, or as a pupil.
    Role {
        who: usize,
    },
    Kill,
    Fail,
}

fn plan() -> impl Strategy<Value = Plan> {
    let who = 0..PEOPLE.len();
    prop_oneof![
        12 => (who.clone(), 0..4usize, any::<bool>(), any::<bool>())
            .prop_map(|(who, which, key, gesture)| Plan::Draw { who, which, key, gesture }),
        3 => (who.clone(), 0..4usize).prop_map(|(who, which)| Plan::Delete { who, which }),
        5 => who.clone().prop_map(|who| Plan::Undo { who }),
        3 => who.clone().prop_map(|who| Plan::Redo { who }),
        1 => (0..3usize).prop_map(|who| Plan::Clear { who }),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, on)| Plan::Lock { who, on }),
        2 => (0..4usize, any::<bool>()).prop_map(|(who, on)| Plan::Quiz { who, on }),
        1 => Just(Plan::Remember),
        1 => (0..3usize).prop_map(|who| Plan::Restore { who }),
        12 => (who.clone(), 1..6usize).prop_map(|(who, messages)| Plan::Up { who, messages }),
        12 => (who.clone(), 1..12usize).prop_map(|(who, messages)| Plan::Down { who, messages }),
        10 => (1..8usize).prop_map(|outcomes| Plan::Commit { outcomes }),
        3 => who.clone().prop_map(|who| Plan::Cut { who }),
        8 => who.clone().prop_map(|who| Plan::Connect { who }),
        1 => who.prop_map(|who| Plan::Role { who }),
        1 => Just(Plan::Kill),
        1 => Just(Plan::Fail),
    ]
}

/// Both directions of one connection.
#[derive(Debug, Default)]
struct Wire {
    up: VecDeque<(u64, What)>,
    down: VecDeque<Event>,
}

#[derive(Debug)]
struct World {
    room: Room,
    models: Vec<Model>,
    wires: BTreeMap<ClientId, Wire>,
    next_value: u64,
    remembered: State,
}

impl World {
    fn new() -> Self {
        let mut room = Room::new(Opening { epoch: "epoch".into(), ..Opening::default() });
        room.prompt = false;
        let models = PEOPLE.iter().enumerate().map(|(tab, (user, role))| Model::new(*user, tab, *role)).collect();
        Self { room, models, wires: BTreeMap::new(), next_value: 1, remembered: State::default() }
    }

    fn value(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value
    }

    /// The text of an element with one key changed, or of a new one; each value is written once in a run.
    fn drawn(&mut self, who: usize, which: usize, key: bool) -> Element {
        let view = self.models[who].view();
        let value = self.value();
        let key = if key { "x" } else { "y" };
        let id: Arc<str> = format!("e{which}").into();
        let (text, version) = match view.get(&id) {
            Some(element) => (element.text().to_owned(), element.version() + 1),
            None => (format!(r#"{{"id":"{id}","type":"t","version":1,"versionNonce":0,"x":{value},"y":{value}}}"#), 1),
        };
        let mut object = Object::parse(&text).unwrap();
        object.set(key, value.to_string());
        object.set("version", version.to_string());
        object.set("versionNonce", (value * 7919 % 1000).to_string());
        Element::from_text(&object.text()).unwrap()
    }

    fn follow(&mut self, plan: &Plan) {
        match plan {
            Plan::Draw { who, which, key, gesture } => {
                let element = self.drawn(*who, *which, *key);
                let gesture = gesture.then_some(1);
                self.models[*who].ask(Wish::Put { gesture, elements: vec![element] });
            }
            Plan::Delete { who, which } => {
                let view = self.models[*who].view();
                let Some(element) = view.get(format!("e{which}").as_str()) else { return };
                let mut object = Object::parse(element.text()).unwrap();
                object.set("version", (element.version() + 1).to_string());
                object.set("isDeleted", "true");
                let element = Element::from_text(&object.text()).unwrap();
                self.models[*who].ask(Wish::Put { gesture: None, elements: vec![element] });
            }
            Plan::Undo { who } => self.models[*who].ask(Wish::Undo),
            Plan::Redo { who } => self.models[*who].ask(Wish::Redo),
            Plan::Clear { who } => self.models[*who].ask(Wish::Clear),
            Plan::Lock { who, on } => self.models[*who].ask(Wish::Lock(*on)),
            Plan::Quiz { who, on } => self.models[*who].ask(Wish::Quiz(*on)),
            Plan::Remember => self.remembered = self.room.on_disk().0,
            Plan::Restore { who } => {
                let past = self.remembered.clone();
                self.models[*who].ask(Wish::Restore(past));
            }
            Plan::Up { who, messages } => self.up(*who, *messages),
            Plan::Down { who, messages } => self.down(*who, *messages),
            Plan::Commit { outcomes } => self.room.commit(*outcomes),
            Plan::Cut { who } => self.cut(*who),
            Plan::Connect { who } => self.connect(*who),
            Plan::Role { who } => {
                let model = &mut self.models[*who];
                match model.role {
                    Role::Teacher if model.client.is_none() => model.role = Role::Pupil,
                    Role::Pupil if model.client.is_none() => model.role = Role::Teacher,
                    _ => {}
                }
            }
            Plan::Kill => {
                for model in &mut self.models {
                    model.disconnected();
                }
                self.wires.clear();
                self.room.restart();
            }
            Plan::Fail => {
                self.room.fail();
                self.close();
            }
        }
        self.collect();
    }

    /// Events go from the room onto the wires.
    fn collect(&mut self) {
        for (client, wire) in &mut self.wires {
            wire.down.extend(self.room.received(*client));
        }
    }

    /// Ends the connections that the room wants to be closed.
    fn close(&mut self) {
        for (client, _) in std::mem::take(&mut self.room.closed) {
            if let Some(who) = self.models.iter().position(|model| model.client == Some(client)) {
                self.cut(who);
            }
        }
    }

    fn cut(&mut self, who: usize) {
        let Some(client) = self.models[who].client else { return };
        self.models[who].disconnected();
        self.wires.remove(&client);
        self.room.cut(client);
    }

    fn connect(&mut self, who: usize) {
        if self.models[who].client.is_some() {
            return;
        }
        let client = self.room.join(self.models[who].hello());
        self.models[who].client = Some(client);
        self.wires.insert(client, Wire::default());
    }

    fn up(&mut self, who: usize, messages: usize) {
        let Some(client) = self.models[who].client else { return };
        let Some(wire) = self.wires.get_mut(&client) else { return };
        wire.up.extend(self.models[who].unsent());
        for _ in 0..messages {
            let Some((id, what)) = wire.up.pop_front() else { return };
            self.room.ask(client, id, what);
        }
    }

    fn down(&mut self, who: usize, messages: usize) {
        let Some(client) = self.models[who].client else { return };
        let Some(wire) = self.wires.get_mut(&client) else { return };
        for _ in 0..messages {
            let Some(event) = wire.down.pop_front() else { return };
            self.models[who].receive(&event);
        }
    }

    /// Everybody comes back and everything arrives.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 100, "it never comes to rest");
            for who in 0..PEOPLE.len() {
                self.connect(who);
                self.up(who, usize::MAX);
            }
            self.room.commit(usize::MAX);
            self.collect();
            for who in 0..PEOPLE.len() {
                self.down(who, usize::MAX);
            }
            if round > 1 && self.models.iter().all(|model| model.queue.is_empty()) {
                return;
            }
        }
    }

    fn check(&self) {
        let state = self.room.scene.state();
        assert_eq!(self.room.on_disk().0.encode(), state.encode(), "the log gives the board");
        for (who, model) in self.models.iter().enumerate() {
            let sees_all = !state.quiz || model.role == Role::Teacher;
            let visible: BTreeMap<Arc<str>, Element> = state
                .elements
                .iter()
                .filter(|(owner, _)| sees_all || owner.teacher || owner.user == model.user)
                .map(|(_, element)| (element.id().clone(), element.clone()))
                .collect();
            assert_eq!(model.view(), visible, "client {who} shows the server's board");
            assert_eq!(model.known(), visible, "client {who} knows the server's board");
        }
    }
}

/// Who ever gave a key of an element a value, be it by undo or redo, and who deleted what is deleted. Each value is drawn
/// once in a run, so that two users never come to the same by chance.
#[derive(Default)]
struct Authors {
    gave: BTreeSet<(UserId, Arc<str>, String, String)>,
    deleter: BTreeMap<Arc<str>, UserId>,
}

impl Authors {
    fn values(element: Option<&Element>) -> BTreeMap<String, String> {
        let Some(element) = element else { return BTreeMap::new() };
        let object = Object::parse(element.text()).unwrap();
        ["x", "y"].iter().map(|key| ((*key).to_owned(), object.get(key).unwrap().to_owned())).collect()
    }

    /// Goes through an operation; of undo and redo it asserts that they change nothing that is another's.
    fn follow(&mut self, state: &State, operation: &Operation) {
        let me = operation.by.user;
        let empty = Edit::default();
        let (edit, back) = match &operation.done {
            Done::Change { edit, .. } | Done::Restore { edit, .. } => (edit, false),
            Done::Undo { edit, .. } | Done::Redo { edit, .. } => (edit, true),
            Done::Clear { .. } => {
                self.deleter.extend(state.live().iter().map(|element| (element.id().clone(), me)));
                (&empty, false)
            }
            _ => return,
        };
        let changes = edit.elements.iter().map(|element| (element.id(), Some(element)));
        for (id, after) in changes.chain(edit.deleted.iter().map(|deleted| (&deleted.id, None))) {
            let before = state.elements.live(id);
            let (old, new) = (Self::values(before), Self::values(after));
            if before.is_none() && after.is_some() && back {
                assert_eq!(self.deleter.get(id), Some(&me), "{id} comes back, which somebody else deleted");
            }
            for (key, value) in &old {
                let is_mine = || self.gave.contains(&(me, id.clone(), key.clone(), value.clone()));
                assert!(
                    !back || new.get(key) == Some(value) || is_mine(),
                    "{operation:?} takes {key} of {id} from others"
                );
            }
            for (key, value) in new {
                if old.get(&key) != Some(&value) {
                    self.gave.insert((me, id.clone(), key, value));
                }
            }
            if after.is_none() {
                self.deleter.insert(id.clone(), me);
            }
        }
    }
}

/// Goes through a log, watching undo; a snapshot in the middle and the rest give the same board as all of it.
fn check_log(log: &[String]) {
    let (mut state, mut authors) = (State::default(), Authors::default());
    let mut halfway = None;
    for (place, record) in log.iter().enumerate() {
        if place == log.len() / 2 {
            halfway = Some(State::decode(&state.encode()).unwrap());
        }
        let operation = Operation::decode(record).unwrap();
        assert_eq!(&operation.encode(), record);
        authors.follow(&state, &operation);
        state.replay(record).unwrap();
        if let Some(halfway) = &mut halfway {
            halfway.replay(record).unwrap();
        }
    }
    assert_eq!(halfway.map_or(state.encode(), |halfway| halfway.encode()), state.encode());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// S4, Q2, M2, U1, V1: all end with the board that the log gives.
    #[test]
    fn whatever_happens_all_end_with_the_same_board(plans in proptest::collection::vec(plan(), 1..250)) {
        let mut world = World::new();
        world.settle();
        for plan in &plans {
            world.follow(plan);
        }
        world.settle();
        world.check();
        check_log(&world.room.log);
    }

    /// Nothing is acknowledged that a kill right after it would lose, and nothing is executed twice: with pupils who
    /// only make elements, the board has exactly those that were acknowledged.
    #[test]
    fn what_was_acknowledged_survives_and_nothing_is_done_twice(
        steps in proptest::collection::vec((3..6usize, 0..10u8), 1..200)
    ) {
        let mut world = World::new();
        let mut made = 0;
        for (who, step) in steps {
            match step {
                0..=3 => {
                    let text = format!(r#"{{"id":"n{made}","type":"t","version":1,"versionNonce":0,"x":0,"y":0}}"#);
                    let elements = vec![Element::from_text(&text).unwrap()];
                    world.models[who].ask(Wish::Put { gesture: None, elements });
                    made += 1;
                }
                4 => world.follow(&Plan::Connect { who }),
                5 => world.follow(&Plan::Up { who, messages: 3 }),
                6 => world.follow(&Plan::Commit { outcomes: 2 }),
                7 => world.follow(&Plan::Down { who, messages: 4 }),
                8 => world.follow(&Plan::Cut { who }),
                _ => {
                    let answered: u64 = world.models.iter().map(|model| model.acks).sum();
                    world.follow(&Plan::Kill);
                    prop_assert!(world.room.scene.state().count() >= answered);
                }
            }
        }
        world.settle();
        world.check();
        prop_assert_eq!(world.room.scene.state().count(), made);
        prop_assert_eq!(world.room.log.len() as u64, made, "one record each");
    }
}
