//! Backups of a running server: taken, proven, kept, brought back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use support::http::request;
use support::socket::Client;
use support::{Server, data, run, said, verify};
use tokio::time::sleep;

struct Site {
    directory: tempfile::TempDir,
    server: Server,
}

impl Site {
    fn start() -> Self {
        let (directory, data) = data();
        let token = directory.path().join("token");
        std::fs::write(&token, "s3cret\n").unwrap();
        let server = Server::start(&data, &["--admin-token-file", token.to_str().unwrap()]);
        Self { directory, server }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn backup(&self, more: &[&str]) -> std::process::Output {
        let from = format!("http://127.0.0.1:{}", self.server.admin_port);
        let (token, to) = (self.path("token"), self.path("backups"));
        run(&[&["backup", "--from", &from, "--token-file", &token, "--to", &to], more].concat())
    }
}

fn names(directory: &str) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_token_opens_and_nothing_else_does() {
    let site = Site::start();
    let ask = async |headers: &[(&str, &str)]| request(site.server.admin_port, "GET", "/backup", headers, "").await;
    assert_eq!(ask(&[]).await.status, 401);
    assert_eq!(ask(&[("authorization", "Bearer wrong")]).await.status, 401);
    let good = ask(&[("authorization", "Bearer s3cret")]).await;
    assert_eq!((good.status, good.header("x-whiteboard-sha256").len()), (200, 64));
    std::fs::write(site.path("token"), "rotated").unwrap();
    assert_eq!(ask(&[("authorization", "Bearer s3cret")]).await.status, 401);
    assert_eq!(ask(&[("authorization", "Bearer rotated")]).await.status, 200);
    assert!(!names(&site.path("data")).iter().any(|name| name.contains("tmp")), "the copy is removed");

    let (_directory, data) = data();
    let without = Server::start(&data, &[]);
    let refused = request(without.admin_port, "GET", "/backup", &[("authorization", "Bearer ")], "").await;
    assert_eq!(refused.status, 403);
    assert!(refused.json()["error"].as_str().unwrap().contains("ADMIN_TOKEN_FILE"));
}

#[tokio::test]
async fn a_site_backed_up_while_people_draw_comes_back_whole() {
    let mut site = Site::start();
    let (mut teacher, _) = Client::join(site.server.port, "physics").await;
    let (mut artist, _) = Client::join(site.server.port, "art").await;
    teacher.update(r#"[1e21,{"x":"\ud800"}]"#).await;
    teacher.call("clear_paths", "{}").await;
    teacher.call("undo_request", "{}").await;
    artist.call("update_background", r#"{"background_image":"data:,x"}"#).await;
    let (_, before) = Client::join(site.server.port, "physics").await;

    let busy = tokio::spawn(async move {
        for n in 0.. {
            artist.update(&format!("[{}]", (0..=n % 200).map(|n| n.to_string()).collect::<Vec<_>>().join(","))).await;
        }
    });
    let report = site.path("report");
    let output = {
        let (from, token, to, report) = (
            format!("http://127.0.0.1:{}", site.server.admin_port),
            site.path("token"),
            site.path("backups"),
            report.clone(),
        );
        tokio::task::spawn_blocking(move || {
            run(&["backup", "--from", &from, "--token-file", &token, "--to", &to, "--report", &report])
        })
        .await
        .unwrap()
    };
    assert!(output.status.success(), "{}", said(&output));
    busy.abort();
    let report: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!((&report["verified"], &report["boards"], &report["kept"]), (&true.into(), &2.into(), &1.into()));
    let name = report["name"].as_str().unwrap();
    assert_eq!(names(&site.path("backups")), [format!("{name}.db"), format!("{name}.json")]);
    let manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(site.path(&format!("backups/{name}.json"))).unwrap()).unwrap();
    assert_eq!((&manifest["schema"], manifest["sha256"].as_str().map(str::len)), (&2.into(), Some(64)));
    verify(Path::new(&site.path("backups")));
    verify(Path::new(&site.path("data")));

    let (data, backups) = (site.path("data"), site.path("backups"));
    let in_use = run(&["restore", "--from", &backups, "--data", &data, "--replace"]);
    assert_eq!(in_use.status.code(), Some(1));
    assert!(said(&in_use).contains("in use by another whiteboard process"), "{}", said(&in_use));
    site.server.stop();
    let full = run(&["restore", "--from", &backups, "--data", &data]);
    assert!(said(&full).contains("Add --replace"), "{}", said(&full));

    // The site with all its data is gone; the backup is all there is.
    std::fs::remove_dir_all(&data).unwrap();
    let restored = run(&["restore", "--from", &backups, "--name", "latest", "--data", &data]);
    assert!(restored.status.success(), "{}", said(&restored));
    let again = run(&["restore", "--from", &backups, "--data", &data]);
    assert!(again.status.success() && said(&again).contains("already holds"), "{}", said(&again));
    site.server = Server::start(Path::new(&data), &[]);
    let (mut teacher, after) = Client::join(site.server.port, "physics").await;
    assert_eq!(after, before);
    teacher.call("redo_request", "{}").await;
    assert_eq!(teacher.event("paths_update").await, "{\"paths\":[]}");
    let (_, art) = Client::join(site.server.port, "art").await;
    assert!(art.contains("data:,x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_stay_and_failures_are_told() {
    let site = Site::start();
    let (mut teacher, _) = Client::join(site.server.port, "physics").await;
    for n in 0..4 {
        teacher.update(&format!("[{n}]")).await;
        let output = site.backup(&["--keep", "2"]);
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(names(&site.path("backups")).len(), 4, "two backups, two files each");
    let newest = verify(Path::new(&site.path("backups")))[1]["operations"].clone();
    assert_eq!(newest, 4);

    std::fs::write(site.path("token"), "other").unwrap();
    let report = site.path("report");
    std::fs::write(site.path("wrong"), "wrong").unwrap();
    let wrong = site.path("wrong");
    let from = format!("http://127.0.0.1:{}", site.server.admin_port);
    let refused =
        run(&["backup", "--from", &from, "--token-file", &wrong, "--to", &site.path("backups"), "--report", &report]);
    assert_eq!(refused.status.code(), Some(1));
    let told: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert!(told["error"].as_str().unwrap().contains("Send the admin token"), "{told}");
    assert_eq!(names(&site.path("backups")).len(), 4, "a failure takes nothing away and leaves nothing");

    let damaged = names(&site.path("backups"))[0].clone();
    let path = site.path(&format!("backups/{damaged}"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5000] ^= 0xFF;
    std::fs::write(&path, bytes).unwrap();
    let output = run(&["verify", &site.path("backups")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("BAD") && said(&output).contains("good"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_for_a_server_that_restarts() {
    let (directory, data) = data();
    let port = {
        // A port that is free now and stays so for the moment that it takes.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let token = directory.path().join("token");
    std::fs::write(&token, "t").unwrap();
    let to = directory.path().join("backups");
    let (from, token) = (format!("http://127.0.0.1:{port}"), token.to_str().unwrap().to_owned());
    let waiting = {
        let (from, token, to) = (from.clone(), token.clone(), to.to_str().unwrap().to_owned());
        tokio::task::spawn_blocking(move || run(&["backup", "--from", &from, "--token-file", &token, "--to", &to]))
    };
    sleep(Duration::from_secs(1)).await;
    let _server = Server::start(&data, &["--admin-token-file", &token, "--admin-port", &port.to_string()]);
    let output = waiting.await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let none = run(&["backup", "--from", "http://127.0.0.1:1", "--to", to.to_str().unwrap(), "--retry-for", "0.1"]);
    assert!(said(&none).contains("does not answer"), "{}", said(&none));
}

#[tokio::test]
async fn without_a_server_a_data_directory_is_backed_up_the_same_way() {
    let mut site = Site::start();
    let (mut teacher, _) = Client::join(site.server.port, "physics").await;
    teacher.update("[1,2,3]").await;
    let (data, to) = (site.path("data"), site.path("backups"));
    for running in [true, false] {
        let output = run(&["backup", "--from", &data, "--to", &to]);
        assert!(output.status.success(), "{}", said(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["strokes"], 3);
        if running {
            site.server.stop();
        }
    }
    assert_eq!(verify(Path::new(&to)).as_array().unwrap().len(), 2);
}
