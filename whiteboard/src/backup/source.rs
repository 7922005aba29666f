//! Where a backup comes from: a running server's admin port, or a data directory.

use super::{BackupError, HASH_HEADER, digest};
use crate::store::{DATABASE, Reader, disk};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Between two tries to reach a server that may be restarting.
const RETRY: Duration = Duration::from_secs(2);

/// For a connection to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// For the copy to be made, and between two pieces of it.
const SILENCE: Duration = Duration::from_mins(2);

/// What a `--from` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The admin port of a server, as `host:port`.
    Server(String),
    /// A data directory, in use or not.
    Directory(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("the admin port speaks plain http:// and is not for the open network".to_owned());
        }
        let Some(rest) = text.strip_prefix("http://") else { return Ok(Self::Directory(text.into())) };
        let address = rest.trim_end_matches('/');
        if address.is_empty() || address.contains('/') || address.contains('@') {
            return Err("write the address of the admin port like http://whiteboard:9090".to_owned());
        }
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self::Server(if has_port { address.to_owned() } else { format!("{address}:9090") }))
    }
}

impl Source {
    /// Brings a consistent copy to `target` (which does not exist) and onto the disk. A server that does not answer
    /// is tried again for `patience`.
    pub async fn fetch(&self, token: Option<&str>, target: &Path, patience: Duration) -> Result<(), BackupError> {
        match self {
            Self::Server(address) => {
                let start = Instant::now();
                loop {
                    match download(address, token, target).await {
                        Err(error) if is_passing(&error) && start.elapsed() < patience => {
                            tracing::info!("{error} Trying again.");
                            sleep(RETRY).await;
                        }
                        done => return done,
                    }
                }
            }
            Self::Directory(directory) => copy(directory, target),
        }
    }
}

/// Whether a little later the same request may succeed.
fn is_passing(error: &BackupError) -> bool {
    match error {
        BackupError::Unreachable { .. } | BackupError::Incomplete { .. } => true,
        BackupError::Refused { status, .. } => matches!(status, 502..=504),
        _ => false,
    }
}

fn copy(directory: &Path, target: &Path) -> Result<(), BackupError> {
    let database = directory.join(DATABASE);
    if !database.exists() {
        return Err(BackupError::Usage(format!(
            "There is no {DATABASE} in {}: is it a data directory?",
            directory.display()
        )));
    }
    if let Some(parent) = target.parent() {
        disk::require(parent, disk::database_bytes(directory))?;
    }
    Reader::open(&database)?.copy_to(target)?;
    let failed = BackupError::file(target);
    std::fs::File::open(target).and_then(|file| file.sync_all()).map_err(failed)
}

async fn download(address: &str, token: Option<&str>, target: &Path) -> Result<(), BackupError> {
    let unreachable = |cause: String| BackupError::Unreachable { address: address.to_owned(), cause };
    let silent = |_| unreachable("nothing came for two minutes".to_owned());
    let stream = timeout(CONNECT, TcpStream::connect(address))
        .await
        .map_err(|_| unreachable("no connection within five seconds".to_owned()))?
        .map_err(|error| unreachable(error.to_string()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.to_string()))?;
    let connection = tokio::spawn(connection);
    let mut request = Request::get("/backup").header(header::HOST, address);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|_| BackupError::Usage("The token file holds characters that a token cannot have.".to_owned()))?;
    let response = timeout(SILENCE, sender.send_request(request))
        .await
        .map_err(silent)?
        .map_err(|error| unreachable(error.to_string()))?;
    let outcome = match response.status() {
        StatusCode::OK => receive(response, target).await,
        status => Err(refusal(status, response).await),
    };
    connection.abort();
    outcome
}

async fn refusal(status: StatusCode, response: Response<Incoming>) -> BackupError {
    let body = Limited::new(response.into_body(), 4096).collect().await.map(http_body_util::Collected::to_bytes);
    let sentence = body
        .ok()
        .and_then(|body| serde_json::from_slice::<serde_json::Value>(&body).ok())
        .and_then(|body| body["error"].as_str().map(str::to_owned));
    BackupError::Refused { status: status.as_u16(), sentence: sentence.unwrap_or_else(|| "no reason given.".into()) }
}

async fn receive(response: Response<Incoming>, target: &Path) -> Result<(), BackupError> {
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let expected: u64 = text("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let hash = text(HASH_HEADER);
    let failed = BackupError::file(target);
    if let Some(parent) = target.parent() {
        disk::require(parent, expected)?;
    }
    let mut file = tokio::fs::File::create(target).await.map_err(&failed)?;
    let mut body = response.into_body();
    let mut received = 0;
    // A broken connection ends the loop early; the length tells.
    while let Ok(Some(Ok(frame))) = timeout(SILENCE, body.frame()).await {
        if let Ok(data) = frame.into_data() {
            received += data.len() as u64;
            file.write_all(&data).await.map_err(&failed)?;
        }
    }
    if received != expected {
        return Err(BackupError::Incomplete { received, expected });
    }
    file.sync_all().await.map_err(&failed)?;
    let (found, _) = digest::of_file(target).map_err(&failed)?;
    match hash {
        Some(hash) if hash != found.to_string() => {
            Err(BackupError::Differs { path: target.to_owned(), what: "the hash that the server announced" })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_directories_are_told_apart() {
        for (text, expected) in [
            ("http://wb:9090", Ok(Source::Server("wb:9090".into()))),
            ("http://wb:9091/", Ok(Source::Server("wb:9091".into()))),
            ("http://wb", Ok(Source::Server("wb:9090".into()))),
            ("http://[::1]:9090", Ok(Source::Server("[::1]:9090".into()))),
            ("./data", Ok(Source::Directory("./data".into()))),
            ("/data", Ok(Source::Directory("/data".into()))),
        ] {
            assert_eq!(text.parse::<Source>(), expected);
        }
        for text in ["https://wb:9090", "http://", "http://wb/backup", "http://user@wb"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        for (error, passing) in [
            (BackupError::Unreachable { address: "a".into(), cause: "b".into() }, true),
            (BackupError::Incomplete { received: 1, expected: 2 }, true),
            (BackupError::Refused { status: 503, sentence: String::new() }, true),
            (BackupError::Refused { status: 401, sentence: String::new() }, false),
            (BackupError::Refused { status: 507, sentence: String::new() }, false),
            (BackupError::None("x".into()), false),
        ] {
            assert_eq!(is_passing(&error), passing, "{error}");
        }
    }

    #[tokio::test]
    async fn a_directory_without_database_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let source = Source::Directory(directory.path().to_owned());
        let error = source.fetch(None, &directory.path().join("x"), Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains("is it a data directory?"), "{error}");
        let source: Source = "http://127.0.0.1:1".parse().unwrap();
        let error = source.fetch(None, &directory.path().join("x"), Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains("does not answer") && error.contains("admin port"), "{error}");
    }
}
