//! Strokes as people draw them, in both protocols; the same ones in every run.

use std::fmt::Write;

/// Points of a stroke.
pub const POINTS: usize = 40;

/// A point of a stroke: a hand's curve, with the decimals that browsers send.
fn point(stroke: usize, n: usize) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (stroke, n) = (stroke as f64, n as f64);
    (n * 3.25 + (stroke * 1.7 + n * 0.3).sin() * 20.0, (stroke + n * 0.21).cos() * 40.0)
}

/// A list of the points of a stroke, in a range.
pub fn points(stroke: usize, range: std::ops::Range<usize>) -> String {
    let mut text = "[".to_owned();
    for n in range {
        let (x, y) = point(stroke, n);
        let comma = if text.len() > 1 { "," } else { "" };
        let _ = write!(text, "{comma}[{x:.2},{y:.2}]");
    }
    text + "]"
}

/// The keys of an Excalidraw stroke, all but its points.
fn base(id: &str, stroke: usize) -> String {
    format!(
        "\"id\":\"{id}\",\"type\":\"freedraw\",\"x\":{stroke}.5,\"y\":120.25,\"width\":130,\"height\":80,\"angle\":0,\
         \"strokeColor\":\"#1e1e1e\",\"backgroundColor\":\"transparent\",\"fillStyle\":\"solid\",\"strokeWidth\":2,\
         \"strokeStyle\":\"solid\",\"roughness\":1,\"opacity\":100,\"groupIds\":[],\"frameId\":null,\"index\":\"a{stroke:05}\",\
         \"roundness\":null,\"seed\":{stroke},\"version\":1,\"versionNonce\":{stroke},\"isDeleted\":false,\
         \"boundElements\":null,\"updated\":1,\"link\":null,\"locked\":false,\"simulatePressure\":true,\"pressures\":[]"
    )
}

/// A finished stroke as an element.
pub fn element(id: &str, stroke: usize, count: usize) -> String {
    format!("{{{},\"points\":{}}}", base(id, stroke), points(stroke, 0..count))
}

/// A part of a stroke that is being drawn, as a native message.
pub fn draft(id: &str, stroke: usize, range: std::ops::Range<usize>) -> String {
    let first = if range.start == 0 { format!(",\"base\":{{{}}}", base(id, stroke)) } else { String::new() };
    format!(
        "{{\"t\":\"draft\",\"el\":\"{id}\",\"from\":{},\"points\":{}{first}}}",
        range.start,
        points(stroke, range.clone())
    )
}

/// The same stroke as the classroom's clients write it.
pub fn classroom_stroke(stroke: usize) -> String {
    let mut text = "{\"drawMode\":true,\"strokeColor\":\"#1e1e1e\",\"strokeWidth\":4,\"paths\":[".to_owned();
    for n in 0..POINTS {
        let (x, y) = point(stroke, n);
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{{\"x\":{x:.2},\"y\":{y:.2}}}");
    }
    text + "]}"
}
