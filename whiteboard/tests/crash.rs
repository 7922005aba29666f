//! The server killed with SIGKILL while people draw: nothing acknowledged is lost.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};
use support::socket::{Client, Incoming};
use support::{Server, data, verify};
use tokio::time::sleep;

/// How often the server is killed; WHITEBOARD_KILLS makes a campaign of it.
fn kills() -> usize {
    std::env::var("WHITEBOARD_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

const BOARDS: usize = 3;
const CLIENTS: usize = 4;

/// A person who draws: reconnects whenever the connection is lost, and draws each stroke on what is shown then.
/// Returns the strokes that were acknowledged.
async fn draw(number: usize, port: Arc<AtomicU16>, done: Arc<AtomicBool>) -> Vec<String> {
    let code = format!("lesson-{}", number % BOARDS);
    let (mut acknowledged, mut next) = (Vec::new(), 0);
    while !done.load(Ordering::Acquire) {
        if let Ok(mut client) = Client::open(port.load(Ordering::Acquire), &code).await {
            draw_until_closed(&mut client, number, &mut next, &mut acknowledged).await;
        }
        sleep(Duration::from_millis(10)).await;
    }
    acknowledged
}

async fn draw_until_closed(client: &mut Client, number: usize, next: &mut usize, acknowledged: &mut Vec<String>) {
    let mut shown: Vec<Value> = Vec::new();
    let mut drawing: Option<(u64, String)> = None;
    loop {
        match client.next().await {
            Incoming::Closed(_) => return,
            // What others drew is shown before the next stroke, as a page would.
            Incoming::Event(name, payload) if name == "session_data" || name == "paths_update" => {
                let payload: Value = serde_json::from_str(&payload).unwrap();
                shown.clone_from(payload["paths"].as_array().unwrap());
            }
            Incoming::Ack(id) => {
                let (asked, stroke) = drawing.take().expect("an acknowledgement of something asked");
                assert_eq!(id, asked);
                acknowledged.push(stroke);
            }
            other => panic!("{other:?}"),
        }
        if drawing.is_none() {
            let stroke = format!("client {number} stroke {next}");
            *next += 1;
            shown.push(stroke.clone().into());
            let id = client.ask("update_paths", &serde_json::json!({ "paths": shown }).to_string());
            drawing = Some((id, stroke));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_many_kills() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let port = Arc::new(AtomicU16::new(server.port));
    let done = Arc::new(AtomicBool::new(false));
    let people: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(draw(number, port.clone(), done.clone()))).collect();
    let kills = kills();
    for kill in 0..kills {
        // Different moments, the same in each run.
        sleep(Duration::from_millis(40 + (kill as u64 * 67) % 160)).await;
        server.kill();
        let start = Instant::now();
        server = Server::start(&data, &[]);
        assert!(start.elapsed() < Duration::from_secs(5), "recovery took {:?}", start.elapsed());
        port.store(server.port, Ordering::Release);
    }
    done.store(true, Ordering::Release);
    let mut acknowledged = Vec::new();
    for person in people {
        acknowledged.extend(person.await.unwrap());
    }
    assert!(acknowledged.len() > kills, "only {} strokes were acknowledged", acknowledged.len());

    let mut boards = Vec::new();
    for board in 0..BOARDS {
        let (_client, session) = Client::join(server.port, &format!("lesson-{board}")).await;
        let session: Value = serde_json::from_str(&session).unwrap();
        boards.extend(session["paths"].as_array().unwrap().iter().map(|stroke| stroke.as_str().unwrap().to_owned()));
    }
    let lost: Vec<_> = acknowledged.iter().filter(|stroke| !boards.contains(stroke)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged strokes are lost: {lost:?}", lost.len(), acknowledged.len());
    let mut once = boards.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), boards.len(), "no stroke is there twice");
    verify(&data);
    server.stop();
    verify(&data);
    println!("{} acknowledged strokes, {kills} kills, none lost", acknowledged.len());
}
