//! Answers as the pages expect them: `{"success":true,"data":…}` or `{"error":sentence}`.

use crate::accounts::AccountError;
use crate::accounts::password::PasswordError;
use crate::http;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub use http::error;

/// The answer to a request that was done.
pub fn success(data: &Value) -> Response {
    http::json(StatusCode::OK, &json!({ "success": true, "data": data }))
}

/// The answer to a page that may not be here.
pub fn forbidden() -> Response {
    error(StatusCode::FORBIDDEN, "Pages of this origin may not use this server: add the origin to CORS_ORIGINS.")
}

impl IntoResponse for AccountError {
    fn into_response(self) -> Response {
        let mut answer = error(status(&self), &self.to_string());
        let wait = match &self {
            Self::TooMany { wait } => Some(wait.as_secs() + 1),
            Self::Hashing(PasswordError::Busy) => Some(2),
            Self::Store(failure) => {
                tracing::error!("{failure}");
                None
            }
            _ => None,
        };
        if let Some(seconds) = wait {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

fn status(error: &AccountError) -> StatusCode {
    match error {
        AccountError::Missing
        | AccountError::Email
        | AccountError::Username
        | AccountError::Password
        | AccountError::Color
        | AccountError::LastOwner => StatusCode::BAD_REQUEST,
        AccountError::EmailTaken | AccountError::UsernameTaken => StatusCode::CONFLICT,
        AccountError::Credentials | AccountError::NoSession => StatusCode::UNAUTHORIZED,
        AccountError::NotOwner => StatusCode::FORBIDDEN,
        AccountError::NoCanvas | AccountError::NoUser => StatusCode::NOT_FOUND,
        AccountError::Deleted => StatusCode::GONE,
        AccountError::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        AccountError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        AccountError::Refused(_) | AccountError::Hashing(PasswordError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
        AccountError::Hashing(PasswordError::Failed(_)) | AccountError::Token(_) | AccountError::Store(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_refusal_has_its_status() {
        for (refusal, expected, retry) in [
            (AccountError::Missing, 400, None),
            (AccountError::EmailTaken, 409, None),
            (AccountError::Credentials, 401, None),
            (AccountError::NoSession, 401, None),
            (AccountError::NotOwner, 403, None),
            (AccountError::NoUser, 404, None),
            (AccountError::DiskFull, 507, None),
            (AccountError::TooMany { wait: Duration::from_millis(1500) }, 429, Some("2")),
            (AccountError::Hashing(PasswordError::Busy), 503, Some("2")),
            (AccountError::Token("x".into()), 500, None),
        ] {
            let told = refusal.to_string();
            let answer = refusal.into_response();
            let wait = answer.headers().get("retry-after").map(|value| value.to_str().unwrap());
            assert_eq!((answer.status().as_u16(), wait), (expected, retry), "{told}");
        }
    }
}
