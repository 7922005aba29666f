//! `/livez`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::metrics::Metrics;

/// What the health routes tell. Ready means that the caches are filled, whether this process leads or not.
#[derive(Clone, Default)]
pub struct Health {
    ready: Arc<AtomicBool>,
}

impl Health {
    /// From now on `/readyz` answers well.
    pub fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }
}

/// Serves until the process ends.
pub async fn serve(address: SocketAddr, health: Health, metrics: Arc<Metrics>) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!("cannot listen at {address} ({error}): choose another address by --listen or LISTEN")
    })?;
    axum::serve(listener, router(health, metrics)).await?;
    Ok(())
}

fn router(health: Health, metrics: Arc<Metrics>) -> Router {
    let content = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Router::new()
        .route("/livez", get(|| async { r#"{"status":"ok"}"# }))
        .route("/metrics", get(move || async move { ([(header::CONTENT_TYPE, content)], metrics.text()) }))
        .route("/readyz", get(readyz))
        .with_state(health)
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    if health.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, r#"{"status":"ok"}"#)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"error","reason":"the caches are being filled"}"#)
    }
}
