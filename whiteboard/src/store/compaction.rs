//! Folding old operations into a board's base, so that the log does not grow for ever.
//!
//! Two steps, each in transactions of its own. First the base moves on: it holds the board as it was after the last
//! operation that is older than the retention, and from that moment on nobody reads the operations before it. Then
//! those are deleted, a few at a time, so that drawings never wait for long. Killed anywhere in between, the board is
//! whole, and the next run goes on.

use super::dialects::{self, Visit};
use super::reader::{ReplayError, Start, replay};
use super::{Store, StoreError};
use crate::board::core::Durable;
use rusqlite::{Connection, OptionalExtension, params};

/// Operations that one transaction deletes at most.
const SWEEP: u64 = 200;

/// A board whose oldest operation is older than what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub id: i64,
    pub dialect: String,
    pub code: String,
}

/// How far back single operations are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Operations from before this moment are folded, milliseconds since 1970.
    pub before: i64,
    /// A base is only written anew once it is this much older than `before`, in milliseconds: a board that is used each
    /// day is rewritten once a day and not each hour.
    pub slack: i64,
}

/// What became of a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    /// Operations that were deleted.
    pub operations: u64,
    /// Whether the board begins later now.
    pub moved: bool,
}

/// The boards that have something to fold or to sweep.
pub(super) fn old(connection: &Connection, cut: Cut) -> rusqlite::Result<Vec<Old>> {
    connection
        .prepare(
            "SELECT id, dialect, code FROM boards
             WHERE deleted IS NULL
               AND (SELECT time FROM operations WHERE board = boards.id ORDER BY seq LIMIT 1) < ?1",
        )?
        .query_map([cut.before], |row| Ok(Old { id: row.get(0)?, dialect: row.get(1)?, code: row.get(2)? }))?
        .collect()
}

/// A new base.
struct Base {
    seq: u64,
    time: i64,
    body: String,
}

struct MakeBase<'a> {
    connection: &'a Connection,
    board: i64,
    cut: Cut,
}

impl Visit for MakeBase<'_> {
    type Output = Result<Option<Base>, ReplayError>;

    /// The base as it should be; none if the present one still serves.
    fn visit<S: Durable>(self) -> Self::Output {
        let Self { connection, board, cut } = self;
        let base: Option<(u64, i64)> = connection
            .prepare_cached("SELECT seq, time FROM bases WHERE board = ?1")?
            .query_row([board], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if base.is_some_and(|(_, time)| time >= cut.before - cut.slack) {
            return Ok(None);
        }
        let from = base.map_or(0, |(seq, _)| seq);
        // Not the last one that is old: clocks may have gone back, and what came after a new one is new.
        let first_new: Option<u64> = connection
            .prepare_cached(
                "SELECT seq FROM operations WHERE board = ?1 AND seq > ?2 AND time >= ?3 ORDER BY seq LIMIT 1",
            )?
            .query_row(params![board, from, cut.before], |row| row.get(0))
            .optional()?;
        let last: Option<u64> = connection
            .prepare_cached("SELECT max(seq) FROM operations WHERE board = ?1")?
            .query_row([board], |row| row.get(0))?;
        let until = first_new.map_or(last.unwrap_or(0), |seq| seq - 1);
        if until <= from {
            return Ok(None);
        }
        let replayed = replay::<S>(connection, board, Start::Base, Some(until))?;
        let body = replayed.state.encode();
        // What cannot be read back must never take the place of what can.
        if S::decode(&body)?.encode() != body {
            return Err(ReplayError::Gap { after: until });
        }
        Ok(Some(Base { seq: until, time: replayed.time.unwrap_or(cut.before), body }))
    }
}

impl Store {
    /// Folds one board. Blocks: call it from a thread of its own.
    pub(super) fn fold(&self, board: &Old, cut: Cut) -> Result<Folded, StoreError> {
        let base = self.reader.at_one_moment(|connection| {
            dialects::visit(&board.dialect, MakeBase { connection, board: board.id, cut })
                .transpose()
                .map_err(self.reader.named(&board.code))
        })?;
        let base = base.flatten();
        let moved = base.is_some();
        if let Some(base) = base {
            self.move_base(board.id, base)?;
        }
        Ok(Folded { operations: self.sweep(board.id)?, moved })
    }

    fn move_base(&self, board: i64, base: Base) -> Result<(), StoreError> {
        self.writer.transact_blocking(move |connection| {
            let Base { seq, time, body } = base;
            connection
                .prepare_cached(
                    "INSERT INTO bases (board, seq, time, body) SELECT id, ?2, ?3, ?4 FROM boards WHERE id = ?1
                     ON CONFLICT (board) DO UPDATE SET seq = excluded.seq, time = excluded.time, body = excluded.body
                     WHERE excluded.seq > seq",
                )?
                .execute(params![board, seq, time, body])?;
            connection
                .prepare_cached("DELETE FROM snapshots WHERE board = ?1 AND seq <= ?2")?
                .execute(params![board, seq])?;
            Ok(())
        })
    }

    /// Deletes what lies behind the base, bit by bit. Returns how many operations that were.
    fn sweep(&self, board: i64) -> Result<u64, StoreError> {
        let mut operations = 0;
        loop {
            let deleted = self.writer.transact_blocking(move |connection| sweep_some(connection, board))?;
            operations += deleted;
            if deleted < SWEEP {
                return Ok(operations);
            }
            super::maintenance::breathe();
        }
    }
}

fn sweep_some(connection: &Connection, board: i64) -> rusqlite::Result<u64> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM operations WHERE id IN (
                 SELECT o.id FROM operations o JOIN bases b ON b.board = o.board
                 WHERE o.board = ?1 AND o.seq <= b.seq ORDER BY o.seq LIMIT ?2)",
        )?
        .execute(params![board, SWEEP])?;
    Ok(deleted as u64)
}

#[cfg(test)]
mod tests;
