//! Removing for good what nobody can want back: boards that were deleted long ago, images that no board has.

use super::registry::PURGED;
use super::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// Rows that one transaction deletes at most.
const ROWS: u64 = 200;

/// Chunks of images (256 KiB each) that one transaction deletes at most.
const CHUNKS: u64 = 8;

/// What belongs to a board, in the order in which it goes, and how many rows at a time.
const PARTS: [(&str, u64); 6] = [
    ("snapshots", ROWS),
    ("operations", ROWS),
    ("versions", 4),
    ("bases", ROWS),
    ("roles", ROWS),
    ("board_files", ROWS),
];

impl Store {
    /// Purges the boards that were deleted before `before` (milliseconds since 1970). Killed in between, the next run
    /// goes on; nobody can bring back a board whose purge has begun. Blocks. Returns how many boards are gone.
    pub(super) fn purge_boards(&self, before: i64) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let begun = self.writer.transact_blocking(move |connection| begin(connection, before))?;
            let Some(board) = begun else { return Ok(purged) };
            for (table, rows) in PARTS {
                while self.writer.transact_blocking(move |connection| delete_some(connection, table, board, rows))?
                    == rows
                {
                    super::maintenance::breathe();
                }
            }
            self.writer
                .transact_blocking(move |connection| connection.execute("DELETE FROM boards WHERE id = ?1", [board]))?;
            purged += 1;
        }
    }

    /// Purges images that no board has, and chunks of uploads that were broken off; `uploading` are those under way.
    /// Blocks. Returns how many images and broken uploads are gone.
    pub(super) fn purge_files(&self, uploading: &HashSet<i64>) -> Result<u64, StoreError> {
        self.writer.transact_blocking(|connection| {
            connection
                .execute("DELETE FROM files WHERE NOT EXISTS (SELECT 1 FROM board_files WHERE file = files.id)", [])
        })?;
        let broken: Vec<i64> = self.reader.read(|connection| {
            // A step from file to file through the index, so that no image is read.
            connection
                .prepare(
                    "WITH RECURSIVE held (file) AS (
                         SELECT min(file) FROM chunks
                         UNION ALL SELECT (SELECT min(file) FROM chunks WHERE file > held.file) FROM held
                         WHERE held.file IS NOT NULL)
                     SELECT file FROM held
                     WHERE file IS NOT NULL AND NOT EXISTS (SELECT 1 FROM files WHERE id = held.file)",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        let mut purged = 0;
        for file in broken.into_iter().filter(|file| !uploading.contains(file)) {
            while self.writer.transact_blocking(move |connection| delete_chunks(connection, file))? == CHUNKS {
                super::maintenance::breathe();
            }
            purged += 1;
        }
        Ok(purged)
    }
}

/// Takes the next board's name away, so that it can be used anew at once, and nobody finds this one.
fn begin(connection: &Connection, before: i64) -> rusqlite::Result<Option<i64>> {
    let found: Option<i64> = connection
        .query_row("SELECT id FROM boards WHERE deleted < ?1 ORDER BY id LIMIT 1", [before], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        connection.execute("UPDATE boards SET dialect = ?2, code = id WHERE id = ?1", params![id, PURGED])?;
    }
    Ok(found)
}

fn delete_some(connection: &Connection, table: &str, board: i64, rows: u64) -> rusqlite::Result<u64> {
    let sql = format!("DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE board = ?1 LIMIT ?2)");
    Ok(connection.prepare_cached(&sql)?.execute(params![board, rows])? as u64)
}

fn delete_chunks(connection: &Connection, file: i64) -> rusqlite::Result<u64> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM chunks WHERE rowid IN (
                 SELECT rowid FROM chunks WHERE file = ?1 AND NOT EXISTS (SELECT 1 FROM files WHERE id = ?1) LIMIT ?2)",
        )?
        .execute(params![file, CHUNKS])?;
    Ok(deleted as u64)
}

#[cfg(test)]
mod tests;
