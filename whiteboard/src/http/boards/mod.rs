//! The HTTP API of boards, `/api/boards`. What it takes and answers is written down in `openapi.json`.

pub mod access;
pub mod answer;
mod drawing;
mod export;
mod files;
mod history;
mod import;
pub mod live;
mod manage;
pub mod rooms;
pub mod sniff;
mod spool;
pub mod turns;

use super::origin::Origins;
use crate::board::core::{BoardMeta, Limits, Refusal};
use crate::limits::Gate;
use crate::limits::space::Marks;
use crate::store::files::{FileLimits, Uploads};
use crate::store::registry::{RegistryError, is_id};
use crate::store::{BoardName, Store};
use access::Who;
use answer::Refused;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use rooms::Rooms;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::sync::Arc;
use turns::{Turns, WORKING, turn};

/// Bytes of a request's body where nothing else is said.
const BODY: usize = 64 << 10;

/// Bytes of a drawing that is imported, if the memory for imports is not less.
const IMPORT: usize = 64 << 20;

/// What the API needs.
#[derive(Clone)]
pub struct Api {
    pub store: Store,
    pub rooms: Arc<dyn Rooms>,
    pub uploads: Uploads,
    pub files: FileLimits,
    /// What a board may hold.
    pub limits: Limits,
    /// How many boards there may be, and how full the disk.
    pub marks: Marks,
    /// Where temporary files lie: the data directory.
    pub data: PathBuf,
    /// File with the token of the person who runs the server.
    pub token_file: Option<PathBuf>,
    /// Whether anybody may see the list of boards.
    pub public_list: bool,
    pub origins: Arc<Origins>,
    pub turns: Turns,
    /// Tells people apart by their addresses.
    pub gate: Gate,
}

impl Api {
    /// An error while changes are refused because the disk is full.
    fn takes_changes(&self) -> Result<(), Refused> {
        if self.rooms.is_full() { Err(Refusal::DiskFull.into()) } else { Ok(()) }
    }
}

/// Each path with a method and what serves it: the one list of routes, which a test compares with the document.
pub fn table() -> Vec<(&'static str, Method, MethodRouter<Api>)> {
    use Method as M;
    vec![
        ("/api/boards", M::POST, post(manage::create)),
        ("/api/boards", M::GET, get(manage::list)),
        ("/api/boards/import", M::POST, post(import::new)),
        ("/api/boards/{board}", M::GET, get(manage::facts)),
        ("/api/boards/{board}", M::PATCH, patch(manage::rename)),
        ("/api/boards/{board}", M::DELETE, delete(manage::delete)),
        ("/api/boards/{board}/restore", M::POST, post(manage::restore)),
        ("/api/boards/{board}/import", M::POST, post(import::onto)),
        ("/api/boards/{board}/export.excalidraw", M::GET, get(export::excalidraw)),
        ("/api/boards/{board}/export.svg", M::GET, get(export::svg)),
        ("/api/boards/{board}/export.png", M::GET, get(export::png)),
        ("/api/boards/{board}/files/{file}", M::GET, get(files::get)),
        ("/api/boards/{board}/files/{file}", M::PUT, put(files::put)),
        ("/api/boards/{board}/history", M::GET, get(history::timeline)),
        ("/api/boards/{board}/history/{seq}", M::GET, get(history::moment)),
        ("/api/boards/{board}/history/{seq}/restore", M::POST, post(history::restore)),
        ("/api/boards/{board}/versions", M::GET, get(history::versions)),
        ("/api/boards/{board}/versions", M::POST, post(history::name_version)),
        ("/api/boards/{board}/versions/{version}", M::GET, get(history::version)),
        ("/api/boards/{board}/versions/{version}", M::DELETE, delete(history::delete_version)),
        ("/api/boards/{board}/versions/{version}/restore", M::POST, post(history::restore_version)),
        ("/api/openapi.json", M::GET, get(super::openapi::document)),
    ]
}

/// The routes of the API.
pub fn routes(api: Api) -> Router {
    let routes = table().into_iter().fold(Router::new(), |router, (path, _, serve)| router.route(path, serve));
    routes
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(api.clone(), from_elsewhere))
        .with_state(api)
}

