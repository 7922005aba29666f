use super::*;
use crate::store::files::{FileLimits, Incoming, Uploads};
use crate::store::registry::NewBoard;
use crate::store::testing::{Bench, block_on};
use crate::store::{BoardName, DATABASE, Reader};

const TABLES: [&str; 8] = ["boards", "operations", "snapshots", "bases", "versions", "board_files", "files", "chunks"];

fn counts(bench: &Bench) -> Vec<i64> {
    TABLES.iter().map(|table| bench.number(&format!("SELECT count(*) FROM {table}"))).collect()
}

/// A board with something in each table; its image has three pieces.
fn filled(bench: &Bench, id: &str, operations: u64, image: u8) {
    let name = BoardName::board(id);
    block_on(bench.store.create(NewBoard { id: Some(id.into()), ..NewBoard::default() }, 99)).unwrap();
    let rows: Vec<String> = (0..operations).map(|n| n.to_string()).collect();
    bench.append(&name, 1, &rows);
    bench.sql(&format!(
        "INSERT INTO snapshots SELECT id, 1, 'x' FROM boards WHERE code = '{id}';
         INSERT INTO bases SELECT id, 1, 0, 'x' FROM boards WHERE code = '{id}';
         INSERT INTO versions (board, seq, time, name, body) SELECT id, 1, 0, 'x', 'x' FROM boards WHERE code = '{id}'"
    ));
    let path = bench.directory.path().join("image");
    std::fs::write(&path, vec![image; 600 << 10]).unwrap();
    let incoming = Incoming { path: &path, sha256: [image; 32], bytes: 600 << 10, mime: "image/png" };
    bench.store.keep_file(&Uploads::default(), &name, "cat", &incoming, FileLimits::default()).unwrap();
}

#[test]
fn a_board_that_was_deleted_long_ago_goes_with_all_it_has() {
    let bench = Bench::new();
    filled(&bench, "old", 450, 1);
    filled(&bench, "new", 3, 2);
    assert_eq!(counts(&bench), [2, 453, 2, 2, 2, 2, 2, 6]);
    assert_eq!(bench.store.purge_boards(i64::MAX).unwrap(), 0, "nothing is deleted yet");
    block_on(bench.store.delete(&BoardName::board("old"))).unwrap();
    assert_eq!(bench.store.purge_boards(1000).unwrap(), 0, "not for long enough");
    assert_eq!(bench.store.purge_boards(i64::MAX).unwrap(), 1);
    assert_eq!(bench.store.purge_files(&HashSet::new()).unwrap(), 1);
    assert_eq!(counts(&bench), [1, 3, 1, 1, 1, 1, 1, 3]);
    assert_eq!(bench.number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    block_on(bench.store.create(NewBoard { id: Some("old".into()), ..NewBoard::default() }, 99)).unwrap();
}

#[test]
fn a_purge_that_was_broken_off_goes_on() {
    let bench = Bench::new();
    filled(&bench, "old", 450, 1);
    let old = BoardName::board("old");
    block_on(bench.store.delete(&old)).unwrap();
    // As far as a killed run may have come.
    let id = bench.store.writer.transact_blocking(|connection| begin(connection, i64::MAX)).unwrap().unwrap();
    bench.store.writer.transact_blocking(move |connection| delete_some(connection, "operations", id, ROWS)).unwrap();
    assert!(block_on(bench.store.undelete(&old)).is_err(), "half a board must not come back");
    block_on(bench.store.create(NewBoard { id: Some("old".into()), ..NewBoard::default() }, 99)).unwrap();
    let reader = Reader::open(&bench.directory.path().join(DATABASE)).unwrap();
    assert_eq!(reader.examine().unwrap().boards, 1, "what is left of it does not disturb a backup");
    assert!(reader.list(true, 10, 0).unwrap().is_empty());
    assert_eq!(bench.store.purge_boards(i64::MAX).unwrap(), 1);
    bench.store.purge_files(&HashSet::new()).unwrap();
    assert_eq!(counts(&bench), [1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn pieces_of_broken_uploads_go_and_those_under_way_stay() {
    let bench = Bench::new();
    filled(&bench, "a", 1, 1);
    bench.sql("INSERT INTO chunks VALUES (5, 0, x'00'), (5, 1, x'00'), (9, 0, x'00'), (9, 3, x'00')");
    assert_eq!(bench.store.purge_files(&HashSet::from([9])).unwrap(), 1);
    assert_eq!(bench.number("SELECT count(*) FROM chunks WHERE file = 9"), 2);
    assert_eq!(bench.store.purge_files(&HashSet::new()).unwrap(), 1);
    assert_eq!(bench.number("SELECT count(*) FROM chunks"), 3, "the image that a board has stays");
    assert_eq!(bench.store.purge_files(&HashSet::new()).unwrap(), 0);
}

#[test]
fn an_image_of_two_boards_stays_until_both_are_gone() {
    let bench = Bench::new();
    filled(&bench, "a", 1, 1);
    filled(&bench, "b", 1, 1);
    assert_eq!(bench.number("SELECT count(*) FROM files"), 1, "each content once");
    for (id, left) in [("a", 1), ("b", 0)] {
        block_on(bench.store.delete(&BoardName::board(id))).unwrap();
        bench.store.purge_boards(i64::MAX).unwrap();
        bench.store.purge_files(&HashSet::new()).unwrap();
        assert_eq!(bench.number("SELECT count(*) FROM files"), left, "after {id}");
    }
    assert_eq!(bench.number("SELECT count(*) FROM chunks"), 0);
}
