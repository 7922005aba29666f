//! The CollabCanvas contract over the WebSocket, against the real server: each row of its table, each limit, and each
//! fault of the original that must not come back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use serde_json::{Value, json};
use support::canvas::{End, Page, Person, create, post, rectangle, update};
use support::http::request;
use support::{Server, data, verify};
use tokio_tungstenite::tungstenite::Error;

/// The objects that a newcomer would get.
async fn objects(port: u16, canvas: &str, person: &Person) -> Vec<Value> {
    let answer = person.state(port, canvas).await.json();
    match answer["state"].as_str() {
        Some(state) => serde_json::from_str(state).unwrap(),
        None => answer["objects"].as_array().unwrap().clone(),
    }
}

#[tokio::test]
async fn auth_brings_the_canvas_and_tells_the_others() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let (ann, bob) = (Person::register(server.port, "ann").await, Person::register(server.port, "bob").await);
    let (mut first, success) = Page::join(server.port, "plan", &ann).await;
    let success: Value = serde_json::from_str(&success).unwrap();
    assert_eq!((&success["user-id"], &success["username"]), (&json!(ann.id), &json!("ann")));
    assert!(success["color"].as_str().unwrap().starts_with('#'));
    assert_eq!(success["canvas-state"], json!([]));
    first.send(&create(&rectangle("Rect-1", 1.5))).await;
    first.rest().await;

    let mut second = Page::open(server.port, "plan", &[]).await.unwrap();
    second.send(&json!({ "type": "auth", "sessionId": bob.session, "canvasId": "another one" })).await;
    let success = second.get("auth-success").await;
    assert_eq!(success["canvas-state"], json!([rectangle("Rect-1", 1.5)]), "the path alone chooses the canvas");
    assert_eq!(second.rest_types().await, ["presence"]);
    let told = first.rest().await;
    let color = &success["color"];
    assert_eq!(told[0], json!({ "type": "user-connected", "user-id": bob.id, "username": "bob", "color": color }));
    assert_eq!(told[1]["type"], "presence");
    let names: Vec<&Value> = told[1]["users"].as_array().unwrap().iter().map(|user| &user["username"]).collect();
    assert_eq!(names, ["ann", "bob"]);
    assert!(told[1]["users"][0]["user-id"].is_i64() && told[1]["users"][1]["color"] == *color);
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn wrong_sessions_fail_and_may_be_tried_again() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let mut page = Page::open(server.port, "plan", &[]).await.unwrap();
    for session in [json!("0".repeat(64)), json!("null"), json!(null), json!(7)] {
        page.send(&json!({ "type": "auth", "sessionId": session })).await;
        let failed = page.get("auth-failed").await;
        assert_eq!(failed["message"], "Invalid or expired session");
    }
    page.send(&json!({ "type": "auth", "session-id": ann.session })).await;
    page.get("auth-success").await;
    page.rest().await;
    page.send(&json!({ "type": "auth", "sessionId": ann.session })).await;
    assert!(page.get("error").await["message"].as_str().unwrap().contains("already"));

    let mut guesser = Page::open(server.port, "plan", &[]).await.unwrap();
    for _ in 0..10 {
        guesser.send(&json!({ "type": "auth", "sessionId": "0".repeat(64) })).await;
    }
    assert_eq!(guesser.end().await, End::Said(4401));
}

#[tokio::test]
async fn a_socket_gets_nothing_before_it_has_authenticated() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let mut stranger = Page::open(server.port, "plan", &[]).await.unwrap();
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    page.send(&create(&rectangle("a", 1.0))).await;
    page.send(&json!({ "type": "cursor", "x": 1, "y": 1 })).await;
    assert!(page.rest().await.is_empty());
    for message in [create(&rectangle("b", 1.0)), json!({ "type": "objects-delete", "object-ids": ["a"] })] {
        stranger.send(&message).await;
        let told = stranger.get("error").await;
        assert!(told["message"].as_str().unwrap().contains("auth first"), "{told}");
    }
    assert!(stranger.rest().await.is_empty(), "what happened on the canvas was not told to a stranger");
    stranger.close().await;
    assert!(page.rest().await.is_empty(), "and nobody hears of one");
    assert_eq!(objects(server.port, "plan", &ann).await, [rectangle("a", 1.0)]);
}

