//! `/ws/<canvas-id>`: from a request to a connection.

use super::Site;
use super::answer::{error, forbidden};
use super::client::Client;
use super::shown;
use crate::metrics::{Counted, Transport};
use crate::protocol::collabcanvas::is_canvas_name;
use crate::protocol::collabcanvas::socket::{Socket, serve};
use crate::room::Outbox;
use crate::store::BoardName;
use crate::websocket::{BEFORE_HELLO, Config, Refused, Upgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Opens a WebSocket. Nothing is sent on it before its client has shown who it is.
pub async fn upgrade(
    State(site): State<Site>,
    Client(address): Client,
    Path(canvas): Path<String>,
    headers: HeaderMap,
    upgrade: Result<Upgrade, Refused>,
) -> Response {
    if !site.origins.allow(&headers) {
        return forbidden();
    }
    if !is_canvas_name(&canvas) {
        let sentence = "Invalid WebSocket path - expected /ws/<canvas-id>, of letters, digits and hyphens.";
        return error(StatusCode::BAD_REQUEST, sentence);
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    let collab = site.collab.clone();
    if collab.stopping.is_cancelled() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping. Try again in a moment.");
    }
    let admission = match site.gate.admit(address) {
        Ok(admission) => admission,
        Err(full) => return full.into_response(),
    };
    let cookies = shown::cookie_sessions(&headers, &site.origins);
    // Counted, so that a stop waits until what this client sent is on disk.
    let token = collab.tasks.token();
    let config = Config { max_message: BEFORE_HELLO, ..Config::default() };
    upgrade.accept(config, async move |connection| {
        let outbox = Arc::new(Outbox::new(site.metrics.clone()));
        let counted = Counted::new(&site.metrics, BoardName::CANVAS, Transport::Websocket);
        serve(connection, Socket::new(collab, &canvas, outbox, cookies, admission.household())).await;
        drop((admission, counted, token));
    })
}
