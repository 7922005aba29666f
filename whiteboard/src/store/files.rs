//! Images, each content once, in pieces of 256 KiB, so that a drawing never waits behind a whole image.
//!
//! They live in the database: a backup is one file, and what its elements name is in it. Bytes come from a temporary
//! file, where they were counted and hashed; the row that makes an image exist is written last.

use super::{BoardName, Reader, Store, StoreError, clock, registry, unused};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a piece.
pub const PIECE: usize = 256 << 10;

/// Limits of images, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    /// Of one.
    pub file: u64,
    /// Of all of a board together.
    pub board: u64,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self { file: 16 << 20, board: 256 << 20 }
    }
}

/// An image on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub id: i64,
    pub sha256: [u8; 32],
    pub bytes: u64,
    pub mime: String,
}

/// An image that has come, in a file.
#[derive(Debug)]
pub struct Incoming<'a> {
    pub path: &'a Path,
    pub sha256: [u8; 32],
    pub bytes: u64,
    pub mime: &'static str,
}

/// Why an image was not kept; sentences for the person who sent it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("There is no board {0:?}.")]
    UnknownBoard(String),
    #[error("The board {0:?} was deleted.")]
    DeletedBoard(String),
    #[error("There is another image called {0:?} already. Send it under another id.")]
    Differs(String),
    #[error("The images of a board may have {0} bytes together. Use smaller ones, or another board.")]
    BoardFull(u64),
    #[error("The image could not be read back from the disk: {0}. Send it again.")]
    Unreadable(std::io::Error),
    #[error("The system gives no random numbers. Tell the person who runs the server.")]
    Chance,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Uploads under way: their pieces are no leftovers.
#[derive(Clone, Debug, Default)]
pub struct Uploads(Arc<Mutex<HashSet<i64>>>);

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashSet<i64>> {
        // Changed by single calls only: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn under_way(&self) -> HashSet<i64> {
        self.lock().clone()
    }

    fn begin(&self) -> Result<Upload, FileError> {
        loop {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|_| FileError::Chance)?;
            // Positive, and not a number that is just in use.
            let id = i64::from_le_bytes(bytes) >> 1 & i64::MAX;
            if self.lock().insert(id) {
                return Ok(Upload { id, all: self.clone() });
            }
        }
    }
}

/// One of them; over when dropped.
#[derive(Debug)]
struct Upload {
    id: i64,
    all: Uploads,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

impl Reader {
    /// The image that a board calls `name`.
    pub fn file(&self, board: &BoardName, name: &str) -> Result<Option<Kept>, StoreError> {
        self.read(|connection| match registry::find(connection, board)? {
            Some((id, meta)) if meta.deleted.is_none() => of_board(connection, id, name),
            _ => Ok(None),
        })
    }

    /// A piece of an image, counted from 0; none behind its end.
    pub fn piece(&self, file: i64, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT body FROM chunks WHERE file = ?1 AND n = ?2")?
                .query_row(params![file, n], |row| row.get(0))
                .optional()
        })
    }

    /// A whole image, for exports: at most what one may have (16 MiB by default).
    pub fn whole_file(&self, file: &Kept) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or(0));
        let mut n = 0;
        while let Some(piece) = self.piece(file.id, n)? {
            bytes.extend_from_slice(&piece);
            n += 1;
        }
        Ok(bytes)
    }
}

fn of_board(connection: &Connection, board: i64, name: &str) -> rusqlite::Result<Option<Kept>> {
    connection
        .prepare_cached(
            "SELECT f.id, f.sha256, f.bytes, f.mime FROM board_files l JOIN files f ON f.id = l.file
             WHERE l.board = ?1 AND l.name = ?2",
        )?
        .query_row(params![board, name], |row| {
            Ok(Kept { id: row.get(0)?, sha256: row.get(1)?, bytes: row.get(2)?, mime: row.get(3)? })
        })
        .optional()
}

/// What there is to do with an image before its bytes are written.
enum Stand {
    /// The board has it, or has it now: the content was there already.
    Done(Kept),
    /// Its bytes must be written.
    Missing,
}