#[tokio::test]
async fn the_handshakes_cookie_is_a_session_too() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let own = format!("http://127.0.0.1:{}", server.port);
    for (name, origin, good) in [
        ("session", None, true),
        ("session", Some(own.as_str()), true),
        ("collabcanvas-session", None, true),
        ("another", None, false),
        // Nobody has listed that page: its visitors' cookies are not its to use.
        ("session", Some("https://evil.example"), false),
    ] {
        let cookie = format!("x=y; {name}={}", ann.session);
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let mut page = Page::open(server.port, "plan", &headers).await.unwrap();
        page.send(&json!({ "type": "auth", "sessionId": null })).await;
        page.get(if good { "auth-success" } else { "auth-failed" }).await;
    }
}

#[tokio::test]
async fn cursors_go_to_the_others_and_in_batches_to_all() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let mut people = Vec::new();
    for name in ["ann", "bob", "eve"] {
        people.push(Person::register(server.port, name).await);
    }
    let (mut ann, _) = Page::join(server.port, "plan", &people[0]).await;
    let (mut bob, _) = Page::join(server.port, "plan", &people[1]).await;
    let (mut eve, success) = Page::join(server.port, "plan", &people[2]).await;
    assert!(success.contains("\"canvas-state\":[]"));
    ann.send_text(r#"{"type":"cursor","x":1.50,"y":-20000}"#).await;
    let cursor = eve.get("cursor").await;
    let color = &cursor["color"];
    let expected = json!({
        "type": "cursor", "user-id": people[0].id, "userId": people[0].id, "username": "ann", "color": color,
        "x": 1.5, "y": -20000,
    });
    assert_eq!(cursor, expected, "both keys, for both generations");
    // Two people who keep moving: sooner or later both move within 50 ms.
    let batch = loop {
        ann.send(&json!({ "type": "cursor", "x": 3, "y": 4 })).await;
        bob.send(&json!({ "type": "cursor", "x": 5, "y": 6 })).await;
        if let Some(batch) = eve.rest().await.into_iter().find(|message| message["type"] == "cursor-batch") {
            break batch;
        }
        // At the pace of pages: faster than the limit of messages, eve's own question would be refused.
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    };
    let mut ids: Vec<i64> =
        batch["cursors"].as_array().unwrap().iter().map(|c| c["user-id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [people[0].id, people[1].id]);
    for cursor in batch["cursors"].as_array().unwrap() {
        for key in ["userId", "username", "color", "x", "y"] {
            assert!(!cursor[key].is_null(), "{cursor}");
        }
    }
    assert_eq!(ann.get("cursor-batch").await["cursors"].as_array().unwrap().len(), 2, "to the senders too");
}

#[tokio::test]
async fn changes_reach_those_whom_the_contract_names() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let (ann, bob) = (Person::register(server.port, "ann").await, Person::register(server.port, "bob").await);
    let (mut sender, _) = Page::join(server.port, "plan", &ann).await;
    let (mut other, _) = Page::join(server.port, "plan", &bob).await;
    sender.rest().await;
    let by = |mut message: Value| {
        message["user-id"] = json!(ann.id);
        message["username"] = json!("ann");
        message
    };
    for (message, to_others, to_sender) in [
        (create(&rectangle("a", 1.0)), Some(json!({ "type": "object-create", "object": rectangle("a", 1.0) })), None),
        (
            update("a", &json!({ "x": 5, "rotation": 90 })),
            Some(json!({ "type": "object-update", "object-id": "a", "delta": { "x": 5, "rotation": 90 } })),
            None,
        ),
        // Somebody else may have deleted it just now.
        (update("unknown", &json!({ "x": 5 })), None, None),
        (
            json!({ "type": "object-delete", "object-id": "a", "messageId": 3 }),
            Some(json!({ "type": "object-delete", "object-id": "a" })),
            None,
        ),
        (create(&rectangle("b", 1.0)), Some(json!({ "type": "object-create", "object": rectangle("b", 1.0) })), None),
        (create(&rectangle("c", 1.0)), Some(json!({ "type": "object-create", "object": rectangle("c", 1.0) })), None),
        (
            json!({ "type": "objects-delete", "object-ids": ["b", "c"] }),
            Some(json!({ "type": "objects-delete", "object-ids": ["b", "c"] })),
            Some(json!({ "type": "objects-delete", "object-ids": ["b", "c"] })),
        ),
    ] {
        sender.send(&message).await;
        let heard: Vec<Value> = to_sender.into_iter().map(by).collect();
        assert_eq!(sender.rest().await, heard, "sender of {message}");
        let heard: Vec<Value> = to_others.into_iter().map(by).collect();
        assert_eq!(other.rest().await, heard, "others of {message}");
    }
    assert!(objects(server.port, "plan", &ann).await.is_empty());
}

#[tokio::test]
async fn values_come_back_as_they_were_sent() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    let (mut other, _) = Page::join(server.port, "plan", &ann).await;
    let object = r##"{"id":"Text-ÄB","type":"text","x":1.50,"y":2e1,"text":"Grüße \ud83d","fontSize":12,"FontSize":13,"font-size":14,"locked":false,"link":null,"style":{},"tags":[],"big":123456789012345678901234567890,"color":"#ABC"}"##;
    page.send_text(&format!(r#"{{"type":"object-create","object":{object}}}"#)).await;
    assert!(other.text_of("object-create").await.contains(&format!("\"object\":{object},")));
    page.send_text(
        r#"{"type":"object-update","object-id":"Text-ÄB","updates":{"fontSize":1.60e1,"link":{},"new":false}}"#,
    )
    .await;
    let delta = r#""delta":{"fontSize":1.60e1,"link":{},"new":false},"#;
    assert!(other.text_of("object-update").await.contains(delta));
    let merged = object
        .replace("\"fontSize\":12", "\"fontSize\":1.60e1")
        .replace("\"link\":null", "\"link\":{}")
        .replace("\"#ABC\"}", "\"#ABC\",\"new\":false}");
    for restart in [false, true] {
        if restart {
            server.stop();
            server = Server::start(&data, &[]);
        }
        let (_page, success) = Page::join(server.port, "plan", &ann).await;
        assert!(success.contains(&format!("\"canvas-state\":[{merged}]")), "{success}");
        let state = ann.state(server.port, "plan").await.json();
        assert_eq!(state["state"], format!("[{merged}]"));
    }
}

#[tokio::test]
async fn whatever_is_wrong_is_told_to_the_sender_and_changes_nothing() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    let (mut other, _) = Page::join(server.port, "plan", &ann).await;
    page.send(&create(&rectangle("a", 1.0))).await;
    page.rest().await;
    other.rest().await;
    let with = |key: &str, value: Value| {
        let mut object = rectangle("new", 1.0);
        object[key] = value;
        create(&object).to_string()
    };
    for message in [
        "no JSON".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        json!({ "type": "cursor", "x": 1 }).to_string(),
        json!({ "type": "object-create" }).to_string(),
        json!({ "type": "object-update", "object-id": "a" }).to_string(),
        json!({ "type": "object-update", "updates": { "x": 1 } }).to_string(),
        json!({ "type": "object-delete" }).to_string(),
        json!({ "type": "objects-delete", "object-ids": "a" }).to_string(),
        with("id", json!(null)),
        with("type", json!("star")),
        with("x", json!(10_000.1)),
        with("x", json!("1")),
        with("y", json!(-10_001)),
        with("width", json!(0)),
        with("width", json!(10_001)),
        with("height", json!(-1)),
        with("rotation", json!(361)),
        with("rotation", json!(-1)),
        with("color", json!("#ggg")),
        with("color", json!("#12345")),
        with("color", json!("red")),
        update("a", &json!({ "x": 20_000 })).to_string(),
        update("a", &json!({ "height": 0 })).to_string(),
        update("a", &json!({ "color": "#xyzxyz" })).to_string(),
        update("a", &json!({ "id": "b" })).to_string(),
        update("a", &json!([])).to_string(),
    ] {
        page.send_text(&message).await;
        let told = page.rest().await;
        assert_eq!(told[0]["type"], "error", "{message}: {told:?}");
        assert!(told[0]["message"].as_str().unwrap().ends_with('.'), "{message}");
        // What comes behind it puts back what the page shows already.
        let mends = |told: &Value| told["object-id"] == "a" || told["object-ids"] == json!(["new"]);
        assert!(told.len() <= 2 && told[1..].iter().all(mends), "{message}: {told:?}");
    }
    page.send_binary(b"\x01").await;
    assert_eq!(page.rest_types().await, ["error"]);
    page.send(&json!({ "type": "ai-command", "command": "draw a house" })).await;
    assert!(page.get("error").await["message"].as_str().unwrap().contains("does not know"));
    assert!(other.rest().await.is_empty());
    assert_eq!(objects(server.port, "plan", &ann).await, [rectangle("a", 1.0)]);
}

#[tokio::test]
async fn the_edges_of_the_limits_are_inside() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    page.send(&create(&rectangle("a", -10_000.0))).await;
    for updates in [
        json!({ "x": 10_000, "y": -10_000 }),
        json!({ "width": 10_000, "height": 0.001 }),
        json!({ "rotation": 0 }),
        json!({ "rotation": 360 }),
        json!({ "color": "#FfF" }),
        json!({ "color": "#00ff7F" }),
    ] {
        page.send(&update("a", &updates)).await;
    }
    page.send(&create(&json!({ "id": "c", "type": "circle", "x": 0, "y": 0, "radius": 3.5 }))).await;
    page.send(&create(&json!({ "id": "t", "type": "text", "x": 0, "y": 0, "text": "", "fontSize": 16 }))).await;
    assert!(page.rest().await.is_empty());
    assert_eq!(objects(server.port, "plan", &ann).await.len(), 3);
}

