//! Drawings from files: `.excalidraw` and `.excalidrawlib`, onto a new board or one that is there.

use super::answer::Refused;
use super::manage::{created, new_board};
use super::spool::{Spooled, Unspooled, spool};
use super::turns::{Held, SENDING};
use super::{Api, IMPORT, Known, blocking, files, heavy, json};
use crate::board::scene::State;
use crate::board::scene::action::{Change, What};
use crate::board::scene::element::Element;
use crate::exchange::{self, Ids, Reading, Scene, Seeds, read_library, read_scene};
use crate::http::visitor::Visitor;
use crate::store::BoardName;
use crate::store::clock;
use crate::store::history::When;
use crate::store::registry::NewBoard;
use axum::extract::{Path, Query, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json as value;
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of elements that one operation carries, about.
const OPERATION: usize = 1 << 20;

/// Bytes that any drawing counts for while it is in memory.
const LEAST: u64 = 1 << 20;

/// What the address of an import may say about the board that it makes.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Wish {
    id: Option<String>,
    title: Option<String>,
    #[serde(default)]
    teacher: bool,
}

/// `POST /api/boards/import`
pub async fn new(
    Shared(api): Shared<Api>,
    visitor: Visitor,
    Query(wish): Query<Wish>,
    request: Request,
) -> Result<Response, Refused> {
    api.takes_changes()?;
    // Read before a board is made: a file that is none leaves nothing behind.
    let (scene, _turn) = read(&api, receive(&api, request).await?, None).await?;
    let board = new_board(&api, visitor, NewBoard { id: wish.id, title: wish.title, secrets: wish.teacher }).await?;
    let counts = match put(&api, &board.name, scene).await {
        Ok(counts) => counts,
        Err(refused) => {
            // Nobody was told its secrets: it would be in the way for ever.
            api.store.delete(&board.name).await?;
            return Err(refused);
        }
    };
    let mut answer = created(&board);
    answer["imported"] = value!(counts);
    Ok(json(StatusCode::CREATED, &answer))
}

/// `POST /api/boards/{board}/import`
pub async fn onto(Shared(api): Shared<Api>, Path(board): Path<String>, request: Request) -> Result<Response, Refused> {
    let name = super::native(&board)?;
    let known = Known::managed(&api, name.clone(), request.headers()).await?;
    known.present()?;
    api.takes_changes()?;
    let (scene, _turn) = read(&api, receive(&api, request).await?, Some(name.clone())).await?;
    let counts = put(&api, &name, scene).await?;
    Ok(json(StatusCode::OK, &value!({ "imported": counts })))
}

/// A file, and its place among those that are in memory.
struct Received {
    spooled: Spooled,
    turn: Held,
}

/// Takes a file. It gets its place in memory when it has come whole: who sends slowly keeps nobody else from one.
async fn receive(api: &Api, request: Request) -> Result<Received, Refused> {
    let most = IMPORT.min(api.turns.imports.all());
    let spooled = spool(api, request.into_body(), most as u64, |_| {}).await.map_err(|error| match error {
        Unspooled::TooLarge => {
            let sentence = format!(
                "A drawing to import may have {most} bytes here. Leave something out, or ask the person who \
                 runs the server to give it more memory."
            );
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", sentence)
        }
        Unspooled::Incomplete => Refused::message("The file did not come whole. Send it again."),
        Unspooled::Refused(refused) => refused,
    })?;
    let turn = api.turns.imports.take(spooled.bytes.max(LEAST), SENDING).await?;
    Ok(Received { spooled, turn })
}

/// What came of a file.
#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Counts {
    elements: usize,
    files: usize,
    /// Elements that no client can show, and deleted ones.
    left_out: usize,
}

/// Which of the two kinds of file a text says it is.
fn is_library(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Cow<'a, str>>,
    }
    // What is not readable at all is told by whoever reads it as a drawing.
    serde_json::from_str::<Document<'_>>(text).is_ok_and(|document| document.kind.as_deref() == Some("excalidrawlib"))
}

/// Reads a file, for a board that is there or for a new one. Its place stays taken: the drawing is in memory too.
async fn read(api: &Api, received: Received, board: Option<BoardName>) -> Result<(Scene, Held), Refused> {
    let api = api.clone();
    heavy(&api.clone(), move || {
        let bytes = std::fs::read(received.spooled.file.path()).map_err(|error| Refused::internal(&error))?;
        drop(received.spooled);
        let text = String::from_utf8(bytes)
            .map_err(|_| Refused::message("The file is not text in UTF-8. Save it again from Excalidraw."))?;
        // What is there must lie below what comes, and must not be taken for it.
        let state = match &board {
            Some(name) => api.store.reader.past::<State>(name, When::Now)?.state,
            None => State::default(),
        };
        let highest = state.live().iter().filter_map(Element::index).max();
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| Refused::internal(&error))?;
        let limits = exchange::Limits {
            file_bytes: usize::try_from(api.files.file).unwrap_or(usize::MAX),
            ..exchange::Limits::default()
        };
        let mut reading = Reading {
            limits: &limits,
            ids: if board.is_some() { Ids::Renew } else { Ids::Keep },
            above: highest.as_deref(),
            now_ms: clock::now(),
            seeds: &mut Seeds::new(u64::from_le_bytes(seed)),
        };
        let scene = if is_library(&text) {
            let library = read_library(&text, &mut reading)?;
            let left_out = library.left_out;
            Scene { elements: library.laid_out((0.0, 0.0)), left_out, ..Scene::default() }
        } else {
            read_scene(&text, &mut reading)?
        };
        has_room(&api, &state, &scene)?;
        Ok((scene, received.turn))
    })
    .await
}

