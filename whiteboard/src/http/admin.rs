//! The admin port: metrics for a scraper, and the stream of a backup for who has the token.

use super::error;
use super::health::Health;
use crate::backup::HASH_HEADER;
use crate::backup::digest::{self, Sha256Hex};
use crate::limits::space::Space;
use crate::metrics::{Metrics, Sampled};
use crate::store::{DATABASE, Reader, StoreError, clock, disk, disk::Temporary};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are read and sent at a time.
const CHUNK: usize = 64 << 10;

/// Room that must stay on the disk beyond the copy itself, so that drawing goes on meanwhile.
const SPARE: u64 = 16 << 20;

/// What the admin port needs.
#[derive(Clone)]
pub struct Admin {
    pub metrics: Arc<Metrics>,
    pub reader: Arc<Reader>,
    pub health: Arc<Health>,
    pub space: Arc<Space>,
    /// When the server started.
    pub start: Instant,
    pub data: PathBuf,
    pub token_file: Option<PathBuf>,
    /// One copy at a time.
    pub copying: Arc<Semaphore>,
}

impl Admin {
    /// What is looked up when somebody asks.
    pub(super) async fn sample(&self) -> Sampled {
        let reader = self.reader.clone();
        let boards_stored = tokio::task::spawn_blocking(move || reader.boards()).await;
        let (disk_free_bytes, disk_bytes) = disk::space(&self.data).unwrap_or_default();
        Sampled {
            database_bytes: disk::database_bytes(&self.data),
            boards_stored: boards_stored.ok().and_then(Result::ok).unwrap_or_default(),
            disk_free_bytes,
            disk_bytes,
            unix_ms: clock::now(),
        }
    }
}

/// OpenMetrics text.
pub async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.render(admin.sample().await) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "The metrics could not be written."),
    }
}

/// Streams a consistent copy of the database, as of now, while drawing goes on. Its hash and length are in the
/// headers. The copy lies on the data volume for as long as that takes.
pub async fn backup(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    if let Err((status, sentence)) = authorize(admin.token_file.as_deref(), &headers) {
        return error(status, sentence);
    }
    let Ok(permit) = admin.copying.clone().try_acquire_owned() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "Another backup is being taken. Try again when it is done.");
    };
    let data = admin.data.clone();
    match tokio::task::spawn_blocking(move || make_copy(&data)).await {
        Ok(Ok((copy, hash, length))) => match tokio::fs::File::open(copy.path()).await {
            Ok(file) => {
                let headers = [
                    (header::CONTENT_TYPE.as_str(), "application/vnd.sqlite3".to_owned()),
                    (header::CONTENT_LENGTH.as_str(), length.to_string()),
                    (HASH_HEADER, hash.to_string()),
                ];
                (headers, Body::from_stream(stream(file, copy, permit))).into_response()
            }
            Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, &format!("The copy cannot be read: {failure}.")),
        },
        Ok(Err(failure @ StoreError::DiskFull { .. })) => error(StatusCode::INSUFFICIENT_STORAGE, &failure.to_string()),
        Ok(Err(failure)) => error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
        Err(panic) => error(StatusCode::INTERNAL_SERVER_ERROR, &format!("The copy failed: {panic}.")),
    }
}

fn make_copy(data: &Path) -> Result<(Temporary, Sha256Hex, u64), StoreError> {
    disk::require(data, disk::database_bytes(data) + SPARE)?;
    let copy = Temporary::new(data);
    // A connection of its own: loading boards does not wait for it.
    Reader::open(&data.join(DATABASE))?.copy_to(copy.path())?;
    let (hash, length) = digest::of_file(copy.path()).map_err(StoreError::directory(data))?;
    Ok((copy, hash, length))
}

fn stream(
    file: tokio::fs::File,
    copy: Temporary,
    permit: OwnedSemaphorePermit,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    futures_util::stream::unfold((file, copy, permit), async |(mut file, copy, permit)| {
        let mut chunk = vec![0; CHUNK];
        match file.read(&mut chunk).await {
            Ok(0) => None,
            Ok(length) => {
                chunk.truncate(length);
                Some((Ok(chunk.into()), (file, copy, permit)))
            }
            Err(failure) => Some((Err(failure), (file, copy, permit))),
        }
    })
}

/// Whether the request carries the token. The file is read each time: a rotated token is valid at once.
fn authorize(token_file: Option<&Path>, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let Some(file) = token_file else {
        return Err((StatusCode::FORBIDDEN, "Backups are off: start the server with ADMIN_TOKEN_FILE to allow them."));
    };
    let token = std::fs::read_to_string(file).unwrap_or_default();
    let token = token.trim();
    if token.is_empty() {
        return Err((
            StatusCode::FORBIDDEN,
            "The server's ADMIN_TOKEN_FILE is missing or empty: write a token into it.",
        ));
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
    // Hashes are compared: how long that takes tells nothing about the token.
    if given.strip_prefix("Bearer ").is_some_and(|given| digest::of(given.as_bytes()) == digest::of(token.as_bytes())) {
        Ok(())
    } else {
        Err((StatusCode::UNAUTHORIZED, "Send the admin token: `Authorization: Bearer <token>`."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().unwrap())])
    }

    #[test]
    fn only_the_token_of_now_opens() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let status = |headers: &HeaderMap| authorize(Some(&file), headers).err().map(|(status, _)| status.as_u16());
        assert_eq!(authorize(None, &bearer("Bearer x")).unwrap_err().0, StatusCode::FORBIDDEN);
        assert_eq!(status(&bearer("Bearer ")), Some(403), "no file");
        std::fs::write(&file, "\n").unwrap();
        assert_eq!(status(&bearer("Bearer ")), Some(403), "empty file");
        std::fs::write(&file, "secret\n").unwrap();
        for (headers, expected) in [
            (bearer("Bearer secret"), None),
            (bearer("Bearer secre"), Some(401)),
            (bearer("Bearer secret2"), Some(401)),
            (bearer("secret"), Some(401)),
            (HeaderMap::new(), Some(401)),
        ] {
            assert_eq!(status(&headers), expected, "{headers:?}");
        }
        std::fs::write(&file, "rotated").unwrap();
        assert_eq!(status(&bearer("Bearer secret")), Some(401));
        assert_eq!(status(&bearer("Bearer rotated")), None);
    }
}
