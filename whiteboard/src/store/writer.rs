//! The one thread that writes, with natural group commit.

use super::BoardName;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

/// Rows that go into one commit at most; more wait for the next one.
const GROUP_ROWS: usize = 4096;

/// Bytes that go into one commit at most, about.
const GROUP_BYTES: usize = 8 << 20;

/// Rows for the log of one board.
#[derive(Debug)]
pub struct Append {
    pub board: BoardName,
    /// Number of the first row in its board; it must follow the last one on disk.
    pub first_seq: u64,
    pub rows: Vec<String>,
    /// Handed back in [`Committed`].
    pub ticket: u64,
    pub done: tokio_mpsc::UnboundedSender<Committed>,
}

/// The fate of an [`Append`].
#[derive(Debug)]
pub struct Committed {
    pub ticket: u64,
    /// On disk, or not at all; the sentence says why.
    pub result: Result<(), String>,
}

/// What one commit did, for the metrics.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    pub rows: usize,
    pub bytes: usize,
    pub took: Duration,
    pub failed: bool,
}

#[derive(Debug)]
enum Job {
    Append(Append),
    /// Everything up to `seq` as one text; a lost one costs time at the next load, nothing else.
    Snapshot {
        board: BoardName,
        seq: u64,
        body: String,
    },
    /// Nobody uses the board any more.
    Forget(BoardName),
    /// Write everything back into the database file and stop.
    Close(oneshot::Sender<()>),
}

/// Handle to the writing thread. The thread ends when it is closed or the last handle is gone.
#[derive(Clone, Debug)]
pub struct Writer(mpsc::Sender<Job>);

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        on_fatal: impl FnOnce(String) + Send + 'static,
        on_commit: impl Fn(Commit) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().name("store-writer".into()).spawn(move || {
            let mut thread = Thread { connection, path, known: HashMap::new(), on_commit: Box::new(on_commit) };
            if let Err(sentence) = thread.run(&receiver) {
                on_fatal(sentence);
            }
        })?;
        Ok(Self(sender))
    }

    /// Queues rows. Their fate comes through [`Append::done`]; if the writer is gone, `done` is dropped unanswered.
    pub fn append(&self, append: Append) {
        // A writer that is gone has ended the process, or is about to: nobody is waiting for an answer.
        let _ = self.0.send(Job::Append(append));
    }

    /// Queues a snapshot of a board as of operation `seq`, which was queued before.
    pub fn snapshot(&self, board: BoardName, seq: u64, body: String) {
        let _ = self.0.send(Job::Snapshot { board, seq, body });
    }

    /// The board has left memory.
    pub fn forget(&self, board: BoardName) {
        let _ = self.0.send(Job::Forget(board));
    }

    /// Commits what is queued, writes the log back into the database file, and ends the thread.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.0.send(Job::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

/// Where a board stands on disk.
#[derive(Clone, Copy)]
struct Known {
    id: i64,
    last_seq: u64,
}

struct Thread {
    connection: Connection,
    path: PathBuf,
    known: HashMap<BoardName, Known>,
    on_commit: Box<dyn Fn(Commit) + Send>,
}

