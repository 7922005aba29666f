//! What is served over HTTP: the public port and the admin port.

pub mod admin;
pub mod boards;
pub mod client;
pub mod collabcanvas;
pub mod health;
pub mod listener;
pub mod live;
pub mod openapi;
pub mod origin;
pub mod page;
mod posted;
pub mod redirect;
pub mod socketio;
pub mod statistics;
pub mod timely;
pub mod visitor;

use crate::limits::Gate;
use crate::metrics::Metrics;
use crate::protocol::engineio::registry::Registry;
use crate::protocol::native::live::Live;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use health::Health;
use http_body_util::BodyExt;
use origin::Origins;
use std::sync::Arc;

/// What the public port needs.
#[derive(Clone)]
pub struct Public {
    pub registry: Arc<Registry>,
    pub live: Arc<Live>,
    pub collabcanvas: collabcanvas::Site,
    pub health: Arc<Health>,
    pub origins: Arc<Origins>,
    pub https_redirect: bool,
    /// Who may show a board in a frame.
    pub frame_ancestors: axum::http::HeaderValue,
    pub boards: boards::Api,
    /// Lets connections in.
    pub gate: Gate,
    pub metrics: Arc<Metrics>,
}

/// Routes of the public port.
pub fn public(public: Public) -> Router {
    let router = Router::new()
        .route("/boards/{board}/live", get(live::get))
        .route("/socket.io", get(socketio::get).post(socketio::post).options(socketio::options))
        .route("/socket.io/", get(socketio::get).post(socketio::post).options(socketio::options))
        .with_state(public.clone())
        .merge(page::routes(&public.frame_ancestors))
        .merge(boards::routes(public.boards))
        .merge(health::routes(public.health))
        .merge(collabcanvas::routes(public.collabcanvas))
        .fallback(not_found);
    let metrics = public.metrics;
    let router = router.layer(middleware::from_fn_with_state(timely::Allowance::default(), timely::in_time));
    let router =
        router.layer(middleware::map_response(move |answer| std::future::ready(counted(answer, metrics.clone()))));
    if public.https_redirect { router.layer(middleware::from_fn(to_https)) } else { router }
}

/// Any path that there is not.
pub async fn not_found() -> Response {
    json(StatusCode::NOT_FOUND, &serde_json::json!({ "error": "Not Found" }))
}

/// An answer in JSON.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, axum::Json(body)).into_response()
}

/// An answer `{"error": sentence}`.
pub fn error(status: StatusCode, sentence: &str) -> Response {
    json(status, &serde_json::json!({ "error": sentence }))
}

/// Counts the bytes of an answer's body as they leave.
fn counted(answer: Response, metrics: Arc<Metrics>) -> Response {
    answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                metrics.bytes_sent.inc_by(data.len() as u64);
            }
            frame
        }))
    })
}

async fn to_https(request: Request, next: Next) -> Response {
    let target = {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        redirect::target(header("x-forwarded-proto"), header("host"), path)
    };
    match target {
        Some(location) => (StatusCode::PERMANENT_REDIRECT, [("location", location)]).into_response(),
        None => next.run(request).await,
    }
}

/// Routes of the admin port.
pub fn admin(admin: admin::Admin) -> Router {
    let health = admin.health.clone();
    Router::new()
        .route("/", get(statistics::page))
        .route("/statistics.json", get(statistics::json))
        .route("/metrics", get(admin::metrics))
        .route("/backup", get(admin::backup))
        .with_state(admin)
        .merge(health::routes(health))
        .fallback(not_found)
}
