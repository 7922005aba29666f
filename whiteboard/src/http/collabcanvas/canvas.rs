//! `/api/canvas/state`, and who may do what on a canvas.

use super::Site;
use super::accounts::required;
use super::answer::{error, success};
use crate::board::canvas::{self, Role};
use crate::protocol::collabcanvas::is_canvas_name;
use crate::store::{BoardName, StoreError, clock};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
pub struct Which {
    #[serde(rename = "canvasId")]
    canvas: Option<String>,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(rename = "canvasId")]
    canvas: String,
    username: String,
    /// None: as everybody.
    role: Option<String>,
}

/// The objects of a canvas as they are on disk, for who is logged in.
pub async fn state(State(site): State<Site>, Query(which): Query<Which>, headers: HeaderMap) -> Response {
    if let Err(refused) = required(&site, &headers).await {
        return refused.into_response();
    }
    let name = match checked(which.canvas) {
        Ok(name) => name,
        Err(answer) => return *answer,
    };
    let reader = site.reader.clone();
    let board = BoardName::canvas(&name);
    let loaded = tokio::task::spawn_blocking(move || reader.load::<canvas::State>(&board)).await;
    let loaded = match loaded {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(failure)) => return unreadable(&name, &failure),
        Err(panic) => {
            let source = std::io::Error::other(panic);
            return unreadable(&name, &StoreError::Directory { path: site.reader.path().to_owned(), source });
        }
    };
    if loaded.seq == 0 || loaded.meta.deleted.is_some() {
        return crate::http::json(StatusCode::OK, &json!({ "objects": [] }));
    }
    let changed = clock::now() - i64::try_from(loaded.idle.as_millis()).unwrap_or(0);
    let changed = jiff::Timestamp::from_second(changed / clock::SECOND).map(|at| at.to_string()).unwrap_or_default();
    let answer = json!({ "state": loaded.state.list(), "version": loaded.seq, "updated-at": changed });
    crate::http::json(StatusCode::OK, &answer)
}

/// Who has a role of their own on a canvas.
pub async fn collaborators(State(site): State<Site>, Query(which): Query<Which>, headers: HeaderMap) -> Response {
    if let Err(refused) = required(&site, &headers).await {
        return refused.into_response();
    }
    let name = match checked(which.canvas) {
        Ok(name) => name,
        Err(answer) => return *answer,
    };
    match site.collab.accounts.roles(&name).await {
        Ok(roles) => {
            let list: Vec<_> = roles
                .iter()
                .map(|(id, username, role)| json!({ "user-id": id, "username": username, "role": role.name() }))
                .collect();
            success(&json!({ "collaborators": list, "others": Role::Editor.name() }))
        }
        Err(refused) => refused.into_response(),
    }
}

/// Gives somebody a role, if the one who asks owns the canvas.
pub async fn set_collaborator(State(site): State<Site>, headers: HeaderMap, body: Bytes) -> Response {
    let session = match required(&site, &headers).await {
        Ok(session) => session,
        Err(refused) => return refused.into_response(),
    };
    let Ok(wanted) = serde_json::from_slice::<Wanted>(&body) else {
        return error(StatusCode::BAD_REQUEST, "Send canvasId, username, and a role or null.");
    };
    let role = match wanted.role.as_deref().map(|name| (name, Role::named(name))) {
        None => None,
        Some((_, Some(role))) => Some(role),
        Some((name, None)) => {
            let sentence =
                format!("There is no role {name:?}: write owner, editor, viewer, or null for that of others.");
            return error(StatusCode::BAD_REQUEST, &sentence);
        }
    };
    let name = match checked(Some(wanted.canvas)) {
        Ok(name) => name,
        Err(answer) => return *answer,
    };
    match site.collab.accounts.set_role(&name, session.user.id, &wanted.username, role).await {
        Ok(()) => success(&json!({ "username": wanted.username, "role": role.map(Role::name) })),
        Err(refused) => refused.into_response(),
    }
}

fn checked(canvas: Option<String>) -> Result<String, Box<Response>> {
    let refused = |sentence| Err(Box::new(error(StatusCode::BAD_REQUEST, sentence)));
    match canvas {
        None => refused("Missing canvasId parameter"),
        Some(name) if !is_canvas_name(&name) => refused("A canvasId has letters, digits and hyphens."),
        Some(name) => Ok(name),
    }
}

fn unreadable(canvas: &str, failure: &StoreError) -> Response {
    tracing::error!(canvas, "{failure}");
    let sentence = "This canvas cannot be read at the moment. Ask the person who runs the server.";
    error(StatusCode::INTERNAL_SERVER_ERROR, sentence)
}
