//! The HTTP API of boards, on the real server: what it does through the rooms, and what is there after a restart.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::{Value, json};
use support::Server;
use support::canvas::{Page, Person, create};
use support::http::{Answer, request};
use support::socket::Client;

async fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(server.port, method, path, &[("content-type", "application/json")], &body).await
}

fn rectangle(id: &str) -> Value {
    json!({ "id": id, "type": "rectangle", "x": 1.50, "y": 2, "width": 30, "height": 40, "version": 1, "versionNonce": 5 })
}

fn drawing(ids: &[&str]) -> Value {
    let elements: Vec<Value> = ids.iter().map(|id| rectangle(id)).collect();
    json!({ "type": "excalidraw", "version": 2, "elements": elements, "appState": { "viewBackgroundColor": "#abcdef" } })
}

async fn elements(server: &Server, path: &str) -> usize {
    let answer = ask(server, "GET", path, &Value::Null).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()["elements"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_board_lives_through_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let made = ask(&server, "POST", "/api/boards/import?id=physics&title=Optics", &drawing(&["a", "b"])).await;
    assert_eq!((made.status, &made.json()["imported"]["elements"]), (201, &json!(2)), "{}", made.body);
    assert_eq!(elements(&server, "/api/boards/physics/export.excalidraw").await, 2);
    assert_eq!(ask(&server, "POST", "/api/boards/physics/import", &drawing(&["c"])).await.status, 200);
    let timeline = ask(&server, "GET", "/api/boards/physics/history", &Value::Null).await.json();
    let first = timeline["moments"][0]["seq"].as_u64().unwrap();
    assert_eq!(elements(&server, &format!("/api/boards/physics/history/{first}")).await, 2);
    assert_eq!(elements(&server, "/api/boards/physics/export.excalidraw").await, 3);

    let back = ask(&server, "POST", &format!("/api/boards/physics/history/{first}/restore"), &Value::Null).await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert!(back.json()["seq"].as_u64().unwrap() > timeline["last"].as_u64().unwrap(), "it is a new operation");
    assert_eq!(elements(&server, "/api/boards/physics/export.excalidraw").await, 2);

    assert_eq!(ask(&server, "PATCH", "/api/boards/physics", &json!({ "title": "Light" })).await.status, 204);
    let kept = ask(&server, "POST", "/api/boards/physics/versions", &json!({ "name": "Homework" })).await;
    assert_eq!(kept.status, 201);
    drop(server);

    let server = Server::start(data.path(), &[]);
    let facts = ask(&server, "GET", "/api/boards/physics", &Value::Null).await.json();
    assert_eq!((&facts["title"], &facts["kind"]), (&json!("Light"), &json!("board")));
    let whole = ask(&server, "GET", "/api/boards/physics/export.excalidraw", &Value::Null).await.json();
    assert_eq!(whole["elements"].as_array().unwrap().len(), 2);
    assert_eq!(whole["appState"]["viewBackgroundColor"], "#abcdef");
    let path = format!("/api/boards/physics/versions/{}", kept.json()["id"]);
    assert_eq!(elements(&server, &path).await, 2);
}

#[tokio::test]
async fn a_deleted_board_takes_nothing_and_comes_back_whole() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    ask(&server, "POST", "/api/boards/import?id=a", &drawing(&["x"])).await;
    assert_eq!(ask(&server, "DELETE", "/api/boards/a", &Value::Null).await.status, 204);
    for (method, path, body) in [
        ("GET", "/api/boards/a", Value::Null),
        ("POST", "/api/boards/a/import", drawing(&["y"])),
        ("PATCH", "/api/boards/a", json!({ "title": "T" })),
    ] {
        let refused = ask(&server, method, path, &body).await;
        assert_eq!((refused.status, &refused.json()["code"]), (410, &json!("deleted-board")), "{method} {path}");
    }
    assert_eq!(ask(&server, "POST", "/api/boards/a/restore", &Value::Null).await.status, 204);
    assert_eq!(elements(&server, "/api/boards/a/export.excalidraw").await, 1);
    assert_eq!(ask(&server, "POST", "/api/boards/a/import", &drawing(&["y"])).await.status, 200);
    assert_eq!(elements(&server, "/api/boards/a/export.excalidraw").await, 2);
}

/// A server with an admin token.
fn with_admin(data: &std::path::Path) -> Server {
    std::fs::write(data.join("token"), "admin-token").unwrap();
    Server::start(data, &["--admin-token-file", data.join("token").to_str().unwrap()])
}

/// Asks with that token.
async fn as_admin(server: &Server, method: &str, path: &str) -> Answer {
    request(server.port, method, path, &[("authorization", "Bearer admin-token")], "").await
}