/// An error if a drawing does not fit on a board: none of it is put there then.
fn has_room(api: &Api, state: &State, scene: &Scene) -> Result<(), Refused> {
    scene.files.iter().try_for_each(|file| files::look(api, &file.id, &file.bytes).map(|_| ()))?;
    let full = |what: String| {
        let sentence = format!("The board has no room for this drawing: {what}. Nothing was changed.");
        Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "board-full", sentence))
    };
    let count = state.elements.count() + scene.elements.len();
    if count > api.limits.elements {
        return full(format!("it may have {} elements, and would have {count}", api.limits.elements));
    }
    let bytes = state.elements.bytes() + scene.elements.iter().map(|element| element.json.len()).sum::<usize>();
    if bytes > api.limits.bytes {
        return full(format!("its elements may have {} bytes, and would have {bytes}", api.limits.bytes));
    }
    let images: u64 = scene.files.iter().map(|file| file.bytes.len() as u64).sum();
    if images > api.files.board {
        return full(format!("its images may have {} bytes, and those of the drawing have {images}", api.files.board));
    }
    Ok(())
}

/// Puts a drawing on a board: its images first, so that no element names one that is not there.
async fn put(api: &Api, name: &BoardName, scene: Scene) -> Result<Counts, Refused> {
    let counts = Counts { elements: scene.elements.len(), files: scene.files.len(), left_out: scene.left_out };
    let (keeping, board, files) = (api.clone(), name.clone(), scene.files);
    blocking(move || files.iter().try_for_each(|file| files::keep(&keeping, &board, &file.id, &file.bytes))).await?;
    let mut what = changes(&scene.elements)?;
    let background = scene.look.into_iter().filter(|(key, _)| key == "viewBackgroundColor");
    let look: Vec<(Arc<str>, Arc<str>)> = background.map(|(key, text)| (key.into(), text.into())).collect();
    if !look.is_empty() {
        what.push(What::Settings(look));
    }
    if !what.is_empty() {
        api.rooms.change(name.clone(), what).await?;
    }
    Ok(counts)
}

/// Elements as operations of about a megabyte, one step of undo together.
fn changes(elements: &[exchange::Element]) -> Result<Vec<What>, Refused> {
    let (mut what, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
    let change = |elements| What::Change(Change { gesture: Some(1), elements, drafts: Vec::new() });
    for element in elements {
        let read = Element::from_text(&element.json).map_err(|error| {
            let sentence = format!("The element {:?} of the file cannot be used: {error}.", element.id);
            Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "element", sentence)
        })?;
        bytes += read.text().len();
        part.push(read);
        if bytes >= OPERATION {
            what.push(change(std::mem::take(&mut part)));
            bytes = 0;
        }
    }
    if !part.is_empty() {
        what.push(change(part));
    }
    Ok(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_file_is_what_it_says() {
        for (text, expected) in [
            (r#"{"type":"excalidrawlib","version":2}"#, true),
            (r#"{"type":"excalidraw"}"#, false),
            ("{}", false),
            ("broken", false),
            (r#"{"type":7}"#, false),
        ] {
            assert_eq!(is_library(text), expected, "{text}");
        }
    }

    #[test]
    fn elements_go_in_operations_of_a_megabyte() {
        let element = |id: &str, bytes: usize| exchange::Element {
            id: id.into(),
            json: format!(
                r#"{{"id":"{id}","type":"text","version":1,"versionNonce":0,"text":"{}"}}"#,
                "x".repeat(bytes)
            ),
        };
        let counts = |elements: &[exchange::Element]| -> Vec<usize> {
            changes(elements)
                .unwrap()
                .iter()
                .map(|what| match what {
                    What::Change(change) => {
                        assert_eq!(change.gesture, Some(1));
                        change.elements.len()
                    }
                    _ => 0,
                })
                .collect()
        };
        assert!(counts(&[]).is_empty());
        assert_eq!(counts(&[element("a", 1), element("b", 1)]), [2]);
        let half = OPERATION / 2;
        assert_eq!(counts(&[element("a", half), element("b", half), element("c", half)]), [2, 1]);
        assert_eq!(counts(&[element("a", OPERATION), element("b", OPERATION)]), [1, 1]);
        let broken = exchange::Element { id: "a".into(), json: "{}".into() };
        assert_eq!(changes(&[broken]).unwrap_err().code, "element");
    }
}
