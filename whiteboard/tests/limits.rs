//! Limits: what one client, one address and all together may use, and what they are told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::json;
use std::time::{Duration, Instant};
use support::canvas::{Page, Person};
use support::http::{Answer, get, request};
use support::native::Native;
use support::socket::{Client, address};
use support::{PATIENCE, Server, data, verify};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const DRAWING: &str = r#"{"type":"excalidraw","elements":[]}"#;

/// A polling session, as somebody behind a proxy opens it.
async fn open_from(server: &Server, from: &str) -> Answer {
    let path = "/socket.io/?EIO=4&transport=polling&session_code=x";
    request(server.port, "GET", path, &[("x-forwarded-for", from)], "").await
}

#[tokio::test]
async fn an_address_has_its_share_of_connections_and_the_site_an_end() {
    let (_directory, data) = data();
    let limits = ["--max-connections", "4", "--max-connections-per-address", "2"];
    let server = Server::start(&data, &[&limits[..], &["--trusted-proxies", "127.0.0.1,10.0.0.0/8"]].concat());
    let mut held = Vec::new();
    for (from, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("198.51.100.7, 192.0.2.1", 429),
        ("192.0.2.1, 10.0.0.1", 429),
        ("192.0.2.2", 200),
    ] {
        let answer = open_from(&server, from).await;
        assert_eq!(answer.status, status, "{from}: {}", answer.body);
        if status == 429 {
            assert!(answer.json()["error"].as_str().unwrap().contains("MAX_CONNECTIONS_PER_ADDRESS"));
            assert_eq!(answer.header("retry-after"), "10");
        }
        held.push(answer);
    }
    // The fourth one is a WebSocket; its end gives its place back.
    let socket = connect_async(address(server.port, "x")).await.unwrap().0;
    let Err(Error::Http(refused)) = connect_async(address(server.port, "x")).await else { panic!("refused") };
    assert_eq!(refused.status(), 503);
    assert_eq!(get(server.port, "/readyz").await.status, 200, "health is no client");
    drop(socket);
    let again = async { while connect_async(address(server.port, "x")).await.is_err() {} };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn who_is_no_proxy_cannot_invent_an_address() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--max-connections-per-address", "1", "--trusted-proxies", "10.0.0.0/8"]);
    assert_eq!(open_from(&server, "192.0.2.1").await.status, 200);
    assert_eq!(open_from(&server, "192.0.2.2").await.status, 429, "both are from here");
    let said = Server::try_start(&data, 0, &["--trusted-proxies", "10.0.0.0/99"]).err().unwrap();
    assert!(said.contains("TRUSTED_PROXIES") && said.contains("is no network"), "{said}");
}

#[tokio::test]
async fn a_client_that_is_too_fast_waits_and_loses_nothing() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--classroom-message-rate", "50"]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    let (mut student, _) = Client::join(server.port, "physics").await;
    let start = Instant::now();
    // Four seconds' worth may come at once, the rest at the rate.
    let mut last = 0;
    for _ in 0..260 {
        last = teacher.ask("get_quiz_status", "{}");
    }
    student.update("[1]").await;
    for id in 1..=last {
        teacher.acknowledged(id).await;
    }
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn there_are_only_so_many_boards_and_strokes() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--max-boards", "1", "--max-elements", "2"]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    teacher.update("[1,2]").await;
    teacher.emit("update_paths", r#"{"paths":[1,2,3]}"#);
    assert_eq!(teacher.event("paths_update").await, r#"{"paths":[1,2]}"#, "the client is put back");
    assert!(teacher.event("error").await.contains("it may have 2 strokes"));
    let mut other = Client::open(server.port, "chemistry").await.unwrap();
    assert!(other.event("error").await.contains("MAX_BOARDS"));
    assert_eq!(other.closed().await, Some(1013));
    let (_late, board) = Client::join(server.port, "physics").await;
    assert!(board.contains("\"paths\":[1,2]"), "{board}");
}

#[tokio::test]
async fn an_address_begins_only_so_many_boards() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--new-boards-per-address", "3", "--trusted-proxies", "none"]);
    let port = server.port;
    let person = Person::register(port, "ann").await;
    let create = async |id: &str| request(port, "POST", &format!("/api/boards/import?id={id}"), &[], DRAWING).await;
    assert_eq!(create("one").await.status, 201);
    // What becomes no board does not count.
    for (id, status) in [("one", 409), ("no.id", 400), ("one", 409), ("no.id", 400)] {
        assert_eq!(create(id).await.status, status, "{id}");
    }
    let (mut teacher, _) = Client::join(port, "two").await;
    teacher.update("[1]").await;
    let canvas = Page::join(port, "three", &person).await;
    // Boards that are there go on, whoever comes.
    Client::join(port, "two").await;
    Native::join(port, "one", "bob").await;
    Page::join(port, "three", &person).await;

    let refused = create("four").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("too-many")), "{}", refused.body);
    let mut classroom = Client::open(port, "four").await.unwrap();
    assert!(classroom.event("error").await.contains("NEW_BOARDS_PER_ADDRESS"));
    assert_eq!(classroom.closed().await, Some(1013));
    let mut page = Page::open(port, "four", &[]).await.unwrap();
    page.send(&json!({ "type": "auth", "session-id": person.session })).await;
    let failed = page.text_of("auth-failed").await;
    assert!(failed.contains("NEW_BOARDS_PER_ADDRESS"), "{failed}");
    drop(canvas);
}

