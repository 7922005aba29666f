//! Makes the seed corpora from real drawings: `cargo run --bin seeds` in this folder.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use whiteboard::board::core::{Core, Durable};
use whiteboard::render;
use whiteboard_fuzz::{canvas, classroom, scene};

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
    // The highest bit: what follows is masked.
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 0x7f);
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

/// A lesson on a canvas: each kind of message, of two generations of pages, and some that are refused.
fn said() -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut say = |who: u8, message: Value| lines.push(format!("{who}{message}"));
    for (who, object) in [0, 1, 0].into_iter().zip(objects()) {
        say(who, json!({"type": "object-create", "object": object}));
    }
    say(0, json!({"type": "cursor", "x": 1.5, "y": 2}));
    say(1, json!({"type": "cursor", "x": 3, "y": -2}));
    say(1, json!({"type": "object-update", "object-id": "r", "updates": {"x": 5, "color": null, "locked": false}}));
    say(0, json!({"type": "object-update", "objectId": "t", "updates": {"text": "three", "fontSize": 1e1}}));
    say(0, json!({"type": "object-update", "objectId": "t", "updates": {"x": 99_999}}));
    say(2, json!({"type": "objects-delete", "object-ids": ["r", "c", "none"]}));
    say(2, json!({"type": "object-create", "object": objects()[0]}));
    say(0, json!({"type": "object-delete", "object-id": "r"}));
    say(1, json!({"type": "object-create", "object": objects()[0]}));
    lines.extend(["<3", "!"].map(str::to_owned));
    let mut say = |who: u8, message: Value| lines.push(format!("{who}{message}"));
    say(1, json!({"type": "objects-delete", "objectIds": ["c", "t"]}));
    say(0, json!({"type": "auth", "sessionId": "s"}));
    lines.extend(["?", "<1", "0not JSON"].map(str::to_owned));
    lines.join("\n")
}

/// Files of a drawing with these elements: `.excalidraw`, and both versions of `.excalidrawlib`.
fn drawing_files(elements: &[Value], image: &[u8]) -> [String; 3] {
    let mut elements = elements.to_vec();
    let mut text = json!({"id": "t", "type": "text", "x": 1, "y": 2, "text": "two\nlines", "font": "20px Virgil"});
    text["containerId"] = elements[0]["id"].clone();
    elements.push(text);
    elements.push(json!({"id": "i", "type": "image", "x": 0, "y": 0, "width": 9, "height": 9, "fileId": "f"}));
    elements.push(json!({"id": "l", "type": "draw", "isDeleted": false, "points": [], "strokeSharpness": "round",
        "boundElementIds": ["t"], "startBinding": {"elementId": "t", "gap": 1}}));
    let mut url = "data:image/png;base64,".to_owned();
    whiteboard::exchange::base64::encode_into(image, &mut url);
    let files = json!({"f": {"mimeType": "image/png", "id": "f", "dataURL": url, "created": 1}});
    let look = json!({"viewBackgroundColor": "#ffffff", "gridSize": null});
    let (some, others) = elements.split_at(elements.len() / 2);
    [
        json!({"type": "excalidraw", "version": 2, "elements": elements, "appState": look, "files": files}),
        json!({"type": "excalidrawlib", "version": 1, "library": [some, others]}),
        json!({"type": "excalidrawlib", "version": 2, "libraryItems": [
            {"id": "1", "status": "published", "name": "One", "elements": some}, {"elements": others}]}),
    ]
    .map(|file| file.to_string())
}

/// Elements of each kind that the libraries do not have.
fn others() -> Vec<Value> {
    vec![
        json!({"type": "frame", "id": "f", "x": 0, "y": 0, "width": 90, "height": 50, "name": "A frame"}),
        json!({"type": "text", "id": "t", "x": 1, "y": 2, "text": "شكرا\tDanke 👋", "fontFamily": 5, "frameId": "f",
            "textAlign": "center", "width": 50, "height": 25, "opacity": 50}),
        json!({"type": "image", "id": "i", "x": 1, "y": 2, "width": 20, "height": 10, "fileId": "x", "scale": [-1, 1],
            "crop": {"x": 1, "y": 1, "width": 5, "height": 5, "naturalWidth": 10, "naturalHeight": 10}}),
        json!({"type": "image", "id": "j", "width": 20, "height": 10, "fileId": "none", "roundness": {"type": 3}}),
        json!({"type": "arrow", "id": "a", "points": [[0, 0], [50, 0], [50, 40]], "elbowed": true, "link": "https://a.b",
            "startArrowhead": "crowfoot_one_or_many", "endArrowhead": "triangle", "strokeStyle": "dashed", "width": 50}),
        json!({"type": "embeddable", "id": "e", "x": 5, "y": 5, "width": 80, "height": 40, "link": "https://a.b/?c&d"}),
        json!({"type": "diamond", "id": "d", "width": 60, "height": 40, "backgroundColor": "red", "fillStyle": "zigzag",
            "strokeWidth": 4, "roughness": 2, "angle": 0.5, "roundness": {"type": 2}, "strokeStyle": "dotted"}),
        json!({"type": "ellipse", "id": "o", "width": 60, "height": 40, "backgroundColor": "#abc8", "fillStyle": "cross-hatch"}),
    ]
}

