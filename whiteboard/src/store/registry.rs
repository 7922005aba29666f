//! The boards that there are: found, made, named, deleted, brought back.

use super::{BoardName, Reader, Store, StoreError, clock};
use crate::board::core::BoardMeta;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::fmt;

/// Characters of made-up board ids: none that look alike, in small letters, so that an id can be read out.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Length of made-up ids: 60 bits of chance.
const ID_LENGTH: usize = 12;

/// The dialect of boards that are being purged: nobody finds them any more.
pub(super) const PURGED: &str = "purged";

/// A secret that opens something, as its holder has it: 128 random bits in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one.
    pub fn new() -> Result<Self, RegistryError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| RegistryError::Chance)?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// What the database keeps of a secret. Compare these, never the texts: how long it takes then tells nothing.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A wish for a new board.
#[derive(Clone, Debug, Default)]
pub struct NewBoard {
    /// Its id; none: one is made up.
    pub id: Option<String>,
    pub title: Option<String>,
    /// Whether it gets secrets for teachers and for people who only look. Without them everybody may do everything.
    pub secrets: bool,
}

/// A board that was made. The secrets are nowhere else: who loses them loses them.
#[derive(Clone, Debug)]
pub struct Created {
    pub name: BoardName,
    pub teacher: Option<Secret>,
    pub look: Option<Secret>,
}

/// A line of the list of boards.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    pub id: String,
    /// The dialect.
    pub kind: String,
    pub title: Option<String>,
    /// Milliseconds since 1970, as the others.
    pub created: i64,
    pub changed: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<i64>,
    /// Whether it has a secret for teachers.
    pub secured: bool,
}

/// Why something was not done with a board; sentences for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("There is a board {0:?} already. Choose another id.")]
    Taken(String),
    #[error("{0:?} is no id for a board: use 1 to 64 of the characters A-Z a-z 0-9 _ and -.")]
    Id(String),
    #[error("A title has 1 to 200 characters.")]
    Title,
    #[error("There is no board {0:?}.")]
    Unknown(String),
    #[error("The board {0:?} was deleted. Whoever may delete it can bring it back.")]
    Deleted(String),
    #[error("The board {0:?} is not deleted.")]
    NotDeleted(String),
    #[error(
        "The server has as many boards as it may have ({0}). Delete some, or ask the person who runs the server to raise MAX_BOARDS."
    )]
    TooMany(u64),
    #[error("The system gives no random numbers. Tell the person who runs the server.")]
    Chance,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether `text` may be the id of a board: `[A-Za-z0-9_-]{1,64}`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A title without blanks around it; an error if nothing is left, or more than 200 characters.
pub fn title(text: &str) -> Result<String, RegistryError> {
    let text = text.trim();
    if (1..=200).contains(&text.chars().count()) { Ok(text.to_owned()) } else { Err(RegistryError::Title) }
}

fn made_up_id() -> Result<String, RegistryError> {
    let mut bytes = [0; ID_LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| RegistryError::Chance)?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// A board's row and what is known about it; none if it is not on disk.
pub(super) fn find(connection: &Connection, name: &BoardName) -> rusqlite::Result<Option<(i64, BoardMeta)>> {
    connection
        .prepare_cached("SELECT id, title, teacher, look, deleted FROM boards WHERE dialect = ?1 AND code = ?2")?
        .query_row(params![name.dialect, &*name.code], |row| {
            let meta = BoardMeta {
                code: name.code.clone(),
                title: row.get(1)?,
                exists: true,
                teacher: row.get(2)?,
                look: row.get(3)?,
                deleted: row.get(4)?,
            };
            Ok((row.get(0)?, meta))
        })
        .optional()
}

impl Reader {
    /// Boards, the last changed first; deleted ones only, or only those that are not.
    pub fn list(&self, deleted: bool, limit: u32, offset: u32) -> Result<Vec<Entry>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT code, dialect, title, created, changed, deleted, teacher IS NOT NULL FROM boards
                     WHERE (deleted IS NOT NULL) = ?1 AND dialect <> ?2
                     ORDER BY changed DESC, id DESC LIMIT ?3 OFFSET ?4",
                )?
                .query_map(params![deleted, PURGED, limit, offset], entry)?
                .collect()
        })
    }

    /// The line of one board.
    pub fn entry(&self, name: &BoardName) -> Result<Option<Entry>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT code, dialect, title, created, changed, deleted, teacher IS NOT NULL FROM boards
                     WHERE dialect = ?1 AND code = ?2",
                )?
                .query_row(params![name.dialect, &*name.code], entry)
                .optional()
        })
    }
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        kind: row.get(1)?,
        title: row.get(2)?,
        created: row.get(3)?,
        changed: row.get(4)?,
        deleted: row.get(5)?,
        secured: row.get(6)?,
    })
}

