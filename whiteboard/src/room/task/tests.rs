//! Rooms on a real store: order, failed writes, leaving memory.

use super::*;
use crate::board::classroom::{Action, Classroom, Event, State};
use crate::board::core::Limits;
use crate::limits::space::{Marks, Space};
use crate::metrics::Metrics;
use crate::protocol::classroom::{UndoEvents, encode};
use crate::room::snapshots::OPERATIONS;
use crate::room::{Ground, Hub, Membership, Outbox, Timing};
use crate::store::{DATABASE, Store, schema};
use crate::websocket::Outgoing;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::time::timeout;

struct Bench {
    directory: tempfile::TempDir,
    hub: Hub<Classroom>,
    space: Arc<Space>,
    metrics: Arc<Metrics>,
}

impl Bench {
    /// Rooms on a database that may grow by so many pages.
    fn new(pages: i64, timing: Timing) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let connection = schema::open(&directory.path().join(DATABASE)).unwrap();
        let used: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.query_row(&format!("PRAGMA max_page_count = {}", used + pages), [], |_| Ok(())).unwrap();
        let store = Store::on(connection, directory.path(), |sentence| panic!("{sentence}"), |_| ()).unwrap();
        let metrics = Arc::new(Metrics::default());
        let encoder = Arc::new(|event: &Event| encode(event, UndoEvents::PathsUpdate));
        let space = Arc::new(Space::new(Marks { boards: 3, ..Marks::default() }));
        let epoch = store.reader.epoch().unwrap().into();
        let limits = Limits::default();
        let ground = Ground { store, timing, limits, epoch, space: space.clone(), metrics: metrics.clone() };
        Self { directory, hub: Hub::new(Shared { ground, encoder }), space, metrics }
    }

    fn join(&self, code: &str) -> (Membership<Classroom>, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(self.metrics.clone()));
        (self.hub.join(&BoardName::classroom(code), outbox.clone(), Action::Join), outbox)
    }
}

async fn update(member: &Membership<Classroom>, list: &str, ack: u64) {
    let paths = RawValue::from_string(list.to_owned()).unwrap();
    member.request(Action::UpdatePaths(paths), Some(ack)).await;
}

/// What is in an outbox once everything asked so far has its answer.
async fn answers(member: &Membership<Classroom>, outbox: &Outbox) -> Vec<String> {
    timeout(Duration::from_secs(5), member.settled()).await.unwrap();
    texts(outbox)
}

/// Waits until a connection is to be closed.
async fn closed(outbox: &Outbox) {
    let closing = async {
        while outbox.closed().is_none() {
            outbox.changed().await;
        }
    };
    timeout(Duration::from_secs(5), closing).await.unwrap();
}

fn texts(outbox: &Outbox) -> Vec<String> {
    outbox.take_frames(usize::MAX, usize::MAX).iter().map(|frame| frame.text().to_owned()).collect()
}

#[tokio::test]
async fn joining_and_drawing_arrive_in_order() {
    let bench = Bench::new(10_000, Timing::default());
    let (teacher, at_teacher) = bench.join("physics");
    update(&teacher, "[1]", 1).await;
    let (student, at_student) = bench.join("physics");
    update(&teacher, "[1,2]", 2).await;
    assert_eq!(answers(&teacher, &at_teacher).await[1..], ["431[]", "432[]"]);
    let seen = answers(&student, &at_student).await;
    assert!(seen[0].contains("session_data") && seen[0].contains("\"paths\":[1],"), "{seen:?}");
    assert_eq!(seen[1..], ["42[\"paths_update\",{\"paths\":[1,2]}]"]);
}

