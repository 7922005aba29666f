mod background;

use super::rooms::Past;
use super::*;
use crate::board::core::{Closed, Refusal};
use crate::board::scene::action::What;
use crate::limits::address::{Household, Networks};
use crate::limits::connections::Connections;
use crate::limits::space::Marks;
use crate::store::testing::Bench;
use axum::body::{Body, Bytes, to_bytes};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// Rooms that write down what they are asked for.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<String>>,
    low: AtomicBool,
    full: AtomicBool,
}

impl Fake {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Rooms for Fake {
    fn change(&self, board: BoardName, what: Vec<What>) -> BoxFuture<'_, Result<u64, Refused>> {
        let told = what.iter().map(|what| match what {
            What::Title(title) => format!("{}: title {title}", board.code),
            What::RestoreTo(back) => {
                let ids: Vec<_> = back.elements.iter().map(|(_, element)| element.id().to_string()).collect();
                format!("{}: back to {} {ids:?}", board.code, back.seq)
            }
            What::Change(change) => {
                let ids: Vec<_> = change.elements.iter().map(|element| element.id().to_string()).collect();
                format!("{}: change {ids:?}", board.code)
            }
            What::Settings(values) => format!("{}: settings {values:?}", board.code),
            other => format!("{other:?}"),
        });
        self.asked.lock().unwrap().extend(told);
        Box::pin(async { Ok(77) })
    }

    fn replace(&self, board: BoardName, past: Past) -> BoxFuture<'_, Result<(), Refused>> {
        let told = match past {
            Past::Classroom { strokes, background } => {
                let texts: Vec<_> = strokes.iter().map(|stroke| stroke.text().to_owned()).collect();
                format!("{}: {texts:?} on {background}", board.code)
            }
            Past::Canvas(state) => format!("{}: {}", board.code, state.list()),
        };
        self.asked.lock().unwrap().push(told);
        Box::pin(async { Ok(()) })
    }

    fn close(&self, board: &BoardName, reason: Closed) {
        self.asked.lock().unwrap().push(format!("{}/{}: close {}", board.dialect, board.code, reason.label()));
    }

    fn may_begin_board(&self, _boards: u64, _from: Option<Household>) -> Result<(), Refusal> {
        if self.low.load(Ordering::Relaxed) { Err(Refusal::DiskLow) } else { Ok(()) }
    }

    fn no_board_begun(&self, _from: Option<Household>) {
        self.asked.lock().unwrap().push("no board begun".to_owned());
    }

    fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

struct Server {
    bench: Bench,
    rooms: Arc<Fake>,
    turns: Turns,
    router: Router,
}

