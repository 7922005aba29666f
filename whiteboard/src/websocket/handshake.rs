//! From an HTTP request to a connection (RFC 6455, section 4.2).

use super::{Config, Connection};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Why a request does not become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("This address is for WebSockets: send a GET request with the headers of an upgrade.")]
    NoUpgrade,
    #[error("This server speaks version 13 of WebSocket.")]
    Version,
    #[error("Sec-WebSocket-Key must be 16 bytes in Base64.")]
    Key,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = if self == Self::Key { StatusCode::BAD_REQUEST } else { StatusCode::UPGRADE_REQUIRED };
        let mut answer = (status, axum::Json(serde_json::json!({ "error": self.to_string() }))).into_response();
        if self != Self::Key {
            answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        answer
    }
}

/// A request that wants to become a WebSocket, as an extractor. Dropping it refuses.
#[derive(Debug)]
pub struct Upgrade {
    accept: HeaderValue,
    on_upgrade: OnUpgrade,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let accept = check(&parts.method, &parts.headers)?;
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Refused::NoUpgrade)?;
        Ok(Self { accept, on_upgrade })
    }
}

impl Upgrade {
    /// Answers the request; `serve` runs in a task of its own once the answer is sent, if the client is still there.
    pub fn accept<F>(self, config: Config, serve: impl FnOnce(Connection) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let on_upgrade = self.on_upgrade;
        tokio::spawn(async move {
            if let Some(connection) = take(on_upgrade, config).await {
                // The task keeps this small: what serves a connection is built once the handshake is behind it.
                serve(connection).await;
            }
        });
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        answer
    }
}

/// Takes the socket out of hyper, so that none of its buffers stays.
async fn take(on_upgrade: OnUpgrade, config: Config) -> Option<Connection> {
    let upgraded = match on_upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!("a client left before its upgrade was answered: {error}");
            return None;
        }
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded connection is no TCP socket: it is closed");
        return None;
    };
    Some(Connection::new(parts.io.into_inner(), &parts.read_buf, config))
}

/// Checks a request; the value of the answer's `Sec-WebSocket-Accept`.
fn check(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, Refused> {
    let lists = |name, wanted: &str| {
        headers.get_all(name).iter().any(|value: &HeaderValue| {
            value.to_str().unwrap_or("").split(',').any(|token| token.trim().eq_ignore_ascii_case(wanted))
        })
    };
    if method != Method::GET || !lists(header::CONNECTION, "upgrade") || !lists(header::UPGRADE, "websocket") {
        return Err(Refused::NoUpgrade);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refused::Version);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).ok_or(Refused::Key)?;
    // 16 bytes in Base64.
    if key.len() != 24 || !key.ends_with(b"==") || !key[..22].iter().all(|letter| LETTERS.contains(letter)) {
        return Err(Refused::Key);
    }
    HeaderValue::from_str(&accept_key(key)).map_err(|_| Refused::Key)
}

fn accept_key(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    base64(&digest)
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn the_key_of_the_rfc_is_answered_as_there() {
        let accept = check(&Method::GET, &headers(&GOOD)).unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn other_requests_are_refused() {
        assert_eq!(check(&Method::POST, &headers(&GOOD)), Err(Refused::NoUpgrade));
        for (name, value, refused) in [
            ("connection", "keep-alive", Refused::NoUpgrade),
            ("upgrade", "h2c", Refused::NoUpgrade),
            ("sec-websocket-version", "8", Refused::Version),
            ("sec-websocket-key", "", Refused::Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", Refused::Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ===", Refused::Key),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQdGhlIHNhbXBsZSBub25jZQ==", Refused::Key),
        ] {
            let pairs = GOOD.map(|(n, v)| if n == name { (n, value) } else { (n, v) });
            assert_eq!(check(&Method::GET, &headers(&pairs)), Err(refused), "{name}: {value}");
            let without: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
            assert!(check(&Method::GET, &headers(&without)).is_err(), "without {name}");
        }
        assert_eq!(Refused::Version.into_response().headers()["sec-websocket-version"], "13");
        assert_eq!(Refused::Key.into_response().status(), StatusCode::BAD_REQUEST);
    }
}
