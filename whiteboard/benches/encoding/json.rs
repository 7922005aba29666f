//! The messages as the protocol has them.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::io::Write as _;

/// What the server must understand; the rest goes through as it came.
#[derive(Deserialize)]
struct Message<'a> {
    t: &'a str,
    #[serde(borrow, default)]
    k: Option<&'a RawValue>,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
    #[serde(borrow, default)]
    el: Option<&'a RawValue>,
    #[serde(default)]
    from: u32,
    #[serde(borrow, default)]
    points: Option<&'a RawValue>,
    #[serde(borrow, default)]
    elements: Vec<&'a RawValue>,
}

/// What decides a merge.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element<'a> {
    id: &'a str,
    version: u64,
    version_nonce: u64,
}

fn list(points: &[(i32, i32)]) -> String {
    let mut text = "[".to_owned();
    for (n, (x, y)) in points.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}[{:.2},{:.2}]", f64::from(*x) / 100.0, f64::from(*y) / 100.0);
    }
    text + "]"
}

pub fn cursor(x: i32, y: i32) -> String {
    let (x, y) = (f64::from(x) / 100.0, f64::from(y) / 100.0);
    format!("{{\"t\":\"v\",\"k\":\"cursor\",\"d\":{{\"x\":{x:.2},\"y\":{y:.2},\"tool\":\"freedraw\"}}}}")
}

pub fn draft(points: &[(i32, i32)]) -> String {
    format!("{{\"t\":\"draft\",\"el\":\"oDVXy8D6rom3H1-LLH2-f\",\"from\":120,\"points\":{}}}", list(points))
}

pub fn stroke(points: &[(i32, i32)]) -> String {
    format!(
        "{{\"t\":\"change\",\"id\":17,\"gesture\":3,\"elements\":[{{\"id\":\"oDVXy8D6rom3H1-LLH2-f\",\"type\":\"freedraw\",\
         \"x\":812.5,\"y\":120.25,\"width\":875,\"height\":280,\"angle\":0,\"strokeColor\":\"#1e1e1e\",\
         \"backgroundColor\":\"transparent\",\"fillStyle\":\"solid\",\"strokeWidth\":2,\"strokeStyle\":\"solid\",\
         \"roughness\":1,\"opacity\":100,\"groupIds\":[],\"frameId\":null,\"index\":\"a1\",\"roundness\":null,\
         \"seed\":1278240551,\"version\":4,\"versionNonce\":453,\"isDeleted\":false,\"boundElements\":null,\
         \"updated\":1763737000000,\"link\":null,\"locked\":false,\"simulatePressure\":true,\"pressures\":[],\
         \"points\":{}}}]}}",
        list(points)
    )
}

/// Reads a message and writes what the others get; the bytes written.
pub fn pass_on(text: &str, client: u64, out: &mut Vec<u8>) -> usize {
    out.clear();
    let Ok(message) = serde_json::from_str::<Message<'_>>(text) else { return 0 };
    let raw = |value: Option<&RawValue>| value.map_or("null", RawValue::get).to_owned();
    // Writing to a Vec cannot fail.
    let _ = match message.t {
        "v" => write!(out, "{{\"t\":\"v\",\"c\":{client},\"k\":{},\"d\":{}}}", raw(message.k), raw(message.d)),
        "draft" => write!(
            out,
            "{{\"t\":\"draft\",\"c\":{client},\"el\":{},\"from\":{},\"points\":{}}}",
            raw(message.el),
            message.from,
            raw(message.points)
        ),
        _ => {
            let _ = write!(out, "{{\"t\":\"change\",\"seq\":99,\"by\":\"0123456789abcdef\",\"elements\":[");
            for element in &message.elements {
                let Ok(stamp) = serde_json::from_str::<Element<'_>>(element.get()) else { return 0 };
                std::hint::black_box((stamp.id, stamp.version, stamp.version_nonce));
                out.extend_from_slice(element.get().as_bytes());
            }
            out.write_all(b"]}")
        }
    };
    out.len()
}