#[tokio::test]
async fn people_whose_address_is_hidden_do_not_share_a_part() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--new-boards-per-address", "1", "--trusted-proxies", "127.0.0.1"]);
    for (n, from, status) in [
        (0, Some("192.0.2.1"), 201),
        (1, Some("192.0.2.1"), 429),
        (2, Some("192.0.2.2"), 201),
        (3, None, 201),
        (4, None, 201),
    ] {
        let headers: Vec<(&str, &str)> = from.map(|from| ("x-forwarded-for", from)).into_iter().collect();
        let body = format!(r#"{{"id":"board-{n}"}}"#);
        let answer = request(server.port, "POST", "/api/boards", &headers, &body).await;
        assert_eq!(answer.status, status, "{n} {from:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_disk_that_fills_stops_new_boards_then_changes_and_never_reading() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    teacher.update("[1]").await;
    server.stop();

    // Any disk has at least nothing in use.
    let mut server = Server::start(&data, &["--disk-low-percent", "0"]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    teacher.update("[1,2]").await;
    let mut other = Client::open(server.port, "chemistry").await.unwrap();
    assert!(other.event("error").await.contains("takes no new boards"));
    assert_eq!(other.closed().await, Some(1013));
    server.stop();

    let token = data.join("token");
    std::fs::write(&token, "secret").unwrap();
    let mut server = Server::start(
        &data,
        &["--disk-low-percent", "0", "--disk-full-percent", "0", "--admin-token-file", token.to_str().unwrap()],
    );
    let (mut teacher, board) = Client::join(server.port, "physics").await;
    assert!(board.contains("\"paths\":[1,2]"), "reading goes on: {board}");
    teacher.emit("clear_paths", "{}");
    assert_eq!(teacher.event("paths_update").await, r#"{"paths":[1,2]}"#);
    assert!(teacher.event("error").await.contains("The server's disk is full"));
    teacher.call("get_quiz_status", "{}").await;
    let backup = request(server.admin_port, "GET", "/backup", &[("authorization", "Bearer secret")], "").await;
    assert_eq!(backup.status, 200, "backups go on");
    let numbers = get(server.admin_port, "/statistics.json").await.json();
    assert_eq!(numbers["disk_level"], "full");
    server.stop();
    assert_eq!(verify(&data)[0]["good"], true);
}

#[tokio::test]
async fn who_sends_no_request_is_disconnected_and_others_are_served() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--header-timeout", "0.5"]);
    let mut slow = Vec::new();
    for port in [server.port, server.admin_port] {
        for begun in ["", "GET /readyz HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            slow.push(stream);
        }
    }
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    teacher.update("[1]").await;
    for mut stream in slow {
        let mut rest = Vec::new();
        // Ended or reset: both are an end.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    }
    teacher.update("[1,2]").await;
}

#[tokio::test]
async fn running_out_of_descriptors_is_avoided_and_told() {
    let (_directory, data) = data();
    let server = Server::start_after("ulimit -n 240", &data, &[]);
    assert!(server.early.contains("limit of open files"), "{}", server.early);
    let mut held = Vec::new();
    for _ in 0..300 {
        // Those above the limit are closed at once.
        held.push(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    }
    assert_eq!(get(server.admin_port, "/readyz").await.status, 200, "there are descriptors left for health checks");
    drop(held);
    let served = async {
        let mut request = address(server.port, "x").into_client_request().unwrap();
        request.headers_mut().insert("origin", "http://example".parse().unwrap());
        while connect_async(request.clone()).await.is_err() {}
    };
    timeout(PATIENCE, served).await.unwrap();
}

#[tokio::test]
async fn the_statistics_page_shows_what_happens() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &["--egress-limit-bytes", "1000000"]);
    let page = get(server.admin_port, "/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none';"));
    assert!(page.body.contains("/statistics.json"));
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    teacher.update("[1]").await;
    let numbers = get(server.admin_port, "/statistics.json").await.json();
    for (path, expected) in [
        ("/connections/classroom", 1),
        ("/boards_open", 1),
        ("/boards_stored", 1),
        ("/operations", 1),
        ("/sent_month_limit_bytes", 1_000_000),
    ] {
        assert_eq!(numbers.pointer(path).unwrap().as_u64(), Some(expected), "{path}: {numbers}");
    }
    for path in ["/latency/commit/p99_ms", "/latency/delivery/p50_ms", "/memory_bytes", "/disk_bytes", "/sent_bytes"] {
        assert!(numbers.pointer(path).unwrap().as_f64().unwrap() > 0.0, "{path}: {numbers}");
    }
    assert_eq!(get(server.port, "/statistics.json").await.status, 404, "not for the public port");

    let sent = numbers["sent_month_bytes"].as_u64().unwrap();
    assert!(sent > 0);
    server.stop();
    let server = Server::start(&data, &[]);
    let numbers = get(server.admin_port, "/statistics.json").await.json();
    assert!(numbers["sent_month_bytes"].as_u64().unwrap() >= sent, "the month's total survives a restart");
    assert_eq!(numbers["sent_month_limit_bytes"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_flood_of_joins_is_one_board_and_everybody_gets_it() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    let strokes: Vec<String> = (0..500).map(|n| format!("{{\"n\":{n}}}")).collect();
    teacher.update(&format!("[{}]", strokes.join(","))).await;
    let joins: Vec<_> = (0..120).map(|_| tokio::spawn(Client::join(server.port, "physics"))).collect();
    let mut students = Vec::new();
    for join in joins {
        let (student, board) = join.await.unwrap();
        assert!(board.contains("{\"n\":499}"));
        students.push(student);
    }
    let metrics = get(server.admin_port, "/metrics").await.body;
    assert!(metrics.contains("whiteboard_boards_open 1\n"), "{metrics}");
    teacher.update("[1]").await;
    for student in &mut students {
        assert_eq!(student.event("paths_update").await, r#"{"paths":[1]}"#);
    }
}
