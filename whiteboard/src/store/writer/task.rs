//! Changes of the tables other than appending to a board's log, as a queue of many kinds can hold them.

use super::super::StoreError;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Why nothing of a task is on disk, though the task itself went well.
#[derive(Clone, Debug)]
pub(super) struct NotSaved(pub String);

/// One change. It runs once, inside a savepoint of its own, and is answered once the commit's fate is known.
pub(super) trait Task: Send {
    /// False: what it wrote must be taken back.
    fn run(&mut self, connection: &Connection) -> bool;
    fn answer(self: Box<Self>, saved: Result<(), NotSaved>);
}

/// A task whose work returns a `T`.
pub(super) struct Typed<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    done: oneshot::Sender<Result<T, StoreError>>,
    path: Arc<PathBuf>,
}

impl<T, F> Typed<T, F> {
    pub(super) fn new(work: F, done: oneshot::Sender<Result<T, StoreError>>, path: Arc<PathBuf>) -> Self {
        Self { work: Some(work), outcome: None, done, path }
    }
}

impl<T, F> Task for Typed<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A fault in one task must not end the thread that everybody's drawings go through.
        let outcome = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(outcome) => outcome.map_err(StoreError::database(&self.path)),
            Err(_) => Err(StoreError::NotSaved("The change failed inside the server and was taken back.".to_owned())),
        };
        let kept = outcome.is_ok();
        self.outcome = Some(outcome);
        kept
    }

    fn answer(self: Box<Self>, saved: Result<(), NotSaved>) {
        let outcome = match (self.outcome, saved) {
            // Its own error says more than that of the group.
            (Some(Err(error)), _) => Err(error),
            (_, Err(NotSaved(sentence))) => Err(StoreError::NotSaved(sentence)),
            (Some(outcome), Ok(())) => outcome,
            (None, Ok(())) => Err(StoreError::Stopped),
        };
        // Who does not wait any more does not want to know.
        let _ = self.done.send(outcome);
    }
}
