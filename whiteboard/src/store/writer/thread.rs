//! The writing thread: takes what waits, writes it in one transaction, answers when that is on disk.

use super::task::{NotSaved, Task};
use super::{Append, Commit, Committed, Job};
use crate::store::{BoardName, clock, dialects, registry};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;
use tokio::sync::oneshot;

/// Rows that go into one commit at most; more wait for the next one.
const GROUP_ROWS: usize = 4096;

/// Bytes that go into one commit at most, about.
const GROUP_BYTES: usize = 8 << 20;

/// How far `boards.changed` may be behind while a board is in use, so that not every commit writes that page too.
const CHANGED_BEHIND: i64 = 5 * clock::SECOND;

/// Where a board stands on disk.
#[derive(Clone, Copy)]
struct Known {
    id: i64,
    last_seq: u64,
    /// When something was last appended, and what `boards.changed` says of it.
    appended: i64,
    changed: i64,
}

pub(super) struct Thread {
    connection: Connection,
    path: PathBuf,
    known: HashMap<BoardName, Known>,
    on_commit: Box<dyn Fn(Commit) + Send>,
}

/// What a group wants, in order.
enum Work {
    Append(Append),
    Snapshot { board: BoardName, seq: u64, body: String },
    Task(Box<dyn Task>),
    Forget(BoardName),
}

/// An append that could not be written.
enum Failure {
    Sqlite(rusqlite::Error),
    /// Rows before these did not make it to disk.
    OutOfOrder,
    /// The board was deleted.
    Deleted,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Thread {
    pub(super) fn new(connection: Connection, path: PathBuf, on_commit: Box<dyn Fn(Commit) + Send>) -> Self {
        Self { connection, path, known: HashMap::new(), on_commit }
    }

    /// Runs until closed; an error is a sentence about why memory and disk may not agree any more.
    pub(super) fn run(&mut self, jobs: &mpsc::Receiver<Job>) -> Result<(), String> {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            let (mut rows, mut bytes) = weight(&group[0]);
            while rows < GROUP_ROWS && bytes < GROUP_BYTES && !matches!(group.last(), Some(Job::Close(_))) {
                let Ok(job) = jobs.try_recv() else { break };
                let (more_rows, more_bytes) = weight(&job);
                rows += more_rows;
                bytes += more_bytes;
                group.push(job);
            }
            if let Some(closed) = self.commit(group, rows, bytes)? {
                // Not needed for safety: the log would be replayed at the next start.
                let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                let _ = closed.send(());
                return Ok(());
            }
        }
        Ok(())
    }

    /// Commits a group and answers it. Returns the wish to close, if it was in the group.
    fn commit(&mut self, group: Vec<Job>, rows: usize, bytes: usize) -> Result<Option<oneshot::Sender<()>>, String> {
        let start = Instant::now();
        let mut close = None;
        let mut work = Vec::new();
        for job in group {
            match job {
                Job::Append(append) => work.push(Work::Append(append)),
                Job::Snapshot { board, seq, body } => work.push(Work::Snapshot { board, seq, body }),
                Job::Task(task) => work.push(Work::Task(task)),
                Job::Forget(board) => work.push(Work::Forget(board)),
                Job::Close(done) => close = Some(done),
            }
        }
        let outcome = if work.is_empty() { Ok(HashMap::new()) } else { self.write(&mut work) };
        let (result, refused) = match outcome {
            Ok(refused) => (Ok(()), refused),
            Err(error) => {
                // What these boards have on disk must be asked anew.
                self.known.clear();
                let sentence = self.sentence(&error);
                if is_fatal(&error) {
                    return Err(sentence);
                }
                tracing::error!("{sentence}");
                (Err(sentence), HashMap::new())
            }
        };
        if rows > 0 {
            (self.on_commit)(Commit { rows, bytes, took: start.elapsed(), failed: result.is_err() });
        }
        for (index, item) in work.into_iter().enumerate() {
            match item {
                Work::Append(append) => {
                    let result = match refused.get(&index) {
                        Some(sentence) => Err((*sentence).to_owned()),
                        None => result.clone(),
                    };
                    // A room that is gone has no clients that could wait.
                    let _ = append.done.send(Committed { ticket: append.ticket, result });
                }
                Work::Task(task) => task.answer(result.clone().map_err(NotSaved)),
                Work::Snapshot { .. } | Work::Forget(_) => {}
            }
        }
        Ok(close)
    }