#[tokio::test]
async fn more_than_a_hundred_messages_a_second_are_refused() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    for n in 0..400 {
        page.send(&create(&rectangle(&format!("r{n}"), 1.0))).await;
    }
    let error = page.get("error").await;
    assert!(error["message"].as_str().unwrap().contains("Rate limit"), "{error}");
    // Each refused object is taken off the page again.
    let mut refused = Vec::new();
    while refused.last() != Some(&"r399".to_owned()) {
        let gone = page.get("objects-delete").await;
        refused.push(gone["object-ids"][0].as_str().unwrap().to_owned());
    }
    let kept = objects(server.port, "plan", &ann).await;
    assert_eq!(kept.len() + refused.len(), 400);
    assert!((100..=300).contains(&kept.len()), "{}", kept.len());
}

#[tokio::test]
async fn leaving_is_told_and_a_person_with_two_tabs_is_there_once() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let (ann, bob) = (Person::register(server.port, "ann").await, Person::register(server.port, "bob").await);
    let (mut watcher, _) = Page::join(server.port, "plan", &ann).await;
    let (one, _) = Page::join(server.port, "plan", &bob).await;
    let (other, _) = Page::join(server.port, "plan", &bob).await;
    watcher.get("presence").await;
    assert_eq!(watcher.get("presence").await["users"].as_array().unwrap().len(), 2, "one entry a user");
    watcher.rest().await;
    one.close().await;
    assert_eq!(watcher.get("presence").await["users"].as_array().unwrap().len(), 2);
    assert!(watcher.rest().await.is_empty(), "bob is still there");
    other.close().await;
    let gone = watcher.get("user-disconnected").await;
    assert_eq!(gone, json!({ "type": "user-disconnected", "user-id": bob.id, "username": "bob" }));
    assert_eq!(watcher.get("presence").await["users"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_others_have_seen_survives_a_kill() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    let (mut other, _) = Page::join(server.port, "plan", &ann).await;
    for n in 0..20_u8 {
        page.send(&create(&rectangle(&format!("r{n}"), f64::from(n)))).await;
    }
    page.send(&update("r3", &json!({ "x": 333, "locked": true }))).await;
    page.send(&json!({ "type": "object-delete", "object-id": "r5" })).await;
    page.send(&json!({ "type": "objects-delete", "object-ids": ["r6", "r7"] })).await;
    while other.get("objects-delete").await["object-ids"] != json!(["r6", "r7"]) {}
    server.kill();
    assert_eq!(verify(&data)[0]["good"], true);
    let server = Server::start(&data, &[]);
    let after = objects(server.port, "plan", &ann).await;
    let ids: Vec<&str> = after.iter().map(|object| object["id"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..20).filter(|n| ![5, 6, 7].contains(n)).map(|n| format!("r{n}")).collect();
    assert_eq!(ids, expected, "each once, in order, and the deleted ones stay away");
    assert_eq!((&after[3]["x"], &after[3]["locked"]), (&json!(333), &json!(true)));
    let (_page, success) = Page::join(server.port, "plan", &ann).await;
    let success: Value = serde_json::from_str(&success).unwrap();
    assert_eq!(success["canvas-state"], json!(after), "the session has survived as well");
}

#[tokio::test]
async fn an_edit_a_moment_before_a_stop_is_kept_and_old_pages_come_back() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    let (mut page, _) = Page::join(server.port, "plan", &ann).await;
    page.send(&create(&rectangle("a", 1.0))).await;
    page.rest().await;
    page.send(&update("a", &json!({ "x": 77 }))).await;
    // Whatever the server has read when the stop comes: nothing waits for a quiet half second.
    page.rest().await;
    server.terminate();
    assert_eq!(page.end().await, End::Broke, "after a closing frame the old pages would stay away");
    assert!(server.wait().success());
    let server = Server::start(&data, &[]);
    assert_eq!(objects(server.port, "plan", &ann).await[0]["x"], 77);
}

#[tokio::test]
async fn a_canvas_has_one_state_however_often_it_is_saved() {
    let (_directory, data) = data();
    let mut server = Server::start(&data, &[]);
    let ann = Person::register(server.port, "ann").await;
    for round in 0..5_u8 {
        let (mut page, _) = Page::join(server.port, "plan", &ann).await;
        page.send(&create(&rectangle(&format!("r{round}"), 1.0))).await;
        page.rest().await;
        drop(page);
        server.stop();
        server = Server::start(&data, &[]);
        let kept = objects(server.port, "plan", &ann).await.len();
        assert_eq!(kept, usize::from(round) + 1, "a reload loses nothing");
    }
    assert_eq!(verify(&data)[0]["good"], true);
}

#[tokio::test]
async fn canvases_are_apart_and_have_plain_names() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--cors-origins", "https://school.example"]);
    let ann = Person::register(server.port, "ann").await;
    let (mut one, _) = Page::join(server.port, "one", &ann).await;
    let (mut other, _) = Page::join(server.port, "Other-2", &ann).await;
    one.send(&create(&rectangle("a", 1.0))).await;
    one.rest().await;
    assert!(other.rest().await.is_empty());
    for name in ["a_b", "a%20b", "%C3%A4", &"x".repeat(129)] {
        let Err(Error::Http(refused)) = Page::open(server.port, name, &[]).await else { panic!("{name}") };
        assert_eq!(refused.status(), 400, "{name}");
    }
    let Err(Error::Http(refused)) = Page::open(server.port, "one", &[("origin", "https://evil.example")]).await else {
        panic!("a page that is not listed")
    };
    assert_eq!(refused.status(), 403);
    assert!(Page::open(server.port, "one", &[("origin", "https://school.example")]).await.is_ok());
    let plain = request(server.port, "GET", "/ws/one", &[], "").await;
    assert_eq!(plain.status, 426);
}

