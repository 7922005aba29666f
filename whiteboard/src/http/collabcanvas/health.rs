//! `/health`, as containers of the older system ask for it each 30 s.

use super::Site;
use crate::store::clock;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

/// Like `/readyz`, with the names of the contract. The timestamp counts from 1970.
pub async fn health(State(site): State<Site>) -> Response {
    let faults = site.health.faults().await;
    let timestamp = clock::now() / clock::SECOND;
    if faults.is_empty() {
        let body = json!({ "status": "ok", "service": "collabcanvas", "timestamp": timestamp });
        return crate::http::json(StatusCode::OK, &body);
    }
    let body = json!({
        "status": "error",
        "service": "collabcanvas",
        "timestamp": timestamp,
        "reason": faults.join("; "),
    });
    crate::http::json(StatusCode::SERVICE_UNAVAILABLE, &body)
}