impl Store {
    /// Keeps an image under the name that the elements of a board call it by. Of the same bytes under the same name
    /// again it is noted only that they were sent now. Blocks: it reads the file and waits for the disk after each piece.
    pub fn keep_file(
        &self,
        uploads: &Uploads,
        board: &BoardName,
        name: &str,
        incoming: &Incoming<'_>,
        limits: FileLimits,
    ) -> Result<Kept, FileError> {
        match self.link(board, name, incoming, limits, None)? {
            Stand::Done(kept) => return Ok(kept),
            Stand::Missing => {}
        }
        let upload = uploads.begin()?;
        let id = upload.id;
        let mut source = File::open(incoming.path).map_err(FileError::Unreadable)?;
        let mut left = incoming.bytes;
        for n in 0_u64.. {
            if left == 0 {
                break;
            }
            let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
            source.read_exact(&mut piece).map_err(FileError::Unreadable)?;
            left -= piece.len() as u64;
            self.writer.transact_blocking(move |connection| {
                connection
                    .prepare_cached("INSERT INTO chunks (file, n, body) VALUES (?1, ?2, ?3)")?
                    .execute(params![id, n, piece])
            })?;
        }
        match self.link(board, name, incoming, limits, Some(id))? {
            Stand::Done(kept) => Ok(kept),
            Stand::Missing => Err(FileError::Store(StoreError::Stopped)),
        }
    }

    /// Gives a board an image whose content is on disk already, or whose pieces were written as `written`. If that
    /// content has come by another way meanwhile, the pieces are leftovers and go with the next purge.
    fn link(
        &self,
        board: &BoardName,
        name: &str,
        incoming: &Incoming<'_>,
        limits: FileLimits,
        written: Option<i64>,
    ) -> Result<Stand, FileError> {
        let (board, name) = (board.clone(), name.to_owned());
        let Incoming { sha256, bytes, mime, .. } = *incoming;
        self.writer.transact_blocking(move |connection| {
            let (id, meta) = match registry::find(connection, &board)? {
                None => return Ok(Err(FileError::UnknownBoard(board.code.to_string()))),
                Some((_, meta)) if meta.deleted.is_some() => {
                    return Ok(Err(FileError::DeletedBoard(board.code.to_string())));
                }
                Some(found) => found,
            };
            debug_assert!(meta.exists);
            if let Some(kept) = of_board(connection, id, &name)? {
                // With other bytes, too: whoever sent them goes on with those that are there.
                unused::renew(connection, id, &name)?;
                return Ok(if kept.sha256 == sha256 { Ok(Stand::Done(kept)) } else { Err(FileError::Differs(name)) });
            }
            let used: u64 = connection
                .prepare_cached(
                    "SELECT coalesce(sum(f.bytes), 0) FROM board_files l JOIN files f ON f.id = l.file WHERE l.board = ?1",
                )?
                .query_row([id], |row| row.get(0))?;
            if used.saturating_add(bytes) > limits.board {
                return Ok(Err(FileError::BoardFull(limits.board)));
            }
            let there: Option<i64> = connection
                .prepare_cached("SELECT id FROM files WHERE sha256 = ?1")?
                .query_row([sha256], |row| row.get(0))
                .optional()?;
            let now = clock::now();
            let file = match (there, written) {
                (Some(file), _) => file,
                (None, None) => return Ok(Ok(Stand::Missing)),
                (None, Some(file)) => {
                    connection
                        .prepare_cached("INSERT INTO files (id, sha256, bytes, mime, created) VALUES (?1, ?2, ?3, ?4, ?5)")?
                        .execute(params![file, sha256, bytes, mime, now])?;
                    file
                }
            };
            connection
                .prepare_cached("INSERT INTO board_files (board, name, file, created) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![id, name, file, now])?;
            Ok(Ok(Stand::Done(of_board(connection, id, &name)?.unwrap_or(Kept {
                id: file,
                sha256,
                bytes,
                mime: mime.to_owned(),
            }))))
        })?
    }
}

#[cfg(test)]
mod tests;
