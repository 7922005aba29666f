//! Whole-board updates of several people brought together.
//!
//! A classroom client always sends its whole list. To learn what its user did, the list is matched against the list
//! that the client had before ([`Match`]); the difference is then carried over to the board as it is now
//! ([`merge`]). Elements that others drew meanwhile stay, elements that the user took away go.

use super::stroke::{Stroke, key_of};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet, VecDeque};

/// A list as a client sent it: elements by their text, keys computed only where texts differ.
pub struct Incoming<'a> {
    texts: Vec<&'a str>,
    keys: Vec<OnceCell<u64>>,
}

impl<'a> Incoming<'a> {
    pub fn new(texts: Vec<&'a str>) -> Self {
        let keys = vec![OnceCell::new(); texts.len()];
        Self { texts, keys }
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    fn key(&self, index: usize) -> u64 {
        *self.keys[index].get_or_init(|| key_of(self.texts[index]))
    }

    fn equals(&self, index: usize, stroke: &Stroke) -> bool {
        self.texts[index] == stroke.text() || self.key(index) == stroke.key()
    }
}

/// Which elements of a base list an incoming list still holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Match {
    /// For each incoming element its place in the base, ascending; none for a new one.
    pub kept: Vec<Option<usize>>,
    /// How many elements of the base are gone.
    pub removed: usize,
    /// How many elements are new.
    pub added: usize,
}

impl Match {
    /// Matches from both ends, and between them in order (an element that moved counts as removed and added).
    pub fn of(base: &[Stroke], incoming: &Incoming<'_>) -> Self {
        let most = base.len().min(incoming.len());
        let prefix = (0..most).take_while(|&i| incoming.equals(i, &base[i])).count();
        let suffix =
            (1..=most - prefix).take_while(|&i| incoming.equals(incoming.len() - i, &base[base.len() - i])).count();
        let base_middle = prefix..base.len() - suffix;
        let incoming_middle = prefix..incoming.len() - suffix;

        let mut kept: Vec<Option<usize>> = (0..prefix).map(Some).collect();
        if base_middle.is_empty() {
            kept.resize(incoming_middle.end, None);
        } else {
            let mut places: HashMap<u64, VecDeque<usize>> = HashMap::new();
            for place in base_middle.clone() {
                places.entry(base[place].key()).or_default().push_back(place);
            }
            let mut least = base_middle.start;
            for index in incoming_middle {
                let found = places.get_mut(&incoming.key(index)).and_then(|places| {
                    while places.front().is_some_and(|&place| place < least) {
                        places.pop_front();
                    }
                    places.pop_front()
                });
                least = found.map_or(least, |place| place + 1);
                kept.push(found);
            }
        }
        kept.extend((base_middle.end..base.len()).map(Some));
        let matched = kept.iter().flatten().count();
        Self { removed: base.len() - matched, added: kept.len() - matched, kept }
    }

    /// How much the user must have done if this base was the right one.
    pub fn cost(&self) -> usize {
        self.removed + self.added
    }

    /// Whether something was only drawn, on a board that was not empty.
    pub fn only_draws_on(&self, base: &[Stroke]) -> bool {
        self.removed == 0 && self.added > 0 && !base.is_empty()
    }
}

/// The outcome of [`merge`].
pub struct Merged {
    /// What the client itself believes to be the board now: elements it kept are the base's own.
    pub own: Vec<Stroke>,
    /// The board with the client's change.
    pub board: Vec<Stroke>,
}

/// Carries the change from `base` to `incoming` over to `current`.
///
/// Where nothing else happened (`base` is `current`) the outcome is exactly what the client sent. New elements keep
/// their place behind the element they followed; those at the end of the client's list come at the end of the board.
/// A new element that somebody else has added meanwhile with the same meaning is not added twice: it is the sign of a
/// base guessed wrong, not of two people drawing the same stroke.
pub fn merge(base: &[Stroke], matched: &Match, incoming: &Incoming<'_>, current: &[Stroke]) -> Merged {
    if base.len() == current.len() && base.iter().zip(current).all(|(a, b)| a.is(b)) {
        let own: Vec<Stroke> = matched
            .kept
            .iter()
            .zip(&incoming.texts)
            .map(|(place, text)| place.map_or_else(|| Stroke::new(text), |place| base[place].clone()))
            .collect();
        return Merged { board: own.clone(), own };
    }
    merge_concurrent(base, matched, incoming, current)
}

