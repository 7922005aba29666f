//! The small pages: what this is, and a board to look at. Everything they need is served from here.

use super::not_found;
use crate::protocol::classroom::check_code;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const INDEX: &str = include_str!("../web/index.html");
const BOARD: &str = include_str!("../web/board.html");
const FILES: [(&str, &str, &str); 3] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../web/style.css")),
    ("board.js", "text/javascript; charset=utf-8", include_str!("../web/board.js")),
    ("index.js", "text/javascript; charset=utf-8", include_str!("../web/index.js")),
];

/// Nothing from elsewhere, nothing inline, in nobody's frame; images only as data, as backgrounds come.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn index() -> Response {
    page(INDEX)
}

/// A board to look at; the page reads the code from its own address.
pub async fn board(Path(code): Path<String>) -> Response {
    if check_code(Some(&code)).is_err() {
        return not_found().await;
    }
    page(BOARD)
}

pub async fn asset(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, _, _)| *file == name) {
        Some((_, kind, text)) => with_policy(kind, text),
        None => not_found().await,
    }
}

fn page(text: &'static str) -> Response {
    with_policy("text/html; charset=utf-8", text)
}

fn with_policy(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (StatusCode::OK, headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_need_nothing_from_elsewhere() {
        for text in [INDEX, BOARD] {
            for forbidden in ["http://", "https://", "<script>", "<style", " style=", " onclick=", "//cdn"] {
                assert!(!text.contains(forbidden), "{forbidden}");
            }
            for reference in text.split("/assets/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(FILES.iter().any(|(file, _, _)| *file == name), "{name} is not served");
            }
        }
        assert!(INDEX.contains("/socket.io/?session_code="));
    }
}
