//! Reading boards: from the newest snapshot and what was logged behind it.

use super::{BoardName, StoreError, clock, registry, schema};
use crate::board::core::{BoardMeta, Durable, RecordError};
use rusqlite::{Connection, MAIN_DB, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A board as it is on disk.
#[derive(Debug, Default)]
pub struct Loaded<S> {
    pub state: S,
    /// Number of the board's last operation; 0 for a board that nobody has drawn on.
    pub seq: u64,
    /// Operations behind the snapshot it was loaded from.
    pub behind_snapshot: u64,
    /// Bytes of those.
    pub behind_bytes: usize,
    /// For how long nothing had been recorded.
    pub idle: Duration,
    pub meta: BoardMeta,
}

/// Connections that are kept for the next query.
const KEPT: usize = 3;

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 64;

/// Connections that only read: as many as queries are under way, so that none waits for another. Calls block: use them
/// from a thread that may.
#[derive(Debug)]
pub struct Reader {
    idle: Mutex<Vec<Connection>>,
    connect: fn(&Path) -> Result<Connection, StoreError>,
    path: PathBuf,
}

/// A connection that only reads, to a database that a server may be writing to.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::database(path);
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(&failed)?;
    let version = schema::check(&connection, path)?;
    schema::show_as_current(&connection, version).map_err(&failed)?;
    connection.pragma_update(None, "query_only", true).map_err(&failed)?;
    connection.pragma_update(None, "cache_size", -1024).map_err(&failed)?;
    Ok(connection)
}

impl Reader {
    /// Opens a database that a server may be writing to. One of an older version, which no server of this release has
    /// opened yet, is shown as if it had this release's tables; the file is left alone.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::by(connect, path)
    }

    /// [`Self::open`] for a file that nobody writes to, without creating anything beside it.
    pub fn open_immutable(path: &Path) -> Result<Self, StoreError> {
        Self::by(schema::open_immutable, path)
    }

    fn by(connect: fn(&Path) -> Result<Connection, StoreError>, path: &Path) -> Result<Self, StoreError> {
        let reader = Self { idle: Mutex::default(), connect, path: path.to_owned() };
        // At once, so that a file that cannot be read is known now.
        let first = reader.take()?;
        reader.give_back(first);
        Ok(reader)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle().pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let connection = (self.connect)(&self.path)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Changed by single calls only: a panic elsewhere leaves it whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a query.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let connection = self.take()?;
        let outcome = read(&connection).map_err(StoreError::database(&self.path));
        self.give_back(connection);
        outcome
    }

    /// Runs queries that all see one moment, whatever is written meanwhile. Until they are done the write-ahead log
    /// cannot be used anew: it grows for as long.
    pub(super) fn at_one_moment<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.take()?;
        let outcome = {
            // Ends when dropped, even if `read` panics.
            let transaction = connection.unchecked_transaction().map_err(StoreError::database(&self.path))?;
            read(&transaction)
        };
        self.give_back(connection);
        outcome
    }

    /// A real query against the tables: an error if the database does not answer or is not of this release's version.
    pub fn probe(&self) -> Result<(), StoreError> {
        let found = self.read(|connection| {
            connection.query_row("SELECT id FROM boards LIMIT 1", [], |_| Ok(())).optional()?;
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        })?;
        if found == schema::VERSION {
            Ok(())
        } else {
            Err(StoreError::Newer { path: self.path.clone(), found, known: schema::VERSION })
        }
    }

    /// Boards on disk, without those that are deleted.
    pub fn boards(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            connection.query_row("SELECT count(*) FROM boards WHERE deleted IS NULL", [], |row| row.get(0))
        })
    }

    /// Whether nothing was ever put on a board, deleted ones included.
    pub fn is_untouched(&self) -> Result<bool, StoreError> {
        self.read(|connection| connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM boards)", [], |row| row.get(0)))
    }

    /// The life of this database: another one after a restore.
    pub fn epoch(&self) -> Result<String, StoreError> {
        self.read(|connection| connection.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0)))
    }

    /// A value that was kept under `key`.
    pub fn meta_value(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()
        })
    }

    /// What is known about a board besides its drawings. Of a board that is not on disk: that it does not exist.
    pub fn meta(&self, name: &BoardName) -> Result<BoardMeta, StoreError> {
        self.read(|connection| Ok(registry::find(connection, name)?.map(|(_, meta)| meta)))
            .map(|found| found.unwrap_or_else(|| BoardMeta { code: name.code.clone(), ..BoardMeta::default() }))
    }

    /// Loads a board; one that is not on disk is an empty one.
    pub fn load<S: Durable>(&self, name: &BoardName) -> Result<Loaded<S>, StoreError> {
        self.at_one_moment(|connection| {
            let found = registry::find(connection, name).map_err(StoreError::database(&self.path))?;
            let Some((id, meta)) = found else {
                let meta = BoardMeta { code: name.code.clone(), ..BoardMeta::default() };
                return Ok(Loaded { meta, ..Loaded::default() });
            };
            let replayed = replay(connection, id, Start::Snapshot, None).map_err(self.named(&name.code))?;
            let idle = replayed.time.map_or(Duration::ZERO, clock::since);
            let Replayed { state, seq, rows, bytes, .. } = replayed;
            Ok(Loaded { state, seq, behind_snapshot: rows, behind_bytes: bytes, idle, meta })
        })
    }

    /// Says which board could not be read.
    pub(super) fn named<'a>(&'a self, code: &'a str) -> impl Fn(ReplayError) -> StoreError + 'a {
        move |error| match error {
            ReplayError::Database(source) => StoreError::database(&self.path)(source),
            ReplayError::Record(source) => StoreError::Board { path: self.path.clone(), code: code.to_owned(), source },
            ReplayError::Gap { after } => StoreError::Gap { path: self.path.clone(), code: code.to_owned(), after },
        }
    }

    /// Writes a consistent copy of the database, as of now, to a file that does not exist yet. The server goes on
    /// writing meanwhile.
    pub fn copy_to(&self, target: &Path) -> Result<(), StoreError> {
        let target = target.to_string_lossy();
        self.read(|connection| {
            // VACUUM writes, if elsewhere: allowed for just this long.
            connection.pragma_update(None, "query_only", false)?;
            let copied = connection.execute("VACUUM INTO ?1", [target.as_ref()]);
            connection.pragma_update(None, "query_only", true)?;
            copied.map(|_| ())
        })
    }
}

