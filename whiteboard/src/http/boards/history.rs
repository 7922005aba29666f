//! A board's past over HTTP: its moments, the board at one of them, back to one of them, moments with a name.

use super::answer::Refused;
use super::drawing::drawing;
use super::rooms::Past;
use super::turns::{WORKING, large, turn, unread};
use super::{Api, Kind, Known, blocking, heavy, json, read_json};
use crate::board::scene::action::{RestoreTo, What};
use crate::board::{canvas, classroom, scene};
use crate::store::history::{MOMENTS, When};
use crate::store::{BoardName, Reader};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json as value;

/// What an address of a moment may say.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct WithFiles {
    /// Whether images come along; by default they do not, for a client has them already.
    #[serde(default)]
    files: bool,
}

/// `GET /api/boards/{board}/history`
pub async fn timeline(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let known = Known::managed(&api, kind.name(&board)?, &headers).await?;
    let timeline = blocking(move || Ok(api.store.reader.timeline(&known.name, MOMENTS)?)).await?;
    Ok(json(StatusCode::OK, &value!(timeline)))
}

/// `GET /api/boards/{board}/history/{seq}`
pub async fn moment(
    State(api): State<Api>,
    Path((board, seq)): Path<(String, u64)>,
    Query(kind): Query<Kind>,
    Query(wish): Query<WithFiles>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    show(api, &board, &kind, When::Seq(seq), wish, &headers).await
}

/// `GET /api/boards/{board}/versions/{version}`
pub async fn version(
    State(api): State<Api>,
    Path((board, version)): Path<(String, i64)>,
    Query(kind): Query<Kind>,
    Query(wish): Query<WithFiles>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    show(api, &board, &kind, When::Version(version), wish, &headers).await
}

async fn show(
    api: Api,
    board: &str,
    kind: &Kind,
    when: When,
    wish: WithFiles,
    headers: &HeaderMap,
) -> Result<Response, Refused> {
    let known = Known::managed(&api, kind.name(board)?, headers).await?;
    let turns = api.turns.clone();
    let place = turn(&turns.answers, WORKING).await?;
    let text = heavy(&api.clone(), move || {
        let drawing = drawing(&api, &known.name, when)?;
        let pictures = if wish.files { drawing.pictures(&api, &known.name)? } else { Vec::new() };
        drawing.excalidraw(&pictures)
    })
    .await?;
    let place = unread(&turns, text.len(), place).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_LENGTH, text.len().to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, large(text, place)).into_response())
}

/// `POST /api/boards/{board}/history/{seq}/restore`
pub async fn restore(
    State(api): State<Api>,
    Path((board, seq)): Path<(String, u64)>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    bring_back(api, &kind.name(&board)?, When::Seq(seq), &headers).await
}

/// `POST /api/boards/{board}/versions/{version}/restore`
pub async fn restore_version(
    State(api): State<Api>,
    Path((board, version)): Path<(String, i64)>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    bring_back(api, &kind.name(&board)?, When::Version(version), &headers).await
}

/// Makes a moment the present, as a new operation: what was drawn since stays in the history.
async fn bring_back(api: Api, name: &BoardName, when: When, headers: &HeaderMap) -> Result<Response, Refused> {
    let known = Known::managed(&api, name.clone(), headers).await?;
    known.present()?;
    api.takes_changes()?;
    let seq = if name.dialect == BoardName::BOARD {
        let store = api.store.clone();
        let back = heavy(&api, move || {
            let past = store.past_to_bring_back::<scene::State>(&known.name, when)?;
            Ok(RestoreTo::of(past.seq, &past.state))
        })
        .await?;
        api.rooms.change(name.clone(), vec![What::RestoreTo(back)]).await?
    } else {
        let reader = api.store.reader.clone();
        let past = heavy(&api, move || past(&reader, &known.name, when)).await?;
        api.rooms.replace(name.clone(), past).await?;
        let (reader, name) = (api.store.reader.clone(), name.clone());
        blocking(move || Ok(reader.last(&name)?)).await?
    };
    Ok(json(StatusCode::OK, &value!({ "seq": seq })))
}

/// Reads a moment of a board of another dialect. Blocks.
fn past(reader: &Reader, name: &BoardName, when: When) -> Result<Past, Refused> {
    if name.dialect == BoardName::CLASSROOM {
        let state = reader.past::<classroom::state::State>(name, when)?.state;
        return Ok(Past::Classroom { strokes: state.strokes().to_vec(), background: state.background().into() });
    }
    Ok(Past::Canvas(reader.past::<canvas::State>(name, when)?.state))
}

/// `GET /api/boards/{board}/versions`
pub async fn versions(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let known = Known::managed(&api, kind.name(&board)?, &headers).await?;
    let versions = blocking(move || Ok(api.store.reader.versions(&known.name)?)).await?;
    Ok(json(StatusCode::OK, &value!({ "versions": versions })))
}

/// A moment that is to get a name.
#[derive(Debug, Deserialize)]
struct NewVersion {
    name: String,
    /// None: the board as it is now.
    seq: Option<u64>,
    author: Option<String>,
}

/// `POST /api/boards/{board}/versions`
pub async fn name_version(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let known = Known::managed(&api, kind.name(&board)?, &headers).await?;
    known.present()?;
    api.takes_changes()?;
    let wish: NewVersion = read_json(&body)?;
    if wish.author.as_ref().is_some_and(|author| author.chars().count() > 100) {
        return Err(Refused::message("The name of an author has at most 100 characters."));
    }
    let when = wish.seq.map_or(When::Now, When::Seq);
    let version =
        heavy(&api.clone(), move || Ok(api.store.name_version(&known.name, when, &wish.name, wish.author)?)).await?;
    Ok(json(StatusCode::CREATED, &value!(version)))
}

/// `DELETE /api/boards/{board}/versions/{version}`
pub async fn delete_version(
    State(api): State<Api>,
    Path((board, version)): Path<(String, i64)>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<StatusCode, Refused> {
    let known = Known::managed(&api, kind.name(&board)?, &headers).await?;
    api.store.delete_version(&known.name, version).await?;
    Ok(StatusCode::NO_CONTENT)
}
