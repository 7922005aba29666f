use super::fields::Fields;
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn with<T>(ids: Ids, above: Option<&str>, read: impl FnOnce(&mut Reading<'_>) -> T) -> T {
    let limits = Limits { elements: 20, element_bytes: 2_000, files: 2, file_bytes: 9, ..Limits::default() };
    let mut seeds = Seeds::new(1);
    read(&mut Reading { limits: &limits, ids, above, now_ms: 1_700_000_000_000, seeds: &mut seeds })
}

fn scene(text: &str) -> Result<Scene, ExchangeError> {
    with(Ids::Keep, None, |reading| read_scene(text, reading))
}

fn drawing(elements: &str) -> String {
    format!(r#"{{"type":"excalidraw","version":2,"elements":[{elements}]}}"#)
}

/// One element after reading, as a value.
fn read_one(element: &str) -> serde_json::Value {
    let scene = scene(&drawing(element)).unwrap();
    assert_eq!(scene.elements.len(), 1, "{element}");
    serde_json::from_str(&scene.elements[0].json).unwrap()
}

#[test]
fn a_bare_element_gets_all_that_clients_need() {
    let element = read_one(r#"{"type":"rectangle","width":10,"height":5.50}"#);
    for key in ["id", "x", "y", "angle", "seed", "version", "versionNonce", "index", "isDeleted", "groupIds", "opacity"]
    {
        assert!(!element[key].is_null(), "{key} is missing");
    }
    assert_eq!(element["index"], "a0");
    assert_eq!(element["version"], 1);
    assert_eq!(element["updated"], 1_700_000_000_000_i64);
    assert_eq!(element["width"], 10);
}

#[test]
fn what_an_element_has_stays_digit_by_digit() {
    let text = r#"{"id":"a","type":"ellipse","x":1.10000000000000000001,"y":-0.0,"width":1E2,"custom":{"a":[1.0]}}"#;
    let json = scene(&drawing(text)).unwrap().elements.remove(0).json;
    for part in ["\"x\":1.10000000000000000001", "\"y\":-0.0", "\"width\":1E2", "\"custom\":{\"a\":[1.0]}"] {
        assert!(json.contains(part), "{part} in {json}");
    }
}

#[test]
fn old_names_become_present_ones() {
    for (old, key, expected) in [
        (r#"{"type":"draw","points":[[0,0],[1,1]]}"#, "type", r#""line""#),
        (r#"{"type":"line","strokeSharpness":"round"}"#, "roundness", r#"{"type":2}"#),
        (r#"{"type":"rectangle","strokeSharpness":"round"}"#, "roundness", r#"{"type":1}"#),
        (r#"{"type":"rectangle","strokeSharpness":"sharp"}"#, "roundness", "null"),
        (r#"{"type":"text","font":"28px Cascadia","text":"a"}"#, "fontFamily", "3"),
        (r#"{"type":"text","font":"28px Cascadia","text":"a"}"#, "fontSize", "28"),
        (r#"{"type":"text","fontSize":20,"text":"a\nb","height":50}"#, "lineHeight", "1.25"),
        (r#"{"type":"text"}"#, "text", r#""""#),
        (r#"{"type":"arrow"}"#, "endArrowhead", r#""arrow""#),
        (r#"{"type":"arrow","endArrowhead":null}"#, "endArrowhead", "null"),
        (r#"{"type":"arrow","width":3,"height":4}"#, "points", "[[0,0],[3,4]]"),
        (r#"{"type":"freedraw","points":[[0,0]]}"#, "simulatePressure", "true"),
        (r#"{"type":"freedraw","points":[[0,0]],"pressures":[0.5]}"#, "simulatePressure", "false"),
        (r#"{"type":"image"}"#, "scale", "[1,1]"),
        (r#"{"type":"frame"}"#, "name", "null"),
        (r#"{"type":"diamond","x":"left"}"#, "x", "0"),
        (r#"{"type":"diamond","version":0}"#, "version", "1"),
        (r#"{"type":"diamond","version":99999999}"#, "version", "1000000"),
        (r#"{"type":"diamond","version":7}"#, "version", "7"),
    ] {
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(read_one(old)[key], expected, "{key} of {old}");
    }
}

#[test]
fn deleted_and_unknown_elements_are_left_out() {
    let scene = scene(&drawing(
        r#"{"type":"rectangle","isDeleted":true},{"type":"selection"},{"type":"hologram"},{"id":"a","type":"line"},{}"#,
    ))
    .unwrap();
    assert_eq!((scene.elements.len(), scene.left_out), (1, 4));
}

#[test]
fn elements_come_above_those_of_the_board() {
    let text = drawing(r#"{"type":"line","index":"zz"},{"type":"line","index":"a0"}"#);
    let scene = with(Ids::Keep, Some("a5V"), |reading| read_scene(&text, reading)).unwrap();
    let keys: Vec<_> =
        scene.elements.iter().map(|element| Fields::parse(&element.json).unwrap().text("index").unwrap()).collect();
    assert_eq!(keys, ["a6", "a7"]);
}

const LINKED: &str = r#"
    {"id":"box","type":"rectangle","groupIds":["g"],"boundElements":[{"type":"arrow","id":"arrow"},{"type":"text","id":"gone"}],"frameId":"f"},
    {"id":"label","type":"text","text":"x","containerId":"box","groupIds":["g","h"]},
    {"id":"arrow","type":"arrow","startBinding":{"elementId":"box","focus":0.10,"gap":1},"endBinding":{"elementId":"gone"}},
    {"id":"f","type":"frame"}"#;

#[test]
fn references_follow_new_ids() {
    let scene = with(Ids::Renew, None, |reading| read_scene(&drawing(LINKED), reading)).unwrap();
    let values: Vec<serde_json::Value> =
        scene.elements.iter().map(|element| serde_json::from_str(&element.json).unwrap()).collect();
    let ids: HashSet<&str> = scene.elements.iter().map(|element| &*element.id).collect();
    assert_eq!(ids.len(), 4);
    assert!(!ids.contains("box"));
    let [rectangle, label, arrow, frame] = &values[..] else { panic!() };
    assert_eq!(label["containerId"], rectangle["id"]);
    assert_eq!(rectangle["boundElements"], serde_json::json!([{ "type": "arrow", "id": arrow["id"] }]));
    assert_eq!(rectangle["frameId"], frame["id"]);
    assert_eq!(arrow["startBinding"]["elementId"], rectangle["id"]);
    assert!(scene.elements[2].json.contains("\"focus\":0.10"));
    assert!(arrow["endBinding"].is_null());
    assert_eq!(rectangle["groupIds"][0], label["groupIds"][0]);
    assert_ne!(rectangle["groupIds"][0], "g");
    assert_ne!(label["groupIds"][0], label["groupIds"][1]);
}

#[test]
fn ids_stay_if_asked_but_never_twice() {
    let scene = with(Ids::Keep, None, |reading| read_scene(&drawing(LINKED), reading)).unwrap();
    let ids: Vec<&str> = scene.elements.iter().map(|element| &*element.id).collect();
    assert_eq!(ids, ["box", "label", "arrow", "f"]);
    assert!(scene.elements[1].json.contains(r#""groupIds":["g","h"]"#));
    let long = "x".repeat(65);
    let text =
        drawing(&format!(r#"{{"id":"a","type":"line"}},{{"id":"a","type":"line"}},{{"id":"{long}","type":"line"}}"#));
    let scene = self::scene(&text).unwrap();
    let ids: HashSet<&str> = scene.elements.iter().map(|element| &*element.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains("a") && !ids.contains(&*long));
}

#[test]
fn what_is_no_drawing_is_refused_with_a_sentence() {
    let many = drawing(&[r#"{"type":"line"}"#; 21].join(","));
    let large = drawing(&format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(2_000)));
    let deep = drawing(&format!("{}{}", "[".repeat(70), "]".repeat(70)));
    let file = |url: &str| {
        format!(r#"{{"type":"excalidraw","elements":[],"files":{{"f":{{"mimeType":"image/png","dataURL":"{url}"}}}}}}"#)
    };
    for (text, expected) in [
        (String::new(), "JSON"),
        ("[]".to_owned(), "JSON"),
        (r#"{"type":"excalidraw","elements":[{"#.to_owned(), "JSON"),
        (r#"{"type":"excalidraw","elements":7}"#.to_owned(), "JSON"),
        (r#"{"type":"excalidraw","elements":[7]}"#.to_owned(), "Element 1 of the file is not an object"),
        (r#"{"type":"excalidraw","appState":7}"#.to_owned(), "JSON"),
        (r#"{"type":"excalidrawlib"}"#.to_owned(), "of type \"excalidrawlib\""),
        (r#"{"elements":[]}"#.to_owned(), "of type \"\""),
        (many, "more than 20 elements"),
        (large, "at most 2000"),
        (deep, "64 levels"),
        (file("http://example.com/x.png"), "data: URL"),
        (file("data:image/png;base64,!!!!"), "base64"),
        (file("data:image/png;base64,AAAAAAAAAAAAAAAAAAAA"), "larger than 9 bytes"),
    ] {
        let error = scene(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
        assert!(error.ends_with('.'), "{error}");
    }
}

#[test]
fn a_file_says_what_kind_of_image_it_is_or_its_address_does() {
    for (said, url, expected) in [
        ("image/jpeg", "data:image/png;base64,AAAA", Some("image/jpeg")),
        ("image/svg+xml", "data:,x", Some("image/svg+xml")),
        ("text/plain", "data:image/png;base64,AAAA", Some("image/png")),
        // Written into an address again, that comma would end its head.
        ("image/png,", "data:image/png;base64,AAAA", Some("image/png")),
        ("image/", "data:image/x y;base64,AAAA", None),
        ("image/png;x=1", "data:;base64,AAAA", None),
    ] {
        let files = format!(r#"{{"f":{{"mimeType":"{said}","dataURL":"{url}"}}}}"#);
        let read = scene(&format!(r#"{{"type":"excalidraw","elements":[],"files":{files}}}"#));
        match expected {
            Some(expected) => assert_eq!(read.unwrap().files[0].mime, expected, "{said} {url}"),
            None => assert!(read.unwrap_err().to_string().contains("is not an image"), "{said} {url}"),
        }
    }
}

#[test]
fn a_drawing_written_is_the_drawing_read() {
    let elements = [r#"{"id":"a","type":"line","x":1.50}"#, r#"{"id":"b","type":"image","fileId":"f"}"#];
    let drawing = Outgoing {
        elements,
        look: &[("viewBackgroundColor", "\"#fff\""), ("gridSize", "null")],
        files: [OutgoingFile { id: "f", mime: "image/png", bytes: b"12345", created: 42 }],
    };
    let mut out = Vec::new();
    write_scene(drawing, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["type"], &value["version"]), (&"excalidraw".into(), &2.into()));
    assert_eq!(value["source"], SOURCE);
    assert_eq!(value["files"]["f"]["dataURL"], "data:image/png;base64,MTIzNDU=");
    assert!(text.contains(elements[0]), "elements stay as they are");
    let scene = self::scene(&text).unwrap();
    assert_eq!(scene.elements.iter().map(|element| &*element.id).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(scene.look[0], ("viewBackgroundColor".to_owned(), "\"#fff\"".to_owned()));
    let file = File { id: "f".into(), mime: "image/png".into(), bytes: b"12345".to_vec(), created: Some(42) };
    assert_eq!(scene.files, [file]);
}

#[test]
fn an_empty_drawing_is_written_and_read() {
    let mut out = Vec::new();
    write_scene(Outgoing { elements: [], look: &[], files: [] }, &mut out).unwrap();
    assert_eq!(scene(&String::from_utf8(out).unwrap()), Ok(Scene::default()));
}

#[test]
fn libraries_of_both_versions_are_read() {
    for text in [
        r#"{"type":"excalidrawlib","version":1,"library":[[{"id":"a","type":"line"}],[{"id":"a","type":"line"}],[]]}"#,
        r#"{"type":"excalidrawlib","version":2,"libraryItems":[{"id":"1","name":"star","elements":[{"id":"a","type":"line"}]},{"elements":[{"id":"a","type":"line"}]}]}"#,
    ] {
        let library = with(Ids::Renew, None, |reading| read_library(text, reading)).unwrap();
        assert_eq!(library.items.len(), 2);
        assert_eq!(library.items[0].name.as_deref(), text.contains("star").then_some("star"));
        assert_ne!(library.items[0].elements[0].id, library.items[1].elements[0].id);
    }
    assert!(with(Ids::Renew, None, |reading| read_library(r#"{"type":"excalidraw"}"#, reading)).is_err());
}

#[test]
fn library_items_share_the_limit_of_elements() {
    let item = format!("[{}]", [r#"{"type":"line"}"#; 11].join(","));
    let text = format!(r#"{{"type":"excalidrawlib","library":[{item},{item}]}}"#);
    let error = with(Ids::Renew, None, |reading| read_library(&text, reading)).unwrap_err();
    assert!(error.to_string().contains("more than 20 elements"), "{error}");
}

#[test]
fn items_are_laid_out_beside_each_other() {
    let item = r#"[{"type":"rectangle","x":-500,"y":70,"width":700,"height":10}]"#;
    let text = format!(r#"{{"type":"excalidrawlib","library":[{item},{item},{item}]}}"#);
    let library = with(Ids::Renew, None, |reading| read_library(&text, reading)).unwrap();
    let corners: Vec<(f64, f64)> = library
        .laid_out((100.0, 200.0))
        .iter()
        .map(|element| Fields::parse(&element.json).unwrap())
        .map(|fields| (fields.number("x").unwrap(), fields.number("y").unwrap()))
        .collect();
    assert_eq!(corners, [(100.0, 200.0), (860.0, 200.0), (100.0, 270.0)]);
}

#[test]
fn items_that_lie_nowhere_leave_the_others_where_they_belong() {
    let far = r#"[{"type":"line","x":1.7e308,"width":-1.7e308},{"type":"line","x":-1.7e308,"y":1e308,"height":1e308}]"#;
    let item = r#"[{"type":"rectangle","x":-500,"y":70,"width":700,"height":10}]"#;
    let text = format!(r#"{{"type":"excalidrawlib","library":[{far},{item}]}}"#);
    let library = with(Ids::Renew, None, |reading| read_library(&text, reading)).unwrap();
    for element in &library.clone().laid_out((f64::MAX, 0.0)) {
        let fields = Fields::parse(&element.json).unwrap();
        assert!(fields.number("x").is_some() && fields.number("y").is_some(), "{}", element.json);
    }
    let placed = library.laid_out((0.0, 0.0));
    let fields = Fields::parse(&placed[2].json).unwrap();
    assert!(fields.number("x").unwrap() < 1e8 && fields.number("y").unwrap() < 1e8, "{}", placed[2].json);
}

#[test]
fn elements_are_fit_for_a_board_whatever_they_say() {
    for (key, value) in
        [("isDeleted", "0"), ("isDeleted", "\"true\""), ("index", "7"), ("version", "1.5"), ("id", "[]")]
    {
        let text = format!(r#"{{"type":"ellipse","{key}":{value}}}"#);
        let element = scene(&drawing(&text)).unwrap().elements.remove(0);
        let read = crate::board::scene::element::Element::from_text(&element.json);
        assert!(read.as_ref().is_ok_and(|read| !read.is_deleted()), "{text}: {read:?}");
    }
}

#[test]
fn half_a_letter_leaves_a_text_as_it_is() {
    let text = r#"{"type":"text","text":"half \ud83d","originalText":"\ud83d"}"#;
    let json = scene(&drawing(text)).unwrap().elements.remove(0).json;
    assert!(json.contains(r#""text":"half \ud83d""#) && json.contains(r#""originalText":"\ud83d""#), "{json}");
    let json = scene(&drawing(r#"{"type":"text","text":"a\ud83d"}"#)).unwrap().elements.remove(0).json;
    assert!(json.contains(r#""originalText":"a\ud83d""#), "{json}");
}

#[test]
fn real_libraries_are_read_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../e2e/drawings");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "excalidrawlib") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let limits = Limits::default();
        let mut seeds = Seeds::new(1);
        let mut reading = Reading { limits: &limits, ids: Ids::Renew, above: None, now_ms: 0, seeds: &mut seeds };
        let library = read_library(&text, &mut reading).unwrap();
        assert_eq!(library.left_out, 0, "{}", path.display());
        let elements = library.laid_out((0.0, 0.0));
        assert!(elements.len() > 1);
        assert!(elements.iter().all(|element| serde_json::from_str::<serde_json::Value>(&element.json).is_ok()));
        read += 1;
    }
    assert!(read >= 3);
}

/// Any JSON, not very deep.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[a-z]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(key(), inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "id",
        "type",
        "x",
        "points",
        "text",
        "font",
        "version",
        "boundElements",
        "boundElementIds",
        "groupIds",
        "startBinding",
        "elementId",
        "frameId",
        "containerId",
        "strokeSharpness",
        "index",
        "isDeleted",
        "height",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn any_element_is_read_or_refused_and_what_is_read_is_sound(
        mut members in prop::collection::btree_map(key(), json(), 0..10),
        kind in prop::sample::select(ELEMENT_TYPES.to_vec()),
        renew in any::<bool>(),
    ) {
        members.insert("type".to_owned(), kind.into());
        members.remove("isDeleted");
        let element = serde_json::Value::Object(members.into_iter().collect()).to_string();
        let ids = if renew { Ids::Renew } else { Ids::Keep };
        let scene = with(ids, None, |reading| read_scene(&drawing(&element), reading));
        if element.len() > 2_000 {
            prop_assert!(scene.is_err());
        } else {
            let scene = scene.unwrap();
            let read: serde_json::Value = serde_json::from_str(&scene.elements[0].json).unwrap();
            prop_assert_eq!(read["id"].as_str(), Some(&*scene.elements[0].id));
            prop_assert!(read["x"].is_number() && read["version"].as_u64().is_some_and(|version| version > 0));
            prop_assert!(read["groupIds"].is_array() && read["boundElements"].is_array());
            prop_assert!(index::is_valid(read["index"].as_str().unwrap()));
            prop_assert_eq!(&read["type"], kind);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]\":,a-z0-9\\\\]{0,60}", wrapped in any::<bool>()) {
        let text = if wrapped { drawing(&text) } else { text };
        let _ = scene(&text);
        let _ = with(Ids::Renew, None, |reading| read_library(&text, reading));
    }
}
