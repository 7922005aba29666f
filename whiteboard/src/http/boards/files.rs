//! Images of boards: streamed to a temporary file while they are hashed, then kept in the database.

use super::access::bearer;
use super::answer::Refused;
use super::spool::{SPARE, Spooled, Unspooled, spool};
use super::turns::{SENDING, WORKING, large, turn, unread};
use super::{Api, Kind, Known, blocking, heavy, sniff};
use crate::board::classroom;
use crate::board::scene::foreign::Background;
use crate::store::disk::{self, Temporary};
use crate::store::files::Incoming;
use crate::store::history::When;
use crate::store::registry::{RegistryError, is_id};
use crate::store::{BoardName, Reader};
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Scripts in an SVG never run, whoever opens it; styles inside of it count.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What came.
struct Received {
    spooled: Spooled,
    sha256: [u8; 32],
    head: Vec<u8>,
}

/// `PUT /api/boards/{board}/files/{file}`
pub async fn put(
    State(api): State<Api>,
    Path((board, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refused> {
    let board = super::native(&board)?;
    if !is_id(&file) {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "file",
            "An image's id has 1 to 64 of the characters A-Z a-z 0-9 _ and -.",
        ));
    }
    check(request.headers(), api.files.file)?;
    api.takes_changes()?;
    let (reader, wanted) = (api.store.reader.clone(), board.clone());
    let meta = blocking(move || Ok(reader.meta(&wanted)?)).await?;
    if !meta.exists {
        return Err(RegistryError::Unknown(board.code.to_string()).into());
    }
    if meta.deleted.is_some() {
        return Err(RegistryError::Deleted(board.code.to_string()).into());
    }
    let received = receive(&api, request.into_body()).await?;
    let mime = sniff::image(&received.head).ok_or_else(|| {
        let sentence = "This is no image that boards can show. Send PNG, JPEG, GIF, WebP, AVIF, BMP, ICO or SVG.";
        Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "file", sentence)
    })?;
    // Few at a time: each has pieces in the queue of the writer.
    let _turn = turn(&api.turns.uploads, SENDING).await?;
    let kept = blocking(move || {
        let Received { spooled, sha256, .. } = received;
        let incoming = Incoming { path: spooled.file.path(), sha256, bytes: spooled.bytes, mime };
        Ok(api.store.keep_file(&api.uploads, &board, &file, &incoming, api.files)?)
    })
    .await?;
    Ok(super::json(StatusCode::OK, &json!({ "bytes": kept.bytes, "type": kept.mime, "sha256": hex(&kept.sha256) })))
}

/// What the head of a request tells already.
fn check(headers: &HeaderMap, limit: u64) -> Result<(), Refused> {
    if bearer(headers).is_none_or(|key| !(16..=128).contains(&key.chars().count())) {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "key",
            "Send your key of 16 to 128 characters: `Authorization: Bearer <key>`.",
        ));
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if !text(header::CONTENT_TYPE).is_some_and(|kind| kind.to_ascii_lowercase().starts_with("image/")) {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "file",
            "Only images are kept. Send the image's bytes with its `Content-Type: image/…`.",
        ));
    }
    match text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn too_large(limit: u64) -> Refused {
    let sentence = format!("An image may have {limit} bytes. Make it smaller.");
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", sentence)
}

/// Writes what comes to a temporary file.
async fn receive(api: &Api, body: Body) -> Result<Received, Refused> {
    let limit = api.files.file;
    let (mut hash, mut head) = (Sha256::new(), Vec::new());
    let spooled = spool(api, body, limit, |piece| {
        hash.update(piece);
        head.extend_from_slice(&piece[..piece.len().min(sniff::HEAD - head.len())]);
    });
    match spooled.await {
        Ok(spooled) => Ok(Received { spooled, sha256: hash.finalize().into(), head }),
        Err(Unspooled::TooLarge) => Err(too_large(limit)),
        Err(Unspooled::Incomplete) => {
            let sentence = "The image did not come whole. Send it again.";
            Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "file", sentence))
        }
        Err(Unspooled::Refused(refused)) => Err(refused),
    }
}

