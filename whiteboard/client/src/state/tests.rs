use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn text(id: &str, version: u64, nonce: u64) -> String {
    json!({"id": id, "version": version, "versionNonce": nonce, "isDeleted": false}).to_string()
}

fn element(id: &str, version: u64, nonce: u64) -> Element {
    Element::parse(&text(id, version, nonce)).unwrap()
}

fn change(elements: &[Element]) -> Request {
    Request::change(elements.to_vec())
}

fn welcome(resume: bool, seq: u64, last: u64) -> String {
    json!({
        "t": "welcome", "v": 1, "client": 1, "user": "u", "role": "teacher", "epoch": "e", "seq": seq,
        "board": {"id": "b", "title": "T", "kind": "board", "settings": {"a": 1}}, "locked": false, "quiz": true,
        "undo": 2, "redo": 1, "last": last, "limits": {}, "resume": resume, "drafts": [],
        "people": [{"client": 9, "user": "w", "name": "W", "color": "#fff", "role": "pupil"}],
    })
    .to_string()
}

fn joined(elements: &[&str]) -> State {
    let mut state = State::new(Identity { key: "k".repeat(16), session: "s".repeat(8), ..Identity::default() });
    state.receive(&welcome(false, 5, 0)).unwrap();
    state.receive(&format!(r#"{{"t":"snapshot","seq":5,"elements":[{}],"more":false}}"#, elements.join(","))).unwrap();
    state
}

fn shown(state: &State) -> Vec<(String, u64)> {
    state.elements().into_iter().map(|element| (element.id.to_string(), element.stamp.version)).collect()
}

fn of(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(id, version)| ((*id).to_owned(), *version)).collect()
}

#[test]
fn h1_hello_tells_where_to_go_on() {
    let mut state =
        State::new(Identity { name: "N".into(), access: Some("a".into()), look: true, ..Identity::default() });
    let hello: Value = serde_json::from_str(&state.hello()).unwrap();
    assert_eq!(hello, json!({"t":"hello","v":1,"key":"","session":"","name":"N","access":"a","look":true}));
    state.receive(&welcome(false, 5, 0)).unwrap();
    assert!(!state.hello().contains("seq"), "not before the snapshot is whole");
    state.receive(r#"{"t":"snapshot","seq":5,"elements":[],"more":true}"#).unwrap();
    assert!(!state.hello().contains("seq"), "nor in its middle");
    state.receive(r#"{"t":"snapshot","seq":5,"elements":[],"more":false}"#).unwrap();
    assert!(state.hello().contains(r#""epoch":"e","key":"","look":true,"name":"N","seq":5"#), "{}", state.hello());
    state.receive(r#"{"t":"reset","reason":"quiz"}"#).unwrap();
    assert!(!state.hello().contains("seq"), "nor after a reset");
}

#[test]
fn the_welcome_says_how_things_are() {
    let state = joined(&[]);
    assert_eq!((state.title(), state.settings(), state.quiz(), state.locked()), (Some("T"), r#"{"a":1}"#, true, false));
    assert_eq!((state.steps(), state.people()[&9].name.as_str(), state.seq()), ((2, 1), "W", Some(5)));
}

#[test]
fn q2_what_was_not_acknowledged_goes_out_again_with_its_number() {
    let mut state = State::new(Identity::default());
    state.ask(change(&[element("a", 1, 1)]));
    assert!(state.unsent().is_empty(), "nothing goes out before the welcome");
    state.receive(&welcome(false, 0, 0)).unwrap();
    assert_eq!(state.unsent().len(), 1);
    state.ask(Request::Undo);
    assert_eq!(state.unsent(), [r#"{"id":2,"t":"undo"}"#]);
    assert!(state.unsent().is_empty());
    state.receive(r#"{"t":"ack","id":1,"seq":1,"undo":1,"redo":0}"#).unwrap();
    state.ask(Request::Redo);
    state.disconnected();
    state.receive(&welcome(false, 1, 1)).unwrap();
    assert_eq!(state.unsent(), [r#"{"id":2,"t":"undo"}"#, r#"{"id":3,"t":"redo"}"#]);
}

#[test]
fn q1_numbers_go_on_after_what_the_server_has_executed() {
    let mut state = State::new(Identity::default());
    state.receive(&welcome(false, 0, 41)).unwrap();
    assert_eq!(state.ask(Request::Undo), 42);
}

#[test]
fn own_changes_show_at_once_and_stay_when_acknowledged() {
    let mut state = joined(&[&text("a", 1, 1)]);
    state.ask(change(&[element("a", 2, 1), element("b", 1, 1)]));
    assert_eq!(shown(&state), of(&[("a", 2), ("b", 1)]));
    assert_eq!(
        state.receive(r#"{"t":"ack","id":1,"seq":6,"undo":3,"redo":0}"#).unwrap(),
        Happening::Acknowledged { id: 1, seq: 6 }
    );
    assert_eq!((shown(&state), state.seq(), state.steps()), (of(&[("a", 2), ("b", 1)]), Some(6), (3, 0)));
    assert!(state.is_settled());
}

#[test]
fn m1_what_wins_shows_whoever_came_first() {
    let mut state = joined(&[&text("a", 1, 1)]);
    state.ask(change(&[element("a", 2, 5)]));
    state.receive(&format!(r#"{{"t":"change","seq":6,"by":"w","elements":[{}]}}"#, text("a", 2, 4))).unwrap();
    assert_eq!(state.elements()[0].stamp.nonce, 4, "of equal versions the lower nonce");
    state
        .receive(&format!(r#"{{"t":"ack","id":1,"seq":7,"undo":1,"redo":0,"elements":[{}]}}"#, text("a", 2, 4)))
        .unwrap();
    assert_eq!(state.elements()[0].stamp.nonce, 4);
    state.receive(r#"{"t":"change","seq":8,"by":"w","deleted":[["a",2,4]]}"#).unwrap();
    assert_eq!(state.elements().len(), 1, "not newer than what is there");
    state.receive(r#"{"t":"change","seq":9,"by":"w","deleted":[["a",3,9]]}"#).unwrap();
    assert!(state.elements().is_empty() && state.element("a").unwrap().deleted);
}

#[test]
fn e1_what_is_refused_shows_as_the_server_has_it() {
    let mut state = joined(&[&text("a", 1, 1)]);
    state.ask(change(&[element("a", 2, 1), element("b", 1, 1)]));
    let refusal = r#"{"t":"error","code":"locked","message":"No.","id":1}"#;
    assert_eq!(
        state.receive(refusal).unwrap(),
        Happening::Refused { id: Some(1), code: "locked".into(), message: "No.".into(), retry: None }
    );
    assert_eq!((shown(&state), state.waiting()), (of(&[("a", 1)]), 0));
}

#[test]
fn q4_what_was_executed_before_does_not_come_back_by_its_acknowledgement() {
    let mut state = joined(&[]);
    state.ask(change(&[element("a", 1, 1)]));
    state.unsent();
    state.disconnected();
    // It was executed, the element was deleted since, and the tombstone has gone.
    state.receive(&welcome(false, 900, 1)).unwrap();
    state.receive(r#"{"t":"snapshot","seq":900,"elements":[],"more":false}"#).unwrap();
    assert_eq!(state.unsent().len(), 1);
    state.receive(r#"{"t":"ack","id":1,"seq":900,"undo":0,"redo":0}"#).unwrap();
    assert!(state.elements().is_empty());
}

#[test]
fn q6_what_the_server_has_instead_counts_before_what_was_sent() {
    let mut state = joined(&[]);
    state.ask(change(&[element("a", 2, 2), element("b", 2, 2), element("c", 2, 2)]));
    // The same stamps came from elsewhere before, one with another content, and one as a deletion that the snapshot left out.
    let other = text("b", 2, 2).replace("false", "false,\"x\":1");
    state
        .receive(&format!(
            r#"{{"t":"ack","id":1,"seq":7,"undo":0,"redo":0,"elements":[{other}],"deleted":[["a",2,2]]}}"#
        ))
        .unwrap();
    assert_eq!(shown(&state), of(&[("b", 2), ("c", 2)]));
    assert_eq!(state.element("b").unwrap().text.as_deref(), Some(&*other));
}

#[test]
fn s2_a_snapshot_replaces_what_was_known_once_it_is_whole() {
    let mut state = joined(&[&text("old", 1, 1)]);
    state.disconnected();
    state.receive(&welcome(false, 9, 0)).unwrap();
    state.receive(&format!(r#"{{"t":"snapshot","seq":9,"elements":[{}],"more":true}}"#, text("a", 1, 1))).unwrap();
    assert_eq!(shown(&state), of(&[("old", 1)]));
    state.receive(&format!(r#"{{"t":"change","seq":10,"by":"w","elements":[{}]}}"#, text("c", 1, 1))).unwrap();
    state.receive(&format!(r#"{{"t":"snapshot","seq":9,"elements":[{}],"more":false}}"#, text("b", 1, 1))).unwrap();
    assert_eq!((shown(&state), state.seq()), (of(&[("a", 1), ("b", 1), ("c", 1)]), Some(10)));
}

#[test]
fn a_snapshot_cut_in_its_middle_counts_for_nothing() {
    let mut state = joined(&[&text("old", 1, 1)]);
    state.disconnected();
    state.receive(&welcome(false, 9, 0)).unwrap();
    state.receive(r#"{"t":"snapshot","seq":9,"elements":[],"more":true}"#).unwrap();
    state.disconnected();
    assert_eq!((shown(&state), state.seq()), (of(&[("old", 1)]), Some(5)));
    assert!(state.hello().contains(r#""seq":5"#));
    state.receive(&welcome(true, 9, 0)).unwrap();
    state.receive(r#"{"t":"change","seq":9,"by":"w","deleted":[["old",2,1]]}"#).unwrap();
    assert!(state.elements().is_empty());
}

#[test]
fn v3_a_reset_makes_everything_acknowledged_void() {
    let mut state = joined(&[&text("others", 1, 1)]);
    state.ask(change(&[element("mine", 1, 1)]));
    state.receive(r#"{"t":"reset","reason":"quiz"}"#).unwrap();
    assert_eq!((shown(&state), state.is_settled()), (of(&[("mine", 1)]), false));
    state.receive(r#"{"t":"snapshot","seq":6,"elements":[],"more":false}"#).unwrap();
    state.receive(r#"{"t":"ack","id":1,"seq":7,"undo":0,"redo":0}"#).unwrap();
    assert_eq!((shown(&state), state.is_settled()), (of(&[("mine", 1)]), true));
}

#[test]
fn d4_points_that_did_not_arrive_are_sent_whole() {
    let drafted = |whole| Drafted { whole, base: r#"{"id":"s"}"#.into(), count: 2 };
    let request = |drafted| Request::Change { elements: vec![], drafted: vec![drafted], gesture: None };
    let mut state = joined(&[]);
    state.ask(request(drafted(element("s", 1, 1))));
    assert!(state.unsent()[0].contains(r#""drafts":[{"id":"s","count":2}]"#));
    state.receive(r#"{"t":"error","code":"draft","message":"Which?","id":1}"#).unwrap();
    assert_eq!(shown(&state), of(&[("s", 1)]), "it stays on the screen");
    assert_eq!(state.unsent(), [format!(r#"{{"t":"change","id":2,"elements":[{}]}}"#, text("s", 1, 1))]);
    state.ask(request(drafted(element("r", 1, 1))));
    state.disconnected();
    state.receive(&welcome(true, 5, 0)).unwrap();
    assert!(state.unsent().iter().all(|text| !text.contains("drafts")), "nor are there drafts of an older connection");
}

#[test]
fn people_and_drafts_come_and_go() {
    let mut state = joined(&[]);
    state.receive(r#"{"t":"join","client":4,"user":"x","name":"X","color":"red","role":"viewer"}"#).unwrap();
    state.receive(r#"{"t":"draft","c":4,"el":"s","from":0,"points":[[0,0]],"base":{}}"#).unwrap();
    state.receive(r#"{"t":"draft","c":9,"el":"t","from":0,"points":[[0,0]],"base":{}}"#).unwrap();
    assert_eq!((state.people().len(), state.drafts().iter().count()), (2, 2));
    state.receive(r#"{"t":"leave","client":4}"#).unwrap();
    assert_eq!((state.people().len(), state.drafts().iter().count()), (1, 1));
    state.receive(&format!(r#"{{"t":"change","seq":6,"by":"w","elements":[{}]}}"#, text("t", 1, 1))).unwrap();
    assert_eq!(state.drafts().iter().count(), 0);
    assert_eq!(
        state.receive(r#"{"t":"v","c":9,"k":"cursor","d":[1.50,2]}"#).unwrap(),
        Happening::Volatile { client: 9, kind: "cursor".into(), data: "[1.50,2]".into() }
    );
    state.disconnected();
    assert!(state.people().is_empty());
}

#[test]
fn settings_title_and_switches_follow() {
    let mut state = joined(&[]);
    for text in [
        r#"{"t":"title","seq":6,"by":"w","title":"New"}"#,
        r#"{"t":"settings","seq":7,"by":"w","values":{"b": 1e21}}"#,
        r#"{"t":"lock","seq":8,"by":"w","on":true}"#,
        r#"{"t":"quiz","seq":9,"by":"w","on":false}"#,
    ] {
        assert_eq!(state.receive(text).unwrap(), Happening::Changed);
    }
    assert_eq!(
        (state.title(), state.settings(), state.quiz(), state.locked()),
        (Some("New"), r#"{"b": 1e21}"#, false, true)
    );
    assert_eq!(state.seq(), Some(9));
}

#[test]
fn what_comes_out_of_place_is_told() {
    let mut state = State::new(Identity::default());
    assert!(state.receive(r#"{"t":"reset","reason":"x"}"#).unwrap_err().to_string().contains("before the welcome"));
    assert!(state.receive(&welcome(true, 5, 0)).unwrap_err().to_string().contains("nothing to go on from"));
    assert_eq!(state.receive(r#"{"t":"news"}"#).unwrap(), Happening::Nothing);
}

/// A server of a few lines, by the rules: it merges, numbers, executes once, answers and tells the others.
#[derive(Default)]
struct Server {
    elements: BTreeMap<String, (Element, String)>,
    log: Vec<Vec<String>>,
    last: HashMap<usize, u64>,
    outbox: HashMap<usize, VecDeque<String>>,
}

impl Server {
    fn hello(&mut self, client: usize, hello: &str, keeps: usize) {
        let hello: Value = serde_json::from_str(hello).unwrap();
        let (seq, last) = (self.log.len(), self.last.get(&client).copied().unwrap_or(0));
        let from = hello["seq"].as_u64().map(|seq| usize::try_from(seq).unwrap()).filter(|from| seq - from <= keeps);
        let mut outbox = VecDeque::from([welcome(from.is_some(), seq as u64, last)]);
        if let Some(from) = from {
            outbox.extend((from..seq).map(|at| tell(at + 1, &self.log[at])));
        } else {
            let live = self.elements.values().filter(|(element, _)| !element.deleted);
            let texts: Vec<&str> = live.map(|(_, text)| text.as_str()).collect();
            let (one, other) = texts.split_at(texts.len() / 2);
            for (part, more) in [(one, true), (other, false)] {
                outbox.push_back(format!(
                    r#"{{"t":"snapshot","seq":{seq},"elements":[{}],"more":{more}}}"#,
                    part.join(",")
                ));
            }
        }
        self.outbox.insert(client, outbox);
    }

    fn request(&mut self, client: usize, text: &str) {
        #[derive(serde::Deserialize)]
        struct Asked<'a> {
            id: u64,
            #[serde(borrow)]
            elements: Vec<&'a serde_json::value::RawValue>,
        }
        let asked: Asked<'_> = serde_json::from_str(text).unwrap();
        let (mut lost, mut taken) = (Vec::new(), Vec::new());
        if asked.id > self.last.get(&client).copied().unwrap_or(0) {
            self.last.insert(client, asked.id);
            for text in asked.elements.into_iter().map(|text| text.get().to_owned()) {
                let element = Element::parse(&text).unwrap();
                match self.elements.get(&*element.id) {
                    Some((_, known)) if *known == text => {}
                    Some((known, text)) if !element.stamp.beats(known.stamp) => lost.push(text.clone()),
                    _ => {
                        self.elements.insert(element.id.to_string(), (element, text.clone()));
                        taken.push(text);
                    }
                }
            }
            if !taken.is_empty() {
                self.log.push(taken.clone());
                for (_, outbox) in self.outbox.iter_mut().filter(|(other, _)| **other != client) {
                    outbox.push_back(tell(self.log.len(), &taken));
                }
            }
        }
        let ack = format!(
            r#"{{"t":"ack","id":{},"seq":{},"undo":0,"redo":0,"elements":[{}]}}"#,
            asked.id,
            self.log.len(),
            lost.join(",")
        );
        if let Some(outbox) = self.outbox.get_mut(&client) {
            outbox.push_back(ack);
        }
    }
}

fn tell(seq: usize, elements: &[String]) -> String {
    format!(r#"{{"t":"change","seq":{seq},"by":"w","elements":[{}]}}"#, elements.join(","))
}

#[derive(Clone, Debug)]
enum Step {
    Edit {
        client: usize,
        element: u8,
        nonce: u64,
        delete: bool,
    },
    /// The client's sent texts arrive, so many.
    Arrive {
        client: usize,
        texts: usize,
    },
    /// The server's texts arrive, so many.
    Receive {
        client: usize,
        texts: usize,
    },
    Cut {
        client: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..4_usize;
    prop_oneof![
        4 => (client.clone(), 0..6_u8, 0..3_u64, any::<bool>())
            .prop_map(|(client, element, nonce, delete)| Step::Edit { client, element, nonce, delete }),
        4 => (client.clone(), 1..4_usize).prop_map(|(client, texts)| Step::Arrive { client, texts }),
        4 => (client.clone(), 1..9_usize).prop_map(|(client, texts)| Step::Receive { client, texts }),
        1 => client.prop_map(|client| Step::Cut { client }),
    ]
}

/// A client with what is on its way to the server.
struct Person {
    state: State,
    wire: VecDeque<String>,
}

fn connect(server: &mut Server, number: usize, person: &mut Person, keeps: usize) {
    person.state.disconnected();
    person.wire.clear();
    server.hello(number, &person.state.hello(), keeps);
}

fn receive(server: &mut Server, number: usize, person: &mut Person) -> bool {
    let Some(text) = server.outbox.get_mut(&number).and_then(VecDeque::pop_front) else { return false };
    person.state.receive(&text).unwrap();
    person.wire.extend(person.state.unsent());
    true
}

proptest! {
    /// Whatever is edited, delayed, cut and sent again: in the end all show what the server has.
    #[test]
    fn all_end_equal(steps in prop::collection::vec(step(), 1..120), keeps in 0..6_usize) {
        let mut server = Server::default();
        let mut people: Vec<Person> =
            (0..4).map(|_| Person { state: State::new(Identity::default()), wire: VecDeque::new() }).collect();
        for (number, person) in people.iter_mut().enumerate() {
            connect(&mut server, number, person, keeps);
        }
        for step in steps {
            match step {
                Step::Edit { client, element, nonce, delete } => {
                    let state = &mut people[client].state;
                    let id = format!("e{element}");
                    let version = state.element(&id).map_or(0, |known| known.stamp.version) + 1;
                    let text = json!({"id": id, "version": version, "versionNonce": nonce, "isDeleted": delete, "by": client});
                    state.ask(Request::change(vec![Element::parse(&text.to_string()).unwrap()]));
                    let texts = people[client].state.unsent();
                    people[client].wire.extend(texts);
                }
                Step::Arrive { client, texts } => {
                    for _ in 0..texts {
                        if let Some(text) = people[client].wire.pop_front() {
                            server.request(client, &text);
                        }
                    }
                }
                Step::Receive { client, texts } => {
                    for _ in 0..texts {
                        receive(&mut server, client, &mut people[client]);
                    }
                }
                Step::Cut { client } => connect(&mut server, client, &mut people[client], keeps),
            }
        }
        loop {
            let mut moved = false;
            for (number, person) in people.iter_mut().enumerate() {
                while receive(&mut server, number, person) {
                    moved = true;
                }
                while let Some(text) = person.wire.pop_front() {
                    server.request(number, &text);
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        let expected: Vec<&str> =
            server.elements.values().filter(|(element, _)| !element.deleted).map(|(_, text)| text.as_str()).collect();
        for person in &people {
            prop_assert!(person.state.is_settled(), "{} wait", person.state.waiting());
            let shown: Vec<&str> = person.state.elements().iter().filter_map(|element| element.text.as_deref()).collect();
            prop_assert_eq!(&shown, &expected);
        }
    }
}
