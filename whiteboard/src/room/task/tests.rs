//! Rooms on a real store: order, failed writes, leaving memory.

use super::*;
use crate::metrics::Metrics;
use crate::protocol::classroom::{UndoEvents, encode};
use crate::room::{Membership, Timing};
use crate::store::{DATABASE, Store, schema};
use crate::websocket::Outgoing;
use serde_json::value::RawValue;
use tokio::time::timeout;

struct Bench {
    directory: tempfile::TempDir,
    hub: Hub,
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
        let hub = Hub::new(Shared { store, timing, encoder, metrics: metrics.clone() });
        Self { directory, hub, metrics }
    }

    fn join(&self, code: &str) -> (Membership, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(self.metrics.clone()));
        (self.hub.join(&BoardName::classroom(code), outbox.clone()), outbox)
    }
}

async fn update(member: &Membership, list: &str, ack: u64) {
    let paths = RawValue::from_string(list.to_owned()).unwrap();
    member.request(Action::UpdatePaths(paths), Some(ack)).await;
}

/// What is in an outbox once everything asked so far has its answer.
async fn answers(member: &Membership, outbox: &Outbox) -> Vec<String> {
    timeout(Duration::from_secs(5), member.settled()).await.unwrap();
    texts(outbox)
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
             INSERT INTO operations VALUES (1, 1, 1, 0, 'no JSON')",
        )
        .unwrap();
    let (member, outbox) = bench.join("broken");
    timeout(Duration::from_secs(5), async {
        while outbox.closed().is_none() {
            outbox.changed().await;
        }
    })
    .await
    .unwrap();
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
    for n in 0..SNAPSHOT_OPERATIONS + 10 {
        update(&teacher, &format!("[{n}]"), n).await;
    }
    answers(&teacher, &outbox).await;
    drop(teacher);
    bench.hub.shutdown().await;
    bench.hub.shared().store.writer.close().await;
    let reader = crate::store::Reader::open(&bench.directory.path().join(DATABASE)).unwrap();
    let loaded = reader.load::<crate::board::classroom::state::State>(&BoardName::classroom("physics")).unwrap();
    assert_eq!((loaded.seq, loaded.behind_snapshot), (SNAPSHOT_OPERATIONS + 10, 10));
    reader.examine().unwrap();
}
