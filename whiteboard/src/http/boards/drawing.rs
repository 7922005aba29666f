//! A board as a drawing: its elements in their order, its look, its images.

use super::Api;
use super::answer::Refused;
use crate::board::canvas;
use crate::board::classroom::{self, stroke::Stroke};
use crate::board::scene::State;
use crate::board::scene::element::Element;
use crate::board::scene::foreign::{self, Background};
use crate::exchange::{Outgoing, OutgoingFile, write_scene};
use crate::store::BoardName;
use crate::store::history::When;
use axum::http::StatusCode;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of images that one export carries at most: all of them are in memory at a time.
const IMAGES: u64 = 64 << 20;

/// A board at a moment.
pub struct Drawing {
    /// Lowest first.
    pub elements: Vec<Element>,
    /// Keys and raw JSON.
    pub look: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether a quiz is going on.
    pub quiz: bool,
    /// What lies under the strokes of a classroom.
    pub background: Option<Background>,
}

/// An image, with its bytes.
pub struct Picture {
    pub id: String,
    /// For example `image/png`.
    pub mime: String,
    pub bytes: Vec<u8>,
}

/// Reads a board; what other dialects draw is shown as elements. Blocks, and may take long: from a thread that may, few at a time.
pub fn drawing(api: &Api, name: &BoardName, when: When) -> Result<Drawing, Refused> {
    let reader = &api.store.reader;
    match name.dialect {
        BoardName::CLASSROOM => {
            let past = reader.past::<classroom::state::State>(name, when)?;
            let background = Background::read(past.state.background());
            let strokes = past.state.strokes().iter().map(Stroke::text);
            let elements = foreign::from_classroom(strokes, background.as_ref());
            Ok(Drawing { elements, look: BTreeMap::new(), quiz: past.state.is_quiz(), background })
        }
        BoardName::CANVAS => {
            let past = reader.past::<canvas::State>(name, when)?;
            let elements = foreign::from_objects(past.state.objects().map(|object| &**object.text()));
            Ok(Drawing { elements, look: BTreeMap::new(), quiz: false, background: None })
        }
        _ => {
            let past = reader.past::<State>(name, when)?;
            let mut elements = past.state.live();
            elements.sort_by_cached_key(|element| {
                let index = element.index();
                (index.is_none(), index, element.id().clone())
            });
            Ok(Drawing { elements, look: past.state.settings, quiz: past.state.quiz, background: None })
        }
    }
}

impl Drawing {
    /// The ids of the images that elements show.
    pub fn file_ids(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Shows<'a> {
            #[serde(borrow, rename = "fileId")]
            file: Option<Cow<'a, str>>,
        }
        let mut ids: Vec<String> = self
            .elements
            .iter()
            .filter(|element| element.text().contains("fileId"))
            .filter_map(|element| serde_json::from_str::<Shows<'_>>(element.text()).ok()?.file)
            .map(Cow::into_owned)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Its images. Those that never came are left out. Blocks.
    pub fn pictures(&self, api: &Api, name: &BoardName) -> Result<Vec<Picture>, Refused> {
        if name.dialect != BoardName::BOARD {
            // Boards of other dialects keep no files.
            let of = |Background { id, mime, bytes }| Picture { id, mime: mime.to_owned(), bytes };
            return Ok(self.background.clone().map(of).into_iter().collect());
        }
        let mut pictures = Vec::new();
        let most = IMAGES.min(api.turns.unread.all() as u64);
        let mut left = most;
        for id in self.file_ids() {
            let Some(kept) = api.store.reader.file(name, &id)? else { continue };
            left = left.checked_sub(kept.bytes).ok_or_else(|| {
                let sentence =
                    format!("The board's images have more than {most} bytes. Export it without them: `?files=false`.");
                Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", sentence)
            })?;
            let bytes = api.store.reader.whole_file(&kept)?;
            pictures.push(Picture { id, mime: kept.mime, bytes });
        }
        Ok(pictures)
    }

    /// The text of an `.excalidraw` file.
    pub fn excalidraw(&self, pictures: &[Picture]) -> Result<Vec<u8>, Refused> {
        let look: Vec<(&str, &str)> = self.look.iter().map(|(key, value)| (&**key, &**value)).collect();
        let files = pictures.iter().map(|picture| OutgoingFile {
            id: &picture.id,
            mime: &picture.mime,
            bytes: &picture.bytes,
            created: 0,
        });
        let mut text = Vec::new();
        let drawing = Outgoing { elements: self.elements.iter().map(Element::text), look: &look, files };
        write_scene(drawing, &mut text).map_err(|error| Refused::internal(&error))?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(id: &str, rest: &str) -> Element {
        Element::from_text(&format!(r#"{{"id":"{id}","type":"image","version":1,"versionNonce":0{rest}}}"#)).unwrap()
    }

    #[test]
    fn images_are_found_once_each() {
        let elements = vec![
            element("a", r#","fileId":"cat""#),
            element("b", r#","fileId":null"#),
            element("c", r#","text":"fileId""#),
            element("d", r#","fileId":"c\u0061t""#),
            element("e", r#","fileId":"ant""#),
            element("f", r#","fileId":7"#),
        ];
        let drawing = Drawing { elements, look: BTreeMap::new(), quiz: false, background: None };
        assert_eq!(drawing.file_ids(), ["ant", "cat"]);
    }

    #[test]
    fn a_file_has_elements_look_and_images() {
        let pictures = [Picture { id: "cat".into(), mime: "image/png".into(), bytes: b"abc".to_vec() }];
        let look = BTreeMap::from([(Arc::from("viewBackgroundColor"), Arc::from("\"#fff\""))]);
        let elements = vec![element("a", r#","x":1e21"#)];
        let drawing = Drawing { elements, look, quiz: false, background: None };
        let text = String::from_utf8(drawing.excalidraw(&pictures).unwrap()).unwrap();
        assert!(text.contains(r#""x":1e21"#), "digit by digit: {text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["type"], "excalidraw");
        assert_eq!(read["appState"]["viewBackgroundColor"], "#fff");
        assert_eq!(read["files"]["cat"]["dataURL"], "data:image/png;base64,YWJj");
    }
}
