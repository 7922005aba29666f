use super::super::{Reader, schema};
use super::*;
use crate::board::classroom::state::State;
use crate::board::core::Durable;
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
        let loaded = Reader::open(path).unwrap().load::<State>(&BoardName::classroom(code)).unwrap();
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
    let mut state = State::default();
    for _ in 0..2 {
        state.replay(STROKE).unwrap();
    }
    bench.writer.snapshot(name.clone(), 9, "ahead of the log: must not be kept".into());
    bench.writer.snapshot(name.clone(), 2, state.encode());
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

#[test]
fn a_task_is_on_disk_when_it_is_answered() {
    let mut bench = bench(|_| ());
    bench.append("physics", 1, &[STROKE], 1);
    let id = bench
        .writer
        .transact_blocking(|connection| {
            connection.execute("UPDATE boards SET title = 'Optics'", [])?;
            connection.query_row("SELECT id FROM boards WHERE code = 'physics'", [], |row| row.get::<_, i64>(0))
        })
        .unwrap();
    assert_eq!(bench.answer(), (1, Ok(())), "it ran behind what was queued before");
    let reader = Reader::open(&bench.path).unwrap();
    let title = |connection: &Connection| {
        connection.query_row("SELECT title FROM boards WHERE id = ?1", [id], |row| row.get::<_, String>(0))
    };
    assert_eq!(reader.read(title).unwrap(), "Optics");
    bench.append("physics", 2, &[STROKE], 2);
    assert_eq!(bench.answer(), (2, Ok(())), "where the board stands is still known");
}

#[test]
fn a_task_that_fails_takes_back_only_itself() {
    let mut bench = bench(|_| ());
    let blocker = Connection::open(&bench.path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.append("physics", 1, &[STROKE], 1);
    let (path, writer) = (bench.path.clone(), bench.writer.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (wrong, panicking, good) = runtime.block_on(async {
        let wrong = writer.transact(|connection| {
            connection.execute("DELETE FROM operations", [])?;
            connection.execute("UPDATE no_table SET x = 1", [])
        });
        let panicking = writer.transact(|connection| -> rusqlite::Result<()> {
            connection.execute("DELETE FROM operations", [])?;
            panic!("a fault on purpose")
        });
        let good = writer.transact(|connection| connection.execute("UPDATE boards SET title = 'kept'", []));
        let unblock = async { blocker.execute_batch("COMMIT").unwrap() };
        let (wrong, panicking, good, ()) = tokio::join!(wrong, panicking, good, unblock);
        (wrong, panicking, good)
    });
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains("no such table"), "{wrong}");
    assert!(panicking.unwrap_err().to_string().contains("was taken back"));
    assert_eq!(good.unwrap(), 1);
    assert_eq!(bench.answer(), (1, Ok(())));
    assert_eq!(Bench::loaded(&path, "physics"), (1, 1, 1));
}

#[test]
fn a_full_disk_refuses_a_task_and_everything_in_its_group() {
    let mut bench = bench(|connection| {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let most = pages + 8;
        connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
    });
    let insert = |bytes: usize| {
        move |connection: &Connection| connection.execute("INSERT INTO chunks VALUES (1, 0, ?1)", [vec![1_u8; bytes]])
    };
    let error = bench.writer.transact_blocking(insert(256 << 10)).unwrap_err().to_string();
    assert!(error.contains("full"), "{error}");
    bench.append("physics", 1, &[STROKE], 1);
    assert_eq!(bench.answer(), (1, Ok(())));
    assert_eq!(bench.writer.transact_blocking(insert(100)).unwrap(), 1);
    assert_eq!(Bench::loaded(&bench.path, "physics"), (1, 1, 1));
}

#[test]
fn a_deleted_board_takes_nothing_until_it_is_back() {
    let mut bench = bench(|_| ());
    bench.append("physics", 1, &[STROKE], 1);
    assert_eq!(bench.answer(), (1, Ok(())));
    let mark = |value: Option<i64>| {
        move |connection: &Connection| connection.execute("UPDATE boards SET deleted = ?1", [value])
    };
    bench.writer.transact_blocking(mark(Some(5))).unwrap();
    bench.append("physics", 2, &[STROKE], 2);
    assert_eq!(bench.answer(), (2, Err("The board was deleted.".into())));
    bench.append("art", 1, &[STROKE], 3);
    assert_eq!(bench.answer(), (3, Ok(())), "others go on");
    bench.writer.transact_blocking(mark(None)).unwrap();
    bench.append("physics", 2, &[STROKE], 4);
    assert_eq!(bench.answer(), (4, Ok(())));
}

#[test]
fn the_time_of_the_last_change_is_kept() {
    let mut bench = bench(|connection| {
        connection
            .execute("INSERT INTO boards (dialect, code, created) VALUES ('classroom', 'physics', 0)", [])
            .unwrap();
    });
    let changed = |bench: &Bench| {
        let read = |connection: &Connection| {
            connection.query_row("SELECT changed FROM boards", [], |row| row.get::<_, i64>(0))
        };
        Reader::open(&bench.path).unwrap().read(read).unwrap()
    };
    bench.append("physics", 1, &[STROKE], 1);
    assert_eq!(bench.answer().1, Ok(()));
    let first = changed(&bench);
    assert!(first > 0);
    bench.append("physics", 2, &[STROKE], 2);
    assert_eq!(bench.answer().1, Ok(()));
    assert_eq!(changed(&bench), first, "not with every commit");
    // Leaving memory writes it; another task shows that this has been done.
    bench.writer.forget(BoardName::classroom("physics"));
    bench.writer.transact_blocking(|_| Ok(())).unwrap();
    let last: i64 = Reader::open(&bench.path)
        .unwrap()
        .read(|connection| connection.query_row("SELECT max(time) FROM operations", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(changed(&bench), last);
}

#[test]
fn a_snapshot_behind_the_base_is_not_kept() {
    let bench = bench(|connection| {
        connection
            .execute_batch(
                "INSERT INTO boards (id, dialect, code, created) VALUES (1, 'classroom', 'physics', 0);
                 INSERT INTO bases VALUES (1, 5, 0, '')",
            )
            .unwrap();
    });
    for (seq, kept) in [(4, None), (6, None), (5, None)] {
        bench.writer.snapshot(BoardName::classroom("physics"), seq, "text".into());
        let found = bench
            .writer
            .transact_blocking(|connection| {
                use rusqlite::OptionalExtension;
                connection.query_row("SELECT seq FROM snapshots", [], |row| row.get::<_, i64>(0)).optional()
            })
            .unwrap();
        assert_eq!(found, kept, "{seq}");
    }
}

#[test]
fn a_closed_writer_says_so() {
    let bench = bench(|_| ());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(bench.writer.close());
    let answer = runtime.block_on(bench.writer.transact(|_| Ok(())));
    assert!(matches!(answer, Err(StoreError::Stopped)));
}

#[test]
fn a_title_in_the_log_is_the_title_in_the_list() {
    let mut bench = bench(|_| ());
    let title = r#"{"op":"title","by":"0","title":"Optics"}"#;
    for (seq, row, expected) in [(1, "x", None), (2, title, Some("Optics")), (3, "y", Some("Optics"))] {
        let board = BoardName::board("a");
        let rows = vec![row.to_owned()];
        bench.writer.append(Append { board, first_seq: seq, rows, ticket: seq, done: bench.done.clone() });
        assert_eq!(bench.answer(), (seq, Ok(())));
        let meta = Reader::open(&bench.path).unwrap().meta(&BoardName::board("a")).unwrap();
        assert_eq!(meta.title.as_deref(), expected);
    }
}
