//! People with bad connections, and disks that fail: nobody else suffers, and nothing acknowledged is lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use futures_util::{SinkExt, StreamExt};
use std::process::{Command, Stdio};
use support::http::get;
use support::socket::{Client, address};
use support::{PATIENCE, Server, data, verify};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

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