#[tokio::test]
async fn roles_are_checked() {
    let (_directory, data) = data();
    let server = Server::start(&data, &[]);
    let port = server.port;
    let (ann, bob) = (Person::register(port, "ann").await, Person::register(port, "bob").await);
    let (mut owner, _) = Page::join(port, "plan", &ann).await;
    let (mut editor, _) = Page::join(port, "plan", &bob).await;
    editor.send(&create(&rectangle("a", 1.0))).await;
    assert!(editor.rest().await.is_empty(), "whoever knows the address may edit, as before");
    let give = async |person: &Person, username: &str, role: Value| {
        let body = json!({ "canvasId": "plan", "username": username, "role": role });
        post(port, "/api/canvas/collaborators", &[("x-session-id", &person.session)], &body).await.status
    };
    assert_eq!(give(&bob, "ann", json!("viewer")).await, 403);
    assert_eq!(give(&ann, "ann", json!("viewer")).await, 400, "a canvas needs an owner");
    assert_eq!(give(&ann, "nobody", json!("viewer")).await, 404);
    assert_eq!(give(&ann, "bob", json!("king")).await, 400);
    assert_eq!(give(&ann, "bob", json!("viewer")).await, 200);
    assert_eq!(editor.end().await, End::Broke, "the page comes back, with its new role");
    let (mut viewer, _) = Page::join(port, "plan", &bob).await;
    owner.rest().await;
    for message in [
        create(&rectangle("b", 1.0)),
        update("a", &json!({ "x": 9 })),
        json!({ "type": "object-delete", "object-id": "a" }),
        json!({ "type": "objects-delete", "object-ids": ["a"] }),
    ] {
        viewer.send(&message).await;
        let told = viewer.rest().await;
        assert!(told[0]["message"].as_str().unwrap().contains("not change it"), "{told:?}");
        assert_eq!(told.len(), 2, "and how things are: {told:?}");
    }
    viewer.send(&json!({ "type": "cursor", "x": 1, "y": 1 })).await;
    viewer.rest().await;
    assert_eq!(owner.rest_types().await, ["cursor"], "of all that only the pointer was told");
    assert_eq!(objects(port, "plan", &ann).await, [rectangle("a", 1.0)]);
    let path = "/api/canvas/collaborators?canvasId=plan";
    let list = request(port, "GET", path, &[("x-session-id", &bob.session)], "").await.json();
    let expected = json!([
        { "user-id": ann.id, "username": "ann", "role": "owner" },
        { "user-id": bob.id, "username": "bob", "role": "viewer" },
    ]);
    assert_eq!(list["data"]["collaborators"], expected);
    assert_eq!(give(&ann, "bob", json!(null)).await, 200);
    // Until this has left, bob is here twice, and a page that comes is told of its leaving.
    assert_eq!(viewer.end().await, End::Broke);
    let (mut editor, _) = Page::join(port, "plan", &bob).await;
    editor.send(&update("a", &json!({ "x": 9 }))).await;
    assert!(editor.rest().await.is_empty());
}

#[tokio::test]
async fn who_does_not_answer_pings_is_gone() {
    let (_directory, data) = data();
    let server = Server::start(&data, &["--ping-interval", "0.2", "--ping-timeout", "0.2"]);
    let (ann, bob) = (Person::register(server.port, "ann").await, Person::register(server.port, "bob").await);
    let (mut reading, _) = Page::join(server.port, "plan", &ann).await;
    // Nobody reads here, so nobody answers.
    let (mut asleep, _) = Page::join(server.port, "plan", &bob).await;
    let gone = reading.get("user-disconnected").await;
    assert_eq!(gone["user-id"], bob.id);
    assert_eq!(asleep.end().await, End::Broke, "it comes back when it wakes");
    assert_eq!(reading.rest_types().await, ["user-connected", "presence", "presence"], "who answers stays");
}
