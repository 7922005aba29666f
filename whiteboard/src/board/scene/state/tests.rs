use super::*;
use crate::board::scene::elements::TOMBSTONE_MS;
use crate::board::scene::operation::Owners;

const ME: Owner = Owner { user: UserId(1), teacher: false };

fn element(id: &str, version: u64) -> Element {
    let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":5,"x":{version}}}"#);
    Element::from_text(&text).unwrap()
}

fn operation(id: u64, done: Done) -> Operation {
    Operation { by: ME, session: "tab".into(), id, at: 0, done, rules: Rules::NOW, owners: Owners::default() }
}

fn put(elements: Vec<Element>) -> Done {
    Done::Change { gesture: None, edit: Edit { elements, deleted: vec![] } }
}

fn deleted(id: &str, version: u64, nonce: u64) -> Deleted {
    Deleted { id: id.into(), stamp: Stamp { version, nonce } }
}

#[test]
fn an_operation_that_does_not_fit_changes_nothing() {
    let mut state = State::default();
    state.apply(&operation(1, put(vec![element("a", 3)]))).unwrap();
    let before = state.encode();
    let gone = Element::from_text(r#"{"id":"d","type":"t","version":1,"versionNonce":0,"isDeleted":true}"#).unwrap();
    let both = Edit { elements: vec![element("new", 1)], deleted: vec![deleted("a", 3, 5)] };
    for (done, sentence) in [
        (put(vec![element("new", 1), element("a", 3)]), "element a is at version 3, the operation's is 3"),
        (put(vec![element("new", 1), element("a", 2)]), "the operation's is 2"),
        (Done::Restore { seq: 1, edit: both.clone(), values: vec![] }, "element a is at version 3"),
        (put(vec![gone]), "element d is marked as deleted"),
        (Done::Undo { popped: 2, edit: Edit::default() }, "has 1 steps, not 2"),
        (Done::Redo { popped: 1, edit: Edit::default() }, "has 0 steps, not 1"),
        (Done::Undo { popped: 1, edit: both }, "element a is at version 3"),
    ] {
        let error = state.apply(&operation(2, done)).unwrap_err().to_string();
        assert!(error.contains(sentence), "{error}");
        assert_eq!(state.encode(), before);
    }
}

#[test]
fn clear_deletes_every_element_and_is_a_step() {
    let mut state = State::default();
    state.apply(&operation(1, put(vec![element("b", 3), element("a", 1)]))).unwrap();
    let applied = state.apply(&operation(2, Done::Clear { nonce: 8 })).unwrap();
    assert_eq!(applied.edit.deleted, [deleted("a", 2, 8), deleted("b", 4, 8)]);
    assert_eq!(applied.owners, [ME, ME]);
    assert_eq!((state.count(), state.elements.bytes(), state.stacks.counts(ME.user).undo), (0, 0, 2));
}

#[test]
fn requests_are_noted_with_the_operation() {
    let mut state = State::default();
    state.apply(&operation(7, Done::Lock(true))).unwrap();
    assert_eq!(state.last(ME.user, &"tab".into()), 7);
    assert!(state.locked);
}

#[test]
fn settings_are_merged_by_key_and_null_removes() {
    let mut state = State::default();
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<Pairs>();
    state.apply(&operation(1, Done::Settings(pairs(&[("a", "1"), ("b", "2")])))).unwrap();
    state.apply(&operation(2, Done::Settings(pairs(&[("b", "null"), ("c", "[ 3 ]"), ("d", "null")])))).unwrap();
    let now: Vec<_> = state.settings.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(now, [("a", "1"), ("c", "[ 3 ]")]);
}

#[test]
fn whose_an_element_is_comes_from_the_log_if_the_board_forgot_it() {
    let mut state = State::default();
    state.apply(&operation(1, put(vec![element("known", 1)]))).unwrap();
    let ann = Owner { user: UserId(5), teacher: false };
    let owners: Owners = [("known".into(), ann), ("forgotten".into(), ann)].into();
    let edit =
        Edit { elements: vec![element("known", 2), element("forgotten", 1), element("mine", 1)], deleted: vec![] };
    let back = Operation { owners, ..operation(2, Done::Restore { seq: 1, edit, values: vec![] }) };
    let applied = state.apply(&back).unwrap();
    assert_eq!(applied.owners, [ME, ann, ME]);
    assert_eq!(state.elements.iter().map(|(owner, _)| owner).collect::<Vec<_>>(), [ann, ME, ME], "by id");
}

#[test]
fn a_log_of_before_comes_to_the_board_that_its_snapshots_say() {
    let record =
        |id, rest: &str| format!(r#"{{"op":"change","by":"0000000000000001","session":"tab","id":{id},"at":5{rest}}}"#);
    let mut state = State::default();
    let text = element("a", 1).text().to_owned();
    state.replay(&record(1, &format!(r#","elements":[{text}]"#))).unwrap();
    state.replay(&record(2, r#","deleted":[["a",2,3]]"#)).unwrap();
    // As the releases before wrote it.
    let before = format!(
        r#"{{"format":1,"owners":[["0000000000000001",false]],"elements":[],"deleted":[["a",2,3,0,"0000000000000001",5]],"sessions":[["0000000000000001","tab",2]],"steps":[["0000000000000001",[[0,null,[["+",{text}]]],[1,null,[["-",{text}]]]],[]]],"next":2,"locked":false,"quiz":false,"title":null,"settings":{{}}}}"#
    );
    assert_eq!(State::decode(&before).unwrap().encode(), state.encode());
    let late = format!(r#"{{"op":"lock","by":"0000000000000001","session":"tab","id":3,"at":{}}}"#, TOMBSTONE_MS + 6);
    state.replay(&late).unwrap();
    assert!(state.elements.get("a").is_none() && state.elements.forgotten() == 0, "snapshots did not tell it");
}

#[test]
fn tombstones_are_pruned_by_the_operations_own_time() {
    let mut state = State::default();
    state.apply(&operation(1, put(vec![element("a", 1)]))).unwrap();
    state.apply(&operation(2, Done::Clear { nonce: 0 })).unwrap();
    assert!(state.elements.get("a").is_some());
    let late = Operation { at: super::super::elements::TOMBSTONE_MS + 1, ..operation(3, Done::Lock(true)) };
    let mut replayed = State::decode(&state.encode()).unwrap();
    state.apply(&late).unwrap();
    assert!(state.elements.get("a").is_none());
    replayed.replay(&late.encode()).unwrap();
    assert_eq!(replayed.encode(), state.encode());
}

#[test]
fn the_log_gives_the_board() {
    let mut state = State::default();
    let mut replayed = State::default();
    let undo = Edit { elements: vec![], deleted: vec![deleted("a", 2, 0)] };
    for (place, done) in [
        put(vec![element("a", 1), element("b", 1)]),
        Done::Undo { popped: 1, edit: undo },
        Done::Redo { popped: 1, edit: Edit { elements: vec![element("a", 3)], deleted: vec![] } },
        Done::Quiz(true),
        Done::Title("T".into()),
        Done::Clear { nonce: 4 },
    ]
    .into_iter()
    .enumerate()
    {
        let operation = operation(place as u64 + 1, done);
        state.apply(&operation).unwrap();
        replayed.replay(&operation.encode()).unwrap();
        assert_eq!(replayed.encode(), state.encode());
    }
    let error = replayed.replay("{}").unwrap_err().to_string();
    assert!(error.contains("not readable"), "{error}");
}

/// A page that still knows an element as deleted takes it back only with a higher version.
#[test]
fn what_was_forgotten_comes_back_above_its_deletion() {
    use super::super::change::restoring;
    let mut state = State::default();
    state.apply(&operation(1, put(vec![element("a", 1)]))).unwrap();
    let first: Vec<_> = state.elements.iter().map(|(owner, element)| (owner, element.clone())).collect();
    state.apply(&operation(2, put(vec![element("a", 30)]))).unwrap();
    let delete = Edit { elements: vec![], deleted: vec![deleted("a", 70, 0)] };
    state.apply(&operation(3, Done::Change { gesture: None, edit: delete })).unwrap();
    let late = Operation { at: super::super::elements::TOMBSTONE_MS + 1, ..operation(4, Done::Lock(true)) };
    state.apply(&late).unwrap();
    let again = State::decode(&state.encode()).unwrap();
    assert_eq!(again.encode(), state.encode());
    for state in [state, again] {
        assert!(state.elements.get("a").is_none());
        let (restored, _) = restoring(&state.elements, &first, || 0);
        let user = operation(5, Done::Lock(true)).by.user;
        let undone = state.stacks.plan(user, Way::Undo, &state.elements, |_| true, || 0).edit;
        for edit in [restored, undone] {
            assert_eq!(edit.elements.iter().map(Element::version).collect::<Vec<_>>(), [71]);
        }
    }
}