#[tokio::test]
async fn boards_of_other_dialects_are_brought_back_before_the_eyes_of_all() {
    let data = tempfile::tempdir().unwrap();
    let server = with_admin(data.path());
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    let (mut student, _) = Client::join(server.port, "physics").await;
    teacher.update("[1]").await;
    teacher.update("[1,2]").await;
    teacher.call("clear_paths", "{}").await;
    student.event("paths_cleared").await;
    student.rest().await;
    let back = as_admin(&server, "POST", "/api/boards/physics/history/2/restore?kind=classroom").await;
    assert_eq!((back.status, back.json()), (200, json!({ "seq": 4 })), "{}", back.body);
    for client in [&mut teacher, &mut student] {
        assert_eq!(client.event("paths_update").await, r#"{"paths":[1,2]}"#);
    }
    teacher.call("undo_request", "{}").await;
    assert_eq!(student.event("paths_update").await, r#"{"paths":[]}"#, "it is one step");

    let ann = Person::register(server.port, "ann").await;
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    let (mut other, _) = Page::join(server.port, "plan", &ann).await;
    let rectangle = support::canvas::rectangle("Rect-1", 1.5);
    page.send(&create(&rectangle)).await;
    page.send(&json!({ "type": "object-delete", "object-id": "Rect-1" })).await;
    other.get("object-delete").await;
    page.rest().await;
    let back = as_admin(&server, "POST", "/api/boards/plan/history/1/restore?kind=canvas").await;
    assert_eq!((back.status, back.json()), (200, json!({ "seq": 3 })), "{}", back.body);
    assert_eq!(page.get("object-create").await["object"], rectangle);
}

#[tokio::test]
async fn a_deleted_classroom_is_shown_to_nobody_until_it_is_back() {
    let data = tempfile::tempdir().unwrap();
    let server = with_admin(data.path());
    let (mut teacher, _) = Client::join(server.port, "physics").await;
    teacher.update("[1]").await;
    assert_eq!(as_admin(&server, "DELETE", "/api/boards/physics?kind=classroom").await.status, 204);
    teacher.until_closed().await;
    let mut student = Client::open(server.port, "physics").await.unwrap();
    let said = format!("{:?}", student.until_closed().await);
    assert!(said.contains("This board was deleted") && !said.contains("session_data"), "{said}");
    assert_eq!(as_admin(&server, "POST", "/api/boards/physics/restore?kind=classroom").await.status, 204);
    let (_, board) = Client::join(server.port, "physics").await;
    assert!(board.contains(r#""paths":[1]"#), "{board}");
}

#[tokio::test]
async fn what_is_older_than_the_retention_is_folded_while_people_draw() {
    let data = tempfile::tempdir().unwrap();
    // Everything is old after a hundredth of a second.
    let server = Server::start(data.path(), &["--history-days", "0.0000001", "--upkeep-every", "0.01"]);
    ask(&server, "POST", "/api/boards", &json!({ "id": "a" })).await;
    for n in 0..20 {
        let one = drawing(&[&format!("e{n}")]);
        assert_eq!(ask(&server, "POST", "/api/boards/a/import", &one).await.status, 200);
    }
    ask(&server, "POST", "/api/boards/a/versions", &json!({ "name": "Twenty" })).await;
    // Folded sooner or later, never anything else than the same board.
    loop {
        let timeline = ask(&server, "GET", "/api/boards/a/history", &Value::Null).await.json();
        assert_eq!(elements(&server, "/api/boards/a/export.excalidraw").await, 20);
        if timeline["first"] == timeline["last"] {
            break;
        }
    }
    let early = ask(&server, "GET", "/api/boards/a/history/1", &Value::Null).await;
    assert_eq!((early.status, &early.json()["code"]), (410, &json!("unknown-seq")));
    drop(server);
    let server = Server::start(data.path(), &[]);
    assert_eq!(elements(&server, "/api/boards/a/export.excalidraw").await, 20);
    let versions = ask(&server, "GET", "/api/boards/a/versions", &Value::Null).await.json();
    assert_eq!(elements(&server, &format!("/api/boards/a/versions/{}", versions["versions"][0]["id"])).await, 20);
    assert_eq!(ask(&server, "POST", "/api/boards/a/import", &drawing(&["more"])).await.status, 200);
    assert_eq!(elements(&server, "/api/boards/a/export.excalidraw").await, 21);
}

#[tokio::test]
async fn killed_in_the_middle_of_folding_nothing_acknowledged_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap().to_owned();
    let (mut least, mut most) = (0, 0);
    for (round, kill_after) in [1, 4, 2, 7, 3].into_iter().enumerate() {
        let server = Server::start(data.path(), &["--history-days", "0.0000001", "--upkeep-every", "0.001"]);
        if round == 0 {
            ask(&server, "POST", "/api/boards", &json!({ "id": "a" })).await;
        }
        let found = elements(&server, "/api/boards/a/export.excalidraw").await;
        assert!((least..=most).contains(&found), "round {round}: {found} of {least} to {most}");
        least = found;
        let (acknowledged, mut count) = tokio::sync::mpsc::unbounded_channel();
        let port = server.port;
        let drawing_on = tokio::spawn(async move {
            loop {
                // The last of these ends with the server.
                let one = drawing(&["one"]).to_string();
                let answer = request(port, "POST", "/api/boards/a/import", &[], &one).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                let _ = acknowledged.send(());
            }
        });
        for _ in 0..kill_after {
            count.recv().await.unwrap();
        }
        drop(server);
        assert!(drawing_on.await.is_err(), "the server is gone");
        least += kill_after;
        while count.recv().await.is_some() {
            least += 1;
        }
        // One more may be on disk whose answer did not come.
        most = least + 1;
        let verified = support::run(&["verify", &path]);
        assert!(verified.status.success(), "round {round}: {}", support::said(&verified));
    }
}

/// An image of some 650 bytes.
fn picture(letter: &str) -> String {
    format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><!-- {} --></svg>", letter.repeat(600))
}

async fn put(server: &Server, file: &str, letter: &str) -> u16 {
    let headers = [("content-type", "image/svg+xml"), ("authorization", "Bearer 0123456789abcdef")];
    request(server.port, "PUT", &format!("/api/boards/a/files/{file}"), &headers, &picture(letter)).await.status
}

/// Waits until all that was recorded on the board `a` is in its base.
async fn folded(server: &Server) {
    loop {
        let timeline = ask(server, "GET", "/api/boards/a/history", &Value::Null).await.json();
        if timeline["first"] == timeline["last"] {
            break;
        }
    }
}

#[tokio::test]
async fn images_that_nothing_shows_give_their_place_back() {
    let data = tempfile::tempdir().unwrap();
    let room = ["--max-board-file-bytes", "1000"];
    let server = Server::start(data.path(), &room);
    ask(&server, "POST", "/api/boards", &json!({ "id": "a" })).await;
    ask(&server, "POST", "/api/boards/a/import", &drawing(&["r"])).await;
    assert_eq!(put(&server, "cat", "m").await, 200);
    assert_eq!(put(&server, "dog", "w").await, 413);
    let image = json!({
        "id": "i", "type": "image", "fileId": "cat", "x": 0, "y": 0, "width": 9, "height": 9, "version": 1, "versionNonce": 5,
    });
    let shown = json!({ "type": "excalidraw", "version": 2, "elements": [image] });
    let before = ask(&server, "GET", "/api/boards/a/history", &Value::Null).await.json()["last"].clone();
    assert_eq!(ask(&server, "POST", "/api/boards/a/import", &shown).await.status, 200);
    assert_eq!(elements(&server, "/api/boards/a/export.excalidraw").await, 2);
    let back = ask(&server, "POST", &format!("/api/boards/a/history/{before}/restore"), &Value::Null).await;
    assert_eq!((back.status, elements(&server, "/api/boards/a/export.excalidraw").await), (200, 1), "{}", back.body);
    drop(server);
    // As if it had been sent long ago.
    let database = rusqlite::Connection::open(data.path().join("whiteboard.db")).unwrap();
    database.execute("UPDATE board_files SET created = 5", []).unwrap();
    drop(database);

    let old = [&room[..], &["--history-days", "0.0000001", "--upkeep-every", "0.01"]].concat();
    let server = Server::start(data.path(), &old);
    folded(&server).await;
    let path = "/api/boards/a/files/cat";
    assert_eq!(ask(&server, "GET", path, &Value::Null).await.status, 200, "its deletion could be undone");
    // A hundred steps later nothing could bring it back.
    for n in 0..101 {
        assert_eq!(ask(&server, "POST", "/api/boards/a/import", &drawing(&[&format!("e{n}")])).await.status, 200);
    }
    let mut more = 102;
    while ask(&server, "GET", path, &Value::Null).await.status != 404 {
        // The upkeep looks at boards in which something has become old.
        assert!(more < 1000, "the image stays");
        assert_eq!(ask(&server, "POST", "/api/boards/a/import", &drawing(&[&format!("e{more}")])).await.status, 200);
        more += 1;
    }
    assert_eq!(put(&server, "dog", "w").await, 200);
    // Old for the history, but sent just now: its element may be on the way.
    for n in 0..20 {
        assert_eq!(ask(&server, "POST", "/api/boards/a/import", &drawing(&[&format!("f{n}")])).await.status, 200);
    }
    folded(&server).await;
    assert_eq!(ask(&server, "GET", "/api/boards/a/files/dog", &Value::Null).await.status, 200);
    assert_eq!(put(&server, "cat", "m").await, 413);
}
