//! What the store does by itself from time to time, in a thread of low priority: folds old operations, purges what was
//! deleted long ago, forgets images that nothing shows, gives free pages back to the disk.

use super::compaction::{self, Cut, Old};
use super::files::Uploads;
use super::{Store, StoreError, clock};
use rusqlite::Connection;
use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two transactions, so that drawings that wait come first.
const BREATH: Duration = Duration::from_millis(5);

/// Free pages that stay: they are used again soon, and each page that goes must be filled from the end of the file.
const SPARE_PAGES: i64 = 4096;

/// Pages that one transaction gives back at most.
const VACUUM_PAGES: i64 = 128;

/// An image that nothing shows is kept at least this long after it was last sent, however short the history is: the
/// element that is to show it may still be on its way.
const IMAGES_LEAST: Duration = Duration::from_hours(24);

/// How long things are kept, and how often it is looked after them.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Single operations, deleted boards, and images that nothing shows (those for a day at least).
    pub history: Duration,
    /// Between two runs.
    pub every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { history: Duration::from_hours(30 * 24), every: Duration::from_hours(1) }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Operations folded into bases.
    pub operations: u64,
    pub boards: u64,
    /// Images that no board has any more, and uploads that were broken off.
    pub files: u64,
    /// Pages given back to the disk.
    pub pages: u64,
}

/// Lets what waits for the writer go first.
pub(super) fn breathe() {
    thread::sleep(BREATH);
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Maintenance {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    /// Starts it; the first run comes after `retention.every`.
    pub fn start(store: Store, uploads: Uploads, retention: Retention) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("store-upkeep".into()).spawn(move || {
            // Only this thread: Linux counts niceness by thread. Without it everything works as well.
            let _ = rustix::process::nice(10);
            while stopped.recv_timeout(retention.every) == Err(mpsc::RecvTimeoutError::Timeout) {
                match run(&store, &uploads, retention, &stopped) {
                    Ok(report) if report == Report::default() => {}
                    Ok(report) => tracing::info!(
                        operations = report.operations,
                        boards = report.boards,
                        files = report.files,
                        pages = report.pages,
                        "folded and purged what is older than the retention"
                    ),
                    Err(StoreError::Stopped) => return,
                    Err(error) => tracing::error!("old operations could not be folded: {error}"),
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panicked, which the log tells, or it has ended.
            let _ = thread.join();
        }
    }
}

/// One run. A board that fails is told and does not keep the others from it.
pub fn run(
    store: &Store,
    uploads: &Uploads,
    retention: Retention,
    stopped: &mpsc::Receiver<()>,
) -> Result<Report, StoreError> {
    let milliseconds = i64::try_from(retention.history.as_millis()).unwrap_or(i64::MAX);
    let before = clock::now().saturating_sub(milliseconds);
    let cut = Cut { before, slack: milliseconds / 30 };
    let kept = i64::try_from(retention.history.max(IMAGES_LEAST).as_millis()).unwrap_or(i64::MAX);
    let unsent = clock::now().saturating_sub(kept);
    let is_stopped = || stopped.try_recv() == Err(mpsc::TryRecvError::Disconnected);
    let mut report = Report::default();
    for board in store.reader.read(|connection| compaction::old(connection, cut))? {
        if is_stopped() {
            return Ok(report);
        }
        match store.fold(&board, cut) {
            Ok(folded) => {
                report.operations += folded.operations;
                if folded.moved {
                    forget_files(store, &board, unsent)?;
                }
            }
            Err(StoreError::Stopped) => return Err(StoreError::Stopped),
            Err(error) => tracing::error!(board = board.code, "old operations stay as they are: {error}"),
        }
        breathe();
    }
    report.boards = store.purge_boards(before)?;
    report.files = store.purge_files(&uploads.under_way())?;
    while !is_stopped() {
        let freed = store.writer.transact_blocking(give_back)?;
        report.pages += freed;
        if freed == 0 {
            break;
        }
        breathe();
    }
    Ok(report)
}

/// Only of boards that begin later now: about once a day each, for it reads all of a board.
fn forget_files(store: &Store, board: &Old, unsent: i64) -> Result<(), StoreError> {
    match store.forget_files(board.id, unsent) {
        Ok(0) => Ok(()),
        Ok(images) => {
            tracing::info!(board = board.code, images, "the board forgot images that nothing shows any more");
            Ok(())
        }
        Err(StoreError::Stopped) => Err(StoreError::Stopped),
        Err(error) => {
            tracing::error!(board = board.code, "images that nothing may show stay: {error}");
            Ok(())
        }
    }
}

/// Gives some free pages back, if there are many. Files that were made by release 0.1.0 keep theirs: that needs
/// `auto_vacuum` from the beginning. They are used again for new drawings, and backups leave them out.
fn give_back(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (free, pages, mode) = (number("freelist_count")?, number("page_count")?, number("auto_vacuum")?);
    if mode != 2 || free <= SPARE_PAGES.max(pages / 4) {
        return Ok(0);
    }
    // Each step frees one page.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    Ok(u64::try_from(pages - number("page_count")?).unwrap_or(0))
}

#[cfg(test)]
mod tests;
