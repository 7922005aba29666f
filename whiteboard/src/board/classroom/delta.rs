//! How one list of elements became another: what undo and redo keep instead of whole lists.

use super::stroke::Stroke;
use std::collections::HashMap;

/// At `at` (counted in the old list) `removed` was replaced by `added`.
#[derive(Clone, Debug)]
pub struct Splice {
    pub at: usize,
    pub removed: Vec<Stroke>,
    pub added: Vec<Stroke>,
}

/// The change from one list to another, as splices in ascending order that do not touch each other.
#[derive(Clone, Debug, Default)]
pub struct Delta(Vec<Splice>);

/// A delta that does not fit the list it should apply to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a change of elements {from} to {to} does not fit a list of {length}")]
pub struct Misfit {
    pub from: usize,
    pub to: usize,
    pub length: usize,
}

impl Delta {
    /// The change from `old` to `new`, by the identity of their elements. Work and size grow with what differs;
    /// an element that moved counts as removed and added.
    pub fn between(old: &[Stroke], new: &[Stroke]) -> Self {
        let prefix = old.iter().zip(new).take_while(|(a, b)| a.is(b)).count();
        let suffix = old[prefix..].iter().rev().zip(new[prefix..].iter().rev()).take_while(|(a, b)| a.is(b)).count();
        let old_middle = &old[prefix..old.len() - suffix];
        let new_middle = &new[prefix..new.len() - suffix];
        let places: HashMap<usize, usize> =
            old_middle.iter().enumerate().map(|(place, stroke)| (stroke.identity(), place)).collect();

        let mut splices = Vec::new();
        let (mut old_at, mut added) = (0, Vec::new());
        for stroke in new_middle {
            match places.get(&stroke.identity()) {
                Some(&place) if place >= old_at => {
                    push_splice(&mut splices, prefix, old_middle, old_at..place, &mut added);
                    old_at = place + 1;
                }
                _ => added.push(stroke.clone()),
            }
        }
        push_splice(&mut splices, prefix, old_middle, old_at..old_middle.len(), &mut added);
        Self(splices)
    }

    /// A delta read back from a log: `parts` are place, number of elements removed, and elements added.
    pub fn from_parts(list: &[Stroke], parts: Vec<(usize, usize, Vec<Stroke>)>) -> Result<Self, Misfit> {
        let mut splices = Vec::with_capacity(parts.len());
        let mut least = 0;
        for (at, removed, added) in parts {
            let to = at.saturating_add(removed);
            if at < least || to > list.len() {
                return Err(Misfit { from: at, to, length: list.len() });
            }
            least = to;
            splices.push(Splice { at, removed: list[at..to].to_vec(), added });
        }
        Ok(Self(splices))
    }

    /// A delta read back from a snapshot, elements removed included.
    pub fn from_splices(splices: Vec<Splice>) -> Self {
        Self(splices)
    }

