//! Changes too large for one message.

use super::super::harness::{Room, somebody};
use crate::board::core::{ClientId, Core, Opening, Tell};
use crate::board::scene::action::{RestoreTo, What};
use crate::board::scene::catchup::PART_BYTES;
use crate::board::scene::element::Element;
use crate::board::scene::event::Event;
use crate::board::scene::identity::Role::{Pupil, Teacher};
use std::collections::BTreeSet;

/// An element of so many kilobytes.
fn heavy(id: &str, version: u64, kilobytes: usize) -> Element {
    let filling = "x".repeat(kilobytes << 10);
    let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":0,"filling":"{filling}"}}"#);
    Element::from_text(&text).unwrap()
}

/// Elements of a megabyte together.
fn megabyte(name: &str) -> Vec<Element> {
    (0..10).map(|n| heavy(&format!("{name}{n}"), 1, 102)).collect()
}

/// What a client got: the names of the messages, parts of one board as one, and the elements of the board.
fn got(room: &mut Room, client: ClientId) -> (Vec<String>, BTreeSet<String>) {
    let (mut names, mut elements) = (Vec::new(), BTreeSet::new());
    let mut open = false;
    for event in room.received(client) {
        if let Event::Snapshot(part) = &event {
            assert!(event.is_whole() && event.weight() <= PART_BYTES + (103 << 10), "parts stay small");
            elements.extend(part.elements.iter().map(|element| element.id().to_string()));
            if !std::mem::replace(&mut open, part.more) {
                names.push(format!("snapshot {}", part.seq));
            }
            continue;
        }
        assert!(!open, "the parts come one after another: {event:?}");
        names.push(match event {
            Event::Reset { .. } => "reset".to_owned(),
            Event::Change(changed) => format!("change {}", changed.seq),
            Event::Ack(ack) => format!("ack {}", ack.seq),
            Event::Quiz { on, .. } => format!("quiz {on}"),
            other => format!("{other:?}"),
        });
    }
    assert!(!open, "the last part says that it is");
    (names, elements)
}

fn room() -> Room {
    Room::new(Opening { epoch: "epoch".into(), ..Opening::default() })
}

#[test]
fn a_large_change_comes_as_a_board_in_parts_and_is_one_operation() {
    let mut room = room();
    let [ann, ben] = [1, 2].map(|user| room.join(somebody(user, Teacher)));
    let large: Vec<Element> = ["a", "b", "c", "d", "e"].iter().flat_map(|name| megabyte(name)).collect();
    let ids: BTreeSet<String> = large.iter().map(|element| element.id().to_string()).collect();
    for client in [ann, ben] {
        room.received(client);
    }

    room.put(ann, 1, &megabyte("small"));
    assert_eq!(got(&mut room, ben).0, ["change 1"], "a small one as ever");
    room.put(ann, 2, &large);
    let (names, seen) = got(&mut room, ben);
    assert_eq!(names, ["reset", "snapshot 2"]);
    assert!(seen.len() == 60 && seen.is_superset(&ids));
    assert_eq!(got(&mut room, ann).0, ["ack 1", "ack 2"], "whoever drew it has it");

    let then = RestoreTo::of(2, room.scene.state());
    room.ask(ben, 1, What::Clear);
    assert_eq!(got(&mut room, ann).0, ["change 3"], "what is deleted is short, however large it was");
    room.ask(ann, 3, What::RestoreTo(then));
    for (client, expected) in
        [(ann, &["reset", "snapshot 4", "ack 4"][..]), (ben, &["change 3", "ack 3", "reset", "snapshot 4"])]
    {
        let (names, seen) = got(&mut room, client);
        assert_eq!((names, seen.len()), (expected.iter().map(ToString::to_string).collect(), 60));
    }
    room.ask(ann, 4, What::Undo);
    assert_eq!(got(&mut room, ben).0, ["change 5"]);
    room.ask(ann, 5, What::Redo);
    assert_eq!(got(&mut room, ben).0, ["reset", "snapshot 6"]);
    assert_eq!(room.log.len(), 6, "each is one operation");
}

#[test]
fn in_a_quiz_everybody_gets_the_part_of_it_that_they_may_see() {
    let mut room = room();
    let [ann, tea] = [(1, Teacher), (2, Teacher)].map(|(user, role)| room.join(somebody(user, role)));
    let [pia, pit] = [3, 4].map(|user| room.join(somebody(user, Pupil)));
    room.put(ann, 1, &megabyte("teachers"));
    room.put(pit, 1, &[heavy("pit", 1, 1)]);
    room.ask(ann, 2, What::Quiz(true));
    for client in [ann, tea, pia, pit] {
        room.received(client);
    }
    let large: Vec<Element> = ["a", "b", "c", "d", "e"].iter().flat_map(|name| megabyte(name)).collect();
    room.put(pia, 1, &large);
    assert_eq!(got(&mut room, pia).0, ["ack 4"]);
    let (names, seen) = got(&mut room, tea);
    assert_eq!((names.as_slice(), seen.len()), (&["reset".to_owned(), "snapshot 4".to_owned()][..], 61));
    // That these are those that pit may see is watched by the room.
    let (names, seen) = got(&mut room, pit);
    assert_eq!((names.as_slice(), seen.len()), (&["reset".to_owned(), "snapshot 4".to_owned()][..], 11));
}
