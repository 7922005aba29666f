use super::*;
use crate::board::scene::identity::{Role, UserId};
use proptest::prelude::*;

const ME: Owner = Owner { user: UserId(1), teacher: false };
const YOU: Owner = Owner { user: UserId(2), teacher: false };

fn element(id: &str, version: u64, nonce: u64) -> Element {
    let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":{nonce}}}"#);
    Element::from_text(&text).unwrap()
}

fn dead(id: &str, version: u64, nonce: u64) -> Element {
    let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":{nonce},"isDeleted":true}}"#);
    Element::from_text(&text).unwrap()
}

fn board(all: &[Element]) -> Elements {
    let mut elements = Elements::default();
    for element in all {
        if element.is_deleted() {
            elements.bury(&element.as_deleted(), ME, ME.user, 0);
        } else {
            elements.put(element.clone(), ME);
        }
    }
    elements
}

fn merged(elements: &Elements, incoming: &[Element]) -> Merged {
    merge(elements, incoming.to_vec(), None, &Limits::default()).unwrap()
}

fn edit(elements: &[Element], deleted: &[Element]) -> Edit {
    Edit { elements: elements.to_vec(), deleted: deleted.iter().map(Element::as_deleted).collect() }
}

#[test]
fn merge_takes_what_wins_and_tells_what_lost() {
    let elements = board(&[element("a", 5, 5), dead("d", 5, 5)]);
    for (sent, taken, lost) in [
        (element("a", 6, 9), edit(&[element("a", 6, 9)], &[]), Edit::default()),
        (element("a", 5, 4), edit(&[element("a", 5, 4)], &[]), Edit::default()),
        (element("a", 5, 5), Edit::default(), Edit::default()),
        (element("a", 5, 6), Edit::default(), edit(&[element("a", 5, 5)], &[])),
        (element("a", 4, 0), Edit::default(), edit(&[element("a", 5, 5)], &[])),
        (dead("a", 6, 0), edit(&[], &[dead("a", 6, 0)]), Edit::default()),
        (element("d", 5, 5), Edit::default(), edit(&[], &[dead("d", 5, 5)])),
        (dead("d", 5, 5), Edit::default(), Edit::default()),
        (element("d", 6, 0), edit(&[element("d", 6, 0)], &[]), Edit::default()),
        (element("new", 1, 0), edit(&[element("new", 1, 0)], &[]), Edit::default()),
        (dead("new", 3, 0), edit(&[], &[dead("new", 3, 0)]), Edit::default()),
    ] {
        assert_eq!(merged(&elements, std::slice::from_ref(&sent)), Merged { edit: taken, lost }, "{sent:?}");
    }
}

#[test]
fn of_an_element_that_comes_twice_the_winner_counts() {
    let sent = [element("a", 2, 0), element("b", 1, 0), element("a", 3, 0), element("a", 1, 0)];
    let merged = merged(&board(&[]), &sent);
    assert_eq!(merged.edit, edit(&[element("a", 3, 0), element("b", 1, 0)], &[]));
}

#[test]
fn merge_refuses_a_version_that_jumps() {
    let elements = board(&[element("a", 7, 0)]);
    for (sent, refused) in [
        (element("a", 7 + VERSION_JUMP, 0), false),
        (element("a", 8 + VERSION_JUMP, 0), true),
        (element("new", VERSION_JUMP, 0), false),
        (element("new", VERSION_JUMP + 1, 0), true),
    ] {
        let result = merge(&elements, vec![element("b", 1, 0), sent], None, &Limits::default());
        assert_eq!(result.map_err(|(code, _)| code).err(), refused.then_some(Code::Element));
    }
}

#[test]
fn an_element_may_have_so_many_bytes() {
    let one = element("a", 1, 0);
    let limits = Limits { element_bytes: one.text().len(), ..Limits::default() };
    assert!(merge(&board(&[]), vec![one.clone()], None, &limits).is_ok());
    let limits = Limits { element_bytes: one.text().len() - 1, ..limits };
    let (code, message) = merge(&board(&[]), vec![one], None, &limits).unwrap_err();
    assert_eq!((code, message.contains("may have")), (Code::TooLarge, true));
}