    /// The splices, ascending.
    pub fn splices(&self) -> &[Splice] {
        &self.0
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of the elements that this delta holds on to.
    pub fn weight(&self) -> usize {
        self.0.iter().flat_map(|splice| splice.removed.iter().chain(&splice.added)).map(|s| s.text().len()).sum()
    }

    /// By how many elements the new list is longer.
    pub fn growth(&self) -> isize {
        self.0.iter().map(|splice| splice.added.len().cast_signed() - splice.removed.len().cast_signed()).sum()
    }

    /// Turns the old list into the new one.
    pub fn apply(&self, list: &mut Vec<Stroke>) -> Result<(), Misfit> {
        self.check(list.len(), 0)?;
        for splice in self.0.iter().rev() {
            list.splice(splice.at..splice.at + splice.removed.len(), splice.added.iter().cloned());
        }
        Ok(())
    }

    /// Turns the new list back into the old one.
    pub fn revert(&self, list: &mut Vec<Stroke>) -> Result<(), Misfit> {
        self.check(list.len(), self.growth())?;
        // Going forwards, everything left of a splice is already as it was in the old list: its place is right.
        for splice in &self.0 {
            list.splice(splice.at..splice.at + splice.added.len(), splice.removed.iter().cloned());
        }
        Ok(())
    }

    /// Every splice lies inside the old list, behind the one before it; `growth` is what this delta added to a list
    /// that now has `length` elements.
    fn check(&self, length: usize, growth: isize) -> Result<(), Misfit> {
        let old_length = length.checked_add_signed(-growth);
        let mut least = 0;
        for splice in &self.0 {
            let to = splice.at.saturating_add(splice.removed.len());
            if splice.at < least || old_length.is_none_or(|old| to > old) {
                return Err(Misfit { from: splice.at, to, length });
            }
            least = to;
        }
        Ok(())
    }
}

fn push_splice(
    splices: &mut Vec<Splice>,
    prefix: usize,
    old_middle: &[Stroke],
    removed: std::ops::Range<usize>,
    added: &mut Vec<Stroke>,
) {
    if !removed.is_empty() || !added.is_empty() {
        let at = prefix + removed.start;
        splices.push(Splice { at, removed: old_middle[removed].to_vec(), added: std::mem::take(added) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pool() -> Vec<Stroke> {
        (0..12).map(|n| Stroke::new(&n.to_string())).collect()
    }

    fn pick(pool: &[Stroke], places: &[usize]) -> Vec<Stroke> {
        places.iter().map(|&place| pool[place].clone()).collect()
    }

    fn same(a: &[Stroke], b: &[Stroke]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is(b))
    }

    #[test]
    fn a_change_is_as_small_as_what_differs() {
        let pool = pool();
        for (old, new, expected) in [
            (vec![], vec![], vec![]),
            (vec![0, 1], vec![0, 1], vec![]),
            (vec![0, 1], vec![0, 1, 2], vec![(2, 0, 1)]),
            (vec![0, 1, 2], vec![0, 2], vec![(1, 1, 0)]),
            (vec![0, 1, 2, 3], vec![4, 1, 2, 5], vec![(0, 1, 1), (3, 1, 1)]),
            (vec![0, 1, 2, 3, 4], vec![0, 5, 2, 4, 6], vec![(1, 1, 1), (3, 1, 0), (5, 0, 1)]),
            (vec![0, 1], vec![], vec![(0, 2, 0)]),
            // Moved to the front: added there, removed here.
            (vec![0, 1, 2], vec![2, 0, 1], vec![(0, 2, 0), (3, 0, 2)]),
        ] {
            let delta = Delta::between(&pick(&pool, &old), &pick(&pool, &new));
            let shape: Vec<_> = delta.splices().iter().map(|s| (s.at, s.removed.len(), s.added.len())).collect();
            assert_eq!(shape, expected, "{old:?} -> {new:?}");
        }
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let pool = pool();
        let three = pick(&pool, &[0, 1, 2]);
        assert!(Delta::from_parts(&three, vec![(2, 2, vec![])]).is_err());
        assert!(Delta::from_parts(&three, vec![(4, 0, vec![])]).is_err());
        assert!(Delta::from_parts(&three, vec![(1, 1, vec![]), (1, 0, vec![])]).is_err());
        assert!(Delta::from_parts(&three, vec![(usize::MAX, 2, vec![])]).is_err());
        let delta = Delta::between(&three, &pick(&pool, &[0]));
        let mut short = pick(&pool, &[0]);
        assert_eq!(delta.apply(&mut short), Err(Misfit { from: 1, to: 3, length: 1 }));
        assert!(same(&short, &pick(&pool, &[0])), "a refused change leaves the list alone");
        let grown = Delta::between(&[], &three);
        assert!(grown.revert(&mut short).is_err());
    }

    fn places() -> impl Strategy<Value = Vec<usize>> {
        proptest::sample::subsequence((0..12).collect::<Vec<_>>(), 0..=12).prop_shuffle()
    }

    proptest! {
        #[test]
        fn apply_and_revert_are_inverse(old in places(), new in places()) {
            let pool = pool();
            let (old, new) = (pick(&pool, &old), pick(&pool, &new));
            let delta = Delta::between(&old, &new);
            let mut list = old.clone();
            delta.apply(&mut list).unwrap();
            prop_assert!(same(&list, &new));
            let parts = delta.splices().iter().map(|s| (s.at, s.removed.len(), s.added.clone())).collect();
            let mut again = old.clone();
            Delta::from_parts(&old, parts).unwrap().apply(&mut again).unwrap();
            prop_assert!(same(&again, &new));
            delta.revert(&mut list).unwrap();
            prop_assert!(same(&list, &old));
        }
    }
}
