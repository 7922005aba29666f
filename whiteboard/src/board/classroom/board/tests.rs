//! Lessons without any socket: requests, outcomes, and simulated clients that draw at the same moment.

use super::*;
use crate::board::core::{Act, Durable};
use proptest::prelude::*;

const HOUR: Duration = Duration::from_hours(1);
const TEACHER: ClientId = 1;
const STUDENT: ClientId = 2;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn moment(run: Duration) -> Moment {
    Moment { run, unix_ms: 0 }
}

/// A board that was loaded at `run` after nothing had happened for `idle`.
fn open(state: State, run: Duration, idle: Duration) -> Classroom {
    Classroom::open(state, Opening { now: moment(run), idle, unlock_after: HOUR, ..Opening::default() })
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn update(list: &str) -> Action {
    Action::UpdatePaths(raw(list))
}

/// A board with a teacher and a student who have both seen it.
fn lesson() -> Classroom {
    let mut room = open(State::default(), Duration::ZERO, Duration::ZERO);
    ask(&mut room, TEACHER, Action::Join);
    ask(&mut room, STUDENT, Action::Join);
    room
}

/// A request at time zero, as `records | effects`.
fn ask(room: &mut Classroom, client: ClientId, action: Action) -> String {
    told(&room.handle(Request { client, action, ack: None }, Moment::default()))
}

fn told(outcome: &Outcome<Event>) -> String {
    let effects: Vec<_> = outcome.effects.iter().map(|effect| format!("{:?} {:?}", effect.to, effect.event)).collect();
    format!("{} | {}", outcome.records.join(" "), effects.join(", ")).replace('"', "'").replace("\\'", "'")
}

/// The client has received everything up to now, without doubt.
fn see(room: &mut Classroom, client: ClientId) {
    let version = room.versions.newest;
    ask(room, client, Action::Seen { version, grace: Duration::ZERO });
}

fn list(room: &Classroom) -> String {
    room.paths()
}

#[test]
fn requests_lead_to_records_and_effects() {
    let mut room = lesson();
    for (client, action, expected) in [
        (TEACHER, update("[1]"), "{'update':[[0,0,[1]]]} | Others(1) PathsUpdate { version: 1, paths: '[1]' }"),
        (TEACHER, update("[1,2]"), "{'update':[[1,0,[2]]]} | Others(1) PathsUpdate { version: 2, paths: '[1,2]' }"),
        (STUDENT, Action::Undo, "'undo' | All Undone { version: 3, paths: '[1]' }"),
        (STUDENT, Action::Redo, "'redo' | All Redone { version: 4, paths: '[1,2]' }"),
        (STUDENT, Action::Redo, " | "),
        (STUDENT, Action::ClearPaths, "'clear' | All PathsCleared { version: 5 }"),
        (STUDENT, Action::SetLock(true), "{'lock':true} | All LockStatus(true)"),
        (TEACHER, update("[3]"), " | One(1) PathsUpdate { version: 5, paths: '[]' }"),
        (TEACHER, Action::Undo, " | One(1) PathsUpdate { version: 5, paths: '[]' }"),
        (TEACHER, Action::ClearBackground, " | One(1) BackgroundUpdate { image: '''' }"),
        (STUDENT, Action::SetLock(false), "{'lock':false} | All LockStatus(false)"),
        (
            TEACHER,
            Action::UpdateBackground(raw("\"b\"")),
            "{'background':'b'} | Others(1) BackgroundUpdate { image: ''b'' }",
        ),
        (TEACHER, Action::ClearBackground, "{'background':''} | All BackgroundCleared"),
        (TEACHER, Action::SetQuiz(true), "{'quiz':true} | All QuizUpdated(true)"),
        (TEACHER, Action::GetQuiz, " | All QuizStatus(true)"),
        (TEACHER, Action::Refused("No.".into()), " | One(1) Error('No.')"),
        (TEACHER, update("{}"), " | One(1) Error('update_paths: `paths` must be a list. Nothing was changed.')"),
        (TEACHER, Action::Leave, " | "),
    ] {
        let case = format!("{client} {action:?}");
        assert_eq!(ask(&mut room, client, action), expected, "{case}");
    }
}

#[test]
fn an_acknowledgement_comes_last_and_never_for_what_was_refused() {
    let mut room = lesson();
    let mut ack = |client, action| {
        let outcome = room.handle(Request { client, action, ack: Some(7) }, Moment::default());
        outcome
            .effects
            .iter()
            .position(|effect| effect.event == Event::Ack(7))
            .map(|place| place + 1 == outcome.effects.len())
    };
    assert_eq!(ack(TEACHER, update("[1]")), Some(true));
    assert_eq!(ack(TEACHER, Action::Redo), Some(true), "nothing to redo is no error");
    assert_eq!(ack(TEACHER, Action::SetLock(true)), Some(true));
    assert_eq!(ack(STUDENT, update("[]")), None);
    assert_eq!(ack(TEACHER, update("7")), None);
    assert_eq!(ack(STUDENT, Action::Refused("No.".into())), None);
}

#[test]
fn a_stroke_costs_a_stroke_however_large_the_board() {
    let mut room = lesson();
    let mut strokes: Vec<String> = (0..10_000).map(|n| format!("{{\"stroke\":{n}}}")).collect();
    ask(&mut room, TEACHER, update(&format!("[{}]", strokes.join(","))));
    strokes.push("{\"stroke\":\"new\"}".into());
    strokes.remove(5_000);
    let outcome = room.handle(
        Request { client: TEACHER, action: update(&format!("[{}]", strokes.join(","))), ack: None },
        Moment::default(),
    );
    assert_eq!(outcome.records, [r#"{"update":[[5000,1,[]],[10000,0,[{"stroke":"new"}]]]}"#]);
}

#[test]
fn who_was_overtaken_gets_the_merged_board() {
    let mut room = lesson();
    ask(&mut room, TEACHER, update("['t']".replace('\'', "\"").as_str()));
    // The student drew before that arrived.
    let outcome = ask(&mut room, STUDENT, update("[\"s\"]"));
    assert_eq!(
        outcome,
        "{'update':[[1,0,['s']]]} | Others(2) PathsUpdate { version: 2, paths: '['t','s']' }, \
         One(2) PathsUpdate { version: 2, paths: '['t','s']' }"
    );
    // Still not having seen anything, it draws on: its own list is what it knows.
    ask(&mut room, STUDENT, update("[\"s\",\"s2\"]"));
    assert_eq!(list(&room), r#"["t","s","s2"]"#);
    see(&mut room, STUDENT);
    ask(&mut room, STUDENT, update("[\"s2\"]"));
    assert_eq!(list(&room), r#"["s2"]"#, "what has been seen can be erased");
}

#[test]
fn clearing_meets_drawing() {
    let mut room = lesson();
    ask(&mut room, TEACHER, update("[1,2]"));
    see(&mut room, STUDENT);
    ask(&mut room, TEACHER, Action::ClearPaths);
    ask(&mut room, STUDENT, update("[1,2,3]"));
    assert_eq!(list(&room), "[3]", "what was cleared stays cleared, what was drawn meanwhile stays");
    see(&mut room, STUDENT);
    see(&mut room, TEACHER);
    ask(&mut room, TEACHER, Action::Undo);
    ask(&mut room, TEACHER, Action::Undo);
    assert_eq!(list(&room), "[1,2]");
}

#[test]
fn the_lock_is_lifted_after_an_hour_without_activity() {
    let mut room = lesson();
    let send = |room: &mut Classroom, client, action, seconds| {
        room.handle(Request { client, action, ack: None }, moment(at(seconds)));
    };
    send(&mut room, TEACHER, Action::SetLock(true), 100);
    for (action, puts_off) in [
        (update("[1]"), true),
        (Action::Undo, false),
        (Action::Redo, false),
        (Action::GetQuiz, false),
        (Action::SetQuiz(true), true),
        (Action::UpdateBackground(raw("\"\"")), true),
        (Action::ClearBackground, true),
        (Action::ClearPaths, true),
        (Action::Refused(String::new()), false),
    ] {
        let before = room.next_tick();
        let case = format!("{action:?}");
        send(&mut room, TEACHER, action, 200);
        assert_eq!(room.next_tick() == Some(at(200) + HOUR), puts_off, "{case}");
        room.unlock_at = before;
    }
    assert_eq!(room.next_tick(), Some(at(100) + HOUR));
    assert_eq!(told(&room.tick(moment(at(99) + HOUR))), " | ");
    assert_eq!(told(&room.tick(moment(at(100) + HOUR))), "{'lock':false} | All StudentUnlocked");
    assert_eq!((room.next_tick(), told(&room.tick(moment(at(900) + HOUR)))), (None, " | ".to_owned()));
    send(&mut room, STUDENT, update("[5]"), 4000);
    assert_eq!(list(&room), "[5]");
    assert_eq!(told(&room.tick(moment(at(4000) + HOUR))), " | All StudentUnlocked", "even when nothing was locked");
}

#[test]
fn a_board_that_lay_idle_is_unlocked_when_it_is_loaded() {
    let mut state = State::default();
    state.apply(&Change::Lock(true)).unwrap();
    let mut fresh = open(state.clone(), at(5), at(60));
    assert_eq!(told(&fresh.tick(moment(at(5)))), " | ");
    let mut idle = open(state, at(5), 2 * HOUR);
    assert_eq!(told(&idle.tick(moment(at(5)))), "{'lock':false} | All StudentUnlocked");
    let mut ended = open(State::default(), at(5), Duration::ZERO);
    assert_eq!(told(&ended.end_session(Moment::default())), " | ");
}

#[test]
fn after_a_failed_write_everybody_gets_what_is_on_disk() {
    let mut room = lesson();
    ask(&mut room, TEACHER, update("[1]"));
    let on_disk = room.state().clone();
    ask(&mut room, TEACHER, update("[1,2]"));
    ask(&mut room, TEACHER, Action::SetLock(true));
    let outcome = room.reload(on_disk, Opening::default(), "Disk full.");
    assert!(outcome.records.is_empty());
    let text = told(&outcome);
    for part in [
        "One(1) PathsUpdate { version: 3, paths: '[1]' }",
        "One(2) PathsUpdate { version: 3, paths: '[1]' }",
        "All LockStatus(false)",
        "All Error('Disk full.')",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // The client had 2 on its screen and draws 3, before it got the board: 3 is new, 2 was never saved.
    ask(&mut room, STUDENT, update("[1,3]"));
    assert_eq!(list(&room), "[1,3]");
}

#[test]
fn what_the_room_refuses_changes_nothing_and_the_client_is_put_back() {
    let mut room = lesson();
    ask(&mut room, TEACHER, update("[1]"));
    for (action, expected) in [
        (update("[1,2]"), "One(2) PathsUpdate { version: 1, paths: '[1]' }, One(2) Error("),
        (Action::Undo, "One(2) PathsUpdate { version: 1, paths: '[1]' }, One(2) Error("),
        (Action::UpdateBackground(raw("\"b\"")), "One(2) BackgroundUpdate { image: '''' }, One(2) Error("),
        (Action::SetLock(true), "One(2) Error("),
        (Action::SetQuiz(true), "One(2) Error("),
    ] {
        assert!(action.is_change(), "{action:?}");
        let request = Request { client: STUDENT, action, ack: Some(3) };
        let text = told(&room.refuse(request, Refusal::DiskFull, Moment::default()));
        assert!(text.starts_with(&format!(" | {expected}")) && text.contains("disk is full"), "{text}");
    }
    for action in [Action::Join, Action::Leave, Action::GetQuiz, Action::Refused(String::new())] {
        assert!(!action.is_change(), "{action:?}");
    }
    assert_eq!((list(&room).as_str(), room.state().is_locked()), ("[1]", false));
}

#[test]
fn an_earlier_moment_is_brought_back_and_can_be_undone() {
    let mut room = lesson();
    ask(&mut room, TEACHER, update("[1]"));
    let strokes = room.state().strokes().to_vec();
    ask(&mut room, STUDENT, update("[1,2,3]"));
    ask(&mut room, TEACHER, Action::UpdateBackground(raw("\"b\"")));
    ask(&mut room, TEACHER, Action::SetLock(true));
    let back = |background: &str| Action::BringBack { strokes: strokes.clone(), background: background.into() };
    // Nobody who has joined: the server itself.
    let text = ask(&mut room, 99, back("\"\""));
    assert!(
        text.contains("All PathsUpdate { version: 3, paths: '[1]' }, All BackgroundUpdate { image: '''' }"),
        "{text}"
    );
    assert_eq!((list(&room).as_str(), room.state().background()), ("[1]", "\"\""));
    assert_eq!(ask(&mut room, 99, back("\"\"")), " | ", "of what is the same nobody hears");
    ask(&mut room, TEACHER, Action::Undo);
    assert_eq!(list(&room), "[1,2,3]");
}

#[test]
fn a_full_board_takes_no_more_but_can_be_emptied() {
    let limits = Limits { elements: 3, bytes: 20, ..Limits::default() };
    let mut state = State::default();
    state.replay(r#"{"update":[[0,0,[1,2,3,4,5]]]}"#).unwrap();
    let mut room = Classroom::open(state, Opening { limits, ..Opening::default() });
    ask(&mut room, TEACHER, Action::Join);
    for (list, full) in [
        ("[1,2,3,4,5,6]", Some("it may have 3 strokes")),
        ("[1,2,3,4]", None),
        ("[1,2,3,4,5]", Some("it may have 3 strokes")),
        ("[1,2]", None),
        ("[1,2,3]", None),
        ("[1,2,\"a long long long stroke\"]", Some("may have 20 bytes")),
        ("[1,2,\"a stroke\"]", None),
    ] {
        see(&mut room, TEACHER);
        let before = self::list(&room);
        let text = ask(&mut room, TEACHER, update(list));
        match full {
            Some(sentence) => {
                assert!(text.starts_with(" | One(1) PathsUpdate") && text.contains(sentence), "{list}: {text}");
                assert_eq!(self::list(&room), before);
            }
            None => assert_eq!(self::list(&room), list),
        }
    }
}

/// A simulated page: shows what it is sent, and sends its whole list when its user does something.
#[derive(Default)]
struct Page {
    shown: Vec<String>,
    to_server: VecDeque<Sent>,
    from_server: VecDeque<(Version, String)>,
}

enum Sent {
    List(String),
    Seen(Version),
}

struct Simulation {
    room: Classroom,
    pages: Vec<Page>,
    now: Duration,
}

impl Simulation {
    fn new(clients: usize) -> Self {
        let mut room = open(State::default(), Duration::ZERO, Duration::ZERO);
        for client in 0..clients {
            ask(&mut room, client as ClientId, Action::Join);
        }
        Self { room, pages: (0..clients).map(|_| Page::default()).collect(), now: Duration::ZERO }
    }

    /// The server handles the next message of a page.
    fn handle(&mut self, client: usize) {
        let Some(sent) = self.pages[client].to_server.pop_front() else { return };
        let action = match sent {
            Sent::List(list) => update(&list),
            Sent::Seen(version) => Action::Seen { version, grace: Duration::from_secs(1) },
        };
        let outcome = self.room.handle(Request { client: client as ClientId, action, ack: None }, moment(self.now));
        for effect in outcome.effects {
            let Event::PathsUpdate { version, paths } = effect.event else { panic!("{effect:?}") };
            for (id, page) in self.pages.iter_mut().enumerate() {
                if effect.to == To::One(id as ClientId)
                    || matches!(effect.to, To::Others(sender) if sender != id as ClientId)
                {
                    page.from_server.push_back((version, paths.clone()));
                }
            }
        }
    }

    /// A page receives the next event: shows it, and its WebSocket confirms it.
    fn deliver(&mut self, client: usize) {
        let page = &mut self.pages[client];
        if let Some((version, paths)) = page.from_server.pop_front() {
            let list: Vec<serde_json::Value> = serde_json::from_str(&paths).unwrap();
            page.shown = list.iter().map(ToString::to_string).collect();
            page.to_server.push_back(Sent::Seen(version));
        }
    }

    fn send(&mut self, client: usize) {
        let page = &mut self.pages[client];
        page.to_server.push_back(Sent::List(format!("[{}]", page.shown.join(","))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// However messages are delayed against each other (within the 64 lists and 30 seconds that are kept): whatever anybody drew and nobody erased is on the board, once,
    /// and in the end every page shows the board.
    #[test]
    fn nobodys_stroke_vanishes(steps in proptest::collection::vec((0..10u8, 0..4usize, any::<u8>()), 1..60)) {
        let mut lesson = Simulation::new(4);
        let (mut drawn, mut erased) = (Vec::new(), Vec::new());
        for (number, (step, client, choice)) in steps.into_iter().enumerate() {
            lesson.now += Duration::from_millis(u64::from(choice));
            match step {
                0..=2 => {
                    let stroke = format!("\"{client} draws {number}\"");
                    drawn.push(stroke.clone());
                    lesson.pages[client].shown.push(stroke);
                    lesson.send(client);
                }
                3 if !lesson.pages[client].shown.is_empty() => {
                    let place = usize::from(choice) % lesson.pages[client].shown.len();
                    erased.push(lesson.pages[client].shown.remove(place));
                    lesson.send(client);
                }
                4..=6 => lesson.handle(client),
                _ => lesson.deliver(client),
            }
        }
        while lesson.pages.iter().any(|page| !page.to_server.is_empty() || !page.from_server.is_empty()) {
            for client in 0..4 {
                lesson.handle(client);
                lesson.deliver(client);
            }
        }
        let board: Vec<String> = lesson.room.state().strokes().iter().map(|stroke| stroke.text().to_owned()).collect();
        for stroke in drawn.iter().filter(|stroke| !erased.contains(stroke)) {
            prop_assert_eq!(board.iter().filter(|found| *found == stroke).count(), 1, "{} in {:?}", stroke, board);
        }
        for page in &lesson.pages {
            prop_assert_eq!(&page.shown, &board);
        }
    }
}
