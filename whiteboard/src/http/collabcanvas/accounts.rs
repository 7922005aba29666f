//! `/api/register`, `/api/login`, `/api/logout`, `/api/session`, `/api/user/color`.

use super::Site;
use super::answer::{error, success};
use super::client::Client;
use super::shown;
use crate::accounts::{AccountError, Session};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    email: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct Color {
    color: Option<String>,
}

/// Makes an account and logs in.
pub async fn register(State(site): State<Site>, Client(address): Client, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(wanted) = serde_json::from_slice::<Registration>(&body) else { return unreadable() };
    let Registration { email, username, password } = wanted;
    match site.collab.accounts.register(&email, &username, password, address).await {
        Ok(session) => begun(&site, &headers, &session),
        Err(refused) => refused.into_response(),
    }
}

/// Logs in with an e-mail address or a user name, in either field.
pub async fn log_in(State(site): State<Site>, Client(address): Client, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(wanted) = serde_json::from_slice::<Registration>(&body) else { return unreadable() };
    let Registration { email, username, password } = wanted;
    let name = if email.is_empty() { username } else { email };
    match site.collab.accounts.log_in(&name, password, address).await {
        Ok(session) => begun(&site, &headers, &session),
        Err(refused) => refused.into_response(),
    }
}

/// Ends every session that the request shows.
pub async fn log_out(State(site): State<Site>, headers: HeaderMap) -> Response {
    let tokens = shown::sessions(&headers, &site.origins);
    let mut answer = match site.collab.accounts.log_out(tokens).await {
        Ok(true) => success(&json!({ "message": "Logged out successfully" })),
        Ok(false) => error(StatusCode::UNAUTHORIZED, "No active session"),
        Err(refused) => return refused.into_response(),
    };
    for cookie in shown::forgotten_cookies() {
        set_cookie(&mut answer, &cookie);
    }
    answer
}

/// Who the session belongs to.
pub async fn session(State(site): State<Site>, headers: HeaderMap) -> Response {
    match site.collab.accounts.session(shown::sessions(&headers, &site.origins)).await {
        Ok(session) => success(&told(&session)),
        Err(refused) => refused.into_response(),
    }
}

/// Keeps the colour that somebody draws with.
pub async fn set_color(State(site): State<Site>, headers: HeaderMap, body: Bytes) -> Response {
    let accounts = &site.collab.accounts;
    let session = match accounts.session(shown::sessions(&headers, &site.origins)).await {
        Ok(session) => session,
        Err(refused) => return refused.into_response(),
    };
    let Ok(Color { color }) = serde_json::from_slice(&body) else { return unreadable() };
    let Some(color) = color else { return error(StatusCode::BAD_REQUEST, "Missing color parameter") };
    match accounts.set_color(session.user.id, &color).await {
        Ok(()) => success(&json!({ "color": color })),
        Err(refused) => refused.into_response(),
    }
}

/// The session of a request, or the answer that there is none.
pub async fn required(site: &Site, headers: &HeaderMap) -> Result<Session, AccountError> {
    site.collab.accounts.session(shown::sessions(headers, &site.origins)).await
}

fn begun(site: &Site, headers: &HeaderMap, session: &Session) -> Response {
    let mut answer = success(&told(session));
    set_cookie(&mut answer, &shown::cookie(headers, &session.token, site.collab.accounts.timeout()));
    answer
}

/// What pages are told about a session. They read `session-id` to send it in `auth`.
fn told(session: &Session) -> Value {
    let ends = jiff::Timestamp::from_millisecond(session.ends).map(|ends| ends.to_string()).unwrap_or_default();
    json!({
        "valid": true,
        "success": true,
        "session-id": session.token.text(),
        "user-id": session.user.id,
        "username": &*session.user.username,
        "email": session.email,
        "preferred-color": &*session.user.color,
        "expires-at": ends,
    })
}

fn set_cookie(answer: &mut Response, cookie: &str) {
    // Digits and words: always a header.
    if let Ok(value) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn unreadable() -> Response {
    error(StatusCode::BAD_REQUEST, "Invalid request body")
}
