//! `/socket.io/`: from HTTP requests to Engine.IO sessions.

use super::posted::{self, Unposted};
use super::visitor::Visitor;
use super::{Public, error};
use crate::metrics::Closed;
use crate::protocol::engineio::session::{Session, Stage};
use crate::protocol::engineio::{MAX_PAYLOAD, polling, websocket as transport};
use crate::websocket::{self, Held, Upgrade};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::timeout;

/// The fields of a request's query.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    version: Option<String>,
    transport: Option<String>,
    sid: Option<String>,
    session_code: Option<String>,
}

impl Query {
    fn of(uri: &Uri) -> Self {
        let mut query = Self::default();
        let Ok(axum::extract::Query(pairs)) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return query;
        };
        for (name, value) in pairs {
            let field = match name.as_str() {
                "EIO" => &mut query.version,
                "transport" => &mut query.transport,
                "sid" => &mut query.sid,
                "session_code" => &mut query.session_code,
                _ => continue,
            };
            field.get_or_insert(value);
        }
        query
    }
}

/// Errors of the protocol, with the numbers that clients know.
#[derive(Clone, Copy, Debug)]
enum Fault {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    BadVersion,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (code, message) = match self {
            Self::UnknownTransport => (0, "Transport unknown"),
            Self::UnknownSession => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::BadVersion => (5, "Unsupported protocol version"),
        };
        super::json(StatusCode::BAD_REQUEST, &serde_json::json!({ "code": code, "message": message }))
    }
}

impl From<polling::Refused> for Fault {
    fn from(refused: polling::Refused) -> Self {
        match refused {
            polling::Refused::Gone => Self::UnknownSession,
            polling::Refused::Misuse => Self::BadRequest,
        }
    }
}

/// Opens sessions, waits for packets, and turns into WebSockets.
pub async fn get(
    State(public): State<Public>,
    visitor: Visitor,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<Upgrade, websocket::Refused>,
) -> Response {
    if !public.origins.allow(&headers) {
        return forbidden();
    }
    let query = Query::of(&uri);
    let answer = match query.transport.as_deref() {
        Some("polling") => get_polling(&public, query, visitor).await,
        Some("websocket") => get_websocket(&public, query, visitor, upgrade),
        _ => Err(Fault::UnknownTransport),
    };
    with_origin(&public, &headers, answer)
}

async fn get_polling(public: &Public, query: Query, visitor: Visitor) -> Result<Response, Fault> {
    let registry = &public.registry;
    let text = if let Some(sid) = query.sid {
        let session = registry.find(&sid).ok_or(Fault::UnknownSession)?;
        Bytes::from_owner(polling::poll(&session, registry).await?)
    } else {
        check_version(query.version.as_deref())?;
        if registry.stopping.is_cancelled() {
            return Ok(stopping());
        }
        match public.gate.admit(visitor.0) {
            Ok(admission) => polling::open(registry, query.session_code, admission).into(),
            Err(full) => return Ok(full.into_response()),
        }
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=UTF-8"), (header::CACHE_CONTROL, "no-store")], text)
        .into_response())
}

fn get_websocket(
    public: &Public,
    query: Query,
    visitor: Visitor,
    upgrade: Result<Upgrade, websocket::Refused>,
) -> Result<Response, Fault> {
    let registry = public.registry.clone();
    let existing = match &query.sid {
        Some(sid) => Some(registry.find(sid).ok_or(Fault::UnknownSession)?),
        None => check_version(query.version.as_deref()).map(|()| None)?,
    };
    let Ok(upgrade) = upgrade else { return Err(Fault::BadRequest) };
    if registry.stopping.is_cancelled() {
        return Ok(stopping());
    }
    let session = match existing {
        // It was admitted when it began by polling.
        Some(session) => Ok(session),
        None => match public.gate.admit(visitor.0) {
            Ok(admission) => Err(admission),
            Err(full) => return Ok(full.into_response()),
        },
    };
    let config = websocket::Config {
        max_message: MAX_PAYLOAD,
        write_timeout: registry.common.timing.ping_timeout,
        ..websocket::Config::default()
    };
    // Counted, so that a stop waits until this client has been told.
    let token = registry.tasks.token();
    Ok(upgrade.accept(config, async move |socket| {
        match session {
            Ok(session) => transport::upgrade(socket, session, registry).await,
            Err(admission) => {
                let session = Session::new(&registry.common, query.session_code, Stage::Websocket, admission);
                transport::serve(socket, Arc::new(session), registry).await;
            }
        }
        drop(token);
    }))
}