/// `GET /api/boards/{board}/files/{file}`
pub async fn get(
    State(api): State<Api>,
    Path((board, file)): Path<(String, String)>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let board = kind.name(&board)?;
    if board.dialect != BoardName::BOARD {
        return background(api, board, &file, &headers).await;
    }
    let (reader, name) = (api.store.reader.clone(), file.clone());
    let found = blocking(move || Ok(reader.file(&board, &name)?)).await?;
    let Some(kept) = found else { return Err(missing(&file)) };
    let shared = told_of(&hex(&kept.sha256));
    if is_known(&headers, &shared) {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    let own = [(header::CONTENT_TYPE, kept.mime.clone()), (header::CONTENT_LENGTH, kept.bytes.to_string())];
    Ok((shared, own, Body::from_stream(pieces(api.store.reader.clone(), kept.id))).into_response())
}

/// The image under a classroom's strokes, as it is now. Its id is of its bytes. Whoever knows a session's code may see it.
async fn background(api: Api, board: BoardName, file: &str, headers: &HeaderMap) -> Result<Response, Refused> {
    let known = Known::find(&api, board, headers).await?;
    known.present()?;
    if known.name.dialect != BoardName::CLASSROOM {
        return Err(missing(file));
    }
    let turns = api.turns.clone();
    let place = turn(&turns.answers, WORKING).await?;
    let found = heavy(&api.clone(), move || {
        let now = api.store.reader.past::<classroom::State>(&known.name, When::Now)?;
        Ok(Background::read(now.state.background()))
    })
    .await?;
    let image = found.filter(|image| image.id == file).ok_or_else(|| missing(file))?;
    let shared = told_of(&image.id);
    if is_known(headers, &shared) {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    let place = unread(&turns, image.bytes.len(), place).await?;
    let own = [(header::CONTENT_TYPE, image.mime.to_owned()), (header::CONTENT_LENGTH, image.bytes.len().to_string())];
    Ok((shared, own, large(image.bytes, place)).into_response())
}

fn missing(file: &str) -> Refused {
    let file: String = file.chars().take(64).collect();
    Refused::new(StatusCode::NOT_FOUND, "file", format!("The board has no image {file:?}."))
}

type Shared = [(HeaderName, String); 4];

/// What the heads of all answers with the same image say: the same id never means other bytes, for as long as the board has
/// the image. `tag`: of the bytes.
fn told_of(tag: &str) -> Shared {
    [
        (header::ETAG, format!("\"{tag}\"")),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
    ]
}

/// Whether the client says that it has this image already.
fn is_known(headers: &HeaderMap, [(_, tag), ..]: &Shared) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == *tag))
}

/// The bytes, a piece at a time, as fast as the client takes them.
fn pieces(reader: Arc<Reader>, file: i64) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::unfold((reader, file, 0), async |(reader, id, n)| {
        let from = reader.clone();
        let piece = tokio::task::spawn_blocking(move || from.piece(id, n)).await;
        match piece.map_err(std::io::Error::other).and_then(|piece| piece.map_err(std::io::Error::other)) {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(Bytes::from(piece)), (reader, id, n + 1))),
            // The connection ends early, and with that the client knows.
            Err(error) => Some((Err(error), (reader, id, n))),
        }
    })
}

/// An image that came inside a drawing.
pub fn keep(api: &Api, board: &BoardName, id: &str, bytes: &[u8]) -> Result<(), Refused> {
    let mime = look(api, id, bytes)?;
    disk::require(&api.data, bytes.len() as u64 + SPARE)?;
    let file = Temporary::new(&api.data);
    std::fs::write(file.path(), bytes).map_err(|error| Refused::internal(&error))?;
    let sha256 = Sha256::digest(bytes).into();
    let incoming = Incoming { path: file.path(), sha256, bytes: bytes.len() as u64, mime };
    api.store.keep_file(&api.uploads, board, id, &incoming, api.files)?;
    Ok(())
}

/// What kind of image this is; an error if it is none that is kept.
pub fn look(api: &Api, id: &str, bytes: &[u8]) -> Result<&'static str, Refused> {
    let refused = |reason: &str| {
        Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "file", format!("The image {id:?} of the file {reason}."))
    };
    if !is_id(id) {
        return Err(refused("has an id with other characters than A-Z a-z 0-9 _ and -, or more than 64"));
    }
    if bytes.len() as u64 > api.files.file {
        return Err(too_large(api.files.file));
    }
    sniff::image(&bytes[..bytes.len().min(sniff::HEAD)]).ok_or_else(|| refused("is none that boards can show"))
}

fn hex(digest: &[u8; 32]) -> String {
    let half =
        |range: std::ops::Range<usize>| digest[range].iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    format!("{:032x}{:032x}", half(0..16), half(16..32))
}
