//! Answers that say no: a status, a code for programs, a sentence for people.

use crate::board::core;
use crate::exchange::ExchangeError;
use crate::store::StoreError;
use crate::store::files::FileError;
use crate::store::history::HistoryError;
use crate::store::registry::RegistryError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not done. It is answered as `{"error": sentence, "code": code}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub status: StatusCode,
    /// As in PROTOCOL.md, where it is one of those.
    pub code: &'static str,
    pub sentence: String,
}

impl Refused {
    pub fn new(status: StatusCode, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { status, code, sentence: sentence.into() }
    }

    /// A request that is not understood.
    pub fn message(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "message", sentence)
    }

    /// Something is wrong here, not with the request; what it is stands in the log.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!("a request could not be served: {cause}");
        let sentence = "The server could not do that. Try again; if it stays so, tell the person who runs the server.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", sentence)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut answer =
            (self.status, axum::Json(json!({ "error": self.sentence, "code": self.code }))).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull { .. } => core::Refusal::DiskFull.into(),
            StoreError::Stopped => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", error.to_string()),
            // Sentences of the store name files of the server: they are for its log.
            other => Self::internal(&other),
        }
    }
}

impl From<core::Refusal> for Refused {
    fn from(refusal: core::Refusal) -> Self {
        let status = match refusal {
            core::Refusal::DiskLow | core::Refusal::DiskFull | core::Refusal::TooManyBoards => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            core::Refusal::TooManyOfAddress => StatusCode::TOO_MANY_REQUESTS,
            core::Refusal::Deleted => StatusCode::GONE,
            core::Refusal::Unreadable | core::Refusal::Unsaved => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refusal.code(), refusal.sentence())
    }
}

impl From<RegistryError> for Refused {
    fn from(error: RegistryError) -> Self {
        let (status, code) = match &error {
            RegistryError::Taken(_) => (StatusCode::CONFLICT, "taken"),
            RegistryError::Id(_) | RegistryError::Title => (StatusCode::BAD_REQUEST, "message"),
            RegistryError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown-board"),
            RegistryError::Deleted(_) => (StatusCode::GONE, "deleted-board"),
            RegistryError::NotDeleted(_) => (StatusCode::CONFLICT, "not-deleted"),
            RegistryError::TooMany(_) => (StatusCode::INSUFFICIENT_STORAGE, "too-many"),
            RegistryError::Chance => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            RegistryError::Store(_) => {
                let RegistryError::Store(error) = error else { unreachable!("matched just now") };
                return error.into();
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<HistoryError> for Refused {
    fn from(error: HistoryError) -> Self {
        let (status, code) = match &error {
            HistoryError::UnknownBoard(_) => (StatusCode::NOT_FOUND, "unknown-board"),
            HistoryError::UnknownSeq(_) => (StatusCode::NOT_FOUND, "unknown-seq"),
            HistoryError::Folded { .. } | HistoryError::Earlier { .. } => (StatusCode::GONE, "unknown-seq"),
            HistoryError::UnknownVersion(_) => (StatusCode::NOT_FOUND, "unknown-version"),
            HistoryError::Name => (StatusCode::BAD_REQUEST, "message"),
            HistoryError::TooManyVersions => (StatusCode::CONFLICT, "too-many"),
            HistoryError::Dialect => (StatusCode::NOT_IMPLEMENTED, "kind"),
            HistoryError::Store(_) => {
                let HistoryError::Store(error) = error else { unreachable!("matched just now") };
                return error.into();
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        let (status, code) = match &error {
            FileError::UnknownBoard(_) => (StatusCode::NOT_FOUND, "unknown-board"),
            FileError::DeletedBoard(_) => (StatusCode::GONE, "deleted-board"),
            FileError::Differs(_) => (StatusCode::CONFLICT, "file"),
            FileError::BoardFull(_) => (StatusCode::PAYLOAD_TOO_LARGE, "board-full"),
            FileError::Unreadable(_) | FileError::Chance => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            FileError::Store(_) => {
                let FileError::Store(error) = error else { unreachable!("matched just now") };
                return error.into();
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<ExchangeError> for Refused {
    fn from(error: ExchangeError) -> Self {
        let (status, code) = match &error {
            ExchangeError::Bytes { .. } | ExchangeError::Count { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "file"),
        };
        Self::new(status, code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_the_store_stay_in_the_log() {
        let path = "/var/lib/secret-place/whiteboard.db";
        for (error, status) in [
            (StoreError::NotSaved(format!("The disk that holds {path} is full")), 500),
            (StoreError::Foreign { path: path.into() }, 500),
            (StoreError::DiskFull { path: path.into(), free: 1, needed: 2 }, 507),
            (StoreError::Stopped, 503),
        ] {
            for refused in [Refused::from(RegistryError::Store(copy(&error))), Refused::from(error)] {
                assert_eq!(refused.status.as_u16(), status);
                assert!(!refused.sentence.contains("secret-place"), "{}", refused.sentence);
                assert!(refused.sentence.ends_with('.'), "{}", refused.sentence);
            }
        }
    }

    fn copy(error: &StoreError) -> StoreError {
        match error {
            StoreError::NotSaved(text) => StoreError::NotSaved(text.clone()),
            StoreError::Foreign { path } => StoreError::Foreign { path: path.clone() },
            StoreError::DiskFull { path, free, needed } => {
                StoreError::DiskFull { path: path.clone(), free: *free, needed: *needed }
            }
            _ => StoreError::Stopped,
        }
    }

    #[test]
    fn each_refusal_has_a_code_for_programs() {
        for (refused, status, code) in [
            (Refused::from(RegistryError::Taken("a".into())), 409, "taken"),
            (RegistryError::Deleted("a".into()).into(), 410, "deleted-board"),
            (RegistryError::TooMany(5).into(), 507, "too-many"),
            (HistoryError::UnknownSeq(7).into(), 404, "unknown-seq"),
            (HistoryError::Folded { asked: 1, first: 2 }.into(), 410, "unknown-seq"),
            (FileError::Differs("cat".into()).into(), 409, "file"),
            (FileError::BoardFull(9).into(), 413, "board-full"),
            (core::Refusal::DiskLow.into(), 507, "disk-low"),
            (core::Refusal::TooManyOfAddress.into(), 429, "too-many"),
            (ExchangeError::Count { what: "elements", limit: 1 }.into(), 413, "too-large"),
            (ExchangeError::Depth { limit: 1 }.into(), 422, "file"),
            (Refused::message("What?"), 400, "message"),
        ] {
            assert_eq!((refused.status.as_u16(), refused.code), (status, code), "{}", refused.sentence);
        }
    }

    #[tokio::test]
    async fn who_shows_nothing_is_asked_for_a_bearer() {
        let answer = Refused::new(StatusCode::UNAUTHORIZED, "access", "Show a secret.").into_response();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        assert_eq!(body, r#"{"code":"access","error":"Show a secret."}"#);
    }
}
