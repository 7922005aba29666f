//! Looking at everything in a database: whether its pages are sound, and whether every board can be replayed.

use super::dialects::{self, Visit};
use super::reader::{ReplayError, Start, replay};
use super::{Reader, StoreError};
use crate::board::core::Durable;
use rusqlite::Connection;
use std::path::PathBuf;

/// How many of what a database holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    pub boards: u64,
    /// All that were ever made, those that compaction has folded included.
    pub operations: u64,
    /// Strokes, elements and objects.
    pub strokes: u64,
    /// Images.
    #[serde(default)]
    pub files: u64,
}

/// A database that opens but is not sound.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path} is damaged: {faults}. Use another backup.")]
    Integrity { path: PathBuf, faults: String },
    #[error(
        "The board {code:?} in {path} has {found} operations, but its last one is number {seq}. Use another backup."
    )]
    Gap { path: PathBuf, code: String, found: u64, seq: u64 },
    #[error("The board {code:?} in {path} has a snapshot that differs from its log. Use another backup.")]
    Snapshot { path: PathBuf, code: String },
    #[error(
        "The board {code:?} in {path} is of the kind {dialect:?}, which this release does not know. Use a newer one."
    )]
    Dialect { path: PathBuf, code: String, dialect: String },
    #[error("The image {name:?} of the board {code:?} in {path} is not whole. Use another backup.")]
    File { path: PathBuf, code: String, name: String },
}

/// What the tables say of a board.
struct Row {
    id: i64,
    dialect: String,
    code: String,
    /// Operations behind its base.
    operations: u64,
    base: u64,
    last: u64,
}

/// What replaying a board came to.
struct Replays {
    seq: u64,
    count: u64,
    same: bool,
}

struct Both<'a> {
    connection: &'a Connection,
    board: i64,
}

impl Visit for Both<'_> {
    type Output = Result<Replays, ReplayError>;

    fn visit<S: Durable>(self) -> Self::Output {
        let quick = replay::<S>(self.connection, self.board, Start::Snapshot, None)?;
        let whole = replay::<S>(self.connection, self.board, Start::Base, None)?;
        whole.state.inspect()?;
        quick.state.inspect()?;
        let same = quick.seq == whole.seq && quick.state.encode() == whole.state.encode();
        Ok(Replays { seq: quick.seq, count: whole.state.count(), same })
    }
}

impl Reader {
    /// Looks at everything: the pages of the file, then every board, replayed from its base and from its snapshot,
    /// which must come to the same, then every image. Returns what there is.
    pub fn examine(&self) -> Result<Counts, ExamineError> {
        // One transaction: a server may be writing meanwhile, and everything must be of one moment.
        self.at_one_moment(|connection| self.examine_now(connection))
    }

    fn examine_now(&self, connection: &Connection) -> Result<Counts, ExamineError> {
        let failed = StoreError::database(self.path());
        let path = || self.path().to_owned();
        let faults = faults(connection).map_err(&failed)?;
        if faults != ["ok"] {
            return Err(ExamineError::Integrity { path: path(), faults: faults.join("; ") });
        }
        let boards = boards(connection).map_err(&failed)?;
        let mut counts = Counts { boards: boards.len() as u64, ..Counts::default() };
        for Row { id, dialect, code, operations, base, last } in boards {
            if base + operations != last {
                return Err(ExamineError::Gap { path: path(), code, found: base + operations, seq: last });
            }
            let Some(replays) = dialects::visit(&dialect, Both { connection, board: id }) else {
                return Err(ExamineError::Dialect { path: path(), code, dialect });
            };
            let replays = replays.map_err(self.named(&code))?;
            if replays.seq != last {
                return Err(ExamineError::Gap { path: path(), code, found: replays.seq, seq: last });
            }
            if !replays.same {
                return Err(ExamineError::Snapshot { path: path(), code });
            }
            counts.operations += last;
            counts.strokes += replays.count;
        }
        if let Some((code, name)) = broken_file(connection).map_err(&failed)? {
            return Err(ExamineError::File { path: path(), code, name });
        }
        counts.files = connection.query_row("SELECT count(*) FROM files", [], |row| row.get(0)).map_err(&failed)?;
        Ok(counts)
    }
}

fn faults(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    // Foreign keys are not part of it; a temporary view in front of an older version's tables would not be understood.
    connection.prepare("PRAGMA main.integrity_check(5)")?.query_map([], |row| row.get(0))?.collect()
}

fn boards(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    connection
        .prepare(
            "SELECT b.id, b.dialect, b.code, count(o.id), coalesce(s.seq, 0), max(coalesce(s.seq, 0), coalesce(max(o.seq), 0))
             FROM boards b LEFT JOIN bases s ON s.board = b.id
             LEFT JOIN operations o ON o.board = b.id AND o.seq > coalesce(s.seq, 0)
             WHERE b.dialect <> 'purged' GROUP BY b.id",
        )?
        .query_map([], |row| {
            Ok(Row {
                id: row.get(0)?,
                dialect: row.get(1)?,
                code: row.get(2)?,
                operations: row.get(3)?,
                base: row.get(4)?,
                last: row.get(5)?,
            })
        })?
        .collect()
}

/// A board and its name for a file whose chunks are not as long as the file.
fn broken_file(connection: &Connection) -> rusqlite::Result<Option<(String, String)>> {
    use rusqlite::OptionalExtension;
    connection
        .query_row(
            "SELECT b.code, l.name FROM board_files l JOIN boards b ON b.id = l.board LEFT JOIN files f ON f.id = l.file
             WHERE f.id IS NULL
                OR f.bytes <> (SELECT coalesce(sum(length(body)), 0) FROM chunks WHERE file = f.id) LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
}
