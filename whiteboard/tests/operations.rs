//! What those who run the server meet: health, pages, redirect, origins, metrics, start and stop.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};
use support::http::{get, request};
use support::socket::{Client, Incoming, address};
use support::{Server, data, run, said, whiteboard};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

#[tokio::test]
async fn health_pages_and_unknown_paths_answer_as_written() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    for port in [server.port, server.admin_port] {
        for path in ["/livez", "/readyz", "/healthz"] {
            let answer = get(port, path).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
        }
        let answer = get(port, "/nowhere").await;
        assert_eq!((answer.status, answer.body.as_str()), (404, r#"{"error":"Not Found"}"#));
    }
    for (path, kind, part) in [
        ("/", "text/html; charset=utf-8", "This website is working!"),
        ("/b/Physik%207b", "text/html; charset=utf-8", "/assets/board.js"),
        ("/assets/board.js", "text/javascript; charset=utf-8", "transport: \"websocket\""),
        ("/assets/index.js", "text/javascript; charset=utf-8", "session_code"),
        ("/assets/style.css", "text/css; charset=utf-8", "prefers-color-scheme"),
    ] {
        let answer = get(server.port, path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{path}");
        assert!(answer.body.contains(part), "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none';"), "{path}");
    }
    assert_eq!(get(server.port, "/assets/other.js").await.status, 404);
    for path in ["/metrics", "/backup", "/statistics.json"] {
        assert_eq!(get(server.port, path).await.status, 404, "{path} is not for the public port");
    }
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    let (mut student, _) = Client::join(server.port, "physics").await;
    teacher.update("[1]").await;
    teacher.update("[1,2]").await;
    student.emit("update_paths", "{}");
    student.event("error").await;
    let answer = get(server.admin_port, "/metrics").await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        r#"whiteboard_connections{dialect="classroom",transport="websocket"} 2"#,
        "whiteboard_boards_open 1",
        "whiteboard_boards_stored 1",
        "whiteboard_operations_total 2",
        "whiteboard_requests_total 3",
        "whiteboard_requests_refused_total 1",
        "whiteboard_commit_failures_total 0",
        "# EOF",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line} is missing in\n{}", answer.body);
    }
    for name in [
        "whiteboard_database_bytes",
        "whiteboard_disk_free_bytes",
        "whiteboard_commit_seconds_count",
        "whiteboard_memory_resident_bytes",
    ] {
        let value = answer.body.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        assert!(value.is_some_and(|value| value > 0.0), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn plain_http_behind_a_proxy_is_sent_to_https() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--https-redirect", "true"]);
    let ask = async |proto: &str, path: &str| {
        request(server.port, "GET", path, &[("host", "board.example"), ("x-forwarded-proto", proto)], "").await
    };
    for (proto, path) in [("http", "/b/x?y=1"), ("ws", "/socket.io/?EIO=4&transport=websocket"), ("http", "/nowhere")] {
        let answer = ask(proto, path).await;
        assert_eq!((answer.status, answer.header("location")), (308, format!("https://board.example{path}").as_str()));
    }
    assert_eq!(ask("https", "/").await.status, 200);
    assert_eq!(ask("http", "/.well-known/acme-challenge/x").await.status, 404);
    assert_eq!(get(server.port, "/readyz").await.status, 200, "a probe does not come through the proxy");
}

#[tokio::test]
async fn pages_of_other_origins_are_kept_out_before_any_handshake() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--cors-origins", "https://school.example,https://other.example"]);
    let path = "/socket.io/?EIO=4&transport=polling&session_code=x";
    let ask = async |method: &str, origin: &str| request(server.port, method, path, &[("origin", origin)], "").await;
    let good = ask("GET", "https://school.example").await;
    assert_eq!((good.status, good.header("access-control-allow-origin")), (200, "https://school.example"));
    let preflight = ask("OPTIONS", "https://other.example").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, "GET, POST, OPTIONS"));
    for method in ["GET", "POST", "OPTIONS"] {
        let bad = ask(method, "https://evil.example").await;
        assert_eq!(bad.status, 403);
        assert!(bad.json()["error"].as_str().unwrap().contains("CORS_ORIGINS"));
    }
    assert_eq!(get(server.port, path).await.status, 200, "no page, no origin");
    let connect = async |origin: String| {
        let mut request = address(server.port, "x").into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        connect_async(request).await
    };
    assert!(connect("https://school.example".into()).await.is_ok());
    assert!(connect(format!("http://127.0.0.1:{}", server.port)).await.is_ok(), "the server's own page");
    let Err(Error::Http(refused)) = connect("https://evil.example".into()).await else { panic!("refused") };
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn a_stop_tells_clients_saves_everything_and_is_quick() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    let polling = get(server.port, "/socket.io/?EIO=4&transport=polling&session_code=physics").await.body;
    let sid = polling.split('"').nth(3).unwrap().to_owned();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    request(server.port, "POST", &path, &[], "40").await;
    while !get(server.port, &path).await.body.contains("session_data") {}
    let port = server.port;
    let waiting = tokio::spawn(async move { get(port, &path).await });
    // Not waiting for any answer: what was received before the stop is on disk all the same.
    for n in 0..200 {
        teacher.ask(
            "update_paths",
            &format!("{{\"paths\":[{}]}}", (0..=n).map(|n| n.to_string()).collect::<Vec<_>>().join(",")),
        );
    }
    teacher.acknowledged(1).await;
    let start = Instant::now();
    server.terminate();
    let rest = teacher.until_closed().await;
    let last = rest.iter().rev().find_map(|incoming| match incoming {
        Incoming::Ack(id) => Some(*id),
        _ => None,
    });
    assert_eq!(rest.last(), Some(&Incoming::Closed(Some(1012))), "told to come back, without a disconnect packet");
    let answer = waiting.await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("41"), "{}", answer.body);
    assert!(server.wait().success());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(data.join("whiteboard.db-wal").metadata().map_or(0, |log| log.len()), 0, "the log is written back");

    let server = Server::start(&data, &[]);
    let (_, board) = Client::join(server.port, "physics").await;
    let board: serde_json::Value = serde_json::from_str(&board).unwrap();
    let strokes = board["paths"].as_array().unwrap().len() as u64;
    assert!(strokes >= last.unwrap_or(1), "{strokes} strokes, acknowledged up to {last:?}");
}