/// What a board is replayed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The newest snapshot that serves, else the base.
    Snapshot,
    /// What compaction kept, else nothing: every operation that there is.
    Base,
}

/// A board after some of its operations.
#[derive(Debug, Default)]
pub(super) struct Replayed<S> {
    pub state: S,
    /// The last operation in it.
    pub seq: u64,
    /// When that was made, milliseconds since 1970; none for a board without operations.
    pub time: Option<i64>,
    /// Operations that were replayed one by one.
    pub rows: u64,
    /// Bytes of those.
    pub bytes: usize,
}

/// Why a board cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the operation behind number {after} is missing")]
    Gap { after: u64 },
}

/// The text of a board in one of the tables that hold a whole one each. It may be large: it goes straight from the
/// pages of the file to where it stays.
fn body(connection: &Connection, table: &str, board: i64) -> rusqlite::Result<String> {
    let blob = connection.blob_open(MAIN_DB, table, "body", board, true)?;
    let mut bytes = vec![0; blob.len()];
    blob.read_at_exact(&mut bytes, 0)?;
    String::from_utf8(bytes)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}

/// Replays a board up to operation `until` (none: all of it). `until` must not lie before the board's base. Call it
/// inside one read transaction: compaction may be under way.
pub(super) fn replay<S: Durable>(
    connection: &Connection,
    board: i64,
    start: Start,
    until: Option<u64>,
) -> Result<Replayed<S>, ReplayError> {
    let until = until.unwrap_or(i64::MAX.cast_unsigned());
    let base: Option<(u64, i64)> = connection
        .prepare_cached("SELECT seq, time FROM bases WHERE board = ?1")?
        .query_row([board], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let snapshot: Option<u64> = match start {
        Start::Base => None,
        Start::Snapshot => connection
            .prepare_cached("SELECT seq FROM snapshots WHERE board = ?1 AND seq <= ?2")?
            .query_row(params![board, until], |row| row.get(0))
            .optional()?,
    };
    let mut replayed = Replayed { state: S::default(), seq: 0, time: None, rows: 0, bytes: 0 };
    if let Some((seq, time)) = base {
        (replayed.seq, replayed.time) = (seq, Some(time));
        if snapshot.is_none_or(|newer| newer <= seq) {
            replayed.state = S::take(body(connection, "bases", board)?)?;
        }
    }
    if let Some(seq) = snapshot.filter(|seq| *seq > replayed.seq) {
        replayed.state = S::take(body(connection, "snapshots", board)?)?;
        replayed.seq = seq;
        let time = connection
            .prepare_cached("SELECT time FROM operations WHERE board = ?1 AND seq = ?2")?
            .query_row(params![board, seq], |row| row.get(0))
            .optional()?;
        replayed.time = time.or(replayed.time);
    }
    let mut statement = connection.prepare_cached(
        "SELECT seq, time, body FROM operations WHERE board = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![board, replayed.seq, until])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, u64>(0)? != replayed.seq + 1 {
            return Err(ReplayError::Gap { after: replayed.seq });
        }
        replayed.time = Some(row.get(1)?);
        let record = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        replayed.state.replay(record)?;
        replayed.bytes += record.len();
        replayed.seq += 1;
        replayed.rows += 1;
    }
    Ok(replayed)
}

#[cfg(test)]
mod tests;
