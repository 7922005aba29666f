//! The one thread that writes, with natural group commit.

mod task;
mod thread;

use super::{BoardName, StoreError};
use rusqlite::Connection;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::{mpsc as tokio_mpsc, oneshot};

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

enum Job {
    Append(Append),
    /// Everything up to `seq` as one text; a lost one costs time at the next load, nothing else.
    Snapshot {
        board: BoardName,
        seq: u64,
        body: String,
    },
    /// Any other change of the tables.
    Task(Box<dyn task::Task>),
    /// Nobody uses the board any more.
    Forget(BoardName),
    /// Write everything back into the database file and stop.
    Close(oneshot::Sender<()>),
}

/// Handle to the writing thread. The thread ends when it is closed or the last handle is gone.
#[derive(Clone, Debug)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    path: Arc<PathBuf>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        on_fatal: impl FnOnce(String) + Send + 'static,
        on_commit: impl Fn(Commit) + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel();
        let shared = Arc::new(path.clone());
        std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            let mut thread = thread::Thread::new(connection, path, Box::new(on_commit));
            if let Err(sentence) = thread.run(&receiver) {
                on_fatal(sentence);
            }
        })?;
        Ok(Self { jobs, path: shared })
    }

    /// Queues rows. Their fate comes through [`Append::done`]; if the writer is gone, `done` is dropped unanswered.
    pub fn append(&self, append: Append) {
        // A writer that is gone has ended the process, or is about to: nobody is waiting for an answer.
        let _ = self.jobs.send(Job::Append(append));
    }

    /// Queues a snapshot of a board as of operation `seq`, which was queued before.
    pub fn snapshot(&self, board: BoardName, seq: u64, body: String) {
        let _ = self.jobs.send(Job::Snapshot { board, seq, body });
    }

    /// The board has left memory.
    pub fn forget(&self, board: BoardName) {
        let _ = self.jobs.send(Job::Forget(board));
    }

    /// Runs `work` in the writing thread, in order with everything queued before, and answers once what it wrote is on
    /// disk, together with whatever else was waiting. An error of `work` takes back what it wrote and nothing else.
    /// Keep it short: drawings wait meanwhile.
    pub async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let task = task::Typed::new(work, done, self.path.clone());
        // Sent or not: without an answer there is no writer any more.
        let _ = self.jobs.send(Job::Task(Box::new(task)));
        answer.await.unwrap_or_else(|_| Err(StoreError::Stopped))
    }

    /// [`Self::transact`] for threads that may block, outside of the runtime's own.
    pub fn transact_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let _ = self.jobs.send(Job::Task(Box::new(task::Typed::new(work, done, self.path.clone()))));
        answer.blocking_recv().unwrap_or_else(|_| Err(StoreError::Stopped))
    }

    /// Commits what is queued, writes the log back into the database file, and ends the thread.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Job::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

#[cfg(test)]
mod tests;
