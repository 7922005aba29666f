//! The classroom contract over WebSocket, event by event, against the real server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::Value;
use std::time::Duration;
use support::http::get;
use support::socket::{Client, Incoming};
use support::{Server, data};
use tokio::time::sleep;

const EMPTY: &str =
    r#"{"background_image":"","paths":[],"undo_stack":[],"redo_stack":[],"is_student_locked":false,"is_quiz":false}"#;

/// A server and two clients in one session.
async fn lesson(more: &[&str]) -> (tempfile::TempDir, Server, Client, Client) {
    let (directory, data) = data();
    let server = Server::start(&data, more);
    let (teacher, first) = Client::join(server.port, "physics").await;
    let (student, second) = Client::join(server.port, "physics").await;
    assert_eq!((first.as_str(), second.as_str()), (EMPTY, EMPTY));
    (directory, server, teacher, student)
}

fn event(name: &str, payload: &str) -> Incoming {
    Incoming::Event(name.to_owned(), payload.to_owned())
}

#[tokio::test]
async fn every_event_reaches_those_whom_the_contract_names() {
    let (_directory, server, mut teacher, mut student) = lesson(&[]).await;
    let (mut stranger, _) = Client::join(server.port, "art").await;
    let on = |field: &str| format!(r#"{{"session_code":"physics","{field}":true}}"#);
    for (name, payload, answer, content, to_sender) in [
        (
            "update_paths",
            r#"{"session_code":"physics","paths":[1]}"#.to_owned(),
            "paths_update",
            r#"{"paths":[1]}"#,
            false,
        ),
        ("clear_paths", r#"{"session_code":"physics"}"#.to_owned(), "paths_cleared", r#"{"paths":[]}"#, true),
        ("undo_request", "{}".to_owned(), "paths_update", r#"{"paths":[1]}"#, true),
        ("redo_request", "{}".to_owned(), "paths_update", r#"{"paths":[]}"#, true),
        (
            "update_background",
            r#"{"background_image":"data:,é"}"#.to_owned(),
            "background_update",
            r#"{"background_image":"data:,é"}"#,
            false,
        ),
        ("clear_background", "{}".to_owned(), "background_cleared", r#"{"background_image":""}"#, true),
        ("set_student_lock", on("is_locked"), "student_lock_status", r#"{"is_student_locked":true}"#, true),
        ("set_quiz_status", on("is_quiz"), "quiz_status_updated", r#"{"is_quiz":true}"#, true),
        ("get_quiz_status", "{}".to_owned(), "quiz_status", r#"{"is_quiz":true}"#, true),
    ] {
        teacher.call(name, &payload).await;
        assert_eq!(student.next().await, event(answer, content), "{name}");
        if to_sender {
            assert_eq!(teacher.next().await, event(answer, content), "{name}");
        }
        assert_eq!(teacher.rest().await, [], "{name}");
    }
    assert_eq!(student.rest().await, []);
    assert_eq!(stranger.rest().await, []);
    let (_late, data) = Client::join(server.port, "physics").await;
    assert_eq!(
        data,
        r#"{"background_image":"","paths":[],"undo_stack":[[],[1]],"redo_stack":[],"is_student_locked":true,"is_quiz":true}"#
    );
}

#[tokio::test]
async fn an_empty_stack_answers_nothing_and_the_later_generation_has_its_own_events() {
    let (_directory, _server, mut teacher, mut student) = lesson(&["--undo-events", "undo"]).await;
    teacher.call("undo_request", "{}").await;
    teacher.call("redo_request", "{}").await;
    assert_eq!((teacher.rest().await, student.rest().await), (vec![], vec![]));
    teacher.update("[1]").await;
    assert_eq!(student.event("paths_update").await, r#"{"paths":[1]}"#);
    teacher.call("undo_request", "{}").await;
    assert_eq!(
        (teacher.event("undo").await, student.event("undo").await),
        (r#"{"paths":[]}"#.into(), r#"{"paths":[]}"#.into())
    );
    student.call("redo_request", "{}").await;
    assert_eq!(
        (teacher.event("redo").await, student.event("redo").await),
        (r#"{"paths":[1]}"#.into(), r#"{"paths":[1]}"#.into())
    );
}

#[tokio::test]
async fn opaque_values_come_back_byte_for_byte_even_after_a_restart() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let list = format!(
        r#"[123456789012345678901234567890,0.1,1e21,-0,"\ud800",{{"drawMode": true,"unknown":{{"x":[null, 1.50]}}}},"é\u00e9",{deep},null,[]]"#
    );
    let (directory, mut server, mut teacher, mut student) = lesson(&[]).await;
    teacher.update(&list).await;
    assert_eq!(student.event("paths_update").await, format!("{{\"paths\":{list}}}"));
    teacher.call("update_background", r#"{"background_image":"\udc00 \u00e9 é"}"#).await;
    server.kill();
    let server = Server::start(&directory.path().join("data"), &[]);
    let (_, data) = Client::join(server.port, "physics").await;
    assert!(data.contains(&format!("\"paths\":{list},")), "{data}");
    assert!(data.starts_with(r#"{"background_image":"\udc00 \u00e9 é","#), "{data}");
}

#[tokio::test]
async fn one_clients_events_keep_their_order() {
    let (_directory, _server, mut teacher, mut student) = lesson(&[]).await;
    for round in 0..20 {
        teacher.emit("update_paths", &format!("{{\"paths\":[{round}]}}"));
        teacher.emit("set_quiz_status", "{\"is_quiz\":true}");
        teacher.emit("undo_request", "{}");
        teacher.emit("get_quiz_status", "{}");
    }
    for round in 0..20 {
        assert_eq!(student.next().await, event("paths_update", &format!("{{\"paths\":[{round}]}}")));
        assert_eq!(student.next().await, event("quiz_status_updated", r#"{"is_quiz":true}"#));
        assert_eq!(student.next().await, event("paths_update", r#"{"paths":[]}"#));
        assert_eq!(student.next().await, event("quiz_status", r#"{"is_quiz":true}"#));
    }
}

#[tokio::test]
async fn a_list_replaces_the_board_once_its_sender_has_seen_the_one_before() {
    let (_directory, _server, mut teacher, mut student) = lesson(&[]).await;
    for round in 0..5 {
        teacher.update(&format!("[\"t{round}\"]")).await;
        assert_eq!(student.event("paths_update").await, format!("{{\"paths\":[\"t{round}\"]}}"));
        sleep(Duration::from_millis(60)).await;
        student.update(&format!("[\"s{round}\"]")).await;
        assert_eq!(teacher.event("paths_update").await, format!("{{\"paths\":[\"s{round}\"]}}"));
        sleep(Duration::from_millis(60)).await;
    }
    student.update("[]").await;
    assert_eq!(teacher.event("paths_update").await, r#"{"paths":[]}"#);
    assert_eq!(student.rest().await, [], "nobody was corrected");
}

#[tokio::test]
async fn strokes_drawn_at_the_same_moment_all_stay_and_everybody_sees_them() {
    let (_directory, server, mut teacher, mut student) = lesson(&[]).await;
    let (mut reader, _) = Client::join(server.port, "physics").await;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..30 {
        // Neither has seen the other's stroke of this round when it sends its own.
        mine.push(format!("\"t{round}\""));
        theirs.push(format!("\"s{round}\""));
        let (a, b) = (
            teacher.ask("update_paths", &format!("{{\"paths\":[{}]}}", mine.join(","))),
            student.ask("update_paths", &format!("{{\"paths\":[{}]}}", theirs.join(","))),
        );
        teacher.acknowledged(a).await;
        student.acknowledged(b).await;
        let last = |incoming: Vec<Incoming>| {
            incoming.into_iter().rev().find_map(|incoming| match incoming {
                Incoming::Event(name, payload) if name == "paths_update" => Some(payload),
                _ => None,
            })
        };
        if round % 10 == 9 {
            let (seen, other, third) =
                (last(teacher.rest().await), last(student.rest().await), last(reader.rest().await));
            let (_, data) = Client::join(server.port, "physics").await;
            let board: Value = serde_json::from_str(&data).unwrap();
            let board: Vec<String> = board["paths"].as_array().unwrap().iter().map(ToString::to_string).collect();
            for stroke in (0..=round).flat_map(|n| [format!("\"t{n}\""), format!("\"s{n}\"")]) {
                assert_eq!(board.iter().filter(|found| **found == stroke).count(), 1, "{stroke} in {board:?}");
            }
            let expected = Some(format!("{{\"paths\":[{}]}}", board.join(",")));
            assert_eq!((&seen, &other, &third), (&expected, &expected, &expected));
            mine.clone_from(&board);
            theirs = board;
        }
    }
}

#[tokio::test]
async fn a_lock_binds_all_but_who_set_it() {
    let (_directory, server, mut teacher, mut student) = lesson(&[]).await;
    teacher.update("[1]").await;
    teacher.call("update_background", r#"{"background_image":"b"}"#).await;
    teacher.call("set_student_lock", r#"{"is_locked":true}"#).await;
    student.rest().await;
    for (name, payload, answer) in [
        ("update_paths", r#"{"paths":[1,2]}"#, event("paths_update", r#"{"paths":[1]}"#)),
        ("clear_paths", "{}", event("paths_update", r#"{"paths":[1]}"#)),
        ("undo_request", "{}", event("paths_update", r#"{"paths":[1]}"#)),
        ("redo_request", "{}", event("paths_update", r#"{"paths":[1]}"#)),
        ("update_background", r#"{"background_image":"x"}"#, event("background_update", r#"{"background_image":"b"}"#)),
        ("clear_background", "{}", event("background_update", r#"{"background_image":"b"}"#)),
    ] {
        student.ask(name, payload);
        assert_eq!(student.rest().await, [answer], "{name}: shown the board as it is, never acknowledged");
    }
    assert_eq!(teacher.rest_names().await, ["student_lock_status"]);
    student.call("get_quiz_status", "{}").await;
    teacher.update("[1,3]").await;
    assert_eq!(student.event("paths_update").await, r#"{"paths":[1,3]}"#);
    // The teacher's connection is lost: the flag stays, but nobody is shut out until it is set again.
    drop(teacher);
    sleep(Duration::from_millis(200)).await;
    let (mut teacher, data) = Client::join(server.port, "physics").await;
    assert!(data.contains(r#""is_student_locked":true"#));
    teacher.update("[1,3,4]").await;
    teacher.call("set_student_lock", r#"{"is_locked":true}"#).await;
    student.ask("clear_paths", "{}");
    assert!(!student.rest().await.iter().any(|incoming| matches!(incoming, Incoming::Ack(_))));
    teacher.call("set_student_lock", r#"{"is_locked":false}"#).await;
    student.call("clear_paths", "{}").await;
}

#[tokio::test]
async fn what_is_wrong_is_told_and_changes_nothing() {
    let (_directory, server, mut teacher, mut student) = lesson(&[]).await;
    teacher.update("[1]").await;
    student.rest().await;
    for (name, payload) in [
        ("update_paths", r#"{"paths":"no list"}"#),
        ("update_paths", r#"{"session_code":"art","paths":[]}"#),
        ("set_student_lock", r#"{"is_locked":1}"#),
        ("no_such_event", "{}"),
    ] {
        student.ask(name, payload);
        assert_eq!(student.rest_names().await, ["error"], "{name} {payload}: an error, no acknowledgement");
    }
    student.send("451-[\"update_paths\",{\"_placeholder\":true,\"num\":0}]");
    assert!(student.event("error").await.contains("binary"));
    assert_eq!(teacher.rest().await, []);
    student.update("[1,2]").await;
    assert_eq!(teacher.event("paths_update").await, r#"{"paths":[1,2]}"#, "the session goes on");

    for code in ["", &"x".repeat(201), "a%00b"] {
        let mut refused = Client::open(server.port, code).await.unwrap();
        let Incoming::Refused(reason) = refused.next().await else { panic!("refused") };
        assert!(reason.starts_with("{\"message\":\"session_code "), "{reason}");
    }
    let mut elsewhere = Client::open(server.port, "physics").await.unwrap();
    elsewhere.event("session_data").await;
    elsewhere.send("40/admin,{}");
    assert_eq!(elsewhere.next().await, Incoming::Refused("/admin,{\"message\":\"Invalid namespace\"}".into()));
    elsewhere.send("4nonsense");
    assert_eq!(elsewhere.closed().await, Some(1002));
}

#[tokio::test]
async fn large_messages_pass_up_to_the_limit() {
    let (_directory, server, mut teacher, mut student) = lesson(&[]).await;
    let image = format!("{{\"background_image\":\"{}\"}}", "x".repeat(900_000));
    teacher.call("update_background", &image).await;
    assert_eq!(student.event("background_update").await, image);
    let larger = format!("{{\"background_image\":\"{}\"}}", "x".repeat(1_100_000));
    teacher.emit("update_background", &larger);
    teacher.closed().await;
    let (_, data) = Client::join(server.port, "physics").await;
    assert!(data.starts_with(&image[..image.len() - 1]), "the board is as before");
    student.update("[1]").await;
}

#[tokio::test]
async fn a_lock_is_lifted_when_nothing_happens_for_long() {
    let (_directory, _server, mut teacher, mut student) = lesson(&["--unlock-after", "3"]).await;
    teacher.call("set_student_lock", r#"{"is_locked":true}"#).await;
    sleep(Duration::from_millis(1800)).await;
    // Drawing puts it off, asking for the quiz does not.
    teacher.update("[1]").await;
    sleep(Duration::from_millis(1800)).await;
    teacher.call("get_quiz_status", "{}").await;
    assert!(!student.rest_names().await.contains(&"student_unlocked".to_owned()));
    assert_eq!(student.event("student_unlocked").await, r#"{"is_student_locked":false}"#);
    assert_eq!(teacher.event("student_unlocked").await, r#"{"is_student_locked":false}"#);
    student.update("[1,2]").await;
    // It comes even when nothing is locked.
    assert_eq!(student.event("student_unlocked").await, r#"{"is_student_locked":false}"#);
}

#[tokio::test]
async fn a_session_in_which_nothing_happens_is_ended_and_its_drawings_stay() {
    let (_directory, server, mut teacher, mut student) = lesson(&["--session-timeout", "2"]).await;
    teacher.update("[1]").await;
    teacher.call("set_student_lock", r#"{"is_locked":true}"#).await;
    assert_eq!((teacher.closed().await, student.closed().await), (Some(1001), Some(1001)));
    let (_, data) = Client::join(server.port, "physics").await;
    assert!(data.contains(r#""paths":[1]"#) && data.contains(r#""is_student_locked":false"#), "{data}");
}

#[tokio::test]
async fn a_board_leaves_memory_and_comes_back() {
    let (_directory, server, mut teacher, student) = lesson(&["--unload-after", "0.2"]).await;
    for n in 0..150 {
        teacher.update(&format!("[{}]", (0..=n).map(|n| n.to_string()).collect::<Vec<_>>().join(","))).await;
    }
    let open = async || get(server.admin_port, "/metrics").await.body.contains("whiteboard_boards_open 1\n");
    assert!(open().await);
    drop((teacher, student));
    for _ in 0..50 {
        if !open().await {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!open().await, "the board is still in memory");
    let (mut teacher, data) = Client::join(server.port, "physics").await;
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["paths"].as_array().unwrap().len(), 150);
    teacher.call("undo_request", "{}").await;
    let board: Value = serde_json::from_str(&teacher.event("paths_update").await).unwrap();
    assert_eq!(board["paths"].as_array().unwrap().len(), 149);
}

#[tokio::test]
async fn a_client_that_does_not_answer_or_never_connects_is_closed() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--ping-interval", "0.5", "--ping-timeout", "0.8"]);
    let (mut answering, _) = Client::join(server.port, "physics").await;
    let (_silent, _) = Client::join(server.port, "physics").await;
    let count = async || get(server.admin_port, "/metrics").await.body;
    assert!(count().await.contains(r#"whiteboard_connections{dialect="classroom",transport="websocket"} 2"#));
    // Reading answers the pings; the other one never reads.
    assert_eq!(tokio::time::timeout(Duration::from_secs(4), answering.next()).await.ok(), None);
    let metrics = count().await;
    assert!(metrics.contains(r#"whiteboard_connections{dialect="classroom",transport="websocket"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"whiteboard_connections_closed_total{reason="no_answer"} 1"#), "{metrics}");
}
