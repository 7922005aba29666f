//! Boards as files to take away.

use super::answer::Refused;
use super::drawing::{Drawing, Picture, drawing};
use super::turns::{WORKING, large, turn, unread};
use super::{Api, Kind, Known, heavy};
use crate::render::{self, Image, Options};
use crate::store::BoardName;
use crate::store::history::When;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// What an export's address may say.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Wish {
    /// The moment: after an operation, at a time (milliseconds since 1970), or a named version. None: now.
    seq: Option<u64>,
    at: Option<i64>,
    version: Option<i64>,
    /// Whether `.excalidraw` carries images; by default it does.
    files: Option<bool>,
    /// Pictures only: Excalidraw's dark colours, pixels for one of the drawing, empty space around it, no background.
    #[serde(default)]
    dark: bool,
    scale: Option<f64>,
    padding: Option<f64>,
    #[serde(default)]
    transparent: bool,
}

impl Wish {
    fn when(&self) -> When {
        match (self.seq, self.version, self.at) {
            (Some(seq), _, _) => When::Seq(seq),
            (_, Some(version), _) => When::Version(version),
            (_, _, Some(time)) => When::Time(time),
            _ => When::Now,
        }
    }

    fn options(&self, drawing: &Drawing) -> Options {
        let said = drawing.look.get("viewBackgroundColor").and_then(|text| serde_json::from_str::<String>(text).ok());
        let defaults = Options::default();
        let background = said.or(defaults.background.clone()).filter(|_| !self.transparent);
        Options {
            background,
            dark: self.dark,
            scale: self.scale.filter(|scale| scale.is_finite()).unwrap_or(defaults.scale).clamp(0.05, 8.0),
            padding: self.padding.filter(|padding| padding.is_finite()).unwrap_or(defaults.padding).clamp(0.0, 500.0),
            ..defaults
        }
    }
}

/// A kind of file.
#[derive(Clone, Copy, Debug)]
enum Form {
    Excalidraw,
    Svg,
    Png,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Excalidraw => "application/vnd.excalidraw+json",
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Excalidraw => "excalidraw",
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }

    fn write(self, drawing: &Drawing, pictures: &[Picture], wish: &Wish) -> Result<Vec<u8>, Refused> {
        let image = |id: &str| {
            let picture = pictures.iter().find(|picture| picture.id == id)?;
            Some(Image { mime: &picture.mime, bytes: &picture.bytes })
        };
        let elements = drawing.elements.iter().map(crate::board::scene::element::Element::text);
        let refused = |error: render::RenderError| {
            Refused::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "too-large", error.to_string())
        };
        match self {
            Self::Excalidraw => drawing.excalidraw(pictures),
            Self::Svg => render::svg(elements, &image, &wish.options(drawing)).map(String::into_bytes).map_err(refused),
            Self::Png => render::png(elements, &image, &wish.options(drawing)).map_err(refused),
        }
    }
}

/// `GET /api/boards/{board}/export.excalidraw`
pub async fn excalidraw(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    export(api, &board, &kind, wish, &headers, Form::Excalidraw).await
}

/// `GET /api/boards/{board}/export.svg`
pub async fn svg(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    export(api, &board, &kind, wish, &headers, Form::Svg).await
}

/// `GET /api/boards/{board}/export.png`
pub async fn png(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    export(api, &board, &kind, wish, &headers, Form::Png).await
}

async fn export(
    api: Api,
    board: &str,
    kind: &Kind,
    wish: Wish,
    headers: &HeaderMap,
    form: Form,
) -> Result<Response, Refused> {
    let known = Known::find(&api, kind.name(board)?, headers).await?;
    let when = wish.when();
    // The past is for those who may manage; what is now, for viewers too.
    if when != When::Now {
        known.who.manage()?;
    }
    // A deleted board is there for those only who may bring it back.
    if known.who.manage().is_err() {
        known.present()?;
    }
    let (who, name) = (known.who, known.name.clone());
    let file_name = file_name(&known.name, form);
    let turns = api.turns.clone();
    let place = turn(&turns.answers, WORKING).await?;
    let bytes = heavy(&api.clone(), move || {
        let drawing = drawing(&api, &name, when)?;
        who.see(drawing.quiz)?;
        let pictures = if wish.files == Some(false) { Vec::new() } else { drawing.pictures(&api, &name)? };
        form.write(&drawing, &pictures, &wish)
    })
    .await?;
    let place = unread(&turns, bytes.len(), place).await?;
    let headers = [
        (header::CONTENT_TYPE, form.media_type().to_owned()),
        (header::CONTENT_LENGTH, bytes.len().to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file_name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox".to_owned()),
    ];
    Ok((headers, large(bytes, place)).into_response())
}

/// A name that every system takes: the board's id, whose characters are harmless.
fn file_name(name: &BoardName, form: Form) -> String {
    let id: String = name.code.chars().filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
    format!("{}.{}", if id.is_empty() { "board" } else { &id }, form.ending())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    #[test]
    fn a_wish_names_one_moment() {
        let wish = |seq, version, at| Wish { seq, at, version, ..Wish::default() }.when();
        assert_eq!(wish(None, None, None), When::Now);
        assert_eq!(wish(Some(3), None, None), When::Seq(3));
        assert_eq!(wish(None, Some(4), None), When::Version(4));
        assert_eq!(wish(None, None, Some(5)), When::Time(5));
    }

    #[test]
    fn options_stay_within_bounds_and_follow_the_board() {
        let look = |text: &str| BTreeMap::from([(Arc::from("viewBackgroundColor"), Arc::from(text))]);
        let drawing = |look| Drawing { elements: Vec::new(), look, quiz: false, background: None };
        for (wish, look, background, scale) in [
            (Wish::default(), BTreeMap::new(), Some("#ffffff"), 1.0),
            (Wish::default(), look("\"#123456\""), Some("#123456"), 1.0),
            (Wish::default(), look("7"), Some("#ffffff"), 1.0),
            (Wish { transparent: true, ..Wish::default() }, look("\"#123456\""), None, 1.0),
            (Wish { scale: Some(1e9), ..Wish::default() }, BTreeMap::new(), Some("#ffffff"), 8.0),
            (Wish { scale: Some(-1.0), ..Wish::default() }, BTreeMap::new(), Some("#ffffff"), 0.05),
            (Wish { scale: Some(f64::NAN), ..Wish::default() }, BTreeMap::new(), Some("#ffffff"), 1.0),
        ] {
            let options = wish.options(&drawing(look));
            assert_eq!(options.background.as_deref(), background);
            assert!((options.scale - scale).abs() < 1e-9, "{}", options.scale);
        }
    }

    #[test]
    fn file_names_are_harmless() {
        assert_eq!(file_name(&BoardName::board("Physics-2_b"), Form::Svg), "Physics-2_b.svg");
        assert_eq!(file_name(&BoardName::classroom("a\"/..\r\nb"), Form::Png), "ab.png");
        assert_eq!(file_name(&BoardName::classroom("ä"), Form::Excalidraw), "board.excalidraw");
    }
}