fn merge_concurrent(base: &[Stroke], matched: &Match, incoming: &Incoming<'_>, current: &[Stroke]) -> Merged {
    let in_base: HashSet<usize> = base.iter().map(Stroke::identity).collect();
    let mut meanwhile: HashMap<u64, Vec<&Stroke>> = HashMap::new();
    for stroke in current.iter().filter(|stroke| !in_base.contains(&stroke.identity())).rev() {
        meanwhile.entry(stroke.key()).or_default().push(stroke);
    }

    let kept: HashSet<usize> = matched.kept.iter().flatten().map(|&place| base[place].identity()).collect();
    let mut board_places: HashMap<usize, usize> = HashMap::new();
    let stays: Vec<&Stroke> = current
        .iter()
        .filter(|stroke| !in_base.contains(&stroke.identity()) || kept.contains(&stroke.identity()))
        .collect();
    for (place, stroke) in stays.iter().enumerate() {
        board_places.insert(stroke.identity(), place);
    }

    let last_kept = matched.kept.iter().rposition(Option::is_some);
    // New elements by the number of board elements that stand before them.
    let mut insertions: Vec<(usize, Stroke)> = Vec::new();
    let mut own = Vec::with_capacity(incoming.len());
    let mut before = 0;
    for (index, place) in matched.kept.iter().enumerate() {
        if let Some(place) = *place {
            if let Some(&on_board) = board_places.get(&base[place].identity()) {
                before = before.max(on_board + 1);
            }
            own.push(base[place].clone());
            continue;
        }
        let twin = meanwhile.get_mut(&incoming.key(index)).and_then(Vec::pop);
        if let Some(twin) = twin {
            own.push(twin.clone());
            continue;
        }
        let stroke = Stroke::new(incoming.texts[index]);
        own.push(stroke.clone());
        let at_end = last_kept.is_none_or(|last| index > last);
        insertions.push((if at_end { stays.len() } else { before }, stroke));
    }

    let mut board = Vec::with_capacity(stays.len() + insertions.len());
    let mut insertions = insertions.into_iter().peekable();
    for place in 0..=stays.len() {
        while let Some((_, stroke)) = insertions.next_if(|(before, _)| *before == place) {
            board.push(stroke);
        }
        if let Some(stroke) = stays.get(place) {
            board.push((*stroke).clone());
        }
    }
    Merged { own, board }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strokes(texts: &[&str]) -> Vec<Stroke> {
        texts.iter().map(|text| Stroke::new(text)).collect()
    }

    fn texts(strokes: &[Stroke]) -> Vec<String> {
        strokes.iter().map(|stroke| stroke.text().to_owned()).collect()
    }

    /// Base elements by name: the current board shares those of its elements that carry a base's name.
    fn merged(base: &[&str], incoming: &[&str], current: &[&str]) -> (Vec<String>, Vec<String>) {
        let base = strokes(base);
        let current: Vec<Stroke> = current
            .iter()
            .map(|text| base.iter().find(|stroke| stroke.text() == *text).cloned().unwrap_or_else(|| Stroke::new(text)))
            .collect();
        let incoming = Incoming::new(incoming.to_vec());
        let matched = Match::of(&base, &incoming);
        let merged = merge(&base, &matched, &incoming, &current);
        (texts(&merged.own), texts(&merged.board))
    }

    #[test]
    fn matching_finds_what_was_kept_removed_and_added() {
        for (base, incoming, kept, removed, added) in [
            (vec![], vec![], vec![], 0, 0),
            (vec!["1"], vec!["1", "2"], vec![Some(0), None], 0, 1),
            (vec!["1", "2", "3"], vec!["1", "3"], vec![Some(0), Some(2)], 1, 0),
            (vec!["1", "2", "3"], vec![], vec![], 3, 0),
            (vec!["1", "1"], vec!["1", "1", "1"], vec![Some(0), Some(1), None], 0, 1),
            (vec!["1", "2", "3", "4"], vec!["9", "2", "8", "4"], vec![None, Some(1), None, Some(3)], 2, 2),
            // Moved: removed and added.
            (vec!["1", "2", "3"], vec!["3", "1", "2"], vec![Some(2), None, None], 2, 2),
            // Written differently, the same: 1.0 is 1.
            (vec![r#"{"a":1e21}"#], vec![r#"{"a": 1e+21}"#], vec![Some(0)], 0, 0),
        ] {
            let found = Match::of(&strokes(&base), &Incoming::new(incoming.clone()));
            assert_eq!(found, Match { kept, removed, added }, "{base:?} -> {incoming:?}");
        }
    }

    #[test]
    fn what_others_did_meanwhile_stays() {
        for (case, base, incoming, current, board) in [
            ("two draw at the same moment", vec!["a"], vec!["a", "x"], vec!["a", "y"], vec!["a", "y", "x"]),
            ("both draw the first stroke", vec![], vec!["x"], vec!["y"], vec!["y", "x"]),
            ("one erases, the other draws", vec!["a", "b"], vec!["b"], vec!["a", "b", "y"], vec!["b", "y"]),
            ("one draws on a board just cleared", vec!["a", "b"], vec!["a", "b", "x"], vec![], vec!["x"]),
            ("one clears while the other draws", vec!["a", "b"], vec![], vec!["a", "b", "y"], vec!["y"]),
            ("both erase the same", vec!["a", "b"], vec!["b"], vec!["b"], vec!["b"]),
            ("inserted below", vec!["a", "b"], vec!["a", "x", "b"], vec!["a", "b", "y"], vec!["a", "x", "b", "y"]),
            (
                "inserted behind what is gone",
                vec!["a", "b", "c"],
                vec!["a", "b", "x", "c"],
                vec!["a", "c"],
                vec!["a", "x", "c"],
            ),
            ("a wrong base adds nothing twice", vec!["a"], vec!["a", "y", "x"], vec!["a", "y"], vec!["a", "y", "x"]),
        ] {
            assert_eq!(merged(&base, &incoming, &current).1, board, "{case}");
        }
    }

    #[test]
    fn an_element_written_differently_keeps_its_first_text() {
        let (own, board) = merged(
            &[r#"{"a":123456789012345678901234567890}"#],
            &[r#"{"a":1.2345678901234568e+29}"#, "2"],
            &[r#"{"a":123456789012345678901234567890}"#],
        );
        assert_eq!(board, [r#"{"a":123456789012345678901234567890}"#, "2"]);
        assert_eq!(own, board);
    }

    fn list() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(0..8u8, 0..10)
    }

    proptest! {
        /// Alone, a client gets exactly the list it sent, whatever it did to the one before (doubles included).
        #[test]
        fn without_concurrency_the_list_is_the_clients(base in list(), incoming in list()) {
            let base: Vec<_> = base.iter().map(u8::to_string).collect();
            let incoming: Vec<_> = incoming.iter().map(u8::to_string).collect();
            let base = strokes(&base.iter().map(String::as_str).collect::<Vec<_>>());
            let sent = Incoming::new(incoming.iter().map(String::as_str).collect());
            let matched = Match::of(&base, &sent);
            let merged = merge(&base, &matched, &sent, &base);
            prop_assert_eq!(texts(&merged.board), incoming.clone());
            prop_assert_eq!(texts(&merged.own), incoming);
        }

        /// What others drew is still there in their order, what the user drew is there in theirs, and what either
        /// took away is gone.
        #[test]
        fn nothing_vanishes_and_nothing_returns(
            size in 0..8usize,
            mine_gone in proptest::collection::vec(any::<bool>(), 8),
            others_gone in proptest::collection::vec(any::<bool>(), 8),
            mine_new in proptest::collection::vec(0..9usize, 0..4),
            others_new in proptest::collection::vec(0..9usize, 0..4),
        ) {
            let names: Vec<String> = (0..size).map(|n| format!("\"base {n}\"")).collect();
            let base: Vec<Stroke> = names.iter().map(|name| Stroke::new(name)).collect();
            let edit = |gone: &[bool], new: &[usize], who: &str| {
                let mut list: Vec<Stroke> =
                    base.iter().zip(gone).filter(|(_, gone)| !**gone).map(|(stroke, _)| stroke.clone()).collect();
                for (n, place) in new.iter().enumerate() {
                    list.insert((*place).min(list.len()), Stroke::new(&format!("\"{who} {n}\"")));
                }
                list
            };
            let mine = edit(&mine_gone, &mine_new, "mine");
            let current = edit(&others_gone, &others_new, "theirs");
            let sent = Incoming::new(mine.iter().map(Stroke::text).collect());
            let board = texts(&merge(&base, &Match::of(&base, &sent), &sent, &current).board);
            let of = |list: &[String], who: &str| -> Vec<String> { list.iter().filter(|t| t.contains(who)).cloned().collect() };
            prop_assert_eq!(of(&board, "mine"), of(&texts(&mine), "mine"));
            prop_assert_eq!(of(&board, "theirs"), of(&texts(&current), "theirs"));
            let expected: Vec<String> = names.iter().enumerate()
                .filter(|(n, _)| !mine_gone[*n] && !others_gone[*n]).map(|(_, name)| name.clone()).collect();
            prop_assert_eq!(of(&board, "base"), expected);
        }
    }
}
