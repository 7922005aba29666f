//! Boards on disk: one SQLite database, an append-only log of operations, snapshots, one writer.
//!
//! An append is answered when it is on disk (WAL, `synchronous=FULL`), never before. What arrives while a commit is
//! under way goes into the next one (group commit); an idle store commits at once.

pub mod accounts;
pub mod clock;
mod compaction;
pub mod dialects;
pub mod disk;
pub mod examine;
pub mod files;
pub mod history;
pub mod lock;
pub mod maintenance;
mod purge;
pub mod reader;
pub mod registry;
pub mod reserve;
pub mod schema;
#[cfg(test)]
pub(crate) mod testing;
mod unused;
mod values;
pub mod writer;

use crate::board::core::RecordError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use lock::DataLock;
pub use reader::{Loaded, Reader};
pub use writer::{Append, Committed, Writer};

/// File name of the database inside the data directory.
pub const DATABASE: &str = "whiteboard.db";

/// Files that this program puts into the data directory for a while begin with this; leftovers of a killed process
/// are removed at the next start.
pub const TEMPORARY_PREFIX: &str = ".whiteboard-tmp-";

/// What can go wrong with the store, in words for the person who runs it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("The data directory {path} cannot be used: {source}. Create it and make it writable for this user.")]
    Directory { path: PathBuf, source: std::io::Error },
    #[error(
        "The data directory {path} is in use by another whiteboard process. Stop that one first; two servers never write one directory."
    )]
    InUse { path: PathBuf },
    #[error(
        "{path} was written by a newer release (schema {found}, this release knows {known}). Run that release or a newer one, or restore a backup made by this one."
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("{path} is not a whiteboard database. Choose another data directory, or move that file away.")]
    Foreign { path: PathBuf },
    #[error("The database {path} failed: {source}.")]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("The board {code:?} in {path} cannot be read: {source}. Restore it from a backup.")]
    Board { path: PathBuf, code: String, source: RecordError },
    #[error(
        "The board {code:?} in {path} cannot be read: the operation behind number {after} is missing. Restore it from a backup."
    )]
    Gap { path: PathBuf, code: String, after: u64 },
    #[error("{0}")]
    NotSaved(String),
    #[error("The server is ending: nothing was changed. Try again when it is back.")]
    Stopped,
    #[error("The disk that holds {path} has {free} bytes free, {needed} are needed. Make room on it.")]
    DiskFull { path: PathBuf, free: u64, needed: u64 },
}

impl StoreError {
    pub(crate) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Database { path: path.to_owned(), source }
    }

    pub(crate) fn directory(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Directory { path: path.to_owned(), source }
    }
}

/// The name of a board: each dialect has boards of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoardName {
    /// Short name of the dialect, for example [`BoardName::CLASSROOM`].
    pub dialect: &'static str,
    /// What the people who meet there call it; for a classroom its session code.
    pub code: Arc<str>,
}

impl BoardName {
    /// Socket.IO classrooms.
    pub const CLASSROOM: &'static str = "classroom";
    /// CollabCanvas.
    pub const CANVAS: &'static str = "canvas";
    /// The native dialect.
    pub const BOARD: &'static str = "board";
    /// All dialects that this release knows.
    pub const DIALECTS: [&'static str; 3] = [Self::CLASSROOM, Self::CANVAS, Self::BOARD];

    pub fn classroom(code: &str) -> Self {
        Self { dialect: Self::CLASSROOM, code: code.into() }
    }

    pub fn canvas(code: &str) -> Self {
        Self { dialect: Self::CANVAS, code: code.into() }
    }

    pub fn board(code: &str) -> Self {
        Self { dialect: Self::BOARD, code: code.into() }
    }

    /// The board `code` of the dialect of that name, if there is such a dialect.
    pub fn of(dialect: &str, code: &str) -> Option<Self> {
        let dialect = Self::DIALECTS.into_iter().find(|known| *known == dialect)?;
        Some(Self { dialect, code: code.into() })
    }
}

/// The store of a running server.
#[derive(Clone, Debug)]
pub struct Store {
    pub reader: Arc<Reader>,
    pub writer: Writer,
}

impl Store {
    /// Opens the database in `directory`, creating or migrating it. The caller holds the directory's [`DataLock`].
    /// `on_fatal` is called once with a sentence when disk and memory can no longer be known to agree: the process
    /// must end then and start again from what is on disk.
    pub fn open(
        directory: &Path,
        on_fatal: impl FnOnce(String) + Send + 'static,
        on_commit: impl Fn(writer::Commit) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let path = directory.join(DATABASE);
        let connection = schema::open(&path).or_else(|error| {
            if !reserve::give_up(directory) {
                return Err(error);
            }
            tracing::error!("the disk is full ({error}): the reserve of {} bytes was given up", reserve::BYTES);
            schema::open(&path)
        })?;
        Self::on(connection, directory, on_fatal, on_commit)
    }

    /// [`Self::open`] with a writing connection that is open already.
    pub(crate) fn on(
        connection: rusqlite::Connection,
        directory: &Path,
        on_fatal: impl FnOnce(String) + Send + 'static,
        on_commit: impl Fn(writer::Commit) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let path = directory.join(DATABASE);
        let reader = Arc::new(Reader::open(&path)?);
        let writer = Writer::start(connection, path.clone(), on_fatal, on_commit)
            .map_err(|source| StoreError::Directory { path, source })?;
        Ok(Self { reader, writer })
    }
}
