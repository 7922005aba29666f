//! `/livez`, `/readyz`, `/healthz`: 200 `{"status":"ok"}` or 503 `{"status":"error","reason":"…; …"}`, within a second.

use super::json;
use crate::store::Reader;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How long a check may take.
const PATIENCE: Duration = Duration::from_millis(900);

/// What the checks look at.
#[derive(Debug)]
pub struct Health {
    reader: Arc<Reader>,
    stopping: AtomicBool,
}

impl Health {
    pub fn new(reader: Arc<Reader>) -> Self {
        Self { reader, stopping: AtomicBool::new(false) }
    }

    /// From now on the server is not ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Why the server is not ready; empty if it is.
    pub async fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.stopping.load(Ordering::Acquire) {
            faults.push("the server is stopping".to_owned());
        }
        let reader = self.reader.clone();
        match timeout(PATIENCE, tokio::task::spawn_blocking(move || reader.probe())).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => faults.push(error.to_string()),
            Ok(Err(panic)) => faults.push(format!("the database check failed: {panic}")),
            Err(_) => faults.push("the database does not answer within a second".to_owned()),
        }
        faults
    }
}

/// The three routes, for both ports.
pub fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/healthz", get(ready))
        .with_state(health)
}

/// That this is answered is the proof.
async fn live() -> Response {
    answer(&[])
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    answer(&health.faults().await)
}

fn answer(faults: &[String]) -> Response {
    if faults.is_empty() {
        json(StatusCode::OK, &serde_json::json!({ "status": "ok" }))
    } else {
        let body = serde_json::json!({ "status": "error", "reason": faults.join("; ") });
        json(StatusCode::SERVICE_UNAVAILABLE, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    #[tokio::test]
    async fn a_server_is_ready_while_its_database_answers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let connection = schema::open(&path).unwrap();
        let health = Health::new(Arc::new(Reader::open(&path).unwrap()));
        assert_eq!(health.faults().await, [] as [String; 0]);
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(health.faults().await[0].contains("newer release"));
        connection.pragma_update(None, "user_version", schema::VERSION).unwrap();
        connection.execute_batch("DROP TABLE snapshots; DROP TABLE operations; DROP TABLE boards").unwrap();
        health.stop();
        let faults = health.faults().await;
        assert_eq!(faults.len(), 2);
        assert!(faults[0].contains("stopping") && faults[1].contains("failed"), "{faults:?}");
        let body = axum::body::to_bytes(answer(&faults).into_body(), 1000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["status"], "error");
        assert!(body["reason"].as_str().unwrap().contains("the server is stopping; The database"));
    }
}
