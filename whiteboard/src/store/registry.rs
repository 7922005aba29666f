//! The boards that there are: found, made, named, deleted, brought back, purged.

use super::BoardName;
use crate::board::core::BoardMeta;
use rusqlite::{Connection, OptionalExtension, params};

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