    /// Writes a group in one transaction. Returns which appends (by their place) were refused, and why; those write
    /// nothing, the others are on disk.
    fn write(&mut self, work: &mut [Work]) -> rusqlite::Result<HashMap<usize, &'static str>> {
        let now = clock::now();
        let mut refused = HashMap::new();
        let mut touched = HashSet::new();
        let mut transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (index, item) in work.iter_mut().enumerate() {
            match item {
                Work::Append(append) => match write_append(&transaction, &mut self.known, append, now) {
                    Ok(()) => {
                        touched.insert(append.board.clone());
                    }
                    Err(Failure::OutOfOrder) => {
                        refused.insert(index, "A change before this one could not be saved.");
                    }
                    Err(Failure::Deleted) => {
                        refused.insert(index, "The board was deleted.");
                    }
                    Err(Failure::Sqlite(error)) => return Err(error),
                },
                Work::Snapshot { board, seq, body } => write_snapshot(&transaction, &self.known, board, *seq, body)?,
                Work::Task(task) => {
                    run_task(&mut transaction, task.as_mut())?;
                    // It may have made, deleted or purged boards: where they stand must be asked anew.
                    for known in self.known.values_mut() {
                        write_changed(&transaction, known)?;
                    }
                    self.known.clear();
                }
                Work::Forget(board) => {
                    if let Some(mut known) = self.known.remove(board) {
                        write_changed(&transaction, &mut known)?;
                    }
                }
            }
        }
        for board in &touched {
            if let Some(known) = self.known.get_mut(board).filter(|known| now - known.changed > CHANGED_BEHIND) {
                write_changed(&transaction, known)?;
            }
        }
        transaction.commit()?;
        Ok(refused)
    }

    fn sentence(&self, error: &rusqlite::Error) -> String {
        let path = self.path.display();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                format!("The disk that holds {path} is full: changes are not saved. Make room on it.")
            }
            _ => format!("The database {path} could not be written: {error}."),
        }
    }
}

/// Runs a task inside a savepoint. An error means that the whole group is lost.
fn run_task(transaction: &mut Transaction<'_>, task: &mut dyn Task) -> rusqlite::Result<()> {
    let savepoint = transaction.savepoint()?;
    let kept = task.run(&savepoint);
    // A full disk, for one, makes SQLite take back the whole transaction by itself.
    if savepoint.is_autocommit() {
        let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
        return Err(rusqlite::Error::SqliteFailure(full, None));
    }
    if kept { savepoint.commit() } else { savepoint.finish() }
}

fn write_append(
    connection: &Connection,
    known: &mut HashMap<BoardName, Known>,
    append: &Append,
    now: i64,
) -> Result<(), Failure> {
    let mut stand = match known.get(&append.board) {
        Some(stand) => *stand,
        None => find_or_create(connection, &append.board, now)?,
    };
    if stand.last_seq + 1 != append.first_seq {
        return Err(Failure::OutOfOrder);
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO operations (board, seq, time, body) VALUES (?1, ?2, ?3, ?4)")?;
    for row in &append.rows {
        stand.last_seq += 1;
        insert.execute(params![stand.id, stand.last_seq, now, row])?;
        if let Some(title) = dialects::title_of(append.board.dialect, row) {
            connection
                .prepare_cached("UPDATE boards SET title = ?2 WHERE id = ?1")?
                .execute(params![stand.id, title])?;
        }
    }
    stand.appended = now;
    known.insert(append.board.clone(), stand);
    Ok(())
}

fn write_snapshot(
    connection: &Connection,
    known: &HashMap<BoardName, Known>,
    board: &BoardName,
    seq: u64,
    body: &str,
) -> rusqlite::Result<()> {
    let stand = match known.get(board) {
        Some(stand) => Some(*stand),
        None => find(connection, board)?.map(|(stand, _)| stand),
    };
    // Only where the board's log really reaches that far, and was not folded beyond it.
    let Some(stand) = stand.filter(|stand| stand.last_seq >= seq) else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO snapshots (board, seq, body)
             SELECT ?1, ?2, ?3 WHERE ?2 > coalesce((SELECT seq FROM bases WHERE board = ?1), 0)",
        )?
        .execute(params![stand.id, seq, body])?;
    Ok(())
}

fn write_changed(connection: &Connection, known: &mut Known) -> rusqlite::Result<()> {
    if known.appended > known.changed {
        connection
            .prepare_cached("UPDATE boards SET changed = max(changed, ?2) WHERE id = ?1")?
            .execute([known.id, known.appended])?;
        known.changed = known.appended;
    }
    Ok(())
}

/// Where a board stands, and whether it was deleted.
fn find(connection: &Connection, board: &BoardName) -> rusqlite::Result<Option<(Known, bool)>> {
    let Some((id, meta)) = registry::find(connection, board)? else { return Ok(None) };
    let (last_seq, changed) = connection
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(seq) FROM operations WHERE board = ?1), 0),
                        coalesce((SELECT seq FROM bases WHERE board = ?1), 0)),
                    (SELECT changed FROM boards WHERE id = ?1)",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Some((Known { id, last_seq, appended: changed, changed }, meta.deleted.is_some())))
}

fn find_or_create(connection: &Connection, board: &BoardName, now: i64) -> Result<Known, Failure> {
    match find(connection, board)? {
        Some((_, true)) => return Err(Failure::Deleted),
        Some((known, false)) => return Ok(known),
        None => {}
    }
    connection
        .prepare_cached("INSERT INTO boards (dialect, code, created, changed) VALUES (?1, ?2, ?3, ?3)")?
        .execute(params![board.dialect, &*board.code, now])?;
    Ok(Known { id: connection.last_insert_rowid(), last_seq: 0, appended: now, changed: now })
}

fn weight(job: &Job) -> (usize, usize) {
    match job {
        Job::Append(append) => (append.rows.len(), append.rows.iter().map(String::len).sum()),
        Job::Snapshot { body, .. } => (0, body.len()),
        Job::Task(_) | Job::Forget(_) | Job::Close(_) => (0, 0),
    }
}

/// After a failed write or sync the kernel may have dropped pages that SQLite believes to be on disk: only a new
/// start, from what is really there, is safe. A full disk or a busy database is not of this kind.
fn is_fatal(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
