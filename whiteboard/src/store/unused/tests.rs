use super::*;
use crate::board::scene::element::{Deleted, Element, Stamp};
use crate::board::scene::elements::Owner;
use crate::board::scene::identity::UserId;
use crate::board::scene::operation::{Done, Edit, Operation, Owners, Rules};
use crate::board::scene::state::State;
use crate::board::scene::undo::STEPS;
use crate::store::files::{FileError, FileLimits, Incoming, Kept, Uploads};
use crate::store::history::When;
use crate::store::maintenance::{Report, Retention, run};
use crate::store::registry::{self, NewBoard};
use crate::store::testing::{Bench, block_on};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn ids_are_found_wherever_they_stand() {
    let escaped = format!(r#"{{"fileId":"{}\u0061t"}}"#, r"\u0063");
    let in_two = r#"{"step":"{\"fileId\":\"\\u0063a\\u0074\"}"}"#;
    for (text, named) in [
        (r#"{"fileId":"cat"}"#, true),
        (r#"{"elements":[{"id":"1","type":"image","fileId" : "cat"}]}"#, true),
        (r#"{"customData":{"deep":[[{"background":{"fileId":"cat"}}]]}}"#, true),
        (r#"["~","1",[["fileId",["\"cat\""],[]]]]"#, true),
        (r#"["~","1",[["fileId",[],["cat"]]]]"#, true),
        ("{\"format\":2}\n{\"id\":\"1\",\"fileId\":\"cat\"}", true),
        (r#"{"libraryItems":[{"elements":[{"fileId":"cat"}]}]}"#, true),
        (r#"{"f\u0069leId":"cat"}"#, true),
        (&escaped, true),
        (r#"{"fileId":"\u0063\u0061\u0074"}"#, true),
        (r#"{"text":"{\"fileId\":\"cat\"}"}"#, true),
        (in_two, true),
        // Escapes inside of escapes: it is not tried to understand them.
        (r#"{"text":"\u005c\u0022"}"#, true),
        (r#"{"text":"\\u00\u0036\u0033"}"#, true),
        (r#"{"text":"\u00"#, true),
        (r#"{"text":"\uzzzz"}"#, true),
        // No JSON, or not whole.
        ("cat", true),
        ("\u{0}\u{7f}ü cat", true),
        (r#"{"fileId":"cat"#, true),
        // Only parts of something else.
        (r#"{"fileId":"cats"}"#, false),
        (r#"{"fileId":"tomcat"}"#, false),
        (r#"{"fileId":"cat-1"}"#, false),
        (r#"{"fileId":"ca\u0074s"}"#, false),
        (r#"{"fileId":"CAT"}"#, false),
        (r#"{"text":"concatenate\n\ttable C:\\users\\underline \u00e9 \ud83d\ude00"}"#, false),
        (r#"{"points":[[1.5,-2e-7],[0,0]],"fileId":null}"#, false),
        (r#"{"fileId":"dog"}"#, false),
        ("", false),
        (r"\", false),
        (r"\\", false),
    ] {
        let mut names = HashSet::from(["cat".to_owned(), "c".repeat(LONGEST)]);
        strike(text.as_bytes(), &mut names);
        assert_eq!(!names.contains("cat"), named, "{text}");
    }
}

#[test]
fn long_runs_are_no_ids_and_the_longest_id_is_one() {
    let longest = "x".repeat(LONGEST);
    for (length, named) in [(LONGEST - 1, false), (LONGEST, true), (LONGEST + 1, false), (5000, false)] {
        let mut names = HashSet::from([longest.clone()]);
        strike(format!("{{\"fileId\":\"{}\"}}", "x".repeat(length)).as_bytes(), &mut names);
        assert_eq!(names.is_empty(), named, "{length}");
    }
}

/// The board `a`, and what was recorded on it.
struct Used {
    bench: Bench,
    uploads: Uploads,
    last: u64,
}

fn a() -> BoardName {
    BoardName::board("a")
}

fn used() -> Used {
    let bench = Bench::new();
    for id in ["a", "b"] {
        block_on(bench.store.create(NewBoard { id: Some(id.into()), ..NewBoard::default() }, 9)).unwrap();
    }
    Used { bench, uploads: Uploads::default(), last: 0 }
}

fn element(id: &str, version: u64, more: &str) -> Element {
    let text = format!(r#"{{"id":"{id}","type":"image","version":{version},"versionNonce":1{more}}}"#);
    Element::from_text(&text).unwrap()
}

fn edit(elements: Vec<Element>, deleted: &[(&str, u64)]) -> Done {
    let stamp = |version| Stamp { version, nonce: 1 };
    let deleted = deleted.iter().map(|(id, version)| Deleted { id: (*id).into(), stamp: stamp(*version) }).collect();
    Done::Change { gesture: None, edit: Edit { elements, deleted } }
}

impl Used {
    fn keep(&self, board: &str, name: &str, text: &str) -> Result<Kept, FileError> {
        let path = self.bench.directory.path().join("incoming");
        std::fs::write(&path, text).unwrap();
        let incoming =
            Incoming { path: &path, sha256: registry::hash(text), bytes: text.len() as u64, mime: "image/png" };
        let limits = FileLimits { file: 1000, board: 1000 };
        self.bench.store.keep_file(&self.uploads, &BoardName::board(board), name, &incoming, limits)
    }

    /// Keeps an image on `a`, as somebody sent it long ago.
    fn keep_old(&self, name: &str, text: &str) {
        self.keep("a", name, text).unwrap();
        self.bench.sql("UPDATE board_files SET created = 5");
    }

    fn record(&mut self, done: Done) {
        self.last += 1;
        let operation = Operation {
            by: Owner { user: UserId(1), teacher: true },
            session: "session1".into(),
            id: self.last,
            at: i64::try_from(self.last).unwrap(),
            done,
            rules: Rules::NOW,
            owners: Owners::default(),
        };
        self.bench.append(&a(), self.last, &[operation.encode()]);
    }

    fn forget(&self) -> u64 {
        let board = self.bench.number("SELECT id FROM boards WHERE code = 'a'");
        self.bench.store.forget_files(board, clock::now() - clock::DAY).unwrap()
    }

    fn has(&self, board: &str, name: &str) -> bool {
        self.bench.store.reader.file(&BoardName::board(board), name).unwrap().is_some()
    }

    /// Everything that was recorded so far is old, and a run of the upkeep comes.
    fn upkeep(&self) -> Report {
        self.bench.times(0, 1);
        let (_stop, stopped) = mpsc::channel();
        let retention = Retention { history: Duration::from_hours(1), ..Retention::default() };
        run(&self.bench.store, &self.uploads, retention, &stopped).unwrap()
    }
}

#[test]
fn what_nothing_shows_makes_room_for_others() {
    let mut used = used();
    used.keep_old("cat", &"m".repeat(700));
    assert!(matches!(used.keep("a", "dog", &"w".repeat(700)), Err(FileError::BoardFull(1000))));
    used.record(Done::Lock(true));
    let report = used.upkeep();
    assert_eq!((report.operations, report.files), (1, 1), "{report:?}");
    assert!(!used.has("a", "cat"));
    assert_eq!(used.bench.number("SELECT count(*) FROM chunks"), 0);
    used.keep("a", "dog", &"w".repeat(700)).unwrap();
    used.keep("a", "cat", "another one").unwrap();
    used.record(Done::Lock(false));
    assert_eq!(used.upkeep().files, 0, "it was sent just now");
    assert!(used.has("a", "dog"));
    used.bench.store.reader.examine().unwrap();
}

#[test]
fn every_text_that_can_be_shown_keeps_its_images() {
    for (name, sql) in [
        ("base", "INSERT INTO bases SELECT id, 0, 0, '[\"cat\"]' FROM boards WHERE code = 'a'"),
        ("snapshot", "INSERT INTO snapshots SELECT id, 0, '[\"cat\"]' FROM boards WHERE code = 'a'"),
        ("operation", "INSERT INTO operations SELECT 1, id, 1, 0, '[\"cat\"]' FROM boards WHERE code = 'a'"),
        (
            "version",
            "INSERT INTO versions (board, seq, time, name, body)
             SELECT id, 1, 0, 'v', x.column1 FROM boards, (VALUES ('[\"dog\"]'), ('[\"cat\"]')) x WHERE code = 'a'",
        ),
    ] {
        let used = used();
        used.keep_old("cat", "meow");
        used.bench.sql(sql);
        assert_eq!(used.forget(), 0, "{name}");
        assert!(used.has("a", "cat"), "{name}");
        used.bench.sql("DELETE FROM versions; DELETE FROM bases; DELETE FROM snapshots; DELETE FROM operations");
        assert_eq!(used.forget(), 1, "{name}");
        assert!(!used.has("a", "cat"), "{name}");
    }
}

#[test]
fn an_image_goes_with_the_last_step_that_could_bring_it_back() {
    let mut used = used();
    used.keep_old("cat", "meow");
    used.record(edit(vec![element("1", 1, r#","fileId":"cat""#)], &[]));
    assert_eq!((used.upkeep().files, used.has("a", "cat")), (0, true), "it is shown");
    // Another picture in its place, and back to none: steps remember what the key was.
    used.record(edit(vec![element("1", 2, r#","fileId":"dog""#)], &[]));
    assert_eq!((used.upkeep().files, used.has("a", "cat")), (0, true), "the change can be taken back");
    used.record(edit(vec![], &[("1", 3)]));
    assert_eq!((used.upkeep().files, used.has("a", "cat")), (0, true), "and so can the deletion");
    assert_eq!(used.bench.number("SELECT count(*) FROM operations"), 0, "all of it is in the base");
    for n in 0..STEPS as u64 {
        used.record(edit(vec![element("2", n + 1, &format!(r#","x":{n}"#))], &[]));
    }
    let report = used.upkeep();
    assert_eq!((report.files, used.has("a", "cat")), (1, false), "{report:?}");
    assert_eq!(used.bench.store.reader.load::<State>(&a()).unwrap().state.elements.count(), 1);
}

#[test]
fn what_is_sent_again_is_new_even_with_other_bytes() {
    for again in ["meow", "purr"] {
        let mut used = used();
        used.keep_old("cat", "meow");
        used.record(Done::Lock(true));
        let sent = used.keep("a", "cat", again);
        assert_eq!(sent.is_ok(), again == "meow");
        assert_eq!(used.forget(), 0, "{again}: its element may be on the way");
        used.record(edit(vec![element("1", 1, r#","fileId":"cat""#)], &[]));
        used.bench.sql("UPDATE board_files SET created = 5");
        assert_eq!((used.forget(), used.has("a", "cat")), (0, true));
    }
}

#[test]
fn a_row_is_not_written_each_time_the_same_comes() {
    let used = used();
    used.keep("a", "cat", "meow").unwrap();
    let almost = clock::now() - RENEWED + clock::HOUR / 2;
    used.bench.sql(&format!("UPDATE board_files SET created = {almost}"));
    used.keep("a", "cat", "meow").unwrap();
    assert_eq!(used.bench.number("SELECT created FROM board_files"), almost);
}

/// A look at `a`, as a run of the upkeep takes it.
fn taken(used: &Used) -> (i64, i64, Look) {
    let board = used.bench.number("SELECT id FROM boards WHERE code = 'a'");
    let before = clock::now() - clock::DAY;
    let look = used.bench.store.reader.read(|connection| look(connection, board, before)).unwrap().unwrap();
    (board, before, look)
}

fn try_to_forget(used: &Used, board: i64, before: i64, look: &Look) -> Option<u64> {
    let (seq, names): (u64, Vec<String>) = (look.seq, look.unused.iter().cloned().collect());
    used.bench.store.writer.transact_blocking(move |connection| forget(connection, board, before, seq, &names)).unwrap()
}

#[test]
fn what_was_recorded_since_the_look_is_looked_through() {
    let mut used = used();
    used.keep_old("cat", "meow");
    used.keep_old("dog", "woof");
    used.record(Done::Lock(true));
    let (board, before, mut look) = taken(&used);
    assert_eq!((look.seq, look.unused.len()), (1, 2));
    used.record(edit(vec![element("1", 1, r#","fileId":"cat""#)], &[]));
    assert_eq!(try_to_forget(&used, board, before, &look), None);
    assert!(used.has("a", "cat") && used.has("a", "dog"));
    assert!(used.bench.store.reader.read(|connection| look.go_on(connection, board)).unwrap());
    assert_eq!(try_to_forget(&used, board, before, &look), Some(1));
    assert!(used.has("a", "cat") && !used.has("a", "dog"));
}

#[test]
fn what_was_sent_since_the_look_stays() {
    let used = used();
    used.keep_old("cat", "meow");
    let (board, before, look) = taken(&used);
    used.keep("a", "cat", "meow").unwrap();
    assert_eq!(try_to_forget(&used, board, before, &look), Some(0));
    assert!(used.has("a", "cat"));
}

#[test]
fn a_moment_that_somebody_brings_back_keeps_its_images() {
    let mut used = used();
    used.keep_old("cat", "meow");
    used.record(Done::Lock(true));
    let (board, before, look) = taken(&used);
    used.bench.store.past_to_bring_back::<State>(&a(), When::Seq(1)).unwrap();
    assert_eq!(try_to_forget(&used, board, before, &look), Some(0));
    assert!(used.has("a", "cat"));
}

#[test]
fn a_version_of_a_version_keeps_its_images() {
    let mut used = used();
    used.keep_old("cat", "meow");
    used.record(Done::Lock(true));
    let version = used.bench.store.name_version(&a(), When::Now, "one", None).unwrap();
    let (board, before, look) = taken(&used);
    used.bench.store.name_version(&a(), When::Version(version.id), "two", None).unwrap();
    assert_eq!(try_to_forget(&used, board, before, &look), Some(0));
}

#[test]
fn an_image_that_another_board_has_stays_for_that_one() {
    let used = used();
    used.keep("b", "cat", "meow").unwrap();
    used.keep_old("cat", "meow");
    assert_eq!(used.forget(), 1);
    assert_eq!(used.bench.store.purge_files(&used.uploads.under_way()).unwrap(), 0);
    let kept = used.bench.store.reader.file(&BoardName::board("b"), "cat").unwrap().unwrap();
    assert_eq!(used.bench.store.reader.whole_file(&kept).unwrap(), b"meow");
    used.keep("a", "cat", "meow").unwrap();
    assert_eq!((used.has("a", "cat"), used.bench.number("SELECT count(*) FROM files")), (true, 1));
}

#[test]
fn deleted_boards_and_those_of_other_dialects_are_left_alone() {
    for sql in ["UPDATE boards SET deleted = 5", "UPDATE boards SET dialect = 'classroom'"] {
        let used = used();
        used.keep_old("cat", "meow");
        used.bench.sql(sql);
        assert_eq!(used.forget(), 0, "{sql}");
        assert_eq!(used.bench.number("SELECT count(*) FROM board_files"), 1, "{sql}");
    }
    // Deleted while the board was looked through.
    let used = used();
    used.keep_old("cat", "meow");
    let (board, before, mut look) = taken(&used);
    block_on(used.bench.store.delete(&a())).unwrap();
    assert_eq!(try_to_forget(&used, board, before, &look), None);
    assert!(!used.bench.store.reader.read(|connection| look.go_on(connection, board)).unwrap());
}

#[test]
fn more_images_than_one_transaction_takes_go_in_several() {
    let used = used();
    used.keep_old("cat", "meow");
    used.bench.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
         INSERT INTO board_files SELECT board, 'image' || i, file, 5 FROM board_files, n",
    );
    assert_eq!(used.forget(), 451);
    assert_eq!(used.bench.number("SELECT count(*) FROM board_files"), 0);
}

#[test]
fn a_text_that_cannot_be_read_keeps_all() {
    let used = used();
    used.keep_old("cat", "meow");
    used.bench.sql("INSERT INTO snapshots SELECT id, 0, '\\u' FROM boards WHERE code = 'a'");
    assert_eq!((used.forget(), used.has("a", "cat")), (0, true));
}
