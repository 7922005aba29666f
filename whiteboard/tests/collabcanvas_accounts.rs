//! The CollabCanvas contract over HTTP, against the real server: accounts, sessions, the state of a canvas, health.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::canvas::{End, Page, Person, create, post, rectangle};
use support::http::{get, request};
use support::{PATIENCE, Server, data};

#[tokio::test]
async fn health_is_the_containers() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let answer = get(server.port, "/health").await;
    let body = answer.json();
    assert_eq!((answer.status, &body["status"], &body["service"]), (200, &json!("ok"), &json!("collabcanvas")));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(body["timestamp"].as_u64().unwrap().abs_diff(now) < 60, "since 1970, not 1900: {body}");
    assert_eq!(body.as_object().unwrap().len(), 3);
    let unknown = get(server.port, "/api/nowhere").await;
    assert_eq!((unknown.status, unknown.body.as_str()), (404, r#"{"error":"Not Found"}"#));
}

#[tokio::test]
async fn accounts_are_made_and_used() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let port = server.port;
    let body = json!({ "email": "Ann@School.Example", "username": "Ann", "password": "12345678" });
    let made = post(port, "/api/register", &[], &body).await;
    let answer = made.json();
    assert_eq!((made.status, &answer["success"]), (200, &json!(true)));
    let told = &answer["data"];
    assert_eq!((&told["username"], &told["email"]), (&json!("Ann"), &json!("ann@school.example")));
    for login in [
        json!({ "email": "ann@school.example", "password": "12345678" }),
        json!({ "email": "Ann", "password": "12345678" }),
        json!({ "username": "Ann", "password": "12345678" }),
    ] {
        let answer = post(port, "/api/login", &[], &login).await;
        let data = &answer.json()["data"];
        assert_eq!((answer.status, &data["user-id"]), (200, &told["user-id"]), "{login}");
        let session = data["session-id"].as_str().unwrap();
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with(&format!("session={session}; Path=/; Max-Age=86400; ")), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"));
        let known = request(port, "GET", "/api/session", &[("cookie", &format!("session={session}"))], "").await.json();
        let expected = ["valid", "user-id", "username", "email", "preferred-color", "session-id"];
        assert!(expected.iter().all(|key| !known["data"][key].is_null()), "{known}");
        assert_eq!((&known["success"], &known["data"]["session-id"]), (&json!(true), &json!(session)));
    }
    let secure = post(port, "/api/login", &[("x-forwarded-proto", "https")], &body).await;
    assert!(secure.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_words() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    Person::register(server.port, "ann").await;
    let ann = |email: &str, username: &str, password: &str| json!({ "email": email, "username": username, "password": password });
    for (path, body, status, part) in [
        ("/api/register", ann("b@x.de", "bob", "1234567"), 400, "at least 8 characters"),
        ("/api/register", ann("b@x", "bob", "12345678"), 400, "e-mail"),
        ("/api/register", ann("b@x.de", "b", "12345678"), 400, "3 to 30"),
        ("/api/register", json!({ "email": "b@x.de" }), 400, "required"),
        ("/api/register", json!([]), 400, "required"),
        ("/api/register", json!("text"), 400, "Invalid request body"),
        ("/api/register", json!({ "email": 7 }), 400, "Invalid request body"),
        ("/api/register", ann("ANN@school.example", "bob", "12345678"), 409, "already registered"),
        ("/api/register", ann("b@x.de", "ANN", "12345678"), 409, "already taken"),
        ("/api/login", ann("ann@school.example", "", "wrong horse"), 401, "Invalid credentials"),
        ("/api/login", ann("nobody@school.example", "", "wrong horse"), 401, "Invalid credentials"),
        ("/api/login", json!({}), 400, "required"),
        ("/api/logout", json!({}), 401, "No active session"),
        ("/api/user/color", json!({ "color": "#fff" }), 401, "Invalid or expired session"),
    ] {
        let answer = post(server.port, path, &[], &body).await;
        let told = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(answer.status == status && told.contains(part), "{path} {body}: {} {told}", answer.status);
    }
    let large = post(server.port, "/api/login", &[], &json!({ "email": "x".repeat(70_000) })).await;
    assert_eq!(large.status, 413);
    assert_eq!(get(server.port, "/api/login").await.status, 405);
    let nobody = get(server.port, "/api/session").await;
    assert_eq!((nobody.status, nobody.body.as_str()), (401, r#"{"error":"Invalid or expired session"}"#));
}

#[tokio::test]
async fn guessing_is_slow_and_harms_nobody_else() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    Person::register(server.port, "ann").await;
    Person::register(server.port, "bob").await;
    let try_as = async |name: &str, password: &str| {
        post(server.port, "/api/login", &[], &json!({ "username": name, "password": password })).await
    };
    for _ in 0..10 {
        assert_eq!(try_as("ann", "wrong horse").await.status, 401);
    }
    let refused = try_as("ann", "correct horse").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 901);
    assert_eq!(try_as("bob", "correct horse").await.status, 200);
}

#[tokio::test]
async fn nothing_on_disk_lets_somebody_in() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let (ann, eve) = (Person::register(server.port, "ann").await, Person::register(server.port, "eve").await);
    server.stop();
    let database = Connection::open(data.join("whiteboard.db")).unwrap();
    let password = |name: &str| -> String {
        database.query_row("SELECT password FROM users WHERE username = ?1", [name], |row| row.get(0)).unwrap()
    };
    assert!(password("ann").starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_ne!(password("ann"), password("eve"), "the same password, another salt");
    let tokens: Vec<Vec<u8>> = database
        .prepare("SELECT token FROM sessions")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(tokens.len(), 2);
    for person in [ann, eve] {
        assert!(tokens.iter().all(|token| token.len() == 32 && token != person.session.as_bytes()));
    }
}

#[tokio::test]
async fn logging_out_ends_the_session_and_its_connections() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let port = server.port;
    Person::register(port, "ann").await;
    for shown in ["cookie", "older cookie", "x-session-id", "authorization", "bearer"] {
        let ann = Person::log_in(port, "ann").await;
        let (mut page, _) = Page::join(port, "plan", &ann).await;
        let (name, value) = match shown {
            "cookie" => ("cookie", format!("session={}", ann.session)),
            "older cookie" => ("cookie", format!("collabcanvas-session={}", ann.session)),
            "bearer" => ("authorization", format!("Bearer {}", ann.session)),
            name => (name, ann.session.clone()),
        };
        let check = async || request(port, "GET", "/api/session", &[(name, &value)], "").await.status;
        assert_eq!(check().await, 200, "{shown}");
        let gone = post(port, "/api/logout", &[(name, &value)], &json!({})).await;
        assert_eq!((gone.status, &gone.json()["success"]), (200, &json!(true)), "{shown}");
        let cookies: Vec<_> = gone.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(cookies.len() == 2 && cookies.iter().all(|cookie| cookie.contains("Max-Age=0")), "{cookies:?}");
        assert_eq!(check().await, 401, "{shown}");
        assert_eq!(page.end().await, End::Said(4401), "{shown}");
    }
}

