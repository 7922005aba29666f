//! The rules of PROTOCOL.md, by their numbers.

use super::harness::{Room, again, element, somebody};
use super::model::{Model, Wish};
use crate::board::core::{BoardMeta, ClientId, Closed, Core, Durable, Limits, Opening, Refusal};
use crate::board::scene::action::{Action, Change, Draft, Grow, Join, List, RestoreTo, Unfinished, Volatile, What};
use crate::board::scene::element::Element;
use crate::board::scene::elements::{Owner, TOMBSTONES};
use crate::board::scene::event::{Ack, Code, Event, Refused, Welcome};
use crate::board::scene::identity::Role::{self, Pupil, Teacher, Viewer};
use crate::board::scene::identity::UserId;
use crate::board::scene::state::State;
use serde_json::value::RawValue;

fn room() -> Room {
    let meta = BoardMeta { code: "b1".into(), title: Some("Old".into()), exists: true, ..BoardMeta::default() };
    Room::new(Opening { epoch: "epoch".into(), meta, ..Opening::default() })
}

/// A short text of an event, to compare.
fn short(event: &Event) -> String {
    let list = |elements: &[Element]| {
        elements.iter().map(|element| format!("{}@{}", element.id(), element.version())).collect::<Vec<_>>().join(" ")
    };
    match event {
        Event::Welcome(welcome) => format!("welcome {} resume={}", welcome.seq, welcome.resume),
        Event::Snapshot(part) => {
            format!("snapshot {} [{}]{}", part.seq, list(&part.elements), if part.more { "…" } else { "" })
        }
        Event::Change(changed) => {
            let deleted: Vec<_> =
                changed.deleted.iter().map(|one| format!("-{}@{}", one.id, one.stamp.version)).collect();
            format!("change {} by {} [{}]{}", changed.seq, changed.by.0, list(&changed.elements), deleted.join(""))
        }
        Event::Ack(Ack { id, seq, undo, redo, elements, deleted }) => {
            let lost = if elements.is_empty() && deleted.is_empty() {
                String::new()
            } else {
                format!(" lost [{}]-{}", list(elements), deleted.len())
            };
            format!("ack {id} at {seq}, {undo}/{redo}{lost}")
        }
        Event::Lock { seq, on, .. } => format!("lock {seq} {on}"),
        Event::Quiz { seq, on, .. } => format!("quiz {seq} {on}"),
        Event::Title { seq, title, .. } => format!("title {seq} {title}"),
        Event::Settings { seq, values, .. } => {
            let values: Vec<_> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("settings {seq} {}", values.join(","))
        }
        Event::Reset { .. } => "reset".to_owned(),
        Event::Join(person) => format!("join {} {}", person.client, person.role.name()),
        Event::Leave(client) => format!("leave {client}"),
        Event::Draft(draft) => {
            format!("draft {} {} {}+{}", draft.client, draft.element, draft.from, draft.points.count)
        }
        Event::DraftCancelled { client, element } => format!("cancel {client} {element}"),
        Event::Volatile { client, kind, .. } => format!("v {client} {kind}"),
        Event::Error(Refused { code, id, elements, deleted, .. }) => {
            format!("error {} {id:?} [{}]-{}", code.name(), list(elements), deleted.len())
        }
    }
}

fn got(room: &mut Room, client: ClientId) -> Vec<String> {
    room.received(client).iter().map(short).collect()
}

fn welcome(room: &mut Room, client: ClientId) -> Welcome {
    match room.received(client).into_iter().next() {
        Some(Event::Welcome(welcome)) => *welcome,
        other => panic!("{other:?}"),
    }
}

/// A room with these people, all of whom have read what they got.
fn with(people: &[(u64, Role)]) -> Room {
    let mut room = room();
    for (user, role) in people {
        room.join(somebody(*user, *role));
    }
    for client in 1..=people.len() as ClientId {
        room.received(client);
    }
    room
}

fn change(elements: &[Element], gesture: Option<u64>) -> What {
    What::Change(Change { gesture, elements: elements.to_vec(), drafts: vec![] })
}

