use super::*;
use crate::board::scene::elements::Owner;

const ME: UserId = UserId(1);
const YOU: UserId = UserId(2);

fn element(id: &str, version: u64, x: &str) -> Element {
    let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":0,"x":{x},"c":0}}"#);
    Element::from_text(&text).unwrap()
}

fn owner(user: UserId) -> Owner {
    Owner { user, teacher: false }
}

/// A board with nothing but elements and steps.
struct Board {
    elements: Elements,
    stacks: Stacks,
    rules: Rules,
}

impl Default for Board {
    fn default() -> Self {
        Self { elements: Elements::default(), stacks: Stacks::default(), rules: Rules::NOW }
    }
}

impl Board {
    fn edit(&mut self, user: UserId, edit: &Edit) -> Vec<Part> {
        let mut parts = Vec::new();
        for element in &edit.elements {
            let before = self.elements.put(element.clone(), owner(user));
            parts.extend(Part::between(before.as_ref().and_then(Known::live), Some(element)));
        }
        for deleted in &edit.deleted {
            let before = self.elements.bury(deleted, owner(user), user, 0);
            parts.extend(Part::between(before.as_ref().and_then(Known::live), None));
        }
        parts
    }

    fn put(&mut self, user: UserId, gesture: Option<u64>, element: Element) {
        let parts = self.edit(user, &Edit { elements: vec![element], deleted: vec![] });
        self.stacks.done(user, gesture.map(|number| Gesture { session: "tab".into(), number }), parts);
        self.stacks.limit(user, self.rules);
    }

    fn delete(&mut self, user: UserId, id: &str, version: u64) {
        let deleted = vec![Deleted { id: id.into(), stamp: Stamp { version, nonce: 0 } }];
        let parts = self.edit(user, &Edit { elements: vec![], deleted });
        self.stacks.done(user, None, parts);
        self.stacks.limit(user, self.rules);
    }

    /// Takes back the last step; how many were used up.
    fn back(&mut self, user: UserId, way: Way) -> usize {
        let plan = self.stacks.plan(user, way, &self.elements, |_| true, || 7);
        let parts = self.edit(user, &plan.edit);
        self.stacks.taken_back(user, way, plan.popped, parts).unwrap();
        self.stacks.limit(user, self.rules);
        plan.popped
    }

    fn x(&self, id: &str) -> Option<String> {
        let element = self.elements.live(id)?;
        let value: serde_json::Value = serde_json::from_str(element.text()).unwrap();
        Some(value["x"].to_string())
    }

    fn counts(&self, user: UserId) -> (usize, usize) {
        let counts = self.stacks.counts(user);
        (counts.undo, counts.redo)
    }
}

#[test]
fn steps_are_taken_back_and_brought_back_in_order() {
    let mut board = Board::default();
    board.put(ME, None, element("a", 1, "1"));
    board.put(ME, None, element("a", 2, "2"));
    board.delete(ME, "a", 3);
    assert_eq!(board.counts(ME), (3, 0));
    let states = [None, Some("1"), Some("2"), None];
    for round in 0..3 {
        for at in (0..3).rev() {
            assert_eq!(board.back(ME, Way::Undo), 1, "{round}");
            assert_eq!(board.x("a").as_deref(), states[at]);
        }
        assert_eq!(board.back(ME, Way::Undo), 0);
        assert_eq!(board.counts(ME), (0, 3));
        for state in &states[1..] {
            assert_eq!(board.back(ME, Way::Redo), 1);
            assert_eq!(board.x("a").as_deref(), *state);
        }
        assert_eq!(board.counts(ME), (3, 0));
    }
}

#[test]
fn each_step_back_is_a_newer_version() {
    let mut board = Board::default();
    board.put(ME, None, element("a", 5, "1"));
    board.put(ME, None, element("a", 9, "2"));
    board.back(ME, Way::Undo);
    assert_eq!(board.elements.get("a").unwrap().stamp(), Stamp { version: 10, nonce: 7 });
    board.back(ME, Way::Undo);
    assert_eq!(board.elements.get("a").unwrap().stamp(), Stamp { version: 11, nonce: 7 });
}

