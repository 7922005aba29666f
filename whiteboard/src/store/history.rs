//! Looking back: the moments of a board, the board at one of them, and moments that have a name.

use super::dialects::{self, Visit};
use super::reader::{Start, replay};
use super::{BoardName, Reader, Store, StoreError, clock, registry};
use crate::board::core::Durable;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Named versions of one board at most: each keeps a whole board.
pub const VERSIONS: u64 = 200;

/// Moments of a timeline at most.
pub const MOMENTS: u64 = 500;

/// A moment of a board: after operation `seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    pub seq: u64,
    /// Milliseconds since 1970.
    pub time: i64,
    /// Who made that operation, as far as the record says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Operations since the moment before.
    pub count: u64,
}

/// What can be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The earliest operation after which the board can be shown; 0: the empty board before the first.
    pub first: u64,
    pub last: u64,
    /// Oldest first.
    pub moments: Vec<Moment>,
}

/// A moment that somebody gave a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    pub id: i64,
    pub seq: u64,
    pub time: i64,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// Which moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As it is on disk now.
    Now,
    /// After that operation.
    Seq(u64),
    /// As it was then, milliseconds since 1970.
    Time(i64),
    /// The named version with that id.
    Version(i64),
}

/// A board at a moment.
#[derive(Debug)]
pub struct Past<S> {
    pub state: S,
    pub seq: u64,
}

/// Why a moment cannot be shown or named; sentences for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("There is no board {0:?}.")]
    UnknownBoard(String),
    #[error("The board has no operation {0}.")]
    UnknownSeq(u64),
    #[error("Operation {asked} is older than what is kept. The earliest moment is after operation {first}.")]
    Folded { asked: u64, first: u64 },
    #[error(
        "The history of this board that far back is not kept any more. The earliest moment is {time} (milliseconds since \
         1970), after operation {first}; named versions are kept for ever."
    )]
    Earlier { first: u64, time: i64 },
    #[error("The board has no version {0}.")]
    UnknownVersion(i64),
    #[error("The name of a version has 1 to 100 characters.")]
    Name,
    #[error("A board has at most {VERSIONS} named versions. Delete one first.")]
    TooManyVersions,
    #[error("Boards of this kind are not known to this release.")]
    Dialect,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The parts of a record that say who made it.
#[derive(Deserialize)]
struct Author<'a> {
    #[serde(borrow, alias = "author", alias = "user")]
    by: Option<Cow<'a, str>>,
}

fn author(record: &str) -> Option<String> {
    serde_json::from_str::<Author<'_>>(record).ok()?.by.map(Cow::into_owned)
}

/// First and last operation that can be looked at.
pub(super) fn span(connection: &Connection, board: i64) -> rusqlite::Result<(u64, u64)> {
    let base: u64 = connection
        .prepare_cached("SELECT seq FROM bases WHERE board = ?1")?
        .query_row([board], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let last: Option<u64> = connection
        .prepare_cached("SELECT max(seq) FROM operations WHERE board = ?1")?
        .query_row([board], |row| row.get(0))?;
    Ok((base, last.unwrap_or(0).max(base)))
}

/// When the earliest moment of a board was whose beginning is not kept any more.
fn base_time(connection: &Connection, board: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT time FROM bases WHERE board = ?1")?
        .query_row([board], |row| row.get(0))
        .optional()
}

/// The last operation not after `time`, taking the clock for one that never went back.
fn seq_at(connection: &Connection, board: i64, time: i64) -> rusqlite::Result<u64> {
    let (first, last) = span(connection, board)?;
    let mut statement = connection.prepare_cached("SELECT time FROM operations WHERE board = ?1 AND seq = ?2")?;
    let (mut low, mut high) = (first, last);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let found: i64 = statement.query_row(params![board, middle], |row| row.get(0))?;
        if found <= time { low = middle } else { high = middle - 1 }
    }
    Ok(low)
}

impl Reader {
    fn board_id(&self, connection: &Connection, name: &BoardName) -> Result<i64, HistoryError> {
        registry::find(connection, name)
            .map_err(StoreError::database(self.path()))?
            .map(|(id, _)| id)
            .ok_or_else(|| HistoryError::UnknownBoard(name.code.to_string()))
    }

    /// Number of a board's last operation; 0 if there was none.
    pub fn last(&self, name: &BoardName) -> Result<u64, HistoryError> {
        self.at_one_moment(|connection| {
            let board = self.board_id(connection, name)?;
            Ok(span(connection, board).map_err(StoreError::database(self.path()))?.1)
        })
    }

    /// The moments of a board, at most `most` of them, evenly over its operations; the last one is always among them.
    pub fn timeline(&self, name: &BoardName, most: u64) -> Result<Timeline, HistoryError> {
        self.at_one_moment(|connection| {
            let board = self.board_id(connection, name)?;
            Ok(timeline(connection, board, most).map_err(StoreError::database(self.path()))?)
        })
    }

    /// A board as it was. It takes as long as replaying what lies between the newest snapshot before and that moment.
    pub fn past<S: Durable>(&self, name: &BoardName, when: When) -> Result<Past<S>, HistoryError> {
        self.at_one_moment(|connection| {
            let board = self.board_id(connection, name)?;
            let failed = StoreError::database(self.path());
            let (first, last) = span(connection, board).map_err(&failed)?;
            let seq = match when {
                When::Now => last,
                When::Seq(seq) => seq,
                When::Time(time) => {
                    let base = base_time(connection, board).map_err(&failed)?;
                    if let Some(base) = base.filter(|base| time < *base) {
                        return Err(HistoryError::Earlier { first, time: base });
                    }
                    seq_at(connection, board, time).map_err(&failed)?
                }
                When::Version(id) => {
                    let (seq, body) =
                        version(connection, board, id).map_err(&failed)?.ok_or(HistoryError::UnknownVersion(id))?;
                    let state = S::decode(&body).map_err(|error| self.named(&name.code)(error.into()))?;
                    return Ok(Past { state, seq });
                }
            };
            if seq < first {
                return Err(HistoryError::Folded { asked: seq, first });
            }
            if seq > last {
                return Err(HistoryError::UnknownSeq(seq));
            }
            let replayed =
                replay::<S>(connection, board, Start::Snapshot, Some(seq)).map_err(self.named(&name.code))?;
            Ok(Past { state: replayed.state, seq })
        })
    }

