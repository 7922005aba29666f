//! Makes the seed corpora from real drawings: `cargo run --bin seeds` in this folder.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use whiteboard::board::core::{Core, Durable};
use whiteboard_fuzz::{classroom, scene};

/// Bytes of an element beyond which a drawing's element is left out: corpora are to be small.
const ELEMENT: usize = 3000;

/// Elements of one lesson.
const ELEMENTS: usize = 8;

fn write(target: &str, name: &str, bytes: &[u8]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&directory).expect("the corpus can be written");
    fs::write(directory.join(name), bytes).expect("the corpus can be written");
}

/// Elements of a library, as a client sends them.
fn elements(library: &Value) -> Vec<Value> {
    let items = library.get("library").or(library.get("libraryItems")).and_then(Value::as_array);
    let of = |item: &Value| item.get("elements").unwrap_or(item).as_array().cloned().unwrap_or_default();
    let all = items.into_iter().flatten().flat_map(of).filter(|element| element.to_string().len() < ELEMENT);
    all.take(ELEMENTS)
        .enumerate()
        .map(|(place, mut element)| {
            element["index"] = json!(format!("a{place}"));
            element["versionNonce"] = json!(place);
            element["version"] = json!(place + 1);
            element
        })
        .collect()
}

/// A lesson on a native board with these elements, each kind of message in it.
fn native(elements: &[Value]) -> String {
    let mut lines = Vec::new();
    let mut ids = [0; 4];
    let mut ask = |who: usize, mut message: Value| {
        ids[who] += 1;
        message["id"] = json!(ids[who]);
        lines.push(format!("{who}{message}"));
    };
    for (place, element) in elements.iter().enumerate() {
        ask(place % 3, json!({"t": "change", "gesture": place / 2, "elements": [element]}));
    }
    let mut moved = elements[0].clone();
    moved["x"] = json!(1.5);
    moved["version"] = json!(50);
    ask(1, json!({"t": "change", "elements": [moved]}));
    ask(0, json!({"t": "quiz", "on": true}));
    ask(2, json!({"t": "change", "elements": [elements[0], elements[1 % elements.len()]]}));
    for (who, message) in [(0, "undo"), (1, "undo"), (1, "undo"), (1, "redo"), (0, "clear"), (0, "undo"), (3, "undo")] {
        ask(who, json!({"t": message}));
    }
    ask(0, json!({"t": "quiz", "on": false}));
    ask(0, json!({"t": "lock", "on": true}));
    ask(0, json!({"t": "title", "title": "Lesson \"é\""}));
    ask(0, json!({"t": "settings", "values": {"viewBackgroundColor": "#fff", "gone": null}}));
    ask(0, json!({"t": "restore", "seq": 2}));
    lines.push("+13".to_owned());
    lines.push("?".to_owned());
    let base = json!({"id": "s", "type": "freedraw", "x": 1, "y": 2});
    lines.push(format!("0{}", json!({"t": "draft", "el": "s", "from": 0, "points": [[0, 0], [1.5, 2]], "base": base})));
    lines.push(format!("0{}", json!({"t": "draft", "el": "s", "from": 2, "points": [[3, 3]], "pressures": [0.5]})));
    let end = json!({"id": "s", "type": "freedraw", "version": 1, "versionNonce": 3, "count": 3});
    lines.push(format!("0{}", json!({"t": "change", "id": 100, "drafts": [end]})));
    lines.push(format!("0{}", json!({"t": "draft", "el": "s", "cancel": true})));
    lines.push(format!("1{}", json!({"t": "v", "k": "cursor", "d": [1, 2]})));
    lines.push("!".to_owned());
    lines.join("\n")
}

/// The drawing as a classroom's strokes.
fn strokes(elements: &[Value]) -> Vec<Value> {
    let stroke = |element: &Value| {
        let (x, y) = (element["x"].as_f64().unwrap_or(0.0), element["y"].as_f64().unwrap_or(0.0));
        let points = element["points"].as_array().cloned().unwrap_or_else(|| vec![json!([0, 0]), json!([9, 9])]);
        let at = |point: &Value| json!({"x": x + point[0].as_f64().unwrap_or(0.0), "y": y + point[1].as_f64().unwrap_or(0.0)});
        json!({
            "drawMode": element["version"] != 3, "strokeColor": element["strokeColor"], "strokeWidth": 4,
            "paths": points.iter().map(at).collect::<Vec<_>>(),
        })
    };
    elements.iter().map(stroke).collect()
}

