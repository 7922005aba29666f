//! The native dialect against the real server: each rule of PROTOCOL.md, cited in the name of its test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use support::http::{get, request};
use support::native::{Native, change, create, element, hello};
use support::{PATIENCE, Server, verify};
use tempfile::TempDir;
use whiteboard_client::{Identity, State};

/// A server with a board `open` that has no secrets, and a board `class` with both.
fn start(settings: &[&str]) -> (Server, PathBuf, TempDir) {
    let (directory, data) = support::data();
    let server = Server::start(&data, settings);
    create(&data, "open", None, None);
    create(&data, "class", Some("teach"), Some("look"));
    (server, data, directory)
}

fn with(mut hello: Value, key: &str, value: impl Into<Value>) -> Value {
    hello[key] = value.into();
    hello
}

/// A teacher and a pupil of `class`.
async fn class(port: u16) -> (Native, Native) {
    let (mut teacher, welcome) = Native::enter(port, "class", &with(hello("teacher"), "access", "teach")).await;
    assert_eq!(welcome["role"], "teacher");
    teacher.event("snapshot").await;
    let (mut pupil, welcome) = Native::enter(port, "class", &hello("pupil")).await;
    assert_eq!(welcome["role"], "pupil");
    pupil.event("snapshot").await;
    teacher.event("join").await;
    (teacher, pupil)
}

/// Ids of the elements that somebody new sees, with their versions.
async fn shown(port: u16, board: &str, hello: &Value) -> Vec<(String, u64)> {
    let (mut client, welcome) = Native::enter(port, board, hello).await;
    assert_eq!(welcome["resume"], false);
    let (mut shown, mut more) = (Vec::new(), true);
    while more {
        let part = client.event("snapshot").await;
        let elements = part["elements"].as_array().unwrap();
        shown.extend(
            elements.iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one["version"].as_u64().unwrap())),
        );
        more = part["more"].as_bool().unwrap();
    }
    shown.sort();
    shown
}

fn of(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(id, version)| ((*id).to_owned(), *version)).collect()
}

#[tokio::test]
async fn p1_only_allowed_pages_and_possible_names_come_in() {
    let (server, _data, _directory) = start(&["--cors-origins", "https://school.example"]);
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let evil = [&upgrade[..], &[("origin", "https://evil.example")]].concat();
    assert_eq!(request(server.port, "GET", "/boards/open/live", &evil, "").await.status, 403);
    assert_eq!(get(server.port, "/boards/open/live").await.status, 426);
    for name in ["a%20b", &"x".repeat(65), "%C3%A9"] {
        let answer = request(server.port, "GET", &format!("/boards/{name}/live"), &upgrade, "").await;
        assert_eq!(answer.status, 404, "{name}");
    }
}