/// Heads of requests, settings and texts in the forms that are read here.
fn requests() -> [(&'static str, String); 11] {
    let manifest = |name: &str, bytes: u64| {
        json!({"name": name, "time": "2026-11-21T03:17:00Z", "bytes": bytes, "boards": 1, "operations": 2, "strokes": 3,
            "sha256": "00", "schema": 2, "version": "1.0.0"})
    };
    [
        (
            "head-redirect",
            "h/b/one?embed=1#a\nHost: school.example:8080\nX-Forwarded-Proto: http, https\n\
            X-Forwarded-For: 203.0.113.9, [2001:db8::1]:443, 10.1.2.3:80\nOrigin: https://school.example"
                .to_owned(),
        ),
        (
            "head-file",
            "h*\nAccept-Encoding: gzip;q=0.5, br;q=0, *\nIf-None-Match: W/\"a\", \"t\"\n\
            Authorization: Bearer 0123456789abcdef\nHost: [::1]:80\nOrigin: http://[::1]:80"
                .to_owned(),
        ),
        ("networks", "n127.0.0.0/8, 10.0.0.0/8,::1/128,fc00::/7 ,192.0.2.1".to_owned()),
        ("networks-mapped", "n::ffff:10.0.0.0/104,0.0.0.0/0,::/0".to_owned()),
        ("origins", "ohttps://School.example/, http://localhost:3000".to_owned()),
        ("seconds", "s1.5e3".to_owned()),
        ("sources", "shttps://school.example 'self' *.example:8443".to_owned()),
        ("email", "sAnn+b@School.Example".to_owned()),
        ("manifests", format!("m{}\n{}\n{}", manifest("a", 2), manifest("b", 3), manifest("c-2", 4))),
        ("base64", "6Zm9v YmE=\n".to_owned()),
        ("keys", "kb1zV".to_owned()),
    ]
}

/// What the elements look like, as a small PNG.
fn picture(elements: &[Value]) -> Vec<u8> {
    let texts: Vec<String> = elements.iter().map(Value::to_string).collect();
    let options = render::Options { max_pixels: 1_000, ..render::Options::default() };
    render::png(texts.iter().map(String::as_str), &|_| None, &options).expect("a drawing can be painted")
}

/// Beginnings of images of each kind: as much as tells their size, and for some a whole image of one pixel.
fn images() -> [(&'static str, Vec<u8>); 7] {
    let gif = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    let jpeg =
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0\xff\xda";
    let lossless = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0";
    let extended = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x05\0\0\x05\0\0";
    let lossy = b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\x01\0\x01\0";
    let svg = br##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g transform="rotate(9)"><rect width="5" height="4"
        fill="url(#a)"/><text y="5">a</text><path d="M0 0C1 2 3 4 5 6z" stroke-dasharray="1 2" stroke="red"/></g><defs>
        <linearGradient id="a"><stop offset="0" stop-color="#abc"/></linearGradient></defs><style>rect{opacity:.5}</style></svg>"##;
    let declared = b"<?xml version=\"1.0\"?><!-- a --><!DOCTYPE svg><svg xmlns=\"http://www.w3.org/2000/svg\"><circle r=\"5\"/></svg>";
    [
        ("gif", gif.to_vec()),
        ("jpeg", jpeg.to_vec()),
        ("webp-lossless", lossless.to_vec()),
        ("webp-extended", extended.to_vec()),
        ("webp-lossy", lossy.to_vec()),
        ("svg", svg.to_vec()),
        ("svg-declared", declared.to_vec()),
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
        let png = picture(&elements);
        let [drawing, first, second] = drawing_files(&elements[..3], &png);
        write("drawings", &name, drawing.as_bytes());
        write("libraries", &format!("{name}-1"), first.as_bytes());
        write("libraries", &format!("{name}-2"), second.as_bytes());
        let lines: Vec<_> = elements.iter().map(Value::to_string).collect();
        write("pictures", &name, lines.join("\n").as_bytes());
        write("images", &format!("{name}.png"), &png);
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
        let background = "\"data:image/gif;base64,R0lGODlhBQAGAA==\"".to_owned();
        let texts: Vec<_> = std::iter::once(background).chain(texts).collect();
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
    for row in &rows {
        canvas.replay(row).expect("a canvas' row can be read");
    }
    write("snapshots", "objects-canvas", format!("c{}", canvas.encode()).as_bytes());
    let said = said();
    write("canvas", "lesson", said.as_bytes());
    let (log, snapshot) = canvas::lesson(&said);
    write("records", "lesson-canvas", format!("c{}", log.join("\n")).as_bytes());
    write("snapshots", "lesson-canvas", format!("c{snapshot}").as_bytes());
    write("pictures", "others", others().iter().map(Value::to_string).collect::<Vec<_>>().join("\n").as_bytes());
    for (name, text) in requests() {
        write("requests", name, text.as_bytes());
    }
    for (name, bytes) in images() {
        write("images", name, &bytes);
    }
}