#[tokio::test]
async fn sessions_end_after_their_time() {
    let (_directory, data) = data();
    let server = Server::start_with(&data, &[("SESSION_TIMEOUT", "2".to_owned())]).unwrap();
    let ann = Person::register(server.port, "ann").await;
    let check =
        async || request(server.port, "GET", "/api/session", &[("x-session-id", &ann.session)], "").await.status;
    assert_eq!(check().await, 200);
    let start = Instant::now();
    // Asking does not make it last longer.
    while check().await == 200 {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut page = Page::open(server.port, "plan", &[]).await.unwrap();
    page.send(&json!({ "type": "auth", "sessionId": ann.session })).await;
    page.get("auth-failed").await;
    assert_eq!(ann.state(server.port, "plan").await.status, 401);
}

#[tokio::test]
async fn colours_are_kept() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let set =
        async |port: u16, body: Value| post(port, "/api/user/color", &[("x-session-id", &ann.session)], &body).await;
    let done = set(server.port, json!({ "color": "#12aBcd" })).await;
    assert_eq!((done.status, done.json()), (200, json!({ "success": true, "data": { "color": "#12aBcd" } })));
    for wrong in [json!({}), json!({ "color": "#gggggg" }), json!({ "color": "1234567" }), json!({ "color": null })] {
        assert_eq!(set(server.port, wrong.clone()).await.status, 400, "{wrong}");
    }
    server.stop();
    let server = Server::start(&data, &[]);
    let known = request(server.port, "GET", "/api/session", &[("x-session-id", &ann.session)], "").await.json();
    assert_eq!(known["data"]["preferred-color"], "#12aBcd");
    let (_page, success) = Page::join(server.port, "plan", &ann).await;
    assert_eq!(serde_json::from_str::<Value>(&success).unwrap()["color"], "#12aBcd");
}

