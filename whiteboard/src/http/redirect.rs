//! From HTTP to HTTPS, behind any proxy that says which of them its client used.

use std::net::Ipv6Addr;

/// Where ACME servers look for the answer to a challenge: over plain HTTP, before there is a certificate.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Where a request should go instead; none if it is right here. `proto` is `X-Forwarded-Proto` (Traefik writes `ws`
/// and `wss` for upgrades; a chain of proxies writes a list, of which the first saw the client). A request without it
/// did not come through the proxy: probes and neighbours are served.
pub fn target(proto: Option<&str>, host: Option<&str>, path_and_query: &str) -> Option<String> {
    let proto = proto?.split(',').next().unwrap_or("").trim().to_ascii_lowercase();
    // What is no path (`OPTIONS *`) would change the name of the host.
    let is_path = path_and_query.starts_with('/') && !path_and_query.starts_with(CHALLENGES);
    if !matches!(proto.as_str(), "http" | "ws") || !is_path {
        return None;
    }
    let host = host?;
    let name = match host.rsplit_once(':') {
        // The port of HTTP is not that of HTTPS. An IPv6 address keeps its colons inside brackets.
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let valid = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
    };
    valid.then(|| format!("https://{name}{path_and_query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_sent_where() {
        for (proto, host, path, expected) in [
            (None, Some("a.example"), "/", None),
            (Some("https"), Some("a.example"), "/", None),
            (Some("wss"), Some("a.example"), "/", None),
            (Some("HTTPS, http"), Some("a.example"), "/", None),
            (Some("http"), Some("a.example"), "/b/x?y=1", Some("https://a.example/b/x?y=1")),
            (Some("ws"), Some("a.example"), "/socket.io/?EIO=4", Some("https://a.example/socket.io/?EIO=4")),
            (Some("http,https"), Some("a.example"), "/", Some("https://a.example/")),
            (Some("http"), Some("a.example:8080"), "/", Some("https://a.example/")),
            (Some("http"), Some("[::1]:8080"), "/", Some("https://[::1]/")),
            (Some("http"), Some("[::1]"), "/", Some("https://[::1]/")),
            (Some("http"), Some("a.example"), "/.well-known/acme-challenge/x", None),
            (Some("http"), Some("a.example"), "/.well-known/other", Some("https://a.example/.well-known/other")),
            (Some("http"), Some("a.example"), "*", None),
            (Some("http"), None, "/", None),
            (Some("http"), Some("evil.example/x@a"), "/", None),
            (Some("http"), Some(""), "/", None),
            (Some("http"), Some("a.example:b]c"), "/", None),
            (Some("http"), Some("[a.example]:80"), "/", None),
            (Some("http"), Some("::1"), "/", None),
        ] {
            assert_eq!(target(proto, host, path).as_deref(), expected, "{proto:?} {host:?} {path}");
        }
    }
}
