use super::*;
use crate::board::core::{Durable, Effect};
use proptest::prelude::*;
use serde_json::value::RawValue;

fn user(id: i64) -> User {
    User { id, username: format!("user{id}").into(), color: "#123456".into() }
}

fn at(ms: u64) -> Moment {
    Moment { run: Duration::from_millis(ms), unix_ms: 0 }
}

fn object(id: &str, x: i32) -> Object {
    Object::new(&format!(r#"{{"id":"{id}","type":"circle","x":{x},"y":0,"radius":5}}"#)).unwrap()
}

fn update(id: &str, updates: &str) -> Action {
    Action::Update { id: id.into(), delta: Delta::new(id, updates).unwrap() }
}

fn cursor(x: i32) -> Action {
    let number = |n: i32| RawValue::from_string(n.to_string()).unwrap();
    Action::Cursor { x: number(x), y: number(0) }
}

/// A canvas and everything it wrote down.
struct Bench {
    canvas: Canvas,
    log: Vec<String>,
}

impl Bench {
    /// Clients 1 and 2 are users 1 and 2, who may edit; client 3 is user 3, who may look.
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let canvas = Canvas::open(State::default(), Opening { limits, ..Opening::default() });
        let mut bench = Self { canvas, log: Vec::new() };
        for (client, role) in [(1, Role::Owner), (2, Role::Editor), (3, Role::Viewer)] {
            bench.join(client, i64::try_from(client).unwrap(), role);
        }
        bench
    }

    fn join(&mut self, client: ClientId, id: i64, role: Role) -> Outcome<Event> {
        self.ask(client, Action::Join { user: user(id), role })
    }

    fn ask(&mut self, client: ClientId, action: Action) -> Outcome<Event> {
        let outcome = self.canvas.handle(Request { client, action, ack: None }, at(1000));
        self.log.extend(outcome.records.iter().cloned());
        outcome
    }

    /// What a request leads to: rows written, and events with their receivers.
    fn told(&mut self, client: ClientId, action: Action) -> (usize, Vec<(To, Event)>) {
        let outcome = self.ask(client, action);
        assert!(outcome.closes.is_empty() && outcome.volatile.is_empty());
        let told = outcome.effects.into_iter().map(|Effect { to, event }| (to, event)).collect();
        (outcome.records.len(), told)
    }

    fn by(&self, client: ClientId) -> Arc<User> {
        self.canvas.people.get(client).unwrap().user.clone()
    }
}

#[test]
fn a_newcomer_gets_the_canvas_and_the_others_hear_of_it() {
    let mut bench = Bench::new();
    bench.ask(1, Action::Create(object("a", 1)));
    let before = bench.canvas.state.list();
    let outcome = bench.join(4, 4, Role::Editor);
    let newcomer = bench.by(4);
    let [success, connected, presence, to_others] = &outcome.effects[..] else { panic!("{outcome:?}") };
    let expected = Event::AuthSuccess { user: newcomer.clone(), objects: before.into() };
    assert_eq!((&success.to, &success.event), (&To::One(4), &expected));
    assert_eq!((&connected.to, &connected.event), (&To::Others(4), &Event::UserConnected(newcomer)));
    let Event::Presence(users) = &presence.event else { panic!("{presence:?}") };
    assert_eq!((&presence.to, &to_others.to, &to_others.event), (&To::One(4), &To::Others(4), &presence.event));
    assert_eq!(users.iter().map(|user| user.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn leaving_is_told_once_for_all_tabs_of_a_person() {
    let mut bench = Bench::new();
    let second_tab = bench.join(4, 1, Role::Owner);
    assert!(matches!(&second_tab.effects[2].event, Event::Presence(users) if users.len() == 3), "one entry a user");
    let (_, told) = bench.told(1, Action::Leave);
    assert!(matches!(&told[..], [(To::Others(1), Event::Presence(users))] if users.len() == 3), "{told:?}");
    let (_, told) = bench.told(4, Action::Leave);
    let [(to, Event::UserDisconnected(gone)), (_, Event::Presence(users))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((to, gone.id, users.len()), (&To::Others(4), 1, 2));
    assert_eq!(bench.told(4, Action::Leave).1.len(), 0, "a second time says nothing");
}

#[test]
fn changes_go_to_those_whom_the_contract_names() {
    let mut bench = Bench::new();
    let by = bench.by(1);
    let a = object("a", 1);
    let created = Event::Created { object: a.text().clone(), by: by.clone() };
    assert_eq!(bench.told(1, Action::Create(a.clone())), (1, vec![(To::Others(1), created)]));
    assert_eq!(bench.told(1, Action::Create(a)), (0, vec![]), "sent again");
    let updated = Event::Updated { id: "a".into(), delta: r#"{"x":2}"#.into(), by: by.clone() };
    assert_eq!(bench.told(1, update("a", r#"{"x":2,"y":0}"#)), (1, vec![(To::Others(1), updated)]));
    assert_eq!(bench.told(1, update("a", r#"{"x":2}"#)), (0, vec![]), "nothing new");
    assert_eq!(bench.told(1, update("unknown", r#"{"x":2}"#)), (0, vec![]), "ignored");
    let deleted = Event::Deleted { id: "a".into(), by: by.clone() };
    assert_eq!(bench.told(1, Action::Delete("a".into())), (1, vec![(To::Others(1), deleted)]));
    assert_eq!(bench.told(1, Action::Delete("a".into())), (0, vec![]));
    for id in ["b", "c", "d"] {
        bench.ask(1, Action::Create(object(id, 1)));
    }
    let many = |ids: &[&str]| Action::DeleteMany(ids.iter().map(|id| (*id).to_owned()).collect());
    let gone = |ids: &[&str]| Event::DeletedMany { ids: ids.iter().map(|id| (*id).into()).collect(), by: by.clone() };
    assert_eq!(bench.told(1, many(&["b", "x", "d", "b"])), (1, vec![(To::All, gone(&["b", "d"]))]));
    assert_eq!(bench.told(1, many(&["x"])), (0, vec![(To::One(1), gone(&["x"]))]));
    assert_eq!(bench.canvas.state.len(), 1);
}

#[test]
fn who_may_only_look_changes_nothing_and_sees_what_is_there() {
    let mut bench = Bench::new();
    let a = object("a", 1);
    bench.ask(1, Action::Create(a.clone()));
    let by = bench.by(3);
    let before = bench.canvas.state.encode();
    let taken_back = |delta: &str| Event::Updated { id: "a".into(), delta: delta.into(), by: by.clone() };
    let again = Event::Created { object: a.text().clone(), by: by.clone() };
    let new_one_goes = Event::DeletedMany { ids: vec!["new".into()], by: by.clone() };
    for (action, mended) in [
        (Action::Create(object("new", 1)), vec![new_one_goes]),
        (Action::Create(object("a", 9)), vec![taken_back(r#"{"type":"circle","x":1,"y":0,"radius":5}"#)]),
        (update("a", r#"{"x":7,"rotation":3}"#), vec![taken_back(r#"{"x":1,"rotation":null}"#)]),
        (Action::Delete("a".into()), vec![again.clone()]),
        (Action::DeleteMany(vec!["a".into(), "x".into()]), vec![again.clone()]),
        (Action::DeleteMany(vec!["a".into(); 1000]), vec![again]),
    ] {
        let mut expected = vec![Event::Error(LOOK_ONLY.to_owned())];
        expected.extend(mended);
        let expected: Vec<(To, Event)> = expected.into_iter().map(|event| (To::One(3), event)).collect();
        assert_eq!(bench.told(3, action), (0, expected));
    }
    assert_eq!(bench.canvas.state.encode(), before);
    assert_eq!(bench.ask(3, cursor(1)).volatile.len(), 1, "pointing is looking");
}

#[test]
fn what_is_wrong_is_told_to_the_sender_only() {
    let mut bench = Bench::new();
    let wrong = Action::Wrong { sentence: "No.".into(), mend: Mend::Nothing };
    assert_eq!(bench.told(2, wrong), (0, vec![(To::One(2), Event::Error("No.".into()))]));
    bench.ask(1, Action::Create(object("a", 1)));
    let (rows, told) = bench.told(2, update("a", r#"{"x":null}"#));
    assert_eq!((rows, told.len()), (0, 2));
    assert!(matches!(&told[0], (To::One(2), Event::Error(sentence)) if sentence.contains("x is missing")), "{told:?}");
    let refused = bench.canvas.refuse(
        Request { client: 2, action: Action::Delete("a".into()), ack: None },
        Refusal::DiskFull,
        at(0),
    );
    let expected = Event::Error(Refusal::DiskFull.sentence().to_owned());
    assert_eq!((refused.records.len(), &refused.effects[0].event), (0, &expected));
    assert!(matches!(&refused.effects[1].event, Event::Created { .. }));
    assert!(matches!(Canvas::turned_away(Refusal::Unreadable), Event::AuthFailed(_)));
}

#[test]
fn nobody_acts_before_joining_or_after_leaving() {
    let mut bench = Bench::new();
    bench.ask(2, Action::Leave);
    for client in [2, 99] {
        assert_eq!(bench.told(client, Action::Create(object("a", 1))), (0, vec![]));
        assert!(bench.ask(client, cursor(1)).is_empty());
    }
    assert!(bench.canvas.state.is_empty());
}

#[test]
fn a_full_canvas_takes_no_more_but_can_be_emptied() {
    let length = object("a", 1).text().len();
    let limits = Limits { elements: 2, bytes: 3 * length, element_bytes: 2 * length, ..Limits::default() };
    let mut bench = Bench::with(limits);
    bench.ask(1, Action::Create(object("a", 1)));
    bench.ask(1, Action::Create(object("b", 1)));
    let error = |(rows, told): (usize, Vec<(To, Event)>)| match (rows, told.into_iter().next()) {
        (0, Some((To::One(1), Event::Error(sentence)))) => sentence,
        other => panic!("{other:?}"),
    };
    assert!(error(bench.told(1, Action::Create(object("c", 1)))).contains("has 2 objects"));
    let note = |n: usize| format!(r#"{{"note":"{}"}}"#, "x".repeat(n));
    assert!(error(bench.told(1, update("a", &note(2 * length)))).contains("at most"));
    bench.ask(1, update("a", &note(length / 2)));
    assert!(error(bench.told(1, update("b", &note(length / 2)))).contains("has 1"));
    assert_eq!(bench.told(1, update("a", r#"{"note":""}"#)).0, 1, "smaller always fits");
    assert_eq!(bench.told(1, Action::Delete("a".into())).0, 1);
    assert_eq!(bench.told(1, Action::Create(object("c", 1))).0, 1);
}

#[test]
fn cursors_wait_for_nothing_and_gather() {
    let mut bench = Bench::new();
    let first = bench.ask(1, cursor(1));
    assert!(matches!(&first.volatile[..], [Effect { to: To::Others(1), event: Event::Cursor(p) }] if p.x.get() == "1"));
    for (client, x) in [(1, 2), (2, 3), (2, 4)] {
        assert!(bench.ask(client, cursor(x)).is_empty());
    }
    assert_eq!(bench.canvas.next_tick(), Some(Duration::from_millis(1050)));
    assert!(bench.canvas.tick(at(1049)).is_empty());
    let batch = bench.canvas.tick(at(1050));
    let [Effect { to: To::All, event: Event::CursorBatch(pointers) }] = &batch.volatile[..] else {
        panic!("{batch:?}")
    };
    let shown: Vec<(i64, &str)> = pointers.iter().map(|p| (p.user.id, p.x.get())).collect();
    assert_eq!(shown, [(1, "2"), (2, "4")]);
    assert!(bench.canvas.tick(at(1100)).is_empty());
    assert_eq!(bench.canvas.next_tick(), None);
    bench.ask(1, cursor(5));
    bench.ask(2, cursor(6));
    bench.ask(2, Action::Leave);
    assert!(bench.canvas.tick(at(1150)).is_empty(), "who has left points nowhere");
}

#[test]
fn after_a_failed_write_everybody_gets_the_canvas_as_it_is() {
    let mut bench = Bench::new();
    bench.ask(1, Action::Create(object("lost", 1)));
    let mut disk = State::default();
    disk.put(object("kept", 1));
    let list: Arc<str> = disk.list().into();
    let outcome = bench.canvas.reload(disk, Opening::default(), "Taken back.");
    for (effect, client) in outcome.effects.iter().zip(1..=3) {
        let expected = Event::AuthSuccess { user: bench.by(client), objects: list.clone() };
        assert_eq!((&effect.to, &effect.event), (&To::One(client), &expected));
    }
    assert_eq!(outcome.effects.last().unwrap().event, Event::Error("Taken back.".into()));
    assert!(bench.canvas.end_session(at(0)).is_empty());
}

#[test]
fn an_earlier_state_comes_back_as_an_operation() {
    let mut bench = Bench::new();
    for id in ["same", "changed", "gone"] {
        bench.ask(1, Action::Create(object(id, 1)));
    }
    let mut earlier = State::default();
    for object in [object("same", 1), object("changed", 2), object("deleted", 1)] {
        earlier.put(object);
    }
    let text = earlier.encode();
    let (rows, told) = bench.told(99, Action::Replace(earlier));
    let Event::DeletedMany { ids, by } = &told[0].1 else { panic!("{told:?}") };
    assert_eq!((rows, by.id), (1, 0));
    assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["changed", "gone"]);
    assert_eq!(told.len(), 3);
    assert!(told[1..].iter().all(|(to, event)| *to == To::All && matches!(event, Event::Created { .. })));
    assert_eq!(bench.canvas.state.encode(), text);
    let same = State::decode(&text).unwrap();
    assert_eq!(bench.told(1, Action::Replace(same)), (0, vec![]), "nothing to do");
}

/// A page shows what it hears of above all that it has.
#[test]
fn objects_lie_on_pages_as_they_did_earlier() {
    for (earlier, kept) in [("bac", "b"), ("abc", "abc"), ("ab", "ab"), ("bc", "bc"), ("acb", "ac"), ("abdc", "ab")] {
        let mut bench = Bench::new();
        for id in ["a", "b", "c"] {
            bench.ask(1, Action::Create(object(id, 1)));
        }
        let mut state = State::default();
        earlier.chars().for_each(|id| state.put(object(&id.to_string(), 1)));
        let text = state.encode();
        let mut shown: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        for (_, event) in bench.told(1, Action::Replace(state)).1 {
            match event {
                Event::DeletedMany { ids, .. } => {
                    shown.retain(|id| !ids.iter().any(|gone| **gone == **id));
                    assert_eq!(shown.concat(), kept, "{earlier}");
                }
                Event::Created { object, .. } => shown.push(Object::stored(&object).unwrap().id().to_string()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((shown.concat().as_str(), bench.canvas.state.encode()), (earlier, text));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Create(u8, u8, i32),
    Update(u8, u8, i32),
    Delete(u8, u8),
    DeleteMany(u8, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, id) = (1..=3_u8, 0..6_u8);
    prop_oneof![
        (client.clone(), id.clone(), 0..3).prop_map(|(c, id, x)| Step::Create(c, id, x)),
        (client.clone(), id.clone(), 0..3).prop_map(|(c, id, x)| Step::Update(c, id, x)),
        (client.clone(), id.clone()).prop_map(|(c, id)| Step::Delete(c, id)),
        (client, prop::collection::vec(id, 0..4)).prop_map(|(c, ids)| Step::DeleteMany(c, ids)),
    ]
}

/// A client as the old page is one: it shows its own changes at once and does what it is told.
#[derive(Default)]
struct Page(std::collections::BTreeMap<String, serde_json::Value>);

impl Page {
    fn create(&mut self, text: &str) {
        let object: serde_json::Value = serde_json::from_str(text).unwrap();
        self.0.insert(object["id"].as_str().unwrap().to_owned(), object);
    }

    fn update(&mut self, id: &str, delta: &str) {
        let delta: serde_json::Map<String, serde_json::Value> = serde_json::from_str(delta).unwrap();
        if let Some(object) = self.0.get_mut(id) {
            delta.into_iter().for_each(|(key, value)| object[key] = value);
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Created { object, .. } => self.create(object),
            Event::Updated { id, delta, .. } => self.update(id, delta),
            Event::Deleted { id, .. } => drop(self.0.remove(&**id)),
            Event::DeletedMany { ids, .. } => ids.iter().for_each(|id| drop(self.0.remove(&**id))),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn everybody_sees_what_is_on_disk(steps in prop::collection::vec(step(), 0..60)) {
        let mut bench = Bench::new();
        let mut pages = [Page::default(), Page::default(), Page::default()];
        for step in steps {
            let (client, action) = match step {
                Step::Create(client, id, x) => {
                    let object = object(&id.to_string(), x);
                    pages[usize::from(client) - 1].create(object.text());
                    (client, Action::Create(object))
                }
                Step::Update(client, id, x) => {
                    let updates = format!(r#"{{"x":{x}}}"#);
                    pages[usize::from(client) - 1].update(&id.to_string(), &updates);
                    (client, update(&id.to_string(), &updates))
                }
                Step::Delete(client, id) => {
                    pages[usize::from(client) - 1].0.remove(&id.to_string());
                    (client, Action::Delete(id.to_string()))
                }
                Step::DeleteMany(client, ids) => {
                    let ids: Vec<String> = ids.iter().map(u8::to_string).collect();
                    pages[usize::from(client) - 1].0.retain(|id, _| !ids.contains(id));
                    (client, Action::DeleteMany(ids))
                }
            };
            for Effect { to, event } in bench.ask(client.into(), action).effects {
                for (page, number) in pages.iter_mut().zip(1..) {
                    if to == To::All || to == To::One(number) || matches!(to, To::Others(not) if not != number) {
                        page.hear(&event);
                    }
                }
            }
        }
        let mut replayed = State::default();
        for row in &bench.log {
            replayed.replay(row).unwrap();
        }
        prop_assert_eq!(replayed.encode(), bench.canvas.state.encode());
        prop_assert_eq!(replayed.bytes(), bench.canvas.state.bytes());
        let mut disk = Page::default();
        bench.canvas.state.objects().for_each(|object| disk.create(object.text()));
        for page in pages {
            prop_assert_eq!(&page.0, &disk.0);
        }
    }
}
