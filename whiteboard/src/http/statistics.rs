//! The live statistics page of the admin port.

use super::admin::Admin;
use crate::metrics::{Metrics, Sampled, resident_bytes, threads};
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

const PAGE: &str = include_str!("../web/statistics.html");

/// Everything is in the page itself: it works where there is no way out.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

/// The page; it refreshes itself from `/statistics.json`.
pub async fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
}

/// The numbers of now.
pub async fn json(State(admin): State<Admin>) -> Response {
    let sampled = admin.sample().await;
    let mut numbers = numbers(&admin.metrics, sampled);
    numbers["seconds_running"] = json!(admin.start.elapsed().as_secs());
    numbers["disk_level"] = json!(admin.space.level().label());
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(numbers)).into_response()
}

fn numbers(metrics: &Metrics, sampled: Sampled) -> Value {
    let statistics = metrics.statistics();
    let month = metrics.month(sampled.unix_ms);
    let latencies: serde_json::Map<String, Value> = metrics
        .latencies()
        .into_iter()
        .map(|(name, latency)| {
            let of = |percent| latency.percentile_ms(percent);
            (name.to_owned(), json!({ "p50_ms": of(50), "p95_ms": of(95), "p99_ms": of(99) }))
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "time_ms": sampled.unix_ms,
        "connections": metrics.connections_by_dialect().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "closed": metrics.closed_by_reason().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "boards_open": statistics.boards,
        "boards_stored": sampled.boards_stored,
        "operations": statistics.operations,
        "requests": metrics.requests.get(),
        "requests_refused": metrics.refused.get(),
        "deliveries": statistics.deliveries,
        "volatile_dropped": metrics.volatile_dropped.get(),
        "superseded": metrics.superseded.get(),
        "latency": latencies,
        "sent_bytes": metrics.bytes_sent.get(),
        "sent_month_bytes": month.bytes(),
        "sent_month_limit_bytes": metrics.month_limit(),
        "database_bytes": sampled.database_bytes,
        "disk_free_bytes": sampled.disk_free_bytes,
        "disk_bytes": sampled.disk_bytes,
        "memory_bytes": resident_bytes(),
        "threads": threads(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Closed, Counted, Transport};
    use crate::store::BoardName;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn the_numbers_are_those_of_the_metrics() {
        let metrics = Arc::new(Metrics::default());
        let _held = Counted::new(&metrics, BoardName::CANVAS, Transport::Websocket);
        metrics.closed(Closed::TooMany);
        metrics.delivery_seconds.observe(Duration::from_millis(3));
        metrics.bytes_sent.inc_by(10);
        let numbers = numbers(&metrics, Sampled { boards_stored: 3, ..Sampled::default() });
        for (path, expected) in [
            ("/connections/canvas", json!(1)),
            ("/connections/board", json!(0)),
            ("/closed", json!({ "too_many": 1 })),
            ("/latency/delivery/p99_ms", json!(4.0)),
            ("/latency/commit/p50_ms", Value::Null),
            ("/sent_month_bytes", json!(10)),
            ("/sent_month_limit_bytes", Value::Null),
            ("/boards_stored", json!(3)),
        ] {
            assert_eq!(numbers.pointer(path), Some(&expected), "{path} in {numbers}");
        }
    }

    #[test]
    fn the_page_needs_nothing_from_outside_and_shows_each_number() {
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://") && !PAGE.contains("src="));
        let numbers = numbers(&Metrics::default(), Sampled::default());
        for key in numbers.as_object().unwrap().keys() {
            assert!(PAGE.contains(key.as_str()), "the page does not show {key}");
        }
    }
}
