//! Boards of the other dialects as elements, for looking at them with the native client.
//!
//! An element's id, seed and nonce come from what it was made of, so the same stroke or object is the same element
//! each time, whoever else is on the board.

mod background;

pub use background::Background;

use super::element::Element;
use super::object::{Object, write_string};
use crate::exchange::index::Above;
use crate::render::halves::replaced;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write;

/// How much thicker Excalidraw draws a freehand stroke than its `strokeWidth` says.
const STROKE_FACTOR: f64 = 4.25;

/// The canvas under a classroom's strokes; an eraser's stroke is drawn in this colour, for elements cannot take away what lies
/// beneath them. Over a background image it therefore shows, where the classroom shows the image again.
const PAPER: &str = "#ffffff";

/// The width of a letter in terms of its height, about: clients measure the text anew when somebody edits it.
const LETTER: f64 = 0.6;

/// Excalidraw's line height of its plain font.
const LINE_HEIGHT: f64 = 1.25;

/// The order key right below the first one that strokes get: theirs stay as they are when an image comes beneath.
const BENEATH: &str = "Zz";

/// A classroom's stroke, as far as it can be drawn.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default = "yes")]
    draw_mode: bool,
    #[serde(default)]
    stroke_color: Option<String>,
    #[serde(default)]
    stroke_width: Option<f64>,
    paths: Vec<Point>,
}

#[derive(Clone, Copy, Deserialize)]
struct Point {
    x: f64,
    y: f64,
}

fn yes() -> bool {
    true
}

/// What elements have in common.
struct Frame<'a> {
    kind: &'a str,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// Radians.
    angle: f64,
    color: &'a str,
    stroke_width: f64,
}

/// Gives elements their ids and their order.
struct Maker {
    seen: HashMap<String, usize>,
    index: Above,
    made: Vec<Element>,
    /// How far to the right and down strokes go.
    reach: (f64, f64),
}

/// The strokes of a classroom's board, JSON texts in order. What is no stroke is left out.
pub fn from_strokes<'a>(strokes: impl IntoIterator<Item = &'a str>) -> Vec<Element> {
    from_classroom(strokes, None)
}

/// [`from_strokes`] with the image beneath them, which is the first element.
pub fn from_classroom<'a>(strokes: impl IntoIterator<Item = &'a str>, background: Option<&Background>) -> Vec<Element> {
    let mut maker = Maker::new();
    for text in strokes {
        let Ok(stroke) = serde_json::from_str::<Line>(text) else { continue };
        maker.stroke(text, &stroke);
    }
    if let Some(background) = background {
        let strokes = std::mem::take(&mut maker.made);
        maker.background(background);
        maker.made.extend(strokes);
    }
    maker.made
}

/// The objects of a canvas, JSON texts in order. What cannot be drawn is left out.
pub fn from_objects<'a>(objects: impl IntoIterator<Item = &'a str>) -> Vec<Element> {
    let mut maker = Maker::new();
    for text in objects {
        let Ok(object) = Object::parse(text) else { continue };
        maker.object(text, &object);
    }
    maker.made
}

/// A number without a fraction that it does not need.
fn number(value: f64) -> f64 {
    // More than a thousandth of a pixel nobody sees.
    (value * 1000.0).round() / 1000.0
}

impl Maker {
    fn new() -> Self {
        Self { seen: HashMap::new(), index: Above::new(None), made: Vec::new(), reach: (0.0, 0.0) }
    }

    fn background(&mut self, background: &Background) {
        let (width, height) = background.size(self.reach);
        let frame =
            Frame { kind: "image", x: 0.0, y: 0.0, width, height, angle: 0.0, color: "transparent", stroke_width: 1.0 };
        let id = &background.id;
        let rest = format!("\"fileId\":\"{id}\",\"status\":\"saved\",\"scale\":[1,1],\"crop\":null");
        // Another element when the paper has grown: those who look have no newer version of this one to wait for.
        self.make_at(&format!("{id} {width} {height}"), BENEATH, &frame, &rest);
    }

