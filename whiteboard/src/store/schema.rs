//! The tables, their version, and how a file of an older version becomes one of this.

use super::StoreError;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Version of the tables that this release writes (`user_version` of the file).
pub const VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;

/// Marks the file as ours (`application_id`): "WbDb".
const APPLICATION: i64 = 0x5762_4462;

/// What leads from each version to the next, beginning with an empty file.
const MIGRATIONS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Bytes that the write-ahead log keeps on disk between checkpoints.
const JOURNAL_BYTES: i64 = 16 << 20;

/// Opens the database for writing; creates it or brings it to [`VERSION`], in one transaction.
pub fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::database(path);
    let mut connection = Connection::open(path).map_err(&failed)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(&failed)?;
    check(&connection, path)?;
    // Counts for a file without tables only: pages that are free can be given back to the disk bit by bit.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(&failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(&failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(&failed)?;
    migrate(&mut connection, path)?;
    begin_life(&connection).map_err(&failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(&failed)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES).map_err(&failed)?;
    // The writer only appends: what it needs again is a handful of pages (KiB when negative).
    connection.pragma_update(None, "cache_size", -1024).map_err(&failed)?;
    Ok(connection)
}

/// Gives the database a new life (`epoch`) if it has none, or begins a new one because it was brought back from a
/// copy: numbers of operations may come again then with another content, and clients must not catch up by them.
///
/// A copy that [`crate::backup`] made is in rollback mode until a server opens it for the first time, while every
/// file that a server has used is in WAL mode. So a restored file keeps its hash until then, and restoring twice is
/// still known to be the same. Killed in between, the next start begins another life, which does no harm.
fn begin_life(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let known = connection.query_row("SELECT 1 FROM meta WHERE key = 'epoch'", [], |_| Ok(())).optional()?;
    if known.is_none() || mode != "wal" {
        connection.execute(
            "INSERT INTO meta (key, value) VALUES ('epoch', lower(hex(randomblob(8))))
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [],
        )?;
    }
    Ok(())
}

/// Opens a finished file (a backup) for reading, as something that nobody changes: nothing is created beside it.
pub fn open_immutable(path: &Path) -> Result<Connection, StoreError> {
    let failed = StoreError::database(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let connection = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(&failed)?;
    let version = check(&connection, path)?;
    show_as_current(&connection, version).map_err(&failed)?;
    Ok(connection)
}

/// Lets this release's queries read the tables of an older version: what is missing is put before them in temporary
/// tables and views of this connection.
pub(super) fn show_as_current(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    if version == 0 || version >= VERSION {
        return Ok(());
    }
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.execute_batch(include_str!("schema/1_as_2.sql"))
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
    use crate::board::classroom::state::State;
    use crate::board::core::Durable;
    use crate::store::{BoardName, Reader};

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

    /// A database as release 0.1.0 left it: one board, three operations, a snapshot after the second.
    fn version_1(path: &Path) {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection
            .execute_batch(
                r#"INSERT INTO boards VALUES (1, 'classroom', 'physics', 5), (2, 'classroom', 'empty', 6);
                   INSERT INTO operations VALUES (1, 1, 1, 10, '{"update":[[0,0,[1]]]}'),
                       (2, 1, 2, 20, '{"update":[[1,0,[2]]]}'), (3, 1, 3, 30, '{"update":[[2,0,[3]]]}');
                   INSERT INTO snapshots VALUES
                       (1, 2, '{"strokes":[1,2],"undo":[],"redo":[],"background":"","locked":false,"quiz":false}');"#,
            )
            .unwrap();
        connection.pragma_update(None, "application_id", APPLICATION).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
    }

    fn strokes(reader: &Reader) -> (u64, u64) {
        let loaded = reader.load::<State>(&BoardName::classroom("physics")).unwrap();
        (loaded.seq, loaded.state.count())
    }

    #[test]
    fn version_1_becomes_this_one_with_everything_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.db");
        version_1(&path);
        let connection = open(&path).unwrap();
        assert_eq!(check(&connection, &path).unwrap(), VERSION);
        let changed: Vec<i64> = connection
            .prepare("SELECT changed FROM boards ORDER BY id")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(changed, [30, 6]);
        let reader = Reader::open(&path).unwrap();
        assert_eq!(strokes(&reader), (3, 3));
        assert_eq!(reader.epoch().unwrap().len(), 16);
    }

    #[test]
    fn version_1_is_read_without_touching_it() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("old.db"), directory.path().join("copy.db"));
        version_1(&path);
        let reader = Reader::open(&path).unwrap();
        assert_eq!((strokes(&reader), reader.boards().unwrap()), ((3, 3), 2));
        reader.copy_to(&copy).unwrap();
        let bytes = std::fs::read(&copy).unwrap();
        let reader = Reader::open_immutable(&copy).unwrap();
        let counts = reader.examine();
        assert_eq!(strokes(&reader), (3, 3));
        // The snapshot above knows no steps to undo, as the log does: the difference is found in old files, too.
        assert!(counts.unwrap_err().to_string().contains("differs from its log"));
        assert_eq!(std::fs::read(&copy).unwrap(), bytes);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 4, "only the database, its log, the copy");
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.db");
        version_1(&path);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE roles (in_the_way INTEGER)").unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("roles"));
        assert_eq!(check(&connection, &path).unwrap(), 1);
        assert!(connection.prepare("SELECT title FROM boards").is_err());
        connection.execute_batch("DROP TABLE roles").unwrap();
        open(&path).unwrap();
    }

    #[test]
    fn a_life_ends_when_a_copy_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a.db"), directory.path().join("copy.db"));
        let epoch = |path: &Path| {
            open(path).unwrap();
            Reader::open(path).unwrap().epoch().unwrap()
        };
        let first = epoch(&path);
        assert_eq!(epoch(&path), first, "a restart is the same life");
        Reader::open(&path).unwrap().copy_to(&copy).unwrap();
        let second = epoch(&copy);
        assert_ne!(second, first);
        assert_eq!(epoch(&copy), second);
        assert_eq!(epoch(&path), first);
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
