//! Which web pages may use the server, checked before a handshake begins.

use axum::http::{HeaderMap, HeaderValue, header};

/// The allowed origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    Any,
    /// Scheme, host and port as browsers write them, in lower case.
    Listed(Vec<String>),
}

impl Origins {
    /// Reads a comma separated list; `*` among its entries allows everything. An error names the wrong entry.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries: Vec<&str> = list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        if entries.is_empty() || entries.contains(&"*") {
            return Ok(Self::Any);
        }
        entries
            .into_iter()
            .map(|entry| {
                let origin = entry.trim_end_matches('/').to_ascii_lowercase();
                let host = origin.split_once("://").map(|(_, host)| host);
                match host {
                    Some(host) if !host.is_empty() && !host.contains('/') => Ok(origin),
                    _ => Err(format!("{entry:?} is no origin: write it like https://school.example, or * for all.")),
                }
            })
            .collect::<Result<_, _>>()
            .map(Self::Listed)
    }

    /// Whether a request may be served. One without an origin is not from a web page; one from a page of this very
    /// host is our own page.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let text =
            |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("").to_ascii_lowercase());
        let (Self::Listed(list), Some(origin)) = (self, text(header::ORIGIN)) else { return true };
        let own = origin.split_once("://").map(|(_, host)| host.to_owned());
        list.contains(&origin) || (own.is_some() && own == text(header::HOST))
    }

    /// Whether what the browser sends by itself (cookies) counts: for pages that somebody has listed, and our own. A
    /// request without an origin is not from a web page, or from one of ours.
    pub fn trust(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Listed(_) => self.allow(headers),
            Self::Any => Self::Listed(Vec::new()).allow(headers),
        }
    }

    /// Tells a browser that its page may read the answer.
    pub fn tell(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        match self {
            Self::Any => {
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Self::Listed(_) => {
                answer.insert(header::VARY, HeaderValue::from_static("Origin"));
                if let Some(origin) = request.get(header::ORIGIN) {
                    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                    answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("host", "board.example:8443".parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_bytes(origin.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn lists_are_read() {
        for (text, expected) in [
            ("*", Ok(Origins::Any)),
            ("", Ok(Origins::Any)),
            ("https://a.example, *", Ok(Origins::Any)),
            (
                "https://A.example/ , http://b:81,",
                Ok(Origins::Listed(vec!["https://a.example".into(), "http://b:81".into()])),
            ),
        ] {
            assert_eq!(Origins::parse(text), expected, "{text}");
        }
        for text in ["a.example", "https://", "https://a.example/path", "https://a,b"] {
            assert!(Origins::parse(text).unwrap_err().contains("is no origin"), "{text}");
        }
    }

    #[test]
    fn only_listed_pages_and_our_own_are_served() {
        let listed = Origins::parse("https://school.example,http://localhost:3000").unwrap();
        for (origin, allowed) in [
            (None, true),
            (Some("https://school.example"), true),
            (Some("HTTPS://School.example"), true),
            (Some("http://localhost:3000"), true),
            (Some("https://board.example:8443"), true),
            (Some("http://school.example"), false),
            (Some("https://school.example.evil"), false),
            (Some("null"), false),
            (Some(""), false),
            (Some("é"), false),
        ] {
            assert_eq!(listed.allow(&headers(origin)), allowed, "{origin:?}");
            assert!(Origins::Any.allow(&headers(origin)));
            assert_eq!(listed.trust(&headers(origin)), allowed, "{origin:?}");
            let own = matches!(origin, None | Some("https://board.example:8443"));
            assert_eq!(Origins::Any.trust(&headers(origin)), own, "{origin:?}: open to all, trusted to none");
        }
    }

    #[test]
    fn browsers_are_told() {
        let mut answer = HeaderMap::new();
        Origins::Any.tell(&headers(Some("https://school.example")), &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "*");
        assert!(!answer.contains_key("access-control-allow-credentials"), "never credentials for everybody");
        let mut answer = HeaderMap::new();
        let listed = Origins::parse("https://school.example").unwrap();
        listed.tell(&headers(Some("https://school.example")), &mut answer);
        assert_eq!(answer["access-control-allow-origin"], "https://school.example");
        assert_eq!(answer["access-control-allow-credentials"], "true");
        assert_eq!(answer["vary"], "Origin");
    }
}
