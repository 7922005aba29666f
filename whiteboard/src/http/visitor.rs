//! Who asks, and what they are told when there are too many.

use super::boards::Api;
use super::{Public, error};
use crate::limits::Gate;
use crate::limits::address::UNKNOWN;
use crate::limits::connections::Full;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

/// Seconds after which who was refused may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("10");

/// The address of the client behind a request, as far as the proxies on the way can be believed.
#[derive(Clone, Copy, Debug)]
pub struct Visitor(pub IpAddr);

impl Visitor {
    fn of(parts: &Parts, gate: &Gate) -> Self {
        let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else { return Self(UNKNOWN) };
        let values: Vec<&str> =
            parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
        Self(gate.client(peer.ip(), values.into_iter()))
    }
}

impl FromRequestParts<Public> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, public: &Public) -> Result<Self, Infallible> {
        Ok(Self::of(parts, &public.gate))
    }
}

impl FromRequestParts<Api> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        Ok(Self::of(parts, &api.gate))
    }
}

impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Site(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Address(_) => StatusCode::TOO_MANY_REQUESTS,
        };
        let mut answer = error(status, &self.to_string());
        answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_hears_why_and_when_to_come_again() {
        for (full, status) in [(Full::Site(1), 503), (Full::Address(1), 429)] {
            let answer = full.into_response();
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(answer.headers()[header::RETRY_AFTER], "10");
        }
    }
}
