//! Making, listing, naming and deleting boards.

use super::access::{Who, bearer, is_admin};
use super::answer::Refused;
use super::{Api, Kind, Known, blocking, json, read_json};
use crate::board::core::Closed;
use crate::board::scene::action::What;
use crate::http::visitor::Visitor;
use crate::store::BoardName;
use crate::store::registry::{self, Created, NewBoard, RegistryError};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json as value;

/// Boards in one answer at most, and where nothing is said.
const LIST: u32 = 1000;
const LIST_DEFAULT: u32 = 200;

/// A board that somebody wants.
#[derive(Debug, Default, Deserialize)]
struct Wish {
    id: Option<String>,
    title: Option<String>,
    /// Whether it gets a secret for teachers, and one for looking.
    #[serde(default)]
    teacher: bool,
}

/// `POST /api/boards`
pub async fn create(State(api): State<Api>, visitor: Visitor, body: Bytes) -> Result<Response, Refused> {
    let wish: Wish = if body.is_empty() { Wish::default() } else { read_json(&body)? };
    let board = new_board(&api, visitor, NewBoard { id: wish.id, title: wish.title, secrets: wish.teacher }).await?;
    Ok(json(StatusCode::CREATED, &created(&board)))
}

/// Makes a board for somebody, if there is room for one.
pub async fn new_board(api: &Api, visitor: Visitor, wish: NewBoard) -> Result<Created, Refused> {
    let reader = api.store.reader.clone();
    let boards = blocking(move || Ok(reader.boards()?)).await?;
    let from = api.gate.household(visitor.0);
    api.rooms.may_begin_board(boards, from)?;
    let created = api.store.create(wish, api.marks.boards).await;
    if created.is_err() {
        api.rooms.no_board_begun(from);
    }
    Ok(created?)
}

/// What whoever made a board is told, this once.
pub fn created(board: &Created) -> serde_json::Value {
    let id = &*board.name.code;
    let mut answer = value!({ "id": id, "kind": BoardName::BOARD, "links": { "board": format!("/b/{id}") } });
    for (role, secret) in [("teacher", &board.teacher), ("look", &board.look)] {
        if let Some(secret) = secret {
            answer[role] = value!(secret.text());
            answer["links"][role] = value!(format!("/b/{id}#{role}={}", secret.text()));
        }
    }
    answer
}

/// What the address of the list may say.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Page {
    /// Those that are deleted instead of those that are not.
    #[serde(default)]
    deleted: bool,
    limit: Option<u32>,
    #[serde(default)]
    offset: u32,
}

/// `GET /api/boards`
pub async fn list(State(api): State<Api>, Query(page): Query<Page>, headers: HeaderMap) -> Result<Response, Refused> {
    let admin = bearer(&headers).is_some_and(|secret| is_admin(secret, api.token_file.as_deref()));
    if !admin && (!api.public_list || page.deleted) {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "access",
            "The list of boards needs the server's admin token: `Authorization: Bearer <token>`.",
        ));
    }
    let limit = page.limit.unwrap_or(LIST_DEFAULT).clamp(1, LIST);
    let boards = blocking(move || Ok(api.store.reader.list(page.deleted, limit, page.offset)?)).await?;
    // A page that is full may have another behind it.
    let next = (boards.len() == limit as usize).then(|| page.offset.saturating_add(limit));
    Ok(json(StatusCode::OK, &value!({ "boards": boards, "next": next })))
}

/// `GET /api/boards/{board}`
pub async fn facts(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
) -> Result<Response, Refused> {
    let name = kind.name(&board)?;
    let (reader, wanted) = (api.store.reader.clone(), name.clone());
    let entry = blocking(move || Ok(reader.entry(&wanted)?)).await?;
    match entry {
        None => Err(RegistryError::Unknown(name.code.to_string()).into()),
        Some(entry) if entry.deleted.is_some() => Err(RegistryError::Deleted(entry.id).into()),
        Some(entry) => {
            let mut facts = value!(entry);
            facts["exists"] = value!(true);
            Ok(json(StatusCode::OK, &facts))
        }
    }
}

#[derive(Debug, Deserialize)]
struct Renaming {
    title: String,
}

/// `PATCH /api/boards/{board}`
pub async fn rename(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let known = Known::managed(&api, kind.name(&board)?, &headers).await?;
    known.present()?;
    let Renaming { title } = read_json(&body)?;
    let title = registry::title(&title)?;
    if known.name.dialect == BoardName::BOARD {
        // An operation of the board, so that everybody there sees it; the list takes it from the log.
        api.rooms.change(known.name, vec![What::Title(title.into())]).await?;
    } else {
        api.takes_changes()?;
        api.store.rename(&known.name, &title).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/boards/{board}`
pub async fn delete(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<StatusCode, Refused> {
    let known = Known::managed(&api, kind.name(&board)?, &headers).await?;
    api.store.delete(&known.name).await?;
    // From here on nothing can be written to it; who is there is told why.
    api.rooms.close(&known.name, Closed::Deleted);
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/boards/{board}/restore`
pub async fn restore(
    State(api): State<Api>,
    Path(board): Path<String>,
    Query(kind): Query<Kind>,
    headers: HeaderMap,
) -> Result<StatusCode, Refused> {
    let known = Known::managed(&api, kind.name(&board)?, &headers).await?;
    // A deleted board without a secret comes back for anybody who knows its id, as anybody could have deleted it.
    debug_assert!(matches!(known.who, Who::Admin | Who::Teacher));
    api.store.undelete(&known.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::registry::Secret;

    #[test]
    fn links_carry_secrets_behind_the_hash_where_no_server_sees_them() {
        let name = BoardName::board("abc");
        let plain = created(&Created { name: name.clone(), teacher: None, look: None });
        assert_eq!(plain, value!({ "id": "abc", "kind": "board", "links": { "board": "/b/abc" } }));
        let (teacher, look) = (Secret::new().unwrap(), Secret::new().unwrap());
        let (t, l) = (teacher.text().to_owned(), look.text().to_owned());
        let secured = created(&Created { name, teacher: Some(teacher), look: Some(look) });
        assert_eq!(secured["links"]["teacher"], format!("/b/abc#teacher={t}"));
        assert_eq!(secured["links"]["look"], format!("/b/abc#look={l}"));
        assert_eq!((&secured["teacher"], &secured["look"]), (&value!(t), &value!(l)));
    }
}