#[tokio::test]
async fn a_second_server_waits_and_then_gives_up_with_a_sentence() {
    let (_directory, data) = data();
    let mut first = Server::start(&data, &[]);
    let start = Instant::now();
    let said = Server::try_start(&data, 0, &["--lock-wait", "0.5"]).err().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(500));
    assert!(said.contains("another whiteboard process uses"), "{said}");
    assert!(said.contains("is in use by another whiteboard process. Stop that one first"), "{said}");
    let path = data.to_str().unwrap();
    let mut stopped = whiteboard(&["serve", "--data", path, "--port", "0", "--admin-port", "0"]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(Command::new("kill").arg(stopped.id().to_string()).status().unwrap().success());
    assert!(stopped.wait().unwrap().success(), "a signal ends the waiting");
    let waiting = {
        let data = data.clone();
        std::thread::spawn(move || Server::start(&data, &["--lock-wait", "10"]))
    };
    std::thread::sleep(Duration::from_millis(300));
    first.stop();
    let second = waiting.join().unwrap();
    assert_eq!(get(second.port, "/readyz").await.status, 200);
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let (directory, data) = data();
    Server::start(&data, &[]).stop();
    let database = data.join("whiteboard.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let newer = Server::try_start(&data, 0, &[]).err().unwrap();
    assert!(newer.contains("was written by a newer release (schema 99, this release knows 2)"), "{newer}");
    std::fs::write(&database, "something else").unwrap();
    let foreign = Server::try_start(&data, 0, &[]).err().unwrap();
    assert!(foreign.contains("is not a whiteboard database"), "{foreign}");
    let other = Server::start(&directory.path().join("other"), &[]);
    let taken = Server::try_start(&directory.path().join("third"), other.port, &[]).err().unwrap();
    assert!(taken.contains("cannot be opened"), "{taken}");
    let origins = Server::try_start(&directory.path().join("third"), 0, &["--cors-origins", "school"]).err().unwrap();
    assert!(origins.contains("is no origin"), "{origins}");
}

#[test]
fn the_command_line_explains_itself() {
    for (arguments, code, part) in [
        (vec!["--version"], 0, "whiteboard 0."),
        (vec!["--help"], 0, "restore"),
        (vec!["serve", "--help"], 0, "CORS_ORIGINS"),
        (vec!["backup", "--help"], 0, "--keep"),
        (vec!["verify", "--help"], 0, "--json"),
        (vec!["restore", "--help"], 0, "--replace"),
        (vec![], 2, "Usage"),
        (vec!["serve", "--port", "x"], 2, "invalid value"),
        (vec!["verify", "/nowhere/at/all"], 1, "/nowhere/at/all"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(said(&output).contains(part), "{arguments:?}: {}", said(&output));
    }
}
