//! JSON text against a binary form, for the messages that are sent most: `cargo bench -p whiteboard --bench encoding`.
//!
//! Measured is what a server does with each: read the client's message as far as it must understand it, and write the
//! one that the others get. The binary form is what one would make by hand for this purpose: one byte of kind, variable
//! length numbers, points as differences in hundredths. See PROTOCOL.md, "Why JSON text".

mod binary;
mod json;

use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;

/// Points of a draft's part and of a finished stroke.
const PART: usize = 4;
const STROKE: usize = 500;

/// A message in either form.
pub struct Sample {
    name: &'static str,
    text: String,
    bytes: Vec<u8>,
}

/// Points of a stroke in hundredths, as a hand draws.
pub fn points(count: usize) -> Vec<(i32, i32)> {
    (0..count)
        .map(|n| {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let n = n as f64;
            #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
            let hundredths = |value: f64| (value * 100.0).round() as i32;
            (hundredths(n * 1.75 + (n * 0.3).sin() * 12.0), hundredths((n * 0.05).cos() * 140.0))
        })
        .collect()
}

/// Processor time of this thread: what else the machine does costs nothing here.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Nanoseconds a call, the best of several rounds: what disturbs only ever adds.
fn nanoseconds(mut work: impl FnMut() -> usize) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let (start, mut calls) = (used(), 0u32);
        while used().saturating_sub(start) < Duration::from_millis(60) {
            for _ in 0..64 {
                black_box(work());
            }
            calls += 64;
        }
        best = best.min(used().saturating_sub(start).as_secs_f64() * 1e9 / f64::from(calls));
    }
    best
}

fn main() {
    let (part, stroke) = (points(PART), points(STROKE));
    let samples = [
        Sample { name: "cursor", text: json::cursor(12_345, -678), bytes: binary::cursor(12_345, -678) },
        Sample { name: "part of a draft, 4 points", text: json::draft(&part), bytes: binary::draft(&part) },
        Sample { name: "finished stroke, 500 points", text: json::stroke(&stroke), bytes: binary::stroke(&stroke) },
    ];
    println!("| message | JSON, bytes | binary, bytes | JSON, ns | binary, ns |\n|---|---|---|---|---|");
    for Sample { name, text, bytes } in &samples {
        let mut out = Vec::new();
        let by_json = nanoseconds(|| json::pass_on(black_box(text), 7, &mut out));
        let by_binary = nanoseconds(|| binary::pass_on(black_box(bytes), 7, &mut out));
        println!("| {name} | {} | {} | {by_json:.0} | {by_binary:.0} |", text.len(), bytes.len());
    }
}