/// Takes packets.
pub async fn post(State(public): State<Public>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    if !public.origins.allow(&headers) {
        return forbidden();
    }
    let answer = post_polling(&public, &Query::of(&uri), body).await;
    with_origin(&public, &headers, answer)
}

async fn post_polling(public: &Public, query: &Query, body: Body) -> Result<Response, Fault> {
    if query.transport.as_deref() != Some("polling") {
        return Err(Fault::UnknownTransport);
    }
    let registry = &public.registry;
    let sid = query.sid.as_deref().ok_or(Fault::BadMethod)?;
    let session = registry.find(sid).ok_or(Fault::UnknownSession)?;
    let limit = registry.common.timing.request_timeout;
    let body = match timeout(limit, posted::receive(body, MAX_PAYLOAD, Held::new())).await {
        Ok(Ok(body)) => body,
        Ok(Err(Unposted::Busy)) => {
            registry.end(&session, Some(Closed::Busy)).await;
            let sentence = "More is being sent at the moment than this server has memory for. Come back in a moment.";
            return Ok(error(StatusCode::SERVICE_UNAVAILABLE, sentence));
        }
        Ok(Err(Unposted::TooLarge)) => {
            registry.end(&session, Some(Closed::Misuse)).await;
            let sentence = "A request may have at most 1,000,000 bytes. Send less at a time.";
            return Ok(error(StatusCode::PAYLOAD_TOO_LARGE, sentence));
        }
        Err(_) => {
            registry.end(&session, Some(Closed::Misuse)).await;
            return Ok(error(
                StatusCode::REQUEST_TIMEOUT,
                "The body of the request did not arrive in time. Send it again.",
            ));
        }
    };
    let Ok(text) = std::str::from_utf8(&body.bytes) else {
        registry.end(&session, Some(Closed::Misuse)).await;
        return Err(Fault::BadRequest);
    };
    polling::post(&session, registry, text).await?;
    Ok(([(header::CONTENT_TYPE, "text/html")], "ok").into_response())
}

/// Tells a browser what a page of another origin may send.
pub async fn options(State(public): State<Public>, headers: HeaderMap) -> Response {
    if !public.origins.allow(&headers) {
        return forbidden();
    }
    let mut answer = StatusCode::NO_CONTENT.into_response();
    public.origins.tell(&headers, answer.headers_mut());
    let allow = answer.headers_mut();
    allow.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        allow.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    allow.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    answer
}

fn check_version(version: Option<&str>) -> Result<(), Fault> {
    if version == Some("4") { Ok(()) } else { Err(Fault::BadVersion) }
}

fn with_origin(public: &Public, request: &HeaderMap, answer: Result<Response, Fault>) -> Response {
    let mut answer = answer.unwrap_or_else(Fault::into_response);
    public.origins.tell(request, answer.headers_mut());
    answer
}

fn forbidden() -> Response {
    error(StatusCode::FORBIDDEN, "Pages of this origin may not use this server: add the origin to CORS_ORIGINS.")
}

fn stopping() -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "The server is stopping. Try again in a moment.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        for (uri, version, sid, code) in [
            ("/socket.io/", None, None, None),
            ("/socket.io/?EIO=4&transport=polling&session_code=a%20b+c%C3%BC", Some("4"), None, Some("a b cü")),
            ("/socket.io/?session_code=first&session_code=second&sid=x&t=1", None, Some("x"), Some("first")),
            ("/socket.io/?session_code=", None, None, Some("")),
        ] {
            let query = Query::of(&uri.parse().unwrap());
            assert_eq!((query.version.as_deref(), query.sid.as_deref()), (version, sid), "{uri}");
            assert_eq!(query.session_code.as_deref(), code, "{uri}");
        }
    }
}