    /// The named versions of a board, oldest moment first.
    pub fn versions(&self, name: &BoardName) -> Result<Vec<Version>, HistoryError> {
        self.at_one_moment(|connection| {
            let board = self.board_id(connection, name)?;
            let read = || {
                connection
                    .prepare_cached(
                        "SELECT id, seq, time, name, author FROM versions WHERE board = ?1 ORDER BY seq, id",
                    )?
                    .query_map([board], |row| {
                        Ok(Version {
                            id: row.get(0)?,
                            seq: row.get(1)?,
                            time: row.get(2)?,
                            name: row.get(3)?,
                            author: row.get(4)?,
                        })
                    })?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            Ok(read().map_err(StoreError::database(self.path()))?)
        })
    }
}

fn timeline(connection: &Connection, board: i64, most: u64) -> rusqlite::Result<Timeline> {
    let (first, last) = span(connection, board)?;
    let count = last - first;
    let shown = count.min(most);
    let mut moments = Vec::new();
    let mut before = first;
    let mut statement = connection.prepare_cached("SELECT time, body FROM operations WHERE board = ?1 AND seq = ?2")?;
    for place in 1..=shown {
        // Widened: count times place may be more than 64 bits hold.
        let seq = first + u64::try_from(u128::from(count) * u128::from(place) / u128::from(shown)).unwrap_or(count);
        let (time, author) = statement
            .query_row(params![board, seq], |row| Ok((row.get(0)?, row.get_ref(1)?.as_str().ok().and_then(author))))?;
        moments.push(Moment { seq, time, author, count: seq - before });
        before = seq;
    }
    Ok(Timeline { first, last, moments })
}

fn version(connection: &Connection, board: i64, id: i64) -> rusqlite::Result<Option<(u64, String)>> {
    connection
        .prepare_cached("SELECT seq, body FROM versions WHERE board = ?1 AND id = ?2")?
        .query_row([board, id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// A board's text at a moment, whatever its dialect.
struct Text<'a> {
    reader: &'a Reader,
    name: &'a BoardName,
    when: When,
}

impl Visit for Text<'_> {
    type Output = Result<(u64, String), HistoryError>;

    fn visit<S: Durable>(self) -> Self::Output {
        let past = self.reader.past::<S>(self.name, self.when)?;
        Ok((past.seq, past.state.encode()))
    }
}

impl Store {
    /// [`Reader::past`] for somebody who makes that moment the present: until that is recorded, no image that it shows is
    /// forgotten. Blocks.
    pub fn past_to_bring_back<S: Durable>(&self, name: &BoardName, when: When) -> Result<Past<S>, HistoryError> {
        // First this: what the moment shows is on disk when it is read, and then it stays.
        self.renew_files(name)?;
        self.reader.past(name, when)
    }

    /// Gives a moment of a board a name; it is kept for as long as the board. Blocks: it may replay many operations.
    pub fn name_version(
        &self,
        board: &BoardName,
        when: When,
        name: &str,
        author: Option<String>,
    ) -> Result<Version, HistoryError> {
        let name = name.trim().to_owned();
        if !(1..=100).contains(&name.chars().count()) {
            return Err(HistoryError::Name);
        }
        if matches!(when, When::Version(_)) {
            // That may be deleted before this one is there.
            self.renew_files(board)?;
        }
        let text = Text { reader: &self.reader, name: board, when };
        let (seq, body) = dialects::visit(board.dialect, text).ok_or(HistoryError::Dialect)??;
        let row = board.clone();
        self.writer.transact_blocking(move |connection| {
            let Some((board, _)) = registry::find(connection, &row)? else {
                return Ok(Err(HistoryError::UnknownBoard(row.code.to_string())));
            };
            // Folded since it was read: what the version shows may be forgotten already.
            let (first, _) = span(connection, board)?;
            if seq < first && !matches!(when, When::Version(_)) {
                return Ok(Err(HistoryError::Folded { asked: seq, first }));
            }
            let count: u64 = connection
                .prepare_cached("SELECT count(*) FROM versions WHERE board = ?1")?
                .query_row([board], |row| row.get(0))?;
            if count >= VERSIONS {
                return Ok(Err(HistoryError::TooManyVersions));
            }
            let time = clock::now();
            connection
                .prepare_cached(
                    "INSERT INTO versions (board, seq, time, name, author, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![board, seq, time, name, author, body])?;
            Ok(Ok(Version { id: connection.last_insert_rowid(), seq, time, name, author }))
        })?
    }

    /// Forgets a named version.
    pub async fn delete_version(&self, board: &BoardName, id: i64) -> Result<(), HistoryError> {
        let row = board.clone();
        let deleted = self
            .writer
            .transact(move |connection| {
                let Some((board, _)) = registry::find(connection, &row)? else { return Ok(0) };
                connection.prepare_cached("DELETE FROM versions WHERE board = ?1 AND id = ?2")?.execute([board, id])
            })
            .await?;
        if deleted == 1 { Ok(()) } else { Err(HistoryError::UnknownVersion(id)) }
    }
}

#[cfg(test)]
mod tests;
