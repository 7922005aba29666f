//! CollabCanvas over HTTP: accounts, the state of a canvas, health, and the way to its WebSocket.

mod accounts;
mod answer;
mod canvas;
mod client;
mod health;
mod shown;
mod upgrade;

use crate::http::health::Health;
use crate::http::origin::Origins;
use crate::limits::Gate;
use crate::metrics::Metrics;
use crate::protocol::collabcanvas::socket::Collab;
use crate::store::Reader;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// Bytes that a request's body may have.
const BODY_BYTES: usize = 64 << 10;

/// What these routes need.
#[derive(Clone)]
pub struct Site {
    pub collab: Arc<Collab>,
    pub reader: Arc<Reader>,
    pub health: Arc<Health>,
    pub origins: Arc<Origins>,
    pub gate: Gate,
    pub metrics: Arc<Metrics>,
}

/// The routes.
pub fn routes(site: Site) -> Router {
    let api = Router::new()
        .route("/health", get(health::health))
        .route("/api/register", post(accounts::register))
        .route("/api/login", post(accounts::log_in))
        .route("/api/logout", post(accounts::log_out))
        .route("/api/session", get(accounts::session).post(accounts::session))
        .route("/api/user/color", post(accounts::set_color))
        .route("/api/canvas/state", get(canvas::state))
        .route("/api/canvas/collaborators", get(canvas::collaborators).post(canvas::set_collaborator))
        .method_not_allowed_fallback(async || answer::error(StatusCode::METHOD_NOT_ALLOWED, "Use another method."))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(site.clone(), with_origin));
    Router::new().route("/ws/{canvas}", get(upgrade::upgrade)).merge(api).with_state(site)
}

/// Whether a request shows the session of somebody with an account.
pub async fn is_logged_in(site: &Site, headers: &HeaderMap) -> bool {
    site.collab.accounts.session(shown::sessions(headers, &site.origins)).await.is_ok()
}

/// Keeps pages of other origins out, answers their preflights, and tells browsers what a page may read: credentials
/// only where origins are listed, never with `*`.
async fn with_origin(State(site): State<Site>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    if !site.origins.allow(&headers) {
        return answer::forbidden();
    }
    let mut answer = if request.method() == Method::OPTIONS {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        let allow = answer.headers_mut();
        let methods = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
        allow.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let names = HeaderValue::from_static("Content-Type, Authorization, X-Session-ID");
        allow.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        allow.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        answer
    } else {
        next.run(request).await
    };
    site.origins.tell(&headers, answer.headers_mut());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
