use super::*;
use crate::board::classroom::state::State;
use crate::board::classroom::stroke::Stroke;
use crate::store::examine::Counts;

/// A database with one board of `bodies`, and a snapshot after the second.
fn database(directory: &Path, bodies: &[&str], snapshot: Option<&str>) -> PathBuf {
    let path = directory.join("test.db");
    let connection = schema::open(&path).unwrap();
    connection
        .execute("INSERT INTO boards (id, dialect, code, created) VALUES (1, 'classroom', 'physics', 0)", [])
        .unwrap();
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
    state.replay(LOG[0]).unwrap();
    state.replay(LOG[1]).unwrap();
    state.encode()
}

#[test]
fn a_board_loads_the_same_with_and_without_snapshot() {
    for (snapshot, behind) in [(None, 3), (Some(snapshot_after_two()), 1)] {
        let directory = tempfile::tempdir().unwrap();
        let path = database(directory.path(), &LOG, snapshot.as_deref());
        let reader = Reader::open(&path).unwrap();
        reader.probe().unwrap();
        let loaded = reader.load::<State>(&BoardName::classroom("physics")).unwrap();
        let texts: Vec<_> = loaded.state.strokes().iter().map(Stroke::text).collect();
        assert_eq!(
            (texts.as_slice(), loaded.seq, loaded.behind_snapshot),
            (["2", r#"{"a": 1e21}"#].as_slice(), 3, behind)
        );
        assert!(loaded.idle > Duration::from_hours(1));
        assert_eq!(reader.load::<State>(&BoardName::classroom("unknown")).unwrap().seq, 0);
        assert_eq!(reader.examine().unwrap(), Counts { boards: 1, operations: 3, strokes: 2, files: 0 });
        let copy = directory.path().join("copy.db");
        reader.copy_to(&copy).unwrap();
        assert!(reader.copy_to(&copy).is_err(), "a copy never overwrites");
        let counts = Reader::open_immutable(&copy).unwrap().examine().unwrap();
        assert_eq!(counts, Counts { boards: 1, operations: 3, strokes: 2, files: 0 });
        assert!(reader.read(|c| c.execute("DELETE FROM boards", [])).is_err(), "a reader never writes");
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
    let many: Vec<String> = (0..400).map(|n| format!(r#"{{"update":[[{n},0,["{}"]]]}}"#, "x".repeat(500))).collect();
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

/// What compaction leaves behind: the first two operations folded, the rows of the first still there.
fn folded(directory: &Path) -> PathBuf {
    let path = database(directory, &LOG, None);
    let connection = schema::open(&path).unwrap();
    connection.execute("INSERT INTO bases VALUES (1, 2, 900, ?1)", [snapshot_after_two()]).unwrap();
    connection.execute("DELETE FROM operations WHERE seq = 2", []).unwrap();
    path
}

#[test]
fn a_log_begins_behind_its_base() {
    let directory = tempfile::tempdir().unwrap();
    let reader = Reader::open(&folded(directory.path())).unwrap();
    let name = BoardName::classroom("physics");
    let loaded = reader.load::<State>(&name).unwrap();
    assert_eq!((loaded.seq, loaded.behind_snapshot, loaded.state.count()), (3, 1, 2));
    assert_eq!(reader.examine().unwrap(), Counts { boards: 1, operations: 3, strokes: 2, files: 0 });
    // Everything folded: the number of the last operation stays known.
    let writing = schema::open(reader.path()).unwrap();
    writing.execute("DELETE FROM operations", []).unwrap();
    let loaded = reader.load::<State>(&name).unwrap();
    assert_eq!((loaded.seq, loaded.behind_snapshot, loaded.state.count()), (2, 0, 3));
    assert!(loaded.idle > Duration::from_hours(1));
    assert_eq!(reader.examine().unwrap().operations, 2);
}

#[test]
fn a_snapshot_counts_where_it_is_newer_than_the_base() {
    let directory = tempfile::tempdir().unwrap();
    let path = folded(directory.path());
    let connection = schema::open(&path).unwrap();
    let reader = Reader::open(&path).unwrap();
    for (seq, body, expected) in [(1, "older than the base: not even read", 2), (2, "as old as the base", 2)] {
        connection.execute("INSERT OR REPLACE INTO snapshots VALUES (1, ?1, ?2)", params![seq, body]).unwrap();
        let loaded = reader.load::<State>(&BoardName::classroom("physics")).unwrap();
        assert_eq!(loaded.state.count(), expected, "{body}");
    }
    let empty = State::default().encode();
    connection.execute("INSERT OR REPLACE INTO snapshots VALUES (1, 3, ?1)", [empty]).unwrap();
    assert_eq!(reader.load::<State>(&BoardName::classroom("physics")).unwrap().state.count(), 0);
    assert!(reader.examine().unwrap_err().to_string().contains("differs from its log"));
}

#[test]
fn a_missing_operation_is_told_and_not_jumped_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), &LOG, None);
    schema::open(&path).unwrap().execute("DELETE FROM operations WHERE seq = 2", []).unwrap();
    let reader = Reader::open(&path).unwrap();
    let error = reader.load::<State>(&BoardName::classroom("physics")).unwrap_err().to_string();
    assert!(error.contains("operation behind number 1 is missing"), "{error}");
    let error = reader.examine().unwrap_err().to_string();
    assert!(error.contains("has 2 operations, but its last one is number 3"), "{error}");
}

#[test]
fn boards_of_an_unknown_kind_and_broken_images_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), &LOG, None);
    let connection = schema::open(&path).unwrap();
    connection.execute_batch("INSERT INTO files VALUES (7, x'00', 5, 'image/png', 0); INSERT INTO chunks VALUES (7, 0, x'0102'); INSERT INTO board_files VALUES (1, 'cat', 7, 0)").unwrap();
    let reader = Reader::open(&path).unwrap();
    let error = reader.examine().unwrap_err().to_string();
    assert!(error.contains(r#"The image "cat" of the board "physics""#), "{error}");
    connection.execute("INSERT INTO chunks VALUES (7, 1, x'030405')", []).unwrap();
    assert_eq!(reader.examine().unwrap(), Counts { boards: 1, operations: 3, strokes: 2, files: 1 });
    connection.execute("UPDATE boards SET dialect = 'holograms'", []).unwrap();
    let error = reader.examine().unwrap_err().to_string();
    assert!(error.contains(r#"of the kind "holograms""#), "{error}");
}

#[test]
fn what_is_known_of_a_board_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(directory.path(), &LOG, None);
    let connection = schema::open(&path).unwrap();
    let secret = [7_u8; 32];
    connection.execute("UPDATE boards SET title = 'Optics', teacher = ?1, deleted = 99", [&secret[..]]).unwrap();
    let reader = Reader::open(&path).unwrap();
    let meta = reader.meta(&BoardName::classroom("physics")).unwrap();
    let expected = BoardMeta {
        code: "physics".into(),
        title: Some("Optics".into()),
        exists: true,
        teacher: Some(secret),
        look: None,
        deleted: Some(99),
    };
    assert_eq!(meta, expected);
    assert_eq!(reader.load::<State>(&BoardName::classroom("physics")).unwrap().meta, expected);
    assert_eq!(reader.boards().unwrap(), 0, "a deleted board does not count");
    let other = reader.meta(&BoardName::board("physics")).unwrap();
    assert_eq!(other, BoardMeta { code: "physics".into(), ..BoardMeta::default() }, "a dialect's boards are its own");
    assert_eq!(reader.meta_value("nothing").unwrap(), None);
    assert_eq!(reader.meta_value("epoch").unwrap(), Some(reader.epoch().unwrap()));
}
