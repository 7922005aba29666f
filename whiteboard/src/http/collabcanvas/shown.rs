//! What a request shows: sessions, in the order in which they count, and where it comes from.

use crate::accounts::Token;
use crate::http::origin::Origins;
use axum::http::{HeaderMap, header};
use std::time::Duration;

/// The name of the cookie, and the one that an older generation used.
const COOKIE: &str = "session";
const OLDER_COOKIE: &str = "collabcanvas-session";

/// All sessions that a request shows: the cookie, else `X-Session-ID`, else `Authorization` (contract), else the older
/// cookie. More than one, because a browser may keep a cookie that has long expired.
pub fn sessions(headers: &HeaderMap, origins: &Origins) -> Vec<Token> {
    let cookies = cookies(headers, origins);
    let named =
        |wanted: &'static str| cookies.iter().filter(move |(name, _)| name == wanted).map(|(_, token)| token.clone());
    let header = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        Token::shown(text.strip_prefix("Bearer ").unwrap_or(text))
    };
    let shown = header("x-session-id").into_iter().chain(header("authorization"));
    named(COOKIE).chain(shown).chain(named(OLDER_COOKIE)).collect()
}

/// Only those that a browser sends by itself.
pub fn cookie_sessions(headers: &HeaderMap, origins: &Origins) -> Vec<Token> {
    cookies(headers, origins).into_iter().map(|(_, token)| token).collect()
}

/// Cookies of pages that nobody has listed count for nothing, whatever the browser sends along.
fn cookies(headers: &HeaderMap, origins: &Origins) -> Vec<(String, Token)> {
    if !origins.trust(headers) {
        return Vec::new();
    }
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| [COOKIE, OLDER_COOKIE].contains(name))
        .filter_map(|(name, value)| Some((name.to_owned(), Token::shown(value)?)))
        .take(4)
        .collect()
}

/// The `Set-Cookie` of a session that begins. Scripts cannot read it, other sites cannot use it, and where the browser
/// came by HTTPS it never travels without.
pub fn cookie(headers: &HeaderMap, token: &Token, lasts: Duration) -> String {
    let secure = if is_https(headers) { "; Secure" } else { "" };
    format!("{COOKIE}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", token.text(), lasts.as_secs())
}

/// The `Set-Cookie`s that make a browser forget its sessions.
pub fn forgotten_cookies() -> [String; 2] {
    [COOKIE, OLDER_COOKIE].map(|name| format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"))
}

fn is_https(headers: &HeaderMap) -> bool {
    let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).unwrap_or("");
    // The first of a chain of proxies saw the client.
    let first = proto.split(',').next().unwrap_or("").trim();
    first.eq_ignore_ascii_case("https") || first.eq_ignore_ascii_case("wss")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn token(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn sessions_count_in_the_order_of_the_contract() {
        let all = headers(&[
            ("authorization", format!("Bearer {}", token('c'))),
            ("x-session-id", token('b')),
            ("cookie", format!("collabcanvas-session={}; other=1; session={}", token('d'), token('a'))),
        ]);
        let shown: String = sessions(&all, &Origins::Any).iter().map(|token| &token.text()[..1]).collect();
        assert_eq!(shown, "abcd");
        assert_eq!(cookie_sessions(&all, &Origins::Any).len(), 2);
        for (pairs, expected) in [
            (vec![], 0),
            (vec![("authorization", token('c'))], 1),
            (vec![("x-session-id", "null".to_owned())], 0),
            (vec![("cookie", "session=".to_owned())], 0),
            (vec![("cookie", format!("session=old; session={}", token('a')))], 1),
            (vec![("cookie", "x=1".to_owned()), ("cookie", format!("session={}", token('a')))], 1),
        ] {
            assert_eq!(sessions(&headers(&pairs), &Origins::Any).len(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn cookies_of_pages_that_are_not_listed_do_not_count() {
        let listed = Origins::parse("https://school.example").unwrap();
        for (origin, origins, counts) in [
            ("https://board.example", &Origins::Any, true),
            ("https://evil.example", &Origins::Any, false),
            ("https://board.example", &listed, true),
            ("https://school.example", &listed, true),
            ("https://evil.example", &listed, false),
        ] {
            let headers = headers(&[
                ("host", "board.example".to_owned()),
                ("origin", origin.to_owned()),
                ("cookie", format!("session={}", token('a'))),
            ]);
            assert_eq!(!sessions(&headers, origins).is_empty(), counts, "{origin}");
        }
    }

    #[test]
    fn cookies_are_kept_from_scripts_and_from_plain_http() {
        let token = Token::shown(&token('a')).unwrap();
        for (proto, secure) in [("http", false), ("https", true), ("HTTPS, http", true), ("wss", true), ("", false)] {
            let headers = headers(&[("x-forwarded-proto", proto.to_owned())]);
            let cookie = cookie(&headers, &token, Duration::from_hours(24));
            let start = format!("session={}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", token.text());
            assert_eq!(cookie.strip_prefix(&start), Some(if secure { "; Secure" } else { "" }), "{proto}");
        }
        assert!(forgotten_cookies().iter().all(|cookie| cookie.contains("=; Path=/; Max-Age=0; HttpOnly")));
    }
}