#[tokio::test]
async fn the_state_of_a_canvas_needs_a_login() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let port = server.port;
    let ann = Person::register(port, "ann").await;
    let (mut page, _) = Page::join(port, "plan", &ann).await;
    assert_eq!(ann.state(port, "plan").await.json(), json!({ "objects": [] }), "nothing on it yet");
    assert_eq!(ann.state(port, "no-such-one").await.json(), json!({ "objects": [] }));
    page.send(&create(&rectangle("a", 1.0))).await;
    page.send(&create(&rectangle("b", 2.0))).await;
    page.rest().await;
    let state = ann.state(port, "plan").await.json();
    assert_eq!((state["version"].as_u64(), state.as_object().unwrap().len()), (Some(2), 3));
    let objects: Value = serde_json::from_str(state["state"].as_str().unwrap()).unwrap();
    assert_eq!(objects, json!([rectangle("a", 1.0), rectangle("b", 2.0)]));
    assert!(state["updated-at"].as_str().unwrap().starts_with("20"), "{state}");
    assert_eq!(get(port, "/api/canvas/state?canvasId=plan").await.status, 401);
    let asked = async |path: &str| request(port, "GET", path, &[("x-session-id", &ann.session)], "").await.status;
    assert_eq!(asked("/api/canvas/state").await, 400);
    assert_eq!(asked("/api/canvas/state?canvasId=a_b").await, 400);
}

#[tokio::test]
async fn credentials_are_for_listed_origins_only() {
    let (_directory, data) = data();
    let ask = async |server: &Server, method: &str, origin: &str| {
        request(server.port, method, "/api/session", &[("origin", origin)], "").await
    };
    let open = Server::start(&data, &[]);
    for method in ["GET", "OPTIONS"] {
        let answer = ask(&open, method, "https://any.example").await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{method}");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{method}");
    }
    let ann = Person::register(open.port, "ann").await;
    let cookie = format!("session={}", ann.session);
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(request(open.port, "GET", "/api/session", &foreign, "").await.status, 401);
    assert_eq!(request(open.port, "GET", "/api/session", &foreign[..1], "").await.status, 200);
    drop(open);
    let listed = Server::start_with(&data, &[("CORS_ORIGIN", "https://school.example".to_owned())]).unwrap();
    let preflight = ask(&listed, "OPTIONS", "https://school.example").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "https://school.example"));
    assert_eq!(preflight.header("access-control-allow-credentials"), "true");
    assert_eq!(preflight.header("access-control-allow-headers"), "Content-Type, Authorization, X-Session-ID");
    let good = [("cookie", cookie.as_str()), ("origin", "https://school.example")];
    assert_eq!(request(listed.port, "GET", "/api/session", &good, "").await.status, 200);
    for method in ["GET", "OPTIONS"] {
        assert_eq!(ask(&listed, method, "https://evil.example").await.status, 403, "{method}");
    }
}

#[tokio::test]
async fn settings_of_the_environment_count() {
    let (_directory, data) = data();
    let server = Server::start_with(&data, &[("DEBUG", "true".to_owned())]).unwrap();
    let ann = Person::register(server.port, "ann").await;
    drop(Page::join(server.port, "plan", &ann).await);
    let start = Instant::now();
    let debug = loop {
        let line = server.log.recv_timeout(PATIENCE.saturating_sub(start.elapsed())).expect("a line of level debug");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["level"] == "DEBUG" {
            break line;
        }
    };
    assert!(debug["message"].is_string());
}