/// Web pages of other origins: whether they may, and what their browsers are told.
async fn from_elsewhere(State(api): State<Api>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    if !api.origins.allow(&headers) {
        let sentence = "Pages of this origin may not use the server. Add it to CORS_ORIGINS.";
        return Refused::new(StatusCode::FORBIDDEN, "access", sentence).into_response();
    }
    let mut answer = if request.method() == Method::OPTIONS {
        let told = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-none-match"),
            (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        ];
        (StatusCode::NO_CONTENT, told).into_response()
    } else {
        in_json(next.run(request).await)
    };
    if headers.contains_key(header::ORIGIN) {
        api.origins.tell(&headers, answer.headers_mut());
    }
    answer
}

/// Refusals that were not made here (an address or a body that cannot be read) look like all the others.
fn in_json(answer: Response) -> Response {
    let is_json = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !answer.status().is_client_error() || is_json {
        return answer;
    }
    let (code, sentence) = match answer.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "The request is larger than what is taken here."),
        StatusCode::METHOD_NOT_ALLOWED => ("method", "This address takes other methods. See /api/openapi.json."),
        _ => ("message", "The request is not understood. See /api/openapi.json."),
    };
    Refused::new(answer.status(), code, sentence).into_response()
}

/// Which dialect's board is meant; `board` where nothing is said.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Kind {
    kind: Option<String>,
}

impl Kind {
    /// The board that an address means.
    fn name(&self, code: &str) -> Result<BoardName, Refused> {
        let kind = self.kind.as_deref().unwrap_or(BoardName::BOARD);
        if kind == BoardName::BOARD {
            return native(code);
        }
        match BoardName::of(kind, code) {
            Some(name) if (1..=200).contains(&code.len()) => Ok(name),
            Some(_) => Err(RegistryError::Unknown(code.chars().take(200).collect()).into()),
            None => Err(Refused::message("There are boards of the kinds `board`, `classroom` and `canvas`.")),
        }
    }
}

/// A board of the native dialect; one with another id than such boards have is not there.
fn native(code: &str) -> Result<BoardName, Refused> {
    if is_id(code) {
        Ok(BoardName::board(code))
    } else {
        Err(RegistryError::Unknown(code.chars().take(64).collect()).into())
    }
}

/// A board that is there, and as whom somebody comes to it.
struct Known {
    name: BoardName,
    meta: BoardMeta,
    who: Who,
}

impl Known {
    async fn find(api: &Api, name: BoardName, headers: &HeaderMap) -> Result<Self, Refused> {
        let (reader, wanted) = (api.store.reader.clone(), name.clone());
        let meta = blocking(move || Ok(reader.meta(&wanted)?)).await?;
        if !meta.exists {
            return Err(RegistryError::Unknown(name.code.to_string()).into());
        }
        let who = access::who(&name, &meta, headers, api.token_file.as_deref())?;
        Ok(Self { name, meta, who })
    }

    /// [`Self::find`], for those who may manage it.
    async fn managed(api: &Api, name: BoardName, headers: &HeaderMap) -> Result<Self, Refused> {
        let known = Self::find(api, name, headers).await?;
        known.who.manage()?;
        Ok(known)
    }

    /// An error if it is deleted.
    fn present(&self) -> Result<(), Refused> {
        match self.meta.deleted {
            Some(_) => Err(RegistryError::Deleted(self.name.code.to_string()).into()),
            None => Ok(()),
        }
    }
}

/// Runs what waits for a disk on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refused> + Send + 'static) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Refused::internal(&panic)))
}

/// [`blocking`] for what takes long, few at a time.
async fn heavy<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    // Held by the thread, not by the request: who goes away does not make room for one more.
    let permit = turn(&api.turns.heavy, WORKING).await?;
    blocking(move || {
        let done = work();
        drop(permit);
        done
    })
    .await
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut answer = super::json(status, body);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Reads a body of JSON.
fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| Refused::message(format!("The body is not what it should be: {error}.")))
}

#[cfg(test)]
mod tests;
