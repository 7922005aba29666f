//! Lessons: classes that draw, and a server that dies while they do.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::site::{Site, has_own_node, outcome, until};

#[test]
fn three_classes_hold_a_lesson() {
    let site = Site::ready("lesson", &json!({}));
    let result = site.hold_lesson(&["teach", "--clients", "10", "--strokes", "6"]);
    let boards = result["boards"].as_object().unwrap();
    assert_eq!(boards.len(), 3);
    for (session, board) in boards {
        assert_eq!(
            (&board["strokes"], &board["quiz"], &board["locked"]),
            (&json!(61), &json!(true), &json!(false)),
            "{session}"
        );
    }
}

/// Kubernetes waits before it starts a container again: at once, then 10, 20, 40 s …
const KILLS: usize = 4;

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    if !has_own_node("killing the server's process") {
        return;
    }
    let site = Site::ready("kill", &json!({}));
    // Long enough for all kills: 30 clients draw once a second.
    let lesson = site
        .lesson(&["draw", "--clients", "10", "--strokes", "75", "--pace", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let mut kills = 0;
    while kills < KILLS {
        until("a server to kill", Duration::from_mins(2), || site.kill_server().then_some(()));
        kills += 1;
        // The next one is killed while it works, not while it starts.
        let restarted = Instant::now();
        until("the server is back", Duration::from_mins(2), || {
            let pod = site.server_pod()?;
            let status = &pod["status"]["containerStatuses"][0];
            (status["ready"] == true && status["restartCount"].as_u64()? >= kills as u64).then_some(())
        });
        println!("kill {kills}: the server was back after {:.1} s", restarted.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(700 * kills as u64));
    }
    let result = outcome(&lesson.wait_with_output().unwrap());
    println!(
        "{kills} kills, {} strokes acknowledged, {} reconnects, none lost",
        result["acknowledged"], result["reconnects"]
    );
    assert_eq!(result["acknowledged"], 3 * 10 * 75);
    assert!(result["reconnects"].as_u64().unwrap() >= 30, "clients come back by themselves: {result}");
    let verified = site.kubectl(&["logs", "deploy/physics"]).unwrap();
    assert!(!verified.to_lowercase().contains("corrupt"), "{verified}");
}