/// An append that could not be written.
enum Failure {
    Sqlite(rusqlite::Error),
    /// Rows before these did not make it to disk.
    OutOfOrder,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Thread {
    /// Runs until closed; an error is a sentence about why memory and disk may not agree any more.
    fn run(&mut self, jobs: &mpsc::Receiver<Job>) -> Result<(), String> {
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
        let (mut answers, mut forgotten, mut close) = (Vec::new(), Vec::new(), None);
        let mut work = Vec::new();
        for job in group {
            match job {
                Job::Append(append) => {
                    answers.push((append.ticket, append.done.clone(), true));
                    work.push(Work::Append(append));
                }
                Job::Snapshot { board, seq, body } => work.push(Work::Snapshot { board, seq, body }),
                Job::Forget(board) => forgotten.push(board),
                Job::Close(done) => close = Some(done),
            }
        }
        let outcome = if work.is_empty() { Ok(Vec::new()) } else { self.write(&work) };
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
                (Err(sentence), Vec::new())
            }
        };
        if rows > 0 {
            (self.on_commit)(Commit { rows, bytes, took: start.elapsed(), failed: result.is_err() });
        }
        for (index, (ticket, done, _)) in answers.into_iter().enumerate() {
            let result = if refused.contains(&index) {
                Err("A change before this one could not be saved.".to_owned())
            } else {
                result.clone()
            };
            // A room that is gone has no clients that could wait.
            let _ = done.send(Committed { ticket, result });
        }
        for board in forgotten {
            self.known.remove(&board);
        }
        Ok(close)
    }

    /// Writes a group in one transaction. Returns which appends (by number) were refused because rows are missing
    /// before them; those write nothing, the others are on disk.
    fn write(&mut self, work: &[Work]) -> rusqlite::Result<Vec<usize>> {
        let now = milliseconds_now();
        let mut refused = Vec::new();
        let mut appends = 0;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for item in work {
            match item {
                Work::Append(append) => {
                    match write_append(&transaction, &mut self.known, append, now) {
                        Ok(()) => {}
                        Err(Failure::OutOfOrder) => refused.push(appends),
                        Err(Failure::Sqlite(error)) => return Err(error),
                    }
                    appends += 1;
                }
                Work::Snapshot { board, seq, body } => {
                    // Only where the board's log really reaches that far.
                    if let Some(known) = self.known.get(board).filter(|known| known.last_seq >= *seq) {
                        transaction
                            .prepare_cached("INSERT OR REPLACE INTO snapshots (board, seq, body) VALUES (?1, ?2, ?3)")?
                            .execute(params![known.id, seq, body])?;
                    }
                }
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

enum Work {
    Append(Append),
    Snapshot { board: BoardName, seq: u64, body: String },
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
    }
    known.insert(append.board.clone(), stand);
    Ok(())
}

fn find_or_create(connection: &Connection, board: &BoardName, now: i64) -> rusqlite::Result<Known> {
    let found = connection
        .prepare_cached(
            "SELECT id, coalesce((SELECT max(seq) FROM operations WHERE board = boards.id), 0)
             FROM boards WHERE dialect = ?1 AND code = ?2",
        )?
        .query_row(params![board.dialect, &*board.code], |row| Ok(Known { id: row.get(0)?, last_seq: row.get(1)? }))
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    connection.prepare_cached("INSERT INTO boards (dialect, code, created) VALUES (?1, ?2, ?3)")?.execute(params![
        board.dialect,
        &*board.code,
        now
    ])?;
    Ok(Known { id: connection.last_insert_rowid(), last_seq: 0 })
}

fn weight(job: &Job) -> (usize, usize) {
    match job {
        Job::Append(append) => (append.rows.len(), append.rows.iter().map(String::len).sum()),
        Job::Snapshot { body, .. } => (0, body.len()),
        Job::Forget(_) | Job::Close(_) => (0, 0),
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

fn milliseconds_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, schema};
    use super::*;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    const STROKE: &str = r#"{"update":[[0,0,[1]]]}"#;

    struct Bench {
        _directory: tempfile::TempDir,
        path: PathBuf,
        writer: Writer,
        commits: Arc<Mutex<Vec<Commit>>>,
        done: tokio_mpsc::UnboundedSender<Committed>,
        answers: tokio_mpsc::UnboundedReceiver<Committed>,
    }

    fn bench(prepare: impl FnOnce(&Connection)) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let connection = schema::open(&path).unwrap();
        prepare(&connection);
        let commits = Arc::new(Mutex::new(Vec::new()));
        let seen = commits.clone();
        let writer = Writer::start(
            connection,
            path.clone(),
            |sentence| panic!("{sentence}"),
            move |commit| seen.lock().unwrap().push(commit),
        )
        .unwrap();
        let (done, answers) = tokio_mpsc::unbounded_channel();
        Bench { _directory: directory, path, writer, commits, done, answers }
    }

    impl Bench {
        fn append(&self, code: &str, first_seq: u64, rows: &[&str], ticket: u64) {
            let rows = rows.iter().map(|row| (*row).to_owned()).collect();
            let board = BoardName::classroom(code);
            self.writer.append(Append { board, first_seq, rows, ticket, done: self.done.clone() });
        }

        fn answer(&mut self) -> (u64, Result<(), String>) {
            let answer = self.answers.blocking_recv().unwrap();
            (answer.ticket, answer.result)
        }

        fn loaded(path: &Path, code: &str) -> (u64, usize, u64) {
            let loaded = Reader::open(path).unwrap().load(&BoardName::classroom(code)).unwrap();
            (loaded.seq, loaded.state.strokes().len(), loaded.behind_snapshot)
        }
    }

    #[test]
    fn an_answer_means_on_disk() {
        let mut bench = bench(|_| ());
        for seq in 1..=20 {
            bench.append("physics", seq, &[STROKE], seq);
            assert_eq!(bench.answer(), (seq, Ok(())));
            assert_eq!(Bench::loaded(&bench.path, "physics").0, seq);
        }
    }

    #[test]
    fn what_waits_goes_into_one_commit() {
        let mut bench = bench(|_| ());
        // Holds the writer inside a transaction while the others queue up.
        let blocker = Connection::open(&bench.path).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        for n in 0..50 {
            bench.append(&format!("board {n}"), 1, &[STROKE, STROKE], n);
        }
        std::thread::sleep(Duration::from_millis(100));
        blocker.execute_batch("COMMIT").unwrap();
        for n in 0..50 {
            assert_eq!(bench.answer(), (n, Ok(())));
        }
        let commits = bench.commits.lock().unwrap();
        assert_eq!(commits.iter().map(|commit| commit.rows).sum::<usize>(), 100);
        assert!(commits.len() <= 3, "{} commits", commits.len());
    }

    #[test]
    fn rows_behind_a_gap_are_refused_and_others_are_not() {
        let mut bench = bench(|_| ());
        bench.append("physics", 1, &[STROKE], 1);
        bench.append("physics", 3, &[STROKE], 2);
        bench.append("art", 1, &[STROKE], 3);
        bench.append("physics", 2, &[STROKE], 4);
        assert_eq!(bench.answer(), (1, Ok(())));
        assert!(bench.answer().1.is_err());
        assert_eq!(bench.answer(), (3, Ok(())));
        assert_eq!(bench.answer(), (4, Ok(())));
        assert_eq!(Bench::loaded(&bench.path, "physics"), (2, 2, 2));
    }

    #[test]
    fn a_full_disk_refuses_and_later_goes_on() {
        let mut bench = bench(|connection| {
            let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
            let most = pages + 8;
            connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
        });
        bench.append("physics", 1, &[STROKE], 1);
        assert_eq!(bench.answer(), (1, Ok(())));
        let large = format!(r#"{{"update":[[0,0,["{}"]]]}}"#, "x".repeat(100_000));
        bench.append("physics", 2, &[&large], 2);
        let (_, refused) = bench.answer();
        assert!(refused.unwrap_err().contains("is full"));
        bench.append("physics", 3, &[STROKE], 3);
        assert!(bench.answer().1.is_err(), "operation 2 is missing");
        bench.append("physics", 2, &[STROKE], 4);
        assert_eq!(bench.answer(), (4, Ok(())));
        assert_eq!(Bench::loaded(&bench.path, "physics"), (2, 2, 2));
        assert!(bench.commits.lock().unwrap().iter().any(|commit| commit.failed));
    }

    #[test]
    fn snapshots_follow_the_log_and_closing_leaves_one_file() {
        let mut bench = bench(|_| ());
        let name = BoardName::classroom("physics");
        bench.append("physics", 1, &[STROKE, STROKE], 1);
        let mut state = crate::board::classroom::state::State::default();
        for _ in 0..2 {
            crate::board::classroom::record::replay(STROKE, &mut state).unwrap();
        }
        bench.writer.snapshot(name.clone(), 9, "ahead of the log: must not be kept".into());
        bench.writer.snapshot(name.clone(), 2, crate::board::classroom::snapshot::encode(&state));
        bench.append("physics", 3, &[STROKE], 2);
        bench.writer.forget(name);
        bench.append("physics", 4, &[STROKE], 3);
        for _ in 0..3 {
            assert_eq!(bench.answer().1, Ok(()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(bench.writer.close());
        runtime.block_on(bench.writer.close());
        assert_eq!(Bench::loaded(&bench.path, "physics"), (4, 4, 2));
        let log = bench.path.with_extension("db-wal");
        assert!(log.metadata().map_or(0, |metadata| metadata.len()) == 0);
    }
}
