//! Where a request comes from.

use super::Site;
use crate::limits::address::UNKNOWN;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

/// The address of the client behind a request, as far as the proxies on the way can be believed.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub IpAddr);

impl FromRequestParts<Site> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Infallible> {
        let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Ok(Self(UNKNOWN));
        };
        let forwarded = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        // Collected, because the last one counts first.
        let forwarded: Vec<&str> = forwarded.collect();
        Ok(Self(site.gate.client(peer.ip(), forwarded.into_iter())))
    }
}