fn server() -> Server {
    let bench = Bench::new();
    let rooms = Arc::new(Fake::default());
    let data = bench.directory.path().to_owned();
    std::fs::write(data.join("token"), "admin-token").unwrap();
    let turns = Turns::new(Arc::new(Semaphore::new(1)), IMPORT, IMPORT);
    let api = Api {
        store: bench.store.clone(),
        rooms: rooms.clone(),
        uploads: Uploads::default(),
        files: FileLimits { file: 1 << 20, board: 1_500_000 },
        limits: Limits { elements: 1000, ..Limits::default() },
        marks: Marks { boards: 3, low_percent: 101, full_percent: 101, ..Marks::default() },
        token_file: Some(data.join("token")),
        data,
        public_list: false,
        origins: Arc::new(Origins::parse("https://school.example").unwrap()),
        turns: turns.clone(),
        gate: Gate::new(Networks::default(), Connections::new(1, 1)),
    };
    Server { bench, rooms, turns, router: routes(api) }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    fn code(&self) -> (u16, String) {
        let body = self.json();
        assert!(body["error"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{body}");
        (self.status, body["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Server {
    async fn send(
        &self,
        method: &str,
        path: &str,
        secret: Option<&str>,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(secret) = secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec();
        Answer { status, headers, bytes }
    }

    async fn ask(&self, method: &str, path: &str, secret: Option<&str>, body: &Value) -> Answer {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(method, path, secret, &[], body).await
    }

    async fn get(&self, path: &str, secret: Option<&str>) -> Answer {
        self.ask("GET", path, secret, &Value::Null).await
    }

    /// A board with secrets, and the one for teachers and for looking.
    async fn secured(&self, id: &str) -> (String, String) {
        let made = self.ask("POST", "/api/boards", None, &json!({ "id": id, "teacher": true })).await.json();
        (made["teacher"].as_str().unwrap().into(), made["look"].as_str().unwrap().into())
    }

    async fn image(&self, path: &str, bytes: Vec<u8>) -> Answer {
        let key = "0123456789abcdef";
        self.send("PUT", path, Some(key), &[("content-type", "image/png")], Body::from(bytes)).await
    }

    /// Writes a board's log as its room would: elements that appear one by one.
    fn draw(&self, board: &str, first_seq: u64, ids: &[&str]) {
        use crate::board::scene::element::Element;
        use crate::board::scene::elements::Owner;
        use crate::board::scene::identity::UserId;
        use crate::board::scene::operation::{Done, Edit, Operation, Owners, Rules};
        let rows: Vec<String> = (first_seq..)
            .zip(ids)
            .map(|(id, name)| {
                let text = format!(
                    r#"{{"id":"{name}","type":"rectangle","version":1,"versionNonce":1,"index":"a{id}","x":0,"y":0,"width":10,"height":10,"strokeColor":"black","fileId":"{name}"}}"#
                );
                let edit = Edit { elements: vec![Element::from_text(&text).unwrap()], deleted: Vec::new() };
                let by = Owner { user: UserId(0xabc), teacher: true };
                let done = Done::Change { gesture: None, edit };
                let (session, rules, owners) = ("session1".into(), Rules::NOW, Owners::default());
                Operation { by, session, id, at: 0, done, rules, owners }.encode()
            })
            .collect();
        let (store, name) = (self.bench.store.clone(), BoardName::board(board));
        // From a thread of its own: it waits for the disk.
        let bench_append = move || {
            let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
            store.writer.append(crate::store::Append { board: name, first_seq, rows, ticket: 0, done });
            answers.blocking_recv().unwrap().result.unwrap();
        };
        std::thread::scope(|scope| scope.spawn(bench_append).join().unwrap());
    }
}

/// Puts operations on disk, the first ones of the classroom "5b maths".
fn record_classroom(server: &Server, rows: Vec<String>) {
    let store = server.bench.store.clone();
    let write = move || {
        let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let board = BoardName::classroom("5b maths");
        store.writer.append(crate::store::Append { board, first_seq: 1, rows, ticket: 0, done });
        answers.blocking_recv().unwrap().result.unwrap();
    };
    std::thread::scope(|scope| scope.spawn(write).join().unwrap());
}

fn png(bytes: usize) -> Vec<u8> {
    let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
    image.resize(bytes, 7);
    image
}

#[tokio::test]
async fn a_board_is_made_named_deleted_and_brought_back() {
    let server = server();
    let made = server.ask("POST", "/api/boards", None, &json!({ "id": "physics", "title": "Optics" })).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.headers["cache-control"], "no-store");
    assert_eq!(made.json(), json!({ "id": "physics", "kind": "board", "links": { "board": "/b/physics" } }));
    let facts = server.get("/api/boards/physics", None).await.json();
    assert_eq!((&facts["title"], &facts["exists"], &facts["secured"]), (&json!("Optics"), &json!(true), &json!(false)));

    assert_eq!(server.ask("PATCH", "/api/boards/physics", None, &json!({ "title": " Light " })).await.status, 204);
    assert_eq!(server.rooms.asked(), ["physics: title Light"]);
    assert_eq!(server.ask("DELETE", "/api/boards/physics", None, &Value::Null).await.status, 204);
    assert_eq!(server.rooms.asked(), ["board/physics: close deleted"]);
    for (method, path) in [
        ("GET", "/api/boards/physics"),
        ("DELETE", "/api/boards/physics"),
        ("POST", "/api/boards/physics/history/0/restore"),
        ("POST", "/api/boards/physics/import"),
    ] {
        let refused = server.ask(method, path, None, &Value::Null).await;
        assert_eq!(refused.code(), (410, "deleted-board".into()), "{method} {path}");
    }
    assert_eq!(server.ask("POST", "/api/boards/physics/restore", None, &Value::Null).await.status, 204);
    assert_eq!(server.get("/api/boards/physics", None).await.status, 200);
    let again = server.ask("POST", "/api/boards/physics/restore", None, &Value::Null).await;
    assert_eq!(again.code(), (409, "not-deleted".into()));
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let server = server();
    let post = async |body: Value| server.ask("POST", "/api/boards", None, &body).await;
    assert_eq!(post(Value::Null).await.json()["id"].as_str().unwrap().len(), 12);
    assert_eq!(post(json!({ "id": "a" })).await.status, 201);
    assert_eq!(post(json!({ "id": "a" })).await.code(), (409, "taken".into()));
    assert_eq!(post(json!({ "id": "a b" })).await.code(), (400, "message".into()));
    assert_eq!(post(json!({ "title": "" })).await.code(), (400, "message".into()));
    assert_eq!(post(json!({ "teacher": 7 })).await.code(), (400, "message".into()));
    server.rooms.low.store(true, Ordering::Relaxed);
    assert_eq!(post(json!({})).await.code(), (507, "disk-low".into()));
    server.rooms.low.store(false, Ordering::Relaxed);
    assert_eq!(post(json!({})).await.status, 201);
    assert_eq!(post(json!({})).await.code(), (507, "too-many".into()));
    let large = server.send("POST", "/api/boards", None, &[], Body::from(vec![b' '; BODY + 1])).await;
    assert_eq!(large.code(), (413, "too-large".into()));
}

#[tokio::test]
async fn only_who_has_the_secret_manages_a_secured_board() {
    let server = server();
    let (teacher, look) = server.secured("physics").await;
    server.draw("physics", 1, &["a"]);
    let routes = [
        ("PATCH", "/api/boards/physics", json!({ "title": "x" })),
        ("GET", "/api/boards/physics/history", Value::Null),
        ("GET", "/api/boards/physics/history/1", Value::Null),
        ("POST", "/api/boards/physics/history/0/restore", Value::Null),
        ("GET", "/api/boards/physics/export.excalidraw?seq=1", Value::Null),
        ("GET", "/api/boards/physics/versions", Value::Null),
        ("POST", "/api/boards/physics/versions", json!({ "name": "v" })),
        ("GET", "/api/boards/physics/versions/1", Value::Null),
        ("POST", "/api/boards/physics/versions/1/restore", Value::Null),
        ("DELETE", "/api/boards/physics/versions/1", Value::Null),
        ("POST", "/api/boards/physics/import", json!({ "type": "excalidraw" })),
        ("DELETE", "/api/boards/physics", Value::Null),
        ("POST", "/api/boards/physics/restore", Value::Null),
    ];
    for (method, path, body) in &routes {
        let nothing = server.ask(method, path, None, body).await;
        assert_eq!(nothing.code(), (401, "access".into()), "{method} {path}");
        assert_eq!(nothing.headers["www-authenticate"], "Bearer");
        for wrong in ["wrong", &look] {
            assert_eq!(server.ask(method, path, Some(wrong), body).await.code().0, 403, "{method} {path} {wrong}");
        }
    }
    assert!(server.rooms.asked().is_empty(), "nothing was done");
    for secret in [teacher.as_str(), "admin-token"] {
        for (method, path, body) in &routes {
            let done = server.ask(method, path, Some(secret), body).await;
            let done = (done.status, String::from_utf8_lossy(&done.bytes).into_owned());
            // The first round makes version 1 and deletes it again.
            let second =
                secret == "admin-token" && path.ends_with("versions/1") || path.ends_with("versions/1/restore");
            assert!(done.0 < 300 || (second && done.0 == 404), "{method} {path}: {done:?}");
        }
    }
    assert_eq!(server.get("/api/boards/physics", None).await.status, 200, "its facts are for everybody");
}

#[tokio::test]
async fn whoever_may_look_sees_the_board_but_not_a_quiz() {
    let server = server();
    let (teacher, look) = server.secured("physics").await;
    server.draw("physics", 1, &["a"]);
    let export = "/api/boards/physics/export.excalidraw";
    assert_eq!(server.get(export, Some(&look)).await.json()["elements"][0]["id"], "a");
    assert_eq!(server.get(export, None).await.code().0, 401);
    let quiz = r#"{"op":"quiz","by":"0000000000000abc","teacher":true,"session":"session1","id":2,"at":0,"on":true}"#;
    let (store, name) = (server.bench.store.clone(), BoardName::board("physics"));
    let write = move || {
        let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let rows = vec![quiz.to_owned()];
        store.writer.append(crate::store::Append { board: name, first_seq: 2, rows, ticket: 0, done });
        answers.blocking_recv().unwrap().result.unwrap();
    };
    std::thread::scope(|scope| scope.spawn(write).join().unwrap());
    assert_eq!(server.get(export, Some(&look)).await.code(), (403, "access".into()));
    assert_eq!(server.get(export, Some(&teacher)).await.status, 200);
}

#[tokio::test]
async fn boards_of_other_kinds_are_for_the_admin() {
    let server = server();
    let stroke =
        r##"{"drawMode":true,"strokeColor":"#000000","strokeWidth":4,"paths":[{"x":1,"y":2},{"x":30,"y":40}]}"##;
    record_classroom(&server, vec![format!(r#"{{"update":[[0,0,[{stroke}]]]}}"#)]);
    let path = |rest: &str| format!("/api/boards/5b%20maths{rest}?kind=classroom");
    let facts = server.get(&path(""), None).await.json();
    assert_eq!((&facts["kind"], &facts["id"]), (&json!("classroom"), &json!("5b maths")));
    assert_eq!(server.get(&path("/history"), None).await.code().0, 401);
    assert_eq!(server.get(&path("/history"), Some("admin-token")).await.json()["last"], 1);
    assert_eq!(server.get(&path("/export.excalidraw"), None).await.code().0, 401);
    let drawing = server.get(&path("/export.excalidraw"), Some("admin-token")).await.json();
    assert_eq!((&drawing["type"], drawing["elements"].as_array().unwrap().len()), (&json!("excalidraw"), 1));
    assert_eq!(server.ask("POST", &path("/history/0/restore"), None, &Value::Null).await.code().0, 401);
    let back = server.ask("POST", &path("/history/1/restore"), Some("admin-token"), &Value::Null).await;
    assert_eq!((back.status, back.json()), (200, json!({ "seq": 1 })));
    assert_eq!(
        server.rooms.asked(),
        [format!("5b maths: {:?} on \"\"", [stroke])],
        "not the native board of that name"
    );
    assert_eq!(server.ask("PATCH", &path(""), Some("admin-token"), &json!({ "title": "Maths" })).await.status, 204);
    server.rooms.full.store(true, Ordering::Relaxed);
    let late = server.ask("PATCH", &path(""), Some("admin-token"), &json!({ "title": "Full" })).await;
    assert_eq!(late.code(), (507, "disk-full".into()));
    server.rooms.full.store(false, Ordering::Relaxed);
    assert_eq!(server.get(&path(""), None).await.json()["title"], "Maths");
    assert_eq!(server.get("/api/boards/5b%20maths", None).await.code(), (404, "unknown-board".into()));
    assert_eq!(server.get("/api/boards/a?kind=hologram", None).await.code(), (400, "message".into()));
    assert_eq!(server.ask("DELETE", &path(""), Some("admin-token"), &Value::Null).await.status, 204);
    assert_eq!(server.rooms.asked(), ["classroom/5b maths: close deleted"]);
}

#[tokio::test]
async fn the_list_is_for_the_admin_unless_it_is_public() {
    let mut server = server();
    for id in ["a", "b", "c"] {
        server.ask("POST", "/api/boards", None, &json!({ "id": id })).await;
    }
    server.ask("DELETE", "/api/boards/b", None, &Value::Null).await;
    assert_eq!(server.get("/api/boards", None).await.code(), (401, "access".into()));
    assert_eq!(server.get("/api/boards", Some("wrong")).await.code().0, 401);
    let ids = |answer: Answer| -> (Vec<String>, Value) {
        let body = answer.json();
        let ids = body["boards"].as_array().unwrap().iter().map(|b| b["id"].as_str().unwrap().to_owned()).collect();
        (ids, body["next"].clone())
    };
    assert_eq!(ids(server.get("/api/boards", Some("admin-token")).await), (vec!["c".into(), "a".into()], Value::Null));
    let page = server.get("/api/boards?limit=1&offset=1", Some("admin-token")).await;
    assert_eq!(ids(page), (vec!["a".into()], json!(2)));
    let deleted = server.get("/api/boards?deleted=true", Some("admin-token")).await;
    assert_eq!(ids(deleted).0, ["b"]);
    let api = Api { public_list: true, ..rebuilt(&server) };
    server.router = routes(api);
    assert_eq!(ids(server.get("/api/boards", None).await).0.len(), 2);
    assert_eq!(server.get("/api/boards?deleted=true", None).await.code().0, 401);
    assert!(!String::from_utf8(server.get("/api/boards", None).await.bytes).unwrap().contains("teacher"));
}

#[tokio::test]
async fn what_comes_leaves_the_disk_room_for_drawing() {
    use super::spool::{Unspooled, spool};
    let server = server();
    for (full_percent, refused) in [(101, false), (0, true)] {
        let mut api = rebuilt(&server);
        api.marks.full_percent = full_percent;
        // In pieces whose end is not told; the second one is looked at on its own.
        let body = || {
            let pieces = futures_util::stream::iter((0..2).map(|_| Ok::<_, std::io::Error>(png(1 << 20))));
            Body::from_stream(pieces)
        };
        let spooled = spool(&api, body(), 4 << 20, |_| {}).await;
        let code = spooled.as_ref().err().map(|error| match error {
            Unspooled::Refused(refused) => (refused.status.as_u16(), refused.code),
            other => panic!("{other:?}"),
        });
        assert_eq!(code, refused.then_some((507, "disk-full")), "{full_percent}");
    }
}

fn rebuilt(server: &Server) -> Api {
    let data = server.bench.directory.path().to_owned();
    Api {
        store: server.bench.store.clone(),
        rooms: server.rooms.clone(),
        uploads: Uploads::default(),
        files: FileLimits::default(),
        limits: Limits::default(),
        marks: Marks { boards: 3, low_percent: 101, full_percent: 101, ..Marks::default() },
        token_file: Some(data.join("token")),
        data,
        public_list: false,
        origins: Arc::new(Origins::Any),
        turns: Turns::new(Arc::new(Semaphore::new(1)), IMPORT, IMPORT),
        gate: Gate::new(Networks::default(), Connections::new(1, 1)),
    }
}

#[tokio::test]
async fn an_image_is_kept_and_served_for_ever() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    let path = "/api/boards/a/files/cat";
    let image = png(700_000);
    let kept = server.image(path, image.clone()).await;
    assert_eq!((kept.status, &kept.json()["type"]), (200, &json!("image/png")));
    assert_eq!(kept.json()["sha256"].as_str().unwrap(), crate::backup::digest::of(&image).to_string());
    assert_eq!(server.image(path, image.clone()).await.status, 200, "the same again");
    assert_eq!(server.image(path, png(5000)).await.code(), (409, "file".into()));
    let got = server.get(path, None).await;
    assert!(got.bytes == image);
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("content-length", "700000"),
    ] {
        assert_eq!(got.headers[name], value);
    }
    let tag = got.headers["etag"].to_str().unwrap().to_owned();
    let known = server.send("GET", path, None, &[("if-none-match", &tag)], Body::empty()).await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));
    assert_eq!(server.get("/api/boards/a/files/dog", None).await.code(), (404, "file".into()));
    assert_eq!(server.image("/api/boards/a/files/dog", png(900_000)).await.code(), (413, "board-full".into()));
    let left = std::fs::read_dir(server.bench.directory.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with(crate::store::TEMPORARY_PREFIX)), "{left:?}");
}

#[tokio::test]
async fn only_images_within_the_limits_are_taken() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    let key = Some("0123456789abcdef");
    let put = async |path: &str, secret: Option<&str>, kind: &str, bytes: &[u8]| {
        server.send("PUT", path, secret, &[("content-type", kind)], Body::from(bytes.to_vec())).await
    };
    let path = "/api/boards/a/files/x";
    assert_eq!(put(path, None, "image/png", &png(99)).await.code(), (401, "key".into()));
    assert_eq!(put(path, Some("short"), "image/png", &png(99)).await.code(), (401, "key".into()));
    assert_eq!(put(path, key, "text/html", &png(99)).await.code(), (415, "file".into()));
    assert_eq!(put(path, key, "image/png", b"<html>").await.code(), (415, "file".into()));
    assert_eq!(put(path, key, "image/png", b"").await.code(), (415, "file".into()));
    assert_eq!(put(path, key, "image/png", &png((1 << 20) + 1)).await.code(), (413, "too-large".into()));
    assert_eq!(put("/api/boards/a/files/a.b", key, "image/png", &png(99)).await.code(), (400, "file".into()));
    assert_eq!(put("/api/boards/none/files/x", key, "image/png", &png(99)).await.code(), (404, "unknown-board".into()));
    // What is told is not believed: it is counted.
    let stream = futures_util::stream::iter((0..5).map(|_| Ok::<_, std::io::Error>(png(300_000))));
    let endless = server.send("PUT", path, key, &[("content-type", "image/png")], Body::from_stream(stream)).await;
    assert_eq!(endless.code(), (413, "too-large".into()));
    let broken = futures_util::stream::iter([Ok(png(99)), Err(std::io::Error::other("gone"))]);
    let broken = server.send("PUT", path, key, &[("content-type", "image/png")], Body::from_stream(broken)).await;
    assert_eq!(broken.code(), (408, "file".into()));
    server.rooms.full.store(true, Ordering::Relaxed);
    assert_eq!(put(path, key, "image/png", &png(99)).await.code(), (507, "disk-full".into()));
    assert_eq!(server.bench.store.reader.examine().unwrap().files, 0);
}

#[tokio::test]
async fn scripts_in_an_svg_never_run() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    server.image("/api/boards/a/files/x", svg).await;
    let got = server.get("/api/boards/a/files/x", None).await;
    assert_eq!(got.headers["content-type"], "image/svg+xml");
    let policy = got.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("sandbox") && policy.contains("default-src 'none'") && !policy.contains("script"));
}

