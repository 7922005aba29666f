//! Pages: the web client if it was built into this binary, and small pages of our own. Everything they need is served from here.

use super::{client, live, not_found};
use crate::protocol::classroom::check_code;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

const INDEX: &str = include_str!("../web/index.html");
const BOARD: &str = include_str!("../web/board.html");
const FILES: [(&str, &str, &str); 3] = [
    ("/assets/style.css", "text/css; charset=utf-8", include_str!("../web/style.css")),
    ("/assets/board.js", "text/javascript; charset=utf-8", include_str!("../web/board.js")),
    ("/assets/index.js", "text/javascript; charset=utf-8", include_str!("../web/index.js")),
];

/// Nothing from elsewhere, nothing inline, in nobody's frame; images only as data, as backgrounds come.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The policies of the client's pages.
#[derive(Clone)]
struct Pages {
    start: Arc<HeaderValue>,
    board: Arc<HeaderValue>,
}

impl Pages {
    fn new(ancestors: &HeaderValue) -> Self {
        let policy = |ancestors: &str| {
            let policy = HeaderValue::from_str(&client::policy(ancestors));
            Arc::new(policy.unwrap_or_else(|_| HeaderValue::from_static(POLICY)))
        };
        Self { start: policy("'none'"), board: policy(ancestors.to_str().unwrap_or("'none'")) }
    }
}

/// Routes of all pages. `ancestors`: who may show a board in a frame, as a Content-Security-Policy lists it.
pub fn routes(ancestors: &HeaderValue) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/b/{board}", get(board))
        .route("/classroom", get(|| async { small(INDEX) }))
        .route("/classroom/{code}", get(classroom))
        .route("/assets/{*name}", get(asset))
        .route("/client.json", get(asset))
        .route("/icon.svg", get(asset))
        .route("/licences.txt", get(asset))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .with_state(Pages::new(ancestors))
}

async fn index(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    match client::file("/index.html") {
        Some(file) => file.answer(&headers, &pages.start),
        None => small(INDEX),
    }
}

/// A board of the client's, if its name can be one; any other name is the code of a classroom's session.
async fn board(State(pages): State<Pages>, Path(board): Path<String>, headers: HeaderMap) -> Response {
    match client::file("/board.html") {
        Some(file) if is_name(&board) => file.answer(&headers, &pages.board),
        _ => classroom(Path(board)).await,
    }
}

/// A session of a classroom to look at; the page reads the code from its own address.
async fn classroom(Path(code): Path<String>) -> Response {
    if check_code(Some(&code)).is_err() {
        return not_found().await;
    }
    small(BOARD)
}

async fn asset(State(pages): State<Pages>, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(file) = client::file(uri.path()) {
        return file.answer(&headers, &pages.start);
    }
    match FILES.iter().find(|(path, _, _)| *path == uri.path()) {
        Some((_, kind, text)) => with_policy(kind, text),
        None => not_found().await,
    }
}

/// Whether a name can be one of the native dialect's boards, or of another dialect's that is looked at [P7].
fn is_name(text: &str) -> bool {
    let foreign = |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
    live::is_board_name(text) || foreign("classroom:") || foreign("canvas:")
}

fn small(text: &'static str) -> Response {
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
    fn small_pages_need_nothing_from_elsewhere() {
        for text in [INDEX, BOARD] {
            for forbidden in ["http://", "https://", "<script>", "<style", " style=", " onclick=", "//cdn"] {
                assert!(!text.contains(forbidden), "{forbidden}");
            }
            for reference in text.split("\"/assets/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(FILES.iter().any(|(file, _, _)| *file == format!("/assets/{name}")), "{name} is not served");
            }
        }
        assert!(INDEX.contains("/socket.io/?session_code="));
    }

    #[test]
    fn names_of_boards() {
        for (text, expected) in [
            ("a", true),
            ("Physics-7b_x", true),
            ("", false),
            ("Physik 7b", false),
            ("ä", false),
            ("a/b", false),
            ("classroom:Physik 7b", true),
            ("canvas:", false),
        ] {
            assert_eq!(is_name(text), expected, "{text}");
        }
        assert!(is_name(&"a".repeat(64)) && !is_name(&"a".repeat(65)));
    }

    #[tokio::test]
    async fn boards_may_be_shown_where_the_setting_says_and_the_start_nowhere() {
        let pages = || State(Pages::new(&HeaderValue::from_static("https://school.example")));
        let start = index(pages(), HeaderMap::new()).await;
        let shown = board(pages(), Path("x".into()), HeaderMap::new()).await;
        for (path, response, client) in
            [("/b/x", shown, "frame-ancestors https://school.example"), ("/", start, "frame-ancestors 'none'")]
        {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            let expected = if client::file("/board.html").is_some() { client } else { "frame-ancestors 'none'" };
            assert!(policy.ends_with(expected), "{path}: {policy}");
        }
    }
}