#[test]
fn undo_never_takes_back_what_others_did() {
    let mut board = Board::default();
    board.put(ME, None, element("mine", 1, "1"));
    board.put(YOU, None, element("yours", 1, "1"));
    board.put(ME, None, element("mine", 2, "2"));
    board.put(YOU, None, element("mine", 3, "3"));
    assert_eq!(board.back(ME, Way::Undo), 0, "nothing is left of moving it, and it stays though I made it");
    assert_eq!((board.x("mine").as_deref(), board.x("yours").as_deref()), (Some("3"), Some("1")));
    assert_eq!(board.counts(ME), (2, 0));
    assert_eq!(board.back(YOU, Way::Undo), 1);
    assert_eq!(board.x("mine").as_deref(), Some("2"));
    assert_eq!(board.back(ME, Way::Undo), 1, "what waited can be taken back now");
    assert_eq!(board.x("mine").as_deref(), Some("1"));
}

#[test]
fn a_step_of_which_nothing_is_left_is_passed_over() {
    let mut board = Board::default();
    board.put(ME, None, element("a", 1, "1"));
    board.put(ME, None, element("b", 1, "1"));
    board.delete(YOU, "b", 2);
    assert_eq!(board.back(ME, Way::Undo), 2);
    assert_eq!((board.x("a"), board.x("b")), (None, None));
    assert_eq!(board.counts(ME), (0, 1));
}

#[test]
fn what_somebody_else_deleted_stays_deleted() {
    let mut board = Board::default();
    board.put(YOU, None, element("a", 1, "1"));
    board.delete(ME, "a", 2);
    board.back(ME, Way::Undo);
    board.delete(YOU, "a", 4);
    assert_eq!(board.back(ME, Way::Redo), 0, "it is gone already: nothing to do");
    assert_eq!(board.back(YOU, Way::Undo), 1);
    assert_eq!(board.x("a").as_deref(), Some("1"));
    let mut board = Board::default();
    board.put(ME, None, element("a", 1, "1"));
    board.delete(ME, "a", 2);
    board.put(YOU, None, element("a", 3, "5"));
    board.delete(YOU, "a", 4);
    board.back(ME, Way::Undo);
    assert_eq!(board.x("a"), None);
}

#[test]
fn what_nobody_remembers_as_deleted_comes_back() {
    let mut board = Board::default();
    board.put(ME, None, element("a", 1, "1"));
    board.delete(ME, "a", 2);
    board.elements = Elements::default();
    board.back(ME, Way::Undo);
    assert_eq!(board.elements.get("a").unwrap().stamp().version, 3);
}

#[test]
fn changes_of_one_gesture_are_one_step() {
    let mut board = Board::default();
    board.put(ME, None, element("a", 1, "1"));
    for version in 2..50 {
        board.put(ME, Some(4), element("a", version, &version.to_string()));
        board.put(ME, Some(4), element("b", version, &version.to_string()));
    }
    assert_eq!(board.counts(ME), (2, 0));
    board.put(ME, Some(5), element("a", 50, "50"));
    assert_eq!(board.counts(ME), (3, 0));
    board.back(ME, Way::Undo);
    board.back(ME, Way::Undo);
    assert_eq!((board.x("a").as_deref(), board.x("b")), (Some("1"), None));
    board.back(ME, Way::Redo);
    assert_eq!((board.x("a").as_deref(), board.x("b").as_deref()), (Some("49"), Some("49")));
}

#[test]
fn a_gesture_that_others_join_in_leaves_them_theirs() {
    let mut board = Board::default();
    board.put(ME, Some(1), element("a", 1, "1"));
    board.put(YOU, None, element("a", 2, "2"));
    board.put(ME, Some(1), element("a", 3, "3"));
    assert_eq!(board.counts(ME), (1, 0));
    board.back(ME, Way::Undo);
    assert_eq!(board.x("a").as_deref(), Some("2"), "what I made over yours goes back to yours, which stays");
}

#[test]
fn a_gesture_that_ends_where_it_began_is_no_step() {
    let mut board = Board::default();
    board.put(ME, None, element("a", 1, "1"));
    board.put(ME, Some(1), element("a", 2, "2"));
    board.put(ME, Some(1), element("a", 3, "1"));
    assert_eq!(board.counts(ME), (1, 0));
}

#[test]
fn what_may_not_be_touched_is_left_alone() {
    let mut board = Board::default();
    board.put(YOU, None, element("hidden", 1, "1"));
    board.put(ME, Some(1), element("hidden", 2, "2"));
    board.put(ME, Some(1), element("mine", 1, "1"));
    let plan = board.stacks.plan(ME, Way::Undo, &board.elements, |known| known.owner.user == ME, || 7);
    assert_eq!((plan.popped, plan.edit.elements.len(), plan.edit.deleted.len()), (1, 0, 1));
    assert_eq!(&*plan.edit.deleted[0].id, "mine");
}