impl Store {
    /// Makes a native board. At most `most` boards may be there, those that are deleted not counted.
    pub async fn create(&self, wish: NewBoard, most: u64) -> Result<Created, RegistryError> {
        let id = match wish.id {
            Some(id) if is_id(&id) => id,
            Some(id) => return Err(RegistryError::Id(id)),
            None => made_up_id()?,
        };
        let title = wish.title.as_deref().map(title).transpose()?;
        let (teacher, look) = if wish.secrets { (Some(Secret::new()?), Some(Secret::new()?)) } else { (None, None) };
        let name = BoardName::board(&id);
        let hashes = [&teacher, &look].map(|secret| secret.as_ref().map(|secret| hash(secret.text())));
        let row = name.clone();
        let made = self
            .writer
            .transact(move |connection| {
                let boards: u64 =
                    connection.query_row("SELECT count(*) FROM boards WHERE deleted IS NULL", [], |row| row.get(0))?;
                if boards >= most {
                    return Ok(Err(RegistryError::TooMany(most)));
                }
                let [teacher, look] = hashes;
                let made = connection
                    .prepare_cached(
                        "INSERT OR IGNORE INTO boards (dialect, code, created, changed, title, teacher, look)
                         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![row.dialect, &*row.code, clock::now(), title, teacher, look])?;
                Ok(if made == 1 { Ok(()) } else { Err(RegistryError::Taken(row.code.to_string())) })
            })
            .await?;
        made.map(|()| Created { name, teacher, look })
    }

    /// Gives a board another title in the list. What its clients see is an operation of the board itself.
    pub async fn rename(&self, name: &BoardName, to: &str) -> Result<(), RegistryError> {
        let to = title(to)?;
        self.change(name, move |connection, id, meta| {
            if meta.deleted.is_some() {
                return Ok(Err(RegistryError::Deleted(meta.code.to_string())));
            }
            connection.prepare_cached("UPDATE boards SET title = ?2 WHERE id = ?1")?.execute(params![id, to])?;
            Ok(Ok(()))
        })
        .await
    }

    /// Marks a board as deleted: nothing can be written to it any more, and it is purged after the retention.
    pub async fn delete(&self, name: &BoardName) -> Result<(), RegistryError> {
        self.change(name, |connection, id, meta| {
            if meta.deleted.is_some() {
                return Ok(Err(RegistryError::Deleted(meta.code.to_string())));
            }
            connection
                .prepare_cached("UPDATE boards SET deleted = ?2 WHERE id = ?1")?
                .execute(params![id, clock::now()])?;
            Ok(Ok(()))
        })
        .await
    }

    /// Brings a deleted board back.
    pub async fn undelete(&self, name: &BoardName) -> Result<(), RegistryError> {
        self.change(name, |connection, id, meta| {
            if meta.deleted.is_none() {
                return Ok(Err(RegistryError::NotDeleted(meta.code.to_string())));
            }
            connection.prepare_cached("UPDATE boards SET deleted = NULL WHERE id = ?1")?.execute([id])?;
            Ok(Ok(()))
        })
        .await
    }

    async fn change(
        &self,
        name: &BoardName,
        work: impl FnOnce(&Connection, i64, BoardMeta) -> rusqlite::Result<Result<(), RegistryError>> + Send + 'static,
    ) -> Result<(), RegistryError> {
        let name = name.clone();
        self.writer
            .transact(move |connection| match find(connection, &name)? {
                Some((id, meta)) => work(connection, id, meta),
                None => Ok(Err(RegistryError::Unknown(name.code.to_string()))),
            })
            .await?
    }
}

#[cfg(test)]
mod tests;