fn points(from: u32, text: &str, count: u32) -> Grow {
    let base = (from == 0).then(|| r#"{"id":"s","type":"freedraw"}"#.into());
    Grow::Points { from, points: List { text: text.into(), count }, pressures: None, base }
}

fn draft(room: &mut Room, client: ClientId, element: &str, what: Grow) {
    room.act(client, Action::Draft(Draft { element: element.into(), what }));
}

fn finish(text: &str) -> What {
    let drafts = vec![Unfinished { text: RawValue::from_string(text.to_owned()).unwrap() }];
    What::Change(Change { gesture: None, elements: vec![], drafts })
}

#[test]
fn h3_the_welcome_says_how_the_board_is() {
    let mut room = with(&[(1, Teacher)]);
    room.put(1, 5, &[element("a", 1, 0)]);
    room.ask(1, 6, What::Undo);
    room.ask(1, 7, What::Lock(true));
    room.ask(1, 8, What::Settings(vec![("k".into(), "[1.0]".into())]));
    let other = room.join(somebody(1, Viewer));
    let welcome = welcome(&mut room, other);
    assert_eq!((welcome.client, welcome.user.0, welcome.role, welcome.seq), (2, 1, Viewer, 4));
    assert_eq!((&*welcome.board.id, &*welcome.board.title, &*welcome.board.kind), ("b1", "Old", "board"));
    assert_eq!(&*welcome.board.settings, &[("k".into(), "[1.0]".into())]);
    assert_eq!((welcome.locked, welcome.quiz, welcome.undo, welcome.redo, welcome.last), (true, false, 0, 1, 8));
    assert_eq!((welcome.limits.elements, welcome.limits.bytes, welcome.limits.element), (50_000, 64 << 20, 1 << 20));
    let people: Vec<_> = welcome.people.iter().map(|person| (person.client, person.role)).collect();
    assert_eq!(people, [(1, Teacher), (2, Viewer)]);
    assert_eq!(&*welcome.epoch, "epoch");
}

#[test]
fn h1_a_second_hello_changes_nothing() {
    let mut room = with(&[(1, Teacher)]);
    room.act(1, Action::Join(somebody(2, Viewer)));
    assert_eq!(got(&mut room, 1), ["error message None []-0"]);
    room.put(1, 1, &[element("a", 1, 0)]);
    assert_eq!(got(&mut room, 1), ["ack 1 at 1, 1/0"]);
}

#[test]
fn people_come_and_go() {
    let mut room = with(&[(1, Teacher)]);
    let pupil = room.join(somebody(2, Pupil));
    let server = room.join(Join { present: false, ..somebody(0, Teacher) });
    assert_eq!(got(&mut room, 1), ["join 2 pupil"]);
    assert_eq!(welcome(&mut room, server).people.len(), 2);
    room.cut(server);
    room.cut(pupil);
    assert_eq!(got(&mut room, 1), ["leave 2"]);
    room.ask(pupil, 1, What::Undo);
    assert!(room.log.is_empty(), "whoever has left does nothing any more");
}

#[test]
fn a4_who_may_do_what() {
    let all: [fn() -> What; 9] = [
        || change(&[element("new", 1, 1)], None),
        || What::Undo,
        || What::Redo,
        || What::Clear,
        || What::Lock(true),
        || What::Quiz(true),
        || What::Title("T".into()),
        || What::Settings(vec![("a".into(), "1".into())]),
        || What::RestoreTo(RestoreTo::of(0, &State::default())),
    ];
    for (place, what) in all.iter().enumerate() {
        let draws = place < 3;
        for (role, locked, expected) in [
            (Teacher, false, None),
            (Teacher, true, None),
            (Pupil, false, (!draws).then_some("access")),
            (Pupil, true, Some(if draws { "locked" } else { "access" })),
            (Viewer, false, Some("read-only")),
            (Viewer, true, Some("read-only")),
        ] {
            let mut room = with(&[(1, Teacher), (2, role)]);
            room.put(1, 1, &[element("a", 1, 0)]);
            room.ask(1, 2, What::Lock(locked));
            room.received(2);
            let before = room.scene.state().encode();
            room.ask(2, 1, what());
            let answer = got(&mut room, 2).last().cloned().unwrap();
            match expected {
                None => assert!(answer.starts_with("ack 1"), "{answer}"),
                Some(code) => {
                    assert_eq!(answer, format!("error {code} Some(1) []-0"), "{:?}", what());
                    assert_eq!(room.scene.state().encode(), before);
                }
            }
        }
    }
}

#[test]
fn a4_a_refused_change_tells_how_the_board_is() {
    let mut room = with(&[(1, Teacher), (2, Pupil)]);
    room.put(1, 1, &[element("a", 1, 0), element("b", 1, 0)]);
    room.ask(1, 2, What::Lock(true));
    room.received(2);
    room.put(2, 1, &[element("a", 2, 7), element("new", 1, 0)]);
    assert_eq!(got(&mut room, 2), ["error locked Some(1) [a@1]-0"]);
}

#[test]
fn q2_requests_are_executed_once() {
    let mut room = with(&[(1, Teacher), (2, Teacher)]);
    room.put(1, 1, &[element("a", 1, 0)]);
    room.put(1, 2, &[element("b", 1, 0)]);
    room.ask(1, 3, What::Undo);
    room.put(2, 1, &[element("c", 1, 0)]);
    assert_eq!(
        got(&mut room, 1),
        ["ack 1 at 1, 1/0", "ack 2 at 2, 2/0", "change 3 by 1 []-b@2", "ack 3 at 3, 1/1", "change 4 by 2 [c@1]"]
    );
    room.restart();
    let back = room.join(again(1, Teacher, 4));
    assert_eq!(welcome(&mut room, back).last, 3);
    for id in 1..=3 {
        room.ask(back, id, What::Undo);
    }
    assert_eq!(got(&mut room, back), ["ack 1 at 4, 1/1", "ack 2 at 4, 1/1", "ack 3 at 4, 1/1"]);
    assert_eq!(room.log.len(), 4);
}

#[test]
fn q2_what_needed_nothing_is_not_done_later_either() {
    let mut room = with(&[(1, Teacher)]);
    room.ask(1, 1, What::Undo);
    room.put(1, 2, &[element("a", 1, 0)]);
    room.ask(1, 1, What::Undo);
    assert_eq!(got(&mut room, 1), ["ack 1 at 0, 0/0", "ack 2 at 1, 1/0", "ack 1 at 1, 1/0"]);
}

#[test]
fn q2_sessions_of_others_do_not_count() {
    let mut room = with(&[(1, Teacher), (2, Teacher)]);
    let same = Join { session: "session-1".into(), ..somebody(2, Teacher) };
    let thief = room.join(same);
    room.put(1, 9, &[element("a", 1, 0)]);
    room.put(thief, 1, &[element("b", 1, 0)]);
    assert_eq!(room.log.len(), 2);
}

#[test]
fn q3_answers_come_in_order() {
    let mut room = with(&[(1, Teacher)]);
    room.prompt = false;
    room.put(1, 1, &[element("a", 1, 0)]);
    room.put(1, 2, &[element("b", 2_000_000, 0)]);
    room.ask(1, 3, What::Lock(false));
    room.ask(1, 4, What::Clear);
    assert!(got(&mut room, 1).is_empty(), "nothing is answered before it is on disk");
    room.commit(usize::MAX);
    assert_eq!(
        got(&mut room, 1),
        ["ack 1 at 1, 1/0", "error element Some(2) []-0", "ack 3 at 1, 1/0", "change 2 by 1 []-a@2", "ack 4 at 2, 2/0"]
    );
}

#[test]
fn q3_what_the_dialect_refuses_is_answered_in_its_turn() {
    let mut room = with(&[(1, Pupil)]);
    room.prompt = false;
    room.put(1, 1, &[element("a", 1, 0)]);
    let refused = Refused::new(Code::Element, Some(2), "An element has no id.");
    room.act(1, Action::Wrong(refused));
    room.put(1, 3, &[element("b", 1, 0)]);
    assert_eq!(got(&mut room, 1), [""; 0], "nothing is on disk yet");
    room.commit(usize::MAX);
    assert_eq!(got(&mut room, 1), ["ack 1 at 1, 1/0", "error element Some(2) []-0", "ack 3 at 2, 2/0"]);
    room.prompt = true;
    room.fail();
    room.received(1);
    room.act(1, Action::Wrong(Refused::new(Code::Element, Some(4), "An element has no id.")));
    assert_eq!(got(&mut room, 1), [""; 0], "who is sent away asks again, in order");
}

#[test]
fn m2_a_replay_is_acknowledged_without_a_record() {
    let mut room = with(&[(1, Teacher), (2, Teacher)]);
    room.put(1, 1, &[element("a", 3, 0)]);
    room.received(2);
    room.put(2, 1, &[element("a", 3, 0)]);
    room.put(2, 2, &[element("a", 2, 0)]);
    assert_eq!(got(&mut room, 2), ["ack 1 at 1, 0/0", "ack 2 at 1, 0/0 lost [a@3]-0"]);
    assert_eq!(room.log.len(), 1);
    room.ask(1, 2, What::Clear);
    room.received(2);
    room.put(2, 3, &[element("a", 2, 0), element("b", 1, 0)]);
    assert_eq!(got(&mut room, 2), ["ack 3 at 3, 1/0 lost []-1"]);
}

#[test]
fn s1_everybody_but_the_author_hears_of_a_change_and_all_of_the_rest() {
    let mut room = with(&[(1, Teacher), (2, Pupil), (3, Viewer)]);
    room.put(1, 1, &[element("a", 1, 0), element("b", 1, 0)]);
    room.ask(1, 2, What::Undo);
    room.ask(1, 3, What::Redo);
    room.ask(1, 4, What::Clear);
    room.ask(1, 5, What::Lock(true));
    room.ask(1, 6, What::Title("New".into()));
    room.ask(1, 7, What::Settings(vec![("b".into(), "2".into()), ("a".into(), "1".into())]));
    let rest = [
        "change 2 by 1 []-a@2-b@2",
        "change 3 by 1 [a@3 b@3]",
        "change 4 by 1 []-a@4-b@4",
        "lock 5 true",
        "title 6 New",
        "settings 7 a=1,b=2",
    ];
    for other in [2, 3] {
        let all = got(&mut room, other);
        assert_eq!(all[0], "change 1 by 1 [a@1 b@1]");
        assert_eq!(all[1..], rest);
    }
    let author: Vec<_> = got(&mut room, 1).into_iter().filter(|event| !event.starts_with("ack")).collect();
    assert_eq!(author, rest);
}

#[test]
fn s2_whoever_comes_back_gets_what_is_missing_or_everything() {
    let mut room = with(&[(1, Teacher)]);
    room.put(1, 1, &[element("a", 1, 0)]);
    room.ask(1, 2, What::Title("T".into()));
    room.put(1, 3, &[element("b", 1, 0)]);
    let other = |seq| Join { since: None, ..again(2, Pupil, seq) };
    let stranger = {
        let mut join = again(2, Pupil, 1);
        join.since.as_mut().unwrap().epoch = "another".into();
        join
    };
    let all = "snapshot 3 [a@1 b@1]";
    for (join, expected) in [
        (again(2, Pupil, 3), vec!["welcome 3 resume=true"]),
        (again(2, Pupil, 1), vec!["welcome 3 resume=true", "change 3 by 1 [b@1]"]),
        (again(2, Pupil, 0), vec!["welcome 3 resume=true", "change 1 by 1 [a@1]", "change 3 by 1 [b@1]"]),
        (again(2, Pupil, 4), vec!["welcome 3 resume=false", all]),
        (other(1), vec!["welcome 3 resume=false", all]),
        (stranger, vec!["welcome 3 resume=false", all]),
    ] {
        let client = room.join(join);
        assert_eq!(got(&mut room, client), expected);
    }
    room.restart();
    for (seq, expected) in [(3, vec!["welcome 3 resume=true"]), (2, vec!["welcome 3 resume=false", all])] {
        let client = room.join(again(2, Pupil, seq));
        assert_eq!(got(&mut room, client), expected, "after a restart");
    }
}

#[test]
fn s2_a_newcomer_gets_nothing_twice_and_misses_nothing() {
    let mut room = with(&[(1, Teacher)]);
    room.prompt = false;
    room.put(1, 1, &[element("a", 1, 0)]);
    let late = room.join(somebody(2, Pupil));
    room.put(1, 2, &[element("b", 1, 0)]);
    room.act(1, Action::Volatile(Volatile { kind: "cursor".into(), data: "[]".into() }));
    room.commit(usize::MAX);
    assert_eq!(got(&mut room, late), ["welcome 1 resume=false", "snapshot 1 [a@1]", "change 2 by 1 [b@1]"]);
}

#[test]
fn s2_a_snapshot_takes_no_copy_of_the_board() {
    let mut room = with(&[(1, Teacher)]);
    room.put(1, 1, &[element("a", 1, 0)]);
    for user in 3..5 {
        let client = room.join(somebody(user, Pupil));
        let events = room.received(client);
        let part = events.iter().find_map(|event| if let Event::Snapshot(part) = event { Some(part) } else { None });
        let (sent, kept) = (part.unwrap().elements[0].text(), room.scene.state().elements.live("a").unwrap().text());
        assert!(std::ptr::eq(sent, kept));
    }
}

#[test]
fn s3_what_could_not_be_written_closes_everybody_and_nothing_after_it_is_executed() {
    let mut room = with(&[(1, Teacher), (2, Pupil)]);
    room.put(1, 1, &[element("a", 1, 0)]);
    room.received(1);
    room.received(2);
    room.prompt = false;
    room.put(1, 2, &[element("b", 1, 0)]);
    room.fail();
    assert_eq!(got(&mut room, 1), ["error internal None []-0"]);
    assert_eq!(room.closed, [(1, Closed::Unsaved), (2, Closed::Unsaved)]);
    room.prompt = true;
    room.put(1, 3, &[element("c", 1, 0)]);
    assert_eq!((room.log.len(), got(&mut room, 1).len()), (1, 0), "request 3 before request 2 would lose 2");
    room.cut(1);
    let back = room.join(again(1, Teacher, 1));
    room.put(back, 2, &[element("b", 1, 0)]);
    room.put(back, 3, &[element("c", 1, 0)]);
    assert_eq!(got(&mut room, back), ["welcome 1 resume=true", "ack 2 at 2, 2/0", "ack 3 at 3, 3/0"]);
}

#[test]
fn u1_undo_takes_back_ones_own_last_step_only() {
    let mut room = with(&[(1, Pupil), (2, Pupil)]);
    room.put(1, 1, &[element("mine", 1, 1)]);
    room.put(2, 1, &[element("yours", 1, 1)]);
    room.put(2, 2, &[element("mine", 2, 2)]);
    room.ask(1, 2, What::Undo);
    assert_eq!(got(&mut room, 1).last().unwrap(), "ack 2 at 3, 1/0");
    assert_eq!(got(&mut room, 2).last().unwrap(), "ack 2 at 3, 2/0", "nothing was changed: nobody is told");
    room.ask(2, 3, What::Undo);
    room.ask(2, 4, What::Undo);
    assert_eq!(got(&mut room, 1), ["change 4 by 2 [mine@3]", "change 5 by 2 []-yours@2"]);
    let room_x: Vec<_> = room.scene.state().live().iter().map(|element| element.text().contains("\"x\":1")).collect();
    assert_eq!(room_x, [true]);
}

#[test]
fn u2_changes_of_one_gesture_are_one_step_on_whatever_connection() {
    let mut room = with(&[(1, Pupil), (1, Pupil)]);
    for version in 1..10 {
        room.ask(1, version, change(&[element("a", version, version)], Some(1)));
    }
    room.ask(1, 10, change(&[element("a", 10, 10)], Some(2)));
    room.received(2);
    room.ask(2, 20, What::Undo);
    room.ask(2, 21, What::Undo);
    room.ask(2, 22, What::Redo);
    let steps: Vec<_> = got(&mut room, 2).into_iter().filter(|event| event.starts_with("ack")).collect();
    assert_eq!(steps, ["ack 20 at 11, 1/1", "ack 21 at 12, 0/2", "ack 22 at 13, 1/1"]);
    assert!(room.scene.state().live()[0].text().contains("\"x\":9"));
}

#[test]
fn u3_an_undo_of_nothing_changes_nothing() {
    let mut room = with(&[(1, Pupil)]);
    room.ask(1, 1, What::Undo);
    room.ask(1, 2, What::Redo);
    assert_eq!(got(&mut room, 1), ["ack 1 at 0, 0/0", "ack 2 at 0, 0/0"]);
    assert!(room.log.is_empty());
}

#[test]
fn v1_quiz_pupils_hear_of_their_own_and_teachers_elements_only() {
    let mut room = with(&[(9, Teacher), (1, Pupil), (2, Pupil), (3, Viewer), (1, Pupil)]);
    room.ask(1, 1, What::Quiz(true));
    (1..=5).for_each(|client| drop(room.received(client)));
    room.put(1, 2, &[element("t", 1, 0)]);
    room.put(2, 1, &[element("a", 1, 0)]);
    room.put(3, 1, &[element("b", 1, 0), element("t", 2, 5)]);
    let mine = ["change 2 by 9 [t@1]", "change 3 by 1 [a@1]", "change 4 by 2 [t@2]"];
    assert_eq!(got(&mut room, 1), ["ack 2 at 2, 1/0", "change 3 by 1 [a@1]", "change 4 by 2 [b@1 t@2]"]);
    assert_eq!(got(&mut room, 2), [mine[0], "ack 1 at 3, 1/0", mine[2]]);
    assert_eq!(got(&mut room, 5), mine);
    assert_eq!(got(&mut room, 3), [mine[0], "ack 1 at 4, 1/0"]);
    assert_eq!(got(&mut room, 4), [mine[0], mine[2]]);
    let (late, teacher) = (room.join(somebody(2, Pupil)), room.join(somebody(8, Teacher)));
    assert_eq!(got(&mut room, late)[1], "snapshot 4 [b@1 t@2]");
    assert_eq!(got(&mut room, teacher)[1], "snapshot 4 [a@1 b@1 t@2]");
    let back = room.join(again(2, Pupil, 1));
    assert_eq!(got(&mut room, back), ["welcome 4 resume=false", "snapshot 4 [b@1 t@2]"], "whatever role it had");
    room.put(3, 2, &[element("a", 2, 7)]);
    assert_eq!(got(&mut room, 3).last().unwrap(), "error element Some(2) []-0");
}

#[test]
fn v1_quiz_drafts_and_volatile_messages_of_pupils_are_for_teachers() {
    let mut room = with(&[(9, Teacher), (1, Pupil), (2, Pupil), (1, Pupil)]);
    room.ask(1, 1, What::Quiz(true));
    (1..=4).for_each(|client| drop(room.received(client)));
    for client in [1, 2] {
        draft(&mut room, client, "s", points(0, "[0,0]", 1));
        room.act(client, Action::Volatile(Volatile { kind: "cursor".into(), data: "[1,2]".into() }));
    }
    assert_eq!(got(&mut room, 1), ["draft 2 s 0+1", "v 2 cursor"]);
    assert_eq!(got(&mut room, 2), ["draft 1 s 0+1", "v 1 cursor"]);
    assert_eq!(got(&mut room, 3), ["draft 1 s 0+1", "v 1 cursor"]);
    assert_eq!(got(&mut room, 4), ["draft 1 s 0+1", "v 1 cursor", "draft 2 s 0+1", "v 2 cursor"]);
    for (user, role, expected) in [(2, Pupil, vec![1]), (1, Pupil, vec![1, 2]), (8, Teacher, vec![1, 2])] {
        let client = room.join(somebody(user, role));
        let drawers: Vec<_> = welcome(&mut room, client).drafts.iter().map(|draft| draft.client).collect();
        assert_eq!(drawers, expected);
    }
}

#[test]
fn v1_quiz_a_teachers_hand_on_a_pupils_element_is_seen_by_that_pupil_and_teachers() {
    let mut room = with(&[(9, Teacher), (1, Pupil), (2, Pupil), (8, Teacher), (3, Viewer)]);
    room.put(2, 1, &[element("a", 1, 0)]);
    room.put(1, 1, &[element("t", 1, 0)]);
    room.ask(1, 2, What::Quiz(true));
    (1..=5).for_each(|client| drop(room.received(client)));
    for id in ["a", "t", "new"] {
        draft(&mut room, 1, id, points(0, "[0,0]", 1));
    }
    let drafts = ["draft 1 a 0+1", "draft 1 t 0+1", "draft 1 new 0+1"];
    for (client, seen) in [(2, &drafts[..]), (3, &drafts[1..]), (4, &drafts[..]), (5, &drafts[1..])] {
        assert_eq!(got(&mut room, client), seen, "{client}");
    }
    for (user, role, seen) in
        [(1, Pupil, vec!["a", "t", "new"]), (2, Pupil, vec!["t", "new"]), (3, Viewer, vec!["t", "new"])]
    {
        let client = room.join(somebody(user, role));
        let drafts = welcome(&mut room, client).drafts;
        assert_eq!(drafts.iter().map(|draft| &*draft.element).collect::<Vec<_>>(), seen, "{user}");
    }
    (1..=5).for_each(|client| drop(room.received(client)));
    draft(&mut room, 1, "a", Grow::Cancel);
    draft(&mut room, 3, "a", points(0, "[0,0]", 1));
    draft(&mut room, 3, "t", points(0, "[0,0]", 1));
    let of_ben = ["draft 3 a 0+1", "draft 3 t 0+1"];
    assert_eq!(got(&mut room, 1), of_ben);
    assert_eq!(got(&mut room, 2), ["cancel 1 a"]);
    assert_eq!(got(&mut room, 3), [""; 0]);
    assert_eq!(got(&mut room, 4), ["cancel 1 a", of_ben[0], of_ben[1]]);
    assert_eq!(got(&mut room, 5), [""; 0]);
}

/// Two clients that keep what they hear, and a board with more elements than deletions are remembered.
struct Crowd {
    room: Room,
    models: [Model; 2],
}

impl Crowd {
    fn new() -> Self {
        let models = [Model::new(9, 0, Teacher), Model::new(1, 1, Pupil)];
        let mut crowd = Self { room: room(), models };
        for model in &mut crowd.models {
            model.client = Some(crowd.room.join(model.hello()));
        }
        crowd.hear();
        crowd
    }

    /// Everybody takes in what came.
    fn hear(&mut self) {
        for model in &mut self.models {
            for event in self.room.received(model.client.unwrap()) {
                model.receive(&event);
            }
        }
    }

    /// The teacher asks for something, and all hear of it.
    fn ask(&mut self, wish: Wish) {
        self.models[0].ask(wish);
        for (id, what) in self.models[0].unsent() {
            self.room.ask(self.models[0].client.unwrap(), id, what);
        }
        self.hear();
    }

    /// All elements are put, as they are at a version.
    fn put(&mut self, text: impl Fn(usize) -> String) {
        let elements = (0..TOMBSTONES + 20).map(|n| Element::from_text(&text(n)).unwrap()).collect();
        self.ask(Wish::Put { gesture: None, elements });
    }

    fn check(&self, count: usize) {
        let state = self.room.scene.state();
        assert_eq!(state.elements.count(), count);
        let live: std::collections::BTreeMap<_, _> =
            state.live().into_iter().map(|element| (element.id().clone(), element)).collect();
        for model in &self.models {
            let known = model.known();
            assert_eq!(known.len(), live.len(), "user {} has another board", model.user);
            assert!(known == live, "user {} has another board", model.user);
        }
        assert_eq!(self.room.on_disk().0.encode(), state.encode());
    }
}

fn text(n: usize, version: u64, deleted: bool) -> String {
    format!(r#"{{"id":"e{n}","type":"t","version":{version},"versionNonce":0,"x":{version},"isDeleted":{deleted}}}"#)
}

#[test]
fn m5_a_moment_before_a_forgotten_deletion_comes_back_for_everybody() {
    let mut crowd = Crowd::new();
    crowd.put(|n| text(n, 1, false));
    let before = crowd.room.scene.state().clone();
    crowd.put(|n| text(n, 4, false));
    crowd.ask(Wish::Clear);
    crowd.check(0);
    crowd.ask(Wish::Restore(before));
    crowd.check(TOMBSTONES + 20);
}

#[test]
fn m5_undo_of_a_forgotten_deletion_comes_back_for_everybody() {
    let mut crowd = Crowd::new();
    crowd.put(|n| text(n, 1, false));
    crowd.put(|n| text(n, 900, true));
    crowd.check(0);
    crowd.ask(Wish::Undo);
    crowd.check(TOMBSTONES + 20);
}

#[test]
fn u3_an_undo_that_finds_nothing_uses_up_no_step() {
    let mut room = with(&[(9, Teacher), (1, Pupil)]);
    for n in 1..=3 {
        room.put(2, n, &[element(&format!("e{n}"), 1, 0)]);
    }
    room.ask(1, 1, What::Clear);
    (1..=2).for_each(|client| drop(room.received(client)));
    room.ask(2, 4, What::Undo);
    assert_eq!(got(&mut room, 2), ["ack 4 at 4, 3/0"]);
    assert_eq!(room.log.len(), 4, "nothing is written down");
    room.ask(1, 2, What::Undo);
    room.ask(2, 5, What::Undo);
    assert_eq!(got(&mut room, 2).last().unwrap(), "ack 5 at 6, 2/1");
    assert_eq!(room.scene.state().count(), 2);
}

#[test]
fn v2_quiz_begins_and_ends_with_a_reset_for_those_whose_view_changes() {
    let mut room = with(&[(9, Teacher), (1, Pupil), (2, Pupil), (3, Viewer)]);
    room.put(1, 1, &[element("t", 1, 0)]);
    room.put(2, 1, &[element("a", 1, 0)]);
    (1..=4).for_each(|client| drop(room.received(client)));
    room.ask(1, 2, What::Quiz(true));
    assert_eq!(got(&mut room, 1), ["quiz 3 true", "ack 2 at 3, 1/0"]);
    assert_eq!(got(&mut room, 2), ["reset", "snapshot 3 [t@1]…", "snapshot 3 [a@1]", "quiz 3 true"]);
    assert_eq!(got(&mut room, 3), ["reset", "snapshot 3 [t@1]…", "snapshot 3 []", "quiz 3 true"]);
    assert_eq!(got(&mut room, 4), ["reset", "snapshot 3 [t@1]…", "snapshot 3 []", "quiz 3 true"]);
    room.ask(1, 3, What::Quiz(true));
    assert_eq!(got(&mut room, 1), ["ack 3 at 3, 1/0"]);
    room.ask(1, 4, What::Quiz(false));
    for pupil in [2, 3, 4] {
        assert_eq!(got(&mut room, pupil), ["reset", "snapshot 4 [a@1 t@1]", "quiz 4 false"]);
    }
    let back = room.join(again(2, Pupil, 2));
    assert_eq!(got(&mut room, back)[0], "welcome 4 resume=false", "a quiz was in between");
    let teacher = room.join(again(9, Teacher, 3));
    assert_eq!(got(&mut room, teacher)[0], "welcome 4 resume=false", "it may have been a pupil");
}

#[test]
fn v1_quiz_undo_leaves_alone_what_one_does_not_see() {
    let mut room = with(&[(9, Teacher), (1, Pupil), (2, Pupil)]);
    room.put(3, 1, &[element("b", 1, 1)]);
    room.ask(2, 1, change(&[element("b", 2, 2), element("a", 1, 1)], None));
    room.ask(1, 1, What::Quiz(true));
    room.received(2);
    room.ask(2, 2, What::Undo);
    assert_eq!(got(&mut room, 2), ["change 4 by 1 []-a@2", "ack 2 at 4, 0/1"]);
    assert_eq!(room.scene.state().elements.live("b").unwrap().version(), 2);
}

#[test]
fn d1_strokes_are_seen_while_they_are_drawn() {
    let mut room = with(&[(1, Teacher), (2, Pupil)]);
    draft(&mut room, 2, "s", points(0, "[0,0],[1,1]", 2));
    draft(&mut room, 2, "s", points(2, "[2,2]", 1));
    draft(&mut room, 2, "s", points(7, "[9,9]", 1));
    assert_eq!(got(&mut room, 1), ["draft 2 s 0+2", "draft 2 s 2+1"]);
    draft(&mut room, 2, "s", points(0, "[0,0]", 1));
    let late = room.join(somebody(3, Pupil));
    let drafts = welcome(&mut room, late).drafts;
    assert_eq!((drafts[0].client, &*drafts[0].points.text, drafts.len()), (2, "[0,0]", 1));
    draft(&mut room, 2, "s", Grow::Cancel);
    assert_eq!(got(&mut room, 1), ["draft 2 s 0+1", "join 3 pupil", "cancel 2 s"]);
    assert!(got(&mut room, 2).iter().all(|event| event.starts_with("join")));
    assert!(room.log.is_empty());
}

#[test]
fn d4_a_stroke_is_finished_without_sending_its_points_again() {
    let mut room = with(&[(1, Teacher), (2, Pupil)]);
    draft(&mut room, 2, "s", points(0, "[0.50,0],[1,1]", 2));
    room.received(1);
    let text = |count| format!(r#"{{"id":"s","type":"freedraw","version":1,"versionNonce":4,"count":{count}}}"#);
    room.ask(2, 1, finish(&text(2)));
    assert_eq!(got(&mut room, 1), ["change 1 by 2 [s@1]"]);
    assert_eq!(got(&mut room, 2), ["ack 1 at 1, 1/0"]);
    let element =
        r#"{"id":"s","type":"freedraw","version":1,"versionNonce":4,"points":[[0.50,0],[1,1]],"pressures":[]}"#;
    assert_eq!(room.scene.state().live()[0].text(), element);
    draft(&mut room, 2, "s", points(0, "[0,0]", 1));
    room.ask(2, 2, finish(&text(5).replace("\"version\":1", "\"version\":2")));
    assert_eq!(got(&mut room, 2), ["error draft Some(2) [s@1]-0"]);
    assert_eq!(got(&mut room, 1), ["draft 2 s 0+1", "cancel 2 s"]);
    assert_eq!(room.scene.drafts.all().count(), 0);
    room.ask(2, 1, finish(&text(2)));
    assert_eq!(got(&mut room, 2), ["ack 1 at 1, 1/0"], "it was executed, though its draft is gone");
}

#[test]
fn a4_who_may_not_draw_is_told_once_a_stroke() {
    let mut room = with(&[(1, Teacher), (2, Pupil), (3, Viewer)]);
    room.ask(1, 1, What::Lock(true));
    (1..=3).for_each(|client| drop(room.received(client)));
    for client in [2, 3] {
        draft(&mut room, client, "s", points(0, "[0,0]", 1));
        draft(&mut room, client, "s", points(1, "[0,0]", 1));
    }
    assert_eq!(got(&mut room, 2), ["error locked None []-0"]);
    assert_eq!(got(&mut room, 3), ["error read-only None []-0"]);
    assert!(got(&mut room, 1).is_empty());
}

#[test]
fn restore_brings_the_board_back_as_a_new_operation() {
    let mut room = with(&[(1, Teacher), (2, Pupil)]);
    room.put(1, 1, &[element("a", 1, 1), element("b", 1, 1)]);
    let then = room.scene.state().clone();
    room.put(1, 2, &[element("a", 2, 2), element("c", 1, 1)]);
    room.ask(1, 3, What::Clear);
    room.put(1, 4, &[element("b", 3, 1)]);
    room.received(2);
    room.ask(1, 5, What::RestoreTo(RestoreTo::of(1, &then)));
    assert_eq!(got(&mut room, 2), ["change 5 by 1 [a@4]"]);
    assert_eq!(got(&mut room, 1).last().unwrap(), "ack 5 at 5, 5/0");
    room.ask(1, 6, What::RestoreTo(RestoreTo::of(1, &then)));
    assert_eq!(room.log.len(), 5, "it is so already");
    room.ask(1, 7, What::Undo);
    assert_eq!(room.scene.state().live(), [element("b", 3, 1)]);
}

#[test]
fn restore_brings_the_look_back_too() {
    let mut room = with(&[(1, Teacher), (2, Pupil)]);
    let look = |pairs: &[(&str, &str)]| {
        What::Settings(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    };
    room.ask(1, 1, look(&[("back", "\"white\""), ("grid", "true")]));
    let then = room.scene.state().clone();
    room.ask(1, 2, look(&[("back", "\"black\""), ("grid", "null"), ("new", "1")]));
    room.put(1, 3, &[element("a", 1, 1)]);
    (1..=2).for_each(|client| drop(room.received(client)));
    room.ask(1, 4, What::RestoreTo(RestoreTo::of(1, &then)));
    assert_eq!(got(&mut room, 2), ["change 4 by 1 []-a@2", "settings 4 back=\"white\",grid=true,new=1"]);
    assert_eq!(room.on_disk().0.encode(), room.scene.state().encode());
    room.ask(1, 5, What::RestoreTo(RestoreTo::of(1, &then)));
    assert_eq!(room.log.len(), 4, "it is so already");
    let back = room.join(again(2, Pupil, 3));
    assert_eq!(got(&mut room, back), ["welcome 4 resume=true", "change 4 by 1 []-a@2"], "the look is in the welcome");
}

#[test]
fn v1_what_comes_back_belongs_to_whom_it_belonged() {
    for undone in [false, true] {
        let mut crowd = Crowd::new();
        let pupil = crowd.models[1].client.unwrap();
        let elements: Vec<_> = (0..TOMBSTONES + 20).map(|n| Element::from_text(&text(n, 1, false)).unwrap()).collect();
        crowd.room.put(pupil, 1, &elements);
        let then = crowd.room.scene.state().clone();
        crowd.room.ask(1, 1, What::Clear);
        crowd.room.ask(1, 2, if undone { What::Undo } else { What::RestoreTo(RestoreTo::of(1, &then)) });
        let state = crowd.room.scene.state();
        assert_eq!(state.elements.count(), TOMBSTONES + 20);
        let of_others = state.elements.iter().filter(|(owner, _)| owner.teacher || owner.user.0 != 1).count();
        assert_eq!(of_others, 0, "undone: {undone}");
        assert_eq!(crowd.room.on_disk().0.encode(), state.encode());
        crowd.room.ask(1, 3, What::Quiz(true));
        let ben = crowd.room.join(somebody(2, Pupil));
        assert_eq!(got(&mut crowd.room, ben)[1], "snapshot 4 []", "undone: {undone}");
    }
}

#[test]
fn titles_and_settings_have_limits() {
    let long = "é".repeat(201);
    let setting = |key: &str, value: &str| What::Settings(vec![(key.into(), value.into())]);
    for (what, expected) in [
        (What::Title("".into()), "error message Some(1) []-0"),
        (What::Title(long.as_str().into()), "error message Some(1) []-0"),
        (What::Title(long[2..].into()), "ack 1 at 1, 0/0"),
        (setting("", "1"), "error message Some(1) []-0"),
        (setting(&"k".repeat(65), "1"), "error message Some(1) []-0"),
        (setting("k", "1,\"x\":2"), "error message Some(1) []-0"),
        (setting("k", &format!("\"{}\"", "x".repeat(4086))), "ack 1 at 1, 0/0"),
        (setting("k", &format!("\"{}\"", "x".repeat(4090))), "error too-large Some(1) []-0"),
        (setting("unknown", "null"), "ack 1 at 0, 0/0"),
    ] {
        let mut room = with(&[(1, Teacher)]);
        let asked = format!("{what:?}");
        room.ask(1, 1, what);
        assert_eq!(got(&mut room, 1).last().unwrap(), expected, "{asked}");
    }
    let mut room = with(&[(1, Teacher)]);
    for (id, key) in [(1, "a"), (2, "b"), (3, "c")] {
        room.ask(1, id, setting(key, &format!("\"{}\"", "x".repeat(2000))));
    }
    assert_eq!(got(&mut room, 1).last().unwrap(), "error too-large Some(3) []-0", "all together count");
}

#[test]
fn limits_of_the_board_are_kept() {
    let owner = Owner { user: UserId(1), teacher: true };
    let limits = Limits { elements: 2, ..Limits::default() };
    let mut room = Room::new(Opening { limits, ..Opening::default() });
    let client = room.join(somebody(1, Teacher));
    room.received(client);
    room.put(client, 1, &[element("a", 1, 0), element("b", 1, 0), element("c", 1, 0)]);
    room.put(client, 2, &[element("a", 1, 0), element("b", 1, 0)]);
    room.ask(client, 3, What::Clear);
    room.put(client, 4, &[element("c", 1, 0)]);
    let other = room.join(somebody(1, Teacher));
    room.received(client);
    room.put(other, 5, &[element("d", 1, 0)]);
    for (id, expected) in [(6, "change 5 by 1 []-d@2"), (7, "change 6 by 1 []-c@2"), (8, "change 7 by 1 [a@3 b@3]")] {
        room.ask(client, id, What::Undo);
        let events = got(&mut room, client);
        assert_eq!(events[events.len() - 2], expected);
    }
    room.ask(client, 9, What::Redo);
    room.put(client, 10, &[element("c", 3, 0)]);
    room.put(client, 11, &[element("d", 3, 0)]);
    room.ask(
        client,
        12,
        What::RestoreTo(RestoreTo {
            seq: 0,
            elements: ["e", "f", "g"].map(|id| (owner, element(id, 1, 0))).into(),
            settings: std::collections::BTreeMap::new(),
        }),
    );
    assert_eq!(got(&mut room, client).last().unwrap(), "error board-full Some(12) []-0");
}

#[test]
fn what_the_room_refuses_is_answered_and_changes_nothing() {
    let mut room = with(&[(1, Teacher)]);
    room.put(1, 1, &[element("a", 1, 0)]);
    room.received(1);
    let ask = |id, what| Action::Durable(crate::board::scene::action::Asked { id, what });
    room.refuse(1, ask(2, change(&[element("a", 2, 0)], None)), Refusal::DiskFull);
    room.refuse(1, ask(3, What::Clear), Refusal::DiskFull);
    assert_eq!(got(&mut room, 1), ["error disk-full Some(2) [a@1]-0", "error disk-full Some(3) []-0"]);
    assert_eq!(room.log.len(), 1);
    for (refusal, code) in [
        (Refusal::Unreadable, Code::Internal),
        (Refusal::DiskLow, Code::DiskLow),
        (Refusal::TooManyBoards, Code::TooMany),
        (Refusal::TooManyOfAddress, Code::TooMany),
        (Refusal::Unsaved, Code::Internal),
    ] {
        let Event::Error(refused) = super::Scene::turned_away(refusal) else { panic!() };
        assert_eq!((refused.code, &*refused.message), (code, refusal.sentence()));
    }
    room.refuse(1, Action::Leave, Refusal::DiskFull);
    assert!(room.scene.clients.is_empty());
}