#[test]
fn only_so_many_steps_are_kept() {
    let mut board = Board::default();
    for version in 1..=STEPS as u64 + 5 {
        board.put(ME, None, element("a", version, &version.to_string()));
    }
    assert_eq!(board.counts(ME), (STEPS, 0));
    for _ in 0..STEPS {
        assert_eq!(board.back(ME, Way::Undo), 1);
    }
    assert_eq!(board.x("a").as_deref(), Some("5"));
    assert_eq!(board.counts(ME), (0, STEPS));
}

#[test]
fn only_so_many_bytes_are_kept_and_the_oldest_go_first() {
    let long = format!("\"{}\"", "x".repeat(BYTES / 5));
    // By the first rules the largest one counts too.
    for (rules, left) in [(Rules::First, 4), (Rules::Second, 5)] {
        let mut board = Board { rules, ..Board::default() };
        board.put(ME, None, element("first", 1, &long));
        for n in 0..6 {
            board.put(YOU, None, element(&format!("e{n}"), 1, &long));
        }
        assert_eq!((board.counts(ME), board.counts(YOU)), ((0, 0), (left, 0)));
        assert!(board.stacks.bytes <= BYTES / 4 * left);
        let users = board.stacks.users.clone();
        assert_eq!(Stacks::from_parts(users, board.stacks.next), board.stacks, "the sum of bytes is kept true");
    }
}

#[test]
fn a_step_larger_than_all_others_takes_nobodys_steps_nor_its_own() {
    let mut board = Board::default();
    let long = format!("\"{}\"", "x".repeat(BYTES / 5));
    let many: Vec<_> = (0..7).map(|n| element(&format!("e{n}"), 1, &long)).collect();
    board.put(YOU, None, element("small", 1, "1"));
    board.edit(UserId(3), &Edit { elements: many.clone(), deleted: vec![] });
    let deleted = many.iter().map(|one| Deleted { id: one.id().clone(), stamp: Stamp { version: 2, nonce: 0 } });
    let parts = board.edit(ME, &Edit { elements: vec![], deleted: deleted.collect() });
    board.stacks.done(ME, None, parts);
    board.stacks.limit(ME, board.rules);
    board.put(YOU, None, element("small", 2, "2"));
    assert_eq!((board.counts(ME), board.counts(YOU)), ((1, 0), (2, 0)));
    assert_eq!(board.back(ME, Way::Undo), 1);
    assert_eq!((board.elements.count(), board.counts(ME), board.counts(YOU)), (8, (0, 1), (2, 0)));
    let users = board.stacks.users.clone();
    assert_eq!(Stacks::from_parts(users, board.stacks.next), board.stacks, "the sum of bytes is kept true");
}

#[test]
fn one_step_does_not_grow_for_ever() {
    let mut board = Board::default();
    let long = format!("\"{}\"", "x".repeat(LARGEST / 3));
    for version in 1..6 {
        board.put(ME, Some(1), element(&format!("e{version}"), 1, &long));
    }
    assert_eq!(board.counts(ME), (0, 0));
    assert_eq!(board.stacks.bytes, 0);
}

#[test]
fn only_so_many_users_are_kept_and_the_idlest_goes_first() {
    let mut board = Board::default();
    for user in 0..=USERS as u64 {
        board.put(UserId(user), None, element(&format!("e{user}"), 1, "1"));
        board.put(UserId(0), None, element("again", user + 1, &user.to_string()));
    }
    assert_eq!(board.stacks.users.len(), USERS);
    assert_eq!(board.counts(UserId(1)), (0, 0));
    assert!(board.counts(UserId(0)).0 > 1 && board.counts(UserId(USERS as u64)).0 == 1);
}

#[test]
fn a_log_that_takes_back_what_was_not_done_is_refused() {
    let mut board = Board::default();
    board.put(ME, None, element("a", 1, "1"));
    let error = board.stacks.taken_back(ME, Way::Undo, 2, vec![]).unwrap_err();
    assert_eq!(error.to_string(), "user 0000000000000001 has 1 steps, not 2");
    assert!(board.stacks.taken_back(ME, Way::Redo, 1, vec![]).is_err());
}
