use super::*;
use crate::store::registry::NewBoard;
use crate::store::testing::{Bench, block_on};

struct Images {
    bench: Bench,
    uploads: Uploads,
    limits: FileLimits,
}

fn images() -> Images {
    let bench = Bench::new();
    for id in ["a", "b"] {
        block_on(bench.store.create(NewBoard { id: Some(id.into()), ..NewBoard::default() }, 9)).unwrap();
    }
    Images { bench, uploads: Uploads::default(), limits: FileLimits { file: 1 << 20, board: 1_000_000 } }
}

impl Images {
    fn keep(&self, board: &str, name: &str, bytes: &[u8]) -> Result<Kept, FileError> {
        let path = self.bench.directory.path().join("incoming");
        std::fs::write(&path, bytes).unwrap();
        let incoming = Incoming {
            path: &path,
            sha256: registry::hash(std::str::from_utf8(bytes).unwrap()),
            bytes: bytes.len() as u64,
            mime: "image/png",
        };
        self.bench.store.keep_file(&self.uploads, &BoardName::board(board), name, &incoming, self.limits)
    }

    fn find(&self, board: &str, name: &str) -> Option<Kept> {
        self.bench.store.reader.file(&BoardName::board(board), name).unwrap()
    }
}

#[test]
fn an_image_comes_back_byte_for_byte() {
    let images = images();
    for bytes in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
        let text: String = (0..bytes).map(|n| char::from(b'a' + u8::try_from(n % 23).unwrap())).collect();
        let name = format!("of-{bytes}");
        let images = Images { limits: FileLimits { file: u64::MAX, board: u64::MAX }, ..images_like(&images) };
        let kept = images.keep("a", &name, text.as_bytes()).unwrap();
        assert_eq!(images.find("a", &name), Some(kept.clone()));
        assert_eq!((kept.bytes, kept.mime.as_str()), (bytes as u64, "image/png"));
        assert!(images.bench.store.reader.whole_file(&kept).unwrap() == text.as_bytes(), "{bytes}");
    }
}

/// Another bench: each length begins with nothing.
fn images_like(_: &Images) -> Images {
    images()
}

#[test]
fn the_same_again_changes_nothing_and_other_bytes_are_refused() {
    let images = images();
    let first = images.keep("a", "cat", b"meow").unwrap();
    assert_eq!(images.keep("a", "cat", b"meow").unwrap(), first);
    let error = images.keep("a", "cat", b"woof").unwrap_err();
    assert!(matches!(error, FileError::Differs(_)), "{error}");
    // The same content under another name, and on another board, is kept once.
    assert_eq!(images.keep("a", "kitten", b"meow").unwrap().id, first.id);
    assert_eq!(images.keep("b", "cat", b"meow").unwrap().id, first.id);
    assert_eq!(images.bench.number("SELECT count(*) FROM chunks"), 1);
    assert_eq!(images.find("b", "kitten"), None, "a board has its own names");
}

#[test]
fn a_board_holds_so_many_bytes() {
    let images = images();
    let (large, small) = ("x".repeat(600_000), "y".repeat(400_000));
    images.keep("a", "large", large.as_bytes()).unwrap();
    let error = images.keep("a", "more", "z".repeat(400_001).as_bytes()).unwrap_err();
    assert!(matches!(error, FileError::BoardFull(1_000_000)), "{error}");
    images.keep("a", "small", small.as_bytes()).unwrap();
    assert!(matches!(images.keep("a", "one", b"1"), Err(FileError::BoardFull(_))));
    images.keep("b", "one", b"1").unwrap();
    assert_eq!(images.keep("a", "large", large.as_bytes()).unwrap().bytes, 600_000, "what is there is no more");
}

#[test]
fn only_boards_that_are_there_have_images() {
    let images = images();
    assert!(matches!(images.keep("unknown", "cat", b"meow"), Err(FileError::UnknownBoard(_))));
    images.keep("a", "cat", b"meow").unwrap();
    block_on(images.bench.store.delete(&BoardName::board("a"))).unwrap();
    assert!(matches!(images.keep("a", "dog", b"woof"), Err(FileError::DeletedBoard(_))));
    assert_eq!(images.find("a", "cat"), None);
    block_on(images.bench.store.undelete(&BoardName::board("a"))).unwrap();
    assert!(images.find("a", "cat").is_some());
}

#[test]
fn a_broken_upload_leaves_no_image() {
    let images = images();
    let path = images.bench.directory.path().join("short");
    std::fs::write(&path, vec![1; 300_000]).unwrap();
    // The file ends before what was announced: as if it had been cut in between.
    let incoming = Incoming { path: &path, sha256: [7; 32], bytes: 500_000, mime: "image/png" };
    let name = BoardName::board("a");
    let failed = images.bench.store.keep_file(&images.uploads, &name, "cat", &incoming, images.limits);
    assert!(matches!(failed, Err(FileError::Unreadable(_))));
    assert_eq!(images.find("a", "cat"), None);
    assert_eq!(images.bench.number("SELECT count(*) FROM chunks"), 1);
    assert!(images.uploads.under_way().is_empty(), "its pieces may go");
    assert_eq!(images.bench.store.reader.examine().unwrap().files, 0);
}

#[test]
fn of_two_that_bring_the_same_one_writes_it() {
    let images = images();
    let text = "x".repeat(300_000);
    let path = images.bench.directory.path().join("both");
    std::fs::write(&path, &text).unwrap();
    let incoming = Incoming { path: &path, sha256: registry::hash(&text), bytes: 300_000, mime: "image/png" };
    let keep = |board: &str| {
        images
            .bench
            .store
            .keep_file(&images.uploads, &BoardName::board(board), "cat", &incoming, images.limits)
            .unwrap()
    };
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(|| keep("a")), scope.spawn(|| keep("b")));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(one.id, other.id);
    assert_eq!(images.bench.number("SELECT count(*) FROM files"), 1);
    images.bench.store.purge_files(&images.uploads.under_way()).unwrap();
    assert_eq!(images.bench.store.reader.whole_file(&one).unwrap(), text.as_bytes());
    assert_eq!(images.bench.number("SELECT count(*) FROM chunks"), 2);
}
