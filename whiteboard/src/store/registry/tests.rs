use super::*;
use crate::store::testing::{Bench, block_on, draw};
use std::collections::HashSet;

fn create(bench: &Bench, id: Option<&str>, title: Option<&str>, secrets: bool) -> Result<Created, RegistryError> {
    let wish = NewBoard { id: id.map(Into::into), title: title.map(Into::into), secrets };
    block_on(bench.store.create(wish, 1000))
}

#[test]
fn made_up_ids_are_readable_and_never_the_same() {
    let bench = Bench::new();
    let ids: HashSet<String> =
        (0..50).map(|_| create(&bench, None, None, false).unwrap().name.code.to_string()).collect();
    assert_eq!(ids.len(), 50);
    for id in ids {
        assert!(id.len() == 12 && is_id(&id), "{id}");
        assert!(!id.contains(['l', 'o', '0', '1', 'I', 'O']), "{id}");
    }
}

#[test]
fn a_wish_is_granted_once() {
    let bench = Bench::new();
    let made = create(&bench, Some("Physics_2-b"), Some("  Optics "), false).unwrap();
    assert_eq!(made.name, BoardName::board("Physics_2-b"));
    assert!(made.teacher.is_none() && made.look.is_none());
    assert!(matches!(create(&bench, Some("Physics_2-b"), None, false), Err(RegistryError::Taken(_))));
    let meta = bench.store.reader.meta(&made.name).unwrap();
    assert_eq!((meta.title.as_deref(), meta.exists, meta.teacher), (Some("Optics"), true, None));
}

#[test]
fn ids_and_titles_have_bounds() {
    let bench = Bench::new();
    for id in ["", "a b", "ä", "../x", "a/b", "a.b", &"x".repeat(65)] {
        assert!(matches!(create(&bench, Some(id), None, false), Err(RegistryError::Id(_))), "{id:?}");
    }
    create(&bench, Some(&"x".repeat(64)), Some(&"ä".repeat(200)), false).unwrap();
    for title in ["", "  ", &"ä".repeat(201)] {
        assert!(matches!(create(&bench, None, Some(title), false), Err(RegistryError::Title)), "{title:?}");
    }
}

#[test]
fn secrets_are_kept_as_hashes_only() {
    let bench = Bench::new();
    let made = create(&bench, None, None, true).unwrap();
    let (teacher, look) = (made.teacher.unwrap(), made.look.unwrap());
    assert_ne!(teacher.text(), look.text());
    assert_eq!(teacher.text().len(), 32);
    assert!(!format!("{teacher:?}").contains(teacher.text()), "not in logs");
    let meta = bench.store.reader.meta(&made.name).unwrap();
    assert_eq!((meta.teacher, meta.look), (Some(hash(teacher.text())), Some(hash(look.text()))));
    assert_ne!(meta.teacher, Some(hash(&teacher.text()[..31])));
    block_on(bench.store.writer.close());
    let bytes = std::fs::read(bench.directory.path().join(crate::store::DATABASE)).unwrap();
    let found = bytes.windows(32).any(|window| window == teacher.text().as_bytes());
    assert!(!found, "the secret itself is nowhere on disk");
}

#[test]
fn there_are_so_many_boards_and_deleted_ones_do_not_count() {
    let bench = Bench::new();
    let create = |most| block_on(bench.store.create(NewBoard::default(), most));
    let first = create(2).unwrap();
    create(2).unwrap();
    let error = create(2).unwrap_err();
    assert!(matches!(error, RegistryError::TooMany(2)) && error.to_string().contains("MAX_BOARDS"), "{error}");
    block_on(bench.store.delete(&first.name)).unwrap();
    create(2).unwrap();
}

#[test]
fn deleting_and_bringing_back() {
    let bench = Bench::new();
    let name = create(&bench, Some("a"), None, false).unwrap().name;
    bench.append(&name, 1, &["x".into()]);
    assert!(matches!(block_on(bench.store.undelete(&name)), Err(RegistryError::NotDeleted(_))));
    block_on(bench.store.delete(&name)).unwrap();
    assert!(matches!(block_on(bench.store.delete(&name)), Err(RegistryError::Deleted(_))));
    assert!(matches!(block_on(bench.store.rename(&name, "b")), Err(RegistryError::Deleted(_))));
    assert!(matches!(create(&bench, Some("a"), None, false), Err(RegistryError::Taken(_))), "it may come back");
    assert!(bench.store.reader.meta(&name).unwrap().deleted.is_some());
    block_on(bench.store.undelete(&name)).unwrap();
    assert_eq!(bench.store.reader.meta(&name).unwrap().deleted, None);
    assert_eq!(bench.number("SELECT count(*) FROM operations"), 1);
    let unknown = BoardName::board("unknown");
    for outcome in [
        block_on(bench.store.delete(&unknown)),
        block_on(bench.store.undelete(&unknown)),
        block_on(bench.store.rename(&unknown, "x")),
    ] {
        assert!(matches!(outcome, Err(RegistryError::Unknown(_))));
    }
}

#[test]
fn the_list_has_the_last_changed_first() {
    let bench = Bench::new();
    for id in ["a", "b", "c"] {
        create(&bench, Some(id), None, id == "b").unwrap();
    }
    bench.append(&BoardName::classroom("room"), 1, &[draw(1)]);
    bench.sql("UPDATE boards SET changed = CASE code WHEN 'a' THEN 40 WHEN 'b' THEN 10 WHEN 'c' THEN 20 ELSE 30 END");
    block_on(bench.store.rename(&BoardName::board("a"), "Algebra")).unwrap();
    let ids = |deleted, limit, offset| -> Vec<String> {
        let list = bench.store.reader.list(deleted, limit, offset).unwrap();
        list.into_iter().map(|entry| format!("{}/{}", entry.kind, entry.id)).collect()
    };
    assert_eq!(ids(false, 10, 0), ["board/a", "classroom/room", "board/c", "board/b"]);
    assert_eq!(ids(false, 2, 1), ["classroom/room", "board/c"]);
    assert!(ids(true, 10, 0).is_empty());
    block_on(bench.store.delete(&BoardName::board("c"))).unwrap();
    assert_eq!(ids(true, 10, 0), ["board/c"]);
    assert_eq!(ids(false, 10, 0).len(), 3);
    let entry = bench.store.reader.entry(&BoardName::board("a")).unwrap().unwrap();
    assert_eq!((entry.title.as_deref(), entry.secured, entry.deleted), (Some("Algebra"), false, None));
    assert!(bench.store.reader.entry(&BoardName::board("b")).unwrap().unwrap().secured);
    assert_eq!(bench.store.reader.entry(&BoardName::canvas("a")).unwrap(), None);
}
