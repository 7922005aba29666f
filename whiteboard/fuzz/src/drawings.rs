//! Drawings as files: `.excalidraw` and `.excalidrawlib`, and the pictures made of them.

use resvg::usvg;
use std::collections::HashSet;
use std::time::Duration;
use whiteboard::board::scene::element;
use whiteboard::exchange::{self, Element, Ids, Limits, Outgoing, OutgoingFile, Reading, Scene, Seeds, index};
use whiteboard::http::boards::sniff;
use whiteboard::render::{self, Image, Options};

const LIMITS: Limits =
    Limits { bytes: crate::MOST, elements: 200, element_bytes: 16 << 10, depth: 24, files: 4, file_bytes: 8 << 10 };

/// Pixels of a picture.
const PIXELS: u64 = 20_000;

/// Reads with what a server reads with. The first letter chooses whether ids are kept.
fn read<T>(ids: Ids, above: Option<&str>, how: impl FnOnce(&mut Reading<'_>) -> T) -> T {
    how(&mut Reading { limits: &LIMITS, ids, above, now_ms: 7, seeds: &mut Seeds::new(1) })
}

/// What every element that was read is: fit for a board, and above what is there.
fn check(elements: &[Element], above: Option<&str>) {
    let mut last = above.map(str::to_owned);
    let mut ids = HashSet::new();
    for one in elements {
        let read = element::Element::from_text(&one.json).unwrap_or_else(|error| panic!("{error}: {}", one.json));
        assert_eq!(**read.id(), one.id);
        assert!(!read.is_deleted() && ids.insert(one.id.clone()), "each once, and there: {}", one.json);
        let index = read.index().expect("an element has its place");
        assert!(index::is_valid(&index) && last.as_deref().is_none_or(|last| last < &*index), "{index}");
        last = Some(index);
        let value: serde_json::Value = match serde_json::from_str(&one.json) {
            Ok(value) => value,
            // Half a surrogate pair, or a number beyond those of JavaScript, in a key that nobody here reads.
            Err(_) => continue,
        };
        for key in ["x", "y", "width", "height", "angle", "strokeWidth", "opacity"] {
            assert!(value[key].is_number(), "{key} of {}", one.json);
        }
    }
}

fn write(scene: &Scene) -> Vec<u8> {
    let mut out = Vec::new();
    let look: Vec<(&str, &str)> = scene.look.iter().map(|(key, value)| (&**key, &**value)).collect();
    let files = scene.files.iter().map(|file| OutgoingFile {
        id: &file.id,
        mime: &file.mime,
        bytes: &file.bytes,
        created: file.created.unwrap_or(0),
    });
    let drawing = Outgoing { elements: scene.elements.iter().map(|element| &*element.json), look: &look, files };
    exchange::write_scene(drawing, &mut out).expect("memory can be written to");
    out
}

/// `.excalidraw`: what was read is fit for a board; written and read again it is the same.
pub fn scene(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let _ = read(Ids::Renew, Some("b10V"), |reading| exchange::read_scene(text, reading))
        .map(|scene| check(&scene.elements, Some("b10V")));
    let Ok(first) = read(Ids::Keep, None, |reading| exchange::read_scene(text, reading)) else { return };
    check(&first.elements, None);
    assert!(first.elements.len() <= LIMITS.elements && first.files.len() <= LIMITS.files);
    assert!(first.files.iter().all(|file| file.bytes.len() <= LIMITS.file_bytes));
    let written = String::from_utf8(write(&first)).expect("a file is text");
    // What was filled in takes room, so the limits of the second reading are wider.
    let wide = Limits { bytes: usize::MAX, element_bytes: usize::MAX, depth: LIMITS.depth + 8, ..LIMITS };
    let mut seeds = Seeds::new(2);
    let mut reading = Reading { limits: &wide, ids: Ids::Keep, above: None, now_ms: 8, seeds: &mut seeds };
    let mut second = exchange::read_scene(&written, &mut reading).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(second.left_out, 0);
    for (before, after) in first.files.iter().zip(&mut second.files) {
        after.created = before.created.and(after.created);
    }
    assert_eq!(second, Scene { left_out: 0, ..first }, "what is written is what was read");
}

/// `.excalidrawlib`: what was read is fit for a board, and lies somewhere.
pub fn library(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let Ok(library) = read(Ids::Renew, None, |reading| exchange::read_library(text, reading)) else { return };
    let count: usize = library.items.iter().map(|item| item.elements.len()).sum();
    assert!(count + library.left_out <= LIMITS.elements);
    let laid_out = library.laid_out((5.0, -5.0));
    assert_eq!(laid_out.len(), count, "nothing is lost");
    check(&laid_out, None);
}

/// Both pictures of a drawing: SVG that can be read, and a PNG within its limits.
fn paint(elements: &[&str], image: Image<'_>) {
    let options = Options {
        max_pixels: PIXELS,
        time: Duration::from_secs(2),
        dark: elements.len() % 2 == 1,
        ..Options::default()
    };
    let files = |id: &str| (id != "none").then_some(image);
    if let Ok(svg) = render::svg(elements.iter().copied(), &files, &options) {
        let reading = usvg::roxmltree::ParsingOptions { nodes_limit: u32::MAX, ..Default::default() };
        usvg::roxmltree::Document::parse_with_options(&svg, reading).unwrap_or_else(|error| panic!("{error}: {svg}"));
    }
    match render::png(elements.iter().copied(), &files, &options) {
        Ok(png) => {
            let side =
                |place: usize| u64::from(u32::from_be_bytes(png[place..place + 4].try_into().expect("four bytes")));
            assert!(side(16) * side(20) <= PIXELS + 2 * (side(16) + side(20)), "{} x {}", side(16), side(20));
        }
        Err(render::RenderError::Paint(reason)) => panic!("what is drawn here can be painted: {reason}"),
        Err(_) => {}
    }
}

/// Elements as they stand in a board's log, one a line, as SVG and as a small PNG.
pub fn pictures(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let elements: Vec<&str> = text.lines().take(LIMITS.elements).collect();
    paint(&elements, Image { mime: "image/svg+xml", bytes: b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>" });
}

/// An image of a drawing, as its bytes: what it is, how large, and painted.
pub fn images(data: &[u8]) {
    if data.len() > crate::MOST {
        return;
    }
    let image = Image { mime: "image/png", bytes: data };
    if image.format().is_none() {
        return;
    }
    if let Some(size) = image.pixels() {
        assert!(sniff::image(data).is_some(), "{size:?}, and nobody knows what it is");
    }
    let shown = r#"{"id":"a","type":"image","x":0,"y":0,"width":90,"height":60,"fileId":"f","index":"a0"}"#;
    let cropped = r#"{"id":"b","type":"image","x":50,"y":0,"width":9,"height":6,"fileId":"f","index":"a1","angle":1,
        "crop":{"x":1,"y":1,"width":2,"height":2,"naturalWidth":4,"naturalHeight":4}}"#;
    paint(&[shown, cropped], image);
}
