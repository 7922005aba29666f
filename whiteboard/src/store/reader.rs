//! Reading boards: from the newest snapshot and what was logged behind it.

use super::{BoardName, StoreError, schema};
use crate::board::classroom::record;
use crate::board::classroom::snapshot;
use crate::board::classroom::state::State;
use crate::board::core::RecordError;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A board as it is on disk.
#[derive(Debug, Default)]
pub struct Loaded {
    pub state: State,
    /// Number of the board's last operation; 0 for a board that nobody has drawn on.
    pub seq: u64,
    /// Operations behind the snapshot it was loaded from.
    pub behind_snapshot: u64,
    /// For how long nothing had been recorded.
    pub idle: Duration,
}

/// How many of what a database holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    pub boards: u64,
    pub operations: u64,
    pub strokes: u64,
}

/// A connection that only reads. Calls block: use them from a thread that may.
#[derive(Debug)]
pub struct Reader {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl Reader {
    /// Opens a database that a server may be writing to.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = StoreError::database(path);
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(&failed)?;
        schema::check(&connection, path)?;
        connection.pragma_update(None, "query_only", true).map_err(&failed)?;
        connection.pragma_update(None, "cache_size", -1024).map_err(&failed)?;
        Ok(Self::of(connection, path))
    }

    /// Opens a file that nobody writes to, without creating anything beside it.
    pub fn open_immutable(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::of(schema::open_immutable(path)?, path))
    }

    fn of(connection: Connection, path: &Path) -> Self {
        Self { connection: Mutex::new(connection), path: path.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        // A reader that panicked has left nothing behind in a connection that only reads.
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        read(&connection).map_err(StoreError::database(&self.path))
    }

    /// A real query against the tables: an error if the database does not answer or is not of this release's version.
    pub fn probe(&self) -> Result<(), StoreError> {
        let found = self.with(|connection| {
            connection.query_row("SELECT id FROM boards LIMIT 1", [], |_| Ok(())).optional()?;
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        })?;
        if found == schema::VERSION {
            Ok(())
        } else {
            Err(StoreError::Newer { path: self.path.clone(), found, known: schema::VERSION })
        }
    }

    /// Boards on disk.
    pub fn boards(&self) -> Result<u64, StoreError> {
        self.with(|connection| connection.query_row("SELECT count(*) FROM boards", [], |row| row.get(0)))
    }

    /// Loads a board; one that is not on disk is an empty one.
    pub fn load(&self, name: &BoardName) -> Result<Loaded, StoreError> {
        let id = self.with(|connection| {
            connection
                .prepare_cached("SELECT id FROM boards WHERE dialect = ?1 AND code = ?2")?
                .query_row(params![name.dialect, &*name.code], |row| row.get::<_, i64>(0))
                .optional()
        })?;
        match id {
            Some(id) => self.load_id(id, &name.code, true),
            None => Ok(Loaded::default()),
        }
    }

    fn load_id(&self, id: i64, code: &str, from_snapshot: bool) -> Result<Loaded, StoreError> {
        let unreadable =
            |source: RecordError| StoreError::Board { path: self.path.clone(), code: code.to_owned(), source };
        let snapshot = if from_snapshot { self.snapshot(id)? } else { None };
        let mut loaded = Loaded::default();
        if let Some((seq, body)) = snapshot {
            loaded.seq = seq;
            loaded.state = snapshot::decode(&body).map_err(|error| unreadable(RecordError::from(error)))?;
        }
        let rows: Vec<(i64, String)> = self.with(|connection| {
            connection
                .prepare_cached("SELECT time, body FROM operations WHERE board = ?1 AND seq > ?2 ORDER BY seq")?
                .query_map(params![id, loaded.seq], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        let mut last = None;
        for (time, body) in &rows {
            record::replay(body, &mut loaded.state).map_err(unreadable)?;
            last = Some(*time);
        }
        loaded.behind_snapshot = rows.len() as u64;
        loaded.seq += loaded.behind_snapshot;
        if last.is_none() {
            last = self.with(|connection| {
                connection
                    .prepare_cached("SELECT time FROM operations WHERE board = ?1 AND seq = ?2")?
                    .query_row(params![id, loaded.seq], |row| row.get(0))
                    .optional()
            })?;
        }
        loaded.idle = last.map_or(Duration::ZERO, since);
        Ok(loaded)
    }

    fn snapshot(&self, id: i64) -> Result<Option<(u64, String)>, StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT seq, body FROM snapshots WHERE board = ?1")?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
    }

    /// Looks at everything: the pages of the file, then every board, replayed from its first operation and from its
    /// snapshot, which must come to the same. Returns what there is.
    pub fn examine(&self) -> Result<Counts, ExamineError> {
        // One transaction: a server may be writing meanwhile, and everything must be of one moment.
        self.with(|connection| connection.execute_batch("BEGIN"))?;
        let examined = self.examine_now();
        self.with(|connection| connection.execute_batch("COMMIT"))?;
        examined
    }

    fn examine_now(&self) -> Result<Counts, ExamineError> {
        let faults: Vec<String> = self.with(|connection| {
            connection.prepare("PRAGMA integrity_check(5)")?.query_map([], |row| row.get(0))?.collect()
        })?;
        if faults != ["ok"] {
            return Err(ExamineError::Integrity { path: self.path.clone(), faults: faults.join("; ") });
        }
        let boards: Vec<(i64, String, u64, u64)> = self.with(|connection| {
            connection
                .prepare(
                    "SELECT b.id, b.code, count(o.id), coalesce(max(o.seq), 0)
                     FROM boards b LEFT JOIN operations o ON o.board = b.id GROUP BY b.id",
                )?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
                .collect()
        })?;
        let mut counts = Counts { boards: boards.len() as u64, ..Counts::default() };
        for (id, code, operations, last) in boards {
            let quick = self.load_id(id, &code, true)?;
            let whole = self.load_id(id, &code, false)?;
            if quick.seq != operations || last != operations {
                return Err(ExamineError::Gap { path: self.path.clone(), code, found: operations, seq: last });
            }
            if snapshot::encode(&quick.state) != snapshot::encode(&whole.state) {
                return Err(ExamineError::Snapshot { path: self.path.clone(), code });
            }
            counts.operations += operations;
            counts.strokes += whole.state.strokes().len() as u64;
        }
        Ok(counts)
    }

    /// Writes a consistent copy of the database, as of now, to a file that does not exist yet. The server goes on
    /// writing meanwhile.
    pub fn copy_to(&self, target: &Path) -> Result<(), StoreError> {
        let target = target.to_string_lossy();
        self.with(|connection| {
            // VACUUM writes, if elsewhere: allowed for just this long.
            connection.pragma_update(None, "query_only", false)?;
            let copied = connection.execute("VACUUM INTO ?1", [target.as_ref()]);
            connection.pragma_update(None, "query_only", true)?;
            copied.map(|_| ())
        })
    }
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
}

fn since(milliseconds: i64) -> Duration {
    let then = UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    // A clock that was set back means: just now.
    SystemTime::now().duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with one board of `bodies`, and a snapshot after the second.
    fn database(directory: &Path, bodies: &[&str], snapshot: Option<&str>) -> PathBuf {
        let path = directory.join("test.db");
        let connection = schema::open(&path).unwrap();
        connection.execute("INSERT INTO boards VALUES (1, 'classroom', 'physics', 0)", []).unwrap();
        for (index, body) in bodies.iter().enumerate() {
            let sql = "INSERT INTO operations (board, seq, time, body) VALUES (1, ?1, 1000, ?2)";
            connection.execute(sql, params![index + 1, body]).unwrap();
        }
        if let Some(body) = snapshot {
            connection.execute("INSERT INTO snapshots VALUES (1, 2, ?1)", [body]).unwrap();
        }
        path
    }

    const LOG: [&str; 3] =
        [r#"{"update":[[0,0,[1,2]]]}"#, r#"{"update":[[2,0,[{"a": 1e21}]]]}"#, r#"{"update":[[0,1,[]]]}"#];

    fn snapshot_after_two() -> String {
        let mut state = State::default();
        record::replay(LOG[0], &mut state).unwrap();
        record::replay(LOG[1], &mut state).unwrap();
        snapshot::encode(&state)
    }

    #[test]
    fn a_board_loads_the_same_with_and_without_snapshot() {
        for (snapshot, behind) in [(None, 3), (Some(snapshot_after_two()), 1)] {
            let directory = tempfile::tempdir().unwrap();
            let path = database(directory.path(), &LOG, snapshot.as_deref());
            let reader = Reader::open(&path).unwrap();
            reader.probe().unwrap();
            let loaded = reader.load(&BoardName::classroom("physics")).unwrap();
            let texts: Vec<_> =
                loaded.state.strokes().iter().map(crate::board::classroom::stroke::Stroke::text).collect();
            assert_eq!(
                (texts.as_slice(), loaded.seq, loaded.behind_snapshot),
                (["2", r#"{"a": 1e21}"#].as_slice(), 3, behind)
            );
            assert!(loaded.idle > Duration::from_hours(1));
            assert_eq!(reader.load(&BoardName::classroom("unknown")).unwrap().seq, 0);
            assert_eq!(reader.examine().unwrap(), Counts { boards: 1, operations: 3, strokes: 2 });
            let copy = directory.path().join("copy.db");
            reader.copy_to(&copy).unwrap();
            assert!(reader.copy_to(&copy).is_err(), "a copy never overwrites");
            let counts = Reader::open_immutable(&copy).unwrap().examine().unwrap();
            assert_eq!(counts, Counts { boards: 1, operations: 3, strokes: 2 });
            assert!(reader.with(|c| c.execute("DELETE FROM boards", [])).is_err(), "a reader never writes");
        }
    }

    #[test]
    fn what_is_not_sound_is_found() {
        let wrong = snapshot_after_two().replace("1e21", "1e22");
        for (bodies, snapshot, sentence) in [
            (vec![LOG[0], r#""redo""#], None, "cannot be read"),
            (vec![LOG[0], "half a li"], None, "cannot be read"),
            (LOG.to_vec(), Some(wrong.as_str()), "differs from its log"),
            (LOG.to_vec(), Some("{}"), "cannot be read"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = database(directory.path(), &bodies, snapshot);
            let error = Reader::open(&path).unwrap().examine().unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = database(directory.path(), &LOG, None);
        schema::open(&path).unwrap().execute("UPDATE operations SET seq = 9 WHERE seq = 3", []).unwrap();
        let error = Reader::open(&path).unwrap().examine().unwrap_err().to_string();
        assert!(error.contains("has 3 operations, but its last one is number 9"), "{error}");
    }

    #[test]
    fn damaged_pages_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let many: Vec<String> =
            (0..400).map(|n| format!(r#"{{"update":[[{n},0,["{}"]]]}}"#, "x".repeat(500))).collect();
        let path = database(directory.path(), &many.iter().map(String::as_str).collect::<Vec<_>>(), None);
        let copy = directory.path().join("copy.db");
        Reader::open(&path).unwrap().copy_to(&copy).unwrap();
        Reader::open_immutable(&copy).unwrap().examine().unwrap();
        let mut bytes = std::fs::read(&copy).unwrap();
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 64].fill(0xA5);
        std::fs::write(&copy, bytes).unwrap();
        assert!(Reader::open_immutable(&copy).unwrap().examine().is_err());
    }
}
