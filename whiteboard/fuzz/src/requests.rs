//! The heads of requests, a header a line, and what people write in settings: the first letter says which (see [`run`]).

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use whiteboard::accounts::rules;
use whiteboard::backup::manifest::Manifest;
use whiteboard::backup::retention::doomed;
use whiteboard::exchange::{base64, index};
use whiteboard::http::boards::access::bearer;
use whiteboard::http::client::File;
use whiteboard::http::{origin::Origins, redirect};
use whiteboard::limits::address::{self, Household, Networks};
use whiteboard::protocol::collabcanvas::is_canvas_name;
use whiteboard::settings::{seconds, sources};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// A file of the web client in all its forms.
static FILE: File = File {
    path: "/a.js",
    kind: "text/javascript",
    tag: "\"t\"",
    raw: Some(b"r"),
    brotli: Some(b"b"),
    gzip: Some(b"g"),
};

pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let mut letters = text.chars();
    let what = letters.next();
    let rest = letters.as_str();
    match what {
        Some('h') => head(rest),
        Some('n') => networks(rest),
        Some('o') => origins(rest),
        Some('s') => settings(rest),
        Some('m') => manifests(rest),
        Some('6') => bytes(rest),
        Some('k') => keys(rest),
        _ => {}
    }
}

/// The head of a request, and its target in the first line.
fn head(text: &str) {
    let mut lines = text.lines();
    let target = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (Ok(name), Ok(value)) = (HeaderName::from_str(name.trim()), HeaderValue::from_str(value.trim())) else {
            continue;
        };
        headers.append(name, value);
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let forwarded = || headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    // A stranger's word does not count; a proxy's does.
    let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let proxies = Networks::parse("10.0.0.0/8").expect("a network");
    let values: Vec<&str> = forwarded().collect();
    assert_eq!(address::client(stranger, values.iter().copied(), &proxies), stranger);
    let client = address::client(PEER, values.iter().copied(), &proxies);
    assert_eq!(client.to_canonical(), client, "an address has one form");
    assert_eq!(Household::of(client), Household::of(client.to_canonical()));

    let listed = Origins::parse("https://school.example").expect("an origin");
    if listed.allow(&headers) && headers.contains_key(header::ORIGIN) {
        let origin = text("origin").expect("an origin that is allowed is text").to_ascii_lowercase();
        let own = text("host").is_some_and(|host| origin.ends_with(&format!("://{}", host.to_ascii_lowercase())));
        assert!(own || origin == "https://school.example", "{origin}");
    }
    assert!(listed.allow(&headers) || !Origins::Any.trust(&headers) || text("origin").is_none());
    let mut answer = HeaderMap::new();
    listed.tell(&headers, &mut answer);

    if let Some(key) = bearer(&headers) {
        assert!(!key.is_empty() && text("authorization").is_some_and(|value| value.ends_with(key)));
    }
    let policy = HeaderValue::from_static("default-src 'none'");
    let answer = FILE.answer(&headers, &policy);
    if let Some(encoding) = answer.headers().get(header::CONTENT_ENCODING) {
        let asked = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let encoding = encoding.to_str().expect("an encoding is text");
        assert!(asked.into_iter().any(|asked| asked.to_ascii_lowercase().contains(encoding)), "{encoding} unasked");
    }

    // Nobody is sent to another host than they asked for, whatever the target.
    let Ok(uri) = target.parse::<Uri>() else { return };
    let Some(path) = uri.path_and_query() else { return };
    if let Some(there) = redirect::target(text("x-forwarded-proto"), text("host"), path.as_str()) {
        let there: Uri = there.parse().unwrap_or_else(|error| panic!("{there}: {error}"));
        assert_eq!(there.scheme_str(), Some("https"));
        let asked = text("host").expect("a redirect needs a host").to_ascii_lowercase();
        let host = there.host().expect("a redirect has a host").to_ascii_lowercase();
        assert!(asked == host || asked.starts_with(&format!("{host}:")), "{asked} is sent to {host}");
    }
}

/// A list of networks: each address that is written alone belongs to them.
fn networks(text: &str) {
    let Ok(networks) = Networks::parse(text) else { return };
    for entry in text.split(',').map(str::trim) {
        let (address, _) = entry.split_once('/').unwrap_or((entry, ""));
        if let Ok(address) = address.parse::<IpAddr>() {
            assert!(networks.contains(address), "{address} of {text:?}");
            assert!(networks.contains(address.to_canonical()), "{address} of {text:?}");
        }
    }
}

/// A list of origins: each of them is allowed, in small letters and large ones.
fn origins(text: &str) {
    let Ok(origins) = Origins::parse(text) else { return };
    let Origins::Listed(list) = &origins else { return };
    for origin in list {
        for written in [origin.clone(), origin.to_ascii_uppercase()] {
            let Ok(value) = HeaderValue::from_str(&written) else { continue };
            // Values of headers that are not ASCII are not texts.
            if value.to_str().is_ok() {
                let headers = HeaderMap::from_iter([(header::ORIGIN, value)]);
                assert!(origins.allow(&headers) && origins.trust(&headers), "{written}");
            }
        }
    }
}

fn settings(text: &str) {
    if let Ok(length) = seconds(text) {
        assert!(length.as_secs() <= 366 * 86_400);
    }
    if let Ok(sources) = sources(text) {
        assert!(!sources.to_str().expect("sources are text").contains([';', ',', '"']));
    }
    if let Some(address) = rules::email(text) {
        assert_eq!(rules::email(&address).as_deref(), Some(&*address), "an address has one form");
    }
    if rules::is_username(text) {
        assert!(rules::is_password(&text.repeat(3)));
    }
    assert!(!is_canvas_name(text) || text.len() <= 128);
}

/// Manifests, one a line: what was read is written and read again; cleaning up leaves at least one whole backup.
fn manifests(text: &str) {
    let read = |line: &str| serde_json::from_str::<Manifest>(line).ok();
    let manifests: Vec<Manifest> = text.lines().filter_map(read).collect();
    for manifest in &manifests {
        let written = serde_json::to_string_pretty(manifest).expect("a manifest can be written");
        assert_eq!(read(&written).as_ref(), Some(manifest));
    }
    let backups: Vec<(Manifest, bool)> =
        manifests.into_iter().map(|manifest| (manifest.clone(), manifest.bytes % 2 == 0)).collect();
    let whole = backups.iter().filter(|(_, whole)| *whole).count();
    for keep in [0, 1, 3, usize::MAX] {
        let gone = doomed(&backups, |_| false, keep).len();
        assert_eq!(whole - gone, whole.min(keep.max(1)));
    }
}

fn bytes(text: &str) {
    let mut written = String::new();
    base64::encode_into(text.as_bytes(), &mut written);
    assert_eq!(base64::decode(&written).as_deref(), Some(text.as_bytes()));
    if let Some(bytes) = base64::decode(text) {
        let mut written = String::new();
        base64::encode_into(&bytes, &mut written);
        assert_eq!(base64::decode(&written), Some(bytes));
    }
}

/// Order keys: those above any key are keys, and above it.
fn keys(text: &str) {
    let mut last = index::is_valid(text).then(|| text.to_owned());
    let mut above = index::Above::new(Some(text));
    for _ in 0..3 {
        let next = above.next_key();
        assert!(index::is_valid(&next), "{next} above {last:?}");
        assert!(last.as_deref().is_none_or(|last| last < &*next), "{next} above {last:?}");
        last = Some(next);
    }
}
