//! People with bad connections, and disks that fail: nobody else suffers, and nothing acknowledged is lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use futures_util::{SinkExt, StreamExt};
use std::process::{Command, Stdio};
use support::http::{get, request};
use support::native::{self, Native};
use support::socket::{Client, address};
use support::{PATIENCE, Server, data, verify};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async, connect_async};

#[tokio::test]
async fn a_reader_that_stops_reading_costs_little_and_gets_the_newest_board() {
    let (_directory, data) = data();
    // However long the teacher takes here: the reader is not to be given up.
    let server = Server::start(&data, &["--ping-timeout", "300"]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    let (mut slow, _) = connect_async(address(server.port, "physics")).await.unwrap();
    slow.send(Message::text("40")).await.unwrap();
    teacher.update("[0]").await;
    let before = server.resident();
    let large = "x".repeat(400_000);
    let mut last = String::new();
    for n in 0..200 {
        last = format!("[{n},\"{large}\"]");
        teacher.update(&last).await;
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "80 MB of boards made the server grow by {grown} bytes");
    let metrics = get(server.admin_port, "/metrics").await.body;
    let superseded = metrics.lines().find_map(|line| line.strip_prefix("whiteboard_superseded_total ")).unwrap();
    assert!(superseded.parse::<u64>().unwrap() > 100, "{superseded} boards were left out");

    let expected = format!("42[\"paths_update\",{{\"paths\":{last}}}]");
    let newest = timeout(PATIENCE, async {
        while let Some(Ok(message)) = slow.next().await {
            if matches!(message, Message::Text(text) if text.as_str() == expected) {
                return true;
            }
        }
        false
    });
    assert!(newest.await.unwrap(), "the slow reader gets the newest board in the end");
}

/// A connection that says hello, hears `welcome` and then takes nothing.
async fn join_without_reading(port: u16, board: &str, name: &str) -> WebSocketStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
    let (mut socket, _) = client_async(native::address(port, board), stream).await.unwrap();
    socket.send(Message::text(native::hello(name).to_string())).await.unwrap();
    let welcome = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    assert!(welcome.to_text().unwrap().starts_with(r#"{"t":"welcome""#), "{welcome}");
    socket
}

#[tokio::test]
async fn a_crowd_that_joins_a_large_board_and_does_not_read_costs_little_and_gets_all_of_it() {
    const CLIENTS: usize = 100;
    const ELEMENTS: usize = 5000;
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let points = vec!["[12.5,-3.75]"; 80].join(",");
    let element = |n: usize| {
        format!(r#"{{"id":"e{n}","type":"freedraw","version":1,"versionNonce":5,"x":{n},"y":1,"points":[{points}]}}"#)
    };
    let elements: Vec<String> = (0..ELEMENTS).map(element).collect();
    let drawing = format!(r#"{{"type":"excalidraw","version":2,"elements":[{}]}}"#, elements.join(","));
    assert!(drawing.len() > 5 << 20);
    let json = [("content-type", "application/json")];
    let imported = request(server.port, "POST", "/api/boards/import?id=big", &json, &drawing).await;
    assert_eq!(imported.status, 201, "{}", imported.body);
    let mut drawer = Native::join(server.port, "big", "drawer").await;
    let before = server.resident();
    let mut crowd = Vec::new();
    for n in 0..CLIENTS {
        crowd.push(join_without_reading(server.port, "big", &format!("n{n}")).await);
        if n % 10 == 0 {
            // The board goes on meanwhile: no two of these see the same one.
            drawer.ask(native::change(n as u64 + 1, &[native::element(&format!("new{n}"), 1, 1)])).await;
        }
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{CLIENTS} clients made the server grow by {grown} bytes");
    // Who reads again gets everything, with what was drawn meanwhile behind it.
    let mut slow = crowd.swap_remove(0);
    let (mut whole, mut found) = (false, 0);
    while found < ELEMENTS + 10 {
        let message = timeout(PATIENCE, slow.next()).await.unwrap().unwrap().unwrap();
        let Message::Text(text) = message else { continue };
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        if ["snapshot", "change"].contains(&message["t"].as_str().unwrap()) {
            assert_eq!(message["t"] == "change", whole, "changes come behind the board");
            whole |= message["more"] == false;
            found += message["elements"].as_array().unwrap().len();
        }
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_is_closed_and_the_others_go_on() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    let (mut student, _) = Client::join(server.port, "physics").await;
    let (mut dead, _) = connect_async(address(server.port, "physics")).await.unwrap();
    dead.send(Message::text("40")).await.unwrap();
    teacher.call("get_quiz_status", "{}").await;
    // Images do not replace each other: they fill the queue.
    let image = format!("{{\"background_image\":\"{}\"}}", "x".repeat(900_000));
    for _ in 0..30 {
        teacher.call("update_background", &image).await;
        student.event("background_update").await;
    }
    let metrics = get(server.admin_port, "/metrics").await.body;
    assert!(metrics.contains(r#"whiteboard_connections_closed_total{reason="slow_reader"} 1"#), "{metrics}");
    drop(dead);
}

/// The kernel refuses to let the database grow: as with a broken disk, what SQLite believes and what is on disk may
/// differ. The server must end, and a new one must have everything that was acknowledged.
#[tokio::test]
async fn a_failing_disk_ends_the_server_and_loses_nothing_acknowledged() {
    let (_directory, data) = data();
    Server::start(&data, &[]).stop();
    let script = "ulimit -f 2000; trap '' XFSZ; exec \"$@\"";
    let mut child = Command::new("bash")
        .args(["-c", script, "limited", env!("CARGO_BIN_EXE_whiteboard"), "serve", "--log-format", "json"])
        .args(["--data", data.to_str().unwrap(), "--port", "0", "--admin-port", "0"])
        // However full the disk is that the test runs on: that would be said first.
        .envs([("DISK_LOW_PERCENT", "101"), ("DISK_FULL_PERCENT", "101")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let started: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let port = started["address"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let (mut teacher, _) = Client::join(port, "physics").await;
    let mut acknowledged = 0;
    for n in 1.. {
        let id = teacher.ask("update_background", &format!("{{\"background_image\":\"{n} {}\"}}", "x".repeat(200_000)));
        let answer = timeout(PATIENCE, teacher.next()).await.unwrap();
        if answer != support::socket::Incoming::Ack(id) {
            break;
        }
        acknowledged = n;
    }
    assert!(acknowledged > 1);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let said: String = lines.map_while(Result::ok).collect();
    assert!(said.contains("could not be written") && said.contains("starts again from what is on disk"), "{said}");

    let server = Server::start(&data, &[]);
    let (_, board) = Client::join(server.port, "physics").await;
    let board: serde_json::Value = serde_json::from_str(&board).unwrap();
    let saved: u64 = board["background_image"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(saved >= acknowledged, "{saved} is on disk, {acknowledged} was acknowledged");
    verify(&data);
}