#[test]
fn a_full_board_takes_only_what_makes_it_no_fuller() {
    let elements = board(&[element("a", 1, 0), element("b", 1, 0)]);
    for limits in [Limits { elements: 2, ..Limits::default() }, Limits { bytes: elements.bytes(), ..Limits::default() }]
    {
        for (sent, fits) in [
            (vec![element("c", 1, 0)], false),
            (vec![element("a", 2, 0)], true),
            (vec![dead("a", 2, 0), element("c", 1, 0)], true),
            (vec![dead("c", 2, 0)], true),
            (vec![element("a", 2, 0), element("c", 1, 0)], false),
        ] {
            let code = merge(&elements, sent.clone(), None, &limits).map_err(|(code, _)| code).err();
            assert_eq!(code, (!fits).then_some(Code::BoardFull), "{sent:?}");
        }
    }
    let over = Limits { elements: 1, ..Limits::default() };
    assert!(merge(&elements, vec![dead("a", 2, 0)], None, &over).is_ok(), "a limit that was lowered locks nobody out");
}

#[test]
fn quiz_hidden_elements_cannot_be_changed() {
    let mut elements = board(&[element("mine", 1, 0)]);
    elements.put(element("yours", 1, 0), YOU);
    let eyes = Some(Eyes { user: ME.user, role: Role::Pupil });
    let try_it = |id: &str| merge(&elements, vec![element(id, 2, 0)], eyes, &Limits::default());
    assert!(try_it("mine").is_ok() && try_it("new").is_ok());
    let failure = try_it("yours").unwrap_err();
    assert_eq!(failure.0, Code::Element);
    let told = refused(&elements, 3, failure, &["mine".into(), "yours".into(), "new".into()], eyes);
    assert_eq!((told.id, told.elements, told.deleted), (Some(3), vec![element("mine", 1, 0)], vec![]));
}

#[test]
fn a_refusal_tells_how_the_board_is() {
    let elements = board(&[element("a", 5, 5), dead("d", 5, 5)]);
    let asked = ["d".into(), "a".into(), "a".into(), "unknown".into()];
    let told = refused(&elements, 1, (Code::Locked, "No.".into()), &asked, None);
    assert_eq!(told.elements, [element("a", 5, 5)]);
    assert_eq!(told.deleted, [dead("d", 5, 5).as_deleted()]);
}

#[test]
fn restoring_brings_back_and_deletes_what_differs() {
    let elements = board(&[element("same", 9, 0), element("newer", 4, 0), dead("gone", 7, 0)]);
    let target = [element("same", 2, 0), element("gone", 3, 0), element("forgotten", 8, 0), dead("never", 1, 0)];
    let (back, owners) = restoring(&elements, &target.map(|element| (YOU, element)), || 6);
    assert_eq!(owners, [("forgotten".into(), YOU)].into(), "the board knows whose the others are");
    assert_eq!(back, edit(&[element("forgotten", 10, 6), element("gone", 8, 6)], &[dead("newer", 5, 6)]));
}

/// An element state whose text is given by its stamp, as random nonces make it.
fn any_element() -> impl Strategy<Value = Element> {
    (0..3u8, 1..4u64, 0..3u64, any::<bool>()).prop_map(|(id, version, nonce, gone)| {
        let (id, nonce) = (["a", "b", "c"][usize::from(id)], nonce * 2 + u64::from(gone));
        if gone { dead(id, version, nonce) } else { element(id, version, nonce) }
    })
}

fn after(sent: &[Vec<Element>]) -> BTreeMap<Arc<str>, (Stamp, bool)> {
    let mut elements = Elements::default();
    for batch in sent {
        let Merged { edit, .. } = merged(&elements, batch);
        edit.elements.into_iter().for_each(|element| drop(elements.put(element, ME)));
        edit.deleted.iter().for_each(|deleted| drop(elements.bury(deleted, ME, ME.user, 0)));
    }
    ["a", "b", "c"]
        .into_iter()
        .filter_map(|id| elements.get(id).map(|known| (id.into(), (known.stamp(), known.live().is_some()))))
        .collect()
}

proptest! {
    /// Any order, any grouping, any repetition of changes ends the same.
    #[test]
    fn merge_is_commutative_associative_and_idempotent(
        batches in proptest::collection::vec(proptest::collection::vec(any_element(), 0..5), 0..6),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let straight = after(&batches);
        let mut turned = batches.clone();
        if !turned.is_empty() {
            let by = shuffle.index(turned.len());
            turned.rotate_left(by);
        }
        prop_assert_eq!(&after(&turned), &straight);
        turned.reverse();
        prop_assert_eq!(&after(&turned), &straight);
        prop_assert_eq!(&after(&[batches.concat()]), &straight);
        let twice: Vec<_> = batches.iter().chain(&turned).cloned().collect();
        prop_assert_eq!(&after(&twice), &straight);
    }
}