fn event(name: &str, mut payload: Value) -> String {
    payload["session_code"] = json!("code");
    format!("2{}", json!([name, payload]))
}

fn lesson(strokes: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    for place in 0..strokes.len() {
        lines.push(event("update_paths", json!({"paths": strokes[..=place]})));
    }
    for (name, payload) in [
        ("undo_request", json!({})),
        ("redo_request", json!({})),
        ("set_student_lock", json!({"is_locked": true})),
        ("update_paths", json!({"paths": [7]})),
        ("set_student_lock", json!({"is_locked": false})),
        ("clear_paths", json!({})),
        ("undo_request", json!({})),
        ("update_background", json!({"background_image": "data:image/png;base64,AA=="})),
        ("clear_background", json!({})),
        ("set_quiz_status", json!({"is_quiz": true})),
        ("get_quiz_status", json!({})),
    ] {
        lines.push(event(name, payload));
    }
    lines
}

/// A client's WebSocket frame.
fn frame(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut bytes = vec![u8::from(fin) << 7 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | payload.len() as u8),
        Ok(length) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(place, byte)| byte ^ mask[place % 4]));
    bytes
}

fn objects() -> Vec<Value> {
    vec![
        json!({"id": "r", "type": "rectangle", "x": 1, "y": 2.5, "width": 30, "height": 40, "color": "#abc", "rotation": 90}),
        json!({"id": "c", "type": "circle", "x": 10, "y": 20, "radius": 5, "color": "#123456"}),
        json!({"id": "t", "type": "text", "x": 0, "y": 0, "text": "two\nlines", "fontSize": 20}),
    ]
}

fn main() {
    let drawings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/drawings");
    let files = fs::read_dir(drawings).expect("the drawings are there");
    for path in files.map(|entry| entry.expect("a folder can be read").path()) {
        if path.extension().is_none_or(|extension| extension != "excalidrawlib") {
            continue;
        }
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let library = serde_json::from_slice(&fs::read(&path).expect("a drawing can be read")).expect("it is JSON");
        let elements = elements(&library);
        let native = native(&elements);
        write("scene", &name, native.as_bytes());
        let (log, snapshot) = scene::lesson(&native);
        write("records", &format!("{name}-board"), format!("b{}", log.join("\n")).as_bytes());
        write("snapshots", &format!("{name}-board"), format!("b{snapshot}").as_bytes());
        let strokes = strokes(&elements);
        let events = lesson(&strokes);
        let lines: Vec<_> = events.iter().enumerate().map(|(place, event)| format!("{}{event}", place % 3)).collect();
        write("classroom", &name, lines.join("\n").as_bytes());
        let (log, board) = classroom::lesson(&lines.join("\n"));
        write("records", &format!("{name}-classroom"), format!("r{}", log.join("\n")).as_bytes());
        write("snapshots", &format!("{name}-classroom"), format!("r{}", board.state().encode()).as_bytes());
        let packets: Vec<_> = events.iter().rev().take(6).map(|event| format!("4{event}")).collect();
        write("socketio", &name, packets.join("\u{1e}").as_bytes());
        let texts: Vec<_> = strokes.iter().chain(&objects()).map(Value::to_string).collect();
        write("foreign", &name, texts.join("\n").as_bytes());
        let mut bytes = vec![7];
        for (place, event) in events.iter().rev().take(8).enumerate() {
            let half = event.len() / 2 * usize::from(event.is_char_boundary(event.len() / 2));
            bytes.extend(frame(1, false, &event.as_bytes()[..half]));
            bytes.extend(frame(9 + u8::from(place % 2 == 0), true, b"ping"));
            bytes.extend(frame(0, true, &event.as_bytes()[half..]));
        }
        bytes.extend(frame(2, true, b"binary"));
        bytes.extend(frame(8, true, &[3, 232, b'b', b'y', b'e']));
        write("websocket", &name, &bytes);
    }
    let mut rows: Vec<_> = objects().iter().map(|object| json!({"by": 1, "put": object}).to_string()).collect();
    rows.push(json!({"by": 2, "merge": ["r", {"x": 5, "color": null}]}).to_string());
    rows.push(json!({"by": 2, "remove": ["c"]}).to_string());
    rows.push(json!({"by": 0, "replace": objects()}).to_string());
    write("records", "objects-canvas", format!("c{}", rows.join("\n")).as_bytes());
    let mut canvas = whiteboard::board::canvas::State::default();
    rows.iter().for_each(|row| canvas.replay(row).expect("a canvas' row can be read"));
    write("snapshots", "objects-canvas", format!("c{}", canvas.encode()).as_bytes());
}
