//! Backups: taken from a running server, proven by opening them, kept in number, brought back.
//!
//! A backup is two files: `NAME.db`, a database of its own, and `NAME.json`, its [`manifest::Manifest`]. A `.db` under
//! its final name has always been opened and replayed before it got that name.

pub mod digest;
pub mod manifest;
pub mod restore;
pub mod retention;
pub mod source;
pub mod take;
pub mod verify;

use crate::store::StoreError;
use crate::store::examine::ExamineError;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the header in which a server tells the SHA-256 of what it streams, in hexadecimal.
pub const HASH_HEADER: &str = "x-whiteboard-sha256";

/// What can go wrong with a backup, in words for the person who needs it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{path}: {source}.")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Examine(#[from] ExamineError),
    #[error("{0}")]
    Usage(String),
    #[error("The server at {address} does not answer: {cause}. Is it running, and is that its admin port?")]
    Unreachable { address: String, cause: String },
    #[error("The server refused the backup ({status}): {sentence}")]
    Refused { status: u16, sentence: String },
    #[error("The backup broke off after {received} of {expected} bytes. Run it again.")]
    Incomplete { received: u64, expected: u64 },
    #[error("{path} is not what its manifest says: {what} differs. Use another backup.")]
    Differs { path: PathBuf, what: &'static str },
    #[error("There is no backup in {0}.")]
    None(PathBuf),
    #[error("There is no backup {name} in {directory}. There are: {known}.")]
    Unknown { directory: PathBuf, name: String, known: String },
    #[error(
        "{0} holds drawings already. Add --replace to put the backup in their place; they are moved aside, not deleted."
    )]
    NotEmpty(PathBuf),
}

impl BackupError {
    pub(crate) fn file(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