#[tokio::test]
async fn p2_messages_may_be_large_and_not_larger() {
    let (server, _data, _directory) = start(&[]);
    let mut client = Native::join(server.port, "open", "ada").await;
    let large = |n: u32| {
        let filling = "x".repeat(1_000_000);
        format!(r#"{{"id":"e{n}","type":"text","version":1,"versionNonce":1,"text":"{filling}"}}"#)
    };
    let elements: Vec<String> = (0..16).map(large).collect();
    client.ask(change(1, &elements)).await;
    assert_eq!(shown(server.port, "open", &hello("ben")).await.len(), 16);
    client.send(format!(r#"{{"t":"ping","x":"{}"}}"#, "x".repeat(16 << 20))).await;
    assert_eq!(client.closed().await, Some(4413));
}

#[tokio::test]
async fn p3_what_is_unknown_does_no_harm() {
    let (server, _data, _directory) = start(&[]);
    let mut client = Native::join(server.port, "open", "ada").await;
    client.ask(r#"{"t":"undo","id":1,"later":{"a":[1]}}"#).await;
    let error = client.refused(r#"{"t":"dance","id":2}"#).await;
    assert_eq!((&error["code"], &error["id"]), (&json!("message"), &json!(2)));
    client.ask(r#"{"t":"undo","id":2}"#).await;
}

#[tokio::test]
async fn p4_who_does_not_speak_the_protocol_is_told_and_closed() {
    let (server, _data, _directory) = start(&[]);
    let mut client = Native::join(server.port, "open", "ada").await;
    for round in 0..2 {
        for _ in 0..19 {
            assert_eq!(client.refused("nonsense").await["code"], "message", "round {round}");
        }
        client.ask(r#"{"t":"undo","id":1}"#).await;
    }
    for _ in 0..20 {
        client.send("nonsense").await;
    }
    assert_eq!(client.closed().await, Some(4400));
    let mut client = Native::join(server.port, "open", "ada").await;
    client.send_binary(b"\0").await;
    assert_eq!(client.closed().await, Some(4400));
}

#[tokio::test]
async fn p5_floods_are_read_slowly_and_lose_nothing_that_was_asked() {
    let (server, _data, _directory) = start(&["--native-message-rate", "20"]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    // A second's worth passes at once; of what is volatile the rest is dropped.
    for n in 0..400 {
        ada.send(format!(r#"{{"t":"v","k":"cursor","d":{n}}}"#)).await;
    }
    let start = std::time::Instant::now();
    for id in 1..=20 {
        ada.send(change(id, &[element("a", id, 1)])).await;
    }
    for id in 1..=20 {
        assert_eq!(ada.event("ack").await["id"], id);
    }
    assert!(start.elapsed() > Duration::from_millis(500), "20 a second: {:?}", start.elapsed());
    let hints: Vec<Value> = ada.rest().await.into_iter().filter(|one| one["t"] == "error").collect();
    assert!(hints.len() == 1 && hints[0]["code"] == "too-many" && hints[0]["id"].is_null(), "{hints:?}");
    let cursors = ben.rest().await.iter().filter(|one| one["t"] == "v").count();
    assert!((1..=100).contains(&cursors), "{cursors} of 400 cursors");
}

#[tokio::test]
async fn p6_pings_are_answered_and_the_deaf_are_closed() {
    let (server, _data, _directory) = start(&["--ping-interval", "0.2", "--ping-timeout", "0.2"]);
    let mut client = Native::join(server.port, "open", "ada").await;
    assert!(client.rest().await.is_empty());
    // From here on nothing is read, so no ping is answered.
    let start = std::time::Instant::now();
    while !get(server.admin_port, "/metrics").await.body.contains(r#"closed_total{reason="no_answer"} 1"#) {
        assert!(start.elapsed() < PATIENCE, "the deaf client is never closed");
    }
    assert_eq!(client.closed().await, Some(1001));
}

#[tokio::test]
async fn p7_boards_of_other_dialects_can_be_looked_at() {
    let (server, _data, _directory) = start(&[]);
    let stroke = |n: u32| json!({"drawMode": true, "strokeColor": "#f00", "strokeWidth": 4, "paths": [{"x": n, "y": 1}, {"x": 9, "y": 9}]});
    let (mut teacher, _) = support::socket::Client::join(server.port, "lesson%201").await;
    teacher.update(&json!([stroke(1)]).to_string()).await;
    let (mut looker, welcome) = Native::enter(server.port, "classroom:lesson%201", &hello("ada")).await;
    assert_eq!((&welcome["readonly"], &welcome["role"]), (&json!(true), &json!("viewer")));
    assert_eq!((&welcome["board"]["kind"], &welcome["board"]["id"]), (&json!("classroom"), &json!("lesson 1")));
    let snapshot = looker.event("snapshot").await;
    assert_eq!(
        (&snapshot["elements"][0]["type"], &snapshot["elements"][0]["strokeColor"]),
        (&json!("freedraw"), &json!("#f00"))
    );
    teacher.update(&json!([stroke(1), stroke(2)]).to_string()).await;
    let new = looker.event("change").await;
    assert_eq!(new["elements"].as_array().unwrap().len(), 1, "what is new comes alone");
    teacher.call("update_background", r#"{"background_image":"data:image/gif;base64,R0lGODlhBQAGAA=="}"#).await;
    let snapshot = looker.event("snapshot").await;
    let kinds: Vec<&Value> = snapshot["elements"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
    assert_eq!(kinds, ["image", "freedraw", "freedraw"]);
    let file = snapshot["elements"][0]["fileId"].as_str().unwrap();
    let image = get(server.port, &format!("/api/boards/lesson%201/files/{file}?kind=classroom")).await;
    assert_eq!((image.status, image.header("content-type")), (200, "image/gif"));
    assert!(image.body.starts_with("GIF89a"));
    teacher.update(&json!([stroke(1), stroke(2), stroke(3)]).to_string()).await;
    assert_eq!(looker.event("change").await["elements"].as_array().unwrap().len(), 1, "the image does not come again");
    teacher.call("clear_background", "{}").await;
    assert_eq!(looker.event("snapshot").await["elements"].as_array().unwrap().len(), 3);
    teacher.call("clear_paths", "{}").await;
    assert_eq!(looker.event("snapshot").await["elements"], json!([]));
    let refusal = looker.refused(change(1, &[element("a", 1, 1)])).await;
    assert_eq!((&refusal["code"], &refusal["id"]), (&json!("read-only"), &json!(1)));
}

#[tokio::test]
async fn p7_canvases_are_shown_to_people_with_an_account() {
    let (server, _data, _directory) = start(&[]);
    let ann = support::canvas::Person::register(server.port, "ann").await;
    let (mut page, _) = support::canvas::Page::join(server.port, "plan", &ann).await;
    page.send(&support::canvas::create(&support::canvas::rectangle("Rect-1", 1.5))).await;
    page.rest().await;
    let mut stranger = Native::open(server.port, "canvas:plan").await;
    assert_eq!(stranger.refused(hello("ada").to_string()).await["code"], "access");
    assert_eq!(stranger.closed().await, Some(4401));
    let cookie = format!("session={}", ann.session);
    let with = [("cookie", cookie.as_str())];
    let mut looker = Native::open_with(server.port, "canvas:plan", &with).await;
    looker.send(hello("ann").to_string()).await;
    assert_eq!(looker.event("snapshot").await["elements"].as_array().unwrap().len(), 1);
    let mut looker = Native::open_with(server.port, "canvas:nowhere", &with).await;
    assert_eq!(looker.refused(hello("ann").to_string()).await["code"], "unknown-board");
    assert_eq!(looker.closed().await, Some(4404));
}

#[tokio::test]
async fn s5_a_large_board_brought_back_closes_nobody_and_is_the_same_for_all() {
    let (server, _data, _directory) = start(&[]);
    let heavy = |n: usize| {
        let filling = "x".repeat(400 << 10);
        format!(r#"{{"id":"e{n}","type":"t","version":1,"versionNonce":1,"index":null,"filling":"{filling}"}}"#)
    };
    let mut teacher = Native::join(server.port, "open", "ada").await;
    for id in 1..=3 {
        let elements: Vec<String> = (0..9).map(|n| heavy(usize::try_from(id).unwrap() * 10 + n)).collect();
        teacher.ask(change(id, &elements)).await;
    }
    teacher.ask(r#"{"t":"clear","id":4}"#).await;
    let mut state = State::new(Identity {
        key: "key-of-ben--------------".into(),
        session: "tab-of-ben".into(),
        name: "ben".into(),
        ..Identity::default()
    });
    let mut slow = Native::open(server.port, "open").await;
    slow.send(state.hello()).await;
    teacher.event("join").await;
    // From here on ten megabytes come that nobody reads for a while, and more behind them.
    teacher.ask(r#"{"t":"restore","id":5,"seq":3}"#).await;
    for id in 6..=9 {
        teacher.ask(change(id, &[element(&format!("late{id}"), 1, 1)])).await;
    }
    let mut names = Vec::new();
    while state.seq() != Some(9) {
        let (message, text) = slow.receive(PATIENCE).await.expect("nobody is closed for reading slowly");
        state.receive(&text).unwrap();
        let name = message["t"].as_str().unwrap().to_owned();
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    assert_eq!(names, ["welcome", "snapshot", "reset", "snapshot", "change"]);
    assert_eq!(state.elements().len(), 27 + 4);
    let shown = shown(server.port, "open", &hello("eve")).await;
    let mut mine: Vec<_> = state.elements().iter().map(|one| (one.id.to_string(), one.stamp.version)).collect();
    mine.sort();
    assert_eq!(mine, shown);
}

#[tokio::test]
async fn h1_hello_comes_first_and_once() {
    let (server, _data, _directory) = start(&[]);
    for first in [r#"{"t":"undo","id":1}"#, "nonsense", r#"{"t":"hello","v":1,"key":"0123456789abcdef"}"#] {
        let mut client = Native::open(server.port, "open").await;
        assert_eq!(client.refused(first).await["code"], "hello", "{first}");
        assert_eq!(client.closed().await, Some(4400));
    }
    let mut client = Native::join(server.port, "open", "ada").await;
    assert_eq!(client.refused(hello("ada").to_string()).await["code"], "hello");
    client.ask(r#"{"t":"undo","id":1}"#).await;
    let mut silent = Native::open(server.port, "open").await;
    assert_eq!(silent.closed_within(Duration::from_secs(20)).await, Some(4408));
}

#[tokio::test]
async fn h2_an_old_client_is_told_to_reload() {
    let (server, _data, _directory) = start(&[]);
    let mut client = Native::open(server.port, "open").await;
    assert_eq!(client.refused(r#"{"t":"hello","v":2}"#).await["code"], "version");
    assert_eq!(client.closed().await, Some(4406));
}

#[tokio::test]
async fn h3_a1_a2_a3_who_may_come_in_and_as_what() {
    let (server, data, _directory) = start(&[]);
    for (board, wrong, code, close) in [
        ("nowhere", hello("ada"), "unknown-board", 4404),
        ("open", with(hello("ada"), "key", "short"), "key", 4401),
        ("open", with(hello("ada"), "access", "x"), "access", 4401),
        ("class", with(hello("ada"), "access", "x"), "access", 4401),
        ("class", with(hello("ada"), "session", "a b"), "hello", 4400),
    ] {
        let mut client = Native::open(server.port, board).await;
        assert_eq!(client.refused(wrong.to_string()).await["code"], code);
        assert_eq!(client.closed().await, Some(close), "{code}");
    }
    for (board, hello, role) in [
        ("open", hello("ada"), "teacher"),
        ("open", with(hello("ada"), "look", true), "viewer"),
        ("class", hello("ada"), "pupil"),
        ("class", with(hello("ada"), "access", "teach"), "teacher"),
        ("class", with(hello("ada"), "access", "look"), "viewer"),
        ("class", with(hello("ada"), "look", "look"), "viewer"),
    ] {
        let (_, welcome) = Native::enter(server.port, board, &hello).await;
        assert_eq!(welcome["role"], role, "{board} {hello}");
    }
    let database = rusqlite::Connection::open(data.join("whiteboard.db")).unwrap();
    database.busy_timeout(PATIENCE).unwrap();
    database
        .execute("INSERT INTO boards (dialect, code, created, changed, deleted) VALUES ('board', 'gone', 1, 1, 1)", [])
        .unwrap();
    let mut client = Native::open(server.port, "gone").await;
    assert_eq!(client.refused(hello("ada").to_string()).await["code"], "deleted-board");
    assert_eq!(client.closed().await, Some(4409));
}

#[tokio::test]
async fn the_welcome_says_who_is_there_and_join_and_leave_follow() {
    let (server, _data, _directory) = start(&[]);
    let (mut ada, welcome) = Native::enter(server.port, "open", &with(hello("ada"), "color", "#f00")).await;
    let me = welcome["client"].as_u64().unwrap();
    assert_eq!(welcome["v"], 1);
    assert_eq!((&welcome["seq"], &welcome["last"], &welcome["locked"]), (&json!(0), &json!(0), &json!(false)));
    assert_eq!((&welcome["board"]["id"], &welcome["board"]["kind"]), (&json!("open"), &json!("board")));
    assert!(welcome["limits"]["message"] == 16 << 20 && welcome["limits"]["elements"] == 50_000, "{welcome}");
    assert!(welcome["epoch"].as_str().unwrap().len() > 8);
    let user = welcome["user"].as_str().unwrap().to_owned();
    assert!(user.len() == 16 && user.bytes().all(|b| b.is_ascii_hexdigit()));
    ada.event("snapshot").await;
    let (ben, welcome) = Native::enter(server.port, "open", &hello("ben")).await;
    let people: Vec<&Value> = welcome["people"].as_array().unwrap().iter().filter(|one| one["client"] == me).collect();
    assert_eq!(people, [&json!({"client": me, "user": user, "name": "ada", "color": "#f00", "role": "teacher"})]);
    let join = ada.event("join").await;
    assert_eq!((&join["name"], &join["client"]), (&json!("ben"), &welcome["client"]));
    drop(ben);
    assert_eq!(ada.event("leave").await["client"], join["client"]);
}

#[tokio::test]
async fn a4_viewers_look_and_pupils_do_not_teach() {
    let (server, _data, _directory) = start(&[]);
    let (mut teacher, mut pupil) = class(server.port).await;
    let mut viewer = Native::enter(server.port, "class", &with(hello("viewer"), "access", "look")).await.0;
    let drawn = viewer.refused(change(1, &[element("v", 1, 1)])).await;
    assert_eq!((&drawn["code"], &drawn["id"]), (&json!("read-only"), &json!(1)));
    let requests = [
        r#"{"t":"clear","id":1}"#,
        r#"{"t":"lock","id":1,"on":true}"#,
        r#"{"t":"quiz","id":1,"on":true}"#,
        r#"{"t":"title","id":1,"title":"x"}"#,
        r#"{"t":"settings","id":1,"values":{"a":1}}"#,
        r#"{"t":"restore","id":1,"seq":0}"#,
    ];
    for request in requests {
        assert_eq!(pupil.refused(request).await["code"], "access", "{request}");
        assert_eq!(viewer.refused(request).await["code"], "read-only", "{request}");
    }
    pupil.ask(change(1, &[element("p", 1, 1)])).await;
    teacher.ask(r#"{"t":"lock","id":1,"on":true}"#).await;
    let lock = pupil.event("lock").await;
    assert_eq!((&lock["on"], &lock["seq"]), (&json!(true), &json!(2)));
    let (refusal, text) = {
        pupil.send(change(2, &[element("p", 2, 2)])).await;
        pupil.text("error").await
    };
    assert_eq!((&refusal["code"], &refusal["id"]), (&json!("locked"), &json!(2)));
    assert!(text.contains(&element("p", 1, 1)), "with the element as it is: {text}");
    assert_eq!(pupil.refused(r#"{"t":"undo","id":3}"#).await["code"], "locked");
    teacher.ask(change(2, &[element("t", 1, 1)])).await;
    teacher.ask(r#"{"t":"lock","id":3,"on":false}"#).await;
    pupil.ask(change(4, &[element("p", 3, 3)])).await;
    assert_eq!(shown(server.port, "class", &hello("new")).await, of(&[("p", 3), ("t", 1)]));
}

#[tokio::test]
async fn q1_q2_q3_a_request_is_executed_once_and_answered_once() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    assert_eq!(ada.ask(change(1, &[element("a", 1, 1)])).await["seq"], 1);
    assert_eq!(ada.ask(change(2, &[element("b", 1, 1)])).await["seq"], 2);
    // A step more would be taken back if this were executed again.
    assert_eq!(ada.ask(r#"{"t":"undo","id":3}"#).await["seq"], 3);
    drop(ada);
    let (mut ada, welcome) = Native::enter(server.port, "open", &hello("ada")).await;
    assert_eq!((&welcome["last"], &welcome["undo"], &welcome["redo"]), (&json!(3), &json!(1), &json!(1)));
    for id in 1..=3 {
        let ack = ada.ask(format!(r#"{{"t":"undo","id":{id}}}"#)).await;
        assert_eq!((&ack["id"], &ack["seq"]), (&json!(id), &json!(3)));
    }
    assert_eq!(shown(server.port, "open", &hello("new")).await, of(&[("a", 1)]));
    let seqs: Vec<Value> =
        ben.rest().await.iter().filter(|one| one["t"] == "change").map(|one| one["seq"].clone()).collect();
    assert_eq!(seqs, [json!(1), json!(2), json!(3)]);
}

#[tokio::test]
async fn s1_what_is_acknowledged_outlives_the_server() {
    let (mut server, data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    ada.ask(change(1, &[element("a", 7, 1)])).await;
    ada.ask(r#"{"t":"title","id":2,"title":"Optics"}"#).await;
    ada.ask(r##"{"t":"settings","id":3,"values":{"viewBackgroundColor":"#fff","n":1e21}}"##).await;
    server.kill();
    let server = Server::start(&data, &[]);
    let (mut client, welcome) = Native::enter(server.port, "open", &hello("ada")).await;
    assert_eq!(
        (&welcome["seq"], &welcome["last"], &welcome["board"]["title"]),
        (&json!(3), &json!(3), &json!("Optics"))
    );
    assert_eq!(welcome["board"]["settings"]["viewBackgroundColor"], "#fff");
    let (_, text) = client.text("snapshot").await;
    assert!(text.contains(&element("a", 7, 1)), "digit by digit: {text}");
    verify(&data);
}

#[tokio::test]
async fn s2_whoever_was_away_catches_up() {
    let (server, _data, _directory) = start(&[]);
    let (mut ada, welcome) = Native::enter(server.port, "open", &hello("ada")).await;
    let epoch = welcome["epoch"].clone();
    ada.event("snapshot").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    ben.ask(change(1, &[element("a", 1, 1)])).await;
    drop(ben);
    ada.ask(change(1, &[element("b", 1, 1)])).await;
    ada.ask(r#"{"t":"clear","id":2}"#).await;
    ada.ask(r#"{"t":"title","id":3,"title":"T"}"#).await;
    let since = |epoch: &Value, seq: u64| with(with(hello("ben"), "epoch", epoch.clone()), "seq", seq);
    let (mut ben, welcome) = Native::enter(server.port, "open", &since(&epoch, 1)).await;
    assert_eq!((&welcome["resume"], &welcome["seq"], &welcome["last"]), (&json!(true), &json!(4), &json!(1)));
    assert_eq!(welcome["board"]["title"], "T");
    // A pong would not do for knowing the end: the connection answers it, while the room may still be telling.
    let changes = [ben.event("change").await, ben.event("change").await];
    assert_eq!(changes.each_ref().map(|one| one["seq"].as_u64().unwrap()), [2, 3]);
    assert_eq!(changes[0]["elements"][0]["id"], "b");
    assert_eq!(changes[1]["deleted"].as_array().unwrap().len(), 2);
    for (epoch, seq) in [(json!("another"), 1), (epoch, 99)] {
        let (mut ben, welcome) = Native::enter(server.port, "open", &since(&epoch, seq)).await;
        assert_eq!(welcome["resume"], false, "{epoch} {seq}");
        let snapshot = ben.event("snapshot").await;
        assert_eq!(
            (&snapshot["seq"], &snapshot["elements"], &snapshot["more"]),
            (&json!(4), &json!([]), &json!(false))
        );
    }
}

#[tokio::test]
async fn s2_a_large_board_comes_in_parts() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let elements: Vec<String> = (0..8_000).map(|n| element(&format!("e{n}"), 1, n)).collect();
    ada.ask(change(1, &elements)).await;
    let (mut ben, _) = Native::enter(server.port, "open", &hello("ben")).await;
    let (mut parts, mut ids, mut more) = (0, std::collections::HashSet::new(), true);
    while more {
        let (part, text) = ben.text("snapshot").await;
        assert!(text.len() < 300 << 10, "{} bytes", text.len());
        ids.extend(part["elements"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        more = part["more"].as_bool().unwrap();
        parts += 1;
    }
    assert!(parts > 2 && ids.len() == 8_000, "{} elements in {parts} parts", ids.len());
}

#[tokio::test]
async fn m1_m2_elements_merge_and_keep_their_digits() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    ada.ask(change(1, &[element("a", 5, 5)])).await;
    let (_, text) = ben.text("change").await;
    assert!(text.contains(&element("a", 5, 5)), "{text}");
    for (id, version, nonce, wins) in
        [(1, 4, 1, false), (2, 5, 6, false), (3, 5, 4, true), (4, 5, 4, true), (5, 6, 9, true)]
    {
        ben.send(change(id, &[element("a", version, nonce)])).await;
        let (ack, text) = ben.text("ack").await;
        assert_eq!(ack["elements"].is_null(), wins, "{text}");
        assert_eq!(text.contains(&element("a", 5, 5)), !wins, "who loses hears what the server has");
    }
    let seqs: Vec<Value> =
        ada.rest().await.iter().filter(|one| one["t"] == "change").map(|one| one["seq"].clone()).collect();
    assert_eq!(seqs, [json!(2), json!(3)], "what changes nothing is no operation");
}

#[tokio::test]
async fn m3_versions_that_cannot_be_are_refused_with_the_whole_request() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let error = ada.refused(change(1, &[element("a", 1, 1), element("b", 1_000_001, 1)])).await;
    assert_eq!((&error["code"], &error["id"]), (&json!("element"), &json!(1)));
    ada.ask(change(2, &[element("c", 1_000_000, 1)])).await;
    assert_eq!(shown(server.port, "open", &hello("new")).await, of(&[("c", 1_000_000)]));
}

#[tokio::test]
async fn m5_deleted_elements_are_told_shortly_and_left_out_of_snapshots() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    ada.ask(change(1, &[element("a", 1, 1)])).await;
    ben.event("change").await;
    let deleted = element("a", 2, 7).replace(r#""index""#, r#""isDeleted":true,"index""#);
    ada.ask(change(2, &[deleted])).await;
    let change = ben.event("change").await;
    assert_eq!((&change["deleted"], &change["elements"]), (&json!([["a", 2, 7]]), &Value::Null));
    assert_eq!(shown(server.port, "open", &hello("new")).await, of(&[]));
}

#[tokio::test]
async fn u1_u2_u3_undo_takes_back_ones_own() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    ada.ask(change(1, &[element("a", 1, 1)])).await;
    ada.ask(change(2, &[element("b", 1, 1)])).await;
    ben.ask(change(1, &[element("c", 1, 1)])).await;
    let undone = ada.ask(r#"{"t":"undo","id":3}"#).await;
    assert_eq!((&undone["undo"], &undone["redo"]), (&json!(1), &json!(1)));
    let change_of_undo = loop {
        let change = ben.event("change").await;
        if change["seq"] == undone["seq"] {
            break change;
        }
    };
    assert_eq!(change_of_undo["deleted"][0][0], "b");
    assert_eq!(shown(server.port, "open", &hello("new")).await, of(&[("a", 1), ("c", 1)]));
    ada.ask(r#"{"t":"redo","id":4}"#).await;
    // Ben moves what Ada made: taking back its making would take Ben's work.
    let moved = element("b", 9, 1).replace("1.50", "99");
    ben.ask(change(2, &[moved])).await;
    ada.ask(r#"{"t":"undo","id":5}"#).await;
    let mut left = shown(server.port, "open", &hello("new")).await;
    left.retain(|(id, _)| id != "a");
    assert!(left.iter().any(|(id, _)| id == "b"), "{left:?}");
    for id in 6..9 {
        ada.ask(format!(r#"{{"t":"undo","id":{id}}}"#)).await;
    }
    assert_eq!(ada.ask(r#"{"t":"undo","id":9}"#).await["undo"], 0, "nothing left is no error");
    let left = shown(server.port, "open", &hello("new")).await;
    assert!(left.iter().any(|(id, _)| id == "c"), "what Ben drew is never taken back: {left:?}");
}

#[tokio::test]
async fn q3_a_refusal_does_not_overtake_an_answer_that_waits_for_the_disk() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    for id in (1..20).step_by(3) {
        ada.send(change(id, &[element("a", id, 1)])).await;
        ada.send(format!(r#"{{"t":"change","id":{},"elements":[{{}}]}}"#, id + 1)).await;
        ada.send(format!(r#"{{"t":"restore","id":{},"seq":999}}"#, id + 2)).await;
        let mut answers = Vec::new();
        while answers.len() < 3 {
            let answer = ada.next().await;
            answers.push((answer["t"].clone(), answer["id"].clone(), answer["code"].clone()));
        }
        let expected = [
            (json!("ack"), json!(id), json!(null)),
            (json!("error"), json!(id + 1), json!("element")),
            (json!("error"), json!(id + 2), json!("unknown-seq")),
        ];
        assert_eq!(answers, expected);
    }
}

#[tokio::test]
async fn v1_v2_in_a_quiz_pupils_see_only_their_own_and_the_teachers() {
    let (server, _data, _directory) = start(&[]);
    let (mut teacher, mut ada) = class(server.port).await;
    let (mut ben, _) = Native::enter(server.port, "class", &hello("ben")).await;
    ben.event("snapshot").await;
    ada.ask(change(1, &[element("ada", 1, 1)])).await;
    teacher.ask(change(1, &[element("teacher", 1, 1)])).await;
    ben.rest().await;
    ada.rest().await;
    teacher.ask(r#"{"t":"quiz","id":2,"on":true}"#).await;
    ben.event("reset").await;
    let (_, text) = ben.text("snapshot").await;
    assert!(text.contains(r#""id":"teacher""#) && !text.contains(r#""id":"ada""#), "{text}");
    ada.event("snapshot").await;
    ada.ask(change(2, &[element("ada", 2, 1), element("secret", 1, 1)])).await;
    ada.send(r#"{"t":"v","k":"cursor","d":[1,2]}"#).await;
    ada.send(r#"{"t":"draft","el":"secret2","from":0,"points":[[0,0]],"base":{"id":"secret2"}}"#).await;
    ada.rest().await;
    let seen = serde_json::to_string(&ben.rest().await).unwrap();
    assert!(!seen.contains("secret") && !seen.contains("ada"), "{seen}");
    let seen = serde_json::to_string(&teacher.rest().await).unwrap();
    assert!(seen.contains("secret") && seen.contains("secret2") && seen.contains("cursor"), "{seen}");
    assert_eq!(shown(server.port, "class", &hello("new")).await, of(&[("teacher", 1)]));
    teacher.ask(r#"{"t":"quiz","id":3,"on":false}"#).await;
    ben.event("reset").await;
    let (_, text) = ben.text("snapshot").await;
    assert!(text.contains(r#""id":"secret""#), "{text}");
}

#[tokio::test]
async fn d1_d2_d3_d4_strokes_grow_in_front_of_everybody_and_become_elements() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    ada.send(r#"{"t":"draft","el":"s","from":0,"points":[[0,0],[1.50,1]],"pressures":[0.5,0.5],"base":{"id":"s"}}"#)
        .await;
    ada.send(r#"{"t":"draft","el":"s","from":2,"points":[[2,1e1]],"pressures":[1]}"#).await;
    let (first, text) = ben.text("draft").await;
    assert!(first["el"] == "s" && text.contains("[1.50,1]") && text.contains(r#""base":{"id":"s"}"#), "{text}");
    assert_eq!(ben.event("draft").await["from"], 2);
    let (_, welcome) = Native::enter(server.port, "open", &hello("late")).await;
    assert_eq!(welcome["drafts"][0]["points"].as_array().unwrap().len(), 3, "who comes late sees it too: {welcome}");
    let finish = |id: u64, count: u64| {
        format!(
            r#"{{"t":"change","id":{id},"drafts":[{{"id":"s","type":"freedraw","version":1,"versionNonce":1,"x":1.50,"count":{count}}}]}}"#
        )
    };
    let refusal = ada.refused(finish(1, 4)).await;
    assert_eq!((&refusal["code"], &refusal["id"]), (&json!("draft"), &json!(1)));
    ada.send(r#"{"t":"draft","el":"s","from":0,"points":[[0,0],[1.50,1]],"pressures":[0.5,0.5],"base":{"id":"s"}}"#)
        .await;
    ada.ask(finish(2, 2)).await;
    let (_, text) = ben.text("change").await;
    assert!(text.contains(r#""points":[[0,0],[1.50,1]]"#) && text.contains(r#""pressures":[0.5,0.5]"#), "{text}");
    ada.send(r#"{"t":"draft","el":"t","from":0,"points":[],"base":{"id":"t"}}"#).await;
    ada.send(r#"{"t":"draft","el":"t","cancel":true}"#).await;
    let rest = ben.rest().await;
    let rest = serde_json::to_string(&rest).unwrap();
    assert!(rest.contains(r#""cancel":true"#), "{rest}");
}

#[tokio::test]
async fn volatile_messages_reach_the_others() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    ada.send(r#"{"t":"v","k":"cursor","d":{"x":1.50}}"#).await;
    let (message, text) = ben.text("v").await;
    assert!(message["k"] == "cursor" && text.contains(r#""d":{"x":1.50}"#), "{text}");
    assert!(ada.rest().await.iter().all(|one| one["t"] != "v"), "not to its sender");
    assert_eq!(ada.refused(format!(r#"{{"t":"v","k":"a","d":"{}"}}"#, "x".repeat(1100))).await["code"], "too-large");
}

#[tokio::test]
async fn title_settings_clear_and_restore_are_told_to_everybody() {
    let (server, _data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    let mut ben = Native::join(server.port, "open", "ben").await;
    ada.ask(change(1, &[element("a", 1, 1), element("b", 1, 1)])).await;
    ada.ask(r#"{"t":"title","id":2,"title":" Optics "}"#).await;
    assert_eq!(ben.event("title").await["title"], "Optics");
    ada.ask(r#"{"t":"settings","id":3,"values":{"a":1.50,"b":2}}"#).await;
    ada.ask(r#"{"t":"settings","id":4,"values":{"b":null}}"#).await;
    ben.event("settings").await;
    let (_, text) = ben.text("settings").await;
    assert!(text.contains(r#""values":{"a":1.50}"#), "{text}");
    ada.ask(r#"{"t":"clear","id":5}"#).await;
    let ids = |change: &Value| change["deleted"].as_array().map_or(0, Vec::len);
    ben.event("change").await;
    assert_eq!(ids(&ben.event("change").await), 2);
    assert_eq!(ids(&ada.event("change").await), 2, "its author too");
    assert_eq!(ada.ask(r#"{"t":"restore","id":6,"seq":1}"#).await["seq"], 6);
    let back = ben.event("change").await;
    assert_eq!(back["elements"].as_array().unwrap().len(), 2, "{back}");
    let left: Vec<String> = shown(server.port, "open", &hello("new")).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, ["a", "b"]);
    assert_eq!(ada.refused(r#"{"t":"restore","id":7,"seq":99}"#).await["code"], "unknown-seq");
}

#[tokio::test]
async fn x1_a_stopping_server_says_when_to_come_back() {
    let (mut server, data, _directory) = start(&[]);
    let mut ada = Native::join(server.port, "open", "ada").await;
    ada.ask(change(1, &[element("a", 1, 1)])).await;
    server.terminate();
    let error = ada.event("error").await;
    assert_eq!(error["code"], "stopping");
    assert!(error["retry"].as_u64().unwrap() > 0);
    assert_eq!(ada.closed().await, Some(1012));
    assert!(server.wait().success());
    verify(&data);
}