#[tokio::test]
async fn a_board_that_only_the_server_visits_leaves_memory_at_once() {
    let bench = Bench::new(10_000, Timing { unload_after: Duration::from_hours(1), ..Timing::default() });
    let name = BoardName::classroom("physics");
    let open = || bench.metrics.statistics().boards;
    let closed = async || {
        while open() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    for n in 1..3 {
        let outbox = Arc::new(Outbox::new(bench.metrics.clone()));
        let visit = bench.hub.visit(&name, outbox.clone(), Action::Join);
        update(&visit, &format!("[{n}]"), 1).await;
        visit.settled().await;
        assert_eq!(open(), 1);
        drop(visit);
        timeout(Duration::from_secs(5), closed()).await.unwrap();
    }
    let (pupil, outbox) = bench.join("physics");
    assert!(answers(&pupil, &outbox).await[0].contains("\"paths\":[2]"));
    let visit = bench.hub.visit(&name, Arc::new(Outbox::new(bench.metrics.clone())), Action::Join);
    visit.settled().await;
    drop((pupil, visit));
    // Somebody was there: it stays, and is the same board when they come back.
    let (pupil, outbox) = bench.join("physics");
    answers(&pupil, &outbox).await;
    assert_eq!(open(), 1);
}

#[tokio::test]
async fn a_full_disk_takes_back_what_was_not_saved_and_the_lesson_goes_on() {
    let bench = Bench::new(12, Timing::default());
    let (teacher, at_teacher) = bench.join("physics");
    let (student, at_student) = bench.join("physics");
    update(&teacher, "[1]", 1).await;
    assert_eq!(answers(&teacher, &at_teacher).await[1..], ["431[]"]);
    answers(&student, &at_student).await;

    let large = format!("[1,\"{}\"]", "x".repeat(100_000));
    update(&teacher, &large, 2).await;
    // The barrier is given up together with what it waited for.
    teacher.settled().await;
    teacher.settled().await;
    let told = texts(&at_teacher).join(" ");
    assert!(!told.contains("432[]"), "{told}");
    assert!(told.contains("42[\"paths_update\",{\"paths\":[1]}]") && told.contains("42[\"error\""), "{told}");
    let told = answers(&student, &at_student).await.join(" ");
    assert!(!told.contains("xxx") && told.contains("42[\"error\""), "{told}");

    let (_late, at_late) = bench.join("physics");
    update(&teacher, "[1,4]", 4).await;
    assert!(answers(&teacher, &at_teacher).await.contains(&"434[]".to_owned()), "small changes still fit");
    assert!(texts(&at_late)[0].contains("\"paths\":[1],"));
}

#[tokio::test]
async fn a_board_that_leaves_memory_takes_nothing_with_it() {
    let timing = Timing { unload_after: Duration::from_millis(1), ..Timing::default() };
    let bench = Bench::new(10_000, timing);
    for round in 0..50 {
        let (teacher, outbox) = bench.join("physics");
        let list: Vec<String> = (0..=round).map(|n| n.to_string()).collect();
        update(&teacher, &format!("[{}]", list.join(",")), 1).await;
        let told = answers(&teacher, &outbox).await;
        assert!(told[0].contains(&format!("\"paths\":[{}]", list[..round].join(","))), "{told:?}");
        assert_eq!(told.last().map(String::as_str), Some("431[]"));
        drop(teacher);
        if round % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    timeout(Duration::from_secs(5), bench.hub.shutdown()).await.unwrap();
    let reader = crate::store::Reader::open(&bench.directory.path().join(DATABASE)).unwrap();
    assert_eq!(reader.examine().unwrap().operations, 50);
}

#[tokio::test]
async fn a_board_that_cannot_be_read_turns_people_away_and_leaves_the_others_alone() {
    let bench = Bench::new(10_000, Timing::default());
    let connection = schema::open(&bench.directory.path().join(DATABASE)).unwrap();
    connection
        .execute_batch(
            "INSERT INTO boards (id, dialect, code, created) VALUES (1, 'classroom', 'broken', 0); \
             INSERT INTO operations (id, board, seq, time, body) VALUES (1, 1, 1, 0, 'no JSON')",
        )
        .unwrap();
    let (member, outbox) = bench.join("broken");
    closed(&outbox).await;
    assert_eq!(outbox.closed(), Some(Closed::Unreadable));
    assert!(texts(&outbox)[0].contains("cannot be read"));
    member.request(Action::GetQuiz, None).await;
    let (other, at_other) = bench.join("physics");
    assert!(answers(&other, &at_other).await[0].contains("session_data"));
}

#[tokio::test]
async fn a_long_log_gets_a_snapshot_that_says_the_same() {
    let timing = Timing { unload_after: Duration::from_millis(1), ..Timing::default() };
    let bench = Bench::new(100_000, timing);
    let (teacher, outbox) = bench.join("physics");
    for n in 0..OPERATIONS + 10 {
        update(&teacher, &format!("[{n}]"), n).await;
    }
    answers(&teacher, &outbox).await;
    drop(teacher);
    bench.hub.shutdown().await;
    bench.hub.shared().ground.store.writer.close().await;
    let reader = crate::store::Reader::open(&bench.directory.path().join(DATABASE)).unwrap();
    let loaded = reader.load::<State>(&BoardName::classroom("physics")).unwrap();
    assert_eq!(loaded.seq, OPERATIONS + 10);
    // What went to the disk together has one snapshot behind it.
    assert!(loaded.behind_snapshot <= 10, "{}", loaded.behind_snapshot);
    reader.examine().unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_new_boards_then_changes_and_recovers() {
    let bench = Bench::new(10_000, Timing::default());
    let (teacher, at_teacher) = bench.join("physics");
    update(&teacher, "[1]", 1).await;
    assert_eq!(answers(&teacher, &at_teacher).await[1..], ["431[]"]);

    bench.space.measured(8, 100);
    let (_new, at_new) = bench.join("chemistry");
    closed(&at_new).await;
    assert_eq!(at_new.closed(), Some(Closed::Refused));
    assert!(texts(&at_new)[0].contains("takes no new boards"));
    let (_student, at_student) = bench.join("physics");
    update(&teacher, "[1,2]", 2).await;
    assert_eq!(answers(&teacher, &at_teacher).await, ["432[]"], "drawing goes on");
    assert_eq!(texts(&at_student).len(), 2);

    bench.space.measured(2, 100);
    update(&teacher, "[1,2,3]", 3).await;
    teacher.request(Action::GetQuiz, None).await;
    let told = answers(&teacher, &at_teacher).await;
    assert!(
        told[0].contains("\"paths\":[1,2]") && told[1].contains("disk is full") && told[2].contains("quiz"),
        "{told:?}"
    );

    bench.space.measured(50, 100);
    update(&teacher, "[1,2,3]", 4).await;
    assert!(answers(&teacher, &at_teacher).await.contains(&"434[]".to_owned()));
}

#[tokio::test]
async fn there_are_only_so_many_boards() {
    let bench = Bench::new(10_000, Timing::default());
    for code in ["a", "b", "c"] {
        let (member, outbox) = bench.join(code);
        update(&member, "[1]", 1).await;
        assert_eq!(answers(&member, &outbox).await[1..], ["431[]"]);
    }
    let (_member, outbox) = bench.join("d");
    closed(&outbox).await;
    assert!(texts(&outbox)[0].contains("as many boards as it may have"));
    let (member, outbox) = bench.join("a");
    assert!(answers(&member, &outbox).await[0].contains("session_data"), "older boards go on");
}

#[tokio::test]
async fn a_closed_board_disconnects_everybody_and_opens_again() {
    let bench = Bench::new(10_000, Timing::default());
    let board = BoardName::classroom("physics");
    bench.hub.close(&board, Closed::Deleted);
    let (teacher, at_teacher) = bench.join("physics");
    update(&teacher, "[1]", 1).await;
    bench.hub.close(&board, Closed::Deleted);
    closed(&at_teacher).await;
    assert_eq!(at_teacher.closed(), Some(Closed::Deleted));
    let (_early, at_early) = bench.join("physics");
    closed(&at_early).await;
    assert_eq!(at_early.closed(), Some(Closed::Deleted));
    assert!(texts(&at_early)[0].contains("was deleted"), "nobody comes in before all have left");
    drop(teacher);
    let opened = async {
        loop {
            let (late, at_late) = bench.join("physics");
            if let Some(text) = answers(&late, &at_late).await.first().filter(|text| !text.contains("was deleted")) {
                return text.clone();
            }
        }
    };
    let text = timeout(Duration::from_secs(5), opened).await.unwrap();
    assert!(text.contains("\"paths\":[1],"), "the disk says that the board is there");
}
