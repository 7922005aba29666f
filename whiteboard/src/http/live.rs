//! `/boards/{board}/live`: from an HTTP request to a connection of the native dialect.

use super::collabcanvas::is_logged_in;
use super::visitor::Visitor;
use super::{Public, error};
use crate::metrics::{Counted, Transport};
use crate::protocol::native::{foreign, session};
use crate::store::BoardName;
use crate::websocket::{BEFORE_HELLO, Config, Refused, Upgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// Whether a board of the native dialect can have this name [P1].
pub fn is_board_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Opens a connection.
pub async fn get(
    State(public): State<Public>,
    visitor: Visitor,
    Path(board): Path<String>,
    headers: HeaderMap,
    upgrade: Result<Upgrade, Refused>,
) -> Response {
    if !public.origins.allow(&headers) {
        let sentence = "Pages of this origin may not use this server: add the origin to CORS_ORIGINS.";
        return error(StatusCode::FORBIDDEN, sentence);
    }
    let name = if is_board_name(&board) { Some(BoardName::board(&board)) } else { foreign::board_of(&board) };
    let Some(name) = name else {
        let sentence = "The name of a board has 1 to 64 characters of A-Z, a-z, 0-9, - and _.";
        return error(StatusCode::NOT_FOUND, sentence);
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    // As at `/ws/` and `/api/canvas/state`: a canvas is for those with an account. The page's cookie comes along.
    let may_look = name.dialect != BoardName::CANVAS || is_logged_in(&public.collabcanvas, &headers).await;
    let live = public.live;
    if live.is_stopping() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping. Try again in a moment.");
    }
    let admission = match public.gate.admit(visitor.0) {
        Ok(admission) => admission,
        Err(full) => return full.into_response(),
    };
    let metrics = public.metrics;
    // Counted, so that a stop waits until this client has been told.
    let token = live.tasks.token();
    let config = Config { max_message: live.limits.message.min(BEFORE_HELLO), ..Config::default() };
    upgrade.accept(config, move |connection| async move {
        let counted = Counted::new(&metrics, BoardName::BOARD, Transport::Websocket);
        session::serve(connection, name, may_look, live).await;
        drop((admission, counted, token));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p1_names_of_boards() {
        for (name, is_name) in [
            ("a", true),
            ("Physics_7b-2", true),
            (&*"x".repeat(64), true),
            ("", false),
            (&*"x".repeat(65), false),
            ("a b", false),
            ("a/b", false),
            ("é", false),
            ("a.b", false),
        ] {
            assert_eq!(is_board_name(name), is_name, "{name}");
        }
    }
}
