//! A store in a directory of its own, for tests.

use super::writer::Append;
use super::{BoardName, Store};
use tempfile::TempDir;

pub struct Bench {
    pub directory: TempDir,
    pub store: Store,
}

impl Bench {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), |sentence| panic!("{sentence}"), |_| ()).unwrap();
        Self { directory, store }
    }

    /// Ends the writer and opens the store anew, as after a restart.
    pub fn reopened(self) -> Self {
        let Self { directory, store } = self;
        block_on(store.writer.close());
        drop(store);
        let store = Store::open(directory.path(), |sentence| panic!("{sentence}"), |_| ()).unwrap();
        Self { directory, store }
    }

    /// Appends rows behind what the board has, and waits until they are on disk.
    pub fn append(&self, board: &BoardName, first_seq: u64, rows: &[String]) {
        let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let rows = rows.to_vec();
        self.store.writer.append(Append { board: board.clone(), first_seq, rows, ticket: 0, done });
        answers.blocking_recv().unwrap().result.unwrap();
    }

    /// Sets the times of a board's operations: the first gets `from`, each next one `step` more.
    pub fn times(&self, from: i64, step: i64) {
        self.sql(&format!("UPDATE operations SET time = {from} + (seq - 1) * {step}"));
    }

    pub fn sql(&self, sql: &str) {
        let sql = sql.to_owned();
        self.store.writer.transact_blocking(move |connection| connection.execute_batch(&sql)).unwrap();
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.store.reader.read(|connection| connection.query_row(sql, [], |row| row.get(0))).unwrap()
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A classroom's record that adds a stroke, and one that takes the last of `count` away.
pub fn draw(stroke: u64) -> String {
    format!(r#"{{"update":[[0,0,[{stroke}]]]}}"#)
}
