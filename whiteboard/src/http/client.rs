//! The web client as it was built into this binary: found by path, sent compressed, kept by browsers as long as it is right.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

/// A file of the client: as it is, or both compressed forms, or all three.
#[derive(Debug)]
pub struct File {
    pub path: &'static str,
    pub kind: &'static str,
    /// An entity tag, with its quotes.
    pub tag: &'static str,
    pub raw: Option<&'static [u8]>,
    pub brotli: Option<&'static [u8]>,
    pub gzip: Option<&'static [u8]>,
}

/// Sorted by path; empty when the client was not built.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/client.rs"));

/// The file at a path, if the client has one there.
pub fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// What a browser may do with a page of the client. `ancestors`: who may show it in a frame.
pub fn policy(ancestors: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
}

/// The worker that cuts fonts for exported pictures runs WebAssembly in a way that needs this; it alone may.
const WORKER_POLICY: &str = "default-src 'none'; script-src 'self' 'unsafe-eval'; connect-src 'self'";

impl File {
    /// The answer to a request with these headers.
    pub fn answer(&self, asked: &HeaderMap, policy: &HeaderValue) -> Response {
        let worker = self.path.contains("subset-worker");
        let mut response = if fresh(asked, self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let (body, encoding) = self.body(asked);
            let mut response = Response::new(Body::from(Bytes::from_static(body)));
            if let Some(encoding) = encoding {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            if worker { HeaderValue::from_static(WORKER_POLICY) } else { policy.clone() },
        );
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.caching()));
        headers.insert(header::ETAG, HeaderValue::from_static(self.tag));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        response
    }

    /// Names of assets change with their content; fonts keep their names, and change once in years.
    fn caching(&self) -> &'static str {
        if self.path.starts_with("/assets/fonts/") {
            "public, max-age=2592000"
        } else if self.path.starts_with("/assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }
    }

    /// Who takes no compression is given gzip all the same where there is nothing else: every browser reads it.
    fn body(&self, asked: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
        match (self.raw, self.brotli, self.gzip) {
            (_, Some(brotli), _) if accepts(asked, "br") => (brotli, Some("br")),
            (_, _, Some(gzip)) if accepts(asked, "gzip") => (gzip, Some("gzip")),
            (Some(raw), _, _) => (raw, None),
            (None, _, gzip) => (gzip.unwrap_or_default(), gzip.map(|_| "gzip")),
        }
    }
}

/// Whether a request takes an encoding: it is named, and not with the quality nought.
fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    asked
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
            let refused = parts.any(|part| {
                part.strip_prefix("q=")
                    .is_some_and(|quality| quality.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0))
            });
            named && !refused
        })
}

/// Whether the browser has this version already.
fn fresh(asked: &HeaderMap, tag: &str) -> bool {
    asked
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|known| known.trim().trim_start_matches("W/") == tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    const SCRIPT: File = File {
        path: "/assets/a-1.js",
        kind: "text/javascript; charset=utf-8",
        tag: "\"1\"",
        raw: None,
        brotli: Some(b"B"),
        gzip: Some(b"G"),
    };
    const PICTURE: File =
        File { path: "/icon.svg", kind: "image/svg+xml", tag: "\"2\"", raw: Some(b"R"), brotli: None, gzip: None };

    async fn text(response: Response) -> String {
        use http_body_util::BodyExt as _;
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_smallest_form_that_the_browser_takes_is_sent() {
        let policy = HeaderValue::from_static("p");
        for (accept, body, encoding) in [
            ("gzip, deflate, br", "B", Some("br")),
            ("br;q=0, gzip", "G", Some("gzip")),
            ("BR;q=0.1", "B", Some("br")),
            ("gzip", "G", Some("gzip")),
            ("identity", "G", Some("gzip")),
        ] {
            let response = SCRIPT.answer(&asked(header::ACCEPT_ENCODING, accept), &policy);
            assert_eq!(
                response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap()),
                encoding,
                "{accept}"
            );
            assert_eq!(text(response).await, body, "{accept}");
        }
        let page = File { raw: Some(b"R"), ..SCRIPT };
        for (accept, body) in [("br", "B"), ("gzip", "G"), ("identity", "R")] {
            assert_eq!(text(page.answer(&asked(header::ACCEPT_ENCODING, accept), &policy)).await, body, "{accept}");
        }
        let response = PICTURE.answer(&asked(header::ACCEPT_ENCODING, "br"), &policy);
        assert_eq!(response.headers().get(header::CONTENT_ENCODING), None);
        assert_eq!(text(response).await, "R");
    }

    #[tokio::test]
    async fn what_the_browser_has_is_not_sent_again() {
        let policy = HeaderValue::from_static("p");
        for (known, status) in [("\"1\"", 304), ("W/\"1\"", 304), ("\"0\", \"1\"", 304), ("\"2\"", 200), ("", 200)] {
            let response = SCRIPT.answer(&asked(header::IF_NONE_MATCH, known), &policy);
            assert_eq!(response.status().as_u16(), status, "{known}");
            assert_eq!(response.headers()[header::ETAG], "\"1\"");
        }
    }

    #[test]
    fn assets_are_kept_for_ever_and_pages_are_asked_for() {
        let font = File { path: "/assets/fonts/A/A.woff2", ..PICTURE };
        for (file, caching) in [(&SCRIPT, "immutable"), (&PICTURE, "no-cache"), (&font, "max-age=2592000")] {
            let response = file.answer(&HeaderMap::new(), &HeaderValue::from_static("p"));
            assert!(response.headers()[header::CACHE_CONTROL].to_str().unwrap().contains(caching), "{}", file.path);
        }
    }

    #[test]
    fn only_the_worker_may_evaluate() {
        let worker = File { path: "/assets/subset-worker.chunk-1.js", ..SCRIPT };
        let policy = HeaderValue::from_str(&policy("'none'")).unwrap();
        assert!(!policy.to_str().unwrap().contains("unsafe"));
        for (file, allowed) in [(&SCRIPT, false), (&worker, true)] {
            let response = file.answer(&HeaderMap::new(), &policy);
            let sent = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert_eq!(sent.contains("'unsafe-eval'"), allowed, "{}", file.path);
            assert!(sent.starts_with("default-src 'none';"));
        }
    }

    #[test]
    fn the_built_client_is_whole_and_asks_nobody_else() {
        for file in FILES {
            assert_eq!(file.brotli.is_some(), file.gzip.is_some(), "{}", file.path);
            assert!(file.raw.is_some() || file.gzip.is_some(), "{}", file.path);
        }
        if FILES.is_empty() {
            eprintln!(
                "The web client was not built: run `npm ci && npm run build` in whiteboard/web to have it in the binary."
            );
            return;
        }
        for path in ["/index.html", "/board.html", "/client.json", "/icon.svg"] {
            assert!(file(path).is_some(), "{path}");
        }
    }
}
