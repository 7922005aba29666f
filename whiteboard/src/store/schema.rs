//! The tables, their version, and how a file of an older version becomes one of this.

use super::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Version of the tables that this release writes (`user_version` of the file).
pub const VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;

/// Marks the file as ours (`application_id`): "WbDb".
const APPLICATION: i64 = 0x5762_4462;

/// What leads from each version to the next, beginning with an empty file.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE boards (
        id      INTEGER PRIMARY KEY,
        dialect TEXT NOT NULL,
        code    TEXT NOT NULL,
        created INTEGER NOT NULL,  -- milliseconds since 1970, as all times here
        UNIQUE (dialect, code)
    ) STRICT;
    CREATE TABLE operations (
        id    INTEGER PRIMARY KEY,  -- the one order of all boards
        board INTEGER NOT NULL REFERENCES boards (id),
        seq   INTEGER NOT NULL,     -- 1, 2, 3 … in each board
        time  INTEGER NOT NULL,
        body  TEXT NOT NULL,        -- see board/record.rs
        UNIQUE (board, seq)
    ) STRICT;
    CREATE TABLE snapshots (
        board INTEGER PRIMARY KEY REFERENCES boards (id),
        seq   INTEGER NOT NULL,     -- the last operation that is in it
        body  TEXT NOT NULL         -- see board/snapshot.rs
    ) STRICT;
"];

/// Bytes that the write-ahead log keeps on disk between checkpoints.
const JOURNAL_BYTES: i64 = 16 << 20;

/// Opens the database for writing; creates it or brings it to [`VERSION`], in one transaction.
pub fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::database(path);
    let mut connection = Connection::open(path).map_err(&failed)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(&failed)?;
    check(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(&failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(&failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(&failed)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES).map_err(&failed)?;
    // The writer only appends: what it needs again is a handful of pages (KiB when negative).
    connection.pragma_update(None, "cache_size", -1024).map_err(&failed)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens a finished file (a backup) for reading, as something that nobody changes: nothing is created beside it.
pub fn open_immutable(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::database(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let connection = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(&failed)?;
    check(&connection, path)?;
    Ok(connection)
}

/// The version of the tables in a database; an error if this release cannot read it.
pub fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let failed = StoreError::database(path);
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let foreign = || StoreError::Foreign { path: path.to_owned() };
    let application = number("application_id").map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => foreign(),
        _ => failed(error),
    })?;
    let found = number("user_version").map_err(&failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(&failed)?;
    if application != APPLICATION && (application != 0 || found != 0 || tables != 0) {
        return Err(foreign());
    }
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(found)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = StoreError::database(path);
    let found = check(connection, path)?;
    if found == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration).map_err(&failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(&failed)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_gets_the_tables_and_opens_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a?b#c%d.db");
        for _ in 0..2 {
            let connection = open(&path).unwrap();
            assert_eq!(check(&connection, &path).unwrap(), VERSION);
            let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            let sync: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            assert_eq!((mode.as_str(), sync), ("wal", 2));
        }
        assert_eq!(check(&open_immutable(&path).unwrap(), &path).unwrap(), VERSION);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.db");
        open(&path).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found, known: VERSION, .. } if found == VERSION + 1));
        assert!(error.to_string().contains("written by a newer release"), "{error}");
        assert!(open_immutable(&path).is_err());
    }

    #[test]
    fn another_programs_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(open(&path), Err(StoreError::Foreign { .. })));
        std::fs::write(&path, "no database at all, but long enough to be looked at".repeat(100)).unwrap();
        assert!(matches!(open(&path), Err(StoreError::Foreign { .. })));
    }
}