#[tokio::test]
async fn the_past_is_looked_at_and_brought_back() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    server.draw("a", 1, &["one", "two", "three"]);
    let timeline = server.get("/api/boards/a/history", None).await.json();
    assert_eq!((&timeline["first"], &timeline["last"]), (&json!(0), &json!(3)));
    assert_eq!(timeline["moments"][1]["seq"], 2);
    assert_eq!(timeline["moments"][1]["author"], "0000000000000abc");
    let ids = |body: &Value| -> Vec<String> {
        let elements = body["elements"].as_array().unwrap();
        elements.iter().map(|element| element["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&server.get("/api/boards/a/history/2", None).await.json()), ["one", "two"]);
    assert!(ids(&server.get("/api/boards/a/history/0", None).await.json()).is_empty());
    assert_eq!(server.get("/api/boards/a/history/4", None).await.code(), (404, "unknown-seq".into()));
    assert_eq!(server.get("/api/boards/a/history/x", None).await.code(), (400, "message".into()));
    let back = server.ask("POST", "/api/boards/a/history/1/restore", None, &Value::Null).await;
    assert_eq!((back.status, back.json()), (200, json!({ "seq": 77 })));
    assert_eq!(server.rooms.asked(), [r#"a: back to 1 ["one"]"#]);

    let version = server.ask("POST", "/api/boards/a/versions", None, &json!({ "name": "Half", "seq": 2 })).await;
    assert_eq!((version.status, &version.json()["seq"]), (201, &json!(2)));
    let path = format!("/api/boards/a/versions/{}", version.json()["id"]);
    assert_eq!(ids(&server.get(&path, None).await.json()), ["one", "two"]);
    let listed = server.get("/api/boards/a/versions", None).await.json();
    assert_eq!(listed["versions"][0]["name"], "Half");
    server.ask("POST", &format!("{path}/restore"), None, &Value::Null).await;
    assert_eq!(server.rooms.asked(), [r#"a: back to 2 ["one", "two"]"#]);
    assert_eq!(server.ask("DELETE", &path, None, &Value::Null).await.status, 204);
    assert_eq!(server.get(&path, None).await.code(), (404, "unknown-version".into()));
}

#[tokio::test]
async fn a_board_is_exported_with_its_images() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    server.draw("a", 1, &["cat", "gone"]);
    server.image("/api/boards/a/files/cat", png(300_000)).await;
    let whole = server.get("/api/boards/a/export.excalidraw", None).await;
    assert_eq!(whole.headers["content-disposition"], "attachment; filename=\"a.excalidraw\"");
    let files = whole.json()["files"].clone();
    assert_eq!(files.as_object().unwrap().keys().collect::<Vec<_>>(), ["cat"], "an image that never came is left out");
    let bare = server.get("/api/boards/a/export.excalidraw?files=false", None).await.json();
    assert_eq!(bare["files"], json!({}));
    assert_eq!(bare["elements"].as_array().unwrap().len(), 2);
    assert_eq!(server.get("/api/boards/none/export.excalidraw", None).await.code(), (404, "unknown-board".into()));
}

#[tokio::test]
async fn pictures_are_painted() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    server.draw("a", 1, &["one"]);
    let svg = server.get("/api/boards/a/export.svg?dark=true&scale=2", None).await;
    assert_eq!((svg.status, svg.headers["content-type"].to_str().unwrap()), (200, "image/svg+xml"));
    assert!(String::from_utf8(svg.bytes).unwrap().contains("<svg"));
    let picture = server.get("/api/boards/a/export.png", None).await;
    assert_eq!((picture.status, &picture.bytes[..4]), (200, &b"\x89PNG"[..]));
}

#[tokio::test]
async fn a_drawing_comes_onto_a_board() {
    let server = server();
    let drawing = json!({
        "type": "excalidraw", "version": 2,
        "elements": [
            { "id": "r", "type": "rectangle", "x": 1, "y": 2, "width": 3, "height": 4 },
            { "id": "gone", "type": "rectangle", "isDeleted": true },
        ],
        "appState": { "viewBackgroundColor": "#eeeeee", "name": "x" },
        "files": { "cat": { "mimeType": "image/png", "dataURL": "data:image/png;base64,iVBORw0KGgoAAAAA" } },
    });
    let made = server.ask("POST", "/api/boards/import?id=new&title=T&teacher=true", None, &drawing).await;
    assert_eq!((made.status, &made.json()["imported"]), (201, &json!({ "elements": 1, "files": 1, "left_out": 1 })));
    assert!(made.json()["teacher"].is_string());
    assert_eq!(
        server.rooms.asked(),
        [r#"new: change ["r"]"#, r##"new: settings [("viewBackgroundColor", "\"#eeeeee\"")]"##]
    );
    assert_eq!(server.get("/api/boards/new/files/cat", None).await.bytes.len(), 12);

    server.ask("POST", "/api/boards", None, &json!({ "id": "there" })).await;
    let onto = server.ask("POST", "/api/boards/there/import", None, &drawing).await;
    assert_eq!(onto.status, 200);
    let asked = server.rooms.asked();
    assert!(asked[0].starts_with("there: change [") && !asked[0].contains("\"r\""), "an id of its own: {asked:?}");
    let library = json!({ "type": "excalidrawlib", "version": 2, "libraryItems": [
        { "id": "i", "name": "Tree", "elements": [{ "id": "t", "type": "ellipse", "x": 0, "y": 0, "width": 9, "height": 9 }] }
    ]});
    assert_eq!(server.ask("POST", "/api/boards/there/import", None, &library).await.json()["imported"]["elements"], 1);
}

#[tokio::test]
async fn a_file_that_is_no_drawing_makes_no_board() {
    let server = server();
    for (body, code) in [("{}", "file"), ("broken", "file"), (r#"{"type":"excalidraw","elements":7}"#, "file")] {
        let refused = server.send("POST", "/api/boards/import?id=new", None, &[], Body::from(body)).await;
        assert_eq!(refused.code(), (422, code.into()), "{body}");
    }
    let refused = server.send("POST", "/api/boards/import", None, &[], Body::from(vec![0xff, 0xfe])).await;
    assert_eq!(refused.code(), (400, "message".into()));
    assert_eq!(server.bench.store.reader.boards().unwrap(), 0);
    let large = Body::from(vec![b' '; IMPORT + 1]);
    assert_eq!(server.send("POST", "/api/boards/import", None, &[], large).await.code(), (413, "too-large".into()));
}

#[tokio::test]
async fn pages_of_other_origins_need_to_be_listed() {
    let server = server();
    let from = async |origin: &str, method: &str| {
        server
            .send(method, "/api/boards/none", None, &[("origin", origin), ("host", "board.example")], Body::empty())
            .await
    };
    assert_eq!(from("https://evil.example", "GET").await.code(), (403, "access".into()));
    let known = from("https://school.example", "GET").await;
    assert_eq!(known.status, 404);
    assert_eq!(known.headers["access-control-allow-origin"], "https://school.example");
    let preflight = from("https://school.example", "OPTIONS").await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    assert_eq!(from("https://board.example", "GET").await.status, 404, "our own page");
}

#[tokio::test]
async fn every_refusal_is_json_whoever_made_it() {
    let server = server();
    assert_eq!(server.ask("PUT", "/api/boards/a", None, &Value::Null).await.code(), (405, "method".into()));
    assert_eq!(server.get("/api/boards/a/versions/x", None).await.code(), (400, "message".into()));
    assert_eq!(server.get("/api/boards/%ff", None).await.code(), (400, "message".into()));
    let document = server.get("/api/openapi.json", None).await;
    assert_eq!(document.json()["openapi"], "3.1.0");
}

/// A body that never comes, and says whether anybody waited for it.
fn silent() -> (Body, Arc<AtomicBool>) {
    let looked = Arc::new(AtomicBool::new(false));
    let seen = looked.clone();
    let body = futures_util::stream::poll_fn(move |_| {
        seen.store(true, Ordering::Relaxed);
        Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
    });
    (Body::from_stream(body), looked)
}

#[tokio::test]
async fn nothing_of_a_file_is_read_without_a_right() {
    let server = server();
    let (_teacher, look) = server.secured("secured").await;
    for (path, secret, status) in [
        ("/api/boards/none/import", None, 404),
        ("/api/boards/secured/import", None, 401),
        ("/api/boards/secured/import", Some(&*look), 403),
    ] {
        let (body, looked) = silent();
        assert_eq!(server.send("POST", path, secret, &[], body).await.status, status, "{path}");
        assert!(!looked.load(Ordering::Relaxed), "{path}");
    }
    // All places taken: those for uploads are not needed to learn that there is no such board.
    let uploads = server.turns.uploads.clone().acquire_many_owned(16).await.unwrap();
    let image = [("content-type", "image/png")];
    let key = Some("0123456789abcdef");
    let (body, looked) = silent();
    assert_eq!(server.send("PUT", "/api/boards/none/files/a", key, &image, body).await.status, 404);
    assert!(!looked.load(Ordering::Relaxed));
    drop(uploads);
}

/// Drives what must not end while something else is done.
async fn meanwhile<T>(waiting: impl Future<Output = Answer>, work: impl Future<Output = T>) -> T {
    tokio::select! {
        answer = waiting => panic!("answered with {} too early", answer.status),
        done = work => done,
    }
}

async fn until(is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await.expect("it never came to that");
}

#[tokio::test]
async fn who_sends_slowly_keeps_nobody_from_a_place() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    let drawing = json!({ "type": "excalidraw", "elements": [] });
    let image = [("content-type", "image/png")];
    let key = Some("0123456789abcdef");
    let (bodies, looked): (Vec<_>, Vec<_>) = (0..40).map(|_| silent()).unzip();
    let sending = bodies.into_iter().enumerate().map(|(n, body)| {
        let import = n % 2 == 0;
        let (method, path) =
            if import { ("POST", "/api/boards/a/import") } else { ("PUT", "/api/boards/a/files/slow") };
        server.send(method, path, key, &image, body)
    });
    let quick = async {
        until(|| looked.iter().all(|looked| looked.load(Ordering::Relaxed))).await;
        assert_eq!(server.ask("POST", "/api/boards/a/import", None, &drawing).await.status, 200);
        let png = Body::from(&b"\x89PNG\r\n\x1a\n1234"[..]);
        server.send("PUT", "/api/boards/a/files/quick", key, &image, png).await.status
    };
    let slow = async { futures_util::future::select_all(sending.map(Box::pin)).await.0 };
    assert_eq!(meanwhile(slow, quick).await, 200);
}

#[tokio::test]
async fn a_drawing_that_came_waits_for_memory_and_holds_the_disk_only_until_it_is_read() {
    let server = server();
    let (spool, imports) = (&server.turns.spool, &server.turns.imports);
    let text = json!({ "type": "excalidraw", "elements": [], "x": "x".repeat(200_000) }).to_string();
    let taken = imports.take(u64::MAX, turns::SENDING).await.unwrap();
    let mut sending = std::pin::pin!(server.send("POST", "/api/boards/import", None, &[], Body::from(text)));
    meanwhile(sending.as_mut(), until(|| spool.free() < spool.all())).await;
    drop(taken);
    assert_eq!(sending.await.status, 201);
    assert_eq!((spool.free(), imports.free()), (spool.all(), imports.all()));
    let leftovers = std::fs::read_dir(server.bench.directory.path()).unwrap();
    let names: Vec<_> = leftovers.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.starts_with(crate::store::TEMPORARY_PREFIX)), "{names:?}");
}

#[tokio::test]
async fn a_large_answer_that_nobody_reads_keeps_others_from_being_made() {
    let server = server();
    server.ask("POST", "/api/boards", None, &json!({ "id": "a" })).await;
    let ask = || Request::get("/api/boards/a/export.excalidraw").body(Body::empty()).unwrap();
    let answer = server.router.clone().oneshot(ask()).await.unwrap();
    assert_eq!((answer.status().as_u16(), server.turns.answers.available_permits()), (200, turns::ANSWERS - 1));
    let told: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(to_bytes(answer.into_body(), usize::MAX).await.unwrap().len(), told);
    assert_eq!(server.turns.answers.available_permits(), turns::ANSWERS);
}