    fn stroke(&mut self, text: &str, stroke: &Line) {
        let points = &stroke.paths;
        let Some(first) =
            points.first().filter(|_| points.iter().all(|point| point.x.is_finite() && point.y.is_finite()))
        else {
            return;
        };
        let across = |of: fn(&Point) -> f64| {
            let (low, high) =
                points.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), n| (low.min(n), high.max(n)));
            high - low
        };
        self.reach = points.iter().fold(self.reach, |(right, down), point| (right.max(point.x), down.max(point.y)));
        let color = if stroke.draw_mode { stroke.stroke_color.as_deref().unwrap_or("#000000") } else { PAPER };
        let frame = Frame {
            kind: "freedraw",
            x: first.x,
            y: first.y,
            width: across(|point| point.x),
            height: across(|point| point.y),
            angle: 0.0,
            color,
            stroke_width: stroke.stroke_width.filter(|width| width.is_finite()).unwrap_or(4.0) / STROKE_FACTOR,
        };
        let mut rest = String::from("\"points\":[");
        for (place, point) in points.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            // Writing to a String cannot fail, here and below.
            let _ = write!(rest, "{comma}[{},{}]", number(point.x - first.x), number(point.y - first.y));
        }
        // An even pressure makes a line of even width, as the classroom draws it.
        let pressures = vec!["0.5"; points.len()].join(",");
        let _ = write!(rest, "],\"pressures\":[{pressures}],\"simulatePressure\":false,\"lastCommittedPoint\":null");
        self.make(text, &frame, &rest);
    }

    fn object(&mut self, text: &str, object: &Object<'_>) {
        let value = |key: &str| object.get(key).and_then(|text| text.parse::<f64>().ok()).filter(|n| n.is_finite());
        let word = |key: &str| object.get(key).and_then(|text| serde_json::from_str::<String>(text).ok());
        let (Some(x), Some(y)) = (value("x"), value("y")) else { return };
        let color = word("color").unwrap_or_else(|| "#000000".to_owned());
        let angle = value("rotation").unwrap_or(0.0).to_radians();
        let frame =
            |kind, x, y, width, height| Frame { kind, x, y, width, height, angle, color: &color, stroke_width: 2.0 };
        let filled = |out: &mut String| {
            out.push_str("\"backgroundColor\":");
            write_string(&color, out);
        };
        let mut rest = String::new();
        match (word("type").as_deref(), value("width"), value("height"), value("radius")) {
            (Some("rectangle"), Some(width), Some(height), _) => {
                filled(&mut rest);
                self.make(text, &frame("rectangle", x, y, width, height), &rest);
            }
            (Some("circle"), _, _, Some(radius)) => {
                filled(&mut rest);
                self.make(text, &frame("ellipse", x - radius, y - radius, 2.0 * radius, 2.0 * radius), &rest);
            }
            (Some("text"), ..) => {
                let size = value("fontSize").unwrap_or(16.0);
                // As it was written: half a surrogate pair is a text too.
                let Some(words) = object.get("text").filter(|text| text.starts_with('"')) else { return };
                let plain: String = serde_json::from_str(&replaced(words)).unwrap_or_default();
                let longest = plain.lines().map(|line| line.chars().count()).max().unwrap_or(0);
                let lines = plain.lines().count().max(1);
                #[expect(clippy::cast_precision_loss, reason = "a text has far less than 2^52 letters")]
                let (width, height) = (longest as f64 * size * LETTER, lines as f64 * size * LINE_HEIGHT);
                let _ = write!(
                    rest,
                    "\"text\":{words},\"originalText\":{words},\"fontSize\":{},\"fontFamily\":2,\"textAlign\":\"left\",\
                     \"verticalAlign\":\"top\",\"containerId\":null,\"autoResize\":true,\"lineHeight\":{LINE_HEIGHT}",
                    number(size)
                );
                self.make(text, &frame("text", x, y, width, height), &rest);
            }
            _ => {}
        }
    }

    /// Adds an element; `source`: what it is made of, `rest`: the keys that only its kind has.
    fn make(&mut self, source: &str, frame: &Frame<'_>, rest: &str) {
        let index = self.index.next_key();
        self.make_at(source, &index, frame, rest);
    }

    fn make_at(&mut self, source: &str, index: &str, frame: &Frame<'_>, rest: &str) {
        let digest: [u8; 32] = Sha256::digest(source.as_bytes()).into();
        let hash = digest[..8].iter().fold(0, |hash: u64, byte| hash << 8 | u64::from(*byte));
        let name = format!("{hash:016x}");
        let twins = self.seen.entry(name.clone()).or_default();
        let id = if *twins == 0 { name } else { format!("{name}-{twins}") };
        *twins += 1;
        let Frame { kind, x, y, width, height, angle, color, stroke_width } = frame;
        let mut text = format!(
            "{{\"id\":\"{id}\",\"type\":\"{kind}\",\"x\":{},\"y\":{},\"width\":{},\"height\":{},\"angle\":{angle},\"strokeColor\":",
            number(*x),
            number(*y),
            number(*width),
            number(*height)
        );
        write_string(color, &mut text);
        if !rest.contains("\"backgroundColor\"") {
            text.push_str(",\"backgroundColor\":\"transparent\"");
        }
        let seed = hash & 0x7fff_ffff;
        let _ = write!(
            text,
            ",\"fillStyle\":\"solid\",\"strokeWidth\":{},\"strokeStyle\":\"solid\",\"roughness\":0,\"opacity\":100,\
             \"groupIds\":[],\"frameId\":null,\"index\":\"{index}\",\"roundness\":null,\"seed\":{seed},\"version\":1,\
             \"versionNonce\":{seed},\"isDeleted\":false,\"boundElements\":null,\"updated\":1,\"link\":null,\
             \"locked\":false,{rest}}}",
            number(*stroke_width)
        );
        // What is written here is an element unless a colour or a number is beyond all measure: then it is left out.
        self.made.extend(Element::from_text(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn values(elements: &[Element]) -> Vec<Value> {
        elements.iter().map(|element| serde_json::from_str(element.text()).unwrap()).collect()
    }

    #[test]
    fn a_stroke_becomes_a_freehand_line_of_the_same_width() {
        let text = r##"{"drawMode":true,"strokeColor":"#f00","strokeWidth":8.5,"paths":[{"x":10,"y":20},{"x":13.5,"y":18},{"x":11,"y":30}],"more":1}"##;
        let all = from_strokes([text]);
        let line = &values(&all)[0];
        assert_eq!(line["type"], "freedraw");
        assert_eq!(line["points"], json!([[0, 0], [3.5, -2], [1, 10]]));
        assert_eq!(line["pressures"], json!([0.5, 0.5, 0.5]));
        assert_eq!((&line["x"], &line["y"]), (&json!(10), &json!(20)));
        assert_eq!((&line["width"], &line["height"]), (&json!(3.5), &json!(12)));
        assert_eq!((&line["strokeWidth"], &line["strokeColor"]), (&json!(2), &json!("#f00")));
        assert_eq!(all[0].index().as_deref(), Some("a0"));
    }

    #[test]
    fn an_eraser_draws_in_the_colour_of_the_paper() {
        let text = r##"{"drawMode":false,"strokeColor":"#f00","strokeWidth":20,"paths":[{"x":1,"y":2}]}"##;
        assert_eq!(values(&from_strokes([text]))[0]["strokeColor"], "#ffffff");
    }

    #[test]
    fn what_is_no_stroke_is_left_out() {
        let texts =
            ["7", "{}", r#"{"paths":[]}"#, r#"{"paths":[{"x":1}]}"#, r#"{"paths":[{"x":1e999,"y":0}]}"#, "null"];
        assert!(from_strokes(texts).is_empty());
        assert_eq!(from_strokes([r#"{"paths":[{"x":1,"y":2}]}"#]).len(), 1, "colour and width may be missing");
    }

    #[test]
    fn ids_are_the_same_each_time_whatever_else_is_there() {
        let (a, b) = (r#"{"paths":[{"x":1,"y":2}]}"#, r#"{"paths":[{"x":3,"y":4}]}"#);
        let ids = |texts: &[&str]| {
            from_strokes(texts.iter().copied()).iter().map(|element| element.id().to_string()).collect::<Vec<_>>()
        };
        let both = ids(&[a, b]);
        assert_eq!(ids(&[b, a]), [both[1].clone(), both[0].clone()]);
        assert_eq!(ids(&[a, a, b]), [both[0].clone(), format!("{}-1", both[0]), both[1].clone()]);
    }

    #[test]
    fn objects_become_shapes() {
        let all = from_objects([
            r##"{"id":"r","type":"rectangle","x":1,"y":2,"width":30,"height":40,"color":"#abc","rotation":90}"##,
            r##"{"id":"c","type":"circle","x":10,"y":20,"radius":5,"color":"#123456"}"##,
            r#"{"id":"t","type":"text","x":0,"y":0,"text":"two\nlines","fontSize":20}"#,
            r#"{"id":"t2","type":"text","x":0,"y":0,"text":"\ud800"}"#,
            r#"{"id":"?","type":"star","x":0,"y":0}"#,
            r#"{"id":"?","type":"circle","x":0,"y":0}"#,
            "[]",
        ]);
        let shapes = values(&all[..3]);
        assert_eq!((&shapes[0]["type"], &shapes[0]["width"]), (&json!("rectangle"), &json!(30)));
        assert_eq!((&shapes[0]["backgroundColor"], &shapes[0]["strokeColor"]), (&json!("#abc"), &json!("#abc")));
        assert!((shapes[0]["angle"].as_f64().unwrap() - std::f64::consts::FRAC_PI_2).abs() < 1e-9);
        assert_eq!(
            (&shapes[1]["type"], &shapes[1]["x"], &shapes[1]["height"]),
            (&json!("ellipse"), &json!(5), &json!(10))
        );
        assert_eq!((&shapes[2]["text"], &shapes[2]["height"]), (&json!("two\nlines"), &json!(50)));
        assert!(all[3].text().contains(r#""text":"\ud800""#) && all[3].text().contains(r#""width":9.6,"#));
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn an_image_lies_beneath_the_strokes_which_stay_as_they_are() {
        let stroke = |x: u32| format!(r#"{{"paths":[{{"x":{x},"y":2}}]}}"#);
        let background = Background::read(r#""data:image/gif;base64,R0lGODlhBQAGAA==""#).unwrap();
        let both = |x| from_classroom([&*stroke(x)], Some(&background));
        let all = both(1);
        let image = &values(&all)[0];
        assert_eq!((&image["type"], &image["fileId"]), (&json!("image"), &json!(background.id)));
        assert_eq!((&image["x"], &image["y"]), (&json!(0), &json!(0)));
        assert_eq!((&image["width"], &image["height"]), (&json!(600), &json!(720)));
        assert_eq!(all[1..], from_strokes([&*stroke(1)]));
        assert!(all[0].index() < all[1].index() && crate::exchange::index::is_valid(BENEATH));
        assert_eq!(both(1280)[0], all[0]);
        let wider = &both(1281)[0];
        assert_ne!(wider.id(), all[0].id());
        assert_eq!(values(std::slice::from_ref(wider))[0]["height"], 900);
    }

    #[test]
    fn elements_lie_above_each_other_in_their_order() {
        let all = from_strokes((0..100).map(|_| r#"{"paths":[{"x":1,"y":2}]}"#));
        assert!(all.windows(2).all(|pair| pair[0].index() < pair[1].index()));
    }
}
